//! The other side, as the driver sees it.

use std::future::Future;
use std::sync::Arc;

use chancery_ccf::certificate::Certificate;
use chancery_ccf::txid::TxId;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;

use crate::batch::Batch;

/// What stands behind a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A CCF network.
    Ccf,
    /// The stand-in in this process: it proves nothing.
    InsecureVirtual,
}

impl Kind {
    /// Its name, as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ccf => "ccf",
            Self::InsecureVirtual => "insecure-virtual",
        }
    }
}

/// What the other side says that it holds of a log. Not to be believed without comparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Entries.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

/// A batch that was accepted, not necessarily committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Position of its first entry.
    pub first: u64,
    /// Size of the log after it.
    pub size: u64,
    /// The root over the log after it.
    pub root: Digest,
    /// The transaction that took it.
    pub transaction: TxId,
}

/// How a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not known at that node.
    Unknown,
    /// Not committed yet.
    Pending,
    /// Committed, for ever.
    Committed,
    /// It will never be: an election rolled it back.
    Invalid,
}

/// A refusal by the application, with its stable code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused with {code}: {message}")]
pub struct Refusal {
    /// As in `docs/wire/mirror.md`.
    pub code: String,
    /// For people.
    pub message: String,
}

impl Refusal {
    /// Whether our idea of the head is old: read it and go on.
    pub fn is_stale(&self) -> bool {
        matches!(self.code.as_str(), "gap" | "replay")
    }

    /// Whether the other side holds another history of the log than ours.
    pub fn is_divergence(&self) -> bool {
        matches!(self.code.as_str(), "fork" | "checkpoint-of-another-state")
    }
}

/// Why there is no answer to use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Not reached, cut off, too late, without a primary, or failing. What was asked may have been
    /// done. Retry.
    #[error("the mirror is unavailable: {0}")]
    Unavailable(String),
    /// The application, or CCF before it, refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Not what the protocol says.
    #[error("the mirror answers nonsense: {0}")]
    Nonsense(&'static str),
}

/// A ledger that mirrors logs. The contract is in `tests/contract.rs`.
pub trait MirrorLedger: Send + Sync + 'static {
    /// What stands behind it.
    fn kind(&self) -> Kind;

    /// The certificates that its receipts are verified against: that of the service of today, and
    /// after it those of earlier services that it was shown to go on from.
    fn services(&self) -> Vec<Arc<Certificate>>;

    /// What it holds of a log; `None` if nothing.
    fn head(
        &self,
        c: CollaborationId,
    ) -> impl Future<Output = Result<Option<Head>, LedgerError>> + Send;

    /// Sends a batch. Sent again after a lost answer, it is answered as the first time.
    fn push(&self, batch: &Batch) -> impl Future<Output = Result<Accepted, LedgerError>> + Send;

    /// The batch that holds a position; a refusal `unknown-position` or `unknown-collaboration` where
    /// there is none.
    fn batch_of(
        &self,
        c: CollaborationId,
        position: u64,
    ) -> impl Future<Output = Result<Accepted, LedgerError>> + Send;

    /// How a transaction stands.
    fn standing(
        &self,
        transaction: TxId,
    ) -> impl Future<Output = Result<Standing, LedgerError>> + Send;

    /// The receipt of a committed transaction, JSON; `None` while it is being fetched. Not verified.
    fn receipt(
        &self,
        transaction: TxId,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, LedgerError>> + Send;
}
