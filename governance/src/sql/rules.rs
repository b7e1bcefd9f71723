//! Policies on single columns, as they follow a value through expressions and views.
//!
//! Three of them stay with a value until something ends them: a column for aggregates only is free
//! once an aggregate stands over it; a column for joins only may be handed on as it is, and may stand
//! in an equality of two relations' columns; one with controlled literals may be compared with other
//! stored columns, and with a literal as far as its control says. The fourth, a column that is not for
//! the output, is a matter of lineage and is checked on the last segment's output.

use crate::dataset::{ColumnRule, LiteralComparisons};

/// The policies that hold for a value, each with a column that brought it in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) aggregate_only: Option<String>,
    pub(super) join_only: Option<String>,
    pub(super) literals: Option<(LiteralComparisons, String)>,
}

impl Rules {
    /// The policies on a stored column.
    pub(super) fn of(rule: &ColumnRule) -> Self {
        let named = |holds: bool| holds.then(|| rule.column.clone());
        let literals = match rule.literals {
            LiteralComparisons::Any => None,
            control @ (LiteralComparisons::Equality | LiteralComparisons::None) => {
                Some((control, rule.column.clone()))
            }
        };
        Self {
            aggregate_only: named(rule.aggregate_only),
            join_only: named(rule.join_only),
            literals,
        }
    }

    /// Takes in the policies of another part; of two controls the stricter one holds.
    pub(super) fn add(&mut self, other: &Self) {
        if self.aggregate_only.is_none() {
            self.aggregate_only.clone_from(&other.aggregate_only);
        }
        if self.join_only.is_none() {
            self.join_only.clone_from(&other.join_only);
        }
        let strictness = |rules: &Self| rules.literals.as_ref().map(|(control, _)| *control);
        if strictness(other) > strictness(self) {
            self.literals.clone_from(&other.literals);
        }
    }
}
