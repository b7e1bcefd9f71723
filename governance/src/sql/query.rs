//! Queries within one text: a select, a query in parentheses, or a set operation over such.

use std::collections::{BTreeMap, BTreeSet};

use sqlparser::ast::{
    Expr, Ident, OrderByExpr, Query, SetExpr, SetOperator, SetQuantifier, Spanned,
};
use sqlparser::tokenizer::Span;

use super::QUERY_DEPTH_MAX;
use super::context::Context;
use super::expr::Facts;
use super::frame::{self, Frame};
use super::kind::Kind;
use super::nested;
use super::refusal::{Clause, RefusalCode};
use super::scope::{Identity, Origin, Readable, Scope, ScopeColumn, Sources};
use super::select::{self, Aliases, Checker};
use super::shape::Shape;
use super::types;
use super::{CarriedIdentity, GroupFloor};
use crate::dataset::LiteralComparisons;

/// What a query is for: what it may show, and what is added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The last segment: its output is the result.
    Last,
    /// An earlier segment, whose rows may carry identities.
    View,
    /// A derived table or a `WITH` table, whose rows may carry identities.
    Table,
    /// The value or the list of a subquery in an expression.
    Value,
    /// An operand of a set operation; `shown` if that is the result.
    Operand { shown: bool },
}

impl Role {
    /// Whether its output is, or is part of, the result.
    pub(super) const fn shown(self) -> bool {
        matches!(self, Self::Last | Self::Operand { shown: true })
    }

    /// Whether the application checks its groups, by a column for each count.
    pub(super) const fn counted(self) -> bool {
        matches!(self, Self::Last | Self::View)
    }

    /// Whether each output column needs a name.
    pub(super) const fn named(self) -> bool {
        !matches!(self, Self::Value | Self::Table)
    }
}

/// The query around a subquery, and whether the subquery may read its columns.
pub(super) type Outer<'o> = Option<(&'o Scope<'o>, bool)>;

/// A checked query.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Output names and facts, in order; a name may be empty where none is needed.
    pub(super) output: Vec<(String, Facts)>,
    /// Whether it has a row for each row read.
    pub(super) row_level: bool,
    pub(super) groups: Vec<GroupFloor>,
    pub(super) carries: Vec<CarriedIdentity>,
    /// The identities that its rows carry, under their hidden names.
    pub(super) passed: BTreeMap<String, Identity>,
    pub(super) settled: BTreeSet<String>,
    pub(super) touched: Sources,
    /// Columns that it reads of the query around it.
    pub(super) outer: Vec<Facts>,
}

impl Made {
    /// The relation that others read.
    pub(super) fn readable(self, name: &str, origin: Origin) -> Readable {
        let columns = self.output.into_iter().map(|(name, facts)| ScopeColumn {
            name,
            kind: facts.kind.map(Kind::settled),
            allowed: true,
            sources: facts.sources,
            aggregated: facts.aggregated,
            shape: facts.shape.max(Shape::Column),
            rules: facts.rules,
        });
        Readable {
            name: name.to_owned(),
            origin,
            columns: columns.collect(),
            carries: self.passed,
            settled: self.settled,
            touched: self.touched,
        }
    }
}

/// Checks and rewrites a query; what comes out counts only if nothing was refused.
pub(super) fn query(
    query: &mut Query,
    role: Role,
    outer: Outer<'_>,
    context: &mut Context<'_, '_>,
) -> Option<Made> {
    if context.depth >= QUERY_DEPTH_MAX {
        let detail = format!("at most {QUERY_DEPTH_MAX} queries stand in one another");
        context.refusals.push(RefusalCode::TooDeep, Clause::Text, query.span(), detail);
        return None;
    }
    context.depth += 1;
    let made = framed(query, role, outer, context);
    context.depth -= 1;
    made
}

fn framed(
    query: &mut Query,
    role: Role,
    outer: Outer<'_>,
    context: &mut Context<'_, '_>,
) -> Option<Made> {
    let Frame { at, with, body, order_by, limit } = frame::take_apart(query, context.refusals)?;
    let tables = with.map(|with| nested::with(with, context));
    let made = match body {
        SetExpr::Select(select) => frame::select(select, order_by, limit, context.refusals)
            .and_then(|mut parts| select::select(&mut parts, role, outer, context)),
        SetExpr::Query(inner) => {
            let made = self::query(inner, role, outer, context);
            made.map(|made| whole(made, order_by, limit, at, context))
        }
        SetExpr::SetOperation { left, op, set_quantifier, right } => {
            let made = operation((left, *op, set_quantifier, right), role, at, context);
            made.map(|made| whole(made, order_by, limit, at, context))
        }
        SetExpr::Values(_) | SetExpr::Table(_) => {
            let detail = "VALUES and TABLE: not supported in a segment";
            context.refusals.push(RefusalCode::ConstructNotSupported, Clause::Text, at, detail);
            None
        }
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            context.refusals.push(
                RefusalCode::WritesData,
                Clause::Text,
                at,
                "a segment only reads",
            );
            None
        }
    };
    if let Some(tables) = tables {
        nested::forget(tables, context);
    }
    made
}

/// Checks `ORDER BY` and `LIMIT` over the output of a query in parentheses or a set operation.
fn whole(
    made: Made,
    mut order_by: Vec<&mut OrderByExpr>,
    limit: Option<&mut Expr>,
    at: Span,
    context: &mut Context<'_, '_>,
) -> Made {
    if limit.is_some() && !made.passed.is_empty() {
        let detail = "LIMIT on rows that have a minimum group could isolate some of them";
        context.refusals.push(RefusalCode::GroupFloorUnprovable, Clause::Limit, at, detail);
    }
    let named = |(name, facts): &(String, Facts)| {
        let expr = Expr::Identifier(Ident::new(name.as_str()));
        (name.to_ascii_lowercase(), (expr, Facts { varies: true, ..facts.clone() }))
    };
    let aliases: Aliases = made.output.iter().map(named).collect();
    let scope = Scope::default();
    let mut checker = Checker { scope: &scope, context, role: Role::Table };
    checker.order_by(&mut order_by, false, &[], &aliases, at);
    if let Some(limit) = limit {
        checker.limit(limit, true, at);
    }
    made
}

type Operation<'q> =
    (&'q mut Box<SetExpr>, SetOperator, &'q mut SetQuantifier, &'q mut Box<SetExpr>);

fn operation(
    (left, op, quantifier, right): Operation<'_>,
    role: Role,
    at: Span,
    context: &mut Context<'_, '_>,
) -> Option<Made> {
    match quantifier {
        SetQuantifier::All | SetQuantifier::None => {}
        // The default, said aloud: print the one form.
        SetQuantifier::Distinct => *quantifier = SetQuantifier::None,
        SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName => {
            let detail = "BY NAME: not supported in a segment";
            context.refusals.push(RefusalCode::ConstructNotSupported, Clause::Text, at, detail);
            return None;
        }
    }
    let role = Role::Operand { shown: role.shown() };
    let first = operand(left, role, context);
    let second = operand(right, role, context);
    let (first, second) = (first?, second?);
    if first.output.len() != second.output.len() {
        let detail = format!(
            "the operands of {op} have {} and {} columns",
            first.output.len(),
            second.output.len()
        );
        context.refusals.push(RefusalCode::ColumnCount, Clause::Select, at, detail);
        return None;
    }
    if let Some(alias) = first.settled.intersection(&second.settled).next() {
        let detail = format!(
            "both operands of {op} show groups of {alias}, which has a minimum group: their difference could show what it hides"
        );
        context.refusals.push(RefusalCode::SetOperationFloor, Clause::Text, at, detail);
    }
    let mut output = Vec::with_capacity(first.output.len());
    for ((name, one), (_, other)) in first.output.into_iter().zip(second.output) {
        check_operands(&one, &other, op, at, context);
        let kind = types::merge([one.kind, other.kind]);
        // What an operand computes stands in one column with what another one reads.
        let facts = Facts::of(vec![one, other], kind, Shape::Selective);
        output.push((name, Facts { aggregates: false, ungrouped: None, varies: true, ..facts }));
    }
    let mut made = Made { output, ..Made::default() };
    for part in [first.settled, second.settled] {
        made.settled.extend(part);
    }
    for part in [first.touched, second.touched] {
        made.touched.extend(part);
    }
    Some(made)
}

/// A set operation compares or mixes its operands' values.
fn check_operands(
    one: &Facts,
    other: &Facts,
    op: SetOperator,
    at: Span,
    context: &mut Context<'_, '_>,
) {
    let mut refuse = |code, column: &str| {
        let detail = format!("{column}, on which there is a policy, can't stand in {op}");
        context.refusals.push(code, Clause::Select, at, detail);
    };
    for (part, beside) in [(one, other), (other, one)] {
        if let Some(column) = &part.rules.aggregate_only {
            refuse(RefusalCode::AggregateOnly, column);
        }
        if let Some(column) = &part.rules.join_only {
            refuse(RefusalCode::JoinOnly, column);
        }
        let compares = op != SetOperator::Union && !beside.is_stored();
        match &part.rules.literals {
            Some((LiteralComparisons::Equality | LiteralComparisons::None, column)) if compares => {
                refuse(RefusalCode::LiteralComparison, column);
            }
            _ => {}
        }
    }
}

/// Checks an operand. One that is an operation itself is put in parentheses, so that no parser's
/// precedence decides what belongs together.
fn operand(operand: &mut Box<SetExpr>, role: Role, context: &mut Context<'_, '_>) -> Option<Made> {
    if !matches!(**operand, SetExpr::Query(_)) {
        let body = std::mem::replace(operand, Box::new(SetExpr::Values(nested::no_values())));
        **operand = SetExpr::Query(Box::new(nested::plain(body)));
    }
    let SetExpr::Query(inner) = operand.as_mut() else {
        return None;
    };
    let made = query(inner, role, None, context);
    // A select needs none: the text keeps the form that its author gave it.
    let bare = inner.order_by.is_none() && inner.limit_clause.is_none() && inner.with.is_none();
    if bare && matches!(*inner.body, SetExpr::Select(_)) {
        let body =
            std::mem::replace(&mut inner.body, Box::new(SetExpr::Values(nested::no_values())));
        *operand = body;
    }
    made
}
