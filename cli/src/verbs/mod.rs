//! What people ask for: one file an area.

pub mod audit;
pub mod change;
pub mod collaboration;
pub mod consent;
mod csv;
pub mod dataset;
mod dataset_secret;
mod json_file;
pub mod key;
pub mod lifecycle;
pub mod member;
mod member_ability;
pub mod member_key;
pub mod query;
mod query_show;
mod result;
pub mod rule;
pub mod run;
pub mod service;
pub mod sign_in;
mod vote;

use crate::client::session::Sent;
use crate::client::views::Mark;
use crate::failure::Result;
use crate::output;
use crate::text::{facts, plain, short};

/// Answers with a command that was carried out: what was done, and where it stands in the log.
fn done(sent: &Sent, what: &str, more: Vec<(&'static str, String)>) -> Result<()> {
    let mut pairs = more;
    pairs.push(("position", sent.reply.position.to_string()));
    pairs.push(("entry", sent.reply.digest.clone()));
    pairs.push((
        "authority",
        match sent.signed_by {
            Some(key) => format!("signed by your key {}", short(&key.to_string())),
            None => "your sign-in, on the service's word (no key of yours signs)".to_owned(),
        },
    ));
    let others = sent.reply.events.iter().skip(1);
    let others: Vec<_> =
        others.map(|event| format!("{} at {}", event.kind, event.position)).collect();
    if !others.is_empty() {
        pairs.push(("caused", others.join(", ")));
    }
    let text = format!("{}\n{}", plain(what), facts(2, pairs));
    Ok(output::answer(&sent.document, &text)?)
}

/// The marks on something, one fact each.
fn marks(marks: &[Mark]) -> impl Iterator<Item = (&'static str, String)> + '_ {
    marks.iter().map(|mark| {
        ("withheld", format!("{} by {}, since {}", mark.kind, mark.organisation, mark.position))
    })
}
