use x509::CaCertificatePlan;
use x509::Issuer;
use x509::KeyUsage;
use x509::LeafPlan;
use x509::StatedPurposes;
use x509::SubjectAltName;
use x509::TbsCertificate;

use crate::AltNameRule;
use crate::Finding;
use crate::LintedPlan;
use crate::Summary;
use crate::X509Plan;
use crate::finding::Findings;
use crate::linted::Kind;

/// How long an authority's certificate may be good for: 10 years and the leap days in them.
const AUTHORITY_SECONDS_MAX: i64 = 3_653 * 86_400;

/// Checks a certificate about to be signed, on the very bytes to be signed.
///
/// # Errors
/// Every rule it breaks.
pub fn lint_x509(plan: X509Plan, issuer: &Issuer) -> Result<LintedPlan, Vec<Finding>> {
    let bytes = plan
        .leaf
        .to_be_signed()
        .map_err(|error| vec![Finding::new("x509.encoding", error.to_string())])?;
    inspect_leaf(&bytes, &plan, issuer)?;
    let X509Plan { profile, leaf } = plan;
    let summary = Summary {
        cert_type: profile.rules().cert_type,
        serial: leaf.serial.to_string(),
        subject: leaf
            .subject
            .common_name()
            .or_else(|| leaf.alt_names.first().map(show))
            .unwrap_or_default(),
        principals: leaf.alt_names.iter().map(show).collect(),
        not_before: leaf.not_before,
        not_after: leaf.not_after,
    };
    Ok(LintedPlan::new(summary, bytes, leaf.scheme, Kind::X509))
}

/// Holds bytes to be signed against every rule, and against the plan that the records will tell of.
pub(crate) fn inspect_leaf(bytes: &[u8], plan: &X509Plan, issuer: &Issuer) -> Result<(), Vec<Finding>> {
    let X509Plan { profile, leaf } = plan;
    let rules = profile.rules();
    let tbs = TbsCertificate::parse(bytes)
        .map_err(|error| vec![Finding::new("x509.encoding", error.to_string())])?;
    let mut findings = Findings::default();
    check_frame(&tbs, issuer, &mut findings);
    findings.check(
        tbs.issuer == issuer.name.der(),
        "x509.issuer",
        "the issuer is not the subject of the authority's certificate (RFC 5280 section 6.1.3)",
    );
    let seconds = tbs.not_after.moment.0.saturating_sub(tbs.not_before.moment.0);
    let longest = rules
        .lifetime_longest
        .seconds()
        .saturating_add(crate::BACKDATE.seconds());
    findings.check(
        seconds.unsigned_abs() <= longest,
        "x509.validity.profile",
        "longer than the profile allows",
    );
    findings.check(
        tbs.not_before.moment >= issuer.not_before && tbs.not_after.moment <= issuer.not_after,
        "x509.validity.issuer",
        "not within the validity of the authority's certificate",
    );
    check_key(&tbs, plan, issuer, &mut findings);
    let stated = findings
        .read("x509.aki", tbs.authority_key_identifier())
        .flatten();
    findings.check(
        stated == Some(issuer.key_identifier.as_slice()),
        "x509.aki",
        "the authority key identifier is not that of the authority (RFC 5280 section 4.2.1.1)",
    );
    let constraints = findings
        .read("x509.basic_constraints", tbs.basic_constraints())
        .flatten();
    findings.check(
        constraints.is_some_and(|stated| stated.is_critical && !stated.is_ca && stated.path_length.is_none()),
        "x509.basic_constraints",
        "the basic constraints are not critical, or make it an authority (RFC 5280 section 4.2.1.9)",
    );
    let purposes = findings.read("x509.purposes", tbs.extended_key_usage()).flatten();
    let wanted = StatedPurposes {
        known: rules.purposes.to_vec(),
        has_unknown: false,
    };
    findings.check(
        purposes.as_ref() == Some(&wanted),
        "x509.purposes",
        "the extended key usage is not the profile's",
    );
    check_names(&tbs, leaf, rules.alt_names, &mut findings);
    let identity = findings.read("x509.identity", tbs.identity()).flatten();
    findings.check(
        identity.as_ref().map(|identity| identity.kind) == rules.identity && identity == leaf.identity,
        "x509.identity",
        "the identity is missing, or of another kind than the profile's",
    );
    check_faithful(&tbs, leaf, &mut findings);
    findings.into_result()
}

/// Checks the certificate of an authority about to be signed by itself.
///
/// # Errors
/// Every rule it breaks.
pub fn lint_authority(plan: CaCertificatePlan) -> Result<LintedPlan, Vec<Finding>> {
    let bytes = plan
        .to_be_signed()
        .map_err(|error| vec![Finding::new("x509.encoding", error.to_string())])?;
    inspect_authority(&bytes, &plan)?;
    let summary = Summary {
        cert_type: "authority",
        serial: plan.serial.to_string(),
        subject: plan.subject.common_name().unwrap_or_default(),
        principals: Vec::new(),
        not_before: plan.not_before,
        not_after: plan.not_after,
    };
    Ok(LintedPlan::new(summary, bytes, plan.scheme, Kind::X509))
}

/// Holds bytes to be signed against every rule, and against the plan that the records will tell of.
pub(crate) fn inspect_authority(bytes: &[u8], plan: &CaCertificatePlan) -> Result<(), Vec<Finding>> {
    let tbs = TbsCertificate::parse(bytes)
        .map_err(|error| vec![Finding::new("x509.encoding", error.to_string())])?;
    let mut findings = Findings::default();
    let identifier = plan
        .public_key
        .key_identifier()
        .map_err(|error| vec![Finding::new("x509.ski", error.to_string())])?;
    let itself = Issuer {
        name: plan.subject.clone(),
        key_identifier: identifier,
        public_key: plan.public_key.clone(),
        scheme: plan.scheme,
        not_before: plan.not_before,
        not_after: plan.not_after,
    };
    check_frame(&tbs, &itself, &mut findings);
    findings.check(
        tbs.issuer == tbs.subject && !plan.subject.is_empty(),
        "x509.issuer",
        "issuer and subject of an authority are one name, and not empty",
    );
    findings.check(
        tbs.subject_public_key == plan.public_key.spki_der(),
        "x509.subject_key",
        "the key is not the authority's",
    );
    let seconds = tbs.not_after.moment.0.saturating_sub(tbs.not_before.moment.0);
    findings.check(
        seconds <= AUTHORITY_SECONDS_MAX,
        "x509.validity.profile",
        "an authority is good for at most 10 years",
    );
    let constraints = findings
        .read("x509.basic_constraints", tbs.basic_constraints())
        .flatten();
    findings.check(
        constraints.is_some_and(|stated| stated.is_critical && stated.is_ca && stated.path_length == Some(0)),
        "x509.basic_constraints",
        "the basic constraints do not make it an authority of leaves (RFC 5280 section 4.2.1.9)",
    );
    let signs = KeyUsage::KEY_CERT_SIGN.union(KeyUsage::CRL_SIGN);
    let usage = findings.read("x509.key_usage", tbs.key_usage()).flatten();
    findings.check(
        usage.is_some_and(|(usage, is_critical)| {
            is_critical && (usage == signs || usage == signs.union(KeyUsage::DIGITAL_SIGNATURE))
        }),
        "x509.key_usage",
        "an authority's key signs certificates and revocation lists, critically (RFC 5280 section 4.2.1.3)",
    );
    let stated = findings.read("x509.ski", tbs.subject_key_identifier()).flatten();
    findings.check(
        stated == Some(identifier.as_slice()),
        "x509.ski",
        "the subject key identifier is not that of the key",
    );
    let is_faithful = tbs.serial == plan.serial.as_bytes()
        && [tbs.not_before.moment, tbs.not_after.moment] == [plan.not_before, plan.not_after]
        && tbs.subject == plan.subject.der();
    findings.check(
        is_faithful,
        "x509.faithful",
        "what would be signed is not what was planned",
    );
    // Basic constraints, key usage and the subject key identifier.
    findings.check(
        tbs.extensions.len() == 3,
        "x509.extensions",
        "an extension is there that an authority does not have",
    );
    findings.into_result()
}

/// Checks the key and what is said of it. It was checked when it was first read; that it is the same one byte by byte is enough here.
fn check_key(tbs: &TbsCertificate<'_>, plan: &X509Plan, issuer: &Issuer, findings: &mut Findings) {
    let key = &plan.leaf.subject_key;
    findings.check(
        tbs.subject_public_key == key.spki_der(),
        "x509.subject_key",
        "the key is not the holder's",
    );
    findings.check(
        tbs.subject_public_key != issuer.public_key.spki_der(),
        "x509.subject_key.authority",
        "the holder's key is the authority's own",
    );
    let identifier = findings.read("x509.ski", key.key_identifier());
    let stated = findings.read("x509.ski", tbs.subject_key_identifier()).flatten();
    findings.check(
        identifier.as_ref().map(<[u8; 20]>::as_slice) == stated,
        "x509.ski",
        "the subject key identifier is not that of the key (RFC 5280 section 4.2.1.2)",
    );
    let usage = findings.read("x509.key_usage", tbs.key_usage()).flatten();
    findings.check(
        usage == Some((plan.profile.key_usage(key.algorithm()), true)),
        "x509.key_usage",
        "the key usage is not the profile's, or not critical (RFC 5280 section 4.2.1.3)",
    );
}

/// Checks that the bytes say what the plan says, which is what the records say: no field more, none less.
fn check_faithful(tbs: &TbsCertificate<'_>, leaf: &LeafPlan, findings: &mut Findings) {
    let sid = findings.read("x509.windows_sid", tbs.windows_sid()).flatten();
    let is_faithful = tbs.serial == leaf.serial.as_bytes()
        && [tbs.not_before.moment, tbs.not_after.moment] == [leaf.not_before, leaf.not_after]
        && tbs.subject == leaf.subject.der()
        && sid == leaf.windows_sid.as_deref().map(str::as_bytes);
    findings.check(
        is_faithful,
        "x509.faithful",
        "what would be signed is not what was planned",
    );
    // Basic constraints, key usage, extended key usage and the two key identifiers are always there.
    let optional = [
        !leaf.alt_names.is_empty(),
        !leaf.crl_urls.is_empty(),
        leaf.identity.is_some(),
        leaf.windows_sid.is_some(),
    ];
    let count = 5 + optional.into_iter().filter(|is_there| *is_there).count();
    findings.check(
        tbs.extensions.len() == count,
        "x509.extensions",
        "an extension is missing, or there unplanned",
    );
    if let Some(urls) = findings.read("x509.crl_urls", tbs.crl_urls()) {
        let is_url = |url: &String| {
            ["http://", "https://", "ldap:///"]
                .iter()
                .any(|scheme| url.starts_with(scheme))
                && url.len() <= 1_024
                && url.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let is_planned = urls == leaf.crl_urls && urls.iter().all(is_url);
        findings.check(
            is_planned,
            "x509.crl_urls",
            "a revocation list URL is no http, https or ldap URL, or not planned",
        );
    }
}

/// The rules of every certificate.
fn check_frame(tbs: &TbsCertificate<'_>, issuer: &Issuer, findings: &mut Findings) {
    findings.check(
        tbs.version == 2,
        "x509.version",
        "the version is not 3 (RFC 5280 section 4.1.2.1)",
    );
    // CA/Browser Forum BR section 7.1 asks for 64 random bits at least; ours have 126.
    let is_serial =
        (9..=20).contains(&tbs.serial.len()) && tbs.serial.first().is_some_and(|first| *first < 0x80);
    findings.check(
        is_serial,
        "x509.serial",
        "the serial is negative, short or longer than 20 octets (RFC 5280 section 4.1.2.2)",
    );
    let scheme = findings.read("x509.algorithm", tbs.signature_scheme());
    let is_planned = scheme == Some(issuer.scheme) && issuer.scheme.fits(issuer.public_key.algorithm());
    findings.check(
        is_planned,
        "x509.algorithm",
        "the signature algorithm is not one of the authority's key",
    );
    findings.check(
        tbs.not_before.moment < tbs.not_after.moment,
        "x509.validity",
        "it ends before it begins",
    );
    let is_typed = tbs.not_before.is_rightly_typed() && tbs.not_after.is_rightly_typed();
    findings.check(
        is_typed,
        "x509.validity.encoding",
        "a time is of the wrong type (RFC 5280 section 4.1.2.5)",
    );
    findings.check(
        !tbs.has_unknown_critical(),
        "x509.critical",
        "a critical extension is not known here",
    );
}

fn check_names(tbs: &TbsCertificate<'_>, leaf: &LeafPlan, rule: AltNameRule, findings: &mut Findings) {
    let Some((names, is_critical)) = findings.read("x509.alt_names", tbs.alt_names()) else {
        return;
    };
    findings.check(
        names.iter().all(SubjectAltName::is_well_formed),
        "x509.alt_names.form",
        "an alternative name is malformed, or has a wildcard",
    );
    let is_repeated = names
        .iter()
        .enumerate()
        .any(|(at, name)| names.iter().skip(at + 1).any(|other| other == name));
    findings.check(
        !is_repeated,
        "x509.alt_names.twice",
        "an alternative name is there twice",
    );
    findings.check(
        names == leaf.alt_names,
        "x509.faithful",
        "the alternative names are not those planned",
    );
    let is_subject_empty = tbs.subject.len() <= 2;
    findings.check(
        !is_subject_empty || (is_critical && !names.is_empty()),
        "x509.subject",
        "without a subject the alternative names are there and critical (RFC 5280 section 4.1.2.6)",
    );
    let is_host = |name: &SubjectAltName| matches!(name, SubjectAltName::Dns(_) | SubjectAltName::Ip(_));
    let is_spiffe =
        |name: &SubjectAltName| matches!(name, SubjectAltName::Uri(uri) if uri.starts_with("spiffe://"));
    let holds = match rule {
        AltNameRule::None => names.is_empty(),
        AltNameRule::Hosts => !names.is_empty() && names.iter().all(is_host),
        AltNameRule::UserPrincipal => matches!(names.as_slice(), [SubjectAltName::UserPrincipal(_)]),
        AltNameRule::Spiffe => names.split_first().is_some_and(|(first, rest)| {
            is_spiffe(first) && rest.iter().all(|name| matches!(name, SubjectAltName::Dns(_)))
        }),
    };
    findings.check(
        holds,
        "x509.alt_names",
        "the alternative names are not those the profile asks for",
    );
}

fn show(name: &SubjectAltName) -> String {
    match name {
        SubjectAltName::Dns(text)
        | SubjectAltName::Uri(text)
        | SubjectAltName::Email(text)
        | SubjectAltName::UserPrincipal(text) => text.clone(),
        SubjectAltName::Ip(address) => address.to_string(),
        SubjectAltName::Other(_) => "a name of another form".into(),
    }
}
