//! Texts with a place for a user's traits: `{{internal.logins}}`, `dev-{{email.local(external.email)}}`,
//! `{{regexp.replace(external.groups, "^team-(.*)$", "$1")}}`.
//!
//! ```text
//! text       = literal | prefix "{{" expression "}}" suffix
//! expression = variable | "email.local(" expression ")" | "regexp.replace(" expression "," string "," string ")"
//! variable   = ("internal" | "external") ( "." word | "[" string "]" )
//! ```
//! Both namespaces read the traits of the user. One text stands for as many values as its expression has; a trait that
//! is not there has none, and the text then stands for nothing.

use std::collections::BTreeMap;

use regex::Regex;

use crate::pattern;
use crate::tokens::Tokens;

/// The most values one template stands for; the rest is left out.
const VALUES_MAX: usize = 1_000;
/// The most bytes of one value; a longer one is left out.
const VALUE_BYTES_MAX: usize = 4_096;
/// How deep functions may be nested.
const DEPTH_MAX: usize = 32;

/// The traits of a user, by name.
pub(crate) type Traits = BTreeMap<String, Vec<String>>;

/// A text with or without a place for traits.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    /// It stands for itself.
    Literal(String),
    /// It stands for each value of the expression between its prefix and its suffix.
    Expression {
        prefix: String,
        expression: Expression,
        suffix: String,
    },
}

/// What has values by a user's traits.
#[derive(Debug, Clone)]
pub(crate) enum Expression {
    Trait(String),
    EmailLocal(Box<Expression>),
    RegexpReplace {
        of: Box<Expression>,
        pattern: Regex,
        by: String,
    },
}

/// Whether the text has a place for traits, well formed or not.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("}}")
}

impl Template {
    /// Parses a text. The error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if !is_template(text) {
            return Ok(Self::Literal(text.to_owned()));
        }
        let Some((prefix, rest)) = text.split_once("{{") else {
            return Err("has }} without {{ before it".to_owned());
        };
        // The first }} outside of a string in quotes ends the expression, so it is the tokens that find it.
        let mut tokens = Tokens::new(rest);
        let expression = parse_expression(&mut tokens, 0)?;
        let suffix = tokens
            .rest_after("}}")
            .ok_or("has {{ without }} after its expression")?;
        if is_template(prefix) || is_template(suffix) {
            return Err("has more than one {{ }}".to_owned());
        }
        Ok(Self::Expression {
            prefix: prefix.to_owned(),
            expression,
            suffix: suffix.to_owned(),
        })
    }

    /// What it stands for, for a user with these traits.
    pub(crate) fn expand(&self, traits: &Traits) -> Vec<String> {
        match self {
            Self::Literal(text) => vec![text.clone()],
            Self::Expression {
                prefix,
                expression,
                suffix,
            } => expression
                .values(traits)
                .into_iter()
                .map(|value| format!("{prefix}{value}{suffix}"))
                .collect(),
        }
    }
}

impl Expression {
    /// Its values: never more than [`VALUES_MAX`], none empty, none longer than [`VALUE_BYTES_MAX`].
    pub(crate) fn values(&self, traits: &Traits) -> Vec<String> {
        let fits = |value: &String| !value.is_empty() && value.len() <= VALUE_BYTES_MAX;
        match self {
            Self::Trait(name) => {
                let values = traits.get(name).into_iter().flatten();
                values
                    .filter(|value| fits(value))
                    .take(VALUES_MAX)
                    .cloned()
                    .collect()
            }
            Self::EmailLocal(of) => {
                let values = of.values(traits);
                values
                    .iter()
                    .filter_map(|value| email_local(value))
                    .map(str::to_owned)
                    .collect()
            }
            Self::RegexpReplace { of, pattern, by } => {
                let values = of.values(traits);
                values
                    .iter()
                    .filter_map(|value| replaced(value, pattern, by))
                    .filter(fits)
                    .collect()
            }
        }
    }
}

/// What stands before the last `@` of a mail address (RFC 5321 section 4.1.2, without quoted forms).
fn email_local(address: &str) -> Option<&str> {
    let (local, domain) = address.rsplit_once('@')?;
    let is_plain =
        |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '<' | '>' | ',' | '@');
    let is_address = !local.is_empty()
        && !domain.is_empty()
        && local.chars().all(is_plain)
        && domain.chars().all(is_plain);
    is_address.then_some(local)
}

/// The value with every match replaced; nothing when there is no match, or when the result outgrows its limit.
fn replaced(value: &str, pattern: &Regex, by: &str) -> Option<String> {
    let mut result = String::new();
    let mut done = None;
    for captures in pattern.captures_iter(value) {
        let found = captures.get(0)?;
        result.push_str(value.get(done.unwrap_or(0)..found.start())?);
        captures.expand(by, &mut result);
        if result.len() > VALUE_BYTES_MAX {
            return None;
        }
        done = Some(found.end());
    }
    result.push_str(value.get(done?..)?);
    Some(result)
}

fn parse_expression(tokens: &mut Tokens<'_>, depth: usize) -> Result<Expression, String> {
    if depth >= DEPTH_MAX {
        return Err(format!("has functions nested deeper than {DEPTH_MAX}"));
    }
    let word = tokens
        .word()
        .ok_or("has no internal, external or function after {{")?;
    match word {
        "internal" | "external" => Ok(Expression::Trait(tokens.member()?)),
        "email" => {
            tokens.expect(".")?;
            tokens.expect("local")?;
            tokens.expect("(")?;
            let of = parse_expression(tokens, depth + 1)?;
            tokens.expect(")")?;
            Ok(Expression::EmailLocal(Box::new(of)))
        }
        "regexp" => {
            tokens.expect(".")?;
            tokens.expect("replace")?;
            tokens.expect("(")?;
            let of = parse_expression(tokens, depth + 1)?;
            tokens.expect(",")?;
            let pattern = pattern::compile(&tokens.string()?)?;
            tokens.expect(",")?;
            let by = tokens.string()?;
            tokens.expect(")")?;
            Ok(Expression::RegexpReplace {
                of: Box::new(of),
                pattern,
                by,
            })
        }
        other => Err(format!(
            "has the unknown word {other:?} in {{{{ }}}}; allowed are internal.<trait>, external.<trait>, \
             email.local(…) and regexp.replace(…, \"…\", \"…\")"
        )),
    }
}
