//! What can be checked of an entry before its turn: the arithmetic, on any core.
//!
//! Nothing is decided here. A signature that verifies is noted, with the key that it verifies with;
//! whose key it had to be, the checks in order say, and what is not proven here they check
//! themselves. So no verdict depends on what the directory knows, nor on when it learnt it.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use chancery_governance::submission::{key_of, preverify};
use chancery_ledger::cose::Verified;
use chancery_ledger::entry::{OpenError, Sealed};
use chancery_ledger::key::{KeyId, PublicKey};

/// Most keys that the directory holds. Signatures by later ones are checked in order, on one core.
pub const KEYS_MAX: usize = 1 << 16;

/// The keys that entries brought so far, by id. An id is the hash of its key, so whoever makes an
/// entry can put no key under another's id.
#[derive(Debug, Default)]
pub struct Directory {
    keys: RwLock<HashMap<KeyId, PublicKey>>,
}

/// An entry as it comes to the checks in order.
#[derive(Debug)]
pub struct Opened {
    /// The entry.
    pub sealed: Sealed,
    /// Whether the key that its seal names is known to have sealed it.
    pub seal_proven: bool,
    /// The proof that its authority's signature verifies.
    pub authority: Option<Verified>,
}

impl Directory {
    /// Adds a key.
    pub fn add(&self, key: PublicKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() < KEYS_MAX {
            keys.insert(key.id(), key);
        }
    }

    fn find(&self, id: KeyId) -> Option<PublicKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Reads an entry and checks its signatures, as far as their keys are known.
    ///
    /// # Errors
    ///
    /// [`OpenError`], but for that of the seal: the bytes are no entry.
    pub fn open(&self, bytes: Vec<u8>) -> Result<Opened, OpenError> {
        let (sealed, seal_proven) = Sealed::open_by(bytes, |id| self.find(id))?;
        if let Some(key) = key_of(sealed.entry()) {
            self.add(key);
        }
        let authority = preverify(&sealed.entry().authority, &|id| self.find(id));
        Ok(Opened { sealed, seal_proven, authority })
    }
}
