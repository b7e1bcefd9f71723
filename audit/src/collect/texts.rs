//! What the digests that votes and runs name stand for.

use std::collections::{BTreeMap, BTreeSet};

use chancery_governance::binding;
use chancery_governance::event::Event;
use chancery_governance::query::{Binding, Definition};
use chancery_governance::state::Collaboration;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::QueryId;

use super::Seen;
use crate::report::{Bound, TEXT_BYTES_MAX};

/// Most digests without room for their text that are told apart; more are counted once each time.
const WITHOUT_ROOM_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub struct Texts {
    kept: BTreeMap<Digest, Bound>,
    bytes: usize,
    without_room: BTreeSet<Digest>,
    left_out: u64,
}

impl Texts {
    pub fn record(&mut self, seen: &Seen<'_>) {
        match (seen.subject, seen.event) {
            (Subject::Query(query), Event::QueryProposed(event)) if seen.listed => {
                self.keep(query, event.digest, &event.binding, seen.state);
            }
            // A run where the lists begin can be of a query that was proposed before.
            (_, Event::RunRequested(event)) if seen.listed => {
                if let Some(proposal) = super::live(seen.state, event.query, event.digest) {
                    self.keep(event.query, event.digest, &proposal.binding, seen.state);
                }
            }
            (Subject::Query(query), Event::QueryApproved(event)) if seen.listed => {
                if let Some(proposal) = super::live(seen.state, query, event.digest) {
                    self.keep(query, event.digest, &proposal.binding, seen.state);
                }
            }
            _ => {}
        }
    }

    pub fn told(self) -> (BTreeMap<Digest, Bound>, u64) {
        (self.kept, self.left_out)
    }

    fn keep(&mut self, query: QueryId, digest: Digest, binding: &Binding, state: &Collaboration) {
        if self.kept.contains_key(&digest) || self.without_room.contains(&digest) {
            return;
        }
        let bound = bound(query, binding, state);
        let bytes = weight(binding) + shown_weight(&bound);
        if self.bytes.saturating_add(bytes) > TEXT_BYTES_MAX {
            self.left_out = self.left_out.saturating_add(1);
            if self.without_room.len() < WITHOUT_ROOM_MAX {
                self.without_room.insert(digest);
            }
            return;
        }
        self.bytes += bytes;
        self.kept.insert(digest, bound);
    }
}

/// About how many bytes of memory it takes.
fn weight(binding: &Binding) -> usize {
    let definition = &binding.definition;
    let segments = definition.segments.iter();
    let texts = segments.map(|segment| {
        let conditions = segment.pre_conditions.iter().map(|one| one.view.len() + 32);
        let filters = segment.post_filters.iter().map(|one| one.column.len() + 32);
        segment.sql.len() + segment.view.len() + conditions.chain(filters).sum::<usize>() + 128
    });
    let rewritten = binding.rewritten.iter().map(|one| one.sql.len() + one.view.len() + 48);
    let parameters = definition.parameters.iter().map(|one| one.name.len() + 128);
    let inputs = definition.inputs.iter().map(|one| one.alias.len() + 80);
    let digests = binding.applications.len() * size_of::<Digest>();
    let lists = texts.chain(rewritten).chain(parameters).chain(inputs).sum::<usize>();
    lists + digests + definition.name.len() + 256
}

/// About how many bytes policies and lineage take.
fn shown_weight(bound: &Bound) -> usize {
    let lineage = bound.lineage.iter().map(|column| {
        let sources = column.sources.iter().map(|(input, name)| input.len() + name.len() + 64);
        column.name.len() + sources.sum::<usize>() + 64
    });
    let policies = bound.policies.iter().map(|(_, policy)| {
        let allowed = policy.allowed_columns.iter().map(|name| name.len() + 32);
        let rules = policy.column_rules.iter().map(|rule| rule.column.len() + 64);
        let privacy = policy.differential_privacy.iter().map(|privacy| {
            let values = privacy.declared.iter().flat_map(|declared| &declared.values);
            let bounds = privacy.columns.iter().map(|bounds| bounds.column.len() + 96);
            values.map(|value| value.len() + 8).chain(bounds).sum::<usize>() + 512
        });
        allowed.chain(rules).chain(privacy).sum::<usize>() + 128
    });
    lineage.chain(policies).sum()
}

fn bound(query: QueryId, binding: &Binding, state: &Collaboration) -> Bound {
    let Definition { name, segments, inputs, parameters, output: _, privacy } = &binding.definition;
    let mut segments = segments.clone();
    segments.sort_by_key(|segment| segment.order);
    let aliases = inputs.iter().map(|input| input.alias.clone());
    let versions = aliases.clone().zip(&binding.inputs);
    let policies = versions.filter_map(|(alias, version)| {
        Some((alias, state.dataset_at(version)?.descriptor.policy.clone()))
    });
    Bound {
        query,
        name: name.clone(),
        segments,
        rewritten: binding.rewritten.clone(),
        parameters: parameters.clone(),
        privacy: *privacy,
        inputs: aliases.zip(binding.inputs.iter().cloned()).collect(),
        output: binding.output.clone(),
        applications: binding.applications.clone(),
        policies: policies.collect(),
        lineage: binding::lineage(state, binding).unwrap_or_default(),
    }
}
