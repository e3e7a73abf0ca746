//! Four rings, arrows only inwards.

use std::path::Path;

use super::Finding;
use crate::workspace::{Dependency, Package};

/// Where a crate stands, read from the folder it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ring {
    Domain,
    Ports,
    App,
    Adapters,
    Bin,
    Testing,
    /// `xtask`: not part of the product.
    Tools,
}

/// Crates that bring time, chance or the outside world into a ring that has to be pure.
const IMPURE: [&str; 13] = [
    "async-std",
    "axum",
    "fastrand",
    "getrandom",
    "hyper",
    "hyper-util",
    "mio",
    "nix",
    "rand",
    "reqwest",
    "rusqlite",
    "tempfile",
    "tokio",
];

impl Ring {
    fn of(root: &Path, folder: &Path) -> Option<Self> {
        let inside = folder.strip_prefix(root).ok()?;
        let mut steps = inside.iter().filter_map(|step| step.to_str());
        match (steps.next()?, steps.next()) {
            ("xtask", None) => Some(Self::Tools),
            ("crates", Some("domain")) => Some(Self::Domain),
            ("crates", Some("ports")) => Some(Self::Ports),
            ("crates", Some("app")) => Some(Self::App),
            ("crates", Some("adapters")) => Some(Self::Adapters),
            ("crates", Some("bin")) => Some(Self::Bin),
            ("crates", Some("testing")) | ("e2e" | "fuzz", _) => Some(Self::Testing),
            (_, _) => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Ports => "ports",
            Self::App => "app",
            Self::Adapters => "adapters",
            Self::Bin => "bin",
            Self::Testing => "testing",
            Self::Tools => "xtask",
        }
    }

    /// Whether a crate of this ring may depend on one of `other`.
    fn may_use(self, other: Self, for_tests_only: bool) -> bool {
        match (self, other) {
            (Self::Testing, _) | (_, Self::Domain) => true,
            (Self::Tools, _) | (_, Self::Tools) | (_, Self::Bin) => false,
            (_, Self::Testing) => for_tests_only,
            (Self::Domain, Self::Ports | Self::App | Self::Adapters) => false,
            (Self::Ports, other) => other == Self::Ports || for_tests_only,
            (Self::App, other) => other != Self::Adapters || for_tests_only,
            (Self::Adapters | Self::Bin, Self::Ports | Self::App | Self::Adapters) => true,
        }
    }
}

/// Arrows outwards, impure dependencies of the domain, and crates that lie in no ring.
pub(super) fn findings(root: &Path, packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let Some(ring) = Ring::of(root, &package.folder) else {
            let place = package.folder.display().to_string();
            findings.push(Finding::new(place, "lies in no ring: move it to crates/<ring>/"));
            continue;
        };
        for dependency in &package.dependencies {
            findings.extend(arrow_outwards(root, package, ring, dependency));
            findings.extend(impurity(package, ring, dependency));
        }
    }
    findings
}

fn arrow_outwards(root: &Path, package: &Package, from: Ring, dependency: &Dependency) -> Option<Finding> {
    let to = Ring::of(root, dependency.path.as_deref()?)?;
    if from.may_use(to, dependency.for_tests_only) {
        return None;
    }
    let kind = if dependency.for_tests_only {
        "dev-dependency"
    } else {
        "dependency"
    };
    let problem = format!(
        "{kind} on {} points outwards, from {} to {}: define a port and let the outer crate implement it",
        dependency.name,
        from.name(),
        to.name()
    );
    Some(Finding::new(&package.name, problem))
}

fn impurity(package: &Package, ring: Ring, dependency: &Dependency) -> Option<Finding> {
    let banned =
        ring == Ring::Domain && !dependency.for_tests_only && IMPURE.contains(&dependency.name.as_str());
    banned.then(|| {
        let problem = format!(
            "the domain is pure and may not depend on {}: take the value as an argument",
            dependency.name
        );
        Finding::new(&package.name, problem)
    })
}
