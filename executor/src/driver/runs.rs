//! Whose turn it is: a bounded number of runs under way, the others in the order they came.
//!
//! The log is the queue; this only remembers its order. A run that is not ended is in exactly one
//! of `waiting`, `active` and `parked`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chancery_ledger::id::CollaborationId;

use crate::RunKey;
use crate::backend::Progress;

/// Runs under way at once: one local Spark takes the whole machine.
pub const RUNS_AT_ONCE_MAX: usize = 1;

/// A run that entries were about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// The run.
    pub run: RunKey,
    /// How it stands.
    pub standing: Standing,
}

/// How a run stands with this executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It waits for an executor.
    New,
    /// This executor was admitted to it.
    Ours,
    /// It ended, or is another executor's: at most, remains are to be cleared.
    Over,
}

/// The runs that this executor has something to do about.
#[derive(Debug, Default)]
pub struct Runs {
    waiting: VecDeque<RunKey>,
    active: BTreeSet<RunKey>,
    /// Over, with something left on disk. They take no place.
    closing: BTreeSet<RunKey>,
    /// Refused by the service, to be tried when something moves.
    parked: BTreeSet<RunKey>,
    failing: BTreeSet<RunKey>,
    /// Runs whose refusal was told.
    told: BTreeSet<RunKey>,
    progress: BTreeMap<RunKey, Progress>,
}

impl Runs {
    /// Takes note of a run.
    pub fn note(&mut self, noted: Noted) {
        let Noted { run, standing } = noted;
        match standing {
            Standing::Over => {
                self.forget(run);
                self.closing.insert(run);
            }
            Standing::New | Standing::Ours if self.knows(run) => {}
            Standing::New => self.waiting.push_back(run),
            // What may live already goes first.
            Standing::Ours => self.waiting.push_front(run),
        }
    }

    fn knows(&self, run: RunKey) -> bool {
        self.active.contains(&run) || self.parked.contains(&run) || self.waiting.contains(&run)
    }

    fn forget(&mut self, run: RunKey) {
        self.waiting.retain(|waiting| *waiting != run);
        self.active.remove(&run);
        self.parked.remove(&run);
        self.failing.remove(&run);
        self.told.remove(&run);
        self.progress.remove(&run);
    }

    /// The runs to step now.
    pub fn turn(&mut self) -> Vec<RunKey> {
        while self.active.len() < RUNS_AT_ONCE_MAX {
            let Some(run) = self.waiting.pop_front() else { break };
            self.active.insert(run);
        }
        self.closing.iter().chain(&self.active).copied().collect()
    }

    /// The run waits for its job; returns how far that is, if it is news.
    pub fn waits(&mut self, run: RunKey, progress: Option<Progress>) -> Option<&Progress> {
        self.failing.remove(&run);
        self.told.remove(&run);
        let progress = progress.filter(|progress| self.progress.get(&run) != Some(progress))?;
        self.progress.insert(run, progress);
        self.progress.get(&run)
    }

    /// Nothing is left to do about the run.
    pub fn done(&mut self, run: RunKey) {
        self.closing.remove(&run);
        self.forget(run);
    }

    /// The service refused; returns whether that is news.
    pub fn park(&mut self, run: RunKey) -> bool {
        self.active.remove(&run);
        self.closing.remove(&run);
        self.failing.remove(&run);
        self.parked.insert(run);
        self.told.insert(run)
    }

    /// Something did not work; returns whether that is news.
    pub fn failed(&mut self, run: RunKey) -> bool {
        self.failing.insert(run)
    }

    /// The collaboration moved: what was refused there is tried again.
    pub fn unpark(&mut self, collaboration: CollaborationId) {
        let moved: Vec<_> =
            self.parked.iter().filter(|run| run.collaboration == collaboration).copied().collect();
        for run in moved {
            self.parked.remove(&run);
            self.waiting.push_back(run);
        }
    }

    /// What was refused anywhere is tried again.
    pub fn unpark_all(&mut self) {
        self.waiting.extend(std::mem::take(&mut self.parked));
    }

    /// Forgets all runs of a collaboration and returns those that may live.
    pub fn drop_all(&mut self, collaboration: CollaborationId) -> Vec<RunKey> {
        let of = |run: &RunKey| run.collaboration == collaboration;
        let dropped: Vec<_> = self
            .active
            .iter()
            .chain(&self.parked)
            .chain(&self.closing)
            .chain(&self.waiting)
            .filter(|run| of(run))
            .copied()
            .collect();
        for run in &dropped {
            self.done(*run);
        }
        dropped
    }

    /// Whether a run can take a free place.
    pub fn ready(&self) -> bool {
        self.active.len() < RUNS_AT_ONCE_MAX && !self.waiting.is_empty()
    }

    /// Whether a run is under way.
    pub fn under_way(&self) -> bool {
        !self.active.is_empty() || !self.closing.is_empty()
    }

    /// Whether something is to be tried again.
    pub fn failing(&self) -> bool {
        !self.failing.is_empty()
    }

    /// Whether something was refused.
    pub fn parked(&self) -> bool {
        !self.parked.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::contract::run;

    fn noted(n: u128, standing: Standing) -> Noted {
        Noted { run: run(n), standing }
    }

    #[test]
    fn runs_take_turns_in_the_order_they_came_and_ours_first() {
        let mut runs = Runs::default();
        for (n, standing) in [(1, Standing::New), (2, Standing::New), (3, Standing::Ours)] {
            runs.note(noted(n, standing));
            runs.note(noted(n, standing));
        }
        for n in [3, 1, 2] {
            assert_eq!(runs.turn(), [run(n)]);
            assert_eq!(runs.waits(run(n), None), None);
            assert_eq!(runs.turn(), [run(n)], "it keeps its place");
            runs.done(run(n));
        }
        assert!(!runs.ready() && !runs.under_way());
    }

    #[test]
    fn what_is_over_takes_no_place() {
        let mut runs = Runs::default();
        for n in 1..=3 {
            runs.note(noted(n, Standing::New));
        }
        assert_eq!(runs.turn(), [run(1)]);
        runs.note(noted(1, Standing::Over));
        runs.note(noted(2, Standing::Over));
        assert_eq!(runs.turn(), [run(1), run(2), run(3)]);
        runs.done(run(1));
        runs.done(run(2));
        assert_eq!(runs.turn(), [run(3)]);
    }

    #[test]
    fn what_was_refused_waits_for_a_move_and_blocks_nobody() {
        let mut runs = Runs::default();
        runs.note(noted(1, Standing::New));
        runs.note(noted(2, Standing::New));
        assert_eq!(runs.turn(), [run(1)]);
        assert!(runs.park(run(1)));
        assert_eq!(runs.turn(), [run(2)]);
        runs.note(noted(1, Standing::New));
        assert!(runs.parked());
        runs.unpark(run(1).collaboration);
        runs.done(run(2));
        assert_eq!(runs.turn(), [run(1)]);
        assert!(!runs.park(run(1)), "told once");
    }

    #[test]
    fn a_dropped_collaboration_gives_all_its_runs() {
        let mut runs = Runs::default();
        for n in 1..=2 {
            runs.note(noted(n, Standing::New));
        }
        runs.turn();
        assert_eq!(runs.drop_all(run(1).collaboration), [run(1), run(2)]);
        assert!(!runs.ready() && !runs.under_way());
    }
}
