//! What the stand-in accepted, in a file: a line for each batch, on the disk before it is answered.
//!
//! A line that a crash cut short was never answered: it is dropped. Anything else that is not a line
//! of the file's form is an error, for people to look at.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use chancery_ccf::certificate::CertificateError;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use serde::{Deserialize, Serialize};

/// The first line.
const MAGIC: &str = "chancery-insecure-virtual-mirror/1\n";

/// Why a stand-in can't go on from its file.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file can't be read, written or made.
    #[error("the stand-in's file can't be read or written")]
    Io(#[from] io::Error),
    /// Another process runs with it.
    #[error("another process runs with the stand-in's file")]
    Busy,
    /// It is another kind of file.
    #[error("the stand-in's file does not begin as one")]
    Magic,
    /// A line is not one of its form, or does not follow from those before.
    #[error("line {number} of the stand-in's file, after the first, is damaged")]
    Record {
        /// Which: 1 is the first batch.
        number: u64,
    },
    /// Its certificates can't be made.
    #[error("the stand-in's certificates can't be made")]
    Certificate(#[source] CertificateError),
}

/// A batch that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub collaboration: CollaborationId,
    pub first: u64,
    pub request: Digest,
    pub leaves: Vec<Digest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    collaboration: String,
    first: u64,
    request: String,
    leaves: Vec<String>,
}

/// The file, while it is written to.
#[derive(Debug)]
pub struct Recorder {
    file: File,
    len: u64,
}

impl Recorder {
    /// Opens the file, or makes it, and reads what is in it.
    pub fn open(path: &Path) -> Result<(Self, Vec<Record>), OpenError> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Busy),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut recorder = Self { file, len: whole as u64 };
        if whole == 0 {
            if !MAGIC.starts_with(&text) {
                return Err(OpenError::Magic);
            }
            recorder.write(MAGIC)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            return Ok((recorder, Vec::new()));
        }
        let lines = text[..whole].strip_prefix(MAGIC).ok_or(OpenError::Magic)?;
        let records = (1..)
            .zip(lines.lines())
            .map(|(number, line)| Record::parse(line).ok_or(OpenError::Record { number }));
        Ok((recorder, records.collect::<Result<_, _>>()?))
    }

    /// Appends a batch: it is on the disk when this returns.
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_string(&Line {
            collaboration: record.collaboration.to_string(),
            first: record.first,
            request: record.request.to_string(),
            leaves: record.leaves.iter().map(Digest::to_string).collect(),
        })?;
        line.push('\n');
        self.write(&line)
    }

    /// What an earlier try may have left behind is cut off first.
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.set_len(self.len)?;
        self.file.write_all_at(text.as_bytes(), self.len)?;
        self.file.sync_all()?;
        self.len += text.len() as u64;
        Ok(())
    }
}

impl Record {
    fn parse(line: &str) -> Option<Self> {
        let line: Line = serde_json::from_str(line).ok()?;
        Some(Self {
            collaboration: line.collaboration.parse().ok()?,
            first: line.first,
            request: line.request.parse().ok()?,
            leaves: line.leaves.iter().map(|leaf| leaf.parse().ok()).collect::<Option<_>>()?,
        })
    }
}
