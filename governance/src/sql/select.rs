//! One select: its clauses in the order in which names come to be, and what its output is.

use std::collections::{BTreeMap, BTreeSet};

use sqlparser::ast::{Expr, OrderByExpr, SelectItem, Spanned, Value, ValueWithSpan};
use sqlparser::tokenizer::Span;

use super::KEYS_MAX;
use super::bind::Bindings;
use super::expr::{Aggregates, Facts, Walker, bare};
use super::frame::Parts;
use super::refusal::{Clause, RefusalCode, Refusals};
use super::scope::Scope;
use super::segments::Reads;

/// Output aliases by lower-case name, for the clauses after the output list.
pub(super) type Aliases = BTreeMap<String, (Expr, Facts)>;

/// A checked select.
pub(super) struct Checked {
    /// Output names and facts, in order.
    pub(super) output: Vec<(String, Facts)>,
    /// Whether rows were grouped.
    pub(super) grouped: bool,
}

/// Checks the clauses of one select against its scope.
pub(super) struct Checker<'w, 'v, 'p> {
    pub(super) scope: &'w Scope<'v>,
    pub(super) bindings: &'w mut Bindings<'p>,
    pub(super) refusals: &'w mut Refusals,
    pub(super) reads: &'w mut Reads,
}

impl<'v, 'p> Checker<'_, 'v, 'p> {
    pub(super) fn check(&mut self, parts: &mut Parts<'_>) -> Checked {
        let none = Aliases::new();
        if let Some(selection) = parts.selection.as_deref_mut() {
            self.walker(Clause::Where, Aggregates::Refused, &[], &none).walk(selection);
        }
        self.keys(parts.keys, parts.projection, parts.at);
        let keys = parts.keys.clone();
        self.expand(parts.projection);
        let mut output = Vec::new();
        let mut aliases = Aliases::new();
        for item in parts.projection.iter_mut() {
            self.item(item, &keys, &mut output, &mut aliases);
        }
        let aggregates = output.iter().any(|(_, facts): &(String, Facts)| facts.aggregates);
        let grouped = !keys.is_empty() || aggregates;
        if let Some(having) = parts.having.as_mut() {
            let facts =
                self.walker(Clause::Having, Aggregates::Allowed, &keys, &aliases).walk(having);
            self.refuse_ungrouped(Clause::Having, true, &facts);
            if !grouped {
                let detail = "HAVING without GROUP BY or an aggregate in the output; say WHERE";
                self.refusals.push(
                    RefusalCode::ConstructNotSupported,
                    Clause::Having,
                    parts.at,
                    detail,
                );
            }
        }
        for (_, facts) in &output {
            self.refuse_ungrouped(Clause::Select, grouped, facts);
        }
        self.order_by(&mut parts.order_by, grouped, &keys, &aliases, parts.at);
        if let Some(limit) = parts.limit.as_deref_mut() {
            self.limit(limit, grouped, parts.at);
        }
        self.distinct(parts.distinct, grouped, parts.at);
        Checked { output, grouped }
    }

    pub(super) fn walker<'s>(
        &'s mut self,
        clause: Clause,
        aggregates: Aggregates,
        keys: &'s [Expr],
        aliases: &'s Aliases,
    ) -> Walker<'s, 'v, 'p> {
        let Self { scope, bindings, refusals, reads } = self;
        Walker { scope, bindings, refusals, reads, clause, aggregates, keys, aliases }
    }

    fn refuse_ungrouped(&mut self, clause: Clause, grouped: bool, facts: &Facts) {
        if let (true, Some((name, at))) = (grouped, &facts.ungrouped) {
            let detail = format!("{name} is neither a group key nor inside an aggregate");
            self.refusals.push(RefusalCode::NotGrouped, clause, *at, detail);
        }
    }

    /// Group keys. An output alias is replaced by what it stands for, if `FROM` has no such column.
    fn keys(&mut self, keys: &mut [Expr], projection: &[SelectItem], at: Span) {
        if keys.len() > KEYS_MAX {
            let detail = format!("at most {KEYS_MAX} group keys are read");
            return self.refusals.push(RefusalCode::TooMany, Clause::GroupBy, at, detail);
        }
        let none = Aliases::new();
        for key in keys {
            let at = key.span();
            let before = self.refusals.len();
            if let Some(aliased) = self.aliased(key, projection) {
                *key = aliased;
            }
            let facts = self.walker(Clause::GroupBy, Aggregates::Refused, &[], &none).walk(key);
            *key = bare(key).clone();
            if !facts.varies && self.refusals.len() == before {
                let detail =
                    "a group key names a column; positions and constants are not supported";
                self.refusals.push(RefusalCode::ConstructNotSupported, Clause::GroupBy, at, detail);
            }
        }
    }

    fn aliased(&self, key: &Expr, projection: &[SelectItem]) -> Option<Expr> {
        let Expr::Identifier(name) = key else {
            return None;
        };
        if !self.scope.holders(&name.value).is_empty() {
            return None;
        }
        projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias }
                if alias.value.eq_ignore_ascii_case(&name.value) =>
            {
                Some(expr.clone())
            }
            _ => None,
        })
    }

    fn order_by(
        &mut self,
        order_by: &mut [&mut OrderByExpr],
        grouped: bool,
        keys: &[Expr],
        aliases: &Aliases,
        at: Span,
    ) {
        if order_by.len() > KEYS_MAX {
            let detail = format!("at most {KEYS_MAX} keys are read");
            return self.refusals.push(RefusalCode::TooMany, Clause::OrderBy, at, detail);
        }
        let aggregates = if grouped { Aggregates::Allowed } else { Aggregates::Refused };
        for key in order_by {
            let at = key.expr.span();
            let before = self.refusals.len();
            let facts = self.walker(Clause::OrderBy, aggregates, keys, aliases).walk(&mut key.expr);
            self.refuse_ungrouped(Clause::OrderBy, grouped, &facts);
            if !facts.varies && !facts.aggregates && self.refusals.len() == before {
                let detail = "a key names a column or an aggregate; positions and constants are not supported";
                self.refusals.push(RefusalCode::ConstructNotSupported, Clause::OrderBy, at, detail);
            }
        }
    }

    fn limit(&mut self, limit: &mut Expr, grouped: bool, at: Span) {
        let none = Aliases::new();
        self.walker(Clause::Limit, Aggregates::Refused, &[], &none).walk(limit);
        let count = match &*limit {
            Expr::Value(ValueWithSpan { value: Value::Number(digits, false), span: _ }) => {
                digits.parse::<i32>().ok()
            }
            _ => None,
        };
        if count.is_none() {
            let detail = "LIMIT takes a whole number below 2147483648";
            self.refusals.push(RefusalCode::ConstructNotSupported, Clause::Limit, at, detail);
        }
        if !grouped && self.scope.has_floor() {
            let detail = "LIMIT on rows that have a minimum group could isolate some of them";
            self.refusals.push(RefusalCode::GroupFloorUnprovable, Clause::Limit, at, detail);
        }
    }

    fn distinct(&mut self, distinct: bool, grouped: bool, at: Span) {
        if distinct && grouped {
            let detail = "DISTINCT over groups: group by what is to be distinct";
            self.refusals.push(RefusalCode::ConstructNotSupported, Clause::Select, at, detail);
        } else if distinct && self.scope.has_floor() {
            let detail =
                "DISTINCT on rows that have a minimum group: say GROUP BY, which counts them";
            self.refusals.push(RefusalCode::GroupFloorUnprovable, Clause::Select, at, detail);
        }
    }
}

/// The inputs whose floor stands under every row of a scope, once its rows are grouped or not.
pub(super) fn settled(scope: &Scope<'_>, grouped: bool) -> BTreeSet<String> {
    let mut settled: BTreeSet<String> =
        scope.relations.iter().flat_map(|one| one.relation.settled.iter().cloned()).collect();
    if grouped {
        settled.extend(scope.carries().map(|(alias, _, _)| alias.to_owned()));
    }
    settled
}
