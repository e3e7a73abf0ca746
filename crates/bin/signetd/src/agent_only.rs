//! A machine whose auth service runs elsewhere: it joins through the proxy, and is reached through its tunnel.

use std::sync::Arc;

use agent::HttpJoiner;
use agent::Joiner;
use api_client::CaPin;
use api_http::Stopper;
use api_types::SecretText;
use config::Config;
use config::JoinConfig;
use secrecy::ExposeSecret;
use secrecy::SecretString;

use crate::failure::Failure;
use crate::host::SystemClock;
use crate::host::SystemEntropy;
use crate::services;
use crate::services::Machine;
use crate::services::Services;
use crate::start::Signals;

/// Serves until a signal asks to stop.
///
/// # Errors
/// When there is nothing to serve, or nowhere to join.
pub(crate) async fn serve(config: &Config) -> Result<(), Failure> {
    let Some(join) = &config.join else {
        return Err(Failure::new(
            "there is nothing to run: `auth_service.enabled` is false, and `signet.proxy_server` names no cluster to join",
            "run the command that `signetctl nodes add` prints, or enable the auth service",
        ));
    };
    let ssh = Services::bind_ssh(&config.ssh).await?;
    if ssh.is_none() && join.further_roles.is_empty() {
        return Err(Failure::new(
            "there is nothing to run: `auth_service.enabled` and `ssh_service.enabled` are false",
            "enable one of them",
        ));
    }
    for role in &join.further_roles {
        tracing::warn!(
            role,
            "this version has no service for this system role: the machine joins in it, and serves nothing for it"
        );
    }
    let proxy = join.proxy_server.to_string();
    // The tunnel is the SSH service's.
    let tunnel = ssh.is_some().then(|| proxy.clone());
    let machine = Machine {
        folder: config.data_dir.join("agent"),
        address: proxy.clone(),
        cluster: None,
        joiner: joiner(join)?,
        nearby: None,
        node_name: config.node_name.clone(),
        public_addresses: Vec::new(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy::new()),
        tunnel,
        further_roles: join.further_roles.clone(),
    };
    let (stopper, stop) = Stopper::new();
    let signals = Signals::listen()?;
    let services = Services { ssh, proxy: None };
    let mut running = tokio::spawn(services::run(machine, services, stop));
    tracing::info!(proxy = %join.proxy_server, "this machine serves the cluster behind the proxy");
    let ended = tokio::select! {
        ended = &mut running => ended,
        reason = signals.asked_to_stop() => {
            tracing::info!(reason, "stopping");
            stopper.stop();
            running.await
        }
    };
    ended.map_err(|error| Failure::of("the services ended unexpectedly", &error))?
}

/// How the machine joins; nothing when no token is given, which is needed the first time only.
fn joiner(join: &JoinConfig) -> Result<Option<Arc<dyn Joiner>>, Failure> {
    let Some(token) = &join.token else { return Ok(None) };
    let mut pins = Vec::new();
    for pin in &join.ca_pins {
        let pin: CaPin = pin
            .parse()
            .map_err(|error| Failure::of("signet.ca_pin cannot be used", &error))?;
        pins.push(pin);
    }
    if pins.is_empty() {
        return Err(Failure::new(
            "a token is given and no CA pin: whoever answers at the proxy's address would be sent the token",
            "add `ca_pin` from `signetctl status`, or run the command that `signetctl nodes add` prints",
        ));
    }
    Ok(Some(Arc::new(HttpJoiner {
        address: join.proxy_server.to_string(),
        pins,
        secret: secret(token)?,
    })))
}

/// The token, or the first line of the file that is named instead.
fn secret(token: &SecretString) -> Result<SecretText, Failure> {
    let text = token.expose_secret();
    if !text.starts_with('/') {
        return Ok(SecretText::new(text.to_owned()));
    }
    let read = std::fs::read_to_string(text)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| Failure::of(&format!("cannot read the token file {text}"), &error))?;
    Ok(SecretText::new(
        read.lines().next().unwrap_or_default().trim().to_owned(),
    ))
}
