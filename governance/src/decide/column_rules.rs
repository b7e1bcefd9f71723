//! What the rules on single columns of a dataset must be.

use std::collections::BTreeSet;

use crate::dataset::{AccessMode, ColumnRule, Descriptor, LiteralComparisons};
use crate::reason::{Code, Reason};

/// Every fault of a descriptor's rules on single columns.
pub(super) fn faults(descriptor: &Descriptor) -> Vec<Reason> {
    let policy = &descriptor.policy;
    let mut faults = Vec::new();
    let mut fault = |detail: String| {
        let detail = format!("policy.column_rules: {detail}");
        faults.push(Reason::new(Code::InvalidDescriptor, detail));
    };
    if descriptor.access_mode == AccessMode::Write && !policy.column_rules.is_empty() {
        fault("an output has no columns to protect".to_owned());
    }
    let mut ruled = BTreeSet::new();
    for rule in &policy.column_rules {
        let column = &rule.column;
        if !descriptor.columns.iter().any(|declared| declared.name == *column) {
            fault(format!("there is no column {column}"));
        }
        if !ruled.insert(column) {
            fault(format!("{column} stands twice"));
        }
        if *rule == (ColumnRule { column: column.clone(), ..ColumnRule::default() }) {
            fault(format!("nothing is said of {column}"));
        }
        if rule.minimum == Some(0) {
            fault(format!("minimum of {column}: 1 or more"));
        }
        // Without a group of at least some, an aggregate of one row is the row's value.
        if policy.minimum_group.is_none() && (rule.minimum.is_some() || rule.aggregate_only) {
            fault(format!("{column}: minimum and aggregate_only rest on a minimum_group"));
        }
        let compared = rule.literals != LiteralComparisons::Any;
        if rule.join_only && (rule.aggregate_only || rule.output_forbidden || compared) {
            fault(format!("{column}: join_only says it all already"));
        }
    }
    faults
}
