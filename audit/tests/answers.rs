//! What an auditor asks a verified log: who approved, what ran, who got what, what stood when.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod story;

use chancery_audit::render::{render_json, render_text};
use chancery_audit::report::{
    At, By, PLACES_MAX, Recipient, Released, StateAt, TIMELINE_MAX, WITNESSED_MAX,
};
use chancery_audit::{Moment, Options, Verdict, View, verify};
use chancery_governance::command::{
    ProposeQuery, RestoreConsent, ReviseQuery, WithdrawConsent, WithdrawQuery,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::run::Platform;
use chancery_governance::subject::Subject;
use chancery_ledger::entry::Sealed;
use serde_json::Value;
use story::{Person, Right, Story};

fn report(story: &Story, view: View) -> chancery_audit::Report {
    let key = Some(story::service_key().public().id());
    let report =
        verify(&story.bundle()[..], &Options { service_key: key, view, ..Options::default() });
    assert_eq!(report.verdict, Verdict::Verified);
    report
}

fn standing(story: &Story, moment: Moment) -> StateAt {
    let view = View { at: Some(moment), ..View::default() };
    match report(story, view).contents.unwrap().at.unwrap() {
        At::State(standing) => *standing,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_vote_says_who_when_and_with_which_key() {
    let story = Story::whole();
    let contents = report(&story, View::default()).contents.unwrap();
    for (vote, person) in
        contents.queries[0].votes.iter().zip([Person::Litware, Person::Contosso, Person::Fabrikam])
    {
        assert_eq!(vote.member, person.member());
        assert_eq!(vote.by, By::Key(person.key().public().id()));
        let position = usize::try_from(vote.position).unwrap();
        assert_eq!(vote.time_ms, story.entries[position].entry().time_ms);
        assert!(contents.bound.contains_key(&vote.digest));
    }
}

#[test]
fn a_run_is_told_with_the_text_and_votes_that_it_ran_under() {
    let mut story = Story::whole();
    // The query is changed afterwards: what ran stays what it was.
    let (right, subject) = (Right::Key(Person::Fabrikam), Subject::Query(story::delays()));
    let mut definition = story.collaboration().queries[&story::delays()].definition.clone();
    let sql = definition.segments[0].sql.clone();
    story.send(right, subject, WithdrawQuery {});
    definition.segments[0].sql = sql.replace("AVG(f.delay)", "MAX(f.delay)");
    story.send(right, subject, ReviseQuery { definition });
    story.send(right, subject, ProposeQuery { votes_until_ms: None, runs_until_ms: None });
    let contents = report(&story, View::default()).contents.unwrap();
    let run = &contents.runs[0];
    let bound = &contents.bound[&run.query_digest.unwrap()];
    assert_eq!(bound.segments[0].sql, sql);
    assert_ne!(bound.rewritten[0].sql, sql, "the floor is written into it");
    assert_eq!(run.votes.len(), 3);
    let result = run.result.as_ref().unwrap();
    let inputs: Vec<_> = bound.inputs.iter().map(|(_, version)| version.clone()).collect();
    assert_eq!(result.inputs, inputs);
    let times = [run.requested, run.executor.unwrap().admitted, run.submitted.unwrap()];
    let times = times.into_iter().chain([run.started.unwrap(), run.ended.unwrap()]);
    let times: Vec<_> = times.map(|stamp| (stamp.position, stamp.time_ms)).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    assert_eq!(contents.runs[2].requested, contents.runs[2].ended.unwrap());
}

#[test]
fn releases_name_the_executor_the_measurement_and_the_versions() {
    let story = Story::whole();
    let contents = report(&story, View::default()).contents.unwrap();
    assert_eq!(contents.secrets, 0);
    let releases = contents.releases.as_slice();
    assert_eq!(releases.len(), 3, "two admissions and a result");
    assert_eq!(
        releases[0].to,
        Recipient::Executor {
            key: story::executor().public().id(),
            platform: Platform::InsecureVirtual,
            measurement: story::application(),
        }
    );
    let inputs = contents.runs[0].result.as_ref().unwrap().inputs.clone();
    assert_eq!(releases[0].what, Released::Datasets(inputs));
    assert_eq!(releases[1].to, Recipient::Member(Person::Fabrikam.member()));
    let Released::Result { dataset, files: 1, rows: 7 } = &releases[1].what else { panic!() };
    assert_eq!(dataset.dataset, story::results());
    assert_eq!(releases[2].run, story::run(1));
    let [code] = contents.code.as_slice() else { panic!("one executor, one proposal") };
    assert_eq!((code.admissions, code.measurement), (2, story::application()));
    assert_eq!((code.first, code.last), (releases[0].stamp.position, releases[2].stamp.position));
}

#[test]
fn what_stood_at_a_position_is_the_state_after_that_entry() {
    let story = Story::whole();
    let contents = report(&story, View::default()).contents.unwrap();
    let votes = &contents.queries[0].votes;
    let standing_ = standing(&story, Moment::Position(votes[1].position));
    assert_eq!(standing_.stamp.position, votes[1].position);
    let [query] = standing_.queries.as_slice() else { panic!("one query then") };
    assert_eq!(query.state, "proposed");
    let stood: Vec<_> = query.votes.iter().map(|vote| (vote.position, vote.cast)).collect();
    let cast = votes[..2].iter().map(|vote| (vote.position, Some((vote.time_ms, vote.by))));
    assert_eq!(stood, cast.collect::<Vec<_>>());
    assert_eq!(query.pending, [Person::Fabrikam.member()]);
    assert_eq!(standing_.marks.len(), 0);
    assert_eq!(standing_.members.len(), 4);
    let keys: Vec<_> = standing_.members[1].keys.to_vec();
    assert_eq!(keys, [Person::Contosso.key().public().id()], "the revoked one signs no more");

    let end = standing(&story, Moment::Position(story.entries.len() as u64 - 1));
    assert!(end.is_last);
    assert_eq!(end.marks.as_slice(), contents.marks.as_slice());
    assert_eq!(end.queries[0].state, "accepted");
}

#[test]
fn a_time_is_the_last_entry_at_or_before_it() {
    let story = Story::whole();
    let entry = story.entries[20].entry();
    // Of the entries of one command, which share a time, the last counts.
    let same = story.entries.iter().filter(|sealed| sealed.entry().time_ms == entry.time_ms);
    let last = same.max_by_key(|sealed| sealed.entry().position).unwrap().entry().position;
    for time in [entry.time_ms, entry.time_ms + 1] {
        assert_eq!(standing(&story, Moment::Time(time)).stamp.position, last);
    }
    let before = standing(&story, Moment::Time(entry.time_ms - 1)).stamp.position;
    assert!(before < 20);
    assert!(standing(&story, Moment::Time(u64::MAX)).is_last);
    let first = story.entries[0].entry().time_ms;
    for (moment, expected) in [
        (Moment::Time(first - 1), At::BeforeFirst),
        (Moment::Position(story.entries.len() as u64), At::BeyondEnd),
    ] {
        let view = View { at: Some(moment), ..View::default() };
        assert_eq!(report(&story, view).contents.unwrap().at, Some(expected));
    }
}

#[test]
fn lists_begin_where_they_are_asked_to_and_count_what_is_before() {
    let story = Story::whole();
    let whole = report(&story, View::default()).contents.unwrap();
    let from = whole.runs[1].requested.position;
    let view = View { from, ..View::default() };
    let contents = report(&story, view).contents.unwrap();
    assert_eq!(contents.timeline.entries[0].stamp.position, from);
    assert_eq!(contents.timeline.entries.total(), story.entries.len() as u64 - from);
    let mut tree = chancery_ledger::merkle::Frontier::default();
    tree.extend(story.entries[..usize::try_from(from).unwrap()].iter().map(Sealed::leaf));
    assert_eq!(contents.timeline.root_before, Some(tree.root()));
    assert_eq!((contents.runs.len(), contents.runs.total()), (2, 3));
    assert_eq!(contents.runs[0], whole.runs[1]);
    assert_eq!((contents.queries[0].votes.len(), contents.queries[0].votes.left_out()), (0, 3));
    assert_eq!((contents.releases.len(), contents.releases.left_out()), (1, 2));
    assert!(contents.bound.contains_key(&contents.runs[0].query_digest.unwrap()));
    assert_eq!(contents.members, whole.members);
    let text = render_text(&report(&story, View { from, ..View::default() }), 80);
    assert!(text.contains("and 1 run more, left out: --from POSITION"), "{text}");
}

#[test]
fn a_long_log_is_told_in_bounded_lists_that_say_what_they_leave_out() {
    let mut story = Story::proposed();
    let (right, subject) = (Right::Token(Person::Woodgrove), Subject::Dataset(story::weather()));
    let kind = ConsentKind::Logging;
    while story.entries.len() <= TIMELINE_MAX + 2 {
        story.send(right, subject, WithdrawConsent { kind });
        story.send(right, subject, RestoreConsent { kind });
    }
    let first = report(&story, View::default());
    let json: Value = serde_json::from_str(&render_json(&first)).unwrap();
    let contents = first.contents.unwrap();
    let size = story.entries.len();
    assert_eq!(contents.timeline.entries.len(), TIMELINE_MAX);
    assert_eq!(contents.timeline.entries.left_out(), (size - TIMELINE_MAX) as u64);
    assert_eq!(contents.timeline.next(), Some(TIMELINE_MAX as u64));
    assert_eq!(json["log"]["timeline"]["entries_left_out"], size - TIMELINE_MAX);
    let counted: u64 = contents.timeline.kinds.values().sum();
    assert_eq!(counted, size as u64);
    assert!(contents.service_word.witnessed.len() < WITNESSED_MAX);
    let restored = contents.service_word.witnessed.iter();
    let restored = restored.filter(|group| group.action == "consent.restore").collect::<Vec<_>>();
    let [restored] = restored.as_slice() else { panic!("one group") };
    assert!(restored.places.count > 450, "{restored:?}");
    assert_eq!(restored.places.first.len(), PLACES_MAX);

    let view = View { from: TIMELINE_MAX as u64, ..View::default() };
    let rest = report(&story, view).contents.unwrap().timeline;
    assert_eq!(rest.entries.len(), size - TIMELINE_MAX);
    assert_eq!((rest.entries.left_out(), rest.next()), (0, None));
}

#[test]
fn the_text_answers_within_its_width() {
    let story = Story::whole();
    let view = View { at: Some(Moment::Position(30)), ..View::default() };
    let report = report(&story, view);
    let text = render_text(&report, 80);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
    for needed in [
        "No secret was released by the ledger in this log",
        "What stood after position 30",
        "data to executor key",
        "Which code ran which query",
        "Litware founded the clean room",
        "SELECT p.model, COUNT(*) AS flights",
    ] {
        assert!(text.contains(needed), "{needed:?} is not in\n{text}");
    }
}
