//! The SQL analysis: no text, however changed, reads what is closed or shows a small group.

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use chancery_fuzz::arbitrary::{Result, Unstructured};
use chancery_fuzz::{corpus, fuzz, mutate};
use chancery_governance::dataset::{AccessPolicy, Column, ColumnType, GroupIdentity, MinimumGroup};
use chancery_governance::decimal::Decimal;
use chancery_governance::sql::{
    Analysis, Literal, Parameter, REFUSALS_MAX, REWRITTEN_BYTES_MAX, Refusal, Relation,
    SEGMENT_BYTES_MAX, SegmentText, analyse,
};

/// Words that change what a text means.
const WORDS: [&str; 48] = [
    "station",
    "passenger",
    "name",
    "id",
    "*",
    "w.*",
    "f.*",
    "people",
    "flights",
    "weather",
    "planes",
    "origin",
    "wind",
    "COUNT(*)",
    "(",
    ")",
    ",",
    "UNION",
    "SELECT",
    "FROM",
    "JOIN",
    "USING (origin)",
    "ON true",
    "WHERE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT 1",
    "DISTINCT",
    "AS",
    "OVER ()",
    "--",
    "/*",
    "*/",
    "`",
    "\"",
    "'",
    "\\",
    ";",
    ":least",
    "$",
    "{",
    "NOT",
    "((((",
    "IN (SELECT",
    "CASE WHEN",
    "1e999",
    "99999999999999999999",
];

struct Dataset {
    alias: &'static str,
    columns: Vec<Column>,
    policy: AccessPolicy,
}

/// A dataset by its columns; those after a `-` are closed.
fn dataset(
    alias: &'static str,
    columns: &[(&str, ColumnType)],
    minimum_group: Option<MinimumGroup>,
) -> Dataset {
    let open = columns.iter().map(|(name, _)| *name).filter(|name| !name.starts_with('-'));
    let allowed_columns = open.map(str::to_owned).collect();
    let named = |(name, kind): &(&str, ColumnType)| Column {
        name: name.trim_start_matches('-').to_owned(),
        kind: *kind,
    };
    Dataset {
        alias,
        columns: columns.iter().map(named).collect(),
        policy: AccessPolicy { allowed_columns, minimum_group, ..AccessPolicy::default() },
    }
}

/// The datasets of the statements: flights and people have floors, weather and planes none.
fn datasets() -> Vec<Dataset> {
    use ColumnType::{Boolean, Date, Double, Long, String, Timestamp};
    let floor = |identity, count| Some(MinimumGroup { identity, count });
    let flights = [
        ("carrier", String),
        ("origin", String),
        ("tailnum", String),
        ("dep_delay", Double),
        ("distance", Long),
        ("flown", Date),
        ("time_hour", Timestamp),
        ("cancelled", Boolean),
        ("-passenger", String),
    ];
    let people =
        [("-id", Long), ("city", String), ("age", Long), ("pay", Double), ("-name", String)];
    let weather =
        [("origin", String), ("time_hour", Timestamp), ("wind", Double), ("-station", String)];
    let price = ColumnType::Decimal(Decimal::new(15, 2).unwrap());
    let planes = [("tailnum", String), ("seats", Long), ("Model", String), ("price", price)];
    vec![
        dataset("flights", &flights, floor(GroupIdentity::Row, 50)),
        dataset("people", &people, floor(GroupIdentity::Column("id".to_owned()), 10)),
        dataset("weather", &weather, None),
        dataset("planes", &planes, None),
    ]
}

fn run(
    datasets: &[Dataset],
    texts: &[(u32, &str, &str)],
) -> std::result::Result<Analysis, Vec<Refusal>> {
    let inputs: Vec<_> = datasets
        .iter()
        .map(|one| Relation { alias: one.alias, columns: &one.columns, policy: &one.policy })
        .collect();
    let segments: Vec<_> =
        texts.iter().map(|(order, view, sql)| SegmentText { order: *order, view, sql }).collect();
    let least = Literal::Long(-5);
    let parameters = [Parameter { name: "least", value: &least }];
    let bound = texts.iter().any(|(_, _, sql)| sql.contains(":least"));
    analyse(&segments, &inputs, if bound { &parameters } else { &[] })
}

/// What holds of every analysis, and returns it if the text was accepted.
fn checked(datasets: &[Dataset], texts: &[(u32, &str, &str)]) -> Option<Analysis> {
    let analysis = match run(datasets, texts) {
        Ok(analysis) => analysis,
        Err(refusals) => {
            assert!((1..=REFUSALS_MAX).contains(&refusals.len()));
            return None;
        }
    };
    let last = analysis.segments.last().unwrap();
    assert!(last.carries.is_empty());
    for segment in &analysis.segments {
        assert!(segment.rewritten.len() <= REWRITTEN_BYTES_MAX);
        for one in datasets {
            let open = |column: &String| one.policy.allowed_columns.contains(column);
            // A closed column may stand in a count of individuals, nowhere else.
            let counts = |column: &String| {
                let floor = one.policy.minimum_group.as_ref();
                let identity = floor.map(|floor| &floor.identity);
                identity == Some(&GroupIdentity::Column(column.clone()))
            };
            let mut read = segment.reads.get(one.alias).into_iter().flatten();
            assert!(read.all(|column| open(column) || counts(column)), "{}", segment.rewritten);
            let sources = segment.output.iter().flat_map(|output| &output.sources);
            let mut sources = sources.filter(|(alias, _)| alias == one.alias);
            assert!(sources.all(|(_, column)| open(column)), "{}", segment.rewritten);
            // A floor is counted where the rows are grouped, and carried to there.
            let Some(floor) = &one.policy.minimum_group else { continue };
            if segment.reads.contains_key(one.alias) {
                let counted = segment
                    .groups
                    .iter()
                    .any(|group| group.alias == one.alias && group.minimum == floor.count);
                let carried = segment.carries.iter().any(|carried| carried.alias == one.alias);
                // A query within the text has its floor in its own HAVING.
                let within = segment.rewritten.contains(&format!(") >= {}", floor.count));
                let held = counted || within || (carried && segment.view != last.view);
                assert!(held, "{}", segment.rewritten);
            }
        }
    }
    Some(analysis)
}

fn text(u: &mut Unstructured<'_>, seeds: &[String]) -> Result<String> {
    mutate::text(u, seeds, &WORDS)
}

#[test]
fn no_changed_statement_reads_what_is_closed_or_shows_a_small_group() {
    let (seeds, datasets) = (corpus::statements(), datasets());
    fuzz(|u| {
        let sql = text(u, &seeds)?;
        if let Some(analysis) = checked(&datasets, &[(1, "out", &sql)]) {
            let [segment] = analysis.segments.as_slice() else { panic!("one segment") };
            // What runs says the same again, where nothing was added to it. A backslash is ours: no
            // text may have one, and some literals are written with it.
            let floored = ["flights", "people"].iter().any(|it| segment.reads.contains_key(*it));
            if !floored && !segment.rewritten.contains('\\') {
                let again = run(&datasets, &[(1, "out", &segment.rewritten)]);
                let again = again.map(|analysis| analysis.segments[0].rewritten.clone());
                assert_eq!(again.as_ref(), Ok(&segment.rewritten), "{sql}");
            }
        }
        Ok(())
    });
}

#[test]
fn no_chain_of_changed_statements_does_either() {
    let (seeds, datasets) = (corpus::statements(), datasets());
    let views = ["early", "joined", "weather", "out"];
    fuzz(|u| {
        let count = u.int_in_range(1..=4)?;
        let texts = (0..count).map(|_| text(u, &seeds)).collect::<Result<Vec<_>>>()?;
        let mut segments = Vec::new();
        for sql in &texts {
            segments.push((u.int_in_range(0..=4)?, *u.choose(&views)?, sql.as_str()));
        }
        checked(&datasets, &segments);
        let counted = "SELECT COUNT(*) AS n FROM early";
        checked(&datasets, &[(1, "early", &texts[0]), (2, "out", counted)]);
        Ok(())
    });
}

#[test]
fn deep_and_long_statements_are_refused_by_bounds() {
    let datasets = datasets();
    let nests = [
        ("SELECT ", "(", "wind", ")", " FROM weather"),
        ("SELECT ", "NOT ", "true", "", " AS x FROM weather"),
        ("SELECT ", "- ", "wind", "", " AS x FROM weather"),
        ("SELECT wind FROM weather WHERE ", "wind = 1 OR ", "true", "", ""),
        ("SELECT ", "CASE WHEN true THEN ", "1", " END", " AS x FROM weather"),
        ("SELECT ", "upper(", "origin", ")", " AS x FROM weather"),
        ("", "SELECT * FROM (", "SELECT 1", ")", ""),
        ("SELECT ", "wind AS a, ", "wind", "", " FROM weather"),
        ("SELECT wind FROM weather WHERE origin IN (", "'a', ", "'b'", "", ")"),
        ("SELECT ", "CAST(", "wind", " AS ARRAY<INT>)", " FROM weather"),
    ];
    fuzz(|u| {
        let (before, open, middle, close, after) = *u.choose(&nests)?;
        let depth = u.int_in_range(0..=SEGMENT_BYTES_MAX / open.len() + 1)?;
        let sql = [before, &open.repeat(depth), middle, &close.repeat(depth), after].concat();
        if checked(&datasets, &[(1, "out", &sql)]).is_some() {
            assert!(sql.len() <= SEGMENT_BYTES_MAX);
        }
        Ok(())
    });
}
