//! What a label value or a refused login may look like.

use regex::Regex;
use regex::RegexBuilder;

use crate::template::Template;
use crate::template::Traits;
use crate::template::is_template;

/// The most bytes a compiled regular expression may take.
const REGEX_BYTES_MAX: usize = 1 << 18;

/// Compiles a regular expression of the linear-time engine. The error says what is wrong with it.
pub(crate) fn compile(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .nest_limit(64)
        .build()
        .map_err(|error| what_is_wrong(&error))
}

fn what_is_wrong(error: &regex::Error) -> String {
    if let regex::Error::CompiledTooBig(_) = error {
        return "is a regular expression that is too large".to_owned();
    }
    // The message quotes the expression over several lines; its last says what is wrong.
    let words = error.to_string();
    let last = words.lines().last().unwrap_or_default();
    format!("is no regular expression: {}", last.trim_start_matches("error: "))
}

/// A pattern as it stands in a role.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    /// `^…$`: a regular expression.
    Regex(Regex),
    /// Literal pieces with anything between them, from `*`.
    Glob(Vec<String>),
    /// A literal, or values of traits, which are literals whatever characters they have.
    Template(Template),
}

impl Pattern {
    /// Parses `^regex$`, a text with `*`, a template, or a literal. The error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('^') {
            return whole_regex(text).map(Self::Regex);
        }
        if is_template(text) {
            let template = Template::parse(text)?;
            if let Template::Expression { prefix, suffix, .. } = &template
                && (prefix.contains('*') || suffix.contains('*'))
            {
                return Err("has * beside {{ }}; use one or the other".to_owned());
            }
            return Ok(Self::Template(template));
        }
        if text.contains('*') {
            return Ok(Self::Glob(text.split('*').map(str::to_owned).collect()));
        }
        Ok(Self::Template(Template::Literal(text.to_owned())))
    }

    /// The pattern for a user with these traits.
    pub(crate) fn expand(&self, traits: &Traits) -> Matcher {
        match self {
            Self::Regex(regex) => Matcher::Regex(regex.clone()),
            Self::Glob(pieces) => Matcher::Glob(pieces.clone()),
            Self::Template(template) => Matcher::OneOf(template.expand(traits)),
        }
    }
}

/// The expression, to match whole values only: `^a|b$` matches `a` and `b` and not whatever starts with `a`.
fn whole_regex(text: &str) -> Result<Regex, String> {
    if !text.ends_with('$') {
        return Err("starts with ^ and does not end with $; a regular expression has both".to_owned());
    }
    if is_template(text) {
        return Err("is a regular expression with {{ }} in it; use one or the other".to_owned());
    }
    // What is wrong in itself must not become right by the brackets around it.
    compile(text)?;
    compile(&format!(r"\A(?:{text})\z"))
}

/// A pattern for one user.
#[derive(Debug, Clone)]
pub(crate) enum Matcher {
    Regex(Regex),
    Glob(Vec<String>),
    OneOf(Vec<String>),
}

impl Matcher {
    /// Whether the whole value matches.
    pub(crate) fn matches(&self, value: &str) -> bool {
        match self {
            Self::Regex(regex) => regex.is_match(value),
            Self::Glob(pieces) => glob_matches(pieces, value),
            Self::OneOf(values) => values.iter().any(|one| one == value),
        }
    }
}

/// The pieces in their order, the first at the start and the last at the end; each in between at its first place, which
/// leaves most to those after it.
fn glob_matches(pieces: &[String], value: &str) -> bool {
    let Some((first, rest)) = pieces.split_first() else {
        return false;
    };
    let Some((last, middle)) = rest.split_last() else {
        return first == value;
    };
    let Some(mut left) = value
        .strip_prefix(first.as_str())
        .and_then(|left| left.strip_suffix(last.as_str()))
    else {
        return false;
    };
    for piece in middle {
        let Some((_, after)) = left.split_once(piece.as_str()) else {
            return false;
        };
        left = after;
    }
    true
}
