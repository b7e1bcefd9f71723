//! Queries as people read them: list, detail, readiness.

use std::fmt::Write as _;

use chancery_commands::api::Loss;
use chancery_governance::privacy::{self, loss_text};
use serde_json::json;

use super::marks;
use crate::client::http::view;
use crate::client::names::Named as _;
use crate::client::room::Room;
use crate::client::views::{Charge, Lineage, LineageColumn, Query, Readiness, Reason};
use crate::failure::Result;
use crate::output::{self, WIDTH};
use crate::text::{Table, facts, plain, plain_lines, time, wrapped};

/// Lists the queries.
pub async fn list(room: &Room) -> Result<()> {
    let items = room.list("/queries").await?;
    let mut table = Table::new(["NAME", "STAGE", "VOTES", "AUTHOR", "ID"]);
    for item in &items {
        let it: Query = view(item)?;
        table.row([it.name(), &it.stage, &votes(&it), &it.author_organisation, &it.id]);
    }
    let none = "No query is drafted here.\n".to_owned();
    let text = if table.is_empty() { none } else { table.render(0) };
    Ok(output::answer(&json!({"items": items}), &text)?)
}

/// How many approvers said yes, of how many.
fn votes(query: &Query) -> String {
    query.proposal.as_ref().map_or_else(
        || "-".to_owned(),
        |proposal| {
            let yes = proposal.approvers.iter().filter(|it| it.vote == "approved").count();
            format!("{yes} of {}", proposal.approvers.len())
        },
    )
}

/// Shows a query.
pub async fn show(room: &Room, id: &str, sql: bool) -> Result<()> {
    let document = room.document(&format!("/queries/{id}")).await?;
    let it: Query = view(&document)?;
    let mut pairs = vec![
        ("id", it.id.clone()),
        ("author", it.author_organisation.clone()),
        ("stage", it.stage.clone()),
    ];
    pairs.extend(it.proposal.as_ref().map(|proposal| ("digest", proposal.digest.clone())));
    pairs.extend(it.definition.privacy.as_ref().map(|loss| {
        let Loss { epsilon_micro, delta_pico } = *loss;
        let loss = loss_text(privacy::Loss { epsilon_micro, delta_pico });
        ("privacy", format!("each run costs {loss}"))
    }));
    let charges = it.proposal.iter().flat_map(|proposal| &proposal.charges);
    pairs.extend(charges.map(|it| ("charges", charge(it))));
    pairs.extend(
        it.rejected
            .as_ref()
            .map(|by| ("rejected", format!("by {}: {}", by.organisation, by.comment))),
    );
    pairs.extend(
        it.superseded.as_ref().map(|why| ("superseded", format!("{}: {}", why.code, why.detail))),
    );
    if let Some(proposal) = &it.proposal {
        pairs.extend(proposal.votes_until_ms.map(|at| ("votes until", time(at))));
        pairs.extend(proposal.runs_until_ms.map(|at| ("runs until", time(at))));
        pairs.extend(proposal.groups.iter().flatten().map(|group| {
            let members = group.members.iter().map(|it| it.organisation.as_str());
            let members: Vec<_> = members.collect();
            let needed = group.needed;
            ("group", format!("{}: {needed} of {}", group.name, members.join(", ")))
        }));
    }
    pairs.extend(marks(&it.marks));
    let mut text = format!("{}\n{}", plain(it.name()), facts(2, pairs));
    if let Some(proposal) = &it.proposal {
        let mut table = Table::new(["APPROVER", "VOTE", "WHEN", "POSITION"]).right(3);
        let groups = proposal.groups.iter().flatten();
        let seats = groups.clone().flat_map(|group| &group.members);
        let owners: Vec<_> = proposal.approvers.iter().map(|it| &it.organisation).collect();
        let seats = seats.filter(|seat| !owners.contains(&&seat.organisation));
        for approver in proposal.approvers.iter().chain(seats) {
            let (when, position) = approver.voted.as_ref().map_or_else(
                || ("-".to_owned(), "-".to_owned()),
                |voted| (time(voted.time_ms), voted.position.to_string()),
            );
            let by_rule = approver.by_rule.as_ref();
            let vote = by_rule.map_or_else(
                || approver.vote.clone(),
                |rule| format!("{} by the rule set at {}", approver.vote, rule.position),
            );
            table.row([&approver.organisation, &vote, &when, &position]);
        }
        let _ = write!(text, "\n{}", table.render(2));
    }
    if sql {
        text.push_str(&texts(&it));
        if it.proposal.is_some() {
            let document = room.document(&format!("/queries/{id}/lineage")).await?;
            text.push_str(&lineage(&view(&document)?));
        }
    }
    Ok(output::answer(&document, &text)?)
}

/// Where each column of the output comes from.
fn lineage(lineage: &Lineage) -> String {
    let mut table = Table::new(["OUTPUT", "TYPE", "FROM"]);
    for LineageColumn { name, r#type, aggregated, sources } in &lineage.columns {
        let sources: Vec<_> =
            sources.iter().map(|it| format!("{}.{}", it.input, it.column)).collect();
        let from = match (sources.is_empty(), aggregated) {
            (true, true) => "a count of rows".to_owned(),
            (true, false) => "a constant".to_owned(),
            (false, true) => format!("an aggregate of {}", sources.join(", ")),
            (false, false) => sources.join(", "),
        };
        table.row([name.as_str(), r#type.as_deref().unwrap_or("-"), &from]);
    }
    format!("\n{}", table.render(2))
}

/// The texts of each segment: as written, and once it is proposed, as it runs.
fn texts(query: &Query) -> String {
    let mut out = String::new();
    let mut say = |view: &str, what: &str, sql: &str| {
        let _ = write!(out, "\n  {}, {what}:\n", plain(view));
        for line in plain_lines(sql).lines() {
            out.push_str(&wrapped("    ", line, WIDTH));
        }
    };
    match &query.proposal {
        Some(proposal) => {
            for text in &proposal.texts {
                say(&text.view, "as written", &text.original);
                if text.original == text.rewritten {
                    say(&text.view, "as it runs", "the same");
                } else {
                    say(&text.view, "as it runs, with the policies in it", &text.rewritten);
                }
            }
        }
        None => {
            for segment in &query.definition.segments {
                say(&segment.view, "as written (not proposed yet)", &segment.sql);
            }
        }
    }
    out
}

/// What a run takes of a dataset's budget of privacy.
pub fn charge(it: &Charge) -> String {
    let Charge { dataset_name, epsilon_micro, delta_pico } = it;
    let loss = privacy::Loss { epsilon_micro: *epsilon_micro, delta_pico: *delta_pico };
    format!("{} of the budget of {}", loss_text(loss), plain(dataset_name))
}

/// Shows whether a query can run now.
pub async fn readiness(room: &Room, query: &Query) -> Result<()> {
    let document = room.document(&format!("/queries/{}/readiness", query.id)).await?;
    let it: Readiness = view(&document)?;
    let name = plain(query.name());
    let text = if it.ready {
        format!("You can run {name} now.\n")
    } else {
        format!("You can't run {name} now:\n{}", reasons(&it.reasons))
    };
    Ok(output::answer(&document, &text)?)
}

/// Reasons, one after another.
pub fn reasons(reasons: &[Reason]) -> String {
    let lines = reasons.iter().map(|reason| {
        let about = reason.subject.as_ref().map_or(String::new(), |it| format!(" ({it})"));
        let mut lines =
            wrapped("  - ", &format!("{}: {}{about}", reason.code, reason.detail), WIDTH);
        if let Some(remedy) = &reason.remedy {
            lines.push_str(&wrapped("    -> ", &plain(&remedy.detail), WIDTH));
        }
        lines
    });
    lines.collect()
}
