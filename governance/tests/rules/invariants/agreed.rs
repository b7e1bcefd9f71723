//! Invariants 3, 7 and 8 of what members agree on beside queries.

use std::collections::{BTreeMap, BTreeSet};

use chancery_governance::change::Change;
use chancery_governance::event::Event;
use chancery_governance::member::{Ability, Departure};
use chancery_governance::subject::Subject;
use chancery_ledger::entry::{Actor, Authority};
use chancery_ledger::id::{ChangeId, MemberId};
use proptest::prelude::*;

use super::facts::Facts;
use super::play::{ops, play};
use super::{config, member};

proptest! {
    #![proptest_config(config())]

    #[test]
    fn invariant_3_a_vote_on_a_change_is_signed_and_final((start, ops) in ops()) {
        let played = play(start, &ops);
        let mut facts = Facts::default();
        let mut voted: BTreeSet<(Subject, MemberId)> = BTreeSet::new();
        for ((at, event), sealed) in played.events.iter().zip(&played.world.log) {
            if let Event::ChangeApproved(_) | Event::ChangeRejected(_) = event {
                let Subject::Change(id) = at.subject else { unreachable!() };
                let voter = member(at.actor).unwrap();
                prop_assert!(facts.open.contains(&id), "a vote on what is settled");
                prop_assert!(voted.insert((at.subject, voter)), "voted twice");
                prop_assert!(matches!(sealed.entry().authority, Authority::MemberSigned(_)));
                let (_, change) = &facts.changes[&id];
                let (electorate, _) = facts.electorate(change);
                // Who would lose its key says no by it; else nobody votes on what it would lose.
                let keeps = matches!((change, event),
                    (Change::ReplaceKey { member, .. }, Event::ChangeRejected(_))
                        if *member == voter);
                prop_assert!(keeps || electorate.contains(&voter));
            }
            facts.see(at, event);
        }
    }

    #[test]
    fn invariant_7_a_former_member_neither_blocks_nor_goes_on((start, ops) in ops()) {
        let played = play(start, &ops);
        let mut facts = Facts::default();
        let mut former: BTreeSet<MemberId> = BTreeSet::new();
        for batch in played.batches() {
            for (at, event) in batch {
                if let Actor::Member(actor) = at.actor {
                    let leaves = batch.iter().any(|(at, event)| {
                        at.subject == Subject::Member(actor)
                            && matches!(event, Event::CollaboratorRemoved(_))
                    });
                    prop_assert!(leaves || !former.contains(&actor), "{actor} acts still");
                }
                if let (Event::CollaboratorRemoved(_), Subject::Member(id)) = (event, at.subject) {
                    prop_assert!(former.insert(id), "removed twice");
                }
                facts.see(at, event);
            }
            for gone in &former {
                let behind = facts.left_behind(*gone);
                prop_assert!(behind.is_empty(), "of {gone}: {behind:?}");
            }
            let owners = facts.abilities.values().filter(|has| has.contains(&Ability::Owner));
            prop_assert!(owners.count() > 0, "no owner is left");
        }
        let room = played.world.room();
        prop_assert!(former.iter().all(|id| !room.members.contains_key(id)));
        prop_assert!(room.marks.values().flatten().all(|by| !former.contains(by)));
        // No open proposal waits for one who can't come.
        for query in room.queries.values() {
            if let chancery_governance::state::query::Stage::Proposed(proposal) = &query.stage {
                prop_assert!(proposal.pending().all(|id| room.members.contains_key(&id)));
            }
        }
        for request in room.changes.values() {
            let tally = room.tally(request);
            prop_assert!(tally.electorate.iter().all(|id| room.members.contains_key(id)));
        }
    }

    #[test]
    fn invariant_8_terms_members_and_keys_change_by_the_members_votes_only(
        (start, ops) in ops()
    ) {
        let played = play(start, &ops);
        let mut facts = Facts::default();
        let mut yes: BTreeMap<ChangeId, BTreeMap<u64, MemberId>> = BTreeMap::new();
        for batch in played.batches() {
            let mut made = None;
            for (at, event) in batch {
                match (event, at.subject) {
                    (Event::ChangeApproved(_), Subject::Change(id)) => {
                        yes.entry(id).or_default().insert(at.position, member(at.actor).unwrap());
                    }
                    (Event::ChangeCommitted(event), Subject::Change(id)) => {
                        let (_, change) = facts.changes[&id].clone();
                        let (electorate, needed) = facts.electorate(&change);
                        let voters: BTreeSet<_> =
                            event.votes.iter().map(|vote| yes[&id][vote]).collect();
                        prop_assert_eq!(voters.len(), event.votes.len());
                        prop_assert!(voters.is_subset(&electorate), "a vote of no elector");
                        prop_assert!(voters.len() >= needed && needed > 0, "too few votes");
                        made = Some(change);
                    }
                    (Event::CollaboratorRemoved(event), Subject::Member(id)) => {
                        let left = event.departure == Departure::Left;
                        prop_assert_eq!(left, at.actor == Actor::Member(id));
                        prop_assert_eq!(left, played.is_own_act(at.position));
                        prop_assert!(left || made == Some(Change::RemoveMember(id)));
                    }
                    (Event::AbilityGranted(event), Subject::Member(id)) => {
                        let owner = event.ability == Ability::Owner;
                        prop_assert_eq!(owner, made == Some(Change::GrantOwner(id)));
                    }
                    (Event::AbilityRevoked(event), Subject::Member(id)) => {
                        let own = at.actor == Actor::Member(id);
                        let voted = made == Some(Change::RevokeOwner(id));
                        prop_assert!(event.ability != Ability::Owner || own || voted);
                    }
                    (Event::CollaboratorActivated(_), Subject::Member(id)) => {
                        let invitation = chancery_ledger::id::InvitationId::new(id.uuid());
                        let room = played.world.room();
                        let admitted = room.invitations[&invitation].admitted;
                        prop_assert!(admitted || !facts.terms.admission_by_vote);
                    }
                    _ => {}
                }
                facts.see(at, event);
            }
        }
        prop_assert_eq!(&played.world.room().terms, &facts.terms);
        prop_assert_eq!(
            played.world.room().members.keys().copied().collect::<BTreeSet<_>>(),
            facts.members
        );
    }
}
