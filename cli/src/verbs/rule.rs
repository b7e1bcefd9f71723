//! `chancery rule`: what you approve in advance.

use std::path::{Path, PathBuf};

use chancery_governance::subject::Subject;
use chancery_ledger::id::RuleId;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{done, json_file};
use crate::args::Global;
use crate::client::clock;
use crate::client::http::view;
use crate::client::names::{Kind, pick};
use crate::client::room::Room;
use crate::client::session::Order;
use crate::client::views::{Dataset, Member, Rule};
use crate::failure::{OrFail as _, Result};
use crate::output;
use crate::text::Table;

/// Queries that you approve in advance.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Approve queries of a shape in advance; the votes that follow are yours
    #[command(after_help = "\
FILE.json holds the rule: name; author and runner (members) and output (a
dataset), each null where it is not asked; shape; expires_ms or null. Members
and datasets are named by name or id.

Example:
  {\"name\": \"Counts by maker\", \"author\": \"Fabrikam\", \"runner\": \"Fabrikam\",
   \"output\": null, \"expires_ms\": null,
   \"shape\": {\"kind\": \"reads\", \"inputs\": [
     {\"dataset\": \"planes\", \"columns\": [\"manufacturer\"],
      \"aggregates\": [\"tail_number\"]}]}}")]
    Set {
        /// The rule
        #[arg(value_name = "FILE.json")]
        file: PathBuf,
    },
    /// The rules here, with the votes that they cast
    List,
    /// Take a rule of yours back; votes that it cast stand
    Remove {
        /// Its name or id
        name: String,
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
        Command::Set { file } => set(room, &file).await,
        Command::List => list(room).await,
        Command::Remove { name } => {
            let it = pick(Kind::Rule, room.views::<Rule>("/rules").await?, &name)?;
            let id: RuleId = it.id.parse().or_unreadable(|| "The rule has no id".to_owned())?;
            let order = Order {
                method: Method::POST,
                path: format!("/rules/{id}/remove"),
                action: "rule.remove",
                subject: Subject::Rule(id),
                command: clock::command_id()?,
                expected_version: Some(it.version),
                body: json!({}),
                content: None,
            };
            let sent = room.send(&order).await?;
            done(&sent, &format!("Took back the rule {}", it.rule.name), Vec::new())
        }
    }
}

async fn set(room: &Room, file: &Path) -> Result<()> {
    let mut rule = json_file::read(file)?;
    let members = room.views::<Member>("/members").await?;
    let datasets = room.views::<Dataset>("/datasets").await?;
    name_by_id(&mut rule, &members, &datasets)?;
    let name = rule.get("name").and_then(Value::as_str).unwrap_or("?").to_owned();
    let command = clock::command_id()?;
    let id = RuleId::new(command.uuid());
    let order = Order {
        method: Method::POST,
        path: "/rules".to_owned(),
        action: "rule.set",
        subject: Subject::Rule(id),
        command,
        expected_version: None,
        body: json!({"rule": rule}),
        content: None,
    };
    let sent = room.send(&order).await?;
    done(&sent, &format!("Approve in advance: {name}"), vec![("id", id.to_string())])
}

/// Puts ids in the place of names. What is no text is left to the service to refuse.
fn name_by_id(rule: &mut Value, members: &[Member], datasets: &[Dataset]) -> Result<()> {
    for field in ["author", "runner"] {
        if let Some(Value::String(wanted)) = rule.get_mut(field) {
            *wanted = pick(Kind::Member, members.to_vec(), wanted)?.id;
        }
    }
    let dataset = |place: &mut Value| -> Result<()> {
        if let Value::String(wanted) = place {
            *wanted = pick(Kind::Dataset, datasets.to_vec(), wanted)?.id;
        }
        Ok(())
    };
    rule.get_mut("output").map_or(Ok(()), dataset)?;
    if let Some(Value::Array(inputs)) = rule.pointer_mut("/shape/inputs") {
        inputs.iter_mut().filter_map(|input| input.get_mut("dataset")).try_for_each(dataset)?;
    }
    Ok(())
}

async fn list(room: &Room) -> Result<()> {
    let items = room.list("/rules").await?;
    let mut table = Table::new(["RULE", "MEMBER", "VOTES", "ENDED", "ID"]).right(2);
    for item in &items {
        let it: Rule = view(item)?;
        let ended = it.removed.map_or("-".to_owned(), |at| format!("at {}", at.position));
        let votes = it.votes.to_string();
        table.row([&it.rule.name, &it.owner_organisation, &votes, &ended, &it.id]);
    }
    let none = "Nobody approves anything in advance here.\n".to_owned();
    let text = if table.is_empty() { none } else { table.render(0) };
    Ok(output::answer(&json!({"items": items}), &text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_named_by_id_in_what_is_sent() {
        let member: Member = serde_json::from_value(json!({
            "id": "m1", "organisation": "Fabrikam", "abilities": [], "keys": [], "version": 1,
        }))
        .unwrap();
        let mut rule = json!({"author": "fabrikam", "runner": null, "output": null,
            "shape": {"kind": "text", "digest": "x"}});
        name_by_id(&mut rule, std::slice::from_ref(&member), &[]).unwrap();
        assert_eq!(rule["author"], "m1");
        assert_eq!(rule["runner"], Value::Null);
        let mut unknown = json!({"output": "ships"});
        let refused = name_by_id(&mut unknown, &[member], &[]).unwrap_err();
        assert_eq!(refused.code(), "dataset_not_found");
    }
}
