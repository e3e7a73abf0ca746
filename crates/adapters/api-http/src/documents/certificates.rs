use api_types::CertificateParameters;
use api_types::CertificateRow;
use ledger::CertificateQuery;
use ledger::IssuedCertificate;
use names::UnixSeconds;

use crate::problem::Problem;

/// Certificates of a page when the caller does not say.
const LIMIT: usize = 100;

/// A query in the ledger's words.
///
/// # Errors
/// When the authority is unknown, the issuer no hash, or the limit out of range.
pub(crate) fn query(asked: CertificateParameters, now: UnixSeconds) -> Result<CertificateQuery, Problem> {
    let CertificateParameters {
        authority,
        issuer,
        subject,
        serial,
        expired,
        offset,
        limit,
    } = asked;
    let issuer = issuer.map(|text| {
        key::SpkiSha256::try_from(text).map_err(|fault| Problem::BadRequest {
            field: "issuer",
            problem: fault.to_string(),
        })
    });
    Ok(CertificateQuery {
        authority: authority.map(|text| super::parse("type", &text)).transpose()?,
        issuer: issuer.transpose()?,
        unexpired_at: (!expired).then_some(now),
        serial,
        subject,
        offset,
        limit: super::limit(limit, LIMIT, ledger::PAGE_MAX)?,
    })
}

/// A certificate as it was issued.
pub(crate) fn row(issued: &IssuedCertificate, revoked_at: Option<UnixSeconds>) -> CertificateRow {
    let IssuedCertificate {
        authority,
        form,
        serial,
        subject,
        issuer_spki_sha256,
        not_before,
        not_after,
        event_uid,
        bytes: _,
    } = issued;
    CertificateRow {
        authority: authority.to_string(),
        protocol: form.protocol().to_owned(),
        serial: serial.clone(),
        subject: subject.clone(),
        issuer_public_key_sha256: issuer_spki_sha256.to_string(),
        not_before: not_before.to_string(),
        not_after: not_after.to_string(),
        revoked_at: revoked_at.map(|at| at.to_string()),
        event_uid: event_uid.clone(),
    }
}
