//! The seed's story on the demo's data: real NATS, real Spark, every process of its own.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

use std::path::Path;
use std::process::Command;

use chancery_tests::{Room, Shape, chancery, demo_data, root};
use serde_json::Value;

const QUERY: &str = "Delay by wind band and manufacturer";

fn demo(name: &str) -> String {
    root().join("deploy/demo").join(name).to_string_lossy().into_owned()
}

/// Verifies a bundle offline: exit code and report.
fn verify(bundle: &Path, service_key: &str) -> (i32, Value) {
    let output = Command::new(chancery())
        .args(["--output", "json", "audit", "verify"])
        .arg(bundle)
        .args(["--service-key", service_key])
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), report)
}

#[test]
fn the_story_of_the_seed() {
    let mut room = Room::start(Shape::Apart);
    room.gather();
    let source = room.folder.path().join("source");
    demo_data(&source);
    for (person, dataset) in [
        (&room.litware, "litware/flights"),
        (&room.contosso, "contosso/weather"),
        (&room.contosso, "contosso/planes"),
    ] {
        let home = room.home(person);
        std::fs::create_dir_all(&home).unwrap();
        let name = dataset.rsplit('/').next().unwrap();
        std::fs::rename(source.join(dataset), home.join(name)).unwrap();
    }

    room.litware.does(&["dataset", "publish", &demo("flights.json")]);
    room.contosso.does(&["dataset", "publish", &demo("weather.json")]);
    room.contosso.does(&["dataset", "publish", &demo("planes.json")]);
    room.fabrikam.does(&["dataset", "publish", &demo("delays.json")]);
    let listed = room.fabrikam.does(&["dataset", "list"]);
    assert_eq!(listed["items"].as_array().unwrap().len(), 4);
    assert!(!listed.to_string().contains("N14228"), "a list of datasets shows a row");

    room.fabrikam.does(&["query", "draft", &demo("query.json")]);
    let early = room.fabrikam.is_refused(&["run", "start", QUERY]);
    // A draft has no digest to name, so the client says so before it asks.
    assert_eq!(early, ["query_not_proposed"]);
    room.fabrikam.does(&["query", "propose", QUERY]);
    room.fabrikam.does(&["query", "approve", QUERY]);
    let none = room.fabrikam.is_refused(&["run", "start", QUERY]);
    assert_eq!(none, ["query_not_accepted", "approval_missing", "approval_missing"]);
    room.litware.does(&["query", "approve", QUERY]);
    let one = room.fabrikam.is_refused(&["run", "start", QUERY]);
    assert_eq!(one, ["query_not_accepted", "approval_missing"]);
    room.contosso.does(&["query", "approve", QUERY]);

    let run = room.fabrikam.does(&["run", "start", QUERY, "--wait"]);
    assert_eq!(run["stage"], "succeeded", "{run:#}");
    assert_eq!(run["executor"]["platform"], "insecure-virtual");
    let id = run["id"].as_str().unwrap();
    let csv = room.folder.path().join("result.csv");
    let data_root = room.data_root();
    let arguments = ["run", "result", id, "--data-root", data_root.to_str().unwrap(), "--to"];
    room.fabrikam.does(&[&arguments[..], &[csv.to_str().unwrap()]].concat());
    check_result(&std::fs::read_to_string(&csv).unwrap());

    room.contosso.does(&["dataset", "withdraw-consent", "weather"]);
    assert_eq!(room.fabrikam.is_refused(&["run", "start", QUERY]), ["consent_withdrawn"]);
    room.contosso.does(&["dataset", "restore-consent", "weather"]);
    let again = room.fabrikam.does(&["run", "start", QUERY, "--wait"]);
    assert_eq!(again["stage"], "succeeded", "{again:#}");

    let bundle = room.export("audit.chancery");
    let key = room.service_key();
    let (code, report) = verify(bundle.as_ref(), &key);
    assert_eq!((code, &report["verdict"]), (0, &"verified".into()), "{report:#}");
    let named = |organisation: &str| {
        let members = report["log"]["members"].as_array().unwrap();
        let member = members.iter().find(|it| it["organisation"] == organisation).unwrap();
        member["keys"][0]["named_in_invitation"].clone()
    };
    assert_eq!((named("Contosso"), named("Fabrikam")), (true.into(), false.into()), "{report:#}");
    let mut bytes = std::fs::read(&bundle).unwrap();
    let at = bytes.windows(13).position(|window| window == b"QueryApproved").unwrap();
    bytes[at + 3] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let (code, report) = verify(bundle.as_ref(), &key);
    assert_eq!((code, &report["verdict"]), (1, &"tampered".into()), "{report:#}");
    assert_eq!(report["failure"]["check"], "seal", "{report:#}");
    assert!(report["failure"]["position"].is_u64(), "{report:#}");

    // The views are the fold of the log: made anew, they say the same.
    let before = views(&room);
    room.kill_server();
    let rebuilt = Command::new(chancery())
        .args(["projections", "rebuild", "--data-dir"])
        .arg(room.server_dir())
        .status();
    assert!(rebuilt.unwrap().success());
    room.start_server();
    assert_eq!(views(&room), before);
}

fn views(room: &Room) -> Vec<Value> {
    [&["dataset", "list"][..], &["query", "list"], &["run", "list"], &["collaboration", "members"]]
        .iter()
        .map(|arguments| room.fabrikam.does(arguments))
        .collect()
}

/// The figures are checked against another computation in `executor/spark/tests/test_demo.py`; here
/// that the floor and the post-filter held on what Fabrikam received.
fn check_result(csv: &str) {
    let mut lines = csv.lines();
    let header = lines.next().unwrap();
    assert_eq!(header, "wind_band,manufacturer,flights,dep_delay_mean,arr_delay_mean");
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 40, "{csv}");
    for row in rows {
        assert!(["calm", "breeze", "windy", "gale"].contains(&row[0]), "{row:?}");
        assert!(row[2].parse::<u64>().unwrap() >= 100, "{row:?}");
    }
}
