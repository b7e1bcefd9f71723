//! `chancery key`: your own signing key, made and kept on this machine.

use std::path::PathBuf;

use chancery_ledger::key::SigningKey;
use clap::Subcommand;
use serde_json::json;

use crate::args::Global;
use crate::client::key_file;
use crate::client::profile::Profile;
use crate::failure::{Failure, Result};
use crate::output;
use crate::text::facts;

/// Your own signing key.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an Ed25519 key and keep it in the profile
    ///
    /// It never leaves this machine. Register it with: chancery collaboration register-key
    Generate {
        /// File to keep it in, instead of the profile's
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Overwrite a key that is there, for good
        #[arg(long)]
        force: bool,
    },
    /// Show the public key and its id
    Show,
}

/// Does it.
///
/// # Errors
///
/// Where there is no key, or one that must not be overwritten.
pub fn run(global: &Global, command: Command) -> Result<()> {
    let profile = Profile::new(global.profile.as_deref())?;
    match command {
        Command::Generate { out, force } => {
            let path = if let Some(path) = out {
                path
            } else {
                profile.make()?;
                profile.key_path()
            };
            let key = key_file::generate(&path, force)?;
            show(&format!("Made a key in {}", path.display()), &key)
        }
        Command::Show => {
            let path = profile.key_path();
            let key = key_file::load(&path)?.ok_or_else(|| {
                let why = format!("there is no {}", path.display());
                Failure::refused("no_key", "The profile has no key", why)
            })?;
            show(&path.display().to_string(), &key)
        }
    }
}

fn show(what: &str, key: &SigningKey) -> Result<()> {
    let (public, id) = (key.public().to_string(), key.public().id().to_string());
    let text = format!("{what}\n{}", facts(2, [("public", public.clone()), ("id", id.clone())]));
    Ok(output::answer(&json!({"key": public, "id": id}), &text)?)
}
