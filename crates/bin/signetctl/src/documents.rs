//! Documents of the cluster: found at the server, read from files, written for people and programs.

mod read;
mod render;

use api_client::Client;
use api_types::ResourcePage;
use api_types::ResourceParameters;
use resource::AnyDocument;
use resource::Kind;
use resource::ResourceName;
use serde_json::Value;

use crate::failure::Failure;

pub(crate) use read::Unreadable;
pub(crate) use read::in_order_of_need;
pub(crate) use read::read_all;
pub(crate) use read::read_one;
pub(crate) use render::section as table;
pub(crate) use render::short_token;
pub(crate) use render::text;
pub(crate) use render::yaml;

/// One document, as people name it: `role/access`, `users/alice`, `cap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

impl Named {
    /// `role/access`.
    pub(crate) fn shown(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}

impl std::str::FromStr for Named {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = kind_and_name(text)?;
        let name = match (name, kind.singleton_name()) {
            (Some(name), _) => name,
            (None, Some(only)) => only.to_owned(),
            (None, None) => return Err(format!("which {kind}? write {kind}/NAME")),
        };
        Ok(Self { kind, name })
    }
}

/// `role/access` or `roles`.
pub(crate) fn kind_and_name(text: &str) -> Result<(Kind, Option<String>), String> {
    let (kind, name) = text
        .split_once('/')
        .map_or((text, None), |(kind, name)| (kind, Some(name)));
    let kind = Kind::parse(kind).map_err(|error| error.to_string())?;
    let name = name
        .map(|name| ResourceName::parse(name).map_err(|error| error.to_string()))
        .transpose()?;
    Ok((kind, name.map(String::from)))
}

/// Every document of a kind, page by page.
pub(crate) async fn list(client: &Client, kind: Kind) -> Result<Vec<AnyDocument>, Failure> {
    let mut documents = Vec::new();
    let mut after = None;
    loop {
        let parameters = ResourceParameters {
            after,
            limit: Some(PAGE),
        };
        let page = client.resources(kind.as_str(), &parameters).await?;
        let ResourcePage {
            documents: some,
            next,
        } = page;
        for value in some {
            documents.push(understood(value)?);
        }
        if next.is_none() {
            return Ok(documents);
        }
        after = next;
    }
}

/// One document. A token may be named by the first digits of its name, a node by its hostname.
pub(crate) async fn get(client: &Client, named: &Named) -> Result<AnyDocument, Failure> {
    match named.kind {
        Kind::Token | Kind::Node if !is_full_name(named) => {
            let mut found = list(client, named.kind).await?;
            found.retain(|document| is_called(document, &named.name));
            match (found.pop(), found.len()) {
                (Some(document), 0) => Ok(document),
                (None, _) => Err(
                    Failure::refused(format!("there is no {} {:?}", named.kind, named.name)).with_hint(
                        if named.kind == Kind::Token {
                            "`signetctl tokens ls` lists them"
                        } else {
                            "`signetctl nodes ls` lists them"
                        },
                    ),
                ),
                (Some(last), _) => {
                    found.push(last);
                    let names: Vec<&str> = found
                        .iter()
                        .map(|document| document.metadata().name.as_str())
                        .collect();
                    Err(Failure::usage(
                        format!("{} {}s are called {:?}", names.len(), named.kind, named.name),
                        format!("name one of them: {}", names.join(", ")),
                    ))
                }
            }
        }
        Kind::User
        | Kind::Role
        | Kind::Token
        | Kind::Node
        | Kind::Lock
        | Kind::ClusterAuthPreference
        | Kind::SessionRecordingConfig
        | Kind::ClusterNetworkingConfig => {
            understood(client.resource(named.kind.as_str(), &named.name).await?)
        }
    }
}

/// Whether the name is one that the server knows, rather than one that people use.
fn is_full_name(named: &Named) -> bool {
    match named.kind {
        Kind::Token => named.name.len() == SHA256_DIGITS,
        Kind::Node => uuid::Uuid::parse_str(&named.name).is_ok(),
        Kind::User
        | Kind::Role
        | Kind::Lock
        | Kind::ClusterAuthPreference
        | Kind::SessionRecordingConfig
        | Kind::ClusterNetworkingConfig => true,
    }
}

fn is_called(document: &AnyDocument, name: &str) -> bool {
    let own = document.metadata().name.as_str();
    match document {
        AnyDocument::Token(_) => own.starts_with(name),
        AnyDocument::Node(node) => own == name || node.spec.hostname == name,
        AnyDocument::User(_)
        | AnyDocument::Role(_)
        | AnyDocument::Lock(_)
        | AnyDocument::ClusterAuthPreference(_)
        | AnyDocument::SessionRecordingConfig(_)
        | AnyDocument::ClusterNetworkingConfig(_) => own == name,
    }
}

/// A document that the server sent.
pub(crate) fn understood(value: Value) -> Result<AnyDocument, Failure> {
    AnyDocument::from_value(value).map_err(|problems| {
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::failed(format!(
            "the server sent a document that is not understood: {}",
            words.join("; ")
        ))
        .with_hint("is the server of another version? compare `signetctl version`")
    })
}

/// A document as it is sent.
pub(crate) fn sent(document: &AnyDocument) -> Result<Value, Failure> {
    serde_json::to_value(document).map_err(|error| Failure::local("cannot write JSON", &error))
}

/// Checks a document that was made here, as one that was read.
pub(crate) fn checked(document: AnyDocument) -> Result<AnyDocument, Failure> {
    match read::problems(&document) {
        problems if problems.is_empty() => Ok(document),
        problems => {
            let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Err(Failure::usage(words.join("\n"), "nothing was sent"))
        }
    }
}

/// The name of a document as people type it.
pub(crate) fn name(text: &str) -> Result<ResourceName, Failure> {
    ResourceName::parse(text).map_err(|error| Failure::usage(error.to_string(), "choose another name"))
}

/// How many documents are asked for at once.
const PAGE: usize = 1_000;
/// The digits of a token's full name.
const SHA256_DIGITS: usize = 64;

#[cfg(test)]
mod tests;
