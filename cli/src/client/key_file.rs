//! Keys that sign, of a member or of a service: Ed25519 in PKCS#8, in a file of its owner's.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use chancery_ledger::key::SigningKey;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;

use crate::failure::{Failure, OrFail as _, Result};
use crate::private_file;

/// Draws a key and keeps it at `path`; overwrites one only where `force` says so.
///
/// # Errors
///
/// Where a file is there already, or can't be written.
pub fn generate(path: &Path, force: bool) -> Result<SigningKey> {
    let document = draw()?;
    let key = parse(path, &document)?;
    if force {
        private_file::replace(path, &document)?;
    } else if !private_file::create(path, &document)? {
        let why = format!("{} is there already", path.display());
        return Err(Failure::refused("key_exists", "No key was made", why));
    }
    Ok(key)
}

/// Reads the key at `path`; none where there is no such file.
///
/// # Errors
///
/// Where it can't be read, is open to others, or is no key.
pub fn load(path: &Path) -> Result<Option<SigningKey>> {
    private_file::read(path)?.map(|bytes| parse(path, &bytes)).transpose()
}

/// Reads the key at `path`, or draws one and keeps it there.
///
/// # Errors
///
/// Where it can't be drawn, read or written, is open to others, or is no key.
pub fn load_or_generate(path: &Path) -> Result<SigningKey> {
    parse(path, &private_file::read_or_draw(path, draw)?)
}

/// Draws a key and puts it in the place of the one at `path`: whole, and on disk when this returns.
/// Who else replaces it meanwhile is kept out by the caller.
///
/// # Errors
///
/// Where it can't be drawn or written.
pub fn replace(path: &Path) -> Result<SigningKey> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let document = draw()?;
    let key = parse(path, &document)?;
    let failed = || format!("Can't write {}", path.display());
    // Of an attempt that was broken off: nobody has used it.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Failure::unreadable(failed(), error.to_string()));
        }
        _ => {}
    }
    private_file::create(&beside, &document)?;
    fs::rename(&beside, path).or_unreadable(failed)?;
    private_file::sync_folder(path.parent().unwrap_or(Path::new("."))).or_unreadable(failed)?;
    Ok(key)
}

fn draw() -> Result<Vec<u8>> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| {
        Failure::unreadable("Can't draw a key", "this machine gives no random numbers")
    })?;
    Ok(document.as_ref().to_vec())
}

fn parse(path: &Path, bytes: &[u8]) -> Result<SigningKey> {
    SigningKey::from_pkcs8(bytes).or_unreadable(|| format!("{} is no key", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_overwritten_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pk8");
        assert!(load(&path).unwrap().is_none());
        let first = generate(&path, false).unwrap();
        assert_eq!(generate(&path, false).unwrap_err().code(), "key_exists");
        assert_eq!(load(&path).unwrap().unwrap().public(), first.public());
        let second = generate(&path, true).unwrap();
        assert_ne!(first.public(), second.public());
        assert_eq!(load(&path).unwrap().unwrap().public(), second.public());
    }
}
