//! The entries in order.

use std::collections::BTreeMap;

use chancery_ledger::digest::Digest;
use chancery_ledger::merkle::Frontier;

use super::Seen;
use crate::report::{Line, Listed, TIMELINE_MAX, Timeline};

#[derive(Debug, Default)]
pub struct Lines {
    from: u64,
    root_before: Option<Digest>,
    entries: Listed<Line>,
    kinds: BTreeMap<&'static str, u64>,
}

impl Lines {
    pub fn new(from: u64) -> Self {
        Self { from, ..Self::default() }
    }

    /// Takes the tree over the entries before the first one.
    pub fn begins_after(&mut self, tree: &Frontier) {
        self.root_before = Some(tree.root());
    }

    pub fn record(&mut self, seen: &Seen<'_>) {
        if !seen.listed {
            return;
        }
        let kind = seen.event.kind();
        *self.kinds.entry(kind).or_default() += 1;
        if self.entries.len() == TIMELINE_MAX {
            return self.entries.leave_out();
        }
        let line = Line {
            stamp: seen.stamp,
            kind,
            subject: seen.subject,
            actor: seen.sealed.entry().actor,
            by: seen.by(),
            leaf: seen.sealed.leaf(),
        };
        self.entries.push(line, TIMELINE_MAX);
    }

    pub fn told(self) -> Timeline {
        let Self { from, root_before, entries, kinds } = self;
        Timeline { from, root_before, entries, kinds }
    }
}
