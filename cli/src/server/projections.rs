//! `chancery projections`: upkeep of the views.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::node::{open_store, open_views};
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
    /// Readers see the old views until the new ones are whole.
    Rebuild {
        /// The server's data folder.
        #[arg(long)]
        data_dir: PathBuf,
    },
}
