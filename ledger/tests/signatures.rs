//! Another library's verdict on the same signatures: a log must verify alike with either.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use chancery_ledger::key::{Algorithm, PublicKey, SigningKey};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// The order of the base point, little-endian (RFC 8032 section 5.1).
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn both(key: &[u8], message: &[u8], signature: &[u8]) -> (bool, bool) {
    let ours = PublicKey::new(Algorithm::EdDsa, key).unwrap().verify(message, signature).is_ok();
    let rings = UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok();
    (ours, rings)
}

#[test]
fn both_libraries_make_and_take_the_same_signatures() {
    for seed in 0..64_u8 {
        let message = vec![seed; usize::from(seed) * 7];
        let ours = SigningKey::from_seed(&[seed; 32]).unwrap();
        let rings = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let signature = ours.sign(&message);
        assert_eq!(ours.public().bytes(), rings.public_key().as_ref());
        assert_eq!(signature, rings.sign(&message).as_ref());
        assert_eq!(both(ours.public().bytes(), &message, &signature), (true, true));
    }
}

#[test]
fn both_libraries_refuse_the_same() {
    let key = SigningKey::from_seed(&[3; 32]).unwrap();
    let (public, message) = (key.public().bytes().to_vec(), b"an entry".to_vec());
    let good = key.sign(&message);
    for bit in 0..8 * 64 {
        let mut signature = good.clone();
        signature[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(both(&public, &message, &signature), (false, false), "bit {bit}");
    }
    for bit in 0..8 * 32 {
        let mut other = public.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(both(&other, &message, &good), (false, false), "bit {bit} of the key");
    }
    for len in [0, 63, 65] {
        let mut signature = good.clone();
        signature.resize(len, 0);
        assert_eq!(both(&public, &message, &signature), (false, false), "{len} bytes");
    }
}

#[test]
fn a_signature_has_one_form() {
    // S + L is the same number: who could use it had two signatures for one message (RFC 8032
    // section 5.1.7 asks for S < L).
    let key = SigningKey::from_seed(&[3; 32]).unwrap();
    let mut signature = key.sign(b"an entry");
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    assert_eq!(both(key.public().bytes(), b"an entry", &signature), (false, false));
}
