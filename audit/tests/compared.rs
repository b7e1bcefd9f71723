//! Two bundles held against one another, and files held against a log.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod story;

use std::collections::BTreeSet;
use std::io;

use chancery_audit::diff::{Diff, Relation, Side};
use chancery_audit::render::{diff_json, render_diff, render_result, result_json};
use chancery_audit::result::Candidate;
use chancery_audit::{Options, Report, Verdict, View, diff, results, verify};
use chancery_ledger::digest::Digest;
use serde_json::Value;
use story::Story;

fn compare(a: &[u8], b: &[u8]) -> Diff {
    let open = |side| Ok::<_, io::Error>(if side == Side::A { a } else { b });
    let diff = diff(open, &Options::default()).unwrap();
    let text = render_diff(&diff, 80);
    // A signature is one word, and longer than a line.
    for line in text.lines().filter(|line| line.split_whitespace().count() > 1) {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
    let json: Value = serde_json::from_str(&diff_json(&diff)).unwrap();
    assert_eq!(json["exit_code"], diff.exit_code());
    assert_eq!(json["outcome"], diff.as_str());
    diff
}

#[test]
fn a_log_that_grew_says_what_is_added() {
    let (before, after) = (Story::started(), Story::whole());
    let (short, long) = (before.entries.len(), after.entries.len());
    assert_eq!(after.entries[..short], before.entries[..]);
    for (a, b, longer) in
        [(before.bundle(), after.bundle(), Side::B), (after.bundle(), before.bundle(), Side::A)]
    {
        let diff = compare(&a, &b);
        let added = (long - short) as u64;
        assert_eq!(diff.relation, Some(Relation::Grew { longer, added }));
        assert_eq!(diff.exit_code(), 0);
        let timeline = &diff.side(longer).contents.as_ref().unwrap().timeline;
        let positions = timeline.entries.iter().map(|line| line.stamp.position);
        assert!(positions.eq(short as u64..long as u64));
        let text = render_diff(&diff, 80);
        assert!(text.contains("voted no on query Storms"), "{text}");
    }
    let json: Value =
        serde_json::from_str(&diff_json(&compare(&before.bundle(), &after.bundle()))).unwrap();
    assert_eq!(json["longer"], "b");
    assert_eq!(json["timeline"]["entries"][0]["kind"], "RunSucceeded");
}

#[test]
fn the_same_log_is_the_same() {
    let bundle = Story::requested().bundle();
    assert_eq!(compare(&bundle, &bundle).relation, Some(Relation::Same));
}

#[test]
fn a_fork_is_found_where_it_begins_and_both_checkpoints_are_shown() {
    let (mut a, mut b) = (Story::requested(), Story::requested());
    let position = a.entries.len() as u64;
    a.admit(0);
    b.now_ms += 1;
    b.admit(0);
    b.request(1);
    for (a, b) in [(&a, &b), (&b, &a)] {
        let diff = compare(&a.bundle(), &b.bundle());
        let Some(Relation::Fork { position: at, a: branch, .. }) = &diff.relation else {
            panic!("{diff:?}")
        };
        assert_eq!((*at, branch.kind.as_str()), (position, "RunAdmitted"));
        assert_eq!(branch.leaf, a.entries[usize::try_from(position).unwrap()].leaf());
        assert_eq!(diff.exit_code(), 1);
        let text = render_diff(&diff, 80);
        assert!(text.starts_with("FORK  "), "{text}");
        for story in [a, b] {
            let signed = story.parts().checkpoint;
            let signature = signed.lines().last().unwrap().rsplit(' ').next().unwrap();
            assert!(text.contains(signature), "{text}");
        }
    }
}

#[test]
fn a_fork_of_equal_length_is_one_too() {
    let (mut a, mut b) = (Story::proposed(), Story::proposed());
    a.approve(story::Right::Key(story::Person::Litware), story::delays());
    b.approve(story::Right::Key(story::Person::Contosso), story::delays());
    let diff = compare(&a.bundle(), &b.bundle());
    assert!(matches!(diff.relation, Some(Relation::Fork { .. })), "{diff:?}");
}

#[test]
fn logs_of_another_key_are_other_logs() {
    let other = Story { service: story::key(99), ..Story::default() };
    let other = Story::founded_in(other);
    let diff = compare(&Story::founded().bundle(), &other.bundle());
    assert_eq!(diff.relation, Some(Relation::OtherLogs { what: "service key" }));
    assert_eq!(diff.exit_code(), 64);
}

#[test]
fn what_does_not_verify_is_not_compared() {
    let good = Story::founded().bundle();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    for (a, b) in [(&good, &bad), (&bad, &good)] {
        let diff = compare(a, b);
        assert_eq!((diff.relation.as_ref(), diff.exit_code()), (None, 1));
        assert!(render_diff(&diff, 80).starts_with("NOT COMPARED"));
    }
    assert_eq!(compare(&good, b"something else").exit_code(), 3);
    assert_eq!(compare(&good, &good[..good.len() - 1]).exit_code(), 2);
}

fn candidate(name: &str, content: &[u8], bytes: u64) -> Candidate {
    Candidate { name: name.into(), digest: Digest::of(content), bytes }
}

fn look(story: &Story, files: &[Candidate], run: Option<u64>) -> Report {
    let view = View {
        files: files.iter().map(|file| file.digest).collect::<BTreeSet<_>>(),
        files_of: run.map(story::run),
        ..View::default()
    };
    verify(&story.bundle()[..], &Options { view, ..Options::default() })
}

#[test]
fn a_file_is_attested_by_digest_and_length() {
    let story = Story::whole();
    for (content, bytes, run, attested) in [
        (&b"rows"[..], 1_234, None, true),
        (b"rows", 1_234, Some(0), true),
        (b"rows", 1_234, Some(1), false),
        (b"rows", 1_235, None, false),
        (b"Rows", 1_234, None, false),
    ] {
        let files = vec![candidate("out.parquet", content, bytes)];
        let report = look(&story, &files, run);
        let results = results(&report, files).unwrap();
        assert_eq!(results.attested(), attested, "{content:?} {bytes} {run:?}");
        assert_eq!(results.exit_code(), u8::from(!attested));
        let text = render_result(&report, Some(&results), 80);
        assert!(text.starts_with(if attested { "ATTESTED" } else { "NOT ATTESTED" }), "{text}");
        let json: Value = serde_json::from_str(&result_json(&report, Some(&results))).unwrap();
        assert_eq!(json["attested"], attested);
        if attested {
            assert_eq!(json["files"][0]["attested"][0]["path"], "part-0.parquet");
            assert_eq!(json["files"][0]["attested"][0]["run"], story::run(0).to_string());
            assert_eq!(results.of[&story::run(0)], (1, 1));
            assert!(text.contains("query Delays by model"), "{text}");
        }
    }
}

#[test]
fn one_foreign_file_among_many_is_not_attested() {
    let story = Story::whole();
    let files = vec![candidate("a", b"rows", 1_234), candidate("b", b"other", 5)];
    let report = look(&story, &files, None);
    let results = results(&report, files).unwrap();
    assert!(!results.attested());
    assert!(
        render_result(&report, Some(&results), 80)
            .contains("NOT ATTESTED  1 of 2 files: in no run's")
    );
}

#[test]
fn no_file_is_attested_by_a_log_that_fails() {
    let mut story = Story::whole();
    story.service = story::key(98);
    let files = [candidate("a", b"rows", 1_234)];
    let report = look(&story, &files, None);
    assert!(matches!(report.verdict, Verdict::Tampered { .. }), "{:?}", report.verdict);
    assert_eq!(report.contents, None);
}
