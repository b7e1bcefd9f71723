//! Lists with an end, whatever the log's size.

use std::ops::Deref;

/// Most members in a report.
pub const MEMBERS_MAX: usize = 1_000;
/// Most keys in a report, over all members.
pub const KEYS_MAX: usize = 10_000;
/// Most datasets in a report.
pub const DATASETS_MAX: usize = 1_000;
/// Most versions of one dataset in a report: its newest.
pub const VERSIONS_MAX: usize = 100;
/// Most queries in a report.
pub const QUERIES_MAX: usize = 1_000;
/// Most bytes of query text in a report, over all that was proposed or run.
pub const TEXT_BYTES_MAX: usize = 16 << 20;
/// Most votes in a report, over all queries.
pub const VOTES_MAX: usize = 10_000;
/// Most runs in a report.
pub const RUNS_MAX: usize = 1_000;
/// Most releases in a report.
pub const RELEASES_MAX: usize = 2_000;
/// Most groups of query, executor and measurement in a report.
pub const CODE_MAX: usize = 1_000;
/// Most change requests in a report.
pub const CHANGES_MAX: usize = 1_000;
/// Most auto-approval rules in a report.
pub const RULES_MAX: usize = 1_000;
/// Most marks against use in a report.
pub const MARKS_MAX: usize = 1_000;
/// Most entries in a timeline.
pub const TIMELINE_MAX: usize = 1_000;
/// Most groups of action and identity that rest on the service's word.
pub const WITNESSED_MAX: usize = 256;
/// Most manifest entries that are named for the files looked for.
pub const FOUND_MAX: usize = 1_000;

/// The first items of what may be a very long list, and how many there are in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    items: Vec<T>,
    total: u64,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { items: Vec::new(), total: 0 }
    }
}

impl<T> Listed<T> {
    /// The first `max` of `items`.
    pub fn of(items: impl IntoIterator<Item = T>, max: usize) -> Self {
        let mut listed = Self::default();
        for item in items {
            listed.push(item, max);
        }
        listed
    }

    /// Counts an item and keeps it if fewer than `max` are kept; says whether it was.
    pub fn push(&mut self, item: T, max: usize) -> bool {
        self.total = self.total.saturating_add(1);
        let room = self.items.len() < max;
        if room {
            self.items.push(item);
        }
        room
    }

    /// Counts an item that is not kept.
    pub const fn leave_out(&mut self) {
        self.leave_out_more(1);
    }

    /// Counts so many items that are not kept.
    pub const fn leave_out_more(&mut self, count: u64) {
        self.total = self.total.saturating_add(count);
    }

    /// The items that are kept.
    pub fn as_slice(&self) -> &[T] {
        &self.items
    }

    /// The items that are kept, to be changed in place.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.items
    }

    /// How many there are in all.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// How many are not kept.
    pub const fn left_out(&self) -> u64 {
        self.total - self.items.len() as u64
    }
}

impl<T> Deref for Listed<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<'a, T> IntoIterator for &'a Listed<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_its_first_and_counts_the_rest() {
        let mut listed = Listed::of(0..5, 5);
        assert_eq!((listed.len(), listed.total(), listed.left_out()), (5, 5, 0));
        assert!(!listed.push(5, 5));
        listed.leave_out();
        assert_eq!((listed.as_slice().last(), listed.total(), listed.left_out()), (Some(&4), 7, 2));
    }
}
