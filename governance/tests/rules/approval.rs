//! Groups beside the owners, and the ends of proposals and acceptances.

use chancery_governance::change::Change;
use chancery_governance::command::{ApproveQuery, ProposeQuery, RejectQuery};
use chancery_governance::decide::change::VOTE_LIFETIME_MS_MAX;
use chancery_governance::decide::terms::ACCEPTANCE_LIFETIME_MS_MAX;
use chancery_governance::event::Event;
use chancery_governance::member::{ApprovalGroup, Terms};
use chancery_governance::readiness::{Asked, readiness_at};
use chancery_governance::reason::Code;
use chancery_governance::state::query::Stage;
use chancery_ledger::id::RunId;

use crate::case::{Case, case, check};
use crate::support::fixtures::{admit, propose, query_id, query_s, run_id, terms, without_litware};
use crate::support::people::Who;
use crate::support::{Tried, World, codes, kinds, uuid};

fn stewards(needed: u64) -> Vec<ApprovalGroup> {
    let mut members = vec![Who::Litware.member(), Who::Contosso.member()];
    members.sort_unstable();
    vec![ApprovalGroup { name: "stewards".into(), members, needed }]
}

/// A room whose terms ask for a group, with a draft that Litware owns nothing of.
fn grouped(needed: u64) -> World {
    let terms = Terms { groups: stewards(needed), ..terms(&[], true) };
    let mut world = World::asked(Change::SetTerms(terms));
    world.carry().unwrap();
    let draft = chancery_governance::command::DraftQuery { definition: without_litware() };
    world.fabrikam().does(query_s(), draft).unwrap();
    world.propose()
}

fn until(votes_ms: Option<u64>, runs_ms: Option<u64>) -> (World, Tried) {
    let mut world = World::drafted();
    let now_ms = world.now_ms;
    let command = ProposeQuery {
        votes_until_ms: votes_ms.map(|ms| now_ms + ms),
        runs_until_ms: runs_ms.map(|ms| now_ms + ms),
    };
    let tried = world.fabrikam().does(query_s(), command);
    (world, tried)
}

#[test]
fn a_group_votes_beside_the_owners() {
    let mut world = grouped(2);
    let Stage::Proposed(proposal) = &world.room().queries[&query_id()].stage else { panic!() };
    assert_eq!(proposal.groups, stewards(2));
    assert!(!proposal.approvers.contains(&Who::Litware.member()));
    // The owners alone are not enough: Contosso is one, and half of the group.
    assert_eq!(kinds(&world.approve(Who::Contosso)), ["QueryApproved"]);
    assert_eq!(kinds(&world.approve(Who::Fabrikam)), ["QueryApproved"]);
    let reasons = readiness_at(
        world.room(),
        query_id(),
        &Asked { runner: None, now_ms: world.now_ms, run: None },
    );
    assert!(reasons.iter().any(|reason| {
        reason.code == Code::ApprovalMissing && reason.detail.contains("stewards lacks 1 of 2")
    }));
    assert_eq!(kinds(&world.approve(Who::Litware)), ["QueryApproved", "QueryAccepted"]);
    assert!(
        readiness_at(
            world.room(),
            query_id(),
            &Asked { runner: None, now_ms: world.now_ms, run: None }
        )
        .is_empty()
    );
    world.check_replay();
    // One of two is enough where the terms say so.
    let mut world = grouped(1);
    world.approve(Who::Contosso).unwrap();
    assert_eq!(kinds(&world.approve(Who::Fabrikam)), ["QueryApproved", "QueryAccepted"]);
}

#[test]
fn one_no_of_a_group_s_member_ends_the_proposal() {
    let mut world = grouped(1);
    let digest = world.digest();
    let no = RejectQuery { digest, comment: "No.".into() };
    assert_eq!(kinds(&world.litware().does(query_s(), no)), ["QueryRejected"]);
    world.check_replay();
}

#[test]
fn a_group_shrinks_with_its_members_and_proposals_are_counted_anew() {
    let mut world = grouped(2);
    let leave = chancery_governance::command::LeaveCollaboration {};
    // Contosso owns the input, too: the query ends with it, and a new one asks who is left.
    world.contosso().does(Who::Contosso.itself(), leave).unwrap();
    let asked = chancery_governance::decide::terms::groups(world.room(), &world.room().terms);
    let left =
        ApprovalGroup { members: vec![Who::Litware.member()], needed: 1, ..stewards(1).remove(0) };
    assert_eq!(asked, [left]);
    world.check_replay();
}

#[test]
fn an_acceptance_ends_at_its_time() {
    let (mut world, proposed) = until(Some(VOTE_LIFETIME_MS_MAX), Some(60_000));
    assert_eq!(kinds(&proposed), ["QueryProposed"]);
    world = world.accept();
    let Stage::Accepted(proposal) = &world.room().queries[&query_id()].stage else { panic!() };
    let end = proposal.binding.runs_until_ms.unwrap();
    assert!(
        readiness_at(world.room(), query_id(), &Asked { runner: None, now_ms: end, run: None })
            .is_empty()
    );
    let after =
        readiness_at(world.room(), query_id(), &Asked { runner: None, now_ms: end + 1, run: None });
    assert_eq!(
        after.iter().map(|reason| reason.code).collect::<Vec<_>>(),
        [Code::AcceptanceExpired]
    );
    world.request(run_id()).unwrap();
    world.now_ms = end + 1;
    // A run that was asked for in time is refused when it is admitted too late.
    let admit = admit(&world, run_id(), &world.executor);
    let late = world.report(run_id(), admit);
    assert_eq!((kinds(&late), codes(&late)), (vec!["RunRefused"], vec![Code::AcceptanceExpired]));
    world.check_replay();
}

#[test]
fn the_ends_are_part_of_what_is_voted_on() {
    let (open, _) = until(None, None);
    let (ends, _) = until(None, Some(60_000));
    assert_ne!(open.digest(), ends.digest());
}

#[test]
fn the_terms_give_every_acceptance_an_end() {
    let begun = Terms { acceptance_lifetime_ms: Some(5_000), ..terms(&[], true) };
    let mut world = World::begun_on(begun).join().stock().draft();
    let now_ms = world.now_ms;
    let events = world.fabrikam().does(query_s(), propose()).unwrap();
    let [(_, Event::QueryProposed(event))] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.binding.runs_until_ms, Some(now_ms + 5_000));
    world.check_replay();
}

pub fn cases() -> Vec<Case> {
    vec![
        case("a vote after the proposal's end", Code::ProposalExpired, || {
            let (mut world, _) = until(Some(1), None);
            world.approve(Who::Litware)
        }),
        case("a no after the proposal's end", Code::ProposalExpired, || {
            let (mut world, _) = until(Some(1), None);
            let digest = world.digest();
            world.litware().does(query_s(), RejectQuery { digest, comment: "No.".into() })
        }),
        case("a proposal that ended before", Code::InvalidExpiry, || until(Some(0), None).1),
        case("a proposal that ends too late", Code::InvalidExpiry, || {
            until(Some(VOTE_LIFETIME_MS_MAX + 1), None).1
        }),
        case("an acceptance that ended before", Code::InvalidExpiry, || until(None, Some(0)).1),
        case("an acceptance that ends too late", Code::InvalidExpiry, || {
            until(None, Some(ACCEPTANCE_LIFETIME_MS_MAX + 1)).1
        }),
        case("an acceptance that ends later than the terms let it", Code::InvalidExpiry, || {
            let begun = Terms { acceptance_lifetime_ms: Some(5_000), ..terms(&[], true) };
            let mut world = World::begun_on(begun).join().stock().draft();
            let late = Some(world.now_ms + 5_001);
            let command = ProposeQuery { votes_until_ms: None, runs_until_ms: late };
            world.fabrikam().does(query_s(), command)
        }),
        case("a run after the acceptance's end", Code::AcceptanceExpired, || {
            let (world, _) = until(None, Some(10_000));
            let mut world = world.accept();
            world.now_ms += 10_000;
            world.request(RunId::new(uuid(0x9, 1)))
        }),
        case("a vote of who is neither owner nor in a group", Code::NotAnApprover, || {
            let mut world = World::stocked();
            let draft = chancery_governance::command::DraftQuery { definition: without_litware() };
            world.fabrikam().does(query_s(), draft).unwrap();
            let mut world = world.propose();
            let digest = world.digest();
            world.litware().does(query_s(), ApproveQuery { digest })
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}
