//! Reading certificates.

use std::sync::Arc;

use authority::AuthorityType;
use authority::KeyForm;
use contract::Failure;
use contract::Outcome;
use contract::cases;
use key::SpkiSha256;
use ledger::CertificateQuery;
use ledger::IssuedCertificate;
use ledger::Ledger;
use ledger::PAGE_MAX;
use ledger::Record;
use names::UnixSeconds;

use crate::facts::NOON;
use crate::facts::certificate;
use crate::facts::issue;
use crate::facts::issued;
use crate::facts::serial;
use crate::suite::LedgerContract;
use crate::suite::Stage;

cases! {
    for LedgerContract;
    certificates_are_read_back_whole if |_| true;
    every_filter_selects if |_| true;
    filters_combine if |_| true;
    pages_are_newest_first_and_meet if |_| true;
    a_serial_of_two_authorities_finds_both if |_| true;
    a_page_is_never_longer_than_the_most if |_| true;
}

/// Four certificates that differ in everything.
fn four() -> [IssuedCertificate; 4] {
    let base = issued("01");
    [
        base.clone(),
        IssuedCertificate {
            subject: "bob".to_owned(),
            ..issued("02")
        },
        IssuedCertificate {
            authority: AuthorityType::Host,
            form: KeyForm::Ssh,
            subject: "web-1".to_owned(),
            issuer_spki_sha256: SpkiSha256([2; 32]),
            not_after: UnixSeconds(NOON + 60),
            bytes: vec![0, 255, 10],
            ..issued("12345678901234567890")
        },
        IssuedCertificate {
            authority: AuthorityType::Jwt,
            form: KeyForm::Jwt,
            issuer_spki_sha256: SpkiSha256([3; 32]),
            bytes: Vec::new(),
            ..issued("0b5b5a3e-0000-4000-8000-000000000001")
        },
    ]
}

async fn four_issued(ledger: &Arc<dyn Ledger>) -> Result<(), Failure> {
    for one in &four() {
        issue(ledger, one).await?;
    }
    Ok(())
}

/// The serials found, by their first two characters.
async fn found(ledger: &Arc<dyn Ledger>, query: CertificateQuery) -> Result<Vec<String>, Failure> {
    let certificates = ledger.certificates(&query).await?;
    Ok(certificates
        .iter()
        .map(|one| one.serial.chars().take(2).collect())
        .collect())
}

async fn certificates_are_read_back_whole(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    four_issued(&ledger).await?;
    let mut expected = four();
    expected.reverse();
    assert_eq!(ledger.certificates(&CertificateQuery::default()).await?, expected);
    Ok(())
}

async fn every_filter_selects(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    four_issued(&ledger).await?;
    let all = CertificateQuery::default;
    let user = CertificateQuery {
        authority: Some(AuthorityType::User),
        ..all()
    };
    assert_eq!(found(&ledger, user).await?, ["02", "01"]);
    let windows = CertificateQuery {
        authority: Some(AuthorityType::Windows),
        ..all()
    };
    assert_eq!(found(&ledger, windows).await?, [""; 0]);
    let issuer = CertificateQuery {
        issuer: Some(SpkiSha256([2; 32])),
        ..all()
    };
    assert_eq!(found(&ledger, issuer).await?, ["12"]);
    let unexpired = |seconds| CertificateQuery {
        unexpired_at: Some(UnixSeconds(NOON + seconds)),
        ..all()
    };
    assert_eq!(found(&ledger, unexpired(59)).await?, ["0b", "12", "02", "01"]);
    assert_eq!(found(&ledger, unexpired(60)).await?, ["0b", "02", "01"]);
    assert_eq!(found(&ledger, unexpired(3_600)).await?, [""; 0]);
    let serial = |serial: &str| CertificateQuery {
        serial: Some(serial.to_owned()),
        ..all()
    };
    assert_eq!(found(&ledger, serial("02")).await?, ["02"]);
    assert_eq!(found(&ledger, serial("12345678901234567890")).await?, ["12"]);
    assert_eq!(found(&ledger, serial("03")).await?, [""; 0]);
    assert_eq!(found(&ledger, serial("")).await?, [""; 0]);
    let subject = |subject: &str| CertificateQuery {
        subject: Some(subject.to_owned()),
        ..all()
    };
    assert_eq!(found(&ledger, subject("alice")).await?, ["0b", "01"]);
    assert_eq!(found(&ledger, subject("%")).await?, [""; 0]);
    Ok(())
}

async fn filters_combine(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    four_issued(&ledger).await?;
    let all = CertificateQuery {
        authority: Some(AuthorityType::User),
        issuer: Some(SpkiSha256([1; 32])),
        unexpired_at: Some(UnixSeconds(NOON)),
        serial: Some("02".to_owned()),
        subject: Some("bob".to_owned()),
        ..CertificateQuery::default()
    };
    assert_eq!(found(&ledger, all.clone()).await?, ["02"]);
    for other in [
        CertificateQuery {
            authority: Some(AuthorityType::Host),
            ..all.clone()
        },
        CertificateQuery {
            issuer: Some(SpkiSha256([2; 32])),
            ..all.clone()
        },
        CertificateQuery {
            unexpired_at: Some(UnixSeconds(NOON + 3_600)),
            ..all.clone()
        },
        CertificateQuery {
            serial: Some("01".to_owned()),
            ..all.clone()
        },
        CertificateQuery {
            subject: Some("alice".to_owned()),
            ..all.clone()
        },
        CertificateQuery {
            offset: 1,
            ..all.clone()
        },
    ] {
        assert_eq!(found(&ledger, other).await?, [""; 0]);
    }
    Ok(())
}

async fn pages_are_newest_first_and_meet(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    for number in 0..10 {
        issue(&ledger, &issued(&format!("{number:02}"))).await?;
    }
    let mut read = Vec::new();
    for offset in (0..12).step_by(3) {
        read.extend(
            found(
                &ledger,
                CertificateQuery {
                    offset,
                    limit: 3,
                    ..CertificateQuery::default()
                },
            )
            .await?,
        );
    }
    assert_eq!(read, ["09", "08", "07", "06", "05", "04", "03", "02", "01", "00"]);
    let beyond = CertificateQuery {
        offset: usize::MAX,
        ..CertificateQuery::default()
    };
    assert_eq!(found(&ledger, beyond).await?, [""; 0]);
    Ok(())
}

async fn a_serial_of_two_authorities_finds_both(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let user = issued("01");
    let host = IssuedCertificate {
        authority: AuthorityType::Host,
        ..issued("01")
    };
    let ssh = IssuedCertificate {
        form: KeyForm::Ssh,
        ..issued("01")
    };
    for one in [&user, &host, &ssh] {
        issue(&ledger, one).await?;
    }
    let query = CertificateQuery {
        serial: Some("01".to_owned()),
        ..CertificateQuery::default()
    };
    assert_eq!(
        ledger.certificates(&query).await?,
        [ssh.clone(), host, user.clone()]
    );
    let query = CertificateQuery {
        authority: Some(AuthorityType::User),
        ..query
    };
    assert_eq!(ledger.certificates(&query).await?, [ssh, user]);
    Ok(())
}

async fn a_page_is_never_longer_than_the_most(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    for thousand in 0..11 {
        let serials = (0..100).map(|number| format!("{thousand:04}{number:04}"));
        let records: Vec<Record> = serials
            .flat_map(|text| [serial(&text), certificate(&issued(&text))])
            .collect();
        ledger.append(records).await?;
    }
    for limit in [0, PAGE_MAX, usize::MAX] {
        let query = CertificateQuery {
            limit,
            ..CertificateQuery::default()
        };
        assert_eq!(ledger.certificates(&query).await?.len(), PAGE_MAX);
    }
    Ok(())
}
