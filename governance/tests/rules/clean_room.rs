//! The clean room policy beside applications: claims, limits, and what they end.

use chancery_governance::clean_room::{CLAIMS_MAX, Claims, Demands, Only, QUERIES_MAX, Tcb};
use chancery_governance::command::{AdmitRun, SetCleanRoomPolicy};
use chancery_governance::decide::run::admission_report_data;
use chancery_governance::event::Event;
use chancery_governance::reason::Code;
use chancery_governance::run::Platform;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::QueryId;

use crate::case::{Case, case, check};
use crate::support::fixtures::{application, query_id, room, run_id};
use crate::support::{Tried, World, codes, evidence, key, kinds, uuid};

fn host() -> Digest {
    Digest::of(b"host data")
}

fn engine() -> Digest {
    Digest::of(b"engine image")
}

const fn tcb(part: u64) -> Tcb {
    Tcb { bootloader: 3, tee: 0, snp: part, microcode: 72 }
}

fn demands() -> Demands {
    Demands { host_data: vec![host()], engines: vec![engine()], minimum_tcb: Some(tcb(8)) }
}

fn claims() -> Claims {
    Claims {
        host_data: Some(host()),
        engine: Some(engine()),
        tcb: Some(tcb(8)),
        debug: Some(false),
    }
}

fn policy(demands: Demands, only: Vec<Only>) -> SetCleanRoomPolicy {
    SetCleanRoomPolicy { applications: vec![application()], demands, only }
}

fn set(policy: SetCleanRoomPolicy) -> Tried {
    World::stocked().litware().does(room(), policy)
}

/// A requested run under a policy.
fn requested(demands: Demands) -> World {
    let mut world = World::stocked();
    world.litware().does(room(), policy(demands, Vec::new())).unwrap();
    let mut world = world.draft().propose().accept();
    world.request(run_id()).unwrap();
    world
}

fn admit(world: &mut World, platform: Platform, claims: &Claims) -> Tried {
    let executor = key(201);
    let nonce = world.room().runs[&run_id()].request_leaf;
    let service = world.service.public().id();
    let bound = admission_report_data(service, world.id, run_id(), nonce, executor.public());
    let evidence = evidence::make_with(platform, application(), bound, claims);
    world.report(run_id(), AdmitRun { executor: executor.public().clone(), evidence })
}

fn admitted_with(claims: &Claims) -> Tried {
    admit(&mut requested(demands()), Platform::SevSnp, claims)
}

#[test]
fn an_executor_that_meets_every_demand_is_admitted_and_its_claims_are_recorded() {
    let mut world = requested(demands());
    let newer = Claims { tcb: Some(tcb(9)), ..claims() };
    let events = admit(&mut world, Platform::SevSnp, &newer);
    assert_eq!(kinds(&events), ["RunAdmitted"]);
    let Some((_, Event::RunAdmitted(admitted))) = events.unwrap().pop() else { unreachable!() };
    assert_eq!(admitted.claims, newer);
    world.check_replay();
}

#[test]
fn what_evidence_does_not_say_is_refused() {
    let virtually = Platform::InsecureVirtual;
    let tried = admit(&mut requested(demands()), virtually, &Claims::default());
    let all =
        [Code::HostDataNotAllowed, Code::EngineNotAllowed, Code::TcbTooOld, Code::DebugNotAllowed];
    assert_eq!(codes(&tried), all);
}

#[test]
fn every_part_of_the_trusted_computing_base_counts() {
    let least = Tcb { bootloader: 1, tee: 1, snp: 1, microcode: 1 };
    for older in [
        Tcb { bootloader: 0, ..least },
        Tcb { tee: 0, ..least },
        Tcb { snp: 0, ..least },
        Tcb { microcode: 0, ..least },
    ] {
        assert!(!older.reaches(&least) && least.reaches(&older));
    }
    assert!(least.reaches(&least));
}

#[test]
fn a_stricter_policy_cancels_what_does_not_meet_it() {
    let mut world = World::admitted();
    let events = world.litware().does(room(), policy(demands(), Vec::new()));
    assert_eq!(kinds(&events), ["CleanRoomPolicySet", "RunCancelled"]);
    assert_eq!(codes(&events), [Code::HostDataNotAllowed]);
    world.check_replay();
    let mut world = World::admitted();
    let other = Only { application: application(), queries: vec![QueryId::new(uuid(0xf, 9))] };
    let events = world.litware().does(room(), policy(Demands::default(), vec![other]));
    assert_eq!(codes(&events), [Code::ApplicationNotForQuery]);
    let mut world = World::admitted();
    let this = Only { application: application(), queries: vec![query_id()] };
    let events = world.litware().does(room(), policy(Demands::default(), vec![this]));
    assert_eq!(kinds(&events), ["CleanRoomPolicySet"], "its own query goes on");
    world.check_replay();
}

#[test]
fn votes_bind_the_demands() {
    let mut world = World::accepted();
    world.litware().does(room(), policy(demands(), Vec::new())).unwrap();
    assert_eq!(codes(&world.request(run_id())), [Code::CleanRoomPolicyChanged]);
    world.check_replay();
}

pub fn cases() -> Vec<Case> {
    vec![
        case("other host data", Code::HostDataNotAllowed, || {
            admitted_with(&Claims { host_data: Some(Digest::of(b"other")), ..claims() })
        }),
        case("another engine", Code::EngineNotAllowed, || {
            admitted_with(&Claims { engine: None, ..claims() })
        }),
        case("old firmware", Code::TcbTooOld, || {
            admitted_with(&Claims { tcb: Some(tcb(7)), ..claims() })
        }),
        case("a debugged platform", Code::DebugNotAllowed, || {
            admitted_with(&Claims { debug: Some(true), ..claims() })
        }),
        case("a platform that does not say whether it is debugged", Code::DebugNotAllowed, || {
            admitted_with(&Claims { debug: None, ..claims() })
        }),
        case("a debugged platform where nothing is demanded", Code::DebugNotAllowed, || {
            let debugged = Claims { debug: Some(true), ..Claims::default() };
            admit(&mut World::requested(), Platform::SevSnp, &debugged)
        }),
        case("a run of a query that no application may run", Code::ApplicationNotForQuery, || {
            let mut world = World::accepted();
            let none = Only { application: application(), queries: Vec::new() };
            world.litware().does(room(), policy(Demands::default(), vec![none])).unwrap();
            world.request(run_id())
        }),
        case("host data twice", Code::InvalidCleanRoomPolicy, || {
            let host_data = vec![host(), host()];
            set(policy(Demands { host_data, ..Demands::default() }, Vec::new()))
        }),
        case("more host data than fits", Code::LimitExceeded, || set(hosts(CLAIMS_MAX + 1))),
        case("a limit of an application that is not named", Code::InvalidCleanRoomPolicy, || {
            let only = Only { application: host(), queries: Vec::new() };
            set(policy(Demands::default(), vec![only]))
        }),
        case("a limit twice", Code::InvalidCleanRoomPolicy, || {
            let only = |queries| Only { application: application(), queries };
            set(policy(Demands::default(), vec![only(Vec::new()), only(vec![query_id()])]))
        }),
        case("a limit to more queries than fit", Code::LimitExceeded, || {
            set(limited(QUERIES_MAX + 1))
        }),
    ]
}

fn hosts(count: usize) -> SetCleanRoomPolicy {
    let host_data = (0..count).map(|n| Digest::of(&n.to_be_bytes())).collect();
    policy(Demands { host_data, ..Demands::default() }, Vec::new())
}

fn limited(count: usize) -> SetCleanRoomPolicy {
    let queries = (0..count as u64).map(|n| QueryId::new(uuid(0xf, n))).collect();
    policy(Demands::default(), vec![Only { application: application(), queries }])
}

#[test]
fn as_much_as_may_be_named_fits() {
    assert!(set(hosts(CLAIMS_MAX)).is_ok());
    assert!(set(limited(QUERIES_MAX)).is_ok());
}

#[test]
fn rejections() {
    check(&cases());
}
