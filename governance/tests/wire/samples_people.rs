//! Samples of what members agree on: changes, removals, groups, auto-approval rules.

use chancery_governance::change::Change;
use chancery_governance::command::{self, Command};
use chancery_governance::consent::ConsentKind;
use chancery_governance::event::{self, Event};
use chancery_governance::member::{Ability, ApprovalGroup, Departure, Terms};
use chancery_governance::query::Binding;
use chancery_governance::reason::{Code, Reason};
use chancery_governance::rule::{AllowedInput, ApprovalRule, Shape};
use chancery_governance::subject::Subject;

use super::{binding, digest, terms};
use crate::support::EPOCH_MS;
use crate::support::fixtures::{
    campaigns_id, change_s, orders_id, orders_s, query_s, report_id, rule_id, rule_s,
};
use crate::support::people::Who;

/// One day after the logs begin.
const UNTIL_MS: u64 = EPOCH_MS + 24 * 60 * 60 * 1000;

fn group() -> ApprovalGroup {
    ApprovalGroup {
        name: "stewards".into(),
        members: vec![Who::Contosso.member(), Who::Fabrikam.member()],
        needed: 1,
    }
}

fn all_terms() -> Terms {
    Terms {
        change_threshold: Some(2),
        admission_by_vote: true,
        groups: vec![group()],
        acceptance_lifetime_ms: Some(86_400_000),
        ..terms()
    }
}

fn changes() -> Vec<Change> {
    let member = Who::Contosso.member();
    vec![
        Change::SetTerms(all_terms()),
        Change::RemoveMember(member),
        Change::GrantOwner(member),
        Change::RevokeOwner(member),
        Change::ReplaceKey { member, key: digest("a key") },
        Change::AdmitMember(Who::Fabrikam.invitation()),
    ]
}

fn reads() -> ApprovalRule {
    ApprovalRule {
        name: "Spend by region".into(),
        author: Some(Who::Fabrikam.member()),
        runner: Some(Who::Fabrikam.member()),
        output: Some(report_id()),
        shape: Shape::Reads(vec![
            AllowedInput {
                dataset: orders_id(),
                columns: vec!["region".into()],
                aggregates: vec!["amount".into()],
            },
            AllowedInput {
                dataset: campaigns_id(),
                columns: vec!["spend".into()],
                aggregates: Vec::new(),
            },
        ]),
        expires_ms: Some(UNTIL_MS),
    }
}

fn text() -> ApprovalRule {
    ApprovalRule {
        name: "One text".into(),
        author: None,
        runner: None,
        output: None,
        shape: Shape::Text(digest("text")),
        expires_ms: None,
    }
}

fn ending() -> Binding {
    Binding { votes_until_ms: Some(UNTIL_MS), runs_until_ms: Some(UNTIL_MS + 1), ..binding() }
}

/// Every event with its subject.
pub fn events() -> Vec<(Subject, Event)> {
    let member = Who::Contosso.itself();
    let superseded = Reason::about(Code::TermsChanged, change_s(), "the terms were changed");
    let vote = |runner| event::QueryApprovedByRule {
        digest: digest("binding"),
        member: Who::Contosso.member(),
        rule: rule_id(),
        rule_position: 42,
        runner,
    };
    let proposed = |(change, expires_ms): (Change, Option<u64>)| {
        let event = event::ChangeProposed {
            change,
            expires_ms,
            terms: digest("terms"),
            digest: digest("change"),
        };
        (change_s(), event.into())
    };
    let mut events: Vec<(Subject, Event)> = vec![
        (member, event::AbilityGranted { ability: Ability::Runner }.into()),
        (member, event::AbilityRevoked { ability: Ability::Runner }.into()),
        (member, event::CollaboratorRemoved { departure: Departure::Left }.into()),
        (member, event::CollaboratorRemoved { departure: Departure::Removed }.into()),
        (
            orders_s(),
            event::ConsentLapsed { kind: ConsentKind::Execution, member: Who::Contosso.member() }
                .into(),
        ),
    ];
    let ends = changes().into_iter().zip([None, Some(UNTIL_MS)].into_iter().cycle());
    events.extend(ends.map(proposed));
    events.extend([
        (change_s(), event::ChangeApproved { digest: digest("change") }.into()),
        (
            change_s(),
            event::ChangeRejected { digest: digest("change"), comment: "No.".into(), ends: true }
                .into(),
        ),
        (change_s(), event::ChangeWithdrawn {}.into()),
        (change_s(), event::ChangeSuperseded { reason: superseded }.into()),
        (
            change_s(),
            event::ChangeCommitted { digest: digest("change"), votes: vec![40, 41] }.into(),
        ),
        (rule_s(), event::AutoApprovalRuleSet { rule: reads(), member_signed: true }.into()),
        (rule_s(), event::AutoApprovalRuleSet { rule: text(), member_signed: false }.into()),
        (rule_s(), event::AutoApprovalRuleRemoved {}.into()),
        (
            query_s(),
            event::QueryProposed {
                binding: ending(),
                digest: digest("binding"),
                approvers: vec![Who::Contosso.member()],
                groups: vec![group()],
            }
            .into(),
        ),
        (query_s(), vote(None).into()),
        (query_s(), vote(Some(Who::Fabrikam.member())).into()),
    ]);
    events
}

/// Every action with its subject, and variants of those before.
pub fn commands() -> Vec<(Subject, Command)> {
    let member = Who::Contosso.itself();
    let proposed =
        |change| (change_s(), command::ProposeChange { change, expires_ms: Some(UNTIL_MS) }.into());
    let mut commands: Vec<(Subject, Command)> = vec![
        (member, command::LeaveCollaboration {}.into()),
        (member, command::GrantAbility { ability: Ability::Auditor }.into()),
        (member, command::RevokeAbility { ability: Ability::Auditor }.into()),
    ];
    commands.extend(changes().into_iter().map(proposed));
    commands.extend([
        (change_s(), command::ApproveChange { digest: digest("change") }.into()),
        (
            change_s(),
            command::RejectChange { digest: digest("change"), comment: "No.".into() }.into(),
        ),
        (change_s(), command::WithdrawChange {}.into()),
        (change_s(), command::CommitChange { digest: digest("change") }.into()),
        (rule_s(), command::SetAutoApprovalRule { rule: reads() }.into()),
        (rule_s(), command::SetAutoApprovalRule { rule: text() }.into()),
        (rule_s(), command::RemoveAutoApprovalRule {}.into()),
        (
            query_s(),
            command::ProposeQuery {
                votes_until_ms: Some(UNTIL_MS),
                runs_until_ms: Some(UNTIL_MS + 1),
            }
            .into(),
        ),
    ]);
    commands
}
