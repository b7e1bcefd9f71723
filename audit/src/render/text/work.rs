//! Datasets, queries, runs, and who got what by them.

use chancery_governance::privacy::loss_text;
use chancery_governance::run::Attested;

use super::page::Page;
use crate::render::agreed;
use crate::render::words::{self, Names, count, label, right, short, utc};
use crate::report::{Bound, Contents, Query, Recipient, Released, Run, Stamp, Vote};

pub fn datasets(page: &mut Page, contents: &Contents, names: &Names<'_>) {
    page.heading_if(!contents.datasets.is_empty(), "Datasets");
    for dataset in &contents.datasets {
        let owner = names.member(dataset.owner);
        let retired = if dataset.retired { ", retired" } else { "" };
        let mode = dataset.access_mode.as_str();
        page.line(2, &format!("{} of {owner}, {mode}{retired}", dataset.name));
        for line in words::usage(&dataset.usage, names) {
            page.line(4, &line);
        }
        for version in &dataset.versions {
            page.line(4, &format!("version at {}  {}", version.position, short(&version.digest)));
        }
        page.left_out(4, &dataset.versions, "older version", "");
    }
    page.left_out(2, &contents.datasets, "dataset", "");
}

pub fn queries(page: &mut Page, contents: &Contents, names: &Names<'_>) {
    page.heading_if(!contents.queries.is_empty(), "Queries, and who approved what with which key");
    contents.queries.iter().for_each(|one| query(page, one, names));
    page.left_out(2, &contents.queries, "query", "");
    page.heading_if(!contents.bound.is_empty(), "What was voted on");
    for (digest, bound) in &contents.bound {
        page.line(2, &format!("{}, digest", bound.name));
        page.line(4, &digest.to_hex());
        text(page, bound, names);
    }
    if contents.bound_left_out > 0 {
        let more = count(contents.bound_left_out, "proposal");
        page.line(2, &format!("and {more} more, left out: too long together; see --from POSITION"));
    }
}

fn query(page: &mut Page, query: &Query, names: &Names<'_>) {
    page.line(2, &format!("{}: {}, by {}", query.name, query.state, names.member(query.author)));
    page.line(4, &format!("id {}", query.id));
    if let Some(digest) = &query.digest {
        page.line(4, &format!("digest {}", digest.to_hex()));
    }
    if !query.approvers.is_empty() {
        let approvers: Vec<_> = query.approvers.iter().map(|id| names.member(*id)).collect();
        page.line(4, &format!("approvers {}", approvers.join(", ")));
    }
    for group in &query.groups {
        let members: Vec<_> = group.members.iter().map(|id| names.member(*id)).collect();
        let members = members.join(", ");
        page.line(4, &format!("group {}: {} of {members}", group.name, group.needed));
    }
    for Vote { position, time_ms, member, approves, by, rule, void, digest } in &query.votes {
        let vote = if *approves { "yes" } else { "no" };
        let void = if *void { ", void by now" } else { "" };
        let (who, when) = (names.member(*member), utc(*time_ms));
        let right = rule.as_ref().map_or_else(|| right(by), |rule| agreed::by_rule(rule, names));
        page.line(4, &format!("{position}  {when}  {vote} by {who}, {right}{void}"));
        if Some(*digest) != query.digest {
            page.line(6, &format!("on another proposal: {}", short(digest)));
        }
    }
    page.left_out(4, &query.votes, "vote", ": --from POSITION lists from there");
}

fn text(page: &mut Page, bound: &Bound, names: &Names<'_>) {
    for segment in &bound.segments {
        page.line(4, &format!("segment {} makes {}:", segment.order, segment.view));
        page.lines(6, &segment.sql);
        for condition in &segment.pre_conditions {
            page.line(6, &format!("if {} has {} rows", condition.view, condition.min_rows));
        }
        for filter in &segment.post_filters {
            page.line(6, &format!("keeping rows with {} >= {}", filter.column, filter.minimum));
        }
    }
    for parameter in &bound.parameters {
        let (kind, value) = (words::literal(&parameter.value), words::value(&parameter.value));
        page.line(4, &format!("parameter :{} = {value} ({kind})", parameter.name));
    }
    if let Some(loss) = bound.privacy {
        page.line(4, &format!("each run costs {}", loss_text(loss)));
    }
    for (alias, version) in &bound.inputs {
        let dataset = names.dataset(version.dataset);
        page.line(4, &format!("reads {dataset} as {alias}, version {}", short(&version.digest)));
    }
    for (alias, policy) in &bound.policies {
        page.line(4, &format!("policy of {alias}"));
        for line in words::policy(policy) {
            page.line(6, &line);
        }
    }
    for column in &bound.lineage {
        page.line(4, &format!("gives {}, {}", column.name, words::lineage(column)));
    }
    let output = names.dataset(bound.output.dataset);
    page.line(4, &format!("writes {output}, version {}", short(&bound.output.digest)));
    for application in &bound.applications {
        page.line(4, &format!("for application {}", short(application)));
    }
}

pub fn runs(page: &mut Page, contents: &Contents, names: &Names<'_>) {
    page.heading_if(contents.runs.total() > 0, "Runs");
    contents.runs.iter().for_each(|one| run(page, one, names));
    page.left_out(2, &contents.runs, "run", ": --from POSITION lists from there");
}

fn at(stamp: &Stamp) -> String {
    format!("at {}, {}", stamp.position, utc(stamp.time_ms))
}

fn run(page: &mut Page, run: &Run, names: &Names<'_>) {
    page.line(2, &format!("{}: {}", names.query(run.query), run.state));
    page.line(4, &format!("id {}", run.id));
    let runner = names.member(run.runner);
    page.line(4, &format!("requested {} by {runner}, {}", at(&run.requested), right(&run.by)));
    if let Some(digest) = &run.query_digest {
        page.line(4, &format!("query digest {}", short(digest)));
    }
    if !run.votes.is_empty() {
        let votes: Vec<_> = run.votes.iter().map(u64::to_string).collect();
        page.line(4, &format!("votes at {}", votes.join(", ")));
    }
    if let Some(executor) = &run.executor {
        let (when, platform) = (at(&executor.admitted), label(executor.platform));
        page.line(4, &format!("admitted {when}, {platform}"));
        page.line(4, &format!("executor key {}", short(&executor.key)));
        page.line(4, &format!("measurement {}", short(&executor.measurement)));
    }
    if let Some(job_spec) = &run.job_spec {
        page.line(4, &format!("job spec {}", short(job_spec)));
    }
    if let Some(started) = &run.started {
        page.line(4, &format!("started {}", at(started)));
    }
    if let Some(ended) = &run.ended {
        page.line(4, &format!("outcome {}", at(ended)));
    }
    for reason in &run.reasons {
        page.line(4, &format!("{}: {}", reason.code.as_str(), reason.detail));
    }
    if let Some((code, detail)) = &run.failure {
        page.line(4, &format!("{code}: {detail}"));
    }
    if let Some(attested) = &run.result {
        result(page, attested, names);
    }
}

fn result(page: &mut Page, result: &Attested, names: &Names<'_>) {
    page.line(4, &format!("engine {} {}", result.engine.name, result.engine.version));
    for version in &result.inputs {
        let dataset = names.dataset(version.dataset);
        page.line(4, &format!("read {dataset}, version {}", short(&version.digest)));
    }
    for input in &result.statistics.inputs {
        page.line(4, &format!("{} of {}", count(input.rows, "row"), input.alias));
    }
    for segment in &result.statistics.segments {
        let rows = count(segment.rows, "row");
        page.line(4, &format!("{rows} in {}, {} ms", segment.view, segment.duration_ms));
    }
    page.line(4, &format!("{} written", count(result.statistics.rows_written, "row")));
    for line in result.privacy.iter().flat_map(words::noise) {
        page.line(4, &line);
    }
    for file in &result.manifest.files {
        page.line(4, &format!("file {}, {}", file.path, count(file.bytes, "byte")));
        page.line(6, &file.digest.to_string());
    }
}

pub fn code(page: &mut Page, contents: &Contents, names: &Names<'_>) {
    page.heading_if(contents.code.total() > 0, "Which code ran which query");
    for code in &contents.code {
        page.line(2, &format!("{}, {}", names.query(code.query), short(&code.query_digest)));
        let platform = label(code.platform);
        page.line(4, &format!("measurement {}, {platform}", short(&code.measurement)));
        let admissions = count(code.admissions, "admission");
        let places = match (code.first, code.last) {
            (first, last) if first == last => format!("at {first}"),
            (first, last) => format!("from {first} to {last}"),
        };
        page.line(4, &format!("executor key {}: {admissions}, {places}", short(&code.executor)));
    }
    page.left_out(2, &contents.code, "admission", ", of other executors or queries");
}

pub fn releases(page: &mut Page, contents: &Contents, names: &Names<'_>) {
    page.heading("Who got what");
    if contents.secrets == 0 {
        page.line(2, &words::no_secret());
    }
    for release in &contents.releases {
        let (position, when) = (release.stamp.position, utc(release.stamp.time_ms));
        let lead = format!("{position}  {when}");
        match &release.to {
            Recipient::Executor { key, platform, measurement } => {
                let what = if release.what.is_secret() { "a secret" } else { "data" };
                page.line(2, &format!("{lead}  {what} to executor key {}", short(key)));
                let platform = label(*platform);
                page.line(4, &format!("measurement {}, {platform}", short(measurement)));
            }
            Recipient::Member(member) => {
                page.line(2, &format!("{lead}  a result to {}", names.member(*member)));
            }
        }
        page.line(4, &format!("run {} of {}", release.run, names.query(release.query)));
        match &release.what {
            Released::Datasets(versions) => {
                for version in versions {
                    let dataset = names.dataset(version.dataset);
                    page.line(4, &format!("{dataset}, version {}", short(&version.digest)));
                }
            }
            Released::Secret { dataset, ciphertext, recipient } => {
                let name = names.dataset(dataset.dataset);
                let (version, ciphertext) = (short(&dataset.digest), short(ciphertext));
                page.line(4, &format!("the secret of {name}, version {version}"));
                let to = short(&recipient.id());
                page.line(4, &format!("ciphertext {ciphertext}, sealed to key {to}"));
            }
            Released::Token { dataset, audience, expires_ms, recipient } => {
                let name = names.dataset(dataset.dataset);
                let until = utc(*expires_ms);
                page.line(4, &format!("a token for the store of {name}, until {until}"));
                let to = short(&recipient.id());
                page.line(4, &format!("audience {audience}, sealed to key {to}"));
            }
            Released::Result { dataset, files, rows } => {
                let (name, version) = (names.dataset(dataset.dataset), short(&dataset.digest));
                let (files, rows) = (count(*files, "file"), count(*rows, "row"));
                page.line(4, &format!("{files}, {rows}, to {name}, version {version}"));
            }
        }
    }
    page.left_out(2, &contents.releases, "release", ": --from POSITION lists from there");
}
