//! What a start tells whoever watches it.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use cluster::Cluster;
use cluster::Opened;

/// Where the server is reached, and where it keeps what it has.
pub(crate) struct Places {
    pub(crate) data_dir: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) api: SocketAddr,
    pub(crate) web: SocketAddr,
    /// Where the proxy serves SSH, when it runs here.
    pub(crate) proxy_ssh: Option<SocketAddr>,
    /// Where this machine's SSH service listens, when it runs.
    pub(crate) ssh: Option<SocketAddr>,
}

/// The first start says what it made and what to run next; every other says in a line that it is up.
pub(crate) fn greeting(cluster: &Cluster, opened: &Opened, places: &Places) -> String {
    let Places {
        data_dir,
        socket,
        api,
        web,
        proxy_ssh,
        ssh,
    } = places;
    let (name, storage) = (cluster.name().as_str(), cluster.custody().kind());
    if !opened.is_new {
        let mut text = String::new();
        if !opened.made.is_empty() {
            let names: Vec<String> = opened
                .made
                .iter()
                .map(|(authority, _)| authority.to_string())
                .collect();
            let _ = writeln!(text, "Made the missing authorities {}.", names.join(", "));
        }
        let count = cluster.view().authorities.len();
        let _ = writeln!(
            text,
            "Cluster {name} is up: {count} authorities, new keys go to {storage}; API {api}, web https://{web}, socket {}",
            socket.display()
        );
        return text;
    }
    let mut text = format!(
        "Made the cluster {name} with the algorithms of {}.\n\n",
        cluster.suite().as_str()
    );
    let _ = writeln!(
        text,
        "{:<10} {:<9} {:<12} storage",
        "authority", "protocol", "algorithm"
    );
    for view in authority::AuthorityType::ALL
        .iter()
        .filter_map(|kind| cluster.authority(*kind).ok())
    {
        for line in Cluster::key_lines(&view.record) {
            let (kind, key) = (view.record.authority, &line.key);
            let (protocol, algorithm) = (key.form.protocol(), key.reference.algorithm.as_str());
            let _ = writeln!(
                text,
                "{kind:<10} {protocol:<9} {algorithm:<12} {}",
                key.reference.backend
            );
        }
    }
    let (data_dir, socket) = (data_dir.display(), socket.display());
    let mut services = String::new();
    if let Some(address) = proxy_ssh {
        let _ = writeln!(
            services,
            "Proxy   https://{web}, SSH {address}   what people and machines connect to"
        );
    }
    if let Some(address) = ssh {
        let _ = writeln!(
            services,
            "SSH     {address}   log-in to this machine, through the proxy"
        );
    }
    let _ = write!(
        text,
        "
Data    {data_dir}   back it up: what is lost there is lost
API     {api}   mutual TLS; on this host the socket {socket}
Web     https://{web}   certificates, revocation lists and key sets for everybody
{services}
Next
  signetctl status
  signetctl users add <you> --roles=access,editor --logins=<account>     a link by which <you> sign up
  signetctl nodes add                                                    the command to run on another machine
  signetctl auth export --type=user --format=public_keys                 for the TrustedUserCAKeys of your hosts
  signetctl auth sign --format=file --user=<you> --roles=editor --out=<you>.pem   to work from another machine
"
    );
    text
}
