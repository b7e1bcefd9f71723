//! The segments of a query, in order: names, what each may read, and what the last one may show.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sqlparser::tokenizer::Span;

use super::bind::Bindings;
use super::context::Known;
use super::names::name_objection;
use super::private;
use super::refusal::{Clause, Refusal, RefusalCode, Refusals};
use super::scope::{self, Readable, Sources};
use super::segment;
use super::{
    AnalysedSegment, Analysis, BINDINGS_MAX, Parameter, REFUSALS_MAX, Relation, SEGMENTS_MAX,
    SegmentText,
};

/// Columns read, by relation.
pub(super) type Reads = BTreeMap<String, BTreeSet<String>>;

pub(super) fn analyse(
    segments: &[SegmentText<'_>],
    inputs: &[Relation<'_>],
    parameters: &[Parameter<'_>],
) -> Result<Analysis, Vec<Refusal>> {
    let mut query = Refusals::new("");
    let mut bindings = Bindings::new(parameters, &mut query);
    check_counts(segments, inputs, &mut query);
    let forbidden = forbidden(inputs);
    let private = private::of(inputs, &mut query);
    let inputs = if query.is_empty() { read_inputs(inputs, &mut query) } else { Vec::new() };
    if !query.is_empty() {
        return Err(query.into_sorted());
    }
    let mut ordered: Vec<&SegmentText<'_>> = segments.iter().collect();
    ordered.sort_by_key(|segment| segment.order);

    let mut refused = Vec::new();
    let mut analysed = Vec::new();
    let mut plan = None;
    let mut views: Vec<Rc<Readable>> = Vec::new();
    let mut failed = BTreeSet::new();
    let mut loads: Reads =
        inputs.iter().map(|input| (input.name.clone(), BTreeSet::new())).collect();
    for (index, segment) in ordered.iter().enumerate() {
        let mut refusals = Refusals::new(segment.view);
        check_name(index, &ordered, &inputs, &mut refusals);
        let known = known(segment.order, &ordered, &inputs, &views, &failed);
        let last = index + 1 == ordered.len();
        let private = private.as_ref();
        let made =
            segment::one(segment, last, known, &forbidden, private, &mut bindings, &mut refusals);
        match made {
            Some((segment, view, private)) if refusals.is_empty() => {
                plan = plan.or(private);
                load(&segment, &mut loads);
                analysed.push(segment);
                views.push(Rc::new(view));
            }
            _ => {
                failed.insert(segment.view.to_ascii_lowercase());
            }
        }
        refused.extend(refusals.into_sorted());
    }
    if failed.is_empty() {
        bindings.refuse_unused(&mut query);
        if let (Some(input), None) = (&private, &plan) {
            let detail = format!(
                "{} asks for differential privacy and is not read; leave it out",
                input.relation.alias
            );
            query.push(RefusalCode::PrivacyInput, Clause::Query, Span::empty(), detail);
        }
    }
    refused.extend(query.into_sorted());
    refused.truncate(REFUSALS_MAX);
    if !refused.is_empty() {
        return Err(refused);
    }
    let row_identities = row_identities(&analysed, &loads);
    Ok(Analysis { segments: analysed, row_identities, loads, private: plan })
}

fn check_counts(segments: &[SegmentText<'_>], inputs: &[Relation<'_>], refusals: &mut Refusals) {
    let nowhere = Span::empty();
    if segments.is_empty() {
        refusals.push(
            RefusalCode::NoSegments,
            Clause::Query,
            nowhere,
            "a query has at least one segment",
        );
    }
    if segments.len() > SEGMENTS_MAX || inputs.len() > BINDINGS_MAX {
        let detail = format!("at most {SEGMENTS_MAX} segments and {BINDINGS_MAX} inputs are read");
        refusals.push(RefusalCode::TooMany, Clause::Query, nowhere, detail);
    }
    let highest = segments.iter().map(|segment| segment.order).max();
    if segments.iter().filter(|segment| Some(segment.order) == highest).count() > 1 {
        let detail = "more than one segment has the highest order; the output is one view";
        refusals.push(RefusalCode::NotOneOutput, Clause::Query, nowhere, detail);
    }
}

fn read_inputs(inputs: &[Relation<'_>], refusals: &mut Refusals) -> Vec<Rc<Readable>> {
    let nowhere = Span::empty();
    let mut readable: Vec<Rc<Readable>> = Vec::with_capacity(inputs.len());
    for input in inputs {
        if let Some((code, detail)) = name_objection("input", input.alias) {
            refusals.push(code, Clause::Query, nowhere, detail);
        } else if readable.iter().any(|other| other.name == input.alias) {
            let detail = format!("two inputs are named {}", input.alias);
            refusals.push(RefusalCode::DuplicateAlias, Clause::Query, nowhere, detail);
        } else {
            match scope::input(input) {
                Ok(input) => readable.push(Rc::new(input)),
                Err(detail) => {
                    refusals.push(RefusalCode::InvalidInput, Clause::Query, nowhere, detail);
                }
            }
        }
    }
    readable
}

fn check_name(
    index: usize,
    ordered: &[&SegmentText<'_>],
    inputs: &[Rc<Readable>],
    refusals: &mut Refusals,
) {
    let Some(segment) = ordered.get(index) else {
        return;
    };
    let nowhere = Span::empty();
    if let Some((code, detail)) = name_objection("view", segment.view) {
        refusals.push(code, Clause::View, nowhere, detail);
    }
    let earlier =
        ordered.iter().take(index).any(|other| other.view.eq_ignore_ascii_case(segment.view));
    if earlier || inputs.iter().any(|input| input.name.eq_ignore_ascii_case(segment.view)) {
        let detail = format!("another view or input is named {}", segment.view);
        refusals.push(RefusalCode::DuplicateView, Clause::View, nowhere, detail);
    }
}

/// What the names in a segment of this order stand for.
fn known(
    order: u32,
    ordered: &[&SegmentText<'_>],
    inputs: &[Rc<Readable>],
    views: &[Rc<Readable>],
    failed: &BTreeSet<String>,
) -> BTreeMap<String, Known> {
    let mut known = BTreeMap::new();
    for segment in ordered {
        known.insert(segment.view.to_ascii_lowercase(), Known::TooLate);
    }
    for segment in ordered.iter().filter(|segment| segment.order < order) {
        let name = segment.view.to_ascii_lowercase();
        if failed.contains(&name) {
            known.insert(name, Known::Refused);
        } else if let Some(view) = views.iter().find(|view| view.name == name) {
            known.insert(name, Known::Readable(Rc::clone(view)));
        }
    }
    for input in inputs {
        known.insert(input.name.clone(), Known::Readable(Rc::clone(input)));
    }
    known
}

/// Columns of inputs that no output may be computed from.
fn forbidden(inputs: &[Relation<'_>]) -> Sources {
    let of = |input: &Relation<'_>| {
        let alias = input.alias.to_owned();
        let rules = input.policy.column_rules.iter().filter(|rule| rule.output_forbidden);
        let columns = rules.flat_map(|rule| {
            let named = |name: &str| name.eq_ignore_ascii_case(&rule.column);
            input.columns.iter().filter(move |column| named(&column.name))
        });
        columns.map(move |column| (alias.clone(), column.name.clone())).collect::<Vec<_>>()
    };
    inputs.iter().flat_map(of).collect()
}

/// Notes what has to be loaded of the inputs.
fn load(segment: &AnalysedSegment, loads: &mut Reads) {
    for (relation, columns) in &segment.reads {
        if let Some(load) = loads.get_mut(relation) {
            load.extend(columns.iter().cloned());
        }
    }
}

/// The row numbers of inputs, which the application makes.
fn row_identities(segments: &[AnalysedSegment], loads: &Reads) -> BTreeMap<String, String> {
    let hidden = segments.iter().flat_map(|segment| &segment.hidden);
    hidden
        .filter(|(relation, _)| loads.contains_key(*relation))
        .flat_map(|(relation, columns)| {
            columns.iter().map(|column| (relation.clone(), column.clone()))
        })
        .collect()
}
