//! Whatever is done to a bundle, it is never verified, and the check and position named are right.

mod story;

use std::collections::BTreeSet;
use std::num::NonZero;

use chancery_audit::{Check, Options, Verdict, verify};
use chancery_governance::command::{
    ApproveQuery, Command, PublishDataset, RetireDataset, SucceedRun,
};
use chancery_governance::event::{DatasetRetired, Event, QueryApproved, RunSucceeded};
use chancery_governance::run::Platform;
use chancery_governance::subject::Subject;
use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{self, Actor, Authority};
use story::{Parts, Person, Right, Story, boundaries, checkpoint, key, service_key};

/// The verdict, which is the same on one core as on many.
fn verdict(bundle: &[u8]) -> Verdict {
    let on_many = Options { threads: NonZero::new(3), ..Options::default() };
    let verdict = verify(bundle, &on_many).verdict;
    assert_eq!(on_one_core(bundle), verdict);
    verdict
}

fn on_one_core(bundle: &[u8]) -> Verdict {
    verify(bundle, &Options { threads: NonZero::new(1), ..Options::default() }).verdict
}

/// The failed check and its position.
fn failed(bundle: &[u8]) -> (Check, Option<u64>) {
    match verdict(bundle) {
        Verdict::Tampered { check, position, detail } => {
            assert!(!detail.is_empty());
            (check, position)
        }
        other => panic!("{other:?}"),
    }
}

/// What is wrong in detail.
fn detail(bundle: &[u8]) -> String {
    match verdict(bundle) {
        Verdict::Tampered { detail, .. } => detail,
        other => panic!("{other:?}"),
    }
}

/// The same parts under a checkpoint that the service signed over them.
fn signed_again(mut parts: Parts) -> Vec<u8> {
    parts.checkpoint = checkpoint(&parts.entries, &service_key());
    parts.bundle()
}

/// Runs `test` on every flip over all cores: (offset, bit).
fn over_cores(flips: &[(usize, u8)], test: impl Fn(usize, u8) + Sync) {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for core in 0..cores {
            let (flips, test) = (flips.iter().skip(core).step_by(cores), &test);
            scope.spawn(move || flips.for_each(|(at, bit)| test(*at, *bit)));
        }
    });
}

/// Where the heads of the CBOR items in `bytes` are, also inside of byte strings that hold some.
fn heads(bytes: &[u8]) -> Vec<usize> {
    let (mut heads, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        heads.push(at);
        let (major, info) = (bytes[at] >> 5, bytes[at] & 0x1f);
        let more = if info < 24 { 0 } else { 1 << (info - 24) };
        let argument =
            bytes[at + 1..=at + more].iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
        let len = if info < 24 { usize::from(info) } else { argument };
        at += 1 + more;
        if major == 2 || major == 3 {
            let content = &bytes[at..at + len];
            // A sealed or signed message begins with tag 18, its payload and header with a map.
            if major == 2 && content.first().is_some_and(|first| [5, 6].contains(&(first >> 5))) {
                let inner = content.strip_prefix(&[0xd2]).unwrap_or(content);
                if codec::decode(inner).is_ok() {
                    let skipped = content.len() - inner.len();
                    heads.extend(self::heads(inner).into_iter().map(|head| at + skipped + head));
                }
            }
            at += len;
        }
    }
    heads
}

/// No flip is verified, and inside an entry's own bytes it is the seal of that entry that breaks.
fn check_flips(parts: &Parts, flips: &[(usize, u8)]) {
    let (bundle, starts) = (parts.bundle(), boundaries(parts));
    over_cores(flips, |at, bit| {
        let mut flipped = bundle.clone();
        flipped[at] ^= 1 << bit;
        // One core stops at the failure; every so often, many have to say the same.
        let verdict = if at % 256 == 0 { verdict(&flipped) } else { on_one_core(&flipped) };
        let item = starts.partition_point(|start| *start <= at) - 1;
        let head = at - starts[item] < 5;
        let entry = item.checked_sub(2).filter(|entry| *entry < parts.entries.len());
        let context = || format!("byte {at}, bit {bit}, item {item}: {verdict:?}");
        match (item, entry) {
            (0, _) => assert_eq!(verdict.exit_code(), 3, "{}", context()),
            (_, Some(entry)) if !head => {
                let Verdict::Tampered { check, position, .. } = &verdict else {
                    panic!("{}", context())
                };
                assert_eq!((*check, *position), (Check::Seal, Some(entry as u64)), "{}", context());
            }
            // A length that runs past the end of the file can't be told from a file cut short.
            _ => assert!([1, 2].contains(&verdict.exit_code()), "{}", context()),
        }
    });
}

#[test]
fn no_flipped_bit_of_a_small_log_is_verified() {
    let parts = Story::founded().parts();
    let bits = (0..parts.bundle().len()).flat_map(|at| (0..8).map(move |bit| (at, bit)));
    check_flips(&parts, &bits.collect::<Vec<_>>());
}

#[test]
fn no_flipped_byte_of_the_whole_story_is_verified() {
    // Without optimisation a flip takes milliseconds; with it, every byte has its turn.
    const POSITIONS: usize = 20_000;
    let parts = Story::whole().parts();
    let len = parts.bundle().len();
    let starts = boundaries(&parts);
    // The magic, the header, the trailer, and the first bytes of every item: each one.
    let mut positions: BTreeSet<_> = (0..starts[2]).chain(starts[starts.len() - 2]..len).collect();
    positions.extend(starts[2..starts.len() - 1].iter().flat_map(|start| *start..*start + 8));
    // Every head of every CBOR item inside of the entries.
    for (start, entry) in starts[2..].iter().zip(&parts.entries) {
        let item = codec::encode(&Value::bytes(entry.as_slice()));
        positions.extend(heads(&item).into_iter().map(|at| start + at));
    }
    if cfg!(debug_assertions) {
        // And a sample over all, by a linear congruential generator with a fixed seed.
        assert!(positions.len() < POSITIONS && POSITIONS < len);
        let mut state = 0x5eed_u64;
        while positions.len() < POSITIONS {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            positions.insert(usize::try_from(state >> 33).unwrap() % len);
        }
    } else {
        positions.extend(0..len);
    }
    let flips: Vec<_> = positions.iter().map(|at| (*at, u8::try_from(at % 8).unwrap())).collect();
    check_flips(&parts, &flips);
}

#[test]
fn a_bundle_cut_off_is_incomplete() {
    let parts = Story::whole().parts();
    let (bundle, starts) = (parts.bundle(), boundaries(&parts));
    let last = starts.len() - 1;
    for (item, start) in starts[1..last].iter().enumerate() {
        for len in [*start, *start + 1, *start + 3] {
            let verdict = verdict(&bundle[..len]);
            assert_eq!(verdict.exit_code(), 2, "item {item}, {len} bytes: {verdict:?}");
            let position = match verdict {
                Verdict::Incomplete { position, .. } => position,
                other => panic!("{other:?}"),
            };
            let expected = item.checked_sub(1).map(|entry| entry as u64);
            assert_eq!(position, expected.filter(|entry| *entry < parts.entries.len() as u64));
        }
    }
    assert_eq!(verdict(&bundle[..bundle.len() - 1]).exit_code(), 2);
}

#[test]
fn what_is_no_bundle_is_unreadable() {
    for bytes in [
        &b""[..],
        b"chancery-bundle",
        b"chancery-bundle/3\n\xa0",
        b"PK\x03\x04 some other kind of file",
    ] {
        assert_eq!(verdict(bytes).exit_code(), 3);
    }
}

#[test]
fn a_failing_reader_is_unreadable() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let verdict = verify(Broken, &Options::default()).verdict;
    assert_eq!(
        verdict,
        Verdict::Unreadable { detail: "reading the bundle failed: the disk is gone".into() }
    );
}

#[test]
fn trailing_bytes_fail_the_format() {
    let mut bundle = Story::founded().bundle();
    bundle.push(0);
    assert_eq!(failed(&bundle), (Check::Format, None));
}

#[test]
fn dropped_swapped_and_repeated_entries_fail_where_they_stood() {
    let parts = Story::gathered().parts();
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut changed = parts.clone();
        change(&mut changed.entries);
        // Even if the service signs what is left.
        (failed(&changed.bundle()), failed(&signed_again(changed)))
    };
    let at = |position| ((Check::Position, Some(position)), (Check::Position, Some(position)));
    assert_eq!(with(&|entries| drop(entries.remove(3))), at(3));
    assert_eq!(with(&|entries| drop(entries.remove(0))), at(0));
    assert_eq!(with(&|entries| entries.swap(3, 4)), at(3));
    assert_eq!(with(&|entries| entries.insert(4, entries[3].clone())), at(4));
}

#[test]
fn entries_dropped_from_the_end_are_missed() {
    let mut parts = Story::gathered().parts();
    let whole = parts.entries.len() as u64;
    parts.entries.truncate(parts.entries.len() - 2);
    match verdict(&parts.bundle()) {
        Verdict::Incomplete { position, detail, .. } => {
            assert_eq!(position, Some(whole - 2));
            assert!(detail.contains(&whole.to_string()), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_entry_of_another_log_of_the_service_is_refused() {
    // The same service, the same position, the same chain; another history.
    let mut other = Story::gathered();
    let parts = other.parts();
    other.entries.truncate(5);
    other.now_ms += 1;
    let subject = story::about_room();
    let enable = chancery_governance::command::EnableWorkload { workload: "spark-sql".into() };
    let event = chancery_governance::event::WorkloadEnabled { workload: "spark-sql".into() };
    let actor = Actor::Member(Person::Litware.member());
    other.forge(Right::Key(Person::Litware), actor, subject, &enable.into(), &event.into());
    let mut spliced = parts.clone();
    spliced.entries[5] = other.entries[5].bytes().to_vec();
    // The rules refuse the second enabling itself.
    assert_eq!(failed(&spliced.bundle()), (Check::Rules, Some(5)));
    // One that the rules take breaks the chain after it.
    let mut twin = Story::gathered();
    let clock = twin.entries[5].entry().time_ms + 1;
    let entry = entry::Entry { time_ms: clock, ..twin.entries[5].entry().clone() };
    twin.entries[5] = entry::seal(entry, &service_key());
    let mut spliced = parts;
    spliced.entries[5] = twin.entries[5].bytes().to_vec();
    assert_eq!(failed(&spliced.bundle()), (Check::Chain, Some(6)));
    // Of another collaboration.
    let mut foreign = Story::gathered();
    let entry = foreign.entries[5].entry().clone();
    let entry = entry::Entry { collaboration: story::id(0x77), ..entry };
    foreign.entries[5] = entry::seal(entry, &service_key());
    assert_eq!(failed(&foreign.bundle()), (Check::Position, Some(5)));
}

#[test]
fn a_log_sealed_by_another_key_is_refused() {
    let story = Story::gathered();
    let other = key(9);
    // One entry.
    let mut parts = story.parts();
    parts.entries[7] = entry::seal(story.entries[7].entry().clone(), &other).into_bytes();
    assert_eq!(failed(&signed_again(parts)), (Check::Seal, Some(7)));
    // All of them, chained anew, and the header with them: the first event tells on it.
    let mut parts = story.parts();
    let mut previous = None;
    parts.entries = story
        .entries
        .iter()
        .map(|sealed| {
            let sealed = entry::seal(entry::Entry { previous, ..sealed.entry().clone() }, &other);
            previous = Some(sealed.leaf());
            sealed.into_bytes()
        })
        .collect();
    parts.checkpoint = checkpoint(&parts.entries, &other);
    assert_eq!(failed(&parts.bundle()), (Check::Seal, Some(0)));
    parts.header.service_key = other.public().clone();
    assert_eq!(failed(&parts.bundle()), (Check::ServiceKey, Some(0)));
}

#[test]
fn only_the_expected_service_key_passes() {
    let bundle = Story::founded().bundle();
    let options = Options { service_key: Some(key(9).public().id()), ..Options::default() };
    match verify(&bundle[..], &options).verdict {
        Verdict::Tampered { check, position, .. } => {
            assert_eq!((check, position), (Check::ServiceKey, None));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn service_evidence_must_bind_the_key() {
    let mut story = Story::founded();
    story.entries.truncate(1);
    let entry = story.entries[0].entry().clone();
    let Value::Map(mut payload) = entry.payload.clone() else { panic!("a map") };
    let other =
        chancery_attestation::insecure_virtual::evidence(Digest::of(b"service"), Digest::of(b"x"));
    payload.insert(
        "evidence".into(),
        Value::map([
            ("kind", Value::text(&other.kind)),
            ("document", Value::text(&other.document)),
        ]),
    );
    let entry = entry::Entry { payload: Value::Map(payload), ..entry };
    story.entries[0] = entry::seal(entry, &service_key());
    assert_eq!(failed(&story.bundle()), (Check::ServiceEvidence, Some(0)));
}

#[test]
fn the_header_must_say_what_the_log_says() {
    let parts = Story::founded().parts();
    let mut changed = parts.clone();
    changed.header.origin.push('x');
    assert_eq!(failed(&changed.bundle()), (Check::Header, Some(0)));
    let mut changed = parts.clone();
    changed.header.collaboration = story::id(0x77);
    assert_eq!(failed(&changed.bundle()), (Check::Position, Some(0)));
    // The time of the export is nobody's but the checksum's.
    let bundle = parts.bundle();
    let at = bundle.windows(14).position(|window| window == b"exported_at_ms").unwrap() + 14 + 8;
    let mut changed = bundle;
    changed[at] ^= 1;
    assert_eq!(failed(&changed), (Check::Header, None));
}

#[test]
fn other_checkpoints_do_not_pass() {
    let story = Story::gathered();
    let parts = story.parts();
    let with = |checkpoint: String| Parts { checkpoint, ..parts.clone() }.bundle();
    let older = checkpoint(&parts.entries[..4], &service_key());
    assert_eq!(failed(&with(older)), (Check::Checkpoint, None));
    let later = checkpoint(&Story::proposed().parts().entries, &service_key());
    assert_eq!(verdict(&with(later)).exit_code(), 2);
    let unknown = checkpoint(&parts.entries, &key(9));
    assert_eq!(failed(&with(unknown)), (Check::Checkpoint, None));
    let mut forked = parts.entries.clone();
    forked[2] = b"another".to_vec();
    assert_eq!(failed(&with(checkpoint(&forked, &service_key()))), (Check::Root, None));
    let elsewhere = parts.checkpoint.replace(story::SERVICE, "other.example.com");
    assert_eq!(failed(&with(elsewhere)), (Check::Checkpoint, None));
    // Another signature line does no harm to the service's, and the report counts it.
    let witnessed = with(format!("{}\u{2014} witness.example.com AAAAAA==\n", parts.checkpoint));
    let report = verify(&witnessed[..], &Options::default());
    assert_eq!(report.verdict, Verdict::Verified);
    let not_checked = report.contents.unwrap().not_checked;
    assert!(not_checked.iter().any(|not| not.why.contains("1 cosignature,")), "{not_checked:?}");
}

#[test]
fn a_vote_of_a_stranger_to_the_query_breaks_the_rules_even_under_the_services_seal() {
    let mut story = Story::proposed();
    let position = story.entries.len() as u64;
    let digest = story.digest(story::delays());
    let subject = Subject::Query(story::delays());
    story.forge(
        Right::Token(Person::Woodgrove),
        Actor::Member(Person::Woodgrove.member()),
        subject,
        &ApproveQuery { digest }.into(),
        &QueryApproved { digest }.into(),
    );
    let bundle = story.bundle();
    assert_eq!(failed(&bundle), (Check::Rules, Some(position)));
    assert!(detail(&bundle).contains("not_an_approver"), "{}", detail(&bundle));
}

#[test]
fn a_vote_made_up_for_a_member_with_a_key_is_refused() {
    // The service claims to have seen a token: the member signs since it registered a key.
    let forged = |right: Right<'_>, person: Person| {
        let mut story = Story::proposed();
        let position = story.entries.len() as u64;
        let digest = story.digest(story::delays());
        let (command, event) = (ApproveQuery { digest }.into(), QueryApproved { digest }.into());
        let subject = Subject::Query(story::delays());
        story.forge(right, Actor::Member(person.member()), subject, &command, &event);
        let (check, at) = failed(&story.bundle());
        assert_eq!(at, Some(position));
        check
    };
    assert_eq!(forged(Right::Token(Person::Contosso), Person::Contosso), Check::Rules);
    // Woodgrove's key was never registered; Fabrikam's signature makes no vote of Contosso's.
    assert_eq!(forged(Right::Key(Person::Woodgrove), Person::Contosso), Check::Authority);
    assert_eq!(forged(Right::Key(Person::Fabrikam), Person::Contosso), Check::Rules);
}

#[test]
fn a_signature_over_something_else_is_refused() {
    let mut story = Story::proposed();
    let position = story.entries.len() as u64;
    let digest = story.digest(story::delays());
    let subject = Subject::Query(story::delays());
    let signed: Command = ApproveQuery { digest: Digest::of(b"another query") }.into();
    let (command, authority) = story.authority(Right::Key(Person::Contosso), subject, &signed);
    let Authority::MemberSigned(mut content) = authority else { panic!("signed") };
    let wanted: Command = ApproveQuery { digest }.into();
    content.content = codec::encode(&chancery_governance::wire::v1::encode_command(&wanted));
    let event: Event = QueryApproved { digest }.into();
    story.forge_as(
        command,
        Authority::MemberSigned(content),
        Actor::Member(Person::Contosso.member()),
        subject,
        event.kind(),
        chancery_governance::wire::v1::encode_event(&event),
    );
    assert_eq!(failed(&story.bundle()), (Check::Authority, Some(position)));
}

#[test]
fn a_result_that_its_evidence_does_not_bind_is_refused() {
    let mut story = Story::started();
    let position = story.entries.len() as u64;
    let attested = story.result();
    let mut claimed = attested.clone();
    claimed.manifest.rows += 1;
    let command: SucceedRun = story.success(0, claimed.clone(), &attested);
    let event = RunSucceeded {
        result: claimed,
        platform: Platform::InsecureVirtual,
        evidence: command.evidence.clone(),
    };
    let executor = story::executor();
    story.forge(
        Right::Executor(&executor),
        Actor::Executor(executor.public().id()),
        Subject::Run(story::run(0)),
        &command.into(),
        &event.into(),
    );
    assert_eq!(failed(&story.bundle()), (Check::ExecutorEvidence, Some(position)));
}

#[test]
fn an_event_that_its_command_does_not_cause_is_refused() {
    let mut story = Story::proposed();
    let position = story.entries.len() as u64;
    let subject = Subject::Dataset(story::planes());
    let actor = Actor::Member(Person::Contosso.member());
    let newest = story.collaboration().dataset_version(story::planes()).unwrap().1;
    let mut descriptor = newest.descriptor.clone();
    descriptor.store = chancery_governance::dataset::Store::Local { path: "elsewhere".into() };
    let publish: Command = PublishDataset { descriptor }.into();
    story.forge(Right::Key(Person::Contosso), actor, subject, &publish, &DatasetRetired {}.into());
    assert_eq!(failed(&story.bundle()), (Check::Rules, Some(position)));
}

#[test]
fn a_log_that_ends_amid_a_commands_consequences_is_not_settled() {
    let mut story = Story::proposed();
    let position = story.entries.len() as u64;
    let right = Right::Key(Person::Contosso);
    // Retiring supersedes the proposal in a second entry.
    story.send(right, Subject::Dataset(story::planes()), RetireDataset {});
    assert_eq!(story.entries.len() as u64, position + 2);
    assert_eq!(verdict(&story.bundle()), Verdict::Verified);
    story.entries.pop();
    assert_eq!(failed(&story.bundle()), (Check::Settled, Some(position + 1)));
}

#[test]
fn an_event_of_a_newer_release_is_unreadable_not_tampered() {
    let mut story = Story::founded();
    let subject = story::about_room();
    let retire: Command = RetireDataset {}.into();
    let (command, authority) = story.authority(Right::Key(Person::Litware), subject, &retire);
    let actor = Actor::Member(Person::Litware.member());
    story.forge_as(command, authority, actor, subject, "MoonLanded", Value::map::<&str>([]));
    assert_eq!(verdict(&story.bundle()).exit_code(), 3);
}
