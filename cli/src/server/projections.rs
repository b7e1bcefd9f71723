//! `chancery projections`: upkeep of the views.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use chancery_projections::rebuild;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::database::{self, DatabaseUrl, LOG_FILE, URL_ENV};
use super::node::open_views;
use crate::output;

/// Upkeep of the views.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Throw the views away and fold them anew from the log.
    ///
    /// Readers see the old views until the new ones are whole; a server may stay up meanwhile.
    Rebuild {
        /// The server's data folder.
        #[arg(long)]
        data_dir: PathBuf,
        /// The log's PostgreSQL database, where it is not in the data folder.
        ///
        /// Better given by `CHANCERY_DATABASE_URL`: command lines are seen by all.
        #[arg(long, value_name = "postgres://URL", env = URL_ENV, hide_env_values = true)]
        database: Option<DatabaseUrl>,
    },
}

/// Does the upkeep.
///
/// # Errors
///
/// Where there is no log, or a database can't be used.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let What::Rebuild { data_dir, database } = args.what;
    if database.is_none() && !data_dir.join(LOG_FILE).is_file() {
        bail!("{} holds no log ({LOG_FILE}); is it the server's data folder?", data_dir.display());
    }
    let store = database::open(&data_dir, database.as_ref()).await?;
    let views = open_views(&data_dir).await?;
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} entries  {per_sec}  {eta} left")
            .context("the progress bar's template")?,
    );
    let rebuilt = rebuild(&store, &views, |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })
    .await
    .context("can't rebuild the views")?;
    bar.finish_and_clear();
    let halted: Vec<_> = rebuilt.halted.iter().map(|halt| format!("{halt:?}")).collect();
    let document = json!({
        "entries": rebuilt.entries,
        "elapsed_ms": u64::try_from(rebuilt.elapsed.as_millis()).unwrap_or(u64::MAX),
        "halted": halted,
    });
    let mut text = format!(
        "Rebuilt from {} entries in {:.1} s ({:.0} a second).",
        rebuilt.entries,
        rebuilt.elapsed.as_secs_f64(),
        rebuilt.entries_per_second()
    );
    for halt in &halted {
        text.push_str("\nA log is corrupt, and its views stop there: ");
        text.push_str(halt);
    }
    output::answer(&document, &text)?;
    store.close().await;
    views.close().await;
    Ok(if halted.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
