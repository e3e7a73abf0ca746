//! Places, and the names in them.

use std::path::PathBuf;

use crate::target::Target;

/// A place to copy from or to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// On this machine.
    Here(PathBuf),
    /// On a server.
    There(Target, Vec<u8>),
}

impl Place {
    /// A place on a server has a colon before the first slash.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let before_slash = text.split('/').next().unwrap_or_default();
        let Some((node, _)) = before_slash.split_once(':') else {
            return Ok(Self::Here(PathBuf::from(text)));
        };
        let path = text.get(node.len().saturating_add(1)..).unwrap_or_default();
        // The home directory is where paths begin.
        let path = path.strip_prefix("~/").unwrap_or(path);
        let path = match path {
            "" | "~" => ".",
            path => path,
        };
        Ok(Self::There(Target::parse(node)?, path.as_bytes().to_vec()))
    }
}

/// A path with a name after it.
pub(super) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = directory.to_vec();
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The directory and the last part of a path.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path
        .iter()
        .rposition(|byte| *byte != b'/')
        .map_or(0, |last| last + 1);
    let path = path.get(..end).unwrap_or_default();
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(0) => (b"/", path.get(1..).unwrap_or_default()),
        Some(slash) => (
            path.get(..slash).unwrap_or_default(),
            path.get(slash + 1..).unwrap_or_default(),
        ),
        None => (b".", path),
    }
}

/// Whether a server may call an entry of a directory so: what is written here stays below where it was asked for.
pub(super) fn is_entry(name: &[u8]) -> bool {
    !name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/') && !name.contains(&0)
}

/// Whether a name has characters that stand for others.
pub(super) fn is_pattern(name: &[u8]) -> bool {
    name.contains(&b'*') || name.contains(&b'?')
}

/// Whether a name fits a pattern. Names that begin with a dot fit only patterns that do.
pub(super) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut at, mut pattern_at) = (0, 0);
    // Where to go on when what was tried does not fit: after the latest star, one character further.
    let mut retry: Option<(usize, usize)> = None;
    while at < name.len() {
        match (pattern.get(pattern_at), name.get(at)) {
            (Some(b'*'), _) => {
                retry = Some((pattern_at, at));
                pattern_at += 1;
            }
            (Some(b'?'), _) => (pattern_at, at) = (pattern_at + 1, at + 1),
            (Some(wanted), Some(is)) if wanted == is => (pattern_at, at) = (pattern_at + 1, at + 1),
            (_, _) => {
                let Some((star, from)) = retry else {
                    return false;
                };
                retry = Some((star, from + 1));
                (pattern_at, at) = (star + 1, from + 1);
            }
        }
    }
    pattern
        .get(pattern_at..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

/// A name for messages.
pub(super) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_scp_reads_them() {
        let there = |node: &str, path: &str| {
            Ok(Place::There(
                Target::parse(node).unwrap(),
                path.as_bytes().to_vec(),
            ))
        };
        assert_eq!(Place::parse("root@web:/tmp/a:b"), there("root@web", "/tmp/a:b"));
        assert_eq!(Place::parse("web:"), there("web", "."));
        assert_eq!(Place::parse("web:~/x"), there("web", "x"));
        assert_eq!(Place::parse("./a:b"), Ok(Place::Here("./a:b".into())));
        assert_eq!(Place::parse("a"), Ok(Place::Here("a".into())));
        assert!(Place::parse("-x:y").is_err());
    }

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!(split(b"/a/b/"), (b"/a".as_slice(), b"b".as_slice()));
        assert_eq!(split(b"/a"), (b"/".as_slice(), b"a".as_slice()));
        assert_eq!(split(b"a"), (b".".as_slice(), b"a".as_slice()));
        assert_eq!(join(b"/", b"a"), b"/a");
        assert_eq!(join(b"x", b"a"), b"x/a");
    }

    #[test]
    fn a_server_cannot_name_its_way_out() {
        for bad in [b"..".as_slice(), b".", b"", b"../x", b"a/b", b"a\0b"] {
            assert!(!is_entry(bad));
        }
        assert!(is_entry(b"..x"));
    }

    #[test]
    fn patterns_fit_what_a_shell_would_take() {
        for (pattern, name, is_fit) in [
            ("*.log", "a.log", true),
            ("*.log", "a.logs", false),
            ("a*b*c", "aXbYbZc", true),
            ("?", "ab", false),
            ("*", ".hidden", false),
            (".*", ".hidden", true),
            ("a", "a", true),
            ("a*", "a", true),
            ("**", "", true),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), name.as_bytes()),
                is_fit,
                "{pattern} {name}"
            );
        }
    }
}
