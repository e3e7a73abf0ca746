use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa::ToSchema;

use crate::NewSecondFactor;
use crate::SecondFactorProof;
use crate::SecretText;

/// The header that carries a [`PrivilegeToken`].
pub const PRIVILEGE_HEADER: &str = "signet-reauthentication";

/// The answer of `GET /v1/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The name.
    pub user: String,
    /// The roles, as they are now.
    pub roles: Vec<String>,
    /// The traits, as they are now.
    pub traits: BTreeMap<String, Vec<String>>,
    /// The accounts the roles give.
    pub logins: Vec<String>,
    /// Second factors.
    pub second_factors: Vec<SecondFactorRow>,
    /// How many recovery codes are left.
    pub recovery_codes_left: u64,
}

impl Me {
    /// Whether nothing but keys in authenticators is left of the second factors that are accepted: none of these works in a terminal.
    #[must_use]
    pub fn has_only_keys(&self, accepted: &[String]) -> bool {
        let has = |kind: &str| {
            accepted.iter().any(|one| one == kind) && self.second_factors.iter().any(|own| own.kind == kind)
        };
        has("webauthn") && !has("totp")
    }
}

/// A second factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecondFactorRow {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// `totp` or `webauthn`.
    pub kind: String,
    /// When it was added, RFC 3339.
    pub added: String,
    /// When it was last used, RFC 3339; absent when never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
}

/// The body of `POST /v1/me/reauthenticate/finish`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReauthenticateRequest {
    /// From [`crate::LoginChallenge`].
    pub challenge_id: String,
    /// The password.
    #[schema(value_type = String)]
    pub password: SecretText,
    /// The second factor.
    pub second_factor: SecondFactorProof,
    /// What for: `change_password`, `change_second_factors`, `rotate`, `sign`, `read_secrets` or `admin`.
    pub purpose: String,
}

/// A proof that somebody said anew who they are, good for five minutes and for the key of the certificate that it was asked for with: the
/// header `signet-reauthentication`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PrivilegeToken {
    /// The token.
    #[schema(value_type = String)]
    pub token: SecretText,
    /// When it ends, RFC 3339.
    pub expires: String,
}

/// The body of `POST /v1/me/second_factors/finish`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddSecondFactorRequest {
    /// From the challenge.
    pub challenge_id: String,
    /// What the new second factor proved.
    pub second_factor: NewSecondFactor,
    /// What its owner calls it.
    pub name: String,
}

/// The body of `POST /v1/me/password`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePasswordRequest {
    /// The new password.
    #[schema(value_type = String)]
    pub password: SecretText,
}

/// The query of `GET /v1/resources/{kind}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ResourceParameters {
    /// After the document of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The most to return: 1 to 1000, 100 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A page of documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResourcePage {
    /// The documents: `kind`, `version`, `metadata`, `spec`.
    #[schema(value_type = Vec<ResourceDocument>)]
    pub documents: Vec<Value>,
    /// The name after which the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The query of `DELETE /v1/resources/{kind}/{name}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeleteParameters {
    /// Only when it is at this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Even when others refer to it.
    #[serde(default)]
    pub force: bool,
}

/// The body of `POST /v1/users/{name}/invite`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// How long the link is good for, in seconds: an hour when absent, at most 48 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
}

/// A link by which a user sets a password and a second factor. It is shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InviteAnswer {
    /// Whose.
    pub user: String,
    /// `signup` or `reset`.
    pub purpose: String,
    /// The link's secret.
    #[schema(value_type = String)]
    pub token: SecretText,
    /// The link.
    #[schema(value_type = String)]
    pub url: SecretText,
    /// When it ends, RFC 3339.
    pub expires: String,
}

/// The body of `POST /v1/access/explain`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// Whose access.
    pub user: String,
    /// The account on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// The node, by its id or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// A kind of document, instead of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Which document of that kind, by its name: conditions of rules (`where`) ask about it. One that is not there has a name and no labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is done with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verb: Option<String>,
}

/// What was decided, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainAnswer {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The role that decided; absent when nothing allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The rule that decided, such as `allow.logins[0]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why, in a sentence.
    pub why: String,
    /// Everything that was looked at, a line each.
    pub explanation: Vec<String>,
}

/// The answer of `GET /webapi/ping`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ping {
    /// The cluster.
    pub cluster_name: String,
    /// Signet's version.
    pub server_version: String,
    /// The kinds of second factor that are accepted: `totp`, `webauthn`, `recovery_code`.
    #[serde(default)]
    pub second_factors: Vec<String>,
}

/// A document: what it is, which form it has, its metadata and its content. What may stand in `spec` depends on the kind, and is checked
/// by the server field by field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceDocument {
    /// `user`, `role`, `token`, `node`, `lock`, `cluster_auth_preference`, `session_recording_config` or `cluster_networking_config`.
    pub kind: String,
    /// `v1`.
    pub version: String,
    /// Its name and whatever every document has.
    pub metadata: ResourceMetadata,
    /// Its content.
    #[schema(value_type = Object)]
    pub spec: Value,
}

/// What every document has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceMetadata {
    /// Its name, unique within its kind.
    pub name: String,
    /// What it is for, in the words of whoever made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels, by which roles select nodes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// When it ceases to be, RFC 3339; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// The revision it was read at. On a write: the revision that the change was decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}
