//! Proofs for leaves that were just appended, from the frontier before them.
//!
//! What a writer's reply needs: no hash of the old tree is read but those of its right edge, and a
//! batch of `n` leaves costs `2n` hashes in all, whatever the size of the log.

use super::{Frontier, node_hash};
use crate::digest::Digest;

/// A tree that grew by some leaves.
#[derive(Debug, Clone)]
pub struct Growth {
    before: Frontier,
    size: u64,
    /// By height: the perfect nodes that the new leaves completed, those from index
    /// `before.size() >> height` on.
    levels: Vec<Vec<Digest>>,
    /// By height: the root of the leaves to the right of the last perfect node of that height.
    tails: Vec<Option<Digest>>,
}

impl Growth {
    /// Appends `leaves` to the tree of `before`.
    pub fn new(before: Frontier, leaves: Vec<Digest>) -> Self {
        let size = before.size() + leaves.len() as u64;
        let mut growth = Self { before, size, levels: vec![leaves], tails: vec![None] };
        let mut tail = None;
        for height in 0..u64::BITS {
            if size >> height & 1 == 1
                && let Some(node) = growth.node(height, (size >> height) - 1)
            {
                tail = Some(tail.map_or(node, |right| node_hash(&node, &right)));
            }
            growth.tails.push(tail);
            let parents = growth.parents(height);
            if size >> (height + 1).min(u64::BITS - 1) == 0 {
                break;
            }
            growth.levels.push(parents);
        }
        growth
    }

    /// The number of leaves now.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The inclusion proof of leaf `index`, one of the new ones, in the tree as it is now (RFC 9162
    /// section 2.1.3.1); `None` for any other.
    pub fn inclusion_proof(&self, index: u64) -> Option<Vec<Digest>> {
        if index < self.before.size() || index >= self.size {
            return None;
        }
        let mut proof = Vec::new();
        let (mut node, mut last) = (index, self.size - 1);
        let mut height = 0;
        while last > 0 {
            if node & 1 == 1 {
                proof.push(self.node(height, node - 1)?);
            } else if node < last {
                let sibling = node + 1;
                proof.push(if sibling < self.size >> height {
                    self.node(height, sibling)?
                } else {
                    (*self.tails.get(height as usize)?)?
                });
            }
            node >>= 1;
            last >>= 1;
            height += 1;
        }
        Some(proof)
    }

    /// The perfect nodes one above `height` that the new leaves completed.
    fn parents(&self, height: u32) -> Vec<Digest> {
        let above = height + 1;
        let (first, end) = match above {
            u64::BITS.. => (0, 0),
            _ => (self.before.size() >> above, self.size >> above),
        };
        (first..end)
            .filter_map(|index| {
                let left = self.node(height, 2 * index)?;
                Some(node_hash(&left, &self.node(height, 2 * index + 1)?))
            })
            .collect()
    }

    /// A perfect node: a new one, or the old one at the right edge.
    fn node(&self, height: u32, index: u64) -> Option<Digest> {
        let first = self.before.size() >> height;
        match index.checked_sub(first) {
            Some(offset) => {
                let level = self.levels.get(height as usize)?;
                level.get(usize::try_from(offset).ok()?).copied()
            }
            None if first & 1 == 1 && index + 1 == first => self.before.root_at(height),
            None => None,
        }
    }
}

impl Frontier {
    /// The root of its perfect subtree of `2^height` leaves, where that bit of its size is set.
    fn root_at(&self, height: u32) -> Option<Digest> {
        let larger = self.size.checked_shr(height + 1).unwrap_or(0).count_ones();
        self.roots.get(larger as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{inclusion_proof, leaf_hash};

    #[test]
    fn every_new_leaf_has_the_proof_that_the_whole_tree_gives() {
        let leaves: Vec<_> = (0..66_u64).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        for old in 0..34 {
            for new in old..=leaves.len().min(old + 33) {
                let mut before = Frontier::default();
                before.extend(leaves[..old].iter().copied());
                let growth = Growth::new(before, leaves[old..new].to_vec());
                assert_eq!(growth.size(), new as u64);
                for index in 0..new as u64 + 1 {
                    let expected = inclusion_proof(&leaves[..new], index)
                        .filter(|_| index >= old as u64);
                    assert_eq!(growth.inclusion_proof(index), expected, "{index}: {old} to {new}");
                }
            }
        }
    }
}
