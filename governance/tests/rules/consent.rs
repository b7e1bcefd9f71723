//! Withdrawing and restoring consent.

use chancery_governance::command::{RestoreConsent, WithdrawConsent};
use chancery_governance::consent::ConsentKind;
use chancery_governance::reason::Code;
use chancery_governance::subject::Subject;
use chancery_ledger::id::CollaborationId;

use crate::case::{Case, case, check};
use crate::support::fixtures::{campaigns_s, orders_s, query_s, report_s, room, run_s};
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

pub fn cases() -> Vec<Case> {
    vec![
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
