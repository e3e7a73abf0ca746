//! A process that appends is killed at any moment: what it was told was appended is there, and the log verifies.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;
use std::sync::Arc;

use audit::Actor;
use audit::AuditEvent;
use audit::Envelope;
use authority::AuthorityType;
use authority::KeyForm;
use key::SpkiSha256;
use ledger::CertificateQuery;
use ledger::EventQuery;
use ledger::IssuedCertificate;
use ledger::Ledger;
use ledger::LedgerError;
use ledger::Record;
use ledger_sqlite::SqliteLedger;
use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use names::ClusterName;
use names::UnixSeconds;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The argument that makes this program the one that is killed.
const CHILD: &str = "--append-for-ever";
/// After so many acknowledgements each child is killed.
const KILLED_AFTER: [usize; 6] = [1, 10, 100, 37, 500, 1_000];
const TASKS: usize = 16;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, folder, round] = arguments.as_slice()
        && flag == CHILD
    {
        return match append_for_ever(Path::new(folder), round) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let trial = Trial::test("what_was_acknowledged_survives_a_kill", || {
        survives_kills().map_err(|error| Failed::from(error.to_string()))
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn open(folder: &Path) -> Result<SqliteLedger, LedgerError> {
    SqliteLedger::open(folder.join("ledger.db"), Some(folder.join("log")))
}

fn append_for_ever(folder: &Path, round: &str) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let ledger = Arc::new(open(folder)?);
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..TASKS {
            let (ledger, round) = (Arc::clone(&ledger), round.to_owned());
            tasks.spawn(async move {
                for number in 0..usize::MAX {
                    issue(&ledger, &format!("{round}-{task}-{number}")).await?;
                }
                Ok::<(), Error>(())
            });
        }
        while let Some(joined) = tasks.join_next().await {
            joined??;
        }
        Ok(())
    })
}

/// Issues as the authority does, and tells of each append once it returned.
async fn issue(ledger: &SqliteLedger, id: &str) -> Result<(), Error> {
    let (authority, form) = (AuthorityType::User, KeyForm::Tls);
    let event = Envelope {
        uid: id.to_owned(),
        unix_millis: 1_772_366_400_000,
        cluster_name: ClusterName::parse("crash.example.com")?,
        actor: Actor::System,
        event: AuditEvent::Started {
            version: id.to_owned(),
        },
    };
    let serial = Record::Serial {
        authority,
        form,
        serial: id.to_owned(),
    };
    let head = ledger
        .append(vec![Record::Event(Box::new(event)), serial])
        .await?;
    tell(&format!("event {} {id}", head.sequence))?;
    let certificate = IssuedCertificate {
        authority,
        form,
        serial: id.to_owned(),
        subject: "alice".to_owned(),
        issuer_spki_sha256: SpkiSha256([1; 32]),
        not_before: UnixSeconds(0),
        not_after: UnixSeconds(60),
        event_uid: id.to_owned(),
        bytes: vec![7; 700],
    };
    ledger
        .append(vec![Record::Certificate(Box::new(certificate))])
        .await?;
    tell(&format!("certificate {} {id}", head.sequence))
}

fn tell(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    // One write, so that a line is there whole or not at all.
    out.write_all(format!("{text}\n").as_bytes())?;
    Ok(out.flush()?)
}

fn survives_kills() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let folder = tempfile::tempdir()?;
    let mut acknowledged = Vec::new();
    for (round, killed_after) in KILLED_AFTER.into_iter().enumerate() {
        let mut child = Command::new(std::env::current_exe()?)
            .args([
                CHILD.as_ref(),
                folder.path().as_os_str(),
                round.to_string().as_ref(),
            ])
            .stdout(Stdio::piped())
            .spawn()?;
        let told = watch(&mut child, killed_after);
        // SIGKILL, whatever it is doing.
        child.kill()?;
        child.wait()?;
        acknowledged.extend(told?);
        runtime.block_on(check(folder.path(), &acknowledged))?;
    }
    Ok(())
}

/// Reads what the child tells; kills it after so many lines, and reads what it had told by then.
fn watch(child: &mut Child, killed_after: usize) -> Result<Vec<String>, Error> {
    let out = child.stdout.take().ok_or("the child has no output")?;
    let mut told = Vec::new();
    for line in BufReader::new(out).split(b'\n') {
        told.push(String::from_utf8(line?)?);
        if told.len() == killed_after {
            child.kill()?;
        }
    }
    if told.len() < killed_after {
        return Err(format!("the child ended by itself after {} appends", told.len()).into());
    }
    Ok(told)
}

async fn check(folder: &Path, acknowledged: &[String]) -> Result<(), Error> {
    let ledger = open(folder)?;
    let mut lines = vec![String::new()];
    loop {
        let after = Some(lines.len() as u64 - 1);
        let page = ledger
            .events(&EventQuery {
                after,
                ..EventQuery::default()
            })
            .await?;
        if page.is_empty() {
            break;
        }
        lines.extend(page.into_iter().map(|entry| entry.line));
    }
    for told in acknowledged {
        let [kind, sequence, id] = told
            .split(' ')
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| format!("torn: {told:?}"))?;
        let is_there = lines
            .get(sequence.parse::<usize>()?)
            .is_some_and(|line| line.contains(&format!("\"uid\":\"{id}\"")));
        if !is_there {
            return Err(format!("{told} was acknowledged and is lost").into());
        }
        if kind == "certificate" {
            let query = CertificateQuery {
                serial: Some(id.to_owned()),
                ..CertificateQuery::default()
            };
            if ledger.certificates(&query).await?.len() != 1 {
                return Err(format!("{told} was acknowledged and is lost").into());
            }
        }
        let serial = Record::Serial {
            authority: AuthorityType::User,
            form: KeyForm::Tls,
            serial: id.to_owned(),
        };
        match ledger.append(vec![serial]).await {
            Err(LedgerError::SerialTaken { .. }) => {}
            other => return Err(format!("the serial of {told} is free again: {other:?}").into()),
        }
    }
    let report = ledger.verify(None).await?;
    if !report.is_sound() || report.exported != report.entries || ledger.export_trouble().is_some() {
        return Err(format!("{report:?} {:?}", ledger.export_trouble()).into());
    }
    Ok(())
}
