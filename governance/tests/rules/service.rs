//! The service's own key: changed by the new one and the old one together, and by nobody else.

use chancery_governance::authorise::Action;
use chancery_governance::command::{ApproveQuery, Command, RotateServiceKey};
use chancery_governance::decide::decide;
use chancery_governance::decide::service::SERVICE_KEYS_MAX;
use chancery_governance::event::{Event, ServiceKeyRotated};
use chancery_governance::log::{self, FoldError};
use chancery_governance::reason::Code;
use chancery_governance::replay::{Replay, ReplayError};
use chancery_governance::state::State;
use chancery_governance::submission::{Caller, Submission, carried};
use chancery_ledger::cose::ContentType;
use chancery_ledger::entry::{Authority, Entry, Sealed, SignedContent, seal};
use chancery_ledger::id::CommandId;
use chancery_ledger::key::{Algorithm, PublicKey, SigningKey};

use crate::case::{Case, case, check};
use crate::support::fixtures::{query_s, room, run_id, succeed, terms};
use crate::support::people::{Who, registration};
use crate::support::{SERVICE, Tried, World, codes, content, evidence, key, kinds, uuid};

/// A rotation to key 210 with something wrong in the command or in how it is signed.
fn rotated(
    mut world: World,
    change: impl FnOnce(&World, &mut RotateServiceKey),
    signer: &SigningKey,
) -> Tried {
    let mut command = world.rotation(&key(210));
    change(&world, &mut command);
    let attempt = world.prepare_service(signer, &command.into());
    world.submit(&attempt)
}

#[test]
fn the_new_key_signs_the_old_one_seals_and_the_next_entry_is_the_new_ones() {
    let mut world = World::proposed();
    let old = world.service.public().clone();
    assert_eq!(kinds(&world.rotate(key(210))), ["ServiceKeyRotated"]);
    let at = world.room().size - 1;
    assert_eq!(world.log.last().unwrap().key_id(), old.id());
    let Authority::ServiceSigned(_) = &world.log.last().unwrap().entry().authority else {
        panic!("another authority")
    };
    assert_eq!(kinds(&world.approve(Who::Litware)), ["QueryApproved"]);
    let new = key(210).public().clone();
    assert_eq!(world.log.last().unwrap().key_id(), new.id());
    let room = world.room();
    assert_eq!(room.service_key, new);
    assert_eq!(room.service_keys, [(0, old.clone()), (at + 1, new.clone())]);
    // The checkpoint just after the rotation is the new key's, the one before it the old one's.
    assert_eq!((room.service_key_at(at), room.service_key_at(at + 1)), (&old, &new));
    assert_eq!(log::sealing_key(&world.state, &old), &new);
    assert_eq!(log::sealing_key(&State::Absent, &old), &old);
    world.check_replay();
}

#[test]
fn a_rotation_changes_the_key_and_nothing_else() {
    let mut world = World::started();
    let before = world.room().clone();
    world.rotate(key(210)).unwrap();
    let mut after = world.room().clone();
    after.service_key = before.service_key.clone();
    after.service_keys.truncate(1);
    (after.size, after.last_leaf) = (before.size, before.last_leaf);
    (after.last_time_ms, after.versions) = (before.last_time_ms, before.versions.clone());
    assert_eq!(after, before);
}

#[test]
fn commands_for_the_key_before_are_refused_and_runs_go_on_under_the_new_one() {
    let mut world = World::started();
    let command: Command = ApproveQuery { digest: world.digest() }.into();
    let late = world.prepare(Who::Litware, query_s(), &command);
    world.rotate(key(210)).unwrap();
    assert_eq!(codes(&world.submit(&late)), [Code::SignatureAudience]);
    let succeed = succeed(&world, run_id(), &key(201));
    assert_eq!(kinds(&world.report(run_id(), succeed)), ["RunSucceeded"]);
    world.check_replay();
}

/// Seals anew, with `by`, what stands at the end of the log.
fn resealed(world: &World, by: &SigningKey, change: impl FnOnce(&mut Entry)) -> Vec<Sealed> {
    let mut log = world.log.clone();
    let mut entry = log.pop().unwrap().entry().clone();
    change(&mut entry);
    log.push(seal(entry, by));
    log
}

fn replayed(log: &[Sealed]) -> Result<(), ReplayError> {
    let mut replay = Replay::default();
    log.iter().try_for_each(|sealed| replay.step(sealed, &evidence::verify))
}

#[test]
fn the_key_before_seals_nothing_after_and_the_new_one_nothing_before() {
    let mut world = World::proposed();
    let position = world.room().size;
    world.rotate(key(210)).unwrap();
    let early = resealed(&world, &key(210), |_| {});
    let refused = Err(ReplayError::Fold(FoldError::Sealer { position }));
    assert_eq!(replayed(&early), refused, "a new key can't bring itself in");
    world.approve(Who::Litware).unwrap();
    assert_eq!(replayed(&world.log), Ok(()));
    let position = position + 1;
    let late = resealed(&world, &key(200), |_| {});
    let refused = FoldError::Sealer { position };
    assert_eq!(replayed(&late), Err(refused.clone().into()));
    let mut state = State::Absent;
    for sealed in &late[..late.len() - 1] {
        state = log::fold(state, sealed).unwrap();
    }
    assert_eq!(log::fold(state.clone(), late.last().unwrap()), Err(refused));
    let first = key(200);
    assert!(log::open(late.last().unwrap().bytes().to_vec(), &state, first.public()).is_err());
}

#[test]
fn a_rotation_that_the_rules_did_not_decide_is_refused_though_it_is_sealed() {
    let mut world = World::proposed();
    world.rotate(key(210)).unwrap();
    let other = key(211).public().clone();
    let event: Event =
        ServiceKeyRotated { evidence: evidence::service(SERVICE, &other), key: other }.into();
    let log = resealed(&world, &key(200), |entry| {
        entry.payload = chancery_governance::wire::v1::encode_event(&event);
    });
    assert!(matches!(replayed(&log), Err(ReplayError::OtherEvent { .. })));
}

/// Invariant 8: signed by the key that seals, or by one that would like to, nothing else happens.
#[test]
fn invariant_8_the_service_can_do_nothing_else() {
    let mut world = World::started();
    for (subject, command) in crate::wire_samples::commands() {
        if let Command::RotateServiceKey(_) | Command::AttestService(_) = command {
            continue;
        }
        for (signer, expected) in [(key(200), Code::NotTheService), (key(210), Code::KeyUnknown)] {
            let id = world.next_command();
            let message =
                world.to_sign(subject, &command, id).sign(ContentType::ServiceCommand, &signer);
            let authority =
                Authority::ServiceSigned(SignedContent { message, content: content(&command) });
            let facts = world.facts(&command);
            let attempt =
                crate::support::Attempt { subject, command: id, authority, facts, verified: None };
            let refused = codes(&world.submit(&attempt));
            assert_eq!(refused, [expected], "{}", command.action());
        }
    }
}

#[test]
fn a_rotation_brings_its_own_key_to_those_that_check_signatures_first() {
    let mut world = World::proposed();
    let command = world.rotation(&key(210)).into();
    let mut attempt = world.prepare_service(&key(210), &command);
    attempt.verified = carried(&attempt.authority).unwrap().preverify(&|_| None);
    assert!(attempt.verified.is_some());
    assert_eq!(kinds(&world.submit(&attempt)), ["ServiceKeyRotated"]);
}

/// Signatures of other algorithms are made elsewhere, so the decision is asked without one.
#[test]
fn a_key_that_seals_is_an_ed25519_key() {
    let world = World::proposed();
    let mut rotation = world.rotation(&key(210));
    rotation.key = PublicKey::new(Algorithm::Es256, &[4; 65]).unwrap();
    let caller = Caller::Service(rotation.key.id());
    let command: Command = rotation.into();
    let action = Action { command: &command, subject: room(), caller };
    let submission = Submission {
        collaboration: world.id,
        subject: room(),
        command: CommandId::new(uuid(0xe, 9_999)),
        authority: &Authority::Consequence(0),
        verified: None,
        now_ms: world.now_ms,
        facts: world.facts(&command),
    };
    let refused = decide(&world.state, &action, &submission).unwrap_err();
    assert_eq!(refused.first.code, Code::InvalidKey);
}

pub fn cases() -> Vec<Case> {
    vec![
        case("to the key that seals now", Code::ServiceKeyUsed, || {
            let mut world = World::proposed();
            world.rotate(key(200))
        }),
        case("back to a key before", Code::ServiceKeyUsed, || {
            let mut world = World::proposed();
            world.rotate(key(210)).unwrap();
            world.rotate(key(200))
        }),
        case("to a member's key", Code::KeyAlreadyRegistered, || {
            World::proposed().rotate(Who::Litware.key())
        }),
        case("signed by the key before", Code::KeyUnknown, || {
            rotated(World::proposed(), |_, _| {}, &key(200))
        }),
        case("signed by a member", Code::KeyUnknown, || {
            rotated(World::proposed(), |_, _| {}, &Who::Litware.key())
        }),
        case("evidence of another key", Code::EvidenceNotBound, || {
            let change = |world: &World, command: &mut RotateServiceKey| {
                command.evidence = world.rotation(&key(211)).evidence;
            };
            rotated(World::proposed(), change, &key(210))
        }),
        case("evidence of another service", Code::EvidenceNotBound, || {
            let change = |_: &World, command: &mut RotateServiceKey| {
                command.evidence = evidence::service("another.test", &command.key);
            };
            rotated(World::proposed(), change, &key(210))
        }),
        case("evidence that says nothing", Code::EvidenceInvalid, || {
            let change = |_: &World, command: &mut RotateServiceKey| {
                command.evidence.document.clear();
            };
            rotated(World::proposed(), change, &key(210))
        }),
        case("evidence that nobody looked at", Code::EvidenceInvalid, || {
            let mut world = World::proposed();
            let command = world.rotation(&key(210)).into();
            let mut attempt = world.prepare_service(&key(210), &command);
            attempt.facts.verdict = None;
            world.submit(&attempt)
        }),
        case("on another subject", Code::WrongSubject, || {
            let mut world = World::proposed();
            let command: Command = world.rotation(&key(210)).into();
            let mut attempt = world.prepare_service(&key(210), &command);
            attempt.subject = query_s();
            let message = world
                .to_sign(query_s(), &command, attempt.command)
                .sign(ContentType::ServiceCommand, &key(210));
            let content = content(&command);
            attempt.authority = Authority::ServiceSigned(SignedContent { message, content });
            world.submit(&attempt)
        }),
        case("by a member", Code::NotTheService, || {
            let mut world = World::proposed();
            let command = world.rotation(&key(210));
            world.litware().does(room(), command)
        }),
        case("by a member with a token", Code::NotTheService, || {
            let mut world = World::proposed();
            let command = world.rotation(&key(210));
            world.contosso().does(room(), command)
        }),
        case("by a stranger", Code::NotTheService, || {
            let mut world = World::proposed();
            let command = world.rotation(&key(210));
            world.by(Who::Mallory).does(room(), command)
        }),
        case("before the log began", Code::CollaborationNotFound, || {
            rotated(World::empty(), |_, _| {}, &key(210))
        }),
        case("a member registers a key that sealed before", Code::InvalidKey, || {
            let mut world = World::joined();
            world.rotate(key(210)).unwrap();
            let command = registration(&world, Who::Contosso, &key(200));
            world.contosso().does(Who::Contosso.itself(), command)
        }),
        case("one key too many", Code::LimitExceeded, || {
            let mut world = World::proposed();
            let State::Present(state) = &mut world.state else { unreachable!() };
            let key = state.service_keys[0].1.clone();
            state.service_keys.resize(SERVICE_KEYS_MAX, (0, key));
            world.rotate(crate::support::key(210))
        }),
        case("terms that ask for hardware", Code::InsecureVirtualNotAllowed, || {
            let mut world = World::proposed();
            let State::Present(state) = &mut world.state else { unreachable!() };
            state.terms = terms(&[], false);
            world.rotate(key(210))
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}
