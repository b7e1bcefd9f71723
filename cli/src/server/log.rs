//! `chancery log`: upkeep of the log's database, without the server.

use std::path::PathBuf;
use std::process::ExitCode;

use chancery_ledger::id::CollaborationId;
use chancery_store::{PAGE_MAX, Store};
use clap::Subcommand;

use super::database::Place;
use super::{fsck, tiles};
use crate::args::Global;
use crate::failure::{Failure, OrFail as _, Result};

/// Check the log's database, or publish it as tiles.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check everything that is stored, and say what disagrees
    ///
    /// Of each log: positions, leaf hashes, tree, checkpoint, commands and cosigned checkpoint
    /// against the stored bytes; then every signature, seal and rule, as an auditor checks them;
    /// then the keys of personal data. With --data-dir, the service's keys and the views too.
    ///
    /// Only reads, and makes or migrates nothing; the server may stay up.
    #[command(after_help = "\
Exit codes: 0 clean, 1 something disagrees, 3 the log can't be read.

Examples:
  chancery log fsck --data-dir /var/lib/chancery
  chancery log fsck --data-dir /var/lib/chancery --collaboration 01932b6c-...")]
    Fsck {
        /// Where the log is.
        #[command(flatten)]
        place: Place,
    },
    /// Write the logs as static files, to be hosted (C2SP tlog-tiles)
    ///
    /// Each log lies in a folder of its collaboration's id: checkpoint, tile/ and tile/entries/.
    /// Run again, it adds what the log grew by, the checkpoint last. A folder that holds another
    /// log, or another history of this one, is refused.
    ///
    /// Who can read the files can read the log, as its members do.
    #[command(after_help = "\
Example:
  chancery log tiles --out /srv/logs --data-dir /var/lib/chancery")]
    Tiles {
        /// Where the log is.
        #[command(flatten)]
        place: Place,
        /// Folder for the files
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Does it.
///
/// # Errors
///
/// Where the log can't be read.
pub async fn run(global: &Global, command: Command) -> Result<ExitCode> {
    let wanted = global.collaboration.as_deref().map(named).transpose()?;
    match command {
        Command::Fsck { place } => {
            let store = place.open_to_read().await?;
            let checked = fsck::run(&store, &place, wanted).await;
            store.close().await;
            checked
        }
        Command::Tiles { place, out } => {
            let store = place.open_to_read().await?;
            let written = tiles::run(&store, &out, wanted).await;
            store.close().await;
            written
        }
    }
}

fn named(text: &str) -> Result<CollaborationId> {
    text.parse().map_err(|_| {
        let why = format!("{text:?} is no id; names are known to the service only");
        Failure::usage("collaboration_unclear", "Which collaboration is not clear", why)
            .with_hint("Name it by its id: --collaboration ID")
    })
}

/// The logs that are meant, with their sizes: the named one, or all.
///
/// # Errors
///
/// Where the named one is not there, or the heads can't be read.
pub async fn meant(
    store: &Store,
    wanted: Option<CollaborationId>,
) -> Result<Vec<(CollaborationId, u64)>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.heads(after, PAGE_MAX).await;
        let page = page.or_unreadable(|| "Can't read the heads of the logs".to_owned())?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        all.extend(page);
    }
    let Some(wanted) = wanted else { return Ok(all) };
    all.retain(|(id, _)| *id == wanted);
    if all.is_empty() {
        let why = format!("no log of collaboration {wanted} is in it");
        return Err(Failure::refused("collaboration_not_found", "There is no such log", why));
    }
    Ok(all)
}
