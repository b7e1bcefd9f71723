//! The timeline, and what stood at a moment.

use chancery_governance::member::Ability;

use super::page::Page;
use crate::render::words::{Names, deed, right, short, stopped, utc};
use crate::report::{At, Contents, Listed, Mark, StateAt, Timeline};

pub fn marks(page: &mut Page, indent: usize, marks: &Listed<Mark>, names: &Names<'_>) {
    for mark in marks {
        let members: Vec<_> = mark.members.iter().map(|member| names.member(*member)).collect();
        let (kind, subject) = (mark.kind.as_str(), names.subject(mark.subject));
        page.line(indent, &format!("{kind} on {subject} by {}", members.join(", ")));
    }
    page.left_out(indent, marks, "mark", "");
}

pub fn timeline(page: &mut Page, heading: &str, timeline: &Timeline, names: &Names<'_>) {
    page.heading(heading);
    for line in &timeline.entries {
        let (position, when) = (line.stamp.position, utc(line.stamp.time_ms));
        let (who, subject) = (names.actor(line.actor), names.subject(line.subject));
        let what = format!("{who} {} {subject}", deed(line.kind));
        page.line(2, &format!("{position:>3}  {when}  {what} ({})", right(&line.by)));
    }
    if let Some(next) = timeline.next() {
        page.left_out(2, &timeline.entries, "entry", &format!(": --from {next} goes on there"));
    }
}

pub fn at(page: &mut Page, at: &At, contents: &Contents, names: &Names<'_>) {
    match at {
        At::BeforeFirst => {
            page.heading("What stood at that moment");
            let first = utc(contents.first_time_ms);
            page.line(2, &format!("nothing: the log begins at {first}"));
        }
        At::BeyondEnd => {
            page.heading("What stood at that moment");
            let last = contents.checkpoint.size - 1;
            page.line(2, &format!("not known: this log ends with position {last}"));
        }
        At::State(state) => standing(page, state, names),
    }
}

fn standing(page: &mut Page, standing: &StateAt, names: &Names<'_>) {
    let (position, when) = (standing.stamp.position, utc(standing.stamp.time_ms));
    page.heading(&format!("What stood after position {position}, {when}"));
    if standing.is_last {
        page.line(2, "(the last entry here; what came later this log does not say)");
    }
    if let Some(stopped) = stopped(&standing.lifecycle, names) {
        page.line(2, &format!("the clean room was {stopped}"));
    }
    for query in &standing.queries {
        page.line(2, &format!("query {}: {}", query.name, query.state));
        if let Some(digest) = &query.digest {
            page.line(4, &format!("digest {}", digest.to_hex()));
        }
        for vote in &query.votes {
            let cast = vote.cast.map_or(String::new(), |(time_ms, by)| {
                format!(", {}, {}", utc(time_ms), right(&by))
            });
            let (who, position) = (names.member(vote.member), vote.position);
            page.line(4, &format!("yes by {who} at {position}{cast}"));
        }
        if !query.pending.is_empty() {
            let pending: Vec<_> = query.pending.iter().map(|id| names.member(*id)).collect();
            page.line(4, &format!("no vote yet by {}", pending.join(", ")));
        }
    }
    page.left_out(2, &standing.queries, "query", "");
    for mark in &standing.marks {
        let members: Vec<_> = mark.members.iter().map(|member| names.member(*member)).collect();
        let (kind, subject) = (mark.kind.as_str(), names.subject(mark.subject));
        page.line(2, &format!("consent withdrawn: {kind} on {subject} by {}", members.join(", ")));
    }
    if standing.marks.total() == 0 {
        page.line(2, "no consent was withdrawn");
    }
    for member in &standing.members {
        let abilities: Vec<_> = member.abilities.iter().map(Ability::as_str).collect();
        page.line(2, &format!("member {}: {}", member.organisation, abilities.join(", ")));
        for key in &member.keys {
            page.line(4, &format!("key {}", short(key)));
        }
        if member.keys.total() == 0 {
            page.line(4, "no key that signs");
        }
    }
    page.left_out(2, &standing.members, "member", "");
    for dataset in &standing.datasets {
        let (owner, version) = (names.member(dataset.owner), short(&dataset.version.digest));
        page.line(2, &format!("dataset {} of {owner}, version {version}", dataset.name));
    }
    page.left_out(2, &standing.datasets, "dataset", "");
    for application in &standing.applications {
        page.line(2, &format!("application that may run queries: {}", short(application)));
    }
    for run in &standing.runs {
        page.line(2, &format!("run {} of {}: {}", run.id, names.query(run.query), run.state));
    }
    page.left_out(2, &standing.runs, "run", "");
}
