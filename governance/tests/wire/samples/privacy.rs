//! Differential privacy, filled in everywhere: fields that are left out at their default.

use chancery_governance::command::{Command, DraftQuery, PublishDataset};
use chancery_governance::dataset::Descriptor;
use chancery_governance::event;
use chancery_governance::privacy::{
    Bounds, Charge, DISCRETE_LAPLACE, DeclaredValues, DifferentialPrivacy, Drawn, Loss, LossBudget,
    Mechanism, Noised,
};
use chancery_governance::run::{Attested, Evidence, Platform};
use chancery_governance::usage::Period;

use super::{definition, descriptor, digest};
use crate::support::fixtures::{orders_id, query_id};

const LOSS: Loss = Loss { epsilon_micro: 500_000, delta_pico: 1_000_000 };

pub fn private() -> Descriptor {
    let mut private = descriptor();
    let bounds = |column: &str, lower, upper, decimals| Bounds {
        column: column.into(),
        lower,
        upper,
        decimals,
    };
    private.policy.minimum_group = None;
    private.policy.differential_privacy = Some(DifferentialPrivacy {
        unit: "customer".into(),
        budget: LossBudget {
            period: Period::Month,
            epsilon_micro: 10_000_000,
            delta_pico: 10_000_000,
        },
        query_epsilon_micro_max: 1_000_000,
        groups_max: 3,
        rows_max: 5,
        columns: vec![bounds("amount", -10, 1_000, 0), bounds("rate", 0, 10_000, 2)],
        declared: vec![DeclaredValues {
            column: "customer".into(),
            values: vec!["a".into(), "é".into()],
        }],
    });
    private
}

pub fn requested() -> event::RunRequested {
    let privacy = vec![Charge { dataset: orders_id(), loss: LOSS }];
    event::RunRequested { query: query_id(), digest: digest("binding"), privacy }
}

fn mechanism(column: &str, of: Drawn, threshold: Option<u64>) -> Mechanism {
    Mechanism {
        column: column.into(),
        of,
        mechanism: DISCRETE_LAPLACE.into(),
        epsilon_micro: 83_333,
        sensitivity: 15,
        scale_milli: 180_002,
        threshold,
    }
}

pub fn succeeded(mut result: Attested, evidence: Evidence) -> event::RunSucceeded {
    result.statistics.inputs.clear();
    result.statistics.segments.clear();
    result.privacy = Some(Noised {
        epsilon_micro: LOSS.epsilon_micro,
        delta_pico: LOSS.delta_pico,
        mechanisms: vec![
            mechanism("sales", Drawn::Count, None),
            mechanism("customers", Drawn::Individuals, None),
            mechanism("total", Drawn::Sum, None),
            mechanism("mean", Drawn::MeanSum, None),
            mechanism("mean", Drawn::MeanCount, None),
            mechanism("__chancery_units", Drawn::Groups, Some(40)),
        ],
    });
    event::RunSucceeded { result, platform: Platform::SevSnp, evidence }
}

/// Contents with the fields that [`super::commands`] has at their defaults.
pub fn contents() -> Vec<(&'static str, Command)> {
    let mut definition = definition();
    definition.privacy = Some(LOSS);
    vec![
        ("publish-privacy", PublishDataset { descriptor: private() }.into()),
        ("draft-privacy", DraftQuery { definition }.into()),
    ]
}
