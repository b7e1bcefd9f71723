//! What runs take of datasets' budgets of privacy.

use chancery_governance::privacy::{self, Loss};
use chancery_governance::query::Definition;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fold::{Illegal, Rows};

/// What a run takes of a dataset's budget of privacy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Charge {
    /// The dataset's id.
    pub dataset: String,
    /// The dataset's name then.
    pub dataset_name: String,
    /// Epsilon in millionths.
    pub epsilon_micro: u64,
    /// Delta in 10⁻¹².
    pub delta_pico: u64,
}

impl Charge {
    /// A charge, with the name of its dataset as it is now.
    pub(crate) fn of(rows: &Rows, charge: privacy::Charge) -> Result<Self, Illegal> {
        let privacy::Charge { dataset, loss: Loss { epsilon_micro, delta_pico } } = charge;
        let dataset = dataset.to_string();
        let dataset_name = rows.datasets.row(&dataset)?.descriptor.name.clone();
        Ok(Self { dataset, dataset_name, epsilon_micro, delta_pico })
    }

    /// What each run of a query will take, as the datasets stand: of those that ask for it.
    pub(crate) fn of_runs(rows: &Rows, definition: &Definition) -> Result<Vec<Self>, Illegal> {
        let mut charges = Vec::new();
        for charge in definition.charges() {
            let policy = &rows.datasets.row(&charge.dataset.to_string())?.descriptor.policy;
            if policy.differential_privacy.is_some() {
                charges.push(Self::of(rows, charge)?);
            }
        }
        Ok(charges)
    }
}
