use crate::CERTIFICATE_BYTES_MAX;
use crate::IssuedCertificate;
use crate::LedgerError;
use crate::RECORDS_MAX;
use crate::Record;
use crate::SERIAL_BYTES_MAX;
use crate::TEXT_BYTES_MAX;

impl Record {
    /// Checks the form of the records of one append, for adapters. The length of an event's line shows when it is sealed.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] with the first rule that is broken.
    pub fn check(records: &[Self]) -> Result<(), LedgerError> {
        if records.is_empty() {
            return Err(LedgerError::Malformed("there are none"));
        }
        if records.len() > RECORDS_MAX {
            return Err(LedgerError::Malformed("there are more than 256"));
        }
        records.iter().try_for_each(|record| match record {
            // Its parts are typed, its line is measured.
            Self::Event(_) => Ok(()),
            Self::Serial {
                authority: _,
                form: _,
                serial,
            } => check_serial(serial),
            Self::Certificate(certificate) => check_certificate(certificate),
            Self::Revocation {
                authority: _,
                serial,
                revoked_at: _,
                reason,
                not_after: _,
            } => {
                check_serial(serial)?;
                check_text(reason, "a reason is longer than 4,096 bytes")
            }
        })
    }
}

fn check_certificate(certificate: &IssuedCertificate) -> Result<(), LedgerError> {
    let IssuedCertificate {
        serial,
        subject,
        not_before,
        not_after,
        event_uid,
        bytes,
        ..
    } = certificate;
    check_serial(serial)?;
    check_text(subject, "a subject is longer than 4,096 bytes")?;
    check_text(event_uid, "an event's uid is longer than 4,096 bytes")?;
    if bytes.len() > CERTIFICATE_BYTES_MAX {
        return Err(LedgerError::Malformed(
            "a certificate is longer than 65,536 bytes",
        ));
    }
    if not_after < not_before {
        return Err(LedgerError::Malformed("a certificate ends before it begins"));
    }
    Ok(())
}

fn check_serial(serial: &str) -> Result<(), LedgerError> {
    let is_formed =
        (1..=SERIAL_BYTES_MAX).contains(&serial.len()) && serial.bytes().all(|byte| byte.is_ascii_graphic());
    if is_formed {
        Ok(())
    } else {
        Err(LedgerError::Malformed(
            "a serial is not 1 to 128 visible characters of ASCII",
        ))
    }
}

fn check_text(text: &str, reason: &'static str) -> Result<(), LedgerError> {
    if text.len() > TEXT_BYTES_MAX {
        Err(LedgerError::Malformed(reason))
    } else {
        Ok(())
    }
}
