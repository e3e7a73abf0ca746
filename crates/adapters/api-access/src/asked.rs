use api_http::Caller;
use api_http::Peer;
use axum::body::Bytes;
use axum::extract::Query;
use axum::http::Uri;
use resource::Kind;
use resource::ResourceName;
use serde::de::DeserializeOwned;

use crate::Problem;
use crate::problem::malformed;

/// A request that was let in.
pub(crate) struct Asked {
    /// Who asks.
    pub(crate) caller: Caller,
    /// What the connection proved.
    pub(crate) peer: Peer,
    /// The request without the caller.
    pub(crate) plain: Plain,
}

/// A request by anybody.
pub(crate) struct Plain {
    /// Where to, with the query.
    pub(crate) uri: Uri,
    /// The parameters of the path, in their order.
    pub(crate) path: Vec<String>,
    /// The body.
    pub(crate) body: Bytes,
    /// Where it came from: address and port; `local` for the local socket.
    pub(crate) remote: String,
    /// The proof of having said anew who one is, when there is one.
    pub(crate) privilege: Option<String>,
}

impl Plain {
    /// The query as a document.
    ///
    /// # Errors
    /// When it does not read.
    pub(crate) fn parameters<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let Query(parameters) =
            Query::try_from_uri(&self.uri).map_err(|error| malformed("query", error.body_text()))?;
        Ok(parameters)
    }

    /// The body as a document; an empty one is `null`.
    ///
    /// # Errors
    /// When it does not read.
    pub(crate) fn document<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body: &[u8] = if self.body.is_empty() { b"null" } else { &self.body };
        serde_json::from_slice(body).map_err(|error| malformed("body", error.to_string()))
    }

    /// A parameter of the path.
    pub(crate) fn segment(&self, index: usize) -> &str {
        self.path.get(index).map_or("", String::as_str)
    }

    /// The kind of document in the path.
    ///
    /// # Errors
    /// When there is no such kind.
    pub(crate) fn kind(&self) -> Result<Kind, Problem> {
        Kind::parse(self.segment(0)).map_err(|error| malformed("path", error.to_string()))
    }

    /// The name of a document in the path.
    ///
    /// # Errors
    /// When it is no name.
    pub(crate) fn name(&self, index: usize) -> Result<ResourceName, Problem> {
        name("path", self.segment(index))
    }
}

/// The name of a document.
///
/// # Errors
/// When it is none.
pub(crate) fn name(field: &'static str, text: &str) -> Result<ResourceName, Problem> {
    ResourceName::parse(text).map_err(|error| malformed(field, error.to_string()))
}
