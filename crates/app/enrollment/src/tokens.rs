//! Tokens to join with.

use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use directory::token_name;
use names::Ttl;
use resource::AnyDocument;
use resource::Document;
use resource::JoinMethod;
use resource::Kind;
use resource::Labels;
use resource::Metadata;
use resource::ResourceName;
use resource::SystemRole;
use resource::TokenSpec;
use state::Expect;
use state::Revision;
use state::Write;

use crate::Enrollment;
use crate::EnrollmentError;
use crate::JoinSecret;
use crate::Refusal;
use crate::records;
use crate::secret::check_joinable;

/// How long a token is good for when nothing is asked, and at most for those who are no operators.
pub const TOKEN_TTL: Ttl = Ttl::from_seconds(30 * 60);
/// How long a token is good for at most.
pub const TOKEN_TTL_MAX: Ttl = Ttl::from_days(30);

/// What a token is to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateToken {
    /// The system roles.
    pub roles: Vec<SystemRole>,
    /// How long; [`TOKEN_TTL`] when `None`.
    pub ttl: Option<Ttl>,
    /// How many may join by it; `None` for no limit.
    pub uses: Option<u32>,
    /// Labels for whoever joins by it.
    pub suggested_labels: Labels,
    /// What it is for.
    pub description: Option<String>,
    /// Whether an operator asks, who may ask for more than [`TOKEN_TTL`].
    pub is_operator: bool,
}

/// A token that was made.
pub struct CreatedToken {
    /// The secret. It is shown now and never again.
    pub secret: JoinSecret,
    /// What is stored of it.
    pub document: Document<TokenSpec>,
}

/// The right to join, as it was found.
pub(crate) struct Right {
    pub(crate) roles: Vec<SystemRole>,
    pub(crate) suggested_labels: Labels,
    /// How the log names it.
    pub(crate) name: String,
    pub(crate) method: &'static str,
    /// What using it once does; nothing for a static token.
    pub(crate) write: Option<Write>,
}

impl Enrollment {
    /// Makes a token. List them and remove them as documents of kind `token`.
    ///
    /// # Errors
    /// A [`Refusal`]; otherwise whatever failed.
    pub async fn create_token(
        &self,
        actor: &Actor,
        create: CreateToken,
    ) -> Result<CreatedToken, EnrollmentError> {
        let CreateToken {
            roles,
            ttl,
            uses,
            suggested_labels,
            description,
            is_operator,
        } = create;
        check_joinable(&roles)?;
        let asked = ttl.unwrap_or(TOKEN_TTL);
        let longest = if is_operator { TOKEN_TTL_MAX } else { TOKEN_TTL };
        if asked > longest {
            return Err(Refusal::TokenTooLong { asked, longest }.into());
        }
        if asked.seconds() == 0 {
            return Err(Refusal::malformed("ttl", "is nothing; ask for at least 1s").into());
        }
        let secret = JoinSecret::generate(self.entropy.as_ref())?;
        let mut document = Document::new(
            Metadata {
                description,
                expires: Some(self.cluster.now().plus(asked)),
                ..Metadata::named(secret.name()?)
            },
            TokenSpec {
                roles,
                join_method: JoinMethod::Token,
                uses,
                suggested_labels,
            },
        );
        document.check().map_err(|problems| Refusal::Invalid {
            kind: Kind::Token,
            problems,
        })?;
        let event = |outcome| AuditEvent::JoinTokenCreated {
            outcome,
            token: token_name(&document.metadata.name),
            roles: document.spec.roles.iter().map(ToString::to_string).collect(),
            uses: uses.map(u64::from),
            expires: document.metadata.expires,
        };
        self.record(actor, event(Outcome::Success)).await?;
        let write = directory::encode(&AnyDocument::Token(document.clone()), Expect::Absent)?;
        match records::commit(self.state.as_ref(), "token", vec![write]).await {
            Ok(revision) => document.metadata.revision = Some(revision.0),
            Err(error) => {
                self.record(actor, event(Outcome::Failure(error.to_string())))
                    .await?;
                return Err(error);
            }
        }
        Ok(CreatedToken { secret, document })
    }

    /// The tokens of the configuration, which do not end, as documents: named by the first digits of their hashes.
    pub fn static_tokens(&self) -> Vec<Document<TokenSpec>> {
        let tokens = self.settings.static_tokens.iter();
        let document = |token: &crate::StaticToken| {
            let metadata = Metadata {
                description: Some(
                    "`auth_service.tokens` of the configuration; it ends when it is taken out there"
                        .to_owned(),
                ),
                ..Metadata::named(ResourceName::parse(&token_name(&token.name)).ok()?)
            };
            let spec = TokenSpec {
                roles: token.roles.clone(),
                join_method: JoinMethod::Token,
                uses: None,
                suggested_labels: Labels::new(),
            };
            Some(Document::new(metadata, spec))
        };
        tokens.filter_map(document).collect()
    }

    /// The right that a secret gives now, for these roles.
    pub(crate) async fn right(
        &self,
        secret: &JoinSecret,
        roles: &[SystemRole],
    ) -> Result<Right, EnrollmentError> {
        check_joinable(roles)?;
        let name = secret.name()?;
        let right = match self.static_right(&name) {
            Some(right) => right,
            None => self.stored_right(&name).await?,
        };
        match roles.iter().find(|role| !right.roles.contains(role)) {
            None => Ok(right),
            Some(role) => Err(Refusal::RoleNotGiven {
                role: *role,
                allowed: right.roles,
            }
            .into()),
        }
    }

    fn static_right(&self, name: &ResourceName) -> Option<Right> {
        let mut tokens = self.settings.static_tokens.iter();
        let token = tokens.find(|token| token.name == *name)?;
        Some(Right {
            roles: token.roles.clone(),
            suggested_labels: Labels::new(),
            name: token_name(name),
            method: "static",
            write: None,
        })
    }

    async fn stored_right(&self, name: &ResourceName) -> Result<Right, EnrollmentError> {
        let Some(AnyDocument::Token(token)) = self.directory.find(Kind::Token, name).await? else {
            return Err(Refusal::BadToken.into());
        };
        // The store forgets what has ended; this does not rest on it alone.
        if token.is_expired(self.cluster.now()) {
            return Err(Refusal::BadToken.into());
        }
        let expect = Expect::At(Revision(token.metadata.revision.unwrap_or_default()));
        let key = directory::key_of(Kind::Token, name)?;
        let write = match token.spec.uses {
            None => Write {
                key,
                expect,
                change: state::Change::Keep,
            },
            Some(0 | 1) => records::delete(key, expect),
            Some(uses) => {
                let mut less = token.clone();
                less.spec.uses = Some(uses - 1);
                directory::encode(&AnyDocument::Token(less), expect)?
            }
        };
        Ok(Right {
            roles: token.spec.roles,
            suggested_labels: token.spec.suggested_labels,
            name: token_name(name),
            method: "token",
            write: Some(write),
        })
    }
}
