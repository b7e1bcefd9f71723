//! Expressions: an allow-list of kinds, walked once. Names are resolved and qualified in place,
//! placeholders become literals, literals are re-encoded, and operands whose precedence parsers
//! don't agree on are put in parentheses.

use std::collections::BTreeMap;

use sqlparser::ast::{BinaryOperator, Expr, Ident, InTarget, Spanned, TypedString};
use sqlparser::tokenizer::Span;

use super::DEPTH_MAX;
use super::context::Context;
use super::refusal::{Clause, RefusalCode};
use super::scope::{Resolved, Scope, Unresolved};

pub(super) use super::facts::Facts;

/// Where an aggregate may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregates {
    /// Here.
    Allowed,
    /// Nowhere in this clause.
    Refused,
    /// Not here, since this is an aggregate's argument.
    Inside,
}

/// Walks the expressions of one clause.
pub(super) struct Walker<'w, 'c, 'p> {
    pub(super) scope: &'w Scope<'w>,
    pub(super) context: &'w mut Context<'c, 'p>,
    pub(super) clause: Clause,
    pub(super) aggregates: Aggregates,
    /// Canonical group keys; each one stands for itself in a grouped clause.
    pub(super) keys: &'w [Expr],
    /// Output aliases that the clause may use, in lower case.
    pub(super) aliases: &'w BTreeMap<String, (Expr, Facts)>,
    /// Whether the next expression is one of the conditions of a `WHERE` or `ON` that must all hold.
    pub(super) conjunct: bool,
}

impl Walker<'_, '_, '_> {
    /// Checks and canonicalises an expression.
    pub(super) fn walk(&mut self, expr: &mut Expr) -> Facts {
        self.descend(expr, 0)
    }

    pub(super) fn refuse(
        &mut self,
        code: RefusalCode,
        at: Span,
        detail: impl Into<String>,
    ) -> Facts {
        self.context.refusals.push(code, self.clause, at, detail);
        Facts::constant(None)
    }

    pub(super) fn unsupported(&mut self, at: Span, detail: impl Into<String>) -> Facts {
        self.refuse(RefusalCode::ConstructNotSupported, at, detail)
    }

    pub(super) fn unsupported_kind(&mut self, expr: &Expr) -> Facts {
        let detail = format!("this kind of expression is not supported: {}", excerpt(expr));
        self.unsupported(expr.span(), detail)
    }

    pub(super) fn descend(&mut self, expr: &mut Expr, depth: usize) -> Facts {
        if depth > DEPTH_MAX + super::OPERATORS_MAX {
            return self.refuse(RefusalCode::TooDeep, expr.span(), "the expression nests too deep");
        }
        let mut facts = self.kind_of(expr, depth + 1);
        if self.aggregates != Aggregates::Inside
            && !facts.aggregates
            && self.keys.iter().any(|key| key == bare(expr))
        {
            facts.ungrouped = None;
        }
        facts
    }

    /// One arm for each kind: a wildcard in its place would be a hole.
    fn kind_of(&mut self, expr: &mut Expr, depth: usize) -> Facts {
        let conjunct = self.conjunct;
        self.conjunct = conjunct && is_transparent(expr);
        match expr {
            Expr::Identifier(ident) => {
                let ident = ident.clone();
                self.unqualified(expr, &ident)
            }
            Expr::CompoundIdentifier(parts) => {
                let parts = parts.clone();
                self.compound(expr, &parts)
            }
            Expr::Value(value) => self.value(value).unwrap_or_else(|bound| {
                let (bound, facts) = *bound;
                *expr = bound;
                facts
            }),
            Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax }) => {
                let (data_type, at) = (data_type.clone(), value.span);
                let odbc = *uses_odbc_syntax;
                self.typed_string(&data_type, value, odbc, at)
            }
            Expr::Nested(inner) => self.descend(inner, depth),
            Expr::In {
                expr: inner,
                target: InTarget::Subquery(query),
                negated: _,
                global: false,
            } => self.in_subquery(inner, query, conjunct, depth),
            Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsDistinctFrom(..)
            | Expr::IsNotDistinctFrom(..)
            | Expr::In { .. }
            | Expr::Between { .. }
            | Expr::Like { .. }
            | Expr::ILike { .. } => self.predicate(expr, depth),
            Expr::BinaryOp { left, op, right } => {
                let op = op.clone();
                self.binary(left, &op, right, conjunct, depth)
            }
            Expr::UnaryOp { op, expr: inner } => {
                let op = *op;
                self.unary(op, inner, depth)
            }
            Expr::Cast { .. }
            | Expr::Extract { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. } => self.form(expr, depth),
            Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                self.case(operand.as_deref_mut(), conditions, else_result.as_deref_mut(), depth)
            }
            Expr::Interval(interval) => self.interval(interval),
            Expr::Exists { subquery, negated: _ } => self.exists(subquery),
            Expr::Subquery(query) => self.scalar_subquery(query),
            Expr::Function(function) => self.function(function, depth),
            Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => {
                let detail = "ROLLUP, CUBE and GROUPING SETS: not supported in a segment";
                self.refuse(RefusalCode::GroupingSets, expr.span(), detail)
            }
            // Kinds without a proof.
            Expr::CompoundFieldAccess { .. }
            | Expr::JsonAccess { .. }
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::IsJson { .. }
            | Expr::IsNormalized { .. }
            | Expr::SimilarTo { .. }
            | Expr::RLike { .. }
            | Expr::AnyOp { .. }
            | Expr::AllOp { .. }
            | Expr::Convert { .. }
            | Expr::AtTimeZone { .. }
            | Expr::Position { .. }
            | Expr::Overlay { .. }
            | Expr::Collate { .. }
            | Expr::Prefixed { .. }
            | Expr::Tuple(_)
            | Expr::Struct { .. }
            | Expr::Named { .. }
            | Expr::Dictionary(_)
            | Expr::Map(_)
            | Expr::Array(_)
            | Expr::MatchAgainst { .. }
            | Expr::Wildcard(_)
            | Expr::QualifiedWildcard(..)
            | Expr::OuterJoin(_)
            | Expr::Prior(_)
            | Expr::Lambda(_)
            | Expr::MemberOf(_) => self.unsupported_kind(expr),
        }
    }

    fn unqualified(&mut self, expr: &mut Expr, ident: &Ident) -> Facts {
        let alias = self.aliases.get(&ident.value.to_ascii_lowercase());
        let resolved = self.scope.unqualified(&ident.value);
        match (alias, resolved) {
            (Some((_, facts)), Err((RefusalCode::UnknownColumn, _)))
                if self.aggregates != Aggregates::Inside =>
            {
                facts.clone()
            }
            (Some((aliased, _)), Ok(resolved)) if *bare(aliased) != resolved.expr => {
                let detail =
                    format!("{} is an output column and another column in FROM", ident.value);
                self.refuse(RefusalCode::AmbiguousColumn, ident.span, detail)
            }
            (_, Err((RefusalCode::UnknownColumn, detail))) => {
                let outer = |scope: &Scope<'_>| scope.unqualified(&ident.value);
                let missing = (RefusalCode::UnknownColumn, detail);
                self.outer(expr, &outer, missing, &ident.value, ident.span)
            }
            (_, resolved) => self.column(expr, resolved, &ident.value, ident.span),
        }
    }

    fn compound(&mut self, expr: &mut Expr, parts: &[Ident]) -> Facts {
        let at = parts.first().map_or(Span::empty(), |part| part.span);
        if let [alias, name] = parts {
            return self.qualified(expr, &alias.value, &name.value, at);
        }
        let detail = "columns are written as name or relation.name";
        self.refuse(RefusalCode::QualifiedName, at, detail)
    }

    fn qualified(&mut self, expr: &mut Expr, alias: &str, name: &str, at: Span) -> Facts {
        if self.scope.position(alias).is_none() && self.scope.outer.is_some() {
            let outer = |scope: &Scope<'_>| match scope.position(alias) {
                Some(_) => scope.qualified(alias, name),
                None => Err((RefusalCode::UnknownColumn, String::new())),
            };
            let detail = format!("there is no relation {alias} in FROM");
            return self.outer(expr, &outer, (RefusalCode::UnknownColumn, detail), name, at);
        }
        let resolved = self.scope.qualified(alias, name);
        self.column(expr, resolved, name, at)
    }

    pub(super) fn column(
        &mut self,
        expr: &mut Expr,
        resolved: Result<Resolved, Unresolved>,
        name: &str,
        at: Span,
    ) -> Facts {
        let Resolved { expr: canonical, column, sources, reads } = match resolved {
            Ok(resolved) => resolved,
            Err((code, detail)) => return self.refuse(code, at, detail),
        };
        self.context.read(reads, &sources);
        *expr = canonical;
        Facts {
            kind: column.kind,
            sources,
            aggregated: column.aggregated,
            aggregates: false,
            ungrouped: Some((name.to_owned(), at)),
            varies: true,
            shape: column.shape,
            rules: column.rules,
        }
    }
}

/// Whether conditions under an expression must hold where it must.
fn is_transparent(expr: &Expr) -> bool {
    matches!(expr, Expr::Nested(_) | Expr::BinaryOp { op: BinaryOperator::And, left: _, right: _ })
}

/// The expression without parentheses around the whole of it.
pub(super) fn bare(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

/// The start of an expression's text, for a message.
fn excerpt(expr: &Expr) -> String {
    const CHARACTERS: usize = 60;
    let text = expr.to_string();
    let start: String = text.chars().take(CHARACTERS).collect();
    if start.len() < text.len() { format!("{start}…") } else { start }
}
