//! What a page says of a part of a log, and of who stands behind a log or a part of it.

use super::markup::{Body, Markup};
use super::{log, time};
use crate::partial::{Line, PartialContents};
use crate::render::partial::{kind, left_out, pinned, positions};
use crate::render::words::{Names, deed};
use crate::report::Report;
use crate::standing::{MirrorSpan, Standing};

/// A verified part: its entries, what it leaves out, what could not be verified.
pub fn told(body: &mut Body, report: &Report, part: &PartialContents) {
    body.section("part", "The part");
    let facts = [
        ("about", Markup::text(&part.scope.to_string())),
        ("clean room", Markup::name(&part.name)),
        ("id", Markup::code(&part.collaboration)),
        ("origin", Markup::code(&part.checkpoint.origin)),
        ("root", Markup::code(&part.checkpoint.root.to_hex())),
        ("holds", Markup::text(&format!("{} of {} entries", part.included, part.checkpoint.size))),
        ("leaves out", Markup::text(&left_out(part))),
        ("exported", Markup::text(&format!("{}, which nobody signs", time(part.exported_at_ms)))),
    ];
    body.facts("What this part is about", &facts);
    body.end_section();
    log::checks(body, report);
    if let Some(standing) = &report.standing {
        behind(body, standing);
    }
    body.section("entries", "Its entries");
    let names = Names::of_part(part);
    let row = |line: &Line| {
        let who = Markup::name(&names.actor(line.actor));
        let what = Markup::text(&format!(" {} ", deed(&line.kind)));
        let subject = Markup::name(&names.subject(line.subject));
        vec![
            Markup::text(&line.position.to_string()),
            Markup::text(&time(line.time_ms)),
            who.then(&what).then(&subject),
            Markup::text(line.authority),
        ]
    };
    body.table(
        "Each is in the log at its position",
        "entry",
        &["position", "time", "what happened", "by what right"],
        part.entries.iter().map(row),
    );
    let more = part.included - part.entries.len() as u64;
    if more > 0 {
        body.paragraph("", &Markup::text(&format!("And {more} more.")));
    }
    body.end_section();
    body.section("unverified", "What could not be verified, and why");
    for what in &part.not_checked {
        body.paragraph("", &Markup::text(what));
    }
    body.end_section();
}

/// The service's keys and the witnesses.
pub fn behind(body: &mut Body, standing: &Standing) {
    body.section("standing", "Which keys and witnesses stand behind it");
    let row = |key: &crate::standing::ServiceKey| {
        vec![
            Markup::text(&key.from.to_string()),
            Markup::code(&key.key.to_hex()),
            Markup::text(if key.expected { "the expected one" } else { "" }),
        ]
    };
    body.table(
        "The keys that sealed the log, one after the other",
        "key",
        &["from position", "key", ""],
        standing.service_keys.iter().map(row),
    );
    if let Some(witnessed) = &standing.witnessed {
        let row = |one: &chancery_ledger::note::Cosigned| {
            vec![
                Markup::name(&one.name),
                Markup::text(&witnessed.size.to_string()),
                Markup::text(&time(one.time.saturating_mul(1000))),
            ]
        };
        body.table(
            "The witnesses, of those named, who saw this log",
            "witness",
            &["witness", "entries seen", "at"],
            witnessed.cosigned.iter().map(row),
        );
    }
    if let Some(mirrored) = &standing.mirrored {
        let row = |span: &MirrorSpan| {
            vec![
                Markup::text(&positions(span)),
                Markup::text(kind(span)),
                Markup::code(&span.service.to_hex()),
                Markup::text(pinned(span)),
            ]
        };
        body.table(
            "What of this log is in the ledger of a mirror, by its receipts",
            "span",
            &["entries", "where", "certificate of its service", ""],
            mirrored.spans.iter().map(row),
        );
    }
    body.end_section();
}
