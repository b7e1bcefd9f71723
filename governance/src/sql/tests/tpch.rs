//! The 22 TPC-H queries: each is accepted as it stands, or with its stated edit, and gives the columns
//! that `answers.json` states. With a floor under one of the tables the analysis still tells what may
//! run and what may not.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Dataset, dataset, run_over};
use crate::dataset::{GroupIdentity, MinimumGroup};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tpch")
}

fn read(name: &str) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

fn tables(floor: Option<&str>) -> Vec<Dataset> {
    let tables = read("tables.json");
    let names =
        ["customer", "orders", "lineitem", "part", "partsupp", "supplier", "nation", "region"];
    names
        .iter()
        .map(|name| {
            let columns: Vec<_> = tables[name]["columns"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, it)| (name.as_str(), it.as_str().unwrap().parse().unwrap()))
                .collect();
            let rows = MinimumGroup { identity: GroupIdentity::Row, count: 5 };
            dataset(name, &columns, (floor == Some(*name)).then_some(rows))
        })
        .collect()
}

fn original(number: usize) -> String {
    fs::read_to_string(folder().join(format!("queries/q{number:02}.sql"))).unwrap()
}

fn edited(number: usize) -> Option<String> {
    fs::read_to_string(folder().join(format!("edited/q{number:02}.sql"))).ok()
}

#[test]
fn every_query_is_accepted_unchanged_or_with_its_edit() {
    let (tables, answers) = (tables(None), read("answers.json"));
    for number in 1..=22 {
        let text = edited(number).unwrap_or_else(|| original(number));
        let analysis = run_over(&tables, &[(1, "out", &text)], &[]).unwrap();
        let segment = &analysis.segments[0];
        assert!(
            segment.output.iter().all(|column| !column.sources.is_empty() || column.aggregated)
        );
        let told: Vec<_> = segment
            .output
            .iter()
            .map(|column| [column.name.clone(), column.kind.unwrap().to_string()])
            .collect();
        assert_eq!(serde_json::json!(told), answers[format!("q{number:02}")]);
        let again = run_over(&tables, &[(1, "out", &segment.rewritten)], &[]).unwrap();
        assert_eq!(again.segments[0].rewritten, segment.rewritten, "a fixpoint");
    }
    let edits: Vec<usize> = (1..=22).filter(|number| edited(*number).is_some()).collect();
    assert_eq!(edits, [18], "the edit that docs/sql.md states");
    let refusals = run_over(&tables, &[(1, "out", &original(18))], &[]).unwrap_err();
    assert_eq!(refusals[0].code.as_str(), "sql_unnamed_output_column");
}

#[test]
fn under_a_floor_a_query_is_floored_or_refused() {
    let tables = tables(Some("lineitem"));
    let mut floored = Vec::new();
    for number in 1..=22 {
        let text = edited(number).unwrap_or_else(|| original(number));
        if let Ok(analysis) = run_over(&tables, &[(1, "out", &text)], &[]) {
            let segment = &analysis.segments[0];
            let reads = segment.reads.contains_key("lineitem");
            let counted = segment.rewritten.contains("__chancery_row_lineitem) >= 5");
            assert_eq!(reads, counted, "{}", segment.rewritten);
            if reads {
                floored.push(number);
            }
        }
    }
    // A sum of a product of two columns passes. `price * (1 - discount)`, conditions inside an
    // aggregate, and rows of lineitem in a subquery don't.
    assert_eq!(floored, [6]);
}
