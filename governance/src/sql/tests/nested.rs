//! Accepted texts made of more than one query, with the exact text that runs.

use std::collections::BTreeSet;

use super::{codes, rewritten, run};
use crate::dataset::ColumnType;
use crate::sql::QUERY_DEPTH_MAX;

const PEOPLE: &str = "HAVING COUNT(DISTINCT p.id) >= 10";

/// (text, the text that runs)
#[rustfmt::skip]
const SINGLE: &[(&str, &str)] = &[
    ("WITH w AS (SELECT * FROM weather) SELECT origin FROM w", "WITH w AS (SELECT weather.origin, weather.time_hour, weather.wind FROM weather) SELECT w.origin FROM w"),
    ("WITH a AS (SELECT wind AS x FROM weather), b (y) AS (SELECT MAX(x) FROM a) SELECT y, x FROM a, b", "WITH a AS (SELECT weather.wind AS x FROM weather), b (y) AS (SELECT MAX(a.x) FROM a) SELECT b.y, a.x FROM a, b"),
    ("SELECT x FROM (SELECT origin AS x FROM weather ORDER BY wind LIMIT 3) w", "SELECT w.x FROM (SELECT weather.origin AS x FROM weather ORDER BY weather.wind LIMIT 3) AS w"),
    ("SELECT * FROM (SELECT * FROM planes) p", "SELECT p.tailnum, p.seats, p.Model FROM (SELECT planes.tailnum, planes.seats, planes.Model FROM planes) AS p"),
    ("SELECT n, m FROM (SELECT COUNT(*), MAX(wind) FROM weather) AS d (n, m)", "SELECT d.n, d.m FROM (SELECT COUNT(*), MAX(weather.wind) FROM weather) AS d (n, m)"),
    ("SELECT origin FROM weather, planes p WHERE origin = p.tailnum", "SELECT weather.origin FROM weather, planes AS p WHERE weather.origin = p.tailnum"),
    ("SELECT origin FROM weather w WHERE EXISTS (SELECT * FROM planes WHERE tailnum = origin)", "SELECT w.origin FROM weather AS w WHERE EXISTS (SELECT 1 FROM planes WHERE planes.tailnum = w.origin)"),
    ("SELECT origin FROM weather w WHERE NOT EXISTS (SELECT 1 FROM weather v WHERE v.origin = w.origin AND v.wind > w.wind)", "SELECT w.origin FROM weather AS w WHERE NOT EXISTS (SELECT 1 FROM weather AS v WHERE v.origin = w.origin AND v.wind > w.wind)"),
    ("SELECT origin FROM weather WHERE origin NOT IN (SELECT tailnum FROM planes WHERE seats > 3)", "SELECT weather.origin FROM weather WHERE weather.origin NOT IN (SELECT planes.tailnum FROM planes WHERE planes.seats > 3)"),
    ("SELECT origin, (SELECT MAX(seats) FROM planes WHERE tailnum = origin) AS m FROM weather", "SELECT weather.origin, (SELECT MAX(planes.seats) FROM planes WHERE planes.tailnum = weather.origin) AS m FROM weather"),
    ("SELECT origin, COUNT(*) AS n FROM weather GROUP BY origin HAVING COUNT(*) > (SELECT AVG(seats) FROM planes)", "SELECT weather.origin, COUNT(*) AS n FROM weather GROUP BY weather.origin HAVING COUNT(*) > (SELECT AVG(planes.seats) FROM planes)"),
    ("SELECT origin FROM weather UNION ALL SELECT tailnum FROM planes EXCEPT SELECT model FROM planes ORDER BY ORIGIN DESC NULLS FIRST LIMIT 4", "(SELECT weather.origin FROM weather UNION ALL SELECT planes.tailnum FROM planes) EXCEPT SELECT planes.Model FROM planes ORDER BY ORIGIN DESC NULLS FIRST LIMIT 4"),
    ("SELECT origin FROM weather UNION DISTINCT SELECT tailnum FROM planes INTERSECT SELECT model FROM planes", "SELECT weather.origin FROM weather UNION (SELECT planes.tailnum FROM planes INTERSECT SELECT planes.Model FROM planes)"),
    ("(SELECT origin FROM weather ORDER BY wind LIMIT 1) UNION ALL (SELECT tailnum FROM planes)", "(SELECT weather.origin FROM weather ORDER BY weather.wind LIMIT 1) UNION ALL SELECT planes.tailnum FROM planes"),
    ("SELECT origin, RANK() OVER (PARTITION BY origin ORDER BY wind DESC NULLS LAST) AS r, SUM(wind) OVER (ORDER BY time_hour ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM weather", "SELECT weather.origin, RANK() OVER (PARTITION BY weather.origin ORDER BY weather.wind DESC NULLS LAST) AS r, SUM(weather.wind) OVER (ORDER BY weather.time_hour ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM weather"),
    ("SELECT origin, SUM(wind) AS s, RANK() OVER (ORDER BY SUM(wind)) AS r FROM weather GROUP BY origin", "SELECT weather.origin, SUM(weather.wind) AS s, RANK() OVER (ORDER BY SUM(weather.wind)) AS r FROM weather GROUP BY weather.origin"),
    ("SELECT part, COUNT(*) AS n FROM weather LATERAL VIEW OUTER EXPLODE(SPLIT(origin, ',')) t AS part GROUP BY part", "SELECT t.part, COUNT(*) AS n FROM weather LATERAL VIEW OUTER EXPLODE(SPLIT(weather.origin, ',')) t AS part GROUP BY t.part"),
];

#[test]
fn single_segments_run_as_the_printed_tree() {
    for (text, expected) in SINGLE {
        assert_eq!(rewritten(&[(1, "out", text)], &[]), [*expected], "{text}");
        assert_eq!(rewritten(&[(1, "out", expected)], &[]), [*expected]);
    }
}

#[test]
fn rows_carry_their_identity_through_derived_tables_and_with() {
    let text = "WITH w (c, b) AS (SELECT city, pay FROM people p WHERE age > 3) SELECT d.c, AVG(d.b) AS m FROM (SELECT * FROM w) d GROUP BY d.c";
    assert_eq!(
        rewritten(&[(1, "out", text)], &[]),
        [
            "WITH w (c, b, __chancery_id_people) AS (SELECT p.city, p.pay, p.id AS __chancery_id_people FROM people AS p WHERE p.age > 3) SELECT d.c, AVG(d.b) AS m, COUNT(DISTINCT d.__chancery_id_people) AS __chancery_group_people FROM (SELECT w.c, w.b, w.__chancery_id_people FROM w) AS d GROUP BY d.c HAVING COUNT(DISTINCT d.__chancery_id_people) >= 10"
        ]
    );
}

#[test]
fn groups_within_a_text_are_dropped_below_the_floor_and_then_free() {
    let text = "SELECT d.city, d.n, RANK() OVER (ORDER BY d.n) AS r FROM (SELECT city, COUNT(*) AS n FROM people p GROUP BY city) d";
    assert_eq!(
        rewritten(&[(1, "out", text)], &[]),
        [format!(
            "SELECT d.city, d.n, RANK() OVER (ORDER BY d.n) AS r FROM (SELECT p.city, COUNT(*) AS n FROM people AS p GROUP BY p.city {PEOPLE}) AS d"
        )]
    );
    let text = "SELECT origin FROM weather WHERE wind > (SELECT AVG(pay) FROM people p) AND origin IN (SELECT carrier FROM flights f GROUP BY carrier)";
    assert_eq!(
        rewritten(&[(1, "out", text)], &[]),
        [format!(
            "SELECT weather.origin FROM weather WHERE weather.wind > (SELECT AVG(p.pay) FROM people AS p {PEOPLE}) AND weather.origin IN (SELECT f.carrier FROM flights AS f GROUP BY f.carrier HAVING COUNT(DISTINCT f.__chancery_row_flights) >= 50)"
        )]
    );
}

#[test]
fn rows_under_a_floor_may_be_chosen_by_other_inputs() {
    let text = "SELECT city, COUNT(*) AS n FROM people p WHERE EXISTS (SELECT 1 FROM weather w WHERE w.origin = p.city) AND city IN (SELECT tailnum FROM planes) AND pay > (SELECT AVG(dep_delay) FROM flights) GROUP BY city";
    let analysis = run(&[(1, "out", text)], &[]).unwrap();
    let text = &analysis.segments[0].rewritten;
    assert!(text.ends_with(&format!("GROUP BY p.city {PEOPLE}")), "{text}");
    assert!(
        text.contains("FROM flights HAVING COUNT(DISTINCT flights.__chancery_row_flights) >= 50")
    );
    assert_eq!(analysis.row_identities["flights"], "__chancery_row_flights");
    assert!(analysis.segments[0].hidden["flights"].contains("__chancery_row_flights"));
}

#[test]
fn operands_of_a_set_operation_may_show_groups_of_different_inputs() {
    let text = "SELECT city AS c, COUNT(*) AS n FROM people p GROUP BY city UNION ALL SELECT carrier, COUNT(*) AS n FROM flights f GROUP BY carrier";
    let analysis = run(&[(1, "out", text)], &[]).unwrap();
    assert_eq!(
        analysis.segments[0].rewritten,
        format!(
            "SELECT p.city AS c, COUNT(*) AS n FROM people AS p GROUP BY p.city {PEOPLE} UNION ALL SELECT f.carrier, COUNT(*) AS n FROM flights AS f GROUP BY f.carrier HAVING COUNT(DISTINCT f.__chancery_row_flights) >= 50"
        )
    );
    assert!(analysis.segments[0].groups.is_empty() && !analysis.segments[0].row_level);
}

#[test]
fn an_exploded_row_is_still_its_individual() {
    let segments = [
        (1, "parts", "SELECT x, pay FROM people p LATERAL VIEW explode(split(city, ',')) t AS x"),
        (2, "out", "SELECT x, COUNT(*) AS n FROM parts GROUP BY x"),
    ];
    assert_eq!(
        rewritten(&segments, &[])[0],
        "SELECT t.x, p.pay, p.id AS __chancery_id_people FROM people AS p LATERAL VIEW EXPLODE(SPLIT(p.city, ',')) t AS x"
    );
    let picked = (2, "out", "SELECT MAX(x) AS m FROM parts");
    assert_eq!(codes(&[segments[0], picked], &[]), ["sql_group_floor_unprovable"]);
}

#[test]
fn lineage_types_and_reads_go_through_every_level() {
    let text = "WITH w AS (SELECT origin AS o, wind AS v FROM weather) SELECT d.o, d.m, (SELECT MAX(seats) FROM planes p WHERE p.tailnum = d.o) AS s FROM (SELECT o, AVG(v) AS m FROM w GROUP BY o) d";
    let analysis = run(&[(1, "out", text)], &[]).unwrap();
    let segment = &analysis.segments[0];
    let pair = |input: &str, column: &str| (input.to_owned(), column.to_owned());
    let found: Vec<_> = segment
        .output
        .iter()
        .map(|one| (one.name.as_str(), one.kind, one.aggregated, one.sources.clone()))
        .collect();
    assert_eq!(
        found,
        [
            ("o", Some(ColumnType::String), false, BTreeSet::from([pair("weather", "origin")])),
            ("m", Some(ColumnType::Double), true, BTreeSet::from([pair("weather", "wind")])),
            (
                "s",
                Some(ColumnType::Long),
                true,
                BTreeSet::from([pair("planes", "seats"), pair("weather", "origin")])
            ),
        ]
    );
    let names: Vec<&str> = segment.reads.keys().map(String::as_str).collect();
    assert_eq!(names, ["planes", "weather"]);
    assert_eq!(segment.reads["planes"], BTreeSet::from(["seats".to_owned(), "tailnum".to_owned()]));
}

#[test]
fn queries_nest_to_a_bound() {
    let nested = |depth: usize| {
        (1..depth).fold("SELECT wind AS x FROM weather".to_owned(), |inner, _| {
            format!("SELECT x FROM ({inner}) AS d")
        })
    };
    assert!(run(&[(1, "out", &nested(QUERY_DEPTH_MAX))], &[]).is_ok());
    assert_eq!(codes(&[(1, "out", &nested(QUERY_DEPTH_MAX + 1))], &[]), ["sql_too_deep"]);
}
