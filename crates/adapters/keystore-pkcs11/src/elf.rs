//! Whether a shared library can be loaded here at all, told by the first bytes of its file.

use std::env::consts::ARCH;

/// What a file is, judged by its ELF header (System V ABI, "ELF Header").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Image {
    /// A shared library for this machine, as far as the header tells.
    Ours,
    /// Made for another machine, in words.
    Foreign(String),
    /// No ELF file.
    NotElf,
}

/// Reads the header; `bytes` are the first 20 or more of the file.
pub(crate) fn recognise(bytes: &[u8]) -> Image {
    let Some(([0x7f, b'E', b'L', b'F', class, order], _)) = bytes.split_first_chunk::<6>() else {
        return Image::NotElf;
    };
    let Some([low, high]) = bytes
        .get(18..20)
        .and_then(|field| <[u8; 2]>::try_from(field).ok())
    else {
        return Image::NotElf;
    };
    let machine = if *order == 2 {
        u16::from_be_bytes([low, high])
    } else {
        u16::from_le_bytes([low, high])
    };
    let class_here = if cfg!(target_pointer_width = "64") { 2 } else { 1 };
    let is_ours = *class == class_here && machine_here().is_none_or(|here| here == machine);
    if is_ours {
        return Image::Ours;
    }
    let bits = if *class == 2 { "64-bit" } else { "32-bit" };
    Image::Foreign(format!("{bits} {}", machine_name(machine)))
}

/// `e_machine` of the program that asks; `None` where we do not know the number.
fn machine_here() -> Option<u16> {
    match ARCH {
        "x86" => Some(3),
        "powerpc64" => Some(21),
        "s390x" => Some(22),
        "arm" => Some(40),
        "x86_64" => Some(62),
        "aarch64" => Some(183),
        "riscv64" => Some(243),
        "loongarch64" => Some(258),
        _ => None,
    }
}

fn machine_name(machine: u16) -> String {
    match machine {
        3 => "x86".to_owned(),
        21 => "powerpc64".to_owned(),
        22 => "s390x".to_owned(),
        40 => "arm".to_owned(),
        62 => "x86_64".to_owned(),
        183 => "aarch64".to_owned(),
        243 => "riscv".to_owned(),
        258 => "loongarch64".to_owned(),
        other => format!("machine {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(class: u8, machine: u16) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1]);
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes
    }

    #[test]
    fn headers_tell_the_machine() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(recognise(&own), Image::Ours);
        assert_eq!(recognise(&header(1, 3)), Image::Foreign("32-bit x86".into()));
        assert_eq!(
            recognise(&header(2, 2)),
            Image::Foreign("64-bit machine 2".into())
        );
        for short in [&b""[..], b"\x7fELF", b"#!/bin/sh\nexit 0\n and more text"] {
            assert_eq!(recognise(short), Image::NotElf);
        }
    }
}
