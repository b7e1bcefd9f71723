//! The shape of the tree: which ranges of leaves a proof is made of, and which perfect subtrees make
//! up a range. No hashes here, so that tiles, batches and leaf slices share it.

use super::node_hash;
use crate::digest::Digest;

/// The leaves of one node of a tree: `from` up to, not including, `to`; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub from: u64,
    pub to: u64,
}

/// A perfect subtree: `2^height` leaves from `index * 2^height`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Perfect {
    pub height: u8,
    pub index: u64,
}

/// The heights of the perfect subtrees of a tree of `size` leaves, largest first.
pub fn heights(size: u64) -> impl Iterator<Item = u8> {
    (0..64_u8).rev().filter(move |height| size >> height & 1 == 1)
}

impl Range {
    /// The perfect subtrees that make up this range, left to right, largest first.
    pub fn perfects(self) -> impl Iterator<Item = Perfect> {
        // A node's range starts at a multiple of the largest power of two in its length.
        let (mut from, len) = (self.from, self.to - self.from);
        heights(len).map(move |height| {
            let index = from >> height;
            from += 1 << height;
            Perfect { height, index }
        })
    }

    /// This range, where it is one perfect subtree.
    pub const fn perfect(self) -> Option<Perfect> {
        let len = self.to - self.from;
        if !len.is_power_of_two() {
            return None;
        }
        let height = len.trailing_zeros();
        #[allow(clippy::cast_possible_truncation, reason = "64 at most")]
        Some(Perfect { height: height as u8, index: self.from >> height })
    }

    /// The hash of this range's node, where `hash` gives those of perfect subtrees.
    pub fn hash<E>(self, mut hash: impl FnMut(Perfect) -> Result<Digest, E>) -> Result<Digest, E> {
        let mut perfects: Vec<_> = self.perfects().collect();
        let Some(last) = perfects.pop() else { return Ok(Digest::of(b"")) };
        let mut right = hash(last)?;
        while let Some(perfect) = perfects.pop() {
            right = node_hash(&hash(perfect)?, &right);
        }
        Ok(right)
    }

    /// The two children of a node of 2 or more leaves; the left one is perfect.
    const fn split(self) -> (Self, Self) {
        let len = self.to - self.from;
        let at = self.from + (1 << (len - 1).ilog2());
        (Self { from: self.from, to: at }, Self { from: at, to: self.to })
    }
}

/// The nodes of the inclusion proof of leaf `index` in a tree of `size`, in the proof's order (RFC
/// 9162 section 2.1.3.1); `None` where there is no such leaf.
pub fn inclusion(index: u64, size: u64) -> Option<Vec<Range>> {
    if index >= size {
        return None;
    }
    let (mut node, mut siblings) = (Range { from: 0, to: size }, Vec::new());
    while node.to - node.from > 1 {
        let (left, right) = node.split();
        let inside_left = index < left.to;
        siblings.push(if inside_left { right } else { left });
        node = if inside_left { left } else { right };
    }
    siblings.reverse();
    Some(siblings)
}

/// The nodes of the consistency proof from `old` to `new`, in the proof's order (RFC 9162 section
/// 2.1.4.1): none where `old` is 0 or `new`; `None` where `old` is greater.
pub fn consistency(old: u64, new: u64) -> Option<Vec<Range>> {
    if old > new {
        return None;
    }
    let (mut node, mut nodes) = (Range { from: 0, to: new }, Vec::new());
    if old == 0 {
        return Some(nodes);
    }
    while old < node.to {
        let (left, right) = node.split();
        let inside_left = old <= left.to;
        nodes.push(if inside_left { right } else { left });
        node = if inside_left { left } else { right };
    }
    // The old tree itself, which the verifier has, is not part of the proof.
    if node.from > 0 {
        nodes.push(node);
    }
    nodes.reverse();
    Some(nodes)
}
