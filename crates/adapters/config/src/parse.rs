use std::borrow::Cow;

use serde_saphyr::DuplicateKeyPolicy;
use serde_saphyr::Location;
use serde_saphyr::Options;

use crate::error::ConfigError;
use crate::error::Place;
use crate::error::Problem;
use crate::file::ConfigFile;
use crate::locate::Outline;
use crate::reference;
use crate::suggest::nearest;
use crate::without;

/// Reads the YAML text into the shape of the file, and answers with every key that is not known besides: the rest is read as if they were not
/// there, so that what else is wrong is told at once.
pub(crate) fn parse(text: &str) -> Result<(ConfigFile, Vec<Problem>), ConfigError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(one(Problem {
            path: String::new(),
            place: None,
            what: format!(
                "the configuration is {} bytes long, at most {TEXT_BYTES_MAX} are read",
                text.len()
            ),
            next: "is this the right file?".to_owned(),
        }));
    }
    let mut text = Cow::Borrowed(text);
    let mut problems = Vec::new();
    loop {
        if is_blank(&text) {
            return Ok((ConfigFile::default(), problems));
        }
        let error = match serde_saphyr::from_str_with_options(&text, options(DuplicateKeyPolicy::Error)) {
            Ok(file) => return Ok((file, problems)),
            Err(error) => error,
        };
        let error = error.without_snippet();
        let is_unknown = matches!(error, serde_saphyr::Error::SerdeUnknownField { .. });
        let problem = explain(&text, error);
        let rest = Some(&problem.path).filter(|_| is_unknown && problems.len() < UNKNOWN_MAX);
        let rest = rest.and_then(|path| {
            let place = outline(&text)?.place_of(path)?;
            without::key_at(&text, place)
        });
        problems.push(problem);
        match rest.filter(|rest| outline(rest).is_some() || is_blank(rest)) {
            Some(rest) => text = Cow::Owned(rest),
            None => return Err(ConfigError { problems }),
        }
    }
}

/// The keys of a text, when it is YAML. With the last of duplicate keys there are some even where the file does not parse for them.
fn outline(text: &str) -> Option<Outline> {
    serde_saphyr::from_str_with_options::<Outline>(text, options(DuplicateKeyPolicy::LastWins)).ok()
}

/// Only blank lines, comments and document marks.
fn is_blank(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}

fn options(duplicate_keys: DuplicateKeyPolicy) -> Options {
    serde_saphyr::options! {
        // A snippet quotes the file, and with it a PIN.
        with_snippet: false,
        duplicate_keys: duplicate_keys,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX },
    }
}

fn one(problem: Problem) -> ConfigError {
    ConfigError {
        problems: vec![problem],
    }
}

/// Puts an error of the YAML reader into our words. Values never appear in them, only keys: a value may be a PIN.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum belongs to the YAML reader and grows with it"
)]
fn explain(text: &str, error: &serde_saphyr::Error) -> Problem {
    use serde_saphyr::Error;
    let place = error.location().and_then(known_place);
    let path = match (&outline(text), place) {
        (Some(outline), Some(place)) => outline.path_at(place),
        (None, _) | (_, None) => String::new(),
    };
    let (what, next) = match error {
        Error::SerdeUnknownField { field, expected, .. } => return unknown_key(field, expected, path, place),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key
                .as_deref()
                .map_or_else(|| "a key".to_owned(), |key| format!("the key {:?}", shorten(key)));
            (format!("{key} is given twice"), "keep one of them".to_owned())
        }
        Error::MultipleDocuments { .. } => (
            "the file holds more than one YAML document".to_owned(),
            "remove all but one, and the line `---` between".to_owned(),
        ),
        Error::InvalidScalar { ty, .. } => (
            format!("the value is not {}", type_words(ty)),
            reference::hint(&path),
        ),
        Error::InvalidBooleanStrict { .. } => (
            "the value is not true or false".to_owned(),
            reference::hint(&path),
        ),
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => (
            format!("the value is not {}", type_words(expected)),
            reference::hint(&path),
        ),
        Error::Unexpected { expected, .. } => (
            format!("the value has the wrong shape, {expected} was expected"),
            reference::hint(&path),
        ),
        Error::NullIntoString { .. } => ("the value is missing".to_owned(), reference::hint(&path)),
        Error::MergeKeyNotAllowed { .. } => (
            "YAML merge keys (`<<`) are not supported".to_owned(),
            "write the keys out".to_owned(),
        ),
        Error::ExternalMessage { msg, .. } => (
            format!("not valid YAML: {msg}"),
            "check indentation, colons and quotes on this line and the one before".to_owned(),
        ),
        Error::Eof { .. } => (
            "the file ends too early".to_owned(),
            "complete it, or remove it to run on defaults".to_owned(),
        ),
        Error::AliasError { error, .. } => return explain(text, error),
        // What the reader says of other faults may quote a value.
        _ => (
            "the YAML here cannot be read".to_owned(),
            "check indentation, colons and quotes; `signetd configure` prints a sample to compare with"
                .to_owned(),
        ),
    };
    Problem {
        path,
        place,
        what,
        next,
    }
}

fn known_place(location: Location) -> Option<Place> {
    (location.line() > 0).then(|| Place {
        line: location.line(),
        column: location.column(),
    })
}

fn unknown_key(field: &str, expected: &[&'static str], path: String, place: Option<Place>) -> Problem {
    let field = shorten(field);
    // The place is the key itself or its section, depending on what the reader knew.
    let is_at_key = path == field || path.ends_with(&format!(".{field}"));
    let (section, path) = if is_at_key {
        (
            path.strip_suffix(&field)
                .unwrap_or_default()
                .trim_end_matches('.')
                .to_owned(),
            path,
        )
    } else if path.is_empty() {
        (String::new(), field.clone())
    } else {
        (path.clone(), format!("{path}.{field}"))
    };
    let next = if let Some(meant) = nearest(&field, expected.iter().copied()) {
        format!("did you mean `{meant}`?")
    } else if let Some(elsewhere) = reference::path_of_key(&field) {
        format!("did you mean `{elsewhere}`?")
    } else {
        let section = if section.is_empty() {
            "here".to_owned()
        } else {
            format!("in `{section}`")
        };
        format!("known keys {section} are {}", expected.join(", "))
    };
    Problem {
        path,
        place,
        what: "unknown key".to_owned(),
        next,
    }
}

fn type_words(name: &str) -> String {
    match name {
        "bool" | "a boolean" => "true or false".to_owned(),
        "u64" | "u32" | "i64" | "i128" => "a whole number".to_owned(),
        "String" | "string" | "a string" => "a text".to_owned(),
        other if other.starts_with("struct ") => "a section with keys of its own".to_owned(),
        other => other.to_owned(),
    }
}

fn shorten(key: &str) -> String {
    key.chars().take(64).collect()
}

/// The most unknown keys that are told of at once.
const UNKNOWN_MAX: usize = 50;
/// The longest configuration that is read, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// The deepest nesting that is read; ours has six levels. The reader recurses, and the 64 levels it allows by itself do not fit the
/// stack of a thread in a build without optimisation.
const DEPTH_MAX: usize = 16;
