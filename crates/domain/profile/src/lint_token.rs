use jwt::Claims;
use jwt::TokenPlan;
use jwt::Unverified;
use names::UnixSeconds;
use serde_json::Value;

use crate::Finding;
use crate::LintedPlan;
use crate::Summary;
use crate::TokenProfile;
use crate::finding::Findings;
use crate::linted::Kind;

/// Checks a token about to be signed, on the very bytes to be signed.
///
/// # Errors
/// Every rule it breaks.
pub fn lint_token(plan: TokenPlan, profile: TokenProfile) -> Result<LintedPlan, Vec<Finding>> {
    let unreadable = |error: String| vec![Finding::new("jwt.encoding", error)];
    let text = plan
        .to_be_signed()
        .map_err(|error| unreadable(error.to_string()))?;
    inspect_token(&text, &plan, profile)?;
    let summary = Summary {
        cert_type: profile.cert_type(),
        serial: plan.claims.token_id.clone(),
        subject: plan.claims.subject.clone(),
        principals: plan.claims.audience.clone(),
        not_before: plan.claims.not_before,
        not_after: plan.claims.expires,
    };
    Ok(LintedPlan::new(
        summary,
        text.into_bytes(),
        plan.scheme,
        Kind::Token,
    ))
}

/// Holds bytes to be signed against every rule, and against the plan that the records will tell of.
pub(crate) fn inspect_token(text: &str, plan: &TokenPlan, profile: TokenProfile) -> Result<(), Vec<Finding>> {
    let unreadable = |error: String| vec![Finding::new("jwt.encoding", error)];
    let read = Unverified::parse(text).map_err(|error| unreadable(error.to_string()))?;
    let mut findings = Findings::default();
    let header = |name: &str| read.header.get(name).and_then(Value::as_str);
    findings.check(
        header("alg") == Some(jwt::algorithm(plan.scheme)),
        "jwt.alg",
        "the algorithm is not the authority's",
    );
    let kid = findings.read("jwt.kid", jwt::thumbprint(&plan.signing_key));
    findings.check(
        header("kid") == kid.as_deref(),
        "jwt.kid",
        "the key id is not the key's thumbprint (RFC 7638)",
    );
    let number = |name: &str| read.claims.get(name).and_then(Value::as_i64);
    let (begins, ends) = (number("nbf"), number("exp"));
    findings.check(
        begins.is_some() && begins < ends && number("iat") < ends,
        "jwt.times",
        "nbf, iat and exp are not in order",
    );
    let (_, longest) = profile.lifetimes();
    let seconds = ends
        .unwrap_or(i64::MAX)
        .saturating_sub(begins.unwrap_or(0))
        .unsigned_abs();
    let allowed = longest.seconds().saturating_add(crate::BACKDATE.seconds());
    findings.check(
        seconds <= allowed,
        "jwt.times.profile",
        "longer than the profile allows",
    );
    for name in ["iss", "sub", "jti"] {
        let is_there = read
            .claims
            .get(name)
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty());
        findings.check(
            is_there,
            "jwt.claims",
            "iss, sub and jti are texts that are not empty",
        );
    }
    findings.check(
        read.claims.get("aud").is_some(),
        "jwt.aud",
        "a token is for somebody",
    );
    match profile {
        TokenProfile::Workload => {
            let is_spiffe = plan.claims.subject.starts_with("spiffe://");
            findings.check(
                is_spiffe,
                "jwt.sub",
                "the subject of a workload's token is its SPIFFE id (JWT-SVID section 3.1)",
            );
        }
        TokenProfile::Application | TokenProfile::Oidc | TokenProfile::Okta => {}
    }
    findings.check(
        plan.scheme.fits(plan.signing_key.algorithm()),
        "jwt.alg",
        "the scheme is not one of the authority's key",
    );
    findings.check(
        is_faithful(&read.claims, &plan.claims),
        "jwt.faithful",
        "what would be signed is not what was planned",
    );
    findings.into_result()
}

/// Whether the claims read back are the planned ones, all of them and no others.
fn is_faithful(read: &Value, planned: &Claims) -> bool {
    let Claims {
        issuer,
        subject,
        audience,
        token_id,
        issued_at,
        not_before,
        expires,
        others,
    } = planned;
    let text = |name: &str, wanted: &str| read.get(name).and_then(Value::as_str) == Some(wanted);
    let time = |name: &str, wanted: UnixSeconds| read.get(name).and_then(Value::as_i64) == Some(wanted.0);
    let is_audience = match (read.get("aud"), audience.as_slice()) {
        (Some(Value::String(one)), [wanted]) => one == wanted,
        (Some(Value::Array(several)), wanted) => several
            .iter()
            .map(Value::as_str)
            .eq(wanted.iter().map(|one| Some(one.as_str()))),
        (
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) | Value::String(_))
            | None,
            _,
        ) => false,
    };
    text("iss", issuer)
        && text("sub", subject)
        && text("jti", token_id)
        && time("iat", *issued_at)
        && time("nbf", *not_before)
        && time("exp", *expires)
        && is_audience
        && others.iter().all(|(name, value)| read.get(name) == Some(value))
        && read
            .as_object()
            .is_some_and(|members| members.len() == others.len() + jwt::REGISTERED_CLAIMS.len())
}
