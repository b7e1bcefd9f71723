//! Joins: `ON` conditions, and columns that `USING` makes one.

use std::collections::BTreeMap;

use sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Spanned,
};
use sqlparser::tokenizer::Span;

use super::expr::{Aggregates, Walker};
use super::from::FromReader;
use super::refusal::{Clause, RefusalCode};
use super::scope::Scope;

impl FromReader<'_, '_, '_> {
    pub(super) fn join(
        &mut self,
        operator: &mut JoinOperator,
        right: usize,
        scope: &mut Scope<'_>,
        at: Span,
    ) {
        let constraint = match operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint) => constraint,
            JoinOperator::CrossJoin(JoinConstraint::None) => return,
            JoinOperator::CrossJoin(_)
            | JoinOperator::Semi(_)
            | JoinOperator::LeftSemi(_)
            | JoinOperator::RightSemi(_)
            | JoinOperator::Anti(_)
            | JoinOperator::LeftAnti(_)
            | JoinOperator::RightAnti(_)
            | JoinOperator::CrossApply
            | JoinOperator::OuterApply
            | JoinOperator::AsOf { .. }
            | JoinOperator::StraightJoin(_)
            | JoinOperator::ArrayJoin
            | JoinOperator::LeftArrayJoin
            | JoinOperator::InnerArrayJoin => {
                return self.unsupported(
                    Clause::Join,
                    at,
                    "a kind of join other than INNER, LEFT, RIGHT, FULL and CROSS",
                );
            }
        };
        match constraint {
            JoinConstraint::On(condition) => self.on(condition, scope),
            JoinConstraint::Using(names) => {
                for name in names {
                    self.using(name, right, scope);
                }
            }
            JoinConstraint::UsingAlias(..) => {
                self.unsupported(Clause::Join, at, "an alias of USING");
            }
            JoinConstraint::Natural => self.unsupported(Clause::Join, at, "NATURAL"),
            JoinConstraint::None => {
                self.unsupported(Clause::Join, at, "a join without ON or USING; say CROSS JOIN");
            }
        }
    }

    fn on(&mut self, condition: &mut Expr, scope: &Scope<'_>) {
        let mut walker = Walker {
            scope,
            context: self.context,
            clause: Clause::Join,
            aggregates: Aggregates::Refused,
            keys: &[],
            aliases: &BTreeMap::new(),
            conjunct: true,
        };
        let at = condition.span();
        let facts = walker.walk(condition);
        walker.check_rules(&facts, at);
    }

    fn using(&mut self, name: &mut ObjectName, right: usize, scope: &mut Scope<'_>) {
        let at = name.span();
        let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
            return self.context.refusals.push(
                RefusalCode::QualifiedName,
                Clause::Join,
                at,
                "USING takes plain names",
            );
        };
        let key = ident.value.to_ascii_lowercase();
        let mut holders = scope.holders(&key);
        let shared = holders.remove(&right);
        let merged = scope.merged.get(&key);
        let one = holders.len() == 1
            || (!holders.is_empty() && merged.is_some_and(|merged| holders.is_subset(merged)));
        if !shared || !one {
            let code = if shared && !holders.is_empty() {
                RefusalCode::AmbiguousColumn
            } else {
                RefusalCode::UnknownColumn
            };
            let detail = format!("USING needs one column {} on each side", ident.value);
            return self.context.refusals.push(code, Clause::Join, at, detail);
        }
        holders.insert(right);
        let mut printed = None;
        for position in &holders {
            let Some(relation) = scope.relations.get(*position) else {
                continue;
            };
            match scope.qualified(&relation.alias.value, &key) {
                Ok(resolved) => {
                    if let Some(column) = &resolved.column.rules.aggregate_only {
                        let detail = format!("{column} may stand in aggregates only");
                        self.context.refusals.push(
                            RefusalCode::AggregateOnly,
                            Clause::Join,
                            at,
                            detail,
                        );
                    }
                    self.context.read(resolved.reads, &resolved.sources);
                    printed = printed.or(Some(resolved.column.name));
                }
                Err((code, detail)) => self.context.refusals.push(code, Clause::Join, at, detail),
            }
        }
        if let Some(printed) = printed {
            *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(printed))]);
        }
        scope.merged.insert(key, holders);
    }
}
