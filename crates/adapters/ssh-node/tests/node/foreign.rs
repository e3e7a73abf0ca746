//! A client that does what OpenSSH's never would: offers a host certificate, one that is no longer good, and several keys.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use russh::ChannelMsg;
use russh::Preferred;
use russh::client;
use russh::kex;
use russh::keys::Certificate;
use russh::keys::PrivateKey;
use russh::keys::PublicKeyOrCertificate;

use crate::world::World;
use crate::world::own_account;

struct Careless;

impl client::Handler for Careless {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// A key and its certificate, of their files.
fn credential(key: &Path, certificate: &Path) -> (Arc<PrivateKey>, Certificate) {
    let key = PrivateKey::from_openssh(std::fs::read_to_string(key).unwrap()).unwrap();
    let line = std::fs::read_to_string(certificate).unwrap();
    (Arc::new(key), Certificate::from_openssh(line.trim()).unwrap())
}

async fn connected(world: &World) -> client::Handle<Careless> {
    let stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let config = Arc::new(client::Config::default());
    client::connect_stream(config, stream, Careless).await.unwrap()
}

/// Whether the host and a client that has this key exchange alone come to an agreement.
pub(crate) fn agrees_on(world: &World, kex: &'static [kex::Name]) -> bool {
    world.runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
        let config = client::Config {
            preferred: Preferred {
                kex: Cow::Borrowed(kex),
                ..Preferred::DEFAULT
            },
            ..client::Config::default()
        };
        let agreed = client::connect_stream(Arc::new(config), stream, Careless).await;
        agreed.is_ok()
    })
}

/// Runs a command on a terminal of 80 by 24, does something to it once it has said `ready`, and returns what it printed and its
/// code.
pub(crate) fn on_terminal(
    world: &World,
    command: &str,
    act: impl AsyncFnOnce(&russh::Channel<client::Msg>),
) -> (String, Option<u32>) {
    let (key, certificate) = credential(&world.user("alice"), &world.path("alice-cert.pub"));
    world.runtime.block_on(async {
        let mut handle = connected(world).await;
        let answer = handle.authenticate_openssh_cert(own_account(), key, certificate);
        assert!(answer.await.unwrap().success());
        let mut channel = handle.channel_open_session().await.unwrap();
        channel
            .request_pty(false, "vt100", 80, 24, 0, 0, &[])
            .await
            .unwrap();
        channel.exec(true, command).await.unwrap();
        let (mut printed, mut code, mut act) = (String::new(), None, Some(act));
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => printed.push_str(&String::from_utf8_lossy(&data)),
                ChannelMsg::ExitStatus { exit_status } => code = Some(exit_status),
                ChannelMsg::Close => break,
                _ => {}
            }
            if printed.contains("ready")
                && let Some(act) = act.take()
            {
                act(&channel).await;
            }
        }
        (printed, code)
    })
}

/// Offers each key with each certificate file in turn, in one connection. Says whether the last one was let in.
pub(crate) fn log_in(world: &World, offers: &[(&Path, &Path)]) -> bool {
    world.runtime.block_on(async {
        let mut handle = connected(world).await;
        let mut is_in = false;
        for (key, certificate) in offers {
            let (key, certificate) = credential(key, certificate);
            let answer = handle.authenticate_openssh_cert(own_account(), key, certificate);
            is_in = answer.await.unwrap().success();
        }
        is_in
    })
}

/// Shows a certificate for which a second factor is lacking, goes on with `keyboard-interactive`, and returns what it is told then.
pub(crate) fn lacking_a_second_factor(world: &World, submethods: &str) -> Option<String> {
    let (key, certificate) = credential(&world.user("alice"), &world.path("alice-cert.pub"));
    world.runtime.block_on(async {
        let mut handle = connected(world).await;
        let answer = handle.authenticate_openssh_cert(own_account(), key, certificate);
        assert!(matches!(
            answer.await.unwrap(),
            client::AuthResult::Failure {
                partial_success: true,
                ..
            }
        ));
        let answer = handle.authenticate_keyboard_interactive_start(own_account(), submethods.to_owned());
        match answer.await.unwrap() {
            client::KeyboardInteractiveAuthResponse::InfoRequest { instructions, .. } => Some(instructions),
            client::KeyboardInteractiveAuthResponse::Failure { .. } => None,
            client::KeyboardInteractiveAuthResponse::Success => panic!("let in without a second factor"),
        }
    })
}
