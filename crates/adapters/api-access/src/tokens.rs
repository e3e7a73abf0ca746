//! `POST /v1/tokens`.

use access::Verb;
use api_types::SecretText;
use api_types::TokenAnswer;
use api_types::TokenRequest;
use authority::AuthorityType;
use authority::KeyForm;
use enrollment::CreateToken;
use names::Ttl;

use crate::Access;
use crate::Problem;
use crate::asked::Asked;
use crate::convert::roles;

pub(crate) async fn create(access: &Access, asked: &Asked) -> Result<TokenAnswer, Problem> {
    let TokenRequest {
        roles: asked_roles,
        ttl_seconds,
        uses,
        labels,
    } = asked.plain.document()?;
    let rights = access.allow_some(asked, "token", Verb::Create).await?;
    access.ask_for_proof(asked).await?;
    // Whoever may also change and remove every token operates the cluster.
    let is_operator = rights.check("token", Verb::Update, None).is_ok();
    let create = CreateToken {
        roles: roles(&asked_roles)?,
        ttl: ttl_seconds.map(Ttl::from_seconds),
        uses: match uses {
            None => Some(1),
            Some(0) => None,
            some @ Some(_) => some,
        },
        suggested_labels: labels
            .into_iter()
            .map(|(key, value)| (key, vec![value]))
            .collect(),
        description: None,
        is_operator,
    };
    let created = access
        .enrollment
        .create_token(&asked.caller.actor(), create)
        .await?;
    let metadata = &created.document.metadata;
    Ok(TokenAnswer {
        token: SecretText::new(created.secret.expose().to_owned()),
        name: directory::token_name(&metadata.name),
        expires: metadata.expires.map(|moment| moment.to_string()),
        ca_pins: pins(access)?,
        proxy: access.proxy.clone(),
        listens: access.proxy.is_none().then(|| listens(access.service.web_url())),
    })
}

/// The address in the URL of what everybody is served.
fn listens(web_url: &str) -> String {
    web_url.trim_start_matches("https://").to_owned()
}

/// A token for a machine whose services run in the process of the auth service: good once, for minutes.
///
/// # Errors
/// When it cannot be made.
pub async fn local_token(access: &Access, asked_roles: &[String]) -> Result<SecretText, Problem> {
    let create = CreateToken {
        roles: roles(asked_roles)?,
        ttl: Some(Ttl::from_seconds(300)),
        uses: Some(1),
        suggested_labels: Default::default(),
        description: Some("the services beside the auth service".to_owned()),
        is_operator: true,
    };
    let created = access
        .enrollment
        .create_token(&audit::Actor::System, create)
        .await?;
    Ok(SecretText::new(created.secret.expose().to_owned()))
}

/// The pins of the host authority: what a machine that joins recognises the cluster by.
fn pins(access: &Access) -> Result<Vec<String>, Problem> {
    let host = access.service.cluster().authority(AuthorityType::Host)?;
    let tls = host.record.trusted().filter(|(_, key)| key.form == KeyForm::Tls);
    Ok(tls
        .map(|(_, key)| format!("sha256:{}", key.public_key.spki_sha256()))
        .collect())
}
