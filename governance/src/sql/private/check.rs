//! What may stand in a select over a private input, and what each column of its output is.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    GroupByExpr, Join, JoinConstraint, JoinOperator, Query, Select, SelectItem, SetExpr, Spanned,
    TableFactor, TableWithJoins,
};
use sqlparser::tokenizer::Span;

use super::{DECLARED_GROUPS_MAX, PrivateInput, total};
use crate::dataset::ColumnType;
use crate::privacy::Bounds;
use crate::sql::expr::bare;
use crate::sql::refusal::{Clause, RefusalCode, Refusals};

/// A select of the one form.
pub(super) struct PrivateSelect {
    /// The name that the input's columns are qualified with.
    pub(super) qualifier: String,
    /// `FROM`, as printed.
    pub(super) from: String,
    /// `WHERE`, as printed.
    pub(super) condition: Option<String>,
    /// The keys, as printed, with their values where they are declared.
    pub(super) keys: Vec<(String, Option<Vec<String>>)>,
    /// The columns of the result.
    pub(super) columns: Vec<(String, Measure)>,
}

/// What a column of the result is.
pub(super) enum Measure {
    Key(usize, ColumnType),
    Rows,
    /// Rows in which this is not null.
    Values(String),
    Individuals,
    Sum(Bounds, ColumnType),
    Mean(Bounds),
}

struct Check<'r, 'a> {
    input: &'r PrivateInput<'a>,
    refusals: &'r mut Refusals,
    at: Span,
}

pub(super) fn select(
    query: &Query,
    written: &Query,
    input: &PrivateInput<'_>,
    output: &[(String, Option<ColumnType>)],
    refusals: &mut Refusals,
) -> Option<PrivateSelect> {
    let at = written.span();
    let mut check = Check { input, refusals, at };
    let (Some(select), Some(written)) = (plain(query), plain(written)) else {
        check.refuse(
            RefusalCode::PrivacyForm,
            Clause::Text,
            at,
            "a select over it has no WITH, ORDER BY, LIMIT, set operation or parentheses around it",
        );
        return None;
    };
    check.clauses(select);
    let qualifier = check.from(&select.from, &written.from)?;
    if let (Some(condition), Some(place)) = (&select.selection, &written.selection) {
        check.total(condition, Clause::Where, place.span());
    }
    let keys = check.keys(select, written, &qualifier, output);
    let columns = check.columns(select, written, &qualifier, output);
    Some(PrivateSelect {
        from: select.from.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        condition: select.selection.as_ref().map(ToString::to_string),
        qualifier,
        keys,
        columns,
    })
}

/// The select that a query is, where it is nothing else.
fn plain(query: &Query) -> Option<&Select> {
    let alone = query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none();
    match query.body.as_ref() {
        SetExpr::Select(select) if alone => Some(select),
        _ => None,
    }
}

fn keys_of(select: &Select) -> &[Expr] {
    match &select.group_by {
        GroupByExpr::Expressions(keys, _) => keys,
        GroupByExpr::All(_) => &[],
    }
}

fn expression(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, alias: _ } => Some(expr),
        SelectItem::ExprWithAliases { .. }
        | SelectItem::QualifiedWildcard(..)
        | SelectItem::Wildcard(_) => None,
    }
}

impl Check<'_, '_> {
    fn refuse(&mut self, code: RefusalCode, clause: Clause, at: Span, detail: impl AsRef<str>) {
        let alias = self.input.relation.alias;
        let detail = format!("{alias} asks for differential privacy: {}", detail.as_ref());
        self.refusals.push(code, clause, at, detail);
    }

    fn form(&mut self, fine: bool, clause: Clause, what: &str) {
        if !fine {
            self.refuse(RefusalCode::PrivacyForm, clause, self.at, format!("no {what} over it"));
        }
    }

    fn clauses(&mut self, select: &Select) {
        self.form(select.distinct.is_none(), Clause::Select, "DISTINCT");
        self.form(select.having.is_none(), Clause::Having, "HAVING");
        self.form(select.lateral_views.is_empty(), Clause::From, "LATERAL VIEW");
    }

    fn total(&mut self, expr: &Expr, clause: Clause, at: Span) {
        if let Some(what) = total::objection(expr) {
            self.refuse(RefusalCode::PrivacyExpression, clause, at, what);
        }
    }

    /// The name of the private input in this `FROM`: once, first, and preserved by every join.
    fn from(&mut self, from: &[TableWithJoins], written: &[TableWithJoins]) -> Option<String> {
        let factors = from.iter().flat_map(|one| {
            std::iter::once(&one.relation).chain(one.joins.iter().map(|join| &join.relation))
        });
        let standing = factors.filter(|factor| self.private(factor).is_some()).count();
        let first = from.first().and_then(|one| self.private(&one.relation));
        let (1, Some(qualifier)) = (standing, first) else {
            let detail = "it stands once in FROM, and first";
            self.refuse(RefusalCode::PrivacyJoin, Clause::From, self.at, detail);
            return None;
        };
        let (one, place) = (from.first()?, written.first()?);
        for (join, place) in one.joins.iter().zip(&place.joins) {
            self.join(join, place.relation.span());
        }
        Some(qualifier)
    }

    /// The name that a factor is read by, if it is the private input.
    fn private(&self, factor: &TableFactor) -> Option<String> {
        let TableFactor::Table { name, alias, .. } = factor else { return None };
        if name.to_string() != self.input.relation.alias {
            return None;
        }
        Some(alias.as_ref().map_or_else(|| name.to_string(), |alias| alias.name.value.clone()))
    }

    fn join(&mut self, join: &Join, at: Span) {
        let (JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::CrossJoin(constraint)) = &join.join_operator
        else {
            let detail = "it is joined by INNER, LEFT and CROSS, each row for itself";
            return self.refuse(RefusalCode::PrivacyJoin, Clause::Join, at, detail);
        };
        match constraint {
            JoinConstraint::On(condition) => self.total(condition, Clause::Join, at),
            JoinConstraint::None => {}
            JoinConstraint::Using(_) | JoinConstraint::UsingAlias(..) | JoinConstraint::Natural => {
                let detail = "say ON in the place of USING";
                self.refuse(RefusalCode::PrivacyJoin, Clause::Join, at, detail);
            }
        }
    }

    fn keys(
        &mut self,
        select: &Select,
        written: &Select,
        qualifier: &str,
        output: &[(String, Option<ColumnType>)],
    ) -> Vec<(String, Option<Vec<String>>)> {
        let keys = keys_of(select);
        let mut groups = Some(1_usize);
        let mut read = Vec::new();
        for (key, place) in keys.iter().zip(keys_of(written)) {
            self.total(key, Clause::GroupBy, place.span());
            let shown = select
                .projection
                .iter()
                .position(|item| expression(item).is_some_and(|expr| bare(expr) == bare(key)));
            let kind = shown.and_then(|place| output.get(place)).map(|(_, kind)| *kind);
            match kind {
                // What is not shown has no type that matters, but groups that look alike.
                None => self.refuse(
                    RefusalCode::PrivacyKey,
                    Clause::GroupBy,
                    place.span(),
                    "a group key stands in the output too",
                ),
                Some(Some(
                    ColumnType::String | ColumnType::Long | ColumnType::Boolean | ColumnType::Date,
                )) => {}
                Some(
                    None
                    | Some(ColumnType::Double | ColumnType::Decimal(_) | ColumnType::Timestamp),
                ) => self.refuse(
                    RefusalCode::PrivacyKey,
                    Clause::GroupBy,
                    place.span(),
                    "a group key is a string, a long, a boolean or a date",
                ),
            }
            let declared = self.declared(key, qualifier);
            groups = groups
                .zip(declared.as_ref())
                .and_then(|(groups, values)| groups.checked_mul(values.len()));
            read.push((key.to_string(), declared));
        }
        if groups.is_some_and(|groups| groups > DECLARED_GROUPS_MAX) {
            let detail = format!("the declared values make more than {DECLARED_GROUPS_MAX} groups");
            self.refuse(RefusalCode::PrivacyKey, Clause::GroupBy, self.at, detail);
        }
        read
    }

    /// The declared values of a key that is a column of the input.
    fn declared(&self, key: &Expr, qualifier: &str) -> Option<Vec<String>> {
        let column = column_of(key, qualifier)?;
        let declared = &self.input.policy.declared;
        let found = declared.iter().find(|one| one.column.eq_ignore_ascii_case(&column))?;
        Some(found.values.clone())
    }

    fn columns(
        &mut self,
        select: &Select,
        written: &Select,
        qualifier: &str,
        output: &[(String, Option<ColumnType>)],
    ) -> Vec<(String, Measure)> {
        let keys = keys_of(select);
        let mut columns = Vec::new();
        for (place, item) in select.projection.iter().enumerate() {
            // A star has more columns than places; it shows rows, and is refused for each.
            let at = written.projection.get(place).map_or(self.at, Spanned::span);
            let Some((expr, (name, kind))) = expression(item).zip(output.get(place)) else {
                continue;
            };
            let key = keys.iter().position(|key| bare(key) == bare(expr));
            let measure = match (key, bare(expr)) {
                (Some(key), _) => Ok(Measure::Key(key, kind.unwrap_or(ColumnType::String))),
                (None, Expr::Function(call)) => self.measure(call, qualifier),
                (None, _) => Err(None),
            };
            match measure {
                Ok(measure) => columns.push((name.clone(), measure)),
                Err(Some(column)) => {
                    let detail = format!("its policy has no bounds for {column}");
                    self.refuse(RefusalCode::PrivacyBounds, Clause::Select, at, detail);
                }
                Err(None) => {
                    let detail = "its output is group keys, COUNT, COUNT(DISTINCT …) of its \
                                  individuals, SUM and AVG of its columns with bounds";
                    self.refuse(RefusalCode::PrivacyOutput, Clause::Select, at, detail);
                }
            }
        }
        if columns.iter().all(|(_, measure)| matches!(measure, Measure::Key(..)))
            && columns.len() == select.projection.len()
        {
            let detail = "its output has a count, a sum or a mean";
            self.refuse(RefusalCode::PrivacyOutput, Clause::Select, self.at, detail);
        }
        columns
    }

    /// What an aggregate is: the column without bounds where that is what is wrong with it.
    fn measure(&self, call: &Function, qualifier: &str) -> Result<Measure, Option<String>> {
        let FunctionArguments::List(list) = &call.args else { return Err(None) };
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let [FunctionArg::Unnamed(argument)] = list.args.as_slice() else { return Err(None) };
        if call.over.is_some() {
            return Err(None);
        }
        let argument = match argument {
            FunctionArgExpr::Wildcard if call.name.to_string() == "COUNT" && !distinct => {
                return Ok(Measure::Rows);
            }
            FunctionArgExpr::Expr(expr) => expr,
            _ => return Err(None),
        };
        let column = column_of(argument, qualifier);
        match (call.name.to_string().as_str(), distinct) {
            ("COUNT", true) => column
                .filter(|column| column.eq_ignore_ascii_case(&self.input.policy.unit))
                .map(|_| Measure::Individuals)
                .ok_or(None),
            ("COUNT", false) => match bare(argument) {
                column @ Expr::CompoundIdentifier(_) => Ok(Measure::Values(column.to_string())),
                _ => Err(None),
            },
            ("SUM", false) => {
                let bounds = self.bounds(column)?;
                let kind = self.kind(&bounds.column);
                Ok(Measure::Sum(bounds, kind))
            }
            ("AVG" | "MEAN", false) => Ok(Measure::Mean(self.bounds(column)?)),
            _ => Err(None),
        }
    }

    fn bounds(&self, column: Option<String>) -> Result<Bounds, Option<String>> {
        let column = column.ok_or(None)?;
        let bounds = self.input.policy.columns.iter();
        let mut named = bounds.filter(|bounds| bounds.column.eq_ignore_ascii_case(&column));
        named.next().cloned().ok_or(Some(column))
    }

    fn kind(&self, name: &str) -> ColumnType {
        let columns = self.input.relation.columns.iter();
        let mut named = columns.filter(|column| column.name.eq_ignore_ascii_case(name));
        named.next().map_or(ColumnType::Double, |column| column.kind)
    }
}

/// The column of the input that an expression is.
fn column_of(expr: &Expr, qualifier: &str) -> Option<String> {
    match bare(expr) {
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [of, name] if of.value == qualifier => Some(name.value.clone()),
            _ => None,
        },
        _ => None,
    }
}
