//! OpenSSH certificates and keys, as blobs and as lines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use names::UnixSeconds;
use ssh_cert::{Certificate, Expected, ExtensionName, ForceCommand, Network, SubjectKey, TbsCertificate};

/// A certificate: a blob, a line, or the part that is signed.
pub fn ssh_certificate(data: &[u8]) {
    if let Ok(certificate) = Certificate::from_blob(data) {
        assert_eq!(certificate.blob(), data, "a certificate is kept as it came");
        examine(&certificate);
    }
    if let Ok(part) = TbsCertificate::parse(data) {
        let _shown = format!("{part:?}");
    }
    if let Some(certificate) = std::str::from_utf8(data)
        .ok()
        .and_then(|text| Certificate::from_line(text).ok())
    {
        examine(&certificate);
    }
}

fn examine(certificate: &Certificate) {
    assert_eq!(
        Certificate::from_line(&certificate.to_line("comment")).as_ref(),
        Ok(certificate)
    );
    let authorities = [certificate.signing_key().clone()];
    let principals = certificate.principals();
    let principal = principals.first().map_or("root", |principal| principal.as_str());
    for certificate_type in [ssh_cert::CertificateType::User, ssh_cert::CertificateType::Host] {
        for now in [0, 1_772_366_400, i64::MAX] {
            let expected = |authorities, principal| Expected {
                authorities,
                certificate_type,
                principal,
                now: UnixSeconds(now),
                source: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            };
            let accepted = certificate.check(&expected(&authorities, principal)).is_ok();
            assert!(!accepted || certificate.certificate_type() == certificate_type);
            assert!(
                !accepted || certificate.valid_before() > u64::try_from(now).unwrap_or_default(),
                "an expired certificate is accepted"
            );
            assert!(
                certificate.check(&expected(&[], principal)).is_err(),
                "a certificate of nobody is accepted"
            );
            let stranger = "a principal that no test writes";
            assert!(
                certificate.check(&expected(&authorities, stranger)).is_err(),
                "a certificate of others is accepted"
            );
        }
    }
}

/// A public key: a blob or a line.
pub fn ssh_key(data: &[u8]) {
    if let Ok(key) = SubjectKey::from_blob(data) {
        assert_eq!(key.blob(), data, "a key is kept as it came");
        examine_key(&key);
    }
    if let Some(key) = std::str::from_utf8(data)
        .ok()
        .and_then(|text| SubjectKey::from_line(text).ok())
    {
        examine_key(&key);
    }
}

fn examine_key(key: &SubjectKey) {
    let line = key.to_line("comment");
    assert_eq!(SubjectKey::from_line(&line).as_ref(), Ok(key));
    assert_eq!(line.lines().count(), 1, "a key cannot make lines of its own");
    assert!(key.fingerprint().starts_with("SHA256:"));
}

/// What an option or an extension says: a network, a command, the name of an extension.
pub fn ssh_option(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(network) = Network::parse(text) {
        assert_eq!(Network::parse(&network.to_string()).as_ref(), Ok(&network));
        let addresses = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V4(Ipv4Addr::BROADCAST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)),
        ];
        for address in addresses {
            let _is_inside = network.contains(address);
        }
    }
    if let Ok(command) = ForceCommand::parse(text) {
        assert_eq!(command.as_str(), text);
    }
    if let Ok(name) = ExtensionName::parse(text) {
        assert_eq!(name.as_str(), text);
    }
}
