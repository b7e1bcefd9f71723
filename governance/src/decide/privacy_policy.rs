//! What a dataset's demand for differential privacy must be.

use std::collections::BTreeSet;

use crate::dataset::{AccessMode, ColumnType, Descriptor};
use crate::privacy::{
    BUDGET_EPSILON_MICRO_MAX, Bounds, COLUMNS_MAX, DECIMALS_MAX, DELTA_PICO_MAX, DeclaredValues,
    DifferentialPrivacy, EPSILON_MICRO_MAX, GROUPS_MAX, ROWS_MAX, SENSITIVITY_MAX, VALUE_BYTES_MAX,
    VALUES_MAX,
};
use crate::reason::{Code, Reason};

/// Every fault of a descriptor's demand.
pub(super) fn faults(descriptor: &Descriptor) -> Vec<Reason> {
    let Some(policy) = &descriptor.policy.differential_privacy else { return Vec::new() };
    let mut faults = Vec::new();
    if descriptor.access_mode == AccessMode::Write {
        faults.push("an output has no individuals to protect".to_owned());
    }
    if descriptor.policy.minimum_group.is_some() {
        faults.push("not beside a minimum_group: noise protects small groups".to_owned());
    }
    if kind(descriptor, &policy.unit).is_none() {
        faults.push(format!("unit: there is no column {}", policy.unit));
    }
    numbers(policy, &mut faults);
    columns(descriptor, policy, &mut faults);
    declared(descriptor, policy, &mut faults);
    let reason = |detail: String| {
        let detail = format!("policy.differential_privacy: {detail}");
        Reason::new(Code::InvalidDescriptor, detail)
    };
    faults.into_iter().map(reason).collect()
}

fn kind(descriptor: &Descriptor, name: &str) -> Option<ColumnType> {
    descriptor.columns.iter().find(|column| column.name == name).map(|column| column.kind)
}

fn numbers(policy: &DifferentialPrivacy, faults: &mut Vec<String>) {
    let mut within = |what: &str, value: u64, least: u64, most: u64| {
        if value < least || value > most {
            faults.push(format!("{what}: {least} to {most}"));
        }
    };
    let epsilon = policy.budget.epsilon_micro;
    within("budget.epsilon_micro", epsilon, 1, BUDGET_EPSILON_MICRO_MAX);
    within("budget.delta_pico", policy.budget.delta_pico, 0, DELTA_PICO_MAX);
    let most = EPSILON_MICRO_MAX.min(epsilon.max(1));
    within("query_epsilon_micro_max", policy.query_epsilon_micro_max, 1, most);
    within("groups_max", policy.groups_max, 1, GROUPS_MAX);
    within("rows_max", policy.rows_max, 1, ROWS_MAX);
}

fn columns(descriptor: &Descriptor, policy: &DifferentialPrivacy, faults: &mut Vec<String>) {
    if policy.columns.len() > COLUMNS_MAX {
        faults.push(format!("columns: at most {COLUMNS_MAX}"));
    }
    let mut named = BTreeSet::new();
    for bounds in &policy.columns {
        let Bounds { column, lower, upper, decimals } = bounds;
        if !named.insert(column) {
            faults.push(format!("columns: {column} stands twice"));
        }
        match kind(descriptor, column) {
            None => faults.push(format!("columns: there is no column {column}")),
            Some(ColumnType::Long) if *decimals > 0 => {
                faults.push(format!("columns: {column} is a long and has no decimals"));
            }
            Some(ColumnType::Long | ColumnType::Double) => {}
            Some(ColumnType::Decimal(_)) => faults.push(format!(
                "columns: {column} is a decimal, and bounds are for longs and doubles"
            )),
            Some(
                ColumnType::String | ColumnType::Boolean | ColumnType::Date | ColumnType::Timestamp,
            ) => faults.push(format!("columns: {column} is no number")),
        }
        if lower >= upper {
            faults.push(format!("columns: lower of {column} is below its upper"));
        }
        if *decimals > DECIMALS_MAX {
            faults.push(format!("columns: decimals of {column}: 0 to {DECIMALS_MAX}"));
        }
        let sensitivity = [policy.groups_max, policy.rows_max, bounds.reach()]
            .map(u128::from)
            .iter()
            .product::<u128>();
        if sensitivity > u128::from(SENSITIVITY_MAX) {
            faults.push(format!(
                "columns: {column}: groups_max times rows_max times its bounds is over {SENSITIVITY_MAX}"
            ));
        }
    }
}

fn declared(descriptor: &Descriptor, policy: &DifferentialPrivacy, faults: &mut Vec<String>) {
    if policy.declared.len() > COLUMNS_MAX {
        faults.push(format!("declared: at most {COLUMNS_MAX} columns"));
    }
    let mut named = BTreeSet::new();
    for DeclaredValues { column, values } in &policy.declared {
        if !named.insert(column) {
            faults.push(format!("declared: {column} stands twice"));
        }
        if kind(descriptor, column) != Some(ColumnType::String) {
            faults.push(format!("declared: {column} is no column of strings"));
        }
        if *column == policy.unit {
            faults.push("declared: the individuals themselves are a secret".to_owned());
        }
        if values.is_empty() || values.len() > VALUES_MAX {
            faults.push(format!("declared: {column} has 1 to {VALUES_MAX} values"));
        }
        let fine =
            |value: &String| value.len() <= VALUE_BYTES_MAX && !value.chars().any(char::is_control);
        if !values.iter().all(fine) {
            faults.push(format!(
                "declared: a value of {column} has at most {VALUE_BYTES_MAX} bytes and no controls"
            ));
        }
        if values.iter().collect::<BTreeSet<_>>().len() != values.len() {
            faults.push(format!("declared: a value of {column} stands twice"));
        }
    }
}
