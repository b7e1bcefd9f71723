//! The policies on single columns, enforced where an expression uses them; `rules` says what they are.

use sqlparser::ast::Expr;
use sqlparser::tokenizer::Span;

use super::expr::{Facts, Walker, bare};
use super::functions::{Class, Function};
use super::kind::Kind;
use super::refusal::RefusalCode;
use super::rules::Rules;
use crate::dataset::LiteralComparisons;

/// How an expression brings its parts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mix {
    /// It compares whole values for equality.
    Equality,
    /// In any other way.
    Other,
}

impl Walker<'_, '_, '_> {
    /// A condition over parts: what it tells of a column with controlled literals, its control allows.
    pub(super) fn condition(&mut self, parts: Vec<Facts>, how: Mix, at: Span) -> Facts {
        self.mix(&parts, how, at);
        let mut facts = Facts::choice(parts, Some(Kind::Boolean));
        facts.rules.literals = None;
        facts
    }

    /// Refuses a column with controlled literals beside what its author could have chosen: a literal,
    /// a parameter, or anything computed. Other stored columns may stand beside it.
    pub(super) fn mix(&mut self, parts: &[Facts], how: Mix, at: Span) {
        for (index, part) in parts.iter().enumerate() {
            let Some((control, column)) = &part.rules.literals else {
                continue;
            };
            let chosen =
                parts.iter().enumerate().any(|(other, facts)| other != index && !facts.is_stored());
            let allowed = match control {
                LiteralComparisons::Any => true,
                LiteralComparisons::Equality => how == Mix::Equality && part.is_stored(),
                LiteralComparisons::None => false,
            };
            if chosen && !allowed {
                let detail = format!("the policy on {column} refuses this use with a literal");
                self.refuse(RefusalCode::LiteralComparison, at, detail);
                return;
            }
        }
    }

    /// Refuses what decides something, such as a condition or a group key, over columns that may not.
    pub(super) fn check_rules(&mut self, facts: &Facts, at: Span) {
        if let Some(column) = &facts.rules.aggregate_only {
            let detail = format!("{column} may stand in aggregates only");
            self.refuse(RefusalCode::AggregateOnly, at, detail);
        }
        if let Some(column) = &facts.rules.join_only {
            let detail = format!("{column} may only stand where an equality joins two relations");
            self.refuse(RefusalCode::JoinOnly, at, detail);
        }
    }

    /// What still holds for an aggregate of a value.
    pub(super) fn aggregated_rules(
        &mut self,
        function: &Function,
        rules: Rules,
        at: Span,
    ) -> Rules {
        let extreme = function.class == Class::Extreme;
        if let (true, Some(column)) = (extreme, &rules.aggregate_only) {
            let detail = format!("{} shows a single value of {column}", function.name);
            self.refuse(RefusalCode::AggregateOnly, at, detail);
        }
        if let Some(column) = &rules.join_only {
            let detail = format!("{column} may only stand where an equality joins two relations");
            self.refuse(RefusalCode::JoinOnly, at, detail);
        }
        // A count tells nothing of a value; another aggregate of one row is the value.
        let literals = rules.literals.filter(|_| function.name != "COUNT");
        Rules { aggregate_only: None, join_only: None, literals }
    }
}

/// Whether an equality of these joins two relations by stored columns.
pub(super) fn joins(left: (&Expr, &Facts), right: (&Expr, &Facts)) -> bool {
    let relation = |expr| match bare(expr) {
        Expr::CompoundIdentifier(parts) => parts.first().map(|alias| alias.value.as_str()),
        _ => None,
    };
    let stored = |facts: &Facts| facts.is_stored() && !facts.aggregated;
    match (relation(left.0), relation(right.0)) {
        (Some(one), Some(other)) => one != other && stored(left.1) && stored(right.1),
        _ => false,
    }
}
