//! The mirror application's tables in a CCF ledger (`docs/wire/mirror.md`): which entries of a log of
//! Chancery are in it, held against the log itself.
//!
//! Of each batch the claims digest is the SHA-256 of the log's checkpoint text after it. So it is not
//! the application that is believed: the entries that stand in the ledger, one after the other, must
//! have the root that their transaction claims.

use std::collections::BTreeMap;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::merkle::{Frontier, leaf_hash};
use chancery_ledger::note::Checkpoint;

use crate::entry::Entry;
use crate::txid::TxId;

const TABLES: &str = "public:chancery.";
const ENTRIES: &str = "public:chancery.entries";
const LEAVES: &str = "public:chancery.leaves";
const FORKS: &str = "public:chancery.forks";

/// What an entry of the log is, as far as it is to be found.
#[derive(Debug, Clone)]
pub struct Log {
    /// Its collaboration.
    pub collaboration: CollaborationId,
    /// Its name, as in its checkpoints.
    pub origin: String,
    /// The leaf hashes of the entries to be found, by their positions.
    pub leaves: BTreeMap<u64, Digest>,
}

/// Follows the mirror of one log through a ledger.
#[derive(Debug)]
pub struct Mirror {
    log: Log,
    tree: Frontier,
    /// After which transaction how many entries of the log stood in the ledger, and how many of
    /// those that are looked for.
    batches: Vec<(u64, u64, u64)>,
    found: u64,
    problem: Option<(TxId, String)>,
}

/// What of a log is in a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrored {
    /// How many entries the ledger has, signed.
    pub size: u64,
    /// How many of the entries looked for are among them, the same in the same place.
    pub found: u64,
    /// How many were looked for.
    pub wanted: u64,
    /// The first of those that is missing.
    pub missing: Option<u64>,
    /// In how many transactions they stand.
    pub batches: u64,
    /// What contradicts the log, and in which transaction.
    pub problem: Option<(TxId, String)>,
}

impl Mirror {
    /// Looks for the entries of a log.
    pub fn of(log: Log) -> Self {
        Self { log, tree: Frontier::default(), batches: Vec::new(), found: 0, problem: None }
    }

    /// Takes up a transaction.
    pub fn observe(&mut self, entry: &Entry<'_>) {
        if self.problem.is_none()
            && let Err(detail) = self.take(entry)
        {
            self.problem = Some((entry.id, detail));
        }
    }

    fn take(&mut self, entry: &Entry<'_>) -> Result<(), String> {
        let mut leaves = BTreeMap::new();
        for write in entry.writes().filter(|write| write.table.starts_with(TABLES)) {
            let Some(rest) = write.key.strip_prefix(self.log.collaboration.as_bytes()) else {
                continue;
            };
            let leaf = match (write.table, write.value) {
                (ENTRIES, Some(sealed)) => leaf_hash(sealed),
                (LEAVES, Some(leaf)) => {
                    Digest::from_slice(leaf).ok_or("a leaf hash has another length")?
                }
                (ENTRIES | LEAVES, None) => return Err("an entry is taken away".to_owned()),
                (FORKS, _) => {
                    let what =
                        "the mirror was offered another history of the log, and kept the proof";
                    return Err(what.to_owned());
                }
                _ => continue,
            };
            let position = rest.try_into().map(u64::from_be_bytes);
            let position = position.map_err(|_| "a position has another length")?;
            if leaves.insert(position, leaf).is_some() {
                return Err(format!("position {position} is written twice"));
            }
        }
        if leaves.is_empty() {
            return Ok(());
        }
        for (position, leaf) in leaves {
            let next = self.tree.size();
            if position != next {
                return Err(format!("position {position} stands where {next} should"));
            }
            match self.log.leaves.get(&position) {
                Some(wanted) if *wanted != leaf => {
                    return Err(format!("position {position} is another entry than the log's"));
                }
                Some(_) => self.found += 1,
                None => {}
            }
            self.tree.append(leaf);
        }
        let (size, root) = (self.tree.size(), self.tree.root());
        let text = Checkpoint { origin: self.log.origin.clone(), size, root }.text();
        if entry.claims != Digest::of(text.as_bytes()) {
            return Err(format!("the claims digest is not that of the log at size {size}"));
        }
        self.batches.push((entry.id.seqno, size, self.found));
        Ok(())
    }

    /// What stands in the transactions up to that one, which is the last that is signed.
    pub fn finish(self, signed: u64) -> Mirrored {
        let counted = self.batches.iter().take_while(|(seqno, _, _)| *seqno <= signed);
        let (batches, size, found) =
            counted.fold((0, 0, 0), |(count, _, _), (_, size, found)| (count + 1, *size, *found));
        Mirrored {
            size,
            found,
            wanted: self.log.leaves.len() as u64,
            missing: self.log.leaves.range(size..).next().map(|(position, _)| *position),
            batches,
            problem: self.problem.filter(|(id, _)| id.seqno <= signed),
        }
    }
}
