use std::collections::BTreeMap;

use api_types::CertAuthority;
use api_types::CertAuthorityParameters;
use api_types::Crl;
use api_types::CrlParameters;
use api_types::Export;
use api_types::ExportParameters;
use authority::AuthorityType;
use authority::KeyForm;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cluster::ExportKind;
use cluster::Refusal;

use super::Asked;
use crate::documents;
use crate::documents::authorities;
use crate::documents::authorities::Beside;
use crate::documents::exports;
use crate::permission::Permission;
use crate::problem::Problem;
use crate::router::require;
use crate::service::Service;

/// `GET /v1/cert_authorities`.
pub(super) async fn list(service: &Service, asked: &Asked) -> Result<Vec<CertAuthority>, Problem> {
    let CertAuthorityParameters {
        authority,
        with_secrets,
    } = asked.parameters()?;
    let only: Option<AuthorityType> = authority
        .map(|text| documents::parse("type", &text))
        .transpose()?;
    let cluster = &service.cluster;
    let secrets = if with_secrets {
        require(service, &asked.caller, Permission::ReadSecrets).await?;
        cluster.secrets(&asked.caller.actor(), only).await?
    } else {
        BTreeMap::new()
    };
    let mut all = Vec::new();
    for kind in AuthorityType::ALL
        .into_iter()
        .filter(|kind| only.is_none_or(|only| only == *kind))
    {
        let view = cluster.authority(kind)?;
        let crls = if kind.forms().contains(&KeyForm::Tls) {
            cluster.crls(kind).await?
        } else {
            Vec::new()
        };
        let beside = Beside {
            cluster: cluster.name(),
            secrets: &secrets,
            crls: &crls,
        };
        all.push(authorities::document(&view, &beside)?);
    }
    Ok(all)
}

/// `GET /v1/export`.
///
/// # Errors
/// When there is no such export.
pub(crate) fn export(service: &Service, asked: ExportParameters) -> Result<Export, Problem> {
    let ExportParameters { kind, status, format } = asked;
    let kind = ExportKind::parse(&kind).map_err(cluster::ClusterError::Refused)?;
    let format = format.map(exports::format_asked);
    let files = service
        .cluster
        .export(kind, exports::status_asked(status), format)?;
    Ok(exports::export(files))
}

/// `GET /v1/crl`.
pub(super) async fn crl(service: &Service, asked: &Asked) -> Result<Vec<Crl>, Problem> {
    let CrlParameters { authority } = asked.parameters()?;
    let authority: AuthorityType = documents::parse("type", &authority)?;
    if !authority.forms().contains(&KeyForm::Tls) {
        let with_lists: Vec<&str> = AuthorityType::ALL
            .iter()
            .filter(|kind| kind.forms().contains(&KeyForm::Tls))
            .map(|kind| kind.as_str())
            .collect();
        let problem = format!(
            "{authority} signs no X.509 certificates; those that do are {}",
            with_lists.join(", ")
        );
        return Err(cluster::ClusterError::Refused(Refusal::Malformed {
            field: "type",
            problem,
        })
        .into());
    }
    let lists = service.cluster.crls(authority).await?;
    let lists = lists.into_iter().map(|(key, record)| Crl {
        authority: authority.to_string(),
        key_id: key.reference.id.to_string(),
        pem: x509::pem::encode("X509 CRL", &record.der.0),
        der_base64: STANDARD.encode(&record.der.0),
        next_update: record.next_update.to_string(),
    });
    Ok(lists.collect())
}
