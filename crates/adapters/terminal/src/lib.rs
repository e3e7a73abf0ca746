//! What the command lines share: tables, text that cannot drive the terminal, the way to a page on which something is approved, and the
//! documents made from the description of their commands: manual pages and the reference, with the checks that keep them true.

mod approval_page;
mod documented;
mod examples;
mod golden;
mod manual;
mod person;
mod reference;
mod table;
mod visible;

pub use approval_page::ApprovalPage;
pub use approval_page::page_opener;
pub use documented::wrong_calls;
pub use examples::examples_that_do_not_parse;
pub use examples::examples_too_wide;
pub use examples::undocumented;
pub use golden::Golden;
pub use manual::manual_pages;
pub use person::ask_aloud;
pub use person::is_attended;
pub use person::is_watched;
pub use person::tell;
pub use reference::reference;
pub use table::counted;
pub use table::joined;
pub use table::listing;
pub use table::or_dash;
pub use table::table;
pub use visible::visible;
pub use visible::visible_lines;
