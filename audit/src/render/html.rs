//! The report as one page made for printing: no script, no resource from elsewhere.
//!
//! Its Content-Security-Policy lets nothing in but the page's own style, by its hash: if a name in
//! the log ever broke out of its escaping, it could neither run nor load anything.

mod log;
mod markup;
mod part;
mod people;
mod work;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_ledger::digest::Digest;

use self::markup::{Body, Markup};
use super::words::{Names, count, utc};
use crate::check::Verdict;
use crate::report::{Contents, Report};

const STYLE: &str = include_str!("html/style.css");

/// The report as an HTML document.
pub fn render_html(report: &Report) -> String {
    let contents = report.contents.as_deref();
    let mut body = Body::default();
    heading(&mut body, report);
    verdict(&mut body, report);
    match (contents, report.partial.as_deref()) {
        (Some(contents), _) => told(&mut body, report, contents),
        (None, Some(part)) => part::told(&mut body, report, part),
        (None, None) => untold(&mut body, report),
    }
    let style = style(report);
    let hash = STANDARD.encode(Digest::of(style.as_bytes()).as_bytes());
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    );
    let title = match (contents, report.partial.as_deref()) {
        (Some(contents), _) => format!("Audit of {}", contents.name),
        (None, Some(part)) => format!("Audit of a part of {}", part.name),
        (None, None) => "Audit of a clean room's log".to_owned(),
    };
    let title = Markup::text(&title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n\
         </html>\n",
        title.as_str(),
        body.as_str(),
    )
}

/// The style, with what stands on each printed page: words of ours and hex digits only.
fn style(report: &Report) -> String {
    let verdict = report.verdict.as_str().to_uppercase();
    let part = if report.partial.is_some() { ", PARTIAL" } else { "" };
    let told = match (&report.contents, &report.partial) {
        (Some(contents), _) => Some((contents.hardware, contents.checkpoint.root)),
        (None, part) => part.as_ref().map(|part| (part.hardware, part.checkpoint.root)),
    };
    let (hardware, root) = told.map_or((String::new(), String::new()), |(hardware, root)| {
        let virtual_ = if hardware { "" } else { " \\00b7  INSECURE-VIRTUAL" };
        (virtual_.to_owned(), format!("root {}", root.to_hex()))
    });
    format!(
        "{STYLE}@page {{\n  \
         @top-left {{ content: \"Chancery audit report\"; font: 8pt sans-serif; color: #43494f; }}\n  \
         @top-right {{ content: \"{verdict}{part}{hardware}\"; font: bold 8pt sans-serif; }}\n  \
         @bottom-left {{ content: \"{root}\"; font: 6.5pt monospace; color: #43494f; }}\n  \
         @bottom-right {{ content: \"page \" counter(page) \" of \" counter(pages); \
         font: 8pt sans-serif; color: #43494f; }}\n}}\n"
    )
}

fn heading(body: &mut Body, report: &Report) {
    body.push(&Markup::text("Audit of a clean room\u{2019}s log").within("h1", ""));
    if let Some(part) = report.partial.as_deref() {
        let name = Markup::name(&part.name).within("strong", "");
        let (held, all) = (part.included, count(part.checkpoint.size, "entry"));
        let rest = Markup::text(&format!(": {held} of {all}, about {}", part.scope));
        body.paragraph("lead", &name.then(&rest));
    }
    if let Some(contents) = report.contents.as_deref() {
        let name = Markup::name(&contents.name).within("strong", "");
        let size = count(contents.checkpoint.size, "entry");
        let (first, last) = (time(contents.first_time_ms), time(contents.last_time_ms));
        let rest = Markup::text(&format!(": {size}, sealed {first} to {last}"));
        body.paragraph("lead", &name.then(&rest));
    }
}

fn verdict(body: &mut Body, report: &Report) {
    let part = if report.partial.is_some() { ", PARTIAL" } else { "" };
    let word = format!("{}{part}", report.verdict.as_str().to_uppercase());
    let word = Markup::text(&word).within("strong", "");
    let (class, what) = match &report.verdict {
        Verdict::Verified if report.partial.is_some() => (
            "verdict verified",
            "What this part of the log holds is in the log that the service signed, \
             signature by signature, and everything that it names is here. The rules were not \
             decided again: that takes the whole log."
                .to_owned(),
        ),
        Verdict::Verified => (
            "verdict verified",
            "Every check holds: each signature, the order and completeness of the entries, the \
             rules by which each was allowed, the signed checkpoint."
                .to_owned(),
        ),
        Verdict::Tampered { check, position, .. } => {
            let place = position.map_or(String::new(), |at| format!(" at position {at}"));
            ("verdict failed", format!("The check \u{201c}{check}\u{201d} fails{place}."))
        }
        Verdict::Incomplete { .. } => {
            ("verdict failed", "Nothing that is there fails, and something is missing.".to_owned())
        }
        Verdict::Unreadable { .. } => (
            "verdict failed",
            "This is no bundle that this release of the verifier can judge.".to_owned(),
        ),
    };
    body.paragraph(class, &word.then(&Markup::text(&what)));
    let hardware = report.contents.as_ref().map(|contents| contents.hardware);
    let hardware = hardware.or(report.partial.as_ref().map(|partial| partial.hardware));
    if hardware == Some(false) {
        let word = Markup::text("INSECURE-VIRTUAL").within("strong", "");
        let what = "Somewhere in this log stands evidence that no hardware is behind: anybody can \
                    make it. It shows what was claimed of where code ran, and proves nothing of it.";
        body.paragraph("virtual", &word.then(&Markup::text(what)));
    }
}

/// The page of a log that does not verify: why, and nothing of what it says.
fn untold(body: &mut Body, report: &Report) {
    body.section("failure", "Why");
    let mut facts = Vec::new();
    let mut place = |position: &Option<u64>| {
        if let Some(position) = position {
            facts.push(("position", Markup::text(&position.to_string())));
        }
    };
    let detail = match &report.verdict {
        Verdict::Verified => "",
        Verdict::Tampered { check, position, detail } => {
            place(position);
            facts.insert(0, ("check", Markup::code(check)));
            facts.push(("the check holds where", Markup::text(log::holds(*check))));
            detail
        }
        Verdict::Incomplete { check, position, detail } => {
            place(position);
            facts.insert(0, ("check", Markup::code(check)));
            detail
        }
        Verdict::Unreadable { detail } => detail,
    };
    facts.push(("what was found", Markup::name(detail)));
    body.facts("The first check that fails", &facts);
    body.paragraph(
        "",
        &Markup::text(
            "Nothing is told here of what such a log says: a log that fails one check can\u{2019}t \
             be relied on for the rest. Keep the file, and ask who gave it to you for another \
             copy; if that fails too, show both to the other members.",
        ),
    );
    body.end_section();
}

const SECTIONS: &[(&str, &str)] = &[
    ("log", "The log"),
    ("checks", "What was verified"),
    ("standing", "Which keys and witnesses stand behind it"),
    ("unverified", "What could not be verified, and why"),
    ("members", "Who takes part, with which keys"),
    ("agreed", "What the members agreed on"),
    ("votes", "Who approved what, when, with which key"),
    ("queries", "What was voted on"),
    ("runs", "Runs"),
    ("releases", "Who got what, when"),
    ("code", "Which code ran which query"),
    ("consent", "Consent that stands withdrawn"),
    ("word", "What rests on the service\u{2019}s word only"),
    ("timeline", "Timeline"),
];

fn told(body: &mut Body, report: &Report, contents: &Contents) {
    let names = Names::of(contents);
    let mut list = Markup::default();
    let at = contents.at.as_ref().map(|_| ("at", "What stood at the moment asked for"));
    for (id, heading) in SECTIONS.iter().copied().chain(at) {
        list = list.then(&Markup::text(heading).linked(id).within("li", ""));
    }
    body.push(&list.within("ol", "contents").within("nav", ""));
    log::facts(body, contents);
    log::checks(body, report);
    if let Some(standing) = &report.standing {
        part::behind(body, standing);
    }
    log::unverified(body, contents);
    people::members(body, contents);
    people::agreed(body, contents, &names);
    work::votes(body, contents, &names);
    work::queries(body, contents, &names);
    work::runs(body, contents, &names);
    work::releases(body, contents, &names);
    work::code(body, contents, &names);
    people::marks(body, contents, &names);
    people::service_word(body, contents);
    log::timeline(body, contents, &names);
    log::at(body, contents, &names);
}

/// A time that can be broken between day and hour.
fn time(time_ms: u64) -> String {
    utc(time_ms).replace('T', " ")
}

/// Opens the section of that id.
fn open(body: &mut Body, id: &str) {
    let heading = SECTIONS.iter().find(|(one, _)| *one == id).map_or(id, |(_, heading)| heading);
    body.section(id, heading);
}
