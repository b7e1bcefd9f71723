//! A file that appears whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::failure::{OrFail as _, Result};

/// A file under way: beside its name until it is done, and gone if it never is.
#[derive(Debug)]
pub struct Landing {
    file: File,
    beside: PathBuf,
    path: PathBuf,
    bytes: u64,
    done: bool,
}

impl Landing {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// Where none can be created there.
    pub fn open(path: &Path) -> Result<Self> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".partial");
        let beside = PathBuf::from(beside);
        let file = File::create(&beside).or_unreadable(|| cant(path))?;
        Ok(Self { file, beside, path: path.to_owned(), bytes: 0, done: false })
    }

    /// Writes more.
    ///
    /// # Errors
    ///
    /// Where it can't be written.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).or_unreadable(|| cant(&self.path))
    }

    /// Puts the file in its place; gives its length in bytes.
    ///
    /// # Errors
    ///
    /// Where it can't be.
    pub fn land(mut self) -> Result<u64> {
        self.file.sync_all().or_unreadable(|| cant(&self.path))?;
        fs::rename(&self.beside, &self.path).or_unreadable(|| cant(&self.path))?;
        self.done = true;
        Ok(self.bytes)
    }
}

impl Write for Landing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes = self.bytes.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.done {
            // What is left of it is of no use; that it may stay does no harm.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

fn cant(path: &Path) -> String {
    format!("Can't write {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let mut landing = Landing::open(&path).unwrap();
        landing.push(b"abc").unwrap();
        assert!(!path.exists());
        assert_eq!(landing.land().unwrap(), 3);
        assert_eq!(fs::read(&path).unwrap(), b"abc");
        drop(Landing::open(&path).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
