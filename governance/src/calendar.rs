//! The calendar in UTC, proleptic Gregorian, without leap seconds: which period a moment is in, and
//! when the next begins. Moments are milliseconds since 1970-01-01T00:00:00Z.

use crate::usage::Period;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// 1970-01-01 was a Thursday: three days after a Monday.
const THURSDAY: u64 = 3;
/// Days in 400 years.
const ERA_DAYS: u64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: u64 = 719_468;

/// The number of the period that a moment is in, counted from the one of 1970-01-01.
pub const fn period_of(period: Period, at_ms: u64) -> u64 {
    let day = at_ms / DAY_MS;
    match period {
        Period::Day => day,
        Period::Week => (day + THURSDAY) / 7,
        Period::Month => {
            let (year, month, _) = civil(day);
            (year - 1970) * 12 + month - 1
        }
        Period::Life => 0,
    }
}

/// When the period after the one of `at_ms` begins; none for a life.
pub const fn next_begins_ms(period: Period, at_ms: u64) -> Option<u64> {
    let next = period_of(period, at_ms) + 1;
    let day = match period {
        Period::Day => next,
        Period::Week => next * 7 - THURSDAY,
        Period::Month => days(1970 + next / 12, next % 12 + 1),
        Period::Life => return None,
    };
    Some(day.saturating_mul(DAY_MS))
}

/// A moment as text, to the second: `2026-01-31T23:59:59Z`.
pub fn text(at_ms: u64) -> String {
    let (year, month, day) = civil(at_ms / DAY_MS);
    let second = at_ms % DAY_MS / 1000;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day since 1970-01-01.
const fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + EPOCH_DAYS;
    let (era, of_era) = (day / ERA_DAYS, day % ERA_DAYS);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    // Years begin in March here, so that a leap day is a year's last.
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = year + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, of_year - (153 * march + 2) / 5 + 1)
}

/// The days from 1970-01-01 to the first of a month.
const fn days(year: u64, month: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * march + 2) / 5;
    era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (at_ms, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_999, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_767_225_599_000, "2025-12-31T23:59:59Z"),
            (1_767_225_600_000, "2026-01-01T00:00:00Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(text(at_ms), expected);
        }
    }

    #[test]
    fn a_period_ends_where_the_next_begins() {
        // Thursday 2026-01-01, 00:00 UTC.
        let at = 1_767_225_600_000;
        let begins = |period| next_begins_ms(period, at).map(text);
        assert_eq!(begins(Period::Day).as_deref(), Some("2026-01-02T00:00:00Z"));
        assert_eq!(begins(Period::Week).as_deref(), Some("2026-01-05T00:00:00Z"));
        assert_eq!(begins(Period::Month).as_deref(), Some("2026-02-01T00:00:00Z"));
        assert_eq!(begins(Period::Life), None);
        // Each millisecond around each boundary of 60 years belongs to one period, and to the
        // one that its neighbours say.
        for period in [Period::Day, Period::Week, Period::Month] {
            let (mut at, mut number) = (0, period_of(period, 0));
            while at < 60 * 366 * DAY_MS {
                let next = next_begins_ms(period, at).unwrap();
                assert!(next > at);
                assert_eq!(period_of(period, next - 1), number);
                assert_eq!(period_of(period, next), number + 1);
                assert_eq!(next_begins_ms(period, next - 1), Some(next));
                (at, number) = (next, number + 1);
            }
        }
    }

    #[test]
    fn weeks_begin_on_mondays_and_months_on_firsts() {
        let monday = 1_767_571_200_000; // 2026-01-05
        assert_eq!(text(monday), "2026-01-05T00:00:00Z");
        assert_eq!(period_of(Period::Week, monday - 1) + 1, period_of(Period::Week, monday));
        let december = next_begins_ms(Period::Month, 1_764_547_200_000).unwrap();
        assert_eq!(text(december), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn no_moment_is_too_late() {
        for period in Period::ALL {
            period_of(period, u64::MAX);
            next_begins_ms(period, u64::MAX);
        }
        assert!(!text(u64::MAX).is_empty());
    }
}
