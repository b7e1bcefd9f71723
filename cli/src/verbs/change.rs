//! `chancery change`: terms and membership, by the members' vote.

use std::path::PathBuf;

use chancery_commands::content;
use chancery_governance::change::Change as What;
use chancery_governance::decide::{change, terms};
use chancery_governance::member::Terms;
use chancery_governance::subject::Subject;
use chancery_governance::wire::Wire as _;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::ChangeId;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{done, json_file};
use crate::args::Global;
use crate::client::clock;
use crate::client::http::view;
use crate::client::names::{Kind, pick};
use crate::client::room::Room;
use crate::client::session::{Order, Sent};
use crate::client::views::{Change, Invitation, Member, Tally};
use crate::failure::{Failure, OrFail as _, Result};
use crate::output;
use crate::text::{Table, facts};

/// Milliseconds of a day.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Terms and membership, by the members' vote.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask for other terms, in place of all of those in force
    #[command(after_help = "\
FILE.json holds the terms: member_signed, insecure_virtual, and, where they
shall not be at their default, change_threshold, admission_by_vote, groups
(name, members by id, needed) and acceptance_lifetime_ms.")]
    SetTerms {
        /// The terms
        #[arg(value_name = "FILE.json")]
        file: PathBuf,
        #[command(flatten)]
        until: Until,
    },
    /// Ask for a member to be removed; what it owns is retired
    RemoveMember {
        /// The member's organisation or id
        member: String,
        #[command(flatten)]
        until: Until,
    },
    /// Ask for a member to become an owner
    GrantOwner {
        /// The member's organisation or id
        member: String,
        #[command(flatten)]
        until: Until,
    },
    /// Ask for a member to be an owner no more
    RevokeOwner {
        /// The member's organisation or id
        member: String,
        #[command(flatten)]
        until: Until,
    },
    /// Ask for a key to be put in the place of a member's lost ones
    ReplaceKey {
        /// The member's organisation or id
        member: String,
        /// The id of the new key, as the member tells it (chancery key show)
        #[arg(value_name = "sha256:...")]
        key: Digest,
        #[command(flatten)]
        until: Until,
    },
    /// Ask for an invitation to be let in, where the terms want that
    Admit {
        /// The invitation's id, or the organisation that it is for
        invitation: String,
        #[command(flatten)]
        until: Until,
    },
    /// The change requests here, with their votes
    List,
    /// A change request, and who has not voted
    Show {
        /// Its id
        change: String,
    },
    /// Vote yes; a vote is final, and signed by your own key
    Approve {
        /// Its id
        change: String,
    },
    /// Vote no
    Reject {
        /// Its id
        change: String,
        /// Why
        #[arg(long)]
        comment: String,
    },
    /// Take a change request of yours back
    Withdraw {
        /// Its id
        change: String,
    },
    /// Carry out a change that has its votes since somebody left
    Commit {
        /// Its id
        change: String,
    },
}

/// Until when votes count.
#[derive(Debug, clap::Args)]
pub struct Until {
    /// Votes count for so many days [default: without an end]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=90))]
    votes_days: Option<u64>,
}

impl Until {
    fn expires_ms(&self) -> Option<u64> {
        // A little less, so that a clock that is ahead of the service's asks for no day too many.
        self.votes_days.map(|days| clock::now_ms() + days * DAY_MS - DAY_MS / 24)
    }
}

/// Does it.
///
/// # Errors
///
/// The service's refusal, or that it can't be reached.
pub async fn run(global: &Global, command: Command) -> Result<()> {
    let room = &Room::open(global).await?;
    let member = async |wanted: &str| -> Result<String> {
        Ok(pick(Kind::Member, room.views::<Member>("/members").await?, wanted)?.id)
    };
    match command {
        Command::SetTerms { file, until } => {
            let terms = json_file::read(&file)?;
            propose(room, json!({"kind": "set_terms", "terms": terms}), &until).await
        }
        Command::RemoveMember { member: wanted, until } => {
            let change = json!({"kind": "remove_member", "member": member(&wanted).await?});
            propose(room, change, &until).await
        }
        Command::GrantOwner { member: wanted, until } => {
            let change = json!({"kind": "grant_owner", "member": member(&wanted).await?});
            propose(room, change, &until).await
        }
        Command::RevokeOwner { member: wanted, until } => {
            let change = json!({"kind": "revoke_owner", "member": member(&wanted).await?});
            propose(room, change, &until).await
        }
        Command::ReplaceKey { member: wanted, key, until } => {
            let member = member(&wanted).await?;
            let change = json!({"kind": "replace_key", "member": member, "key": key.to_string()});
            propose(room, change, &until).await
        }
        Command::Admit { invitation, until } => {
            let open = room.views::<Invitation>("/invitations").await?;
            let invitation = pick(Kind::Invitation, open, &invitation)?.id;
            let change = json!({"kind": "admit_member", "invitation": invitation});
            propose(room, change, &until).await
        }
        Command::List => list(room).await,
        Command::Show { change } => show(room, &find(room, &change).await?.1).await,
        Command::Approve { change } => {
            let (it, id) = find(room, &change).await?;
            let digest = look(room, &it, id, "vote yes on")?;
            let action = ("change.approve", "/approve");
            let sent = send(room, (&it, id), action, json!({"digest": digest})).await?;
            done(&sent, &format!("Voted yes on {id}"), vec![("digest", digest)])
        }
        Command::Reject { change, comment } => {
            let (it, id) = find(room, &change).await?;
            let digest = look(room, &it, id, "vote no on")?;
            let body = json!({"digest": digest, "comment": comment});
            let sent = send(room, (&it, id), ("change.reject", "/reject"), body).await?;
            done(&sent, &format!("Voted no on {id}"), vec![("digest", digest)])
        }
        Command::Withdraw { change } => {
            let (it, id) = find(room, &change).await?;
            let action = ("change.withdraw", "/withdraw");
            let sent = send(room, (&it, id), action, json!({})).await?;
            done(&sent, &format!("Took back {id}"), Vec::new())
        }
        Command::Commit { change } => {
            let (it, id) = find(room, &change).await?;
            let digest = look(room, &it, id, "carry out")?;
            let action = ("change.commit", "/commit");
            let sent = send(room, (&it, id), action, json!({"digest": digest})).await?;
            done(&sent, &format!("Carried out {id}"), vec![("digest", digest)])
        }
    }
}

async fn propose(room: &Room, change: Value, until: &Until) -> Result<()> {
    let command = clock::command_id()?;
    let id = ChangeId::new(command.uuid());
    let order = Order {
        method: Method::POST,
        path: "/changes".to_owned(),
        action: "change.propose",
        subject: Subject::Change(id),
        command,
        expected_version: None,
        body: json!({"change": change, "expires_ms": until.expires_ms()}),
        content: None,
    };
    let sent = room.send(&order).await?;
    let tally: Tally = view(&room.document(&format!("/changes/{id}/tally")).await?)?;
    let votes = format!("{} of {} members", tally.needed, tally.electorate.len());
    let facts = vec![("id", id.to_string()), ("takes", votes)];
    done(&sent, "Asked for the members' votes, yours too", facts)
}

async fn find(room: &Room, wanted: &str) -> Result<(Change, ChangeId)> {
    let failed = || "That is no change request's id".to_owned();
    let id: ChangeId = wanted.parse().or_unreadable(failed)?;
    let document = room.document(&format!("/changes/{id}")).await?;
    Ok((view(&document)?, id))
}

async fn send(
    room: &Room,
    (it, id): (&Change, ChangeId),
    (action, below): (&'static str, &str),
    body: Value,
) -> Result<Sent> {
    let order = Order {
        method: Method::POST,
        path: format!("/changes/{id}{below}"),
        action,
        subject: Subject::Change(id),
        command: clock::command_id()?,
        expected_version: Some(it.version),
        body,
        content: None,
    };
    room.send(&order).await
}

/// Shows what is about to be signed and returns its digest, which must be that of the change that
/// the service shows, under the terms that it shows.
fn look(room: &Room, it: &Change, id: ChangeId, what: &str) -> Result<String> {
    check(room, it, id)?;
    let pairs = vec![
        ("change", id.to_string()),
        ("would", it.change.to_string()),
        ("digest", it.digest.clone()),
    ];
    output::tell(&format!("You {what} a change of {}\n{}", room.view.name, facts(2, pairs)))?;
    Ok(it.digest.clone())
}

fn check(room: &Room, it: &Change, id: ChangeId) -> Result<()> {
    let forged = |why: String| {
        Failure::refused("digest_of_another", "The digest is not that of the change shown", why)
            .with_hint("Sign nothing, and tell the operator.")
    };
    let shown = content::parse(&it.change.to_string().into_bytes())?;
    let shown = What::decode(&shown).map_err(|error| forged(error.to_string()))?;
    let in_force = content::parse(&json!(room.view.terms).to_string().into_bytes())?;
    let in_force = Terms::decode(&in_force).map_err(|error| forged(error.to_string()))?;
    let terms = terms::digest(&in_force);
    let digest = change::digest(room.id, id, &shown, it.expires_ms, terms).to_string();
    if digest == it.digest {
        Ok(())
    } else {
        Err(forged(format!("what is shown has the digest {digest}, not {}", it.digest)))
    }
}

async fn list(room: &Room) -> Result<()> {
    let items = room.list("/changes").await?;
    let mut table = Table::new(["CHANGE", "STAGE", "YES", "NO", "ASKED BY", "ID"]);
    for item in &items {
        let it: Change = view(item)?;
        let yes = it.votes.iter().filter(|vote| vote.approves).count();
        let no = (it.votes.len() - yes).to_string();
        let kind = it.change["kind"].as_str().unwrap_or("?").to_owned();
        table.row([&kind, &it.stage, &yes.to_string(), &no, &it.proposer_organisation, &it.id]);
    }
    let none = "Nobody asked for a change here.\n".to_owned();
    let text = if table.is_empty() { none } else { table.render(0) };
    Ok(output::answer(&json!({"items": items}), &text)?)
}

async fn show(room: &Room, id: &ChangeId) -> Result<()> {
    let mut document = room.document(&format!("/changes/{id}")).await?;
    let counted = room.document(&format!("/changes/{id}/tally")).await?;
    let (it, tally): (Change, Tally) = (view(&document)?, view(&counted)?);
    document["tally"] = counted;
    let members = room.views::<Member>("/members").await?;
    let name = |id: &String| {
        let member = members.iter().find(|member| member.id == *id);
        member.map_or_else(|| id.clone(), |member| member.organisation.clone())
    };
    let mut pairs = vec![
        ("change", it.change.to_string()),
        ("id", it.id),
        ("asked by", it.proposer_organisation),
        ("stage", it.stage),
        ("digest", it.digest),
        ("votes", format!("{} of the {} that it takes", tally.approvals, tally.needed)),
    ];
    pairs.extend(it.votes.iter().map(|vote| {
        let answer = if vote.approves { "yes" } else { "no" };
        let comment = vote.comment.as_ref().map_or(String::new(), |text| format!(": {text}"));
        let at = vote.voted.position;
        ("vote", format!("{answer} by {} at {at}{comment}", vote.organisation))
    }));
    if tally.open {
        let pending: Vec<_> = tally.pending.iter().map(name).collect();
        pairs.push(("not voted", pending.join(", ")));
    }
    if tally.open && tally.expired {
        pairs.push(("expired", "the time to vote is over".to_owned()));
    }
    pairs.extend(it.superseded.map(|why| ("superseded", format!("{}: {}", why.code, why.detail))));
    Ok(output::answer(&document, &format!("Change request\n{}", facts(2, pairs)))?)
}
