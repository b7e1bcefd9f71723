//! Readiness, and refused requests: every reason at once.

use chancery_governance::binding;
use chancery_governance::command::{
    ApproveQuery, PublishDataset, RequestRun, SetCleanRoomPolicy, WithdrawConsent,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::dataset::Descriptor;
use chancery_governance::readiness::{Asked, readiness_at};
use chancery_governance::reason::Code;
use chancery_governance::state::query::Stage;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::QueryId;

use crate::case::{Case, case, check};
use crate::support::fixtures::{
    application, campaigns, campaigns_s, moved, orders, orders_s, query_id, query_s, report,
    report_s, room, run_id, run_s,
};
use crate::support::people::Who;
use crate::support::{World, uuid};

pub fn datasets() -> [(Who, Subject, Descriptor); 3] {
    [
        (Who::Litware, orders_s(), orders()),
        (Who::Contosso, campaigns_s(), campaigns()),
        (Who::Fabrikam, report_s(), report()),
    ]
}

/// An accepted query where no workload is enabled.
pub fn without_workload() -> World {
    let mut world = World::joined();
    let policy = SetCleanRoomPolicy::of(vec![application()]);
    world.litware().does(room(), policy).unwrap();
    for (who, subject, descriptor) in datasets() {
        world.by(who).does(subject, PublishDataset { descriptor }).unwrap();
    }
    world.draft().propose().accept()
}

fn ready(world: &World, runner: Option<Who>) -> Vec<Code> {
    let reasons = readiness_at(
        world.room(),
        query_id(),
        &Asked { runner: runner.map(Who::member), now_ms: world.now_ms, run: None },
    );
    reasons.into_iter().map(|reason| reason.code).collect()
}

#[test]
fn an_accepted_query_is_ready() {
    assert_eq!(ready(&World::accepted(), Some(Who::Fabrikam)), []);
}

#[test]
fn each_stage_says_what_is_missing() {
    assert_eq!(ready(&World::drafted(), None), [Code::QueryNotAccepted]);
    let mut world = World::proposed();
    world.approve(Who::Contosso).unwrap();
    assert_eq!(
        ready(&world, None),
        [Code::QueryNotAccepted, Code::ApprovalMissing, Code::ApprovalMissing]
    );
    let mut world = World::accepted();
    let publish = PublishDataset { descriptor: moved(orders(), 2) };
    world.litware().does(orders_s(), publish).unwrap();
    assert_eq!(ready(&world, None), [Code::QueryNotAccepted, Code::DatasetVersionChanged]);
}

#[test]
fn all_reasons_are_told_at_once_and_a_refused_request_records_them() {
    let mut world = without_workload();
    world.set_policy(&[Digest::of(b"application 2")]);
    let withdraw = || WithdrawConsent { kind: ConsentKind::Execution };
    world.litware().does(orders_s(), withdraw()).unwrap();
    world.contosso().does(room(), withdraw()).unwrap();
    world.contosso().does(query_s(), withdraw()).unwrap();
    let mut expected = vec![
        Code::WorkloadNotEnabled,
        Code::AbilityMissing,
        Code::ConsentWithdrawn,
        Code::ConsentWithdrawn,
        Code::ConsentWithdrawn,
        Code::CleanRoomPolicyChanged,
    ];
    assert_eq!(ready(&world, Some(Who::Litware)), expected);
    expected.remove(1);
    expected.push(Code::QueryDigestMismatch);
    let request = RequestRun { query: query_id(), digest: Digest::of(b"another") };
    let tried = world.fabrikam().does(run_s(), request);
    assert_eq!(crate::support::codes(&tried), expected);
    assert_eq!(crate::support::kinds(&tried), ["RunRefused"]);
    world.check_replay();
}

#[test]
fn a_proposal_that_this_release_binds_to_another_text_never_runs() {
    let mut world = World::accepted();
    assert_eq!(ready(&world, None), []);
    // What another release would have made of it.
    let query = world.state_mut().queries.get_mut(&query_id()).unwrap();
    let Stage::Accepted(proposal) = &mut query.stage else { panic!("{:?}", query.stage) };
    proposal.binding.rewritten[0].sql.push_str(" LIMIT 10");
    proposal.digest = binding::digest(&proposal.binding);
    for _ in 0..2 {
        assert_eq!(ready(&world, None), [Code::QueryDigestMismatch]);
    }
}

#[test]
fn a_query_that_is_not_there_has_its_reason() {
    let world = World::stocked();
    let reasons = readiness_at(
        world.room(),
        QueryId::new(uuid(0xf, 9)),
        &Asked { runner: None, now_ms: world.now_ms, run: None },
    );
    assert_eq!(reasons.iter().map(|reason| reason.code).collect::<Vec<_>>(), [Code::QueryNotFound]);
}

#[test]
fn a_mark_on_a_dataset_that_stands_under_two_names_is_told_once() {
    use crate::support::fixtures::{campaigns_id, definition, orders_id, segment};
    use chancery_governance::command::DraftQuery;
    use chancery_governance::query::Input;
    let mut world = World::stocked();
    let mut twice = definition();
    twice.parameters.clear();
    twice.segments = vec![segment(
        1,
        "result",
        "SELECT c.region AS region, COUNT(*) AS total, SUM(c.spend) AS spend FROM campaigns c \
         JOIN again a ON a.region = c.region GROUP BY c.region",
    )];
    twice.inputs = vec![
        Input { alias: "campaigns".into(), dataset: campaigns_id() },
        Input { alias: "orders".into(), dataset: orders_id() },
        Input { alias: "again".into(), dataset: campaigns_id() },
    ];
    world.fabrikam().does(query_s(), DraftQuery { definition: twice }).unwrap();
    let mut world = world.propose().accept();
    let withdraw = WithdrawConsent { kind: ConsentKind::Execution };
    world.contosso().does(campaigns_s(), withdraw).unwrap();
    assert_eq!(ready(&world, None), [Code::ConsentWithdrawn]);
}

pub fn cases() -> Vec<Case> {
    vec![
        case("a request with a vote missing", Code::QueryNotAccepted, || {
            let mut world = World::proposed();
            let digest = world.digest();
            world.litware().does(query_s(), ApproveQuery { digest }).unwrap();
            world.request(run_id())
        }),
        case("a request with a new version", Code::QueryNotAccepted, || {
            let mut world = World::accepted();
            let digest = world.digest();
            let publish = PublishDataset { descriptor: moved(orders(), 2) };
            world.litware().does(orders_s(), publish).unwrap();
            world.fabrikam().does(run_s(), RequestRun { query: query_id(), digest })
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}
