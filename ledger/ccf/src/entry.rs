//! Entries of ledger files: one transaction each, its public tables in clear.
//!
//! An entry is a header (version, flags, length), the tag and IV of AES-GCM, the length of the public
//! domain, the public domain, and the encrypted private one, which is opaque here. All numbers are
//! little-endian.

use chancery_ledger::digest::Digest;

use crate::leaf;
use crate::tree::sha256;
use crate::txid::TxId;

/// Bytes of an entry's header.
pub const HEADER_LEN: usize = 8;

/// Longest entry that is read, with its header: 64 MiB, the longest message between the parts of a
/// CCF node as it comes.
pub const ENTRY_LEN_MAX: usize = 64 << 20;

/// Most tables in one transaction.
pub const TABLES_MAX: usize = 1024;

const VERSION: u8 = 1;
/// `FORCE_CHUNK_AFTER` and `FORCE_CHUNK_BEFORE`.
const FLAGS: u8 = 0x03;
const TAG_LEN: usize = 16;
/// In the IV's view: the entry is a snapshot.
const SNAPSHOT_BIT: u32 = 1 << 31;

/// The kinds of entry that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A transaction with its commit evidence and claims: all that CCF writes since 2.0.
    Transaction,
    /// A snapshot of all tables.
    Snapshot,
}

/// Why bytes are not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Its structure is not that of an entry.
    #[error("the entry is malformed: {0}")]
    Malformed(&'static str),
    /// It is of a version or kind that is not read.
    #[error("the entry is of another version: {0}")]
    Unsupported(&'static str),
}

/// A header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whether a file ends with this entry.
    pub last_of_file: bool,
    /// Length of the whole entry, with the header.
    pub len: usize,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    ///
    /// [`EntryError`].
    pub fn parse(bytes: [u8; HEADER_LEN]) -> Result<Self, EntryError> {
        let [version, flags, size @ ..] = bytes;
        if version != VERSION {
            return Err(EntryError::Unsupported("header version"));
        }
        if flags & !FLAGS != 0 {
            return Err(EntryError::Unsupported("header flags"));
        }
        let size = size.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let len = usize::try_from(size).ok().and_then(|size| size.checked_add(HEADER_LEN));
        match len {
            Some(len @ ..=ENTRY_LEN_MAX) => Ok(Self { last_of_file: flags & 1 == 1, len }),
            _ => Err(EntryError::Malformed("longer than any entry")),
        }
    }
}

/// A parsed entry.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its bytes, header included.
    pub raw: &'a [u8],
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: TxId,
    /// The digest of what it claims; zeros where it claims nothing, and in snapshots.
    pub claims: Digest,
    /// The digest of its commit evidence; zeros in snapshots.
    pub evidence: Digest,
    tables: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads an entry that takes up all of `raw`. The tables of a transaction are read to their end;
    /// those of a snapshot are not read.
    ///
    /// # Errors
    ///
    /// [`EntryError`].
    pub fn parse(raw: &'a [u8]) -> Result<Self, EntryError> {
        let mut bytes = Bytes(raw);
        if Header::parse(bytes.array()?)?.len != raw.len() {
            return Err(EntryError::Malformed("of another length than it says"));
        }
        bytes.take(TAG_LEN)?;
        let seqno = bytes.u64()?;
        let view = u32::from_le_bytes(bytes.array()?);
        let len = bytes.len()?;
        let mut public = Bytes(bytes.take(len)?);
        let [kind] = public.array()?;
        let kind = match kind {
            1 => Kind::Snapshot,
            4 => Kind::Transaction,
            0 | 2 | 3 => return Err(EntryError::Unsupported("entry type of CCF 1")),
            _ => return Err(EntryError::Unsupported("entry type")),
        };
        if (view & SNAPSHOT_BIT != 0) != (kind == Kind::Snapshot) {
            return Err(EntryError::Malformed("its IV says another kind"));
        }
        if public.u64()? != seqno {
            return Err(EntryError::Malformed("its IV and its public domain differ in number"));
        }
        let zeros = Digest::from_bytes([0; Digest::LEN]);
        let (claims, evidence) = match kind {
            Kind::Transaction => (public.digest()?, public.digest()?),
            Kind::Snapshot => (zeros, zeros),
        };
        // Once the greatest number that the transaction could conflict with.
        public.u64()?;
        let id = TxId::new((view & !SNAPSHOT_BIT).into(), seqno);
        let entry = Self { raw, kind, id, claims, evidence, tables: public.0 };
        if kind == Kind::Transaction {
            entry.check_tables()?;
        }
        Ok(entry)
    }

    /// Its leaf in the Merkle tree.
    pub fn leaf(&self) -> Digest {
        leaf::hash(&sha256(self.raw), &self.evidence, &self.claims)
    }

    /// What it writes to public tables, in order.
    pub const fn writes(&self) -> Writes<'a> {
        Writes {
            bytes: Bytes(self.tables),
            table: "",
            to_set: 0,
            to_remove: 0,
            state: State::Table,
        }
    }

    fn check_tables(&self) -> Result<(), EntryError> {
        let mut writes = self.writes();
        let mut names: Vec<&str> = Vec::new();
        loop {
            let write = writes.step()?;
            if let Step::Table(name) = write {
                if names.len() == TABLES_MAX || names.contains(&name) {
                    return Err(EntryError::Malformed("a table twice, or too many of them"));
                }
                names.push(name);
            }
            if write == Step::End {
                return Ok(());
            }
        }
    }
}

/// A write to a public table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write<'a> {
    /// The table's name.
    pub table: &'a str,
    /// The key.
    pub key: &'a [u8],
    /// The value; none where the key is removed.
    pub value: Option<&'a [u8]>,
}

/// The writes of an entry: the tables one after the other, in each first what is set.
#[derive(Debug, Clone)]
pub struct Writes<'a> {
    bytes: Bytes<'a>,
    table: &'a str,
    to_set: u64,
    to_remove: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Table,
    Writes,
    Removes,
}

#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    Table(&'a str),
    Write(Write<'a>),
    End,
}

impl<'a> Writes<'a> {
    fn step(&mut self) -> Result<Step<'a>, EntryError> {
        loop {
            match self.state {
                State::Table if self.bytes.0.is_empty() => return Ok(Step::End),
                State::Table => {
                    self.table = std::str::from_utf8(self.bytes.string()?)
                        .map_err(|_| EntryError::Malformed("a table's name is not UTF-8"))?;
                    // The version that was read, which nothing depends on here.
                    self.bytes.u64()?;
                    if self.bytes.u64()? != 0 {
                        return Err(EntryError::Malformed("a table lists reads"));
                    }
                    self.to_set = self.bytes.u64()?;
                    self.state = State::Writes;
                    return Ok(Step::Table(self.table));
                }
                State::Writes if self.to_set == 0 => {
                    self.to_remove = self.bytes.u64()?;
                    self.state = State::Removes;
                }
                State::Writes => {
                    self.to_set -= 1;
                    let (key, value) = (self.bytes.string()?, Some(self.bytes.string()?));
                    return Ok(Step::Write(Write { table: self.table, key, value }));
                }
                State::Removes if self.to_remove == 0 => self.state = State::Table,
                State::Removes => {
                    self.to_remove -= 1;
                    let key = self.bytes.string()?;
                    return Ok(Step::Write(Write { table: self.table, key, value: None }));
                }
            }
        }
    }
}

impl<'a> Iterator for Writes<'a> {
    type Item = Write<'a>;

    /// The tables were read to their end when the entry was, so nothing fails here.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step() {
                Ok(Step::Write(write)) => return Some(write),
                Ok(Step::Table(_)) => {}
                Ok(Step::End) | Err(_) => return None,
            }
        }
    }
}

/// What is left to read.
#[derive(Debug, Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], EntryError> {
        let (taken, rest) =
            self.0.split_at_checked(len).ok_or(EntryError::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], EntryError> {
        let (taken, rest) =
            self.0.split_first_chunk().ok_or(EntryError::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u64(&mut self) -> Result<u64, EntryError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length: never more than there is left.
    fn len(&mut self) -> Result<usize, EntryError> {
        let len = self.u64()?;
        usize::try_from(len).map_err(|_| EntryError::Malformed("it ends too early"))
    }

    fn string(&mut self) -> Result<&'a [u8], EntryError> {
        let len = self.len()?;
        self.take(len)
    }

    fn digest(&mut self) -> Result<Digest, EntryError> {
        self.array().map(Digest::from_bytes)
    }
}
