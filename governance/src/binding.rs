//! From a definition to the binding that votes are about, and from a binding to its analysis.

use chancery_ledger::codec;
use chancery_ledger::digest::Digest;

use crate::dataset::{AccessMode, Column, ColumnType};
use crate::privacy;
use crate::query::{
    Binding, DatasetVersion, Definition, INPUTS_MAX, PARAMETERS_MAX, Rewritten, SEGMENTS_MAX,
};
use crate::reason::{Code, Reason};
use crate::sql::{self, Analysis};
use crate::state::{Collaboration, PublishedVersion};
use crate::subject::Subject;
use crate::wire::Wire;

/// Longest name of a query, in characters.
pub const QUERY_NAME_LEN_MAX: usize = 200;
/// Highest execution order.
pub const ORDER_MAX: u64 = 1_000;

/// The digest of a binding's canonical bytes: what voters sign.
pub fn digest(binding: &Binding) -> Digest {
    Digest::of(&codec::encode(&binding.encode()))
}

/// Checks a definition against the datasets as they are now and binds it to them.
///
/// # Errors
///
/// Every reason that could be told at once.
pub fn bind(state: &Collaboration, definition: &Definition) -> Result<Binding, Vec<Reason>> {
    let mut faults = shape_faults(definition);
    let inputs: Vec<_> = definition
        .inputs
        .iter()
        .map(|input| lookup(state, input.dataset, AccessMode::Read))
        .collect();
    let output = lookup(state, definition.output, AccessMode::Write);
    faults.extend(inputs.iter().chain([&output]).filter_map(|found| found.as_ref().err().cloned()));
    let (Ok(inputs), Ok(output)) = (inputs.into_iter().collect::<Result<Vec<_>, _>>(), output)
    else {
        return Err(faults);
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    let analysis = analyse(definition, &inputs)?;
    let descriptors: Vec<_> = inputs.iter().map(|version| &version.descriptor).collect();
    let mut faults = privacy::plan::faults(definition, &descriptors, &analysis);
    faults.extend(post_filter_faults(definition, &analysis));
    faults.extend(output_faults(&analysis, output));
    if !faults.is_empty() {
        return Err(faults);
    }
    let rewritten = analysis.segments.into_iter();
    Ok(Binding {
        definition: definition.clone(),
        rewritten: rewritten
            .map(|segment| Rewritten { view: segment.view, sql: segment.rewritten })
            .collect(),
        inputs: definition
            .inputs
            .iter()
            .zip(&inputs)
            .map(|(input, version)| DatasetVersion {
                dataset: input.dataset,
                digest: version.digest,
            })
            .collect(),
        output: DatasetVersion { dataset: definition.output, digest: output.digest },
        applications: state.applications.clone(),
        demands: state.demands.clone(),
        votes_until_ms: None,
        runs_until_ms: None,
    })
}

/// Analyses a definition over these versions of its inputs, in their order.
///
/// # Errors
///
/// The refusals of the SQL analysis, as reasons.
pub fn analyse(
    definition: &Definition,
    inputs: &[&PublishedVersion],
) -> Result<Analysis, Vec<Reason>> {
    let segments: Vec<_> = definition
        .segments
        .iter()
        .map(|segment| sql::SegmentText {
            order: u32::try_from(segment.order).unwrap_or(u32::MAX),
            view: &segment.view,
            sql: &segment.sql,
        })
        .collect();
    let relations: Vec<_> = definition
        .inputs
        .iter()
        .zip(inputs)
        .map(|(input, version)| sql::Relation {
            alias: &input.alias,
            columns: &version.descriptor.columns,
            policy: &version.descriptor.policy,
        })
        .collect();
    let parameters: Vec<_> = definition
        .parameters
        .iter()
        .map(|parameter| sql::Parameter { name: &parameter.name, value: &parameter.value })
        .collect();
    sql::analyse(&segments, &relations, &parameters).map_err(|refusals| {
        refusals
            .into_iter()
            .map(|refusal| {
                // A refusal of the text or the query as a whole has no place in it.
                let place = match refusal.line {
                    0 => String::new(),
                    line => format!(" at line {line}, column {}", refusal.column),
                };
                Reason::about(
                    Code::Sql(refusal.code),
                    format!("segment/{}", refusal.segment),
                    format!("{}{place}: {}", refusal.clause.as_str(), refusal.detail),
                )
            })
            .collect()
    })
}

/// Where each column of a bound query's output comes from, as its approvers were told: the analysis
/// of the bound texts over the bound versions. Nothing where the log lacks one of these versions.
pub fn lineage(state: &Collaboration, binding: &Binding) -> Option<Vec<sql::OutputColumn>> {
    let versions: Vec<_> =
        binding.inputs.iter().map(|version| state.dataset_at(version)).collect::<Option<_>>()?;
    let analysis = analyse(&binding.definition, &versions).ok()?;
    analysis.segments.into_iter().next_back().map(|last| last.output)
}

fn lookup(
    state: &Collaboration,
    id: chancery_ledger::id::DatasetId,
    mode: AccessMode,
) -> Result<&PublishedVersion, Reason> {
    let subject = Subject::Dataset(id);
    let Some((dataset, version)) = state.dataset_version(id) else {
        return Err(Reason::about(Code::DatasetNotFound, subject, "there is no such dataset"));
    };
    let name = &version.descriptor.name;
    if dataset.retired {
        return Err(Reason::about(Code::DatasetRetired, subject, format!("{name} is retired")));
    }
    if version.descriptor.access_mode != mode {
        let detail = match mode {
            AccessMode::Read => format!("{name} is for writing and can't be an input"),
            AccessMode::Write => format!("{name} is for reading and can't be the output"),
        };
        return Err(Reason::about(Code::DatasetAccessMode, subject, detail));
    }
    Ok(version)
}

fn shape_faults(definition: &Definition) -> Vec<Reason> {
    let mut faults = Vec::new();
    let mut limit = |what: &str, count: usize, max: usize, min: usize| {
        if count < min || count > max {
            faults
                .push(Reason::new(Code::LimitExceeded, format!("{what}: {min} to {max} of them")));
        }
    };
    limit("segments", definition.segments.len(), SEGMENTS_MAX, 1);
    limit("inputs", definition.inputs.len(), INPUTS_MAX, 1);
    limit("parameters", definition.parameters.len(), PARAMETERS_MAX, 0);
    if definition.name.trim().is_empty()
        || definition.name.chars().count() > QUERY_NAME_LEN_MAX
        || definition.name.chars().any(char::is_control)
    {
        faults.push(Reason::new(
            Code::InvalidName,
            format!("name: 1 to {QUERY_NAME_LEN_MAX} characters, not all blank, no controls"),
        ));
    }
    if definition.segments.iter().any(|segment| segment.order > ORDER_MAX) {
        faults.push(Reason::new(Code::LimitExceeded, format!("order: 0 to {ORDER_MAX}")));
    }
    let known = |segment: &crate::query::Segment, view: &str| {
        definition.inputs.iter().any(|input| input.alias == view)
            || definition
                .segments
                .iter()
                .any(|other| other.order < segment.order && other.view == view)
    };
    for segment in &definition.segments {
        for condition in &segment.pre_conditions {
            if !known(segment, &condition.view) {
                faults.push(Reason::new(
                    Code::InvalidQuery,
                    format!(
                        "pre_conditions of {}: {} is no input or earlier view",
                        segment.view, condition.view
                    ),
                ));
            }
        }
    }
    faults
}

/// A post-filter must be on a column that its segment gives, and on a number.
fn post_filter_faults(definition: &Definition, analysis: &Analysis) -> Vec<Reason> {
    let fault = |view: &str, column: &str, what: &str| {
        Reason::new(Code::InvalidQuery, format!("post_filters of {view}: {column} {what}"))
    };
    let mut faults = Vec::new();
    for segment in &definition.segments {
        let Some(analysed) =
            analysis.segments.iter().find(|analysed| analysed.view == segment.view)
        else {
            continue;
        };
        for filter in &segment.post_filters {
            match analysed
                .output
                .iter()
                .find(|column| column.name.eq_ignore_ascii_case(&filter.column))
            {
                None => faults.push(fault(&segment.view, &filter.column, "is no column of it")),
                Some(column) => match column.kind {
                    None | Some(ColumnType::Long | ColumnType::Double | ColumnType::Decimal(_)) => {
                    }
                    Some(
                        ColumnType::String
                        | ColumnType::Boolean
                        | ColumnType::Date
                        | ColumnType::Timestamp,
                    ) => faults.push(fault(&segment.view, &filter.column, "is no number")),
                },
            }
        }
    }
    faults
}

/// Whether a value of type `given` can be written to a column that declares `declared`: one of its
/// own, and a decimal as the double that is nearest.
fn is_written_as(given: ColumnType, declared: ColumnType) -> bool {
    given == declared || matches!((given, declared), (ColumnType::Decimal(_), ColumnType::Double))
}

/// The last segment must give the output dataset's columns, in their order, of their types.
fn output_faults(analysis: &Analysis, output: &PublishedVersion) -> Vec<Reason> {
    let Some(last) = analysis.segments.last() else { return Vec::new() };
    let declared = &output.descriptor.columns;
    let names = |columns: &[Column]| {
        columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let given: Vec<_> = last.output.iter().map(|column| column.name.as_str()).collect();
    if given.len() != declared.len()
        || given.iter().zip(declared).any(|(given, declared)| *given != declared.name)
    {
        return vec![Reason::new(
            Code::InvalidQuery,
            format!(
                "the last segment gives ({}), and the output {} has ({})",
                given.join(", "),
                output.descriptor.name,
                names(declared)
            ),
        )];
    }
    last.output
        .iter()
        .zip(declared)
        .filter(|(given, declared)| {
            given.kind.is_some_and(|kind| !is_written_as(kind, declared.kind))
        })
        .map(|(given, declared)| {
            Reason::new(
                Code::InvalidQuery,
                format!(
                    "{} is of type {}, and the output {} declares {}",
                    given.name,
                    given.kind.map_or_else(|| "unknown".to_owned(), |kind| kind.to_string()),
                    output.descriptor.name,
                    declared.kind
                ),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal::Decimal;

    #[test]
    fn a_decimal_is_written_as_its_own_type_or_as_a_double() {
        let decimal =
            |precision, scale| ColumnType::Decimal(Decimal::new(precision, scale).unwrap());
        let price = decimal(15, 2);
        assert!(is_written_as(price, price));
        assert!(is_written_as(price, ColumnType::Double));
        for other in [decimal(16, 2), decimal(15, 3), ColumnType::Long, ColumnType::String] {
            assert!(!is_written_as(price, other), "{other}");
            assert!(!is_written_as(other, price), "{other}");
        }
        assert!(!is_written_as(ColumnType::Double, price));
    }
}
