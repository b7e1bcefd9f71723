//! Proofs from tiles, each inner node hashed once for all of them.

use std::collections::HashMap;

use super::{HEIGHT, TileError, Tiles, place};
use crate::digest::Digest;
use crate::merkle::node_hash;
use crate::merkle::shape::{self, Perfect, Range};

/// Makes proofs in one tree from its tiles. It keeps the nodes that it hashes, so many proofs out of
/// the same tiles cost little more than one.
#[derive(Debug)]
pub struct Prover<'a> {
    size: u64,
    tiles: &'a Tiles,
    /// Nodes between the levels of the tiles.
    hashed: HashMap<Perfect, Digest>,
}

impl<'a> Prover<'a> {
    /// Of the tree of `size` leaves, whose `tiles` are those that [`super::for_inclusion`] and
    /// [`super::for_consistency`] ask for.
    pub fn new(size: u64, tiles: &'a Tiles) -> Self {
        Self { size, tiles, hashed: HashMap::new() }
    }

    /// As [`super::inclusion_proof`].
    ///
    /// # Errors
    ///
    /// [`TileError`].
    pub fn inclusion(&mut self, index: u64) -> Result<Vec<Digest>, TileError> {
        self.proof(shape::inclusion(index, self.size))
    }

    /// As [`super::consistency_proof`].
    ///
    /// # Errors
    ///
    /// [`TileError`].
    pub fn consistency(&mut self, old: u64) -> Result<Vec<Digest>, TileError> {
        self.proof(shape::consistency(old, self.size))
    }

    fn proof(&mut self, ranges: Option<Vec<Range>>) -> Result<Vec<Digest>, TileError> {
        let ranges = ranges.ok_or(TileError::OutOfRange { size: self.size })?;
        ranges.into_iter().map(|range| range.hash(|perfect| self.hash(perfect))).collect()
    }

    /// The hash of a perfect subtree; recursion ends at the level of a tile, at most 7 deep.
    pub(super) fn hash(&mut self, perfect: Perfect) -> Result<Digest, TileError> {
        let Perfect { height, index } = perfect;
        if height.is_multiple_of(HEIGHT) {
            return self.read(perfect);
        }
        if let Some(hash) = self.hashed.get(&perfect) {
            return Ok(*hash);
        }
        let left = self.hash(Perfect { height: height - 1, index: index * 2 })?;
        let right = self.hash(Perfect { height: height - 1, index: index * 2 + 1 })?;
        let hash = node_hash(&left, &right);
        self.hashed.insert(perfect, hash);
        Ok(hash)
    }

    fn read(&self, perfect: Perfect) -> Result<Digest, TileError> {
        let (tile, at) =
            place(perfect, self.size).ok_or(TileError::OutOfRange { size: self.size })?;
        let hashes = self.tiles.get(&tile).ok_or(TileError::Missing(tile))?;
        if hashes.len() != usize::from(tile.width) {
            return Err(TileError::Width(tile));
        }
        hashes.get(at).copied().ok_or(TileError::Width(tile))
    }
}
