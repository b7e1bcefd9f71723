//! Differential privacy: the text that runs, the plan of its noise, and what is refused.

use super::{Dataset, dataset, run_over, told};
use crate::dataset::ColumnType::{Boolean, Date, Double, Long, String as Text, Timestamp};
use crate::dataset::{GroupIdentity, MinimumGroup};
use crate::privacy::{Bounds, DeclaredValues, DifferentialPrivacy, Drawn, LossBudget};
use crate::sql::{Analysis, PrivatePlan, What};
use crate::usage::Period;

fn policy() -> DifferentialPrivacy {
    let bounds = |column: &str, lower, upper, decimals| Bounds {
        column: column.to_owned(),
        lower,
        upper,
        decimals,
    };
    DifferentialPrivacy {
        unit: "id".to_owned(),
        budget: LossBudget { period: Period::Life, epsilon_micro: 10, delta_pico: 0 },
        query_epsilon_micro_max: 10,
        groups_max: 3,
        rows_max: 5,
        columns: vec![bounds("age", 0, 120, 0), bounds("pay", -100, 500_000, 2)],
        declared: vec![DeclaredValues {
            column: "sex".to_owned(),
            values: vec!["f".to_owned(), "it's".to_owned()],
        }],
    }
}

/// People with differential privacy, towns without, sick with a minimum group, and more of the first.
fn inputs(names: &[&str]) -> Vec<Dataset> {
    let one = |name: &&str| match *name {
        "towns" => dataset("towns", &[("city", Text), ("state", Text)], None),
        "sick" => {
            let group = MinimumGroup { identity: GroupIdentity::Row, count: 5 };
            dataset("sick", &[("city", Text)], Some(group))
        }
        name => {
            let columns = [
                ("-id", Long),
                ("city", Text),
                ("sex", Text),
                ("age", Long),
                ("pay", Double),
                ("born", Date),
                ("seen", Timestamp),
                ("member", Boolean),
                ("height", Double),
            ];
            let alias = if name == "people" { "people" } else { "others" };
            let mut private = dataset(alias, &columns, None);
            private.policy.differential_privacy = Some(policy());
            private
        }
    };
    names.iter().map(one).collect()
}

fn accepted(text: &str) -> (String, PrivatePlan) {
    match run_over(&inputs(&["people", "towns"]), &[(1, "out", text)], &[]) {
        Ok(Analysis { mut segments, private, .. }) => {
            (segments.pop().unwrap().rewritten, private.unwrap())
        }
        Err(refusals) => panic!("{text}: {}", told(&refusals)),
    }
}

#[test]
fn a_count_by_groups_is_bounded_for_each_individual() {
    let (text, plan) =
        accepted("SELECT city, COUNT(*) AS n FROM people WHERE age > 17 GROUP BY city");
    assert_eq!(
        text,
        "SELECT __chancery_kept.__chancery_key_0 AS __chancery_key_0, \
         SUM(CAST(__chancery_kept.__chancery_part_0 AS DECIMAL(38,0))) AS __chancery_part_0, \
         COUNT(*) AS __chancery_units FROM (SELECT __chancery_each.__chancery_key_0, \
         __chancery_each.__chancery_part_0, ROW_NUMBER() OVER (PARTITION BY \
         __chancery_each.__chancery_unit ORDER BY XXHASH64(__chancery_each.__chancery_key_0), \
         __chancery_each.__chancery_key_0) AS __chancery_rank FROM (SELECT people.id AS \
         __chancery_unit, people.city AS __chancery_key_0, LEAST(COUNT(*), 5) AS __chancery_part_0 \
         FROM people WHERE people.id IS NOT NULL AND (people.age > 17) GROUP BY people.id, \
         people.city) AS __chancery_each) AS __chancery_kept WHERE __chancery_kept.__chancery_rank \
         <= 3 GROUP BY __chancery_kept.__chancery_key_0"
    );
    assert_eq!(plan.groups, 3);
    let drawn: Vec<_> = plan.draws.iter().map(|draw| (draw.of, draw.sensitivity)).collect();
    // Five rows in each of three groups; itself in each of three groups.
    assert_eq!(drawn, [(Drawn::Count, 15), (Drawn::Groups, 3)]);
    assert_eq!(plan.threshold, Some(1));
    assert_eq!(plan.output, ["__chancery_key_0", "__chancery_part_0", "__chancery_units"]);
}

#[test]
fn a_sum_is_of_whole_numbers_within_bounds() {
    let (text, plan) = accepted("SELECT SUM(pay) AS total, AVG(p.age) AS age FROM people p");
    let bounded = "CASE WHEN COUNT(p.pay) > 0 THEN GREATEST(LEAST(CAST(ROUND(SUM(CASE WHEN p.pay IS \
        NOT NULL THEN CAST(ROUND(GREATEST(LEAST(p.pay * 100, 500000), -100)) AS BIGINT) END) / \
        COUNT(p.pay) * LEAST(COUNT(p.pay), 5)) AS BIGINT), 2500000), -500) ELSE 0 END AS \
        __chancery_part_0";
    assert!(text.contains(bounded), "{text}");
    assert!(text.contains("LEAST(COUNT(p.age), 5) AS __chancery_part_2"), "{text}");
    assert!(!text.contains("ROW_NUMBER"), "without groups there is none to choose: {text}");
    let drawn: Vec<_> = plan.draws.iter().map(|draw| (draw.of, draw.sensitivity)).collect();
    let expected = [(Drawn::Sum, 2_500_000), (Drawn::MeanSum, 600), (Drawn::MeanCount, 5)];
    assert_eq!(drawn, expected);
    assert_eq!((plan.groups, plan.threshold), (1, None), "one group, that is always there");
    assert!(matches!(plan.shown[1].what, What::Mean(1, _)));
}

#[test]
fn declared_values_take_no_threshold_and_choose_the_rows() {
    let text = "SELECT sex, COUNT(DISTINCT id) AS n FROM people GROUP BY sex";
    let open = |policy: &mut Dataset| policy.policy.allowed_columns.push("id".to_owned());
    let mut inputs = inputs(&["people"]);
    inputs.iter_mut().for_each(open);
    let analysis = run_over(&inputs, &[(1, "out", text)], &[]).unwrap();
    let plan = analysis.private.unwrap();
    assert_eq!(plan.threshold, None);
    assert_eq!(plan.keys[0].declared.as_ref().unwrap(), &["f", "it's"]);
    assert_eq!(plan.draws[0].source, "__chancery_units");
    let text = &analysis.segments[0].rewritten;
    assert!(text.contains("people.sex IN ('f', 'it\\u0027s')"), "{text}");
    // With a key beside it that is not declared, the shown count decides.
    let text = "SELECT sex, city, COUNT(DISTINCT id) AS n FROM people GROUP BY sex, city";
    let plan = run_over(&inputs, &[(1, "out", text)], &[]).unwrap().private.unwrap();
    assert_eq!((plan.threshold, plan.draws.len()), (Some(0), 1));
}

#[test]
fn the_identity_is_loaded_though_closed_and_the_output_is_the_authors() {
    let text = "SELECT t.state, COUNT(p.age) AS n FROM people p LEFT JOIN towns t ON p.city = t.city \
                GROUP BY t.state";
    let datasets = inputs(&["people", "towns"]);
    let analysis = run_over(&datasets, &[(1, "out", text)], &[]).unwrap();
    assert!(analysis.loads["people"].contains("id"));
    assert!(analysis.segments[0].reads["people"].contains("id"));
    let names: Vec<_> = analysis.segments[0].output.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["state", "n"]);
}

/// Refused texts: code, clause and place, then the text.
const REFUSED: &[(&str, &str)] = &[
    ("sql_privacy_output select 1:8", "SELECT city FROM people"),
    ("sql_privacy_output select 1:23", "SELECT COUNT(*) AS n, MAX(age) AS m FROM people"),
    ("sql_privacy_output select 1:8", "SELECT STDDEV(age) AS d FROM people"),
    ("sql_privacy_output select 1:8", "SELECT COUNT(DISTINCT city) AS n FROM people"),
    ("sql_privacy_output select 1:8", "SELECT SUM(age) + 1 AS n FROM people"),
    ("sql_privacy_output select 1:8", "SELECT SUM(age * 1000000) AS n FROM people"),
    (
        "sql_privacy_output select 1:8",
        "SELECT COUNT(CASE WHEN age > 3 THEN 1 END) AS n FROM people",
    ),
    ("sql_privacy_output select 1:1", "SELECT city FROM people GROUP BY city"),
    ("sql_privacy_bounds select 1:8", "SELECT AVG(height) AS h FROM people"),
    ("sql_privacy_key group_by 1:55", "SELECT seen, COUNT(*) AS n       FROM people GROUP BY seen"),
    ("sql_privacy_key group_by 1:48", "SELECT pay, COUNT(*) AS n FROM people GROUP BY pay"),
    ("sql_privacy_key group_by 1:43", "SELECT COUNT(*) AS n FROM people GROUP BY city"),
    ("sql_privacy_expression where 1:40", "SELECT COUNT(*) AS n FROM people WHERE 1 / age > 0"),
    (
        "sql_privacy_expression where 1:45",
        "SELECT COUNT(*) AS n FROM people WHERE CAST(city AS INT) = 1",
    ),
    ("sql_privacy_expression where 1:40", "SELECT COUNT(*) AS n FROM people WHERE MOD(age, 0) = 1"),
    (
        "sql_privacy_expression where 1:40",
        "SELECT COUNT(*) AS n FROM people WHERE city IN (SELECT city FROM towns)",
    ),
    (
        "sql_privacy_form from 1:65",
        "SELECT COUNT(*) AS n FROM towns WHERE city IN (SELECT city FROM people)",
    ),
    ("sql_privacy_form from 1:45", "SELECT COUNT(*) AS n FROM (SELECT city FROM people) AS p"),
    (
        "sql_privacy_form from 1:29",
        "WITH p AS (SELECT city FROM people) SELECT COUNT(*) AS n FROM p",
    ),
    (
        "sql_privacy_form from 1:27",
        "SELECT COUNT(*) AS n FROM people UNION ALL SELECT 1 AS n FROM towns",
    ),
    (
        "sql_privacy_form having 1:1",
        "SELECT city, COUNT(*) AS n FROM people GROUP BY city HAVING COUNT(*) > 3",
    ),
    (
        "sql_privacy_form text 1:1",
        "SELECT city, COUNT(*) AS n FROM people GROUP BY city ORDER BY n",
    ),
    ("sql_privacy_form text 1:1", "SELECT city, COUNT(*) AS n FROM people GROUP BY city LIMIT 3"),
    (
        "sql_privacy_join from 1:1",
        "SELECT COUNT(*) AS n FROM people a JOIN people b ON a.city = b.city",
    ),
    (
        "sql_privacy_join from 1:1",
        "SELECT COUNT(*) AS n FROM towns t JOIN people p ON t.city = p.city",
    ),
    (
        "sql_privacy_join join 1:46",
        "SELECT COUNT(*) AS n FROM people p FULL JOIN towns t ON t.city = p.city",
    ),
    ("sql_privacy_join join 1:39", "SELECT COUNT(*) AS n FROM people JOIN towns USING (city)"),
];

#[test]
fn what_noise_can_not_cover_is_refused_with_its_place() {
    let datasets = inputs(&["people", "towns"]);
    let mut wrong = Vec::new();
    for (expected, text) in REFUSED {
        let found: Vec<String> = match run_over(&datasets, &[(1, "out", text)], &[]) {
            Ok(analysis) => vec![format!("accepted {}", analysis.segments[0].rewritten)],
            Err(refusals) => refusals
                .iter()
                .map(|one| {
                    format!("{} {} {}:{}", one.code, one.clause.as_str(), one.line, one.column)
                })
                .collect(),
        };
        if !found.iter().any(|one| one == expected) {
            wrong.push(format!("{text}\n  expected {expected}\n  found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn codes(names: &[&str], segments: &[(u32, &str, &str)]) -> Vec<&'static str> {
    match run_over(&inputs(names), segments, &[]) {
        Ok(analysis) => panic!("accepted: {:#?}", analysis.segments),
        Err(refusals) => refusals.iter().map(|one| one.code.as_str()).collect(),
    }
}

#[test]
fn one_private_input_is_read_by_the_last_segment_and_no_minimum_group_beside_it() {
    let count = "SELECT COUNT(*) AS n FROM people";
    assert_eq!(codes(&["people", "others"], &[(1, "out", count)]), ["sql_privacy_input"]);
    assert_eq!(codes(&["people", "sick"], &[(1, "out", count)]), ["sql_privacy_input"]);
    let unread = [(1, "out", "SELECT COUNT(*) AS n FROM towns")];
    assert_eq!(codes(&["people", "towns"], &unread), ["sql_privacy_input"]);
    let early =
        [(1, "some", "SELECT city FROM people"), (2, "out", "SELECT COUNT(*) AS n FROM some")];
    assert!(codes(&["people"], &early).contains(&"sql_privacy_form"));
    let views = [
        (1, "states", "SELECT city, UPPER(state) AS state FROM towns"),
        (
            2,
            "out",
            "SELECT s.state, COUNT(*) AS n FROM people p JOIN states s ON p.city = s.city GROUP BY s.state",
        ),
    ];
    assert!(run_over(&inputs(&["people", "towns"]), &views, &[]).is_ok());
}

#[test]
fn declared_values_make_a_bounded_number_of_groups() {
    let many = |count: usize| -> Vec<String> { (0..count).map(|n| format!("v{n}")).collect() };
    let over = |first: usize, second: usize| {
        let mut datasets = inputs(&["people"]);
        let policy = datasets[0].policy.differential_privacy.as_mut().unwrap();
        policy.declared = vec![
            DeclaredValues { column: "sex".to_owned(), values: many(first) },
            DeclaredValues { column: "city".to_owned(), values: many(second) },
        ];
        let text = "SELECT sex, city, COUNT(*) AS n FROM people GROUP BY sex, city";
        run_over(&datasets, &[(1, "out", text)], &[])
            .map_err(|refusals| refusals.iter().map(|one| one.code.as_str()).collect::<Vec<_>>())
    };
    assert!(over(100, 100).is_ok());
    assert_eq!(over(100, 101).unwrap_err(), ["sql_privacy_key"]);
}

#[test]
fn the_text_that_runs_has_none_of_the_authors_names() {
    let text = "SELECT CASE WHEN age > 60 THEN 'old' ELSE 'young' END AS band, COUNT(*) AS n, \
                COUNT(city) AS c FROM people WHERE city LIKE 'A%' AND born >= DATE '1990-01-01' \
                AND member IS TRUE GROUP BY band";
    let (rewritten, plan) = accepted(text);
    assert!(rewritten.contains("people.member IS TRUE"), "{rewritten}");
    let names: Vec<_> = plan.shown.iter().map(|shown| shown.name.as_str()).collect();
    assert_eq!(names, ["band", "n", "c"]);
    assert_eq!(plan.draws.len(), 3);
}
