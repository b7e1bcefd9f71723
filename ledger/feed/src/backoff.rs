//! Capped exponential backoff.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const CAP: Duration = Duration::from_secs(5);

/// How long to wait after `failures` in a row; none after none.
pub fn delay(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(CAP),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_cap() {
        let delays: Vec<_> = (0..9).map(|failures| delay(failures).as_millis()).collect();
        assert_eq!(delays, [0, 50, 100, 200, 400, 800, 1600, 3200, 5000]);
        assert_eq!(delay(u32::MAX), CAP);
    }
}
