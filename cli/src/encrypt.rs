//! Files encrypted before they leave their owner: chunks under AES-256-GCM, `docs/secrets.md`. The
//! Spark application reads them (`executor/spark/chancery_app/encrypted.py`); nothing here decrypts.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use chancery_commands::clock::random;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{self, HKDF_SHA256, Salt};

/// Bytes of a data key.
pub const KEY_LEN: usize = 32;
/// Bytes of clear text in one chunk; the last one of a file has fewer, or as many.
pub const CHUNK_LEN: usize = 1 << 20;
/// What encrypted files' names end in.
pub const SUFFIX: &str = ".enc";
/// Most files of a dataset.
pub const FILES_MAX: usize = 10_000;

const MAGIC: &[u8; 8] = b"CHNCENC1";
const SALT_LEN: usize = 16;
const INFO: &[u8] = b"chancery/v1/encrypted-file";

fn other(what: &'static str) -> io::Error {
    io::Error::other(what)
}

/// Encrypts every file below `from` into a file of the same name and [`SUFFIX`] below `to`, which must
/// not be there. Gives how many. Names that begin with `_` or a dot are left out, as Spark does.
///
/// # Errors
///
/// Those of the file system, and `InvalidInput` where there are none or too many.
pub fn folder(key: &[u8; KEY_LEN], from: &Path, to: &Path) -> io::Result<usize> {
    let mut names = Vec::new();
    gather(from, Path::new(""), &mut names)?;
    if names.is_empty() || names.len() > FILES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no file, or too many"));
    }
    fs::create_dir(to)?;
    for name in &names {
        let text = name.to_str().ok_or_else(|| other("a file's name is not UTF-8"))?;
        let target = to.join(format!("{text}{SUFFIX}"));
        if let Some(above) = target.parent() {
            fs::create_dir_all(above)?;
        }
        let mut clear = File::open(from.join(name))?;
        let mut sealed = File::create_new(target)?;
        let salt = random().map_err(io::Error::other)?;
        file(key, &salt, text, &mut clear, &mut sealed)?;
        sealed.sync_all()?;
    }
    Ok(names.len())
}

fn gather(root: &Path, below: &Path, names: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".")
            || entry.file_name().as_encoded_bytes().starts_with(b"_")
        {
            continue;
        }
        let name = below.join(entry.file_name());
        // A link is no file of this folder.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            gather(root, &name, names)?;
        } else if kind.is_file() {
            names.push(name);
        }
        if names.len() > FILES_MAX {
            return Ok(());
        }
    }
    Ok(())
}

/// Encrypts one file, `name` in its dataset.
fn file(
    key: &[u8; KEY_LEN],
    salt: &[u8; SALT_LEN],
    name: &str,
    clear: &mut impl Read,
    sealed: &mut impl Write,
) -> io::Result<()> {
    let key = file_key(key, salt)?;
    let header = [MAGIC.as_slice(), salt].concat();
    sealed.write_all(&header)?;
    let bound = [header.as_slice(), name.as_bytes()].concat();
    let mut chunk = read_chunk(clear)?;
    for number in 0_u64.. {
        let following = read_chunk(clear)?;
        let last = following.is_empty();
        key.seal_in_place_append_tag(nonce(number, last), Aad::from(&bound), &mut chunk)
            .map_err(|_| other("a chunk can't be sealed"))?;
        sealed.write_all(&chunk)?;
        if last {
            return Ok(());
        }
        chunk = following;
    }
    Err(other("a file has more chunks than can be counted"))
}

fn read_chunk(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut chunk = Vec::new();
    from.take(CHUNK_LEN as u64).read_to_end(&mut chunk)?;
    Ok(chunk)
}

/// 12 bytes: the chunk's number in 11, then 1 for the last one.
fn nonce(number: u64, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    bytes[3..11].copy_from_slice(&number.to_be_bytes());
    bytes[11] = u8::from(last);
    Nonce::assume_unique_for_key(bytes)
}

struct KeyLen;

impl hkdf::KeyType for KeyLen {
    fn len(&self) -> usize {
        KEY_LEN
    }
}

fn file_key(key: &[u8; KEY_LEN], salt: &[u8; SALT_LEN]) -> io::Result<LessSafeKey> {
    let mut derived = [0; KEY_LEN];
    Salt::new(HKDF_SHA256, salt)
        .extract(key)
        .expand(&[INFO], KeyLen)
        .and_then(|okm| okm.fill(&mut derived))
        .and_then(|()| UnboundKey::new(&AES_256_GCM, &derived))
        .map(LessSafeKey::new)
        .map_err(|_| other("no key can be derived"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(content: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::new();
        file(&[7; KEY_LEN], &[9; SALT_LEN], "a.csv", &mut &*content, &mut sealed).unwrap();
        sealed
    }

    #[test]
    fn a_file_is_header_and_chunks_with_their_tags() {
        for (len, chunks) in
            [(0, 1), (1, 1), (CHUNK_LEN, 1), (CHUNK_LEN + 1, 2), (2 * CHUNK_LEN, 2)]
        {
            let content = vec![5; len];
            assert_eq!(sealed(&content).len(), 24 + len + 16 * chunks, "{len}");
        }
    }

    #[test]
    fn the_bytes_are_those_that_the_application_reads() {
        // Made by `seal` in executor/spark/tests/test_encrypted.py, with the same key and salt.
        let expected = include_str!("encrypt/vector.hex").trim();
        let found = chancery_ledger::digest::hex(&sealed(b"id\n1\n"));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_folder_is_encrypted_file_by_file_and_never_over_another() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        fs::create_dir_all(from.join("part")).unwrap();
        fs::write(from.join("a.csv"), "id\n1\n").unwrap();
        fs::write(from.join("part/b.csv"), "id\n2\n").unwrap();
        fs::write(from.join("_SUCCESS"), "").unwrap();
        fs::write(from.join(".hidden"), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", from.join("c.csv")).unwrap();
        assert_eq!(folder(&[7; KEY_LEN], &from, &to).unwrap(), 2);
        assert!(to.join("a.csv.enc").exists() && to.join("part/b.csv.enc").exists());
        assert!(!to.join("c.csv.enc").exists(), "a link is not followed");
        let again = folder(&[7; KEY_LEN], &from, &to).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        fs::create_dir(place.path().join("empty")).unwrap();
        let none = folder(&[7; KEY_LEN], &place.path().join("empty"), &place.path().join("x"));
        assert_eq!(none.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
