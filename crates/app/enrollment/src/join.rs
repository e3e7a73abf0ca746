//! Joining: a token becomes a host with certificates.

use std::collections::BTreeMap;

use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use names::HostName;
use names::UnixSeconds;
use resource::AnyDocument;
use resource::Document;
use resource::Kind;
use resource::Labels;
use resource::Metadata;
use resource::NodeSpec;
use resource::SubKind;
use resource::SystemRole;
use ssh_cert::SubjectKey;
use state::Expect;
use state::Write;
use x509::CertificateRequest;

use crate::Certificates;
use crate::Enrollment;
use crate::EnrollmentError;
use crate::HostId;
use crate::JoinSecret;
use crate::Refusal;
use crate::TrustBundle;
use crate::certificates::Subject;
use crate::claims::Claim;
use crate::host::HostRecord;
use crate::host::IssuedToHost;
use crate::host_names;
use crate::host_names::Wish;
use crate::reach::Seen;
use crate::records;
use crate::records::Stored;
use crate::records::TakenBack;
use crate::secret::join_proof;
use crate::tokens::Right;

/// What a machine that joins sends.
pub struct JoinRequest {
    /// What gives it the right.
    pub token: JoinSecret,
    /// What it calls itself: one name, or one with a domain.
    pub node_name: String,
    /// The system roles it asks for.
    pub roles: Vec<SystemRole>,
    /// The id it had, when it joins again as the host it was: its TLS key must be the one it had then.
    pub host_id: Option<String>,
    /// A certificate signing request (PKCS#10, DER) by its TLS key. Its common name must be [`join_proof`] of the token, the name as it
    /// stands in `node_name`, and the blob of the SSH key.
    pub csr: Vec<u8>,
    /// Its SSH host key.
    pub ssh_public_key: SubjectKey,
    /// Its labels; those that the token gives win.
    pub labels: BTreeMap<String, String>,
    /// Further names and addresses that its certificates should be good for.
    pub public_addresses: Vec<HostName>,
    /// Where it serves SSH, `host:port`; empty when it is reached through its tunnel only.
    pub addr: String,
    /// Whether it asks from within the process of the auth service: it is then that machine, and may have its names.
    pub is_own: bool,
}

/// What it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Its id.
    pub host_id: HostId,
    /// Its certificates.
    pub certificates: Certificates,
    /// Whom it trusts.
    pub trust: TrustBundle,
}

/// A request whose form is right and whose machine holds its TLS key.
struct Proved {
    node_name: HostName,
    tls_key: key::PublicKey,
    rejoins: Option<HostId>,
}

/// A host about to be.
struct Arrival {
    host_id: HostId,
    record: HostRecord,
    held: Vec<HostName>,
    right: Right,
    writes: Vec<Write>,
}

impl Enrollment {
    /// Lets a machine join. The token is used up by the same commit that makes the host; when its certificates cannot be issued, both
    /// are taken back.
    ///
    /// # Errors
    /// A [`Refusal`]; otherwise whatever failed. Either way the log says so.
    pub async fn join(&self, request: &JoinRequest, remote: &str) -> Result<Joined, EnrollmentError> {
        let actor = Actor::Anonymous {
            remote: remote.to_owned(),
        };
        match self.join_by(&actor, request, remote).await {
            Ok(joined) => Ok(joined),
            Err((host_id, right, error)) => {
                let words = error.to_string();
                // Whoever has no token fills no log.
                let names = match &right {
                    Some(_) => asked_names(&request.node_name, &request.public_addresses),
                    None => Vec::new(),
                };
                let (token, method) = right.unwrap_or((None, "token"));
                let failure = AuditEvent::InstanceJoined {
                    outcome: Outcome::Failure(words),
                    host_id: host_id.map(|id| id.to_string()).unwrap_or_default(),
                    node_name: short(&request.node_name),
                    roles: request.roles.iter().map(ToString::to_string).collect(),
                    token,
                    method: method.to_owned(),
                    names,
                };
                self.record(&actor, failure).await?;
                Err(error)
            }
        }
    }

    async fn join_by(&self, actor: &Actor, request: &JoinRequest, remote: &str) -> Result<Joined, Failure> {
        let nameless = |error: EnrollmentError| (None, None, error);
        // Cheap questions first: whoever has no token makes us verify no signature.
        let right = self
            .right(&request.token, &request.roles)
            .await
            .map_err(nameless)?;
        let told = (Some(right.name.clone()), right.method);
        let known = |error: EnrollmentError| (None, Some(told.clone()), error);
        let proved = prove(request).map_err(|refusal| known(refusal.into()))?;
        let (arrival, taken_back, committed) = {
            let _one_at_a_time = self.claiming.lock().await;
            // Whoever was here before may have used the token up.
            let right = self.right(&request.token, &request.roles).await.map_err(&known)?;
            let arrival = self
                .arrival(request, &proved, right, remote)
                .await
                .map_err(&known)?;
            let taken_back = TakenBack::note(self.state.as_ref(), &arrival.writes)
                .await
                .map_err(&known)?;
            self.record(actor, arrival.event()).await.map_err(&known)?;
            let committed =
                records::commit(self.state.as_ref(), &arrival.host_id, arrival.writes.clone()).await;
            (arrival, taken_back, committed)
        };
        let failed = |error: EnrollmentError| (Some(arrival.host_id.clone()), Some(told.clone()), error);
        let committed = committed.map_err(&failed)?;
        match self.certify(actor, request, &proved, &arrival, committed).await {
            Ok(joined) => Ok(joined),
            Err(error) => {
                let undo = taken_back.undo(committed);
                if let Err(trouble) = records::commit(self.state.as_ref(), &arrival.host_id, undo).await {
                    tracing::error!(error = %trouble, "a join that failed could not be taken back; its token is used up");
                }
                Err(failed(error))
            }
        }
    }

    /// The host to be, and the writes that make it: the use of the token, its record, its names, its node.
    async fn arrival(
        &self,
        request: &JoinRequest,
        proved: &Proved,
        right: Right,
        remote: &str,
    ) -> Result<Arrival, EnrollmentError> {
        let roles = distinct(&request.roles);
        let wish = Wish {
            node_name: &proved.node_name,
            public_addresses: &request.public_addresses,
            roles: &roles,
            is_own: request.is_own,
        };
        let held = host_names::held_names(wish, self.cluster.name(), self.settings.reserved())?;
        let before = self.rejoining(proved, &roles).await?;
        let host_id = match &proved.rejoins {
            Some(host_id) => host_id.clone(),
            None => {
                let bytes = runtime::sixteen(self.entropy.as_ref());
                HostId::from_random(bytes.map_err(|fault| EnrollmentError::Internal(fault.to_string()))?)
            }
        };
        let record = HostRecord {
            node_name: proved.node_name.clone(),
            roles,
            public_addresses: request.public_addresses.clone(),
            given_labels: given(&right.suggested_labels),
            joined_by: right.name.clone(),
            joined_at: self.cluster.now(),
            tls_key: proved.tls_key.spki_sha256(),
            certificates: before
                .as_ref()
                .map_or_else(Vec::new, |before| before.value.certificates.clone()),
            removed: None,
            is_own: request.is_own,
        };
        let expect = before
            .as_ref()
            .map_or(Expect::Absent, |before| Expect::At(before.revision));
        let mut writes: Vec<Write> = right.write.iter().cloned().collect();
        writes.push(records::put(records::host_key(&host_id)?, expect, &record)?);
        let holder = host_id.to_string();
        writes.extend(self.claim(Claim::ByWord, &holder, &record.roles, &held).await?);
        if let Some(before) = &before {
            writes.extend(self.release_left(&host_id, &before.value, &held).await?);
        }
        writes.extend(self.node_write(&host_id, &record, request, remote).await?);
        Ok(Arrival {
            host_id,
            record,
            held,
            right,
            writes,
        })
    }

    /// The record of the host that joins again, when it does: it must be a member, and the same machine.
    async fn rejoining(
        &self,
        proved: &Proved,
        roles: &[SystemRole],
    ) -> Result<Option<Stored<HostRecord>>, EnrollmentError> {
        let Some(host_id) = &proved.rejoins else {
            return Ok(None);
        };
        let stored = self.member(host_id).await?;
        if stored.value.tls_key != proved.tls_key.spki_sha256() {
            let words = format!("host {host_id} has another TLS key; join again without the host id");
            return Err(Refusal::NoProof(words).into());
        }
        self.refuse_other_roles(host_id, &stored.value, roles)?;
        self.refuse_revoked(host_id, &stored.value, UnixSeconds(0))
            .await?;
        Ok(Some(stored))
    }

    /// The write of the node's document, for a host that serves SSH.
    async fn node_write(
        &self,
        host_id: &HostId,
        record: &HostRecord,
        request: &JoinRequest,
        remote: &str,
    ) -> Result<Option<Write>, EnrollmentError> {
        if !record.roles.contains(&SystemRole::Node) {
            return Ok(None);
        }
        let mut labels = request.labels.clone();
        labels.extend(record.given_labels.clone());
        let kind = Kind::Node;
        let name = host_id.resource_name()?;
        // What an operator said of a host that joins again stays.
        let dial_addr = match self.directory.find(kind, &name).await? {
            Some(AnyDocument::Node(before)) => before.spec.dial_addr,
            _ => String::new(),
        };
        let metadata = Metadata {
            labels,
            ..Metadata::named(name)
        };
        let seen = Seen {
            remote,
            is_own: record.is_own,
        };
        let addr = seen.addr(&request.addr);
        let spec = NodeSpec {
            hostname: record.node_name.to_string(),
            use_tunnel: addr.is_empty(),
            addr,
            dial_addr,
            sub_kind: SubKind::Agent,
            ..NodeSpec::default()
        };
        let document = Document::new(metadata, spec);
        crate::heartbeat::check(&document, &request.addr)?;
        Ok(Some(directory::encode(
            &AnyDocument::Node(document),
            Expect::Anything,
        )?))
    }

    /// Issues the certificates of a host that was made, and remembers them.
    async fn certify(
        &self,
        actor: &Actor,
        request: &JoinRequest,
        proved: &Proved,
        arrival: &Arrival,
        committed: state::Revision,
    ) -> Result<Joined, EnrollmentError> {
        let Arrival {
            host_id,
            record,
            held,
            right,
            writes: _,
        } = arrival;
        let subject = Subject {
            names: host_names::certified_names(host_id, held, self.cluster.name(), record.is_own_proxy())?,
            roles: &record.roles,
            tls_key: &proved.tls_key,
            ssh_key: &request.ssh_public_key,
            allowed_by: format!("join token {}", right.name),
        };
        let (certificates, issued) = self.issue(actor, subject).await?;
        let trust = self.trust_bundle()?;
        let mut record = record.clone();
        record.certificates = remember(&record.certificates, issued, self.cluster.now());
        let key = records::host_key(host_id)?;
        let write = records::put(key, Expect::At(committed), &record)?;
        records::commit(self.state.as_ref(), host_id, vec![write]).await?;
        self.note_evidence(host_id, &record, None);
        if record.is_own {
            self.note_served_here(host_id);
        }
        Ok(Joined {
            host_id: host_id.clone(),
            certificates,
            trust,
        })
    }
}

impl Arrival {
    fn event(&self) -> AuditEvent {
        AuditEvent::InstanceJoined {
            outcome: Outcome::Success,
            host_id: self.host_id.to_string(),
            node_name: self.record.node_name.to_string(),
            roles: self.record.roles.iter().map(ToString::to_string).collect(),
            token: Some(self.right.name.clone()),
            method: self.right.method.to_owned(),
            names: self.held.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Which host it would have been, by which token and method, and why not.
type Failure = (
    Option<HostId>,
    Option<(Option<String>, &'static str)>,
    EnrollmentError,
);

/// Reads a request, and the proof that its machine holds its TLS key.
fn prove(request: &JoinRequest) -> Result<Proved, Refusal> {
    let node_name = host_names::parse("node_name", &request.node_name)?;
    let csr =
        CertificateRequest::from_der(&request.csr).map_err(|error| Refusal::NoProof(error.to_string()))?;
    let wanted = join_proof(&request.token, &request.node_name, request.ssh_public_key.blob());
    if csr.subject().common_name().as_deref() != Some(wanted.as_str()) {
        let words = "its common name is not the proof for this token, this name and this SSH key";
        return Err(Refusal::NoProof(words.to_owned()));
    }
    Ok(Proved {
        node_name,
        tls_key: csr.public_key().clone(),
        rejoins: request.host_id.as_deref().map(HostId::parse).transpose()?,
    })
}

/// The certificates of a host that have not ended, with those just issued.
pub(crate) fn remember(
    before: &[IssuedToHost],
    issued: Vec<IssuedToHost>,
    now: UnixSeconds,
) -> Vec<IssuedToHost> {
    let mut all: Vec<IssuedToHost> = before.to_vec();
    all.retain(|certificate| certificate.not_after >= now);
    all.extend(issued);
    all
}

/// The labels a token gives: of several values the first.
fn given(suggested: &Labels) -> BTreeMap<String, String> {
    let first =
        |(key, values): (&String, &Vec<String>)| values.first().map(|value| (key.clone(), value.clone()));
    suggested.iter().filter_map(first).collect()
}

pub(crate) fn distinct(roles: &[SystemRole]) -> Vec<SystemRole> {
    let mut distinct = roles.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    distinct
}

/// The names that a machine asks for, for the log.
pub(crate) fn asked_names(node_name: &str, public_addresses: &[HostName]) -> Vec<String> {
    let further = public_addresses
        .iter()
        .take(host_names::PUBLIC_ADDRESSES_MAX)
        .map(ToString::to_string);
    std::iter::once(short(node_name)).chain(further).collect()
}

/// What somebody sent, for the log.
fn short(text: &str) -> String {
    text.chars().take(200).collect()
}
