//! Pausing, resuming and closing a collaboration, and the policy on what runs in it.

use std::io::IsTerminal as _;

use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::QueryId;
use reqwest::Method;
use serde_json::{Value, json};

use super::done;
use crate::args::Global;
use crate::client::clock;
use crate::client::room::Room;
use crate::client::session::Order;
use crate::client::views::Collaboration;
use crate::failure::{Failure, Result};
use crate::output;
use crate::text::{plain, short, time};

/// Which executors may run queries.
#[derive(Debug, clap::Args)]
pub struct Policy {
    /// Measurement of an application; may be repeated
    #[arg(long = "application", required = true, value_name = "sha256:...")]
    applications: Vec<Digest>,
    /// Host data that the evidence must hold, one of them; may be repeated
    #[arg(long = "host-data", value_name = "sha256:...")]
    host_data: Vec<Digest>,
    /// Engine image that the evidence must hold, one of them; may be repeated
    #[arg(long = "engine", value_name = "sha256:...")]
    engines: Vec<Digest>,
    /// Least trusted computing base: boot loader, TEE, SNP firmware, microcode
    #[arg(long, value_name = "N,N,N,N", value_parser = tcb)]
    minimum_tcb: Option<Tcb>,
    /// Limit an application to a query; may be repeated
    #[arg(long = "only", value_name = "sha256:...=QUERY-ID", value_parser = only)]
    only: Vec<(Digest, QueryId)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tcb([u64; 4]);

fn tcb(text: &str) -> std::result::Result<Tcb, String> {
    let parts: Vec<u64> = text.split(',').filter_map(|part| part.parse().ok()).collect();
    let parts = <[u64; 4]>::try_from(parts).map_err(|_| "four numbers, as in 4,0,22,213")?;
    // What is no number was left out above.
    if text.split(',').count() == 4 { Ok(Tcb(parts)) } else { Err("four numbers".to_owned()) }
}

fn only(text: &str) -> std::result::Result<(Digest, QueryId), String> {
    let wanted = "an application's measurement, an equals sign, a query's id";
    let (application, query) = text.split_once('=').ok_or(wanted)?;
    Ok((application.parse().map_err(|_| wanted)?, query.parse().map_err(|_| wanted)?))
}

impl Policy {
    /// The content of the command; what demands nothing is left out.
    fn body(&self) -> Value {
        let texts = |digests: &[Digest]| digests.iter().map(Digest::to_string).collect::<Vec<_>>();
        let mut demands = serde_json::Map::new();
        for (name, digests) in [("host_data", &self.host_data), ("engines", &self.engines)] {
            if !digests.is_empty() {
                demands.insert(name.to_owned(), json!(texts(digests)));
            }
        }
        if let Some(Tcb([bootloader, tee, snp, microcode])) = self.minimum_tcb {
            let least = json!({
                "bootloader": bootloader, "tee": tee, "snp": snp, "microcode": microcode,
            });
            demands.insert("minimum_tcb".to_owned(), least);
        }
        let mut body = json!({"applications": texts(&self.applications)});
        if !demands.is_empty() {
            body["demands"] = Value::Object(demands);
        }
        let mut limits: Vec<(Digest, Vec<String>)> = Vec::new();
        for (application, query) in &self.only {
            match limits.iter_mut().find(|(limited, _)| limited == application) {
                Some((_, queries)) => queries.push(query.to_string()),
                None => limits.push((*application, vec![query.to_string()])),
            }
        }
        if !limits.is_empty() {
            let limit = |(application, queries): &(Digest, Vec<String>)| json!({"application": application.to_string(), "queries": queries});
            body["only"] = limits.iter().map(limit).collect();
        }
        body
    }
}

/// A command about the collaboration itself, at the version that was looked at.
pub fn order(
    room: &Room,
    (action, method, path): (&'static str, Method, &str),
    body: Value,
) -> Result<Order> {
    Ok(Order {
        method,
        path: path.to_owned(),
        action,
        subject: Subject::Collaboration(room.id),
        command: clock::command_id()?,
        expected_version: Some(room.view.version),
        body,
        content: None,
    })
}

/// Says which executors may run queries.
///
/// # Errors
///
/// The service's refusal.
pub async fn set_policy(global: &Global, policy: &Policy) -> Result<()> {
    let room = Room::open(global).await?;
    let action = ("collaboration.set-policy", Method::PUT, "/clean-room-policy");
    let body = policy.body();
    let sent = room.send(&order(&room, action, body)?).await?;
    let facts = policy.applications.iter().map(|it| ("application", it.to_string())).collect();
    done(&sent, &format!("Set the clean room policy of {}", room.view.name), facts)
}

/// Lets nothing run until it is resumed.
///
/// # Errors
///
/// The service's refusal.
pub async fn pause(global: &Global, reason: &str) -> Result<()> {
    let room = Room::open(global).await?;
    let action = ("collaboration.pause", Method::POST, "/pause");
    let sent = room.send(&order(&room, action, json!({"reason": reason}))?).await?;
    done(&sent, &format!("Paused {}", room.view.name), Vec::new())
}

/// Lets queries run again.
///
/// # Errors
///
/// The service's refusal.
pub async fn resume(global: &Global) -> Result<()> {
    let room = Room::open(global).await?;
    let action = ("collaboration.resume", Method::POST, "/resume");
    let sent = room.send(&order(&room, action, json!({}))?).await?;
    done(&sent, &format!("Resumed {}", room.view.name), Vec::new())
}

/// Ends it for good, once somebody said yes.
///
/// # Errors
///
/// Where nobody did, and the service's refusal.
pub async fn close(global: &Global, reason: &str, yes: bool) -> Result<()> {
    let room = Room::open(global).await?;
    if !yes {
        confirm(&room.view)?;
    }
    let action = ("collaboration.close", Method::POST, "/close");
    let sent = room.send(&order(&room, action, json!({"reason": reason}))?).await?;
    done(&sent, &format!("Closed {}", room.view.name), Vec::new())
}

/// Asks whoever sits at the terminal; a program must say `--yes`.
fn confirm(view: &Collaboration) -> Result<()> {
    let refused = |why: &str| {
        Failure::usage("not_confirmed", "Nothing was closed", why)
            .with_hint("Say it beforehand: --yes")
    };
    output::note(&format!(
        "{}\n\nNothing can be published, proposed, voted on or run in it ever again. It can be \
         read and exported, and e-mail addresses in it erased.",
        plain(&view.name)
    ));
    if !std::io::stdin().is_terminal() {
        return Err(refused("nobody is there to say yes"));
    }
    output::note("\nClose it? Type yes:");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    if line.trim() == "yes" { Ok(()) } else { Err(refused("nobody said yes")) }
}

/// What `collaboration show` says of it: one fact each.
pub fn facts(view: &Collaboration) -> Vec<(&'static str, String)> {
    let mut pairs = vec![("state", view.lifecycle.clone())];
    if let Some(stopped) = &view.stopped {
        let (who, when) = (plain(&stopped.organisation), time(stopped.at.time_ms));
        pairs.push(("since", format!("{when}, by {who}: {}", plain(&stopped.reason))));
    }
    let demands = &view.demands;
    pairs.extend(demands.host_data.iter().map(|it| ("host data", short(it))));
    pairs.extend(demands.engines.iter().map(|it| ("engine", short(it))));
    pairs.extend(demands.minimum_tcb.as_ref().map(|tcb| {
        let (boot, tee) = (tcb.bootloader, tcb.tee);
        let least = format!("boot loader {boot}, TEE {tee}, SNP {}, microcode", tcb.snp);
        ("least TCB", format!("{least} {}", tcb.microcode))
    }));
    pairs.extend(view.only.iter().map(|only| {
        let queries = only.queries.join(", ");
        ("only", format!("{} runs {queries} and no other", short(&only.application)))
    }));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_numbers_are_a_trusted_computing_base() {
        assert_eq!(tcb("4,0,22,213"), Ok(Tcb([4, 0, 22, 213])));
        for bad in ["", "4", "4,0,22", "4,0,22,213,1", "4,0,x,22,213", "4,0,22,-1"] {
            assert!(tcb(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_content_says_what_is_demanded_and_nothing_else() {
        let application = Digest::of(b"app");
        let query: QueryId = "01932b6c-7d3a-7c1e-8f00-0123456789ab".parse().unwrap();
        let plain = Policy {
            applications: vec![application],
            host_data: Vec::new(),
            engines: Vec::new(),
            minimum_tcb: None,
            only: Vec::new(),
        };
        assert_eq!(plain.body(), json!({"applications": [application.to_string()]}));
        let only = only(&format!("{application}={query}")).unwrap();
        let full = Policy {
            host_data: vec![application],
            minimum_tcb: Some(Tcb([1, 2, 3, 4])),
            only: vec![only, only],
            ..plain
        };
        let body = full.body();
        assert_eq!(body["demands"]["minimum_tcb"]["microcode"], 4);
        assert_eq!(body["only"][0]["queries"], json!([query.to_string(), query.to_string()]));
        assert!(super::only("x=y").is_err() && super::only("x").is_err());
    }
}
