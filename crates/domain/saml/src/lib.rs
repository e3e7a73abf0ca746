//! The metadata by which service providers trust the SAML identity provider.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The metadata document (SAML 2.0 Metadata, section 2.4.3) of the identity provider at `base`, a URL without a slash at its end.
///
/// Every certificate (DER) is a key that assertions may be signed with: the signing one first, one that will sign or signed before after it.
pub fn metadata(base: &str, certificates: &[&[u8]]) -> String {
    let base = escape(base);
    let mut keys = String::new();
    for der in certificates {
        let text = STANDARD.encode(der);
        keys.push_str(&format!(
            "    <md:KeyDescriptor use=\"signing\">\n      <ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\n        \
             <ds:X509Data><ds:X509Certificate>{text}</ds:X509Certificate></ds:X509Data>\n      </ds:KeyInfo>\n    </md:KeyDescriptor>\n"
        ));
    }
    let services: String = ["HTTP-Redirect", "HTTP-POST"]
        .iter()
        .map(|binding| {
            format!(
                "    <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:{binding}\" Location=\"{base}/saml/sso\"/>\n"
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{base}/saml/metadata\">\n  \
         <md:IDPSSODescriptor WantAuthnRequestsSigned=\"false\" protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">\n\
         {keys}    <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified</md:NameIDFormat>\n\
         {services}  </md:IDPSSODescriptor>\n</md:EntityDescriptor>\n"
    )
}

/// Text as it may stand in an attribute (XML 1.0 section 2.4); characters XML cannot hold are dropped.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            character if character.is_control() => {}
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_certificate_is_there_and_the_address_cannot_break_out() {
        let text = metadata("https://x\"/><evil a=\"", &[b"one", b"two"]);
        assert_eq!(text.matches("<ds:X509Certificate>").count(), 2);
        assert!(!text.contains("<evil"));
        assert!(text.contains("&quot;/&gt;&lt;evil"));
    }
}
