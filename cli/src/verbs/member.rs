//! Members and invitations, as parts of `chancery collaboration`.

use std::io::IsTerminal as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::subject::Subject;
use chancery_governance::submission::email_commitment;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, InvitationId};
use clap::ValueEnum;
use reqwest::Method;
use serde_json::json;

use super::done;
use crate::args::Global;
use crate::client::clock;
use crate::client::http::view;
use crate::client::names::{Kind, pick};
use crate::client::room::Room;
use crate::client::session::{Order, Session};
use crate::client::views::{Invitation, Member, MyInvitation, MyInvitations};
use crate::failure::{Failure, OrFail as _, Result};
use crate::output;
use crate::text::{Table, facts, plain, short};

/// What a member can be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Ability {
    /// Publish datasets that queries read.
    DataProvider,
    /// Draft and propose queries.
    Analyst,
    /// Request runs.
    Runner,
    /// Publish datasets that queries write, and so receive results.
    ResultReceiver,
    /// Read everything, change nothing.
    Auditor,
}

/// Invite somebody by e-mail.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "chancery collaboration invite <EMAIL> --organisation <NAME> \
    \n       --ability <ABILITIES> [OPTIONS]",
    after_help = "\
No e-mail is sent: tell them to sign in and to run
  chancery collaboration accept

The log holds a salted commitment to the address, never the address.

Example:
  chancery collaboration invite fatima@fabrikam.example \\
    --organisation Fabrikam --ability analyst,runner,result_receiver"
)]
pub struct Invite {
    /// The e-mail that they sign in with
    email: String,
    /// The organisation that they speak for
    #[arg(long)]
    organisation: String,
    /// What they can do; may be repeated, or several with commas
    #[arg(long = "ability", value_enum, required = true, value_delimiter = ',')]
    abilities: Vec<Ability>,
    /// The id of the key that they will sign with, if they told you (chancery key show)
    ///
    /// Then nobody without that key can act in their place, the service included.
    #[arg(long, value_name = "SHA256")]
    key: Option<Digest>,
    /// The tenant that must vouch for the e-mail
    #[arg(long)]
    tenant: Option<String>,
}

/// Invites. What is signed holds the commitment in place of the address.
///
/// # Errors
///
/// The service's refusal.
pub async fn invite(global: &Global, args: Invite) -> Result<()> {
    let room = Room::open(global).await?;
    let names: Vec<_> = args
        .abilities
        .iter()
        .filter_map(|ability| Some(ability.to_possible_value()?.get_name().to_owned()))
        .collect();
    let salt = clock::random::<32>()?;
    let said = json!({"organisation": args.organisation, "abilities": names, "tenant": args.tenant,
            "key": args.key.map(|key| key.to_string())});
    let (mut body, mut content) = (said.clone(), said);
    body["email"] = json!(args.email);
    body["email_salt"] = json!(URL_SAFE_NO_PAD.encode(salt));
    content["email_commitment"] = json!(email_commitment(&salt, &args.email).to_string());
    let command = clock::command_id()?;
    let id = InvitationId::new(command.uuid());
    let order = Order {
        method: Method::POST,
        path: "/invitations".to_owned(),
        action: "member.invite",
        subject: Subject::Invitation(id),
        command,
        expected_version: None,
        body,
        content: Some(content),
    };
    let sent = room.send(&order).await?;
    let facts = vec![("id", id.to_string()), ("abilities", names.join(", "))];
    done(&sent, &format!("Invited {} for {}", args.email, args.organisation), facts)
}

/// Lists the caller's open invitations.
///
/// # Errors
///
/// Where nobody is signed in, or the service can't be reached.
pub async fn invitations(global: &Global) -> Result<()> {
    let document = Session::open(global).await?.http.document("/v1/invitations").await?;
    let mine: MyInvitations = view(&document)?;
    let mut table = Table::new(["COLLABORATION", "AS", "ABILITIES", "INVITATION"]);
    for it in &mine.invitations {
        table.row([&it.name, &it.organisation, &it.abilities.join(", "), &it.invitation]);
    }
    let none = "No invitation waits for you.\n".to_owned();
    let text = if table.is_empty() { none } else { table.render(0) };
    Ok(output::answer(&document, &text)?)
}

/// Accepts an invitation: the named one, or the only one.
///
/// # Errors
///
/// Where none or more than one is meant, or the service refuses.
pub async fn accept(global: &Global, wanted: Option<String>) -> Result<()> {
    let session = Session::open(global).await?;
    let mine: MyInvitations = session.http.read("/v1/invitations").await?;
    let wanted = wanted.as_deref().or(global.collaboration.as_deref());
    let it = choose(mine.invitations, wanted)?;
    let failed = || "The invitation has no id".to_owned();
    let collaboration: CollaborationId = it.collaboration.parse().or_unreadable(failed)?;
    let invitation: InvitationId = it.invitation.parse().or_unreadable(failed)?;
    let order = Order {
        method: Method::POST,
        path: String::new(),
        action: "member.accept-invitation",
        subject: Subject::Invitation(invitation),
        command: clock::command_id()?,
        expected_version: None,
        body: json!({}),
        content: None,
    };
    let path = format!("/v1/collaborations/{collaboration}/invitations/{invitation}/accept");
    // Who is not a member yet has no registered key.
    let sent = session.send(collaboration, path, &order, None).await?;
    let facts = vec![("member", invitation.to_string()), ("abilities", it.abilities.join(", "))];
    done(&sent, &format!("You are in {} for {}", it.name, it.organisation), facts)
}

fn choose(mine: Vec<MyInvitation>, wanted: Option<&str>) -> Result<MyInvitation> {
    let is_meant = |it: &MyInvitation| {
        wanted.is_none_or(|wanted| {
            [&it.invitation, &it.collaboration, &it.name].iter().any(|it| *it == wanted)
        })
    };
    let listed: Vec<_> =
        mine.iter().map(|it| format!("{:?} ({})", it.name, it.invitation)).collect();
    let mut meant = mine.into_iter().filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(Failure::usage(
            "name_ambiguous",
            "Which invitation is meant?",
            format!("there are {}", listed.join(", ")),
        )),
        (None, _) => {
            let why = if listed.is_empty() {
                "none is open for your e-mail".to_owned()
            } else {
                format!("open for you are {}", listed.join(", "))
            };
            Err(Failure::refused("no_invitation", "There is no such invitation", why))
        }
    }
}

/// Takes an invitation back.
///
/// # Errors
///
/// Where there is no such invitation, or the service refuses.
pub async fn withdraw(global: &Global, wanted: &str) -> Result<()> {
    let room = Room::open(global).await?;
    let it = pick(Kind::Invitation, room.views::<Invitation>("/invitations").await?, wanted)?;
    let id: InvitationId = it.id.parse().or_unreadable(|| "The invitation has no id".to_owned())?;
    let order = Order {
        method: Method::POST,
        path: format!("/invitations/{id}/withdraw"),
        action: "member.withdraw-invitation",
        subject: Subject::Invitation(id),
        command: clock::command_id()?,
        expected_version: Some(it.version),
        body: json!({}),
        content: None,
    };
    let sent = room.send(&order).await?;
    done(&sent, &format!("Took back the invitation for {}", it.organisation), Vec::new())
}

/// What erasing does, before it is done.
const ERASURE: &str = "\
The e-mail address in it becomes unreadable for ever: its key is destroyed. An
invitation that is open can then be accepted by nobody.
Everything that was signed still verifies. Copies that members keep are theirs:
of the log they hold what nobody can read any more, but who noted the address
has it still. Backups of the server hold the key until they are deleted.";

/// Erases the address that an invitation holds.
///
/// # Errors
///
/// Where there is no such invitation, nobody says yes, or the service refuses.
pub async fn erase(global: &Global, wanted: &str, yes: bool) -> Result<()> {
    let room = Room::open(global).await?;
    let it = pick(Kind::Invitation, room.views::<Invitation>("/invitations").await?, wanted)?;
    let id: InvitationId = it.id.parse().or_unreadable(|| "The invitation has no id".to_owned())?;
    if !yes {
        confirm(&format!("{}, invitation {id}\n\n{ERASURE}", plain(&it.organisation)), "Erase it")?;
    }
    let order = Order {
        method: Method::POST,
        path: format!("/invitations/{id}/erase"),
        action: "personal.erase",
        subject: Subject::Invitation(id),
        command: clock::command_id()?,
        expected_version: Some(it.version),
        body: json!({}),
        content: None,
    };
    let sent = room.send(&order).await?;
    let what = format!("Erased the e-mail address of the invitation for {}", it.organisation);
    done(&sent, &what, vec![("invitation", id.to_string())])
}

/// Asks whoever sits at the terminal; a program must say `--yes`.
///
/// # Errors
///
/// Where nobody says yes.
pub fn confirm(what: &str, verb: &str) -> Result<()> {
    let refused = |why: &str| {
        Failure::usage("not_confirmed", "Nothing was done", why)
            .with_hint("Say it beforehand: --yes")
    };
    output::note(what);
    if !std::io::stdin().is_terminal() {
        return Err(refused("nobody is there to say yes"));
    }
    output::note(&format!("\n{verb}? Type yes:"));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    if line.trim() == "yes" { Ok(()) } else { Err(refused("nobody said yes")) }
}

/// Lists the members, or shows the one of an organisation.
///
/// # Errors
///
/// The service's refusal.
pub async fn members(global: &Global, organisation: Option<String>) -> Result<()> {
    let room = Room::open(global).await?;
    if let Some(wanted) = organisation {
        return member(&room, &wanted).await;
    }
    let items = room.list("/members").await?;
    let mut table = Table::new(["ORGANISATION", "ABILITIES", "KEYS", "MEMBER"]);
    for item in &items {
        let it: Member = view(item)?;
        let keys = it.keys.iter().filter(|key| key.revoked.is_none());
        let keys: Vec<_> = keys.map(|key| short(&key.id)).collect();
        let keys = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
        let abilities = it.removed.map_or_else(
            || it.abilities.join(", "),
            |gone| format!("none: {} at {}", gone.departure, gone.at.position),
        );
        table.row([&it.organisation, &abilities, &keys, &it.id]);
    }
    Ok(output::answer(&json!({"items": items}), &table.render(0))?)
}

async fn member(room: &Room, wanted: &str) -> Result<()> {
    let items = room.list("/members").await?;
    let all: Vec<Member> = items.iter().map(view).collect::<Result<_>>()?;
    let it = pick(Kind::Member, all, wanted)?;
    let document = items.into_iter().find(|item| item["id"] == it.id.as_str());
    let mut pairs = vec![("id", it.id), ("abilities", it.abilities.join(", "))];
    pairs.extend(it.keys.into_iter().map(|key| {
        let revoked = key.revoked.map(|at| format!(", revoked at {}", at.position));
        ("key", key.id + &revoked.unwrap_or_default())
    }));
    let text = format!("{}\n{}", plain(&it.organisation), facts(2, pairs));
    Ok(output::answer(&document.unwrap_or_default(), &text)?)
}
