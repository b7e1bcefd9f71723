//! Who stands behind a verified log: the service's keys, one after the other, and its witnesses.

use chancery_ledger::digest::Digest;
use chancery_ledger::key::KeyId;
use chancery_ledger::note::Cosigned;

use crate::bundle::MirrorKind;

/// Most spans that are told.
pub const MIRROR_SPANS_MAX: usize = 64;

/// Who stands behind a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The service's keys, oldest first; the last one signed the checkpoint.
    pub service_keys: Vec<ServiceKey>,
    /// The cosigned note, if there is one.
    pub witnessed: Option<Witnessed>,
    /// What is in the ledger of a mirror, if anything.
    pub mirrored: Option<Mirrored>,
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

/// What is in the ledger of a mirror: for each of these entries a receipt was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrored {
    /// The size of the log at its newest receipt. Of a whole log, all entries before that are in it;
    /// of a part, those of them that the part holds.
    pub size: u64,
    /// How many receipts.
    pub batches: u64,
    /// The batches by who vouches for them, those that follow one another together.
    pub spans: Vec<MirrorSpan>,
    /// How many more there are.
    pub spans_left_out: u64,
}

/// Entries in the ledger of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MirrorSpan {
    /// The first position.
    pub from: u64,
    /// The position after the last.
    pub until: u64,
    /// What stands behind the ledger.
    pub kind: MirrorKind,
    /// SHA-256 of the certificate that the receipts were verified under.
    pub service: Digest,
    /// Whether the auditor named it. If not, it may be anybody's.
    pub expected: bool,
}

impl Mirrored {
    /// Whether the auditor named all services.
    pub fn is_expected(&self) -> bool {
        self.spans_left_out == 0 && self.spans.iter().all(|span| span.expected)
    }

    /// Whether a stand-in of the service itself is among them, which proves nothing.
    pub fn is_insecure_virtual(&self) -> bool {
        self.spans.iter().any(|span| span.kind == MirrorKind::InsecureVirtual)
    }
}
