//! `chancery log tiles`: logs as static files (<https://c2sp.org/tlog-tiles>).
//!
//! Tiles and bundles of entries come first, the checkpoint last and whole, so that whoever reads it
//! finds what it is over. A partial tile stays when a wider one is there: readers of an older
//! checkpoint may still ask for it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chancery_ledger::id::CollaborationId;
use chancery_ledger::note::{Checkpoint, Note};
use chancery_ledger::tile::{self, Bundle, BundleError, Tile};
use chancery_store::{Head, Store};
use serde_json::json;

use super::log::meant;
use crate::failure::{Exit, Failure, OrFail as _, Result};
use crate::output::{self, WIDTH};
use crate::private_file::sync_folder;
use crate::text::{Table, wrapped};

/// The checkpoint's file.
const CHECKPOINT: &str = "checkpoint";
/// Largest checkpoint that is read, in bytes; the limit of a signed note.
const CHECKPOINT_LEN_MAX: u64 = chancery_ledger::note::NOTE_LEN_MAX as u64;

/// What was written of a log.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    id: CollaborationId,
    /// Entries that the files had.
    before: u64,
    /// Entries that they have.
    size: u64,
    files: u64,
    /// Bundles that can't be: an entry in them is longer than the format allows.
    left_out: Vec<u64>,
}

/// Writes the logs that are meant below `out`.
///
/// # Errors
///
/// Where a log can't be read, a folder holds another one, or a file can't be written.
pub async fn run(store: &Store, out: &Path, wanted: Option<CollaborationId>) -> Result<ExitCode> {
    let mut all = Vec::new();
    for (id, _) in meant(store, wanted).await? {
        all.push(write(store, &out.join(id.to_string()), id).await?);
    }
    let mut table = Table::new(["COLLABORATION", "ENTRIES", "NEW", "FILES"]);
    table = table.right(1).right(2).right(3);
    let mut notes = String::new();
    for log in &all {
        let numbers = [log.size, log.size - log.before, log.files].map(|it| it.to_string());
        table.row([&log.id.to_string(), &numbers[0], &numbers[1], &numbers[2]]);
        for first in &log.left_out {
            let what = format!(
                "{}: no bundle of the entries from {first} on: one of them is longer than {} bytes",
                log.id,
                tile::ENTRY_LEN_MAX
            );
            notes.push_str(&wrapped("", &what, WIDTH));
        }
    }
    let logs = all.iter().map(|log| {
        json!({
            "collaboration": log.id.to_string(), "entries": log.size, "entries_before": log.before,
            "files": log.files, "bundles_left_out_from": log.left_out,
        })
    });
    let document = json!({ "out": out.to_string_lossy(), "logs": logs.collect::<Vec<_>>() });
    let none = "There is no log yet.\n".to_owned();
    let text = if all.is_empty() { none } else { format!("{}{notes}", table.render(0)) };
    output::answer(&document, &text)?;
    Ok(Exit::Done.into())
}

/// Writes one log, or what it grew by.
async fn write(store: &Store, folder: &Path, id: CollaborationId) -> Result<Written> {
    let failed = || format!("Can't read the log of {id}");
    let cosigned = store.cosigned(id).await.or_unreadable(failed)?;
    let head = store.head(id).await.or_unreadable(failed)?;
    let head = head.ok_or_else(|| Failure::unreadable(failed(), "it has no head"))?;
    let note = match cosigned {
        Some(cosigned) if cosigned.size == head.size => cosigned.checkpoint,
        _ => head.checkpoint.clone(),
    };
    let before = published(folder)?;
    let size = match &before {
        Some((_, checkpoint)) => {
            check_same(store, folder, checkpoint, id, &head).await?;
            checkpoint.size
        }
        None => 0,
    };
    let mut log = Written { id, before: size, size: head.size, files: 0, left_out: Vec::new() };
    for tile in tile::between(size, head.size) {
        let hashes = store.tile(id, tile).await.or_unreadable(failed)?;
        let hashes = hashes.ok_or_else(|| Failure::unreadable(failed(), "a tile is missing"))?;
        put(&folder.join(tile.path()), &Tile::encode(&hashes))?;
        log.files += 1;
        if tile.level == 0 && !log.bundle(store, folder, tile).await? {
            log.left_out.push(tile.first());
        }
    }
    if before.is_none_or(|(before, _)| before != note) {
        put(&folder.join(CHECKPOINT), note.as_bytes())?;
        log.files += 1;
    }
    Ok(log)
}

impl Written {
    /// Writes the entries under a tile of level 0; false where one of them is too long for that.
    async fn bundle(&mut self, store: &Store, folder: &Path, tile: Tile) -> Result<bool> {
        let failed = || format!("Can't read the log of {}", self.id);
        let bundle = Bundle { index: tile.index, width: tile.width };
        let mut entries: Vec<Vec<u8>> = Vec::new();
        while entries.len() < usize::from(tile.width) {
            let from = tile.first() + entries.len() as u64;
            let left = u32::from(tile.width) - u32::try_from(entries.len()).unwrap_or(0);
            let page = store.range(self.id, from, left).await.or_unreadable(failed)?;
            if page.is_empty() {
                return Err(Failure::unreadable(failed(), "it is shorter than its head says"));
            }
            entries.extend(page.into_iter().map(|entry| entry.sealed));
        }
        match bundle.encode(&entries) {
            Ok(bytes) => put(&folder.join(bundle.path()), &bytes)?,
            Err(BundleError::EntryTooLong { .. }) => return Ok(false),
            Err(error @ BundleError::Malformed { .. }) => {
                return Err(Failure::unreadable(failed(), error.to_string()));
            }
        }
        self.files += 1;
        Ok(true)
    }
}

/// The checkpoint in a folder, as it is and taken apart. None where nothing was written there, or a
/// first time was broken off before its end.
fn published(folder: &Path) -> Result<Option<(String, Checkpoint)>> {
    let path = folder.join(CHECKPOINT);
    let failed = || format!("Can't read {}", path.display());
    match fs::metadata(&path) {
        Ok(file) if file.len() > CHECKPOINT_LEN_MAX => {
            return Err(Failure::unreadable(failed(), "it is too long for a checkpoint"));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::unreadable(failed(), error.to_string())),
        Ok(_) => {}
    }
    let note = fs::read_to_string(&path).or_unreadable(failed)?;
    let checkpoint = Note::parse(&note).and_then(|note| note.checkpoint()).or_unreadable(failed)?;
    Ok(Some((note, checkpoint)))
}

/// That what was published is the beginning of the log.
async fn check_same(
    store: &Store,
    folder: &Path,
    old: &Checkpoint,
    id: CollaborationId,
    head: &Head,
) -> Result<()> {
    let refused = |why: String| {
        let what = format!("{} holds another log", folder.display());
        Err(Failure::refused("other_log", what, why))
    };
    let failed = || format!("Can't read the log of {id}");
    let new = Note::parse(&head.checkpoint).and_then(|note| note.checkpoint());
    let new = new.or_unreadable(failed)?;
    if old.origin != new.origin {
        return refused(format!("it is of {}, and this one is {}", old.origin, new.origin));
    }
    if old.size > new.size {
        return refused(format!("it has {} entries, and the log {}", old.size, new.size));
    }
    let tiles = store.tiles(id, &tile::for_frontier(old.size)).await.or_unreadable(failed)?;
    let root = tile::frontier(old.size, &tiles).or_unreadable(failed)?.root();
    if root != old.root {
        return refused(format!("its first {} entries are others: the two have forked", old.size));
    }
    Ok(())
}

/// Puts a file in its place, whole and on disk, whatever was there.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = || format!("Can't write {}", path.display());
    let folder = path.parent().unwrap_or(Path::new("."));
    let beside = beside(path);
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder(folder)
    };
    write().or_unreadable(failed)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests;
