//! One segment, from its text to the text that runs.

use std::collections::BTreeMap;

use sqlparser::ast::Query;
use sqlparser::tokenizer::Span;

use super::bind::Bindings;
use super::context::{Context, Found, Known};
use super::kind::Kind;
use super::lex;
use super::private::{self, PrivateInput, PrivatePlan};
use super::query::{self, Role};
use super::refusal::{Clause, RefusalCode, Refusals};
use super::rewrite::{self, Unprintable};
use super::scope::{Origin, Readable, Sources};
use super::segments::Reads;
use super::{AnalysedSegment, OutputColumn, SegmentText};

/// Analyses one segment; what comes out counts only if nothing was refused.
pub(super) fn one(
    segment: &SegmentText<'_>,
    last: bool,
    known: BTreeMap<String, Known>,
    forbidden: &Sources,
    private: Option<&PrivateInput<'_>>,
    bindings: &mut Bindings<'_>,
    refusals: &mut Refusals,
) -> Option<(AnalysedSegment, Readable, Option<PrivatePlan>)> {
    let mut query: Query = lex::parse(segment.sql, refusals)?;
    let written = private.map(|_| query.clone());
    let mut context = Context {
        known,
        bindings,
        refusals,
        forbidden,
        reads: Reads::new(),
        hidden: Reads::new(),
        depth: 0,
        found: Found::default(),
        private: private.map(|input| (input.relation.alias, last)),
    };
    let role = if last { Role::Last } else { Role::View };
    let made = query::query(&mut query, role, None, &mut context);
    let Context { mut reads, hidden, .. } = context;
    let made = made.filter(|_| refusals.is_empty())?;
    let mut plan = None;
    if let (Some(input), Some(written)) = (private, written)
        && let Some(columns) = reads.get_mut(input.relation.alias)
    {
        let output: Vec<_> = made
            .output
            .iter()
            .map(|(name, facts)| (name.clone(), facts.kind.map(Kind::column)))
            .collect();
        plan = Some(private::rewrite(&mut query, &written, input, &output, refusals)?);
        columns.insert(input.policy.unit.clone());
    }
    let rewritten = print(&query, refusals)?;
    let output = made.output.iter().map(|(name, facts)| OutputColumn {
        name: name.clone(),
        kind: facts.kind.map(Kind::column),
        sources: facts.sources.clone(),
        aggregated: facts.aggregated,
    });
    let analysed = AnalysedSegment {
        order: segment.order,
        view: segment.view.to_owned(),
        text: segment.sql.to_owned(),
        rewritten,
        reads,
        hidden,
        output: output.collect(),
        groups: made.groups.clone(),
        carries: made.carries.clone(),
        row_level: made.row_level,
    };
    Some((analysed, made.readable(segment.view, Origin::View), plan))
}

fn print(query: &Query, refusals: &mut Refusals) -> Option<String> {
    let (code, detail) = match rewrite::print(query) {
        Ok(rewritten) => return Some(rewritten),
        Err(Unprintable::TooLong) => (RefusalCode::TooLong, "the rewritten text is too long"),
        Err(Unprintable::Different) => (
            RefusalCode::NotPrintable,
            "the rewritten text does not read back as what was analysed",
        ),
    };
    refusals.push(code, Clause::Text, Span::empty(), detail);
    None
}
