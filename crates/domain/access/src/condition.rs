//! The expressions after `where` in a rule.
//!
//! ```text
//! or    = and { "||" and }
//! and   = not { "&&" not }
//! not   = "!" not | "(" or ")" | "equals(" text "," text ")" | "contains(" list "," text ")"
//! text  = "…" | user.metadata.name | resource.kind | resource.metadata.name | resource.metadata.labels["…"]
//! list  = user.spec.roles | user.spec.traits["…"] | session.participants
//! ```
//! What an expression asks about may not be there: a request for a list has no single resource. Such a part is neither
//! true nor false; a permission needs its condition to be true, and a refusal applies unless its condition is false.

use crate::rules::ResourceView;
use crate::rules::SessionView;
use crate::template::Traits;
use crate::tokens::Tokens;

/// The most bytes of an expression.
const BYTES_MAX: usize = 4_096;
/// How deep brackets and negations may be nested.
const DEPTH_MAX: usize = 32;

/// A compiled expression.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    AnyOf(Vec<Condition>),
    AllOf(Vec<Condition>),
    Not(Box<Condition>),
    Equals(Text, Text),
    Contains(List, Text),
}

#[derive(Debug, Clone)]
pub(crate) enum Text {
    Literal(String),
    UserName,
    ResourceKind,
    ResourceName,
    ResourceLabel(String),
}

#[derive(Debug, Clone)]
pub(crate) enum List {
    UserRoles,
    UserTrait(String),
    SessionParticipants,
}

/// What an expression may ask about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) user: &'a str,
    pub(crate) roles: &'a [String],
    pub(crate) traits: &'a Traits,
    pub(crate) kind: &'a str,
    pub(crate) resource: Option<ResourceView<'a>>,
    pub(crate) session: Option<SessionView<'a>>,
}

/// A text that an expression asks about.
enum Found<'a> {
    /// Nobody said what it would be part of.
    Unknown,
    /// What it would be part of is known and does not have it.
    Absent,
    Present(&'a str),
}

impl Condition {
    /// Parses an expression. The error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!(
                "is {} bytes long, at most {BYTES_MAX} are allowed",
                text.len()
            ));
        }
        let mut tokens = Tokens::new(text);
        let condition = any_of(&mut tokens, 0)?;
        if tokens.is_done() {
            Ok(condition)
        } else {
            Err(format!(
                "has {:?} where its end, && or || is expected",
                tokens.next_characters()
            ))
        }
    }

    /// Whether it holds; `None` when that depends on something that is not known.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> Option<bool> {
        match self {
            Self::AnyOf(parts) => {
                all(parts.iter().map(|part| part.holds(facts).map(|held| !held))).map(|none| !none)
            }
            Self::AllOf(parts) => all(parts.iter().map(|part| part.holds(facts))),
            Self::Not(part) => part.holds(facts).map(|held| !held),
            Self::Equals(left, right) => match (left.find(facts), right.find(facts)) {
                (Found::Unknown, _) | (_, Found::Unknown) => None,
                (Found::Absent, _) | (_, Found::Absent) => Some(false),
                (Found::Present(left), Found::Present(right)) => Some(left == right),
            },
            Self::Contains(list, text) => match (list.find(facts), text.find(facts)) {
                (None, _) | (_, Found::Unknown) => None,
                (Some(_), Found::Absent) => Some(false),
                (Some(list), Found::Present(text)) => Some(list.iter().any(|entry| entry == text)),
            },
        }
    }
}

/// Kleene's conjunction: false when any part is, otherwise unknown when any part is.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut so_far = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => so_far = None,
        }
    }
    so_far
}

impl Text {
    fn find<'a>(&'a self, facts: &Facts<'a>) -> Found<'a> {
        match self {
            Self::Literal(text) => Found::Present(text),
            Self::UserName => Found::Present(facts.user),
            Self::ResourceKind => Found::Present(facts.kind),
            Self::ResourceName => match facts.resource {
                Some(resource) => Found::Present(resource.name),
                None => Found::Unknown,
            },
            Self::ResourceLabel(key) => match facts.resource {
                Some(resource) => match resource.labels.get(key) {
                    Some(value) => Found::Present(value),
                    None => Found::Absent,
                },
                None => Found::Unknown,
            },
        }
    }
}

impl List {
    fn find<'a>(&self, facts: &Facts<'a>) -> Option<&'a [String]> {
        match self {
            Self::UserRoles => Some(facts.roles),
            Self::UserTrait(name) => Some(facts.traits.get(name).map(Vec::as_slice).unwrap_or_default()),
            Self::SessionParticipants => facts.session.map(|session| session.participants),
        }
    }
}

fn any_of(tokens: &mut Tokens<'_>, depth: usize) -> Result<Condition, String> {
    let first = all_of(tokens, depth)?;
    let mut parts = vec![first];
    while tokens.take("||") {
        parts.push(all_of(tokens, depth)?);
    }
    Ok(Condition::AnyOf(parts))
}

fn all_of(tokens: &mut Tokens<'_>, depth: usize) -> Result<Condition, String> {
    let first = one(tokens, depth)?;
    let mut parts = vec![first];
    while tokens.take("&&") {
        parts.push(one(tokens, depth)?);
    }
    Ok(Condition::AllOf(parts))
}

fn one(tokens: &mut Tokens<'_>, depth: usize) -> Result<Condition, String> {
    if depth >= DEPTH_MAX {
        return Err(format!("is nested deeper than {DEPTH_MAX}"));
    }
    if tokens.take("!") {
        return Ok(Condition::Not(Box::new(one(tokens, depth + 1)?)));
    }
    if tokens.take("(") {
        let inner = any_of(tokens, depth + 1)?;
        tokens.expect(")")?;
        return Ok(inner);
    }
    if tokens.take("equals") {
        tokens.expect("(")?;
        let left = text(tokens)?;
        tokens.expect(",")?;
        let right = text(tokens)?;
        tokens.expect(")")?;
        return Ok(Condition::Equals(left, right));
    }
    if tokens.take("contains") {
        tokens.expect("(")?;
        let within = list(tokens)?;
        tokens.expect(",")?;
        let sought = text(tokens)?;
        tokens.expect(")")?;
        return Ok(Condition::Contains(within, sought));
    }
    if tokens.is_done() {
        return Err("ends where equals(…), contains(…), ! or ( is expected".to_owned());
    }
    Err(format!(
        "has {:?} where equals(…), contains(…), ! or ( is expected",
        tokens.next_characters()
    ))
}

/// A text or a list, in the place of either.
enum Operand {
    Text(Text),
    List(List),
}

fn text(tokens: &mut Tokens<'_>) -> Result<Text, String> {
    let place = tokens.next_characters();
    match operand(tokens)? {
        Operand::Text(text) => Ok(text),
        Operand::List(_) => Err(format!(
            "has a list at {place:?} where a text is expected; {KNOWN}"
        )),
    }
}

fn list(tokens: &mut Tokens<'_>) -> Result<List, String> {
    let place = tokens.next_characters();
    match operand(tokens)? {
        Operand::List(list) => Ok(list),
        Operand::Text(_) => Err(format!(
            "has a text at {place:?} where a list is expected; {KNOWN}"
        )),
    }
}

const KNOWN: &str = "texts are \"…\", user.metadata.name, resource.kind, resource.metadata.name and \
    resource.metadata.labels[\"…\"]; lists are user.spec.roles, user.spec.traits[\"…\"] and session.participants";

fn operand(tokens: &mut Tokens<'_>) -> Result<Operand, String> {
    let place = tokens.next_characters();
    let Some(root) = tokens.word() else {
        return Ok(Operand::Text(Text::Literal(tokens.string()?)));
    };
    let first = tokens.member()?;
    match (root, first.as_str()) {
        ("resource", "kind") => return Ok(Operand::Text(Text::ResourceKind)),
        ("session", "participants") => return Ok(Operand::List(List::SessionParticipants)),
        _ => {}
    }
    let second = tokens.member()?;
    match (root, first.as_str(), second.as_str()) {
        ("user", "metadata", "name") => Ok(Operand::Text(Text::UserName)),
        ("user", "spec", "roles") => Ok(Operand::List(List::UserRoles)),
        ("user", "spec", "traits") => Ok(Operand::List(List::UserTrait(tokens.member()?))),
        ("resource", "metadata", "name") => Ok(Operand::Text(Text::ResourceName)),
        ("resource", "metadata", "labels") => Ok(Operand::Text(Text::ResourceLabel(tokens.member()?))),
        _ => Err(format!("has the unknown name {place:?}; {KNOWN}")),
    }
}
