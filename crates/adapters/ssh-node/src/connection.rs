//! One connection: what the client asks for, and whether it gets it.

use std::borrow::Cow;
use std::sync::Arc;

use russh::Channel;
use russh::ChannelId;
use russh::ChannelOpenFailure;
use russh::Pty;
use russh::Sig;
use russh::keys::Algorithm;
use russh::keys::Certificate as WireCertificate;
use russh::server::Auth;
use russh::server::ChannelOpenHandle;
use russh::server::Handler;
use russh::server::Msg;
use russh::server::PublicKeyOffer;
use russh::server::Response;
use russh::server::Session;
use russh::server::VerifiedPublicKey;

use crate::admit::after_words;
use crate::backend::Signal;
use crate::backend::Terminal;
use crate::backend::Work;
use crate::channels::Core;
use crate::event::AuthFailure;
use crate::event::DisconnectReason;
use crate::event::Happening;
use crate::event::TerminalSize;
use crate::forward::ClientAgent;
use crate::forward::OpenPorts;
use crate::gate::Peer;
use crate::inbox::Throttle;
use crate::life::Admitted;
use crate::life::Life;
use crate::recorder::Recorder;
use crate::server::Shared;
use crate::session::Waiting;
use crate::signals::signal_name;

/// The most variables a client may set in a session, and the most bytes of one.
const VARIABLES: usize = 64;
const VARIABLE_LENGTH: usize = 4096;

/// The handler of one connection. Its methods run inside the connection's loop.
pub(crate) struct Connection {
    pub(crate) core: Arc<Core>,
    pub(crate) peer: Peer,
    throttle: Throttle,
    ports: OpenPorts,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, recorder: Recorder, life: Arc<Life>, peer: Peer) -> Self {
        let throttle = Throttle::new();
        let ports = OpenPorts::new(shared.config.open_ports_max);
        let core = Core::new(shared, recorder, life, throttle.level());
        Self {
            core,
            peer,
            throttle,
            ports,
        }
    }

    /// Who is logged in. Before the log-in there are no channels, so that this is only a matter of form.
    pub(crate) fn admitted(&self) -> Result<Admitted, russh::Error> {
        self.core
            .life
            .admitted()
            .cloned()
            .ok_or(russh::Error::NotAuthenticated)
    }

    /// Takes data, and slows the client down when too much is waiting.
    async fn take(&mut self, channel: ChannelId, data: &[u8], is_wanted: bool) -> Result<(), russh::Error> {
        let taken = self.core.channels.with(channel, |entry| {
            if is_wanted {
                entry.inbox.push(data);
            }
            entry.window.take(data.len())
        });
        if taken == Some(false) {
            let reason = DisconnectReason::Protocol("it sent more than the window allows".to_owned());
            self.core.life.cut(reason);
            return Err(russh::Error::Inconsistent);
        }
        if let Some(pause) = self.throttle.pause() {
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// Changes a session that has not begun. Says whether there is one, and whether it wanted to.
    fn prepare(&self, channel: ChannelId, act: impl FnOnce(&mut Waiting) -> bool) -> bool {
        let act = |waiting: &mut Waiting| !waiting.is_begun && act(waiting);
        let changed = self
            .core
            .channels
            .with(channel, |entry| entry.session.as_mut().map(act));
        changed.flatten().unwrap_or(false)
    }

    fn answer(session: &mut Session, channel: ChannelId, is_done: bool) -> Result<(), russh::Error> {
        if is_done {
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.core.channels.clear();
        self.core.life.end();
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, russh::Error> {
        // There is none. But somebody wants to log in, which what follows need not show: a certificate that is not in force is
        // refused before it is seen here.
        self.core.life.tried();
        Ok(None)
    }

    async fn auth_none(&mut self, user: &str) -> Result<Auth, russh::Error> {
        // How clients ask what is accepted. Not a failure, but a name.
        self.core.recorder.asked_for(user);
        Ok(Auth::reject())
    }

    async fn auth_password(&mut self, user: &str, _password: &str) -> Result<Auth, russh::Error> {
        Ok(self
            .refuse_login(user, AuthFailure::Method("password"), None)
            .await)
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        self.core.recorder.asked_for(user);
        // Nothing is decided here: what is offered first need not be what is proven afterwards.
        if matches!(offer.algorithm, Algorithm::Rsa { hash: None }) {
            return Ok(Auth::reject());
        }
        Ok(Auth::Accept)
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let fingerprint = key
            .public_key
            .fingerprint(russh::keys::HashAlg::Sha256)
            .to_string();
        self.core.recorder.asked_for(user);
        self.core.life.used_bare_key(fingerprint);
        Ok(Auth::reject())
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &WireCertificate,
    ) -> Result<Auth, russh::Error> {
        Ok(match self.admit(user, certificate).await {
            Ok(()) => Auth::Accept,
            Err(refusal) => refusal,
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        Ok(match (self.core.life.told(), response) {
            // Nothing is asked here: a host is not told codes. It only says what is the matter, or what to do.
            (Some(told), None) => Auth::Partial {
                name: Cow::Borrowed(""),
                instructions: Cow::Owned(told.words),
                prompts: Cow::Borrowed(&[]),
            },
            (Some(told), Some(_)) => after_words(&told),
            (None, _) => {
                self.refuse_login(user, AuthFailure::Method("keyboard-interactive"), None)
                    .await
            }
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let admitted = self.admitted()?;
        let (channels, sessions) = self.core.channels.count();
        let most = admitted.grant.max_sessions.map_or(usize::MAX, to_size);
        if sessions >= most || channels >= self.core.shared.config.channels_max {
            let reason = format!("there are {sessions} sessions in this connection already");
            let event = Happening::SessionRejected {
                reason: reason.clone(),
            };
            let _refused_anyway = self.core.recorder.record(event).await;
            reply.reject(prohibited(reason)).await;
            return Ok(());
        }
        if let Err(reason) = self.core.shared.take_channel(&admitted.grant.user) {
            let event = Happening::SessionRejected {
                reason: reason.clone(),
            };
            let _refused_anyway = self.core.recorder.record(event).await;
            reply.reject(prohibited(reason)).await;
            return Ok(());
        }
        let id = channel.id();
        // The reading half is dropped: data are taken from the handler, which never waits for who reads them.
        let (_reader, writer) = channel.split();
        self.core.channels.inbox(id);
        self.core.channels.with(id, |entry| {
            entry.session = Some(Waiting {
                writer: Arc::new(writer),
                terminal: None,
                environment: Vec::new(),
                agent: None,
                steering: None,
                is_begun: false,
            });
        });
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host_to_connect: &str,
        port_to_connect: u32,
        originator_address: &str,
        originator_port: u32,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let originator = (originator_address.to_owned(), originator_port);
        let destination = (host_to_connect, port_to_connect);
        self.forward_to(channel, destination, originator, reply, session)
            .await
    }

    async fn channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        reply
            .reject(prohibited("X11 is not forwarded here".to_owned()))
            .await;
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        socket_path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let reason = "sockets in the file system are not forwarded here";
        self.core
            .recorder
            .refused(&format!("connection to socket {socket_path}"), reason)
            .await;
        reply.reject(prohibited(reason.to_owned())).await;
        Ok(())
    }

    async fn channel_open_confirmation(
        &mut self,
        id: ChannelId,
        _max_packet_size: u32,
        _window_size: u32,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        // Data may follow at once.
        self.core.channels.inbox(id);
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        if let Some(entry) = self.core.channels.remove(channel) {
            entry.inbox.end();
        }
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), russh::Error> {
        self.core.channels.with(channel, |entry| entry.inbox.end());
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.take(channel, data, true).await
    }

    async fn extended_data(
        &mut self,
        channel: ChannelId,
        _code: u32,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        // Clients have no standard error.
        self.take(channel, data, false).await
    }

    fn adjust_window(&mut self, channel: ChannelId, _current: u32) -> u32 {
        let throttle = &mut self.throttle;
        let next = self
            .core
            .channels
            .with(channel, |entry| throttle.opened(Some(&mut entry.window)));
        next.unwrap_or_else(|| self.throttle.opened(None))
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        col_width: u32,
        row_height: u32,
        pix_width: u32,
        pix_height: u32,
        modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let is_allowed = self.admitted()?.rights().pty;
        if !is_allowed {
            self.core
                .recorder
                .refused("terminal", "neither role nor certificate give one")
                .await;
        }
        let is_named_well = term.len() <= 128 && term.bytes().all(|byte| byte.is_ascii_graphic());
        let size = size(col_width, row_height, pix_width, pix_height);
        let terminal = Terminal {
            name: if is_named_well {
                term.to_owned()
            } else {
                "dumb".to_owned()
            },
            size,
            modes: modes.iter().map(|(code, value)| (*code as u8, *value)).collect(),
        };
        let is_done =
            is_allowed && self.prepare(channel, |waiting| waiting.terminal.replace(terminal).is_none());
        Self::answer(session, channel, is_done)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _x11_auth_protocol: &str,
        _x11_auth_cookie: &str,
        _x11_screen_number: u32,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.core
            .recorder
            .refused("X11 forwarding", "X11 is not forwarded here")
            .await;
        session.channel_failure(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        variable_name: &str,
        variable_value: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let is_accepted = is_variable_accepted(variable_name)
            && variable_value.len() <= VARIABLE_LENGTH
            && !variable_value.contains('\0');
        let is_done = is_accepted
            && self.prepare(channel, |waiting| {
                let has_room = waiting.environment.len() < VARIABLES;
                if has_room {
                    let variable = (variable_name.to_owned(), variable_value.to_owned());
                    waiting.environment.push(variable);
                }
                has_room
            });
        Self::answer(session, channel, is_done)
    }

    async fn agent_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<bool, russh::Error> {
        let admitted = self.admitted()?;
        let refusal = if admitted.rights().agent_forwarding {
            self.core.shared.take_channel(&admitted.grant.user).err()
        } else {
            Some("neither role nor certificate allow it".to_owned())
        };
        if let Some(reason) = refusal {
            self.core.recorder.refused("agent forwarding", &reason).await;
            return Ok(false);
        }
        if self.core.recorder.record(Happening::AgentForward).await.is_err() {
            return Ok(false);
        }
        let agent = ClientAgent::new(Arc::clone(&self.core), session.handle());
        Ok(self.prepare(channel, |waiting| {
            waiting.agent = Some(Arc::new(agent));
            true
        }))
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        self.begin(channel, Work::Shell, session).await
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.begin(channel, Work::Command(data.to_vec()), session).await
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if name == "sftp" {
            return self.begin(channel, Work::Sftp, session).await;
        }
        let name: String = name.chars().take(64).collect();
        self.core
            .recorder
            .refused(&format!("subsystem {name}"), "there is only sftp")
            .await;
        session.channel_failure(channel)
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        col_width: u32,
        row_height: u32,
        pix_width: u32,
        pix_height: u32,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let size = size(col_width, row_height, pix_width, pix_height);
        self.core.channels.with(channel, |entry| {
            let Some(waiting) = &mut entry.session else {
                return;
            };
            let Some(terminal) = &mut waiting.terminal else {
                return;
            };
            terminal.size = size;
            if let Some(steering) = &waiting.steering {
                steering
                    .size
                    .send_if_modified(|old| std::mem::replace(old, size) != size);
            }
        });
        Ok(())
    }

    async fn signal(
        &mut self,
        channel: ChannelId,
        signal: Sig,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(signal) = signal_name(&signal).and_then(Signal::from_name) else {
            return Ok(());
        };
        self.core.channels.with(channel, |entry| {
            let steering = entry
                .session
                .as_ref()
                .and_then(|waiting| waiting.steering.as_ref());
            // More signals than the program can be told of are one.
            steering.map(|steering| steering.signals.try_send(signal))
        });
        Ok(())
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        session: &mut Session,
    ) -> Result<bool, russh::Error> {
        let admitted = self.admitted()?;
        let handle = session.handle();
        Ok(self
            .ports
            .open(&self.core, &admitted, handle, address, port)
            .await)
    }

    async fn cancel_tcpip_forward(
        &mut self,
        address: &str,
        port: u32,
        _session: &mut Session,
    ) -> Result<bool, russh::Error> {
        Ok(self.ports.close(&self.core, address, port).await)
    }

    async fn streamlocal_forward(
        &mut self,
        socket_path: &str,
        _session: &mut Session,
    ) -> Result<bool, russh::Error> {
        let reason = "sockets in the file system are not forwarded here";
        self.core
            .recorder
            .refused(&format!("opening of socket {socket_path}"), reason)
            .await;
        Ok(false)
    }
}

/// A refusal to open a channel, with its reason.
pub(crate) fn prohibited(reason: String) -> ChannelOpenFailure {
    let code = ChannelOpenFailure::AdministrativelyProhibited.code();
    ChannelOpenFailure::Other { code, reason }
}

/// Variables a client may set: its language and nothing that a program could be led by.
fn is_variable_accepted(name: &str) -> bool {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    is_plain && (name == "LANG" || name == "TERM" || (name.starts_with("LC_") && name.len() <= 64))
}

fn size(columns: u32, rows: u32, pixel_width: u32, pixel_height: u32) -> TerminalSize {
    let short = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    TerminalSize {
        columns: short(columns),
        rows: short(rows),
        pixel_width: short(pixel_width),
        pixel_height: short(pixel_height),
    }
}

fn to_size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
