//! Appending a batch at an expected size.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::merkle::Node;

use crate::group::{Outcome, Work};
use crate::read::CommandRecord;
use crate::row::signed;
use crate::writer::Failure;
use crate::{Fault, Store};

/// Bytes in one sealed entry, at most.
pub const ENTRY_BYTES_MAX: usize = 1024 * 1024;
/// Entries in one append, at most.
pub const BATCH_ENTRIES_MAX: usize = 1024;
/// Bytes in all entries of one append, at most.
pub const APPEND_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes in a signed checkpoint, at most.
pub const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;
/// Bytes in the name of a personal key's subject, at most.
pub const SUBJECT_BYTES_MAX: usize = 256;
/// Bytes in a personal key, at most.
pub const PERSONAL_KEY_BYTES_MAX: usize = 1024;

/// Levels of the tree between one level of nodes and the next.
const TILE_HEIGHT: u32 = 8;

/// One append to one collaboration's log: all of it or nothing.
pub struct Append {
    /// Whose log.
    pub collaboration: CollaborationId,
    /// Entries already in the log: the position of the first new one.
    pub expected_size: u64,
    /// The new entries, in order; 1 to [`BATCH_ENTRIES_MAX`].
    pub entries: Vec<NewEntry>,
    /// The nodes of the tree that these entries complete, as `Frontier::append_noting` notes them.
    pub nodes: Vec<Node>,
    /// The signed note over the tree with the new entries in it.
    pub checkpoint: String,
    /// The commands that caused them, in order, to be remembered with their outcomes.
    pub commands: Vec<NewCommand>,
    /// Keys of subjects who appear in these entries for the first time: (subject, key).
    pub personal_keys: Vec<(String, Vec<u8>)>,
    /// Subjects whose personal key these entries destroy; one that is in `personal_keys` too is
    /// left without a key.
    pub erased: Vec<String>,
}

/// An entry to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// The sealed bytes, 1 to [`ENTRY_BYTES_MAX`].
    pub sealed: Vec<u8>,
    /// The Merkle tree leaf hash over them.
    pub leaf_hash: Digest,
}

/// A command to be remembered, so that a repeat returns its first outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewCommand {
    /// The idempotency key, unique in its collaboration.
    pub id: CommandId,
    /// The digest of what it asked for, to tell a repeat from a reuse of the id.
    pub content_digest: Digest,
    /// The position of its first entry.
    pub first_position: u64,
    /// How many entries it caused, 1 or more.
    pub count: u64,
}

impl NewCommand {
    /// What is remembered of it.
    pub(crate) fn record(&self) -> CommandRecord {
        let Self { first_position, count, content_digest, .. } = *self;
        CommandRecord { first_position, count, content_digest }
    }
}

impl fmt::Debug for Append {
    /// Without payloads and keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Append")
            .field("collaboration", &self.collaboration)
            .field("expected_size", &self.expected_size)
            .field("entries", &self.entries.len())
            .field("commands", &self.commands)
            .field("personal_keys", &self.personal_keys.len())
            .field("erased", &self.erased.len())
            .finish_non_exhaustive()
    }
}

/// Which bound an append is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Oversize {
    /// More entries than [`BATCH_ENTRIES_MAX`].
    #[error("more than {BATCH_ENTRIES_MAX} entries")]
    Batch,
    /// An entry longer than [`ENTRY_BYTES_MAX`].
    #[error("an entry of more than {ENTRY_BYTES_MAX} bytes")]
    Entry,
    /// All entries together longer than [`APPEND_BYTES_MAX`].
    #[error("entries of more than {APPEND_BYTES_MAX} bytes in all")]
    Append,
    /// A checkpoint longer than [`CHECKPOINT_BYTES_MAX`].
    #[error("a checkpoint of more than {CHECKPOINT_BYTES_MAX} bytes")]
    Checkpoint,
    /// A subject or personal key over its bound, or more than [`BATCH_ENTRIES_MAX`] of them, or
    /// of subjects to erase.
    #[error("a personal key over its bounds")]
    PersonalKey,
    /// A position beyond 2^63.
    #[error("a position beyond the last possible one")]
    Position,
}

/// Why an append wasn't made, or may not have been.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Rejected: no entries, or an entry without bytes.
    #[error("an append has at least one entry, and an entry at least one byte")]
    Empty,
    /// Rejected: over a bound.
    #[error("the append is too large")]
    TooLarge(#[source] Oversize),
    /// Rejected: its parts contradict one another.
    #[error("the append contradicts itself: {0}")]
    Contradiction(&'static str),
    /// Conflict: another writer was first. Reload and decide again.
    #[error("the log has {actual} entries, not the expected number")]
    Conflict {
        /// Entries in the log.
        actual: u64,
    },
    /// A command was carried out before; this is its outcome. Nothing was written.
    #[error("command {id} has already been carried out")]
    DuplicateCommand {
        /// Which one: the first such in the append's order.
        id: CommandId,
        /// What it did.
        record: CommandRecord,
    },
    /// Rejected: the subject has a personal key, and it is another.
    #[error("a subject already has another personal key")]
    PersonalKeyExists,
    /// Nothing was written. Retry.
    #[error("the log can't be written now")]
    Unavailable(#[source] Fault),
    /// It may or may not have been written: re-read before anything else is written.
    #[error("the outcome of the append is unknown")]
    Unknown(#[source] Fault),
    /// The database holds what this store never writes: stop writing.
    #[error("the log is corrupt: {0}")]
    Corrupt(&'static str),
}

impl Store {
    /// Appends `append` in one transaction; it is on disk when this returns `Ok`.
    ///
    /// Appends that wait at the same time share a commit. Dropping the future doesn't stop an
    /// append that has begun.
    ///
    /// # Errors
    ///
    /// See [`AppendError`]. A repeated command is told before a stale size is, so that a retry
    /// with an outdated view still learns its first outcome.
    pub async fn append(&self, append: Append) -> Result<(), AppendError> {
        check_bounds(&append)?;
        match self.write(Work::Append(append)).await {
            Ok(Outcome::Append(result)) => result,
            Ok(_) => Err(AppendError::Unknown(Fault::stopped())),
            Err(Failure::NotStored(fault) | Failure::Unreachable(fault)) => {
                Err(AppendError::Unavailable(fault))
            }
            Err(Failure::Unknown(fault)) => Err(AppendError::Unknown(fault)),
            Err(Failure::Corrupt(what)) => Err(AppendError::Corrupt(what)),
        }
    }
}

fn check_bounds(append: &Append) -> Result<(), AppendError> {
    if append.entries.is_empty() || append.entries.iter().any(|entry| entry.sealed.is_empty()) {
        return Err(AppendError::Empty);
    }
    let keys_oversize = append.personal_keys.len() > BATCH_ENTRIES_MAX
        || append.personal_keys.iter().any(|(subject, key)| {
            subject.len() > SUBJECT_BYTES_MAX || key.len() > PERSONAL_KEY_BYTES_MAX
        })
        || append.erased.len() > BATCH_ENTRIES_MAX
        || append.erased.iter().any(|subject| subject.len() > SUBJECT_BYTES_MAX);
    let oversize = if append.entries.len() > BATCH_ENTRIES_MAX {
        Oversize::Batch
    } else if append.entries.iter().any(|entry| entry.sealed.len() > ENTRY_BYTES_MAX) {
        Oversize::Entry
    } else if append.bytes() > APPEND_BYTES_MAX {
        Oversize::Append
    } else if append.checkpoint.len() > CHECKPOINT_BYTES_MAX {
        Oversize::Checkpoint
    } else if keys_oversize {
        Oversize::PersonalKey
    } else if append.expected_size.checked_add(BATCH_ENTRIES_MAX as u64).and_then(signed).is_none()
    {
        Oversize::Position
    } else {
        return check_parts(append).map_err(AppendError::Contradiction);
    };
    Err(AppendError::TooLarge(oversize))
}

/// That commands and nodes are those of the entries. Sizes are in bounds.
fn check_parts(append: &Append) -> Result<(), &'static str> {
    let mut free = append.expected_size;
    let mut ids = BTreeSet::new();
    for command in &append.commands {
        if !ids.insert(command.id) {
            return Err("a command id twice");
        }
        let room = append.new_size().saturating_sub(command.first_position);
        if command.first_position < free || command.count == 0 || command.count > room {
            return Err("a command's entries overlap another's or aren't among the new ones");
        }
        free = command.first_position + command.count;
    }
    let nodes = append.nodes.iter().map(|node| (node.level, node.index));
    if nodes.eq(completed_nodes(append.expected_size..append.new_size())) {
        Ok(())
    } else {
        Err("the nodes aren't those that the entries complete")
    }
}

/// Level and index of each node of the tree that the leaves at `positions` complete, in the order
/// in which `Frontier::append_noting` notes them.
fn completed_nodes(positions: Range<u64>) -> impl Iterator<Item = (u8, u64)> {
    positions.flat_map(|position| {
        let levels = (position + 1).trailing_zeros() / TILE_HEIGHT;
        (1_u8..).zip(1..=levels).map(move |(level, n)| (level, position >> (TILE_HEIGHT * n)))
    })
}

impl Append {
    /// Bytes in all entries.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.sealed.len()).sum()
    }

    /// Entries in the log once this is appended. In range by `check_bounds`.
    pub(crate) fn new_size(&self) -> u64 {
        self.expected_size + self.entries.len() as u64
    }
}
