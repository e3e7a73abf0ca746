use serde::Deserialize;
use serde::Serialize;

use crate::NameError;

/// A moment: whole seconds since 1970-01-01T00:00:00Z.
///
/// Reads and writes RFC 3339 in documents (`2026-03-01T12:00:00Z`). Moments before 1970 or after the year 9999 do not parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnixSeconds(pub i64);

impl UnixSeconds {
    /// This moment plus a length of time, saturating.
    #[must_use]
    pub const fn plus(self, ttl: Ttl) -> Self {
        Self(self.0.saturating_add(ttl.seconds_i64()))
    }

    /// This moment less a length of time, saturating.
    #[must_use]
    pub const fn minus(self, ttl: Ttl) -> Self {
        Self(self.0.saturating_sub(ttl.seconds_i64()))
    }

    /// The seconds since the epoch, 0 for moments before it.
    pub const fn as_u64(self) -> u64 {
        if self.0 < 0 { 0 } else { self.0.unsigned_abs() }
    }
}

impl std::fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

impl std::str::FromStr for UnixSeconds {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let malformed = NameError::Malformed {
            what: "time",
            reason: "is not RFC 3339, such as 2026-03-01T12:00:00Z",
        };
        let moment: jiff::Timestamp = text.parse().map_err(|_| malformed.clone())?;
        if moment.as_second() < 0 {
            Err(malformed)
        } else {
            Ok(Self(moment.as_second()))
        }
    }
}

impl TryFrom<String> for UnixSeconds {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<UnixSeconds> for String {
    fn from(moment: UnixSeconds) -> Self {
        moment.to_string()
    }
}

/// A length of time in whole seconds, written as people write it: `90s`, `30m`, `12h`, `7d`, `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ttl(u64);

impl Ttl {
    /// The longest: 100 years of 365 days.
    pub const MAX: Self = Self(100 * 365 * 86_400);

    /// So many seconds, at most [`Ttl::MAX`].
    pub const fn from_seconds(seconds: u64) -> Self {
        if seconds > Self::MAX.0 {
            Self::MAX
        } else {
            Self(seconds)
        }
    }

    /// So many hours.
    pub const fn from_hours(hours: u64) -> Self {
        Self::from_seconds(hours.saturating_mul(3_600))
    }

    /// So many days of 86,400 seconds.
    pub const fn from_days(days: u64) -> Self {
        Self::from_seconds(days.saturating_mul(86_400))
    }

    /// The length in seconds.
    pub const fn seconds(self) -> u64 {
        self.0
    }

    const fn seconds_i64(self) -> i64 {
        // At most `MAX`, which fits.
        self.0.cast_signed()
    }
}

impl std::fmt::Display for Ttl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.0;
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
            let count = rest / seconds;
            rest %= seconds;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for Ttl {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let malformed = || NameError::Malformed {
            what: "duration",
            reason: "is not a number with a unit (s, m, h or d), such as 90s, 12h or 1h30m",
        };
        let mut total: u64 = 0;
        let mut number: Option<u64> = None;
        for character in text.chars() {
            if let Some(digit) = character.to_digit(10) {
                let grown = number
                    .unwrap_or(0)
                    .checked_mul(10)
                    .and_then(|n| n.checked_add(u64::from(digit)));
                number = Some(grown.ok_or_else(malformed)?);
                continue;
            }
            let unit = match character {
                's' => 1,
                'm' => 60,
                'h' => 3_600,
                'd' => 86_400,
                _ => return Err(malformed()),
            };
            let part = number
                .take()
                .and_then(|n| n.checked_mul(unit))
                .ok_or_else(malformed)?;
            total = total.checked_add(part).ok_or_else(malformed)?;
        }
        if number.is_some() || text.is_empty() {
            return Err(malformed());
        }
        if total > Self::MAX.0 {
            return Err(NameError::Malformed {
                what: "duration",
                reason: "is longer than 100 years",
            });
        }
        Ok(Self(total))
    }
}

impl TryFrom<String> for Ttl {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Ttl> for String {
    fn from(ttl: Ttl) -> Self {
        ttl.to_string()
    }
}
