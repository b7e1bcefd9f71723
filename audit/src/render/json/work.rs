//! Datasets, queries, runs, and who got what by them.

use chancery_governance::reason::Reason;
use chancery_governance::run::Attested;
use chancery_governance::usage::Receiver;
use chancery_governance::wire::Wire as _;
use serde_json::{Value, json};

use super::{by, list, stamp, text};
use crate::render::{agreed, words};
use crate::report::{
    Bound, Code, Dataset, Executor, Found, Mark, Query, Recipient, Release, Released, Run, Vote,
};

pub fn dataset(dataset: &Dataset) -> Value {
    json!({
        "id": text(&dataset.id),
        "name": dataset.name,
        "owner": text(&dataset.owner),
        "access_mode": dataset.access_mode.as_str(),
        "retired": dataset.retired,
        "budgets": list(&dataset.usage.budgets, |budget| json!({
            "period": budget.period.as_str(),
            "runs": budget.runs,
            "each_runner": budget.each_runner,
        })),
        "receivers": list(&dataset.usage.receivers, |receiver| match receiver {
            Receiver::Member(id) => json!({ "kind": "member", "member": text(id) }),
            Receiver::Organisation(name) => {
                json!({ "kind": "organisation", "organisation": name })
            }
            Receiver::Ability(ability) => {
                json!({ "kind": "ability", "ability": ability.as_str() })
            }
        }),
        "versions": list(&dataset.versions, |version| json!({
            "position": version.position,
            "digest": text(&version.digest),
        })),
        "versions_left_out": dataset.versions.left_out(),
    })
}

pub fn query(query: &Query) -> Value {
    json!({
        "id": text(&query.id),
        "name": query.name,
        "author": text(&query.author),
        "state": query.state,
        "digest": query.digest.as_ref().map(text),
        "approvers": list(&query.approvers, text),
        "groups": list(&query.groups, |group| agreed::wire(&group.encode())),
        "votes": list(&query.votes, vote),
        "votes_left_out": query.votes.left_out(),
    })
}

fn vote(vote: &Vote) -> Value {
    json!({
        "position": vote.position,
        "time_ms": vote.time_ms,
        "member": text(&vote.member),
        "approves": vote.approves,
        "digest": text(&vote.digest),
        "by": by(&vote.by),
        "rule": vote.rule.as_ref().map(agreed::by_rule_json),
        "void": vote.void,
    })
}

pub fn run(run: &Run) -> Value {
    json!({
        "id": text(&run.id),
        "query": text(&run.query),
        "query_digest": run.query_digest.as_ref().map(text),
        "runner": text(&run.runner),
        "requested": stamp(&run.requested),
        "by": by(&run.by),
        "state": run.state,
        "submitted": run.submitted.as_ref().map(stamp),
        "started": run.started.as_ref().map(stamp),
        "ended": run.ended.as_ref().map(stamp),
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
        "admitted": stamp(&executor.admitted),
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
                "type": column.kind.to_string(),
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
        "privacy": result.privacy.as_ref().map(|noised| agreed::wire(&noised.encode())),
    })
}

pub fn mark(mark: &Mark) -> Value {
    json!({
        "subject": text(&mark.subject),
        "kind": mark.kind.as_str(),
        "members": list(&mark.members, text),
    })
}

pub fn bound(bound: &Bound) -> Value {
    let version = |version: &chancery_governance::query::DatasetVersion| json!({ "dataset": text(&version.dataset), "digest": text(&version.digest) });
    json!({
        "query": text(&bound.query),
        "name": bound.name,
        "segments": list(&bound.segments, |segment| json!({
            "order": segment.order,
            "view": segment.view,
            "sql": segment.sql,
            "pre_conditions": list(&segment.pre_conditions, |condition| json!({
                "view": condition.view,
                "min_rows": condition.min_rows,
            })),
            "post_filters": list(&segment.post_filters, |filter| json!({
                "column": filter.column,
                "minimum": filter.minimum,
            })),
        })),
        "rewritten": list(&bound.rewritten, |segment| json!({
            "view": segment.view,
            "sql": segment.sql,
        })),
        "privacy": bound.privacy.map(|loss| agreed::wire(&loss.encode())),
        "parameters": list(&bound.parameters, |parameter| json!({
            "name": parameter.name,
            "type": words::literal(&parameter.value),
            "value": words::value(&parameter.value),
        })),
        "inputs": list(&bound.inputs, |(alias, input)| json!({
            "alias": alias,
            "version": version(input),
        })),
        "output": version(&bound.output),
        "applications": list(&bound.applications, text),
        "policies": list(&bound.policies, |(alias, policy)| json!({
            "alias": alias,
            "policy": words::policy(policy),
        })),
        "lineage": list(&bound.lineage, |column| json!({
            "column": column.name,
            "type": column.kind.map(|kind| kind.to_string()),
            "aggregated": column.aggregated,
            "sources": column.sources.iter().map(|(input, name)| json!({
                "input": input,
                "column": name,
            })).collect::<Value>(),
        })),
    })
}

pub fn code(code: &Code) -> Value {
    json!({
        "query": text(&code.query),
        "query_digest": text(&code.query_digest),
        "executor_key_id": text(&code.executor),
        "platform": code.platform.as_str(),
        "measurement": text(&code.measurement),
        "admissions": code.admissions,
        "first_position": code.first,
        "last_position": code.last,
    })
}

pub fn release(release: &Release) -> Value {
    let to = match &release.to {
        Recipient::Executor { key, platform, measurement } => json!({
            "kind": "executor",
            "key_id": text(key),
            "platform": platform.as_str(),
            "measurement": text(measurement),
        }),
        Recipient::Member(member) => json!({ "kind": "member", "member": text(member) }),
    };
    let what = match &release.what {
        Released::Datasets(versions) => json!({
            "kind": "datasets",
            "versions": list(versions, |version| json!({
                "dataset": text(&version.dataset),
                "digest": text(&version.digest),
            })),
        }),
        Released::Secret { dataset, ciphertext, recipient } => json!({
            "kind": "secret",
            "dataset": text(&dataset.dataset),
            "digest": text(&dataset.digest),
            "ciphertext": text(ciphertext),
            "recipient": text(recipient),
        }),
        Released::Token { dataset, audience, expires_ms, recipient } => json!({
            "kind": "token",
            "dataset": text(&dataset.dataset),
            "digest": text(&dataset.digest),
            "audience": audience,
            "expires_ms": expires_ms,
            "recipient": text(recipient),
        }),
        Released::Result { dataset, files, rows } => json!({
            "kind": "result",
            "dataset": text(&dataset.dataset),
            "digest": text(&dataset.digest),
            "files": files,
            "rows": rows,
        }),
    };
    json!({
        "at": stamp(&release.stamp),
        "run": text(&release.run),
        "query": text(&release.query),
        "to": to,
        "what": what,
    })
}

pub fn found(found: &Found) -> Value {
    json!({
        "attested": stamp(&found.stamp),
        "run": text(&found.run),
        "query": text(&found.query),
        "query_digest": text(&found.query_digest),
        "path": found.path,
        "bytes": found.bytes,
        "result_files": found.files,
        "result_rows": found.rows,
        "platform": found.platform.as_str(),
        "measurement": text(&found.application),
    })
}
