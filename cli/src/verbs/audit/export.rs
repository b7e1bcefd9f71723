//! The bundle, from the service or from its database.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::landing::Landing;
use crate::client::room::Room;
use crate::failure::{Exit, OrFail as _, Result};
use crate::output;
use crate::text::{facts, plain};

/// Writes the bundle that the service gives.
///
/// # Errors
///
/// Where it can't be had or written.
pub async fn export(room: &Room, file: &Path) -> Result<ExitCode> {
    let mut response = room.session.http.download(room.path("/bundle")).await?;
    let mut out = Landing::open(file)?;
    let broken = || "The connection broke before the bundle was whole".to_owned();
    while let Some(chunk) = response.chunk().await.or_unreadable(broken)? {
        out.push(&chunk)?;
    }
    let bytes = out.land()?;
    let key = room.session.audience.to_string();
    answer(&Exported { file, bytes, id: &room.view.id, name: &room.view.name, key: &key })
}

/// A bundle that was written.
pub struct Exported<'a> {
    pub file: &'a Path,
    pub bytes: u64,
    pub id: &'a str,
    pub name: &'a str,
    pub key: &'a str,
}

/// Answers with what was written, and how to verify it.
pub fn answer(exported: &Exported<'_>) -> Result<ExitCode> {
    let Exported { file, bytes, id, name, key } = exported;
    let document = json!({
        "file": file.to_string_lossy(), "bytes": bytes, "collaboration": id, "service_key": key,
    });
    let shown = file.display();
    let text = format!(
        "Exported the log of {}\n{}\nVerify it: chancery audit verify {shown} \\\n  --service-key {key}",
        plain(name),
        facts(2, [("file", shown.to_string()), ("bytes", bytes.to_string())]),
    );
    output::answer(&document, &text)?;
    Ok(Exit::Done.into())
}
