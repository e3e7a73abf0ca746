//! SSH certificates: what is written is read back, by us and by programs of others.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod foreign;
mod hostile;
mod round_trip;
#[path = "../../../x509/tests/x509/signer/mod.rs"]
mod signer;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use key::PublicKey;
use names::Principal;
use names::UnixSeconds;
use signer::Signer;
use ssh_cert::Certificate;
use ssh_cert::CertificatePlan;
use ssh_cert::CertificateType;
use ssh_cert::CriticalOptions;
use ssh_cert::ExtensionName;
use ssh_cert::Extensions;
use ssh_cert::ForceCommand;
use ssh_cert::Network;
use ssh_cert::Permit;
use ssh_cert::SubjectKey;

/// 2026-03-01T12:00:00Z.
pub(crate) const NOW: i64 = 1_772_366_400;

pub(crate) fn user_plan(subject_key: SubjectKey, signing_key: PublicKey) -> CertificatePlan {
    let custom = [("roles", "[\"access\"]"), ("traits", "{\"team\":[\"infra\"]}")];
    CertificatePlan {
        nonce: [0x5a; 32],
        subject_key,
        serial: 0xfedc_ba98_7654_3210,
        certificate_type: CertificateType::User,
        key_id: "alice".to_owned(),
        principals: vec![
            Principal::parse("root").unwrap(),
            Principal::parse("alice").unwrap(),
        ],
        valid_after: UnixSeconds(NOW - 60),
        valid_before: UnixSeconds(NOW + 3_600),
        critical_options: CriticalOptions {
            force_command: Some(ForceCommand::parse("/bin/echo hello").unwrap()),
            source_addresses: vec![
                Network::parse("192.0.2.0/24").unwrap(),
                Network::parse("2001:db8::/32").unwrap(),
            ],
            verify_required: false,
        },
        extensions: Extensions {
            permits: BTreeSet::from(Permit::ALL),
            custom: custom
                .iter()
                .map(|(name, value)| (ExtensionName::own(name).unwrap(), (*value).to_owned()))
                .chain([(
                    ExtensionName::parse("login@github.com").unwrap(),
                    "alice".to_owned(),
                )])
                .collect::<BTreeMap<_, _>>(),
        },
        scheme: signing_key.algorithm().ssh_scheme(),
        signing_key,
    }
}

pub(crate) fn sign(signer: &Signer, plan: &CertificatePlan) -> Certificate {
    let tbs = plan.to_be_signed().unwrap();
    let blob = ssh_cert::assemble(&tbs, plan.scheme, &signer.sign(plan.scheme, &tbs)).unwrap();
    Certificate::from_blob(&blob).unwrap()
}

/// A blob of strings.
pub(crate) fn blob(parts: &[&[u8]]) -> Vec<u8> {
    let one = |part: &&[u8]| [u32::try_from(part.len()).unwrap().to_be_bytes().as_slice(), part].concat();
    parts.iter().flat_map(one).collect()
}
