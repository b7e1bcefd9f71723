//! Files that only their owner may read: keys and secrets of a server or an executor.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};

/// Makes a folder that only its owner can enter.
///
/// # Errors
///
/// Where it can't be made.
pub fn folder(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("can't make the folder {}", path.display()))
}

/// Reads a secret, or makes it with `make` and stores it, 0600, before anybody uses it.
///
/// # Errors
///
/// Where the file can't be read or written, or others may read it.
pub fn load_or_make(
    path: &Path,
    make: impl FnOnce() -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<Vec<u8>> {
    if let Some(bytes) = load(path)? {
        return Ok(bytes);
    }
    let bytes = make()?;
    let temporary = path.with_extension("new");
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        // A link fails where the file exists, so the first of two processes wins.
        match std::fs::hard_link(&temporary, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            done => done.map(|()| true),
        }
    })();
    let first = written.with_context(|| format!("can't write {}", path.display()))?;
    std::fs::remove_file(&temporary).ok();
    if first {
        return Ok(bytes);
    }
    load(path)?.with_context(|| format!("{} vanished", path.display()))
}

fn load(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(|| format!("can't open {}", path.display()))?,
    };
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{} can be read by others (mode {:o}); chmod 600 it", path.display(), mode & 0o777);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert_eq!(load_or_make(&path, || Ok(b"one".to_vec())).unwrap(), b"one");
        assert_eq!(load_or_make(&path, || Ok(b"two".to_vec())).unwrap(), b"one");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load_or_make(&path, || Ok(Vec::new())).is_err());
    }
}
