//! Differential privacy from end to end: a dataset that asks for it, a query that states what it costs,
//! a run on real Spark whose result is noised, and the one after it refused before it runs.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says why")]

use chancery_tests::{Room, Shape, offline, write};
use serde_json::json;

const NAME: &str = "People by city";

/// 400 people in two cities, and one alone in a third.
fn people() -> String {
    let cities = ["Oslo", "Rome"];
    let lines = (0..400).map(|n| format!("p{n},{},{}\n", cities[n % 2], 20 + n % 50));
    let rows: String = lines.collect();
    format!("id,city,age\n{rows}lonely,Nowhere,33\n")
}

fn publish(room: &Room) {
    write(&room.home(&room.litware).join("people/people.csv"), &people());
    let people = json!({
        "name": "people",
        "format": {"kind": "csv", "null_value": ""},
        "columns": [
            {"name": "id", "type": "string"}, {"name": "city", "type": "string"},
            {"name": "age", "type": "long"}
        ],
        "store": {"kind": "local", "path": "people"},
        "access_mode": "read",
        "policy": {
            "allowed_columns": ["city", "age"],
            "minimum_group": null,
            "differential_privacy": {
                "unit": "id",
                "budget": {"period": "life", "epsilon_micro": 9_000_000, "delta_pico": 1_000},
                "query_epsilon_micro_max": 6_000_000,
                "groups_max": 1,
                "rows_max": 1,
                "columns": [{"column": "age", "lower": 0, "upper": 100}],
            },
        },
    });
    room.litware.does(&["dataset", "publish", &room.file("people.json", &people)]);
    let answer = json!({
        "name": "answer",
        "format": {"kind": "csv", "null_value": ""},
        "columns": [
            {"name": "city", "type": "string"}, {"name": "people", "type": "long"},
            {"name": "age", "type": "double"}
        ],
        "store": {"kind": "local", "path": "answer"},
        "access_mode": "write",
        "policy": {"allowed_columns": ["city", "people", "age"], "minimum_group": null},
    });
    room.fabrikam.does(&["dataset", "publish", &room.file("answer.json", &answer)]);
}

fn accept(room: &Room) {
    let query = json!({
        "name": NAME,
        "segments": [{
            "order": 1,
            "view": "answer",
            "sql": "SELECT city, COUNT(*) AS people, AVG(age) AS age FROM people GROUP BY city",
            "pre_conditions": [],
            "post_filters": [],
        }],
        "inputs": [{"alias": "people", "dataset": "people"}],
        "output": "answer",
        "parameters": [],
        "privacy": {"epsilon_micro": 6_000_000, "delta_pico": 1_000},
    });
    room.fabrikam.does(&["query", "draft", &room.file("query.json", &query)]);
    room.fabrikam.does(&["query", "propose", NAME]);
    for person in [&room.fabrikam, &room.litware] {
        person.does(&["query", "approve", NAME]);
    }
}

#[test]
fn a_noised_result_leaves_and_what_is_over_the_budget_is_refused_before_it_runs() {
    let mut room = Room::start(Shape::Embedded);
    room.gather();
    publish(&room);
    accept(&room);
    let shown = room.litware.does(&["query", "show", NAME, "--sql"]);
    let shown = shown.to_string();
    assert!(shown.contains("LEAST(COUNT(*), 1)") && shown.contains("epsilon_micro"), "{shown}");

    let run = room.fabrikam.does(&["run", "start", NAME, "--wait"]);
    assert_eq!(run["stage"], "succeeded", "{run:#}\n{}", room.said());
    let result = &run["result"];
    assert_eq!(result["statistics"]["inputs"], json!([]), "no count of rows leaves");
    assert_eq!(result["privacy"]["epsilon_micro"], 6_000_000);
    let mechanisms = result["privacy"]["mechanisms"].as_array().unwrap();
    let of: Vec<_> = mechanisms.iter().map(|one| one["of"].as_str().unwrap()).collect();
    assert_eq!(of, ["count", "mean_sum", "mean_count", "groups"]);
    assert!(mechanisms.iter().all(|one| one["mechanism"] == "discrete_laplace"));

    let csv = room.folder.path().join("result.csv");
    let (data_root, id) = (room.data_root(), run["id"].as_str().unwrap());
    let arguments = ["run", "result", id, "--data-root", data_root.to_str().unwrap(), "--to"];
    room.fabrikam.does(&[&arguments[..], &[csv.to_str().unwrap()]].concat());
    let text = std::fs::read_to_string(&csv).unwrap();
    let lines: Vec<Vec<&str>> =
        text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let cities: Vec<_> = lines.iter().map(|line| line[0]).collect();
    assert_eq!(cities, ["Oslo", "Rome"], "one alone stays hidden");
    for line in &lines {
        // Noise of scale 0.67: a hundred of it away happens once in e^100.
        let (people, age): (i64, f64) = (line[1].parse().unwrap(), line[2].parse().unwrap());
        assert!((people - 200).abs() < 100, "{text}");
        assert!((0.0..=100.0).contains(&age), "{text}");
    }

    // 3 of 9 are left, and a run costs 6.
    let ready = room.fabrikam.run(&["query", "readiness", NAME]).document;
    assert_eq!(ready["reasons"][0]["code"], "privacy_budget_spent", "{ready:#}");
    let refused = room.fabrikam.run(&["run", "start", NAME]);
    assert!(refused.document.to_string().contains("privacy_budget_spent"), "{refused:?}");

    // The auditor decides it all again, and says which noise was drawn.
    let bundle = room.export("room.bundle");
    let verified = offline(&["audit", "verify", &bundle], None);
    assert_eq!(verified.code, 0, "{verified:?}");
    assert!(verified.document.to_string().contains("discrete_laplace"), "{verified:?}");
}
