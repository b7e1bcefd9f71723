//! Tiles of the Merkle tree and bundles of entries (<https://c2sp.org/tlog-tiles>).
//!
//! A tile of level `L` is up to 256 consecutive hashes, each the root of `256^L` leaves; level 0
//! holds the leaf hashes. What wants a proof or the right edge of a tree first asks here which
//! tiles that takes (`for_..`), gets them wherever they are, and then has it computed. A proof takes
//! `O(log size)` tiles.
//!
//! The hashes are taken as they come: a proof made of wrong tiles fails its verification.

mod bundle;
mod path;
mod prover;

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::merkle::Frontier;
use crate::merkle::shape::{self, Perfect, Range};

pub use bundle::{Bundle, BundleError, ENTRY_LEN_MAX};
pub use path::ParseTileError;
pub use prover::Prover;

/// The hashes of a full tile: `2^HEIGHT`.
pub const WIDTH: u16 = 1 << HEIGHT;
/// The levels of the tree that a tile covers.
pub const HEIGHT: u8 = 8;
/// The highest level that a path can name; a tree of fewer than 2^64 leaves ends at 7.
pub const LEVEL_MAX: u8 = 63;

/// Where a tile stands and how many hashes it has: 1 to [`WIDTH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// The level, from 0.
    pub level: u8,
    /// Its place among the tiles of its level, from 0.
    pub index: u64,
    /// The number of hashes; fewer than [`WIDTH`] in a partial tile.
    pub width: u16,
}

/// Tiles with their hashes.
pub type Tiles = BTreeMap<Tile, Vec<Digest>>;

/// Why tiles give no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// There is no such leaf, or the old size is greater than the new.
    #[error("there is no such proof in a tree of {size} leaves")]
    OutOfRange {
        /// The size of the tree.
        size: u64,
    },
    /// A tile that was asked for is not among those given.
    #[error("tile {} is missing", .0.path())]
    Missing(Tile),
    /// A tile has another number of hashes than its width.
    #[error("tile {} has another number of hashes than its width", .0.path())]
    Width(Tile),
}

impl Tile {
    /// The tile at `level` and `index` in a tree of `size` leaves, as wide as it is there; `None`
    /// where that tree has none.
    pub fn of(level: u8, index: u64, size: u64) -> Option<Self> {
        let row = size.checked_shr(u32::from(HEIGHT) * u32::from(level)).unwrap_or(0);
        let first = index.checked_mul(WIDTH.into())?;
        let width = u16::try_from(row.checked_sub(first)?.min(WIDTH.into())).ok()?;
        (width > 0).then_some(Self { level, index, width })
    }

    /// Whether all its hashes are there.
    pub const fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The first of its hashes among those of its level.
    pub const fn first(&self) -> u64 {
        self.index * WIDTH as u64
    }

    /// The hashes as they are served: 32 bytes each, one after the other.
    pub fn encode(hashes: &[Digest]) -> Vec<u8> {
        hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// Reads this tile's hashes as they are served.
    ///
    /// # Errors
    ///
    /// [`TileError::Width`] where `bytes` are not exactly as many hashes as the tile is wide.
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<Digest>, TileError> {
        let (hashes, rest) = bytes.as_chunks::<{ Digest::LEN }>();
        if !rest.is_empty() || hashes.len() != usize::from(self.width) {
            return Err(TileError::Width(*self));
        }
        Ok(hashes.iter().copied().map(Digest::from_bytes).collect())
    }
}

/// The tiles that a log of `new` leaves has and one of `old` does not have as wide: what to publish
/// when it grows, lowest level first. For `old` 0, all tiles of the log.
pub fn between(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    (0..64 / HEIGHT).flat_map(move |level| {
        let row = |size: u64| size >> (HEIGHT * level);
        let from = row(old) / u64::from(WIDTH);
        let to = row(new).div_ceil(WIDTH.into());
        let grew = row(old) < row(new);
        (from..to).filter(move |_| grew).filter_map(move |index| Tile::of(level, index, new))
    })
}

/// The tiles that [`frontier`] needs.
pub fn for_frontier(size: u64) -> Vec<Tile> {
    for_ranges(&[Range { from: 0, to: size }], size)
}

/// The right edge of the tree of `size` leaves.
///
/// # Errors
///
/// [`TileError`] where a tile is missing or malformed. Its root is not checked: compare it with a
/// checkpoint's.
pub fn frontier(size: u64, tiles: &Tiles) -> Result<Frontier, TileError> {
    let mut prover = Prover::new(size, tiles);
    let mut frontier = Frontier::default();
    for perfect in (Range { from: 0, to: size }).perfects() {
        let hash = prover.hash(perfect)?;
        // The perfect subtrees of a range from 0 come in the order and place that this wants.
        frontier
            .append_subtree(perfect.height, hash)
            .map_err(|_| TileError::OutOfRange { size })?;
    }
    Ok(frontier)
}

/// The tiles that [`inclusion_proof`] needs; `None` where there is no such leaf.
pub fn for_inclusion(index: u64, size: u64) -> Option<Vec<Tile>> {
    Some(for_ranges(&shape::inclusion(index, size)?, size))
}

/// The inclusion proof of leaf `index` in the tree of `size` leaves (RFC 9162 section 2.1.3.1).
///
/// # Errors
///
/// [`TileError`].
pub fn inclusion_proof(index: u64, size: u64, tiles: &Tiles) -> Result<Vec<Digest>, TileError> {
    Prover::new(size, tiles).inclusion(index)
}

/// The tiles that [`consistency_proof`] needs; `None` where `old` is greater than `new`.
pub fn for_consistency(old: u64, new: u64) -> Option<Vec<Tile>> {
    Some(for_ranges(&shape::consistency(old, new)?, new))
}

/// The consistency proof from the tree of `old` leaves to that of `new` (RFC 9162 section 2.1.4.1).
///
/// # Errors
///
/// [`TileError`].
pub fn consistency_proof(old: u64, new: u64, tiles: &Tiles) -> Result<Vec<Digest>, TileError> {
    Prover::new(new, tiles).consistency(old)
}

fn for_ranges(ranges: &[Range], size: u64) -> Vec<Tile> {
    let perfects = ranges.iter().flat_map(|range| range.perfects());
    let mut tiles: Vec<_> =
        perfects.filter_map(|perfect| place(perfect, size)).map(|(tile, _)| tile).collect();
    tiles.sort_unstable();
    tiles.dedup();
    tiles
}

/// The tile of a tree of `size` leaves that holds `perfect`, or what it is made of, and the place of
/// the first of its `2^(height mod 8)` hashes in that tile.
fn place(perfect: Perfect, size: u64) -> Option<(Tile, usize)> {
    let first = perfect.index << (perfect.height % HEIGHT);
    let tile = Tile::of(perfect.height / HEIGHT, first / u64::from(WIDTH), size)?;
    let at = usize::try_from(first % u64::from(WIDTH)).ok()?;
    Some((tile, at))
}
