//! Refused texts, with codes and places.

use super::{Literal, codes, run};
use crate::sql::{Clause, OPERATORS_MAX, RefusalCode, SEGMENT_BYTES_MAX};

#[test]
fn a_refusal_says_where_and_in_which_clause() {
    let text = "SELECT origin, gust\nFROM weather\nWHERE wind > 1\n  AND station = 'x'";
    let refusals = run(&[(1, "out", text)], &[]).unwrap_err();
    let places: Vec<_> = refusals
        .iter()
        .map(|refusal| {
            (refusal.code, refusal.segment.as_str(), refusal.clause, refusal.line, refusal.column)
        })
        .collect();
    assert_eq!(
        places,
        [
            (RefusalCode::UnknownColumn, "out", Clause::Select, 1, 16),
            (RefusalCode::ColumnNotAllowed, "out", Clause::Where, 4, 7),
        ]
    );
    assert_eq!(
        refusals[0].to_string(),
        "sql_unknown_column: no relation in FROM has a column gust (out, select, 1:16)"
    );
}

#[test]
fn a_syntax_error_has_its_place() {
    let refusals = run(&[(1, "out", "SELECT origin\nFROM weather WHERE )")], &[]).unwrap_err();
    assert_eq!((refusals[0].line, refusals[0].column), (2, 20));
}

#[test]
fn all_segments_are_checked_but_nothing_is_said_twice() {
    let segments = [
        (1, "a", "SELECT gust FROM weather"),
        (1, "b", "SELECT station FROM weather"),
        (2, "c", "SELECT gust FROM a"),
    ];
    assert_eq!(codes(&segments, &[]), ["sql_unknown_column", "sql_column_not_allowed"]);
}

#[test]
fn views_read_strictly_earlier_orders() {
    let segments = [
        (1, "a", "SELECT origin FROM weather"),
        (1, "b", "SELECT origin FROM a"),
        (2, "c", "SELECT origin FROM d"),
        (3, "d", "SELECT origin FROM a"),
    ];
    assert_eq!(codes(&segments, &[]), ["sql_unknown_relation", "sql_unknown_relation"]);
}

#[test]
fn a_view_shows_its_own_columns_only() {
    let segments = [(1, "a", "SELECT origin AS o FROM weather"), (2, "b", "SELECT origin FROM a")];
    assert_eq!(codes(&segments, &[]), ["sql_unknown_column"]);
}

#[test]
fn names_of_views_are_plain_and_unique() {
    let text = "SELECT origin FROM weather";
    for (name, code) in [
        ("Out", "sql_invalid_name"),
        ("1out", "sql_invalid_name"),
        ("out put", "sql_invalid_name"),
        ("", "sql_invalid_name"),
        ("__chancery_x", "sql_reserved_name"),
        ("select", "sql_reserved_name"),
        ("weather", "sql_duplicate_view"),
    ] {
        assert_eq!(codes(&[(1, name, text)], &[]), [code], "{name}");
    }
    assert_eq!(codes(&[(1, &"v".repeat(65), text)], &[]), ["sql_invalid_name"]);
    assert_eq!(codes(&[(1, "v", text), (2, "v", text)], &[]), ["sql_duplicate_view"]);
}

#[test]
fn the_output_is_one_view() {
    let text = "SELECT origin FROM weather";
    assert_eq!(codes(&[(1, "a", text), (1, "b", text)], &[]), ["sql_not_one_output"]);
    assert_eq!(codes(&[], &[]), ["sql_no_segments"]);
}

#[test]
fn parameters_are_known_valid_and_used() {
    let text = "SELECT origin FROM weather WHERE wind > :least";
    let long = || Literal::Long(1);
    assert_eq!(
        codes(&[(1, "out", text)], &[("least", long()), ("most", long())]),
        ["sql_unused_parameter"]
    );
    assert_eq!(
        codes(&[(1, "out", text)], &[("least", long()), ("least", long())]),
        ["sql_duplicate_parameter"]
    );
    assert_eq!(codes(&[(1, "out", text)], &[("Least", long())]), ["sql_invalid_name"]);
    for value in [
        Literal::Date("2013-02-29".to_owned()),
        Literal::Date("2013-1-1".to_owned()),
        Literal::Date("2013-01-01' OR '1".to_owned()),
        Literal::Timestamp("2013-01-01T00:00:00".to_owned()),
        Literal::Timestamp("2013-01-01 24:00:00".to_owned()),
        Literal::Timestamp("2013-01-01 00:00:00.1234567".to_owned()),
        Literal::Double("NaN".to_owned()),
        Literal::Double("1.".to_owned()),
        Literal::Double(String::new()),
        Literal::String("x".repeat(5000)),
    ] {
        assert_eq!(
            codes(&[(1, "out", text)], &[("least", value.clone())]),
            ["sql_invalid_parameter"],
            "{value:?}"
        );
    }
}

#[test]
fn a_parameter_is_no_group_key_and_no_position() {
    let text = "SELECT origin, COUNT(*) AS n FROM weather GROUP BY origin, :k";
    assert_eq!(
        codes(&[(1, "out", text)], &[("k", Literal::Long(1))]),
        ["sql_construct_not_supported"]
    );
    let text = "SELECT origin FROM weather ORDER BY :k";
    assert_eq!(
        codes(&[(1, "out", text)], &[("k", Literal::Long(1))]),
        ["sql_construct_not_supported"]
    );
}

#[test]
fn texts_are_bounded() {
    let chain = format!(
        "SELECT origin FROM weather WHERE {} > 1",
        vec!["wind"; OPERATORS_MAX + 2].join(" + ")
    );
    let levels =
        format!("SELECT origin FROM weather WHERE {}wind{} > 1", "(".repeat(60), ")".repeat(60));
    let signs = format!("SELECT {} wind AS w FROM weather", "- ".repeat(100));
    let unions = vec!["SELECT origin FROM weather"; 5000 / 30].join(" UNION ");
    let long = format!("SELECT origin FROM weather -- {}", "x".repeat(SEGMENT_BYTES_MAX));
    let columns: Vec<String> = (0..1100).map(|n| format!("wind AS w{n}")).collect();
    let wide = format!("SELECT {} FROM weather", columns.join(", "));
    for (text, code) in [
        (chain, "sql_too_deep"),
        (levels, "sql_too_deep"),
        (signs, "sql_too_deep"),
        (unions, "sql_too_deep"),
        (long, "sql_too_long"),
        (wide, "sql_too_many"),
    ] {
        assert_eq!(codes(&[(1, "out", &text)], &[]), [code], "{}", &text[..60]);
    }
    let many: Vec<String> = (0..33).map(|n| format!("v{n}")).collect();
    let many: Vec<(u32, &str, &str)> = many
        .iter()
        .zip(0..)
        .map(|(view, order)| (order, view.as_str(), "SELECT origin FROM weather"))
        .collect();
    assert_eq!(codes(&many, &[]), ["sql_too_many"]);
}

#[test]
fn the_deepest_text_that_is_read_does_not_exhaust_the_stack() {
    let chain = format!(
        "SELECT origin FROM weather WHERE {} > 1",
        vec!["wind"; OPERATORS_MAX - 1].join(" + ")
    );
    assert!(run(&[(1, "out", &chain)], &[]).is_ok());
    let levels =
        format!("SELECT origin FROM weather WHERE {}wind{} > 1", "(".repeat(16), ")".repeat(16));
    assert!(run(&[(1, "out", &levels)], &[]).is_ok());
}

#[test]
fn every_code_is_stable_and_unique() {
    let mut texts: Vec<&str> = RefusalCode::ALL.iter().map(|code| code.as_str()).collect();
    assert!(
        texts.iter().all(|text| text.starts_with("sql_")
            && text.chars().all(|c| c == '_' || c.is_ascii_lowercase()))
    );
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), RefusalCode::ALL.len());
}
