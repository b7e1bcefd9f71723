//! The report as text: the verdict first, then what no hardware stands behind, then the log.
//!
//! Names and details come from the log, that is from strangers: no character of theirs reaches the
//! terminal that could move the cursor or turn the reading direction.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chancery_governance::member::{Ability, Identity};
use chancery_governance::run::{Attested, Platform};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::MemberId;

use crate::check::{Check, Verdict};
use crate::report::{By, Contents, Member, Query, Report, Run, ServiceWord, Vote};

/// The report in lines of at most `width` characters, but for single words that are longer.
pub fn render_text(report: &Report, width: usize) -> String {
    let mut page = Page { text: String::new(), width };
    page.line(0, &verdict(report));
    if let Some(contents) = &report.contents {
        log(&mut page, contents);
    }
    for (indent, line) in super::partial::lines(report) {
        page.line(indent, &line);
    }
    page.text
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
                format!("{} entries, root {}", checkpoint.size, short(&checkpoint.root))
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

fn log(page: &mut Page, contents: &Contents) {
    if !contents.hardware {
        page.line(0, "INSECURE-VIRTUAL  no hardware stands behind this log's evidence");
    }
    let names: BTreeMap<_, _> =
        contents.members.iter().map(|member| (member.id, member.organisation.as_str())).collect();
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
    let whole = |check: &&Check| !matches!(check, Check::Closure | Check::Witnesses);
    let checks: Vec<_> = Check::ALL.iter().filter(whole).map(|check| check.as_str()).collect();
    page.line(2, &format!("checks   {}", checks.join(", ")));

    page.heading("Members");
    contents.members.iter().for_each(|one| member(page, one));

    page.heading_if(!contents.datasets.is_empty(), "Datasets");
    for dataset in &contents.datasets {
        let owner = name(&names, dataset.owner);
        let retired = if dataset.retired { ", retired" } else { "" };
        let mode = dataset.access_mode.as_str();
        page.line(2, &format!("{} of {owner}, {mode}{retired}", dataset.name));
        for version in &dataset.versions {
            page.line(4, &format!("version at {}  {}", version.position, short(&version.digest)));
        }
    }

    page.heading_if(!contents.queries.is_empty(), "Queries");
    contents.queries.iter().for_each(|one| query(page, one, &names));

    page.heading_if(!contents.runs.is_empty(), "Runs");
    contents.runs.iter().for_each(|one| run(page, one, contents, &names));

    page.heading_if(!contents.marks.is_empty(), "Consent withdrawn");
    for mark in &contents.marks {
        let members: Vec<_> = mark.members.iter().map(|member| name(&names, *member)).collect();
        let kind = mark.kind.as_str();
        page.line(2, &format!("{kind} on {} by {}", mark.subject, members.join(", ")));
    }

    page.heading("On the service's word only");
    page.line(2, "the times of all entries");
    for word in &contents.service_word {
        page.line(
            2,
            &match word {
                ServiceWord::Witnessed { position, action, identity } => {
                    format!("{position}  service-witnessed: {action} by {}", who(identity))
                }
                ServiceWord::EmailMatched { position, invitation } => {
                    format!("{position}  the e-mail was that of invitation {invitation}")
                }
            },
        );
    }

    page.heading("Not checked");
    contents.not_checked.iter().for_each(|what| page.line(2, what));
}

fn member(page: &mut Page, member: &Member) {
    let abilities: Vec<_> = member.abilities.iter().map(Ability::as_str).collect();
    page.line(2, &format!("{}: {}", member.organisation, abilities.join(", ")));
    page.line(4, &who(&member.identity));
    for key in &member.keys {
        let revoked =
            key.revoked_at.map_or(String::new(), |position| format!(", revoked at {position}"));
        let algorithm = key.key.algorithm().name();
        let id = short(&key.key.id());
        let right = if key.invited { "named in the invitation".to_owned() } else { right(&key.by) };
        let registered = format!("registered at {}, {right}", key.registered_at);
        page.line(4, &format!("key {id} {algorithm}, {registered}{revoked}"));
    }
    if member.keys.is_empty() {
        page.line(4, "no key of its own: all that it did is service-witnessed");
    }
}

fn query(page: &mut Page, query: &Query, names: &BTreeMap<MemberId, &str>) {
    page.line(2, &format!("{}: {}, by {}", query.name, query.state, name(names, query.author)));
    page.line(4, &format!("id {}", query.id));
    if let Some(digest) = &query.digest {
        page.line(4, &format!("digest {}", digest.to_hex()));
    }
    if !query.approvers.is_empty() {
        let approvers: Vec<_> = query.approvers.iter().map(|id| name(names, *id)).collect();
        page.line(4, &format!("approvers {}", approvers.join(", ")));
    }
    for Vote { position, member, approves, by, void, .. } in &query.votes {
        let vote = if *approves { "yes" } else { "no" };
        let void = if *void { ", void by now" } else { "" };
        let who = name(names, *member);
        page.line(4, &format!("{position}  {vote} by {who}, {}{void}", right(by)));
    }
}

fn run(page: &mut Page, run: &Run, contents: &Contents, names: &BTreeMap<MemberId, &str>) {
    let query = contents.queries.iter().find(|query| query.id == run.query);
    let query = query.map_or_else(|| run.query.to_string(), |query| query.name.clone());
    page.line(2, &format!("{query}: {}", run.state));
    page.line(4, &format!("id {}", run.id));
    let runner = name(names, run.runner);
    page.line(4, &format!("requested at {} by {runner}, {}", run.requested_at, right(&run.by)));
    if let Some(digest) = &run.query_digest {
        page.line(4, &format!("query digest {}", short(digest)));
    }
    if let Some(executor) = &run.executor {
        let platform = label(executor.platform);
        page.line(4, &format!("admitted at {}, {platform}", executor.position));
        page.line(4, &format!("measurement {}", short(&executor.measurement)));
    }
    if let Some(job_spec) = &run.job_spec {
        page.line(4, &format!("job spec {}", short(job_spec)));
    }
    if let Some(position) = run.ended_at {
        page.line(4, &format!("outcome at {position}"));
    }
    for reason in &run.reasons {
        page.line(4, &format!("{}: {}", reason.code.as_str(), reason.detail));
    }
    if let Some((code, detail)) = &run.failure {
        page.line(4, &format!("{code}: {detail}"));
    }
    if let Some(attested) = &run.result {
        result(page, run, attested, contents);
    }
}

fn result(page: &mut Page, run: &Run, result: &Attested, contents: &Contents) {
    let votes: Vec<_> = run.votes.iter().map(u64::to_string).collect();
    page.line(4, &format!("votes at {}", votes.join(", ")));
    page.line(4, &format!("engine {} {}", result.engine.name, result.engine.version));
    for version in &result.inputs {
        let dataset = contents.datasets.iter().find(|dataset| dataset.id == version.dataset);
        let dataset = dataset.map_or("a dataset", |dataset| dataset.name.as_str());
        page.line(4, &format!("read {dataset}, version {}", short(&version.digest)));
    }
    for input in &result.statistics.inputs {
        page.line(4, &format!("{} rows of {}", input.rows, input.alias));
    }
    for segment in &result.statistics.segments {
        let line = format!("{} rows in {}, {} ms", segment.rows, segment.view, segment.duration_ms);
        page.line(4, &line);
    }
    page.line(4, &format!("{} rows written", result.statistics.rows_written));
    for file in &result.manifest.files {
        page.line(4, &format!("file {}, {} bytes", file.path, file.bytes));
        page.line(6, &file.digest.to_string());
    }
}

fn name<'a>(names: &BTreeMap<MemberId, &'a str>, member: MemberId) -> &'a str {
    names.get(&member).copied().unwrap_or("a former member")
}

fn who(identity: &Identity) -> String {
    let tenant =
        identity.tenant.as_ref().map_or(String::new(), |tenant| format!(", tenant {tenant}"));
    format!("{} at {}{tenant}", identity.subject, identity.issuer)
}

fn right(by: &By) -> String {
    match by {
        By::Key(key) => format!("signed by key {}", short(key)),
        By::ServiceWitnessed => "service-witnessed".to_owned(),
        By::Consequence(of) => format!("following from {of}"),
    }
}

const fn label(platform: Platform) -> &'static str {
    match platform {
        Platform::InsecureVirtual => "insecure-virtual: no hardware",
        Platform::SevSnp => "sev-snp",
    }
}

/// The first 16 hex digits: enough to tell apart, not to compare by.
fn short(digest: &Digest) -> String {
    digest.to_hex().chars().take(16).chain(['\u{2026}']).collect()
}

/// A time as RFC 3339 writes it, to the second, by Hinnant's algorithm for the civil calendar.
fn utc(time_ms: u64) -> String {
    let seconds = time_ms / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn heading_if(&mut self, needed: bool, heading: &str) {
        if needed {
            self.heading(heading);
        }
    }

    fn heading(&mut self, heading: &str) {
        self.text.push('\n');
        self.line(0, heading);
    }

    /// One line, broken between words where it is too long; what follows hangs by two more.
    fn line(&mut self, indent: usize, line: &str) {
        let shown: String =
            line.chars().map(|char| if is_plain(char) { char } else { '\u{fffd}' }).collect();
        let mut used = indent;
        let mut gap = "";
        let _ = write!(self.text, "{:indent$}", "");
        for word in shown.split(' ') {
            let len = word.chars().count();
            if used > indent && used + gap.len() + len > self.width {
                let hanging = indent + 2;
                let _ = write!(self.text, "\n{:hanging$}", "");
                used = hanging;
            } else {
                self.text.push_str(gap);
                used += gap.len();
            }
            self.text.push_str(word);
            used += len;
            // Runs of spaces stay, so that columns do.
            gap = " ";
        }
        self.text.push('\n');
    }
}

/// Whether a character shows as itself and does nothing else.
fn is_plain(char: char) -> bool {
    !char.is_control()
        && !matches!(
            char,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_dates() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_767_225_599_999), "2025-12-31T23:59:59Z");
        assert!(!utc(u64::MAX).is_empty());
    }

    #[test]
    fn lines_break_between_words_and_show_no_controls() {
        let mut page = Page { text: String::new(), width: 12 };
        page.line(2, "one  two three\u{1b}[2J four");
        assert_eq!(page.text, "  one  two\n    three\u{fffd}[2J\n    four\n");
    }
}
