//! Every vote, with when it was cast and by what right.

use std::collections::BTreeMap;

use chancery_governance::event::{Event, QueryApprovedByRule};
use chancery_governance::state::query::{Query as QueryState, Stage};
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Actor;
use chancery_ledger::id::QueryId;

use super::Seen;
use crate::report::{By, ByRule, Listed, Query, VOTES_MAX, Vote};

#[derive(Debug, Default)]
pub struct Votes {
    of: BTreeMap<QueryId, OfQuery>,
    kept: usize,
}

#[derive(Debug, Default)]
struct OfQuery {
    listed: Listed<Vote>,
    last: Option<u64>,
}

impl Votes {
    pub fn record(&mut self, seen: &Seen<'_>) {
        match (seen.subject, seen.event) {
            (Subject::Query(query), Event::QueryApproved(event)) => {
                self.vote(seen, query, true, event.digest, None);
            }
            (Subject::Query(query), Event::QueryApprovedByRule(event)) => {
                self.vote(seen, query, true, event.digest, Some(event));
            }
            (Subject::Query(query), Event::QueryRejected(event)) => {
                self.vote(seen, query, false, event.digest, None);
            }
            _ => {}
        }
    }

    fn vote(
        &mut self,
        seen: &Seen<'_>,
        query: QueryId,
        approves: bool,
        digest: Digest,
        by_rule: Option<&QueryApprovedByRule>,
    ) {
        // The replay took no vote from anybody but a member. A rule votes for the one who set it.
        let Actor::Member(actor) = seen.sealed.entry().actor else { return };
        let member = by_rule.map_or(actor, |event| event.member);
        let rule = by_rule.map(|event| ByRule {
            rule: event.rule,
            set_at: event.rule_position,
            runner: event.runner,
        });
        let position = seen.stamp.position;
        let time_ms = seen.stamp.time_ms;
        let votes = self.of.entry(query).or_default();
        votes.last = Some(position);
        if seen.listed && self.kept < VOTES_MAX {
            let by = seen.by();
            let vote = Vote { position, time_ms, member, approves, digest, by, rule, void: true };
            self.kept += usize::from(votes.listed.push(vote, VOTES_MAX));
        } else {
            votes.listed.leave_out();
        }
    }

    /// When and by what right the vote at `position` was cast, if it is listed.
    pub fn cast(&self, query: QueryId, position: u64) -> Option<(u64, By)> {
        let votes = &self.of.get(&query)?.listed;
        let vote = votes.iter().find(|vote| vote.position == position)?;
        Some((vote.time_ms, vote.by))
    }

    /// A query with its votes, which are taken from here.
    pub fn query(&mut self, id: QueryId, query: &QueryState) -> Query {
        let proposal = super::proposal(&query.stage);
        let OfQuery { mut listed, last } = self.of.remove(&id).unwrap_or_default();
        for vote in listed.as_mut_slice() {
            let counted = proposal.and_then(|proposal| proposal.votes.get(&vote.member));
            // A rejection ends its proposal, so it is the last vote on it.
            let ended = matches!(query.stage, Stage::Rejected { .. })
                && !vote.approves
                && Some(vote.position) == last;
            vote.void = !ended && counted.is_none_or(|counted| counted.position != vote.position);
        }
        Query {
            id,
            name: query.definition.name.clone(),
            author: query.author,
            state: query.stage.name(),
            digest: proposal.map(|proposal| proposal.digest),
            approvers: proposal
                .map(|proposal| proposal.approvers.iter().copied().collect())
                .unwrap_or_default(),
            groups: proposal.map(|proposal| proposal.groups.clone()).unwrap_or_default(),
            votes: listed,
        }
    }
}
