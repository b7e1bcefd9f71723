//! A verified copy of a collaboration's log, held as folded state.
//!
//! Nothing of it is taken on trust but the id of the service's first key. Each entry's seal is
//! checked with that key, or with the one that took over from it, its place by the leaf hash before it, its right to stand there by the rules'
//! replay, and all of them together by the service's signed checkpoint.

use std::collections::BTreeSet;

use chancery_governance::event::Event;
use chancery_governance::log::{FoldError, open, read};
use chancery_governance::replay::{Replay, ReplayError};
use chancery_governance::run::{Evidence, Verdict};
use chancery_governance::state::Collaboration;
use chancery_governance::subject::Subject;
use chancery_ledger::entry::{OpenError, Sealed};
use chancery_ledger::id::{CollaborationId, RunId};
use chancery_ledger::key::{KeyId, PublicKey};
use chancery_ledger::merkle::Frontier;
use chancery_ledger::note::{Checkpoint, NoteError};

use crate::client::{Client, ClientError, ENTRIES_MAX};

/// The verified entries of a log, folded.
#[derive(Debug)]
pub struct VerifiedLog {
    id: CollaborationId,
    pins: Vec<KeyId>,
    first: Option<PublicKey>,
    replay: Replay,
    tree: Frontier,
    /// The size of the last checkpoint that agreed.
    confirmed: u64,
    touched: BTreeSet<RunId>,
}

/// A log that the executor does not act on.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// An entry is not what the pinned key, or the one after it, sealed.
    #[error("position {position}: the entry is not the pinned service's")]
    Entry {
        /// Where.
        position: u64,
        /// What is wrong with it.
        #[source]
        source: OpenError,
    },
    /// The first entry names another service key than the pinned one, or evidence that does not
    /// bind it.
    #[error("the log does not begin with the pinned service key")]
    Genesis,
    /// An entry is of another collaboration or position than was asked for.
    #[error("position {position}: another entry than the one asked for")]
    Misplaced {
        /// Where.
        position: u64,
    },
    /// An entry can't be read.
    #[error("position {position}: the entry can't be read")]
    Fold {
        /// Where.
        position: u64,
        /// Why.
        #[source]
        source: Box<FoldError>,
    },
    /// The rules do not permit an entry.
    #[error("the log is not what the rules permit")]
    Replay(#[source] Box<ReplayError>),
    /// The checkpoint is not the service's.
    #[error("the checkpoint is not the pinned service's")]
    Note(#[source] NoteError),
    /// The checkpoint is over other entries, or over fewer than were seen before.
    #[error("the checkpoint at {checkpoint} does not agree with the {size} entries that were read")]
    Diverged {
        /// The checkpoint's size.
        checkpoint: u64,
        /// The verified entries.
        size: u64,
    },
}

/// Why a log was not brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// It can't be fetched.
    #[error("the log can't be fetched")]
    Client(#[from] ClientError),
    /// What was fetched does not verify. The executor acts on this log no more.
    #[error("the log does not verify")]
    Log(#[from] LogError),
}

impl VerifiedLog {
    /// An empty copy of the log of `id`, begun with a key whose id is one of `pins`.
    pub fn new(id: CollaborationId, pins: Vec<KeyId>) -> Self {
        Self {
            id,
            pins,
            first: None,
            replay: Replay::default(),
            tree: Frontier::default(),
            confirmed: 0,
            touched: BTreeSet::new(),
        }
    }

    /// What it adds up to, if a checkpoint confirmed all of it.
    pub fn state(&self) -> Option<&Collaboration> {
        if self.confirmed == self.tree.size() { self.replay.state().collaboration() } else { None }
    }

    /// The number of verified entries.
    pub const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The runs that entries were about since this was asked last.
    pub fn take_touched(&mut self) -> BTreeSet<RunId> {
        std::mem::take(&mut self.touched)
    }

    /// Fetches and verifies what is new, up to the service's checkpoint. What was verified stays
    /// verified when this fails or is dropped.
    ///
    /// # Errors
    ///
    /// [`SyncError`].
    pub async fn sync(&mut self, client: &Client) -> Result<(), SyncError> {
        let mut note = client.checkpoint(self.id).await?;
        if self.size() == 0 {
            self.fetch(client, 1).await?;
        }
        let checkpoint = loop {
            match self.open(&note) {
                Ok(checkpoint) => break checkpoint,
                // The key may have changed since: then the entries that are new say so, and a note
                // that is newer than they are is by the key that they name.
                Err(error) => {
                    if self.fetch(client, u64::from(ENTRIES_MAX)).await? == 0 {
                        return Err(error.into());
                    }
                    note = client.checkpoint(self.id).await?;
                }
            }
        };
        while self.size() < checkpoint.size {
            let left = checkpoint.size - self.size();
            if self.fetch(client, left).await? == 0 {
                return Err(self.diverged(checkpoint.size).into());
            }
        }
        self.confirm(&checkpoint)?;
        Ok(())
    }

    async fn fetch(&mut self, client: &Client, most: u64) -> Result<usize, SyncError> {
        let limit = u32::try_from(most).unwrap_or(u32::MAX).min(ENTRIES_MAX);
        let page = client.entries(self.id, self.size(), limit).await?;
        let count = page.entries.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        for (_, sealed) in page.entries.into_iter().take(count) {
            self.take(sealed)?;
            // The replay analyses SQL: let others have their turn.
            tokio::task::yield_now().await;
        }
        Ok(count)
    }

    /// Verifies the next entry and moves the state by it.
    ///
    /// # Errors
    ///
    /// [`LogError`]; the copy must not be used then.
    pub fn take(&mut self, sealed: Vec<u8>) -> Result<(), LogError> {
        let position = self.size();
        let first = match &self.first {
            Some(key) => key.clone(),
            None => genesis_key(&sealed, &self.pins)?,
        };
        let sealed = open(sealed, self.replay.state(), &first)
            .map_err(|source| LogError::Entry { position, source })?;
        if sealed.entry().collaboration != self.id || sealed.entry().position != position {
            return Err(LogError::Misplaced { position });
        }
        let (recorded, _) = read(&sealed)
            .map_err(|source| LogError::Fold { position, source: Box::new(source) })?;
        self.replay.step(&sealed, &verify).map_err(|source| LogError::Replay(Box::new(source)))?;
        self.tree.append(sealed.leaf());
        self.first = Some(first);
        if let Subject::Run(run) = recorded.subject {
            self.touched.insert(run);
        }
        Ok(())
    }

    /// Reads a checkpoint of this log by the key that seals it now; needs its first entry.
    fn open(&self, note: &str) -> Result<Checkpoint, LogError> {
        let state = self.replay.state().collaboration().ok_or(LogError::Genesis)?;
        Checkpoint::open(note, &state.origin(), &state.service_key).map_err(LogError::Note)
    }

    fn confirm(&mut self, checkpoint: &Checkpoint) -> Result<(), LogError> {
        if checkpoint.size != self.size() || checkpoint.root != self.tree.root() {
            return Err(self.diverged(checkpoint.size));
        }
        self.replay.finish(self.size()).map_err(|source| LogError::Replay(Box::new(source)))?;
        self.confirmed = self.size();
        Ok(())
    }

    const fn diverged(&self, checkpoint: u64) -> LogError {
        LogError::Diverged { checkpoint, size: self.size() }
    }
}

/// The service key that the first entry names, if it is a pinned one and its evidence binds it.
fn genesis_key(sealed: &[u8], pins: &[KeyId]) -> Result<PublicKey, LogError> {
    let position = 0;
    let sealed =
        Sealed::parse(sealed.to_vec()).map_err(|source| LogError::Entry { position, source })?;
    let (_, event) =
        read(&sealed).map_err(|source| LogError::Fold { position, source: Box::new(source) })?;
    let Event::CollaborationCreated(created) = event else { return Err(LogError::Genesis) };
    let key = created.service_key;
    let bound =
        chancery_attestation::service::verify(&created.evidence, &created.service, &key).is_ok();
    if pins.contains(&key.id()) && bound { Ok(key) } else { Err(LogError::Genesis) }
}

fn verify(evidence: &Evidence) -> Result<Verdict, String> {
    chancery_attestation::verify(evidence).map_err(|error| error.to_string())
}
