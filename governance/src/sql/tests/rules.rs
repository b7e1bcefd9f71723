//! Policies on single columns: what they still allow, and what a dataset's rules must be. What they
//! refuse is in the corpus.

use super::{codes, dataset, rewritten, rule, ruled, run, run_over};
use crate::dataset::{ColumnRule, ColumnType};

/// Texts over patients and labs that keep to the rules on their columns.
const ALLOWED: &[&str] = &[
    "SELECT city, SUM(pay) AS s, AVG(pay) AS m, COUNT(pay) AS n, COUNT(DISTINCT pay) AS d FROM patients GROUP BY city HAVING AVG(pay) > 3 ORDER BY SUM(pay)",
    "SELECT d.city, d.s FROM (SELECT city, SUM(pay) AS s FROM patients GROUP BY city) AS d WHERE d.s > 3",
    "WITH w AS (SELECT city, pay * 2 AS x FROM patients) SELECT city, SUM(x) AS s FROM w GROUP BY city",
    "SELECT city, COUNT(*) AS n FROM patients WHERE ssn IS NOT NULL AND ssn > 'a' GROUP BY city, ssn",
    "SELECT p.city, AVG(l.value) AS v FROM patients p JOIN labs l ON p.link = l.link GROUP BY p.city",
    "SELECT p.city, AVG(l.value) AS v FROM patients p JOIN labs l ON l.value > 3 AND (p.link = l.link) GROUP BY p.city",
    "SELECT p.city, AVG(l.value) AS v FROM patients p, labs l WHERE p.link = l.link AND l.value > 3 GROUP BY p.city",
    "SELECT p.city, AVG(l.value) AS v FROM patients p JOIN labs l USING (link) GROUP BY p.city",
    "SELECT city, COUNT(*) AS n FROM patients p WHERE link IN (SELECT link FROM labs) GROUP BY city",
    "SELECT city, COUNT(*) AS n FROM patients p WHERE NOT EXISTS (SELECT 1 FROM labs l WHERE l.link = p.link) AND city > 'a' GROUP BY city",
    "SELECT a.value FROM labs a JOIN (SELECT link, notes FROM labs) AS b ON a.link = b.link",
    "SELECT p.city, COUNT(*) AS n FROM patients p JOIN labs l ON p.code = l.code GROUP BY p.city",
    "SELECT code, COUNT(*) AS n FROM patients WHERE code IS NOT NULL GROUP BY code ORDER BY code",
    "SELECT city, COUNT(code) AS n FROM patients GROUP BY city HAVING COUNT(code) > 3",
    "SELECT city, COUNT(*) AS n FROM patients WHERE zip = '1000' OR zip IN ('1', '2') OR zip <> '3' GROUP BY city",
    "SELECT city, COUNT(*) AS n FROM patients WHERE code IN (SELECT code FROM labs) GROUP BY city",
];

#[test]
fn what_the_rules_allow_runs() {
    for text in ALLOWED {
        if let Err(refusals) = run(&[(1, "out", text)], &[]) {
            panic!("{text}: {}", super::told(&refusals));
        }
    }
}

/// The floor of the last text of these.
fn floor(segments: &[(u32, &str, &str)]) -> String {
    let text = rewritten(segments, &[]).pop().unwrap();
    text.rsplit(">= ").next().unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn of_the_columns_with_a_part_in_a_group_the_one_that_asks_for_most_decides() {
    for (text, least) in [
        ("SELECT COUNT(*) AS n FROM patients", "10"),
        ("SELECT city, COUNT(*) AS n FROM patients GROUP BY city", "10"),
        ("SELECT diagnosis, COUNT(*) AS n FROM patients GROUP BY diagnosis", "25"),
        ("SELECT city, COUNT(*) AS n FROM patients WHERE diagnosis = 'x' GROUP BY city", "25"),
        ("SELECT city, COUNT(diagnosis) AS n FROM patients GROUP BY city", "25"),
        ("SELECT city, COUNT(*) AS n FROM patients GROUP BY city ORDER BY MAX(diagnosis)", "25"),
        ("SELECT region, COUNT(*) AS n FROM patients GROUP BY region", "3"),
        ("SELECT region, city, COUNT(*) AS n FROM patients GROUP BY region, city", "10"),
        ("SELECT COUNT(*) AS n FROM patients p JOIN labs l ON p.diagnosis = l.notes", "25"),
        (
            "SELECT COUNT(*) AS n FROM patients p WHERE EXISTS (SELECT 1 FROM labs l WHERE l.notes = p.diagnosis)",
            "25",
        ),
        ("SELECT COUNT(*) AS n FROM (SELECT city FROM patients WHERE diagnosis = 'x') AS d", "25"),
        (
            "WITH w AS (SELECT diagnosis AS d, region FROM patients) SELECT region, COUNT(*) AS n FROM w WHERE d = 'x' GROUP BY region",
            "25",
        ),
    ] {
        assert_eq!(floor(&[(1, "out", text)]), least, "{text}");
    }
}

#[test]
fn a_column_that_chose_the_rows_of_an_earlier_segment_still_asks_for_its_floor() {
    let last = (2, "out", "SELECT region, COUNT(*) AS n FROM a GROUP BY region");
    let chosen = (1, "a", "SELECT region FROM patients WHERE diagnosis = 'x'");
    assert_eq!(floor(&[chosen, last]), "25");
    assert_eq!(floor(&[(1, "a", "SELECT region FROM patients"), last]), "3");
    let gone = [
        (1, "a", "SELECT region, city FROM patients"),
        (2, "b", "SELECT region FROM a"),
        (3, "out", "SELECT region, COUNT(*) AS n FROM b GROUP BY region"),
    ];
    assert_eq!(floor(&gone), "10", "city had a part in the rows of a");
}

#[test]
fn rules_follow_a_column_through_segments() {
    for (first, last, code) in [
        (
            "SELECT city, pay AS x FROM patients",
            "SELECT x, COUNT(*) AS n FROM a GROUP BY x",
            "sql_aggregate_only",
        ),
        ("SELECT city, pay AS x FROM patients", "SELECT MAX(x) AS m FROM a", "sql_aggregate_only"),
        ("SELECT link AS x FROM labs", "SELECT x FROM a", "sql_join_only"),
        ("SELECT ssn AS x FROM patients", "SELECT MAX(x) AS m FROM a", "sql_output_forbidden"),
        (
            "SELECT city, code AS x FROM patients",
            "SELECT city, COUNT(*) AS n FROM a WHERE x = 'x' GROUP BY city",
            "sql_literal_comparison",
        ),
    ] {
        let mut found = codes(&[(1, "a", first), (2, "out", last)], &[]);
        found.dedup();
        assert_eq!(found, [code], "{first}; {last}");
    }
    let handed = [
        (1, "a", "SELECT city, pay, link FROM patients"),
        (
            2,
            "out",
            "SELECT a.city, SUM(a.pay) AS s FROM a JOIN labs ON a.link = labs.link GROUP BY a.city",
        ),
    ];
    assert!(run(&handed, &[]).is_ok());
}

#[test]
fn a_rule_is_on_a_column_and_rests_on_a_group_where_it_must() {
    let columns = &[("x", ColumnType::Long)];
    let text = [(1, "out", "SELECT COUNT(*) AS n FROM t")];
    for rules in [
        ("y", ColumnRule { join_only: true, ..rule() }),
        ("x", ColumnRule { aggregate_only: true, ..rule() }),
        ("x", ColumnRule { minimum: Some(3), ..rule() }),
        ("x", ColumnRule { minimum: Some(0), ..rule() }),
    ] {
        let inputs = [ruled(dataset("t", columns, None), &[rules])];
        let refusals = run_over(&inputs, &text, &[]).unwrap_err();
        assert_eq!(refusals[0].code.as_str(), "sql_invalid_input");
    }
}
