//! Merkle proofs of a stored log, from its tiles: a few rows for each, whatever the log's size.

use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::receipt::SignedRoot;
use chancery_ledger::tile::{self, Tile, TileError, Tiles};

use crate::App;
use crate::logs::Logs;
use crate::problem::Problem;
use crate::refusal;

/// That an entry is in the tree of a size.
pub struct Inclusion {
    /// The entry's position.
    pub position: u64,
    /// The size of the tree.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// The hashes, lowest first (RFC 9162 section 2.1.3.1).
    pub path: Vec<Digest>,
}

/// That the tree of a size is a prefix of that of another.
pub struct Consistency {
    /// The old size.
    pub from: u64,
    /// The new one.
    pub to: u64,
    /// The new root.
    pub root: Digest,
    /// The hashes (RFC 9162 section 2.1.4.1).
    pub path: Vec<Digest>,
}

impl Inclusion {
    /// The COSE Receipt (RFC 9942), signed with the service's key.
    pub fn receipt(&self, logs: &Logs) -> Vec<u8> {
        SignedRoot::sign(self.root, logs.key()).inclusion(self.size, self.position, &self.path)
    }
}

impl Consistency {
    /// The COSE Receipt (RFC 9942), signed with the service's key.
    pub fn receipt(&self, logs: &Logs) -> Vec<u8> {
        SignedRoot::sign(self.root, logs.key()).consistency(self.from, self.to, &self.path)
    }
}

/// Proves that the entry at `position` is in the tree of `size`; of the log as it is, where none
/// is given.
///
/// # Errors
///
/// 400 `proof_out_of_range`; 503 where the store can't be read.
pub async fn inclusion(
    app: &App,
    collaboration: CollaborationId,
    position: u64,
    size: Option<u64>,
) -> Result<Inclusion, Problem> {
    let size = within(app, collaboration, size).await?;
    let wanted = tile::for_inclusion(position, size).ok_or_else(out_of_range)?;
    let tiles = tiles(app, collaboration, wanted, size).await?;
    let path = tile::inclusion_proof(position, size, &tiles).map_err(|error| missing(&error))?;
    Ok(Inclusion { position, size, root: root(size, &tiles)?, path })
}

/// Proves that the tree of size `from` is a prefix of that of size `to`; of the log as it is, where
/// none is given.
///
/// # Errors
///
/// 400 `proof_out_of_range`; 503 where the store can't be read.
pub async fn consistency(
    app: &App,
    collaboration: CollaborationId,
    from: u64,
    to: Option<u64>,
) -> Result<Consistency, Problem> {
    let to = within(app, collaboration, to).await?;
    let wanted = tile::for_consistency(from, to).ok_or_else(out_of_range)?;
    let tiles = tiles(app, collaboration, wanted, to).await?;
    let path = tile::consistency_proof(from, to, &tiles).map_err(|error| missing(&error))?;
    Ok(Consistency { from, to, root: root(to, &tiles)?, path })
}

/// The refusal of a proof about what is not in the log.
pub fn out_of_range() -> Problem {
    Problem::bad_request("proof_out_of_range", "The position or size is beyond the log.")
}

/// The size, which must be one that the log has reached.
async fn within(
    app: &App,
    collaboration: CollaborationId,
    size: Option<u64>,
) -> Result<u64, Problem> {
    let head = app.store().head(collaboration).await.map_err(|error| refusal::read(&error))?;
    let now = head.map_or(0, |head| head.size);
    match size {
        Some(size) if size > now => Err(out_of_range()),
        size => Ok(size.unwrap_or(now)),
    }
}

/// The tiles of a proof and those of the tree's right edge.
async fn tiles(
    app: &App,
    collaboration: CollaborationId,
    mut wanted: Vec<Tile>,
    size: u64,
) -> Result<Tiles, Problem> {
    wanted.extend(tile::for_frontier(size));
    wanted.sort_unstable();
    wanted.dedup();
    app.store().tiles(collaboration, &wanted).await.map_err(|error| refusal::read(&error))
}

fn root(size: u64, tiles: &Tiles) -> Result<Digest, Problem> {
    tile::frontier(size, tiles).map(|frontier| frontier.root()).map_err(|error| missing(&error))
}

fn missing(error: &TileError) -> Problem {
    Problem::corrupt(&refusal::chain(error))
}
