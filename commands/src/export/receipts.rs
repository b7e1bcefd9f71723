//! The mirror's receipts of a log, read ahead in the order of their batches.

use std::collections::VecDeque;

use chancery_audit::bundle::{MirrorKind, MirrorReceipt};
use chancery_ledger::id::CollaborationId;
use chancery_store::{ReadError, Store};

use super::ExportError;

/// Receipts read at a time.
const PAGE: u32 = 32;

/// The receipts that were there at one moment.
pub struct Receipts {
    id: CollaborationId,
    mirrored: u64,
    ahead: VecDeque<MirrorReceipt>,
    /// Where those begin that are not read yet.
    from: u64,
}

impl Receipts {
    /// Those that are there now. To be asked before the head, which they never pass.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn now(store: &Store, id: CollaborationId) -> Result<Self, ReadError> {
        let mirrored = store.mirrored(id).await?;
        Ok(Self { id, mirrored, ahead: VecDeque::new(), from: 0 })
    }

    /// For how many entries there are any.
    pub const fn mirrored(&self) -> u64 {
        self.mirrored
    }

    /// The receipt of the batch that ends at `size`, if one does; sizes are asked for in order.
    ///
    /// # Errors
    ///
    /// Where the store can't be read, or holds a kind that is never kept.
    pub async fn ending_at(
        &mut self,
        store: &Store,
        size: u64,
    ) -> Result<Option<MirrorReceipt>, ExportError> {
        if size > self.mirrored {
            return Ok(None);
        }
        loop {
            match self.ahead.front() {
                Some(next) if next.size > size => return Ok(None),
                Some(next) if next.size == size => return Ok(self.ahead.pop_front()),
                Some(_) => drop(self.ahead.pop_front()),
                None => {
                    let page = store.mirror_receipts(self.id, self.from, PAGE).await?;
                    let Some(last) = page.last() else { return Ok(None) };
                    self.from = last.size;
                    self.ahead = page.into_iter().map(beside).collect::<Result<_, _>>()?;
                }
            }
        }
    }
}

/// A stored receipt as a bundle has it.
fn beside(stored: chancery_store::MirrorReceipt) -> Result<MirrorReceipt, ExportError> {
    let kind = MirrorKind::of(&stored.kind);
    Ok(MirrorReceipt {
        kind: kind.ok_or(ExportError::Receipt { position: stored.first })?,
        first: stored.first,
        size: stored.size,
        transaction: stored.transaction,
        service: stored.service,
        receipt: stored.receipt,
    })
}
