//! `key=value` on the command line.

use std::collections::BTreeMap;

use crate::failure::Failure;

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    key: String,
    value: String,
}

impl std::str::FromStr for Pair {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(Self {
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
            }),
            Some(_) | None => Err("write KEY=VALUE, such as env=prod".to_owned()),
        }
    }
}

/// To each key its value. A key may stand once.
pub(crate) fn labels(pairs: &[Pair]) -> Result<BTreeMap<String, String>, Failure> {
    let mut labels = BTreeMap::new();
    for Pair { key, value } in pairs {
        if labels.insert(key.clone(), value.clone()).is_some() {
            return Err(Failure::usage(
                format!("the label {key:?} is given twice"),
                "keep one of them",
            ));
        }
    }
    Ok(labels)
}

/// To each key all of its values.
pub(crate) fn lists(pairs: &[Pair]) -> BTreeMap<String, Vec<String>> {
    let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Pair { key, value } in pairs {
        lists.entry(key.clone()).or_default().push(value.clone());
    }
    lists
}

/// `env=prod,team=web`, or a dash.
pub(crate) fn shown(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    joined(&pairs)
}

/// `env=prod|test,team=web`, or a dash.
pub(crate) fn shown_lists(lists: &BTreeMap<String, Vec<String>>) -> String {
    let pairs: Vec<String> = lists
        .iter()
        .map(|(key, values)| format!("{key}={}", values.join("|")))
        .collect();
    joined(&pairs)
}

/// The texts with commas between, or a dash when there are none.
pub(crate) fn joined<T: AsRef<str>>(texts: &[T]) -> String {
    if texts.is_empty() {
        return "-".to_owned();
    }
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(texts: &[&str]) -> Vec<Pair> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn labels_stand_once_and_lists_grow() {
        let twice = pairs(&["env=prod", "env=test", "team= web"]);
        assert!(labels(&twice).is_err());
        assert_eq!(shown_lists(&lists(&twice)), "env=prod|test,team=web");
        assert_eq!(shown(&labels(&pairs(&["a=b=c", "d="])).unwrap()), "a=b=c,d=");
        assert_eq!(shown(&BTreeMap::new()), "-");
        assert!("env".parse::<Pair>().is_err() && "=x".parse::<Pair>().is_err());
    }
}
