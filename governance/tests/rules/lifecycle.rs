//! Pause, resume, close.

use chancery_governance::command::{
    CloseCollaboration, ErasePersonal, PauseCollaboration, ProposeQuery, ResumeCollaboration,
    RetireDataset, WithdrawConsent,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::decide::lifecycle::REASON_LEN_MAX;
use chancery_governance::reason::Code;
use chancery_governance::state::lifecycle::Lifecycle;
use chancery_governance::subject::Subject;
use chancery_ledger::id::CollaborationId;

use crate::case::{Case, case, check};
use crate::support::fixtures::{admit, orders_s, query_s, room, run_id};
use crate::support::people::Who;
use crate::support::{Tried, World, codes, key, kinds, uuid};

fn pause(world: &mut World) -> Tried {
    world.litware().does(room(), PauseCollaboration { reason: "An incident.".into() })
}

fn resume(world: &mut World) -> Tried {
    world.litware().does(room(), ResumeCollaboration {})
}

fn close(world: &mut World) -> Tried {
    world.litware().does(room(), CloseCollaboration { reason: "The study is over.".into() })
}

fn paused(mut world: World) -> World {
    pause(&mut world).unwrap();
    world
}

fn closed(mut world: World) -> World {
    close(&mut world).unwrap();
    world
}

const IN_FLIGHT: [fn() -> World; 4] =
    [World::requested, World::admitted, World::submitted, World::started];

#[test]
fn a_pause_cancels_what_is_in_flight_and_refuses_requests_until_it_is_resumed() {
    for stage in IN_FLIGHT {
        let mut world = stage();
        let events = pause(&mut world);
        assert_eq!(kinds(&events), ["CollaborationPaused", "RunCancelled"]);
        assert_eq!(codes(&events), [Code::CollaborationPaused]);
        let refused = world.request(chancery_ledger::id::RunId::new(uuid(0x9, 2)));
        assert_eq!(kinds(&refused), ["RunRefused"]);
        assert_eq!(codes(&refused), [Code::CollaborationPaused]);
        assert_eq!(kinds(&resume(&mut world)), ["CollaborationResumed"]);
        let again = world.request(chancery_ledger::id::RunId::new(uuid(0x9, 3)));
        assert_eq!(kinds(&again), ["RunRequested"]);
        world.check_replay();
    }
}

#[test]
fn all_but_runs_goes_on_while_it_is_paused() {
    let mut world = paused(World::drafted());
    world
        .fabrikam()
        .does(query_s(), ProposeQuery { votes_until_ms: None, runs_until_ms: None })
        .unwrap();
    let mut world = world.accept();
    let kind = ConsentKind::Execution;
    world.contosso().does(room(), WithdrawConsent { kind }).unwrap();
    world.litware().does(orders_s(), RetireDataset {}).unwrap();
    world.check_replay();
}

#[test]
fn a_close_is_final_and_leaves_erasure_and_the_services_key() {
    for stage in IN_FLIGHT {
        let mut world = stage();
        let events = close(&mut world);
        assert_eq!(kinds(&events), ["CollaborationClosed", "RunCancelled"]);
        assert_eq!(codes(&events), [Code::CollaborationClosed]);
        assert!(matches!(world.room().lifecycle, Lifecycle::Closed(_)));
        let erased = Subject::Invitation(Who::Contosso.invitation());
        assert_eq!(kinds(&world.litware().does(erased, ErasePersonal {})), ["SubjectErased"]);
        assert_eq!(kinds(&world.rotate(key(202))), ["ServiceKeyRotated"]);
        world.check_replay();
    }
}

#[test]
fn a_paused_collaboration_can_be_closed() {
    let mut world = paused(World::accepted());
    assert_eq!(kinds(&close(&mut world)), ["CollaborationClosed"]);
    world.check_replay();
}

/// An erasure is a right that no agreement ends; nothing else of secrets goes on.
#[test]
fn a_secret_can_be_erased_after_the_close_and_none_is_given() {
    let mut world = closed(World::entitled());
    assert_eq!(codes(&world.asks_secret())[0], Code::RunAlreadyEnded);
    assert!(codes(&world.asks_token()).contains(&Code::CollaborationClosed));
    assert_eq!(codes(&world.attest(31)), [Code::CollaborationClosed]);
    assert_eq!(kinds(&world.erases(Who::Litware, orders_s())), ["DatasetSecretErased"]);
    world.check_replay();
}

/// Every command that there is, as the wire's samples have it.
#[test]
fn a_closed_collaboration_takes_no_other_command() {
    use chancery_governance::command::Command;
    for (subject, command) in crate::wire_samples::commands() {
        let erases = matches!(
            command,
            Command::ErasePersonal(_)
                | Command::RotateServiceKey(_)
                | Command::AttestService(_)
                | Command::EraseDatasetSecret(_)
        );
        let reports = command.action().starts_with("run.") && command.action() != "run.request";
        if erases || reports || matches!(command, Command::CreateCollaboration(_)) {
            continue;
        }
        let mut world = closed(World::accepted());
        let tried = world.litware().does(subject, command.clone());
        let met = codes(&tried);
        // Who may not do it anyway is told that first.
        let refused = [Code::CollaborationClosed, Code::AbilityMissing];
        assert!(refused.contains(&met[0]), "{}: {tried:?}", command.action());
    }
}

#[test]
fn a_reason_is_as_long_as_it_may_be_and_no_longer() {
    for (length, fits) in [(REASON_LEN_MAX, true), (REASON_LEN_MAX + 1, false), (0, false)] {
        let mut world = World::accepted();
        let reason = "é".repeat(length);
        let tried = world.litware().does(room(), PauseCollaboration { reason: reason.clone() });
        assert_eq!(tried.is_ok(), fits, "{length}");
        let mut world = World::accepted();
        let tried = world.litware().does(room(), CloseCollaboration { reason });
        assert_eq!(tried.is_ok(), fits, "{length}");
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        case("paused already", Code::CollaborationPaused, || pause(&mut paused(World::accepted()))),
        case("not paused", Code::CollaborationNotPaused, || resume(&mut World::accepted())),
        case("resumed after a close", Code::CollaborationClosed, || {
            resume(&mut closed(World::accepted()))
        }),
        case("paused after a close", Code::CollaborationClosed, || {
            pause(&mut closed(World::accepted()))
        }),
        case("closed twice", Code::CollaborationClosed, || close(&mut closed(World::accepted()))),
        case("a run in a closed collaboration", Code::CollaborationClosed, || {
            closed(World::accepted()).request(run_id())
        }),
        case("an admission in a closed collaboration", Code::CollaborationClosed, || {
            let mut world = closed(World::requested());
            let command = admit(&world, run_id(), &world.executor);
            world.report(run_id(), command)
        }),
        case("a pause by no owner", Code::AbilityMissing, || {
            let reason = "Because.".into();
            World::accepted().contosso().does(room(), PauseCollaboration { reason })
        }),
        case("a resumption by no owner", Code::AbilityMissing, || {
            paused(World::accepted()).contosso().does(room(), ResumeCollaboration {})
        }),
        case("a close by no owner", Code::AbilityMissing, || {
            let reason = "Because.".into();
            World::accepted().fabrikam().does(room(), CloseCollaboration { reason })
        }),
        case("a pause of another collaboration", Code::WrongSubject, || {
            let other = Subject::Collaboration(CollaborationId::new(uuid(0xc, 2)));
            World::accepted().litware().does(other, PauseCollaboration { reason: "x".into() })
        }),
        case("a resumption of a query", Code::WrongSubject, || {
            World::accepted().litware().does(query_s(), ResumeCollaboration {})
        }),
        case("a close of a query", Code::WrongSubject, || {
            World::accepted().litware().does(query_s(), CloseCollaboration { reason: "x".into() })
        }),
        case("a blank reason", Code::InvalidName, || {
            World::accepted().litware().does(room(), PauseCollaboration { reason: " ".into() })
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}
