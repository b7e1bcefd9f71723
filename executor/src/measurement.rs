//! The Spark application: its files, embedded, and the measurement that a clean room policy names.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chancery_ledger::digest::Digest;

/// The files by relative path, `/` between parts.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/application.rs"));

const FILE_MODE: u32 = 0o444;
const FOLDER_MODE: u32 = 0o555;
const WRITABLE_MODE: u32 = 0o700;

/// The measurement of the embedded application.
pub fn application() -> Digest {
    measure(FILES.iter().copied())
}

/// SHA-256 over the files, sorted by path; for each the length of its path (64 bits, big-endian),
/// the path, the length of its content, the content. `chancery_app/measurement.py` does the same.
fn measure<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Digest {
    let sorted: BTreeMap<&str, &[u8]> = files.into_iter().collect();
    let mut bytes = Vec::new();
    for (path, content) in sorted {
        bytes.extend_from_slice(&(path.len() as u64).to_be_bytes());
        bytes.extend_from_slice(path.as_bytes());
        bytes.extend_from_slice(&(content.len() as u64).to_be_bytes());
        bytes.extend_from_slice(content);
    }
    Digest::of(&bytes)
}

/// Puts the application into `folder`, read-only, and returns where: what runs is what was
/// measured. It lies under its measurement, so that a job of another release keeps its own.
///
/// # Errors
///
/// Those of the file system.
pub fn install(folder: &Path) -> io::Result<PathBuf> {
    let place = folder.join(application().to_hex());
    if holds_exactly_the_application(&place) {
        return Ok(place);
    }
    let fresh = folder.join("new");
    for stale in [&fresh, &place] {
        if stale.exists() {
            make_writable(stale)?;
            fs::remove_dir_all(stale)?;
        }
    }
    fs::create_dir_all(fresh.join("chancery_app"))?;
    for (path, content) in FILES {
        let file = fresh.join(path);
        fs::write(&file, content)?;
        fs::set_permissions(&file, Permissions::from_mode(FILE_MODE))?;
        fs::File::open(&file)?.sync_all()?;
    }
    // A read-only folder can't be renamed everywhere, so the outer one is closed last.
    fs::set_permissions(fresh.join("chancery_app"), Permissions::from_mode(FOLDER_MODE))?;
    fs::rename(&fresh, &place)?;
    fs::set_permissions(&place, Permissions::from_mode(FOLDER_MODE))?;
    fs::File::open(folder)?.sync_all()?;
    Ok(place)
}

fn holds_exactly_the_application(place: &Path) -> bool {
    let mut found = 0;
    for folder in [place.to_owned(), place.join("chancery_app")] {
        let Ok(entries) = fs::read_dir(&folder) else { return false };
        for entry in entries {
            let Ok(entry) = entry else { return false };
            if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
                continue;
            }
            found += 1;
        }
    }
    found == FILES.len()
        && FILES.iter().all(|(path, content)| {
            let file = place.join(path);
            fs::symlink_metadata(&file).is_ok_and(|meta| meta.is_file())
                && fs::read(&file).is_ok_and(|read| read == *content)
        })
}

fn make_writable(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(WRITABLE_MODE))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measurement_is_the_python_one() {
        let measured = std::process::Command::new("python3")
            .args([
                "-B",
                "-c",
                "from chancery_app.measurement import *; print(application_measurement())",
            ])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/spark"))
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&measured.stdout).trim(), application().to_string());
    }

    #[test]
    fn lengths_keep_files_apart() {
        let one = measure([("a", b"bc".as_slice()), ("d", b"")]);
        assert_eq!(one, measure([("d", b"".as_slice()), ("a", b"bc")]));
        assert_ne!(one, measure([("ab", b"c".as_slice()), ("d", b"")]));
        let expected =
            b"\0\0\0\0\0\0\0\x01a\0\0\0\0\0\0\0\x02bc\0\0\0\0\0\0\0\x01d\0\0\0\0\0\0\0\0";
        assert_eq!(one, Digest::of(expected));
    }

    #[test]
    fn an_installed_application_is_restored_when_it_was_touched() {
        let folder = tempfile::tempdir().unwrap();
        let place = install(folder.path()).unwrap();
        assert_eq!(install(folder.path()).unwrap(), place);
        let main = place.join("main.py");
        make_writable(&place).unwrap();
        for touch in [
            |main: &Path| {
                fs::remove_file(main).unwrap();
                fs::write(main, "other").unwrap();
            },
            |main: &Path| fs::write(main.with_file_name("extra.py"), "").unwrap(),
        ] {
            make_writable(&place).unwrap();
            touch(&main);
            assert!(!holds_exactly_the_application(&place));
            assert_eq!(install(folder.path()).unwrap(), place);
            assert!(holds_exactly_the_application(&place));
            assert_eq!(fs::metadata(&main).unwrap().permissions().mode() & 0o777, FILE_MODE);
        }
        make_writable(&place).unwrap();
    }
}
