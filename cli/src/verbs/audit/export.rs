//! The bundle, from the service or from its database.

use std::path::Path;
use std::process::ExitCode;

use chancery_audit::partial::Scope;
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
pub async fn export(room: &Room, scope: Option<Scope>, file: &Path) -> Result<ExitCode> {
    // As the subject is written, but for the sign between kind and id.
    let part = scope
        .map_or_else(String::new, |scope| format!("?{}", scope.to_string().replacen('/', "=", 1)));
    let path = room.path(&format!("/bundle{part}"));
    let mut response = room.session.http.download(path).await?;
    let mut out = Landing::open(file)?;
    let broken = || "The connection broke before the bundle was whole".to_owned();
    while let Some(chunk) = response.chunk().await.or_unreadable(broken)? {
        out.push(&chunk)?;
    }
    let bytes = out.land()?;
    let key = room.session.audience.to_string();
    answer(&Exported { file, bytes, id: &room.view.id, name: &room.view.name, scope, key: &key })
}

/// A bundle that was written.
pub struct Exported<'a> {
    pub file: &'a Path,
    pub bytes: u64,
    pub id: &'a str,
    pub name: &'a str,
    pub scope: Option<Scope>,
    pub key: &'a str,
}

/// Answers with what was written, and how to verify it.
pub fn answer(exported: &Exported<'_>) -> Result<ExitCode> {
    let Exported { file, bytes, id, name, scope, key } = exported;
    let document = json!({
        "file": file.to_string_lossy(), "bytes": bytes, "collaboration": id, "service_key": key,
        "scope": scope.map(|scope| scope.to_string()),
    });
    let shown = file.display();
    let text = format!(
        "Exported {} of {}\n{}\nVerify it: chancery audit verify {shown} \\\n  --service-key {key}",
        scope.map_or_else(|| "the log".to_owned(), |scope| format!("the part about {scope}")),
        plain(name),
        facts(2, [("file", shown.to_string()), ("bytes", bytes.to_string())]),
    );
    output::answer(&document, &text)?;
    Ok(Exit::Done.into())
}
