//! Whether the log, or an entry of it, is in the ledger of the mirror, as the service says it now.

use std::process::ExitCode;
use std::time::Duration;

use chancery_commands::mirror::{MirrorStanding, MirroredEntry};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::client::room::Room;
use crate::failure::{Exit, OrFail as _, Result};
use crate::output;
use crate::text::{facts, plain};

/// Between two looks.
const POLL: Duration = Duration::from_millis(250);

/// Says so, once it is or after that many seconds.
///
/// # Errors
///
/// The service's refusal, or that it can't be reached.
pub async fn run(room: &Room, position: Option<u64>, wait_s: u32) -> Result<ExitCode> {
    let end = Instant::now() + Duration::from_secs(wait_s.into());
    loop {
        let (document, told) = ask(room, position).await?;
        if told.is_done || told.is_final || Instant::now() >= end {
            output::answer(&document, &told.text)?;
            let exit = if told.is_done { Exit::Done } else { Exit::Refused };
            return Ok(exit.into());
        }
        sleep(POLL).await;
    }
}

struct Told {
    is_done: bool,
    /// It will not change by itself.
    is_final: bool,
    text: String,
}

async fn ask(room: &Room, position: Option<u64>) -> Result<(Value, Told)> {
    let failed = || "The service answers something else".to_owned();
    let Some(position) = position else {
        let document = room.document("/mirror").await?;
        let standing: MirrorStanding =
            serde_json::from_value(document.clone()).or_unreadable(failed)?;
        let is_done = standing.lag_entries == 0;
        let text = format!("{}\n{}", plain(&room.view.name), facts(2, shown(&standing)));
        let is_final = is_stopped(&standing.state);
        return Ok((document, Told { is_done, is_final, text }));
    };
    let document = room.document(&format!("/receipts/{position}")).await?;
    let entry: MirroredEntry = serde_json::from_value(document.clone()).or_unreadable(failed)?;
    let mut pairs = vec![("entry", position.to_string()), ("is", plain(&entry.state))];
    if let Some(receipt) = &entry.receipt {
        let batch = format!("positions {} to {}", receipt.first, receipt.size - 1);
        pairs.extend([
            ("batch", batch),
            ("transaction", plain(&receipt.transaction)),
            ("claims", receipt.claims_digest.clone()),
            ("by service", receipt.service.clone()),
            ("kind", kind(&receipt.kind)),
        ]);
    }
    pairs.extend(shown(&entry.mirror));
    let (is_done, is_final) = (entry.receipt.is_some(), is_stopped(&entry.state));
    Ok((document, Told { is_done, is_final, text: facts(0, pairs) }))
}

fn is_stopped(state: &str) -> bool {
    matches!(state, "off" | "diverged")
}

/// The stand-in is never shown without saying what it is.
fn kind(kind: &str) -> String {
    match kind {
        "insecure-virtual" => "INSECURE-VIRTUAL: a stand-in, it proves nothing".to_owned(),
        other => plain(other),
    }
}

fn shown(standing: &MirrorStanding) -> Vec<(&'static str, String)> {
    let MirrorStanding { kind: of, state, alarm, detail, size, mirrored, .. } = standing;
    let mut pairs = vec![
        ("mirror", of.as_deref().map_or_else(|| "none".to_owned(), kind)),
        ("state", plain(state)),
        ("mirrored", format!("{mirrored} of {size} entries")),
    ];
    if standing.lag_entries > 0 {
        let (entries, seconds) = (standing.lag_entries, standing.lag_seconds);
        pairs.push(("behind", format!("{entries} entries, {seconds} s")));
    }
    pairs.extend(alarm.as_ref().map(|alarm| ("ALARM", plain(alarm))));
    pairs.extend(detail.as_ref().map(|detail| ("why", plain(detail))));
    pairs
}
