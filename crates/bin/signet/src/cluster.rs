//! A cluster as it is known before anybody is logged in, and how it is met for the first time.
//!
//! Nothing secret is sent to a server that is not recognised. A cluster is recognised by the certificates of its host authority, and those come
//! from a run before, from a pin that somebody was given, from a server that the whole world's authorities vouch for, or, like with ssh, from
//! somebody who looked at the pin and said yes. From then on these certificates alone count: a proxy always has one of the cluster's to show to
//! us, and one that the rest of the world recognises is taken in its place only where somebody said so.

use std::path::Path;

use api_client::CaPin;
use api_client::Client;
use api_client::ClientError;
use api_client::Endpoint;
use api_client::Identity;
use api_client::ServerTrust;
use api_types::ExportParameters;
use api_types::Ping;
use names::ClusterName;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::console;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::files;
use crate::home::Home;
use crate::home::Profile;
use crate::login::PinArgs;
use crate::trust::Trust;

/// A cluster and how it is recognised.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// `host:port` of its proxy.
    pub(crate) proxy: String,
    /// Its name.
    pub(crate) name: String,
    /// The certificates of its host authority, PEM.
    pub(crate) authorities: String,
    /// Lines for `known_hosts` that came with them; empty when none did.
    pub(crate) known_hosts: String,
    /// Whether somebody said that something in front of the proxy ends TLS.
    pub(crate) is_fronted: bool,
    /// The authorities that everybody trusts, when that is so, and the certificate in front is by one of them.
    web_roots: Option<Vec<CertificateDer<'static>>>,
}

/// A cluster that answered.
pub(crate) struct Met {
    /// The cluster, recognised.
    pub(crate) cluster: Cluster,
    /// The connection on which it was.
    pub(crate) client: Client,
    /// The kinds of second factor that it accepts.
    pub(crate) second_factors: Vec<String>,
}

/// The port of a proxy when none is named.
const PROXY_PORT: u16 = 3080;

/// `host:port` of a proxy. The port may be left out, and so may what stands around it in the address of a page.
pub(crate) fn proxy_address(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix("https://").unwrap_or(text);
    let bare = bare.split('/').next().unwrap_or_default();
    let has_port = match bare.rsplit_once(':') {
        Some((host, port)) => {
            port.parse::<u16>().is_ok_and(|port| port != 0) && (!host.contains(':') || host.ends_with(']'))
        }
        None => false,
    };
    let address = if has_port {
        bare.to_owned()
    } else {
        format!("{bare}:{PROXY_PORT}")
    };
    let host = address.rsplit_once(':').map_or("", |(host, _)| host);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .filter(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    if inner.is_some() || (!host.is_empty() && host.chars().all(is_plain)) {
        Ok(address.to_ascii_lowercase())
    } else {
        Err(format!(
            "{text:?} is no address of a proxy: write HOST:PORT, such as proxy.example.com:3080"
        ))
    }
}

impl Cluster {
    /// The cluster of a run before.
    pub(crate) fn known(environment: &Environment, proxy: &str) -> Result<Option<Self>, Failure> {
        let Some(profile) = environment.home.profile(proxy)? else {
            return Ok(None);
        };
        let place = environment.home.place(proxy);
        let Some(authorities) = files::read_if_there(&place.authorities())? else {
            return Ok(None);
        };
        Ok(Some(Self {
            known_hosts: files::read_if_there(&place.known_hosts())?.unwrap_or_default(),
            ..Self::of(profile, authorities)
        }))
    }

    /// The cluster of somebody who is logged in.
    pub(crate) fn of(profile: Profile, authorities: String) -> Self {
        Self {
            proxy: profile.proxy,
            name: profile.cluster,
            authorities,
            known_hosts: String::new(),
            is_fronted: profile.tls_in_front,
            web_roots: None,
        }
    }

    /// The same cluster, when it has said whom to trust from now on.
    pub(crate) fn trusting(&self, trust: &Trust) -> Self {
        let Trust {
            authorities,
            known_hosts,
        } = trust.clone();
        Self {
            authorities,
            known_hosts,
            ..self.clone()
        }
    }

    /// The cluster behind a proxy: known, or met now.
    pub(crate) async fn meet(environment: &Environment, proxy: &str, by: &PinArgs) -> Result<Met, Failure> {
        let PinArgs { pins, tls_in_front } = by;
        if pins.is_empty() {
            if let Some(known) = Self::known(environment, proxy)? {
                if known.is_fronted || !*tls_in_front {
                    return known.recognised(environment).await;
                }
                let said = Self {
                    is_fronted: true,
                    ..known
                };
                return said.recognised(environment).await?.kept(environment);
            }
            if let Some(vouched) = Self::vouched(environment, proxy, *tls_in_front).await? {
                return Ok(vouched);
            }
        }
        let shown = fetch(proxy, &ServerTrust::Unverified).await?;
        let mut accepted = Vec::new();
        for (pin, certificate) in pins_of(&shown)? {
            if pins.is_empty() || pins.contains(&pin) {
                accepted.push((pin, certificate));
            }
        }
        if accepted.is_empty() {
            return Err(Failure::refused(format!(
                "the cluster at {proxy} has none of the keys you pinned: it is another one, or somebody is in between"
            ))
            .with_hint("ask the operator of the cluster for its CA pin, as `signetctl status` shows it; nothing was sent"));
        }
        if pins.is_empty() {
            Self::ask(proxy, &accepted)?;
        }
        let certificates: Vec<_> = accepted.into_iter().map(|(_, certificate)| certificate).collect();
        let met = Self::met(proxy, &certificates, *tls_in_front)?;
        met.recognised(environment).await?.kept(environment)
    }

    /// A cluster of whom nothing but the authorities is known.
    fn met(proxy: &str, certificates: &[CertificateDer<'static>], is_fronted: bool) -> Result<Self, Failure> {
        Ok(Self {
            proxy: proxy.to_owned(),
            name: cluster_name(certificates)?,
            authorities: pem_of(certificates),
            known_hosts: String::new(),
            is_fronted,
            web_roots: None,
        })
    }

    /// A cluster whose proxy has a certificate that the whole world recognises, too: that vouches for its authorities, and they for the rest.
    async fn vouched(
        environment: &Environment,
        proxy: &str,
        is_fronted: bool,
    ) -> Result<Option<Met>, Failure> {
        let Some(roots) = web_roots(environment.web_roots.as_deref()) else {
            return Ok(None);
        };
        let endpoint = Endpoint::public(proxy, &ServerTrust::Roots(roots))?;
        let shown = match Client::new(endpoint).web_export(&host_authority()).await {
            Ok(shown) => shown,
            Err(ClientError::Untrusted { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let certificates: Vec<_> = pins_of(&shown)?
            .into_iter()
            .map(|(_, certificate)| certificate)
            .collect();
        let vouched = Self::met(proxy, &certificates, is_fronted)?;
        Ok(Some(vouched.recognised(environment).await?.kept(environment)?))
    }

    /// The same, recognised by the certificate that is shown: one of the cluster's. One that the whole world recognises will do where somebody
    /// said that TLS ends in front of the proxy, and nowhere else: whoever gets such a certificate would be the cluster.
    async fn recognised(self, environment: &Environment) -> Result<Met, Failure> {
        let client = self.client()?.keeping();
        let error = match client.ping().await {
            // Nothing is in front of it, whatever somebody said once.
            Ok(said) => {
                let direct = Self {
                    is_fronted: false,
                    ..self
                };
                return Ok(direct.answered(client, said));
            }
            Err(error @ ClientError::Untrusted { .. }) => error,
            Err(error) => return Err(error.into()),
        };
        let Some(roots) = web_roots(environment.web_roots.as_deref()) else {
            return Err(error.into());
        };
        let with_web = Self {
            web_roots: Some(roots),
            ..self
        };
        let client = with_web.client()?.keeping();
        match client.ping().await {
            Ok(said) if with_web.is_fronted => Ok(with_web.answered(client, said)),
            Ok(_) => Err(with_web.fronted_unsaid()),
            // That the world does not know it either says less than that the cluster does not.
            Err(ClientError::Untrusted { .. }) => Err(error.into()),
            Err(other) => Err(other.into()),
        }
    }

    /// Something ends TLS in front of the proxy, and nobody said that it should.
    fn fronted_unsaid(&self) -> Failure {
        let Self { proxy, name, .. } = self;
        Failure::refused(format!(
            "{proxy} has a public certificate and none of the cluster {name}: something ends TLS in front of the proxy, or somebody is in between"
        ))
        .with_hint(format!(
            "nothing was sent; ask the operator of the cluster. If TLS is meant to end there: `signet login --proxy={proxy} --tls-in-front`, and whoever \
             holds that certificate sees your password"
        ))
    }

    fn answered(self, client: Client, said: Ping) -> Met {
        Met {
            cluster: self,
            client,
            second_factors: said.second_factors,
        }
    }

    fn ask(proxy: &str, accepted: &[(CaPin, CertificateDer<'static>)]) -> Result<(), Failure> {
        let pins: Vec<String> = accepted.iter().map(|(pin, _)| pin.to_string()).collect();
        let shown = pins.join("\n  ");
        if !console::is_attended() {
            return Err(Failure::usage(
                format!(
                    "the cluster at {proxy} is not known here yet, and nobody is there to look at its pin"
                ),
                format!(
                    "ask its operator for the CA pin, compare, and say --ca-pin; the server shows\n  {shown}"
                ),
            ));
        }
        console::tell(&format!(
            "The cluster at {proxy} is not known here yet. Its CA pin is\n  {shown}\n\
             Compare it with what its operator gave you (`signetctl status` shows it there)."
        ));
        if console::confirm("Is it the same?")? {
            Ok(())
        } else {
            Err(Failure::failed("the cluster is not trusted, nothing was sent"))
        }
    }

    /// Remembers the cluster.
    fn keep(&self, home: &Home) -> Result<(), Failure> {
        let before = home.profile(&self.proxy)?;
        let profile = Profile {
            proxy: self.proxy.clone(),
            cluster: self.name.clone(),
            // Somebody who is logged in to another cluster that was here before is not logged in to this one.
            login: before
                .filter(|before| before.cluster == self.name)
                .and_then(|before| before.login),
            tls_in_front: self.is_fronted,
        };
        let place = home.keep(&profile)?;
        let _one_at_a_time = place.lock()?;
        if let Some(before) = files::read_if_there(&place.authorities())? {
            let (old, new) = (certificates(&before)?, certificates(&self.authorities)?);
            // Lines of a trust that none of these goes on from.
            if !new.iter().any(|new| old.contains(new)) {
                files::remove_if_there(&place.known_hosts())?;
            }
        }
        files::write_private(&place.authorities(), self.authorities.as_bytes())
    }

    /// Where everybody is served, before who one is has been shown.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let trust = match &self.web_roots {
            Some(roots) => ServerTrust::Roots(roots.clone()),
            None => ServerTrust::Cluster {
                name: self.name.clone(),
                authorities: certificates(&self.authorities)?,
            },
        };
        Ok(Client::new(Endpoint::public(&self.proxy, &trust)?))
    }

    /// The API, as somebody.
    pub(crate) fn api(&self, identity: Identity) -> Result<Client, Failure> {
        Ok(Client::new(Endpoint::cluster(&self.proxy, &self.name, identity)?))
    }
}

impl Met {
    /// The same, remembered.
    fn kept(self, environment: &Environment) -> Result<Self, Failure> {
        self.cluster.keep(&environment.home)?;
        Ok(self)
    }
}

fn host_authority() -> ExportParameters {
    ExportParameters {
        kind: "tls-host".to_owned(),
        ..ExportParameters::default()
    }
}

async fn fetch(proxy: &str, trust: &ServerTrust) -> Result<String, Failure> {
    let client = Client::new(Endpoint::public(proxy, trust)?);
    Ok(client.web_export(&host_authority()).await?)
}

/// The certificates in a PEM text.
pub(crate) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    read.map_err(|error| Failure::local("the certificates of the host authority cannot be read", &error))
}

fn pins_of(pem: &str) -> Result<Vec<(CaPin, CertificateDer<'static>)>, Failure> {
    let certificates = certificates(pem)?;
    if certificates.is_empty() {
        return Err(Failure::failed("the server shows no host authority")
            .with_hint("is something else than Signet listening there?"));
    }
    let pinned = |certificate: CertificateDer<'static>| {
        let pin = CaPin::of(&certificate)
            .map_err(|error| Failure::local("the server's host authority cannot be read", &error))?;
        Ok((pin, certificate))
    };
    certificates.into_iter().map(pinned).collect()
}

/// The name that the authority itself has, which nobody who merely holds one of its certificates can choose.
pub(crate) fn cluster_name(certificates: &[CertificateDer<'static>]) -> Result<String, Failure> {
    let unnamed = || Failure::failed("the host authority's certificate does not say which cluster it is of");
    let mut names = certificates.iter().map(|certificate| {
        x509::Certificate::from_der(certificate)
            .ok()
            .filter(x509::Certificate::is_ca)
            .and_then(|certificate| certificate.subject().common_name())
    });
    let first = names.next().flatten().ok_or_else(unnamed)?;
    if names.all(|name| name.as_ref() == Some(&first)) {
        parsed_name(&first)?;
        Ok(first)
    } else {
        Err(unnamed())
    }
}

/// A name that a server or a file says is a cluster's. It stands in configurations and commands that we write.
pub(crate) fn parsed_name(text: &str) -> Result<ClusterName, Failure> {
    ClusterName::parse(text)
        .map_err(|error| Failure::failed(format!("{text:?} is no name of a cluster: {error}")))
}

fn pem_of(certificates: &[CertificateDer<'static>]) -> String {
    let encode = |certificate: &CertificateDer<'static>| {
        der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, certificate).unwrap_or_default()
    };
    certificates.iter().map(encode).collect()
}

/// The authorities that everybody trusts, if the system has them.
fn web_roots(file: Option<&Path>) -> Option<Vec<CertificateDer<'static>>> {
    let pem = std::fs::read(file?).ok()?;
    // Systems keep a few that TLS does not take; those are left out.
    let roots = CertificateDer::pem_slice_iter(&pem)
        .flatten()
        .filter(|root| rustls::RootCertStore::empty().add(root.clone()).is_ok());
    let roots: Vec<_> = roots.collect();
    (!roots.is_empty()).then_some(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_named_in_several_ways() {
        for (text, address) in [
            ("proxy.example.com", "proxy.example.com:3080"),
            ("proxy.example.com:443", "proxy.example.com:443"),
            ("https://Proxy.example.com:3080/web/x", "proxy.example.com:3080"),
            ("[::1]:3080", "[::1]:3080"),
            ("[::1]", "[::1]:3080"),
            ("127.0.0.1:1", "127.0.0.1:1"),
        ] {
            assert_eq!(proxy_address(text).as_deref(), Ok(address), "{text}");
        }
        for bad in ["", ":3080", "a b:1", "::1", "[zz]:1", "a:0:1", "http://x"] {
            assert!(proxy_address(bad).is_err(), "{bad}");
        }
    }
}
