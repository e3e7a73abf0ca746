//! From the cluster's values to the API's documents. Pure.

pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod authorities;
pub(crate) mod certificates;
pub(crate) mod exports;
pub(crate) mod keys;
pub(crate) mod rotations;
pub(crate) mod sign;
pub(crate) mod status;

use std::fmt::Display;
use std::str::FromStr;

use crate::problem::Problem;

/// Parses a field.
///
/// # Errors
/// When it does not parse, with the parser's words.
pub(crate) fn parse<T>(field: &'static str, text: &str) -> Result<T, Problem>
where
    T: FromStr,
    T::Err: Display,
{
    text.parse().map_err(|error: T::Err| Problem::BadRequest {
        field,
        problem: error.to_string(),
    })
}

/// Checks the length of a page.
///
/// # Errors
/// When it is 0 or more than there may be.
pub(crate) fn limit(asked: Option<usize>, default: usize, most: usize) -> Result<usize, Problem> {
    match asked {
        None => Ok(default),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(limit) => {
            let problem = format!("{limit} is not from 1 to {most}");
            Err(Problem::BadRequest {
                field: "limit",
                problem,
            })
        }
    }
}

/// As much of what was sent as an answer repeats.
pub(crate) fn echo(text: &str) -> String {
    text.chars().take(40).collect()
}
