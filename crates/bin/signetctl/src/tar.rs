//! Just enough of a tar archive (POSIX ustar) to hand files to another program over a pipe.

use crate::failure::Failure;
use crate::files::NewFile;

/// The files as one archive, under their bare names.
pub(crate) fn archive(files: &[NewFile], unix_seconds: u64) -> Result<zeroize::Zeroizing<Vec<u8>>, Failure> {
    let mut archive = zeroize::Zeroizing::new(Vec::new());
    for file in files {
        let name = file
            .path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let bytes = file.content.bytes();
        archive.extend_from_slice(&header(&name, file.content.mode(), bytes.len(), unix_seconds)?);
        archive.extend_from_slice(bytes);
        let padding = (BLOCK - bytes.len() % BLOCK) % BLOCK;
        archive.extend(std::iter::repeat_n(0, padding));
    }
    archive.extend([0; 2 * BLOCK]);
    Ok(archive)
}

/// IEEE Std 1003.1, pax: the ustar header block. The checksum counts its own field as blanks.
fn header(name: &str, mode: u32, size: usize, unix_seconds: u64) -> Result<Vec<u8>, Failure> {
    if name.is_empty() || name.len() > 100 {
        return Err(Failure::failed(format!("{name:?} is no name for a tar archive"))
            .with_hint("shorten it with --out"));
    }
    let mut block = Vec::with_capacity(BLOCK);
    field(&mut block, name, 100);
    field(&mut block, &format!("{mode:07o}"), 8);
    field(&mut block, "0000000", 8);
    field(&mut block, "0000000", 8);
    field(&mut block, &format!("{size:011o}"), 12);
    field(&mut block, &format!("{unix_seconds:011o}"), 12);
    let before_checksum = block.clone();
    let mut after_checksum = Vec::new();
    field(&mut after_checksum, "0", 1);
    field(&mut after_checksum, "", 100);
    field(&mut after_checksum, "ustar", 6);
    after_checksum.extend_from_slice(b"00");
    field(&mut after_checksum, "", BLOCK - 265);
    let sum: u32 = before_checksum
        .iter()
        .chain(&after_checksum)
        .map(|&byte| u32::from(byte))
        .sum::<u32>()
        + 8 * 0x20;
    field(&mut block, &format!("{sum:06o}\0 "), 8);
    block.extend(after_checksum);
    Ok(block)
}

fn field(block: &mut Vec<u8>, text: &str, width: usize) {
    let bytes = text.as_bytes();
    block.extend(bytes.iter().copied().chain(std::iter::repeat(0)).take(width));
}

const BLOCK: usize = 512;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::Command;
    use std::process::Stdio;

    use super::*;
    use crate::files::Content;

    #[test]
    fn tar_reads_the_archive() {
        let files = [
            NewFile {
                path: "/x/a.key".into(),
                content: Content::Private(zeroize::Zeroizing::new(b"secret".to_vec())),
            },
            NewFile {
                path: "a.crt".into(),
                content: Content::Public(vec![b'x'; 600]),
            },
        ];
        let archive = archive(&files, 1_700_000_000).unwrap();
        assert_eq!(archive.len() % BLOCK, 0);
        let place = tempfile::tempdir().unwrap();
        let mut tar = Command::new("tar")
            .args(["-x", "-p", "-C"])
            .arg(place.path())
            .stdin(Stdio::piped())
            .spawn()
            .expect("tar is part of every system this is built on");
        tar.stdin.take().unwrap().write_all(&archive).unwrap();
        assert!(tar.wait().unwrap().success());
        assert_eq!(std::fs::read(place.path().join("a.key")).unwrap(), b"secret");
        assert_eq!(std::fs::read(place.path().join("a.crt")).unwrap().len(), 600);
    }
}
