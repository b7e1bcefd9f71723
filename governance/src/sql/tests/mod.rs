//! Given texts, expected rewritings and refusals.

mod accepted;
mod decimals;
mod floors;
mod literals;
mod nested;
mod private;
mod properties;
mod refused;
mod refused_corpus;
mod rules;
mod tpch;

use super::{Analysis, Literal, Parameter, Refusal, Relation, SegmentText, analyse};
use crate::dataset::{
    AccessPolicy, Column, ColumnRule, ColumnType, GroupIdentity, LiteralComparisons, MinimumGroup,
};

/// A dataset by its columns; those after a `-` are closed.
struct Dataset {
    alias: &'static str,
    columns: Vec<Column>,
    policy: AccessPolicy,
}

fn dataset(
    alias: &'static str,
    columns: &[(&str, ColumnType)],
    minimum_group: Option<MinimumGroup>,
) -> Dataset {
    let named = |(name, kind): &(&str, ColumnType)| Column {
        name: name.trim_start_matches('-').to_owned(),
        kind: *kind,
    };
    let open = columns.iter().filter(|(name, _)| !name.starts_with('-'));
    Dataset {
        alias,
        columns: columns.iter().map(named).collect(),
        policy: AccessPolicy {
            allowed_columns: open.map(|(name, _)| (*name).to_owned()).collect(),
            minimum_group,
            column_rules: Vec::new(),
            differential_privacy: None,
        },
    }
}

fn rule() -> ColumnRule {
    ColumnRule::default()
}

fn ruled(mut dataset: Dataset, rules: &[(&str, ColumnRule)]) -> Dataset {
    let named = |(column, rule): &(&str, ColumnRule)| ColumnRule {
        column: (*column).to_owned(),
        ..rule.clone()
    };
    dataset.policy.column_rules = rules.iter().map(named).collect();
    dataset
}

/// Patients (floor: 10 distinct `id`) and labs, with a rule on single columns each;
/// flights (floor: 50 rows), people (floor: 10 distinct `id`), and weather and planes without a floor.
fn datasets() -> Vec<Dataset> {
    use ColumnType::{Boolean, Date, Double, Long, String, Timestamp};
    let rows = MinimumGroup { identity: GroupIdentity::Row, count: 50 };
    let ids = MinimumGroup { identity: GroupIdentity::Column("id".to_owned()), count: 10 };
    vec![
        dataset(
            "flights",
            &[
                ("carrier", String),
                ("origin", String),
                ("tailnum", String),
                ("dep_delay", Double),
                ("distance", Long),
                ("flown", Date),
                ("time_hour", Timestamp),
                ("cancelled", Boolean),
                ("-passenger", String),
            ],
            Some(rows),
        ),
        dataset(
            "people",
            &[("-id", Long), ("city", String), ("age", Long), ("pay", Double), ("-name", String)],
            Some(ids),
        ),
        dataset(
            "weather",
            &[("origin", String), ("time_hour", Timestamp), ("wind", Double), ("-station", String)],
            None,
        ),
        ruled(
            dataset(
                "patients",
                &[
                    ("-id", Long),
                    ("city", String),
                    ("ssn", String),
                    ("pay", Double),
                    ("link", String),
                    ("code", String),
                    ("zip", String),
                    ("diagnosis", String),
                    ("region", String),
                ],
                Some(MinimumGroup { identity: GroupIdentity::Column("id".to_owned()), count: 10 }),
            ),
            &[
                ("ssn", ColumnRule { output_forbidden: true, ..rule() }),
                ("pay", ColumnRule { aggregate_only: true, ..rule() }),
                ("link", ColumnRule { join_only: true, ..rule() }),
                ("code", ColumnRule { literals: LiteralComparisons::None, ..rule() }),
                ("zip", ColumnRule { literals: LiteralComparisons::Equality, ..rule() }),
                ("diagnosis", ColumnRule { minimum: Some(25), ..rule() }),
                ("region", ColumnRule { minimum: Some(3), ..rule() }),
            ],
        ),
        ruled(
            dataset(
                "labs",
                &[("link", String), ("code", String), ("value", Double), ("notes", String)],
                None,
            ),
            &[("link", ColumnRule { join_only: true, ..rule() })],
        ),
        dataset("planes", &[("tailnum", String), ("seats", Long), ("Model", String)], None),
    ]
}

/// Analyses segments over [`datasets`].
fn run(
    segments: &[(u32, &str, &str)],
    parameters: &[(&str, Literal)],
) -> Result<Analysis, Vec<Refusal>> {
    run_over(&datasets(), segments, parameters)
}

fn run_over(
    datasets: &[Dataset],
    segments: &[(u32, &str, &str)],
    parameters: &[(&str, Literal)],
) -> Result<Analysis, Vec<Refusal>> {
    let inputs: Vec<Relation<'_>> = datasets
        .iter()
        .map(|one| Relation { alias: one.alias, columns: &one.columns, policy: &one.policy })
        .collect();
    let segments: Vec<SegmentText<'_>> = segments
        .iter()
        .map(|(order, view, sql)| SegmentText { order: *order, view, sql })
        .collect();
    let parameters: Vec<Parameter<'_>> =
        parameters.iter().map(|(name, value)| Parameter { name, value }).collect();
    analyse(&segments, &inputs, &parameters)
}

/// The rewritten texts of accepted segments.
fn rewritten(segments: &[(u32, &str, &str)], parameters: &[(&str, Literal)]) -> Vec<String> {
    match run(segments, parameters) {
        Ok(analysis) => analysis.segments.into_iter().map(|segment| segment.rewritten).collect(),
        Err(refusals) => panic!("{segments:?} was refused: {}", told(&refusals)),
    }
}

/// The codes of a refused query, in order.
fn codes(segments: &[(u32, &str, &str)], parameters: &[(&str, Literal)]) -> Vec<&'static str> {
    match run(segments, parameters) {
        Ok(analysis) => panic!("accepted: {:#?}", analysis.segments),
        Err(refusals) => refusals.iter().map(|refusal| refusal.code.as_str()).collect(),
    }
}

fn told(refusals: &[Refusal]) -> String {
    let lines: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    lines.join("\n  ")
}
