//! The executor's key and the lock on its state folder.
//!
//! One key for an executor, kept over restarts: an admitted run is reported on with the key that
//! its evidence bound. Where the folder is lost, so is the key, and the runs are admitted anew to
//! the next one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chancery_ledger::key::SigningKey;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;

const FILE: &str = "executor.key";
const LOCK: &str = "lock";
const MODE: u32 = 0o600;

/// Takes the state folder for this process, as long as the file lives.
///
/// # Errors
///
/// `WouldBlock` where another process has it.
pub fn lock(state_dir: &Path) -> io::Result<File> {
    let file = private(OpenOptions::new().write(true).create(true)).open(state_dir.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::WouldBlock, "another executor has the state folder"))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The key in the state folder, made at the first start: PKCS#8, for its owner only.
///
/// # Errors
///
/// Those of the file system, and `InvalidData` where the file holds no key.
pub fn load_or_make(state_dir: &Path) -> io::Result<SigningKey> {
    let path = state_dir.join(FILE);
    match std::fs::read(&path) {
        Ok(der) => SigningKey::from_pkcs8(&der)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(state_dir, &path),
        Err(error) => Err(error),
    }
}

fn make(state_dir: &Path, path: &Path) -> io::Result<SigningKey> {
    let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| io::Error::other("the operating system gave no randomness"))?;
    put(state_dir, path, der.as_ref())?;
    SigningKey::from_pkcs8(der.as_ref()).map_err(io::Error::other)
}

/// Writes a private file whole, or not at all.
///
/// # Errors
///
/// Those of the file system.
pub fn put(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    // One that a crash left may have other rights.
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private(OpenOptions::new().write(true).create_new(true)).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(MODE)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_outlives_the_process_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = load_or_make(folder.path()).unwrap();
        let again = load_or_make(folder.path()).unwrap();
        assert_eq!(first.public(), again.public());
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        std::fs::write(folder.path().join(FILE), "rubbish").unwrap();
        let error = load_or_make(folder.path()).err().map(|error| error.kind());
        assert_eq!(error, Some(io::ErrorKind::InvalidData));
    }

    #[test]
    fn one_executor_has_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        assert_eq!(lock(folder.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        assert!(lock(folder.path()).is_ok());
    }
}
