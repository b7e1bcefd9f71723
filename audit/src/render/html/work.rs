//! Votes, queries, runs, releases, code.

use chancery_governance::privacy::loss_text;
use chancery_governance::query::DatasetVersion;
use chancery_governance::run::Attested;

use super::log::{left_out, lines};
use super::markup::{Body, Markup};
use super::{open, time};
use crate::render::agreed;
use crate::render::words::{self, Names, count, label};
use crate::report::{Bound, By, Contents, Recipient, Released, Run, Stamp};

const FROM: &str = "; chancery audit verify --from POSITION lists from there";

fn stamp(stamp: &Stamp) -> Markup {
    Markup::text(&format!("{} at position {}", time(stamp.time_ms), stamp.position))
}

/// By what right, with the whole id of the key.
fn right(by: &By) -> Markup {
    match by {
        By::Key(key) => Markup::text("signed by ").then(&Markup::code(key)),
        By::ServiceWitnessed => {
            Markup::text("service-witnessed: on the service\u{2019}s word").within("em", "")
        }
        By::Consequence(of) => Markup::text(&format!("following from {of}")),
    }
}

fn version(version: &DatasetVersion, names: &Names<'_>) -> Markup {
    let name = Markup::name(&names.dataset(version.dataset));
    name.then(&Markup::text(", version ")).then(&Markup::code(&version.digest))
}

/// The id of the part of the page that tells what a digest stands for.
fn anchor(digest: &chancery_ledger::digest::Digest) -> String {
    format!("proposal-{}", digest.to_hex())
}

pub fn votes(body: &mut Body, contents: &Contents, names: &Names<'_>) {
    open(body, "votes");
    let states = contents.queries.iter().map(|query| {
        let approvers = query.approvers.iter().map(|id| Markup::name(&names.member(*id)));
        let approvers =
            approvers.chain(query.groups.iter().map(|group| {
                Markup::name(&format!("{} of the group {}", group.needed, group.name))
            }));
        vec![
            Markup::name(&query.name),
            Markup::text(query.state),
            Markup::name(&names.member(query.author)),
            lines(approvers),
            query.digest.as_ref().map_or(Markup::text("\u{2013}"), Markup::code),
        ]
    });
    let headings = ["query", "state", "author", "approvers", "digest"];
    body.table("Queries at the end of the log", "query", &headings, states);
    left_out(body, &contents.queries, "query", "");
    let rows = contents.queries.iter().flat_map(|query| {
        query.votes.iter().map(|vote| {
            let yes = if vote.approves {
                Markup::text("yes")
            } else {
                Markup::text("no").within("span", "no")
            };
            let void = Markup::text("void by now").within("span", "void");
            let answer = if vote.void { yes.over(&void) } else { yes };
            vec![
                Markup::text(&vote.position.to_string()),
                Markup::text(&time(vote.time_ms)),
                Markup::name(&names.member(vote.member)),
                answer,
                Markup::name(&query.name).over(&Markup::code(&vote.digest)),
                match &vote.rule {
                    None => right(&vote.by),
                    Some(rule) => Markup::name(&agreed::by_rule(rule, names)).within("em", ""),
                },
            ]
        })
    });
    let headings = ["position", "time", "member", "vote", "on query, digest", "key"];
    body.table("Every vote", "vote", &headings, rows);
    for query in contents.queries.iter().filter(|query| query.votes.left_out() > 0) {
        left_out(body, &query.votes, "vote", FROM);
    }
    body.end_section();
}

pub fn queries(body: &mut Body, contents: &Contents, names: &Names<'_>) {
    open(body, "queries");
    body.paragraph(
        "",
        &Markup::text(
            "A vote names the digest of a proposal: its text, its parameters, the versions of \
             its datasets and the applications that may run it.",
        ),
    );
    for (digest, bound) in &contents.bound {
        body.article(&anchor(digest), "proposal", &Markup::name(&bound.name));
        proposal(body, digest, bound, names);
        body.end_article();
    }
    if contents.bound_left_out > 0 {
        let more = count(contents.bound_left_out, "proposal");
        let text = format!("And {more} more, left out: too long together{FROM}.");
        body.paragraph("quiet", &Markup::text(&text));
    }
    body.end_section();
}

fn proposal(
    body: &mut Body,
    digest: &chancery_ledger::digest::Digest,
    bound: &Bound,
    names: &Names<'_>,
) {
    let inputs = bound.inputs.iter().map(|(alias, input)| {
        let alias = Markup::text(" as ").then(&Markup::code(alias));
        version(input, names).then(&alias)
    });
    let parameters = bound.parameters.iter().map(|parameter| {
        let kind = words::literal(&parameter.value);
        let value = words::value(&parameter.value);
        Markup::code(&format!(":{} = {value}", parameter.name))
            .then(&Markup::text(&format!(" ({kind})")))
    });
    let policies: Vec<_> = bound
        .policies
        .iter()
        .map(|(alias, policy)| format!("{alias}: {}", words::policy(policy).join("; ")))
        .collect();
    let lineage: Vec<_> = bound
        .lineage
        .iter()
        .map(|column| format!("{}: {}", column.name, words::lineage(column)))
        .collect();
    body.facts(
        "What the digest stands for",
        &[
            ("digest", Markup::code(digest)),
            ("query", Markup::code(&bound.query)),
            ("reads", lines(inputs)),
            ("writes", version(&bound.output, names)),
            ("parameters", lines(parameters)),
            ("applications", lines(bound.applications.iter().map(Markup::code))),
            ("policies", lines(policies.iter().map(|line| Markup::text(line)))),
            ("output", lines(lineage.iter().map(|line| Markup::text(line)))),
        ],
    );
    if let Some(loss) = bound.privacy {
        let text = format!("Each run costs {} of its inputs' privacy.", loss_text(loss));
        body.paragraph("", &Markup::text(&text));
    }
    for segment in &bound.segments {
        let text = format!("Segment {}, which makes ", segment.order);
        body.paragraph("", &Markup::text(&text).then(&Markup::code(&segment.view)));
        body.push(&Markup::block(&segment.sql));
        for condition in &segment.pre_conditions {
            let text = format!(" has {} or more", count(condition.min_rows, "row"));
            let view = Markup::code(&condition.view).then(&Markup::text(&text));
            body.paragraph("", &Markup::text("Runs only if ").then(&view));
        }
        for filter in &segment.post_filters {
            let text = format!(" is {} or more", filter.minimum);
            let column = Markup::code(&filter.column).then(&Markup::text(&text));
            body.paragraph("", &Markup::text("Keeps only rows whose ").then(&column));
        }
        let rewritten = bound.rewritten.iter().find(|one| one.view == segment.view);
        if let Some(rewritten) = rewritten.filter(|one| one.sql != segment.sql) {
            let text =
                "The text that runs, after the datasets\u{2019} policies were written into it:";
            body.paragraph("", &Markup::text(text));
            body.push(&Markup::block(&rewritten.sql));
        }
    }
}

pub fn runs(body: &mut Body, contents: &Contents, names: &Names<'_>) {
    open(body, "runs");
    if contents.runs.total() == 0 {
        body.paragraph("", &Markup::text("No run was requested."));
    }
    for one in &contents.runs {
        let heading =
            Markup::name(&names.query(one.query)).then(&Markup::text(&format!(": {}", one.state)));
        body.article(&format!("run-{}", one.id), "run", &heading);
        run(body, one, contents, names);
        body.end_article();
    }
    left_out(body, &contents.runs, "run", FROM);
    body.end_section();
}

fn run(body: &mut Body, run: &Run, contents: &Contents, names: &Names<'_>) {
    let requested = stamp(&run.requested)
        .then(&Markup::text(" by "))
        .then(&Markup::name(&names.member(run.runner)))
        .over(&right(&run.by));
    let mut facts = vec![("run", Markup::code(&run.id)), ("requested", requested)];
    if let Some(digest) = &run.query_digest {
        let told = contents.bound.get(digest).map(|bound| {
            let text = Markup::text("its text and datasets: ");
            text.then(&Markup::name(&bound.name).linked(&anchor(digest)))
        });
        facts.push(("query digest", Markup::code(digest).over(&told.unwrap_or_default())));
    }
    let votes = run.votes.iter().map(|position| {
        let query = contents.queries.iter().find(|query| query.id == run.query);
        let vote = query.and_then(|query| query.votes.iter().find(|it| it.position == *position));
        let text = Markup::text(&format!("position {position}"));
        vote.map_or(text.clone(), |vote| {
            let member = Markup::name(&names.member(vote.member));
            text.then(&Markup::text(": "))
                .then(&member)
                .then(&Markup::text(", "))
                .then(&right(&vote.by))
        })
    });
    facts.push(("approvals it ran under", lines(votes)));
    if let Some(executor) = &run.executor {
        facts.push(("admitted", stamp(&executor.admitted)));
        facts.push(("executor key", Markup::code(&executor.key)));
        facts.push(("code (measurement)", Markup::code(&executor.measurement)));
        facts.push(("platform", Markup::text(label(executor.platform)).within("strong", "")));
    }
    facts.extend(run.job_spec.as_ref().map(|digest| ("job spec", Markup::code(digest))));
    facts.extend(run.submitted.as_ref().map(|at| ("handed to the engine", stamp(at))));
    facts.extend(run.started.as_ref().map(|at| ("started", stamp(at))));
    facts.extend(run.ended.as_ref().map(|at| ("outcome", stamp(at))));
    let reasons = run.reasons.iter().map(|reason| {
        let detail = Markup::name(&reason.detail);
        Markup::code(reason.code.as_str()).then(&Markup::text(" ")).then(&detail)
    });
    if !run.reasons.is_empty() {
        facts.push(("reasons", lines(reasons)));
    }
    if let Some((code, detail)) = &run.failure {
        let detail = Markup::name(detail);
        facts.push(("failure", Markup::code(code).then(&Markup::text(" ")).then(&detail)));
    }
    body.facts("The run", &facts);
    if let Some(attested) = &run.result {
        result(body, attested, names);
    }
}

fn result(body: &mut Body, result: &Attested, names: &Names<'_>) {
    let inputs = result.inputs.iter().map(|input| version(input, names));
    let engine = format!("{} {}", result.engine.name, result.engine.version);
    let read = result.statistics.inputs.iter().map(|input| {
        Markup::text(&format!("{} of ", count(input.rows, "row"))).then(&Markup::code(&input.alias))
    });
    let made = result.statistics.segments.iter().map(|segment| {
        Markup::text(&format!("{} in ", count(segment.rows, "row")))
            .then(&Markup::code(&segment.view))
            .then(&Markup::text(&format!(", {} ms", segment.duration_ms)))
    });
    body.facts(
        "What the executor attested",
        &[
            ("read", lines(inputs)),
            ("application", Markup::code(&result.application)),
            ("engine", Markup::name(&engine)),
            ("rows read", lines(read)),
            ("rows made", lines(made)),
            ("rows written", Markup::text(&result.statistics.rows_written.to_string())),
        ],
    );
    if let Some(noised) = &result.privacy {
        let noise = words::noise(noised);
        body.facts("The noise", &[("drawn", lines(noise.iter().map(|line| Markup::name(line))))]);
    }
    let files = result.manifest.files.iter().map(|file| {
        vec![
            Markup::code(&file.path),
            Markup::text(&file.bytes.to_string()),
            Markup::code(&file.digest),
        ]
    });
    body.table("Result files", "file", &["file", "bytes", "SHA-256"], files);
}

pub fn releases(body: &mut Body, contents: &Contents, names: &Names<'_>) {
    open(body, "releases");
    if contents.secrets == 0 {
        body.paragraph("", &Markup::text(&words::no_secret()));
    }
    let rows = contents.releases.iter().map(|release| {
        let to = match &release.to {
            Recipient::Executor { key, platform, measurement } => Markup::text("executor key ")
                .then(&Markup::code(key))
                .over(&Markup::text("measurement ").then(&Markup::code(measurement)))
                .over(&Markup::text(label(*platform)).within("strong", "")),
            Recipient::Member(member) => Markup::name(&names.member(*member)),
        };
        let what = match &release.what {
            Released::Datasets(versions) => {
                let versions = lines(versions.iter().map(|it| version(it, names)));
                Markup::text("data, to read:").over(&versions)
            }
            Released::Secret { dataset, ciphertext, recipient } => Markup::text("the secret of ")
                .then(&version(dataset, names))
                .over(&Markup::text("ciphertext ").then(&Markup::code(ciphertext)))
                .over(&Markup::text("sealed to ").then(&Markup::code(recipient))),
            Released::Token { dataset, audience, expires_ms, recipient } => {
                Markup::text("a token for the store of ")
                    .then(&version(dataset, names))
                    .over(&Markup::text("audience ").then(&Markup::code(audience)))
                    .over(&Markup::text(&format!("until {}", time(*expires_ms))))
                    .over(&Markup::text("sealed to ").then(&Markup::code(recipient)))
            }
            Released::Result { dataset, files, rows } => {
                let (files, rows) = (count(*files, "file"), count(*rows, "row"));
                let text = format!("a result of {files}, {rows}, written to ");
                Markup::text(&text).then(&version(dataset, names))
            }
        };
        let run = Markup::code(&release.run).linked(&format!("run-{}", release.run));
        vec![
            Markup::text(&release.stamp.position.to_string()),
            Markup::text(&time(release.stamp.time_ms)),
            to,
            what,
            run,
        ]
    });
    let headings = ["position", "time", "who", "what", "by run"];
    body.table("Releases, in order", "release", &headings, rows);
    left_out(body, &contents.releases, "release", FROM);
    body.end_section();
}

pub fn code(body: &mut Body, contents: &Contents, names: &Names<'_>) {
    open(body, "code");
    let rows = contents.code.iter().map(|code| {
        let places = match (code.first, code.last) {
            (first, last) if first == last => format!("position {first}"),
            (first, last) => format!("positions {first} to {last}"),
        };
        let admissions = count(code.admissions, "admission");
        vec![
            Markup::name(&names.query(code.query)).over(&Markup::code(&code.query_digest)),
            Markup::code(&code.measurement)
                .over(&Markup::text(label(code.platform)).within("strong", "")),
            Markup::code(&code.executor),
            Markup::text(&format!("{admissions}, {places}")),
        ]
    });
    let headings = ["query, digest", "measurement", "executor key", "admitted"];
    body.table("Code by query", "code", &headings, rows);
    left_out(body, &contents.code, "admission", ", of other executors or queries");
    body.end_section();
}
