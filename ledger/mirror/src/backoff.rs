//! Capped exponential backoff with jitter.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// How long to wait after `failures` in a row, 1 or more: half of the full delay and a random part
/// of the other half.
pub fn delay(failures: u32, first: Duration, cap: Duration) -> Duration {
    // Each `RandomState` is seeded anew. It need not be unpredictable.
    jittered(failures, first, cap, RandomState::new().build_hasher().finish())
}

fn jittered(failures: u32, first: Duration, cap: Duration, random: u64) -> Duration {
    let doublings = failures.saturating_sub(1);
    let full = first.saturating_mul(2_u32.saturating_pow(doublings)).min(cap);
    full / 2 + full / 2 * u32::try_from(random % 1000).unwrap_or(0) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_cap_and_varies_by_half() {
        let (first, cap) = (Duration::from_millis(100), Duration::from_secs(1));
        let least: Vec<_> = (1..7).map(|n| jittered(n, first, cap, 0).as_millis()).collect();
        assert_eq!(least, [50, 100, 200, 400, 500, 500]);
        assert!(jittered(1, first, cap, 999) < first);
        assert!(delay(u32::MAX, first, cap) <= cap);
    }
}
