//! Documents: what is read, what is refused and in which words, and that what is printed reads back.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail the test"
)]

mod names;
mod problems;
mod properties;
mod round_trip;

use resource::{AnyDocument, Problem};
use serde_json::Value;

/// A document of YAML, as an adapter would hand it over.
fn yaml(text: &str) -> Result<AnyDocument, Vec<Problem>> {
    let value: Value = serde_saphyr::from_str(text).expect("the test's own YAML");
    AnyDocument::from_value(value)
}

/// The one problem of a document.
fn only_problem(text: &str) -> Problem {
    let mut problems = yaml(text).expect_err("a refused document");
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}
