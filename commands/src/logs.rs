//! The logs that this service writes: loaded once, checked, then held as folded state.
//!
//! One writer for each collaboration orders its appends. What is in memory is a cache: on a
//! conflict, or where an outcome is unknown, it is dropped and read again.

use std::collections::HashMap;
use std::sync::Arc;

use chancery_governance::log::{FoldError, fold};
use chancery_governance::state::{State, origin};
use chancery_ledger::entry::{OpenError, Sealed};
use chancery_ledger::id::CollaborationId;
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle::Frontier;
use chancery_ledger::note::{Checkpoint, NoteError};
use chancery_store::{ReadError, Store};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Most collaborations whose state is held in memory.
pub const LOADED_MAX: usize = 1024;
/// Entries read at a time.
const PAGE: u32 = 512;

/// The logs of one service.
pub struct Logs {
    store: Store,
    key: Arc<SigningKey>,
    service: String,
    slots: std::sync::Mutex<HashMap<CollaborationId, Slot>>,
}

type Slot = Arc<Mutex<Option<Loaded>>>;

/// A log in memory.
#[derive(Debug, Default)]
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
    /// An entry is not what this service sealed.
    #[error("position {position}: the entry is not this service's")]
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
    #[error("the checkpoint is not over the stored entries")]
    Checkpoint(#[source] Option<NoteError>),
}

/// A log that its one writer holds.
pub struct Held {
    guard: OwnedMutexGuard<Option<Loaded>>,
}

impl Held {
    /// Takes the log out, to move it. Until [`Held::replace`] it counts as not loaded, so that
    /// whatever goes wrong in between, it is read again.
    pub fn take(&mut self) -> Loaded {
        self.guard.take().unwrap_or_default()
    }

    /// The state as loaded.
    pub fn state(&self) -> &State {
        self.guard.as_ref().map_or(&State::Absent, |loaded| &loaded.state)
    }

    /// Whether the log has begun.
    pub fn exists(&self) -> bool {
        self.state().collaboration().is_some()
    }

    /// Replaces what is held, after an append.
    pub fn replace(&mut self, loaded: Loaded) {
        *self.guard = Some(loaded);
    }
}

impl Logs {
    /// The logs in `store`, sealed with `key` under the name `service`.
    pub fn new(store: Store, key: Arc<SigningKey>, service: String) -> Self {
        Self { store, key, service, slots: std::sync::Mutex::default() }
    }

    /// The store itself.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The key that seals.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The service's name.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The checkpoint over a tree of `collaboration`, signed.
    pub fn checkpoint(&self, collaboration: CollaborationId, tree: &Frontier) -> String {
        Checkpoint {
            origin: origin(&self.service, collaboration),
            size: tree.size(),
            root: tree.root(),
        }
        .sign(&self.key)
    }

    /// Waits for the log's turn and brings it up to its head, which another process may have moved:
    /// a refusal decided on an old state would meet no conflict that could tell.
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
        let mut slots = match self.slots.lock() {
            Ok(slots) => slots,
            Err(poisoned) => poisoned.into_inner(),
        };
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
                let sealed = Sealed::open(stored.sealed, self.key.public())
                    .map_err(|source| LoadError::Entry { position, source })?;
                loaded.tree.append(sealed.leaf());
                loaded.state = fold(loaded.state, &sealed)?;
            }
        }
        let origin = origin(&self.service, collaboration);
        let checkpoint = Checkpoint::open(&head.checkpoint, &origin, self.key.public())
            .map_err(|error| LoadError::Checkpoint(Some(error)))?;
        if checkpoint.size != loaded.tree.size() || checkpoint.root != loaded.tree.root() {
            return Err(LoadError::Checkpoint(None));
        }
        Ok(loaded)
    }
}
