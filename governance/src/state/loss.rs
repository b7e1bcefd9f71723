//! How much privacy each dataset has lost, period by period: what budgets of privacy are held against.
//!
//! It moves as [`super::spent`] does: a run takes its part in the periods of the moment of its request,
//! and gives it back where it ends before an executor was admitted to it.

use std::collections::BTreeMap;

use chancery_ledger::id::{DatasetId, RunId};

use crate::calendar::period_of;
use crate::privacy::{Charge, Loss};
use crate::usage::Period;

/// The losses of a collaboration's datasets. Of each kind of period, the newest that had a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Losses {
    totals: BTreeMap<(DatasetId, Period), Total>,
    /// Runs whose part may yet be given back, and when they took it.
    held: BTreeMap<RunId, (u64, Vec<Charge>)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Total {
    /// Which period: see [`period_of`].
    number: u64,
    loss: Loss,
}

impl Losses {
    /// A run is requested: it takes its part.
    pub(super) fn request(&mut self, run: RunId, at_ms: u64, charges: Vec<Charge>) {
        for Charge { dataset, loss } in &charges {
            for period in Period::ALL {
                let total = self.totals.entry((*dataset, period)).or_default();
                let number = period_of(period, at_ms);
                // Time never runs backwards in a log: an earlier period is over.
                if total.number != number {
                    *total = Total { number, ..Total::default() };
                }
                let Loss { epsilon_micro, delta_pico } = &mut total.loss;
                *epsilon_micro = epsilon_micro.saturating_add(loss.epsilon_micro);
                *delta_pico = delta_pico.saturating_add(loss.delta_pico);
            }
        }
        if !charges.is_empty() {
            self.held.insert(run, (at_ms, charges));
        }
    }

    /// An executor is admitted to it: its part is spent for ever.
    pub(super) fn admit(&mut self, run: RunId) {
        self.held.remove(&run);
    }

    /// It ended. Where nobody was admitted to it, it gives its part back.
    pub(super) fn end(&mut self, run: RunId) {
        let Some((at_ms, charges)) = self.held.remove(&run) else { return };
        for Charge { dataset, loss } in charges {
            for period in Period::ALL {
                let Some(total) = self.totals.get_mut(&(dataset, period)) else { continue };
                if total.number != period_of(period, at_ms) {
                    continue;
                }
                let Loss { epsilon_micro, delta_pico } = &mut total.loss;
                *epsilon_micro = epsilon_micro.saturating_sub(loss.epsilon_micro);
                *delta_pico = delta_pico.saturating_sub(loss.delta_pico);
            }
        }
    }

    /// What runs took of a dataset in the period of `now_ms`.
    pub fn used(&self, dataset: DatasetId, (period, now_ms): (Period, u64)) -> Loss {
        self.totals
            .get(&(dataset, period))
            .filter(|total| total.number == period_of(period, now_ms))
            .map_or_else(Loss::default, |total| total.loss)
    }
}
