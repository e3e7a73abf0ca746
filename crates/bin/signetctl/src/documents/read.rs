//! From the text of a file to checked documents.

use std::fmt;

use access::Role;
use resource::AnyDocument;
use resource::Kind;
use resource::Problem;
use serde::Deserialize;
use serde::Deserializer;
use serde::de;
use serde_json::Map;
use serde_json::Number;
use serde_json::Value;

/// What is wrong with a text, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable(pub(crate) Vec<String>);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// Every document of a text, YAML or JSON. All of them are good, or none is returned.
pub(crate) fn read_all(text: &str) -> Result<Vec<AnyDocument>, Unreadable> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Unreadable(vec![format!(
            "the text is {} bytes long, at most {TEXT_BYTES_MAX} are read",
            text.len()
        )]));
    }
    let values = values(text)?;
    let count = values.len();
    let mut documents: Vec<AnyDocument> = Vec::with_capacity(count);
    let mut wrong = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        let place = place(index, count, &value);
        match read_value(value) {
            Ok(document) => {
                let is_twice = documents.iter().any(|earlier| {
                    earlier.kind() == document.kind() && earlier.metadata().name == document.metadata().name
                });
                if is_twice {
                    wrong.push(format!("{place}stands twice"));
                }
                documents.push(document);
            }
            Err(problems) => wrong.extend(problems.iter().map(|problem| format!("{place}{problem}"))),
        }
    }
    if documents.is_empty() && wrong.is_empty() {
        wrong.push("there is no document in it".to_owned());
    }
    if wrong.is_empty() {
        Ok(documents)
    } else {
        Err(Unreadable(wrong))
    }
}

/// The only document of a text.
pub(crate) fn read_one(text: &str) -> Result<AnyDocument, Unreadable> {
    let mut documents = read_all(text)?;
    match (documents.pop(), documents.len()) {
        (Some(document), 0) => Ok(document),
        (_, more) => Err(Unreadable(vec![format!(
            "there are {} documents in it, and one is wanted",
            more + 1
        )])),
    }
}

/// Where a problem is, when there is more than one place: `document 2 (role/web): `.
fn place(index: usize, count: usize, value: &Value) -> String {
    if count == 1 {
        return String::new();
    }
    let word = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let kind = word(value.get("kind"));
    let name = word(value.get("metadata").and_then(|metadata| metadata.get("name")));
    let called = match (kind, name) {
        (Some(kind), Some(name)) => format!(" ({kind}/{name})"),
        (Some(only), None) | (None, Some(only)) => format!(" ({only})"),
        (None, None) => String::new(),
    };
    format!("document {}{called}: ", index + 1)
}

fn read_value(value: Value) -> Result<AnyDocument, Vec<Problem>> {
    let document = AnyDocument::from_value(value)?.without_read_only();
    match problems(&document) {
        problems if problems.is_empty() => Ok(document),
        problems => Err(problems),
    }
}

/// What is wrong with a document that somebody wants to write, as far as that can be said without the server.
pub(super) fn problems(document: &AnyDocument) -> Vec<Problem> {
    let mut problems = document.check().err().unwrap_or_default();
    match document {
        // Its patterns and expressions are checked, too.
        AnyDocument::Role(role) if problems.is_empty() => {
            problems.extend(Role::parse(role).err().unwrap_or_default());
        }
        AnyDocument::Token(_) => problems.push(Problem::new(
            "kind",
            "is token, whose secret is made with it: run `signetctl tokens add`",
        )),
        // Of a machine with an agent the server knows what may be written.
        AnyDocument::User(_)
        | AnyDocument::Role(_)
        | AnyDocument::Node(_)
        | AnyDocument::Lock(_)
        | AnyDocument::ClusterAuthPreference(_)
        | AnyDocument::SessionRecordingConfig(_)
        | AnyDocument::ClusterNetworkingConfig(_) => {}
    }
    problems
}

/// The values of a text: JSON, one after the other; or YAML, separated by `---`. A list stands for what is in it.
fn values(text: &str) -> Result<Vec<Value>, Unreadable> {
    let is_json_like = text.trim_start().starts_with(['{', '[']);
    let json = is_json_like.then(|| {
        serde_json::Deserializer::from_str(text)
            .into_iter::<Strict>()
            .collect::<Result<Vec<Strict>, _>>()
    });
    let read = match json {
        Some(Ok(read)) => read,
        // It may still be YAML in flow style.
        Some(Err(_)) | None => serde_saphyr::from_multiple_with_options(text, options())
            .map_err(|error| Unreadable(vec![format!("not YAML: {}", error.without_snippet())]))?,
    };
    let mut values = Vec::new();
    for Strict(value) in read {
        match value {
            Value::Array(several) => values.extend(several),
            Value::Null => {}
            one @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                values.push(one);
            }
        }
    }
    Ok(values)
}

/// Without guesses: `n` is a text, and a key stands once.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        reject_unsupported_tags: true,
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX },
    }
}

/// Any value, in whose objects each key stands once.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> de::Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(Value::Bool(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Strict, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Strict(Value::Number(number)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Strict, E> {
        Ok(Strict(Value::String(text.to_owned())))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Strict, E> {
        Ok(Strict(Value::String(text)))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_none<E: de::Error>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Strict, D::Error> {
        Strict::deserialize(deserializer)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut entries: A) -> Result<Strict, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(value)) = entries.next_element()? {
            list.push(value);
        }
        Ok(Strict(Value::Array(list)))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Strict, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let Strict(value) = entries.next_value()?;
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} stands twice")));
            }
            object.insert(key, value);
        }
        Ok(Strict(Value::Object(object)))
    }
}

/// Roles come before those who bear them.
pub(crate) fn in_order_of_need(mut documents: Vec<AnyDocument>) -> Vec<AnyDocument> {
    documents.sort_by_key(|document| document.kind() != Kind::Role);
    documents
}

/// The longest text that is read, in bytes.
const TEXT_BYTES_MAX: usize = 16 << 20;
/// The deepest nesting that is read; documents have eight levels. The reader recurses.
const DEPTH_MAX: usize = 16;
