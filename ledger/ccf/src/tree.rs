//! CCF's Merkle tree: SHA-256 without domain prefixes, an odd node promoted as it is.
//!
//! The tree has the shape of RFC 9162's, other hashes: a node is `SHA-256(left || right)`. Leaf 0 is
//! 32 zero bytes; the transaction of sequence number `n` is leaf `n`. So the root that a signature
//! transaction at `n` signs is over `n` leaves, 0 to `n - 1`.

use chancery_ledger::digest::Digest;
use ring::digest::{SHA256, digest};

/// Longest path of a proof: a tree of 2^64 leaves is that deep.
pub const PATH_LEN_MAX: usize = 64;

/// Two hashes, one after the other: what a node is the hash of.
pub type Pair = [u8; 2 * Digest::LEN];

/// A Merkle root, with what it is the hash of where that is known.
///
/// A node signs the root as a digest. The library takes messages only: it is given the pair, whose
/// SHA-256 the root is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    digest: Digest,
    pair: Option<Pair>,
}

/// On which side of the path a hash stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before what the path has come to.
    Left,
    /// After it.
    Right,
}

/// A step of a path: a hash and its side.
pub type Step = (Side, Digest);

/// A path that can't be the one of a leaf of that index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path is not one of the transaction's place in a tree")]
pub struct Misplaced;

impl Root {
    /// A root that is only known as a digest.
    pub const fn of_digest(digest: Digest) -> Self {
        Self { digest, pair: None }
    }

    /// The root over two nodes.
    pub fn of_nodes(left: &Digest, right: &Digest) -> Self {
        let mut pair = [0; 2 * Digest::LEN];
        let (first, second) = pair.split_at_mut(Digest::LEN);
        first.copy_from_slice(left.as_bytes());
        second.copy_from_slice(right.as_bytes());
        Self { digest: sha256(&pair), pair: Some(pair) }
    }

    /// The root that a path leads to from a leaf.
    pub fn of_path(leaf: Digest, path: &[Step]) -> Self {
        path.iter().fold(Self::of_digest(leaf), |below, (side, hash)| match side {
            Side::Left => Self::of_nodes(hash, &below.digest),
            Side::Right => Self::of_nodes(&below.digest, hash),
        })
    }

    /// Its digest.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What it is the SHA-256 of, where that is known.
    pub const fn pair(&self) -> Option<&Pair> {
        self.pair.as_ref()
    }
}

/// `SHA-256(bytes)`.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_slice(digest(&SHA256, bytes).as_ref()).unwrap_or_else(|| Digest::of(bytes))
}

/// Checks that a path has the sides of the leaf `index` in a tree of `size` leaves.
///
/// # Errors
///
/// [`Misplaced`].
pub fn check_place(path: &[Step], index: u64, size: u64) -> Result<(), Misplaced> {
    if index >= size {
        return Err(Misplaced);
    }
    let (mut at, mut last) = (index, size - 1);
    let mut sides = path.iter().map(|(side, _)| *side);
    while last > 0 {
        let expected = match (at % 2, at == last) {
            (1, _) => Some(Side::Left),
            (_, false) => Some(Side::Right),
            // Promoted: nothing stands beside it.
            (_, true) => None,
        };
        if expected.is_some() && sides.next() != expected {
            return Err(Misplaced);
        }
        at /= 2;
        last /= 2;
    }
    if sides.next().is_none() { Ok(()) } else { Err(Misplaced) }
}

/// Checks that there is a size of tree in which the leaf `index` has a path of these sides.
///
/// # Errors
///
/// [`Misplaced`].
pub fn check_some_place(path: &[Step], index: u64) -> Result<(), Misplaced> {
    let mut sides = path.iter().map(|(side, _)| *side).peekable();
    let (mut at, mut promoted) = (index, false);
    while at > 0 || sides.peek().is_some() {
        if at % 2 == 1 {
            if sides.next() != Some(Side::Left) {
                return Err(Misplaced);
            }
        } else if !promoted && sides.peek() == Some(&Side::Right) {
            sides.next();
        } else if at == 0 {
            // Something is left over that stands nowhere.
            return Err(Misplaced);
        } else {
            // The last of its level, and then of all above: nothing comes after it any more.
            promoted = true;
        }
        at /= 2;
    }
    Ok(())
}

/// The roots of the complete subtrees of a growing tree.
#[derive(Debug, Clone)]
pub struct Frontier {
    size: u64,
    /// By height; what stands at heights that are not in `size` is left over and not read.
    roots: Vec<Root>,
}

impl Default for Frontier {
    fn default() -> Self {
        Self { size: 0, roots: Vec::with_capacity(PATH_LEN_MAX) }
    }
}

impl Frontier {
    /// The tree of CCF before its first transaction: leaf 0, which is zeros.
    pub fn genesis() -> Self {
        let mut frontier = Self::default();
        frontier.append(Digest::from_bytes([0; Digest::LEN]));
        frontier
    }

    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf.
    pub fn append(&mut self, leaf: Digest) {
        self.append_subtree(0, leaf);
    }

    /// Appends the root of a complete subtree of that height, at which `size` must be aligned.
    fn append_subtree(&mut self, height: u32, root: Digest) {
        let mut node = Root::of_digest(root);
        let mut level = height;
        while self.size >> level & 1 == 1
            && let Some(left) = self.roots.get(level as usize)
        {
            node = Root::of_nodes(&left.digest, &node.digest);
            level += 1;
        }
        let level = level as usize;
        if self.roots.len() <= level {
            self.roots.resize(level + 1, node);
        }
        self.roots[level] = node;
        self.size += 1 << height;
    }

    /// The root over all leaves; none where there is no leaf.
    pub fn root(&self) -> Option<Root> {
        let heights = (0..u64::BITS).filter(|height| self.size >> height & 1 == 1);
        let complete = heights.filter_map(|height| self.roots.get(height as usize));
        complete.copied().reduce(|right, left| Root::of_nodes(&left.digest, &right.digest))
    }
}

/// Why the bytes of `public:ccf.internal.tree` are not a compact tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a compact Merkle tree")]
pub struct BadCompactTree;

/// The tree that a signature transaction holds in `public:ccf.internal.tree`: big-endian number of
/// leaves and of flushed leaves, the leaves that are not flushed, then the roots of the complete
/// subtrees of the flushed ones, lowest first.
///
/// Gives it back as a frontier, so that its size and root can be compared.
///
/// # Errors
///
/// [`BadCompactTree`].
pub fn read_compact(bytes: &[u8]) -> Result<Frontier, BadCompactTree> {
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_be_bytes).ok_or(BadCompactTree)
    };
    let (leaves, flushed) = (number(0)?, number(8)?);
    let (hashes, rest) = bytes.get(16..).ok_or(BadCompactTree)?.as_chunks::<{ Digest::LEN }>();
    let subtrees = flushed.count_ones() as usize;
    let wanted = usize::try_from(leaves).ok().and_then(|leaves| leaves.checked_add(subtrees));
    if !rest.is_empty() || wanted != Some(hashes.len()) || leaves.checked_add(flushed).is_none() {
        return Err(BadCompactTree);
    }
    let (leaves, roots) = hashes.split_at(hashes.len() - subtrees);
    let mut frontier = Frontier::default();
    let heights = (0..u64::BITS).filter(|height| flushed >> height & 1 == 1);
    let subtrees: Vec<_> = heights.zip(roots).collect();
    for (height, root) in subtrees.into_iter().rev() {
        frontier.append_subtree(height, Digest::from_bytes(*root));
    }
    for leaf in leaves {
        frontier.append(Digest::from_bytes(*leaf));
    }
    Ok(frontier)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|number| Digest::of(&number.to_be_bytes())).collect()
    }

    /// Level by level, as the description has it: pairs hashed, an odd node promoted.
    fn levels(leaves: &[Digest]) -> Vec<Vec<Digest>> {
        let mut levels = vec![leaves.to_vec()];
        while levels.last().unwrap().len() > 1 {
            let level = levels.last().unwrap().chunks(2).map(|pair| match pair {
                [left, right] => Digest::of_parts(&[left.as_bytes(), right.as_bytes()]),
                [odd] => *odd,
                _ => unreachable!(),
            });
            levels.push(level.collect());
        }
        levels
    }

    fn path(leaves: &[Digest], index: usize) -> Vec<Step> {
        let (mut at, mut path) = (index, Vec::new());
        for level in levels(leaves) {
            if at % 2 == 1 {
                path.push((Side::Left, level[at - 1]));
            } else if let Some(right) = level.get(at + 1) {
                path.push((Side::Right, *right));
            }
            at /= 2;
        }
        path
    }

    #[test]
    fn frontier_levels_and_paths_agree() {
        let mut frontier = Frontier::default();
        for size in 1..=130_u64 {
            let leaves = leaves(size);
            frontier.append(*leaves.last().unwrap());
            let root = frontier.root().unwrap();
            assert_eq!(*root.digest(), levels(&leaves).last().unwrap()[0], "{size}");
            assert_eq!(root.pair().is_some(), size > 1);
            assert!(root.pair().is_none_or(|pair| Digest::of(pair) == *root.digest()));
            for index in 0..leaves.len() {
                let path = path(&leaves, index);
                assert_eq!(Root::of_path(leaves[index], &path).digest(), root.digest());
                check_place(&path, index as u64, size).unwrap();
                check_some_place(&path, index as u64).unwrap();
            }
        }
    }

    #[test]
    fn a_path_of_another_place_is_misplaced() {
        for size in 1..=40_u64 {
            let leaves = leaves(size);
            for index in 0..size {
                let path = path(&leaves, usize::try_from(index).unwrap());
                for other in 0..size {
                    let same = path.iter().map(|step| step.0).eq(self::path(
                        &leaves,
                        usize::try_from(other).unwrap(),
                    )
                    .iter()
                    .map(|step| step.0));
                    assert_eq!(check_place(&path, other, size).is_ok(), same, "{index} {other}");
                    if check_place(&path, other, size).is_ok() {
                        check_some_place(&path, other).unwrap();
                    }
                }
                assert!(path.is_empty() || check_place(&path[1..], index, size).is_err());
            }
            assert_eq!(check_place(&[], size, size), Err(Misplaced));
        }
    }

    #[test]
    fn some_place_is_a_place_in_some_tree() {
        let hash = Digest::of(b"");
        for len in 0..=6_u32 {
            for sides in 0..1_u32 << len {
                let side = |bit| if sides >> bit & 1 == 1 { Side::Left } else { Side::Right };
                let path: Vec<_> = (0..len).map(|bit| (side(bit), hash)).collect();
                for index in 0..70 {
                    let some =
                        (index + 1..=140).any(|size| check_place(&path, index, size).is_ok());
                    assert_eq!(check_some_place(&path, index).is_ok(), some, "{path:?} {index}");
                }
            }
        }
    }

    #[test]
    fn a_compact_tree_has_the_root_of_its_leaves() {
        for size in 1..=70_u64 {
            let leaves = leaves(size);
            for flushed in 0..=size {
                let mut bytes = (size - flushed).to_be_bytes().to_vec();
                bytes.extend(flushed.to_be_bytes());
                let (before, after) = leaves.split_at(usize::try_from(flushed).unwrap());
                bytes.extend(after.iter().flat_map(|hash| *hash.as_bytes()));
                let mut frontier = Frontier::default();
                for leaf in before {
                    frontier.append(*leaf);
                }
                for height in (0..64).filter(|height| flushed >> height & 1 == 1) {
                    bytes.extend(frontier.roots[height].digest.as_bytes());
                }
                let read = read_compact(&bytes).unwrap();
                assert_eq!(read.size(), size);
                assert_eq!(read.root().unwrap().digest(), &levels(&leaves).last().unwrap()[0]);
                assert!(read_compact(&bytes[..bytes.len() - 1]).is_err());
                assert!(read_compact(&[&bytes[..], &[0; 32]].concat()).is_err());
            }
        }
        assert!(read_compact(&[0xff; 16]).is_err());
        assert!(read_compact(&[]).is_err());
    }
}
