//! X.509 (RFC 5280) and its text form (RFC 7468).

use names::UnixSeconds;
use x509::{Certificate, CertificateList, CertificateRequest, DistinguishedName, Issuer};
use x509::{NameAttribute, TbsCertList, TbsCertificate};

/// A certificate, in DER or PEM, or the part of one that is signed.
pub fn x509_certificate(data: &[u8]) {
    if let Ok(certificate) = Certificate::from_der(data) {
        assert_eq!(certificate.der(), data, "a certificate is kept as it came");
        examine(&certificate);
    }
    if let Ok(part) = TbsCertificate::parse(data) {
        examine_part(&part);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(certificate) = Certificate::from_pem(text) {
        examine(&certificate);
    }
    for certificate in Certificate::from_pem_bundle(text).unwrap_or_default() {
        examine(&certificate);
    }
}

fn examine(certificate: &Certificate) {
    assert_eq!(
        Certificate::from_pem(&certificate.to_pem()).as_ref(),
        Ok(certificate)
    );
    examine_name(certificate.subject());
    examine_name(certificate.issuer());
    let (from, to) = (certificate.not_before(), certificate.not_after());
    assert_eq!(certificate.is_valid_at(from), from <= to);
    assert!(!certificate.is_valid_at(UnixSeconds(i64::MAX)) || to == UnixSeconds(i64::MAX));
    assert!(certificate.serial().is_none() || certificate.serial_octets().len() <= 16);
    for name in certificate.alt_names() {
        let _shown = format!("{name:?}");
    }
    // Only what it can be read from is checked: an unknown signature is an error, not a pass.
    let _verdict = certificate.verify_issued(certificate.public_key());
    if let Ok(issuer) = Issuer::from_certificate(certificate) {
        assert_eq!(issuer.name, *certificate.subject());
        assert_eq!(issuer.public_key, *certificate.public_key());
    }
    let signed = certificate.to_be_signed();
    let part = signed.as_ref().ok().map(|signed| TbsCertificate::parse(signed));
    assert!(
        matches!(part, Some(Ok(_))),
        "what is signed is read on its own: {part:?}"
    );
}

fn examine_part(part: &TbsCertificate<'_>) {
    let _shown = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        part.signature_scheme(),
        part.has_unknown_critical(),
        part.basic_constraints(),
        part.key_usage(),
        part.extended_key_usage(),
        part.alt_names(),
        part.subject_key_identifier(),
        part.authority_key_identifier(),
        part.crl_urls(),
        part.windows_sid(),
    );
    if let Ok(Some(identity)) = part.identity() {
        let _shown = format!("{identity:?}");
    }
}

/// A certificate signing request (RFC 2986), in DER or PEM.
pub fn x509_request(data: &[u8]) {
    let text = std::str::from_utf8(data).ok();
    let from_pem = text.and_then(|text| CertificateRequest::from_pem(text).ok());
    for request in CertificateRequest::from_der(data)
        .ok()
        .into_iter()
        .chain(from_pem)
    {
        examine_name(request.subject());
        let _shown = format!("{request:?}");
        let key = request.public_key();
        assert_eq!(
            key::PublicKey::from_spki_der(key.spki_der()).as_ref().ok(),
            Some(key)
        );
    }
}

/// A revocation list, in DER or PEM, or the part of one that is signed.
pub fn x509_crl(data: &[u8]) {
    if let Ok(list) = CertificateList::from_der(data) {
        assert_eq!(list.der(), data, "a list is kept as it came");
        examine_list(&list);
    }
    if let Ok(part) = TbsCertList::parse(data) {
        let _shown = format!(
            "{part:?} {:?} {:?} {:?}",
            part.number(),
            part.authority_key_identifier(),
            part.signature_scheme()
        );
    }
    if let Some(list) = std::str::from_utf8(data)
        .ok()
        .and_then(|text| CertificateList::from_pem(text).ok())
    {
        examine_list(&list);
    }
}

fn examine_list(list: &CertificateList) {
    assert_eq!(CertificateList::from_pem(&list.to_pem()).as_ref(), Ok(list));
    examine_name(list.issuer());
    let _shown = format!("{list:?}");
}

/// A distinguished name in DER.
pub fn x509_name(data: &[u8]) {
    if let Ok(name) = DistinguishedName::from_der(data) {
        assert_eq!(
            name.der(),
            data,
            "a name is compared by its bytes, and keeps them"
        );
        examine_name(&name);
    }
}

fn examine_name(name: &DistinguishedName) {
    assert_eq!(DistinguishedName::from_der(name.der()).as_ref(), Ok(name));
    assert_eq!(name.common_name(), name.attribute(NameAttribute::CommonName));
    let shown = name.to_string();
    assert!(
        !shown.contains(char::is_control),
        "a name cannot make lines of its own: {shown:?}"
    );
}

/// Any text in which blocks of PEM are looked for.
pub fn x509_pem(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for label in ["CERTIFICATE", "X509 CRL", "PRIVATE KEY"] {
        let found = x509::pem::decode_all("the input", label, text).unwrap_or_default();
        for block in &found {
            let written = x509::pem::encode(label, block);
            assert_eq!(
                x509::pem::decode_one("what was written", label, &written).as_ref(),
                Ok(block)
            );
        }
        if let Ok(one) = x509::pem::decode_one("the input", label, text) {
            assert_eq!(found, [one]);
        }
    }
}
