//! What a report says of use: a pause, a close, budgets and receivers, in text, JSON and on the page.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod story;

use chancery_audit::render::{render_html, render_json, render_text};
use chancery_audit::{Moment, Options, Report, Verdict, View, verify};
use chancery_governance::command::{
    CloseCollaboration, PauseCollaboration, PublishDataset, ResumeCollaboration,
};
use chancery_governance::subject::Subject;
use chancery_governance::usage::{Period, Receiver, RunBudget};
use serde_json::{Value, json};
use story::{Person, Right, Story};

const OWNER: Right<'static> = Right::Key(Person::Litware);

fn report(story: &Story, at: u64) -> Report {
    let key = Some(story::service_key().public().id());
    let view = View { at: Some(Moment::Position(at)), ..View::default() };
    let report =
        verify(&story.bundle()[..], &Options { service_key: key, view, ..Options::default() });
    assert_eq!(report.verdict, Verdict::Verified);
    report
}

fn json_of(report: &Report) -> Value {
    serde_json::from_str(&render_json(report)).unwrap()
}

#[test]
fn a_pause_and_a_close_are_told_with_who_and_why() {
    let mut story = Story::started();
    let about = story::about_room();
    story.send(OWNER, about, PauseCollaboration { reason: "An incident.".into() });
    let paused = story.entries.len() as u64 - 2;
    story.send(OWNER, about, ResumeCollaboration {});
    story.send(OWNER, about, CloseCollaboration { reason: "The study is over.".into() });
    let report = report(&story, paused);
    let text = render_text(&report, 100);
    let closed = story.entries.len() - 1;
    let line =
        format!("This clean room is closed for good by Litware at {closed}: The study is over.");
    assert!(text.contains(&line), "{text}");
    let line = format!("the clean room was paused by Litware at {paused}: An incident.");
    assert!(text.contains(&line), "{text}");
    assert!(text.contains("Litware paused the clean room"), "{text}");
    let json = json_of(&report);
    assert_eq!(json["log"]["lifecycle"]["state"], "closed");
    assert_eq!(json["log"]["lifecycle"]["stopped"]["position"], closed);
    assert_eq!(json["log"]["at"]["lifecycle"]["state"], "paused");
    assert!(render_html(&report).contains("closed for good by Litware"));
}

#[test]
fn a_log_that_is_open_says_nothing_of_it() {
    let story = Story::started();
    let report = report(&story, 0);
    assert!(!render_text(&report, 100).contains("This clean room is"));
    let json = json_of(&report);
    let open = json!({"state": "open", "stopped": null});
    assert_eq!(json["log"]["lifecycle"], open);
}

#[test]
fn budgets_and_receivers_of_a_dataset_are_told() {
    let mut story = Story::proposed();
    let (_, newest) = story.collaboration().dataset_version(story::flights()).unwrap();
    let mut descriptor = newest.descriptor.clone();
    descriptor.usage.budgets = vec![RunBudget { period: Period::Day, runs: 3, each_runner: true }];
    descriptor.usage.receivers = vec![Receiver::Organisation("Fabrikam".into())];
    let subject = Subject::Dataset(story::flights());
    story.send(OWNER, subject, PublishDataset { descriptor });
    let report = report(&story, 0);
    let text = render_text(&report, 100);
    assert!(text.contains("at most 3 runs a day for each runner"), "{text}");
    assert!(text.contains("results may go to Fabrikam only"), "{text}");
    let json = json_of(&report);
    let datasets = json["log"]["datasets"].as_array().unwrap();
    let limited = datasets.iter().find(|it| it["name"] == "flights").unwrap();
    assert_eq!(limited["budgets"], json!([{"period": "day", "runs": 3, "each_runner": true}]));
    assert_eq!(limited["receivers"][0]["organisation"], "Fabrikam");
}
