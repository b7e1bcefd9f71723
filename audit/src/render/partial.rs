//! What a report says of a part of a log, and of who stands behind a log or a part of it.

use chancery_ledger::entry::Actor;
use serde_json::{Value, json};

use super::words::{Names, count, deed, short, utc};
use crate::bundle::MirrorKind;
use crate::check::Check;
use crate::partial::{Line, PartialContents};
use crate::report::Report;
use crate::standing::{MirrorSpan, Mirrored, Standing};

/// The checks that held: a part is not decided again, and its end is nobody's to judge; a whole log
/// has no closure.
pub fn checks(report: &Report) -> Vec<Check> {
    let held = |check: &&Check| match check {
        Check::Closure => report.partial.is_some(),
        Check::Rules | Check::Settled => report.partial.is_none(),
        Check::Witnesses => {
            report.standing.as_ref().is_some_and(|standing| standing.witnessed.is_some())
        }
        Check::Mirror => {
            report.standing.as_ref().is_some_and(|standing| standing.mirrored.is_some())
        }
        _ => true,
    };
    Check::ALL.iter().filter(held).copied().collect()
}

/// What follows `VERIFIED` where only a part was.
pub fn verdict(partial: &PartialContents) -> String {
    format!(
        "PARTIAL: {} only, {} of {} entries, root {}",
        partial.scope,
        partial.included,
        partial.checkpoint.size,
        short(&partial.checkpoint.root)
    )
}

/// The lines of a report's text, each with its indent; an empty one goes before each heading.
pub fn lines(report: &Report) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    if let Some(partial) = &report.partial {
        part(&mut lines, partial);
    }
    if let Some(standing) = &report.standing {
        behind(&mut lines, standing);
    }
    lines
}

fn part(lines: &mut Vec<(usize, String)>, part: &PartialContents) {
    if !part.hardware {
        let text = "INSECURE-VIRTUAL  no hardware stands behind this part's evidence";
        lines.push((0, text.to_owned()));
    }
    lines.push((0, "DECIDED AGAIN: NO (PARTIAL)  the rules need the whole log".to_owned()));
    lines.extend([(0, String::new()), (0, "Part".to_owned())]);
    for (name, value) in [
        ("about", part.scope.to_string()),
        ("name", part.name.clone()),
        ("id", part.collaboration.to_string()),
        ("origin", part.checkpoint.origin.clone()),
        ("root", part.checkpoint.root.to_hex()),
        ("holds", format!("{} of {} entries", part.included, part.checkpoint.size)),
        ("leaves out", left_out(part)),
    ] {
        lines.push((2, format!("{name:<10}  {value}")));
    }
    lines.extend([(0, String::new()), (0, "Entries".to_owned())]);
    let names = Names::of_part(part);
    for Line { position, time_ms, kind, subject, actor, authority } in &part.entries {
        let (who, subject) = (names.actor(*actor), names.subject(*subject));
        let what = format!("{who} {} {subject} ({authority})", deed(kind));
        lines.push((2, format!("{position:>3}  {}  {what}", utc(*time_ms))));
    }
    let more = part.included - part.entries.len() as u64;
    if more > 0 {
        lines.push((2, format!("and {more} more")));
    }
    lines.extend([(0, String::new()), (0, "Not checked".to_owned())]);
    lines.extend(part.not_checked.iter().map(|what| (2, format!("- {what}"))));
}

/// How much a part leaves out.
pub fn left_out(part: &PartialContents) -> String {
    format!("{} in {}", count(part.left_out(), "entry"), count(part.gaps, "gap"))
}

fn behind(lines: &mut Vec<(usize, String)>, standing: &Standing) {
    lines.extend([(0, String::new()), (0, "Standing behind it".to_owned())]);
    for key in &standing.service_keys {
        let expected = if key.expected { ", the expected one" } else { "" };
        lines.push((2, format!("service key from position {}{expected}", key.from)));
        lines.push((4, key.key.to_hex()));
    }
    if let Some(witnessed) = &standing.witnessed {
        for one in &witnessed.cosigned {
            let (size, name, time) = (witnessed.size, &one.name, one.time);
            let (entries, time) = (count(size, "entry"), utc(time.saturating_mul(1000)));
            lines.push((2, format!("witness {name} saw {entries}, {time}")));
        }
    }
    if let Some(mirrored) = &standing.mirrored {
        mirror(lines, mirrored);
    }
}

/// What the mirror has, in a line each.
fn mirror(lines: &mut Vec<(usize, String)>, mirrored: &Mirrored) {
    for span in &mirrored.spans {
        let (positions, kind) = (positions(span), kind(span));
        lines.push((2, format!("mirrored: {positions}, {kind}, {}", pinned(span))));
        lines.push((4, span.service.to_hex()));
    }
    if mirrored.spans_left_out > 0 {
        lines.push((2, format!("and {}", count(mirrored.spans_left_out, "span"))));
    }
    lines.push((2, count(mirrored.batches, "receipt") + " of the mirror verified"));
}

/// Where a span lies.
pub fn positions(span: &MirrorSpan) -> String {
    match span.until - 1 {
        last if last == span.from => format!("position {last}"),
        last => format!("positions {} to {last}", span.from),
    }
}

/// What stands behind a mirror, so that nobody misses it.
pub const fn kind(span: &MirrorSpan) -> &'static str {
    match span.kind {
        MirrorKind::Ccf => "in a CCF ledger",
        MirrorKind::InsecureVirtual => "INSECURE-VIRTUAL (a stand-in: it proves nothing)",
    }
}

/// Whether the auditor named a mirror's service.
pub const fn pinned(span: &MirrorSpan) -> &'static str {
    if span.expected { "by the service named" } else { "service NOT PINNED" }
}

fn mirrored_json(mirrored: &Mirrored) -> Value {
    let span = |span: &MirrorSpan| {
        json!({
            "from": span.from,
            "until": span.until,
            "kind": span.kind.as_str(),
            "service": span.service.to_string(),
            "pinned": span.expected,
        })
    };
    json!({
        "size": mirrored.size,
        "receipts": mirrored.batches,
        "pinned": mirrored.is_expected(),
        "spans": mirrored.spans.iter().map(span).collect::<Vec<_>>(),
        "spans_left_out": mirrored.spans_left_out,
    })
}

/// Who caused an entry, by id.
pub fn who(actor: &Actor) -> String {
    match actor {
        Actor::Member(id) => format!("member/{id}"),
        Actor::Executor(key) => format!("executor {}", key.to_hex()),
        Actor::Service(key) => format!("service {}", key.to_hex()),
    }
}

/// A part, as JSON.
pub fn part_json(part: &PartialContents) -> Value {
    let entry = |line: &Line| {
        json!({
            "position": line.position,
            "time_ms": line.time_ms,
            "type": line.kind,
            "subject": line.subject.to_string(),
            "actor": who(&line.actor),
            "authority": line.authority,
        })
    };
    json!({
        "scope": part.scope.to_string(),
        "decided_again": false,
        "collaboration": part.collaboration.to_string(),
        "name": part.name,
        "service": part.service,
        "origin": part.checkpoint.origin,
        "size": part.checkpoint.size,
        "root": part.checkpoint.root.to_string(),
        "exported_at_ms": part.exported_at_ms,
        "hardware": part.hardware,
        "included": part.included,
        "left_out": part.left_out(),
        "gaps": part.gaps,
        "entries": part.entries.iter().map(entry).collect::<Vec<_>>(),
        "entries_left_out": part.included - part.entries.len() as u64,
        "not_checked": part.not_checked,
    })
}

/// Who stands behind it, as JSON.
pub fn standing_json(standing: &Standing) -> Value {
    let keys = standing.service_keys.iter();
    let witnessed = standing.witnessed.as_ref().map(|witnessed| {
        let cosigned = witnessed.cosigned.iter();
        json!({
            "size": witnessed.size,
            "cosigned": cosigned
                .map(|one| json!({ "name": one.name, "key_id": one.key.to_string(), "time_s": one.time }))
                .collect::<Vec<_>>(),
        })
    });
    json!({
        "service_keys": keys
            .map(|key| json!({
                "key_id": key.key.to_string(), "from": key.from, "expected": key.expected,
            }))
            .collect::<Vec<_>>(),
        "witnessed": witnessed,
        "mirrored": standing.mirrored.as_ref().map(mirrored_json),
    })
}
