//! `GET|POST /v1/resources/{kind}`, `GET|PUT|DELETE /v1/resources/{kind}/{name}`.

use access::Verb;
use api_types::DeleteParameters;
use api_types::ResourcePage;
use api_types::ResourceParameters;
use directory::Delete;
use directory::Put;
use names::Ttl;
use names::UnixSeconds;
use names::UserName;
use resource::AnyDocument;
use resource::Document;
use resource::Kind;
use resource::LockSpec;
use resource::LockTarget;
use resource::Metadata;
use resource::ResourceName;
use resource::SubKind;
use resource::UserStatus;
use serde_json::Value;

use crate::Access;
use crate::Problem;
use crate::admin::Change;
use crate::asked::Asked;
use crate::asked::name;
use crate::problem::internal;
use crate::problem::malformed;

/// The documents of a page when nothing is asked, and at most.
const PAGE: (usize, usize) = (100, 1_000);

pub(crate) async fn list(access: &Access, asked: &Asked) -> Result<ResourcePage, Problem> {
    let kind = asked.plain.kind()?;
    let ResourceParameters { after, limit } = asked.plain.parameters()?;
    let rights = access.allow_some(asked, kind.as_str(), Verb::List).await?;
    let after = after.as_deref().map(|text| name("after", text)).transpose()?;
    let limit = limit.unwrap_or(PAGE.0);
    if !(1..=PAGE.1).contains(&limit) {
        return Err(malformed("limit", format!("{limit} is not from 1 to {}", PAGE.1)));
    }
    let listing = access.directory.list(kind, after.as_ref(), limit).await?;
    let mut documents = Vec::with_capacity(listing.documents.len());
    // Those of the configuration come last: they are in no store.
    let fixed = match (kind, &listing.next) {
        (Kind::Token, None) => access.enrollment.static_tokens(),
        (_, _) => Vec::new(),
    };
    let fixed = fixed.into_iter().map(AnyDocument::Token);
    for document in listing.documents.into_iter().chain(fixed) {
        // A rule may allow some documents of the kind only.
        let may = rights
            .check(kind.as_str(), Verb::Read, Some(document.metadata()))
            .or_else(|_| rights.check(kind.as_str(), Verb::ReadNoSecrets, Some(document.metadata())));
        if may.is_ok() {
            documents.push(value(&complete(access, document).await?)?);
        }
    }
    Ok(ResourcePage {
        documents,
        next: listing.next.map(|name| name.to_string()),
    })
}

pub(crate) async fn get(access: &Access, asked: &Asked) -> Result<Value, Problem> {
    let (kind, name) = place(asked)?;
    let rights = access.allow_some(asked, kind.as_str(), Verb::Read).await?;
    let document = access.directory.get(kind, &name).await?;
    access.allow_this(asked, &rights, Verb::Read, &document).await?;
    value(&complete(access, document).await?)
}

/// A user with how its credentials stand; every other document as it is.
async fn complete(access: &Access, document: AnyDocument) -> Result<AnyDocument, Problem> {
    let AnyDocument::User(mut user) = document else {
        return Ok(document);
    };
    if let Ok(name) = UserName::parse(user.metadata.name.as_str()) {
        let status = access.identity.status(&name).await?;
        user.spec.status = UserStatus {
            is_locked: status.locked_until.is_some(),
            locked_until: status.locked_until,
            has_password: status.has_password,
            second_factors: status.second_factors,
        };
    }
    Ok(AnyDocument::User(user))
}

pub(crate) async fn create(access: &Access, asked: &Asked) -> Result<Value, Problem> {
    let kind = asked.plain.kind()?;
    let document = document(asked, kind)?;
    access
        .allow(asked, kind.as_str(), Verb::Create, Some(document.metadata()))
        .await?;
    access.ask_for_proof_of(asked, kind, Change::Create).await?;
    write(access, asked, document, Put::Create).await
}

pub(crate) async fn put(access: &Access, asked: &Asked) -> Result<Value, Problem> {
    let (kind, name) = place(asked)?;
    let document = document(asked, kind)?;
    if document.metadata().name != name {
        let problem = format!("is {}, and the path names {name}", document.metadata().name);
        return Err(malformed("metadata.name", problem));
    }
    // Writing what may be there or not asks for both rights.
    let rights = access
        .allow(asked, kind.as_str(), Verb::Update, Some(document.metadata()))
        .await?;
    let is_there = access.directory.find(kind, &name).await?;
    match &is_there {
        // The document that is there may be out of reach even where the new one is not.
        Some(stored) => access.allow_this(asked, &rights, Verb::Update, stored).await?,
        None => access.allow_this(asked, &rights, Verb::Create, &document).await?,
    }
    access.ask_for_proof_of(asked, kind, Change::Write).await?;
    write(access, asked, document, Put::Upsert).await
}

pub(crate) async fn delete(access: &Access, asked: &Asked) -> Result<(), Problem> {
    let (kind, name) = place(asked)?;
    let DeleteParameters { revision, force } = asked.plain.parameters()?;
    let rights = access.allow_some(asked, kind.as_str(), Verb::Delete).await?;
    let document = access.directory.get(kind, &name).await?;
    access.allow_this(asked, &rights, Verb::Delete, &document).await?;
    if kind == Kind::Node {
        access
            .enrollment
            .check_removable(&name)
            .map_err(enrollment::EnrollmentError::Refused)?;
    }
    if revision.is_some() && revision != document.metadata().revision {
        // Before anything is done towards it: a lock would cut off whom nobody removes.
        let conflict = directory::Refusal::Conflict { kind, name };
        return Err(directory::DirectoryError::Refused(conflict).into());
    }
    access.ask_for_proof_of(asked, kind, Change::Delete).await?;
    let actor = asked.caller.actor();
    // Certificates outlive whose they are. First, so that a failure in between locks out too much rather than too little.
    let leaving = Leaving::of(&document);
    if let Some(leaving) = &leaving {
        let lock = AnyDocument::Lock(leaving.lock(access.service.cluster().now())?);
        access.directory.put(&actor, lock, Put::Upsert).await?;
    }
    let deleted: Result<(), Problem> = if kind == Kind::Node {
        let removed = access.enrollment.remove(&actor, &name, None).await;
        removed.map_err(Problem::from)
    } else {
        let delete = Delete { revision, force };
        let deleted = access.directory.delete(&actor, kind, &name, delete).await;
        deleted.map_err(Problem::from)
    };
    // Another may have removed it meanwhile: then the lock is that removal's.
    if let (Err(_), Some(leaving)) = (&deleted, &leaving)
        && matches!(access.directory.find(kind, &name).await, Ok(Some(_)))
    {
        welcome(access, asked, leaving).await;
    }
    deleted
}

/// How long the longest certificate of a person lasts.
const LONGEST: Ttl = access::MAX_SESSION_TTL;

/// How long the longest certificate of a host lasts.
const LONGEST_OF_HOSTS: Ttl = enrollment::SSH_LIFE;

/// Whose certificates are refused from now on, although they have not ended.
enum Leaving<'a> {
    User(&'a ResourceName),
    /// A host that joined, by its id.
    Host(&'a ResourceName),
}

impl<'a> Leaving<'a> {
    /// Who leaves with a document, if anybody.
    fn of(document: &'a AnyDocument) -> Option<Self> {
        match document {
            AnyDocument::User(user) => Some(Self::User(&user.metadata.name)),
            AnyDocument::Node(node) => match node.spec.sub_kind {
                SubKind::Agent => Some(Self::Host(&node.metadata.name)),
                SubKind::Openssh => None,
            },
            AnyDocument::Role(_)
            | AnyDocument::Token(_)
            | AnyDocument::Lock(_)
            | AnyDocument::ClusterAuthPreference(_)
            | AnyDocument::SessionRecordingConfig(_)
            | AnyDocument::ClusterNetworkingConfig(_) => None,
        }
    }

    fn lock_name(&self) -> Result<ResourceName, Problem> {
        let name = match self {
            Self::User(user) => format!("removed-user.{user}"),
            Self::Host(id) => format!("removed-node.{id}"),
        };
        ResourceName::parse(&name).map_err(|_| {
            malformed(
                "path",
                "is too long a name for the lock that follows the removal; lock the user and let it expire",
            )
        })
    }

    /// The lock on who is removed: good until the last certificate has ended.
    fn lock(&self, now: UnixSeconds) -> Result<Document<LockSpec>, Problem> {
        let (target, longest, message) = match self {
            Self::User(user) => {
                let target = LockTarget {
                    user: Some(user.to_string()),
                    ..LockTarget::default()
                };
                (target, LONGEST, "the user was removed")
            }
            Self::Host(id) => {
                let target = LockTarget {
                    node: Some(id.to_string()),
                    ..LockTarget::default()
                };
                (target, LONGEST_OF_HOSTS, "the host was removed")
            }
        };
        let metadata = Metadata {
            expires: Some(now.plus(longest)),
            ..Metadata::named(self.lock_name()?)
        };
        let spec = LockSpec {
            target,
            message: Some(message.to_owned()),
            ..LockSpec::default()
        };
        Ok(Document::new(metadata, spec))
    }
}

/// Refuses a new user by the name of one who was removed, while certificates of the removed one may be about: they would be the new
/// user's.
async fn refuse_revenant(access: &Access, user: &ResourceName) -> Result<(), Problem> {
    if access.directory.find(Kind::User, user).await?.is_some() {
        return Ok(());
    }
    let lock = Leaving::User(user).lock_name()?;
    match access.directory.find(Kind::Lock, &lock).await? {
        None => Ok(()),
        Some(document) => Err(Problem::Revenant {
            user: user.to_string(),
            until: document
                .metadata()
                .expires
                .map_or_else(|| "it is removed".to_owned(), |moment| moment.to_string()),
        }),
    }
}

/// Takes the lock of a removal away that did not happen.
async fn welcome(access: &Access, asked: &Asked, leaving: &Leaving<'_>) {
    let Ok(lock) = leaving.lock_name() else { return };
    if let Ok(Some(_)) = access.directory.find(Kind::Lock, &lock).await {
        let delete = Delete {
            revision: None,
            force: true,
        };
        let removed = access
            .directory
            .delete(&asked.caller.actor(), Kind::Lock, &lock, delete)
            .await;
        if let Err(error) = removed {
            tracing::warn!(error = %api_http::chain(&error), %lock, "the lock of the removal stays until it ends");
        }
    }
}

async fn write(access: &Access, asked: &Asked, document: AnyDocument, put: Put) -> Result<Value, Problem> {
    let actor = asked.caller.actor();
    if document.kind() == Kind::User {
        refuse_revenant(access, &document.metadata().name).await?;
    }
    let written = if let AnyDocument::Node(node) = document {
        AnyDocument::Node(access.enrollment.write_node(&actor, node, put).await?)
    } else {
        access.directory.put(&actor, document, put).await?
    };
    value(&complete(access, written).await?)
}

fn place(asked: &Asked) -> Result<(Kind, ResourceName), Problem> {
    Ok((asked.plain.kind()?, asked.plain.name(1)?))
}

/// The document in the body, of the kind that the path names.
fn document(asked: &Asked, kind: Kind) -> Result<AnyDocument, Problem> {
    let body: Value = asked.plain.document()?;
    let document = AnyDocument::from_value(body).map_err(|problems| {
        directory::DirectoryError::Refused(directory::Refusal::Invalid { kind, problems })
    })?;
    if document.kind() != kind {
        let problem = format!("is {}, and the path names {kind}", document.kind());
        return Err(malformed("kind", problem));
    }
    Ok(document)
}

fn value(document: &AnyDocument) -> Result<Value, Problem> {
    serde_json::to_value(document).map_err(internal)
}
