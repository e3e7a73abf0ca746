//! Every event there is, in the order of the reference. The lists are in files of their own.

mod of_access;
mod of_authorities;
mod of_the_log;

use authority::AuthorityType;
use authority::KeyForm;
use key::KeyId;
use key::SpkiSha256;
use names::UnixSeconds;
use serde::Deserialize;
use serde::Serialize;

use crate::Outcome;
use crate::definition::EventKind;
use crate::definition::FieldKind;
use crate::definition::code;
use crate::definition::events;
use crate::line::Line;
use crate::line::Render;
use of_access::of_access;
use of_authorities::of_authorities;
use of_the_log::of_the_log;

of_authorities! { [of_access of_the_log events] }

/// A rollback is told from the ordinary course by its code.
fn phase_code(to: &str, outcome: &Outcome) -> &'static str {
    match (to == "rollback", outcome) {
        (false, Outcome::Success) => "SR002I",
        (false, Outcome::Failure(_)) => "SR002E",
        (true, Outcome::Success) => "SR003I",
        (true, Outcome::Failure(_)) => "SR003E",
    }
}
