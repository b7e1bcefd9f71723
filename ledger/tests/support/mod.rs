//! A log's leaves and its tiles, made by the definition and not by the code under test.

#![allow(dead_code, reason = "not every test takes all of it")]

use chancery_ledger::digest::Digest;
use chancery_ledger::merkle::{self, leaf_hash};
use chancery_ledger::tile::{Tile, Tiles, WIDTH};

/// The bytes of entry `n`.
pub fn entry(n: u64) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

/// The leaf hashes of a log of `size` entries.
pub fn leaves(size: u64) -> Vec<Digest> {
    (0..size).map(|n| leaf_hash(&entry(n))).collect()
}

/// A log, by level: the hashes that the tiles of each level hold.
pub struct Log {
    pub rows: Vec<Vec<Digest>>,
}

impl Log {
    pub fn of(leaves: Vec<Digest>) -> Self {
        let mut rows = vec![leaves];
        while let Some(last) = rows.last().filter(|row| row.len() >= usize::from(WIDTH)) {
            let (full, _) = last.as_chunks::<{ WIDTH as usize }>();
            rows.push(full.iter().map(|hashes| merkle::root(hashes)).collect());
        }
        Self { rows }
    }

    pub fn leaves(&self) -> &[Digest] {
        &self.rows[0]
    }

    /// The hashes of a tile; panics where the log has no such tile.
    pub fn tile(&self, tile: Tile) -> Vec<Digest> {
        let first = usize::try_from(tile.first()).unwrap();
        self.rows[usize::from(tile.level)][first..first + usize::from(tile.width)].to_vec()
    }

    /// Exactly the tiles asked for.
    pub fn tiles(&self, tiles: &[Tile]) -> Tiles {
        tiles.iter().map(|tile| (*tile, self.tile(*tile))).collect()
    }
}
