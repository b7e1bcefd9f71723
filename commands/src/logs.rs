//! The logs of this service as it reads them: loaded once, then held as folded state.
//!
//! What is in memory is a cache, brought up to the log's head at each use. The writer of a log
//! takes a copy of its own to begin with.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use chancery_governance::log::{FoldError, fold};
use chancery_governance::state::{State, origin};
use chancery_ledger::entry::{OpenError, Sealed};
use chancery_ledger::id::CollaborationId;
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle::Frontier;
use chancery_ledger::note::{Checkpoint, NoteError};
use chancery_store::{ReadError, Store};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::keyring::Keyring;
use crate::problem::Problem;

/// Most collaborations whose state is held in memory.
pub const LOADED_MAX: usize = 1024;
/// Entries read at a time.
const PAGE: u32 = 512;

/// The logs of one service.
pub struct Logs {
    store: Store,
    keys: Keyring,
    service: String,
    slots: std::sync::Mutex<HashMap<CollaborationId, Slot>>,
}

type Slot = Arc<Mutex<Option<Loaded>>>;

/// A log in memory.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// What it adds up to.
    pub state: State,
    /// Its Merkle tree.
    pub tree: Frontier,
}

/// A log that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store can't be read.
    #[error("the log can't be read")]
    Read(#[from] ReadError),
    /// An entry is not one.
    #[error("position {position}: not an entry")]
    Entry {
        /// Where.
        position: u64,
        /// What is wrong with it.
        #[source]
        source: OpenError,
    },
    /// An entry does not follow from those before it.
    #[error("the log does not fold")]
    Fold(#[from] FoldError),
    /// The signed checkpoint is not over these entries.
    #[error("the checkpoint is not this service's over the stored entries")]
    Checkpoint(#[source] Option<NoteError>),
    /// The log is sealed with a key that this service does not have.
    #[error("the log is sealed with a key that is not this service's")]
    ForeignKey,
}

/// A log as of the moment it was asked for.
pub struct Held {
    guard: OwnedMutexGuard<Option<Loaded>>,
}

impl Held {
    /// The state.
    pub fn state(&self) -> &State {
        self.guard.as_ref().map_or(&State::Absent, |loaded| &loaded.state)
    }

    /// Whether the log has begun.
    pub fn exists(&self) -> bool {
        self.state().collaboration().is_some()
    }
}

impl Logs {
    /// The logs in `store`, sealed with `keys` under the name `service`.
    pub fn new(store: Store, keys: Keyring, service: String) -> Self {
        Self { store, keys, service, slots: std::sync::Mutex::default() }
    }

    /// The store itself.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The keys that seal, or did.
    pub const fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// The key that seals new logs.
    pub fn key(&self) -> &Arc<SigningKey> {
        self.keys.current()
    }

    /// The service's name.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The key that seals the next entry of a log.
    ///
    /// # Errors
    ///
    /// 500 where this service does not have it.
    pub fn sealing_key(&self, state: &State) -> Result<Arc<SigningKey>, Problem> {
        match state.collaboration() {
            None => Ok(Arc::clone(self.keys.current())),
            Some(state) => self
                .keys
                .by_id(state.service_key.id())
                .map(Arc::clone)
                .ok_or_else(|| Problem::corrupt(&LoadError::ForeignKey)),
        }
    }

    /// The checkpoint over a tree of `collaboration`, signed.
    pub fn checkpoint(
        &self,
        collaboration: CollaborationId,
        tree: &Frontier,
        key: &SigningKey,
    ) -> String {
        Checkpoint {
            origin: origin(&self.service, collaboration),
            size: tree.size(),
            root: tree.root(),
        }
        .sign(key)
    }

    /// A copy of the log up to its head, for its writer.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub async fn load(&self, collaboration: CollaborationId) -> Result<Loaded, LoadError> {
        let held = self.hold(collaboration).await?;
        Ok(held.guard.clone().unwrap_or_default())
    }

    /// Waits for the log's turn and brings it up to its head.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub async fn hold(&self, collaboration: CollaborationId) -> Result<Held, LoadError> {
        let slot = self.slot(collaboration);
        let mut guard = slot.lock_owned().await;
        // Out of its place while it moves: whatever goes wrong, it is read again from the start.
        let loaded = guard.take().unwrap_or_default();
        *guard = Some(self.catch_up(collaboration, loaded).await?);
        Ok(Held { guard })
    }

    fn slot(&self, collaboration: CollaborationId) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= LOADED_MAX && !slots.contains_key(&collaboration) {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(collaboration).or_default())
    }

    async fn catch_up(
        &self,
        collaboration: CollaborationId,
        mut loaded: Loaded,
    ) -> Result<Loaded, LoadError> {
        let Some(head) = self.store.head(collaboration).await? else {
            return Ok(Loaded::default());
        };
        if loaded.tree.size() == head.size {
            return Ok(loaded);
        }
        while loaded.tree.size() < head.size {
            let page = self.store.range(collaboration, loaded.tree.size(), PAGE).await?;
            if page.is_empty() {
                return Err(LoadError::Checkpoint(None));
            }
            let left = head.size - loaded.tree.size();
            for stored in page.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
                let position = stored.position;
                // Not opened: the checkpoint below, which this service signed, is over these bytes.
                let sealed = Sealed::parse(stored.sealed)
                    .map_err(|source| LoadError::Entry { position, source })?;
                loaded.tree.append(sealed.leaf());
                loaded.state = fold(loaded.state, &sealed)?;
            }
        }
        let Some(state) = loaded.state.collaboration() else {
            return Err(LoadError::Checkpoint(None));
        };
        let key = self.keys.by_id(state.service_key.id()).ok_or(LoadError::ForeignKey)?;
        let origin = origin(&self.service, collaboration);
        let checkpoint = Checkpoint::open(&head.checkpoint, &origin, key.public())
            .map_err(|error| LoadError::Checkpoint(Some(error)))?;
        if checkpoint.size != loaded.tree.size() || checkpoint.root != loaded.tree.root() {
            return Err(LoadError::Checkpoint(None));
        }
        Ok(loaded)
    }
}
