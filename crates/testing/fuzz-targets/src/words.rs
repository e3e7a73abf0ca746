//! Names and other words.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use authority::{AuthorityType, KeyForm, Suite};
use key::KeyId;
use names::{ClusterName, HostName, Principal, Serial, Ttl, UnixSeconds, UserName};
use rotation::Phase;

/// A name of something, a time, a number: every kind of word that people type.
pub fn name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    reads_as_written::<ClusterName>(text);
    reads_as_written::<HostName>(text);
    reads_as_written::<Principal>(text);
    reads_as_written::<UserName>(text);
    reads_as_written::<Serial>(text);
    reads_as_written::<UnixSeconds>(text);
    reads_as_written::<Ttl>(text);
    reads_as_written::<AuthorityType>(text);
    reads_as_written::<KeyForm>(text);
    reads_as_written::<Suite>(text);
    reads_as_written::<Phase>(text);
    reads_as_written::<KeyId>(text);
    if let Some(address) = HostName::parse(text).ok().and_then(|host| host.address()) {
        assert_eq!(text.parse(), Ok(address), "what is taken for an address is one");
    }
}

/// What was read and is written is read as the same, and stays on its line.
fn reads_as_written<T>(text: &str)
where
    T: FromStr<Err: Display> + Display + Debug + PartialEq,
{
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            assert!(!written.contains(char::is_control), "{written:?}");
            let again = written.parse::<T>();
            assert!(
                again.as_ref().is_ok_and(|again| *again == value),
                "{value:?} is written {written:?} and read as {:?}",
                again.map_err(|error| error.to_string())
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
