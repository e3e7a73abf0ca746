//! How the helper that serves files asks the node before it touches one: an action, a path, and the other path if there is one.

use crate::event::FileAccess;
use crate::event::FileAction;
use crate::event::FileProtocol;

/// The longest question, in bytes. Paths are at most 4096 bytes each.
pub(crate) const MAXIMUM_QUESTION: usize = 16 * 1024;

const ACTIONS: [FileAction; 9] = [
    FileAction::Download,
    FileAction::Upload,
    FileAction::Remove,
    FileAction::Rename,
    FileAction::MakeDirectory,
    FileAction::RemoveDirectory,
    FileAction::List,
    FileAction::SetAttributes,
    FileAction::Link,
];

/// Writes a question.
pub(crate) fn encode(action: FileAction, path: &[u8], target: Option<&[u8]>) -> Vec<u8> {
    let code = ACTIONS.iter().position(|known| *known == action).unwrap_or(0);
    let mut bytes = vec![u8::try_from(code).unwrap_or(0)];
    let length = u32::try_from(path.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(path);
    bytes.push(u8::from(target.is_some()));
    bytes.extend_from_slice(target.unwrap_or_default());
    bytes
}

/// Reads a question.
pub(crate) fn decode(bytes: &[u8]) -> Option<FileAccess> {
    let (code, rest) = bytes.split_first()?;
    let action = *ACTIONS.get(usize::from(*code))?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (path, rest) = rest.split_at_checked(length)?;
    let (has_target, target) = rest.split_first()?;
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(FileAccess {
        protocol: FileProtocol::Sftp,
        action,
        path: words(path),
        target: (*has_target == 1).then(|| words(target)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_as_they_were_written() {
        for action in ACTIONS {
            let read = decode(&encode(action, b"/a b", Some(b"c"))).unwrap();
            assert_eq!(
                (read.action, &*read.path, read.target.as_deref()),
                (action, "/a b", Some("c"))
            );
            let read = decode(&encode(action, b"", None)).unwrap();
            assert_eq!((read.path.as_str(), read.target), ("", None));
        }
    }

    #[test]
    fn no_bytes_make_the_reader_fail() {
        let whole = encode(FileAction::Rename, b"abc", Some(b"d"));
        for length in 0..whole.len() - 2 {
            assert_eq!(decode(&whole[..length]), None, "{length}");
        }
        assert_eq!(decode(&[99, 0, 0, 0, 0, 0]), None);
        assert_eq!(decode(&[0, 255, 255, 255, 255, 0]), None);
    }
}
