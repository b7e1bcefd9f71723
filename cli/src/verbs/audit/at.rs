//! A moment of a log, as it is typed.

use chancery_audit::Moment;
use chrono::DateTime;

/// Reads a position, or a time as RFC 3339 writes it.
///
/// # Errors
///
/// Where it is neither.
pub fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(position) = text.parse() {
        return Ok(Moment::Position(position));
    }
    let time = DateTime::parse_from_rfc3339(text).map_err(|error| {
        format!("neither a position nor a time such as 2026-01-05T09:30:00Z: {error}")
    })?;
    // No log is older than the epoch; its time before it is before the first entry.
    Ok(Moment::Time(u64::try_from(time.timestamp_millis()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_times_are_told_apart() {
        assert_eq!(moment("17"), Ok(Moment::Position(17)));
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(Moment::Time(1_000)));
        assert_eq!(moment("1970-01-01T01:00:01.5+01:00"), Ok(Moment::Time(1_500)));
        assert_eq!(moment("1969-01-01T00:00:00Z"), Ok(Moment::Time(0)));
        for neither in ["", "-1", "yesterday", "2026-01-05", "18446744073709551616"] {
            assert!(moment(neither).is_err(), "{neither}");
        }
    }
}
