//! The documents of a cluster: users, roles, locks and settings.
//!
//! What may be written, by compare-and-swap on the revision it was decided on and with the audit event before it; what a user's
//! roles are; and [`AccessView`], everything a node needs to decide by itself. Join tokens and nodes are read and listed here and
//! written by `enrollment`. Start reading at [`Directory::open`] and [`Directory::put`].

mod announce;
mod directory;
mod documents;
mod error;
mod last_editor;
mod presets;
mod remove;
mod rules;
mod view;
mod write;

pub use announce::token_name;
pub use directory::{Directory, Listing};
pub use documents::{decode, encode, key_of};
pub use error::{DirectoryError, Refusal};
pub use remove::Delete;
pub use view::AccessView;
pub use write::Put;
