//! Leaving and being removed: what a former member set or owned neither blocks nor goes on.

use chancery_governance::change::Change;
use chancery_governance::command::{
    ApproveQuery, LeaveCollaboration, ProposeChange, PublishDataset, SetAutoApprovalRule,
    WithdrawConsent,
};
use chancery_governance::consent::{ConsentKind, Scope};
use chancery_governance::dataset::Descriptor;
use chancery_governance::event::Event;
use chancery_governance::member::{Ability, Departure};
use chancery_governance::readiness::{Asked, readiness_at};
use chancery_governance::reason::Code;
use chancery_governance::state::query::Stage;
use chancery_governance::state::run::{Outcome, Stage as RunStage};
use chancery_governance::subject::Subject;
use chancery_ledger::id::ChangeId;

use crate::case::{Case, case, check};
use crate::rule::rule;
use crate::support::fixtures::{
    campaigns, campaigns_id, campaigns_s, change_s, definition, invite, orders_id, query_id,
    query_s, room, rule_id, rule_s, run_id, run_s,
};
use crate::support::people::{Who, registration};
use crate::support::{Tried, World, codes, kinds, uuid};

fn leave(world: &mut World, who: Who) -> Tried {
    world.by(who).does(who.itself(), LeaveCollaboration {})
}

fn withdraw(world: &mut World, who: Who, on: Subject) {
    let withdraw = WithdrawConsent { kind: ConsentKind::Execution };
    world.by(who).does(on, withdraw).unwrap();
}

#[test]
fn whoever_leaves_takes_what_rested_on_it() {
    let mut world = World::started();
    withdraw(&mut world, Who::Contosso, campaigns_s());
    // The mark cancelled the run; another one is on its way when the member leaves.
    let mut world = World::started();
    let events = leave(&mut world, Who::Contosso);
    assert_eq!(
        kinds(&events),
        ["CollaboratorRemoved", "DatasetRetired", "QuerySuperseded", "RunCancelled"]
    );
    assert_eq!(codes(&events), [Code::MemberRemoved, Code::MemberRemoved]);
    let room = world.room();
    assert!(!room.members.contains_key(&Who::Contosso.member()));
    let former = &room.former[&Who::Contosso.member()];
    assert_eq!(
        (former.departure, former.member.organisation.as_str()),
        (Departure::Left, "Contosso")
    );
    assert!(room.datasets[&campaigns_id()].retired && !room.datasets[&orders_id()].retired);
    assert!(matches!(room.runs[&run_id()].stage, RunStage::Ended(Outcome::Cancelled(_))));
    world.check_replay();
}

#[test]
fn marks_rules_invitations_and_changes_end_with_their_member() {
    let mut world = World::keyed();
    world.asks(Change::GrantOwner(Who::Contosso.member())).unwrap();
    world.carry().unwrap();
    withdraw(&mut world, Who::Contosso, room());
    withdraw(&mut world, Who::Contosso, campaigns_s());
    world.contosso().does(rule_s(), SetAutoApprovalRule { rule: rule() }).unwrap();
    let invitation = Subject::Invitation(Who::Mallory.invitation());
    world.contosso().does(invitation, invite(Who::Mallory, &[Ability::Auditor])).unwrap();
    let change = Subject::Change(ChangeId::new(uuid(0x8, 2)));
    let asked = Change::RevokeOwner(Who::Litware.member());
    world.contosso().does(change, ProposeChange { change: asked, expires_ms: None }).unwrap();
    let events = leave(&mut world, Who::Contosso);
    assert_eq!(
        kinds(&events),
        [
            "CollaboratorRemoved",
            "ConsentLapsed",
            "ConsentLapsed",
            "InvitationWithdrawn",
            "AutoApprovalRuleRemoved",
            "ChangeSuperseded",
            "DatasetRetired",
        ]
    );
    assert!(world.room().marks.is_empty());
    assert!(!world.room().rules.contains_key(&rule_id()));
    let on = Scope::Collaboration(world.id);
    assert_eq!(world.room().marks_on(on, ConsentKind::Execution).count(), 0);
    world.check_replay();
}

#[test]
fn an_author_takes_drafts_and_proposals_along() {
    let mut world = World::drafted();
    assert_eq!(
        kinds(&leave(&mut world, Who::Fabrikam)),
        ["CollaboratorRemoved", "QueryWithdrawn", "DatasetRetired"]
    );
    assert_eq!(world.room().queries[&query_id()].stage, Stage::Withdrawn);
    world.check_replay();
    let mut world = World::accepted();
    world.request(run_id()).unwrap();
    assert_eq!(
        kinds(&leave(&mut world, Who::Fabrikam)),
        ["CollaboratorRemoved", "DatasetRetired", "QuerySuperseded", "RunCancelled"]
    );
    let reasons = readiness_at(
        world.room(),
        query_id(),
        &Asked { runner: None, now_ms: world.now_ms, run: None },
    );
    let told: Vec<_> = reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(told, [Code::QueryNotAccepted, Code::MemberRemoved]);
    world.check_replay();
}

#[test]
fn the_members_remove_one_without_its_vote() {
    let mut world = World::asked(Change::RemoveMember(Who::Contosso.member()));
    assert_eq!(codes(&world.votes_for(Who::Contosso)), [Code::NotAnElector]);
    assert_eq!(kinds(&world.votes_for(Who::Litware)), ["ChangeApproved"]);
    let events = world.votes_for(Who::Fabrikam);
    assert_eq!(
        kinds(&events),
        ["ChangeApproved", "ChangeCommitted", "CollaboratorRemoved", "DatasetRetired"]
    );
    let Ok(events) = events else { unreachable!() };
    assert!(events.iter().any(|(subject, event)| {
        *subject == Who::Contosso.itself()
            && matches!(event, Event::CollaboratorRemoved(event) if event.departure == Departure::Removed)
    }));
    world.check_replay();
}

#[test]
fn a_former_member_comes_back_as_another_member_with_another_key() {
    let mut world = World::keyed();
    leave(&mut world, Who::Contosso).unwrap();
    // Its name is free again, and its dataset's too.
    let again = chancery_ledger::id::InvitationId::new(uuid(0xa, 90));
    let subject = Subject::Invitation(again);
    world.litware().does(subject, invite(Who::Contosso, &[Ability::DataProvider])).unwrap();
    let accept = chancery_governance::command::AcceptInvitation {};
    let attempt = {
        let command = accept.into();
        let mut attempt = world.prepare(Who::Contosso, subject, &command);
        attempt.authority = world.witnessed(Who::Contosso, &command);
        attempt
    };
    world.submit(&attempt).unwrap();
    let member = chancery_governance::subject::member_of(again);
    assert_eq!(world.room().members[&member].identity, Who::Contosso.identity());
    let publish = PublishDataset { descriptor: Descriptor { ..campaigns() } }.into();
    let dataset = Subject::Dataset(chancery_ledger::id::DatasetId::new(uuid(0xd, 9)));
    let mut attempt = world.prepare(Who::Contosso, dataset, &publish);
    attempt.authority = world.witnessed(Who::Contosso, &publish);
    assert_eq!(kinds(&world.submit(&attempt)), ["DatasetPublished"]);
    world.check_replay();
}

pub fn cases() -> Vec<Case> {
    vec![
        case("the last owner leaves", Code::LastOwner, || {
            leave(&mut World::stocked(), Who::Litware)
        }),
        case("another is made to leave", Code::NotYourself, || {
            World::stocked().litware().does(Who::Contosso.itself(), LeaveCollaboration {})
        }),
        case("a stranger leaves", Code::NotAMember, || leave(&mut World::stocked(), Who::Mallory)),
        case("the subject of leaving is no member", Code::WrongSubject, || {
            World::stocked().litware().does(room(), LeaveCollaboration {})
        }),
        case("a former member acts", Code::NotAMember, || {
            let mut world = World::proposed();
            leave(&mut world, Who::Contosso).unwrap();
            world.approve(Who::Contosso)
        }),
        case("a former member signs", Code::KeyUnknown, || {
            let mut world = World::keyed();
            leave(&mut world, Who::Contosso).unwrap();
            let digest = world.digest();
            let command = ApproveQuery { digest }.into();
            let mut attempt = world.prepare(Who::Contosso, query_s(), &command);
            attempt.authority = world.signed(Who::Contosso, query_s(), &command, attempt.command);
            world.submit(&attempt)
        }),
        case("a former member's key is registered by another", Code::KeyAlreadyRegistered, || {
            let mut world = World::keyed();
            leave(&mut world, Who::Contosso).unwrap();
            let stolen = registration(&world, Who::Litware, &Who::Contosso.key());
            world.litware().does(Who::Litware.itself(), stolen)
        }),
        case("what a former member owned is read", Code::DatasetRetired, || {
            let mut world = World::stocked();
            leave(&mut world, Who::Contosso).unwrap();
            let draft = chancery_governance::command::DraftQuery { definition: definition() };
            world.fabrikam().does(query_s(), draft)
        }),
        case("a run goes on after its runner left", Code::RunAlreadyEnded, || {
            let mut world = World::requested();
            leave(&mut world, Who::Fabrikam).unwrap();
            world.litware().does(run_s(), chancery_governance::command::CancelRun {})
        }),
        case("a vote on the removal of oneself", Code::NotAnElector, || {
            let mut world = World::asked(Change::RemoveMember(Who::Contosso.member()));
            world.votes_against(Who::Contosso)
        }),
        case("the removal of the last owner", Code::LastOwner, || {
            World::keyed().asks(Change::RemoveMember(Who::Litware.member()))
        }),
        case("the removal of a stranger", Code::MemberNotFound, || {
            World::keyed().asks(Change::RemoveMember(Who::Mallory.member()))
        }),
        case("the subject of a change request is another", Code::WrongSubject, || {
            let change = Change::GrantOwner(Who::Contosso.member());
            World::keyed().litware().does(room(), ProposeChange { change, expires_ms: None })
        }),
        case("a change about one who left is voted on", Code::ChangeNotOpen, || {
            let mut world = World::asked(Change::GrantOwner(Who::Contosso.member()));
            leave(&mut world, Who::Contosso).unwrap();
            let digest = world.change_digest();
            world
                .fabrikam()
                .does(change_s(), chancery_governance::command::ApproveChange { digest })
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}
