use std::collections::BTreeMap;

use names::UnixSeconds;
use names::UserName;
use serde::Deserialize;
use serde::Serialize;

use crate::Kind;
use crate::Metadata;
use crate::ResourceName;
use crate::Spec;
use crate::limits;
use crate::problem::Problem;
use crate::scalars;

/// A person or a machine account. Its name in the metadata is also a `UserName`: at most 64 bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    /// The roles it bears.
    #[serde(default)]
    pub roles: Vec<ResourceName>,
    /// What roles read in templates; `logins` are the names it may log in by where a role says `{{internal.logins}}`.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "scalars::lists"
    )]
    pub traits: BTreeMap<String, Vec<String>>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// How it stands. Only the server says this; a write ignores it.
    #[serde(default, skip_serializing_if = "UserStatus::is_default")]
    pub status: UserStatus,
}

/// How an account stands. Only the server says this.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UserStatus {
    /// Whether too many wrong passwords keep it out at the moment.
    pub is_locked: bool,
    /// Until when they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<UnixSeconds>,
    /// Whether it has set a password.
    pub has_password: bool,
    /// How many second factors it has.
    pub second_factors: u32,
}

impl UserStatus {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Spec for UserSpec {
    const KIND: Kind = Kind::User;

    fn check(&self, metadata: &Metadata, problems: &mut Vec<Problem>) {
        if let Err(error) = UserName::parse(metadata.name.as_str()) {
            problems.push(Problem::new("metadata.name", error.to_string()));
        }
        limits::check_count("spec.roles", self.roles.len(), problems);
        limits::check_count("spec.traits", self.traits.len(), problems);
        for (key, values) in &self.traits {
            limits::check_key("spec.traits", key, problems);
            limits::check_texts(&format!("spec.traits.{key}"), values, problems);
        }
        if let Some(creator) = &self.created_by {
            limits::check_text("spec.created_by", creator, problems);
        }
    }

    fn clear_read_only(&mut self) {
        self.status = UserStatus::default();
    }
}
