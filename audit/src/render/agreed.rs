//! Words and JSON for what members agreed on: terms, changes, approvals in advance.

use chancery_governance::change::Change as What;
use chancery_governance::member::{Departure, SignedAct, Terms};
use chancery_governance::rule::{ApprovalRule, Shape};
use chancery_governance::wire::Wire as _;
use chancery_ledger::codec::{Key, Value as Item};
use serde_json::{Value, json};

use super::words::{Names, right, short, utc};
use crate::report::{ByRule, Change, Departed, Rule};

/// What a change would do, in one sentence.
pub fn change(what: &What, names: &Names<'_>) -> String {
    match what {
        What::SetTerms(terms) => format!("other terms: {}", self::terms(terms, names)),
        What::RemoveMember(id) => format!("remove {}", names.member(*id)),
        What::GrantOwner(id) => format!("make {} an owner", names.member(*id)),
        What::RevokeOwner(id) => format!("make {} an owner no more", names.member(*id)),
        What::ReplaceKey { member, key } => {
            format!("put key {} in the place of lost ones of {}", short(key), names.member(*member))
        }
        What::AdmitMember(id) => {
            let member = chancery_governance::subject::member_of(*id);
            format!("let {} accept its invitation", names.member(member))
        }
    }
}

/// Terms in one sentence, without what stands at its default.
pub fn terms(terms: &Terms, names: &Names<'_>) -> String {
    let mut parts = Vec::new();
    if !terms.member_signed.is_empty() {
        let acts: Vec<_> = terms.member_signed.iter().map(SignedAct::as_str).collect();
        parts.push(format!("member-signed {}", acts.join(", ")));
    }
    parts.push(if terms.insecure_virtual {
        "insecure-virtual evidence accepted".to_owned()
    } else {
        "hardware evidence only".to_owned()
    });
    parts.push(match terms.change_threshold {
        Some(needed) => format!("changes carried by {needed} members"),
        None => "changes carried by all members".to_owned(),
    });
    if terms.admission_by_vote {
        parts.push("nobody joins without a vote".to_owned());
    }
    parts.extend(terms.groups.iter().map(|group| {
        let members: Vec<_> = group.members.iter().map(|id| names.member(*id)).collect();
        format!("queries approved by {} of {} ({})", group.needed, group.name, members.join(", "))
    }));
    if let Some(lifetime_ms) = terms.acceptance_lifetime_ms {
        parts.push(format!("acceptances end after {} s", lifetime_ms / 1000));
    }
    parts.join("; ")
}

/// What a rule approves, in one sentence.
pub fn rule(rule: &ApprovalRule, names: &Names<'_>) -> String {
    let mut parts = Vec::new();
    parts.push(rule.author.map_or("queries by anybody".to_owned(), |author| {
        format!("queries by {}", names.member(author))
    }));
    if let Some(runner) = rule.runner {
        parts.push(format!("for runs by {} only", names.member(runner)));
    }
    if let Some(output) = rule.output {
        parts.push(format!("writing {}", names.dataset(output)));
    }
    match &rule.shape {
        Shape::Text(digest) => parts.push(format!("of the text {}", short(digest))),
        Shape::Reads(inputs) => parts.extend(inputs.iter().map(|input| {
            let mut what = input.columns.clone();
            what.extend(input.aggregates.iter().map(|name| format!("{name} in aggregates")));
            format!("reading of {} only {}", names.dataset(input.dataset), what.join(", "))
        })),
    }
    if let Some(until_ms) = rule.expires_ms {
        parts.push(format!("until {}", utc(until_ms)));
    }
    parts.join(", ")
}

/// That a vote was cast by a rule.
pub fn by_rule(by: &ByRule, names: &Names<'_>) -> String {
    let runner = by
        .runner
        .map_or(String::new(), |runner| format!(", for runs by {} only", names.member(runner)));
    format!("by the rule set at {}{runner}", by.set_at)
}

pub fn departed(departed: &Departed) -> String {
    match departed.how {
        Departure::Left => format!("left at {}", departed.position),
        Departure::Removed => format!("removed by vote at {}", departed.position),
    }
}

/// The lines of the text report, with their indents.
pub fn change_lines(one: &Change, names: &Names<'_>) -> Vec<(usize, String)> {
    let mut lines = vec![
        (2, format!("{}: {}", one.state, change(&one.what, names))),
        (4, format!("id {}, by {}", one.id, names.member(one.proposer))),
        (4, format!("digest {}", one.digest.to_hex())),
    ];
    lines.extend(one.votes.iter().map(|vote| {
        let answer = if vote.approves { "yes" } else { "no" };
        let (who, right) = (names.member(vote.member), right(&vote.by));
        (4, format!("{}  {answer} by {who}, {right}", vote.position))
    }));
    if let Some(stamp) = &one.committed {
        lines.push((4, format!("made at {}, {}", stamp.position, utc(stamp.time_ms))));
    }
    if let Some(reason) = &one.superseded {
        lines.push((4, format!("{}: {}", reason.code.as_str(), reason.detail)));
    }
    lines
}

/// The lines of the text report, with their indents.
pub fn rule_lines(one: &Rule, names: &Names<'_>) -> Vec<(usize, String)> {
    let removed = one.removed_at.map_or(String::new(), |at| format!(", taken back at {at}"));
    vec![
        (2, format!("{}, by {}", one.rule.name, names.member(one.owner))),
        (4, rule(&one.rule, names)),
        (4, format!("id {}", one.id)),
        (4, format!("set at {}, {}{removed}", one.set_at, right(&one.by))),
        (4, format!("votes cast: {}", super::words::places(&one.votes))),
    ]
}

/// What stands on the wire, as JSON: texts, integers, lists and maps only.
pub fn wire(item: &Item) -> Value {
    match item {
        Item::Int(number) => {
            u64::try_from(*number).map_or_else(|_| Value::from(number.to_string()), Value::from)
        }
        Item::Text(text) => Value::from(text.as_str()),
        Item::Bool(bool) => Value::from(*bool),
        Item::Bytes(_) | Item::Null => Value::Null,
        Item::Array(items) => items.iter().map(wire).collect(),
        Item::Map(map) => {
            let named = map.iter().filter_map(|(key, item)| match key {
                Key::Text(name) => Some((name.0.clone(), wire(item))),
                Key::Uint(_) | Key::Nint(_) => None,
            });
            Value::Object(named.collect())
        }
    }
}

/// Terms as commands and events have them.
pub fn terms_json(terms: &Terms) -> Value {
    wire(&terms.encode())
}

pub fn change_json(one: &Change, by: impl Fn(&crate::report::By) -> Value) -> Value {
    json!({
        "id": one.id.to_string(),
        "proposer": one.proposer.to_string(),
        "change": wire(&one.what.encode()),
        "state": one.state,
        "digest": one.digest.to_string(),
        "proposed_at": one.proposed.position,
        "proposed_ms": one.proposed.time_ms,
        "votes": one.votes.iter().map(|vote| json!({
            "position": vote.position,
            "member": vote.member.to_string(),
            "approves": vote.approves,
            "by": by(&vote.by),
        })).collect::<Vec<_>>(),
        "committed_at": one.committed.map(|stamp| stamp.position),
        "superseded": one.superseded.as_ref().map(|reason| json!({
            "code": reason.code.as_str(),
            "detail": reason.detail,
        })),
    })
}

pub fn rule_json(one: &Rule, by: impl Fn(&crate::report::By) -> Value) -> Value {
    json!({
        "id": one.id.to_string(),
        "owner": one.owner.to_string(),
        "rule": wire(&one.rule.encode()),
        "set_at": one.set_at,
        "by": by(&one.by),
        "removed_at": one.removed_at,
        "votes": { "count": one.votes.count, "first_positions": one.votes.first },
    })
}

pub fn by_rule_json(by: &ByRule) -> Value {
    json!({
        "rule": by.rule.to_string(),
        "set_at": by.set_at,
        "runner": by.runner.map(|runner| runner.to_string()),
    })
}

pub fn departed_json(departed: &Departed) -> Value {
    json!({ "position": departed.position, "how": departed.how.as_str() })
}
