//! Links between documents lead somewhere: to a file or folder that is there, and to a heading that it has.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{Finding, TextFile};

/// Every link of a document of ours that leads nowhere. Parts of documents, which lie beside the code that puts them together, are read
/// where they end up.
pub(super) fn findings(root: &Path, files: &[TextFile]) -> Vec<Finding> {
    let documents = files.iter().filter(|file| is_document(&file.path));
    documents
        .flat_map(|file| of_document(root, files, file))
        .collect()
}

fn is_document(path: &Path) -> bool {
    let is_part = path.starts_with("crates") && path.iter().any(|step| step == "src");
    !is_part && path.extension().is_some_and(|extension| extension == "md")
}

fn of_document(root: &Path, files: &[TextFile], file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in prose(&file.content) {
        for link in links(&line) {
            if let Some(problem) = problem(root, files, file, link) {
                let place = format!("{}:{}", file.path.display(), number + 1);
                findings.push(Finding::new(place, format!("the link to `{link}` {problem}")));
            }
        }
    }
    findings
}

fn problem(root: &Path, files: &[TextFile], from: &TextFile, link: &str) -> Option<String> {
    let is_elsewhere = ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| link.starts_with(scheme));
    if is_elsewhere {
        return None;
    }
    let (path, heading) = link
        .split_once('#')
        .map_or((link, None), |(path, heading)| (path, Some(heading)));
    let to = if path.is_empty() {
        from.path.clone()
    } else {
        normal(&from.path.parent().unwrap_or(Path::new("")).join(path))?
    };
    if !root.join(&to).exists() {
        return Some(format!("leads nowhere: there is no {}", to.display()));
    }
    let heading = heading?;
    let target = files.iter().find(|file| file.path == to)?;
    (!headings(&target.content).contains(heading)).then(|| format!("names no heading of {}", to.display()))
}

/// A path without `..`, as long as it stays in the tree.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for step in path.components() {
        match step {
            Component::Normal(step) => normal.push(step),
            Component::CurDir => {}
            Component::ParentDir if normal.pop() => {}
            // Whoever reads it elsewhere than here has nothing there.
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Some(path.to_owned()),
        }
    }
    Some(normal)
}

/// The lines outside blocks of code, with their numbers, without what is between backquotes.
fn prose(content: &str) -> Vec<(usize, String)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (number, line) in content.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            let words: Vec<&str> = line.split('`').step_by(2).collect();
            lines.push((number, words.join("`")));
        }
    }
    lines
}

/// The targets of `[words](target)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

/// The anchors of a document's headings, as GitHub makes them: small letters, hyphens for blanks, other signs left out, and a number behind
/// one that was there before.
fn headings(content: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut is_code = false;
    for line in content.lines() {
        is_code ^= line.trim_start().starts_with("```");
        let words = line.trim_start_matches('#');
        if is_code || words.len() == line.len() || !words.starts_with(' ') {
            continue;
        }
        let kept = words.trim().chars().filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            other => other.is_alphanumeric().then_some(other),
        });
        let anchor = kept.collect::<String>().to_lowercase();
        let again = (1..).map(|count| format!("{anchor}-{count}"));
        let mut candidates = std::iter::once(anchor.clone()).chain(again);
        anchors.extend(candidates.find(|candidate| !anchors.contains(candidate)));
    }
    anchors
}
