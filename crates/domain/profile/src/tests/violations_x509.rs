use names::ClusterName;
use names::Serial;
use names::Ttl;
use names::UnixSeconds;
use x509::CaCertificatePlan;
use x509::DistinguishedName;
use x509::ExtendedKeyUsage;
use x509::Issuer;
use x509::KeyUsage;
use x509::SubjectAltName;

use super::Planted;
use super::ids;
use super::samples::LATE;
use super::samples::NOW;
use super::samples::authority;
use super::samples::cluster;
use super::samples::edited;
use super::samples::host_request;
use super::samples::hosts;
use super::samples::issuer;
use super::samples::key;
use super::samples::user_request;
use super::samples::windows_request;
use super::samples::x509;
use super::samples::x509_at;
use crate::X509Plan;
use crate::X509Request;
use crate::lint_authority;
use crate::lint_x509;
use crate::lint_x509::inspect_authority;
use crate::lint_x509::inspect_leaf;
use crate::plan_x509;

pub(crate) fn planted() -> Vec<Planted> {
    [
        in_requests(),
        in_leaf_plans(),
        in_leaf_bytes(),
        in_authority_plans(),
        in_authority_bytes(),
    ]
    .concat()
}

fn in_requests() -> Vec<Planted> {
    let asked = |request: &X509Request, ttl, cluster: &ClusterName| {
        let serial = Serial::from_random([5; 16]);
        ids(plan_x509(
            request,
            key(2),
            ttl,
            &issuer(),
            cluster,
            serial,
            NOW,
            None,
        ))
    };
    let workload = |path: &str| X509Request::Workload {
        path: path.to_owned(),
        dns_names: Vec::new(),
    };
    let many: Vec<String> = (0..101).map(|number| format!("h{number}.example.com")).collect();
    let many = X509Request::Host {
        names: hosts(&many.iter().map(String::as_str).collect::<Vec<_>>()),
        roles: Vec::new(),
    };
    let long_name = X509Request::DatabaseServer {
        names: hosts(&["a.example.com"]),
        common_name: Some("x".repeat(65)),
        organization: None,
    };
    let own = cluster();
    let mut planted = vec![
        ("ttl", asked(&user_request(), Some(Ttl::from_seconds(0)), &own)),
        ("ttl", asked(&user_request(), Some(Ttl::from_days(2)), &own)),
        ("x509.alt_names", asked(&many, None, &own)),
        ("x509.subject", asked(&long_name, None, &own)),
    ];
    for path in [
        "", "web", "/", "//a", "/a/", "/./a", "/../a", "/a b", "/a?b", "/ä",
    ] {
        planted.push(("spiffe.path", asked(&workload(path), None, &own)));
    }
    let elsewhere = names::ClusterName::parse("other.example.com").unwrap();
    let foreign = crate::check_spiffe_id("spiffe://prod.example.com/web", &elsewhere);
    planted.push(("spiffe.trust_domain", ids(foreign)));
    for sid in ["", "S-1-", "S-1-5", "S-1-5-x", "not a sid", "S-1-5-21-1 "] {
        let mut request = windows_request();
        if let X509Request::Windows { sid: asked, .. } = &mut request {
            *asked = Some(sid.to_owned());
        }
        planted.push(("x509.windows_sid", asked(&request, None, &own)));
    }
    planted
}

fn in_leaf_plans() -> Vec<Planted> {
    let changed = |request: &X509Request, change: &dyn Fn(&mut X509Plan)| {
        let mut plan = x509(request);
        change(&mut plan);
        ids(lint_x509(plan, &issuer()))
    };
    let host = |change: &dyn Fn(&mut X509Plan)| changed(&host_request(), change);
    let user = |change: &dyn Fn(&mut X509Plan)| changed(&user_request(), change);
    let dns = |name: &str| SubjectAltName::Dns(name.to_owned());
    let nobody = DistinguishedName::new([]).unwrap();
    let short_lived = Issuer {
        not_after: NOW.plus(Ttl::from_hours(1)),
        ..issuer()
    };
    vec![
        (
            "x509.encoding",
            user(&|plan| plan.leaf.not_after = UnixSeconds(i64::MAX)),
        ),
        ("x509.issuer", user(&|plan| plan.leaf.issuer = nobody.clone())),
        (
            "x509.algorithm",
            user(&|plan| plan.leaf.scheme = key::SignatureScheme::EcdsaP256Sha256),
        ),
        (
            "x509.validity",
            user(&|plan| plan.leaf.not_after = plan.leaf.not_before),
        ),
        (
            "x509.validity.profile",
            user(&|plan| plan.leaf.not_after = NOW.plus(Ttl::from_days(31))),
        ),
        (
            "x509.validity.issuer",
            ids(lint_x509(x509(&user_request()), &short_lived)),
        ),
        (
            "x509.subject_key.authority",
            user(&|plan| plan.leaf.subject_key = key(1)),
        ),
        (
            "x509.key_usage",
            user(&|plan| plan.leaf.key_usage = KeyUsage::KEY_CERT_SIGN),
        ),
        (
            "x509.key_usage",
            user(&|plan| plan.leaf.key_usage = KeyUsage::NONE),
        ),
        (
            "x509.aki",
            user(&|plan| plan.leaf.authority_key_identifier = [0; 20]),
        ),
        (
            "x509.purposes",
            user(&|plan| plan.leaf.extended_key_usage.push(ExtendedKeyUsage::ServerAuth)),
        ),
        (
            "x509.purposes",
            user(&|plan| plan.leaf.extended_key_usage.clear()),
        ),
        (
            "x509.alt_names.form",
            host(&|plan| plan.leaf.alt_names = vec![dns("*.example.com")]),
        ),
        (
            "x509.alt_names.twice",
            host(&|plan| plan.leaf.alt_names = vec![dns("a.example"), dns("a.example")]),
        ),
        ("x509.alt_names", host(&|plan| plan.leaf.alt_names.clear())),
        (
            "x509.alt_names",
            user(&|plan| plan.leaf.alt_names = vec![dns("web-1.example.com")]),
        ),
        ("x509.subject", user(&|plan| plan.leaf.subject = nobody.clone())),
        ("x509.identity", user(&|plan| plan.leaf.identity = None)),
        (
            "x509.identity",
            user(&|plan| plan.leaf.identity = x509(&host_request()).leaf.identity),
        ),
        (
            "x509.crl_urls",
            user(&|plan| plan.leaf.crl_urls = vec!["file:///etc/passwd".to_owned()]),
        ),
    ]
}

fn in_leaf_bytes() -> Vec<Planted> {
    let changed = |plan: &X509Plan, from: &[u8], to: &[u8]| {
        let bytes = edited(&plan.leaf.to_be_signed().unwrap(), from, to);
        ids(inspect_leaf(&bytes, plan, &issuer()))
    };
    let user = x509(&user_request());
    let serial = *user.leaf.serial.as_bytes();
    let mut negative = serial;
    negative[0] |= 0x80;
    let mut other = serial;
    other[15] ^= 1;
    let ski = user.leaf.subject_key.key_identifier().unwrap();
    let mut other_ski = ski;
    other_ski[0] ^= 1;
    let windows = x509(&windows_request());
    let truncated = user.leaf.to_be_signed().unwrap();
    let truncated = ids(inspect_leaf(&truncated[1..], &user, &issuer()));
    vec![
        ("x509.encoding", truncated),
        (
            "x509.version",
            changed(&user, &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1]),
        ),
        ("x509.serial", changed(&user, &serial, &negative)),
        ("x509.faithful", changed(&user, &serial, &other)),
        (
            "x509.faithful",
            changed(&user, b"\x0c\x05alice1", b"\x0c\x05alicf1"),
        ),
        // Basic constraints become an unknown extension, critical as they are.
        (
            "x509.critical",
            changed(&user, &[0x55, 0x1d, 0x13], &[0x55, 0x1d, 0x7f]),
        ),
        (
            "x509.basic_constraints",
            changed(&user, &[0x55, 0x1d, 0x13], &[0x55, 0x1d, 0x7f]),
        ),
        ("x509.ski", changed(&user, &ski, &other_ski)),
        (
            "x509.subject_key",
            changed(&user, &[0x2b, 0x65, 0x70, 3], &[0x2b, 0x65, 0x71, 3]),
        ),
        (
            "x509.validity.encoding",
            changed(&x509_at(&user_request(), LATE), b"\x18\x0f2050", b"\x18\x0f2049"),
        ),
        ("x509.extensions", {
            let mut plan = windows.clone();
            let bytes = plan.leaf.to_be_signed().unwrap();
            plan.leaf.windows_sid = None;
            ids(inspect_leaf(&bytes, &plan, &issuer()))
        }),
    ]
}

fn in_authority_plans() -> Vec<Planted> {
    let changed = |change: &dyn Fn(&mut CaCertificatePlan)| {
        let mut plan = authority();
        change(&mut plan);
        ids(lint_authority(plan))
    };
    vec![
        (
            "x509.encoding",
            changed(&|plan| plan.not_before = UnixSeconds(-1)),
        ),
        (
            "x509.issuer",
            changed(&|plan| plan.subject = DistinguishedName::new([]).unwrap()),
        ),
        ("x509.basic_constraints", changed(&|plan| plan.path_length = None)),
        (
            "x509.basic_constraints",
            changed(&|plan| plan.path_length = Some(1)),
        ),
        (
            "x509.key_usage",
            changed(&|plan| plan.key_usage = KeyUsage::KEY_CERT_SIGN),
        ),
        ("x509.validity", changed(&|plan| plan.not_after = plan.not_before)),
        (
            "x509.validity.profile",
            changed(&|plan| plan.not_after = NOW.plus(Ttl::from_days(3_700))),
        ),
    ]
}

fn in_authority_bytes() -> Vec<Planted> {
    let changed = |from: &[u8], to: &[u8]| {
        let plan = authority();
        ids(inspect_authority(
            &edited(&plan.to_be_signed().unwrap(), from, to),
            &plan,
        ))
    };
    let serial = *authority().serial.as_bytes();
    let mut other = serial;
    other[15] ^= 1;
    let ski = authority().public_key.key_identifier().unwrap();
    let mut other_ski = ski;
    other_ski[0] ^= 1;
    vec![
        ("x509.faithful", changed(&serial, &other)),
        ("x509.ski", changed(&ski, &other_ski)),
        ("x509.subject_key", changed(&[1; 32], &[2; 32])),
        ("x509.critical", changed(&[0x55, 0x1d, 0x13], &[0x55, 0x1d, 0x7f])),
        ("x509.extensions", {
            // A leaf's certificate in the place of an authority's.
            let bytes = x509(&user_request()).leaf.to_be_signed().unwrap();
            ids(inspect_authority(&bytes, &authority()))
        }),
    ]
}
