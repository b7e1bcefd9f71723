//! Cursors in a small file: rewritten whole, synced, and renamed into place at each move.
//!
//! ```text
//! chancery-cursors 1
//! 01932b6c-7d3a-7c1e-8f00-0123456789ab 42
//! end 1
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chancery_ledger::id::CollaborationId;

use crate::{CursorError, Cursors};

const HEADER: &str = "chancery-cursors 1";

/// One consumer's cursors in a file of its own. While this lives, no other process opens it.
pub struct FileCursors {
    file: Arc<Mutex<CursorFile>>,
}

struct CursorFile {
    path: PathBuf,
    cursors: BTreeMap<CollaborationId, u64>,
    /// Held, not used: the lock ends when it closes.
    _lock: File,
}

/// A file that doesn't hold cursors in the written form.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the cursor file is not in the written form")]
struct Malformed {
    line: usize,
}

impl FileCursors {
    /// Opens the cursors at `path`; none yet if there is no such file. The folder must exist.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the file can't be read or another process has it, `Corrupt` if it isn't in
    /// the written form.
    pub async fn open(path: &Path) -> Result<Self, CursorError> {
        let path = path.to_owned();
        let file = blocking(move || CursorFile::open(path)).await?;
        Ok(Self { file: Arc::new(Mutex::new(file)) })
    }
}

impl Cursors for FileCursors {
    async fn load(&self) -> Result<BTreeMap<CollaborationId, u64>, CursorError> {
        Ok(self.file.lock().unwrap_or_else(PoisonError::into_inner).cursors.clone())
    }

    async fn advance(&self, c: CollaborationId, from: u64, to: u64) -> Result<(), CursorError> {
        let file = Arc::clone(&self.file);
        blocking(move || file.lock().unwrap_or_else(PoisonError::into_inner).advance(c, from, to))
            .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CursorError> + Send + 'static,
) -> Result<T, CursorError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|stopped| CursorError::Unavailable(stopped.into()))?
}

impl CursorFile {
    fn open(path: PathBuf) -> Result<Self, CursorError> {
        let unavailable = |error: io::Error| CursorError::Unavailable(error.into());
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(with_suffix(&path, ".lock"))
            .map_err(unavailable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                unavailable(io::Error::other("another process has these cursors open"))
            }
            TryLockError::Error(error) => unavailable(error),
        })?;
        let cursors = match std::fs::read_to_string(&path) {
            Ok(text) => parse(&text).map_err(|error| CursorError::Corrupt(error.into()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(CursorError::Corrupt(error.into()));
            }
            Err(error) => return Err(unavailable(error)),
        };
        Ok(Self { path, cursors, _lock: lock })
    }

    fn advance(&mut self, c: CollaborationId, from: u64, to: u64) -> Result<(), CursorError> {
        let actual = self.cursors.get(&c).copied().unwrap_or(0);
        if actual != from {
            return Err(CursorError::Conflict { actual });
        }
        let mut moved = self.cursors.clone();
        moved.insert(c, to);
        replace(&self.path, &written(&moved))
            .map_err(|error| CursorError::Unavailable(error.into()))?;
        self.cursors = moved;
        Ok(())
    }
}

/// The file is the old one or the new one, whole, at every moment; the new one when this returns.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new_path = with_suffix(path, ".new");
    let mut new =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new_path)?;
    new.write_all(text.as_bytes())?;
    new.sync_all()?;
    std::fs::rename(&new_path, path)?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn written(cursors: &BTreeMap<CollaborationId, u64>) -> String {
    let mut text = format!("{HEADER}\n");
    for (collaboration, position) in cursors {
        // Writing to a string doesn't fail.
        let _ = writeln!(text, "{collaboration} {position}");
    }
    let _ = writeln!(text, "end {}", cursors.len());
    text
}

fn parse(text: &str) -> Result<BTreeMap<CollaborationId, u64>, Malformed> {
    let mut cursors = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let malformed = Malformed { line: index + 1 };
        if index == 0 || line.starts_with("end ") {
            continue;
        }
        let cursor = line
            .split_once(' ')
            .and_then(|(c, position)| Some((c.parse().ok()?, position.parse().ok()?)));
        let (collaboration, position) = cursor.ok_or(malformed)?;
        cursors.insert(collaboration, position);
    }
    // One written form: whatever was skipped, repeated or cut above shows here.
    if written(&cursors) == text {
        Ok(cursors)
    } else {
        Err(Malformed { line: text.lines().count() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01932b6c-7d3a-7c1e-8f00-0123456789ab";

    #[tokio::test]
    async fn cursors_outlive_the_process_and_move_by_compare_and_set() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursors");
        let c: CollaborationId = ID.parse().unwrap();
        {
            let cursors = FileCursors::open(&path).await.unwrap();
            cursors.advance(c, 0, 3).await.unwrap();
            cursors.advance(c, 3, 42).await.unwrap();
            let stale = cursors.advance(c, 3, 50).await;
            assert!(matches!(stale, Err(CursorError::Conflict { actual: 42 })), "{stale:?}");
            let second = FileCursors::open(&path).await.err();
            assert!(matches!(second, Some(CursorError::Unavailable(_))), "{second:?}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{HEADER}\n{ID} 42\nend 1\n"));
        let cursors = FileCursors::open(&path).await.unwrap();
        assert_eq!(cursors.load().await.unwrap(), [(c, 42)].into());
    }

    #[tokio::test]
    async fn what_is_not_in_the_written_form_is_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursors");
        for bad in [
            String::new(),
            format!("{HEADER}\n"),
            format!("{HEADER}\nend 0"),
            format!("{HEADER}\n{ID} 42\n"),
            format!("{HEADER}\n{ID} 42\nend 2\n"),
            format!("{HEADER}\n{ID} 042\nend 1\n"),
            format!("{HEADER}\n{ID} 42\n{ID} 43\nend 1\n"),
            format!("{HEADER}\n{ID} -1\nend 1\n"),
            format!("chancery-cursors 2\n{ID} 42\nend 1\n"),
        ] {
            std::fs::write(&path, &bad).unwrap();
            let opened = FileCursors::open(&path).await.err();
            assert!(matches!(opened, Some(CursorError::Corrupt(_))), "{bad:?}: {opened:?}");
        }
    }
}
