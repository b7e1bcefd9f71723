//! Proofs for what was just appended, from nothing but the frontier before and the new leaves.

use super::shape::{self, Perfect, Range};
use super::{Frontier, Node, node_hash};
use crate::digest::Digest;

/// A tree that grew by a batch of leaves: it proves each of them included, and the tree before
/// consistent, with `2n` hashes for all of `n` leaves and no reading.
#[derive(Debug, Clone)]
pub struct Growth {
    old: u64,
    frontier: Frontier,
    /// Every perfect subtree that the proofs can be made of, by height: the old right edge and what
    /// is new.
    levels: Vec<Level>,
    /// The hash of all leaves from the first of each perfect subtree of the right edge, with that
    /// first leaf, descending: proofs of many leaves end in the same ones.
    edge: Vec<(u64, Digest)>,
    nodes: Vec<Node>,
}

/// Neighbours of one height.
#[derive(Debug, Clone)]
struct Level {
    /// The index of the first among all of that height.
    first: u64,
    hashes: Vec<Digest>,
}

impl Level {
    fn get(&self, index: u64) -> Option<Digest> {
        let at = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.hashes.get(at).copied()
    }
}

impl Growth {
    /// The tree of `before` with `leaves` appended.
    pub fn of(before: &Frontier, leaves: &[Digest]) -> Self {
        let (old, mut frontier) = (before.size(), before.clone());
        let mut levels: Vec<_> = (0..=(old + leaves.len() as u64).max(1).ilog2())
            .map(|height| Level { first: old >> height, hashes: Vec::new() })
            .collect();
        for (height, hash) in before.roots() {
            // The last before those that get complete now.
            let level = &mut levels[usize::from(height)];
            level.first -= 1;
            level.hashes.push(hash);
        }
        let mut nodes = Vec::new();
        for leaf in leaves {
            levels[0].hashes.push(*leaf);
            frontier.carry(0, *leaf, |height, index, hash| {
                levels[usize::from(height)].hashes.push(hash);
                if let Some(level) = Node::level_of(height) {
                    nodes.push(Node { level, index, hash });
                }
            });
        }
        let mut edge: Vec<(u64, Digest)> = Vec::new();
        let mut from = frontier.size();
        let roots: Vec<_> = frontier.roots().collect();
        for (height, hash) in roots.into_iter().rev() {
            from -= 1 << height;
            let whole = edge.last().map_or(hash, |(_, right)| node_hash(&hash, right));
            edge.push((from, whole));
        }
        Self { old, frontier, levels, edge, nodes }
    }

    /// The tree's right edge now.
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The nodes of height 8, 16, .. that got complete, as [`Frontier::append_noting`] notes them.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The inclusion proof of leaf `index` in the tree now; `None` where the leaf is not one of
    /// those appended.
    pub fn inclusion_proof(&self, index: u64) -> Option<Vec<Digest>> {
        if index < self.old {
            return None;
        }
        self.hash(&shape::inclusion(index, self.frontier.size())?)
    }

    /// The consistency proof from the tree before to the tree now.
    pub fn consistency_proof(&self) -> Option<Vec<Digest>> {
        self.hash(&shape::consistency(self.old, self.frontier.size())?)
    }

    /// Each range is a perfect subtree, or ends where the tree does and begins with one of its roots.
    fn hash(&self, ranges: &[Range]) -> Option<Vec<Digest>> {
        let perfect = |it: Perfect| self.levels.get(usize::from(it.height))?.get(it.index);
        let edge = |range: &Range| {
            let found = self.edge.iter().find(|(from, _)| *from == range.from);
            found.filter(|_| range.to == self.frontier.size()).map(|(_, whole)| *whole)
        };
        ranges.iter().map(|range| range.perfect().map_or_else(|| edge(range), perfect)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        consistency_proof, inclusion_proof, leaf_hash, node_hash, root, verify_consistency,
        verify_inclusion,
    };
    use super::*;

    #[test]
    fn a_batch_proves_its_leaves_and_its_past_for_every_small_cut() {
        let leaves: Vec<_> = (0..70_u64).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        for new in 0..=leaves.len() {
            for old in 0..=new {
                let mut before = Frontier::default();
                before.extend(leaves[..old].iter().copied());
                let growth = Growth::of(&before, &leaves[old..new]);
                let tree = root(&leaves[..new]);
                assert_eq!(growth.frontier().root(), tree);
                let all = &leaves[..new];
                let (old, new) = (old as u64, new as u64);
                for (index, leaf) in (0..).zip(all) {
                    let proof = growth.inclusion_proof(index);
                    if index < old {
                        assert_eq!(proof, None);
                        continue;
                    }
                    assert_eq!(proof, inclusion_proof(all, index));
                    let verified = verify_inclusion(leaf, index, new, &proof.unwrap(), &tree);
                    assert_eq!(verified, Ok(()));
                }
                let proof = growth.consistency_proof().unwrap();
                assert_eq!(Some(&proof), consistency_proof(all, old).as_ref());
                assert_eq!(verify_consistency(old, &before.root(), new, &tree, &proof), Ok(()));
                assert_eq!(growth.inclusion_proof(new), None);
            }
        }
    }

    #[test]
    fn a_batch_notes_the_nodes_that_single_appends_note() {
        let mut before = Frontier::default();
        before.extend((0..200_u64).map(|n| leaf_hash(&n.to_be_bytes())));
        let leaves: Vec<_> = (200..70_000_u64).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let growth = Growth::of(&before, &leaves);
        let mut nodes = Vec::new();
        for leaf in &leaves {
            before.append_noting(*leaf, &mut nodes);
        }
        assert_eq!(growth.nodes(), nodes);
        assert_eq!(nodes.iter().filter(|node| node.level == 1).count(), 70_000 / 256);
        assert_eq!(nodes.iter().filter(|node| node.level == 2).count(), 1);
        let left = nodes.iter().find(|node| node.level == 2).unwrap();
        assert_eq!((left.index, &before), (0, growth.frontier()));
        let firsts: Vec<_> =
            nodes.iter().filter(|n| n.level == 1).take(256).map(|n| n.hash).collect();
        assert_eq!(left.hash, root(&firsts));
        assert_eq!(node_hash(&root(&firsts[..128]), &root(&firsts[128..])), left.hash);
    }
}
