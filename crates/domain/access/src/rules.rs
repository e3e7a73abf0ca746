//! Permissions of the API: which resources, and what may be done with them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use resource::Problem;
use resource::Rule;
use serde::Deserialize;
use serde::Serialize;

use crate::condition::Condition;
use crate::condition::Facts;

/// Every word a rule may name a resource by, besides `*`.
pub const RESOURCES: &[&str] = &[
    "user",
    "role",
    "token",
    "node",
    "lock",
    "cert_authority",
    "cluster_auth_preference",
    "session_recording_config",
    "cluster_networking_config",
    "event",
    "session",
    "recording",
    "key",
    "certificate",
    "mfa_device",
    "instance",
    "app",
    "db",
];

/// What may be done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// See which there are.
    List,
    /// Make one.
    Create,
    /// Read one whole. Includes [`Verb::ReadNoSecrets`].
    Read,
    /// Read one without its secrets. Whoever may not do this may not [`Verb::Read`] either.
    ReadNoSecrets,
    /// Change one.
    Update,
    /// Remove one.
    Delete,
    /// Rotate the keys of one.
    Rotate,
    /// Have something signed by one.
    Sign,
    /// Act by means of one.
    Use,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 9] = [
        Self::List,
        Self::Create,
        Self::Read,
        Self::ReadNoSecrets,
        Self::Update,
        Self::Delete,
        Self::Rotate,
        Self::Sign,
        Self::Use,
    ];

    /// Its word in rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Create => "create",
            Self::Read => "read",
            Self::ReadNoSecrets => "readnosecrets",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Rotate => "rotate",
            Self::Sign => "sign",
            Self::Use => "use",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Verb {
    type Err = UnknownVerb;
    fn from_str(word: &str) -> Result<Self, UnknownVerb> {
        Self::ALL
            .into_iter()
            .find(|verb| verb.as_str() == word)
            .ok_or(UnknownVerb)
    }
}

/// No verb has that word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownVerb;

impl fmt::Display for UnknownVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no such verb; verbs are {}",
            Verb::ALL.map(Verb::as_str).join(", ")
        )
    }
}

impl std::error::Error for UnknownVerb {}

/// What the conditions of rules may ask about, besides the user. What is absent here is not known, and a condition that
/// asks for it neither permits nor lets a refusal pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct WhereContext<'a> {
    /// The resource, when the request is about one.
    pub resource: Option<ResourceView<'a>>,
    /// The session, when the request is about one.
    pub session: Option<SessionView<'a>>,
}

/// A resource as conditions see it.
#[derive(Debug, Clone, Copy)]
pub struct ResourceView<'a> {
    /// `resource.metadata.name`.
    pub name: &'a str,
    /// `resource.metadata.labels`.
    pub labels: &'a BTreeMap<String, String>,
}

/// A session as conditions see it.
#[derive(Debug, Clone, Copy)]
pub struct SessionView<'a> {
    /// `session.participants`: the names of the users who took part.
    pub participants: &'a [String],
}

/// A rule ready to be asked.
#[derive(Debug, Clone)]
pub(crate) struct CompiledRule {
    resources: Words<&'static str>,
    verbs: Words<Verb>,
    condition: Option<Condition>,
}

/// Some words, or `*`.
#[derive(Debug, Clone)]
enum Words<W> {
    Every,
    Some(Vec<W>),
}

impl<W: PartialEq> Words<W> {
    fn has(&self, word: &W) -> bool {
        match self {
            Self::Every => true,
            Self::Some(words) => words.contains(word),
        }
    }
}

impl CompiledRule {
    /// Compiles a rule, and adds what is wrong with it.
    pub(crate) fn parse(rule: &Rule, path: &str, problems: &mut Vec<Problem>) -> Self {
        let resources = parse_words(
            &rule.resources,
            &format!("{path}.resources"),
            "resource",
            RESOURCES,
            problems,
        );
        let verbs = parse_words(
            &rule.verbs,
            &format!("{path}.verbs"),
            "verb",
            &Verb::ALL.map(Verb::as_str),
            problems,
        );
        let condition = rule.condition.as_ref().and_then(|text| {
            Condition::parse(text)
                .map_err(|what| problems.push(Problem::new(format!("{path}.where"), what)))
                .ok()
        });
        let verbs = match verbs {
            Words::Every => Words::Every,
            Words::Some(words) => Words::Some(words.iter().filter_map(|word| word.parse().ok()).collect()),
        };
        Self {
            resources,
            verbs,
            condition,
        }
    }

    /// Whether it permits. What its condition asks for and is not known does not permit.
    pub(crate) fn permits(&self, verb: Verb, facts: &Facts<'_>) -> bool {
        self.permits_some(facts.kind, verb)
            && self
                .condition
                .as_ref()
                .is_none_or(|condition| condition.holds(facts) == Some(true))
    }

    /// Whether it permits under some condition.
    pub(crate) fn permits_some(&self, resource: &str, verb: Verb) -> bool {
        let by_read = verb == Verb::ReadNoSecrets && self.verbs.has(&Verb::Read);
        self.names(resource) && (self.verbs.has(&verb) || by_read)
    }

    /// Whether it refuses. What its condition asks for and is not known refuses.
    pub(crate) fn refuses(&self, verb: Verb, facts: &Facts<'_>) -> bool {
        self.covers_refusal(facts.kind, verb)
            && self
                .condition
                .as_ref()
                .is_none_or(|condition| condition.holds(facts) != Some(false))
    }

    /// Whether it refuses under every condition.
    pub(crate) fn refuses_always(&self, resource: &str, verb: Verb) -> bool {
        self.condition.is_none() && self.covers_refusal(resource, verb)
    }

    fn covers_refusal(&self, resource: &str, verb: Verb) -> bool {
        let by_no_secrets = verb == Verb::Read && self.verbs.has(&Verb::ReadNoSecrets);
        self.names(resource) && (self.verbs.has(&verb) || by_no_secrets)
    }

    fn names(&self, resource: &str) -> bool {
        match &self.resources {
            Words::Every => true,
            Words::Some(words) => words.contains(&resource),
        }
    }
}

fn parse_words<'k>(
    words: &[String],
    path: &str,
    what: &str,
    known: &[&'k str],
    problems: &mut Vec<Problem>,
) -> Words<&'k str> {
    if words.iter().any(|word| word == "*") {
        return Words::Every;
    }
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        match known.iter().find(|known| *known == word) {
            Some(known) => found.push(*known),
            None => problems.push(Problem::unknown_word(
                format!("{path}[{index}]"),
                what,
                word,
                known,
            )),
        }
    }
    Words::Some(found)
}
