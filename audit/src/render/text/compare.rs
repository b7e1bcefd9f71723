//! Two bundles held against one another, and files held against a log, as text.

use super::page::Page;
use super::{moment, verdict};
use crate::diff::{Branch, Diff, Relation, Side};
use crate::render::words::{Names, count, label, short, utc};
use crate::report::Report;
use crate::result::Results;

/// What stands between two bundles.
pub fn render_diff(diff: &Diff, width: usize) -> String {
    let mut page = Page::new(width);
    let Some(relation) = &diff.relation else {
        page.line(0, "NOT COMPARED  only bundles that verify can be");
        sides(&mut page, diff);
        return page.into_text();
    };
    match relation {
        Relation::Same => {
            page.line(0, "SAME  both bundles hold the same entries");
            sides(&mut page, diff);
        }
        Relation::Grew { longer, added } => {
            let shorter = if *longer == Side::A { Side::B } else { Side::A };
            let (long, short, added) = (longer.as_str(), shorter.as_str(), count(*added, "entry"));
            page.line(0, &format!("GREW  {long} holds all of {short}, and {added} more"));
            sides(&mut page, diff);
            if let Some(contents) = &diff.side(*longer).contents {
                let heading = format!("What {long} adds");
                moment::timeline(&mut page, &heading, &contents.timeline, &Names::of(contents));
            }
        }
        Relation::Fork { position, a, b } => {
            page.line(0, &format!("FORK  the two histories differ from position {position} on"));
            page.line(
                0,
                "The service signed both checkpoints below. They are evidence against it: keep \
                 both files, and show them to the other members.",
            );
            sides(&mut page, diff);
            page.heading(&format!("Position {position}"));
            branch(&mut page, "A", a);
            branch(&mut page, "B", b);
            for (side, report) in [("A", &diff.a), ("B", &diff.b)] {
                if let Some(contents) = &report.contents {
                    page.heading(&format!("The checkpoint of {side}"));
                    page.lines(2, &contents.note);
                }
            }
        }
        Relation::Part(part) => {
            let part = part.as_str();
            page.line(0, &format!("NOT COMPARED  {part} is a part of a log: export whole logs"));
            page.line(
                0,
                "Two parts may differ in what they leave out, and a part can't show that the log \
                 that it is of grew out of another.",
            );
            sides(&mut page, diff);
        }
        Relation::OtherLogs { what } => {
            page.line(0, &format!("OTHER LOGS  the two bundles are not of one log: their {what}"));
            if *what == "service key" {
                page.line(
                    0,
                    "One of the keys is not the service's. Verify each with --service-key, by the \
                     key's id from elsewhere.",
                );
            }
            sides(&mut page, diff);
        }
    }
    page.into_text()
}

fn sides(page: &mut Page, diff: &Diff) {
    side(page, "A", &diff.a);
    side(page, "B", &diff.b);
}

fn side(page: &mut Page, name: &str, report: &Report) {
    page.heading(name);
    page.line(2, &verdict(report));
    let Some(contents) = &report.contents else { return };
    if !contents.hardware {
        page.line(2, "INSECURE-VIRTUAL  no hardware stands behind this log's evidence");
    }
    page.line(2, &format!("origin   {}", contents.checkpoint.origin));
    page.line(2, &format!("root     {}", contents.checkpoint.root.to_hex()));
    page.line(2, &format!("key      {}", contents.service.key.id().to_hex()));
    let pinned = contents.service.pinned;
    page.line(11, if pinned { "the expected one" } else { "as the bundle names it" });
    page.line(2, &format!("last     {}", utc(contents.last_time_ms)));
}

fn branch(page: &mut Page, name: &str, branch: &Branch) {
    let Branch { leaf, kind, subject, time_ms } = branch;
    page.line(2, &format!("{name}  {}  {kind} on {subject}", utc(*time_ms)));
    page.line(5, &format!("leaf {}", leaf.to_hex()));
}

/// What a verified log says of some files.
pub fn render_result(report: &Report, results: Option<&Results>, width: usize) -> String {
    let mut page = Page::new(width);
    let Some(results) = results else {
        page.line(0, "NOT CHECKED  only a bundle that verifies can tell");
        page.line(0, &verdict(report));
        return page.into_text();
    };
    let log = if report.partial.is_some() { "part of a log" } else { "log" };
    let strange = results.files.iter().filter(|file| file.found.is_empty()).count();
    let files = count(results.files.len() as u64, "file");
    if results.attested() {
        page.line(0, &format!("ATTESTED  {files}: each is in the attested result of a run"));
    } else {
        page.line(0, &format!("NOT ATTESTED  {strange} of {files}: in no run's attested result"));
        if report.partial.is_some() {
            page.line(0, "Only a part of the log was asked: another run may attest it.");
        }
    }
    let hardware = match (&report.contents, &report.partial) {
        (Some(contents), _) => contents.hardware,
        (None, part) => part.as_ref().is_none_or(|part| part.hardware),
    };
    if !hardware {
        page.line(0, &format!("INSECURE-VIRTUAL  no hardware stands behind this {log}'s evidence"));
    }
    page.line(0, &verdict(report));
    let keys = report.standing.iter().flat_map(|standing| &standing.service_keys);
    for key in keys {
        let expected = if key.expected { ", the expected one" } else { "" };
        page.line(2, &format!("service key from position {}{expected}", key.from));
        page.line(4, &key.key.to_hex());
    }
    let names = match (&report.contents, &report.partial) {
        (Some(contents), _) => Names::of(contents),
        (None, part) => part.as_deref().map(Names::of_part).unwrap_or_default(),
    };
    for file in &results.files {
        let bytes = count(file.candidate.bytes, "byte");
        page.heading(&format!("{}, {bytes}", file.candidate.name));
        page.line(2, &file.candidate.digest.to_string());
        if file.found.is_empty() {
            page.line(2, &format!("no run in this {log} attests a file of this digest and length"));
        }
        for found in &file.found {
            page.line(2, &format!("{} of run {}", found.path, found.run));
            let (position, when) = (found.stamp.position, utc(found.stamp.time_ms));
            page.line(4, &format!("attested at {position}, {when}"));
            let (query, digest) = (names.query(found.query), short(&found.query_digest));
            page.line(4, &format!("query {query}, digest {digest}"));
            let (application, platform) = (short(&found.application), label(found.platform));
            page.line(4, &format!("measurement {application}, {platform}"));
            let (files, rows) = (count(found.files, "file"), count(found.rows, "row"));
            page.line(4, &format!("the whole result: {files}, {rows}"));
        }
    }
    page.heading_if(!results.of.is_empty(), "Results");
    for (run, (here, files)) in &results.of {
        let whole = if here == files { "whole" } else { "in part" };
        page.line(2, &format!("run {run}: {whole}, {here} of {}", count(*files, "file")));
    }
    page.into_text()
}
