//! The service's keys: the one that seals new logs, and those before it.

use std::sync::Arc;

use chancery_ledger::key::{KeyId, SigningKey};

/// The service's keys, newest last.
///
/// A log moves to the newest by a rotation, an entry of its own; until then the key before it
/// seals it.
#[derive(Debug, Clone)]
pub struct Keyring {
    current: Arc<SigningKey>,
    older: Vec<Arc<SigningKey>>,
}

impl Keyring {
    /// One key.
    pub fn new(current: Arc<SigningKey>) -> Self {
        Self { current, older: Vec::new() }
    }

    /// Adds a key from before, which still seals logs that were not moved.
    #[must_use]
    pub fn with_older(mut self, key: Arc<SigningKey>) -> Self {
        self.older.push(key);
        self
    }

    /// The key that seals new logs, and every log once it was moved.
    pub const fn current(&self) -> &Arc<SigningKey> {
        &self.current
    }

    /// A key by its id.
    pub fn by_id(&self, id: KeyId) -> Option<&Arc<SigningKey>> {
        std::iter::once(&self.current).chain(&self.older).find(|key| key.public().id() == id)
    }
}
