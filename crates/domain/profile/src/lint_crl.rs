use names::Ttl;
use x509::CrlPlan;
use x509::Issuer;
use x509::TbsCertList;

use crate::Finding;
use crate::LintedPlan;
use crate::Summary;
use crate::finding::Findings;
use crate::linted::Kind;

/// A revocation list is renewed long before this.
const LONGEST: Ttl = Ttl::from_days(10);

/// Checks a revocation list about to be signed, on the very bytes to be signed.
///
/// # Errors
/// Every rule it breaks.
pub fn lint_crl(plan: CrlPlan, issuer: &Issuer) -> Result<LintedPlan, Vec<Finding>> {
    let unreadable = |error: String| vec![Finding::new("crl.encoding", error)];
    let bytes = plan
        .to_be_signed()
        .map_err(|error| unreadable(error.to_string()))?;
    inspect_crl(&bytes, &plan, issuer)?;
    let summary = Summary {
        cert_type: "crl",
        serial: plan.number.to_string(),
        subject: issuer.name.common_name().unwrap_or_default(),
        principals: Vec::new(),
        not_before: plan.this_update,
        not_after: plan.next_update,
    };
    Ok(LintedPlan::new(summary, bytes, plan.scheme, Kind::X509))
}

/// Holds bytes to be signed against every rule, and against the plan that the records will tell of.
pub(crate) fn inspect_crl(bytes: &[u8], plan: &CrlPlan, issuer: &Issuer) -> Result<(), Vec<Finding>> {
    let unreadable = |error: String| vec![Finding::new("crl.encoding", error)];
    let list = TbsCertList::parse(bytes).map_err(|error| unreadable(error.to_string()))?;
    let mut findings = Findings::default();
    findings.check(
        list.version == 1,
        "crl.version",
        "the version is not 2 (RFC 5280 section 5.1.2.1)",
    );
    let scheme = findings.read("crl.algorithm", list.signature_scheme());
    findings.check(
        scheme == Some(issuer.scheme),
        "crl.algorithm",
        "the signature algorithm is not the authority's",
    );
    findings.check(
        list.issuer == issuer.name.der(),
        "crl.issuer",
        "the issuer is not the subject of the authority's certificate",
    );
    let aki = findings
        .read("crl.aki", list.authority_key_identifier())
        .flatten();
    findings.check(
        aki == Some(issuer.key_identifier.as_slice()),
        "crl.aki",
        "the authority key identifier is not that of the authority (RFC 5280 section 5.2.1)",
    );
    let number = findings.read("crl.number", list.number()).flatten();
    findings.check(
        number == Some(plan.number) && plan.number > 0,
        "crl.number",
        "the number is missing (RFC 5280 section 5.2.3)",
    );
    let this_update = list.this_update.moment;
    let is_timed = list
        .next_update
        .is_some_and(|next| next.moment > this_update && next.moment <= this_update.plus(LONGEST));
    findings.check(
        is_timed,
        "crl.times",
        "the next update is missing, not after this one, or more than 10 days away",
    );
    findings.check(
        list.has_revoked_list != list.revoked.is_empty() && list.revoked.len() == plan.revoked.len(),
        "crl.revoked",
        "the list of certificates is absent when nothing is revoked, and complete otherwise (RFC 5280 section 5.1.2.6)",
    );
    let mut serials: Vec<&[u8]> = list.revoked.iter().map(|(serial, ..)| *serial).collect();
    serials.sort_unstable();
    serials.dedup();
    findings.check(
        serials.len() == list.revoked.len(),
        "crl.revoked.twice",
        "a serial is named twice",
    );
    let is_past = plan
        .revoked
        .iter()
        .all(|revoked| revoked.revoked_at <= plan.this_update);
    findings.check(
        is_past,
        "crl.revoked.future",
        "a certificate is revoked after the list is made",
    );
    let is_faithful = [Some(list.this_update), list.next_update].map(|time| time.map(|time| time.moment))
        == [Some(plan.this_update), Some(plan.next_update)]
        && list
            .revoked
            .iter()
            .zip(&plan.revoked)
            .all(|((serial, moment, code), planned)| {
                *serial == planned.serial.as_bytes()
                    && moment.moment == planned.revoked_at
                    && code.unwrap_or(0) == u64::from(planned.reason.code())
            });
    findings.check(
        is_faithful,
        "crl.faithful",
        "what would be signed is not what was planned",
    );
    findings.into_result()
}
