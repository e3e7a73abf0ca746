use names::UnixSeconds;

use crate::BuildError;
use crate::ParseError;
use crate::error::malformed;
use crate::error::unencodable;
use crate::read::Element;
use crate::write::DerWriter;
use crate::write::GENERALIZED_TIME;
use crate::write::UTC_TIME;

/// 2050-01-01T00:00:00Z: from then on, times are GeneralizedTime (RFC 5280 section 4.1.2.5).
const YEAR_2050: i64 = 2_524_608_000;
/// 9999-12-31T23:59:59Z, the last moment X.509 can write.
const LAST: i64 = 253_402_300_799;

/// A moment as a certificate has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodedTime {
    /// The moment.
    pub moment: UnixSeconds,
    /// Whether it is written as GeneralizedTime rather than UTCTime.
    pub is_generalized: bool,
}

impl EncodedTime {
    /// Whether the type is the one RFC 5280 section 4.1.2.5 asks for: UTCTime through 2049, GeneralizedTime after.
    pub const fn is_rightly_typed(self) -> bool {
        self.is_generalized == (self.moment.0 >= YEAR_2050)
    }
}

/// Checks that a moment has an encoding: from 1970 to the year 9999.
pub(crate) const fn check_encodable(what: &'static str, moment: UnixSeconds) -> Result<(), BuildError> {
    if moment.0 < 0 || moment.0 > LAST {
        return Err(unencodable(what, "is before 1970 or after the year 9999"));
    }
    Ok(())
}

/// Writes a moment that [`check_encodable`] has seen.
pub(crate) fn write_time(writer: &mut DerWriter, moment: UnixSeconds) {
    let (year, month, day) = civil_from_days(moment.0.div_euclid(86_400));
    let second = moment.0.rem_euclid(86_400);
    let clock = [month, day, second / 3_600, second / 60 % 60, second % 60];
    let mut digits = Vec::with_capacity(15);
    let is_generalized = moment.0 >= YEAR_2050;
    if is_generalized {
        push_two_digits(&mut digits, year / 100);
    }
    push_two_digits(&mut digits, year % 100);
    for number in clock {
        push_two_digits(&mut digits, number);
    }
    digits.push(b'Z');
    writer.primitive(
        if is_generalized {
            GENERALIZED_TIME
        } else {
            UTC_TIME
        },
        &digits,
    );
}

/// Reads a `Time` (RFC 5280 section 4.1): whole seconds, `Z`.
pub(crate) fn read_time(element: Element<'_>, what: &'static str) -> Result<EncodedTime, ParseError> {
    let (century, rest, is_generalized) = match (element.tag, element.content.len()) {
        (UTC_TIME, 13) => (None, element.content, false),
        (GENERALIZED_TIME, 15) => {
            let (century, rest) = element
                .content
                .split_at_checked(2)
                .ok_or_else(|| malformed(what, "it has a short time"))?;
            (Some(two_digits(century, what)?), rest, true)
        }
        _ => {
            return Err(malformed(
                what,
                "it has a time that is not UTCTime or GeneralizedTime in whole seconds and Z",
            ));
        }
    };
    let mut numbers = [0_i64; 6];
    for (number, digits) in numbers.iter_mut().zip(rest.chunks(2)) {
        *number = two_digits(digits, what)?;
    }
    let [short_year, month, day, hour, minute, second] = numbers;
    if rest.last() != Some(&b'Z') {
        return Err(malformed(what, "it has a time without Z"));
    }
    // RFC 5280 section 4.1.2.5.1: two digits from 50 up are of the twentieth century.
    let year = short_year
        + century.map_or(if short_year >= 50 { 1900 } else { 2000 }, |century| {
            century * 100
        });
    let days = days_from_civil(year, month, day);
    if civil_from_days(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return Err(malformed(what, "it has a time that is in no calendar"));
    }
    let moment = UnixSeconds(days * 86_400 + hour * 3_600 + minute * 60 + second);
    Ok(EncodedTime {
        moment,
        is_generalized,
    })
}

fn push_two_digits(digits: &mut Vec<u8>, number: i64) {
    // Callers pass 0 to 99.
    for digit in [number / 10 % 10, number % 10] {
        digits.push(b'0' + u8::try_from(digit).unwrap_or(0));
    }
}

fn two_digits(text: &[u8], what: &'static str) -> Result<i64, ParseError> {
    match text {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Ok(i64::from(tens - b'0') * 10 + i64::from(ones - b'0')),
        [..] => Err(malformed(what, "it has a time with something other than digits")),
    }
}

/// The Gregorian date of a day counted from 1970-01-01: years counted from March, in eras of 400 years.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}
