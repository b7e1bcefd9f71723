//! One select: its clauses in the order in which names come to be, and what its output is.

use std::collections::BTreeMap;

use sqlparser::ast::{Expr, OrderByExpr, SelectItem, Spanned, Value, ValueWithSpan};
use sqlparser::tokenizer::Span;

use super::context::{Context, Found};
use super::expr::{Aggregates, Facts, Walker, bare};
use super::frame::Parts;
use super::from::FromReader;
use super::query::{Made, Outer, Role};
use super::refusal::{Clause, RefusalCode};
use super::scope::{Identity, Scope};
use super::{CarriedIdentity, KEYS_MAX};
use super::{lateral, rewrite};

/// Output aliases by lower-case name, for the clauses after the output list.
pub(super) type Aliases = BTreeMap<String, (Expr, Facts)>;

/// A checked select.
struct Checked {
    /// Output names and facts, in order.
    output: Vec<(String, Facts)>,
    /// Whether rows were grouped.
    grouped: bool,
}

/// Checks a select and writes identities and floors into it.
pub(super) fn select(
    parts: &mut Parts<'_>,
    role: Role,
    outer: Outer<'_>,
    context: &mut Context<'_, '_>,
) -> Option<Made> {
    let around = std::mem::take(&mut context.found);
    let made = found(parts, role, outer, context);
    context.found = around;
    made
}

fn found(
    parts: &mut Parts<'_>,
    role: Role,
    outer: Outer<'_>,
    context: &mut Context<'_, '_>,
) -> Option<Made> {
    let mut scope = FromReader { context }.read(parts.from, outer, parts.at)?;
    lateral::views(parts.lateral_views, &mut scope, context);
    let Checked { output, grouped } = Checker { scope: &scope, context, role }.check(parts);
    if !grouped {
        refuse_rows(&scope, role, parts.at, context);
    }
    let Found { outer, settled: read, touched } = std::mem::take(&mut context.found);
    let mut made = Made { output, row_level: !grouped, outer, ..Made::default() };
    made.settled = scope.relations.iter().flat_map(|one| one.relation.settled.clone()).collect();
    made.settled.extend(read);
    made.touched = scope.touched();
    made.touched.extend(touched);
    context.read_identities(&scope);
    if grouped {
        made.settled.extend(scope.carries().map(|(alias, _, _)| alias.to_owned()));
        let groups = rewrite::floor(parts, &scope, &made.touched, role.counted());
        made.groups = groups;
    } else {
        made.carries = rewrite::carry(parts, &scope, role);
        made.passed = passed_on(&scope, &made.carries);
    }
    Some(made)
}

/// Refuses rows under a floor where they can't carry their identities on.
fn refuse_rows(scope: &Scope<'_>, role: Role, at: Span, context: &mut Context<'_, '_>) {
    for (alias, _, _) in scope.carries() {
        let (code, what) = match role {
            Role::View | Role::Table => continue,
            Role::Last => (RefusalCode::RowLevelOutput, "the output would show rows of"),
            Role::Value => (RefusalCode::SubqueryFloor, "a subquery would read rows of"),
            Role::Operand { .. } => {
                (RefusalCode::SetOperationFloor, "a set operation would read rows of")
            }
        };
        let detail = format!("{what} {alias}, which has a minimum group; group them");
        context.refusals.push(code, Clause::Select, at, detail);
    }
}

/// The identities of a row-level query, which has them under their hidden names.
fn passed_on(scope: &Scope<'_>, carries: &[CarriedIdentity]) -> BTreeMap<String, Identity> {
    let passed = |alias: &str| carries.iter().any(|one| one.alias == alias);
    scope
        .carries()
        .filter(|(alias, _, _)| passed(alias))
        .map(|(alias, _, identity)| {
            (alias.to_owned(), Identity { source: identity.name.clone(), ..identity.clone() })
        })
        .collect()
}

/// Checks the clauses of one select against its scope.
pub(super) struct Checker<'w, 'c, 'p> {
    pub(super) scope: &'w Scope<'w>,
    pub(super) context: &'w mut Context<'c, 'p>,
    pub(super) role: Role,
}

impl<'c, 'p> Checker<'_, 'c, 'p> {
    fn check(&mut self, parts: &mut Parts<'_>) -> Checked {
        let none = Aliases::new();
        if let Some(selection) = parts.selection.as_deref_mut() {
            let at = selection.span();
            let mut walker = self.walker(Clause::Where, Aggregates::Refused, &[], &none);
            walker.conjunct = true;
            let facts = walker.walk(selection);
            walker.check_rules(&facts, at);
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
            let at = having.span();
            let mut walker = self.walker(Clause::Having, Aggregates::Allowed, &keys, &aliases);
            let facts = walker.walk(having);
            walker.check_rules(&facts, at);
            self.refuse_ungrouped(Clause::Having, true, &facts);
            if !grouped {
                let detail = "HAVING without GROUP BY or an aggregate in the output; say WHERE";
                self.context.refusals.push(
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
        if parts.distinct {
            self.distinct(grouped, &output, parts.at);
        }
        Checked { output, grouped }
    }

    pub(super) fn walker<'s>(
        &'s mut self,
        clause: Clause,
        aggregates: Aggregates,
        keys: &'s [Expr],
        aliases: &'s Aliases,
    ) -> Walker<'s, 'c, 'p> {
        let Self { scope, context, role: _ } = self;
        Walker { scope, context, clause, aggregates, keys, aliases, conjunct: false }
    }

    fn refuse_ungrouped(&mut self, clause: Clause, grouped: bool, facts: &Facts) {
        if let (true, Some((name, at))) = (grouped, &facts.ungrouped) {
            let detail = format!("{name} is neither a group key nor inside an aggregate");
            self.context.refusals.push(RefusalCode::NotGrouped, clause, *at, detail);
        }
    }

    /// Group keys. An output alias is replaced by what it stands for, if `FROM` has no such column.
    fn keys(&mut self, keys: &mut [Expr], projection: &[SelectItem], at: Span) {
        if keys.len() > KEYS_MAX {
            let detail = format!("at most {KEYS_MAX} group keys are read");
            return self.context.refusals.push(RefusalCode::TooMany, Clause::GroupBy, at, detail);
        }
        let none = Aliases::new();
        for key in keys {
            let at = key.span();
            let before = self.context.refusals.len();
            if let Some(aliased) = self.aliased(key, projection) {
                *key = aliased;
            }
            let mut walker = self.walker(Clause::GroupBy, Aggregates::Refused, &[], &none);
            let facts = walker.walk(key);
            walker.check_rules(&facts, at);
            *key = bare(key).clone();
            if !facts.varies && self.context.refusals.len() == before {
                let detail =
                    "a group key names a column; positions and constants are not supported";
                self.context.refusals.push(
                    RefusalCode::ConstructNotSupported,
                    Clause::GroupBy,
                    at,
                    detail,
                );
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

    pub(super) fn order_by(
        &mut self,
        order_by: &mut [&mut OrderByExpr],
        grouped: bool,
        keys: &[Expr],
        aliases: &Aliases,
        at: Span,
    ) {
        if order_by.len() > KEYS_MAX {
            let detail = format!("at most {KEYS_MAX} keys are read");
            return self.context.refusals.push(RefusalCode::TooMany, Clause::OrderBy, at, detail);
        }
        let aggregates = if grouped { Aggregates::Allowed } else { Aggregates::Refused };
        for key in order_by {
            let at = key.expr.span();
            let before = self.context.refusals.len();
            let mut walker = self.walker(Clause::OrderBy, aggregates, keys, aliases);
            let facts = walker.walk(&mut key.expr);
            walker.check_rules(&facts, at);
            self.refuse_ungrouped(Clause::OrderBy, grouped, &facts);
            if !facts.varies && !facts.aggregates && self.context.refusals.len() == before {
                let detail = "a key names a column or an aggregate; positions and constants are not supported";
                self.context.refusals.push(
                    RefusalCode::ConstructNotSupported,
                    Clause::OrderBy,
                    at,
                    detail,
                );
            }
        }
    }

    pub(super) fn limit(&mut self, limit: &mut Expr, grouped: bool, at: Span) {
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
            self.context.refusals.push(
                RefusalCode::ConstructNotSupported,
                Clause::Limit,
                at,
                detail,
            );
        }
        if !grouped && self.scope.has_floor() {
            let detail = "LIMIT on rows that have a minimum group could isolate some of them";
            self.context.refusals.push(
                RefusalCode::GroupFloorUnprovable,
                Clause::Limit,
                at,
                detail,
            );
        }
    }

    fn distinct(&mut self, grouped: bool, output: &[(String, Facts)], at: Span) {
        let none = Aliases::new();
        for (_, facts) in output {
            self.walker(Clause::Select, Aggregates::Refused, &[], &none).check_rules(facts, at);
        }
        if grouped {
            let detail = "DISTINCT over groups: group by what is to be distinct";
            self.context.refusals.push(
                RefusalCode::ConstructNotSupported,
                Clause::Select,
                at,
                detail,
            );
        } else if self.scope.has_floor() {
            let detail =
                "DISTINCT on rows that have a minimum group: say GROUP BY, which counts them";
            self.context.refusals.push(
                RefusalCode::GroupFloorUnprovable,
                Clause::Select,
                at,
                detail,
            );
        }
    }
}
