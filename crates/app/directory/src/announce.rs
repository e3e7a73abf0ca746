//! What the log says of a change of a document.

use audit::AuditEvent;
use audit::Outcome;
use resource::AnyDocument;
use resource::Document;
use resource::LockSpec;
use resource::ResourceName;
use serde_json::Value;

/// A change of one document: what it was and what it will be, nothing before it comes into being and nothing after its removal.
pub(crate) struct Announcement {
    before: Option<AnyDocument>,
    after: Option<AnyDocument>,
}

/// The most characters of a value in the list of what changed in a setting.
const VALUE_CHARACTERS_MAX: usize = 120;
/// So many hexadecimal digits of a token's hash name it.
const TOKEN_DIGITS: usize = 8;

impl Announcement {
    /// It is written.
    pub(crate) const fn written(before: Option<AnyDocument>, after: AnyDocument) -> Self {
        Self {
            before,
            after: Some(after),
        }
    }

    /// It is removed.
    pub(crate) const fn removed(before: AnyDocument) -> Self {
        Self {
            before: Some(before),
            after: None,
        }
    }

    /// The event, of an act that is about to happen or that did not; nothing is no event.
    pub(crate) fn event(&self, outcome: Outcome) -> Option<AuditEvent> {
        match (&self.before, &self.after) {
            (before, Some(after)) => Some(put_event(after, before.as_ref(), outcome)),
            (Some(before), None) => Some(delete_event(before, outcome)),
            (None, None) => None,
        }
    }
}

fn put_event(document: &AnyDocument, before: Option<&AnyDocument>, outcome: Outcome) -> AuditEvent {
    let name = document.metadata().name.to_string();
    let expires = document.metadata().expires;
    let is_new = before.is_none();
    match document {
        AnyDocument::User(user) => {
            let roles = user.spec.roles.iter().map(ResourceName::to_string).collect();
            if is_new {
                AuditEvent::UserCreated {
                    outcome,
                    name,
                    roles,
                    expires,
                }
            } else {
                AuditEvent::UserUpdated {
                    outcome,
                    name,
                    roles,
                    expires,
                }
            }
        }
        AnyDocument::Role(_) if is_new => AuditEvent::RoleCreated { outcome, name },
        AnyDocument::Role(_) => AuditEvent::RoleUpdated { outcome, name },
        AnyDocument::Lock(lock) => {
            let (target, message) = (target_of(lock), lock.spec.message.clone());
            if is_new {
                AuditEvent::LockCreated {
                    outcome,
                    name,
                    target,
                    message,
                    expires,
                }
            } else {
                AuditEvent::LockUpdated {
                    outcome,
                    name,
                    target,
                    message,
                    expires,
                }
            }
        }
        AnyDocument::Token(token) => AuditEvent::JoinTokenCreated {
            outcome,
            token: token_name(&token.metadata.name),
            roles: token.spec.roles.iter().map(ToString::to_string).collect(),
            uses: token.spec.uses.map(u64::from),
            expires,
        },
        AnyDocument::Node(node) => AuditEvent::NodeUpdated {
            outcome,
            host_id: name,
            hostname: node.spec.hostname.clone(),
            addr: node.spec.addr.clone(),
        },
        AnyDocument::ClusterAuthPreference(_) => AuditEvent::AuthPreferenceUpdated {
            outcome,
            changes: changes(before, Some(document)),
        },
        AnyDocument::SessionRecordingConfig(_) => AuditEvent::RecordingConfigUpdated {
            outcome,
            changes: changes(before, Some(document)),
        },
        AnyDocument::ClusterNetworkingConfig(_) => AuditEvent::NetworkingConfigUpdated {
            outcome,
            changes: changes(before, Some(document)),
        },
    }
}

fn delete_event(document: &AnyDocument, outcome: Outcome) -> AuditEvent {
    let name = document.metadata().name.to_string();
    match document {
        AnyDocument::User(_) => AuditEvent::UserDeleted { outcome, name },
        AnyDocument::Role(_) => AuditEvent::RoleDeleted { outcome, name },
        AnyDocument::Lock(lock) => AuditEvent::LockDeleted {
            outcome,
            name,
            target: target_of(lock),
        },
        AnyDocument::Token(token) => AuditEvent::JoinTokenDeleted {
            outcome,
            token: token_name(&token.metadata.name),
        },
        AnyDocument::Node(node) => AuditEvent::NodeRemoved {
            outcome,
            host_id: name,
            hostname: node.spec.hostname.clone(),
            reason: None,
        },
        AnyDocument::ClusterAuthPreference(_) => AuditEvent::AuthPreferenceUpdated {
            outcome,
            changes: changes(Some(document), None),
        },
        AnyDocument::SessionRecordingConfig(_) => AuditEvent::RecordingConfigUpdated {
            outcome,
            changes: changes(Some(document), None),
        },
        AnyDocument::ClusterNetworkingConfig(_) => AuditEvent::NetworkingConfigUpdated {
            outcome,
            changes: changes(Some(document), None),
        },
    }
}

/// Whom a lock is for, such as `user=alice,login=root`.
fn target_of(lock: &Document<LockSpec>) -> String {
    let given = lock.spec.target.fields().into_iter();
    let given = given.filter_map(|(field, value)| value.map(|value| format!("{field}={value}")));
    given.collect::<Vec<_>>().join(",")
}

/// Enough of a token's hash to tell it from others.
pub fn token_name(name: &ResourceName) -> String {
    name.as_str().chars().take(TOKEN_DIGITS).collect()
}

/// What changes in a setting, field by field; no document is the default.
fn changes(before: Option<&AnyDocument>, after: Option<&AnyDocument>) -> Vec<String> {
    let kind = before.or(after).map(AnyDocument::kind);
    let usual = kind.and_then(|kind| crate::directory::usual(kind).ok().flatten());
    let spec = |document: Option<&AnyDocument>| {
        let value = document.or(usual.as_ref()).map(serde_json::to_value);
        let value = value.and_then(Result::ok).unwrap_or_default();
        value.get("spec").cloned().unwrap_or_default()
    };
    let mut list = Vec::new();
    compare("spec", &spec(before), &spec(after), &mut list);
    list
}

fn compare(path: &str, before: &Value, after: &Value, list: &mut Vec<String>) {
    if let (Value::Object(from), Value::Object(to)) = (before, after) {
        let added = to.keys().filter(|key| !from.contains_key(*key));
        for key in from.keys().chain(added) {
            let side = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
            compare(&format!("{path}.{key}"), &side(from), &side(to), list);
        }
    } else if before != after {
        list.push(format!("{path}: {} -> {}", short(before), short(after)));
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(VALUE_CHARACTERS_MAX).collect()
}
