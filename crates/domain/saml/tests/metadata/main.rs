//! Foreign libraries read the metadata as service providers do.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "../../../x509/tests/x509/signer/mod.rs"]
mod signer;

use key::KeyAlgorithm;
use names::Serial;
use names::Ttl;
use names::UnixSeconds;
use parts::python::Venv;
use signer::Signer;
use x509::CaCertificatePlan;
use x509::DistinguishedName;
use x509::KeyUsage;
use x509::NameAttribute;

/// The certificate of a SAML authority: it signs documents too.
fn certificate(seed: u8) -> Vec<u8> {
    let signer = Signer::generate(KeyAlgorithm::Rsa2048);
    let serial = Serial::from_random([seed; 16]);
    let name = "prod.example.com";
    let plan = CaCertificatePlan {
        subject: DistinguishedName::new([
            (NameAttribute::CommonName, name),
            (NameAttribute::Organization, name),
            (NameAttribute::SerialNumber, serial.to_string().as_str()),
        ])
        .unwrap(),
        public_key: signer.public_key(),
        scheme: signer.public_key().algorithm().default_scheme(),
        serial,
        not_before: UnixSeconds(1_772_366_400),
        not_after: UnixSeconds(1_772_366_400).plus(Ttl::from_days(3_650)),
        path_length: Some(0),
        key_usage: KeyUsage::KEY_CERT_SIGN
            .union(KeyUsage::CRL_SIGN)
            .union(KeyUsage::DIGITAL_SIGNATURE),
    };
    let (_, to_be_signed) = profile::lint_authority(plan).unwrap().into_parts();
    let signature = signer.sign(to_be_signed.scheme(), to_be_signed.bytes());
    to_be_signed.assemble(&signature).unwrap()
}

#[test]
fn python3_saml_and_pysaml2_find_every_certificate_and_the_endpoints() {
    let script = r"
import base64, json, sys
from cryptography import x509
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser as Parser
from saml2.mdstore import InMemoryMetaData
from saml2.attribute_converter import ac_factory
xml = sys.argv[1]
idp = Parser.parse(xml)['idp']
found = idp.get('x509certMulti', {}).get('signing') or [idp['x509cert']]
for text in found:
    x509.load_der_x509_certificate(base64.b64decode(text))
store = InMemoryMetaData(ac_factory(), xml)
store.parse(xml)
entity = next(iter(store.keys()))
certs = store.certs(entity, 'idpsso', 'signing')
sso = {b: s[0]['location'] for b, s in store.service(entity, 'idpsso_descriptor', 'single_sign_on_service').items()}
print(json.dumps({
    'entity': entity, 'python3_saml_entity': idp['entityId'], 'url': idp['singleSignOnService']['url'],
    'certificates': found, 'pysaml2': len(certs), 'sso': sorted(sso.items()),
}))
";
    let venv = Venv::open().unwrap();
    for count in [1, 2] {
        let certificates: Vec<Vec<u8>> = (0..count).map(certificate).collect();
        let borrowed: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
        let base = "https://auth.prod.example.com:3080/a&b";
        let outcome = venv.run(script, [saml::metadata(base, &borrowed)]).unwrap();
        assert!(outcome.success(), "{outcome:?}");
        let read: serde_json::Value = serde_json::from_str(outcome.stdout.trim()).unwrap();
        let entity = format!("{base}/saml/metadata");
        assert_eq!(
            (read["entity"].as_str(), read["python3_saml_entity"].as_str()),
            (Some(&*entity), Some(&*entity))
        );
        assert_eq!(read["url"].as_str(), Some(&*format!("{base}/saml/sso")));
        assert_eq!(read["pysaml2"], count);
        assert_eq!(read["sso"].as_array().unwrap().len(), 2);
        let found: Vec<Vec<u8>> = read["certificates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| x509::pem::decode_one("certificate", "X", &block(text.as_str().unwrap())).unwrap())
            .collect();
        assert_eq!(found, certificates);
    }
}

fn block(base64: &str) -> String {
    format!("-----BEGIN X-----\n{base64}\n-----END X-----\n")
}
