//! Reads a query and its inputs as JSON and prints the job that would run, for tests of other parts.
//!
//! In: `{"inputs": {alias: {column: type}}, "segments": [{"order", "view", "sql"}]}`, with inputs that
//! have no floor and no rules. `"privacy": {alias: policy}` and `"loss"`, in their wire form, ask for
//! differential privacy. Out: the analysed segments, or the refusals with exit code 1.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use chancery_governance::dataset::{AccessPolicy, Column};
use chancery_governance::privacy::{DifferentialPrivacy, Loss, spec};
use chancery_governance::sql::{self, AnalysedSegment, Analysis, Relation, SegmentText};
use chancery_governance::wire::Wire as _;
use chancery_ledger::codec::{Key, Value as Item};
use serde_json::{Value, json};

fn main() -> io::Result<ExitCode> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let queries: Vec<Value> = serde_json::from_str(&text)?;
    let mut refused = false;
    let answers: Vec<Value> = queries
        .iter()
        .map(|query| match answer(query) {
            Some(Ok(analysis)) => analysis,
            Some(Err(refusals)) => {
                refused = true;
                refusals
            }
            None => {
                refused = true;
                json!({"refusals": ["the query is not of the form that this program reads"]})
            }
        })
        .collect();
    writeln!(io::stdout(), "{}", Value::from(answers))?;
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn answer(query: &Value) -> Option<Result<Value, Value>> {
    let mut inputs = Vec::new();
    for (alias, columns) in query.get("inputs")?.as_object()? {
        let columns = columns.as_object()?.iter().map(|(name, kind)| {
            Some(Column { name: name.clone(), kind: kind.as_str()?.parse().ok()? })
        });
        let columns: Vec<Column> = columns.collect::<Option<_>>()?;
        let policy = AccessPolicy {
            allowed_columns: columns.iter().map(|column| column.name.clone()).collect(),
            differential_privacy: asked(query, alias)?,
            ..AccessPolicy::default()
        };
        inputs.push((alias.as_str(), columns, policy));
    }
    let relations: Vec<Relation<'_>> =
        inputs.iter().map(|(alias, columns, policy)| Relation { alias, columns, policy }).collect();
    let segments = query.get("segments")?.as_array()?.iter().map(|segment| {
        Some(SegmentText {
            order: u32::try_from(segment.get("order")?.as_u64()?).ok()?,
            view: segment.get("view")?.as_str()?,
            sql: segment.get("sql")?.as_str()?,
        })
    });
    let segments: Vec<SegmentText<'_>> = segments.collect::<Option<_>>()?;
    Some(match sql::analyse(&segments, &relations, &[]) {
        Ok(analysis) => Ok(told(&analysis, loss(query))),
        Err(refusals) => {
            let refusals: Vec<String> = refusals.iter().map(ToString::to_string).collect();
            Err(json!({ "refusals": refusals }))
        }
    })
}

fn told(analysis: &Analysis, loss: Option<Loss>) -> Value {
    let mut segments: Vec<Value> = analysis.segments.iter().map(segment).collect();
    let plan = analysis.private.as_ref();
    if let (Some(last), Some(plan)) = (segments.last_mut(), plan) {
        last["output"] = to_json(&spec::encode_output(plan));
    }
    let privacy = plan.zip(loss).map(|(plan, loss)| to_json(&spec::encode(plan, loss)));
    json!({"segments": segments, "loads": analysis.loads, "privacy": privacy})
}

/// What an input asks for, if it does; nothing where that is not of the wire form.
#[expect(clippy::option_option, reason = "not asked for, or asked for in a form that is none")]
fn asked(query: &Value, alias: &str) -> Option<Option<DifferentialPrivacy>> {
    match query.get("privacy").and_then(|asked| asked.get(alias)) {
        Some(policy) => DifferentialPrivacy::decode(&of_json(policy)).ok().map(Some),
        None => Some(None),
    }
}

fn loss(query: &Value) -> Option<Loss> {
    Loss::decode(&of_json(query.get("loss")?)).ok()
}

fn of_json(json: &Value) -> Item {
    match json {
        Value::Null => Item::Null,
        Value::Bool(bool) => Item::Bool(*bool),
        Value::Number(number) => Item::Int(number.as_i64().unwrap_or_default().into()),
        Value::String(text) => Item::text(text),
        Value::Array(items) => Item::Array(items.iter().map(of_json).collect()),
        Value::Object(map) => {
            Item::map(map.iter().map(|(name, value)| (name.as_str(), of_json(value))))
        }
    }
}

fn to_json(item: &Item) -> Value {
    match item {
        Item::Bool(bool) => json!(bool),
        Item::Int(number) => json!(i64::try_from(*number).unwrap_or_default()),
        Item::Text(text) => json!(text),
        Item::Array(items) => items.iter().map(to_json).collect(),
        Item::Map(map) => map
            .iter()
            .map(|(key, value)| {
                let name = if let Key::Text(text) = key { text.0.clone() } else { String::new() };
                (name, to_json(value))
            })
            .collect(),
        _ => Value::Null,
    }
}

fn segment(segment: &AnalysedSegment) -> Value {
    let mut reads = segment.reads.clone();
    for (relation, columns) in &segment.hidden {
        reads.entry(relation.clone()).or_default().extend(columns.iter().cloned());
    }
    let kinds: BTreeMap<&str, Option<String>> = segment
        .output
        .iter()
        .map(|column| (column.name.as_str(), column.kind.map(|kind| kind.to_string())))
        .collect();
    let output: Vec<&str> = segment.output.iter().map(|column| column.name.as_str()).collect();
    json!({
        "order": segment.order,
        "view": segment.view,
        "sql": segment.rewritten,
        "reads": reads,
        "output": output,
        "kinds": kinds,
    })
}
