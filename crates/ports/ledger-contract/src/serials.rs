//! Serials are taken once.

use authority::AuthorityType;
use authority::KeyForm;
use contract::Outcome;
use contract::cases;
use contract::refused;
use ledger::CertificateQuery;
use ledger::LedgerError;
use ledger::Record;

use crate::facts::certificate;
use crate::facts::issued;
use crate::facts::serial;
use crate::suite::LedgerContract;
use crate::suite::Stage;

cases! {
    for LedgerContract;
    a_serial_is_taken_once if |_| true;
    a_serial_twice_in_one_append_is_refused if |_| true;
    serials_are_told_apart_by_authority_and_form if |_| true;
    serials_that_look_alike_are_different if |_| true;
    a_certificate_needs_its_serial if |_| true;
    a_serial_has_one_certificate if |_| true;
}

async fn a_serial_is_taken_once(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    ledger.append(vec![serial("01")]).await?;
    match ledger.append(vec![serial("01")]).await {
        Err(LedgerError::SerialTaken { authority, serial }) => {
            assert_eq!((authority, serial.as_str()), (AuthorityType::User, "01"));
        }
        other => panic!("a serial was taken twice: {other:?}"),
    }
    Ok(())
}

async fn a_serial_twice_in_one_append_is_refused(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    refused!(
        ledger
            .append(vec![serial("01"), serial("02"), serial("01")])
            .await,
        LedgerError::SerialTaken { .. }
    );
    ledger.append(vec![serial("01"), serial("02")]).await?;
    Ok(())
}

async fn serials_are_told_apart_by_authority_and_form(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let forms = [KeyForm::Ssh, KeyForm::Tls, KeyForm::Jwt];
    let all = || {
        let pairs = AuthorityType::ALL
            .into_iter()
            .flat_map(|authority| forms.map(|form| (authority, form)));
        pairs.map(|(authority, form)| Record::Serial {
            authority,
            form,
            serial: "01".to_owned(),
        })
    };
    for record in all() {
        ledger.append(vec![record]).await?;
    }
    for record in all() {
        refused!(ledger.append(vec![record]).await, LedgerError::SerialTaken { .. });
    }
    Ok(())
}

/// An adapter may store serials in a shorter form, which must not make two of one.
async fn serials_that_look_alike_are_different(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let alike = [
        "1",
        "01",
        "001",
        "0001",
        "a",
        "A",
        "0a",
        "0A",
        "a0",
        "10",
        "1.0",
        "0x01",
        "+1",
        "abc",
        "abC",
        "0abc",
        "12345678901234567890",
        "0102030405060708090a0b0c0d0e0f10",
        "0102030405060708090A0B0C0D0E0F10",
        "0b5b5a3e-0000-4000-8000-000000000001",
        "0b5b5a3e000040008000000000000001",
    ];
    for text in alike {
        ledger
            .append(vec![serial(text), certificate(&issued(text))])
            .await?;
    }
    for text in alike {
        refused!(
            ledger.append(vec![serial(text)]).await,
            LedgerError::SerialTaken { .. }
        );
        let query = CertificateQuery {
            serial: Some(text.to_owned()),
            ..CertificateQuery::default()
        };
        assert_eq!(ledger.certificates(&query).await?, [issued(text)]);
    }
    Ok(())
}

async fn a_certificate_needs_its_serial(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    refused!(
        ledger.append(vec![certificate(&issued("01"))]).await,
        LedgerError::Malformed(_)
    );
    refused!(
        ledger
            .append(vec![certificate(&issued("01")), serial("01")])
            .await,
        LedgerError::Malformed(_)
    );
    ledger.append(vec![serial("01")]).await?;
    let mut other = issued("01");
    other.form = KeyForm::Ssh;
    refused!(
        ledger.append(vec![certificate(&other)]).await,
        LedgerError::Malformed(_)
    );
    other = issued("01");
    other.authority = AuthorityType::Host;
    refused!(
        ledger.append(vec![certificate(&other)]).await,
        LedgerError::Malformed(_)
    );
    ledger.append(vec![certificate(&issued("01"))]).await?;
    Ok(())
}

async fn a_serial_has_one_certificate(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    ledger
        .append(vec![serial("01"), certificate(&issued("01"))])
        .await?;
    let mut second = issued("01");
    second.subject = "mallory".to_owned();
    refused!(
        ledger.append(vec![certificate(&second)]).await,
        LedgerError::Malformed(_)
    );
    let twice = vec![
        serial("02"),
        certificate(&issued("02")),
        certificate(&issued("02")),
    ];
    refused!(ledger.append(twice).await, LedgerError::Malformed(_));
    assert_eq!(
        ledger.certificates(&CertificateQuery::default()).await?,
        [issued("01")]
    );
    Ok(())
}
