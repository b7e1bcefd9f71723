//! One segment, from its text to the text that runs.

use std::collections::BTreeMap;

use sqlparser::ast::Query;
use sqlparser::tokenizer::Span;

use super::bind::Bindings;
use super::frame;
use super::from::{FromReader, Known};
use super::lex;
use super::names::is_reserved;
use super::refusal::{Clause, RefusalCode, Refusals};
use super::rewrite::{self, Unprintable};
use super::scope::{Identity, Readable, Scope, ScopeColumn};
use super::segments::{Loader, Reads};
use super::select::{self, Checked, Checker};
use super::shape::Shape;
use super::{AnalysedSegment, CarriedIdentity, OutputColumn, SegmentText};

/// Analyses one segment; what comes out counts only if nothing was refused.
pub(super) fn one(
    segment: &SegmentText<'_>,
    last: bool,
    known: &BTreeMap<String, Known<'_>>,
    bindings: &mut Bindings<'_>,
    refusals: &mut Refusals,
    loader: &mut Loader<'_>,
) -> Option<(AnalysedSegment, Readable)> {
    let mut query: Query = lex::parse(segment.sql, refusals)?;
    let mut reads = Reads::new();
    let mut parts = frame::take_apart(&mut query, refusals)?;
    let scope =
        FromReader { known, bindings, refusals, reads: &mut reads }.read(parts.from, parts.at)?;
    let checked =
        Checker { scope: &scope, bindings, refusals, reads: &mut reads }.check(&mut parts);
    let Checked { output, grouped } = checked;
    if last && !grouped {
        for (alias, _, _) in scope.carries() {
            let detail = format!(
                "the output would show rows of {alias}, which has a minimum group; group them"
            );
            refusals.push(RefusalCode::RowLevelOutput, Clause::Select, parts.at, detail);
        }
    }
    let settled = select::settled(&scope, grouped);
    let (groups, carries) = if grouped {
        (rewrite::floor(&mut parts, &scope), Vec::new())
    } else {
        (Vec::new(), rewrite::carry(&mut parts, &scope))
    };
    loader.note(&reads, &scope);
    for (alias, one, identity) in scope.carries() {
        if one.relation.order.is_none() && !is_reserved(&identity.source) {
            reads.entry(alias.to_owned()).or_default().insert(identity.source.clone());
        }
    }
    let passed = passed_on(&scope, &carries);
    if !refusals.is_empty() {
        return None;
    }
    let rewritten = print(&query, refusals)?;
    let columns = output.iter().map(|(name, facts)| ScopeColumn {
        name: name.clone(),
        kind: facts.kind,
        allowed: true,
        sources: facts.sources.clone(),
        aggregated: facts.aggregated,
        shape: facts.shape.max(Shape::Column),
    });
    let view = Readable {
        name: segment.view.to_owned(),
        order: Some(segment.order),
        columns: columns.collect(),
        carries: passed,
        settled,
    };
    let output = output.into_iter().map(|(name, facts)| OutputColumn {
        name,
        kind: facts.kind,
        sources: facts.sources,
        aggregated: facts.aggregated,
    });
    let analysed = AnalysedSegment {
        order: segment.order,
        view: segment.view.to_owned(),
        text: segment.sql.to_owned(),
        rewritten,
        reads,
        output: output.collect(),
        groups,
        carries,
        row_level: !grouped,
    };
    Some((analysed, view))
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

/// The identities of a row-level view, which has them under their hidden names.
fn passed_on(scope: &Scope<'_>, carries: &[CarriedIdentity]) -> BTreeMap<String, Identity> {
    let passed = |alias: &str| carries.iter().any(|one| one.alias == alias);
    scope
        .carries()
        .filter(|(alias, _, _)| passed(alias))
        .map(|(alias, _, identity)| {
            (alias.to_owned(), Identity { source: identity.name.clone(), ..identity.clone() })
        })
        .collect()
}
