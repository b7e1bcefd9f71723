//! Budgets of privacy: what a run takes, what is left, and what stands against one run more.
//!
//! A run takes its query's stated loss of the dataset's budget when it is requested. It gives it back
//! only where it is refused or cancelled before an executor was admitted to it; admitted once, the
//! data may have been read, and it is spent for ever. A new version of the dataset spends from where
//! the last one stood.

use chancery_ledger::id::DatasetId;

use super::{Charge, Loss, LossBudget, loss_text};
use crate::calendar;
use crate::query::Definition;
use crate::readiness::Asked;
use crate::reason::{Code, Reason};
use crate::state::Collaboration;
use crate::subject::Subject;

/// A budget and how much of it is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The budget.
    pub budget: LossBudget,
    /// What runs took of it, in the period of now.
    pub used: Loss,
    /// When the period ends, milliseconds since the Unix epoch; none for a life.
    pub renews_ms: Option<u64>,
}

impl Standing {
    /// What is left.
    pub const fn left(&self) -> Loss {
        Loss {
            epsilon_micro: self.budget.epsilon_micro.saturating_sub(self.used.epsilon_micro),
            delta_pico: self.budget.delta_pico.saturating_sub(self.used.delta_pico),
        }
    }

    /// Whether a run of this loss fits.
    pub const fn fits(&self, loss: Loss) -> bool {
        let left = self.left();
        loss.epsilon_micro <= left.epsilon_micro && loss.delta_pico <= left.delta_pico
    }
}

/// How the budget of a dataset's newest version stands, where it has one.
pub fn standing(state: &Collaboration, dataset: DatasetId, now_ms: u64) -> Option<Standing> {
    let (_, newest) = state.dataset_version(dataset)?;
    let policy = newest.descriptor.policy.differential_privacy.as_ref()?;
    let period = policy.budget.period;
    Some(Standing {
        budget: policy.budget,
        used: state.loss.used(dataset, (period, now_ms)),
        renews_ms: calendar::next_begins_ms(period, now_ms),
    })
}

/// What a run of a query takes, of each dataset that asks for it.
pub fn charges(state: &Collaboration, definition: &Definition) -> Vec<Charge> {
    definition.charges().filter(|it| standing(state, it.dataset, 0).is_some()).collect()
}

/// A reason for each dataset of which too little is left. A run that was requested has taken its part.
pub fn reasons(state: &Collaboration, definition: &Definition, asked: &Asked) -> Vec<Reason> {
    if asked.run.is_some() {
        return Vec::new();
    }
    let short = charges(state, definition).into_iter().filter_map(|Charge { dataset, loss }| {
        let standing = standing(state, dataset, asked.now_ms)?;
        if standing.fits(loss) {
            return None;
        }
        let name = state
            .dataset_version(dataset)
            .map_or_else(String::new, |(_, version)| version.descriptor.name.clone());
        let again = standing
            .renews_ms
            .map_or_else(String::new, |at_ms| format!(", until {}", calendar::text(at_ms)));
        let detail = format!(
            "a run costs {}, and {name} has {} left{again}",
            loss_text(loss),
            loss_text(standing.left())
        );
        Some(Reason::about(Code::PrivacyBudgetSpent, Subject::Dataset(dataset), detail))
    });
    short.collect()
}
