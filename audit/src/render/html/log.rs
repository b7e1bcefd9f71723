//! The log itself: whose it is, what was checked, its entries, what stood at a moment.

use chancery_governance::member::{Ability, SignedAct};

use super::markup::{Body, Markup};
use super::{open, time};
use crate::check::Check;
use crate::render::words::{Names, count, deed, label, right, stopped};
use crate::report::{At, Contents, Listed, Report, StateAt};

/// Says how many items a list has left out, if any.
pub fn left_out<T>(body: &mut Body, list: &Listed<T>, noun: &str, how: &str) {
    if list.left_out() > 0 {
        let more = format!("And {} more, left out{how}.", count(list.left_out(), noun));
        body.paragraph("quiet", &Markup::text(&more));
    }
}

pub fn facts(body: &mut Body, contents: &Contents) {
    open(body, "log");
    let (service, checkpoint) = (&contents.service, &contents.checkpoint);
    let expected = if service.pinned {
        "the one that the auditor expected"
    } else {
        "as the bundle names it: the auditor named no expected key"
    };
    let acts: Vec<_> = contents.terms.member_signed.iter().map(SignedAct::as_str).collect();
    let acts = if acts.is_empty() { "none".to_owned() } else { acts.join(", ") };
    let lifecycle = stopped(&contents.lifecycle, &Names::of(contents));
    let lifecycle = lifecycle.map_or_else(|| "yes".to_owned(), |it| format!("no: {it}"));
    let evidence = if contents.terms.insecure_virtual { "yes" } else { "no" };
    body.facts(
        "Whose log this is, and which state of it",
        &[
            ("clean room", Markup::name(&contents.name)),
            ("id", Markup::code(&contents.collaboration)),
            ("origin", Markup::code(&checkpoint.origin)),
            ("entries", Markup::text(&checkpoint.size.to_string())),
            ("Merkle root", Markup::code(&checkpoint.root)),
            ("first entry", Markup::text(&time(contents.first_time_ms))),
            ("last entry", Markup::text(&time(contents.last_time_ms))),
            ("service", Markup::name(&service.name)),
            ("its key", Markup::code(&service.key.id()).over(&Markup::text(expected))),
            (
                "its evidence",
                Markup::text(label(service.platform))
                    .over(&Markup::text("measurement "))
                    .then(&Markup::code(&service.measurement)),
            ),
            ("only by members\u{2019} own signatures", Markup::text(&acts)),
            ("evidence without hardware allowed", Markup::text(evidence)),
            ("queries can run", Markup::name(&lifecycle)),
            (
                "exported",
                Markup::text(&format!("{}, which nobody signs", time(contents.exported_at_ms))),
            ),
        ],
    );
    body.paragraph(
        "quiet",
        &Markup::text(
            "A position is an entry\u{2019}s place in the log, from 0. Times are the \
             service\u{2019}s clock, in UTC. A digest is SHA-256. A key\u{2019}s id is the digest \
             of the key.",
        ),
    );
    body.push(&Markup::text("The signed checkpoint").within("h3", ""));
    body.push(&Markup::block(&contents.note));
    body.end_section();
}

pub fn checks(body: &mut Body, report: &Report) {
    open(body, "checks");
    let row = |check: &Check| vec![Markup::code(check), Markup::text(holds(*check))];
    body.table(
        "Each of these holds, at every entry that it is about",
        "check",
        &["check", "holds where"],
        crate::render::partial::checks(report).iter().map(row),
    );
    body.end_section();
}

/// What a check is, in a sentence.
pub const fn holds(check: Check) -> &'static str {
    match check {
        Check::Witnesses => {
            "The cosigned note is of this log\u{2019}s tree; as many of the witnesses that the \
             auditor named as it asked for cosigned it."
        }
        Check::Mirror => {
            "Each receipt of the mirror verifies, and claims this log\u{2019}s tree as it stands \
             there; every entry has one for which one is announced."
        }
        Check::Closure => "Everything that the entries of this part name is in it.",
        Check::Format => "The file is of the bundle\u{2019}s form, to its last byte.",
        Check::Header => "The header says what the log says; its checksum holds.",
        Check::ServiceKey => {
            "The service\u{2019}s key is the one in the first event, and the expected one."
        }
        Check::Seal => "The service\u{2019}s signature is over exactly the entry\u{2019}s bytes.",
        Check::Position => "The entry is of this log and names the position where it stands.",
        Check::Chain => "The entry names the hash of the entry before it.",
        Check::ServiceEvidence => {
            "The service\u{2019}s evidence verifies and binds its name and key."
        }
        Check::Authority => {
            "The member\u{2019}s or executor\u{2019}s own signature verifies, was meant for this \
             very command, and its key could sign there and then."
        }
        Check::ExecutorEvidence => {
            "The executor\u{2019}s evidence verifies and binds the run, its nonce, the key and the \
             result."
        }
        Check::Rules => {
            "Decided again from the entries before it, the command is allowed and causes exactly \
             the stored events."
        }
        Check::Checkpoint => {
            "The signed checkpoint is by the service\u{2019}s key, of this log and of this size."
        }
        Check::Root => "The Merkle root over the entries is the one in the checkpoint.",
        Check::Settled => "The log does not end in the middle of what one command causes.",
    }
}

pub fn unverified(body: &mut Body, contents: &Contents) {
    open(body, "unverified");
    let rows = contents.not_checked.iter();
    let rows = rows.map(|not| vec![Markup::text(&not.what), Markup::text(&not.why)]);
    body.table("Not proved by this log", "missing", &["what", "why"], rows);
    body.end_section();
}

pub fn timeline(body: &mut Body, contents: &Contents, names: &Names<'_>) {
    open(body, "timeline");
    let timeline = &contents.timeline;
    if timeline.from > 0 {
        let root = timeline.root_before.map_or(Markup::default(), |root| {
            Markup::text("; the Merkle root over the entries before: ").then(&Markup::code(&root))
        });
        let from = format!("From position {} on", timeline.from);
        body.paragraph("", &Markup::text(&from).then(&root));
    }
    let rows = timeline.entries.iter().map(|line| {
        let who = Markup::name(&names.actor(line.actor));
        let what = Markup::text(&format!(" {} ", deed(line.kind)));
        let subject = Markup::name(&names.subject(line.subject));
        vec![
            Markup::text(&line.stamp.position.to_string()),
            Markup::text(&time(line.stamp.time_ms)),
            who.then(&what).then(&subject),
            Markup::text(&right(&line.by)),
        ]
    });
    let headings = ["position", "time", "what happened", "by what right"];
    body.table("The entries of the log, in order", "entry", &headings, rows);
    if let Some(next) = timeline.next() {
        let how = format!("; chancery audit verify --from {next} goes on there");
        left_out(body, &timeline.entries, "entry", &how);
    }
    let kinds = timeline.kinds.iter();
    let kinds = kinds.map(|(kind, many)| vec![Markup::code(kind), Markup::text(&many.to_string())]);
    body.table("How many of each type", "kind", &["type of event", "entries"], kinds);
    body.end_section();
}

pub fn at(body: &mut Body, contents: &Contents, names: &Names<'_>) {
    let Some(at) = &contents.at else { return };
    body.section("at", "What stood at the moment asked for");
    match at {
        At::BeforeFirst => body.paragraph("", &Markup::text("Nothing: the log had not begun.")),
        At::BeyondEnd => {
            let text = "Not known: the log ends before that position.";
            body.paragraph("", &Markup::text(text));
        }
        At::State(state) => standing(body, state, names),
    }
    body.end_section();
}

fn standing(body: &mut Body, standing: &StateAt, names: &Names<'_>) {
    let (position, when) = (standing.stamp.position, time(standing.stamp.time_ms));
    let last = if standing.is_last { ", the last entry here" } else { "" };
    let text = format!("The state after the entry at position {position}, sealed {when}{last}.");
    body.paragraph("", &Markup::text(&text));
    let queries = standing.queries.iter().map(|query| {
        let votes = query.votes.iter().map(|vote| {
            let cast = vote.cast.map_or(String::new(), |(time_ms, by)| {
                format!(", {}, {}", time(time_ms), right(&by))
            });
            let rest = format!(" at {}{cast}", vote.position);
            Markup::name(&names.member(vote.member)).then(&Markup::text(&rest))
        });
        let pending = query.pending.iter().map(|id| Markup::name(&names.member(*id)));
        vec![
            Markup::name(&query.name),
            Markup::text(query.state),
            query.digest.as_ref().map_or(Markup::default(), Markup::code),
            lines(votes),
            lines(pending),
        ]
    });
    let headings = ["query", "state", "digest", "approvals that stood", "no vote yet"];
    body.table("Queries", "standing-query", &headings, queries);
    left_out(body, &standing.queries, "query", "");
    super::people::mark_table(body, "Consent withdrawn", &standing.marks, names);
    let members = standing.members.iter().map(|member| {
        let abilities: Vec<_> = member.abilities.iter().map(Ability::as_str).collect();
        vec![
            Markup::name(&member.organisation),
            Markup::text(&abilities.join(", ")),
            lines(member.keys.iter().map(Markup::code)),
        ]
    });
    body.table("Members", "standing-member", &["member", "can", "keys that signed"], members);
    left_out(body, &standing.members, "member", "");
    let datasets = standing.datasets.iter().map(|dataset| {
        vec![
            Markup::name(&dataset.name),
            Markup::name(&names.member(dataset.owner)),
            Markup::code(&dataset.version.digest),
        ]
    });
    let headings = ["dataset", "owner", "version"];
    body.table("Datasets in use", "standing-dataset", &headings, datasets);
    left_out(body, &standing.datasets, "dataset", "");
    let applications = lines(standing.applications.iter().map(Markup::code));
    body.facts("Applications that could run queries", &[("measurements", applications)]);
    let runs = standing.runs.iter().map(|run| {
        let query = Markup::name(&names.query(run.query));
        vec![Markup::code(&run.id), query, Markup::text(run.state)]
    });
    body.table("Runs without an outcome", "standing-run", &["run", "query", "state"], runs);
    left_out(body, &standing.runs, "run", "");
}

/// One below the other; a dash for none.
pub fn lines(items: impl Iterator<Item = Markup>) -> Markup {
    let lines = items.fold(Markup::default(), |lines, item| lines.over(&item));
    if lines == Markup::default() { Markup::text("\u{2013}") } else { lines }
}
