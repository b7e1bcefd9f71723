//! `chancery query`: drafted, proposed, voted on.

use std::path::{Path, PathBuf};

use chancery_governance::subject::Subject;
use chancery_ledger::id::QueryId;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::change::DAY_MS;
use super::consent::{Change, Consent};
use super::{done, json_file, query_show, vote};
use crate::args::Global;
use crate::client::clock;
use crate::client::names::{Kind, Named as _, pick};
use crate::client::room::Room;
use crate::client::session::{Order, Sent};
use crate::client::views::{Dataset, Query};
use crate::failure::{OrFail as _, Result};

/// Queries: draft, propose, vote.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Draft a query
    #[command(after_help = "\
FILE.json holds the definition: name, segments (each one SELECT, with the view
that it makes), inputs (alias and dataset), output and parameters. Datasets are
named by name or id.

Example:
  {\"name\": \"Planes by maker\",
   \"segments\": [{\"order\": 1, \"view\": \"counts\",
     \"sql\": \"SELECT manufacturer, COUNT(*) AS n FROM p GROUP BY manufacturer\",
     \"pre_conditions\": [], \"post_filters\": []}],
   \"inputs\": [{\"alias\": \"p\", \"dataset\": \"planes\"}],
   \"output\": \"counts\", \"parameters\": []}")]
    Draft {
        /// The definition
        #[arg(value_name = "FILE.json")]
        file: PathBuf,
    },
    /// Change a query of yours that is not up for votes
    Revise {
        /// Its name or id
        name: String,
        /// The new definition
        #[arg(value_name = "FILE.json")]
        file: PathBuf,
    },
    /// Put a query of yours up for votes
    Propose {
        /// Its name or id
        name: String,
        /// Votes count for so many days [default: without an end]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=90))]
        votes_days: Option<u64>,
        /// It may run for so many days from now [default: as the terms say]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=1829))]
        runs_days: Option<u64>,
    },
    /// Vote yes on exactly what the query says now; a vote is final
    Approve {
        /// Its name or id
        name: String,
    },
    /// Vote no, which ends the proposal
    Reject {
        /// Its name or id
        name: String,
        /// Why, for its author
        #[arg(long)]
        comment: String,
    },
    /// Take a proposal back, or an accepted query out of use
    Withdraw {
        /// Its name or id
        name: String,
    },
    /// The queries here, with their votes
    List,
    /// A query, its approvers and their votes
    Show {
        /// Its name or id
        name: String,
        /// Show the texts too: as written, and as they run
        #[arg(long)]
        sql: bool,
    },
    /// Can you run it now, and if not, why: every reason at once
    Readiness {
        /// Its name or id
        name: String,
    },
    /// Withdraw consent on a query that you vote on or wrote
    WithdrawConsent {
        /// Its name or id
        name: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Restore that consent
    RestoreConsent {
        /// Its name or id
        name: String,
        #[command(flatten)]
        consent: Consent,
    },
}

/// Does it.
///
/// # Errors
///
/// The service's refusal, or that it can't be reached.
pub async fn run(global: &Global, command: Command) -> Result<()> {
    let room = &Room::open(global).await?;
    match command {
        Command::Draft { file } => draft(room, &file).await,
        Command::Revise { name, file } => {
            let target = find(room, &name).await?;
            let body = json!({"definition": definition(room, &file).await?});
            let sent = send(room, &target, ("query.revise", Method::PUT, ""), body).await?;
            done(&sent, &format!("Revised {}", target.0.name()), Vec::new())
        }
        Command::Propose { name, votes_days, runs_days } => {
            let target = find(room, &name).await?;
            let mut body = json!({});
            for (field, days) in [("votes_until_ms", votes_days), ("runs_until_ms", runs_days)] {
                if let Some(days) = days {
                    body[field] = json!(clock::now_ms() + days * DAY_MS - DAY_MS / 24);
                }
            }
            let action = ("query.propose", Method::POST, "/propose");
            let sent = send(room, &target, action, body).await?;
            let (query, _) = find(room, &target.0.id).await?;
            let digest = query.proposal.as_ref().map(|proposal| proposal.digest.clone());
            let votes = query.proposal.map(|proposal| {
                proposal
                    .approvers
                    .into_iter()
                    .map(|it| it.organisation)
                    .collect::<Vec<_>>()
                    .join(", ")
            });
            let facts = [("digest", digest), ("approvers", votes)];
            let facts = facts.into_iter().filter_map(|(name, it)| Some((name, it?))).collect();
            done(&sent, &format!("Proposed {}", target.0.name()), facts)
        }
        Command::Approve { name } => {
            let target = find(room, &name).await?;
            let digest = vote::look(room, &target.0, "vote yes on").await?;
            let body = json!({"digest": digest});
            let sent =
                send(room, &target, ("query.approve", Method::POST, "/approve"), body).await?;
            done(&sent, &format!("Approved {}", target.0.name()), vec![("digest", digest)])
        }
        Command::Reject { name, comment } => {
            let target = find(room, &name).await?;
            let digest = vote::look(room, &target.0, "vote no on").await?;
            let body = json!({"digest": digest, "comment": comment});
            let sent = send(room, &target, ("query.reject", Method::POST, "/reject"), body).await?;
            done(&sent, &format!("Rejected {}", target.0.name()), vec![("digest", digest)])
        }
        Command::Withdraw { name } => {
            let target = find(room, &name).await?;
            let action = ("query.withdraw", Method::POST, "/withdraw");
            let sent = send(room, &target, action, json!({})).await?;
            done(&sent, &format!("Withdrew {}", target.0.name()), Vec::new())
        }
        Command::List => query_show::list(room).await,
        Command::Show { name, sql } => {
            query_show::show(room, &find(room, &name).await?.0.id, sql).await
        }
        Command::Readiness { name } => {
            query_show::readiness(room, &find(room, &name).await?.0).await
        }
        Command::WithdrawConsent { name, consent } => {
            change(room, &name, consent, Change::Withdraw).await
        }
        Command::RestoreConsent { name, consent } => {
            change(room, &name, consent, Change::Restore).await
        }
    }
}

/// The query that `wanted` names.
///
/// # Errors
///
/// Where there is none, or more than one.
pub async fn find(room: &Room, wanted: &str) -> Result<(Query, QueryId)> {
    let it = pick(Kind::Query, room.views::<Query>("/queries").await?, wanted)?;
    let id = it.id.parse().or_unreadable(|| "The query has no id".to_owned())?;
    Ok((it, id))
}

/// A command about a query, at the version that was looked at.
async fn send(
    room: &Room,
    (query, id): &(Query, QueryId),
    (action, method, below): (&'static str, Method, &str),
    body: Value,
) -> Result<Sent> {
    let order = Order {
        method,
        path: format!("/queries/{id}{below}"),
        action,
        subject: Subject::Query(*id),
        command: clock::command_id()?,
        expected_version: Some(query.version),
        body,
        content: None,
    };
    room.send(&order).await
}

async fn draft(room: &Room, file: &Path) -> Result<()> {
    let definition = definition(room, file).await?;
    let name = definition.get("name").and_then(Value::as_str).unwrap_or("?").to_owned();
    let command = clock::command_id()?;
    let id = QueryId::new(command.uuid());
    let order = Order {
        method: Method::POST,
        path: "/queries".to_owned(),
        action: "query.draft",
        subject: Subject::Query(id),
        command,
        expected_version: None,
        body: json!({"definition": definition}),
        content: None,
    };
    let sent = room.send(&order).await?;
    done(&sent, &format!("Drafted {name}"), vec![("id", id.to_string())])
}

/// The definition in a file, with datasets by id.
async fn definition(room: &Room, file: &Path) -> Result<Value> {
    let mut definition = json_file::read(file)?;
    let datasets = room.views::<Dataset>("/datasets").await?;
    name_by_id(&mut definition, &datasets)?;
    Ok(definition)
}

/// Puts ids in the place of dataset names. What is no text is left to the service to refuse.
fn name_by_id(definition: &mut Value, datasets: &[Dataset]) -> Result<()> {
    let resolve = |place: &mut Value| -> Result<()> {
        if let Value::String(wanted) = place {
            *wanted = pick(Kind::Dataset, datasets.to_vec(), wanted)?.id;
        }
        Ok(())
    };
    if let Some(Value::Array(inputs)) = definition.get_mut("inputs") {
        inputs.iter_mut().filter_map(|input| input.get_mut("dataset")).try_for_each(resolve)?;
    }
    definition.get_mut("output").map_or(Ok(()), resolve)
}

async fn change(room: &Room, name: &str, consent: Consent, change: Change) -> Result<()> {
    let (it, id) = find(room, name).await?;
    let target = (Subject::Query(id), format!("/queries/{id}"), it.name());
    consent.change(room, change, target).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datasets_are_named_by_id_in_what_is_sent() {
        let dataset = |id: &str, name: &str| -> Dataset {
            serde_json::from_value(json!({
                "id": id, "owner": "m", "owner_organisation": "Litware", "digest": "sha256:", "versions": [],
                "retired": null, "marks": [], "version": 1,
                "descriptor": {"name": name, "format": {"kind": "json"}, "columns": [],
                    "store": {"kind": "local", "path": "x"}, "access_mode": "read",
                    "policy": {"allowed_columns": [], "minimum_group": null}},
            }))
            .unwrap()
        };
        let datasets = [dataset("1", "flights"), dataset("2", "delays")];
        let mut definition =
            json!({"inputs": [{"alias": "f", "dataset": "flights"}], "output": "2"});
        name_by_id(&mut definition, &datasets).unwrap();
        assert_eq!(definition, json!({"inputs": [{"alias": "f", "dataset": "1"}], "output": "2"}));
        let mut unknown = json!({"output": "ships"});
        assert_eq!(name_by_id(&mut unknown, &datasets).unwrap_err().code(), "dataset_not_found");
        let mut odd = json!({"inputs": 7, "output": null});
        name_by_id(&mut odd, &datasets).unwrap();
    }
}
