//! What hangs on what, found without looking at every dataset, query and run.
//!
//! The fold keeps it; it says nothing that the rest of the state does not. What it gives is in the
//! order of ids, as a search through the maps would give it.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::id::{DatasetId, MemberId, QueryId, RunId};

use super::query::{Proposal, Query};
use super::run::Run;
use crate::query::Definition;

/// Several things for each of others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pairs<K, V>(BTreeMap<K, BTreeSet<V>>);

impl<K, V> Default for Pairs<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V: Ord + Copy> Pairs<K, V> {
    fn tie(&mut self, key: K, value: V) {
        self.0.entry(key).or_default().insert(value);
    }

    fn untie<Q: Ord + ?Sized>(&mut self, key: &Q, value: V)
    where
        K: Borrow<Q>,
    {
        if let Some(values) = self.0.get_mut(key) {
            values.remove(&value);
            if values.is_empty() {
                self.0.remove(key);
            }
        }
    }

    fn of<'a, Q: Ord + ?Sized>(&'a self, key: &Q) -> impl Iterator<Item = V> + use<'a, K, V, Q>
    where
        K: Borrow<Q>,
    {
        self.0.get(key).into_iter().flatten().copied()
    }
}

/// The ties of a collaboration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ties {
    names: Pairs<String, DatasetId>,
    owned: Pairs<MemberId, DatasetId>,
    on: Pairs<DatasetId, QueryId>,
    authored: Pairs<MemberId, QueryId>,
    seats: Pairs<MemberId, QueryId>,
    of: Pairs<QueryId, RunId>,
    by: Pairs<MemberId, RunId>,
    admitted: BTreeSet<RunId>,
}

impl Ties {
    /// Notes the name of a dataset's newest version, in the place of the one before.
    pub(super) fn name(
        &mut self,
        (dataset, owner): (DatasetId, MemberId),
        before: Option<&str>,
        name: &str,
    ) {
        match before {
            Some(before) if before == name => return,
            Some(before) => self.names.untie(before, dataset),
            None => self.owned.tie(owner, dataset),
        }
        self.names.tie(name.to_owned(), dataset);
    }

    /// Notes that a dataset is out of use.
    pub(super) fn retire(&mut self, (dataset, owner): (DatasetId, MemberId), name: &str) {
        self.names.untie(name, dataset);
        self.owned.untie(&owner, dataset);
    }

    /// Notes a new query.
    pub(super) fn draft(&mut self, id: QueryId, query: &Query) {
        self.authored.tie(query.author, id);
        for dataset in query.definition.datasets() {
            self.on.tie(dataset, id);
        }
    }

    /// Notes that a query has another definition.
    pub(super) fn revise(&mut self, id: QueryId, before: &Definition, after: &Definition) {
        for dataset in before.datasets() {
            self.on.untie(&dataset, id);
        }
        for dataset in after.datasets() {
            self.on.tie(dataset, id);
        }
    }

    /// Notes that a query is up for votes.
    pub(super) fn seat(&mut self, id: QueryId, proposal: &Proposal) {
        for member in proposal.voters() {
            self.seats.tie(member, id);
        }
    }

    /// Notes that it is no more.
    pub(super) fn unseat(&mut self, id: QueryId, proposal: &Proposal) {
        for member in proposal.voters() {
            self.seats.untie(&member, id);
        }
    }

    /// Notes a run without an outcome.
    pub(super) fn begin(&mut self, id: RunId, run: &Run) {
        self.of.tie(run.query, id);
        self.by.tie(run.runner, id);
    }

    /// Notes that a run has an executor.
    pub(super) fn admit(&mut self, id: RunId) {
        self.admitted.insert(id);
    }

    /// Notes that a run has its outcome.
    pub(super) fn end(&mut self, id: RunId, run: &Run) {
        self.admitted.remove(&id);
        self.of.untie(&run.query, id);
        self.by.untie(&run.runner, id);
    }

    /// The datasets in use of that name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = DatasetId> {
        self.names.of(name)
    }

    /// The datasets in use that a member published.
    pub fn owned_by(&self, member: MemberId) -> impl Iterator<Item = DatasetId> {
        self.owned.of(&member)
    }

    /// The queries that, as they stand, read or write a dataset.
    pub fn queries_on(&self, dataset: DatasetId) -> impl Iterator<Item = QueryId> {
        self.on.of(&dataset)
    }

    /// The queries that a member drafted.
    pub fn queries_by(&self, member: MemberId) -> impl Iterator<Item = QueryId> {
        self.authored.of(&member)
    }

    /// The queries up for votes of which a member has one, cast or not.
    pub fn votes_of(&self, member: MemberId) -> impl Iterator<Item = QueryId> {
        self.seats.of(&member)
    }

    /// The runs of a query without an outcome.
    pub fn runs_of(&self, query: QueryId) -> impl Iterator<Item = RunId> {
        self.of.of(&query)
    }

    /// The runs of a runner without an outcome.
    pub fn runs_by(&self, runner: MemberId) -> impl Iterator<Item = RunId> {
        self.by.of(&runner)
    }

    /// The runs without an outcome that an executor was admitted to.
    pub fn admitted(&self) -> impl Iterator<Item = RunId> {
        self.admitted.iter().copied()
    }

    /// All runs without an outcome.
    pub fn runs(&self) -> BTreeSet<RunId> {
        self.of.0.values().flatten().copied().collect()
    }
}
