//! Policy: what may be asked for, and the linter.
//!
//! A request and its [`X509Profile`], [`SshProfile`] or [`TokenProfile`] become a plan; the plan becomes the very bytes that will be signed;
//! the linter reads those bytes back and checks every rule. What passes is a [`LintedPlan`], the only thing the signer accepts,
//! and it is consumed by use. Anything a profile does not grant is absent: deny by default.

mod finding;
mod lint_crl;
mod lint_ssh;
mod lint_token;
mod lint_x509;
mod linted;
mod spiffe;
mod ssh;
mod token;
mod x509_plan;
mod x509_rules;

pub use finding::Finding;
pub use lint_crl::lint_crl;
pub use lint_ssh::lint_ssh;
pub use lint_token::lint_token;
pub use lint_x509::{lint_authority, lint_x509};
pub use linted::{AssembleError, LintedPlan, Summary, ToBeSigned};
pub use spiffe::check_spiffe_id;
pub use ssh::{SshProfile, SshRequest, plan_ssh};
pub use token::{TokenProfile, TokenRequest, plan_token};
pub use x509_plan::{X509Plan, X509Request, plan_x509};
pub use x509_rules::{AltNameRule, X509Profile, X509Rules};

use names::Ttl;
use names::UnixSeconds;

/// Certificates begin this much before they are made, because clocks differ.
pub const BACKDATE: Ttl = Ttl::from_seconds(60);

/// The length of time asked for, or the profile's own; never beyond the profile's longest.
///
/// # Errors
/// A finding when it is zero or longer than the profile allows.
fn lifetime(asked: Option<Ttl>, usual: Ttl, longest: Ttl) -> Result<Ttl, Vec<Finding>> {
    let ttl = asked.unwrap_or(usual);
    if ttl.seconds() == 0 {
        return Err(vec![Finding::new(
            "ttl",
            "a certificate of no length is of no use; ask for at least 1s",
        )]);
    }
    if ttl > longest {
        let message = format!("{ttl} is longer than the {longest} this profile allows");
        return Err(vec![Finding::new("ttl", message)]);
    }
    Ok(ttl)
}

/// The end of a certificate: after its lifetime, but not after its issuer.
fn end(now: UnixSeconds, ttl: Ttl, issuer_ends: UnixSeconds) -> UnixSeconds {
    now.plus(ttl).min(issuer_ends)
}

#[cfg(test)]
mod tests;
