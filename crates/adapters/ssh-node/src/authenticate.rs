//! Whether a certificate is accepted: russh looks at its own signature, its time and the proof of its key, everything else is
//! looked at here.

use std::net::IpAddr;

use key::PublicKey;
use names::UnixSeconds;
use ssh_cert::Certificate;
use ssh_cert::CertificateType;
use ssh_cert::Expected;
use ssh_cert::NotAccepted;

use crate::event::AuthFailure;
use crate::event::CertificateFacts;

/// What a certificate is held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) blob: &'a [u8],
    pub(crate) authorities: &'a [PublicKey],
    pub(crate) login: &'a str,
    pub(crate) now: UnixSeconds,
    pub(crate) source: IpAddr,
}

/// Why a certificate is not accepted, and what it says, as far as it was readable.
pub(crate) type Refused = (AuthFailure, Option<Box<CertificateFacts>>);

/// Reads a certificate whose key was proven, and decides whether it is accepted here and now.
pub(crate) fn check(question: Question<'_>) -> Result<Certificate, Refused> {
    let Question {
        blob,
        authorities,
        login,
        now,
        source,
    } = question;
    let certificate =
        Certificate::from_blob(blob).map_err(|error| (AuthFailure::Unreadable(chain(&error)), None))?;
    // A v4 client on a v6 socket is a v4 client.
    let source = Some(source.to_canonical());
    let expected = Expected {
        authorities,
        certificate_type: CertificateType::User,
        principal: login,
        now,
        source,
    };
    let refused = match certificate.check(&expected) {
        Ok(()) if certificate.critical_options().verify_required => {
            // The flags of the security key's signature are not handed over by the protocol's implementation.
            AuthFailure::CannotEnforce("verify-required")
        }
        Ok(()) => return Ok(certificate),
        Err(NotAccepted::Authority) => AuthFailure::UnknownAuthority,
        Err(NotAccepted::Type(_)) => AuthFailure::HostCertificate,
        Err(NotAccepted::NotYet | NotAccepted::Expired) => AuthFailure::NotInForce,
        Err(NotAccepted::Principal) => AuthFailure::OtherLogin,
        Err(NotAccepted::SourceAddress) => AuthFailure::SourceAddress,
    };
    let is_ours = match &refused {
        AuthFailure::UnknownAuthority | AuthFailure::HostCertificate => false,
        AuthFailure::NotInForce
        | AuthFailure::OtherLogin
        | AuthFailure::SourceAddress
        | AuthFailure::CannotEnforce(_) => true,
        // Not of a certificate that could be read, or not found here.
        AuthFailure::Unreadable(_)
        | AuthFailure::BareKey { .. }
        | AuthFailure::Method(_)
        | AuthFailure::NothingPresented
        | AuthFailure::Denied(_)
        | AuthFailure::SecondFactor(_) => false,
    };
    let facts = CertificateFacts {
        is_ours,
        ..facts(&certificate)
    };
    Err((refused, Some(Box::new(facts))))
}

/// What the log keeps of a certificate that is accepted.
pub(crate) fn facts(certificate: &Certificate) -> CertificateFacts {
    let extensions = certificate.extensions().custom.iter();
    CertificateFacts {
        is_ours: true,
        key_id: certificate.key_id().to_owned(),
        serial: certificate.serial(),
        fingerprint: certificate.subject_key().fingerprint(),
        valid_before: certificate.valid_before(),
        extensions: extensions
            .map(|(name, value)| (name.as_str().to_owned(), value.clone()))
            .collect(),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
