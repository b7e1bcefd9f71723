//! How long the analysis of each TPC-H query takes: `cargo run --release -p chancery-governance
//! --example latency`. Fails where the slowest takes longer than [`MOST`] in the median.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chancery_governance::dataset::{AccessPolicy, Column, ColumnType};
use chancery_governance::sql::{self, Relation, SegmentText};
use serde_json::Value;

/// What the analysis of any of the queries may take.
const MOST: Duration = Duration::from_millis(5);
const ROUNDS: usize = 201;

fn main() -> io::Result<ExitCode> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/tpch");
    let tables: Value = serde_json::from_str(&fs::read_to_string(folder.join("tables.json"))?)?;
    let inputs: Vec<(String, Vec<Column>, AccessPolicy)> = tables
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, table)| {
            let columns: Vec<Column> =
                table["columns"].as_object().into_iter().flatten().map(column).collect();
            let allowed_columns = columns.iter().map(|column| column.name.clone()).collect();
            let policy = AccessPolicy { allowed_columns, ..AccessPolicy::default() };
            (name.clone(), columns, policy)
        })
        .collect();
    let relations: Vec<Relation<'_>> =
        inputs.iter().map(|(alias, columns, policy)| Relation { alias, columns, policy }).collect();
    let mut out = io::stdout().lock();
    let mut slowest = Duration::ZERO;
    for number in 1..=22 {
        let name = format!("q{number:02}.sql");
        let text = text(&folder, &name)?;
        let segments = [SegmentText { order: 1, view: "result", sql: &text }];
        let mut taken: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let (analysed, taken) = timed(|| sql::analyse(&segments, &relations, &[]));
                assert!(analysed.is_ok(), "{name}: {analysed:?}");
                taken
            })
            .collect();
        taken.sort_unstable();
        let (median, longest) = (taken[ROUNDS / 2], taken[ROUNDS - 1]);
        slowest = slowest.max(median);
        writeln!(out, "{name} {} bytes: median {median:?}, longest {longest:?}", text.len())?;
    }
    writeln!(out, "slowest median {slowest:?}, at most {MOST:?}")?;
    Ok(if slowest <= MOST { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let made = work();
    (made, started.elapsed())
}

fn text(folder: &Path, name: &str) -> io::Result<String> {
    let edited = folder.join("edited").join(name);
    fs::read_to_string(if edited.exists() { edited } else { folder.join("queries").join(name) })
}

fn column((name, kind): (&String, &Value)) -> Column {
    let kind = kind.as_str().and_then(|kind| kind.parse().ok()).unwrap_or(ColumnType::String);
    Column { name: name.clone(), kind }
}
