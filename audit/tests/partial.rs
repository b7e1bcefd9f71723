//! Parts of a log: what they prove, what they lack, and what is done to them.

mod story;

use std::collections::BTreeSet;
use std::num::NonZero;

use chancery_audit::bundle::Gap;
use chancery_audit::partial::Scope;
use chancery_audit::render::{render_html, render_json, render_text};
use chancery_audit::{Check, Options, Report, Verdict, verify};
use chancery_governance::command::ApproveQuery;
use chancery_governance::event::QueryApproved;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{self, Actor, Authority};
use story::{Person, Piece, Pieces, Right, Story, checkpoint, key, service_key};

fn report(bundle: &[u8]) -> Report {
    let on =
        |threads| verify(bundle, &Options { threads: NonZero::new(threads), ..Options::default() });
    let report = on(3);
    assert_eq!(on(1), report);
    report
}

fn failed(pieces: &Pieces) -> (Check, Option<u64>) {
    match report(&pieces.bundle()).verdict {
        Verdict::Tampered { check, position, .. } => (check, position),
        other => panic!("{other:?}"),
    }
}

fn scopes() -> [Scope; 6] {
    [
        Scope::Query(story::delays()),
        Scope::Query(story::storms()),
        Scope::Run(story::run(0)),
        Scope::Run(story::run(2)),
        Scope::Member(Person::Woodgrove.member()),
        Scope::Member(Person::Litware.member()),
    ]
}

#[test]
fn every_scope_of_the_story_proves_its_closure() {
    let story = Story::rotated();
    for scope in scopes() {
        let selected = story.selected(scope);
        let report = report(&story.pieces(scope).bundle());
        assert_eq!(report.verdict, Verdict::Verified, "{scope}");
        assert!(report.contents.is_none());
        let partial = report.partial.unwrap();
        assert_eq!(partial.included, selected.len() as u64);
        assert!(partial.left_out() > 0, "{scope}");
        let of_scope = scope.subject();
        for sealed in &story.entries {
            let about = sealed.entry().subject == of_scope.to_string();
            assert!(!about || selected.contains(&sealed.entry().position));
        }
    }
}

#[test]
fn the_report_of_a_part_says_that_it_is_one() {
    let report = report(&Story::rotated().pieces(Scope::Run(story::run(0))).bundle());
    let text = render_text(&report, 100);
    assert!(text.starts_with("VERIFIED  PARTIAL: run/"), "{text}");
    assert!(text.contains("DECIDED AGAIN: NO (PARTIAL)"), "{text}");
    assert!(text.contains("whether an entry that is left out concerns run/"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&render_json(&report)).unwrap();
    assert_eq!(json["partial"]["decided_again"], false);
    assert_eq!(json["log"], serde_json::Value::Null);
    let checks: Vec<_> = json["checks"].as_array().unwrap().iter().collect();
    assert!(!checks.contains(&&"rules".into()) && checks.contains(&&"closure".into()));
    let page = render_html(&report);
    assert!(page.contains("VERIFIED, PARTIAL") && !page.contains("Decided again from"));
    for told in [&text, &page] {
        assert!(told.contains("Contosso") && told.contains("Delays by model"), "{told}");
    }
}

/// Leaving out any one entry that another one names, or whose seal the others need, is noticed.
#[test]
fn what_is_named_and_left_out_is_missed() {
    let story = Story::rotated();
    let scope = Scope::Run(story::run(0));
    let selected = story.selected(scope);
    let (mut missed, mut unnoticed) = (BTreeSet::new(), BTreeSet::new());
    for position in &selected {
        let mut fewer = selected.clone();
        fewer.remove(position);
        let kind = story.entries[usize::try_from(*position).unwrap()].entry().kind.clone();
        match report(&story.pieces_of(scope, &fewer, None).bundle()).verdict {
            Verdict::Incomplete { check, detail, .. } => {
                assert_eq!(check, Check::Closure);
                assert!(detail.contains("left out"), "{detail}");
                missed.insert(kind);
            }
            // Without the rotation no seal after it holds, nor the checkpoint.
            Verdict::Tampered { check, .. } => {
                assert!([Check::Seal, Check::Checkpoint].contains(&check));
                assert_eq!(kind, "ServiceKeyRotated");
            }
            Verdict::Verified => drop(unnoticed.insert(kind)),
            other @ Verdict::Unreadable { .. } => panic!("{other:?}"),
        }
    }
    // What is named by nothing: that it is left out shows in the gap, and what it was does not.
    let unnoticed: Vec<_> = unnoticed.iter().map(String::as_str).collect();
    assert_eq!(unnoticed, ["ConsentWithdrawn", "RunStarted", "RunSucceeded", "WorkloadEnabled"]);
    assert!(missed.contains("QueryApproved") && missed.contains("SigningKeyRegistered"));
}

fn gap(pieces: &mut Pieces) -> (usize, &mut Gap) {
    let found = pieces.items.iter_mut().enumerate().find_map(|(at, piece)| match piece {
        Piece::Gap(gap) => Some((at, gap)),
        Piece::Entry(_) => None,
    });
    let Some(found) = found else { panic!("there is a gap") };
    found
}

#[test]
fn a_gap_must_be_what_the_tree_has_there() {
    let pieces = Story::rotated().pieces(Scope::Query(story::delays()));
    let changed = |change: &dyn Fn(&mut Gap)| {
        let mut changed = pieces.clone();
        let first = {
            let (_, gap) = gap(&mut changed);
            let first = gap.first;
            change(gap);
            first
        };
        let (check, position) = failed(&changed);
        assert!(position.is_none_or(|position| position >= first), "{position:?}");
        check
    };
    assert_eq!(changed(&|gap| gap.first += 1), Check::Format);
    assert_eq!(changed(&|gap| gap.first -= 1), Check::Format);
    assert_eq!(changed(&|gap| gap.count = 0), Check::Format);
    assert_eq!(changed(&|gap| gap.count = u64::MAX), Check::Format);
    assert_eq!(changed(&|gap| gap.count = u64::MAX - gap.first), Check::Format);
    assert_eq!(changed(&|gap| gap.count = u64::MAX - gap.first + 1), Check::Format);
    assert_eq!(changed(&|gap| gap.roots.clear()), Check::Format);
    assert_eq!(changed(&|gap| gap.roots.push(Digest::of(b"more"))), Check::Format);
    assert_eq!(changed(&|gap| gap.roots = vec![Digest::of(b"many"); 200]), Check::Format);
    assert_eq!(changed(&|gap| gap.roots[0] = Digest::of(b"another")), Check::Root);
    // One entry more or less: the next one stands elsewhere than it says, or the roots are others.
    let counted =
        |more: bool| changed(&|gap| gap.count = if more { gap.count + 1 } else { gap.count - 1 });
    assert!([Check::Format, Check::Position].contains(&counted(true)));
    assert!([Check::Format, Check::Position].contains(&counted(false)));
}

#[test]
fn gaps_do_not_overlap_and_entries_do_not_move() {
    let pieces = Story::rotated().pieces(Scope::Query(story::delays()));
    let (at, first) = {
        let mut pieces = pieces.clone();
        let (at, gap) = gap(&mut pieces);
        (at, gap.first)
    };
    let mut doubled = pieces.clone();
    doubled.items.insert(at, pieces.items[at].clone());
    assert_eq!(failed(&doubled).0, Check::Format);
    let mut dropped = pieces.clone();
    dropped.items.remove(at);
    assert_eq!(failed(&dropped), (Check::Position, Some(first)));
    let mut moved = pieces.clone();
    moved.items.swap(at, at + 1);
    assert_eq!(failed(&moved), (Check::Position, Some(first)));
    let mut swapped = pieces.clone();
    swapped.items.swap(1, 2);
    assert_eq!(failed(&swapped), (Check::Position, Some(1)));
    let mut without = pieces.clone();
    without.items.remove(1);
    assert_eq!(failed(&without), (Check::Position, Some(1)));
    // A gap in a whole log.
    let mut whole = pieces.bundle();
    let kind = whole.windows(7).position(|window| window == b"partial").unwrap();
    whole[kind] ^= 1;
    assert_eq!(report(&whole).verdict.exit_code(), 1);
}

#[test]
fn a_part_has_the_checkpoint_of_its_log() {
    let story = Story::rotated();
    let scope = Scope::Query(story::delays());
    let pieces = story.pieces(scope);
    let entries = story.parts().entries;
    let with = |checkpoint: String| Pieces { checkpoint, ..pieces.clone() };
    assert_eq!(failed(&with(checkpoint(&entries[..20], &key(2)))), (Check::Checkpoint, None));
    assert_eq!(failed(&with(checkpoint(&entries, &service_key()))), (Check::Checkpoint, None));
    let mut forked = entries.clone();
    forked[10] = b"another".to_vec();
    assert_eq!(failed(&with(checkpoint(&forked, &key(2)))), (Check::Root, None));
    let mut later = story;
    later.request(9);
    let later = checkpoint(&later.parts().entries, &key(2));
    assert_eq!(report(&with(later).bundle()).verdict.exit_code(), 2);
    // A scope that is not in the log.
    let absent = Pieces { scope: Scope::Query(story::id(0x99)), ..pieces };
    assert_eq!(report(&absent.bundle()).verdict.exit_code(), 2);
}

/// What a dishonest service could seal shows in a part too.
#[test]
fn a_vote_that_its_member_did_not_sign_is_refused() {
    let mut story = Story::proposed();
    let (subject, digest) = (Subject::Query(story::delays()), story.digest(story::delays()));
    let position = story.entries.len() as u64;
    let event = QueryApproved { digest }.into();
    let actor = Actor::Member(Person::Contosso.member());
    let scope = Scope::Query(story::delays());
    let mut forged = |right: Right<'_>, command: ApproveQuery| {
        story.forge(right, actor, subject, &command.into(), &event);
        let mut selected = story.selected(scope);
        selected.insert(position);
        let outcome = failed(&story.pieces_of(scope, &selected, None));
        story.entries.pop();
        assert_eq!(outcome.1, Some(position));
        outcome.0
    };
    // Signed by Fabrikam; on another digest; another signature's bytes.
    assert_eq!(forged(Right::Key(Person::Fabrikam), ApproveQuery { digest }), Check::Rules);
    let other = ApproveQuery { digest: Digest::of(b"another query") };
    assert_eq!(forged(Right::Key(Person::Contosso), other), Check::Rules);
    let mut story = Story::requested();
    let at = usize::try_from(position).unwrap();
    let mut entry = story.entries[at].entry().clone();
    let Authority::MemberSigned(signed) = &mut entry.authority else { panic!("signed") };
    *signed.message.last_mut().unwrap() ^= 1;
    story.entries[at] = entry::seal(entry, &service_key());
    let outcome = failed(&story.pieces(scope));
    assert_eq!(outcome, (Check::Authority, Some(position)));
}

#[test]
fn no_flipped_byte_of_a_part_is_verified() {
    let bundle = Story::rotated().pieces(Scope::Query(story::storms())).bundle();
    let mut state = 0x5eed_u64;
    for _ in 0..1_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = usize::try_from(state >> 33).unwrap() % bundle.len();
        let mut flipped = bundle.clone();
        flipped[at] ^= 1 << (state >> 20 & 7);
        let one = Options { threads: NonZero::new(1), ..Options::default() };
        let verdict = verify(&flipped[..], &one).verdict;
        // In the header, the scope is nobody's but the checksum's.
        assert_ne!(verdict, Verdict::Verified, "byte {at}");
    }
    for len in (0..bundle.len()).step_by(97) {
        assert!([2, 3].contains(&report(&bundle[..len]).verdict.exit_code()), "{len} bytes");
    }
}
