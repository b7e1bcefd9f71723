//! Random acts about what members agree on: changes, membership, abilities, rules.

use chancery_governance::change::Change;
use chancery_governance::command::{
    AcceptInvitation, ApproveChange, Command, CommitChange, GrantAbility, LeaveCollaboration,
    ProposeChange, RejectChange, RemoveAutoApprovalRule, RevokeAbility, SetAutoApprovalRule,
    WithdrawChange, WithdrawInvitation,
};
use chancery_governance::member::{Ability, ApprovalGroup, Terms};
use chancery_governance::rule::ApprovalRule;
use chancery_governance::subject::Subject;
use chancery_ledger::id::{ChangeId, RuleId};
use proptest::prelude::*;

use crate::support::fixtures::{invite, terms};
use crate::support::people::{Who, registration};
use crate::support::{World, key, uuid};

/// An act.
#[derive(Debug, Clone, Copy)]
pub enum Agree {
    Leave(u8),
    Grant(u8, u8),
    Revoke(u8, u8),
    Ask(u8, u8),
    Yes(u8, u8),
    No(u8, u8),
    TakeBack(u8),
    Commit(u8),
    SetRule(u8, u8),
    RemoveRule(u8),
    /// Fabrikam registers the key that takes the place of its lost ones.
    Replace,
    Invite,
    Uninvite,
    Accept,
}

/// How many kinds of changes there are.
pub const CHANGES: u8 = 8;

pub fn acts() -> impl Strategy<Value = Agree> {
    let id = || 0..2u8;
    let member = || 0..3u8;
    prop_oneof![
        1 => member().prop_map(Agree::Leave),
        1 => (member(), 0..4u8).prop_map(|(who, what)| Agree::Grant(who, what)),
        1 => (member(), 0..4u8).prop_map(|(who, what)| Agree::Revoke(who, what)),
        3 => (id(), 0..CHANGES).prop_map(|(id, what)| Agree::Ask(id, what)),
        14 => (id(), member()).prop_map(|(id, who)| Agree::Yes(id, who)),
        2 => (id(), member()).prop_map(|(id, who)| Agree::No(id, who)),
        1 => id().prop_map(Agree::TakeBack),
        2 => id().prop_map(Agree::Commit),
        3 => (0..6u8, 0..6u8).prop_map(|(id, what)| Agree::SetRule(id, what)),
        1 => (0..6u8).prop_map(Agree::RemoveRule),
        2 => Just(Agree::Replace),
        1 => Just(Agree::Invite),
        1 => Just(Agree::Uninvite),
        2 => Just(Agree::Accept),
    ]
}

/// Somebody who is likely to be let do it.
pub fn fit(act: Agree) -> Who {
    match act {
        Agree::Leave(n)
        | Agree::Yes(_, n)
        | Agree::No(_, n)
        | Agree::SetRule(n, _)
        | Agree::RemoveRule(n) => Who::MEMBERS[usize::from(n) % 3],
        Agree::Grant(..)
        | Agree::Revoke(..)
        | Agree::Ask(..)
        | Agree::TakeBack(_)
        | Agree::Commit(_)
        | Agree::Invite
        | Agree::Uninvite => Who::Litware,
        Agree::Replace => Who::Fabrikam,
        Agree::Accept => Who::Mallory,
    }
}

fn change_id(n: u8) -> ChangeId {
    ChangeId::new(uuid(0x8, u64::from(n) + 1))
}

pub fn rule_s(n: u8) -> Subject {
    Subject::Rule(RuleId::new(uuid(0x7, u64::from(n) + 1)))
}

fn grouped(needed: u64) -> Terms {
    let mut members = vec![Who::Litware.member(), Who::Contosso.member()];
    members.sort_unstable();
    let groups = vec![ApprovalGroup { name: "stewards".into(), members, needed }];
    Terms { groups, ..terms(&[], true) }
}

pub fn change(kind: u8) -> Change {
    match kind {
        0 => Change::SetTerms(grouped(1)),
        1 => Change::RemoveMember(Who::Contosso.member()),
        2 => Change::GrantOwner(Who::Contosso.member()),
        3 => Change::RevokeOwner(Who::Litware.member()),
        4 => Change::ReplaceKey { member: Who::Fabrikam.member(), key: key(70).public().id() },
        5 => Change::AdmitMember(Who::Mallory.invitation()),
        6 => Change::SetTerms(Terms {
            change_threshold: Some(2),
            admission_by_vote: true,
            ..grouped(2)
        }),
        _ => Change::RemoveMember(Who::Fabrikam.member()),
    }
}

/// Which lets all queries of the sequences through, for all, or for some.
pub fn rule(kind: u8) -> ApprovalRule {
    let mut rule = crate::rule::rule();
    match kind {
        3 => rule.runner = Some(Who::Fabrikam.member()),
        4 => rule.runner = Some(Who::Litware.member()),
        5 => rule.author = Some(Who::Litware.member()),
        _ => {}
    }
    rule
}

fn ability(n: u8) -> Ability {
    [Ability::Runner, Ability::Analyst, Ability::DataProvider, Ability::Owner][usize::from(n)]
}

pub fn command(world: &World, who: Who, act: Agree) -> (Subject, Command) {
    let member = |n: u8| Who::MEMBERS[usize::from(n) % 3].itself();
    let about = |n: u8| Subject::Change(change_id(n));
    let digest = |n: u8| world.change_digest_of(change_id(n));
    let invitation = Subject::Invitation(Who::Mallory.invitation());
    match act {
        Agree::Leave(_) => (who.itself(), LeaveCollaboration {}.into()),
        Agree::Grant(n, what) => (member(n), GrantAbility { ability: ability(what) }.into()),
        Agree::Revoke(n, what) => (member(n), RevokeAbility { ability: ability(what) }.into()),
        Agree::Ask(n, kind) => {
            (about(n), ProposeChange { change: change(kind), expires_ms: None }.into())
        }
        Agree::Yes(n, _) => (about(n), ApproveChange { digest: digest(n) }.into()),
        Agree::No(n, _) => {
            (about(n), RejectChange { digest: digest(n), comment: "No.".into() }.into())
        }
        Agree::TakeBack(n) => (about(n), WithdrawChange {}.into()),
        Agree::Commit(n) => (about(n), CommitChange { digest: digest(n) }.into()),
        Agree::SetRule(n, kind) => (rule_s(n), SetAutoApprovalRule { rule: rule(kind) }.into()),
        Agree::RemoveRule(n) => (rule_s(n), RemoveAutoApprovalRule {}.into()),
        Agree::Replace => (who.itself(), registration(world, who, &key(70)).into()),
        Agree::Invite => (invitation, invite(Who::Mallory, &[Ability::Auditor]).into()),
        Agree::Uninvite => (invitation, WithdrawInvitation {}.into()),
        Agree::Accept => (invitation, AcceptInvitation {}.into()),
    }
}

/// Whether the act comes with a token although its member has keys: those are lost.
pub fn is_witnessed(act: Agree) -> bool {
    matches!(act, Agree::Replace)
}
