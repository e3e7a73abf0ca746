//! Documents for people: a table for each kind.

use names::UnixSeconds;
use resource::AnyDocument;
use resource::Conditions;
use resource::Document;
use resource::Kind;
use resource::LockSpec;
use resource::NodeSpec;
use resource::RoleSpec;
use resource::SubKind;
use resource::TokenSpec;
use resource::UserSpec;
use serde_json::Value;

use crate::failure::Failure;
use crate::pairs::joined;
use crate::pairs::shown;
use crate::pairs::shown_lists;
use terminal::listing;
use terminal::or_dash;
use terminal::table;

/// The documents as YAML, separated by `---`: what `signetctl create` reads.
pub(crate) fn yaml(documents: &[AnyDocument]) -> Result<String, Failure> {
    let mut texts = Vec::with_capacity(documents.len());
    for document in documents {
        let text = serde_saphyr::to_string(document);
        texts.push(text.map_err(|error| Failure::local("cannot write YAML", &error))?);
    }
    Ok(texts.join("---\n"))
}

/// A table for each kind, in the order in which the kinds first stand.
pub(crate) fn text(documents: &[AnyDocument], is_wide: bool) -> String {
    let mut kinds: Vec<Kind> = Vec::new();
    for document in documents {
        if !kinds.contains(&document.kind()) {
            kinds.push(document.kind());
        }
    }
    if kinds.is_empty() {
        return "(none)\n".to_owned();
    }
    let sections = kinds.into_iter().map(|kind| section(kind, documents, is_wide));
    sections.collect::<Vec<_>>().join("\n")
}

/// Those of one kind.
macro_rules! of_kind {
    ($documents:expr, $kind:ident) => {
        $documents.iter().filter_map(|document| {
            if let AnyDocument::$kind(document) = document {
                Some(document)
            } else {
                None
            }
        })
    };
}

/// The table of one kind.
pub(crate) fn section(kind: Kind, documents: &[AnyDocument], is_wide: bool) -> String {
    match kind {
        Kind::User => users(of_kind!(documents, User), is_wide),
        Kind::Role => roles(of_kind!(documents, Role), is_wide),
        Kind::Token => tokens(of_kind!(documents, Token), is_wide),
        Kind::Node => nodes(of_kind!(documents, Node)),
        Kind::Lock => locks(of_kind!(documents, Lock)),
        Kind::ClusterAuthPreference | Kind::SessionRecordingConfig | Kind::ClusterNetworkingConfig => {
            documents
                .iter()
                .filter(|document| document.kind() == kind)
                .map(setting)
                .collect()
        }
    }
}

fn moment(moment: Option<UnixSeconds>) -> String {
    moment.map_or_else(|| "-".to_owned(), |moment| moment.to_string())
}

fn users<'a>(users: impl Iterator<Item = &'a Document<UserSpec>>, is_wide: bool) -> String {
    let rows = users.map(|user| {
        let UserSpec {
            roles,
            traits,
            created_by,
            status,
        } = &user.spec;
        let state = match (status.is_locked, status.locked_until, status.has_password) {
            (true, Some(until), _) => format!("kept out until {until}"),
            (true, None, _) => "kept out".to_owned(),
            (false, _, true) => "ready".to_owned(),
            (false, _, false) => "not signed up".to_owned(),
        };
        let logins = traits
            .get("logins")
            .map_or_else(|| "-".to_owned(), |logins| joined(logins));
        let row = [
            user.metadata.name.to_string(),
            joined(roles),
            logins,
            state,
            status.second_factors.to_string(),
            moment(user.metadata.expires),
        ];
        (row, shown_lists(traits), or_dash(created_by.as_ref()))
    });
    if is_wide {
        let rows = rows.map(|([user, roles, _, state, factors, expires], traits, creator)| {
            [user, roles, traits, state, factors, expires, creator]
        });
        return table(
            [
                "user",
                "roles",
                "traits",
                "state",
                "second factors",
                "expires",
                "made by",
            ],
            rows,
        );
    }
    table(
        ["user", "roles", "logins", "state", "second factors", "expires"],
        rows.map(|(row, _, _)| row),
    )
}

fn roles<'a>(roles: impl Iterator<Item = &'a Document<RoleSpec>>, is_wide: bool) -> String {
    let headings = ["role", "logins", "node labels", "rules", "denies"];
    let rows = roles.map(|role| {
        let RoleSpec { allow, deny, .. } = &role.spec;
        let row = [
            role.metadata.name.to_string(),
            joined(&allow.logins),
            shown_lists(&allow.node_labels),
            rules(allow),
            denied(deny),
        ];
        (row, or_dash(role.metadata.description.as_ref()))
    });
    if is_wide {
        let [role, logins, labels, rules, denies] = headings;
        return table(
            [role, logins, labels, rules, denies, "description"],
            rows.map(|([a, b, c, d, e], description)| [a, b, c, d, e, description]),
        );
    }
    table(headings, rows.map(|(row, _)| row))
}

/// `role,user:list,read; token:*`.
fn rules(conditions: &Conditions) -> String {
    let rules: Vec<String> = conditions
        .rules
        .iter()
        .map(|rule| {
            let condition = if rule.condition.is_some() { " (where)" } else { "" };
            format!("{}:{}{condition}", rule.resources.join(","), rule.verbs.join(","))
        })
        .collect();
    if rules.is_empty() {
        "-".to_owned()
    } else {
        rules.join("; ")
    }
}

fn denied(deny: &Conditions) -> String {
    let mut parts = Vec::new();
    if !deny.logins.is_empty() {
        parts.push(format!("logins {}", joined(&deny.logins)));
    }
    if !deny.node_labels.is_empty() {
        parts.push(format!("nodes {}", shown_lists(&deny.node_labels)));
    }
    if !deny.rules.is_empty() {
        parts.push(rules(deny));
    }
    if parts.is_empty() {
        "-".to_owned()
    } else {
        parts.join("; ")
    }
}

/// A token as lists and the log call it: the first digits of its name.
pub(crate) fn short_token(name: &str) -> String {
    name.chars().take(TOKEN_DIGITS).collect()
}

fn tokens<'a>(tokens: impl Iterator<Item = &'a Document<TokenSpec>>, is_wide: bool) -> String {
    let rows = tokens.map(|token| {
        let TokenSpec {
            roles,
            uses,
            suggested_labels,
            ..
        } = &token.spec;
        let name = token.metadata.name.as_str();
        let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        [
            if is_wide {
                name.to_owned()
            } else {
                short_token(name)
            },
            joined(&roles),
            uses.map_or_else(|| "any number".to_owned(), |uses| uses.to_string()),
            shown_lists(suggested_labels),
            // What does not end stands in the configuration.
            token
                .metadata
                .expires
                .map_or_else(|| "never (configuration)".to_owned(), |end| end.to_string()),
        ]
    });
    table(["token", "type", "uses left", "labels", "expires"], rows)
}

fn nodes<'a>(nodes: impl Iterator<Item = &'a Document<NodeSpec>>) -> String {
    let rows = nodes.map(|node| {
        let spec = &node.spec;
        [
            spec.hostname.clone(),
            node.metadata.name.to_string(),
            shown(&node.metadata.labels),
            if spec.use_tunnel {
                "tunnel".to_owned()
            } else {
                spec.addr.clone()
            },
            match spec.sub_kind {
                SubKind::Agent => "agent".to_owned(),
                SubKind::Openssh => "openssh".to_owned(),
            },
            moment(spec.seen_at),
        ]
    });
    table(["name", "id", "labels", "address", "serves", "last seen"], rows)
}

fn locks<'a>(locks: impl Iterator<Item = &'a Document<LockSpec>>) -> String {
    let rows = locks.map(|lock| {
        let LockSpec {
            target,
            message,
            created_by,
            ..
        } = &lock.spec;
        let target: Vec<String> = target
            .fields()
            .into_iter()
            .filter_map(|(field, value)| value.map(|value| format!("{field}={value}")))
            .collect();
        [
            lock.metadata.name.to_string(),
            joined(&target),
            moment(lock.metadata.expires),
            or_dash(created_by.as_ref()),
            or_dash(message.as_ref()),
        ]
    });
    table(["lock", "target", "until", "made by", "message"], rows)
}

/// A setting of which there is one: each value on a line.
fn setting(document: &AnyDocument) -> String {
    let value = serde_json::to_value(document).unwrap_or_default();
    let mut rows = vec![("kind".to_owned(), document.kind().to_string())];
    let revision = document.metadata().revision;
    rows.push((
        "revision".to_owned(),
        revision.map_or_else(|| "- (never set)".to_owned(), |revision| revision.to_string()),
    ));
    if let Some(spec) = value.get("spec") {
        flatten("", spec, &mut rows);
    }
    let rows: Vec<(&str, String)> = rows
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    listing(&rows)
}

fn flatten(path: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                flatten(&path, value, rows);
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(word).collect();
            rows.push((path.to_owned(), joined(&items)));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            rows.push((path.to_owned(), word(value)));
        }
    }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// So many digits tell a token from the others.
const TOKEN_DIGITS: usize = 8;
