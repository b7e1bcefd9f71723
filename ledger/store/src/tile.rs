//! Reading the tree: tiles of leaf hashes and of the nodes above them (C2SP tlog-tiles).

use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::tile::{Tile, Tiles};

use crate::backend::{Backend as _, on};
use crate::{ReadError, Store};

/// Hashes in a full tile.
const TILE_WIDTH: u16 = 256;
/// Levels of the tree between one level of tiles and the next.
const TILE_HEIGHT: u32 = 8;

impl Store {
    /// The hashes of a tile, as many as its width says; `None` if a part of it lies beyond the
    /// log, or its width isn't 1 to 256.
    ///
    /// # Errors
    ///
    /// `Corrupt` if a hash below the head is missing.
    pub async fn tile(
        &self,
        c: CollaborationId,
        tile: Tile,
    ) -> Result<Option<Vec<Digest>>, ReadError> {
        Ok(self.tiles(c, &[tile]).await?.remove(&tile))
    }

    /// The tiles that are asked for; those that [`Store::tile`] gives `None` for are left out.
    ///
    /// # Errors
    ///
    /// `Corrupt` if a hash below the head is missing.
    pub async fn tiles(&self, c: CollaborationId, tiles: &[Tile]) -> Result<Tiles, ReadError> {
        let size = on!(self, database => database.size(c).await)?.unwrap_or(0);
        let mut found = Tiles::new();
        for tile in tiles.iter().filter(|tile| is_within(tile, size)) {
            let first = tile.index * u64::from(TILE_WIDTH);
            let hashes = first..first + u64::from(tile.width);
            let hashes = on!(self, database => match tile.level {
                0 => database.leaf_hashes(c, hashes).await,
                level => database.nodes(c, level, hashes).await,
            })?;
            found.insert(*tile, hashes);
        }
        Ok(found)
    }
}

/// Whether all hashes of the tile are roots of full subtrees of a log of `size` entries.
fn is_within(tile: &Tile, size: u64) -> bool {
    let leaves = tile
        .index
        .checked_mul(u64::from(TILE_WIDTH))
        .and_then(|first| first.checked_add(u64::from(tile.width)))
        .zip(1_u64.checked_shl(TILE_HEIGHT * u32::from(tile.level)))
        .and_then(|(hashes, each)| hashes.checked_mul(each));
    (1..=TILE_WIDTH).contains(&tile.width) && leaves.is_some_and(|leaves| leaves <= size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_is_within_the_log_up_to_its_last_leaf() {
        let cases = [
            (0, 0, 1, 1),
            (0, 0, 256, 256),
            (0, 3, 7, 3 * 256 + 7),
            (1, 0, 1, 256),
            (1, 2, 5, (2 * 256 + 5) * 256),
            (2, 0, 3, 3 * 65_536),
            (7, 0, 127, 127 << 56),
        ];
        for (level, index, width, leaves) in cases {
            let tile = Tile { level, index, width };
            assert!(is_within(&tile, leaves), "{tile:?}");
            assert!(!is_within(&tile, leaves - 1), "{tile:?}");
        }
        for (level, index, width) in
            [(0, 0, 0), (0, 0, 257), (0, u64::MAX, 1), (8, 0, 1), (255, 0, 1), (7, 1, 256)]
        {
            let tile = Tile { level, index, width };
            assert!(!is_within(&tile, u64::MAX), "{tile:?}");
        }
    }
}
