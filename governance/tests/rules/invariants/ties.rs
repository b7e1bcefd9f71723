//! What hangs on what, as a search through everything finds it.

use std::collections::BTreeSet;

use chancery_governance::state::Collaboration;
use chancery_governance::state::query::{Query, Stage};
use chancery_governance::state::run::Run;
use chancery_ledger::id::{DatasetId, MemberId, QueryId, RunId};

/// One of each kind of question, with the answer of the fold's own record and that of a search.
pub fn differing(room: &Collaboration) -> Vec<String> {
    let mut differing = Vec::new();
    let mut same = |what: String, kept: String, found: String| {
        if kept != found {
            differing.push(format!("{what}: {kept} is kept, and {found} is found"));
        }
    };
    let ties = &room.ties;
    let names = room.datasets.values().flat_map(|dataset| &dataset.versions);
    let names: BTreeSet<_> = names.map(|version| version.descriptor.name.as_str()).collect();
    for name in names.into_iter().chain(["nothing"]) {
        let found = datasets(room, |id| {
            let dataset = &room.datasets[&id];
            let newest = dataset.versions.last().unwrap();
            !dataset.retired && newest.descriptor.name == name
        });
        same(format!("datasets named {name}"), kept(ties.named(name)), found);
    }
    for member in room.members.keys().chain(room.former.keys()).copied() {
        let found = datasets(room, |id| {
            let dataset = &room.datasets[&id];
            !dataset.retired && dataset.owner == member
        });
        same(format!("datasets of {member}"), kept(ties.owned_by(member)), found);
        let found = queries(room, |query| query.author == member);
        same(format!("queries of {member}"), kept(ties.queries_by(member)), found);
        let found = queries(room, |query| has_vote(query, member));
        same(format!("votes of {member}"), kept(ties.votes_of(member)), found);
        let found = runs(room, |run| run.runner == member);
        same(format!("runs of {member}"), kept(ties.runs_by(member)), found);
    }
    for dataset in room.datasets.keys().copied() {
        let found = queries(room, |query| {
            let definition = &query.definition;
            definition.output == dataset
                || definition.inputs.iter().any(|input| input.dataset == dataset)
        });
        same(format!("queries on {dataset}"), kept(ties.queries_on(dataset)), found);
    }
    for query in room.queries.keys().copied() {
        let found = runs(room, |run| run.query == query);
        same(format!("runs of {query}"), kept(ties.runs_of(query)), found);
    }
    let found = runs(room, |run| run.stage.admission().is_some());
    same("admitted runs".to_owned(), kept(ties.admitted()), found);
    same("runs".to_owned(), kept(ties.runs().into_iter()), runs(room, |_| true));
    differing
}

fn kept<T: std::fmt::Debug>(ids: impl Iterator<Item = T>) -> String {
    format!("{:?}", ids.collect::<Vec<_>>())
}

fn datasets(room: &Collaboration, is: impl Fn(DatasetId) -> bool) -> String {
    kept(room.datasets.keys().copied().filter(|id| is(*id)))
}

fn queries(room: &Collaboration, is: impl Fn(&Query) -> bool) -> String {
    let found = room.queries.iter().filter(|(_, query)| is(query));
    kept(found.map(|(id, _)| *id).collect::<Vec<QueryId>>().into_iter())
}

/// Those without an outcome.
fn runs(room: &Collaboration, is: impl Fn(&Run) -> bool) -> String {
    let found = room.runs.iter().filter(|(_, run)| !run.stage.ended() && is(run));
    kept(found.map(|(id, _)| *id).collect::<Vec<RunId>>().into_iter())
}

fn has_vote(query: &Query, member: MemberId) -> bool {
    let Stage::Proposed(proposal) = &query.stage else { return false };
    proposal.approvers.contains(&member)
        || proposal.groups.iter().any(|group| group.members.contains(&member))
}
