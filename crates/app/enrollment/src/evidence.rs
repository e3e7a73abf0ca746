//! What a host proved, as rotations count it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use authority::AuthorityType;
use authority::KeyForm;
use cluster::AuthorityRecord;
use cluster::Presence;
use names::UnixSeconds;
use resource::Document;
use resource::NodeSpec;
use resource::RotationEvidence;
use resource::SubKind;
use rotation::Generation;
use rotation::PartyKind;
use rotation::Phase;

use crate::Enrollment;
use crate::HostId;
use crate::enrollment::ONLINE;
use crate::host::HostRecord;
use crate::host::PresenceRecord;
use crate::trust::AUTHORITIES;

impl Enrollment {
    /// Tells the cluster what a host proved. One that joined and was not heard of yet has proved nothing, and is waited for.
    pub(crate) fn note_evidence(
        &self,
        host_id: &HostId,
        record: &HostRecord,
        presence: Option<&PresenceRecord>,
    ) {
        let seen_at = presence.map_or(record.joined_at, |presence| presence.seen_at);
        let name = format!("{} ({host_id})", record.node_name);
        let mut presences = Vec::new();
        for authority in AUTHORITIES {
            let evidence = self.evidence(authority, record, presence);
            let of = |kind, serves| Presence {
                name: name.clone(),
                authority,
                kind,
                trusts: evidence.trusts.clone(),
                serves,
            };
            if authority == AuthorityType::Host {
                presences.push(of(PartyKind::Client, evidence.client));
                presences.push(of(PartyKind::Server, evidence.server));
            } else {
                presences.push(of(PartyKind::Verifier, None));
            }
        }
        let host = host_id.to_string();
        if presence.is_some() {
            self.note_seen(&host, seen_at);
        }
        self.cluster.note_remote(&host, seen_at.plus(ONLINE), presences);
    }

    /// Names a server without an agent among those who may be cut off when the `openssh` authority changes: it proves nothing itself.
    pub(crate) fn note_openssh(&self, node: &Document<NodeSpec>) {
        match node.spec.sub_kind {
            SubKind::Agent => {}
            SubKind::Openssh => {
                let host = node.metadata.name.as_str();
                let presence = Presence {
                    name: format!("{} ({host}, without an agent)", node.spec.hostname),
                    authority: AuthorityType::Openssh,
                    kind: PartyKind::Verifier,
                    trusts: BTreeSet::new(),
                    serves: None,
                };
                self.cluster.note_remote(host, UnixSeconds(0), vec![presence]);
            }
        }
    }

    /// What a host proved of every authority it has to do with.
    pub(crate) fn all_evidence(
        &self,
        record: &HostRecord,
        presence: &PresenceRecord,
    ) -> BTreeMap<String, RotationEvidence> {
        AUTHORITIES
            .into_iter()
            .map(|authority| {
                (
                    authority.to_string(),
                    self.evidence(authority, record, Some(presence)),
                )
            })
            .collect()
    }

    fn evidence(
        &self,
        authority: AuthorityType,
        host: &HostRecord,
        presence: Option<&PresenceRecord>,
    ) -> RotationEvidence {
        let mut evidence = RotationEvidence {
            phase: Phase::Standby,
            trusts: BTreeSet::new(),
            client: None,
            server: None,
        };
        let (Some(presence), Ok(view)) = (presence, self.cluster.authority(authority)) else {
            return evidence;
        };
        let record = &view.record;
        evidence.trusts = trusted(record, &presence.trusts);
        if authority == AuthorityType::Host {
            let is_trusted = record.desired().trusts.contains(&presence.client);
            evidence.client = is_trusted.then_some(presence.client);
            evidence.server = served(record, host, &presence.server_issuers);
        }
        evidence.phase = reached(record, &evidence);
        evidence
    }
}

/// The generations of which every key that a host has to do with is among those it trusts.
fn trusted(record: &AuthorityRecord, keys: &BTreeSet<key::SpkiSha256>) -> BTreeSet<Generation> {
    let is_trusted = |generation: &Generation| {
        let own = record.keys_of(*generation);
        let mut needed = own.iter().filter(|key| key.form != KeyForm::Jwt).peekable();
        needed.peek().is_some() && needed.all(|key| keys.contains(&key.public_key.spki_sha256()))
    };
    record.desired().trusts.into_iter().filter(is_trusted).collect()
}

/// The one generation whose certificates a host presents to those who connect to it: every key it names is of that generation, and it
/// was given a certificate by each.
fn served(
    record: &AuthorityRecord,
    host: &HostRecord,
    issuers: &BTreeSet<key::SpkiSha256>,
) -> Option<Generation> {
    let mut served = BTreeSet::new();
    for issuer in issuers {
        let mut trusted = record.trusted();
        let (generation, key) = trusted.find(|(_, key)| key.public_key.spki_sha256() == *issuer)?;
        let was_given =
            |issued: &crate::host::IssuedToHost| issued.generation == generation && issued.form == key.form;
        if !host.certificates.iter().any(was_given) {
            return None;
        }
        served.insert(generation);
    }
    let only = served.pop_first();
    if served.is_empty() { only } else { None }
}

/// The phase that what was proved fits, for people to read: readiness itself is judged on the generations.
fn reached(record: &AuthorityRecord, evidence: &RotationEvidence) -> Phase {
    let desired = record.desired();
    let presents = |side: Option<Generation>, wanted: Generation| side.is_none_or(|own| own == wanted);
    let phase = record.rotation.phase();
    let trusts_next = evidence
        .trusts
        .contains(&desired.incoming.unwrap_or(desired.signs_with));
    let has_client = presents(evidence.client, desired.clients_use);
    let has_server = presents(evidence.server, desired.servers_use);
    if !trusts_next {
        return Phase::Standby;
    }
    match phase {
        Phase::Standby | Phase::Init => phase,
        Phase::UpdateClients | Phase::UpdateServers | Phase::Rollback if !has_client => Phase::Init,
        Phase::UpdateServers if !has_server => Phase::UpdateClients,
        Phase::Rollback if !has_server => Phase::Init,
        Phase::UpdateClients | Phase::UpdateServers | Phase::Rollback => phase,
    }
}
