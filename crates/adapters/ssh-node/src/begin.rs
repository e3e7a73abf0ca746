//! The beginning of a session: what it is asked to be, what it may be, and the events that come before it.

use std::sync::Arc;

use russh::ChannelId;
use russh::server::Session;

use crate::authenticate;
use crate::backend::BackendFault;
use crate::backend::Work;
use crate::connection::Connection;
use crate::event::Exit;
use crate::event::Happening;
use crate::event::NotRecorded;
use crate::event::Purpose;
use crate::event::TerminalSize;
use crate::files;
use crate::life::Admitted;
use crate::recorder::Recorder;
use crate::server::unique_id;
use crate::session::Beginning;

/// The name by which certificates force the SFTP server, as OpenSSH has it.
const INTERNAL_SFTP: &str = "internal-sftp";

/// What a session will be.
struct Decided {
    work: Work,
    /// What the client asked for, when the certificate forces something else.
    asked_for: Option<String>,
}

impl Connection {
    /// Begins the session of a channel, or tells the client why not.
    pub(crate) async fn begin(
        &mut self,
        channel: ChannelId,
        asked: Work,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let admitted = self.admitted()?;
        let taken = self.core.channels.with(channel, |entry| {
            let waiting = entry.session.as_mut()?;
            if std::mem::replace(&mut waiting.is_begun, true) {
                return None;
            }
            Some((
                Arc::clone(&entry.inbox),
                Arc::clone(&waiting.writer),
                waiting.terminal.clone(),
                std::mem::take(&mut waiting.environment),
                waiting.agent.take(),
            ))
        });
        let Some((inbox, writer, terminal, mut environment, agent)) = taken.flatten() else {
            // Not a session, or one that has begun: a session does one thing.
            return session.channel_failure(channel);
        };
        let decided = match decide(&admitted, asked) {
            Ok(decided) => decided,
            Err((what, reason)) => {
                self.core.recorder.refused(&what, reason).await;
                return self.decline(channel, reason, session);
            }
        };
        let Ok(session_id) = unique_id(&*self.core.shared.parts.entropy) else {
            return self.decline(channel, "the system's random number generator failed", session);
        };
        let recorder = self.core.recorder.of_session(Arc::clone(&session_id));
        let started_unix_millis = recorder.now_millis();
        let size = terminal.as_ref().map(|terminal| terminal.size);
        if announce(&recorder, &admitted, &decided, size).await.is_err() {
            // What was announced, if it was, does not come.
            let end = Happening::SessionEnd {
                exit: Exit::Failed("the audit log does not take events".to_owned()),
                bytes_received: 0,
                bytes_sent: 0,
                started_unix_millis,
            };
            let _logged = recorder.record(end).await;
            return self.decline(channel, "the audit log does not take events", session);
        }
        environment.extend(about_the_connection(&admitted, decided.asked_for));
        let beginning = Beginning {
            core: Arc::clone(&self.core),
            admitted,
            recorder,
            session_id,
            started_unix_millis,
            channel,
            handle: session.handle(),
            writer,
            inbox,
            work: decided.work,
            terminal,
            environment,
            agent,
        };
        // The answer has to be on its way before the program's first output, which waits until this returns.
        match beginning.start().await {
            Ok(steering) => {
                self.core.channels.with(channel, |entry| {
                    if let Some(waiting) = &mut entry.session {
                        waiting.steering = Some(steering);
                    }
                });
                session.channel_success(channel)
            }
            Err(BackendFault(reason)) => self.decline(channel, &reason, session),
        }
    }

    /// Tells the client in words why there is no session.
    fn decline(&self, channel: ChannelId, reason: &str, session: &mut Session) -> Result<(), russh::Error> {
        self.core.channels.remove(channel);
        session.channel_success(channel)?;
        session.extended_data(channel, 1, format!("signet: {reason}\r\n").into_bytes())?;
        session.exit_status_request(channel, 255)?;
        session.eof(channel)?;
        session.close(channel)
    }
}

fn decide(admitted: &Admitted, asked: Work) -> Result<Decided, (String, &'static str)> {
    let forced = admitted
        .admission
        .certificate
        .critical_options()
        .force_command
        .as_ref();
    let forced = forced.map(|command| command.as_str());
    let (work, asked_for) = match (forced, asked) {
        (None, asked) => (asked, None),
        (Some(INTERNAL_SFTP), asked) => (Work::Sftp, Some(words(&asked))),
        (Some(_), Work::Sftp) => {
            return Err((
                "subsystem sftp".to_owned(),
                "the certificate forces another command",
            ));
        }
        (Some(command), asked) => (Work::Command(command.into()), Some(words(&asked))),
    };
    let copies = match &work {
        Work::Shell => None,
        Work::Command(command) => files::scp(command).map(|_access| "scp"),
        Work::Sftp => Some("sftp"),
    };
    match copies {
        Some(what) if !admitted.rights().file_copy => {
            Err((what.to_owned(), "no role of yours allows to copy files here"))
        }
        Some(_) | None => Ok(Decided { work, asked_for }),
    }
}

/// Records that the session begins, and what it does.
async fn announce(
    recorder: &Recorder,
    admitted: &Admitted,
    decided: &Decided,
    terminal: Option<TerminalSize>,
) -> Result<(), NotRecorded> {
    let purpose = match &decided.work {
        Work::Shell => Purpose::Shell,
        Work::Command(command) => Purpose::Command(String::from_utf8_lossy(command).into_owned()),
        Work::Sftp => Purpose::Subsystem("sftp".to_owned()),
    };
    let start = Happening::SessionStart {
        purpose,
        terminal,
        certificate: authenticate::facts(&admitted.admission.certificate),
    };
    recorder.record(start).await?;
    match &decided.work {
        Work::Shell => Ok(()),
        Work::Command(command) => {
            let exec = Happening::Exec {
                command: String::from_utf8_lossy(command).into_owned(),
                asked_for: decided.asked_for.clone(),
            };
            recorder.record(exec).await?;
            match files::scp(command) {
                Some(access) => recorder.record(Happening::File(access)).await,
                None => Ok(()),
            }
        }
        Work::Sftp => {
            let name = "sftp".to_owned();
            recorder.record(Happening::Subsystem { name }).await
        }
    }
}

/// The variables that say where somebody comes from, as OpenSSH has them.
fn about_the_connection(admitted: &Admitted, asked_for: Option<String>) -> Vec<(String, String)> {
    let peer = admitted.admission.peer;
    let (remote, remote_port) = (peer.remote.ip().to_canonical(), peer.remote.port());
    let (local, local_port) = (peer.local.ip().to_canonical(), peer.local.port());
    let mut variables = vec![
        (
            "SSH_CLIENT".to_owned(),
            format!("{remote} {remote_port} {local_port}"),
        ),
        (
            "SSH_CONNECTION".to_owned(),
            format!("{remote} {remote_port} {local} {local_port}"),
        ),
    ];
    let original = asked_for.filter(|command| !command.is_empty() && !command.contains('\0'));
    variables.extend(original.map(|command| ("SSH_ORIGINAL_COMMAND".to_owned(), command)));
    variables
}

fn words(work: &Work) -> String {
    match work {
        Work::Shell => String::new(),
        Work::Command(command) => String::from_utf8_lossy(command).into_owned(),
        Work::Sftp => INTERNAL_SFTP.to_owned(),
    }
}
