//! Abilities, granted and revoked one by one, and what ends with one.

use chancery_governance::change::Change;
use chancery_governance::command::{GrantAbility, RevokeAbility};
use chancery_governance::member::Ability;
use chancery_governance::reason::Code;
use chancery_governance::state::query::Stage;
use chancery_governance::subject::Subject;

use crate::case::{Case, case, check};
use crate::support::fixtures::{campaigns_id, orders_id, query_id, report_id, room, run_id};
use crate::support::people::Who;
use crate::support::{Tried, World, codes, kinds};

fn grant(world: &mut World, by: Who, to: Who, ability: Ability) -> Tried {
    world.by(by).does(to.itself(), GrantAbility { ability })
}

fn revoke(world: &mut World, by: Who, of: Who, ability: Ability) -> Tried {
    world.by(by).does(of.itself(), RevokeAbility { ability })
}

#[test]
fn an_owner_grants_and_revokes() {
    let mut world = World::stocked();
    let granted = grant(&mut world, Who::Litware, Who::Contosso, Ability::Auditor);
    assert_eq!(kinds(&granted), ["AbilityGranted"]);
    let has = |world: &World| {
        world.room().members[&Who::Contosso.member()].abilities.contains(&Ability::Auditor)
    };
    assert!(has(&world));
    let revoked = revoke(&mut world, Who::Litware, Who::Contosso, Ability::Auditor);
    assert_eq!(kinds(&revoked), ["AbilityRevoked"]);
    assert!(!has(&world));
    // And gives itself what it lacks.
    assert!(grant(&mut world, Who::Litware, Who::Litware, Ability::Analyst).is_ok());
    world.check_replay();
}

#[test]
fn a_provider_without_the_ability_has_its_inputs_retired_and_not_its_outputs() {
    let mut world = World::started();
    let events = revoke(&mut world, Who::Contosso, Who::Contosso, Ability::DataProvider);
    assert_eq!(
        kinds(&events),
        ["AbilityRevoked", "DatasetRetired", "QuerySuperseded", "RunCancelled"]
    );
    assert_eq!(codes(&events), [Code::AbilityMissing, Code::AbilityMissing]);
    assert!(world.room().datasets[&campaigns_id()].retired);
    assert!(!world.room().datasets[&orders_id()].retired);
    world.check_replay();
    let mut world = World::started();
    let events = revoke(&mut world, Who::Litware, Who::Fabrikam, Ability::ResultReceiver);
    assert_eq!(
        kinds(&events),
        ["AbilityRevoked", "DatasetRetired", "QuerySuperseded", "RunCancelled"]
    );
    assert!(world.room().datasets[&report_id()].retired);
    world.check_replay();
}

#[test]
fn an_analyst_without_the_ability_loses_its_proposals_and_a_runner_its_runs() {
    let mut world = World::accepted();
    let events = revoke(&mut world, Who::Litware, Who::Fabrikam, Ability::Analyst);
    assert_eq!(kinds(&events), ["AbilityRevoked", "QuerySuperseded"]);
    assert!(matches!(world.room().queries[&query_id()].stage, Stage::Superseded { .. }));
    let mut world = World::started();
    let events = revoke(&mut world, Who::Litware, Who::Fabrikam, Ability::Runner);
    assert_eq!(kinds(&events), ["AbilityRevoked", "RunCancelled"]);
    assert!(world.room().runs[&run_id()].stage.ended());
    assert!(matches!(world.room().queries[&query_id()].stage, Stage::Accepted(_)));
    world.check_replay();
}

#[test]
fn owners_are_made_and_unmade_by_vote_and_give_up_by_themselves() {
    let mut world = World::asked(Change::GrantOwner(Who::Contosso.member()));
    assert_eq!(kinds(&world.carry()), ["ChangeApproved", "ChangeCommitted", "AbilityGranted"]);
    assert_eq!(world.room().owners(), 2);
    let events = revoke(&mut world, Who::Litware, Who::Litware, Ability::Owner);
    assert_eq!(kinds(&events), ["AbilityRevoked"]);
    assert_eq!(world.room().owners(), 1);
    world.check_replay();
    let mut world = World::asked(Change::GrantOwner(Who::Contosso.member()));
    world.carry().unwrap();
    let other = chancery_ledger::id::ChangeId::new(crate::support::uuid(0x8, 2));
    let command = chancery_governance::command::ProposeChange {
        change: Change::RevokeOwner(Who::Contosso.member()),
        expires_ms: None,
    };
    world.litware().does(Subject::Change(other), command).unwrap();
    for who in [Who::Litware, Who::Fabrikam] {
        let digest = world.change_digest_of(other);
        let vote = chancery_governance::command::ApproveChange { digest };
        world.by(who).does(Subject::Change(other), vote).unwrap();
    }
    assert_eq!(world.room().owners(), 1);
    world.check_replay();
}

pub fn cases() -> Vec<Case> {
    vec![
        case("an owner is made without a vote", Code::ChangeVoteRequired, || {
            grant(&mut World::stocked(), Who::Litware, Who::Contosso, Ability::Owner)
        }),
        case("an owner is unmade without a vote", Code::ChangeVoteRequired, || {
            let mut world = World::asked(Change::GrantOwner(Who::Contosso.member()));
            world.carry().unwrap();
            revoke(&mut world, Who::Litware, Who::Contosso, Ability::Owner)
        }),
        case("an ability is granted twice", Code::AbilityAlreadyGranted, || {
            grant(&mut World::stocked(), Who::Litware, Who::Contosso, Ability::DataProvider)
        }),
        case("an ability is revoked that is not there", Code::AbilityNotGranted, || {
            revoke(&mut World::stocked(), Who::Litware, Who::Contosso, Ability::Runner)
        }),
        case("a member grants who is no owner", Code::AbilityMissing, || {
            grant(&mut World::stocked(), Who::Contosso, Who::Fabrikam, Ability::Auditor)
        }),
        case("a member revokes another's who is no owner", Code::AbilityMissing, || {
            revoke(&mut World::stocked(), Who::Contosso, Who::Fabrikam, Ability::Runner)
        }),
        case("a stranger revokes", Code::NotAMember, || {
            revoke(&mut World::stocked(), Who::Mallory, Who::Fabrikam, Ability::Runner)
        }),
        case("a stranger is granted something", Code::MemberNotFound, || {
            grant(&mut World::stocked(), Who::Litware, Who::Mallory, Ability::Runner)
        }),
        case("the last owner gives up", Code::LastOwner, || {
            revoke(&mut World::stocked(), Who::Litware, Who::Litware, Ability::Owner)
        }),
        case("the subject of a grant is no member", Code::WrongSubject, || {
            World::stocked().litware().does(room(), GrantAbility { ability: Ability::Runner })
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}
