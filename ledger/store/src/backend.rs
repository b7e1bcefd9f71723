//! What a database must do to hold the log. Two do: `sqlite` and `postgres`.

use std::collections::BTreeMap;
use std::ops::Range;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId};
use futures_util::stream::BoxStream;

use crate::group::{Outcome, Work};
use crate::personal_key::EraseError;
use crate::writer::Failure;
use crate::{CommandRecord, Head, MirrorReceipt, ReadError, StoredEntry};

/// Runs the same call on whichever database a store has.
macro_rules! on {
    ($store:expr, $database:ident => $call:expr) => {
        match &$store.database {
            $crate::Database::Sqlite($database) => $call,
            $crate::Database::Postgres($database) => $call,
        }
    };
}

pub(crate) use on;

/// A database that holds logs. Ranges lie below the size that [`Backend::size`] told before; what
/// is missing in them is `Corrupt`.
pub(crate) trait Backend {
    /// A view of one moment.
    type Snapshot: Snapshot;

    /// Decides on the writes and stores what they come to, in one transaction; on disk, in full,
    /// when this returns `Ok`. Nobody else writes to the same logs between decision and commit.
    async fn transact(&self, group: &[&Work]) -> Result<Vec<Outcome>, Failure>;
    /// Rids the database's files of personal keys whose rows are deleted, as far as it goes.
    async fn drop_traces(&self) -> Result<(), EraseError>;
    /// Closes all connections, after the transaction under way.
    async fn close(&self);

    async fn size(&self, c: CollaborationId) -> Result<Option<u64>, ReadError>;
    async fn head(&self, c: CollaborationId) -> Result<Option<Head>, ReadError>;
    async fn cosigned(&self, c: CollaborationId) -> Result<Option<Head>, ReadError>;
    async fn heads(
        &self,
        after: Option<CollaborationId>,
        limit: u32,
    ) -> Result<Vec<(CollaborationId, u64)>, ReadError>;
    /// Ends after the entry that reaches `RANGE_BYTES_MAX`.
    async fn entries(
        &self,
        c: CollaborationId,
        positions: Range<u64>,
    ) -> Result<Vec<StoredEntry>, ReadError>;
    async fn leaf_hashes(
        &self,
        c: CollaborationId,
        positions: Range<u64>,
    ) -> Result<Vec<Digest>, ReadError>;
    async fn nodes(
        &self,
        c: CollaborationId,
        level: u8,
        numbers: Range<u64>,
    ) -> Result<Vec<Digest>, ReadError>;
    async fn command(
        &self,
        c: CollaborationId,
        id: CommandId,
    ) -> Result<Option<CommandRecord>, ReadError>;
    async fn personal_key(
        &self,
        c: CollaborationId,
        subject: &str,
    ) -> Result<Option<Vec<u8>>, ReadError>;
    async fn mirrored(&self, c: CollaborationId) -> Result<u64, ReadError>;
    async fn mirror_receipt(
        &self,
        c: CollaborationId,
        position: i64,
    ) -> Result<Option<MirrorReceipt>, ReadError>;
    /// Ends after the receipt that reaches `RANGE_BYTES_MAX`.
    async fn mirror_receipts(
        &self,
        c: CollaborationId,
        from: i64,
        limit: u32,
    ) -> Result<Vec<MirrorReceipt>, ReadError>;
    async fn cursor(&self, consumer: &str, c: CollaborationId) -> Result<u64, ReadError>;
    async fn cursors(&self, consumer: &str) -> Result<BTreeMap<CollaborationId, u64>, ReadError>;

    async fn snapshot(&self) -> Result<Self::Snapshot, ReadError>;
}

/// The rows of one collaboration as they are, whatever they are: for `fsck`. Streams come in the
/// order of position, of level and number, or of first position.
pub(crate) trait Snapshot {
    async fn head(&mut self, c: CollaborationId) -> Result<Option<RawHead>, ReadError>;
    async fn cosigned(&mut self, c: CollaborationId) -> Result<Option<RawHead>, ReadError>;
    /// From position `from` on, `limit` of them at most.
    async fn entries(
        &mut self,
        c: CollaborationId,
        from: i64,
        limit: u32,
    ) -> Result<Vec<RawEntry>, ReadError>;
    async fn nodes(
        &mut self,
        c: CollaborationId,
        level: u8,
        numbers: Range<i64>,
    ) -> Result<BTreeMap<i64, Vec<u8>>, ReadError>;
    /// Nodes whose subtree isn't full with `size` leaves: (level, number).
    fn nodes_beyond(
        &mut self,
        c: CollaborationId,
        size: i64,
    ) -> BoxStream<'_, Result<(i64, i64), ReadError>>;
    fn commands(
        &mut self,
        c: CollaborationId,
    ) -> BoxStream<'_, Result<(CommandId, i64, i64), ReadError>>;
    /// (first, size) of the mirror's receipts, by first.
    fn mirror_ranges(&mut self, c: CollaborationId)
    -> BoxStream<'_, Result<(i64, i64), ReadError>>;
    /// The roots in the mirror's receipts, by size, of these sizes.
    async fn mirror_roots(
        &mut self,
        c: CollaborationId,
        sizes: Range<i64>,
    ) -> Result<BTreeMap<i64, Vec<u8>>, ReadError>;
    /// Whose personal keys there are, in the order of their bytes.
    async fn personal_subjects(&mut self, c: CollaborationId) -> Result<Vec<String>, ReadError>;
    /// (consumer, position)
    fn cursors_beyond(
        &mut self,
        c: CollaborationId,
        size: i64,
    ) -> BoxStream<'_, Result<(String, i64), ReadError>>;
}

/// A size and the note of that size.
pub(crate) struct RawHead {
    pub size: i64,
    pub note: String,
}

pub(crate) struct RawEntry {
    pub position: i64,
    pub leaf_hash: Vec<u8>,
    pub sealed: Vec<u8>,
}
