//! Which nodes a role is about.

use std::collections::BTreeMap;

use resource::Labels;
use resource::Problem;

use crate::pattern::Matcher;
use crate::pattern::Pattern;
use crate::template::Traits;

/// Patterns of labels, as they stand in a role.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    keys: Vec<(String, Vec<Pattern>)>,
}

impl Selector {
    /// Compiles the patterns, and adds what is wrong with them.
    pub(crate) fn parse(labels: &Labels, path: &str, problems: &mut Vec<Problem>) -> Self {
        let mut keys = Vec::new();
        for (key, texts) in labels {
            if key == "*" && texts.iter().any(|text| text != "*") {
                problems.push(
                    Problem::new(
                        format!("{path}.*"),
                        "stands for every node and cannot have a value of its own",
                    )
                    .allowed("'*': '*'"),
                );
            }
            let mut patterns = Vec::new();
            for (index, text) in texts.iter().enumerate() {
                match Pattern::parse(text) {
                    Ok(pattern) => patterns.push(pattern),
                    Err(what) => problems.push(Problem::new(format!("{path}.{key}[{index}]"), what)),
                }
            }
            keys.push((key.clone(), patterns));
        }
        Self { keys }
    }

    /// The selector for a user with these traits.
    pub(crate) fn expand(&self, traits: &Traits) -> NodeMatcher {
        let expand =
            |patterns: &Vec<Pattern>| patterns.iter().map(|pattern| pattern.expand(traits)).collect();
        let keys = self
            .keys
            .iter()
            .map(|(key, patterns)| (key.clone(), expand(patterns)))
            .collect();
        NodeMatcher { keys }
    }
}

/// A selector for one user.
#[derive(Debug, Clone)]
pub(crate) struct NodeMatcher {
    keys: Vec<(String, Vec<Matcher>)>,
}

impl NodeMatcher {
    /// Whether there is nothing to select by, so that it selects nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether every key matches. A key the node does not have matches nothing, not even `*`.
    pub(crate) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        !self.is_empty() && self.first_mismatch(labels).is_none()
    }

    /// The first key that does not match.
    pub(crate) fn first_mismatch(&self, labels: &BTreeMap<String, String>) -> Option<&str> {
        let fits = |(key, patterns): &&(String, Vec<Matcher>)| {
            if key == "*" {
                return !patterns.is_empty();
            }
            let value = labels.get(key);
            value.is_some_and(|value| patterns.iter().any(|pattern| pattern.matches(value)))
        };
        self.keys
            .iter()
            .find(|entry| !fits(entry))
            .map(|(key, _)| key.as_str())
    }
}
