//! Accepted texts, with the exact text that runs.

use std::collections::{BTreeMap, BTreeSet};

use super::{Literal, dataset, rewritten, run, run_over};
use crate::dataset::{ColumnType, GroupIdentity, MinimumGroup};

/// (text over datasets without a floor, the text that runs)
#[rustfmt::skip]
const SINGLE: &[(&str, &str)] = &[
    ("SELECT origin FROM weather", "SELECT weather.origin FROM weather"),
    ("select W.ORIGIN from WEATHER w", "SELECT w.origin FROM weather AS w"),
    ("SELECT * FROM weather", "SELECT weather.origin, weather.time_hour, weather.wind FROM weather"),
    ("SELECT p.* FROM weather w CROSS JOIN planes p", "SELECT p.tailnum, p.seats, p.Model FROM weather AS w CROSS JOIN planes AS p"),
    ("SELECT DISTINCT model AS m FROM planes;", "SELECT DISTINCT planes.Model AS m FROM planes"),
    ("SELECT origin, wind * 2 + 1 AS w2 -- twice\nFROM weather WHERE wind > 3 AND NOT origin = 'JFK'", "SELECT weather.origin, weather.wind * 2 + 1 AS w2 FROM weather WHERE weather.wind > 3 AND NOT weather.origin = 'JFK'"),
    ("SELECT origin, avg(wind) AS mean_wind, count(*) AS n FROM weather GROUP BY origin HAVING n > 3 ORDER BY mean_wind DESC NULLS LAST, origin LIMIT 10", "SELECT weather.origin, AVG(weather.wind) AS mean_wind, COUNT(*) AS n FROM weather GROUP BY weather.origin HAVING n > 3 ORDER BY mean_wind DESC NULLS LAST, weather.origin LIMIT 10"),
    ("SELECT year(time_hour) AS y, max(wind) - min(wind) AS spread FROM weather GROUP BY y", "SELECT YEAR(weather.time_hour) AS y, MAX(weather.wind) - MIN(weather.wind) AS spread FROM weather GROUP BY YEAR(weather.time_hour)"),
    ("SELECT upper(origin) || '-' AS o, COUNT(DISTINCT wind) AS n FROM weather GROUP BY UPPER(origin)", "SELECT UPPER(weather.origin) || '-' AS o, COUNT(DISTINCT weather.wind) AS n FROM weather GROUP BY UPPER(weather.origin)"),
    ("SELECT CASE WHEN wind >= 10 THEN 'high' ELSE 'low' END AS band, SUM(CASE WHEN wind > 3 THEN 1 ELSE 0 END) AS n FROM weather GROUP BY band", "SELECT CASE WHEN weather.wind >= 10 THEN 'high' ELSE 'low' END AS band, SUM(CASE WHEN weather.wind > 3 THEN 1 ELSE 0 END) AS n FROM weather GROUP BY CASE WHEN weather.wind >= 10 THEN 'high' ELSE 'low' END"),
    ("SELECT tailnum FROM planes WHERE seats BETWEEN 10 AND 20 OR model IN ('a', 'b') OR model LIKE 'B%' OR seats IS NULL", "SELECT planes.tailnum FROM planes WHERE planes.seats BETWEEN 10 AND 20 OR planes.Model IN ('a', 'b') OR planes.Model LIKE 'B%' OR planes.seats IS NULL"),
    ("SELECT CAST(seats AS DOUBLE) AS s, coalesce(model, 'none') AS m, substr(model, 1, 2) AS start, trim(model) AS t, - -seats AS same FROM planes", "SELECT CAST(planes.seats AS DOUBLE) AS s, COALESCE(planes.Model, 'none') AS m, SUBSTR(planes.Model, 1, 2) AS start, TRIM(planes.Model) AS t, -(-planes.seats) AS same FROM planes"),
    ("SELECT origin FROM weather WHERE time_hour >= TIMESTAMP '2013-01-01 00:00:00' AND to_date(time_hour) < DATE '2013-02-01' + INTERVAL '1' DAY", "SELECT weather.origin FROM weather WHERE weather.time_hour >= TIMESTAMP '2013-01-01 00:00:00' AND TO_DATE(weather.time_hour) < DATE '2013-02-01' + INTERVAL '1' DAY"),
    ("SELECT origin FROM weather WHERE (wind > 1 OR wind < 0) AND EXTRACT(HOUR FROM time_hour) = 3 AND wind <=> NULL", "SELECT weather.origin FROM weather WHERE (weather.wind > 1 OR weather.wind < 0) AND EXTRACT(HOUR FROM weather.time_hour) = 3 AND weather.wind <=> NULL"),
    ("SELECT floor(wind) AS f, ceil(wind) AS c, round(wind, 1) AS r FROM weather WHERE NOT (wind > 1) IS NOT NULL", "SELECT FLOOR(weather.wind) AS f, CEIL(weather.wind) AS c, ROUND(weather.wind, 1) AS r FROM weather WHERE NOT (weather.wind > 1) IS NOT NULL"),
    ("SELECT COUNT(*) AS n, stddev_pop(seats) AS spread FROM planes", "SELECT COUNT(*) AS n, STDDEV_POP(planes.seats) AS spread FROM planes"),
    ("SELECT seats * -1 AS s, origin = 'A' || 'B' AS b FROM planes JOIN weather ON true", "SELECT planes.seats * (-1) AS s, weather.origin = ('A' || 'B') AS b FROM planes JOIN weather ON true"),
    ("SELECT seats AS n FROM planes ORDER BY n LIMIT 5", "SELECT planes.seats AS n FROM planes ORDER BY n LIMIT 5"),
];

#[test]
fn single_segments_run_as_the_printed_tree() {
    for (text, expected) in SINGLE {
        assert_eq!(rewritten(&[(1, "out", text)], &[]), [*expected], "{text}");
    }
}

#[test]
fn a_rewritten_text_is_a_fixpoint() {
    for (_, expected) in SINGLE {
        assert_eq!(rewritten(&[(1, "out", expected)], &[]), [*expected]);
    }
}

#[test]
fn the_demo_joins_rows_and_then_counts_each_group() {
    let joined = "SELECT f.carrier, p.model, f.dep_delay, w.wind\nFROM flights f\nJOIN weather w ON f.origin = w.origin AND f.time_hour = w.time_hour\nLEFT JOIN planes p ON f.tailnum = p.tailnum";
    let summary = "SELECT carrier, model, COUNT(*) AS flights, AVG(dep_delay) AS mean_delay, AVG(wind) AS mean_wind\nFROM joined\nGROUP BY carrier, model\nORDER BY flights DESC";
    let analysis = run(&[(2, "summary", summary), (1, "joined", joined)], &[]).unwrap();

    let [first, second] = analysis.segments.as_slice() else { panic!("two segments") };
    assert_eq!(
        first.rewritten,
        "SELECT f.carrier, p.Model, f.dep_delay, w.wind, f.__chancery_row_flights FROM flights AS f JOIN weather AS w ON f.origin = w.origin AND f.time_hour = w.time_hour LEFT JOIN planes AS p ON f.tailnum = p.tailnum"
    );
    assert!(first.row_level && first.groups.is_empty());
    assert_eq!(first.carries[0].column, "__chancery_row_flights");
    assert_eq!(
        second.rewritten,
        "SELECT joined.carrier, joined.Model, COUNT(*) AS flights, AVG(joined.dep_delay) AS mean_delay, AVG(joined.wind) AS mean_wind, COUNT(DISTINCT joined.__chancery_row_flights) AS __chancery_group_flights FROM joined GROUP BY joined.carrier, joined.Model HAVING COUNT(DISTINCT joined.__chancery_row_flights) >= 50 ORDER BY flights DESC"
    );
    assert!(!second.row_level && second.carries.is_empty());
    assert_eq!(
        (second.groups[0].column.as_str(), second.groups[0].minimum),
        ("__chancery_group_flights", 50)
    );
    assert_eq!(second.text, summary);

    let column = |name: &str| name.to_owned();
    assert_eq!(first.reads["planes"], BTreeSet::from([column("Model"), column("tailnum")]));
    assert_eq!(
        analysis.row_identities,
        BTreeMap::from([(column("flights"), column("__chancery_row_flights"))])
    );
    assert!(!analysis.loads["flights"].contains("__chancery_row_flights"));
    assert!(analysis.loads["flights"].contains("time_hour"));
    let names: Vec<_> =
        second.output.iter().map(|one| (one.name.as_str(), one.kind, one.aggregated)).collect();
    assert_eq!(
        names,
        [
            ("carrier", Some(ColumnType::String), false),
            ("Model", Some(ColumnType::String), false),
            ("flights", Some(ColumnType::Long), true),
            ("mean_delay", Some(ColumnType::Double), true),
            ("mean_wind", Some(ColumnType::Double), true),
        ]
    );
    assert_eq!(second.output[4].sources, BTreeSet::from([(column("weather"), column("wind"))]));
}

/// The segments of `deploy/demo/query.json`, over the columns they read.
#[test]
fn the_demo_query_is_accepted() {
    use ColumnType::{Double, Long, String};
    let rows = MinimumGroup { identity: GroupIdentity::Row, count: 50 };
    let hours =
        [("origin", String), ("year", Long), ("month", Long), ("day", Long), ("hour", Long)];
    let flown = [("tailnum", String), ("dep_delay", Double), ("arr_delay", Double)];
    let datasets = [
        dataset("flights", &[&hours[..], &flown].concat(), Some(rows)),
        dataset("weather", &[&hours[..], &[("wind_speed", Double)]].concat(), None),
        dataset("planes", &[("tailnum", String), ("manufacturer", String)], None),
    ];
    let flown = "SELECT CASE WHEN w.wind_speed < 5 THEN 'calm' WHEN w.wind_speed < 15 THEN 'breeze' WHEN w.wind_speed < 25 THEN 'windy' ELSE 'gale' END AS wind_band, p.manufacturer AS manufacturer, f.dep_delay AS dep_delay, f.arr_delay AS arr_delay FROM flights f JOIN weather w ON f.origin = w.origin AND f.year = w.year AND f.month = w.month AND f.day = w.day AND f.hour = w.hour JOIN planes p ON f.tailnum = p.tailnum WHERE f.dep_delay IS NOT NULL AND w.wind_speed IS NOT NULL";
    let delays = "SELECT wind_band, manufacturer, COUNT(*) AS flights, ROUND(AVG(dep_delay), 1) AS dep_delay_mean, ROUND(AVG(arr_delay), 1) AS arr_delay_mean FROM flown GROUP BY wind_band, manufacturer ORDER BY wind_band, manufacturer";
    let analysis = run_over(&datasets, &[(1, "flown", flown), (2, "delays", delays)], &[]).unwrap();
    assert_eq!(
        analysis.segments[1].rewritten,
        "SELECT flown.wind_band, flown.manufacturer, COUNT(*) AS flights, ROUND(AVG(flown.dep_delay), 1) AS dep_delay_mean, ROUND(AVG(flown.arr_delay), 1) AS arr_delay_mean, COUNT(DISTINCT flown.__chancery_row_flights) AS __chancery_group_flights FROM flown GROUP BY flown.wind_band, flown.manufacturer HAVING COUNT(DISTINCT flown.__chancery_row_flights) >= 50 ORDER BY flown.wind_band, flown.manufacturer"
    );
    assert!(
        analysis.segments[0].rewritten.starts_with("SELECT CASE WHEN w.wind_speed < 5 THEN 'calm'")
    );
    assert!(analysis.segments[1].output.iter().all(|column| column.kind.is_some()));
}

#[test]
fn using_makes_one_column_of_two() {
    let text =
        "SELECT tailnum, COUNT(*) AS n FROM flights JOIN planes USING (TAILNUM) GROUP BY tailnum";
    assert_eq!(
        rewritten(&[(1, "out", text)], &[]),
        [
            "SELECT tailnum, COUNT(*) AS n, COUNT(DISTINCT flights.__chancery_row_flights) AS __chancery_group_flights FROM flights JOIN planes USING(tailnum) GROUP BY tailnum HAVING COUNT(DISTINCT flights.__chancery_row_flights) >= 50"
        ]
    );
}

#[test]
fn orders_sort_and_equal_orders_keep_their_place() {
    let texts = [
        (3, "c", "SELECT x FROM a"),
        (1, "b", "SELECT seats AS x FROM planes"),
        (1, "a", "SELECT seats AS x FROM planes"),
    ];
    let analysis = run(&texts, &[]).unwrap();
    let views: Vec<&str> = analysis.segments.iter().map(|segment| segment.view.as_str()).collect();
    assert_eq!(views, ["b", "a", "c"]);
}

#[test]
fn parameters_are_literals() {
    let text = "SELECT seats AS n FROM planes WHERE model = :model AND seats > :least AND seats < :most AND tailnum <> :model LIMIT :rows";
    let parameters = [
        ("model", Literal::String("O'Hare".to_owned())),
        ("least", Literal::Long(-3)),
        ("most", Literal::Double("1.5e3".to_owned())),
        ("rows", Literal::Long(7)),
    ];
    assert_eq!(
        rewritten(&[(1, "out", text)], &parameters),
        [
            "SELECT planes.seats AS n FROM planes WHERE planes.Model = 'O\\u0027Hare' AND planes.seats > (-3) AND planes.seats < CAST('1.5e3' AS DOUBLE) AND planes.tailnum <> 'O\\u0027Hare' LIMIT 7"
        ]
    );
    let text = "SELECT origin FROM weather WHERE time_hour > :t AND to_date(time_hour) = :d AND :b";
    let parameters = [
        ("t", Literal::Timestamp("2013-01-01 00:00:00.5".to_owned())),
        ("d", Literal::Date("2012-02-29".to_owned())),
        ("b", Literal::Boolean(true)),
    ];
    assert_eq!(
        rewritten(&[(1, "out", text)], &parameters),
        [
            "SELECT weather.origin FROM weather WHERE weather.time_hour > TIMESTAMP '2013-01-01 00:00:00.5' AND TO_DATE(weather.time_hour) = DATE '2012-02-29' AND true"
        ]
    );
}
