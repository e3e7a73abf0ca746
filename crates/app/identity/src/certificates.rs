//! Certificates for people.

use std::net::SocketAddr;

use cluster::IssueSsh;
use cluster::IssueX509;
use names::Principal;
use names::Ttl;
use profile::SshProfile;
use profile::SshRequest;
use profile::X509Request;
use ssh_cert::CriticalOptions;
use ssh_cert::EXTENSION_DOMAIN;
use ssh_cert::ExtensionName;
use ssh_cert::Network;
use ssh_cert::OwnFact;

use crate::CertificateKeys;
use crate::IdentityError;
use crate::Refusal;
use crate::UserCertificates;
use crate::identity::Identity;
use crate::identity::proven;
use crate::people::Person;

/// The shortest worth issuing.
const SHORTEST: Ttl = Ttl::from_seconds(60);

impl Identity {
    /// Issues SSH and TLS certificates to a person for as long as the roles allow. `device`: the second factor that was just
    /// given, if one was.
    ///
    /// # Errors
    /// [`Refusal::UserLocked`] when a lock refuses the person; otherwise what [`cluster::Cluster`] says.
    pub async fn issue_certificates(
        &self,
        person: &Person,
        device: Option<&str>,
        keys: &CertificateKeys,
        remote: SocketAddr,
    ) -> Result<UserCertificates, IdentityError> {
        if let Some(message) = self.people.lock_on(person, device, self.now()) {
            return Err(Refusal::UserLocked { message }.into());
        }
        let ttl = asked_ttl(keys.ttl, person.session_longest)?;
        let actor = proven(&person.user, remote);
        let allowed_by = allowed_by(person);
        let ssh = self.ssh_request(person, device, remote)?;
        let issue_ssh = IssueSsh {
            request: ssh,
            subject_key: keys.ssh.clone(),
            ttl: Some(ttl),
            allowed_by: allowed_by.clone(),
        };
        let issue_tls = IssueX509 {
            request: X509Request::User {
                user: person.user.clone(),
                roles: person.roles.clone(),
                logins: person.logins.clone(),
                traits: person.traits.clone(),
                mfa_device: device.map(ToOwned::to_owned),
                pinned_to: person.is_pinned.then(|| remote.ip().to_canonical()),
            },
            subject_key: keys.tls.clone(),
            ttl: Some(ttl),
            allowed_by,
        };
        let issued = self.cluster.issue_ssh_and_x509(&actor, &issue_ssh, &issue_tls);
        let (ssh, tls) = issued.await?;
        Ok(UserCertificates {
            ssh,
            tls,
            roles: person.roles.clone(),
            logins: person.logins.clone(),
        })
    }

    pub(crate) fn ssh_request(
        &self,
        person: &Person,
        device: Option<&str>,
        remote: SocketAddr,
    ) -> Result<SshRequest, IdentityError> {
        let unfit = |error: ssh_cert::BuildError| IdentityError::Internal(error.to_string());
        let address = remote.ip().to_canonical();
        // What roles add cannot pass for what only we say.
        let is_foreign = |name: &ExtensionName| {
            let domain = name.as_str().rsplit('@').next();
            domain.is_none_or(|domain| domain != EXTENSION_DOMAIN)
        };
        let mut facts = person.cert_extensions.clone();
        facts.retain(|name, _| is_foreign(name));
        let mut say = |fact: OwnFact, value: String| facts.insert(fact.name(), value);
        if !person.traits.is_empty() {
            let json = serde_json::to_string(&person.traits)
                .map_err(|error| IdentityError::Internal(error.to_string()))?;
            say(OwnFact::Traits, json);
        }
        say(OwnFact::LoginIp, address.to_string());
        if let Some(device) = device {
            say(OwnFact::MfaVerified, device.to_owned());
        }
        let mut critical_options = CriticalOptions::default();
        if person.is_pinned {
            let network = Network::parse(&address.to_string()).map_err(unfit)?;
            critical_options.source_addresses.push(network);
        }
        let mut logins = person.logins.clone();
        if logins.is_empty() {
            // A certificate needs a principal, and the user's name would be an account on many a host.
            let nobody = format!("-signet-nologin-{}", hex::encode(self.random::<8>()?));
            let nobody =
                Principal::parse(&nobody).map_err(|error| IdentityError::Internal(error.to_string()))?;
            logins.push(nobody);
        }
        Ok(SshRequest::User {
            profile: SshProfile::User,
            user: person.user.clone(),
            logins,
            roles: person.roles.clone(),
            critical_options,
            permits: person.permits.iter().copied().collect(),
            facts,
        })
    }
}

/// For how long certificates are good: as asked or as is usual, and no longer than roles and this cluster allow.
pub(crate) fn asked_ttl(asked: Option<Ttl>, longest: Ttl) -> Result<Ttl, IdentityError> {
    let ttl = access::session_ttl(asked, longest);
    if ttl < SHORTEST {
        return Err(Refusal::Malformed {
            field: "ttl",
            problem: format!("{ttl} is too short; ask for one minute at least"),
        }
        .into());
    }
    Ok(ttl)
}

/// Which policy allowed it, for the log.
pub(crate) fn allowed_by(person: &Person) -> String {
    let roles: Vec<&str> = person.roles.iter().map(Principal::as_str).collect();
    format!("roles {}", roles.join(","))
}
