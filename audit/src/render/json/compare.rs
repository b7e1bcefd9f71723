//! Two bundles held against one another, and files held against a log.

use serde_json::{Value, json};

use super::{list, moment, text, work};
use crate::diff::{Branch, Diff, Relation};
use crate::report::Report;
use crate::result::Results;

/// What stands between two bundles, as one JSON object, newline at the end.
pub fn diff_json(diff: &Diff) -> String {
    let mut object = json!({
        "format": "chancery-audit-diff/1",
        "outcome": diff.as_str(),
        "exit_code": diff.exit_code(),
        "a": side(&diff.a),
        "b": side(&diff.b),
    });
    match &diff.relation {
        Some(Relation::Grew { longer, added }) => {
            object["longer"] = json!(longer.as_str().to_lowercase());
            object["added"] = json!(added);
            let contents = diff.side(*longer).contents.as_ref();
            object["timeline"] =
                contents.map_or(Value::Null, |contents| moment::timeline(&contents.timeline));
        }
        Some(Relation::Fork { position, a, b }) => {
            object["fork"] = json!({ "position": position, "a": branch(a), "b": branch(b) });
        }
        Some(Relation::OtherLogs { what }) => object["differs"] = json!(what),
        Some(Relation::Part(side)) => object["part"] = json!(side.as_str().to_lowercase()),
        Some(Relation::Same) | None => {}
    }
    format!("{object:#}\n")
}

/// A report's verdict and whose log it is of, without the log.
fn side(report: &Report) -> Value {
    let mut side = super::report(&Report {
        verdict: report.verdict.clone(),
        contents: None,
        partial: None,
        standing: None,
    });
    if let Some(fields) = side.as_object_mut() {
        for field in ["format", "log", "partial", "standing", "checks", "exit_code"] {
            fields.remove(field);
        }
    }
    if let Some(contents) = &report.contents {
        side["hardware"] = json!(contents.hardware);
        side["origin"] = json!(contents.checkpoint.origin);
        side["size"] = json!(contents.checkpoint.size);
        side["root"] = text(&contents.checkpoint.root);
        side["checkpoint"] = json!(contents.note);
        side["service_key_id"] = text(&contents.service.key.id());
        side["key_was_expected"] = json!(contents.service.pinned);
        side["last_time_ms"] = json!(contents.last_time_ms);
    }
    if let Some(part) = &report.partial {
        side["hardware"] = json!(part.hardware);
        side["scope"] = json!(part.scope.to_string());
        side["origin"] = json!(part.checkpoint.origin);
        side["size"] = json!(part.checkpoint.size);
        side["included"] = json!(part.included);
        side["root"] = text(&part.checkpoint.root);
    }
    side
}

fn branch(branch: &Branch) -> Value {
    json!({
        "leaf": text(&branch.leaf),
        "kind": branch.kind,
        "subject": branch.subject,
        "time_ms": branch.time_ms,
    })
}

/// What a verified log says of some files, as one JSON object, newline at the end.
pub fn result_json(report: &Report, results: Option<&Results>) -> String {
    let exit_code = results.map_or(report.verdict.exit_code(), Results::exit_code);
    let object = json!({
        "format": "chancery-audit-result/1",
        "attested": results.map(Results::attested),
        "exit_code": exit_code,
        "bundle": side(report),
        "files": list(results.map_or(&[][..], |results| &results.files), |file| json!({
            "name": file.candidate.name,
            "digest": text(&file.candidate.digest),
            "bytes": file.candidate.bytes,
            "attested": list(&file.found, work::found),
        })),
        "results": results
            .into_iter()
            .flat_map(|results| &results.of)
            .map(|(run, (here, files))| json!({
                "run": text(run),
                "files_here": here,
                "files": files,
            }))
            .collect::<Vec<_>>(),
    });
    format!("{object:#}\n")
}
