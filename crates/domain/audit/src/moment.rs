//! RFC 3339 in UTC, written without detours: a line has several moments and is sealed on the way of every certificate.

/// How much of a moment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    Seconds,
    Millis,
}

/// The `time` of a line: RFC 3339 in UTC with milliseconds. Moments before the year 0 or after the year 9999 are written as the
/// nearest moment inside.
pub fn time_text(unix_millis: i64) -> String {
    let mut text = String::with_capacity("2026-03-01T12:00:00.000Z".len());
    push_moment(&mut text, unix_millis, Precision::Millis);
    text
}

pub(crate) fn push_moment(text: &mut String, unix_millis: i64, precision: Precision) {
    let unix_millis = unix_millis.clamp(MILLIS_MIN, MILLIS_MAX);
    let (days, in_day) = (
        unix_millis.div_euclid(DAY_MILLIS),
        unix_millis.rem_euclid(DAY_MILLIS),
    );
    let (year, month, day) = civil(days);
    push_digits(text, year, 4);
    for (before, number) in [('-', month), ('-', day), ('T', in_day / 3_600_000)] {
        text.push(before);
        push_digits(text, number, 2);
    }
    for number in [in_day / 60_000 % 60, in_day / 1_000 % 60] {
        text.push(':');
        push_digits(text, number, 2);
    }
    match precision {
        Precision::Seconds => {}
        Precision::Millis => {
            text.push('.');
            push_digits(text, in_day % 1_000, 3);
        }
    }
    text.push('Z');
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar: years are counted from March, so that the
/// leap day is the last of its year, in eras of 400 years, which all have the same length.
const fn civil(days: i64) -> (i64, i64, i64) {
    let from_era = days + DAYS_TO_1970;
    let (era, day_of_era) = (from_era.div_euclid(ERA_DAYS), from_era.rem_euclid(ERA_DAYS));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + (month <= 2) as i64;
    (year, month, day)
}

/// Decimal digits of a number that has no more than `width` of them.
fn push_digits(text: &mut String, number: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = number / 10_i64.pow(place) % 10;
        text.push(char::from(b'0' + u8::try_from(digit).unwrap_or_default()));
    }
}

const DAY_MILLIS: i64 = 86_400_000;
/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
const ERA_DAYS: i64 = 146_097;
/// 0000-01-01T00:00:00.000Z.
const MILLIS_MIN: i64 = -62_167_219_200_000;
/// 9999-12-31T23:59:59.999Z.
const MILLIS_MAX: i64 = 253_402_300_799_999;
