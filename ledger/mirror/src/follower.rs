//! Brings one log over: one step at a time, each of which may fail and be repeated.
//!
//! Nothing that the other side says is relied on: its head and each root are compared with our own
//! log, each receipt is verified against the service certificate, and what is sent is chosen by its
//! own head, so that a lost answer, a restart or an election costs a repetition at most.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chancery_ccf::certificate::Certificate;
use chancery_ccf::receipt::{Expected, Receipt, ReceiptError};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::merkle::Frontier;
use chancery_ledger::note::{Checkpoint, Note};

use crate::batch::{Batch, ENTRIES_MAX};
use crate::logs::{Logs, LogsError, Mirrored, Signed};
use crate::port::{Accepted, LedgerError, MirrorLedger, Refusal, Standing};

/// How a mirror paces itself.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most entries in a batch, up to [`ENTRIES_MAX`].
    pub entries_max: usize,
    /// Most bytes in a batch's body, unless one entry alone is longer.
    pub bytes_max: usize,
    /// Most batches that are accepted and have no receipt yet.
    pub pending_max: usize,
    /// How long to wait between two looks at whether a batch is committed.
    pub poll: Duration,
    /// How often all logs are looked at without a hint.
    pub sweep: Duration,
    /// The first wait after a failure; it doubles.
    pub backoff_first: Duration,
    /// The longest wait.
    pub backoff_cap: Duration,
    /// How often a node may answer with an older state than we have proof of, one answer after the
    /// other, before that is a lost tail and not a slow node.
    pub stale_max: u32,
    /// How often a transaction may be unknown before the head is read anew.
    pub unknown_max: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            entries_max: ENTRIES_MAX,
            bytes_max: 768 << 10,
            // A network signs once a second: fewer would hold small batches up.
            pending_max: 256,
            poll: Duration::from_millis(50),
            sweep: Duration::from_secs(5),
            backoff_first: Duration::from_millis(200),
            backoff_cap: Duration::from_secs(30),
            stale_max: 20,
            unknown_max: 100,
        }
    }
}

/// The two sides hold different histories. Nobody but people can go on from here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Divergence {
    /// The application found two histories that the service signed.
    #[error("the mirror holds another history")]
    Refused(#[source] Refusal),
    /// The mirror holds more than the log: the log lost its tail, or was restored from an old copy.
    #[error("the mirror holds {mirror} entries and the log {log}")]
    Ahead {
        /// Entries there.
        mirror: u64,
        /// Entries here.
        log: u64,
    },
    /// The mirror has another root at the same size.
    #[error("the mirror has another root over the first {size} entries")]
    Root {
        /// That size.
        size: u64,
    },
    /// The mirror holds less than there are receipts for: it lost what it had committed.
    #[error("the mirror holds {mirror} entries, and there are receipts for {receipts}")]
    LostTail {
        /// Entries there.
        mirror: u64,
        /// Entries with a receipt.
        receipts: u64,
    },
    /// A receipt does not prove what it should.
    #[error("the receipt of {transaction} does not verify")]
    Receipt {
        /// The transaction.
        transaction: String,
        /// Why.
        source: ReceiptError,
    },
    /// Its batches do not follow one another.
    #[error("the mirror's batch at position {0} does not begin there, or is of another size")]
    Batch(u64),
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Logs(#[from] LogsError),
    #[error(transparent)]
    Diverged(#[from] Divergence),
}

/// What to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// There is more to do.
    Now,
    /// What was sent is not committed yet, or its receipt not there.
    Poll,
    /// All is mirrored.
    Idle,
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub size: u64,
    pub sent: u64,
    pub mirrored: u64,
}

pub(crate) struct Follower {
    collaboration: CollaborationId,
    options: Options,
    /// The tree up to what the other side took; none before its head was read.
    sent: Option<Frontier>,
    /// The tree up to what there are receipts for.
    proven: Frontier,
    /// Accepted, without a receipt.
    pending: VecDeque<Accepted>,
    size: u64,
    stale: u32,
    unknown: u32,
}

impl Follower {
    pub fn new(collaboration: CollaborationId, options: Options) -> Self {
        Self {
            collaboration,
            options,
            sent: None,
            proven: Frontier::default(),
            pending: VecDeque::new(),
            size: 0,
            stale: 0,
            unknown: 0,
        }
    }

    pub fn progress(&self) -> Progress {
        Progress {
            size: self.size,
            sent: self.sent.as_ref().map_or(0, Frontier::size),
            mirrored: self.proven.size(),
        }
    }

    /// Forgets what the other side said: its head is read anew.
    pub fn resync(&mut self) {
        self.sent = None;
        self.pending.clear();
        self.unknown = 0;
    }

    pub async fn step<P: MirrorLedger, L: Logs>(
        &mut self,
        ledger: &P,
        logs: &L,
    ) -> Result<Next, StepError> {
        let Some(head) = logs.head(self.collaboration).await? else { return Ok(Next::Idle) };
        self.size = head.size;
        let Some(sent) = &self.sent else {
            return self.read_head(ledger, logs).await;
        };
        let (sent, more) = (sent.size(), self.pending.len() < self.options.pending_max);
        if sent < head.size && more {
            self.push(ledger, logs, &head).await?;
            // A look at what is pending between two batches, so that receipts come as they go.
            self.settle(ledger, logs).await?;
            return Ok(Next::Now);
        }
        if self.proven.size() == sent {
            return Ok(Next::Idle);
        }
        if self.pending.is_empty() {
            let batch = ledger.batch_of(self.collaboration, self.proven.size()).await?;
            if batch.first != self.proven.size() || batch.size > sent {
                return Err(Divergence::Batch(self.proven.size()).into());
            }
            self.pending.push_back(batch);
        }
        Ok(if self.settle(ledger, logs).await? { Next::Now } else { Next::Poll })
    }

    async fn read_head<P: MirrorLedger, L: Logs>(
        &mut self,
        ledger: &P,
        logs: &L,
    ) -> Result<Next, StepError> {
        let receipts = logs.mirrored(self.collaboration).await?;
        if self.proven.size() != receipts {
            self.proven = self.grown(Frontier::default(), receipts, logs).await?;
        }
        let head = ledger.head(self.collaboration).await?;
        let mirror = head.as_ref().map_or(0, |head| head.size);
        if mirror > self.size {
            // The log may have grown since its size was read.
            let log = logs.head(self.collaboration).await?.map_or(0, |head| head.size);
            if mirror > log {
                return Err(Divergence::Ahead { mirror, log }.into());
            }
        }
        if mirror < receipts {
            self.stale += 1;
            if self.stale > self.options.stale_max {
                return Err(Divergence::LostTail { mirror, receipts }.into());
            }
            return Ok(Next::Poll);
        }
        self.stale = 0;
        let sent = self.grown(self.proven.clone(), mirror, logs).await?;
        if head.is_some_and(|head| head.root != sent.root()) {
            return Err(Divergence::Root { size: mirror }.into());
        }
        self.sent = Some(sent);
        Ok(Next::Now)
    }

    async fn push<P: MirrorLedger, L: Logs>(
        &mut self,
        ledger: &P,
        logs: &L,
        head: &Signed,
    ) -> Result<(), StepError> {
        let Some(sent) = self.sent.clone() else { return Ok(()) };
        let limit = self.options.entries_max.min(ENTRIES_MAX);
        let limit_u32 = u32::try_from(limit).unwrap_or(u32::MAX);
        let mut entries = logs.entries(self.collaboration, sent.size(), limit_u32).await?;
        // Beyond the head that was read, there is no checkpoint at hand: those come next.
        let due = usize::try_from(head.size.saturating_sub(sent.size())).unwrap_or(usize::MAX);
        entries.truncate(due);
        entries.truncate(Batch::fit(&entries, head.note.len(), self.options.bytes_max));
        if entries.is_empty() {
            return Err(LedgerError::Nonsense("the log has a head and no entries").into());
        }
        let mut after = sent.clone();
        for entry in &entries {
            after.append(chancery_ledger::merkle::leaf_hash(entry));
        }
        let checkpoint = (after.size() == head.size).then(|| head.note.clone());
        let (collaboration, first) = (self.collaboration, sent.size());
        let batch = Batch { collaboration, first, entries, checkpoint };
        let accepted = match ledger.push(&batch).await {
            Ok(accepted) => accepted,
            Err(LedgerError::Refused(refusal)) if refusal.is_divergence() => {
                return Err(Divergence::Refused(refusal).into());
            }
            Err(LedgerError::Refused(refusal)) if refusal.is_stale() => {
                self.resync();
                return Err(LedgerError::Refused(refusal).into());
            }
            Err(error) => return Err(error.into()),
        };
        if accepted.first != first || accepted.size != after.size() {
            return Err(Divergence::Batch(first).into());
        }
        if accepted.root != after.root() {
            return Err(Divergence::Root { size: after.size() }.into());
        }
        self.sent = Some(after);
        self.pending.push_back(accepted);
        Ok(())
    }

    /// Keeps the receipt of the oldest pending batch, if it is there; false if not.
    async fn settle<P: MirrorLedger, L: Logs>(
        &mut self,
        ledger: &P,
        logs: &L,
    ) -> Result<bool, StepError> {
        let Some(batch) = self.pending.front().copied() else { return Ok(false) };
        if batch.first != self.proven.size() {
            // Taken over from before a restart: those in between are asked for one by one.
            self.pending.clear();
            return Ok(true);
        }
        match ledger.standing(batch.transaction).await? {
            Standing::Committed => self.unknown = 0,
            Standing::Pending => return Ok(false),
            Standing::Unknown => {
                self.unknown += 1;
                if self.unknown > self.options.unknown_max {
                    self.resync();
                }
                return Ok(false);
            }
            Standing::Invalid => {
                tracing::info!(
                    collaboration = %self.collaboration, transaction = %batch.transaction,
                    "an election rolled a batch back: it is sent again"
                );
                self.resync();
                return Ok(true);
            }
        }
        let Some(receipt) = ledger.receipt(batch.transaction).await? else { return Ok(false) };
        let proven = self.grown(self.proven.clone(), batch.size, logs).await?;
        if proven.root() != batch.root {
            return Err(Divergence::Root { size: batch.size }.into());
        }
        let claims = self.claims(batch.size, proven.root(), logs).await?;
        let service = verify(ledger, &batch, claims, &receipt)?;
        let Accepted { first, size, root, transaction } = batch;
        let kept = Mirrored { first, size, root, transaction, service, receipt };
        if logs.keep(self.collaboration, kept).await? {
            self.proven = proven;
            self.pending.pop_front();
        } else {
            // Another process keeps them too: go on from what it kept.
            self.proven = Frontier::default();
            self.resync();
        }
        Ok(true)
    }

    /// The claims digest of a batch: over the text of the checkpoint after it.
    async fn claims<L: Logs>(
        &self,
        size: u64,
        root: Digest,
        logs: &L,
    ) -> Result<Digest, StepError> {
        let head = logs.head(self.collaboration).await?;
        let note = head.map(|head| head.note).unwrap_or_default();
        let origin = Note::parse(&note).ok().and_then(|note| note.checkpoint().ok());
        let Some(Checkpoint { origin, .. }) = origin else {
            let broken = std::io::Error::other("the head's checkpoint is no checkpoint");
            return Err(LogsError(Box::new(broken)).into());
        };
        Ok(Digest::of(Checkpoint { origin, size, root }.text().as_bytes()))
    }

    /// A tree with the leaves of our own log up to `size`.
    async fn grown<L: Logs>(
        &self,
        mut tree: Frontier,
        size: u64,
        logs: &L,
    ) -> Result<Frontier, StepError> {
        while tree.size() < size {
            let limit = u32::try_from(size - tree.size()).unwrap_or(u32::MAX);
            let leaves = logs.leaf_hashes(self.collaboration, tree.size(), limit).await?;
            if leaves.is_empty() {
                return Err(Divergence::Ahead { mirror: size, log: tree.size() }.into());
            }
            for leaf in leaves {
                tree.append(leaf);
            }
        }
        Ok(tree)
    }
}

/// Gives the certificate that it was verified under, in DER.
fn verify<P: MirrorLedger>(
    ledger: &P,
    batch: &Accepted,
    claims: Digest,
    receipt: &[u8],
) -> Result<Vec<u8>, Divergence> {
    let expected =
        Expected { claims: Some(claims), transaction: Some(batch.transaction), at_s: None };
    let verified = Receipt::parse(receipt).and_then(|receipt| {
        // What came just before the network was recovered is under the service before.
        let of = |service: &Arc<Certificate>| {
            receipt.verify(service, &[], &expected).map(|_| service.der().to_vec())
        };
        let services = ledger.services();
        let mut results = services.iter().map(of);
        let first = results.next().unwrap_or(Err(ReceiptError::NotAReceipt));
        first.or_else(|error| results.find_map(Result::ok).ok_or(error))
    });
    verified.map_err(|source| Divergence::Receipt {
        transaction: batch.transaction.to_string(),
        source,
    })
}
