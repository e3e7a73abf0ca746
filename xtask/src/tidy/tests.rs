//! Plants each violation in a small workspace and looks for the finding; the real workspace has none.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{Finding, findings, links, machine, rings, sources, text_files};
use crate::workspace::Workspace;

/// A workspace of empty crates in a temporary directory.
struct Planted(TempDir);

impl Planted {
    fn new() -> Self {
        let planted = Self(TempDir::with_prefix("tidy-").unwrap());
        planted.write(
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*/*\"]\n",
        );
        planted
            .krate("domain", "names", "")
            .krate("ports", "state", "")
            .krate("adapters", "store", "");
        planted
    }

    fn krate(&self, ring: &str, name: &str, dependencies: &str) -> &Self {
        let folder = format!("crates/{ring}/{name}");
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{dependencies}");
        self.write(&format!("{folder}/Cargo.toml"), &manifest)
            .write(&format!("{folder}/src/lib.rs"), "")
    }

    fn write(&self, path: &str, content: &str) -> &Self {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn workspace(&self) -> Workspace {
        Workspace::at(self.root(), None).unwrap()
    }

    fn arrows(&self) -> Vec<Finding> {
        let workspace = self.workspace();
        rings::findings(workspace.root(), workspace.packages())
    }

    fn sources(&self) -> Vec<Finding> {
        sources::findings(&text_files(&self.workspace()).unwrap())
    }
}

#[track_caller]
fn only(findings: &[Finding], place: &str, problem: &str) {
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(
        findings[0].place.contains(place) && findings[0].problem.contains(problem),
        "{findings:?}"
    );
}

const ON_NAMES: &str = "[dependencies]\nnames = { path = \"../../domain/names\" }\n";
const ON_STATE: &str = "[dependencies]\nstate = { path = \"../../ports/state\" }\n";
const ON_STORE: &str = "[dependencies]\nstore = { path = \"../../adapters/store\" }\n";

#[test]
fn the_workspace_is_tidy() {
    let found = findings(&Workspace::find(None).unwrap()).unwrap();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn arrows_inwards_are_fine() {
    let planted = Planted::new();
    planted
        .krate("ports", "state", ON_NAMES)
        .krate("app", "rotator", ON_STATE)
        .krate("adapters", "store", ON_STATE);
    planted
        .krate("bin", "signetd", ON_STORE)
        .krate("app", "tested", &ON_STORE.replace("[dep", "[dev-dep"));
    assert_eq!(planted.arrows(), []);
}

#[test]
fn arrows_outwards_are_found() {
    for (ring, dependencies) in [
        ("domain", ON_STATE),
        ("domain", ON_STORE),
        ("ports", ON_STORE),
        ("app", ON_STORE),
    ] {
        let planted = Planted::new();
        planted.krate(ring, "offender", dependencies);
        only(&planted.arrows(), "offender", "points outwards");
    }
}

#[test]
fn the_domain_may_not_reach_out_even_in_its_tests() {
    let planted = Planted::new();
    planted.krate("domain", "offender", &ON_STORE.replace("[dep", "[dev-dep"));
    only(
        &planted.arrows(),
        "offender",
        "dev-dependency on store points outwards",
    );
}

#[test]
fn testing_crates_are_for_tests_only() {
    let planted = Planted::new();
    let on_parts = "[dependencies]\nparts = { path = \"../../testing/parts\" }\n";
    planted.krate("testing", "parts", ON_STORE).krate(
        "adapters",
        "tested",
        &on_parts.replace("[dep", "[dev-dep"),
    );
    planted.krate("testing", "kit", on_parts);
    assert_eq!(planted.arrows(), []);
    planted.krate("adapters", "offender", on_parts);
    only(
        &planted.arrows(),
        "offender",
        "dependency on parts points outwards, from adapters to testing",
    );
}

#[test]
fn nothing_depends_on_a_program() {
    let planted = Planted::new();
    planted.krate("bin", "signetd", "");
    planted.krate(
        "adapters",
        "offender",
        "[dependencies]\nsignetd = { path = \"../../bin/signetd\" }\n",
    );
    only(&planted.arrows(), "offender", "from adapters to bin");
}

#[test]
fn a_crate_outside_the_rings_is_found() {
    let planted = Planted::new();
    planted.krate("shared", "stray", "");
    only(&planted.arrows(), "stray", "lies in no ring");
}

#[test]
fn impure_dependencies_of_the_domain_are_found_but_not_in_its_tests() {
    let planted = Planted::new();
    planted.krate("domain", "tested", "[dev-dependencies]\nrand = \"1\"\n");
    assert_eq!(planted.arrows(), []);
    planted.krate("domain", "offender", "[dependencies]\ntokio = \"1\"\n");
    only(&planted.arrows(), "offender", "may not depend on tokio");
}

#[test]
fn impure_code_in_the_domain_is_found() {
    for (code, problem) in [
        ("fn now() { std::time::SystemTime::now(); }", "SystemTime::now"),
        (
            "use std::time::Instant;\nfn now() { Instant::now(); }",
            "Instant::now",
        ),
        ("fn v() { std::env::var_os(\"X\"); }", "std::env"),
        ("use std::fs;", "std::fs"),
        ("use std::{fmt, fs::File};", "std::fs"),
        ("use std::net::TcpStream;", "TcpStream"),
        ("use std::{\n    fmt,\n    process,\n};", "std::process"),
    ] {
        let planted = Planted::new();
        planted.write("crates/domain/names/src/lib.rs", code);
        only(&planted.sources(), "crates/domain/names/src/lib.rs:", problem);
    }
}

#[test]
fn pure_code_comments_and_tests_pass() {
    let planted = Planted::new();
    planted.write(
        "crates/domain/names/src/lib.rs",
        "// std::env is not read here\nuse std::{fmt, net::IpAddr};\nfn environment(fs: u8) {}\n\
         #[cfg(test)]\nmod tests {\n    use std::fs;\n}\n",
    );
    planted.write("crates/domain/names/src/serial/tests.rs", "use std::fs;\n");
    planted.write("crates/domain/names/tests/golden.rs", "use std::fs;\n");
    planted.write("crates/adapters/store/src/lib.rs", "use std::fs;\n");
    assert_eq!(planted.sources(), []);
}

#[test]
fn long_files_are_found_but_not_tests() {
    let planted = Planted::new();
    let long = "//\n".repeat(601);
    planted
        .write("crates/ports/state/tests/all.rs", &long)
        .write("crates/ports/state/src/watch/tests.rs", &long);
    planted.write("crates/ports/state/src/watch.rs", &"//\n".repeat(600));
    assert_eq!(planted.sources(), []);
    planted.write("crates/ports/state/src/lib.rs", &long);
    only(&planted.sources(), "crates/ports/state/src/lib.rs", "601 lines");
}

#[test]
fn empty_names_are_found() {
    let planted = Planted::new();
    planted
        .write("crates/ports/state/src/type_of_key.rs", "")
        .krate("adapters", "api-types", "");
    assert_eq!(planted.sources(), []);
    for path in [
        "crates/ports/state/src/utils.rs",
        "crates/ports/state/src/helpers/mod.rs",
    ] {
        let planted = Planted::new();
        planted.write(path, "");
        only(&planted.sources(), path, "says nothing");
    }
    let planted = Planted::new();
    planted.krate("app", "common", "");
    assert!(
        planted
            .sources()
            .iter()
            .any(|finding| finding.place == "crates/app/common/Cargo.toml")
    );
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let planted = Planted::new();
    planted.write("README.md", "# The whole\n[a](docs/a.md) [b](docs) [c](https://example.com/c) `[d](none.md)`\n")
        .write("docs/a.md", "# A\n## How `it` goes, twice\n## Twice\n## Twice\n[up](../README.md#the-whole) [own](#how-it-goes-twice) [two](#twice-1)\n```\n[x](none.md)\n```\n")
        .write("crates/domain/names/src/part.md", "[there](only/in/the/whole.md)\n");
    let found = || links::findings(planted.root(), &text_files(&planted.workspace()).unwrap());
    assert_eq!(found(), []);
    for (link, problem) in [
        ("b.md", "there is no docs/b.md"),
        ("../../README.md", "there is no"),
        ("../README.md#part", "names no heading of README.md"),
        ("#twice-2", "names no heading of docs/a.md"),
    ] {
        planted.write("docs/a.md", &format!("# Twice\n# Twice\n\nSee [this]({link}).\n"));
        only(&found(), "docs/a.md:4", problem);
    }
}

#[test]
fn places_of_this_machine_are_found() {
    let planted = Planted::new();
    let workspace = planted.workspace();
    let root = planted.root().display().to_string();
    planted.write("docs/build.md", &format!("Look at `{root}/crates`.\n"));
    planted.write(
        "docs/fine.md",
        &format!("Look at /tmp, https://example.org{root}/crates and {root}-other.\n"),
    );
    let files = text_files(&workspace).unwrap();
    only(
        &machine::findings(&files, &machine::places(&workspace)),
        "docs/build.md:1",
        "on this machine only",
    );
}

#[test]
fn banned_crates_are_found_through_others() {
    let planted = Planted::new();
    // Stand-ins by path, so that the test needs no registry.
    planted.write(
        "crates/ports/ring/Cargo.toml",
        "[package]\nname = \"ring\"\nversion = \"0.17.0\"\nedition = \"2024\"\n",
    );
    planted.write("crates/ports/ring/src/lib.rs", "");
    planted.krate(
        "adapters",
        "tls",
        "[dependencies]\nring = { path = \"../../ports/ring\" }\n",
    );
    let found = super::banned::findings(&planted.workspace()).unwrap();
    only(&found, "Cargo.lock", "tls v0.1.0");

    assert_eq!(super::banned::findings(&Planted::new().workspace()).unwrap(), []);
}
