//! The rules of each kind of document beyond its form.

use access::Role;
use access::UserTraits;
use audit::Actor;
use resource::AnyDocument;
use resource::Document;
use resource::Kind;
use resource::NetworkingSpec;
use resource::Problem;
use resource::RecordMode;
use resource::RecordSession;
use resource::ResourceName;
use resource::RoleSpec;
use resource::UserSpec;
use state::Change;
use state::Expect;
use state::Revision;
use state::Write;

use crate::Directory;
use crate::DirectoryError;
use crate::Refusal;
use crate::documents;

impl Directory {
    /// Refuses what is wrong with a document whatever else there is.
    pub(crate) fn check(&self, document: &AnyDocument) -> Result<(), DirectoryError> {
        let kind = document.kind();
        let mut problems = document.check().err().unwrap_or_default();
        match document {
            AnyDocument::User(_) | AnyDocument::Lock(_) => {
                if document.is_expired(self.cluster.now()) {
                    problems.push(
                        Problem::new("metadata.expires", "is in the past")
                            .allowed("a later moment, or nothing"),
                    );
                }
            }
            AnyDocument::Role(role) => {
                if problems.is_empty() {
                    problems.extend(Role::parse(role).err().unwrap_or_default());
                }
                problems.extend(endless(document));
                problems.extend(demanded_recordings(&role.spec));
            }
            AnyDocument::SessionRecordingConfig(recording) => {
                problems.extend(endless(document));
                if recording.spec.mode.is_demanded() {
                    problems.push(
                        Problem::new("spec.mode", NO_RECORDINGS)
                            .allowed("off, node or proxy, which demand none"),
                    );
                }
            }
            AnyDocument::ClusterAuthPreference(preference) => {
                problems.extend(endless(document));
                if preference.spec.webauthn.rp_id.is_some() {
                    problems.push(Problem::new("spec.webauthn.rp_id", BOUND_TO_THE_NAME).allowed("nothing"));
                }
            }
            AnyDocument::ClusterNetworkingConfig(networking) => {
                problems.extend(endless(document));
                let default = NetworkingSpec::default().session_control_timeout;
                if networking.spec.session_control_timeout != default {
                    let allowed = format!("{default}, or nothing");
                    problems.push(
                        Problem::new("spec.session_control_timeout", NO_SESSION_CONTROL).allowed(allowed),
                    );
                }
            }
            AnyDocument::Token(_) => {
                let hint = "the secret is made with it; run `signetctl tokens add`";
                return Err(Refusal::Elsewhere { kind, hint }.into());
            }
            AnyDocument::Node(_) => {
                let hint =
                    "agents announce themselves; a server without one is registered as sub_kind openssh";
                return Err(Refusal::Elsewhere { kind, hint }.into());
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Invalid { kind, problems }.into())
        }
    }

    /// The document with what the directory fills in.
    pub(crate) fn completed(
        &self,
        actor: &Actor,
        mut document: AnyDocument,
        stored: Option<&AnyDocument>,
    ) -> AnyDocument {
        let who = || Some(cluster::actor_name(actor));
        match (&mut document, stored) {
            (AnyDocument::User(user), Some(AnyDocument::User(stored))) => {
                user.spec.created_by.clone_from(&stored.spec.created_by);
            }
            (AnyDocument::User(user), _) => user.spec.created_by = who(),
            (AnyDocument::Lock(lock), Some(AnyDocument::Lock(stored))) => {
                lock.spec.created_by.clone_from(&stored.spec.created_by);
                lock.spec.created_at = stored.spec.created_at;
            }
            (AnyDocument::Lock(lock), _) => {
                lock.spec.created_by = who();
                lock.spec.created_at = Some(self.cluster.now());
            }
            (
                AnyDocument::Role(_)
                | AnyDocument::Token(_)
                | AnyDocument::Node(_)
                | AnyDocument::ClusterAuthPreference(_)
                | AnyDocument::SessionRecordingConfig(_)
                | AnyDocument::ClusterNetworkingConfig(_),
                _,
            ) => {}
        }
        document
    }

    /// Refuses what other documents do not allow. Answers what must still be true when the document is committed.
    pub(crate) async fn judge(
        &self,
        document: &AnyDocument,
        is_new: bool,
    ) -> Result<Vec<Write>, DirectoryError> {
        match document {
            AnyDocument::User(user) => {
                let kept = self.roles_kept(user).await?;
                if !is_new && !crate::last_editor::is_lasting_editor(user) {
                    self.refuse_last_editor(&user.metadata.name).await?;
                }
                Ok(kept)
            }
            AnyDocument::Role(_)
            | AnyDocument::Token(_)
            | AnyDocument::Node(_)
            | AnyDocument::Lock(_)
            | AnyDocument::ClusterAuthPreference(_)
            | AnyDocument::SessionRecordingConfig(_)
            | AnyDocument::ClusterNetworkingConfig(_) => Ok(Vec::new()),
        }
    }

    /// That every role of a user exists, as expectations of the commit.
    async fn roles_kept(&self, user: &Document<UserSpec>) -> Result<Vec<Write>, DirectoryError> {
        let mut kept: Vec<Write> = Vec::new();
        let mut problems = Vec::new();
        for (index, role) in user.spec.roles.iter().enumerate() {
            let path = format!("spec.roles[{index}]");
            if user.spec.roles.iter().take(index).any(|earlier| earlier == role) {
                problems.push(Problem::new(path, format!("{role} stands twice")));
                continue;
            }
            match documents::load(self.state.as_ref(), Kind::Role, role).await? {
                Some(stored) => kept.push(Write {
                    key: documents::key_of(Kind::Role, role)?,
                    expect: Expect::At(Revision(stored.metadata().revision.unwrap_or_default())),
                    change: Change::Keep,
                }),
                None => problems.push(self.unknown_role(path, role)),
            }
        }
        // The commit holds the user itself too.
        if kept.len() >= state::WRITES_MAX {
            let allowed = format!("at most {}", state::WRITES_MAX - 1);
            problems.push(Problem::new("spec.roles", "has too many roles").allowed(allowed));
        }
        if problems.is_empty() {
            return Ok(kept);
        }
        Err(Refusal::Invalid {
            kind: Kind::User,
            problems,
        }
        .into())
    }

    fn unknown_role(&self, path: String, role: &ResourceName) -> Problem {
        let view = self.view();
        let known: Vec<&str> = view
            .roles
            .iter()
            .map(|role| role.metadata.name.as_str())
            .collect();
        Problem::unknown_word(path, "role", role.as_str(), &known)
    }
}

/// Why what demands a recording is refused.
const NO_RECORDINGS: &str = "demands that sessions are recorded, and recordings are not in this version";

/// Why nobody sets what keys in authenticators are bound to.
const BOUND_TO_THE_NAME: &str =
    "is not read in this version: keys are bound to the name in `proxy_service.public_addr`";
/// Why nobody sets how long a session goes on by itself.
const NO_SESSION_CONTROL: &str = "is not read in this version: with `locking_mode: strict` sessions go on for five minutes without the auth service";

/// Where a role demands recordings.
fn demanded_recordings(role: &RoleSpec) -> Vec<Problem> {
    let Some(RecordSession { default, ssh }) = role.options.record_session else {
        return Vec::new();
    };
    let modes = [("default", Some(default)), ("ssh", ssh)];
    modes
        .into_iter()
        .filter(|(_, mode)| *mode == Some(RecordMode::Strict))
        .map(|(field, _)| {
            Problem::new(format!("spec.options.record_session.{field}"), NO_RECORDINGS).allowed("best_effort")
        })
        .collect()
}

/// What ends by itself may leave others without what they rest on.
fn endless(document: &AnyDocument) -> Option<Problem> {
    let problem =
        || Problem::new("metadata.expires", "is set, but this does not end by itself").allowed("nothing");
    document.metadata().expires.map(|_| problem())
}

/// What templates in roles read of a user.
pub(crate) fn traits_of(user: &Document<UserSpec>) -> UserTraits {
    UserTraits {
        name: user.metadata.name.to_string(),
        traits: user.spec.traits.clone(),
    }
}
