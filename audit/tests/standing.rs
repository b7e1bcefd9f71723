//! The service's keys, one after the other, and the witnesses of its log.

mod story;

use std::num::NonZero;

use chancery_audit::bundle::{Cosigned, Kind, Writer};
use chancery_audit::{Check, Options, Report, Verdict, verify};
use chancery_governance::command::{Command, RotateServiceKey};
use chancery_governance::event::{Event, ServiceKeyRotated};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{self, Actor};
use story::{Person, Right, Story, about_room, checkpoint, cosigned, key, policy, service_key};

/// The report, whose verdict is the same on one core as on many.
fn report(bundle: &[u8], options: &Options) -> Report {
    let on =
        |threads| verify(bundle, &Options { threads: NonZero::new(threads), ..options.clone() });
    let report = on(3);
    assert_eq!(on(1), report);
    report
}

fn failed(bundle: &[u8]) -> (Check, Option<u64>) {
    match report(bundle, &Options::default()).verdict {
        Verdict::Tampered { check, position, .. } => (check, position),
        other => panic!("{other:?}"),
    }
}

fn expecting(number: u8) -> Options {
    Options { service_key: Some(key(number).public().id()), ..Options::default() }
}

#[test]
fn a_log_whose_service_changed_its_key_verifies_with_any_of_its_keys() {
    let mut story = Story::rotated();
    let rotated_at = story.collaboration().service_keys[1].0;
    story.rotate(3);
    story.request(4);
    let bundle = story.bundle();
    for number in 1..=3 {
        let report = report(&bundle, &expecting(number));
        assert_eq!(report.verdict, Verdict::Verified);
        let keys = report.standing.unwrap().service_keys;
        let expected: Vec<_> = keys.iter().map(|key| key.expected).collect();
        assert_eq!(expected, [number == 1, number == 2, number == 3]);
        assert_eq!((keys[0].from, keys[1].from), (0, rotated_at));
    }
    match report(&bundle, &expecting(9)).verdict {
        Verdict::Tampered { check, .. } => assert_eq!(check, Check::ServiceKey),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_checkpoint_right_after_a_rotation_is_by_the_new_key() {
    let mut story = Story::gathered();
    story.rotate(2);
    let mut parts = story.parts();
    assert_eq!(report(&parts.bundle(), &Options::default()).verdict, Verdict::Verified);
    parts.checkpoint = checkpoint(&parts.entries, &service_key());
    assert_eq!(failed(&parts.bundle()), (Check::Checkpoint, None));
}

#[test]
fn each_position_takes_the_seal_of_its_own_key() {
    let story = Story::rotated();
    let at = usize::try_from(story.collaboration().service_keys[1].0).unwrap();
    for (position, sealer) in [(at - 1, 2), (at, 1), (at + 1, 1), (at - 2, 2), (at, 9)] {
        let mut parts = story.parts();
        let entry = story.entries[position].entry().clone();
        parts.entries[position] = entry::seal(entry, &key(sealer)).into_bytes();
        assert_eq!(failed(&parts.bundle()), (Check::Seal, Some(position as u64)), "{position}");
    }
}

#[test]
fn a_forged_rotation_is_refused() {
    let forge = |to: u8, signer: u8, bound: u8| {
        let mut story = Story::gathered();
        let position = story.entries.len() as u64;
        let to = key(to);
        let data = chancery_attestation::service::report_data(story::SERVICE, key(bound).public());
        let evidence =
            chancery_attestation::insecure_virtual::evidence(Digest::of(b"service"), data);
        let command = RotateServiceKey { key: to.public().clone(), evidence: evidence.clone() };
        let event = ServiceKeyRotated { key: to.public().clone(), evidence };
        let (command, event): (Command, Event) = (command.into(), event.into());
        let signer = key(signer);
        let actor = Actor::Service(signer.public().id());
        story.forge(Right::Service(&signer), actor, about_room(), &command, &event);
        story.service = to;
        let (check, at) = failed(&story.bundle());
        assert_eq!(at, Some(position));
        check
    };
    // Evidence that binds another key; a signature by another key than the new one.
    assert_eq!(forge(2, 2, 3), Check::ServiceEvidence);
    assert_ne!(forge(2, 3, 2), Check::Root);
    // Back to the key that seals: no rotation at all.
    assert_eq!(forge(1, 1, 1), Check::Rules);
    // By a member's signature.
    let mut story = Story::gathered();
    let position = story.entries.len() as u64;
    let to = key(2);
    let data = chancery_attestation::service::report_data(story::SERVICE, to.public());
    let evidence = chancery_attestation::insecure_virtual::evidence(Digest::of(b"service"), data);
    let command = RotateServiceKey { key: to.public().clone(), evidence: evidence.clone() };
    let event = ServiceKeyRotated { key: to.public().clone(), evidence };
    let actor = Actor::Member(Person::Litware.member());
    let (command, event): (Command, Event) = (command.into(), event.into());
    story.forge(Right::Key(Person::Litware), actor, about_room(), &command, &event);
    assert_eq!(failed(&story.bundle()).1, Some(position));
}

fn witnessed(threshold: usize) -> Options {
    Options { witnesses: Some(policy(threshold)), ..Options::default() }
}

#[test]
fn witnesses_are_counted_on_the_cosigned_note_and_on_the_checkpoint() {
    let story = Story::rotated();
    let bundle = story.cosigned_bundle(&service_key(), 30, &[0, 1]);
    let told = report(&bundle, &witnessed(2));
    assert_eq!(told.verdict, Verdict::Verified);
    let told = told.standing.unwrap().witnessed.unwrap();
    assert_eq!((told.size, told.cosigned.len()), (30, 2));
    match report(&bundle, &witnessed(3)).verdict {
        Verdict::Incomplete { check, .. } => assert_eq!(check, Check::Witnesses),
        other => panic!("{other:?}"),
    }
    let mut parts = story.parts();
    match report(&parts.bundle(), &witnessed(1)).verdict {
        Verdict::Incomplete { check, .. } => assert_eq!(check, Check::Witnesses),
        other => panic!("{other:?}"),
    }
    parts.checkpoint = cosigned(&parts.checkpoint, &[2]);
    assert_eq!(report(&parts.bundle(), &witnessed(1)).verdict, Verdict::Verified);
}

#[test]
fn a_cosigned_note_must_be_of_this_log() {
    let story = Story::rotated();
    let parts = story.parts();
    let with = |size: u64, note: String| {
        let mut writer = Writer::of_kind(
            Vec::new(),
            &parts.header,
            Kind::WholeLog,
            Some(Cosigned { size, note }),
        )
        .unwrap();
        for entry in &parts.entries {
            writer.push(entry).unwrap();
        }
        let bundle = writer.finish(&parts.checkpoint).unwrap();
        match report(&bundle, &witnessed(1)).verdict {
            Verdict::Tampered { check, position, .. } => (check, position),
            other => panic!("{other:?}"),
        }
    };
    let note = cosigned(&checkpoint(&parts.entries[..30], &service_key()), &[0]);
    let refused = (Check::Witnesses, None);
    // Of another size than said, of a size beyond the log, by a key that did not seal there.
    assert_eq!(with(29, note.clone()), refused);
    assert_eq!(with(parts.entries.len() as u64 + 1, note.clone()), refused);
    let by_new_key = cosigned(&checkpoint(&parts.entries[..30], &key(2)), &[0]);
    assert_eq!(with(30, by_new_key), refused);
    // Of another history.
    let mut forked = parts.entries[..30].to_vec();
    forked[5] = b"another".to_vec();
    assert_eq!(with(30, cosigned(&checkpoint(&forked, &service_key()), &[0])), refused);
    // A named witness's line that does not verify.
    let other = cosigned(&checkpoint(&parts.entries[..29], &service_key()), &[0]);
    let line = other.lines().last().unwrap();
    let moved = format!("{}{line}\n", checkpoint(&parts.entries[..30], &service_key()));
    assert_eq!(with(30, moved), refused);
    // No note at all.
    assert_eq!(with(30, "no note".to_owned()), refused);
}
