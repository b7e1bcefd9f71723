//! What stood at the moment that was asked for.

use chancery_governance::state::{Collaboration, State};
use chancery_ledger::key::PublicKey;

use super::votes::Votes;
use crate::report::{
    At, DATASETS_MAX, DatasetAt, Listed, MEMBERS_MAX, MemberAt, Published, QUERIES_MAX, QueryAt,
    RUNS_MAX, RunAt, Stamp, StateAt, VERSIONS_MAX, VoteAt,
};
use crate::view::Moment;

#[derive(Debug, Default)]
pub struct Asked {
    moment: Option<Moment>,
    at: Option<At>,
}

impl Asked {
    pub const fn new(moment: Option<Moment>) -> Self {
        Self { moment, at: None }
    }

    /// Takes the state before an entry, if it is the first that comes after the moment.
    pub fn before(&mut self, position: u64, time_ms: u64, state: &State) {
        let Some(moment) = self.moment else { return };
        if self.at.is_none() && moment.is_before(position, time_ms) {
            self.at = Some(match state {
                State::Absent => At::BeforeFirst,
                State::Present(state) => At::State(Box::new(standing(moment, state, false))),
            });
        }
    }

    /// What came of it, where the log ends with `state`.
    pub fn told(self, state: &Collaboration, votes: &Votes) -> Option<At> {
        let moment = self.moment?;
        let mut at = self.at.unwrap_or_else(|| match moment {
            Moment::Position(position) if position >= state.size => At::BeyondEnd,
            Moment::Position(_) | Moment::Time(_) => {
                At::State(Box::new(standing(moment, state, true)))
            }
        });
        if let At::State(standing) = &mut at {
            for query in standing.queries.as_mut_slice() {
                for vote in &mut query.votes {
                    vote.cast = votes.cast(query.id, vote.position);
                }
            }
        }
        Some(at)
    }
}

fn standing(asked: Moment, state: &Collaboration, is_last: bool) -> StateAt {
    let members = state.members.iter().map(|(id, member)| MemberAt {
        id: *id,
        organisation: member.organisation.clone(),
        abilities: member.abilities.iter().copied().collect(),
        keys: Listed::of(member.active_keys().map(PublicKey::id), VERSIONS_MAX),
    });
    let datasets = state.datasets.iter().filter(|(_, dataset)| !dataset.retired);
    let datasets = datasets.filter_map(|(id, dataset)| {
        let version = dataset.versions.last()?;
        Some(DatasetAt {
            id: *id,
            name: version.descriptor.name.clone(),
            owner: dataset.owner,
            version: Published { position: version.position, digest: version.digest },
        })
    });
    let queries = state.queries.iter().map(|(id, query)| {
        let proposal = query.live_proposal();
        let votes = proposal.into_iter().flat_map(|proposal| &proposal.votes);
        let mut votes: Vec<_> = votes
            .map(|(member, vote)| VoteAt { position: vote.position, member: *member, cast: None })
            .collect();
        votes.sort_by_key(|vote| vote.position);
        QueryAt {
            id: *id,
            name: query.definition.name.clone(),
            state: query.stage.name(),
            digest: proposal.map(|proposal| proposal.digest),
            votes,
            pending: proposal.map(|proposal| proposal.pending().collect()).unwrap_or_default(),
        }
    });
    let runs = state.runs.iter().filter(|(_, run)| !run.stage.ended());
    let runs = runs.map(|(id, run)| RunAt { id: *id, query: run.query, state: run.stage.name() });
    StateAt {
        asked,
        stamp: Stamp { position: state.size.saturating_sub(1), time_ms: state.last_time_ms },
        is_last,
        lifecycle: state.lifecycle.clone(),
        applications: state.applications.clone(),
        members: Listed::of(members, MEMBERS_MAX),
        datasets: Listed::of(datasets, DATASETS_MAX),
        queries: Listed::of(queries, QUERIES_MAX),
        marks: super::state::marks(state),
        runs: Listed::of(runs, RUNS_MAX),
    }
}
