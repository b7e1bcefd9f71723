//! `chancery audit`: the bundle of a whole log, and its verification without any network.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chancery_audit::render::{render_json, render_text};
use chancery_audit::{Options, verify};
use chancery_ledger::digest::Digest;
use clap::Subcommand;
use serde_json::json;

use crate::args::Global;
use crate::client::room::Room;
use crate::failure::{Exit, OrFail as _, Result};
use crate::output::{self, Format, WIDTH};
use crate::text::facts;

/// Export the log and verify it offline.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the collaboration's whole log to a file
    Export {
        /// The bundle
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Verify a bundle; needs the file and nothing else
    ///
    /// Checks every signature, hash and proof, replays the rules, and says which check fails first,
    /// where and why.
    #[command(after_help = "\
Exit codes: 0 verified, 1 tampered, 2 incomplete, 3 unreadable.

Without --service-key, a log that somebody made up with a key of their own
verifies too. Get the key's id from elsewhere than the bundle.

Example:
  chancery audit verify audit.chancery --service-key sha256:...")]
    Verify {
        /// The bundle
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The id that the service's key must have
        #[arg(long, value_name = "sha256:...")]
        service_key: Option<Digest>,
    },
}

/// Does it.
///
/// # Errors
///
/// Where the bundle can't be had, written or read.
pub async fn run(global: &Global, command: Command) -> Result<ExitCode> {
    match command {
        Command::Export { file } => {
            export(&Room::open(global).await?, &file).await?;
            Ok(Exit::Done.into())
        }
        Command::Verify { file, service_key } => check(&file, service_key),
    }
}

async fn export(room: &Room, file: &Path) -> Result<()> {
    let failed = || format!("Can't write {}", file.display());
    let mut response = room.session.http.download(room.path("/bundle")).await?;
    let mut beside = file.as_os_str().to_owned();
    beside.push(".partial");
    let mut out = File::create(&beside).or_unreadable(failed)?;
    let mut bytes = 0_u64;
    let broken = || "The connection broke before the bundle was whole".to_owned();
    while let Some(chunk) = response.chunk().await.or_unreadable(broken)? {
        out.write_all(&chunk).or_unreadable(failed)?;
        bytes = bytes.saturating_add(chunk.len() as u64);
    }
    out.sync_all().or_unreadable(failed)?;
    fs::rename(&beside, file).or_unreadable(failed)?;
    let key = room.session.audience.to_string();
    let document = json!({
        "file": file.to_string_lossy(), "bytes": bytes, "collaboration": room.view.id,
        "service_key": key,
    });
    let name = file.display();
    let text = format!(
        "Exported the log of {}\n{}\nVerify it: chancery audit verify {name} \\\n  --service-key {key}",
        crate::text::plain(&room.view.name),
        facts(2, [("file", name.to_string()), ("bytes", bytes.to_string())]),
    );
    Ok(output::answer(&document, &text)?)
}

fn check(file: &Path, service_key: Option<Digest>) -> Result<ExitCode> {
    let bundle = File::open(file).or_unreadable(|| format!("Can't read {}", file.display()))?;
    let report = verify(bundle, &Options { service_key, ..Options::default() });
    output::print(&match output::format() {
        Format::Text => render_text(&report, WIDTH),
        Format::Json => render_json(&report),
    })?;
    Ok(report.verdict.exit_code().into())
}
