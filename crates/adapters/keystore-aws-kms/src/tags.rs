//! The tags that make a KMS key findable, and ours.
//!
//! `SignetCluster` is what access policies are written against; `SignetKeyId` makes generation idempotent, because KMS has
//! no client token; `SignetLabel` says which authority and generation a key belongs to.

use std::collections::BTreeMap;

use aws_sdk_kms::error::BuildError;
use aws_sdk_kms::types::Tag;
use key::KeyId;
use keystore::KeyLabel;
use names::ClusterName;

use crate::config::ConfigError;
use crate::config::excerpt;

/// Names the cluster; the tag that access policies are written against.
pub const CLUSTER_TAG: &str = "SignetCluster";
/// Holds the [`KeyId`] a key was made for.
pub const KEY_ID_TAG: &str = "SignetKeyId";
/// Holds the [`KeyLabel`] a key was made with.
pub const LABEL_TAG: &str = "SignetLabel";

/// What AWS allows on one key, less the two tags we add to the configured ones.
const MOST_TAGS: usize = 50 - 2;

/// The tags shared by all keys of the cluster: the configured ones and `SignetCluster`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyTags(BTreeMap<String, String>);

/// Checks configured tags and adds `SignetCluster`.
pub(crate) fn parse(
    configured: BTreeMap<String, String>,
    cluster: &ClusterName,
) -> Result<KeyTags, ConfigError> {
    for (name, value) in &configured {
        let refuse = |problem: String, remedy| {
            Err(ConfigError {
                field: format!("tags.{}", excerpt(name)),
                problem,
                remedy,
            })
        };
        if name == KEY_ID_TAG || name == LABEL_TAG {
            return refuse("Signet sets this tag itself".to_owned(), "remove it");
        }
        if name == CLUSTER_TAG && value != cluster.as_str() {
            return refuse(
                format!("{:?} is not this cluster, which is {cluster}", excerpt(value)),
                "remove the tag: Signet sets it to the cluster's name itself",
            );
        }
        if name.is_empty() || name.chars().count() > 128 || !name.chars().all(is_allowed) || is_reserved(name)
        {
            return refuse(
                "AWS allows no such tag name".to_owned(),
                "use 1 to 128 letters, digits, spaces and _ . : / = + - @, not beginning with aws:",
            );
        }
        if value.chars().count() > 256 || !value.chars().all(is_allowed) {
            return refuse(
                format!("AWS allows no such tag value as {:?}", excerpt(value)),
                "use at most 256 letters, digits, spaces and _ . : / = + - @",
            );
        }
    }
    let mut tags = configured;
    tags.insert(CLUSTER_TAG.to_owned(), cluster.to_string());
    if tags.len() > MOST_TAGS {
        return Err(ConfigError {
            field: "tags".to_owned(),
            problem: format!("{} tags are too many, Signet's own included", tags.len() + 2),
            remedy: "AWS allows 50 on a key: configure at most 47",
        });
    }
    Ok(KeyTags(tags))
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || " _.:/=+-@".contains(character)
}

fn is_reserved(name: &str) -> bool {
    name.get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

impl KeyTags {
    /// All tags of a key of this id and label, as requests carry them.
    pub(crate) fn for_key(&self, id: KeyId, label: &KeyLabel) -> Result<Vec<Tag>, BuildError> {
        let own = [(KEY_ID_TAG, id.to_string()), (LABEL_TAG, label.to_string())];
        let shared = self.0.iter().map(|(name, value)| (name.as_str(), value.clone()));
        shared
            .chain(own)
            .map(|(name, value)| Tag::builder().tag_key(name).tag_value(value).build())
            .collect()
    }

    /// The tags shared by all keys of the cluster, as requests carry them.
    pub(crate) fn shared(&self) -> Result<Vec<Tag>, BuildError> {
        let build = |(name, value): (&String, &String)| Tag::builder().tag_key(name).tag_value(value).build();
        self.0.iter().map(build).collect()
    }
}

/// The tags found on a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundTags(BTreeMap<String, String>);

impl FoundTags {
    pub(crate) fn new(tags: Vec<Tag>) -> Self {
        Self(tags.into_iter().map(|tag| (tag.tag_key, tag.tag_value)).collect())
    }

    /// Whether every shared tag is there with its value: the key is this cluster's, under this configuration.
    pub(crate) fn match_all(&self, expected: &KeyTags) -> bool {
        expected
            .0
            .iter()
            .all(|(name, value)| self.0.get(name) == Some(value))
    }

    /// Whether the key is this cluster's, whatever tags are configured now.
    pub(crate) fn are_of(&self, cluster: &ClusterName) -> bool {
        self.0
            .get(CLUSTER_TAG)
            .is_some_and(|value| value == cluster.as_str())
    }

    /// The id the key was made for.
    pub(crate) fn key_id(&self) -> Option<KeyId> {
        self.0.get(KEY_ID_TAG)?.parse().ok()
    }

    /// The label the key was made with.
    pub(crate) fn label(&self) -> Option<KeyLabel> {
        self.0.get(LABEL_TAG)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use authority::AuthorityType;
    use authority::KeyForm;

    use super::*;

    fn cluster() -> ClusterName {
        ClusterName::parse("prod.example.com").unwrap()
    }

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn every_key_carries_cluster_id_label_and_the_configured_tags() {
        let shared = parse(tags(&[("team", "platform")]), &cluster()).unwrap();
        let id = KeyId::from_random([7; 16]);
        let label = KeyLabel {
            cluster: cluster(),
            authority: AuthorityType::Host,
            form: KeyForm::Ssh,
            generation: 3,
        };
        let found = FoundTags::new(shared.for_key(id, &label).unwrap());
        assert!(found.match_all(&shared) && found.are_of(&cluster()));
        assert_eq!((found.key_id(), found.label()), (Some(id), Some(label)));
        assert_eq!(found.0.get("team").map(String::as_str), Some("platform"));
    }

    #[test]
    fn a_key_without_one_configured_tag_is_not_ours() {
        let shared = parse(tags(&[("team", "platform")]), &cluster()).unwrap();
        let found = FoundTags(tags(&[("SignetCluster", "prod.example.com"), ("team", "other")]));
        assert!(!found.match_all(&shared) && found.are_of(&cluster()));
    }

    #[test]
    fn tags_that_contradict_ours_are_refused() {
        parse(tags(&[("SignetCluster", "prod.example.com")]), &cluster()).unwrap();
        for pair in [
            ("SignetCluster", "other"),
            ("SignetKeyId", "x"),
            ("SignetLabel", "x"),
        ] {
            let text = parse(tags(&[pair]), &cluster()).unwrap_err().to_string();
            assert!(text.starts_with(&format!("aws_kms.tags.{}: ", pair.0)), "{text}");
        }
    }

    #[test]
    fn tags_that_aws_would_refuse_are_refused_here() {
        let long = "x".repeat(129);
        for pair in [
            ("", "x"),
            ("aws:x", "x"),
            ("AWS:x", "x"),
            (long.as_str(), "x"),
            ("a#b", "x"),
            ("a", "b\n"),
        ] {
            assert!(parse(tags(&[pair]), &cluster()).is_err(), "{pair:?}");
        }
        let many: BTreeMap<_, _> = (0..48)
            .map(|index| (format!("t{index}"), String::new()))
            .collect();
        assert!(
            parse(many, &cluster())
                .unwrap_err()
                .to_string()
                .contains("at most 47")
        );
    }
}
