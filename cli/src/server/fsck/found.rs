//! Disagreements: all are counted, the first ones told.

/// Disagreements that are told of one log, at most.
pub const TOLD_MAX: usize = 100;

/// What disagrees.
#[derive(Debug, Default)]
pub struct Found {
    told: Vec<String>,
    count: u64,
}

impl Found {
    /// One more.
    pub fn add(&mut self, what: impl Into<String>) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(what.into());
        }
    }

    /// How many there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The first of them.
    pub fn told(&self) -> &[String] {
        &self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_told() {
        let mut found = Found::default();
        for n in 0..=TOLD_MAX {
            found.add(n.to_string());
        }
        assert_eq!((found.count(), found.told().len()), (TOLD_MAX as u64 + 1, TOLD_MAX));
        assert_eq!(found.told()[TOLD_MAX - 1], (TOLD_MAX - 1).to_string());
    }
}
