//! SQL analysis, first form: what a query reads, whether the policies hold, and the text to run.
//!
//! A segment is one Spark `SELECT`. It is accepted only if every part of it is on an allow-list and
//! every name resolves; what can't be proven safe is refused, with the clause and the position. What
//! Spark runs is never the author's text but the one printed from the checked tree (`rewritten`).
//!
//! - `lex`, `pressure`, `names`: bounds and a token allow-list, before anything is parsed
//! - `segments`, `segment`: the order of things, and who may read whom
//! - `frame`, `select`, `output`, `from`, `join`: the clauses, taken apart exhaustively
//! - `expr`, `operators`, `constants`, `calls`, `forms`, `facts`:
//!   expressions; names resolved and qualified
//! - `scope`: relations, columns, and the identities that rows carry
//! - `functions`, `types`, `kind`, `decimals`: what may be called, and of what type the answer is
//! - `shape`: which arguments of an aggregate may stand over a minimum group
//! - `bind`: literals, so that Spark reads exactly the value
//! - `rewrite`: identities and floors added, and the fixpoint check of the printed text
//! - `private`: counts, sums and means under differential privacy
//!
//! # Minimum groups
//!
//! A row of an input with a floor carries its individual's identity as a hidden column through every
//! row-level view. Where rows are grouped, each group counts the distinct identities of each such
//! input and is dropped below the floor. From there on the values are safe to use. The last segment
//! may carry no identity: it shows groups only.

mod bind;
mod calls;
mod constants;
mod context;
mod decimals;
mod expr;
mod facts;
mod forms;
mod frame;
mod from;
mod functions;
mod input;
mod join;
mod kind;
mod lateral;
mod lex;
mod names;
mod nested;
mod operators;
mod output;
mod policy;
mod pressure;
mod private;
mod query;
mod refusal;
mod rewrite;
mod rules;
mod scope;
mod segment;
mod segments;
mod select;
mod shape;
mod subquery;
#[cfg(test)]
mod tests;
mod types;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use crate::dataset::{AccessPolicy, Column, ColumnType};
use crate::decimal::Decimal;

pub use private::{DECLARED_GROUPS_MAX, Draw, INDIVIDUALS, PrivateKey, PrivatePlan, Shown, What};
pub use refusal::{Clause, REFUSALS_MAX, Refusal, RefusalCode};

/// Bytes of one segment's text.
pub const SEGMENT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one segment's rewritten text: `*` and bound values may make it longer than the text.
pub const REWRITTEN_BYTES_MAX: usize = 256 * 1024;
/// Segments of one query.
pub const SEGMENTS_MAX: usize = 32;
/// Inputs of one query, and parameters of one query.
pub const BINDINGS_MAX: usize = 64;
/// Bytes of one parameter's value.
pub const PARAMETER_BYTES_MAX: usize = 4 * 1024;
/// Relations in one `FROM`.
pub const RELATIONS_MAX: usize = 16;
/// Columns of one segment's output, after `*` is expanded.
pub const OUTPUT_COLUMNS_MAX: usize = 1024;
/// Keys of one `GROUP BY` or `ORDER BY`.
pub const KEYS_MAX: usize = 64;
/// Operators that may stand above one another in a tree, counted on tokens before parsing.
pub const OPERATORS_MAX: usize = 128;
/// Queries that may stand within one another: subqueries, derived tables, set operands.
pub const QUERY_DEPTH_MAX: usize = 16;
/// Levels of nesting in one expression.
pub const DEPTH_MAX: usize = 48;
/// What every name that Chancery adds starts with; no text may use such a name.
pub const RESERVED_PREFIX: &str = "__chancery_";

/// An input: its name in the query, and the dataset behind it.
#[derive(Debug, Clone, Copy)]
pub struct Relation<'a> {
    /// The name that segments read it by, `[a-z_][a-z0-9_]{0,63}`.
    pub alias: &'a str,
    /// The dataset's schema.
    pub columns: &'a [Column],
    /// What may be done with it.
    pub policy: &'a AccessPolicy,
}

/// One segment as its author wrote it.
#[derive(Debug, Clone, Copy)]
pub struct SegmentText<'a> {
    /// When it runs; it reads views of strictly lower orders only.
    pub order: u32,
    /// The view it makes, `[a-z_][a-z0-9_]{0,63}`.
    pub view: &'a str,
    /// Its text, at most [`SEGMENT_BYTES_MAX`].
    pub sql: &'a str,
}

/// A typed value. No floats: these bytes are signed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Literal {
    /// Text.
    String(String),
    /// 64-bit signed integer.
    Long(i64),
    /// True or false.
    Boolean(bool),
    /// `yyyy-MM-dd`.
    Date(String),
    /// `yyyy-MM-dd HH:mm:ss[.ffffff]`, UTC.
    Timestamp(String),
    /// Decimal text of a double, such as `-1.5e3`.
    Double(String),
    /// A decimal of this type: `-?digits[.digits]`, with no digit more than it has.
    Decimal(Decimal, String),
}

/// A value for the `:name` placeholders of a query.
#[derive(Debug, Clone, Copy)]
pub struct Parameter<'a> {
    /// Its name without the colon, `[a-z_][a-z0-9_]{0,63}`.
    pub name: &'a str,
    /// Its value, bound as a literal.
    pub value: &'a Literal,
}

/// An accepted query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analysis {
    /// The segments by order, then as given. The last one makes the output.
    pub segments: Vec<AnalysedSegment>,
    /// The row number column that the Spark application must add to an input's view, by input alias.
    pub row_identities: BTreeMap<String, String>,
    /// What of each input has to be loaded: columns read, and identity columns of floors.
    pub loads: BTreeMap<String, BTreeSet<String>>,
    /// What the application makes of the last segment, where an input asks for differential privacy.
    pub private: Option<PrivatePlan>,
}

/// An accepted segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalysedSegment {
    /// When it runs.
    pub order: u32,
    /// The view it makes.
    pub view: String,
    /// The author's text.
    pub text: String,
    /// The text to run.
    pub rewritten: String,
    /// Columns read of each relation (input or view), as the rewritten text names them; without the
    /// names that Chancery adds.
    pub reads: BTreeMap<String, BTreeSet<String>>,
    /// Columns read of each relation that Chancery added to it: row numbers and carried identities.
    pub hidden: BTreeMap<String, BTreeSet<String>>,
    /// The output in order, without the names that Chancery adds.
    pub output: Vec<OutputColumn>,
    /// The counts added for each output row.
    pub groups: Vec<GroupFloor>,
    /// The identities that each output row carries; empty for the last segment.
    pub carries: Vec<CarriedIdentity>,
    /// True if the output has a row for each row read, false if rows were grouped.
    pub row_level: bool,
}

/// A column of a segment's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// Its name, in the case it was written.
    pub name: String,
    /// Its type where the analysis can tell; Spark's narrower integers count as `Long`.
    pub kind: Option<ColumnType>,
    /// The (input alias, column) pairs that its value is computed from.
    pub sources: BTreeSet<(String, String)>,
    /// Whether an aggregate lies between its value and the sources.
    pub aggregated: bool,
}

/// A count of individuals added to a grouped segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFloor {
    /// The added column, `__chancery_group_<alias>`.
    pub column: String,
    /// The least value it may have; smaller groups are dropped in the rewritten text.
    pub minimum: u64,
    /// The input whose individuals it counts.
    pub alias: String,
}

/// An identity added to the rows of a row-level segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedIdentity {
    /// The input whose individuals it tells apart.
    pub alias: String,
    /// The added column, `__chancery_row_<alias>` or `__chancery_id_<alias>`.
    pub column: String,
}

/// Checks a query against its inputs and binds its parameters.
///
/// # Errors
///
/// Every reason against the query that was found, by segment order and then by position; a segment
/// that reads a refused one is checked no further than its relations.
pub fn analyse(
    segments: &[SegmentText<'_>],
    inputs: &[Relation<'_>],
    parameters: &[Parameter<'_>],
) -> Result<Analysis, Vec<Refusal>> {
    segments::analyse(segments, inputs, parameters)
}
