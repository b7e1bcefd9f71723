//! Changes with their votes, and approvals in advance with what they cast.

use std::collections::BTreeMap;

use chancery_governance::event::Event;
use chancery_governance::state::Collaboration;
use chancery_governance::subject::Subject;
use chancery_ledger::entry::Actor;
use chancery_ledger::id::{ChangeId, RuleId};

use super::Seen;
use crate::report::{CHANGES_MAX, Change, ChangeVote, Listed, Places, RULES_MAX, Rule};

#[derive(Debug, Default)]
pub struct Agreed {
    changes: BTreeMap<ChangeId, Change>,
    changes_left_out: u64,
    rules: BTreeMap<RuleId, Rule>,
    rules_left_out: u64,
}

impl Agreed {
    pub fn record(&mut self, seen: &Seen<'_>) {
        // The replay took none of these from anybody but a member.
        let Actor::Member(member) = seen.sealed.entry().actor else { return };
        match (seen.subject, seen.event) {
            (Subject::Change(id), event) => self.change(seen, id, member, event),
            (Subject::Rule(id), Event::AutoApprovalRuleSet(event)) => {
                if self.rules.len() >= RULES_MAX {
                    self.rules_left_out += 1;
                    return;
                }
                let rule = Rule {
                    id,
                    owner: member,
                    rule: event.rule.clone(),
                    set_at: seen.stamp.position,
                    by: seen.by(),
                    removed_at: None,
                    votes: Places::default(),
                };
                self.rules.insert(id, rule);
            }
            (Subject::Rule(id), Event::AutoApprovalRuleRemoved(_)) => {
                if let Some(rule) = self.rules.get_mut(&id) {
                    rule.removed_at = Some(seen.stamp.position);
                }
            }
            (_, Event::QueryApprovedByRule(event)) => {
                if let Some(rule) = self.rules.get_mut(&event.rule) {
                    rule.votes.add(seen.stamp.position);
                }
            }
            _ => {}
        }
    }

    fn change(
        &mut self,
        seen: &Seen<'_>,
        id: ChangeId,
        member: chancery_ledger::id::MemberId,
        event: &Event,
    ) {
        if let Event::ChangeProposed(event) = event {
            if self.changes.len() >= CHANGES_MAX {
                self.changes_left_out += 1;
                return;
            }
            let change = Change {
                id,
                proposer: member,
                what: event.change.clone(),
                proposed: seen.stamp,
                digest: event.digest,
                state: "open",
                votes: Vec::new(),
                committed: None,
                superseded: None,
            };
            self.changes.insert(id, change);
            return;
        }
        let Some(change) = self.changes.get_mut(&id) else { return };
        let approves = match event {
            Event::ChangeApproved(_) => true,
            Event::ChangeRejected(_) => false,
            Event::ChangeCommitted(_) => {
                change.committed = Some(seen.stamp);
                return;
            }
            Event::ChangeSuperseded(event) => {
                change.superseded = Some(event.reason.clone());
                return;
            }
            _ => return,
        };
        let by = seen.by();
        change.votes.push(ChangeVote { position: seen.stamp.position, member, approves, by });
    }

    /// The changes in the order of their ids, and the rules.
    pub fn told(self, state: &Collaboration) -> (Listed<Change>, Listed<Rule>) {
        let changes = self.changes.into_values().map(|change| {
            let stage = state.changes.get(&change.id).map(|request| request.stage.name());
            Change { state: stage.unwrap_or(change.state), ..change }
        });
        let mut changes = Listed::of(changes, CHANGES_MAX);
        changes.leave_out_more(self.changes_left_out);
        let mut rules = Listed::of(self.rules.into_values(), RULES_MAX);
        rules.leave_out_more(self.rules_left_out);
        (changes, rules)
    }
}
