use jwt::TokenPlan;
use names::Ttl;
use names::UnixSeconds;
use x509::CrlPlan;
use x509::DistinguishedName;

use super::Planted;
use super::ids;
use super::samples::NOW;
use super::samples::crl;
use super::samples::edited;
use super::samples::issuer;
use super::samples::key;
use super::samples::token;
use crate::TokenProfile;
use crate::lint_crl;
use crate::lint_crl::inspect_crl;
use crate::lint_token;
use crate::lint_token::inspect_token;

pub(crate) fn planted() -> Vec<Planted> {
    [in_crl_plans(), in_crl_bytes(), in_token_plans(), in_token_bytes()].concat()
}

fn in_crl_plans() -> Vec<Planted> {
    let changed = |change: &dyn Fn(&mut CrlPlan)| {
        let mut plan = crl();
        change(&mut plan);
        ids(lint_crl(plan, &issuer()))
    };
    vec![
        (
            "crl.encoding",
            changed(&|plan| plan.this_update = UnixSeconds(-1)),
        ),
        (
            "crl.algorithm",
            changed(&|plan| plan.scheme = key::SignatureScheme::RsaPkcs1Sha256),
        ),
        (
            "crl.issuer",
            changed(&|plan| plan.issuer = DistinguishedName::new([]).unwrap()),
        ),
        (
            "crl.aki",
            changed(&|plan| plan.authority_key_identifier = [0; 20]),
        ),
        ("crl.number", changed(&|plan| plan.number = 0)),
        ("crl.times", changed(&|plan| plan.next_update = plan.this_update)),
        (
            "crl.times",
            changed(&|plan| plan.next_update = NOW.plus(Ttl::from_days(11))),
        ),
        (
            "crl.revoked.twice",
            changed(&|plan| plan.revoked.push(plan.revoked[0])),
        ),
        (
            "crl.revoked.future",
            changed(&|plan| plan.revoked[0].revoked_at = NOW.plus(Ttl::from_seconds(1))),
        ),
    ]
}

fn in_crl_bytes() -> Vec<Planted> {
    let bytes = crl().to_be_signed().unwrap();
    let inspected = |bytes: &[u8], plan: &CrlPlan| ids(inspect_crl(bytes, plan, &issuer()));
    let mut fewer = crl();
    fewer.revoked.pop();
    let [first, ..] = crl().revoked[..] else {
        return Vec::new();
    };
    let mut serial = *first.serial.as_bytes();
    serial[15] ^= 1;
    vec![
        ("crl.encoding", inspected(&bytes[1..], &crl())),
        (
            "crl.version",
            inspected(&edited(&bytes, &[2, 1, 1, 0x30], &[2, 1, 0, 0x30]), &crl()),
        ),
        ("crl.revoked", inspected(&bytes, &fewer)),
        (
            "crl.faithful",
            inspected(&edited(&bytes, first.serial.as_bytes(), &serial), &crl()),
        ),
    ]
}

fn in_token_plans() -> Vec<Planted> {
    let changed = |profile: TokenProfile, change: &dyn Fn(&mut TokenPlan)| {
        let mut plan = token(profile);
        change(&mut plan);
        ids(lint_token(plan, profile))
    };
    let application = |change: &dyn Fn(&mut TokenPlan)| changed(TokenProfile::Application, change);
    vec![
        ("jwt.encoding", application(&|plan| plan.claims.subject.clear())),
        ("jwt.encoding", application(&|plan| plan.claims.audience.clear())),
        (
            "jwt.alg",
            application(&|plan| plan.scheme = key::SignatureScheme::RsaPkcs1Sha256),
        ),
        (
            "jwt.times.profile",
            application(&|plan| plan.claims.expires = NOW.plus(Ttl::from_hours(31))),
        ),
        (
            "jwt.sub",
            changed(TokenProfile::Workload, &|plan| {
                plan.claims.subject = "alice".to_owned()
            }),
        ),
    ]
}

fn in_token_bytes() -> Vec<Planted> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let plan = token(TokenProfile::Application);
    let text = plan.to_be_signed().unwrap();
    let parts: Vec<String> = text
        .split('.')
        .map(|part| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    let inspected = |part: usize, from: &str, to: &str| {
        let mut parts = parts.clone();
        assert!(parts[part].contains(from), "{from} is not in {}", parts[part]);
        parts[part] = parts[part].replace(from, to);
        let text = parts
            .iter()
            .map(|part| URL_SAFE_NO_PAD.encode(part))
            .collect::<Vec<_>>()
            .join(".");
        ids(inspect_token(&text, &plan, TokenProfile::Application))
    };
    let kid = jwt::thumbprint(&key(1)).unwrap();
    let other = jwt::thumbprint(&key(2)).unwrap();
    vec![
        (
            "jwt.encoding",
            ids(inspect_token("x", &plan, TokenProfile::Application)),
        ),
        ("jwt.alg", inspected(0, "EdDSA", "none")),
        ("jwt.kid", inspected(0, &kid, &other)),
        ("jwt.times", inspected(1, "\"nbf\":", "\"nbg\":")),
        ("jwt.claims", inspected(1, "\"sub\":", "\"suc\":")),
        ("jwt.aud", inspected(1, "\"aud\":", "\"aue\":")),
        ("jwt.faithful", inspected(1, "/web", "/wec")),
        ("jwt.faithful", inspected(1, "{", "{\"admin\":true,")),
    ]
}
