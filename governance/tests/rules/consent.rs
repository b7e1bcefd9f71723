//! Withdrawing and restoring consent.

use chancery_governance::command::{RestoreConsent, SucceedRun, WithdrawConsent};
use chancery_governance::consent::ConsentKind;
use chancery_governance::reason::Code;
use chancery_governance::run::Platform;
use chancery_governance::subject::Subject;
use chancery_ledger::id::CollaborationId;

use crate::case::{Case, case, check};
use crate::support::fixtures::{
    application, attested, campaigns_s, orders_s, query_id, query_s, report_s, room, run_id, run_s,
    succeed_with,
};
use crate::support::people::Who;
use crate::support::{Tried, World, codes, kinds, uuid};

const EXECUTION: ConsentKind = ConsentKind::Execution;

fn withdraw(world: &mut World, who: Who, subject: Subject) -> Tried {
    world.by(who).does(subject, WithdrawConsent { kind: EXECUTION })
}

fn restore(world: &mut World, who: Who, subject: Subject) -> Tried {
    world.by(who).does(subject, RestoreConsent { kind: EXECUTION })
}

#[test]
fn withdrawing_on_anything_that_a_run_uses_cancels_it() {
    let uses = [
        (Who::Contosso, room()),
        (Who::Litware, orders_s()),
        (Who::Contosso, campaigns_s()),
        (Who::Fabrikam, report_s()),
        (Who::Contosso, query_s()),
    ];
    let stages: [fn() -> World; 4] =
        [World::requested, World::admitted, World::submitted, World::started];
    for (who, subject) in uses {
        for stage in stages {
            let mut world = stage();
            let events = withdraw(&mut world, who, subject);
            assert_eq!(kinds(&events), ["ConsentWithdrawn", "RunCancelled"], "{who:?} {subject}");
            assert_eq!(codes(&events), [Code::ConsentWithdrawn]);
            world.check_replay();
        }
    }
}

#[test]
fn consent_to_logging_and_telemetry_stops_no_run() {
    for kind in [ConsentKind::Logging, ConsentKind::Telemetry] {
        let mut world = World::started();
        let events = world.litware().does(room(), WithdrawConsent { kind });
        assert_eq!(kinds(&events), ["ConsentWithdrawn"]);
    }
}

#[test]
fn a_mark_is_each_members_own_and_can_be_taken_back() {
    let mut world = World::accepted();
    withdraw(&mut world, Who::Litware, query_s()).unwrap();
    withdraw(&mut world, Who::Contosso, query_s()).unwrap();
    assert_eq!(kinds(&restore(&mut world, Who::Litware, query_s())), ["ConsentRestored"]);
    let run = crate::support::fixtures::run_id();
    let refused = world.request(run);
    assert_eq!(kinds(&refused), ["RunRefused"], "Contosso's mark stands");
    restore(&mut world, Who::Contosso, query_s()).unwrap();
    let again = chancery_ledger::id::RunId::new(uuid(0x9, 2));
    assert_eq!(kinds(&world.request(again)), ["RunRequested"]);
    world.check_replay();
}

/// What each kind of mark can stand on, and whose it is.
fn scopes() -> [(Who, Subject); 5] {
    [
        (Who::Contosso, room()),
        (Who::Litware, orders_s()),
        (Who::Contosso, campaigns_s()),
        (Who::Fabrikam, report_s()),
        (Who::Contosso, query_s()),
    ]
}

#[test]
fn every_kind_stands_on_every_scope_for_each_member_and_is_taken_back() {
    for kind in ConsentKind::ALL {
        for (who, subject) in scopes() {
            let mut world = World::accepted();
            let withheld = |world: &World| world.room().is_withheld(query_id(), kind);
            world.by(who).does(subject, WithdrawConsent { kind }).unwrap();
            assert!(withheld(&world), "{kind:?} {subject}");
            for other in ConsentKind::ALL.into_iter().filter(|other| *other != kind) {
                assert!(!world.room().is_withheld(query_id(), other), "a kind of its own");
            }
            world.by(who).does(subject, RestoreConsent { kind }).unwrap();
            assert!(!withheld(&world), "{kind:?} {subject}");
            world.check_replay();
        }
    }
}

fn result(world: &World, quiet: bool) -> SucceedRun {
    let mut result = attested(world, run_id());
    if quiet {
        result.statistics.inputs.clear();
        result.statistics.segments.clear();
    }
    let virtually = Platform::InsecureVirtual;
    succeed_with(world, run_id(), &world.executor, result, virtually, application())
}

#[test]
fn telemetry_withdrawn_while_a_run_is_in_flight_takes_its_statistics_out() {
    for (who, subject) in scopes() {
        let mut world = World::started();
        let kind = ConsentKind::Telemetry;
        world.by(who).does(subject, WithdrawConsent { kind }).unwrap();
        let loud = result(&world, false);
        assert_eq!(codes(&world.report(run_id(), loud)), [Code::TelemetryWithheld], "{subject}");
        let quiet = result(&world, true);
        assert_eq!(kinds(&world.report(run_id(), quiet)), ["RunSucceeded"]);
        world.check_replay();
    }
}

#[test]
fn quiet_statistics_are_taken_without_a_mark_too() {
    let mut world = World::started();
    let quiet = result(&world, true);
    assert_eq!(kinds(&world.report(run_id(), quiet)), ["RunSucceeded"]);
}

pub fn cases() -> Vec<Case> {
    vec![
        case("statistics without consent to telemetry", Code::TelemetryWithheld, || {
            let mut world = World::started();
            let kind = ConsentKind::Telemetry;
            world.litware().does(orders_s(), WithdrawConsent { kind }).unwrap();
            let loud = result(&world, false);
            world.report(run_id(), loud)
        }),
        case("a mark twice", Code::ConsentAlreadyWithdrawn, || {
            let mut world = World::accepted();
            withdraw(&mut world, Who::Litware, room()).unwrap();
            withdraw(&mut world, Who::Litware, room())
        }),
        case("no mark to take back", Code::ConsentNotWithdrawn, || {
            restore(&mut World::accepted(), Who::Litware, room())
        }),
        case("another's mark", Code::ConsentNotWithdrawn, || {
            let mut world = World::accepted();
            withdraw(&mut world, Who::Litware, room()).unwrap();
            restore(&mut world, Who::Contosso, room())
        }),
        case("another's dataset", Code::NotTheDatasetOwner, || {
            withdraw(&mut World::accepted(), Who::Contosso, orders_s())
        }),
        case("a dataset that is not there", Code::DatasetNotFound, || {
            withdraw(&mut World::joined(), Who::Litware, orders_s())
        }),
        case("a query that is not there", Code::QueryNotFound, || {
            withdraw(&mut World::joined(), Who::Litware, query_s())
        }),
        case("a query without a say in it", Code::NotAnApprover, || {
            withdraw(&mut World::drafted(), Who::Litware, query_s())
        }),
        case("a run", Code::WrongSubject, || {
            withdraw(&mut World::started(), Who::Litware, run_s())
        }),
        case("another collaboration", Code::WrongSubject, || {
            let other = Subject::Collaboration(CollaborationId::new(uuid(0xc, 2)));
            withdraw(&mut World::accepted(), Who::Litware, other)
        }),
        case("a stranger's consent", Code::NotAMember, || {
            withdraw(&mut World::accepted(), Who::Mallory, room())
        }),
        case("a run on a dataset without consent", Code::ConsentWithdrawn, || {
            let mut world = World::accepted();
            withdraw(&mut world, Who::Litware, orders_s()).unwrap();
            world.request(crate::support::fixtures::run_id())
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}

#[test]
fn an_approver_keeps_its_say_to_take_its_mark_back() {
    use chancery_governance::command::WithdrawQuery;
    let mut world = World::accepted();
    withdraw(&mut world, Who::Litware, query_s()).unwrap();
    world.fabrikam().does(query_s(), WithdrawQuery {}).unwrap();
    assert_eq!(kinds(&restore(&mut world, Who::Litware, query_s())), ["ConsentRestored"]);
}
