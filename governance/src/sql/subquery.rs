//! Subqueries in expressions: a value, a list or a question, over the scope around them or not.
//!
//! A subquery reads columns of the query around it only in its own `WHERE`, and only of the one
//! directly around it: so its columns are found the same way by every parser. Of an input with a
//! minimum group it reads settled groups only, and then nothing of the query around it: a value for
//! each outer row would be one grouping after another over the same individuals.

use sqlparser::ast::{Expr, Query, SelectItem, SetExpr, Spanned, Value};
use sqlparser::tokenizer::Span;

use super::expr::{Aggregates, Facts, Walker};
use super::kind::Kind;
use super::operators::Level;
use super::policy::Mix;
use super::query::{self, Made, Role};
use super::refusal::{Clause, RefusalCode};
use super::rules::Rules;
use super::scope::{Resolved, Scope, Unresolved};
use super::shape::Shape;

impl Walker<'_, '_, '_> {
    /// `(SELECT …)` as a value.
    pub(super) fn scalar_subquery(&mut self, subquery: &mut Query) -> Facts {
        let at = subquery.span();
        let allowed = matches!(self.clause, Clause::Where | Clause::Having | Clause::Select);
        let Some((mut parts, outer)) = self.one_column(subquery, allowed, at) else {
            return Facts::constant(None);
        };
        let kind = parts.kind.map(Kind::settled);
        parts.aggregates = false;
        let mut whole = vec![parts];
        whole.extend(outer);
        Facts { varies: true, ..Facts::of(whole, kind, Shape::Selective) }
    }

    /// `value IN (SELECT …)`. As a condition that must hold it joins two relations.
    pub(super) fn in_subquery(
        &mut self,
        inner: &mut Box<Expr>,
        subquery: &mut Query,
        conjunct: bool,
        depth: usize,
    ) -> Facts {
        let at = inner.span();
        let facts = self.operand(inner, Level::Add, depth);
        let allowed = matches!(self.clause, Clause::Where | Clause::Having);
        let Some((list, outer)) = self.one_column(subquery, allowed, at) else {
            return Facts::constant(Some(Kind::Boolean));
        };
        let joins = conjunct
            && facts.is_stored()
            && list.is_stored()
            && !facts.aggregated
            && !list.aggregated;
        let list = Facts { aggregates: false, ungrouped: None, ..list };
        let mut facts = self.condition(vec![facts, list], Mix::Equality, at);
        if joins {
            facts.rules.join_only = None;
        }
        let shape = facts.shape;
        let mut parts = vec![facts];
        parts.extend(outer);
        Facts { varies: true, ..Facts::of(parts, Some(Kind::Boolean), shape) }
    }

    /// `EXISTS (SELECT …)`. What it selects doesn't matter; a `*` becomes the least that it can be.
    pub(super) fn exists(&mut self, subquery: &mut Query) -> Facts {
        let at = subquery.span();
        if let SetExpr::Select(select) = subquery.body.as_mut()
            && let [SelectItem::Wildcard(_)] = select.projection.as_slice()
        {
            let one = Expr::value(Value::Number("1".to_owned(), false));
            select.projection = vec![SelectItem::UnnamedExpr(one)];
        }
        let allowed = matches!(self.clause, Clause::Where | Clause::Having);
        let Some(made) = self.subquery(subquery, allowed, at) else {
            return Facts::constant(Some(Kind::Boolean));
        };
        let kind = Some(Kind::Boolean);
        let parts = made.output.into_iter().map(|(_, facts)| Facts {
            aggregates: false,
            ungrouped: None,
            ..facts
        });
        let parts = parts.chain(made.outer).collect();
        Facts { varies: true, ..Facts::of(parts, kind, Shape::Selective) }
    }

    fn one_column(
        &mut self,
        subquery: &mut Query,
        allowed: bool,
        at: Span,
    ) -> Option<(Facts, Vec<Facts>)> {
        let mut made = self.subquery(subquery, allowed, at)?;
        if let (Some((_, facts)), true) = (made.output.pop(), made.output.is_empty()) {
            Some((Facts { ungrouped: None, ..facts }, made.outer))
        } else {
            let detail = "a subquery for a value or a list has one column";
            self.refuse(RefusalCode::SubqueryColumns, at, detail);
            None
        }
    }

    fn subquery(&mut self, subquery: &mut Query, allowed: bool, at: Span) -> Option<Made> {
        if !allowed || self.aggregates_inside() {
            self.refuse(RefusalCode::MisplacedSubquery, at, "a subquery can't stand here");
            return None;
        }
        let correlates = matches!(self.clause, Clause::Where | Clause::Select);
        let outer = Some((self.scope, correlates));
        let made = query::query(subquery, Role::Value, outer, self.context)?;
        if let (Some(alias), false) = (made.settled.first(), made.outer.is_empty()) {
            let detail = format!(
                "a subquery over {alias}, which has a minimum group, reads the query around it"
            );
            self.refuse(RefusalCode::CorrelatedFloor, at, detail);
        }
        let reached: Vec<String> = self.scope.reached().cloned().collect();
        for alias in &made.settled {
            let new = self.context.found.settled.insert(alias.clone());
            if !new || reached.contains(alias) {
                let detail = format!(
                    "{alias}, which has a minimum group, reaches this query by a subquery and in another way"
                );
                self.refuse(RefusalCode::GroupFloorUnprovable, at, detail);
            }
        }
        self.context.found.touched.extend(made.touched.iter().cloned());
        Some(made)
    }

    pub(super) fn aggregates_inside(&self) -> bool {
        self.aggregates == Aggregates::Inside
    }

    /// A name that the relations of `FROM` don't have: a column of the query around this one, or
    /// `missing`.
    pub(super) fn outer(
        &mut self,
        expr: &mut Expr,
        resolve: &dyn Fn(&Scope<'_>) -> Result<Resolved, Unresolved>,
        missing: Unresolved,
        name: &str,
        at: Span,
    ) -> Facts {
        let mut around = self.scope.outer;
        let mut direct = true;
        while let Some((scope, correlates)) = around {
            match resolve(scope) {
                Err((RefusalCode::UnknownColumn, _)) => {}
                resolved => {
                    return self.outer_column(expr, resolved, direct && correlates, name, at);
                }
            }
            direct = false;
            around = scope.outer;
        }
        self.refuse(missing.0, at, missing.1)
    }

    fn outer_column(
        &mut self,
        expr: &mut Expr,
        resolved: Result<Resolved, Unresolved>,
        readable: bool,
        name: &str,
        at: Span,
    ) -> Facts {
        if !readable || self.clause != Clause::Where || self.aggregates_inside() {
            let detail = format!(
                "{name} is a column of a query around this one: it can be read in the WHERE of a subquery directly under it, in WHERE or in the output"
            );
            return self.refuse(RefusalCode::Correlation, at, detail);
        }
        let before = self.context.refusals.len();
        let facts = self.column(expr, resolved, name, at);
        let clear = match &*expr {
            Expr::CompoundIdentifier(parts) => {
                parts.first().is_some_and(|alias| self.scope.position(&alias.value).is_none())
            }
            _ => false,
        };
        if !clear && self.context.refusals.len() == before {
            let detail = format!("{name} of the query around this one can't be told apart here");
            return self.refuse(RefusalCode::AmbiguousColumn, at, detail);
        }
        // Its policies are looked after in this query's clause.
        let outside = Facts { rules: Rules::default(), ..facts.clone() };
        self.context.found.outer.push(outside);
        Facts { ungrouped: None, ..facts }
    }
}
