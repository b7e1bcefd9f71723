//! Differential privacy: the one form of select that may read such an input, and the text that it
//! becomes.
//!
//! The author writes counts, sums and means by groups. What runs bounds the part that each individual
//! has in them; the Spark application adds the noise to what that gives, and shows nothing else.
//!
//! - `check`: what may stand in such a select, and what each output column is
//! - `total`: expressions that give a value for every row; one that fails would tell of the row
//! - `write`: the text that runs
//!
//! # Why the sensitivity is what the plan says
//!
//! Every row of the select's `FROM` and `WHERE` comes of exactly one row of the input, and no row
//! depends on the rows of another individual: there is one such input, it stands first, others are
//! joined to it by `INNER`, `LEFT` and `CROSS`, and conditions read one row each. The text groups these
//! rows by individual and group, cuts what each individual has in each group, keeps a bounded number
//! of groups of each individual, chosen by the groups' names alone, and only then adds up individuals.

mod check;
mod total;
mod write;

use sqlparser::ast::Query;
use sqlparser::tokenizer::Span;

use super::refusal::{Clause, RefusalCode, Refusals};
use super::{Relation, lex};
use crate::dataset::ColumnType;
use crate::privacy::{Bounds, DifferentialPrivacy, Drawn};

/// Most groups that declared values make together.
pub const DECLARED_GROUPS_MAX: usize = 10_000;
/// The count of individuals of each group, in the text that runs.
pub const INDIVIDUALS: &str = "__chancery_units";

/// What the application does with the output of the text that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivatePlan {
    /// The input.
    pub alias: String,
    /// The most groups that one individual is in.
    pub groups: u64,
    /// What rows are grouped by.
    pub keys: Vec<PrivateKey>,
    /// The noise for each group.
    pub draws: Vec<Draw>,
    /// The draw that decides which groups are shown; none where no group's presence is a secret.
    pub threshold: Option<usize>,
    /// The columns of the result, in order.
    pub shown: Vec<Shown>,
    /// The columns of the text that runs, in order.
    pub output: Vec<String>,
}

/// A key of the text that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateKey {
    /// Its column.
    pub source: String,
    /// All its values, where the owner declared them.
    pub declared: Option<Vec<String>>,
}

/// A noise for each group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// The column of the result that it is for.
    pub column: String,
    /// What it is added to.
    pub of: Drawn,
    /// The column of the text that runs.
    pub source: String,
    /// By how much one individual moves the values of all groups together, at most.
    pub sensitivity: u64,
}

/// A column of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub what: What,
    /// Its type.
    pub kind: ColumnType,
}

/// What a column of the result shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The key of that number.
    Key(usize),
    /// The noised count of that draw.
    Count(usize),
    /// The noised sum of that draw, of values with these bounds.
    Sum(usize, Bounds),
    /// The quotient of the noised sum and the noised count of that draw and the next.
    Mean(usize, Bounds),
}

/// The input of a query that asks for differential privacy.
#[derive(Debug, Clone, Copy)]
pub(super) struct PrivateInput<'a> {
    pub(super) relation: Relation<'a>,
    pub(super) policy: &'a DifferentialPrivacy,
}

/// The private input among these, or why they don't go together.
pub(super) fn of<'a>(inputs: &[Relation<'a>], refusals: &mut Refusals) -> Option<PrivateInput<'a>> {
    let mut private = inputs.iter().filter_map(|relation| {
        let policy = relation.policy.differential_privacy.as_ref()?;
        Some(PrivateInput { relation: *relation, policy })
    });
    let first = private.next()?;
    let mut refuse = |detail: String| {
        refusals.push(RefusalCode::PrivacyInput, Clause::Query, Span::empty(), detail);
    };
    if let Some(second) = private.next() {
        refuse(format!(
            "{} and {} both ask for differential privacy; a query reads one such input",
            first.relation.alias, second.relation.alias
        ));
    }
    if let Some(grouped) = inputs.iter().find(|other| other.policy.minimum_group.is_some()) {
        refuse(format!(
            "{} has a minimum group and {} asks for differential privacy: not in one query",
            grouped.alias, first.relation.alias
        ));
    }
    Some(first)
}

/// Turns the checked query into the text that runs. `written` is the query as its author wrote it,
/// where places are known.
pub(super) fn rewrite(
    query: &mut Query,
    written: &Query,
    input: &PrivateInput<'_>,
    output: &[(String, Option<ColumnType>)],
    refusals: &mut Refusals,
) -> Option<PrivatePlan> {
    let before = refusals.len();
    let select = check::select(query, written, input, output, refusals)?;
    if refusals.len() > before {
        return None;
    }
    let (plan, text) = write::text(&select, input);
    let Some(private) = lex::reparse(&text) else {
        let detail = "the rewritten text does not read back as what was analysed";
        refusals.push(RefusalCode::NotPrintable, Clause::Text, Span::empty(), detail);
        return None;
    };
    *query = private;
    Some(plan)
}
