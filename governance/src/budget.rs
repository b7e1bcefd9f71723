//! Budgets of runs: what stands against one run more, and what is left.
//!
//! What counts is in [`crate::state::spent`]. The moment that a request is held against is the time
//! of its entry; so a run that is asked for before midnight is of the day before, whenever it runs.

use std::collections::BTreeSet;

use chancery_ledger::id::{DatasetId, MemberId};

use crate::calendar;
use crate::query::Definition;
use crate::readiness::Asked;
use crate::reason::{Code, Reason};
use crate::state::Collaboration;
use crate::subject::Subject;
use crate::usage::{Period, RunBudget};

/// A budget and how much of it is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The budget.
    pub budget: RunBudget,
    /// The runs that count, up to now.
    pub used: u64,
    /// When the period ends, milliseconds since the Unix epoch; none for a life.
    pub renews_ms: Option<u64>,
}

impl Standing {
    /// Whether no run more fits.
    pub const fn is_spent(&self) -> bool {
        self.used >= self.budget.runs
    }
}

/// The datasets that a query reads or writes: a run counts on each of them once.
pub fn counted(definition: &Definition) -> BTreeSet<DatasetId> {
    definition.datasets().collect()
}

/// How the budgets of a dataset's newest version stand. Those of each runner are left out where
/// none is named.
pub fn standings(state: &Collaboration, dataset: DatasetId, asked: &Asked) -> Vec<Standing> {
    let Some((_, newest)) = state.dataset_version(dataset) else { return Vec::new() };
    let budgets = newest.descriptor.usage.budgets.iter();
    budgets
        .filter(|budget| !budget.each_runner || asked.runner.is_some())
        .map(|budget| {
            let runner: Option<MemberId> = asked.runner.filter(|_| budget.each_runner);
            let at = (budget.period, asked.now_ms);
            Standing {
                budget: *budget,
                used: state.spent.used(dataset, at, runner),
                renews_ms: calendar::next_begins_ms(budget.period, asked.now_ms),
            }
        })
        .collect()
}

/// A reason for each spent budget of a dataset that the query uses. A run that was requested has its
/// place in the period of its request, whenever it is admitted: none is in its way.
pub fn reasons(state: &Collaboration, definition: &Definition, asked: &Asked) -> Vec<Reason> {
    if asked.run.is_some() {
        return Vec::new();
    }
    let of = |dataset| {
        let name = state
            .dataset_version(dataset)
            .map_or_else(String::new, |(_, version)| version.descriptor.name.clone());
        let spent = standings(state, dataset, asked).into_iter().filter(Standing::is_spent);
        spent.map(move |standing| {
            let detail = format!("{name} allows {}; {}", words(&standing.budget), again(&standing));
            Reason::about(Code::RunBudgetSpent, Subject::Dataset(dataset), detail)
        })
    };
    counted(definition).into_iter().flat_map(of).collect()
}

/// A budget in words, as in `3 runs a day for each runner`.
pub fn words(budget: &RunBudget) -> String {
    let runs = if budget.runs == 1 { "run" } else { "runs" };
    let period = match budget.period {
        Period::Day => "a day",
        Period::Week => "a week",
        Period::Month => "a month",
        Period::Life => "in all",
    };
    let each = if budget.each_runner { " for each runner" } else { "" };
    format!("{} {runs} {period}{each}", budget.runs)
}

fn again(standing: &Standing) -> String {
    standing.renews_ms.map_or_else(
        || "they are spent".to_owned(),
        |at_ms| format!("they are spent, and free again at {}", calendar::text(at_ms)),
    )
}
