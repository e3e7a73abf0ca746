//! Signals by their names in the protocol (RFC 4254, section 6.9).

use russh::Sig;

/// The protocol's signal of that name.
pub(crate) fn wire_signal(name: &str) -> Sig {
    let known = [
        Sig::ABRT,
        Sig::ALRM,
        Sig::FPE,
        Sig::HUP,
        Sig::ILL,
        Sig::INT,
        Sig::KILL,
        Sig::PIPE,
        Sig::QUIT,
        Sig::SEGV,
        Sig::TERM,
        Sig::USR1,
    ];
    let found = known.into_iter().find(|signal| signal_name(signal) == Some(name));
    found.unwrap_or_else(|| Sig::Custom(name.to_owned()))
}

/// The name of the protocol's signal.
pub(crate) fn signal_name(signal: &Sig) -> Option<&str> {
    Some(match signal {
        Sig::ABRT => "ABRT",
        Sig::ALRM => "ALRM",
        Sig::FPE => "FPE",
        Sig::HUP => "HUP",
        Sig::ILL => "ILL",
        Sig::INT => "INT",
        Sig::KILL => "KILL",
        Sig::PIPE => "PIPE",
        Sig::QUIT => "QUIT",
        Sig::SEGV => "SEGV",
        Sig::TERM => "TERM",
        Sig::USR1 => "USR1",
        Sig::Custom(name) => name,
    })
}
