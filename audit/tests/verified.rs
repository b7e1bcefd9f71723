//! A log that follows the rules: verified, and told as it is.

mod story;

use chancery_audit::render::{render_json, render_text};
use chancery_audit::report::By;
use chancery_audit::{Options, Verdict, verify};
use chancery_governance::command::{ProposeQuery, ReviseQuery, WithdrawQuery};
use chancery_governance::run::Platform;
use chancery_governance::subject::Subject;
use story::{Person, Right, Story};

fn pinned() -> Options {
    Options { service_key: Some(story::service_key().public().id()), ..Options::default() }
}

#[test]
fn the_whole_story_verifies_and_the_report_tells_it() {
    let story = Story::whole();
    let report = verify(&story.bundle()[..], &pinned());
    assert_eq!(report.verdict, Verdict::Verified);
    assert_eq!(report.verdict.exit_code(), 0);
    let contents = report.contents.unwrap();
    assert!(!contents.hardware);
    assert!(contents.service.pinned);
    assert_eq!(contents.collaboration, story::room());
    assert_eq!(contents.checkpoint.size, story.entries.len() as u64);
    assert_eq!(contents.exported_at_ms, story::EXPORT_MS);
    assert_eq!(
        (contents.first_time_ms, contents.last_time_ms),
        (story::BEGIN_MS + 60_000, story.now_ms)
    );

    let organisations: Vec<_> =
        contents.members.iter().map(|one| one.organisation.as_str()).collect();
    assert_eq!(organisations, ["Litware", "Contosso", "Fabrikam", "Woodgrove"]);
    let contosso = &contents.members[1];
    let [own, spare] = contosso.keys.as_slice() else { panic!("two keys") };
    assert_eq!(own.key, *Person::Contosso.key().public());
    assert_eq!((own.by, spare.by), (By::ServiceWitnessed, By::Key(own.key.id())));
    assert_eq!((own.revoked_at, spare.revoked_at), (None, Some(spare.registered_at + 1)));
    assert!(contents.members[3].keys.is_empty());

    let names: Vec<_> = contents.datasets.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["flights", "planes", "weather", "results"]);
    let [accepted, rejected] = contents.queries.as_slice() else { panic!("two queries") };
    assert_eq!((accepted.state, rejected.state), ("accepted", "rejected"));
    assert_eq!(accepted.digest, Some(story.digest(story::delays())));
    assert_eq!(accepted.votes.len(), 3);
    assert!(accepted.votes.iter().chain(&rejected.votes).all(|vote| !vote.void));
    assert_eq!(accepted.votes[0].by, By::Key(Person::Litware.key().public().id()));
    let votes: Vec<_> = rejected.votes.iter().map(|vote| (vote.approves, vote.by)).collect();
    let fabrikam = By::Key(Person::Fabrikam.key().public().id());
    assert_eq!(votes, [(true, fabrikam), (false, By::ServiceWitnessed)]);

    let states: Vec<_> = contents.runs.iter().map(|run| run.state).collect();
    assert_eq!(states, ["succeeded", "cancelled", "refused"]);
    let succeeded = &contents.runs[0];
    assert_eq!(succeeded.result.as_deref(), Some(&Story::started().result()));
    assert_eq!(
        succeeded.votes,
        accepted.votes.iter().map(|vote| vote.position).collect::<Vec<_>>()
    );
    let executor = succeeded.executor.as_ref().unwrap();
    assert_eq!(executor.measurement, story::application());
    assert_eq!(executor.platform, Platform::InsecureVirtual);
    assert_eq!(succeeded.job_spec, succeeded.result.as_ref().map(|result| result.job_spec));
    assert_eq!(contents.runs[2].reasons[0].code.as_str(), "consent_withdrawn");
    assert_eq!(contents.marks.len(), 1);

    assert_eq!(contents.service_word.emails.count, 3);
    let witnessed = contents.service_word.witnessed.iter();
    let rejected = witnessed.filter(|group| group.action == "query.reject").collect::<Vec<_>>();
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].places.first, [contents.queries[1].votes[1].position]);
    assert!(contents.not_checked.iter().any(|not| not.why.contains("no CCF receipts")));
}

#[test]
fn votes_on_a_proposal_that_was_taken_back_are_void() {
    let mut story = Story::proposed();
    let (right, subject) = (Right::Key(Person::Fabrikam), Subject::Query(story::delays()));
    story.approve(Right::Key(Person::Litware), story::delays());
    let definition = story.collaboration().queries[&story::delays()].definition.clone();
    let digest = story.digest(story::delays());
    story.send(right, subject, WithdrawQuery {});
    story.send(right, subject, ReviseQuery { definition });
    story.send(right, subject, ProposeQuery { votes_until_ms: None, runs_until_ms: None });
    assert_eq!(story.digest(story::delays()), digest);
    story.approve(Right::Key(Person::Litware), story::delays());
    let contents = verify(&story.bundle()[..], &pinned()).contents.unwrap();
    let void: Vec<_> = contents.queries[0].votes.iter().map(|vote| vote.void).collect();
    assert_eq!(void, [true, false]);
}

#[test]
fn every_stage_of_the_story_verifies() {
    for story in [
        Story::founded(),
        Story::gathered(),
        Story::proposed(),
        Story::requested(),
        Story::started(),
    ] {
        assert_eq!(verify(&story.bundle()[..], &pinned()).verdict, Verdict::Verified);
    }
}

#[test]
fn without_an_expected_key_the_report_says_so() {
    let report = verify(&Story::founded().bundle()[..], &Options::default());
    let contents = report.contents.unwrap();
    assert!(!contents.service.pinned);
    assert!(contents.not_checked.iter().any(|not| not.why.contains("no expected service key")));
}

#[test]
fn the_text_begins_with_the_verdict_and_fits_its_width() {
    let report = verify(&Story::whole().bundle()[..], &pinned());
    let text = render_text(&report, 80);
    let size = report.contents.as_ref().unwrap().checkpoint.size;
    assert!(text.starts_with(&format!("VERIFIED  {size} entries, root ")), "{text}");
    assert!(text.lines().nth(1).unwrap().starts_with("INSECURE-VIRTUAL"), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
    for needed in ["service-witnessed: query.reject", "no by Woodgrove, service-witnessed"] {
        assert!(text.contains(needed), "{needed:?} is not in\n{text}");
    }
}

#[test]
fn the_json_holds_what_the_text_does() {
    let report = verify(&Story::whole().bundle()[..], &pinned());
    let json: serde_json::Value = serde_json::from_str(&render_json(&report)).unwrap();
    assert_eq!(json["verdict"], "verified");
    assert_eq!(json["exit_code"], 0);
    assert_eq!(json["hardware"], false);
    let log = &json["log"];
    assert_eq!(log["queries"][1]["votes"][1]["by"]["kind"], "service-witnessed");
    assert_eq!(log["runs"][0]["executor"]["platform"], "insecure-virtual");
    assert_eq!(log["runs"][0]["result"]["manifest"]["rows"], 7);
    assert_eq!(log["service"]["key_was_expected"], true);
}

#[test]
fn a_failure_is_told_in_both_forms() {
    let mut bundle = Story::founded().bundle();
    let at = bundle.len() / 2;
    bundle[at] ^= 1;
    let report = verify(&bundle[..], &pinned());
    let text = render_text(&report, 80);
    assert!(text.starts_with("TAMPERED  check \"seal\" fails at position "), "{text}");
    let json: serde_json::Value = serde_json::from_str(&render_json(&report)).unwrap();
    assert_eq!(json["exit_code"], 1);
    assert_eq!(json["failure"]["check"], "seal");
    assert_eq!(json["log"], serde_json::Value::Null);
}
