//! What members can do, and leaving, as parts of `chancery collaboration`.

use chancery_governance::subject::Subject;
use chancery_ledger::id::MemberId;
use clap::ValueEnum;
use reqwest::Method;
use serde_json::{Value, json};

use super::done;
use super::member::confirm;
use crate::args::Global;
use crate::client::clock;
use crate::client::names::{Kind, pick};
use crate::client::room::Room;
use crate::client::session::Order;
use crate::client::views::Member;
use crate::failure::{OrFail as _, Result};

/// An ability, `owner` too: an owner can give that up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Ability {
    /// Workload, clean room policy, invitations, abilities.
    Owner,
    /// Publish datasets that queries read.
    DataProvider,
    /// Draft and propose queries.
    Analyst,
    /// Request runs.
    Runner,
    /// Publish datasets that queries write.
    ResultReceiver,
    /// Read everything, change nothing.
    Auditor,
}

/// Whom and what.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The member's organisation or id
    member: String,
    /// What
    #[arg(long, value_enum, value_name = "WHAT", hide_possible_values = true)]
    ability: Ability,
}

/// Grants.
///
/// # Errors
///
/// The service's refusal.
pub async fn grant(global: &Global, args: Args) -> Result<()> {
    change(global, args, ("member.grant-ability", "/abilities/grant"), "has").await
}

/// Revokes.
///
/// # Errors
///
/// The service's refusal.
pub async fn revoke(global: &Global, args: Args) -> Result<()> {
    change(global, args, ("member.revoke-ability", "/abilities/revoke"), "no longer has").await
}

async fn change(
    global: &Global,
    args: Args,
    (action, below): (&'static str, &str),
    now: &str,
) -> Result<()> {
    let room = Room::open(global).await?;
    let it = pick(Kind::Member, room.views::<Member>("/members").await?, &args.member)?;
    let ability = args.ability.to_possible_value();
    let ability = ability.map(|value| value.get_name().to_owned()).unwrap_or_default();
    let body = json!({"ability": ability});
    let sent = room.send(&order(&it.id, action, below, Some(it.version), body)?).await?;
    done(&sent, &format!("{} {now} the ability {ability}", it.organisation), Vec::new())
}

/// What leaving does, before it is done.
const LEAVING: &str = "\
Your datasets are retired, your queries end and runs of them are cancelled; your
marks, rules and open requests fall. You can come back by a new invitation only,
as another member. Export the log before, if you want to keep it.";

/// Leaves.
///
/// # Errors
///
/// Where nobody says yes, or the service refuses.
pub async fn leave(global: &Global, yes: bool) -> Result<()> {
    let room = Room::open(global).await?;
    if !yes {
        confirm(&format!("{}\n\n{LEAVING}", room.view.name), "Leave it")?;
    }
    let myself = room.myself().await?;
    let sent = room.send(&order(&myself, "member.leave", "/leave", None, json!({}))?).await?;
    done(&sent, &format!("You left {}", room.view.name), Vec::new())
}

fn order(
    member: &str,
    action: &'static str,
    below: &str,
    expected_version: Option<u64>,
    body: Value,
) -> Result<Order> {
    let member: MemberId = member.parse().or_unreadable(|| "The member has no id".to_owned())?;
    Ok(Order {
        method: Method::POST,
        path: format!("/members/{member}{below}"),
        action,
        subject: Subject::Member(member),
        command: clock::command_id()?,
        expected_version,
        body,
        content: None,
    })
}
