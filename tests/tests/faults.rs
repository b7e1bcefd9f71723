//! What goes wrong around a run: processes killed, data that doesn't match, an engine that dies.
//! Whatever happens, a run has one outcome, and nothing half-written stays.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use chancery_tests::{QUERY, Room, Shape, sales, wait_until, write};
use serde_json::Value;

fn ready(shape: Shape) -> Room {
    let mut room = Room::start(shape);
    room.gather();
    room.agree();
    room
}

/// The stages of a run, in the order of the log, after an audit of the whole log.
fn events(room: &Room, run: &str) -> Vec<String> {
    let bundle = room.export("events.chancery");
    let report = room.contosso.does(&["audit", "verify", &bundle]);
    assert_eq!(report["verdict"], "verified", "{report:#}");
    let view = room.run(run);
    let timeline = view["timeline"].as_array().unwrap();
    timeline.iter().map(|step| step["stage"].as_str().unwrap().to_owned()).collect()
}

fn outcomes(events: &[String]) -> usize {
    let ends = ["succeeded", "failed", "cancelled", "refused"];
    events.iter().filter(|event| ends.contains(&event.as_str())).count()
}

fn output_folder(room: &Room, run: &str) -> PathBuf {
    room.home(&room.fabrikam).join("totals").join(run)
}

#[test]
fn killing_the_server_in_the_middle_of_a_run_loses_nothing() {
    let mut room = ready(Shape::Embedded);
    let run = room.request();
    room.wait_for_stage(&run, &["started", "succeeded"]);
    room.kill_server();
    room.start_server();
    let view = room.wait_for_stage(&run, &["succeeded"]);
    assert_eq!(view["result"]["manifest"]["rows"], 2, "{view:#}");
    let events = events(&room, &run);
    assert_eq!(outcomes(&events), 1, "{events:?}");
    assert!(output_folder(&room, &run).is_dir());
}

#[test]
fn killing_server_executor_and_nats_in_turn_gives_one_outcome() {
    let mut room = ready(Shape::Apart);
    let run = room.request();
    room.wait_for_stage(&run, &["admitted", "submitted", "started", "succeeded"]);
    room.kill_executor();
    room.kill_server();
    room.kill_nats();
    room.start_nats();
    room.start_server();
    room.start_executor();
    room.wait_for_stage(&run, &["succeeded"]);
    let events = events(&room, &run);
    assert_eq!(outcomes(&events), 1, "{events:?}");
}

#[test]
fn a_run_that_nats_never_told_of_still_runs() {
    let mut room = ready(Shape::Apart);
    room.kill_nats();
    let run = room.request();
    room.wait_for_stage(&run, &["succeeded"]);
}

#[test]
fn data_that_does_not_match_its_schema_fails_the_run_by_name() {
    let room = ready(Shape::Embedded);
    for content in ["kind,sum\n1,2\n".to_owned(), sales(50).replace("0,40", "zero,40")] {
        write(&room.home(&room.litware).join("sales/sales.csv"), &content);
        let run = room.request();
        let view = room.wait_for_stage(&run, &["failed"]);
        assert_eq!(view["failure"]["code"], "dataset_schema_mismatch", "{view:#}");
        let detail = view["failure"]["detail"].as_str().unwrap();
        assert!(detail.contains("sales") && !detail.contains("zero"), "{detail}");
        assert!(!output_folder(&room, &run).exists(), "a failed run left an output");
    }
}

#[test]
fn an_engine_that_dies_ends_the_run_once() {
    let room = ready(Shape::Embedded);
    let run = room.request();
    room.wait_for_stage(&run, &["started", "succeeded"]);
    let view = wait_until("the engine was killed each time", Duration::from_mins(4), || {
        kill_engines(&run);
        let view = room.run(&run);
        ["failed", "succeeded"].contains(&view["stage"].as_str().unwrap()).then_some(view)
    });
    assert_eq!(view["failure"]["code"], "engine_died", "{view:#}");
    let events = events(&room, &run);
    assert_eq!(outcomes(&events), 1, "{events:?}");
    assert!(!output_folder(&room, &run).exists(), "a failed run left an output");
    // The room goes on.
    let next = room.request();
    room.wait_for_stage(&next, &["succeeded"]);
}

/// `kill -9` of every Spark that works on `run`.
fn kill_engines(run: &str) {
    Command::new("pkill").args(["-9", "-f", &format!("SparkSubmit.*{run}")]).status().unwrap();
}

#[test]
fn withdrawing_consent_stops_a_run_in_flight() {
    let room = ready(Shape::Embedded);
    let run = room.request();
    room.wait_for_stage(&run, &["started"]);
    room.contosso.does(&["dataset", "withdraw-consent", "kinds"]);
    let view = room.run(&run);
    assert_eq!(view["stage"], "cancelled", "{view:#}");
    assert_eq!(reason_codes(&view), ["consent_withdrawn"]);
    assert_eq!(room.fabrikam.is_refused(&["run", "start", QUERY]), ["consent_withdrawn"]);
    let gone = || {
        let found = Command::new("pgrep").args(["-f", &format!("SparkSubmit.*{run}")]).output();
        found.unwrap().stdout.is_empty().then_some(())
    };
    wait_until("the engine is gone", Duration::from_mins(1), gone);
    assert!(!output_folder(&room, &run).exists(), "a cancelled run left an output");
    assert_eq!(outcomes(&events(&room, &run)), 1);
}

fn reason_codes(view: &Value) -> Vec<&str> {
    let reasons = view["reasons"].as_array().unwrap();
    reasons.iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}
