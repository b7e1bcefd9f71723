//! Auto-approval rules: what a member approves in advance.

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{DatasetId, MemberId};

/// Most inputs that the shape of a rule names.
pub const RULE_INPUTS_MAX: usize = 32;

/// What a member approves in advance. What stands in it must all hold; what is none is not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRule {
    /// What people call it, 1 to 200 characters.
    pub name: String,
    /// Who must have written the query.
    pub author: Option<MemberId>,
    /// Who alone may run it on this approval.
    pub runner: Option<MemberId>,
    /// The dataset that it must write.
    pub output: Option<DatasetId>,
    /// What it may say.
    pub shape: Shape,
    /// Until when the rule votes, milliseconds since the Unix epoch.
    pub expires_ms: Option<u64>,
}

/// What a query may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// These segments and parameters to the letter, over these inputs: see
    /// [`crate::decide::rule::text_digest`].
    Text(Digest),
    /// Any text that reads no more than this.
    Reads(Vec<AllowedInput>),
}

/// What a query may read of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedInput {
    /// The dataset.
    pub dataset: DatasetId,
    /// Columns that it may read and show.
    pub columns: Vec<String>,
    /// Columns that it may read, and show inside aggregates only.
    pub aggregates: Vec<String>,
}
