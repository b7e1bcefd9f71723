//! Ledger files: their names, and a reader that holds one entry at a time.
//!
//! A closed file is the offset of its table of positions (`u64`), the entries, and for each entry its
//! offset (`u32`). All numbers are little-endian.

use std::io::{self, BufReader, Read};

use ring::digest::{Context, SHA256};

use crate::entry::{EntryError, HEADER_LEN, Header};

/// Bytes read from a file at a time.
const BUFFER_LEN: usize = 1 << 20;

const COMMITTED: &str = ".committed";

/// Which transactions a closed and committed file holds, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// The number of the first.
    pub first: u64,
    /// That of the last.
    pub last: u64,
}

/// What a file in a ledger's directory is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// `ledger_<first>-<last>.committed`.
    Chunk(Range),
    /// `snapshot_<seqno>_<evidence>.committed`.
    Snapshot {
        /// The number of the last transaction that is in the snapshot.
        seqno: u64,
        /// The number of the transaction that is the evidence for it.
        evidence: u64,
    },
    /// A file of the ledger that is not committed: still open, of a recovery, or ignored by CCF.
    Uncommitted,
    /// Another file.
    Other,
}

impl Name {
    /// Reads a file's name.
    pub fn parse(name: &str) -> Self {
        if let Some(rest) = name.strip_prefix("ledger_") {
            let range = rest.strip_suffix(COMMITTED).and_then(|it| pair(it, '-'));
            return match range {
                Some((first, last)) if first <= last => Self::Chunk(Range { first, last }),
                _ => Self::Uncommitted,
            };
        }
        if let Some(rest) = name.strip_prefix("snapshot_") {
            let numbers = rest.strip_suffix(COMMITTED).and_then(|it| pair(it, '_'));
            return numbers
                .map_or(Self::Uncommitted, |(seqno, evidence)| Self::Snapshot { seqno, evidence });
        }
        Self::Other
    }
}

/// Two positive decimal numbers without leading zeros.
fn pair(text: &str, between: char) -> Option<(u64, u64)> {
    let number = |text: &str| {
        let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten()
    };
    let (first, second) = text.split_once(between)?;
    Some((number(first)?, number(second)?))
}

/// Why a file can't be read on.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    /// Reading failed.
    #[error("reading failed")]
    Io(#[from] io::Error),
    /// It ends before it should.
    #[error("the file is cut off")]
    Truncated,
    /// It has no table of positions: it was not closed.
    #[error("the file was never closed: it has no table of positions")]
    Open,
    /// The head of an entry is not one.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// Its structure is another.
    #[error("the file is malformed: {0}")]
    Malformed(&'static str),
}

/// Reads the entries of a closed file in order.
pub struct Reader<R> {
    input: BufReader<R>,
    entry: Vec<u8>,
    /// Where the table of positions begins.
    table: u64,
    at: u64,
    left: u64,
    entries: u64,
    /// Over the positions of the entries that were read: the table must have the same digest.
    positions: Context,
}

impl<R: Read> Reader<R> {
    /// Begins with the file that should hold those transactions.
    ///
    /// # Errors
    ///
    /// [`ChunkError`].
    pub fn open(input: R, range: Range) -> Result<Self, ChunkError> {
        let mut input = BufReader::with_capacity(BUFFER_LEN, input);
        let mut table = [0; 8];
        fill(&mut input, &mut table)?;
        let table = u64::from_le_bytes(table);
        if table == 0 {
            return Err(ChunkError::Open);
        }
        let entries = (range.last - range.first).saturating_add(1);
        let positions = Context::new(&SHA256);
        Ok(Self { input, entry: Vec::new(), table, at: 8, left: entries, entries, positions })
    }

    /// The next entry's bytes; none after the last, when the table of positions was found right and
    /// nothing follows it.
    ///
    /// # Errors
    ///
    /// [`ChunkError`].
    pub fn next_entry(&mut self) -> Result<Option<&[u8]>, ChunkError> {
        let Some(left) = self.left.checked_sub(1) else {
            return self.end().map(|()| None);
        };
        if self.at >= self.table {
            return Err(ChunkError::Malformed("it holds fewer transactions than its name says"));
        }
        let position = u32::try_from(self.at)
            .map_err(|_| ChunkError::Malformed("an entry is further in than its table can say"))?;
        let mut head = [0; HEADER_LEN];
        fill(&mut self.input, &mut head)?;
        let len = Header::parse(head)?.len;
        let end = self.at.saturating_add(len as u64);
        if end > self.table {
            return Err(ChunkError::Malformed("an entry reaches into the table of positions"));
        }
        self.entry.clear();
        self.entry.extend_from_slice(&head);
        // By what is there, not by what the header claims.
        let rest = (len - HEADER_LEN) as u64;
        if (&mut self.input).take(rest).read_to_end(&mut self.entry)? as u64 != rest {
            return Err(ChunkError::Truncated);
        }
        self.positions.update(&position.to_le_bytes());
        self.at = end;
        self.left = left;
        Ok(Some(&self.entry))
    }

    fn end(&mut self) -> Result<(), ChunkError> {
        if self.at != self.table {
            return Err(ChunkError::Malformed("it holds more transactions than its name says"));
        }
        let mut found = Context::new(&SHA256);
        let mut left = self.entries.saturating_mul(4);
        let mut part = [0; 4096];
        while left > 0 {
            let len = usize::try_from(left).map_or(part.len(), |left| left.min(part.len()));
            fill(&mut self.input, &mut part[..len])?;
            found.update(&part[..len]);
            left -= len as u64;
        }
        if self.positions.clone().finish().as_ref() != found.finish().as_ref() {
            return Err(ChunkError::Malformed("its table of positions is not that of its entries"));
        }
        if self.input.read(&mut part[..1])? != 0 {
            return Err(ChunkError::Malformed("bytes follow its table of positions"));
        }
        Ok(())
    }
}

fn fill(input: &mut impl Read, bytes: &mut [u8]) -> Result<(), ChunkError> {
    input.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ChunkError::Truncated,
        _ => ChunkError::Io(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_files_are() {
        let chunk = |first, last| Name::Chunk(Range { first, last });
        for (name, what) in [
            ("ledger_1-10.committed", chunk(1, 10)),
            ("ledger_7-7.committed", chunk(7, 7)),
            ("snapshot_10_12.committed", Name::Snapshot { seqno: 10, evidence: 12 }),
            ("ledger_11", Name::Uncommitted),
            ("ledger_11-20", Name::Uncommitted),
            ("ledger_1-10.committed.recovery", Name::Uncommitted),
            ("ledger_1-10.committed.ignored", Name::Uncommitted),
            ("ledger_10-1.committed", Name::Uncommitted),
            ("ledger_01-10.committed", Name::Uncommitted),
            ("ledger_0-10.committed", Name::Uncommitted),
            ("ledger_1-+10.committed", Name::Uncommitted),
            ("ledger_1.committed", Name::Uncommitted),
            ("snapshot_10_12", Name::Uncommitted),
            ("snapshot_10.committed", Name::Uncommitted),
            ("ledger", Name::Other),
            ("", Name::Other),
        ] {
            assert_eq!(Name::parse(name), what, "{name}");
        }
    }
}
