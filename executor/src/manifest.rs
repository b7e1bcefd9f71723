//! Checks what the application tells of its result against the files themselves.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use chancery_governance::dataset::Column;
use chancery_governance::run::Manifest;
use chancery_ledger::digest::Digest;

const CHUNK_LEN: usize = 1 << 20;

/// Why a result is not what the application tells of it.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file is missing, too many, no plain file, or of another length or digest.
    #[error("the files on disk are not those of the manifest")]
    Files,
    /// The columns are not those that the output dataset declares.
    #[error("the result's columns are not those of the output dataset")]
    Columns,
    /// The files can't be read now.
    #[error("the result can't be read")]
    Unreadable(#[from] io::Error),
}

/// Checks that `folder` holds the files of `manifest` and nothing else, with the columns `declared`.
///
/// # Errors
///
/// [`ManifestError`].
pub fn check(folder: &Path, manifest: &Manifest, declared: &[Column]) -> Result<(), ManifestError> {
    if manifest.columns != declared {
        return Err(ManifestError::Columns);
    }
    let mut left: BTreeMap<_, _> =
        manifest.files.iter().map(|file| (file.path.as_str(), file)).collect();
    if left.len() != manifest.files.len() {
        return Err(ManifestError::Files);
    }
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ManifestError::Files),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let told = entry.file_name().to_str().and_then(|name| left.remove(name));
        let told = told.ok_or(ManifestError::Files)?;
        let plain = entry.file_type()?.is_file();
        if !plain || measured(&entry.path())? != (told.bytes, told.digest) {
            return Err(ManifestError::Files);
        }
    }
    if left.is_empty() { Ok(()) } else { Err(ManifestError::Files) }
}

fn measured(path: &Path) -> io::Result<(u64, Digest)> {
    let mut file = File::open(path)?;
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut chunk = vec![0; CHUNK_LEN];
    let mut len = 0;
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        context.update(&chunk[..read]);
        len += read as u64;
    }
    let digest = Digest::from_slice(context.finish().as_ref());
    Ok((len, digest.ok_or(io::ErrorKind::InvalidData)?))
}

#[cfg(test)]
mod tests {
    use chancery_governance::dataset::ColumnType;

    use super::*;

    fn manifest() -> Manifest {
        let file = |path: &str, content: &[u8]| chancery_governance::run::File {
            path: path.into(),
            digest: Digest::of(content),
            bytes: content.len() as u64,
        };
        Manifest {
            files: vec![file("a.csv", b"one"), file("b.csv", b"two")],
            rows: 2,
            columns: vec![Column { name: "x".into(), kind: ColumnType::Long }],
        }
    }

    #[test]
    fn only_exactly_the_told_files_pass() {
        let folder = tempfile::tempdir().unwrap();
        let (told, folder) = (manifest(), folder.path());
        let columns = told.columns.clone();
        let refused =
            |told: &Manifest| matches!(check(folder, told, &columns), Err(ManifestError::Files));
        assert!(refused(&told), "nothing there");
        fs::write(folder.join("a.csv"), "one").unwrap();
        assert!(refused(&told), "one is missing");
        fs::write(folder.join("b.csv"), "two").unwrap();
        check(folder, &told, &columns).unwrap();
        fs::write(folder.join("b.csv"), "tow").unwrap();
        assert!(refused(&told), "another content");
        fs::write(folder.join("b.csv"), "two").unwrap();
        fs::write(folder.join(".hidden"), "").unwrap();
        assert!(refused(&told), "one too many");
        fs::remove_file(folder.join(".hidden")).unwrap();
        fs::remove_file(folder.join("b.csv")).unwrap();
        std::os::unix::fs::symlink(folder.join("a.csv"), folder.join("b.csv")).unwrap();
        assert!(refused(&told), "a link");
        let mut twice = told.clone();
        twice.files[1] = twice.files[0].clone();
        assert!(refused(&twice), "one told twice");
        assert!(matches!(check(folder, &told, &[]), Err(ManifestError::Columns)));
        assert!(matches!(check(&folder.join("none"), &told, &columns), Err(ManifestError::Files)));
    }
}
