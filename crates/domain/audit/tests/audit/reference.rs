//! `docs/reference/audit-events.md`: its tables are those of the code, and its script judges logs as it says.
//!
//! `UPDATE_GOLDEN=1 cargo test -p audit` writes the tables anew.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use audit::Actor;
use audit::AuditEvent;
use audit::CATALOGUE;
use audit::Envelope;
use audit::Head;
use audit::seal;
use names::ClusterName;

const BEGIN: &str = "<!-- generated from the code: do not edit by hand -->\n";
const END: &str = "<!-- end of the generated part -->\n";

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../docs/reference/audit-events.md")
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a golden file is rewritten when the environment asks for it"
)]
fn the_reference_lists_every_event_code_and_field() {
    let text = std::fs::read_to_string(page()).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page has a generated part");
    let (_, after) = rest.split_once(END).expect("the generated part ends");
    let expected = format!("{before}{BEGIN}{}{END}{after}", tables());
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        // Replaced at once, because other tests read it meanwhile.
        let draft = page().with_extension("draft");
        std::fs::write(&draft, expected).unwrap();
        std::fs::rename(draft, page()).unwrap();
    } else {
        assert!(
            text == expected,
            "the page differs from the code: run `UPDATE_GOLDEN=1 cargo test -p audit`"
        );
    }
}

fn tables() -> String {
    let mut text = String::from("\n| event | codes | meaning |\n|---|---|---|\n");
    for kind in CATALOGUE {
        let codes: Vec<_> = kind.codes.iter().map(|code| format!("`{code}`")).collect();
        let link = kind.name.replace('.', "");
        writeln!(
            text,
            "| [`{}`](#{link}) | {} | {} |",
            kind.name,
            codes.join(" "),
            sentence(kind.meaning)
        )
        .unwrap();
    }
    for kind in CATALOGUE {
        let codes: Vec<_> = kind.codes.iter().map(|code| format!("`{code}`")).collect();
        writeln!(
            text,
            "\n### {}\n\n{} {}",
            kind.name,
            codes.join(", "),
            sentence(kind.meaning)
        )
        .unwrap();
        text.push_str("\n| field | value | meaning |\n|---|---|---|\n");
        for field in kind.fields {
            writeln!(
                text,
                "| `{}` | {} | {} |",
                field.name,
                field.kind,
                sentence(field.meaning)
            )
            .unwrap();
        }
    }
    text.push('\n');
    text
}

fn sentence(doc: &str) -> String {
    doc.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

/// The script as the page prints it.
fn script() -> String {
    let text = std::fs::read_to_string(page()).unwrap();
    let (_, rest) = text.split_once("```python\n").expect("the page has a script");
    rest.split_once("```").expect("the script ends").0.to_owned()
}

fn lines(texts: &[&str]) -> (Vec<String>, Head) {
    let mut head = Head::EMPTY;
    let mut lines = Vec::new();
    for text in texts {
        let envelope = Envelope {
            uid: "0b5b5a3e-0000-4000-8000-000000000001".to_owned(),
            unix_millis: 1_772_366_400_123,
            cluster_name: ClusterName::parse("prod.example.com").unwrap(),
            actor: Actor::Local {
                user: "root".to_owned(),
                uid: 0,
            },
            event: AuditEvent::denied("export".to_owned(), (*text).to_owned()),
        };
        let entry = seal(&envelope, head).unwrap();
        head = entry.head;
        lines.push(entry.line);
    }
    (lines, head)
}

/// Runs the script on files of these lines.
fn judge(files: &[&[String]]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut python = Command::new("python3");
    python.arg("-c").arg(script());
    for (number, lines) in files.iter().enumerate() {
        let path = folder.path().join(format!("2026-03-0{}.jsonl", number + 1));
        std::fs::write(
            &path,
            lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
        )
        .unwrap();
        python.arg(path);
    }
    python
        .output()
        .expect("python3 is among the parts tests need: install it")
}

#[test]
fn the_script_accepts_what_was_written_and_names_its_head() {
    let (lines, head) = lines(&["a", "b\n\u{202e}\"}", "日本語", "\0", "e"]);
    for files in [vec![&lines[..]], vec![&lines[..2], &lines[2..]]] {
        let output = judge(&files);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            format!("{} {}\n", head.sequence, hex::encode(head.hash))
        );
    }
    // Around midnight entries of two days interleave.
    let interleaved = [
        [lines[0].clone(), lines[2].clone()],
        [lines[1].clone(), lines[3].clone()],
    ];
    assert!(judge(&[&interleaved[0], &interleaved[1]]).status.success());
}

#[test]
fn the_script_finds_edited_removed_and_reordered_entries() {
    let (lines, _) = lines(&["a", "b", "c", "d", "e"]);
    let mut edited = lines.clone();
    edited[2] = edited[2].replace("\"reason\":\"c\"", "\"reason\":\"C\"");
    let mut removed = lines.clone();
    removed.remove(2);
    let mut reordered = lines.clone();
    reordered.swap(2, 3);
    let mut headless = lines.clone();
    headless.remove(0);
    let mut repeated = lines.clone();
    repeated.insert(3, lines[2].clone());
    for (what, number, changed) in [
        ("edited", 3, edited),
        ("removed", 3, removed),
        ("reordered", 3, reordered),
        ("headless", 1, headless),
        ("repeated", 4, repeated),
    ] {
        let output = judge(&[&changed]);
        assert!(!output.status.success(), "{what}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!("entry {number} is")), "{what}: {said}");
    }
}

#[test]
fn the_script_is_short_enough_to_read() {
    assert!(script().lines().filter(|line| !line.trim().is_empty()).count() <= 12);
}
