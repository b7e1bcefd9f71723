//! How many runs each dataset has had, period by period: what budgets are held against.
//!
//! A run counts on every dataset that its query reads or writes, once each, in the periods of the
//! moment of its request. It counts no more when it is refused or cancelled before an executor was
//! admitted to it; admitted once, it counts for ever.

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::id::{DatasetId, MemberId, RunId};

use crate::calendar::period_of;
use crate::usage::Period;

/// The counts of a collaboration. Of each kind of period, the newest that had a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spent {
    counts: BTreeMap<(DatasetId, Period), Count>,
    /// Runs that count, and may yet be given back.
    held: BTreeMap<RunId, Held>,
}

/// The runs on a dataset in one period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Count {
    /// Which period: see [`period_of`].
    number: u64,
    runs: u64,
    by_runner: BTreeMap<MemberId, u64>,
}

/// A run that nobody is admitted to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    at_ms: u64,
    runner: MemberId,
    datasets: BTreeSet<DatasetId>,
}

impl Held {
    fn is_in(&self, dataset: DatasetId, (period, number): (Period, u64)) -> bool {
        self.datasets.contains(&dataset) && period_of(period, self.at_ms) == number
    }
}

impl Spent {
    /// A run is requested: it counts.
    pub(super) fn request(
        &mut self,
        run: RunId,
        at_ms: u64,
        runner: MemberId,
        datasets: BTreeSet<DatasetId>,
    ) {
        for dataset in &datasets {
            for period in Period::ALL {
                let count = self.counts.entry((*dataset, period)).or_default();
                let number = period_of(period, at_ms);
                // Time never runs backwards in a log: an earlier period is over.
                if count.number != number {
                    *count = Count { number, ..Count::default() };
                }
                count.runs += 1;
                *count.by_runner.entry(runner).or_default() += 1;
            }
        }
        self.held.insert(run, Held { at_ms, runner, datasets });
    }

    /// An executor is admitted to it: it counts for ever.
    pub(super) fn admit(&mut self, run: RunId) {
        self.held.remove(&run);
    }

    /// It ended. Where nobody was admitted to it, it counts no more.
    pub(super) fn end(&mut self, run: RunId) {
        let Some(held) = self.held.remove(&run) else { return };
        for dataset in &held.datasets {
            for period in Period::ALL {
                let Some(count) = self.counts.get_mut(&(*dataset, period)) else { continue };
                if !held.is_in(*dataset, (period, count.number)) {
                    continue;
                }
                count.runs = count.runs.saturating_sub(1);
                if let Some(runs) = count.by_runner.get_mut(&held.runner) {
                    *runs = runs.saturating_sub(1);
                    if *runs == 0 {
                        count.by_runner.remove(&held.runner);
                    }
                }
            }
        }
    }

    /// The runs that count on `dataset` in the period of `now_ms`: by `runner` where one is named.
    pub fn used(
        &self,
        dataset: DatasetId,
        (period, now_ms): (Period, u64),
        runner: Option<MemberId>,
    ) -> u64 {
        let number = period_of(period, now_ms);
        let Some(count) = self.counts.get(&(dataset, period)) else { return 0 };
        if count.number != number {
            return 0;
        }
        runner
            .map_or(count.runs, |runner| count.by_runner.get(&runner).copied().unwrap_or_default())
    }
}
