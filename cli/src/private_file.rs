//! Files that only their owner may read (0600, in folders of 0700).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::failure::{Failure, OrFail as _, Result};

/// Largest file that is read.
const LEN_MAX: u64 = 1 << 20;
/// The bits by which the group and others could do anything.
const OTHERS: u32 = 0o077;

/// Makes a folder that only its owner enters, if it is not there.
///
/// # Errors
///
/// Where it can't be made, or others may enter the one that is there.
pub fn folder(path: &Path) -> Result<()> {
    let shown = path.display();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.or_unreadable(|| format!("Can't make the folder {shown}"))?;
    let mode = fs::metadata(path).or_unreadable(|| format!("Can't look at {shown}"))?;
    check_mode(path, mode.permissions().mode(), 0o700)
}

fn check_mode(path: &Path, mode: u32, wanted: u32) -> Result<()> {
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let why = format!("its mode is {:o}, and it holds what only you may read", mode & 0o777);
    Err(Failure::refused("open_to_others", format!("{} is open to others", path.display()), why)
        .with_hint(format!("chmod {wanted:o} {}", path.display())))
}

/// The content of a file; none where there is no such file.
///
/// # Errors
///
/// Where it can't be read, or others may read it.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let shown = path.display();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::unreadable(format!("Can't read {shown}"), error.to_string()));
        }
    };
    let mode = file.metadata().or_unreadable(|| format!("Can't look at {shown}"))?;
    check_mode(path, mode.permissions().mode(), 0o600)?;
    let mut bytes = Vec::new();
    file.take(LEN_MAX).read_to_end(&mut bytes).or_unreadable(|| format!("Can't read {shown}"))?;
    Ok(Some(bytes))
}

/// Writes a file that is not there yet; false where it is.
///
/// # Errors
///
/// Where it can't be written.
pub fn create(path: &Path, bytes: &[u8]) -> Result<bool> {
    let shown = path.display();
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => {
            return Err(Failure::unreadable(format!("Can't write {shown}"), error.to_string()));
        }
    };
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.or_unreadable(|| format!("Can't write {shown}"))?;
    Ok(true)
}

/// Reads a secret, or draws it with `draw` and keeps it, whole, before anybody uses it. Of two
/// processes that draw at the same time, both get what the first one kept.
///
/// # Errors
///
/// Where it can't be drawn, read or written, or others may read it.
pub fn read_or_draw(path: &Path, draw: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    if let Some(bytes) = read(path)? {
        return Ok(bytes);
    }
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let bytes = draw()?;
    fs::remove_file(&beside).ok();
    create(&beside, &bytes)?;
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside).ok();
    match linked {
        Ok(()) => {
            let folder = path.parent().unwrap_or(Path::new("."));
            sync_folder(folder).or_unreadable(|| format!("Can't keep {}", path.display()))?;
            Ok(bytes)
        }
        Err(error) => match read(path)? {
            Some(bytes) => Ok(bytes),
            None => Err(Failure::unreadable(
                format!("Can't write {}", path.display()),
                error.to_string(),
            )),
        },
    }
}

/// Puts `bytes` in the place of a file, whole or not at all.
///
/// # Errors
///
/// Where it can't be written.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let shown = path.display();
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    if !create(&beside, bytes)? {
        return Err(Failure::unreadable(
            format!("Can't write {shown}"),
            "a left-over stands in the way",
        )
        .with_hint(format!("rm {}", beside.display())));
    }
    fs::rename(&beside, path).or_unreadable(|| format!("Can't write {shown}"))
}

/// Brings the names in a folder to the disk.
///
/// # Errors
///
/// As the file system's.
pub fn sync_folder(path: &Path) -> std::io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_their_owners_and_are_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/profile");
        folder(&inner).unwrap();
        assert_eq!(mode(&inner), 0o700);
        let path = inner.join("key");
        assert!(read(&path).unwrap().is_none());
        assert!(create(&path, b"one").unwrap());
        assert!(!create(&path, b"two").unwrap());
        assert_eq!((read(&path).unwrap().unwrap(), mode(&path)), (b"one".to_vec(), 0o600));
        replace(&path, b"three").unwrap();
        assert_eq!((read(&path).unwrap().unwrap(), mode(&path)), (b"three".to_vec(), 0o600));
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);
    }

    #[test]
    fn a_secret_is_drawn_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        assert_eq!(read_or_draw(&path, || Ok(b"one".to_vec())).unwrap(), b"one");
        assert_eq!(read_or_draw(&path, || Ok(b"two".to_vec())).unwrap(), b"one");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create(&path, b"secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(read(&path).unwrap_err().code(), "open_to_others");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(folder(dir.path()).unwrap_err().code(), "open_to_others");
    }
}
