//! The report as JSON: ids, digests and keys as texts, times as milliseconds.
//!
//! The field names are stable within a `format`. A list that ends at a bound stands beside a number
//! `<list>_left_out`.

mod compare;
mod moment;
mod work;

use std::fmt::Display;

use chancery_governance::member::Identity;
use chancery_governance::state::lifecycle::Lifecycle;
use serde_json::{Value, json};

use super::agreed;
use crate::check::Verdict;
use crate::report::{By, Contents, Member, NotChecked, Places, Report, ServiceWord, Stamp};

pub use compare::{diff_json, result_json};

/// The form of [`render_json`], of [`diff_json`] and of [`result_json`].
pub const FORMAT: &str = "chancery-audit-report/2";

/// The report as one JSON object, indented, newline at the end.
pub fn render_json(report: &Report) -> String {
    format!("{:#}\n", self::report(report))
}

fn report(report: &Report) -> Value {
    let verdict = &report.verdict;
    let mut object = json!({
        "format": FORMAT,
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
    object
}

fn contents(contents: &Contents) -> Value {
    let service = &contents.service;
    json!({
        "collaboration": text(&contents.collaboration),
        "name": contents.name,
        "terms": agreed::terms_json(&contents.terms),
        "lifecycle": lifecycle(&contents.lifecycle),
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
        "checkpoint": contents.note,
        "first_time_ms": contents.first_time_ms,
        "last_time_ms": contents.last_time_ms,
        "exported_at_ms": contents.exported_at_ms,
        "members": list(&contents.members, member),
        "members_left_out": contents.members.left_out(),
        "datasets": list(&contents.datasets, work::dataset),
        "datasets_left_out": contents.datasets.left_out(),
        "queries": list(&contents.queries, work::query),
        "queries_left_out": contents.queries.left_out(),
        "changes": list(&contents.changes, |one| agreed::change_json(one, by)),
        "changes_left_out": contents.changes.left_out(),
        "rules": list(&contents.rules, |one| agreed::rule_json(one, by)),
        "rules_left_out": contents.rules.left_out(),
        "proposals": contents
            .bound
            .iter()
            .map(|(digest, bound)| (digest.to_string(), work::bound(bound)))
            .collect::<serde_json::Map<_, _>>(),
        "proposals_left_out": contents.bound_left_out,
        "runs": list(&contents.runs, work::run),
        "runs_left_out": contents.runs.left_out(),
        "code": list(&contents.code, work::code),
        "code_admissions_left_out": contents.code.left_out(),
        "releases": list(&contents.releases, work::release),
        "releases_left_out": contents.releases.left_out(),
        "secrets_released": contents.secrets,
        "marks": list(&contents.marks, work::mark),
        "marks_left_out": contents.marks.left_out(),
        "service_word": service_word(&contents.service_word),
        "timeline": moment::timeline(&contents.timeline),
        "at": contents.at.as_ref().map(moment::at),
        "not_checked": list(&contents.not_checked, |NotChecked { what, why }| json!({
            "what": what,
            "why": why,
        })),
    })
}

fn lifecycle(lifecycle: &Lifecycle) -> Value {
    let standing = match lifecycle {
        Lifecycle::Open => None,
        Lifecycle::Paused(standing) | Lifecycle::Closed(standing) => Some(json!({
            "member": text(&standing.by),
            "position": standing.position,
            "time_ms": standing.time_ms,
            "reason": standing.reason,
        })),
    };
    json!({ "state": lifecycle.name(), "stopped": standing })
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
        "keys_left_out": member.keys.left_out(),
        "departed": member.departed.as_ref().map(agreed::departed_json),
    })
}

fn identity(identity: &Identity) -> Value {
    json!({
        "issuer": identity.issuer,
        "tenant": identity.tenant,
        "subject": identity.subject,
    })
}

fn by(by: &By) -> Value {
    match by {
        By::Key(key) => json!({ "kind": "key", "key_id": text(key) }),
        By::ServiceWitnessed => json!({ "kind": "service-witnessed" }),
        By::Consequence(of) => json!({ "kind": "consequence", "of": of }),
    }
}

fn stamp(stamp: &Stamp) -> Value {
    json!({ "position": stamp.position, "time_ms": stamp.time_ms })
}

fn places(places: &Places) -> Value {
    json!({ "count": places.count, "first_positions": places.first })
}

fn service_word(word: &ServiceWord) -> Value {
    json!({
        "witnessed": list(&word.witnessed, |group| json!({
            "action": group.action,
            "identity": identity(&group.identity),
            "entries": places(&group.places),
        })),
        "witnessed_entries_left_out": word.witnessed_left_out,
        "emails_matched": places(&word.emails),
    })
}

fn text(value: &impl Display) -> Value {
    Value::String(value.to_string())
}

fn list<T>(items: &[T], item: impl Fn(&T) -> Value) -> Value {
    Value::Array(items.iter().map(item).collect())
}
