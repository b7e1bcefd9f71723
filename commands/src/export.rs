//! Bundles of a log, whole or in part, made from a store chunk by chunk.
//!
//! A part takes two passes over the log: one to choose its entries, one to write them and the
//! hashes of the others. The checkpoint is that of the first moment; what is appended meanwhile is
//! left out.

mod receipts;

use std::collections::BTreeSet;

use chancery_audit::bundle::{Beside, Cosigned, Header, Kind, MirrorReceipt, WriteError, Writer};
use chancery_audit::partial::{GapMaker, Scope, Selection};
use chancery_governance::event::Event;
use chancery_governance::log::{self, FoldError};
use chancery_governance::state::origin;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{OpenError, Sealed};
use chancery_ledger::id::CollaborationId;
use chancery_store::{Head, LEAF_HASHES_MAX, ReadError, Store};

pub use receipts::Receipts;

/// Entries read at a time.
const PAGE: u32 = 256;

/// What to export.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Whose log.
    pub collaboration: CollaborationId,
    /// The part of it; none for the whole.
    pub scope: Option<Scope>,
    /// The longest log, in entries, of which a part is chosen: choosing takes some hundred bytes of
    /// memory for each.
    pub chosen_of_max: u64,
    /// What the header will say of the time: milliseconds since the Unix epoch.
    pub exported_at_ms: u64,
}

/// Why a bundle can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no such log.
    #[error("there is no such log")]
    NoLog,
    /// Nothing in the log is about that.
    #[error("the log has no {0}")]
    NotFound(Scope),
    /// The log is too long to choose a part of it here.
    #[error("the log has {size} entries; a part is chosen of {max} at most")]
    TooLong {
        /// Entries in the log.
        size: u64,
        /// [`Wanted::chosen_of_max`].
        max: u64,
    },
    /// The store can't be read.
    #[error("the log can't be read")]
    Read(#[from] ReadError),
    /// The log is shorter than its head says.
    #[error("the log is cut short: its head says {size} entries, and {read} are there")]
    Short {
        /// What the head says.
        size: u64,
        /// What is there.
        read: u64,
    },
    /// An entry is not one.
    #[error("position {position}: not an entry")]
    Entry {
        /// Where.
        position: u64,
        /// What is wrong with it.
        #[source]
        source: OpenError,
    },
    /// An entry is of no type that this release can read.
    #[error("an entry can't be read")]
    Fold(#[from] FoldError),
    /// The log begins with another event than its creation.
    #[error("the log begins with a {0}")]
    Beginning(&'static str),
    /// A receipt of the mirror is of a kind that this release never keeps.
    #[error("position {position}: a receipt of an unknown kind of mirror")]
    Receipt {
        /// The first entry of its batch.
        position: u64,
    },
    /// An item does not fit into a bundle.
    #[error("the bundle can't be written")]
    Write(#[from] WriteError),
}

/// An export under way.
pub struct Export {
    store: Store,
    header: Header,
    name: String,
    checkpoint: String,
    cosigned_size: Option<u64>,
    receipts: Receipts,
    /// The positions of a part; none where all are wanted.
    chosen: Option<BTreeSet<u64>>,
    next: u64,
    gap: GapMaker,
    writer: Writer<Vec<u8>>,
}

impl Export {
    /// Begins a bundle, of the log as it is now; for a part, reads the whole log.
    ///
    /// # Errors
    ///
    /// [`ExportError`].
    pub async fn begin(store: &Store, wanted: &Wanted) -> Result<Self, ExportError> {
        let id = wanted.collaboration;
        // Before the head, which it must not pass.
        let cosigned = store.cosigned(id).await?;
        let receipts = Receipts::now(store, id).await?;
        let head = store.head(id).await?.ok_or(ExportError::NoLog)?;
        let (header, name) = header(store, wanted, head.size).await?;
        let chosen = match wanted.scope {
            Some(scope) => Some(choose(store, wanted, scope, head.size).await?),
            None => None,
        };
        let cosigned = cosigned
            .filter(|cosigned| cosigned.size <= head.size)
            .map(|Head { size, checkpoint }| Cosigned { size, note: checkpoint });
        let cosigned_size = cosigned.as_ref().map(|cosigned| cosigned.size);
        let kind = wanted.scope.map_or(Kind::WholeLog, Kind::Partial);
        let beside = Beside { cosigned, mirrored: receipts.mirrored() };
        let writer = Writer::with(Vec::new(), &header, kind, beside)?;
        Ok(Self {
            store: store.clone(),
            header,
            name,
            checkpoint: head.checkpoint,
            cosigned_size,
            receipts,
            chosen,
            next: 0,
            gap: GapMaker::default(),
            writer,
        })
    }

    /// What the bundle says of itself.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The collaboration's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next bytes, and what is left to export; nothing with the last of them.
    ///
    /// # Errors
    ///
    /// [`ExportError`]. What was given until then is cut short, so that no reader takes it for a
    /// bundle.
    pub async fn chunk(mut self) -> Result<(Vec<u8>, Option<Self>), ExportError> {
        while self.next < self.header.size {
            self.page().await?;
            if !self.writer.output().is_empty() {
                return Ok((std::mem::take(self.writer.output()), Some(self)));
            }
        }
        self.end_gap()?;
        Ok((self.writer.finish(&self.checkpoint)?, None))
    }

    /// Reads on: hashes alone as far as nothing is wanted, entries else.
    async fn page(&mut self) -> Result<(), ExportError> {
        let (id, size) = (self.header.collaboration, self.header.size);
        let wanted = match &self.chosen {
            Some(chosen) => chosen.range(self.next..).next().copied().unwrap_or(size),
            None => self.next,
        };
        let before = self.next;
        if wanted - before >= u64::from(PAGE) {
            let limit = at_most(wanted - before, LEAF_HASHES_MAX);
            for leaf in self.store.leaf_hashes(id, before, limit).await? {
                self.leave_out(leaf)?;
                self.receipt().await?;
            }
        } else {
            for stored in self.store.range(id, before, at_most(size - before, PAGE)).await? {
                if self.chosen.as_ref().is_none_or(|chosen| chosen.contains(&self.next)) {
                    self.end_gap()?;
                    self.writer.push(&stored.sealed)?;
                    self.next += 1;
                } else {
                    self.leave_out(stored.leaf_hash)?;
                }
                self.receipt().await?;
            }
        }
        if self.next == before {
            return Err(ExportError::Short { size, read: before });
        }
        Ok(())
    }

    /// Writes the receipt of the batch that ends here, if there is one and an entry of it is wanted.
    async fn receipt(&mut self) -> Result<(), ExportError> {
        let receipt = self.receipts.ending_at(&self.store, self.next).await?;
        let is_wanted = |receipt: &MirrorReceipt| {
            let chosen = self.chosen.as_ref();
            chosen.is_none_or(|it| it.range(receipt.first..receipt.size).next().is_some())
        };
        let Some(receipt) = receipt.filter(is_wanted) else { return Ok(()) };
        self.end_gap()?;
        Ok(self.writer.receipt(&receipt)?)
    }

    fn leave_out(&mut self, leaf: Digest) -> Result<(), WriteError> {
        if self.cosigned_size == Some(self.next) {
            self.end_gap()?;
        }
        self.gap.leave_out(self.next, leaf);
        self.next += 1;
        Ok(())
    }

    fn end_gap(&mut self) -> Result<(), WriteError> {
        self.gap.end().map_or(Ok(()), |gap| self.writer.leave_out(&gap))
    }
}

fn at_most(count: u64, max: u32) -> u32 {
    u32::try_from(count).unwrap_or(max).min(max)
}

/// The bundle's header, and the collaboration's name, by the log's first event.
async fn header(
    store: &Store,
    wanted: &Wanted,
    size: u64,
) -> Result<(Header, String), ExportError> {
    let collaboration = wanted.collaboration;
    let first = store.range(collaboration, 0, 1).await?.pop();
    let first = first.ok_or(ExportError::Short { size, read: 0 })?;
    let (_, event) = log::read(&parse(0, first.sealed)?)?;
    let Event::CollaborationCreated(created) = event else {
        return Err(ExportError::Beginning(event.kind()));
    };
    let header = Header {
        collaboration,
        origin: origin(&created.service, collaboration),
        service_key: created.service_key,
        size,
        exported_at_ms: wanted.exported_at_ms,
    };
    Ok((header, created.name))
}

/// The positions of a part.
async fn choose(
    store: &Store,
    wanted: &Wanted,
    scope: Scope,
    size: u64,
) -> Result<BTreeSet<u64>, ExportError> {
    if size > wanted.chosen_of_max {
        return Err(ExportError::TooLong { size, max: wanted.chosen_of_max });
    }
    let mut selection = Selection::new(scope);
    let mut next = 0;
    while next < size {
        let page = store.range(wanted.collaboration, next, at_most(size - next, PAGE)).await?;
        if page.is_empty() {
            return Err(ExportError::Short { size, read: next });
        }
        for stored in page {
            selection.see(&parse(next, stored.sealed)?)?;
            next += 1;
        }
    }
    if selection.is_of_something() {
        Ok(selection.positions())
    } else {
        Err(ExportError::NotFound(scope))
    }
}

fn parse(position: u64, sealed: Vec<u8>) -> Result<Sealed, ExportError> {
    Sealed::parse(sealed).map_err(|source| ExportError::Entry { position, source })
}
