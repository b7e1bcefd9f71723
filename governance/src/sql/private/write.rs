//! The text that runs in the place of a select over a private input.
//!
//! ```sql
//! SELECT keys, SUM(parts), COUNT(*) AS __chancery_units FROM (
//!   SELECT keys, parts, ROW_NUMBER() OVER (PARTITION BY unit ORDER BY hash of keys, keys) AS rank FROM (
//!     SELECT unit, keys, what the individual has in the group, cut to its bounds AS parts
//!     FROM … WHERE unit IS NOT NULL AND … GROUP BY unit, keys))
//! WHERE rank <= most groups GROUP BY keys
//! ```
//!
//! A sum counts each individual with the mean of its values in the group, as often as it has rows there
//! and at most `rows_max` times; each value is rounded and cut to its bounds before. All of it is whole
//! numbers when individuals are added up, so that no order of adding changes a sum.

use std::fmt::Write as _;

use super::check::{Measure, PrivateSelect};
use super::{Draw, INDIVIDUALS, PrivateInput, PrivateKey, PrivatePlan, Shown, What};
use crate::dataset::ColumnType;
use crate::privacy::{Bounds, DifferentialPrivacy, Drawn};
use crate::sql::{RESERVED_PREFIX, bind};

/// The plan and the text of it.
pub(super) fn text(select: &PrivateSelect, input: &PrivateInput<'_>) -> (PrivatePlan, String) {
    let plan = Plan::of(select, input);
    let text = plan.text(select);
    (plan.finish(select, input), text)
}

struct Plan<'a> {
    policy: &'a DifferentialPrivacy,
    groups: u64,
    /// What an individual has in a group: the expression of each column in the text that runs.
    parts: Vec<String>,
    draws: Vec<Draw>,
    shown: Vec<Shown>,
}

fn key(number: usize) -> String {
    format!("{RESERVED_PREFIX}key_{number}")
}

fn part(number: usize) -> String {
    format!("{RESERVED_PREFIX}part_{number}")
}

impl<'a> Plan<'a> {
    fn of(select: &PrivateSelect, input: &PrivateInput<'a>) -> Self {
        let policy = input.policy;
        let groups = if select.keys.is_empty() { 1 } else { policy.groups_max };
        let mut plan =
            Self { policy, groups, parts: Vec::new(), draws: Vec::new(), shown: Vec::new() };
        for (name, measure) in &select.columns {
            plan.column(name, measure, &select.qualifier);
        }
        plan
    }

    fn column(&mut self, name: &str, measure: &Measure, qualifier: &str) {
        let at = self.draws.len();
        let (what, kind) = match measure {
            Measure::Key(key, kind) => (What::Key(*key), *kind),
            Measure::Rows => {
                self.count(name, "*", Drawn::Count);
                (What::Count(at), ColumnType::Long)
            }
            Measure::Values(column) => {
                self.count(name, column, Drawn::Count);
                (What::Count(at), ColumnType::Long)
            }
            Measure::Individuals => {
                self.draw(name, Drawn::Individuals, INDIVIDUALS.to_owned(), 1);
                (What::Count(at), ColumnType::Long)
            }
            Measure::Sum(bounds, kind) => {
                self.sum(name, bounds, qualifier, Drawn::Sum);
                (What::Sum(at, bounds.clone()), *kind)
            }
            Measure::Mean(bounds) => {
                self.sum(name, bounds, qualifier, Drawn::MeanSum);
                let column = format!("{qualifier}.{}", bounds.column);
                self.count(name, &column, Drawn::MeanCount);
                (What::Mean(at, bounds.clone()), ColumnType::Double)
            }
        };
        self.shown.push(Shown { name: name.to_owned(), what, kind });
    }

    fn draw(&mut self, column: &str, of: Drawn, source: String, reach: u64) {
        let sensitivity = self.groups.saturating_mul(reach);
        self.draws.push(Draw { column: column.to_owned(), of, source, sensitivity });
    }

    fn count(&mut self, name: &str, of: &str, drawn: Drawn) {
        let rows = self.policy.rows_max;
        let source = part(self.parts.len());
        self.parts.push(format!("LEAST(COUNT({of}), {rows})"));
        self.draw(name, drawn, source, rows);
    }

    fn sum(&mut self, name: &str, bounds: &Bounds, from: &str, drawn: Drawn) {
        let rows = self.policy.rows_max;
        let Bounds { column, lower, upper, decimals } = bounds;
        let column = format!("{from}.{column}");
        let scaled = match 10_u64.checked_pow(u32::try_from(*decimals).unwrap_or(0)) {
            None | Some(1) => column.clone(),
            Some(units) => format!("{column} * {units}"),
        };
        // LEAST and GREATEST pass nulls over; a value that is no number counts as the largest.
        let value = format!(
            "CASE WHEN {column} IS NOT NULL THEN \
             CAST(ROUND(GREATEST(LEAST({scaled}, {upper}), {lower})) AS BIGINT) END"
        );
        let reach = |bound: i64| i128::from(bound) * i128::from(rows);
        let (least, most) = (reach((*lower).min(0)), reach((*upper).max(0)));
        let expr = format!(
            "CASE WHEN COUNT({column}) > 0 THEN GREATEST(LEAST(CAST(ROUND(SUM({value}) / \
             COUNT({column}) * LEAST(COUNT({column}), {rows})) AS BIGINT), {most}), {least}) \
             ELSE 0 END"
        );
        let source = part(self.parts.len());
        self.parts.push(expr);
        self.draw(name, drawn, source, rows.saturating_mul(bounds.reach()));
    }

    fn text(&self, select: &PrivateSelect) -> String {
        let keys: Vec<String> = (0..select.keys.len()).map(key).collect();
        let unit = format!("{}.{}", select.qualifier, self.policy.unit);
        let mut condition = format!("{unit} IS NOT NULL");
        for (expr, declared) in &select.keys {
            if let Some(values) = declared {
                let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
                let _ = write!(condition, " AND {expr} IN ({})", values.join(", "));
            }
        }
        if let Some(written) = &select.condition {
            let _ = write!(condition, " AND ({written})");
        }
        let mut inner = vec![format!("{unit} AS {RESERVED_PREFIX}unit")];
        inner.extend(
            select.keys.iter().zip(&keys).map(|((expr, _), key)| format!("{expr} AS {key}")),
        );
        inner.extend(
            self.parts
                .iter()
                .enumerate()
                .map(|(number, made)| format!("{made} AS {}", part(number))),
        );
        let mut by = vec![unit];
        by.extend(select.keys.iter().map(|(expr, _)| expr.clone()));
        let mut text = format!(
            "SELECT {} FROM {} WHERE {condition} GROUP BY {}",
            inner.join(", "),
            select.from,
            by.join(", ")
        );
        let each = format!("{RESERVED_PREFIX}each");
        let kept = format!("{RESERVED_PREFIX}kept");
        let of = |table: &str, names: &[String]| {
            names.iter().map(|name| format!("{table}.{name}")).collect::<Vec<_>>().join(", ")
        };
        let parts: Vec<String> = (0..self.parts.len()).map(part).collect();
        let table = if keys.is_empty() {
            each
        } else {
            let passed = [keys.clone(), parts.clone()].concat();
            text = format!(
                "SELECT {}, ROW_NUMBER() OVER (PARTITION BY {each}.{RESERVED_PREFIX}unit ORDER BY \
                 XXHASH64({}), {}) AS {RESERVED_PREFIX}rank FROM ({text}) AS {each}",
                of(&each, &passed),
                of(&each, &keys),
                of(&each, &keys)
            );
            kept
        };
        let mut outer: Vec<String> =
            keys.iter().map(|key| format!("{table}.{key} AS {key}")).collect();
        // Wide enough for any number of individuals: a sum that wraps would have no bounds.
        outer.extend(
            parts
                .iter()
                .map(|part| format!("SUM(CAST({table}.{part} AS DECIMAL(38, 0))) AS {part}")),
        );
        outer.push(format!("COUNT(*) AS {INDIVIDUALS}"));
        let outer = outer.join(", ");
        if keys.is_empty() {
            return format!("SELECT {outer} FROM ({text}) AS {table}");
        }
        let groups = self.groups;
        format!(
            "SELECT {outer} FROM ({text}) AS {table} WHERE {table}.{RESERVED_PREFIX}rank <= \
             {groups} GROUP BY {}",
            of(&table, &keys)
        )
    }

    fn finish(self, select: &PrivateSelect, input: &PrivateInput<'_>) -> PrivatePlan {
        let Self { groups, parts, mut draws, shown, policy: _ } = self;
        let keys: Vec<PrivateKey> = select
            .keys
            .iter()
            .enumerate()
            .map(|(number, (_, declared))| PrivateKey {
                source: key(number),
                declared: declared.clone(),
            })
            .collect();
        let secret = keys.iter().any(|key| key.declared.is_none());
        let threshold = secret.then(|| {
            draws.iter().position(|draw| draw.of == Drawn::Individuals).unwrap_or_else(|| {
                let (column, source) = (INDIVIDUALS.to_owned(), INDIVIDUALS.to_owned());
                draws.push(Draw { column, of: Drawn::Groups, source, sensitivity: groups });
                draws.len() - 1
            })
        });
        let mut output: Vec<String> = keys.iter().map(|key| key.source.clone()).collect();
        output.extend((0..parts.len()).map(part));
        output.push(INDIVIDUALS.to_owned());
        let alias = input.relation.alias.to_owned();
        PrivatePlan { alias, groups, keys, draws, threshold, shown, output }
    }
}

/// A value as a literal that every parser reads alike.
fn quoted(value: &str) -> String {
    bind::string(value).to_string()
}
