//! CCF's Merkle tree: leaf 0 is 32 zeros, the transaction of sequence number n is leaf n, nodes are
//! hashed without a prefix, and what is odd goes up unchanged.

use chancery_ccf::leaf::{self, NO_CLAIMS};
use chancery_ledger::digest::Digest;

struct Transaction {
    write_set: Digest,
    evidence: String,
    claims: Digest,
}

/// All transactions of the stand-in.
pub struct Tree {
    transactions: Vec<Transaction>,
    /// `levels[0]` are the leaves; a level above holds one hash for each pair below, complete or not.
    levels: Vec<Vec<Digest>>,
}

/// What a receipt is made of. A step is whether the sibling is on the left, and its hash.
pub struct Proof {
    pub write_set: Digest,
    pub evidence: String,
    pub claims: Digest,
    pub path: Vec<(bool, Digest)>,
    pub root: Digest,
}

impl Default for Tree {
    fn default() -> Self {
        Self { transactions: Vec::new(), levels: vec![vec![NO_CLAIMS]] }
    }
}

impl Tree {
    /// The newest sequence number.
    pub fn last(&self) -> u64 {
        self.transactions.len() as u64
    }

    /// Adds a transaction and gives its sequence number.
    pub fn append(&mut self, view: u64, claims: Digest, write_set: Digest) -> u64 {
        let seqno = self.last() + 1;
        let nonce = Digest::of_parts(&[b"insecure", &seqno.to_be_bytes()]);
        let evidence = format!("ce:{view}.{seqno}:{}", nonce.to_hex());
        let leaf = leaf::hash(&write_set, &Digest::of(evidence.as_bytes()), &claims);
        self.transactions.push(Transaction { write_set, evidence, claims });
        self.grow(leaf);
        seqno
    }

    /// The proof of a transaction in the tree of today.
    pub fn proof(&self, seqno: u64) -> Option<Proof> {
        let index = usize::try_from(seqno).ok()?;
        let Transaction { write_set, evidence, claims } =
            self.transactions.get(index.checked_sub(1)?)?;
        let mut at = index;
        let mut path = Vec::new();
        for level in &self.levels {
            if let Some(sibling) = level.get(at ^ 1) {
                path.push((at % 2 == 1, *sibling));
            }
            at /= 2;
        }
        let root = *self.levels.last()?.first()?;
        Some(Proof {
            write_set: *write_set,
            evidence: evidence.clone(),
            claims: *claims,
            path,
            root,
        })
    }

    fn grow(&mut self, leaf: Digest) {
        let (mut node, mut level) = (leaf, 0);
        let mut place = self.levels[0].len();
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[level];
            if place < hashes.len() {
                hashes[place] = node;
            } else {
                hashes.push(node);
            }
            if hashes.len() == 1 {
                break;
            }
            node = match hashes.get(place ^ 1) {
                Some(left) if place % 2 == 1 => {
                    Digest::of_parts(&[left.as_bytes(), node.as_bytes()])
                }
                _ => node,
            };
            place /= 2;
            level += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_ccf::tree::{Frontier, Root};

    #[test]
    fn roots_and_paths_are_those_of_the_verifier() {
        let mut tree = Tree::default();
        let mut frontier = Frontier::genesis();
        for number in 1..70_u64 {
            tree.append(2, Digest::of(&number.to_be_bytes()), Digest::of(b"write set"));
            let added = tree.proof(number).unwrap();
            let evidence = Digest::of(added.evidence.as_bytes());
            frontier.append(leaf::hash(&added.write_set, &evidence, &added.claims));
            for seqno in 1..=number {
                let proof = tree.proof(seqno).unwrap();
                assert_eq!(Some(&proof.root), frontier.root().as_ref().map(Root::digest));
                let evidence = Digest::of(proof.evidence.as_bytes());
                let leaf = leaf::hash(&proof.write_set, &evidence, &proof.claims);
                let folded = proof.path.iter().fold(leaf, |node, (left, sibling)| {
                    let (a, b) = if *left { (sibling, &node) } else { (&node, sibling) };
                    Digest::of_parts(&[a.as_bytes(), b.as_bytes()])
                });
                assert_eq!(folded, proof.root, "{seqno} of {number}");
            }
        }
        assert!(tree.proof(0).is_none() && tree.proof(70).is_none());
    }
}
