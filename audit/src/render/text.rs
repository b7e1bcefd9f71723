//! The report as text: the verdict first, then what no hardware stands behind, then the log.

mod compare;
mod moment;
mod page;
mod work;

use chancery_governance::member::Ability;

use self::page::Page;
use super::agreed;
use super::words::{Names, count, label, places, right, short, stopped, utc, who};
use crate::check::{Check, Verdict};
use crate::report::{Contents, Member, Report};

pub use compare::{render_diff, render_result};

/// The report in lines of at most `width` characters, but for single words that are longer.
pub fn render_text(report: &Report, width: usize) -> String {
    let mut page = Page::new(width);
    page.line(0, &verdict(report));
    if let Some(contents) = &report.contents {
        log(&mut page, contents, &super::partial::checks(report));
    }
    for (indent, line) in super::partial::lines(report) {
        page.line(indent, &line);
    }
    page.into_text()
}

fn verdict(report: &Report) -> String {
    let at = |position: &Option<u64>| {
        position.map_or(String::new(), |position| format!(" at position {position}"))
    };
    match &report.verdict {
        Verdict::Verified => {
            if let Some(partial) = &report.partial {
                return format!("VERIFIED  {}", super::partial::verdict(partial));
            }
            let checkpoint = report.contents.as_ref().map(|contents| &contents.checkpoint);
            let what = checkpoint.map_or(String::new(), |checkpoint| {
                format!("{}, root {}", count(checkpoint.size, "entry"), short(&checkpoint.root))
            });
            format!("VERIFIED  {what}")
        }
        Verdict::Tampered { check, position, detail } => {
            format!("TAMPERED  check \"{check}\" fails{}: {detail}", at(position))
        }
        Verdict::Incomplete { check, position, detail } => {
            format!("INCOMPLETE  check \"{check}\"{}: {detail}", at(position))
        }
        Verdict::Unreadable { detail } => format!("UNREADABLE  {detail}"),
    }
}

fn log(page: &mut Page, contents: &Contents, checks: &[Check]) {
    if !contents.hardware {
        page.line(0, "INSECURE-VIRTUAL  no hardware stands behind this log's evidence");
    }
    let names = Names::of(contents);
    if let Some(stopped) = stopped(&contents.lifecycle, &names) {
        page.line(0, &format!("This clean room is {stopped}"));
    }
    let service = &contents.service;
    page.heading("Log");
    page.line(2, &format!("name     {}", contents.name));
    page.line(2, &format!("id       {}", contents.collaboration));
    page.line(2, &format!("origin   {}", contents.checkpoint.origin));
    page.line(2, &format!("root     {}", contents.checkpoint.root.to_hex()));
    let (first, last) = (utc(contents.first_time_ms), utc(contents.last_time_ms));
    page.line(2, &format!("sealed   {first} to {last}"));
    page.line(2, &format!("service  {}, {}", service.name, label(service.platform)));
    page.line(2, &format!("key      {}", service.key.id().to_hex()));
    page.line(11, if service.pinned { "the expected one" } else { "as the bundle names it" });
    let checks: Vec<_> = checks.iter().map(|check| check.as_str()).collect();
    page.line(2, &format!("checks   {}", checks.join(", ")));
    page.line(2, &format!("terms    {}", agreed::terms(&contents.terms, &names)));

    if let Some(at) = &contents.at {
        moment::at(page, at, contents, &names);
    }

    page.heading("Members");
    contents.members.iter().for_each(|one| member(page, one));
    page.left_out(2, &contents.members, "member", "");

    page.heading_if(contents.changes.total() > 0, "Changes of terms and membership");
    for one in &contents.changes {
        for (at, line) in agreed::change_lines(one, &names) {
            page.line(at, &line);
        }
    }
    page.left_out(2, &contents.changes, "change", "");
    page.heading_if(contents.rules.total() > 0, "Approved in advance");
    for one in &contents.rules {
        for (at, line) in agreed::rule_lines(one, &names) {
            page.line(at, &line);
        }
    }
    page.left_out(2, &contents.rules, "rule", "");

    work::datasets(page, contents, &names);
    work::queries(page, contents, &names);
    work::runs(page, contents, &names);
    work::code(page, contents, &names);
    work::releases(page, contents, &names);

    page.heading_if(!contents.marks.is_empty(), "Consent withdrawn");
    moment::marks(page, 2, &contents.marks, &names);

    moment::timeline(page, "Timeline", &contents.timeline, &names);
    service_word(page, contents);

    page.heading("Not checked");
    for not in &contents.not_checked {
        page.line(2, &format!("{}: {}", not.what, not.why));
    }
}

fn member(page: &mut Page, member: &Member) {
    let abilities: Vec<_> = member.abilities.iter().map(Ability::as_str).collect();
    page.line(2, &format!("{}: {}", member.organisation, abilities.join(", ")));
    page.line(4, &who(&member.identity));
    if let Some(departed) = &member.departed {
        page.line(4, &format!("no member any more: {}", agreed::departed(departed)));
    }
    for key in &member.keys {
        let revoked =
            key.revoked_at.map_or(String::new(), |position| format!(", revoked at {position}"));
        let algorithm = key.key.algorithm().name();
        let id = short(&key.key.id());
        let right = if key.invited { "named by other members".to_owned() } else { right(&key.by) };
        let registered = format!("registered at {}, {right}", key.registered_at);
        page.line(4, &format!("key {id} {algorithm}, {registered}{revoked}"));
    }
    page.left_out(4, &member.keys, "key", "");
    if member.keys.total() == 0 {
        page.line(4, "no key of its own: all that it did is service-witnessed");
    }
}

fn service_word(page: &mut Page, contents: &Contents) {
    let word = &contents.service_word;
    page.heading("On the service's word only");
    page.line(2, "the times of all entries");
    for group in &word.witnessed {
        let (action, by) = (&group.action, who(&group.identity));
        page.line(2, &format!("service-witnessed: {action} by {by}, {}", places(&group.places)));
    }
    if word.witnessed_left_out > 0 {
        let more = count(word.witnessed_left_out, "entry");
        page.line(2, &format!("service-witnessed: {more} more, of other actions or identities"));
    }
    if word.emails.count > 0 {
        let line = "that the e-mail was the invited one, at each acceptance of an invitation:";
        page.line(2, &format!("{line} {}", places(&word.emails)));
    }
}
