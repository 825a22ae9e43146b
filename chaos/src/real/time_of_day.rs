//! Times of day, as people write them (RFC 3339, UTC).

use rustix::time::{ClockId, clock_gettime};

/// Seconds since 1970, by this process's own clock. Nothing is decided by it: it is what a fault of a
/// node's clock is measured with.
pub(crate) fn now() -> Option<i64> {
    Some(clock_gettime(ClockId::Realtime).tv_sec)
}

/// Seconds since 1970 of `2026-11-21T11:00:00.123Z`.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let time = time.split('.').next()?;
    let [year, month, day] = numbers(date, '-')?;
    let [hours, minutes, seconds] = numbers(time, ':')?;
    let days = days(year, month, day)?;
    let in_day = hours
        .checked_mul(3_600)?
        .checked_add(minutes.checked_mul(60)?)?;
    days.checked_mul(86_400)?
        .checked_add(in_day)?
        .checked_add(seconds)
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let numbers: Option<Vec<i64>> = text
        .split(separator)
        .map(|part| part.parse().ok())
        .collect();
    numbers?.try_into().ok()
}

/// Days since 1970-01-01 of the Gregorian calendar, counted in years that begin in March, so that a
/// leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let year = if month <= 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let month = month.checked_add(9)?.checked_rem(12)?;
    let leaps = (year / 4)
        .checked_sub(year / 100)?
        .checked_add(year / 400)?;
    let in_year = month.checked_mul(153)?.checked_add(2)?.checked_div(5)?;
    let since = year.checked_mul(365)?.checked_add(leaps)?;
    since
        .checked_add(in_year)?
        .checked_add(day)?
        .checked_sub(719_469)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read_as_seconds() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2024-12-31T23:59:59.999999Z", 1_735_689_599),
            ("2026-11-21T11:00:00.5Z", 1_795_258_800),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for wrong in ["", "2026-11-21", "2026-11-21T11:00Z", "now"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
