//! What the analysis of one segment shares between the queries that its text is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::bind::Bindings;
use super::expr::Facts;
use super::names::is_reserved;
use super::refusal::Refusals;
use super::scope::{Origin, Readable, Scope, Sources};
use super::segments::Reads;

/// What a relation name stands for.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// It can be read.
    Readable(Rc<Readable>),
    /// It is a table that was refused: nothing more is known.
    Refused,
    /// It is a view, but not of an earlier order.
    TooLate,
}

/// The names, bindings and findings of one segment.
pub(super) struct Context<'c, 'p> {
    /// What relation names stand for: inputs, views, and `WITH` tables in scope.
    pub(super) known: BTreeMap<String, Known>,
    pub(super) bindings: &'c mut Bindings<'p>,
    pub(super) refusals: &'c mut Refusals,
    /// Columns of inputs that no output may be computed from.
    pub(super) forbidden: &'c Sources,
    /// Columns read of inputs and views, without the names that Chancery adds.
    pub(super) reads: Reads,
    /// The hidden columns read of them.
    pub(super) hidden: Reads,
    /// Queries within one another, at this place.
    pub(super) depth: usize,
    /// What was found in the query at hand.
    pub(super) found: Found,
    /// The input that asks for differential privacy, and whether this segment may read it.
    pub(super) private: Option<(&'c str, bool)>,
}

/// What the expressions of one query read beside its `FROM`.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Columns of the query around it.
    pub(super) outer: Vec<Facts>,
    /// Inputs whose settled groups its subqueries read.
    pub(super) settled: BTreeSet<String>,
    /// Columns that had a part in its rows or values.
    pub(super) touched: Sources,
}

impl Context<'_, '_> {
    /// Notes the columns that a name was resolved to.
    pub(super) fn read(&mut self, reads: Vec<(String, String)>, sources: &Sources) {
        for (relation, column) in reads {
            self.reads.entry(relation).or_default().insert(column);
        }
        self.found.touched.extend(sources.iter().cloned());
    }

    /// Notes the identities that a query passes on or counts.
    pub(super) fn read_identities(&mut self, scope: &Scope<'_>) {
        for (_, one, identity) in scope.carries() {
            let reads = match (one.relation.origin, is_reserved(&identity.source)) {
                (Origin::Nested, _) => continue,
                (Origin::Input | Origin::View, true) => &mut self.hidden,
                (Origin::Input | Origin::View, false) => &mut self.reads,
            };
            let relation = one.relation.name.clone();
            reads.entry(relation).or_default().insert(identity.source.clone());
        }
    }
}
