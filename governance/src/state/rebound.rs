//! Which proposals this release was seen to bind to the digest that was voted on.
//!
//! Whether it does is asked before each run, takes an analysis of the query's texts, and is always
//! the same: the digest is of all that goes in and of all that comes out. So it is found once. It is
//! no part of what the log says: all are equal, and copies of a state share it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use chancery_ledger::digest::Digest;

use crate::decide::query::QUERIES_MAX;

/// Digests of bindings that came out again.
#[derive(Debug, Clone, Default)]
pub struct Rebound(Arc<Mutex<BTreeSet<Digest>>>);

impl Rebound {
    /// Notes that a definition was bound to this digest by the rules as they are here.
    pub(crate) fn note(&self, digest: Digest) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Proposals come and go, and there are no more at a time than this.
        if seen.len() >= QUERIES_MAX {
            seen.clear();
        }
        seen.insert(digest);
    }

    /// Whether it was.
    pub(crate) fn knows(&self, digest: &Digest) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }
}

impl PartialEq for Rebound {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Rebound {}
