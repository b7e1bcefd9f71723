//! The timeline, and what stood at a moment.

use chancery_ledger::entry::Actor;
use serde_json::{Value, json};

use super::{by, list, stamp, text, work};
use crate::report::{At, Line, StateAt, Timeline};
use crate::view::Moment;

pub fn timeline(timeline: &Timeline) -> Value {
    json!({
        "from": timeline.from,
        "root_before": timeline.root_before.as_ref().map(text),
        "entries": list(&timeline.entries, line),
        "entries_left_out": timeline.entries.left_out(),
        "next": timeline.next(),
        "kinds": timeline.kinds,
    })
}

fn line(line: &Line) -> Value {
    let actor = match &line.actor {
        Actor::Member(member) => json!({ "kind": "member", "member": text(member) }),
        Actor::Executor(key) => json!({ "kind": "executor", "key_id": text(key) }),
        Actor::Service(key) => json!({ "kind": "service", "key_id": text(key) }),
    };
    json!({
        "position": line.stamp.position,
        "time_ms": line.stamp.time_ms,
        "kind": line.kind,
        "subject": text(&line.subject),
        "actor": actor,
        "by": by(&line.by),
        "leaf": text(&line.leaf),
    })
}

pub fn at(at: &At) -> Value {
    match at {
        At::BeforeFirst => json!({ "kind": "before-first" }),
        At::BeyondEnd => json!({ "kind": "beyond-end" }),
        At::State(state) => standing(state),
    }
}

fn standing(standing: &StateAt) -> Value {
    json!({
        "kind": "state",
        "asked": match standing.asked {
            Moment::Position(position) => json!({ "position": position }),
            Moment::Time(time_ms) => json!({ "time_ms": time_ms }),
        },
        "after": stamp(&standing.stamp),
        "is_last_entry": standing.is_last,
        "lifecycle": super::lifecycle(&standing.lifecycle),
        "applications": list(&standing.applications, text),
        "members": list(&standing.members, |member| json!({
            "id": text(&member.id),
            "organisation": member.organisation,
            "abilities": list(&member.abilities, |ability| ability.as_str().into()),
            "active_key_ids": list(&member.keys, text),
            "active_key_ids_left_out": member.keys.left_out(),
        })),
        "members_left_out": standing.members.left_out(),
        "datasets": list(&standing.datasets, |dataset| json!({
            "id": text(&dataset.id),
            "name": dataset.name,
            "owner": text(&dataset.owner),
            "position": dataset.version.position,
            "digest": text(&dataset.version.digest),
        })),
        "datasets_left_out": standing.datasets.left_out(),
        "queries": list(&standing.queries, |query| json!({
            "id": text(&query.id),
            "name": query.name,
            "state": query.state,
            "digest": query.digest.as_ref().map(text),
            "votes": list(&query.votes, |vote| json!({
                "position": vote.position,
                "member": text(&vote.member),
                "time_ms": vote.cast.map(|(time_ms, _)| time_ms),
                "by": vote.cast.map(|(_, right)| by(&right)),
            })),
            "pending": list(&query.pending, text),
        })),
        "queries_left_out": standing.queries.left_out(),
        "marks": list(&standing.marks, work::mark),
        "marks_left_out": standing.marks.left_out(),
        "runs": list(&standing.runs, |run| json!({
            "id": text(&run.id),
            "query": text(&run.query),
            "state": run.state,
        })),
        "runs_left_out": standing.runs.left_out(),
    })
}
