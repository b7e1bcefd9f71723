//! What version 1 refuses of changes, groups and rules: payloads in an entry that is good else.

use chancery_governance::event::Event;
use chancery_governance::wire::v1;
use chancery_ledger::codec::{Key, Map, Value};
use chancery_ledger::entry::seal;

use super::{As, Reject, good, reject};
use crate::samples;

/// The last sample of that type, with its payload changed.
pub fn with(kind: &str, change: impl FnOnce(&mut Map)) -> Vec<u8> {
    let of_kind = |(_, event): &(_, Event)| event.kind() == kind;
    let (_, event) = samples::events().into_iter().rev().find(of_kind).unwrap();
    let Value::Map(mut payload) = v1::encode_event(&event) else { unreachable!() };
    change(&mut payload);
    let mut entry = good();
    kind.clone_into(&mut entry.kind);
    entry.payload = Value::Map(payload);
    seal(entry, &samples::service()).into_bytes()
}

pub fn put(name: &'static str, value: Value) -> impl FnOnce(&mut Map) {
    move |map| drop(map.insert(name.into(), value))
}

pub fn rejects() -> Vec<Reject> {
    let of = |name, bytes, expected| reject(name, As::Entry, bytes, expected);
    let kind = |kind: &str| Value::map([("kind", Value::text(kind))]);
    vec![
        of(
            "entry-change-of-another-kind",
            with("ChangeProposed", put("change", kind("set_owner"))),
            "position 14: the payload is not that of its type: change.kind: expected one of set_terms remove_member grant_owner revoke_owner replace_key admit_member",
        ),
        of(
            "entry-change-without-member",
            with("ChangeProposed", put("change", kind("remove_member"))),
            "position 14: the payload is not that of its type: change.member: is missing",
        ),
        of(
            "entry-change-votes-below-zero",
            with("ChangeCommitted", put("votes", Value::Array(vec![Value::Int(-1)]))),
            "position 14: the payload is not that of its type: votes[0]: expected an integer from 0 to 2^64 - 1",
        ),
        of(
            "entry-departure-of-another-kind",
            with("CollaboratorRemoved", put("departure", Value::text("banned"))),
            "position 14: the payload is not that of its type: departure: expected one of left removed",
        ),
        of(
            "entry-groups-at-their-default",
            with("QueryProposed", put("groups", Value::Array(Vec::new()))),
            "position 14: the payload is not that of its type: not the one encoding of this event",
        ),
        of(
            "entry-rule-shape-of-another-kind",
            with("AutoApprovalRuleSet", |map| {
                let Some(Value::Map(rule)) = map.get_mut(&Key::from("rule")) else { return };
                rule.insert("shape".into(), kind("any"));
            }),
            "position 14: the payload is not that of its type: rule.shape.kind: expected one of text reads",
        ),
        of(
            "entry-vote-by-rule-without-its-position",
            with("QueryApprovedByRule", |map| drop(map.remove(&Key::from("rule_position")))),
            "position 14: the payload is not that of its type: rule_position: is missing",
        ),
    ]
}
