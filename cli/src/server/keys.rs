//! The service's keys in its data folder: the current one in `service.key`, older ones in
//! `service-keys`, by the beginning of their ids.
//!
//! A rotation links the current key there before it is replaced, so that at every step each key
//! that seals a log is in one of the two. A server holds a lock on the file of its current key; the
//! lock goes with the file when that is linked, so that a key in use is never deleted.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chancery_commands::keyring::Keyring;
use chancery_ledger::key::{KeyId, PublicKey, SigningKey};

use crate::client::key_file;
use crate::failure::{Failure, OrFail as _, Result};
use crate::private_file;

/// The current key in a data folder.
pub const KEY_FILE: &str = "service.key";
/// The folder with the older ones.
const OLDER: &str = "service-keys";
/// The file whose lock keeps two rotations apart, and a rotation from a start.
const LOCK: &str = "service-keys.lock";
/// Hexadecimal digits of a key's id in its file's name.
const NAME_LEN: usize = 16;

/// A server's keys while it uses them.
pub struct InUse {
    /// The keys.
    pub keyring: Keyring,
    /// The ids of the older ones.
    pub older: Vec<KeyId>,
    /// Keeps the current key from being deleted.
    _lock: File,
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The id of the key before.
    pub before: KeyId,
    /// The current key.
    pub key: PublicKey,
}

/// An older key that nobody uses as its current one, until this is dropped.
pub struct Older {
    /// Its id.
    pub id: KeyId,
    /// Its file.
    pub path: PathBuf,
    _lock: File,
}

/// Takes the keys of a data folder into use; draws the first one where there is none.
///
/// # Errors
///
/// Where a file can't be read or written, is open to others, or is no key.
pub fn take(data_dir: &Path) -> Result<InUse> {
    let _starting = lock(data_dir)?;
    let path = data_dir.join(KEY_FILE);
    let current = key_file::load_or_generate(&path)?;
    let failed = || format!("Can't take {} into use", path.display());
    let used = File::open(&path).or_unreadable(failed)?;
    used.lock_shared().or_unreadable(failed)?;
    let older = load_older(data_dir, current.public().id())?;
    let ids = older.iter().map(|(_, key)| key.public().id()).collect();
    let keyring = ring(current, older.into_iter().map(|(_, key)| key));
    Ok(InUse { keyring, older: ids, _lock: used })
}

/// The keys of a data folder; none where no server has run there.
///
/// # Errors
///
/// Where a file can't be read, is open to others, or is no key.
pub fn read(data_dir: &Path) -> Result<Option<Keyring>> {
    let Some(current) = key_file::load(&data_dir.join(KEY_FILE))? else { return Ok(None) };
    let older = load_older(data_dir, current.public().id())?;
    Ok(Some(ring(current, older.into_iter().map(|(_, key)| key))))
}

/// Keeps the current key with the older ones and draws a new one. Whenever it is broken off, it can
/// be run again: no key is lost.
///
/// # Errors
///
/// Where no server has run there, or a file can't be written.
pub fn rotate(data_dir: &Path) -> Result<Rotated> {
    let path = data_dir.join(KEY_FILE);
    current(&path)?;
    let _rotating = lock(data_dir)?;
    let before = current(&path)?.public().id();
    let folder = data_dir.join(OLDER);
    let failed = || format!("Can't keep {}", path.display());
    private_file::folder(&folder)?;
    private_file::sync_folder(data_dir).or_unreadable(failed)?;
    let kept = kept_path(data_dir, before);
    match fs::hard_link(&path, &kept) {
        // Of a rotation that was broken off: then it must be this very key.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if current(&kept)?.public().id() != before {
                let why = format!("{} is another key", kept.display());
                return Err(Failure::refused("key_kept", "The key can't be kept", why));
            }
        }
        linked => linked.or_unreadable(failed)?,
    }
    private_file::sync_folder(&folder).or_unreadable(failed)?;
    let key = key_file::replace(&path)?.public().clone();
    Ok(Rotated { before, key })
}

/// The older keys, each kept from being taken into use.
///
/// # Errors
///
/// Where a server runs that has one of them as its current key.
pub fn older(data_dir: &Path) -> Result<Vec<Older>> {
    let current = current(&data_dir.join(KEY_FILE))?.public().id();
    let older = load_older(data_dir, current)?.into_iter().map(|(path, key)| {
        let failed = || format!("Can't look at {}", path.display());
        let lock = File::open(&path).or_unreadable(failed)?;
        let id = key.public().id();
        match lock.try_lock() {
            Ok(()) => Ok(Older { id, path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Failure::refused(
                "key_in_use",
                "No key was deleted",
                format!("a server still runs with {id}"),
            )
            .with_hint("Restart the server, and let it move the logs.")),
            Err(TryLockError::Error(error)) => {
                Err(Failure::unreadable(failed(), error.to_string()))
            }
        }
    });
    older.collect()
}

/// Deletes older keys, for good.
///
/// # Errors
///
/// Where a file can't be removed; those before it are gone.
pub fn delete(data_dir: &Path, older: &[Older]) -> Result<()> {
    for key in older {
        let failed = || format!("Can't remove {}", key.path.display());
        fs::remove_file(&key.path).or_unreadable(failed)?;
        private_file::sync_folder(&data_dir.join(OLDER)).or_unreadable(failed)?;
    }
    Ok(())
}

fn ring(current: SigningKey, older: impl Iterator<Item = SigningKey>) -> Keyring {
    older.fold(Keyring::new(Arc::new(current)), |ring, key| ring.with_older(Arc::new(key)))
}

fn current(path: &Path) -> Result<SigningKey> {
    key_file::load(path)?.ok_or_else(|| {
        let why = format!("there is no {}", path.display());
        Failure::unreadable("There is no service key", why)
            .with_hint("Name the data folder of a server that has run.")
    })
}

fn kept_path(data_dir: &Path, id: KeyId) -> PathBuf {
    let hex = id.to_string();
    let hex = hex.strip_prefix("sha256:").unwrap_or(&hex);
    data_dir.join(OLDER).join(format!("{}.key", hex.get(..NAME_LEN).unwrap_or(hex)))
}

/// The older keys by path. The current one may be among the files, after a rotation that was broken
/// off; it is none of them.
fn load_older(data_dir: &Path, current: KeyId) -> Result<Vec<(PathBuf, SigningKey)>> {
    let folder = data_dir.join(OLDER);
    let failed = || format!("Can't read {}", folder.display());
    let files = match fs::read_dir(&folder) {
        Ok(files) => files,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::unreadable(failed(), error.to_string())),
    };
    let mut older = Vec::new();
    for file in files {
        let path = file.or_unreadable(failed)?.path();
        if path.extension().is_none_or(|extension| extension != "key") {
            continue;
        }
        let Some(key) = key_file::load(&path)? else { continue };
        if path != kept_path(data_dir, key.public().id()) {
            let why = "its name is not the beginning of its key's id";
            return Err(Failure::unreadable(format!("{} is misnamed", path.display()), why));
        }
        if key.public().id() != current {
            older.push((path, key));
        }
    }
    older.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(older)
}

fn lock(data_dir: &Path) -> Result<File> {
    let path = data_dir.join(LOCK);
    let failed = || format!("Can't lock {}", path.display());
    private_file::create(&path, b"")?;
    let file = File::open(&path).or_unreadable(failed)?;
    file.lock().or_unreadable(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests;
