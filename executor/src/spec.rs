//! The job spec: everything that the Spark application may do, signed by the executor.
//!
//! A canonical CBOR map with text keys in a `COSE_Sign1`; `executor/spark/chancery_app/spec.py`
//! reads it and refuses anything else. The same run, state and expiry give the same bytes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::binding;
use chancery_governance::consent::ConsentKind;
use chancery_governance::dataset::{Column, ColumnType, Encryption, Format};
use chancery_governance::privacy::spec;
use chancery_governance::query::{Binding, Definition, Input, Segment};
use chancery_governance::sql::{AnalysedSegment, Analysis, PrivatePlan};
use chancery_governance::state::run::Run;
use chancery_governance::state::{Collaboration, PublishedVersion};
use chancery_ledger::codec::{self, Value};
use chancery_ledger::cose::{self, ContentType};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{DatasetId, RunId};
use chancery_ledger::key::{PublicKey, SigningKey};

use crate::machine::SpecFacts;
use crate::paths::{DataRoot, Home, PathError};

/// The format's version.
pub const VERSION: u64 = 1;
/// Who a spec is for.
pub const AUDIENCE: &str = "chancery/v1/spark-application";
/// How long a spec can be started from, in milliseconds: a day. One that ended is made anew, by an
/// admission of its own.
pub const LIFE_MS: u64 = 24 * 60 * 60 * 1000;

/// Why no spec can be made of an admitted run: the run fails for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// A stable code.
    pub code: &'static str,
    /// One line, without data or paths.
    pub detail: String,
}

impl Refusal {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    fn path(alias: &str, error: &PathError) -> Self {
        let code = match error {
            PathError::NotPlain | PathError::Escapes => "dataset_path_refused",
            PathError::TooLarge | PathError::Unreadable(_) => "dataset_unreadable",
        };
        Self::new(code, format!("{alias}: {error}"))
    }
}

/// What a spec is made of.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The verified state.
    pub state: &'a Collaboration,
    /// The run's id.
    pub id: RunId,
    /// The run.
    pub run: &'a Run,
    /// The application that the spec is for.
    pub application: Digest,
    /// Where datasets lie.
    pub root: &'a DataRoot,
    /// When it ends: milliseconds since the Unix epoch.
    pub expires_ms: u64,
}

/// Makes and signs the job spec of an admitted run.
///
/// # Errors
///
/// [`Refusal`].
pub fn build(request: &Request<'_>, key: &SigningKey) -> Result<Vec<u8>, Refusal> {
    let payload = payload(request, key.public())?;
    Ok(cose::sign(ContentType::JobSpec, &codec::encode(&payload), key))
}

fn payload(request: &Request<'_>, key: &PublicKey) -> Result<Value, Refusal> {
    let Request { state, id, run, application, root, expires_ms } = *request;
    let proposal = state.queries.get(&run.query).and_then(|query| query.live_proposal());
    let proposal =
        proposal.filter(|proposal| Some(proposal.digest) == run.digest).ok_or_else(|| {
            Refusal::new("query_changed", "the query is not the one that was admitted")
        })?;
    let bound = &proposal.binding;
    let definition = &bound.definition;
    let missing =
        || Refusal::new("dataset_version_missing", "a bound dataset version is not in the log");
    let versions: Vec<_> = bound
        .inputs
        .iter()
        .map(|version| state.dataset_at(version).ok_or_else(missing))
        .collect::<Result<_, _>>()?;
    let output = state.dataset_at(&bound.output).ok_or_else(missing)?;
    let analysis = analysis(bound, &versions)?;
    let inputs = definition
        .inputs
        .iter()
        .zip(&versions)
        .map(|(input, version)| {
            let home = home(state, input.dataset).ok_or_else(missing)?;
            encode_input(input, version, &analysis, (root, home))
        })
        .collect::<Result<_, _>>()?;
    let output_home = home(state, bound.output.dataset).ok_or_else(missing)?;
    let folder = root
        .output(output_home, &output.descriptor.store, &id.to_string())
        .map_err(|error| Refusal::path("the output", &error))?;
    let last = analysis.segments.len().saturating_sub(1);
    let segments = analysis.segments.iter().enumerate().map(|(place, segment)| {
        let private = analysis.private.as_ref().filter(|_| place == last);
        encode_segment(segment, definition, private)
    });
    let mut fields = vec![
        ("v", Value::from(VERSION)),
        ("audience", Value::text(AUDIENCE)),
        ("collaboration", Value::text(state.id.to_string())),
        ("run", Value::text(id.to_string())),
        ("query", Value::text(run.query.to_string())),
        ("query_digest", Value::text(proposal.digest.to_string())),
        ("application_measurement", Value::text(application.to_string())),
        ("executor_public_key", Value::text(URL_SAFE_NO_PAD.encode(key.bytes()))),
        ("nonce", Value::text(run.request_leaf.to_string())),
        ("expires_ms", Value::from(expires_ms)),
        ("inputs", Value::Array(inputs)),
        ("output", encode_target(bound.output.dataset, output, folder)?),
        ("segments", Value::Array(segments.collect())),
    ];
    if let (Some(plan), Some(loss)) = (&analysis.private, definition.privacy) {
        fields.push(("privacy", spec::encode(plan, loss)));
    }
    let withheld = withheld(state, run);
    if !withheld.is_empty() {
        fields.push(("withheld", Value::Array(withheld.into_iter().map(Value::text).collect())));
    }
    Ok(Value::map(fields))
}

/// What the application may not tell of the run, as consent stands now.
fn withheld(state: &Collaboration, run: &Run) -> Vec<&'static str> {
    let kinds = [ConsentKind::Logging, ConsentKind::Telemetry];
    let withheld = kinds.into_iter().filter(|kind| state.is_withheld(run.query, *kind));
    withheld.map(|kind| kind.as_str()).collect()
}

/// Analyses the bound texts again: it must give what was voted on.
fn analysis(bound: &Binding, versions: &[&PublishedVersion]) -> Result<Analysis, Refusal> {
    let differs =
        || Refusal::new("analysis_differs", "this release analyses the query to another text");
    let analysis = binding::analyse(&bound.definition, versions).map_err(|_| differs())?;
    let same =
        analysis.segments.len() == bound.rewritten.len()
            && analysis.segments.iter().zip(&bound.rewritten).all(|(segment, bound)| {
                segment.view == bound.view && segment.rewritten == bound.sql
            });
    if same { Ok(analysis) } else { Err(differs()) }
}

/// The folder of a dataset's owner.
fn home(state: &Collaboration, dataset: DatasetId) -> Option<Home> {
    let owner = state.datasets.get(&dataset)?.owner;
    Some(Home { collaboration: state.id, owner })
}

fn encode_input(
    input: &Input,
    version: &PublishedVersion,
    analysis: &Analysis,
    (root, home): (&DataRoot, Home),
) -> Result<Value, Refusal> {
    let descriptor = &version.descriptor;
    let path =
        root.input(home, &descriptor.store).map_err(|error| Refusal::path(&input.alias, &error))?;
    let loads = analysis.loads.get(&input.alias);
    let read = |name: &str| {
        loads.is_some_and(|loads| loads.iter().any(|load| load.eq_ignore_ascii_case(name)))
    };
    let names = descriptor.columns.iter().map(|column| column.name.as_str());
    let mut allowed: Vec<_> = names.filter(|name| read(name)).map(Value::text).collect();
    if allowed.is_empty() {
        // Only its rows count; a view needs a column all the same.
        allowed.extend(descriptor.policy.allowed_columns.first().map(Value::text));
    }
    let null_value = match &descriptor.format {
        Format::Csv { null_value: Some(text) } => Value::text(text),
        Format::Csv { null_value: None } | Format::Json | Format::Parquet => Value::Null,
    };
    let mut fields = vec![
        ("alias", Value::text(&input.alias)),
        ("dataset", Value::text(input.dataset.to_string())),
        ("version_digest", Value::text(version.digest.to_string())),
        ("format", Value::text(format_name(&descriptor.format))),
        ("path", path_text(path)?),
        ("null_value", null_value),
        ("columns", encode_columns(&descriptor.columns)),
        ("allowed_columns", Value::Array(allowed)),
        ("row_identity", Value::Bool(analysis.row_identities.contains_key(&input.alias))),
    ];
    match descriptor.encryption {
        Encryption::None => {}
        encryption @ Encryption::ChunkedAes256Gcm => {
            fields.push(("encryption", Value::text(encryption.as_str())));
        }
    }
    Ok(Value::map(fields))
}

fn encode_segment(
    segment: &AnalysedSegment,
    definition: &Definition,
    private: Option<&PrivatePlan>,
) -> Value {
    let written = definition.segments.iter().find(|written| written.view == segment.view);
    let pre = written.map_or(&[][..], |written: &Segment| &written.pre_conditions);
    let post = written.map_or(&[][..], |written: &Segment| &written.post_filters);
    let digest = |text: &str| Value::text(Digest::of(text.as_bytes()).to_string());
    let minimum = |column: &str, minimum: u64| {
        Value::map([("column", Value::text(column)), ("minimum", Value::from(minimum))])
    };
    let pre = pre.iter().map(|condition| {
        Value::map([
            ("view", Value::text(&condition.view)),
            ("min_rows", Value::from(condition.min_rows)),
        ])
    });
    let post = post.iter().map(|filter| minimum(&filter.column, filter.minimum));
    let groups = segment.groups.iter().map(|floor| minimum(&floor.column, floor.minimum));
    Value::map([
        ("order", Value::from(u64::from(segment.order))),
        ("view", Value::text(&segment.view)),
        ("text", Value::text(&segment.text)),
        ("sql", Value::text(&segment.rewritten)),
        ("text_digest", digest(&segment.text)),
        ("sql_digest", digest(&segment.rewritten)),
        ("reads", encode_reads(segment)),
        ("output", private.map_or_else(|| encode_output(segment), spec::encode_output)),
        ("pre_conditions", Value::Array(pre.collect())),
        ("post_filters", Value::Array(post.collect())),
        ("groups", Value::Array(groups.collect())),
    ])
}

/// What Spark must find that the text reads: the columns of each relation, hidden ones too.
fn encode_reads(segment: &AnalysedSegment) -> Value {
    let mut reads = segment.reads.clone();
    for (relation, columns) in &segment.hidden {
        reads.entry(relation.clone()).or_default().extend(columns.iter().cloned());
    }
    let relation = |(relation, columns): (&String, &BTreeSet<String>)| {
        Value::map([
            ("relation", Value::text(relation)),
            ("columns", Value::Array(columns.iter().map(Value::text).collect())),
        ])
    };
    Value::Array(reads.iter().map(relation).collect())
}

/// The columns that Spark must find that the text gives, in their order, hidden ones last.
fn encode_output(segment: &AnalysedSegment) -> Value {
    let shown = segment.output.iter().map(|column| &column.name);
    let carried = segment.carries.iter().map(|carried| &carried.column);
    let counted = segment.groups.iter().map(|group| &group.column);
    Value::Array(shown.chain(carried).chain(counted).map(Value::text).collect())
}

/// Where the result goes. Its columns stand there where one of them is a decimal: any other type
/// follows from what Spark gives.
fn encode_target(
    dataset: DatasetId,
    version: &PublishedVersion,
    folder: PathBuf,
) -> Result<Value, Refusal> {
    let columns = &version.descriptor.columns;
    let mut fields = vec![
        ("dataset", Value::text(dataset.to_string())),
        ("format", Value::text(format_name(&version.descriptor.format))),
        ("path", path_text(folder)?),
    ];
    if columns.iter().any(|column| matches!(column.kind, ColumnType::Decimal(_))) {
        fields.push(("columns", encode_columns(columns)));
    }
    Ok(Value::map(fields))
}

fn encode_columns(columns: &[Column]) -> Value {
    let one = |column: &Column| {
        Value::map([
            ("name", Value::text(&column.name)),
            ("type", Value::text(column.kind.to_string())),
        ])
    };
    Value::Array(columns.iter().map(one).collect())
}

const fn format_name(format: &Format) -> &'static str {
    match format {
        Format::Csv { .. } => "csv",
        Format::Json => "json",
        Format::Parquet => "parquet",
    }
}

fn path_text(path: PathBuf) -> Result<Value, Refusal> {
    path.into_os_string()
        .into_string()
        .map(Value::Text)
        .map_err(|_| Refusal::new("dataset_path_refused", "a path is not UTF-8"))
}

/// A spec as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What the machine needs of it.
    pub facts: SpecFacts,
    /// The folder of the result.
    pub output: PathBuf,
}

/// Reads a stored spec; none where `key` did not sign it for the run `id`.
pub fn read(bytes: &[u8], id: RunId, key: &PublicKey) -> Option<Stored> {
    let message = cose::parse(ContentType::JobSpec, bytes).ok()?;
    message.verify(key).ok()?;
    let payload = codec::decode(message.payload()).ok()?;
    if text(&payload, "run")? != id.to_string() {
        return None;
    }
    let expires_ms = match field(&payload, "expires_ms")? {
        Value::Int(number) => u64::try_from(*number).ok()?,
        _ => return None,
    };
    let facts = SpecFacts {
        digest: Digest::of(bytes),
        expires_ms,
        application: text(&payload, "application_measurement")?.parse().ok()?,
    };
    let output = PathBuf::from(text(field(&payload, "output")?, "path")?);
    Some(Stored { facts, output })
}

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    if let Value::Map(map) = value { map.get(&name.into()) } else { None }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    if let Value::Text(text) = field(value, name)? { Some(text) } else { None }
}
