//! What source files say, how long they are, and what they are called.

use std::path::Path;

use super::{Finding, TextFile};

const LINES_MAX: usize = 600;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["common", "core", "helpers", "types", "util", "utils"];

/// Ways out of the pure ring, with what to do instead.
const IMPURE_CALLS: [(&str, &str); 8] = [
    ("SystemTime::now", "take the time as an argument"),
    ("Instant::now", "take the time as an argument"),
    ("SystemTime::UNIX_EPOCH.elapsed", "take the time as an argument"),
    ("thread::sleep", "nothing in the domain waits"),
    // Addresses are values, and welcome; connections are not.
    ("TcpListener", "that is an adapter's work"),
    ("TcpStream", "that is an adapter's work"),
    ("ToSocketAddrs", "that is an adapter's work"),
    ("UdpSocket", "that is an adapter's work"),
];

/// Modules of the standard library that reach outside.
const IMPURE_MODULES: [(&str, &str); 4] = [
    ("env", "take the value as an argument"),
    ("fs", "take the bytes as an argument"),
    ("process", "that is an adapter's work"),
    ("os", "that is an adapter's work"),
];

/// Every finding of these rules.
pub(super) fn findings(files: &[TextFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.path.extension().is_some_and(|extension| extension == "rs"))
    {
        findings.extend(too_long(file));
        findings.extend(empty_name(&file.path));
        if file.path.starts_with("crates/domain") && !is_test(&file.path) {
            findings.extend(impurities(file));
        }
    }
    for manifest in files.iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        findings.extend(empty_crate_name(&manifest.path));
    }
    findings
}

/// Whether a file is about tests: a `tests.rs`, or anything below `tests/` or `benches/`.
fn is_test(path: &Path) -> bool {
    path.ends_with("tests.rs") || path.iter().any(|step| step == "tests" || step == "benches")
}

fn too_long(file: &TextFile) -> Option<Finding> {
    let lines = file.content.lines().count();
    (lines > LINES_MAX && !is_test(&file.path)).then(|| {
        let problem = format!("{lines} lines, more than {LINES_MAX}: split it by idea");
        Finding::new(file.path.display().to_string(), problem)
    })
}

/// A module file or folder with an empty name.
fn empty_name(path: &Path) -> Option<Finding> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let folders = path
        .parent()
        .into_iter()
        .flat_map(Path::iter)
        .filter_map(|step| step.to_str());
    let name = folders.chain(stem).find(|name| EMPTY_NAMES.contains(name))?;
    Some(Finding::new(
        path.display().to_string(),
        format!("`{name}` says nothing: name what is inside"),
    ))
}

fn empty_crate_name(manifest: &Path) -> Option<Finding> {
    let folder = manifest.parent()?.file_name()?.to_str()?;
    EMPTY_NAMES.contains(&folder).then(|| {
        Finding::new(
            manifest.display().to_string(),
            format!("a crate `{folder}` says nothing: name what is inside"),
        )
    })
}

/// Uses of the outside world in a file of the domain, unit tests at its end excepted.
fn impurities(file: &TextFile) -> Vec<Finding> {
    let product = file
        .content
        .split("#[cfg(test)]\nmod ")
        .next()
        .unwrap_or_default();
    let mut findings = Vec::new();
    let mut finding = |number: usize, what: &str, instead: &str| {
        let place = format!("{}:{}", file.path.display(), number + 1);
        findings.push(Finding::new(
            place,
            format!("the domain is pure and may not use {what}: {instead}"),
        ));
    };
    // A `use std::{…}` may run over several lines; modules in it are found until it closes.
    let mut in_std_group = false;
    for (number, line) in product.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (call, instead) in IMPURE_CALLS.iter().filter(|(call, _)| code.contains(call)) {
            finding(number, call, instead);
        }
        let group = in_std_group || code.contains("use std::{");
        for (module, instead) in IMPURE_MODULES {
            if contains_path(code, &format!("std::{module}")) || (group && in_group(code, module)) {
                finding(number, &format!("std::{module}"), instead);
            }
        }
        in_std_group = group && !code.contains(';');
    }
    findings
}

/// Whether `path` occurs as a whole path: `std::env` in `std::env::var` or `std::env;`, not in `std::environs`.
fn contains_path(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(at, _)| {
        let after = code.get(at + path.len()..).and_then(|rest| rest.chars().next());
        !after.is_some_and(|next| next.is_alphanumeric() || next == '_')
    })
}

/// Whether `module` stands at the first level of a `use std::{…}` group on this line.
fn in_group(code: &str, module: &str) -> bool {
    let inside = code.rsplit("use std::{").next().unwrap_or_default();
    inside.split([',', '{', '}', ';']).any(|item| {
        let path = item.trim();
        path == module
            || path
                .strip_prefix(module)
                .is_some_and(|rest| rest.starts_with("::"))
    })
}
