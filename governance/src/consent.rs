//! Consent: each member's own mark against a kind of use of a thing.

use std::collections::BTreeSet;

use chancery_ledger::id::{CollaborationId, DatasetId, QueryId};

use crate::query::Definition;
use crate::state::Collaboration;

/// A kind of use that consent is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConsentKind {
    /// Runs.
    Execution,
    /// Logs that leave the clean room.
    Logging,
    /// Metrics and traces that leave it.
    Telemetry,
}

impl ConsentKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Execution, Self::Logging, Self::Telemetry];
}

/// What consent is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everything in the collaboration.
    Collaboration(CollaborationId),
    /// Every use of a dataset.
    Dataset(DatasetId),
    /// A query.
    Query(QueryId),
}

impl Collaboration {
    /// The scopes that consent to a run of `query` is about: the collaboration, the query, and each
    /// dataset that it reads or writes, once.
    pub fn consent_scopes(&self, query: QueryId) -> Vec<Scope> {
        let mut scopes = vec![Scope::Collaboration(self.id), Scope::Query(query)];
        let used = self.queries.get(&query).map(|query| &query.definition);
        let used = used.into_iter().flat_map(Definition::datasets);
        let mut told = BTreeSet::new();
        scopes.extend(used.filter(|dataset| told.insert(*dataset)).map(Scope::Dataset));
        scopes
    }

    /// Whether anybody's consent of this kind is withdrawn over runs of `query`.
    pub fn is_withheld(&self, query: QueryId, kind: ConsentKind) -> bool {
        let mut scopes = self.consent_scopes(query).into_iter();
        scopes.any(|scope| self.marks_on(scope, kind).next().is_some())
    }
}
