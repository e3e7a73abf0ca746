//! `signetctl status --format json`, read by field name.

use serde_json::Value;

use crate::fail;
use crate::failure::OrFail as _;

/// The whole status.
#[derive(Clone, Debug)]
pub struct StatusView {
    /// The document itself.
    pub json: Value,
}

/// One authority in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityView {
    /// Its phase.
    pub phase: String,
    /// The words of the rotation column.
    pub rotation_text: String,
    /// Its trusted keys.
    pub keys: Vec<KeyView>,
}

/// One key of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyView {
    /// `SSH`, `TLS` or `JWT`.
    pub protocol: String,
    /// `active` or `trusted`.
    pub status: String,
    /// Such as `Ed25519`.
    pub algorithm: String,
    /// `software`, `PKCS#11 HSM` or `AWS KMS`.
    pub storage: String,
    /// Its id.
    pub id: String,
    /// Its name in what holds it.
    pub handle: String,
    /// Its generation.
    pub generation: u64,
}

impl StatusView {
    pub(crate) fn parse(text: &str) -> Self {
        let json = serde_json::from_str(text).or_fail(&format!("read this status as JSON: {text}"));
        Self { json }
    }

    /// One authority by its type.
    #[track_caller]
    #[must_use]
    pub fn authority(&self, kind: &str) -> AuthorityView {
        let Some(found) = list(&self.json, "authorities")
            .iter()
            .find(|each| text_at(each, "/authority") == kind)
        else {
            fail(format!("the status lists no authority {kind}: {}", self.json))
        };
        AuthorityView {
            phase: text_at(found, "/rotation/phase"),
            rotation_text: text_at(found, "/rotation/text"),
            keys: list(found, "keys").iter().map(key).collect(),
        }
    }

    /// The types of all authorities, in the order shown.
    #[must_use]
    pub fn authorities(&self) -> Vec<String> {
        list(&self.json, "authorities")
            .iter()
            .map(|each| text_at(each, "/authority"))
            .collect()
    }

    /// Every trusted key of every authority.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyView> {
        self.authorities()
            .iter()
            .flat_map(|kind| self.authority(kind).keys)
            .collect()
    }

    /// The ids of all alerts.
    #[must_use]
    pub fn alerts(&self) -> Vec<String> {
        list(&self.json, "alerts")
            .iter()
            .map(|each| text_at(each, "/id"))
            .collect()
    }

    /// The CA pins.
    #[must_use]
    pub fn ca_pins(&self) -> Vec<String> {
        let pins = list(&self.json, "ca_pins");
        pins.iter().map(|each| text_at(each, "")).collect()
    }
}

impl AuthorityView {
    /// The keys that sign.
    #[must_use]
    pub fn active(&self) -> Vec<&KeyView> {
        self.keys.iter().filter(|key| key.status == "active").collect()
    }

    /// Where the keys that sign live, each place once.
    #[must_use]
    pub fn storage(&self) -> Vec<String> {
        let mut places: Vec<String> = self.active().iter().map(|key| key.storage.clone()).collect();
        places.sort();
        places.dedup();
        places
    }
}

fn key(json: &Value) -> KeyView {
    KeyView {
        protocol: text_at(json, "/protocol"),
        status: text_at(json, "/status"),
        algorithm: text_at(json, "/algorithm"),
        storage: text_at(json, "/storage"),
        id: text_at(json, "/key_id"),
        handle: text_at(json, "/handle"),
        generation: json
            .get("generation")
            .and_then(Value::as_u64)
            .or_fail("read a generation"),
    }
}

fn list<'a>(json: &'a Value, field: &str) -> &'a [Value] {
    match json.get(field).and_then(Value::as_array) {
        Some(values) => values,
        None => fail(format!("no list {field} in {json}")),
    }
}

/// The text at a JSON pointer (RFC 6901), which has to be there.
#[track_caller]
#[must_use]
pub fn text_at(json: &Value, pointer: &str) -> String {
    match json.pointer(pointer).and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => fail(format!("no text at {pointer} in {json}")),
    }
}
