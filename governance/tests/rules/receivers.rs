//! Who receives results: computed from the inputs, whoever asks.

use chancery_governance::command::PublishDataset;
use chancery_governance::dataset::Descriptor;
use chancery_governance::member::Ability;
use chancery_governance::reason::Code;
use chancery_governance::receivers::{Received, receive};
use chancery_governance::subject::Subject;
use chancery_governance::usage::{RECEIVERS_MAX, Receiver};
use chancery_ledger::id::{MemberId, RunId};

use crate::case::{Case, case, check};
use crate::support::fixtures::{
    campaigns, campaigns_s, orders, orders_s, report, report_id, report_s, run_id,
};
use crate::support::people::Who;
use crate::support::{Tried, World, kinds, uuid};

fn with(mut descriptor: Descriptor, receivers: &[Receiver]) -> PublishDataset {
    descriptor.usage.receivers = receivers.to_vec();
    PublishDataset { descriptor }
}

fn drafted(receivers: &[Receiver]) -> World {
    let mut world = World::stocked();
    if !receivers.is_empty() {
        world.contosso().does(campaigns_s(), with(campaigns(), receivers)).unwrap();
    }
    world.draft()
}

fn proposed(receivers: &[Receiver]) -> Tried {
    let mut world = drafted(receivers);
    let query = Subject::Query(crate::support::fixtures::query_id());
    world.fabrikam().does(
        query,
        chancery_governance::command::ProposeQuery { votes_until_ms: None, runs_until_ms: None },
    )
}

fn organisation(name: &str) -> Receiver {
    Receiver::Organisation(name.into())
}

#[test]
fn the_outputs_owner_must_be_a_receiver_of_every_input() {
    for receiver in [
        Receiver::Member(Who::Fabrikam.member()),
        organisation("Fabrikam"),
        Receiver::Ability(Ability::ResultReceiver),
    ] {
        assert_eq!(kinds(&proposed(&[organisation("Litware"), receiver])), ["QueryProposed"]);
    }
}

fn succeeded(receivers: &[Receiver]) -> World {
    let mut world = drafted(receivers).propose().accept();
    world.request(run_id()).unwrap();
    let executor = world.executor.public().clone();
    let command = crate::support::fixtures::admit(&world, run_id(), &world.executor);
    assert_eq!(command.executor, executor);
    world.report(run_id(), command).unwrap();
    world.report(run_id(), crate::support::fixtures::submit()).unwrap();
    world.report(run_id(), chancery_governance::command::StartRun {}).unwrap();
    let succeed = crate::support::fixtures::succeed(&world, run_id(), &world.executor);
    world.report(run_id(), succeed).unwrap();
    world
}

fn received(world: &World, run: RunId, who: MemberId) -> Tried {
    receive(world.room(), run, who).map(|_| Vec::new())
}

#[test]
fn a_result_goes_to_the_owner_of_the_output() {
    let world = succeeded(&[organisation("Fabrikam")]);
    let Received { output, owner, version, result } =
        receive(world.room(), run_id(), Who::Fabrikam.member()).unwrap();
    assert_eq!((output, owner), (report_id(), Who::Fabrikam.member()));
    assert_eq!(version.descriptor.name, "report");
    assert_eq!(result.manifest.rows, 4);
}

pub fn cases() -> Vec<Case> {
    vec![
        case("an input that lets others receive only", Code::ReceiverNotAllowed, || {
            proposed(&[organisation("Litware"), Receiver::Ability(Ability::Auditor)])
        }),
        case("another member as receiver", Code::ReceiverNotAllowed, || {
            proposed(&[Receiver::Member(Who::Litware.member())])
        }),
        case("a result for who owns an input", Code::NotAReceiver, || {
            received(&succeeded(&[]), run_id(), Who::Contosso.member())
        }),
        case("a result for a stranger", Code::NotAReceiver, || {
            received(&succeeded(&[]), run_id(), Who::Mallory.member())
        }),
        case("a result that is not yet", Code::RunWrongStep, || {
            received(&World::started(), run_id(), Who::Fabrikam.member())
        }),
        case("a result of no run", Code::RunNotFound, || {
            received(&World::accepted(), run_id(), Who::Fabrikam.member())
        }),
        case("receivers of an output", Code::InvalidDescriptor, || {
            let publish = with(report(), &[organisation("Fabrikam")]);
            World::stocked().fabrikam().does(report_s(), publish)
        }),
        case("a receiver twice", Code::InvalidDescriptor, || {
            let publish = with(orders(), &[organisation("Fabrikam"), organisation("Fabrikam")]);
            World::stocked().litware().does(orders_s(), publish)
        }),
        case("a blank organisation", Code::InvalidName, || {
            World::stocked().litware().does(orders_s(), with(orders(), &[organisation(" ")]))
        }),
        case("more receivers than fit", Code::LimitExceeded, || {
            World::stocked().litware().does(orders_s(), with(orders(), &many(RECEIVERS_MAX + 1)))
        }),
    ]
}

fn many(count: usize) -> Vec<Receiver> {
    (0..count as u64).map(|n| Receiver::Member(MemberId::new(uuid(0xa, n)))).collect()
}

#[test]
fn as_many_receivers_as_may_be_fit() {
    let publish = with(orders(), &many(RECEIVERS_MAX));
    assert!(World::stocked().litware().does(orders_s(), publish).is_ok());
}

#[test]
fn rejections() {
    check(&cases());
}
