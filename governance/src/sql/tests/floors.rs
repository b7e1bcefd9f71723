//! Minimum groups: what is carried, counted, and refused.

use super::{codes, rewritten, run};

const FLIGHTS: &str = "COUNT(DISTINCT flights.__chancery_row_flights)";

#[test]
fn a_global_aggregate_has_a_floor() {
    assert_eq!(
        rewritten(&[(1, "out", "SELECT AVG(dep_delay) AS mean FROM flights")], &[]),
        [format!(
            "SELECT AVG(flights.dep_delay) AS mean, {FLIGHTS} AS __chancery_group_flights FROM flights HAVING {FLIGHTS} >= 50"
        )]
    );
}

#[test]
fn an_identity_column_is_counted_though_closed() {
    let analysis =
        run(&[(1, "out", "SELECT city, AVG(pay) AS mean FROM people p GROUP BY city")], &[])
            .unwrap();
    assert_eq!(
        analysis.segments[0].rewritten,
        "SELECT p.city, AVG(p.pay) AS mean, COUNT(DISTINCT p.id) AS __chancery_group_people FROM people AS p GROUP BY p.city HAVING COUNT(DISTINCT p.id) >= 10"
    );
    assert!(
        analysis.loads["people"].contains("id")
            && analysis.segments[0].reads["people"].contains("id")
    );
    assert!(analysis.row_identities.is_empty());
}

#[test]
fn an_or_of_the_author_does_not_reach_the_floor() {
    let text = "SELECT carrier FROM flights GROUP BY carrier HAVING carrier = 'UA' OR COUNT(*) > 0";
    assert_eq!(
        rewritten(&[(1, "out", text)], &[]),
        [format!(
            "SELECT flights.carrier, {FLIGHTS} AS __chancery_group_flights FROM flights GROUP BY flights.carrier HAVING (flights.carrier = 'UA' OR COUNT(*) > 0) AND {FLIGHTS} >= 50"
        )]
    );
}

#[test]
fn both_floors_of_a_join_are_carried_and_counted() {
    let segments = [
        (
            1,
            "rows_of_both",
            "SELECT f.carrier, p.pay FROM flights f FULL OUTER JOIN people p ON f.origin = p.city",
        ),
        (2, "again", "SELECT carrier, pay FROM rows_of_both WHERE pay > 0"),
        (3, "out", "SELECT carrier, SUM(pay) AS total FROM again a GROUP BY carrier"),
        (4, "coarser", "SELECT MAX(total) AS most FROM out"),
    ];
    assert_eq!(
        rewritten(&segments, &[]),
        [
            "SELECT f.carrier, p.pay, f.__chancery_row_flights, p.id AS __chancery_id_people FROM flights AS f FULL JOIN people AS p ON f.origin = p.city",
            "SELECT rows_of_both.carrier, rows_of_both.pay, rows_of_both.__chancery_row_flights, rows_of_both.__chancery_id_people FROM rows_of_both WHERE rows_of_both.pay > 0",
            "SELECT a.carrier, SUM(a.pay) AS total, COUNT(DISTINCT a.__chancery_row_flights) AS __chancery_group_flights, COUNT(DISTINCT a.__chancery_id_people) AS __chancery_group_people FROM again AS a GROUP BY a.carrier HAVING COUNT(DISTINCT a.__chancery_row_flights) >= 50 AND COUNT(DISTINCT a.__chancery_id_people) >= 10",
            "SELECT MAX(out.total) AS most FROM out",
        ]
    );
}

#[test]
fn a_star_shows_no_hidden_column() {
    let segments = [
        (1, "a", "SELECT * FROM flights"),
        (2, "b", "SELECT carrier, COUNT(*) AS n FROM a GROUP BY carrier"),
        (3, "c", "SELECT * FROM b"),
    ];
    let texts = rewritten(&segments, &[]);
    assert!(
        texts[0].ends_with("flights.cancelled, flights.__chancery_row_flights FROM flights"),
        "{}",
        texts[0]
    );
    assert_eq!(texts[2], "SELECT b.carrier, b.n FROM b");
}

#[test]
fn rows_under_a_floor_are_no_output() {
    for text in [
        "SELECT carrier FROM flights",
        "SELECT w.wind FROM weather w LEFT JOIN flights f ON f.origin = w.origin",
        "SELECT 1 AS one FROM people",
    ] {
        assert_eq!(codes(&[(1, "out", text)], &[]), ["sql_row_level_output"], "{text}");
    }
    let segments = [
        (1, "a", "SELECT carrier FROM flights"),
        (2, "b", "SELECT carrier AS c FROM a WHERE carrier > 'A'"),
    ];
    assert_eq!(codes(&segments, &[]), ["sql_row_level_output"]);
}

#[test]
fn rows_of_one_floor_reach_a_from_once() {
    let view = (1, "v", "SELECT carrier, distance FROM flights");
    let grouped = (1, "g", "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier");
    for segments in [
        vec![(
            1,
            "out",
            "SELECT COUNT(*) AS n FROM flights a JOIN flights b ON a.carrier = b.carrier",
        )],
        vec![
            view,
            (2, "out", "SELECT COUNT(*) AS n FROM v JOIN flights f ON v.carrier = f.carrier"),
        ],
        vec![
            view,
            (2, "out", "SELECT COUNT(*) AS n FROM v AS a JOIN v AS b ON a.carrier = b.carrier"),
        ],
        vec![
            grouped,
            (2, "out", "SELECT COUNT(*) AS m FROM flights f JOIN g ON g.carrier = f.carrier"),
        ],
        vec![
            grouped,
            (1, "all_but_some", "SELECT COUNT(*) AS n FROM flights WHERE tailnum <> 'x'"),
            (2, "out", "SELECT g.n - a.n AS d FROM g CROSS JOIN all_but_some a"),
        ],
        vec![
            grouped,
            (2, "h", "SELECT n FROM g"),
            view,
            (3, "out", "SELECT COUNT(*) AS m FROM h CROSS JOIN v"),
        ],
    ] {
        assert_eq!(codes(&segments, &[]), ["sql_group_floor_unprovable"], "{segments:?}");
    }
}

#[test]
fn groups_may_be_joined_with_other_inputs_and_shown_in_part() {
    let segments = [
        (1, "g", "SELECT tailnum, COUNT(*) AS n FROM flights GROUP BY tailnum"),
        (
            2,
            "out",
            "SELECT p.model, g.n / p.seats AS share FROM g JOIN planes p ON p.tailnum = g.tailnum LIMIT 5",
        ),
    ];
    assert_eq!(
        rewritten(&segments, &[])[1],
        "SELECT p.Model, g.n / p.seats AS share FROM g JOIN planes AS p ON p.tailnum = g.tailnum LIMIT 5"
    );
}

#[test]
fn limit_and_distinct_do_not_isolate_rows() {
    let last = (2, "out", "SELECT COUNT(*) AS n FROM a");
    for first in [
        "SELECT carrier FROM flights ORDER BY dep_delay LIMIT 1",
        "SELECT DISTINCT carrier FROM flights",
    ] {
        assert_eq!(codes(&[(1, "a", first), last], &[]), ["sql_group_floor_unprovable"], "{first}");
    }
    assert!(run(&[(1, "a", "SELECT carrier FROM flights ORDER BY dep_delay"), last], &[]).is_ok());
}

/// Arguments that pick an individual out of a group, or could.
const PICKS: &[&str] = &[
    "SUM(CASE WHEN age = 7 THEN pay ELSE 0 END)",
    "SUM(IF(age = 7, pay, 0))",
    "COUNT_IF(age = 7)",
    "COUNT(NULLIF(age, 7))",
    "SUM(CAST(age = 7 AS INT) * pay)",
    "SUM(pay * (1 - SIGN(ABS(age - 7))))",
    "SUM(pay * POWER(0, ABS(age - 7)))",
    "SUM(ROUND(pay / (1 + age)))",
    "SUM(ABS(age - 6) + ABS(age - 8) - 2 * ABS(age - 7))",
    "SUM(pay * age * age)",
    "SUM((age - 1) * (age - 2) * pay)",
    "SUM(pay % 7)",
    "MAX(pay - 1000000 * age)",
    "MIN(LENGTH(city))",
    "COUNT(DISTINCT city || age)",
    "SUM(COALESCE(pay, age))",
    "SUM(GREATEST(age, 7))",
];

#[test]
fn an_aggregate_does_not_pick_an_individual() {
    for aggregate in PICKS {
        let texts = [
            format!("SELECT city, {aggregate} AS x FROM people GROUP BY city"),
            format!("SELECT city FROM people GROUP BY city HAVING {aggregate} > 3"),
            format!("SELECT city FROM people GROUP BY city ORDER BY {aggregate}"),
        ];
        for text in texts {
            assert_eq!(codes(&[(1, "out", &text)], &[]), ["sql_group_floor_unprovable"], "{text}");
        }
    }
}

#[test]
fn a_pick_can_not_hide_in_an_earlier_segment() {
    for column in
        ["CASE WHEN age = 7 THEN pay ELSE 0 END", "age = 7", "IF(age = 7, 1, 0)", "ABS(age - 7)"]
    {
        let first = format!("SELECT city, pay, {column} AS x FROM people");
        for last in [
            "SELECT SUM(x) AS s FROM a",
            "SELECT SUM(x * pay) AS s FROM a",
            "SELECT city, MAX(x) AS s FROM a GROUP BY city",
        ] {
            assert_eq!(
                codes(&[(1, "a", &first), (2, "out", last)], &[]),
                ["sql_group_floor_unprovable"],
                "{column}"
            );
        }
        assert!(
            run(&[(1, "a", &first), (2, "out", "SELECT x, SUM(pay) AS s FROM a GROUP BY x")], &[])
                .is_ok()
        );
    }
}

#[test]
fn an_aggregate_reads_one_input_under_a_floor() {
    let from = "FROM people p LEFT JOIN planes q ON p.city = q.tailnum";
    for aggregate in [
        "SUM(p.pay * q.seats)",
        "SUM(p.pay + q.seats)",
        "CORR(p.pay, q.seats)",
        "COVAR_POP(p.pay, q.seats)",
    ] {
        let text = format!("SELECT {aggregate} AS x {from}");
        assert_eq!(codes(&[(1, "out", &text)], &[]), ["sql_group_floor_unprovable"], "{text}");
    }
    let text = format!("SELECT SUM(p.pay) AS a, SUM(q.seats) AS b, CORR(p.pay, p.age) AS c {from}");
    assert!(run(&[(1, "out", &text)], &[]).is_ok());
}

#[test]
fn moments_of_columns_are_allowed_under_a_floor() {
    for aggregate in [
        "COUNT(*)",
        "COUNT(1)",
        "COUNT(DISTINCT city)",
        "SUM(pay * 2 + 1)",
        "AVG(pay - age)",
        "SUM(pay * age)",
        "SUM(pay / 12)",
        "MIN(pay)",
        "MAX(age)",
        "AVG(ROUND(pay, 1))",
        "SUM(COALESCE(pay, 0))",
        "STDDEV(pay)",
        "AVG(CAST(age AS DOUBLE))",
        "SUM(-age)",
    ] {
        let text = format!("SELECT city, {aggregate} AS x FROM people GROUP BY city");
        assert!(run(&[(1, "out", &text)], &[]).is_ok(), "{text}");
    }
}

#[test]
fn conditions_may_be_group_keys_and_stand_over_aggregates() {
    let text = "SELECT age = 7 AS seven, CASE WHEN COUNT(*) > 9 THEN SUM(pay) ELSE 0 END AS s FROM people GROUP BY seven";
    assert!(run(&[(1, "out", text)], &[]).is_ok());
}
