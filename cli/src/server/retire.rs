//! `chancery service retire-keys`: the older keys go, once nothing is sealed by them any more.

use std::path::Path;

use chancery_ledger::id::CollaborationId;
use chancery_ledger::key::PublicKey;
use chancery_ledger::note::{Checkpoint, Note};
use chancery_store::Store;
use serde_json::json;

use super::database::{DatabaseUrl, LOG_FILE, Place, open_file_to_read};
use super::keys;
use super::log::meant;
use crate::failure::{Failure, OrFail as _, Result};
use crate::output;
use crate::text::facts;

/// Deletes the older keys of a data folder.
///
/// # Errors
///
/// Where a log is sealed by one of them, a server runs with one, or the log can't be read.
pub async fn run(data_dir: &Path, database: Option<DatabaseUrl>) -> Result<()> {
    let place = Place { data_dir: Some(data_dir.to_owned()), database };
    let older = keys::older(data_dir)?;
    if older.is_empty() {
        return Ok(output::answer(&json!({"deleted": []}), "There are no older keys.")?);
    }
    let keyring = keys::read(data_dir)?
        .ok_or_else(|| Failure::unreadable("There is no service key", "it went away meanwhile"))?;
    let current = keyring.current().public();
    let mut logs = checked(&place.open_to_read().await?, current).await?;
    // What a server without the database began here goes on under these keys too.
    if place.database.is_some() && data_dir.join(LOG_FILE).is_file() {
        logs += checked(&open_file_to_read(data_dir).await?, current).await?;
    }
    if logs == 0 {
        let why = format!("there is no log in {}", place.name());
        return Err(Failure::refused("no_logs", "No key was deleted", why).with_hint(
            "Is it the server's database? A key that still seals a log is never got back.",
        ));
    }
    keys::delete(data_dir, &older)?;
    let ids: Vec<_> = older.iter().map(|key| key.id.to_string()).collect();
    let document = json!({"deleted": ids, "logs": logs, "key_id": current.id().to_string()});
    let deleted = ids.into_iter().map(|id| ("deleted", id));
    let mut pairs = vec![("current", current.id().to_string()), ("logs", logs.to_string())];
    pairs.extend(deleted);
    Ok(output::answer(&document, &format!("Deleted the older keys\n{}", facts(2, pairs)))?)
}

/// That every log's checkpoint is by `current`; gives how many logs there are.
async fn checked(store: &Store, current: &PublicKey) -> Result<usize> {
    let heads = meant(store, None).await?;
    for (id, _) in &heads {
        check(store, *id, current).await?;
    }
    store.close().await;
    Ok(heads.len())
}

async fn check(store: &Store, id: CollaborationId, current: &PublicKey) -> Result<()> {
    let failed = || format!("Can't read the log of {id}");
    let head = store.head(id).await.or_unreadable(failed)?;
    let head = head.ok_or_else(|| Failure::unreadable(failed(), "it has no head"))?;
    let checkpoint = Note::parse(&head.checkpoint).and_then(|note| note.checkpoint());
    let origin = checkpoint.or_unreadable(failed)?.origin;
    match Checkpoint::open(&head.checkpoint, &origin, current) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::refused(
            "log_not_moved",
            "No key was deleted",
            format!("the log of {id} does not go on under {}: {error}", current.id()),
        )
        .with_hint("Start the server, and let it move every log.")),
    }
}
