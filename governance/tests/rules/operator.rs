//! Invariant 8: what the operator, who holds the service's key and seals what it likes, can't do.

use chancery_governance::command::{
    AcceptInvitation, ApproveQuery, CancelRun, Command, RequestRun, SetCleanRoomPolicy,
    WithdrawConsent, WithdrawQuery,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::event::{
    CleanRoomPolicySet, CollaboratorActivated, Event, QueryAccepted, QueryApproved,
    SigningKeyRegistered,
};
use chancery_governance::log;
use chancery_governance::member::Ability;
use chancery_governance::reason::Code;
use chancery_governance::replay::{Replay, ReplayError};
use chancery_governance::subject::Subject;
use chancery_governance::submission::Decision;
use chancery_governance::wire::v1;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Actor, Authority, Entry, Sealed, SignedContent, seal};

use crate::support::fixtures::{application, query_id, query_s, room, run_id, run_s};
use crate::support::people::{Who, registration};
use crate::support::{Attempt, World, evidence, key};

/// Seals, with the service's key and after an honest log, what the operator wants to stand there.
fn forge(
    world: &World,
    actor: Actor,
    authority: &Authority,
    events: &[(Subject, Event)],
    command: chancery_ledger::id::CommandId,
) -> Vec<Sealed> {
    let mut log = world.log.clone();
    let first = log.len() as u64;
    for (subject, event) in events {
        let position = log.len() as u64;
        let entry = Entry {
            kind: event.kind().to_owned(),
            collaboration: world.id,
            position,
            previous: log.last().map(Sealed::leaf),
            subject: subject.to_string(),
            actor,
            command,
            time_ms: world.now_ms,
            payload: v1::encode_event(event),
            authority: if position == first {
                authority.clone()
            } else {
                Authority::Consequence(first)
            },
        };
        log.push(seal(entry, &world.service));
    }
    log
}

fn replayed(_: &World, log: &[Sealed]) -> Result<(), ReplayError> {
    crate::support::replay(log).map(drop)
}

fn refusal(world: &World, log: &[Sealed]) -> Code {
    match replayed(world, log) {
        Err(ReplayError::Refused { source, .. }) => source.first.code,
        other => panic!("{other:?}"),
    }
}

/// What the operator would have to seal for each thing that a keyed member can do.
fn as_member(world: &World, who: Who) -> Vec<(Subject, Command, Event)> {
    let digest = world.digest();
    let new = registration(world, who, &key(90));
    let registered = SigningKeyRegistered { key: new.key.clone(), proof: new.proof.clone() };
    let other = Digest::of(b"the operator's application");
    let kind = ConsentKind::Logging;
    vec![
        (query_s(), ApproveQuery { digest }.into(), QueryApproved { digest }.into()),
        (who.itself(), new.into(), registered.into()),
        (
            room(),
            SetCleanRoomPolicy::of(vec![other]).into(),
            CleanRoomPolicySet::of(vec![other]).into(),
        ),
        (
            room(),
            WithdrawConsent { kind }.into(),
            chancery_governance::event::ConsentWithdrawn { kind }.into(),
        ),
    ]
}

#[test]
fn invariant_8_no_witnessed_command_for_a_member_with_a_key() {
    let mut world = World::proposed();
    let id = world.next_command();
    for who in [Who::Litware, Who::Fabrikam] {
        for (subject, command, event) in as_member(&world, who) {
            let authority = world.witnessed(who, &command);
            let log =
                forge(&world, Actor::Member(who.member()), &authority, &[(subject, event)], id);
            let code = refusal(&world, &log);
            assert_eq!(code, Code::MemberSignatureRequired, "{who:?} {}", command.action());
        }
    }
}

#[test]
fn invariant_8_no_signature_of_the_services_key_for_a_member() {
    let mut world = World::proposed();
    let id = world.next_command();
    for who in Who::MEMBERS {
        for (subject, command, event) in as_member(&world, who) {
            let message =
                world.to_sign(subject, &command, id).sign(ContentType::Command, &world.service);
            let content = crate::support::content(&command);
            let authority = Authority::MemberSigned(SignedContent { message, content });
            let log =
                forge(&world, Actor::Member(who.member()), &authority, &[(subject, event)], id);
            assert_eq!(refusal(&world, &log), Code::KeyUnknown);
        }
    }
}

#[test]
fn invariant_8_no_signature_of_a_member_twice_or_elsewhere() {
    let mut world = World::proposed();
    world.approve(Who::Litware).unwrap();
    let last = world.log.last().unwrap().entry().clone();
    let event = QueryApproved { digest: world.digest() };
    // The same command again.
    let log = forge(
        &world,
        last.actor,
        &last.authority,
        &[(query_s(), event.clone().into())],
        last.command,
    );
    assert!(matches!(replayed(&world, &log), Err(ReplayError::CommandReused { .. })));
    // Its signature under another command id, and for another subject.
    let id = world.next_command();
    let log = forge(&world, last.actor, &last.authority, &[(query_s(), event.clone().into())], id);
    assert_eq!(refusal(&world, &log), Code::SignatureCommand);
    // For an event that another member shall have caused.
    let mut fresh = World::proposed();
    let attempt: Attempt = {
        let command = ApproveQuery { digest: fresh.digest() }.into();
        fresh.prepare(Who::Litware, query_s(), &command)
    };
    let actor = Actor::Member(Who::Contosso.member());
    let vote = (query_s(), QueryApproved { digest: fresh.digest() }.into());
    let log = forge(&fresh, actor, &attempt.authority, &[vote], attempt.command);
    assert!(matches!(replayed(&fresh, &log), Err(ReplayError::OtherEvent { .. })));
}

#[test]
fn invariant_8_no_event_without_its_cause_and_no_effect_left_out() {
    let mut world = World::proposed();
    let digest = world.digest();
    let id = world.next_command();
    let litware = Actor::Member(Who::Litware.member());
    // An acceptance out of nothing, as a consequence of an entry that does not cause it.
    let accepted = (query_s(), QueryAccepted { digest, votes: vec![1, 2, 3] }.into());
    let before = world.log.len() as u64 - 1;
    let last = world.log.last().unwrap().entry().clone();
    for (of, command, actor) in
        [(before, last.command, last.actor), (before, id, litware), (u64::MAX, id, litware)]
    {
        let authority = Authority::Consequence(of);
        let log = forge(&world, actor, &authority, std::slice::from_ref(&accepted), command);
        assert!(matches!(replayed(&world, &log), Err(ReplayError::NoCause { .. })));
    }
    // A withdrawal whose cancelled run is left out, at the end and before another entry.
    let mut world = World::started();
    let size = world.log.len();
    world.fabrikam().does(query_s(), WithdrawQuery {}).unwrap();
    assert_eq!(world.log.len(), size + 2);
    let cut = &world.log[..=size];
    assert!(matches!(replayed(&world, cut), Err(ReplayError::Incomplete { missing: 1, .. })));
}

#[test]
fn invariant_8_no_member_that_was_not_invited_and_no_ability_that_was_not_given() {
    let mut world = World::joined();
    let id = world.next_command();
    let subject = Subject::Invitation(Who::Mallory.invitation());
    let command = AcceptInvitation {}.into();
    let authority = world.witnessed(Who::Mallory, &command);
    let accepted =
        chancery_governance::event::InvitationAccepted { identity: Who::Mallory.identity() };
    let activated = |abilities: &[Ability]| CollaboratorActivated {
        organisation: "Mallory".into(),
        abilities: abilities.to_vec(),
    };
    let events = |abilities: &[Ability]| {
        [
            (subject, Event::from(accepted.clone())),
            (Who::Mallory.itself(), activated(abilities).into()),
        ]
    };
    let actor = Actor::Member(Who::Mallory.member());
    let log = forge(&world, actor, &authority, &events(&[Ability::Owner]), id);
    assert_eq!(refusal(&world, &log), Code::InvitationNotFound);
    // Invited as an auditor, made an analyst.
    let invite = crate::support::fixtures::invite(Who::Mallory, &[Ability::Auditor]);
    let mut invite = invite;
    invite.organisation = "Mallory".into();
    world.litware().does(subject, invite).unwrap();
    let log = forge(&world, actor, &authority, &events(&[Ability::Analyst]), id);
    assert!(matches!(replayed(&world, &log), Err(ReplayError::OtherEvent { .. })));
    let log = forge(&world, actor, &authority, &events(&[Ability::Auditor]), id);
    assert_eq!(replayed(&world, &log), Ok(()), "what the owner signed is what comes about");
}

#[test]
fn invariant_8_no_executor_without_evidence_that_binds_it() {
    let mut world = World::requested();
    let executor = key(202);
    let mut admit = crate::support::fixtures::admit(&world, run_id(), &executor);
    admit.evidence = evidence::make(
        chancery_governance::run::Platform::InsecureVirtual,
        application(),
        Digest::of(b"anything"),
    );
    let command: Command = admit.clone().into();
    let attempt = world.prepare_report(&executor, run_id(), &command);
    let admitted = chancery_governance::event::RunAdmitted {
        executor: executor.public().clone(),
        platform: chancery_governance::run::Platform::InsecureVirtual,
        measurement: application(),
        claims: chancery_governance::clean_room::Claims::default(),
        evidence: admit.evidence,
    };
    let actor = Actor::Executor(executor.public().id());
    let events = [(run_s(), admitted.into())];
    let log = forge(&world, actor, &attempt.authority, &events, attempt.command);
    assert_eq!(refusal(&world, &log), Code::EvidenceNotBound);
}

#[test]
fn invariant_8_no_run_for_a_member_with_a_key() {
    let mut world = World::accepted();
    let id = world.next_command();
    let digest = world.digest();
    let command: Command = RequestRun { query: query_id(), digest }.into();
    let authority = world.witnessed(Who::Fabrikam, &command);
    let requested =
        chancery_governance::event::RunRequested { query: query_id(), digest, privacy: Vec::new() };
    let actor = Actor::Member(Who::Fabrikam.member());
    let log = forge(&world, actor, &authority, &[(run_s(), requested.into())], id);
    assert_eq!(refusal(&world, &log), Code::MemberSignatureRequired);
    let command: Command = CancelRun {}.into();
    assert!(world.by(Who::Mallory).does(run_s(), command).is_err());
}

/// What stands against invariant 8 by design: a member without a key has only the service's word.
#[test]
fn a_member_without_a_key_relies_on_the_service_unless_the_terms_say_otherwise() {
    use crate::support::fixtures::terms;
    use chancery_governance::member::SignedAct;
    let vote = |world: &mut World| {
        let digest = world.digest();
        let id = world.next_command();
        let authority = world.witnessed(Who::Contosso, &ApproveQuery { digest }.into());
        let actor = Actor::Member(Who::Contosso.member());
        let event = (query_s(), QueryApproved { digest }.into());
        forge(world, actor, &authority, &[event], id)
    };
    let mut world = World::proposed();
    let log = vote(&mut world);
    assert_eq!(replayed(&world, &log), Ok(()), "the labelled weakness of `service-witnessed`");
    let mut world =
        World::begun_on(terms(&[SignedAct::Votes], true)).join().stock().draft().propose();
    let log = vote(&mut world);
    assert_eq!(refusal(&world, &log), Code::MemberSignatureRequired);
}

#[test]
fn a_decision_that_the_fold_refuses_is_not_sealed() {
    let world = World::accepted();
    let submission = chancery_governance::submission::Submission {
        collaboration: world.id,
        subject: query_s(),
        command: chancery_ledger::id::CommandId::new(crate::support::uuid(0xe, 9_999)),
        authority: &Authority::Consequence(0),
        verified: None,
        now_ms: world.now_ms,
        facts: chancery_governance::submission::Facts::default(),
    };
    let decision = Decision {
        actor: Actor::Member(Who::Litware.member()),
        events: vec![(query_s(), QueryApproved { digest: world.digest() }.into())],
    };
    assert!(log::seal(world.state.clone(), decision, &submission, &world.service).is_err());
    assert!(Replay::default().state().collaboration().is_none());
}
