//! Where an operator has a host dialled.

use audit::Actor;
use audit::AuditEvent;
use directory::Put;
use resource::AnyDocument;
use resource::Document;
use resource::Kind;
use resource::NodeSpec;
use resource::Problem;
use resource::SubKind;
use state::Expect;
use state::Revision;

use crate::Enrollment;
use crate::EnrollmentError;
use crate::HostId;
use crate::Refusal;
use crate::host::HostRecord;
use crate::records;

impl Enrollment {
    /// Whether the document is of a host that joined, which announces itself.
    pub(crate) async fn is_of_agent(&self, document: &Document<NodeSpec>) -> Result<bool, EnrollmentError> {
        if document.spec.sub_kind != SubKind::Agent {
            return Ok(false);
        }
        let Ok(host_id) = HostId::parse(document.metadata.name.as_str()) else {
            return Ok(false);
        };
        let key = records::host_key(&host_id)?;
        let host = records::load::<HostRecord>(self.state.as_ref(), &key).await?;
        Ok(host.is_some_and(|host| host.value.removed.is_none()))
    }

    /// Writes of a host that joined what is an operator's to say: where the proxy dials it ([`NodeSpec::dial_addr`]) and its description. When
    /// it was heard of and what it proved of rotations is read only, and passed over.
    pub(crate) async fn set_dial_addr(
        &self,
        actor: &Actor,
        asked: Document<NodeSpec>,
        put: Put,
    ) -> Result<Document<NodeSpec>, EnrollmentError> {
        let kind = Kind::Node;
        let name = asked.metadata.name.clone();
        let _one_at_a_time = self.claiming.lock().await;
        let refused = |refusal: directory::Refusal| directory::DirectoryError::Refused(refusal);
        let Some(AnyDocument::Node(mut document)) = self.directory.find(kind, &name).await? else {
            return Err(refused(directory::Refusal::NotFound { kind, name }).into());
        };
        match put {
            Put::Create => return Err(refused(directory::Refusal::AlreadyExists { kind, name }).into()),
            Put::Update | Put::Upsert => {}
        }
        let known = asked.metadata.revision;
        if known.is_some() && known != document.metadata.revision {
            return Err(refused(directory::Refusal::Conflict { kind, name }).into());
        }
        document.spec.dial_addr.clone_from(&asked.spec.dial_addr);
        document
            .metadata
            .description
            .clone_from(&asked.metadata.description);
        let mut problems = document.check().err().unwrap_or_default();
        problems.extend(others_words(&asked, &document));
        if !problems.is_empty() {
            return Err(Refusal::Invalid { kind, problems }.into());
        }
        let revision = document.metadata.revision;
        let expect = revision.map_or(Expect::Absent, |revision| Expect::At(Revision(revision)));
        let write = directory::encode(&AnyDocument::Node(document.clone()), expect)?;
        let event = |outcome| AuditEvent::NodeUpdated {
            outcome,
            host_id: name.to_string(),
            hostname: document.spec.hostname.clone(),
            addr: document.spec.dialled().to_owned(),
        };
        let revision = self.act(actor, name.as_str(), event, vec![write]).await?;
        document.metadata.revision = Some(revision.0);
        Ok(document)
    }
}

/// What is asked for of what the agent says itself, and would be lost with its next heartbeat.
fn others_words(asked: &Document<NodeSpec>, stored: &Document<NodeSpec>) -> Vec<Problem> {
    let differs = [
        ("spec.hostname", asked.spec.hostname != stored.spec.hostname),
        ("spec.addr", asked.spec.addr != stored.spec.addr),
        ("spec.use_tunnel", asked.spec.use_tunnel != stored.spec.use_tunnel),
        ("spec.version", asked.spec.version != stored.spec.version),
        ("metadata.labels", asked.metadata.labels != stored.metadata.labels),
        ("metadata.expires", asked.metadata.expires.is_some()),
    ];
    let theirs = differs.into_iter().filter(|(_, differs)| *differs);
    theirs
        .map(|(field, _)| {
            Problem::new(
                field,
                "differs from what the agent says, and agents announce themselves",
            )
            .allowed("what is there; operators set spec.dial_addr and metadata.description")
        })
        .collect()
}
