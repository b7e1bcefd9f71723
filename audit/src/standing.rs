//! Who stands behind a verified log: the service's keys, one after the other, and its witnesses.

use chancery_ledger::key::KeyId;
use chancery_ledger::note::Cosigned;

/// Who stands behind a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The service's keys, oldest first; the last one signed the checkpoint.
    pub service_keys: Vec<ServiceKey>,
    /// The cosigned note, if there is one.
    pub witnessed: Option<Witnessed>,
}

/// A key of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceKey {
    /// Its id.
    pub key: KeyId,
    /// The first position that it seals.
    pub from: u64,
    /// Whether the auditor named it.
    pub expected: bool,
}

/// What witnesses saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// The number of entries that they saw; those after it no witness vouches for.
    pub size: u64,
    /// The cosignatures that verify, by witnesses that the auditor named.
    pub cosigned: Vec<Cosigned>,
}
