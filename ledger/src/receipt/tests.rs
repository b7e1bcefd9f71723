use super::*;
use crate::cose::{self, ContentType};
use crate::merkle::{consistency_proof, inclusion_proof, leaf_hash, root};
use proptest::prelude::*;

fn key() -> SigningKey {
    SigningKey::from_seed(&[1; 32]).unwrap()
}

fn leaves(count: u64) -> Vec<Digest> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

/// A receipt that the last of 7 leaves but two is in.
fn inclusion() -> (Vec<u8>, Digest) {
    let leaves = leaves(7);
    let signed = SignedRoot::sign(root(&leaves), &key());
    (signed.inclusion(7, 4, &inclusion_proof(&leaves, 4).unwrap()), leaves[4])
}

/// A receipt that 7 leaves extend 3.
fn consistency() -> (Vec<u8>, Digest) {
    let leaves = leaves(7);
    let signed = SignedRoot::sign(root(&leaves), &key());
    (signed.consistency(3, 7, &consistency_proof(&leaves, 3).unwrap()), root(&leaves[..3]))
}

#[test]
fn one_signature_serves_every_entry_and_every_older_tree() {
    let all = leaves(20);
    for size in 1..=20 {
        let leaves = &all[..size];
        let signed = SignedRoot::sign(root(leaves), &key());
        for (index, leaf) in (0..).zip(leaves) {
            let size = size as u64;
            let proof = inclusion_proof(leaves, index).unwrap();
            let receipt = signed.inclusion(size, index, &proof);
            let verified = verify_inclusion(&receipt, leaf, key().public());
            assert_eq!(verified, Ok(Inclusion { size, index, root: *signed.root() }));
            assert_eq!(key_id(&receipt), Ok(key().public().id()));
        }
        for old in 1..=size {
            let (new, old_root) = (size as u64, root(&leaves[..old]));
            let old = old as u64;
            let proof = consistency_proof(leaves, old).unwrap();
            let receipt = signed.consistency(old, new, &proof);
            let verified = verify_consistency(&receipt, &old_root, key().public());
            assert_eq!(verified, Ok(Consistency { old, new, root: *signed.root() }));
            assert_eq!(key_id(&receipt), Ok(key().public().id()));
        }
    }
}

#[test]
fn another_leaf_another_root_another_key_and_another_kind_are_refused() {
    let other = SigningKey::from_seed(&[2; 32]).unwrap();
    let (receipt, leaf) = inclusion();
    let wrong = verify_inclusion(&receipt, &leaves(7)[3], key().public());
    assert_eq!(wrong, Err(ReceiptError::BadSignature));
    let wrong = verify_inclusion(&receipt, &leaf, other.public());
    assert_eq!(wrong, Err(ReceiptError::UnknownKey));
    let wrong = verify_consistency(&receipt, &leaf, key().public());
    assert!(matches!(wrong, Err(ReceiptError::Structure(_))));
    let (receipt, old_root) = consistency();
    let wrong = verify_consistency(&receipt, &root(&leaves(2)), key().public());
    assert_eq!(wrong, Err(ReceiptError::Proof));
    let wrong = verify_consistency(&receipt, &old_root, other.public());
    assert_eq!(wrong, Err(ReceiptError::UnknownKey));
    assert!(verify_inclusion(&receipt, &old_root, key().public()).is_err());
}

/// A proof sits outside the signature: a change of it leads to another root or to none, but for sizes
/// and indices, which a receipt does not prove (see the module): those it then claims are others.
#[test]
fn any_flipped_bit_is_refused() {
    let (receipt, leaf) = inclusion();
    for_each_flip(&receipt, |bytes| {
        verify_inclusion(bytes, &leaf, key().public())
            .is_ok_and(|proved| (proved.size, proved.index) == (7, 4))
    });
    let (receipt, old_root) = consistency();
    for_each_flip(&receipt, |bytes| {
        verify_consistency(bytes, &old_root, key().public())
            .is_ok_and(|proved| (proved.old, proved.new) == (3, 7))
    });
}

fn for_each_flip(receipt: &[u8], accepts: impl Fn(&[u8]) -> bool) {
    assert!(accepts(receipt));
    for at in 0..receipt.len() {
        for bit in 0..8 {
            let mut altered = receipt.to_vec();
            altered[at] ^= 1 << bit;
            assert!(!accepts(&altered), "byte {at} bit {bit}");
        }
        assert!(!accepts(&receipt[..at]), "cut at {at}");
    }
    assert!(!accepts(&[receipt, &[0]].concat()));
}

/// What the module says that a receipt does not prove: if this changes, so must that text.
#[test]
fn size_and_index_are_not_signed() {
    let leaves = leaves(4);
    let signed = SignedRoot::sign(root(&leaves), &key());
    let proof = inclusion_proof(&leaves, 0).unwrap();
    let claimed = signed.inclusion(3, 0, &proof);
    let proved = verify_inclusion(&claimed, &leaves[0], key().public()).unwrap();
    assert_eq!((proved.size, &proved.root), (3, signed.root()));
}

#[test]
fn a_receipt_is_no_other_message_and_no_other_message_is_a_receipt() {
    let (receipt, leaf) = inclusion();
    let kinds = [
        ContentType::Entry,
        ContentType::Command,
        ContentType::ExecutorReport,
        ContentType::JobSpec,
    ];
    for kind in kinds {
        assert!(cose::parse(kind, &receipt).is_err());
        // A message over the root itself, signed by the same key.
        let message = cose::sign(kind, root(&leaves(7)).as_bytes(), &key());
        assert!(verify_inclusion(&message, &leaf, key().public()).is_err());
        // Its signature and protected header in the place of the receipt's.
        let Ok(Value::Array(parts)) = codec::decode(&message[1..]) else { panic!("no array") };
        let Ok(Value::Array(mut own)) = codec::decode(&receipt[1..]) else { panic!("no array") };
        own[3] = parts[3].clone();
        let forged = [vec![TAG_SIGN1], codec::encode(&Value::Array(own.clone()))].concat();
        let refused = verify_inclusion(&forged, &leaf, key().public());
        assert_eq!(refused, Err(ReceiptError::BadSignature));
        own[0] = parts[0].clone();
        let forged = [vec![TAG_SIGN1], codec::encode(&Value::Array(own))].concat();
        let refused = verify_inclusion(&forged, &leaf, key().public());
        assert!(matches!(refused, Err(ReceiptError::Structure(_))), "{refused:?}");
    }
}

#[test]
fn what_is_not_exactly_a_receipt_is_refused() {
    let (receipt, leaf) = inclusion();
    let Ok(Value::Array(parts)) = codec::decode(&receipt[1..]) else { panic!("no array") };
    let proofs = |proofs| Value::map([(LABEL_VDP, Value::map([(-1, Value::Array(proofs))]))]);
    let proof = |first: i128, path| {
        let parts = vec![Value::Int(first), Value::Int(4), Value::Array(path)];
        Value::Bytes(codec::encode(&Value::Array(parts)))
    };
    let hash = Value::bytes([7; 32]);
    let cases = [
        ("attached payload", 2, Value::bytes(*root(&leaves(7)).as_bytes())),
        ("no unprotected header", 1, Value::map::<Key>([])),
        ("no proof", 1, proofs(vec![])),
        ("two proofs", 1, proofs(vec![proof(7, vec![]), proof(7, vec![])])),
        ("a number for a proof", 1, proofs(vec![Value::Int(1 << 40)])),
        ("negative size", 1, proofs(vec![proof(-7, vec![])])),
        ("a short hash", 1, proofs(vec![proof(7, vec![Value::bytes([7; 31])])])),
        ("a path too long", 1, proofs(vec![proof(7, vec![hash.clone(); PROOF_LEN_MAX + 1])])),
        ("protected header of text", 0, Value::text("a")),
        ("empty protected header", 0, Value::bytes([])),
        ("signature of null", 3, Value::Null),
    ];
    for (name, at, value) in cases {
        let mut altered = parts.clone();
        altered[at] = value;
        let bytes = [vec![TAG_SIGN1], codec::encode(&Value::Array(altered))].concat();
        let refused = verify_inclusion(&bytes, &leaf, key().public());
        let as_structure =
            matches!(refused, Err(ReceiptError::Structure(_) | ReceiptError::Cbor(_)));
        assert!(as_structure, "{name}: {refused:?}");
    }
    let mut both = parts.clone();
    both[1] = Value::map([(
        LABEL_VDP,
        Value::map([(-1, Value::Array(vec![])), (-2, Value::Array(vec![]))]),
    )]);
    let bytes = [vec![TAG_SIGN1], codec::encode(&Value::Array(both))].concat();
    assert!(verify_inclusion(&bytes, &leaf, key().public()).is_err());
    let zero = SignedRoot::sign(root(&leaves(7)), &key()).consistency(0, 7, &[]);
    let empty = verify_consistency(&zero, &Digest::of(b""), key().public());
    assert_eq!(empty, Err(ReceiptError::Proof));
}

#[test]
fn the_longest_receipt_is_within_the_limit_and_a_longer_text_is_not_read() {
    let path = vec![Digest::of(b"hash"); PROOF_LEN_MAX];
    let longest = SignedRoot::sign(Digest::of(b"root"), &key()).inclusion(u64::MAX, 1 << 63, &path);
    assert!(longest.len() < RECEIPT_LEN_MAX, "{}", longest.len());
    let long = [vec![TAG_SIGN1], vec![0; RECEIPT_LEN_MAX]].concat();
    let refused = verify_inclusion(&long, &Digest::of(b""), key().public());
    assert_eq!(refused, Err(ReceiptError::NotSign1));
    let refused = verify_inclusion(&long[..RECEIPT_LEN_MAX], &Digest::of(b""), key().public());
    assert!(matches!(refused, Err(ReceiptError::Cbor(_))));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        bytes.insert(0, TAG_SIGN1);
        prop_assert!(verify_inclusion(&bytes, &Digest::of(b""), key().public()).is_err());
        prop_assert!(verify_consistency(&bytes, &Digest::of(b""), key().public()).is_err());
    }

    #[test]
    fn arbitrary_proofs_never_panic_and_never_verify(
        first in any::<u64>(), second in any::<u64>(), len in 0..66_usize,
    ) {
        let signed = SignedRoot::sign(root(&leaves(7)), &key());
        let path = vec![Digest::of(b"hash"); len];
        let receipt = signed.inclusion(first, second, &path);
        prop_assert!(verify_inclusion(&receipt, &leaves(1)[0], key().public()).is_err());
        let receipt = signed.consistency(first, second, &path);
        prop_assert!(verify_consistency(&receipt, &leaves(1)[0], key().public()).is_err());
    }
}
