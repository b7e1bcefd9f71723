//! Tiles of the tree's hashes (C2SP tlog-tiles).

use std::collections::BTreeMap;

use crate::digest::Digest;

/// Which hashes: `width` of them, from `256 * index` on, of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0: leaf hashes. Level `l` holds the roots of `256^l` leaves each.
    pub level: u8,
    /// The tile's place in its level, from 0.
    pub index: u64,
    /// Hashes in it, 1 to 256.
    pub width: u16,
}

/// Tiles with their hashes.
pub type Tiles = BTreeMap<Tile, Vec<Digest>>;
