//! What a data directory holds, byte by byte.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::failure::OrFail as _;

/// What every private key in PKCS#8 (RFC 5958) begins with after its length: version 0 and the algorithm. Keys of all
/// algorithms that we make are here.
const PKCS8: [&[u8]; 4] = [
    // P-256
    &[
        2, 1, 0, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3,
        1, 7,
    ],
    // P-384
    &[
        2, 1, 0, 0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x22,
    ],
    // RSA
    &[
        2, 1, 0, 0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1,
    ],
    // Ed25519; RFC 8410 has version 1 when the public key is inside
    &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20],
];

/// Every file below a directory.
#[must_use]
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).or_fail(&format!("list {}", folder.display()));
        for entry in entries {
            let entry = entry.or_fail(&format!("list {}", folder.display()));
            let kind = entry.file_type().or_fail("look at a file");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}

/// The files below a directory that hold a private key that anybody could use: in PEM or PKCS#8, plain or in hexadecimal
/// or base64.
#[must_use]
pub fn files_with_plain_keys(directory: &Path) -> Vec<PathBuf> {
    let needles = plain_key_needles();
    let holds_key = |file: &PathBuf| {
        let content = std::fs::read(file).or_fail(&format!("read {}", file.display()));
        needles.iter().any(|needle| contains(&content, needle))
    };
    files_below(directory).into_iter().filter(holds_key).collect()
}

/// The files below a directory that hold these bytes.
#[must_use]
pub fn files_with(directory: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let holds = |file: &PathBuf| {
        let content = std::fs::read(file).or_fail(&format!("read {}", file.display()));
        contains(&content, needle)
    };
    files_below(directory).into_iter().filter(holds).collect()
}

/// Decodes standard base64 (RFC 4648 section 4).
#[must_use]
pub fn base64_decode(text: &str) -> Vec<u8> {
    STANDARD.decode(text).or_fail(&format!("read base64: {text}"))
}

fn plain_key_needles() -> Vec<Vec<u8>> {
    let mut needles = vec![b"PRIVATE KEY".to_vec()];
    for key in PKCS8 {
        needles.push(key.to_vec());
        needles.push(
            key.iter()
                .flat_map(|byte| format!("{byte:02x}").into_bytes())
                .collect(),
        );
        // Where the key begins decides how base64 spells it: three ways, less the characters that neighbours reach into.
        for shift in 0..3 {
            let shifted = [vec![0_u8; shift], key.to_vec()].concat();
            let text = STANDARD.encode(&shifted).into_bytes();
            let (first, last) = (if shift == 0 { 0 } else { 4 }, (shifted.len() / 3) * 4);
            needles.push(text.get(first..last).unwrap_or_default().to_vec());
        }
    }
    needles
}

fn contains(content: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && content.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An Ed25519 key as `openssl genpkey` writes it.
    const KEY: &str = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";

    #[test]
    fn a_plain_key_is_found_in_every_spelling() {
        let der = STANDARD.decode(KEY).unwrap();
        let hex: String = der.iter().map(|byte| format!("{byte:02x}")).collect();
        let shifted = STANDARD.encode([&[7], der.as_slice()].concat());
        for spelling in [der.as_slice(), hex.as_bytes(), KEY.as_bytes(), shifted.as_bytes()] {
            let directory = tempfile::tempdir().unwrap();
            std::fs::create_dir(directory.path().join("sub")).unwrap();
            let file = directory.path().join("sub/file");
            std::fs::write(&file, [b"before ".as_slice(), spelling, b" after"].concat()).unwrap();
            assert_eq!(files_with_plain_keys(directory.path()), [file], "{spelling:?}");
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("file"), [0_u8; 4096]).unwrap();
        assert!(files_with_plain_keys(directory.path()).is_empty());
    }
}
