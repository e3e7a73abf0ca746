use std::collections::BTreeMap;

use names::Ttl;
use proptest::prelude::*;
use resource::{
    AnyDocument, Conditions, Document, Kind, Metadata, PortForwarding, ResourceName, RoleOptions, RoleSpec,
    Rule, closest,
};
use serde_json::{Map, Value};

/// Any JSON, biased to the words documents are made of.
fn json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("kind"),
        Just("role"),
        Just("user"),
        Just("token"),
        Just("node"),
        Just("lock"),
        Just("version"),
        Just("v1"),
        Just("metadata"),
        Just("name"),
        Just("labels"),
        Just("spec"),
        Just("allow"),
        Just("logins"),
        Just("node_labels"),
        Just("options"),
        Just("port_forwarding"),
        Just("target"),
        Just("rotation"),
    ]
    .prop_map(str::to_owned);
    let text = prop_oneof![word, ".*"].boxed();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[^\\pC]{1,12}", 1..4)
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let rule =
        (texts(), texts(), prop::option::of("[^\\pC]{1,30}")).prop_map(|(resources, verbs, condition)| {
            Rule {
                resources,
                verbs,
                condition,
            }
        });
    (
        prop::collection::vec("[^\\pC]{1,12}", 0..4),
        prop::collection::btree_map("[a-z]{1,5}", texts(), 0..4),
        prop::collection::vec(rule, 0..3),
    )
        .prop_map(|(logins, node_labels, rules)| Conditions {
            logins,
            node_labels,
            rules,
        })
}

fn roles() -> impl Strategy<Value = Document<RoleSpec>> {
    let options = (
        prop::option::of(60u64..=108_000),
        prop::option::of(any::<bool>()),
        prop::option::of((any::<bool>(), any::<bool>())),
        prop::option::of(1u32..),
    )
        .prop_map(|(ttl, agent, ports, sessions)| RoleOptions {
            max_session_ttl: ttl.map(Ttl::from_seconds),
            forward_agent: agent,
            port_forwarding: ports.map(|(local, remote)| PortForwarding { local, remote }),
            max_sessions: sessions,
            ..RoleOptions::default()
        });
    let labels = prop::collection::btree_map("[a-z]{1,5}", "[^\\pC]{0,9}", 0..4);
    ("[a-z]{1,9}", labels, options, conditions(), conditions()).prop_map(
        |(name, labels, options, allow, deny)| {
            let mut metadata = Metadata::named(ResourceName::parse(&name).unwrap());
            metadata.labels = labels;
            Document::new(metadata, RoleSpec { options, allow, deny })
        },
    )
}

proptest! {
    #[test]
    fn no_value_is_a_panic(value in json(), kind in prop::sample::select(Kind::ALL.to_vec()), spec in json()) {
        let _ = AnyDocument::from_value(value.clone());
        let document = serde_json::json!({"kind": kind, "version": "v1", "metadata": {"name": "a"}, "spec": spec});
        let _ = AnyDocument::from_value(document);
        let document = serde_json::json!({"kind": kind, "version": "v1", "metadata": value, "spec": {}});
        let _ = AnyDocument::from_value(document);
    }

    #[test]
    fn no_text_is_a_panic(text in ".*") {
        let _ = ResourceName::parse(&text);
        let _ = Kind::parse(&text);
        let _ = closest(&text, Kind::ALL.map(Kind::as_str));
        let _ = serde_json::from_str::<AnyDocument>(&text);
    }

    #[test]
    fn what_is_accepted_prints_and_reads_back(document in roles()) {
        prop_assert_eq!(document.check(), Ok(()));
        let value = serde_json::to_value(&document).unwrap();
        prop_assert_eq!(&Document::<RoleSpec>::from_value(value).unwrap(), &document);
        let yaml = serde_saphyr::to_string(&document).unwrap();
        let value: Value = serde_saphyr::from_str(&yaml).unwrap();
        prop_assert_eq!(&Document::<RoleSpec>::from_value(value).unwrap(), &document, "{}", yaml);
    }

    #[test]
    fn labels_keep_every_value(labels in prop::collection::btree_map("[a-zA-Z0-9._/:@-]{1,20}", "[^\\pC]{0,20}", 0..6)) {
        let labels: BTreeMap<String, String> = labels;
        let mut metadata = Metadata::named(ResourceName::parse("n").unwrap());
        metadata.labels = labels.clone();
        let read: Metadata = serde_json::from_value(serde_json::to_value(&metadata).unwrap()).unwrap();
        prop_assert_eq!(read.labels, labels);
    }
}
