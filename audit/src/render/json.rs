//! The report as JSON: ids, digests and keys as texts, times as milliseconds.

use std::fmt::Display;

use chancery_governance::member::Identity;
use chancery_governance::reason::Reason;
use chancery_governance::run::Attested;
use serde_json::{Value, json};

use crate::check::Verdict;
use crate::report::{
    By, Contents, Dataset, Executor, Mark, Member, Query, Report, Run, ServiceWord, Vote,
};

/// The report as one JSON object, indented, newline at the end.
pub fn render_json(report: &Report) -> String {
    let verdict = &report.verdict;
    let mut object = json!({
        "format": "chancery-audit-report/1",
        "verdict": verdict.as_str(),
        "exit_code": verdict.exit_code(),
        "hardware": report.contents.as_ref().map(|contents| contents.hardware),
        "log": report.contents.as_deref().map(contents),
        "partial": report.partial.as_deref().map(super::partial::part_json),
        "standing": report.standing.as_ref().map(super::partial::standing_json),
    });
    match verdict {
        Verdict::Verified => object["checks"] = list(&super::partial::checks(report), text),
        Verdict::Tampered { check, position, detail }
        | Verdict::Incomplete { check, position, detail } => {
            object["failure"] =
                json!({ "check": text(check), "position": position, "detail": detail });
        }
        Verdict::Unreadable { detail } => object["failure"] = json!({ "detail": detail }),
    }
    format!("{object:#}\n")
}

fn contents(contents: &Contents) -> Value {
    let service = &contents.service;
    json!({
        "collaboration": text(&contents.collaboration),
        "name": contents.name,
        "terms": {
            "member_signed": list(&contents.terms.member_signed, |act| act.as_str().into()),
            "insecure_virtual": contents.terms.insecure_virtual,
        },
        "service": {
            "name": service.name,
            "key": text(&service.key),
            "key_id": text(&service.key.id()),
            "key_was_expected": service.pinned,
            "platform": service.platform.as_str(),
            "measurement": text(&service.measurement),
        },
        "origin": contents.checkpoint.origin,
        "size": contents.checkpoint.size,
        "root": text(&contents.checkpoint.root),
        "first_time_ms": contents.first_time_ms,
        "last_time_ms": contents.last_time_ms,
        "exported_at_ms": contents.exported_at_ms,
        "members": list(&contents.members, member),
        "datasets": list(&contents.datasets, dataset),
        "queries": list(&contents.queries, query),
        "runs": list(&contents.runs, run),
        "marks": list(&contents.marks, mark),
        "service_word": list(&contents.service_word, service_word),
        "not_checked": contents.not_checked,
    })
}

fn member(member: &Member) -> Value {
    json!({
        "id": text(&member.id),
        "organisation": member.organisation,
        "identity": identity(&member.identity),
        "abilities": list(&member.abilities, |ability| ability.as_str().into()),
        "keys": list(&member.keys, |key| json!({
            "key": text(&key.key),
            "key_id": text(&key.key.id()),
            "registered_at": key.registered_at,
            "by": by(&key.by),
            "named_in_invitation": key.invited,
            "revoked_at": key.revoked_at,
        })),
    })
}

fn identity(identity: &Identity) -> Value {
    json!({
        "issuer": identity.issuer,
        "tenant": identity.tenant,
        "subject": identity.subject,
    })
}

fn dataset(dataset: &Dataset) -> Value {
    json!({
        "id": text(&dataset.id),
        "name": dataset.name,
        "owner": text(&dataset.owner),
        "access_mode": dataset.access_mode.as_str(),
        "retired": dataset.retired,
        "versions": list(&dataset.versions, |version| json!({
            "position": version.position,
            "digest": text(&version.digest),
        })),
    })
}

fn query(query: &Query) -> Value {
    json!({
        "id": text(&query.id),
        "name": query.name,
        "author": text(&query.author),
        "state": query.state,
        "digest": query.digest.as_ref().map(text),
        "approvers": list(&query.approvers, text),
        "votes": list(&query.votes, vote),
    })
}

fn vote(vote: &Vote) -> Value {
    json!({
        "position": vote.position,
        "member": text(&vote.member),
        "approves": vote.approves,
        "digest": text(&vote.digest),
        "by": by(&vote.by),
        "void": vote.void,
    })
}

fn by(by: &By) -> Value {
    match by {
        By::Key(key) => json!({ "kind": "key", "key_id": text(key) }),
        By::ServiceWitnessed => json!({ "kind": "service-witnessed" }),
        By::Consequence(of) => json!({ "kind": "consequence", "of": of }),
    }
}

fn run(run: &Run) -> Value {
    json!({
        "id": text(&run.id),
        "query": text(&run.query),
        "query_digest": run.query_digest.as_ref().map(text),
        "runner": text(&run.runner),
        "requested_at": run.requested_at,
        "by": by(&run.by),
        "state": run.state,
        "ended_at": run.ended_at,
        "executor": run.executor.as_ref().map(executor),
        "job_spec": run.job_spec.as_ref().map(text),
        "votes": run.votes,
        "result": run.result.as_deref().map(result),
        "reasons": list(&run.reasons, reason),
        "failure": run.failure.as_ref().map(|(code, detail)| json!({
            "code": code,
            "detail": detail,
        })),
    })
}

fn executor(executor: &Executor) -> Value {
    json!({
        "admitted_at": executor.position,
        "key_id": text(&executor.key),
        "platform": executor.platform.as_str(),
        "measurement": text(&executor.measurement),
    })
}

fn reason(reason: &Reason) -> Value {
    json!({
        "code": reason.code.as_str(),
        "subject": reason.subject,
        "detail": reason.detail,
    })
}

fn result(result: &Attested) -> Value {
    let statistics = &result.statistics;
    json!({
        "query_digest": text(&result.query_digest),
        "votes": list(&result.votes, text),
        "inputs": list(&result.inputs, |version| json!({
            "dataset": text(&version.dataset),
            "digest": text(&version.digest),
        })),
        "application": text(&result.application),
        "engine": { "name": result.engine.name, "version": result.engine.version },
        "job_spec": text(&result.job_spec),
        "manifest": {
            "files": list(&result.manifest.files, |file| json!({
                "path": file.path,
                "digest": text(&file.digest),
                "bytes": file.bytes,
            })),
            "rows": result.manifest.rows,
            "columns": list(&result.manifest.columns, |column| json!({
                "name": column.name,
                "type": column.kind.as_str(),
            })),
        },
        "statistics": {
            "inputs": list(&statistics.inputs, |input| json!({
                "alias": input.alias,
                "rows": input.rows,
            })),
            "segments": list(&statistics.segments, |segment| json!({
                "view": segment.view,
                "rows": segment.rows,
                "duration_ms": segment.duration_ms,
            })),
            "rows_written": statistics.rows_written,
        },
    })
}

fn mark(mark: &Mark) -> Value {
    json!({
        "subject": text(&mark.subject),
        "kind": mark.kind.as_str(),
        "members": list(&mark.members, text),
    })
}

fn service_word(word: &ServiceWord) -> Value {
    match word {
        ServiceWord::Witnessed { position, action, identity: who } => json!({
            "kind": "witnessed",
            "position": position,
            "action": action,
            "identity": identity(who),
        }),
        ServiceWord::EmailMatched { position, invitation } => json!({
            "kind": "email-matched",
            "position": position,
            "invitation": text(invitation),
        }),
    }
}

fn text(value: &impl Display) -> Value {
    Value::String(value.to_string())
}

fn list<T>(items: &[T], item: impl Fn(&T) -> Value) -> Value {
    Value::Array(items.iter().map(item).collect())
}
