//! Expressions: an allow-list of kinds, walked once. Names are resolved and qualified in place,
//! placeholders become literals, literals are re-encoded, and operands whose precedence parsers
//! don't agree on are put in parentheses.

use std::collections::BTreeMap;

use sqlparser::ast::{Expr, Ident, Spanned, TypedString};
use sqlparser::tokenizer::Span;

use super::DEPTH_MAX;
use super::bind::Bindings;
use super::refusal::{Clause, RefusalCode, Refusals};
use super::scope::{Resolved, Scope};
use super::segments::Reads;

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
pub(super) struct Walker<'w, 'v, 'p> {
    pub(super) scope: &'w Scope<'v>,
    pub(super) bindings: &'w mut Bindings<'p>,
    pub(super) refusals: &'w mut Refusals,
    pub(super) reads: &'w mut Reads,
    pub(super) clause: Clause,
    pub(super) aggregates: Aggregates,
    /// Canonical group keys; each one stands for itself in a grouped clause.
    pub(super) keys: &'w [Expr],
    /// Output aliases that the clause may use, in lower case.
    pub(super) aliases: &'w BTreeMap<String, (Expr, Facts)>,
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
        self.refusals.push(code, self.clause, at, detail);
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
        match expr {
            Expr::Identifier(ident) => {
                let ident = ident.clone();
                self.unqualified(expr, &ident)
            }
            Expr::CompoundIdentifier(parts) => {
                let at = parts.first().map_or(Span::empty(), |part| part.span);
                if let [alias, name] = parts.as_slice() {
                    let resolved = self.scope.qualified(&alias.value, &name.value);
                    let name = name.value.clone();
                    self.column(expr, resolved, &name, at)
                } else {
                    self.refuse(
                        RefusalCode::QualifiedName,
                        at,
                        "columns are written as name or relation.name",
                    )
                }
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
                self.binary(left, &op, right, depth)
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
            Expr::Function(function) => self.function(function, depth),
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
            | Expr::Exists { .. }
            | Expr::Subquery(_)
            | Expr::GroupingSets(_)
            | Expr::Cube(_)
            | Expr::Rollup(_)
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
            (_, resolved) => self.column(expr, resolved, &ident.value, ident.span),
        }
    }

    fn column(
        &mut self,
        expr: &mut Expr,
        resolved: Result<Resolved<'_>, (RefusalCode, String)>,
        name: &str,
        at: Span,
    ) -> Facts {
        let Resolved { expr: canonical, column, sources, reads } = match resolved {
            Ok(resolved) => resolved,
            Err((code, detail)) => return self.refuse(code, at, detail),
        };
        for (relation, column) in reads {
            self.reads.entry(relation.to_owned()).or_default().insert(column.to_owned());
        }
        *expr = canonical;
        Facts {
            kind: column.kind,
            sources,
            aggregated: column.aggregated,
            aggregates: false,
            ungrouped: Some((name.to_owned(), at)),
            varies: true,
            shape: column.shape,
        }
    }
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
