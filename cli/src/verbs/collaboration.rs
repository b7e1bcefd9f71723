//! `chancery collaboration`: the clean room itself. Its members are in `member`.

use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::consent::{Change, Consent};
use super::{done, lifecycle, marks, member, member_ability, member_key};
use crate::args::Global;
use crate::client::clock;
use crate::client::http::view;
use crate::client::names::{Kind, pick};
use crate::client::room::Room;
use crate::client::session::{Order, Session};
use crate::client::views::Collaboration;
use crate::failure::Result;
use crate::output;
use crate::text::{Table, evidence, facts, plain, time};

/// Acts that can be made to take a member's own signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Act {
    /// Approving and rejecting queries.
    Votes,
    /// Withdrawing and restoring consent.
    Consents,
    /// Requesting and cancelling runs.
    Runs,
}

/// Collaborations, members, invitations, registered keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Begin a clean room; you become its owner
    #[command(
        override_usage = "chancery collaboration create --name <NAME> \
    \n       --organisation <NAME> [OPTIONS]",
        after_help = "\
Example:
  chancery collaboration create --name \"Flight delays\" \\
    --organisation Litware --member-signed votes,consents,runs"
    )]
    Create {
        /// What people call it
        #[arg(long)]
        name: String,
        /// Your organisation
        #[arg(long)]
        organisation: String,
        /// Acts that only a member's own key can make
        #[arg(long, value_enum, value_delimiter = ',', value_name = "ACTS")]
        member_signed: Vec<Act>,
        /// Accept evidence without hardware: for trying things out only
        #[arg(long)]
        allow_insecure_virtual: bool,
        /// Nobody becomes a member before the members voted for it
        #[arg(long)]
        admission_by_vote: bool,
        /// So many members carry a change; takes --admission-by-vote [default: all]
        #[arg(long, value_name = "MEMBERS", requires = "admission_by_vote")]
        change_threshold: Option<u64>,
    },
    /// The collaborations that you are in
    List,
    /// Terms, policy, service key and marks of the collaboration
    Show {
        /// Which, where --collaboration does not say it
        name: Option<String>,
    },
    /// Enable a workload (owner)
    EnableWorkload {
        /// The workload
        #[arg(value_parser = ["spark-sql"])]
        workload: String,
    },
    /// Say which executors may run queries (owner)
    SetPolicy(lifecycle::Policy),
    /// Let nothing run until it is resumed; runs in flight are cancelled (owner)
    Pause {
        /// Why, up to 500 characters
        #[arg(long)]
        reason: String,
    },
    /// Let queries run again (owner)
    Resume,
    /// End it for good: it can be read and exported, and nothing else (owner)
    Close {
        /// Why, up to 500 characters
        #[arg(long)]
        reason: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// Invite somebody by e-mail (owner)
    Invite(member::Invite),
    /// The open invitations for your e-mail, anywhere
    Invitations,
    /// Accept an invitation
    Accept {
        /// The invitation's id, or the collaboration's name [default: the only one]
        invitation: Option<String>,
    },
    /// Take an open invitation back (owner)
    WithdrawInvitation {
        /// The invitation's id, or the organisation that it is for
        invitation: String,
    },
    /// Erase the e-mail address of an invitation, for good
    ///
    /// For the owner, the member who invited, and the one who accepted. The address becomes
    /// unreadable for ever, in every copy of the log; every proof still verifies. What others wrote
    /// down is theirs.
    Erase {
        /// The invitation's id, or the organisation that it is for
        invitation: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// The members, what they can do, and their keys
    Members {
        /// Only the one of this organisation, with its keys in full
        organisation: Option<String>,
    },
    /// Register this profile's key; from then on you act by signature only
    RegisterKey {
        /// Register the key in FILE, signed by the profile's registered one
        #[arg(long, value_name = "FILE")]
        new: Option<std::path::PathBuf>,
    },
    /// Revoke a key of yours
    RevokeKey {
        /// The key's id
        #[arg(value_name = "sha256:...")]
        key: Digest,
    },
    /// Let a member do something more (owner); for owners: chancery change
    GrantAbility(member_ability::Args),
    /// Let a member do something no more (owner), or give it up yourself
    RevokeAbility(member_ability::Args),
    /// Leave; what you own is retired, what you wrote ends, for good
    Leave {
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// Withdraw consent on everything here; runs in flight are cancelled
    WithdrawConsent(Consent),
    /// Restore that consent
    RestoreConsent(Consent),
}

/// Does it.
///
/// # Errors
///
/// The service's refusal, or that it can't be reached.
pub async fn run(global: &Global, command: Command) -> Result<()> {
    match command {
        Command::Create {
            name,
            organisation,
            member_signed,
            allow_insecure_virtual,
            admission_by_vote,
            change_threshold,
        } => {
            let mut terms = json!({
                "member_signed": member_signed.iter().map(|act| match act {
                    Act::Votes => "votes",
                    Act::Consents => "consents",
                    Act::Runs => "runs",
                }).collect::<Vec<_>>(),
                "insecure_virtual": allow_insecure_virtual,
            });
            if admission_by_vote {
                terms["admission_by_vote"] = json!(true);
            }
            if let Some(needed) = change_threshold {
                terms["change_threshold"] = json!(needed);
            }
            let body = json!({"name": name, "organisation": organisation, "terms": terms});
            create(global, &name, body).await
        }
        Command::List => list(global).await,
        Command::Show { name } => {
            let named = Global { collaboration: name, ..global.clone() };
            show(if named.collaboration.is_some() { &named } else { global }).await
        }
        Command::EnableWorkload { workload } => {
            let room = Room::open(global).await?;
            let action = ("collaboration.enable-workload", Method::POST, "/workload");
            let sent =
                room.send(&lifecycle::order(&room, action, json!({"workload": workload}))?).await?;
            done(&sent, &format!("Enabled {workload} in {}", room.view.name), Vec::new())
        }
        Command::SetPolicy(policy) => lifecycle::set_policy(global, &policy).await,
        Command::Pause { reason } => lifecycle::pause(global, &reason).await,
        Command::Resume => lifecycle::resume(global).await,
        Command::Close { reason, yes } => lifecycle::close(global, &reason, yes).await,
        Command::Invite(args) => member::invite(global, args).await,
        Command::Invitations => member::invitations(global).await,
        Command::Accept { invitation } => member::accept(global, invitation).await,
        Command::WithdrawInvitation { invitation } => member::withdraw(global, &invitation).await,
        Command::Erase { invitation, yes } => member::erase(global, &invitation, yes).await,
        Command::Members { organisation } => member::members(global, organisation).await,
        Command::RegisterKey { new } => member_key::register(global, new.as_deref()).await,
        Command::RevokeKey { key } => member_key::revoke(global, key).await,
        Command::GrantAbility(args) => member_ability::grant(global, args).await,
        Command::RevokeAbility(args) => member_ability::revoke(global, args).await,
        Command::Leave { yes } => member_ability::leave(global, yes).await,
        Command::WithdrawConsent(consent) => change(global, consent, Change::Withdraw).await,
        Command::RestoreConsent(consent) => change(global, consent, Change::Restore).await,
    }
}

async fn create(global: &Global, name: &str, body: Value) -> Result<()> {
    let session = Session::open(global).await?;
    let command = clock::command_id()?;
    let id = CollaborationId::new(command.uuid());
    let order = Order {
        method: Method::POST,
        path: String::new(),
        action: "collaboration.create",
        subject: Subject::Collaboration(id),
        command,
        expected_version: None,
        body,
        content: None,
    };
    // Nobody has a registered key before there is a collaboration.
    let sent = session.send(id, "/v1/collaborations".to_owned(), &order, None).await?;
    let facts = vec![
        ("id", id.to_string()),
        ("evidence", evidence(&session.service.evidence.kind)),
        ("service key", session.audience.to_string()),
    ];
    done(&sent, &format!("Began {name}"), facts)
}

async fn list(global: &Global) -> Result<()> {
    let items = Session::open(global).await?.http.list("/v1/collaborations").await?;
    let mut table = Table::new(["NAME", "OWNER", "MEMBERS", "WORKLOAD", "ID"]).right(2);
    for item in &items {
        let it: Collaboration = view(item)?;
        let (members, workload) =
            (it.member_count.to_string(), it.workload.unwrap_or("-".to_owned()));
        table.row([&it.name, &it.owner_organisation, &members, &workload, &it.id]);
    }
    let empty = "You are in no collaboration. chancery collaboration invitations\n".to_owned();
    let text = if table.is_empty() { empty } else { table.render(0) };
    Ok(output::answer(&json!({"items": items}), &text)?)
}

async fn show(global: &Global) -> Result<()> {
    let session = Session::open(global).await?;
    let id = match &global.collaboration {
        Some(wanted) => {
            let mine = session.http.list("/v1/collaborations").await?;
            let mine = mine.iter().map(view::<Collaboration>).collect::<Result<_>>()?;
            pick(Kind::Collaboration, mine, wanted)?.id
        }
        None => Room::open(global).await?.view.id,
    };
    let document = session.http.document(format!("/v1/collaborations/{id}")).await?;
    let it: Collaboration = view(&document)?;
    let or = |texts: Vec<String>, none: &str| {
        if texts.is_empty() { none.to_owned() } else { texts.join(", ") }
    };
    let lifecycle = lifecycle::facts(&it);
    let mut pairs = vec![
        ("id", it.id),
        ("owner", it.owner_organisation),
        ("members", it.member_count.to_string()),
        ("began", time(it.created.time_ms)),
        (
            "must sign",
            or(it.terms.member_signed.clone(), "nothing: members with a key sign everything"),
        ),
        (
            "hardware",
            (if it.terms.insecure_virtual { "not demanded" } else { "demanded" }).to_owned(),
        ),
        ("workload", it.workload.unwrap_or("none".to_owned())),
        ("service", it.service),
        ("service key", it.service_key),
        ("evidence", evidence(&it.service_evidence)),
        ("version", it.version.to_string()),
    ];
    let terms = it.terms;
    pairs.push((
        "changes",
        terms.change_threshold.map_or("carried by all members".to_owned(), |needed| {
            format!("carried by {needed} members")
        }),
    ));
    if terms.admission_by_vote {
        pairs.push(("admission", "by the members' vote".to_owned()));
    }
    pairs.extend(terms.groups.iter().map(|group| {
        ("group", format!("{}: {} of {}", group.name, group.needed, group.members.join(", ")))
    }));
    pairs.extend(terms.acceptance_lifetime_ms.map(|lifetime_ms| {
        ("acceptances", format!("end after {} hours", lifetime_ms / 3_600_000))
    }));
    pairs.push(("applications", or(it.applications, "none: no run is admitted")));
    pairs.extend(lifecycle);
    pairs.extend(marks(&it.marks));
    let text = format!("{}\n{}", plain(&it.name), facts(2, pairs));
    Ok(output::answer(&document, &text)?)
}

async fn change(global: &Global, consent: Consent, change: Change) -> Result<()> {
    let room = Room::open(global).await?;
    let target = (Subject::Collaboration(room.id), String::new(), room.view.name.as_str());
    consent.change(&room, change, target).await
}
