//! Certificates, revocation lists and requests: what is written is read back, by us and by programs of others.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

mod foreign;
mod hostile;
mod round_trip;
mod signer;

use key::KeyAlgorithm;
use key::PublicKey;
use names::Serial;
use names::UnixSeconds;
use signer::Signer;
use x509::CaCertificatePlan;
use x509::Certificate;
use x509::DistinguishedName;
use x509::Issuer;
use x509::KeyUsage;
use x509::NameAttribute;

/// 2026-03-01T12:00:00Z.
pub(crate) const NOW: i64 = 1_772_366_400;

/// An authority of a test: its key and its certificate.
pub(crate) struct Authority {
    pub(crate) signer: Signer,
    pub(crate) certificate: Certificate,
    pub(crate) issuer: Issuer,
}

pub(crate) fn authority(algorithm: KeyAlgorithm, not_before: i64, not_after: i64) -> Authority {
    let signer = Signer::generate(algorithm);
    let public_key = signer.public_key();
    let plan = ca_plan(&public_key, not_before, not_after);
    let tbs = plan.to_be_signed().unwrap();
    let der = x509::assemble(&tbs, plan.scheme, &signer.sign(plan.scheme, &tbs)).unwrap();
    let certificate = Certificate::from_der(&der).unwrap();
    certificate.verify_issued(&public_key).unwrap();
    let issuer = Issuer::from_certificate(&certificate).unwrap();
    Authority {
        signer,
        certificate,
        issuer,
    }
}

pub(crate) fn ca_plan(public_key: &PublicKey, not_before: i64, not_after: i64) -> CaCertificatePlan {
    let serial = Serial::from_random([7; 16]);
    CaCertificatePlan {
        subject: DistinguishedName::new([
            (NameAttribute::CommonName, "prod.example.com"),
            (NameAttribute::Organization, "prod.example.com"),
            (NameAttribute::SerialNumber, serial.to_string().as_str()),
        ])
        .unwrap(),
        public_key: public_key.clone(),
        scheme: public_key.algorithm().default_scheme(),
        serial,
        not_before: UnixSeconds(not_before),
        not_after: UnixSeconds(not_after),
        path_length: Some(0),
        key_usage: KeyUsage::KEY_CERT_SIGN.union(KeyUsage::CRL_SIGN),
    }
}

pub(crate) fn sign_leaf(authority: &Authority, plan: &x509::LeafPlan) -> Certificate {
    let tbs = plan.to_be_signed().unwrap();
    let signature = authority.signer.sign(plan.scheme, &tbs);
    Certificate::from_der(&x509::assemble(&tbs, plan.scheme, &signature).unwrap()).unwrap()
}
