//! Merkle tree hashing and proofs (RFC 9162 section 2.1), SHA-256.
//!
//! [`Frontier`] holds what an append needs: one hash for each set bit of the size. Proofs are made
//! from tiles ([`crate::tile`]), for what a batch appended from its [`Growth`], and in small trees
//! from the leaf hashes; the two verifiers need nothing but the proof.

mod growth;
pub(crate) mod shape;

use crate::digest::Digest;

pub use growth::Growth;

/// Longest inclusion or consistency proof: a tree of 2^64 leaves.
pub const PROOF_LEN_MAX: usize = 65;

/// The hash of a leaf: `SHA-256(0x00 || entry)`.
pub fn leaf_hash(entry: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], entry])
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The right edge of a tree: the roots of its perfect subtrees, largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    roots: Vec<Digest>,
}

impl Frontier {
    /// The number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf: amortised two hashes.
    pub fn append(&mut self, leaf: Digest) {
        self.carry(0, leaf, |_, _, _| {});
    }

    /// Appends a leaf and pushes to `nodes` each node of height 8, 16, .. that it completes, lowest
    /// first: what levels 1 and up of the tiles gain.
    pub fn append_noting(&mut self, leaf: Digest, nodes: &mut Vec<Node>) {
        self.carry(0, leaf, |height, index, hash| {
            if let Some(level) = Node::level_of(height) {
                nodes.push(Node { level, index, hash });
            }
        });
    }

    /// Appends a perfect subtree of `2^height` leaves by its root, where the leaves are not at hand.
    ///
    /// # Errors
    ///
    /// [`Misaligned`] where the size is no multiple of `2^height`, or would pass `2^64 - 1`.
    pub fn append_subtree(&mut self, height: u8, root: Digest) -> Result<(), Misaligned> {
        let leaves = 1_u64.checked_shl(height.into()).ok_or(Misaligned)?;
        if !self.size.is_multiple_of(leaves) || self.size.checked_add(leaves).is_none() {
            return Err(Misaligned);
        }
        self.carry(height, root, |_, _, _| {});
        Ok(())
    }

    /// The roots of the perfect subtrees with their heights, largest and leftmost first.
    pub fn roots(&self) -> impl Iterator<Item = (u8, Digest)> {
        shape::heights(self.size).zip(self.roots.iter().copied())
    }

    /// Adds the root of `2^height` leaves, where the size is a multiple of that, and tells `complete`
    /// of each node above it that gets complete: height, index among those of its height, hash.
    fn carry(&mut self, height: u8, root: Digest, mut complete: impl FnMut(u8, u64, Digest)) {
        let (mut node, first) = (root, self.size >> height);
        for (above, step) in (height + 1..).zip(1..=first.trailing_ones()) {
            if let Some(left) = self.roots.pop() {
                node = node_hash(&left, &node);
                complete(above, first >> step, node);
            }
        }
        self.size += 1 << height;
        self.roots.push(node);
    }

    /// The root hash; of no leaves, the hash of nothing.
    pub fn root(&self) -> Digest {
        let mut roots = self.roots.iter().rev();
        let Some(last) = roots.next() else { return Digest::of(b"") };
        roots.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// A subtree root that does not fit at the right edge of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the subtree does not start at a multiple of its size, or ends beyond 2^64 - 1")]
pub struct Misaligned;

/// The root of a full tile's subtree: the hash that level `level` of the tiles holds at `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// The level, from 1: the node is over `256^level` leaves.
    pub level: u8,
    /// Its place among the nodes of its level, from 0.
    pub index: u64,
    /// Its hash.
    pub hash: Digest,
}

impl Node {
    /// The level of the tiles that holds the nodes of `height`, if one of 1 and up does.
    const fn level_of(height: u8) -> Option<u8> {
        if height > 0 && height.is_multiple_of(8) { Some(height / 8) } else { None }
    }
}

impl Extend<Digest> for Frontier {
    fn extend<I: IntoIterator<Item = Digest>>(&mut self, leaves: I) {
        for leaf in leaves {
            self.append(leaf);
        }
    }
}

/// The root of the tree over `leaves`.
pub fn root(leaves: &[Digest]) -> Digest {
    let mut frontier = Frontier::default();
    frontier.extend(leaves.iter().copied());
    frontier.root()
}

/// The inclusion proof of leaf `index` in the tree over `leaves` (RFC 9162 section 2.1.3.1).
///
/// Returns `None` where there is no such leaf.
pub fn inclusion_proof(leaves: &[Digest], index: u64) -> Option<Vec<Digest>> {
    let index = usize::try_from(index).ok().filter(|index| *index < leaves.len())?;
    let mut proof = Vec::new();
    path(leaves, index, &mut proof);
    Some(proof)
}

fn path(leaves: &[Digest], index: usize, proof: &mut Vec<Digest>) {
    if leaves.len() <= 1 {
        return;
    }
    let split = split(leaves.len());
    let (left, right) = leaves.split_at(split);
    if index < split {
        path(left, index, proof);
        proof.push(root(right));
    } else {
        path(right, index - split, proof);
        proof.push(root(left));
    }
}

/// The consistency proof between the trees of `old` and all leaves (RFC 9162 section 2.1.4.1).
///
/// Returns `None` where `old` is greater than the number of leaves. Of equal sizes, and of an
/// empty old tree, the proof is empty.
pub fn consistency_proof(leaves: &[Digest], old: u64) -> Option<Vec<Digest>> {
    let old = usize::try_from(old).ok().filter(|old| *old <= leaves.len())?;
    let mut proof = Vec::new();
    if old > 0 {
        subproof(leaves, old, true, &mut proof);
    }
    Some(proof)
}

fn subproof(leaves: &[Digest], old: usize, whole: bool, proof: &mut Vec<Digest>) {
    if old == leaves.len() {
        if !whole {
            proof.push(root(leaves));
        }
        return;
    }
    let split = split(leaves.len());
    let (left, right) = leaves.split_at(split);
    if old <= split {
        subproof(left, old, whole, proof);
        proof.push(root(right));
    } else {
        subproof(right, old - split, false, proof);
        proof.push(root(left));
    }
}

/// The largest power of two below `len`, which is 2 or more.
const fn split(len: usize) -> usize {
    1 << (usize::BITS - 1 - (len - 1).leading_zeros())
}

/// A proof that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Merkle proof does not verify")]
pub struct BadProof;

/// Verifies that `leaf` is at `index` in the tree of `size` leaves and `root` (RFC 9162
/// section 2.1.3.2).
///
/// # Errors
///
/// [`BadProof`].
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), BadProof> {
    if included_root(leaf, index, size, proof)? == *root { Ok(()) } else { Err(BadProof) }
}

/// The root that an inclusion proof leads to, for a caller that has a signature over it.
///
/// # Errors
///
/// [`BadProof`] where the proof is not as long as that of `index` in `size` leaves is.
pub fn included_root(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
) -> Result<Digest, BadProof> {
    if index >= size || proof.len() > PROOF_LEN_MAX {
        return Err(BadProof);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(BadProof);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            if node & 1 == 0 {
                let shift = node.trailing_zeros().min(63);
                node >>= shift;
                last >>= shift;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok(hash) } else { Err(BadProof) }
}

/// Verifies that the tree of `old` leaves is a prefix of that of `new` (RFC 9162 section 2.1.4.2).
///
/// # Errors
///
/// [`BadProof`].
pub fn verify_consistency(
    old: u64,
    old_root: &Digest,
    new: u64,
    new_root: &Digest,
    proof: &[Digest],
) -> Result<(), BadProof> {
    if old == 0 {
        let empty = *old_root == Digest::of(b"") && (new > 0 || new_root == old_root);
        return if proof.is_empty() && empty { Ok(()) } else { Err(BadProof) };
    }
    if extended_root(old, old_root, new, proof)? == *new_root { Ok(()) } else { Err(BadProof) }
}

/// The root that a consistency proof leads to from that of `old` leaves, for a caller that has a
/// signature over it.
///
/// # Errors
///
/// [`BadProof`] where the proof does not lead to `old_root` too, or `old` is 0: from no leaves a
/// proof leads nowhere.
pub fn extended_root(
    old: u64,
    old_root: &Digest,
    new: u64,
    proof: &[Digest],
) -> Result<Digest, BadProof> {
    if old == 0 || old > new || proof.len() > PROOF_LEN_MAX {
        return Err(BadProof);
    }
    if old == new {
        return if proof.is_empty() { Ok(*old_root) } else { Err(BadProof) };
    }
    let mut hashes = proof.iter();
    let first = if old.is_power_of_two() { old_root } else { hashes.next().ok_or(BadProof)? };
    let shift = (old - 1).trailing_ones();
    let (mut node, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in hashes {
        if last == 0 {
            return Err(BadProof);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            if node & 1 == 0 {
                let shift = node.trailing_zeros().min(63);
                node >>= shift;
                last >>= shift;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && old_hash == *old_root { Ok(new_hash) } else { Err(BadProof) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    /// The definition of RFC 9162 section 2.1.1, to check the others by.
    fn defined_root(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(b""),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                node_hash(&defined_root(left), &defined_root(right))
            }
        }
    }

    #[test]
    fn known_roots_of_the_certificate_transparency_vectors() {
        let entries: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        assert_eq!(
            root(&leaves).to_hex(),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
        );
        assert_eq!(
            root(&leaves[..1]).to_hex(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
    }

    #[test]
    fn subtrees_make_the_frontier_that_their_leaves_make() {
        let all = leaves(48);
        let mut whole = Frontier::default();
        whole.extend(all.iter().copied());
        let mut pieces = Frontier::default();
        for (height, from, to) in [(4, 0, 16), (3, 16, 24), (0, 24, 25), (0, 25, 26), (1, 26, 28)] {
            assert_eq!(pieces.append_subtree(height, root(&all[from..to])), Ok(()));
        }
        pieces.append_subtree(2, root(&all[28..32])).unwrap();
        pieces.append_subtree(4, root(&all[32..48])).unwrap();
        assert_eq!(pieces, whole);
        assert_eq!(pieces.roots().map(|(height, _)| height).collect::<Vec<_>>(), [5, 4]);
    }

    #[test]
    fn a_subtree_out_of_place_is_refused_and_changes_nothing() {
        let mut frontier = Frontier::default();
        frontier.append_subtree(1, leaf_hash(b"")).unwrap();
        let before = frontier.clone();
        for height in [2, 3, 63, 64, 255] {
            assert_eq!(frontier.append_subtree(height, leaf_hash(b"")), Err(Misaligned));
        }
        assert_eq!(frontier, before);
        let mut frontier = Frontier::default();
        frontier.append_subtree(63, leaf_hash(b"")).unwrap();
        assert_eq!(frontier.append_subtree(63, leaf_hash(b"")), Err(Misaligned));
        assert_eq!(frontier.append_subtree(62, leaf_hash(b"")), Ok(()));
    }

    #[test]
    fn every_proof_of_every_small_tree_verifies_and_no_other_index_does() {
        for size in 0..=40 {
            let leaves = leaves(size);
            let tree = root(&leaves);
            assert_eq!(tree, defined_root(&leaves));
            for index in 0..size {
                let leaf = leaves[usize::try_from(index).unwrap()];
                let proof = inclusion_proof(&leaves, index).unwrap();
                for claimed in 0..=size {
                    let verdict = verify_inclusion(&leaf, claimed, size, &proof, &tree);
                    assert_eq!(verdict.is_ok(), claimed == index, "{index} as {claimed} of {size}");
                }
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(verify_inclusion(&leaf, index, size, shorter, &tree).is_err());
                }
            }
        }
    }

    #[test]
    fn every_prefix_of_every_small_tree_is_consistent_and_a_changed_leaf_is_not() {
        for new in 1..=40 {
            let leaves = leaves(new);
            let new_root = root(&leaves);
            for old in 0..=new {
                let prefix = &leaves[..usize::try_from(old).unwrap()];
                let proof = consistency_proof(&leaves, old).unwrap();
                assert!(verify_consistency(old, &root(prefix), new, &new_root, &proof).is_ok());
                if let Some((_, rest)) = prefix.split_first() {
                    let mut forked = vec![leaf_hash(b"forged")];
                    forked.extend_from_slice(rest);
                    let forked = root(&forked);
                    assert!(verify_consistency(old, &forked, new, &new_root, &proof).is_err());
                }
            }
            assert_eq!(consistency_proof(&leaves, new + 1), None);
        }
    }
}
