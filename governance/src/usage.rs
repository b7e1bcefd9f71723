//! What a dataset's owner says of its use beside columns: how many runs, and who receives results.

use chancery_ledger::id::MemberId;

use crate::member::Ability;

/// Most budgets of a dataset: one for each period, over all runners and for each runner.
pub const BUDGETS_MAX: usize = 8;
/// Most receivers that a dataset names.
pub const RECEIVERS_MAX: usize = 64;

/// Limits on the use of a dataset. Part of its descriptor, so that voters see and bind them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// How many runs there may be. All hold at once; none means without limit.
    pub budgets: Vec<RunBudget>,
    /// Who may receive results of queries that read it. None means whoever owns their output.
    pub receivers: Vec<Receiver>,
}

/// A number of runs in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunBudget {
    /// The period.
    pub period: Period,
    /// The most runs in it, 1 or more.
    pub runs: u64,
    /// Whether each runner has that many, or all runners together.
    pub each_runner: bool,
}

/// A period that runs are counted in: of the calendar in UTC, see [`crate::calendar`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From Monday's midnight to the next.
    Week,
    /// From the first's midnight to that of the next first.
    Month,
    /// For ever.
    Life,
}

impl Period {
    /// All of them, the shortest first.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Life];
}

/// Somebody who may receive results.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Receiver {
    /// A member.
    Member(MemberId),
    /// Every member who speaks for the organisation of that very name.
    Organisation(String),
    /// Every member with the ability.
    Ability(Ability),
}
