//! Beginning a clean room, its workload and its policy.

use chancery_governance::command::{CreateCollaboration, EnableWorkload, SetCleanRoomPolicy};
use chancery_governance::event::Event;
use chancery_governance::member::Ability;
use chancery_governance::reason::Code;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;

use crate::case::{Case, case, check};
use crate::support::fixtures::{application, create, orders_s, room, terms};
use crate::support::people::Who;
use crate::support::{World, kinds, uuid};

fn workload(name: &str) -> EnableWorkload {
    EnableWorkload { workload: name.into() }
}

fn policy(applications: impl IntoIterator<Item = Digest>) -> SetCleanRoomPolicy {
    SetCleanRoomPolicy::of(applications.into_iter().collect())
}

#[test]
fn creating_makes_the_caller_owner_and_data_provider() {
    let mut world = World::empty();
    let events = world.litware().does(room(), create(terms(&[], true)));
    assert_eq!(kinds(&events), ["CollaborationCreated"]);
    let owner = &world.room().members[&Who::Litware.member()];
    assert!(owner.abilities.iter().copied().eq([Ability::Owner, Ability::DataProvider]));
    assert_eq!(owner.identity, Who::Litware.identity());
    assert_eq!(world.room().service_key, *world.service.public());
    world.check_replay();
}

#[test]
fn enabling_the_workload_and_setting_the_policy() {
    let mut world = World::begun();
    assert_eq!(kinds(&world.litware().does(room(), workload("spark-sql"))), ["WorkloadEnabled"]);
    let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
    let (low, high) = (one.min(two), one.max(two));
    let events = world.litware().does(room(), policy([high, low])).unwrap();
    let [(_, Event::CleanRoomPolicySet(set))] = &events[..] else { panic!("{events:?}") };
    assert_eq!(set.applications, [low, high], "sorted");
    world.check_replay();
}

fn created_as(change: fn(&mut CreateCollaboration)) -> crate::support::Tried {
    let mut world = World::empty();
    let mut command = create(terms(&[], true));
    change(&mut command);
    world.litware().does(room(), command)
}

pub fn cases() -> Vec<Case> {
    vec![
        case("the collaboration exists", Code::CollaborationExists, || {
            World::begun().by(Who::Mallory).does(room(), create(terms(&[], true)))
        }),
        case("its owner creates it again", Code::CollaborationExists, || {
            World::begun().litware().does(room(), create(terms(&[], true)))
        }),
        case("a create about something else", Code::WrongSubject, || {
            World::empty().litware().does(orders_s(), create(terms(&[], true)))
        }),
        case("a create about another collaboration than its log's", Code::WrongSubject, || {
            let other = Subject::Collaboration(CollaborationId::new(uuid(0xc, 2)));
            World::empty().litware().does(other, create(terms(&[], true)))
        }),
        case("a blank name", Code::InvalidName, || created_as(|create| create.name = " ".into())),
        case("a name of 201 characters", Code::InvalidName, || {
            created_as(|create| create.name = "é".repeat(201))
        }),
        case("a control character in the organisation", Code::InvalidName, || {
            created_as(|create| create.organisation = "Lit\u{7}ware".into())
        }),
        case(
            "terms that want hardware, a service without",
            Code::InsecureVirtualNotAllowed,
            || created_as(|create| create.terms.insecure_virtual = false),
        ),
        case("a service without evidence", Code::EvidenceInvalid, || {
            let mut world = World::empty();
            let command = create(terms(&[], true)).into();
            let mut attempt = world.prepare(Who::Litware, room(), &command);
            attempt.facts.service = None;
            world.submit(&attempt)
        }),
        case("a command before the log began", Code::CollaborationNotFound, || {
            World::empty().litware().does(room(), workload("spark-sql"))
        }),
        case("another workload", Code::UnknownWorkload, || {
            World::begun().litware().does(room(), workload("flink"))
        }),
        case("the workload is enabled", Code::WorkloadAlreadyEnabled, || {
            World::stocked().litware().does(room(), workload("spark-sql"))
        }),
        case("a workload by no owner", Code::AbilityMissing, || {
            World::joined().contosso().does(room(), workload("spark-sql"))
        }),
        case("a workload by a stranger", Code::NotAMember, || {
            World::joined().by(Who::Mallory).does(room(), workload("spark-sql"))
        }),
        case("a workload of another subject", Code::WrongSubject, || {
            World::begun().litware().does(Who::Litware.itself(), workload("spark-sql"))
        }),
        case("a policy of another collaboration", Code::WrongSubject, || {
            let other = Subject::Collaboration(CollaborationId::new(uuid(0xc, 2)));
            World::begun().litware().does(other, policy([application()]))
        }),
        case("an empty policy", Code::InvalidCleanRoomPolicy, || {
            World::begun().litware().does(room(), policy([]))
        }),
        case("a measurement named twice", Code::InvalidCleanRoomPolicy, || {
            World::begun().litware().does(room(), policy([application(), application()]))
        }),
        case("65 measurements", Code::LimitExceeded, || {
            World::begun().litware().does(room(), policy((0..65).map(|n: u8| Digest::of(&[n]))))
        }),
        case("a policy by no owner", Code::AbilityMissing, || {
            World::joined().fabrikam().does(room(), policy([application()]))
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}
