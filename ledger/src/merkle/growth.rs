//! Proofs for what was just appended, from nothing but the frontier before and the new leaves.

use std::collections::HashMap;

use super::shape::{self, Perfect, Range};
use super::{Frontier, Node, node_hash};
use crate::digest::Digest;

/// A tree that grew by a batch of leaves: it proves each of them included, and the tree before
/// consistent, with `2n` hashes for all of `n` leaves and no reading.
#[derive(Debug, Clone)]
pub struct Growth {
    old: u64,
    frontier: Frontier,
    /// Every perfect subtree that the proofs can be made of: the old right edge and what is new.
    hashes: HashMap<Perfect, Digest>,
    /// The hash of all leaves from the first of each perfect subtree of the right edge, by that first
    /// leaf: proofs of many leaves end in the same ones.
    edge: HashMap<u64, Digest>,
    nodes: Vec<Node>,
}

impl Growth {
    /// The tree of `before` with `leaves` appended.
    pub fn of(before: &Frontier, leaves: &[Digest]) -> Self {
        let (old, mut frontier) = (before.size(), before.clone());
        let (mut hashes, mut nodes) = (HashMap::new(), Vec::new());
        let mut from = 0;
        for (height, hash) in before.roots() {
            hashes.insert(Perfect { height, index: from >> height }, hash);
            from += 1 << height;
        }
        for leaf in leaves {
            hashes.insert(Perfect { height: 0, index: frontier.size() }, *leaf);
            frontier.carry(0, *leaf, |height, index, hash| {
                hashes.insert(Perfect { height, index }, hash);
                if let Some(level) = Node::level_of(height) {
                    nodes.push(Node { level, index, hash });
                }
            });
        }
        let mut edge = HashMap::new();
        let (mut from, mut right) = (frontier.size(), None);
        let roots: Vec<_> = frontier.roots().collect();
        for (height, hash) in roots.into_iter().rev() {
            from -= 1 << height;
            let whole = right.map_or(hash, |right| node_hash(&hash, &right));
            edge.insert(from, whole);
            right = Some(whole);
        }
        Self { old, frontier, hashes, edge, nodes }
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

    fn hash(&self, ranges: &[Range]) -> Option<Vec<Digest>> {
        let hash = |perfect| self.hashes.get(&perfect).copied().ok_or(());
        let on_edge = |range: &Range| {
            let found = self.edge.get(&range.from).filter(|_| range.to == self.frontier.size());
            found.copied()
        };
        ranges.iter().map(|range| on_edge(range).or_else(|| range.hash(hash).ok())).collect()
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
