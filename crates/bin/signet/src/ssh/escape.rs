/// What was typed, as it goes to the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// These bytes.
    Send(Vec<u8>),
    /// These bytes, and then the connection is cut.
    Cut(Vec<u8>),
    /// These bytes, and the help is shown.
    Help(Vec<u8>),
}

/// Looks for `~.` and its like after a line's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Escape {
    /// At the start of a line.
    #[default]
    LineStart,
    /// After a `~` at the start of a line, which was not sent.
    Tilde,
    /// Somewhere else.
    Within,
}

/// What `~?` shows.
pub(super) const HELP: &str = "~.  cut the connection\r\n~~  send ~\r\n~?  this help\r\n";

impl Escape {
    /// Takes what was typed.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Typed {
        let mut send = Vec::with_capacity(bytes.len());
        let mut wants_help = false;
        for byte in bytes {
            let was_tilde = *self == Self::Tilde;
            match (*self, byte) {
                (Self::LineStart, b'~') => {
                    *self = Self::Tilde;
                    continue;
                }
                (Self::Tilde, b'.') => return Typed::Cut(send),
                (Self::Tilde, b'?') => {
                    wants_help = true;
                    *self = Self::LineStart;
                    continue;
                }
                (Self::Tilde, b'~') => {
                    send.push(b'~');
                    *self = Self::Within;
                    continue;
                }
                (Self::LineStart | Self::Tilde | Self::Within, _) => {}
            }
            if was_tilde {
                send.push(b'~');
            }
            send.push(*byte);
            *self = if matches!(byte, b'\r' | b'\n') {
                Self::LineStart
            } else {
                Self::Within
            };
        }
        if wants_help {
            Typed::Help(send)
        } else {
            Typed::Send(send)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_start_of_a_line_counts() {
        let mut escape = Escape::default();
        assert_eq!(escape.take(b"ls ~.\r"), Typed::Send(b"ls ~.\r".to_vec()));
        assert_eq!(escape.take(b"~"), Typed::Send(Vec::new()));
        assert_eq!(escape.take(b"x\r"), Typed::Send(b"~x\r".to_vec()));
        assert_eq!(escape.take(b"~~.\r"), Typed::Send(b"~.\r".to_vec()));
        assert_eq!(escape.take(b"~?a"), Typed::Help(b"a".to_vec()));
        assert_eq!(escape.take(b"\r~"), Typed::Send(b"\r".to_vec()));
        assert_eq!(escape.take(b"."), Typed::Cut(Vec::new()));
    }
}
