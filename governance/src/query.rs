//! What is voted on: a query's definition and the binding that a vote names.

use std::collections::BTreeSet;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::DatasetId;

use crate::clean_room::Demands;
use crate::privacy::{Charge, Loss};
use crate::sql::Literal;

/// Most segments of a query.
pub const SEGMENTS_MAX: usize = 32;
/// Most inputs of a query.
pub const INPUTS_MAX: usize = 32;
/// Most parameters of a query.
pub const PARAMETERS_MAX: usize = 64;

/// A query as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// What people call it, 1 to 200 characters.
    pub name: String,
    /// Its segments, in any order.
    pub segments: Vec<Segment>,
    /// What it reads.
    pub inputs: Vec<Input>,
    /// The dataset that it writes.
    pub output: DatasetId,
    /// The values of its `:name` placeholders.
    pub parameters: Vec<Parameter>,
    /// What each run costs where an input asks for differential privacy; none where none does.
    pub privacy: Option<Loss>,
}

impl Definition {
    /// The datasets that it reads or writes, some more than once.
    pub fn datasets(&self) -> impl Iterator<Item = DatasetId> {
        self.inputs.iter().map(|input| input.dataset).chain([self.output])
    }

    /// What a run takes of each input that has a budget of privacy: each input once, in the order of
    /// their ids. Which of them have one, the datasets say.
    pub fn charges(&self) -> impl Iterator<Item = Charge> {
        self.privacy.into_iter().flat_map(|loss| {
            let datasets: BTreeSet<_> = self.inputs.iter().map(|input| input.dataset).collect();
            datasets.into_iter().map(move |dataset| Charge { dataset, loss })
        })
    }
}

/// One SELECT and the view that it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Execution order; segments of equal order may run side by side.
    pub order: u64,
    /// The view.
    pub view: String,
    /// The text, in Spark's dialect.
    pub sql: String,
    /// What must hold before it runs.
    pub pre_conditions: Vec<PreCondition>,
    /// Which of its rows are kept.
    pub post_filters: Vec<PostFilter>,
}

/// A view must have at least so many rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreCondition {
    /// The view.
    pub view: String,
    /// The least number of rows.
    pub min_rows: u64,
}

/// Only rows whose column is at least this are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostFilter {
    /// The column of the segment's output.
    pub column: String,
    /// The least value.
    pub minimum: u64,
}

/// A dataset under the name that the text knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The name in the text.
    pub alias: String,
    /// The dataset.
    pub dataset: DatasetId,
}

/// A typed value for a `:name` placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The placeholder's name.
    pub name: String,
    /// Its value.
    pub value: Literal,
}

/// Everything that a vote is about. Its digest is what voters sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The definition as proposed.
    pub definition: Definition,
    /// The texts that will run, one for each segment, sorted by order.
    pub rewritten: Vec<Rewritten>,
    /// The versions of the input datasets, as in `definition.inputs`.
    pub inputs: Vec<DatasetVersion>,
    /// The version of the output dataset.
    pub output: DatasetVersion,
    /// The application measurements that may run it: the clean room policy at the proposal.
    pub applications: Vec<Digest>,
    /// What the policy demands of a platform beside, at the proposal.
    pub demands: Demands,
    /// Until when votes count, milliseconds since the Unix epoch; none means for ever.
    pub votes_until_ms: Option<u64>,
    /// Until when it may run once accepted, milliseconds since the Unix epoch; none means for ever.
    pub runs_until_ms: Option<u64>,
}

/// A segment's text after the policies were written into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The view.
    pub view: String,
    /// The text that runs.
    pub sql: String,
}

/// A dataset at a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatasetVersion {
    /// The dataset.
    pub dataset: DatasetId,
    /// The digest of the version's descriptor.
    pub digest: Digest,
}
