//! Signatures that are checked before their turn: what that proves, and what it does not.

use std::collections::BTreeMap;

use chancery_governance::command::{ApproveQuery, Command, PauseCollaboration};
use chancery_governance::reason::Code;
use chancery_governance::replay::{Prepared, Replay};
use chancery_governance::submission::{CARRIED_LEN_MAX, carried, carried_early, key_of};
use chancery_ledger::cose::{self, ContentType, Verified};
use chancery_ledger::entry::Authority;
use chancery_ledger::id::CommandId;
use chancery_ledger::key::{KeyId, PublicKey};

use crate::support::fixtures::query_s;
use crate::support::people::Who;
use crate::support::{Attempt, Tried, World, codes, evidence, kinds, uuid};

fn preverify(authority: &Authority, key: &dyn Fn(KeyId) -> Option<PublicKey>) -> Option<Verified> {
    carried(authority).ok()?.preverify(key)
}

/// A vote of Litware's with its signature checked before its turn, altered after that.
fn voted(verified: Option<Verified>, alter: impl FnOnce(&mut Attempt)) -> Tried {
    let mut world = World::proposed();
    let command: Command = ApproveQuery { digest: world.digest() }.into();
    let mut attempt = world.prepare(Who::Litware, query_s(), &command);
    let own = preverify(&attempt.authority, &|id| {
        let key = Who::Litware.key().public().clone();
        (key.id() == id).then_some(key)
    });
    attempt.verified = verified.or(own);
    assert!(attempt.verified.is_some());
    alter(&mut attempt);
    world.submit(&attempt)
}

fn flip(attempt: &mut Attempt) {
    let Authority::MemberSigned(signed) = &mut attempt.authority else { unreachable!() };
    *signed.message.last_mut().unwrap() ^= 1;
}

#[test]
fn a_signature_that_was_checked_before_counts_and_covers_nothing_else() {
    let other = cose::parse(ContentType::Command, &{
        let world = World::proposed();
        let command: Command = ApproveQuery { digest: world.digest() }.into();
        let id = CommandId::new(uuid(0xe, 77));
        world.to_sign(query_s(), &command, id).sign(ContentType::Command, &Who::Litware.key())
    });
    let other = other.unwrap().verify(Who::Litware.key().public()).unwrap();
    assert_eq!(kinds(&voted(None, |_| {})), ["QueryApproved"]);
    assert_eq!(codes(&voted(None, flip)), [Code::SignatureInvalid]);
    // A proof about another message does not help, and does not harm either.
    assert_eq!(kinds(&voted(Some(other), |_| {})), ["QueryApproved"]);
    assert_eq!(codes(&voted(Some(other), flip)), [Code::SignatureInvalid]);
}

#[test]
fn nothing_is_proven_without_the_key_or_the_signature() {
    let mut world = World::proposed();
    let command: Command = ApproveQuery { digest: world.digest() }.into();
    let mut attempt = world.prepare(Who::Litware, query_s(), &command);
    let key = |_| Some(Who::Litware.key().public().clone());
    assert!(preverify(&attempt.authority, &key).is_some());
    assert_eq!(preverify(&attempt.authority, &|_| None), None);
    assert_eq!(
        preverify(&attempt.authority, &|_| Some(Who::Mallory.key().public().clone())),
        None,
        "an id is its key's digest, so another key proves nothing"
    );
    flip(&mut attempt);
    assert_eq!(preverify(&attempt.authority, &key), None);
    assert_eq!(preverify(&world.witnessed(Who::Contosso, &command), &key), None);
    assert_eq!(preverify(&Authority::Consequence(0), &key), None);
}

/// What an auditor does: all signatures first, then the rules.
#[test]
fn a_log_whose_signatures_were_checked_first_replays_and_an_altered_one_does_not() {
    let world = World::succeeded();
    let mut keys = BTreeMap::new();
    for sealed in &world.log {
        keys.extend(key_of(sealed.entry()).map(|key| (key.id(), key)));
    }
    let key = |id| keys.get(&id).cloned();
    let mut replay = Replay::default();
    let mut proven = 0;
    for sealed in &world.log {
        let verified = preverify(&sealed.entry().authority, &key);
        let signed = matches!(
            sealed.entry().authority,
            Authority::MemberSigned(_) | Authority::ExecutorSigned(_)
        );
        assert_eq!(verified.is_some(), signed, "{}", sealed.entry().kind);
        proven += usize::from(signed);
        let mut prepared = Prepared::all_of(sealed).unwrap();
        let signer = prepared.signed_by(&key).map(|(message, key)| message.verify(&key).unwrap());
        assert_eq!(signer, verified);
        prepared.prove(verified);
        replay.step_prepared(sealed, &prepared, &evidence::verify).unwrap();
    }
    assert!(proven > 10, "{proven}");
    assert_eq!(*replay.state(), world.state);
}

#[test]
fn a_long_command_is_read_when_its_turn_comes() {
    let world = World::proposed();
    let paused = |reason: usize| {
        let command: Command = PauseCollaboration { reason: "r".repeat(reason) }.into();
        let authority = world.witnessed(Who::Contosso, &command);
        let Authority::ServiceWitnessed(witness) = &authority else { unreachable!() };
        (witness.content.len(), authority)
    };
    let (len, _) = paused(1000);
    let (last, longest) = paused(1000 + CARRIED_LEN_MAX - len);
    let (_, too_long) = paused(1001 + CARRIED_LEN_MAX - len);
    assert_eq!(last, CARRIED_LEN_MAX);
    assert!(carried_early(&longest).is_some());
    assert!(carried_early(&too_long).is_none());
    assert!(carried(&too_long).is_ok());
}
