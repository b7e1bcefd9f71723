//! Between rows and values. What doesn't fit its type was not written by this store: `Corrupt`.

use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use uuid::Uuid;

use crate::ReadError;

/// A stored number: `SQLite` has signed 64-bit integers only.
pub fn number(value: i64, what: &'static str) -> Result<u64, ReadError> {
    u64::try_from(value).map_err(|_| ReadError::Corrupt(what))
}

/// The number to store, if it fits.
pub fn signed(value: u64) -> Option<i64> {
    i64::try_from(value).ok()
}

pub fn digest(bytes: &[u8]) -> Result<Digest, ReadError> {
    Digest::from_slice(bytes).ok_or(ReadError::Corrupt("a digest doesn't have 32 bytes"))
}

pub fn collaboration(bytes: &[u8]) -> Result<CollaborationId, ReadError> {
    Uuid::from_slice(bytes)
        .map(CollaborationId::new)
        .map_err(|_| ReadError::Corrupt("a collaboration id doesn't have 16 bytes"))
}

pub fn id_bytes(collaboration: &CollaborationId) -> &[u8] {
    collaboration.as_bytes().as_slice()
}
