//! What runs take of datasets' budgets of privacy.

use chancery_governance::privacy::Loss;
use chancery_governance::query::Definition;
use chancery_ledger::id::DatasetId;
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
    /// A loss of a dataset's.
    pub(crate) fn of(rows: &Rows, dataset: DatasetId, loss: Loss) -> Result<Self, Illegal> {
        let Loss { epsilon_micro, delta_pico } = loss;
        let dataset = dataset.to_string();
        let dataset_name = rows.datasets.row(&dataset)?.descriptor.name.clone();
        Ok(Self { dataset, dataset_name, epsilon_micro, delta_pico })
    }

    /// What each run of a query will take, as the datasets stand: of those that ask for it.
    pub(crate) fn of_runs(rows: &Rows, definition: &Definition) -> Result<Vec<Self>, Illegal> {
        let mut charges = Vec::new();
        for (dataset, loss) in asked(definition) {
            let policy = &rows.datasets.row(&dataset.to_string())?.descriptor.policy;
            if policy.differential_privacy.is_some() {
                charges.push(Self::of(rows, dataset, loss)?);
            }
        }
        Ok(charges)
    }
}

/// The inputs of a query that says what its runs cost, each once, in the order of their ids.
pub(crate) fn asked(definition: &Definition) -> Vec<(DatasetId, Loss)> {
    let Some(loss) = definition.privacy else { return Vec::new() };
    let mut datasets: Vec<_> = definition.inputs.iter().map(|input| input.dataset).collect();
    datasets.sort_unstable();
    datasets.dedup();
    datasets.into_iter().map(|dataset| (dataset, loss)).collect()
}
