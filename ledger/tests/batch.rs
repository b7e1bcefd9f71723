//! Many signatures at once: the verdicts are those of single checks, also on what was made to pass
//! the sum of a batch and nothing else.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use chancery_ledger::batch::{BATCH_MAX, BATCH_MIN, Check, Seed, verify_each};
use chancery_ledger::key::{Algorithm, PublicKey, SigningKey};
use curve25519_dalek::constants::{ED25519_BASEPOINT_TABLE, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use proptest::prelude::*;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

struct Signed {
    key: PublicKey,
    message: Vec<u8>,
    signature: Vec<u8>,
}

/// Judges all at once, compares with each alone, and gives the verdicts.
fn verdicts(signed: &[Signed]) -> Vec<bool> {
    let checks: Vec<_> = signed
        .iter()
        .map(|it| Check { key: &it.key, message: &it.message, signature: &it.signature })
        .collect();
    let found = verify_each(&checks, &Seed::new([5; 32]));
    let alone: Vec<_> =
        signed.iter().map(|it| it.key.verify(&it.message, &it.signature).is_ok()).collect();
    assert_eq!(found, alone);
    found
}

fn honest(at: usize) -> Signed {
    let [seed, ..] = (at % 5).to_le_bytes();
    let key = SigningKey::from_seed(&[seed; 32]).unwrap();
    let message = at.to_le_bytes().repeat(at % 40);
    Signed { key: key.public().clone(), signature: key.sign(&message), message }
}

fn honest_batch(len: usize) -> Vec<Signed> {
    (0..len).map(honest).collect()
}

/// `H(R, A, M)` as a scalar (RFC 8032 section 5.1.6).
fn challenge(r: &[u8], key: &[u8], message: &[u8]) -> Scalar {
    let mut hash = ring::digest::Context::new(&ring::digest::SHA512);
    for part in [r, key, message] {
        hash.update(part);
    }
    Scalar::from_bytes_mod_order_wide(hash.finish().as_ref().try_into().unwrap())
}

/// Signs with a secret of our own, and adds points to the key and to `R`.
fn crafted(message: &[u8], to_key: EdwardsPoint, to_r: EdwardsPoint) -> Signed {
    let (secret, nonce) = (Scalar::from(0x5eed_u64), Scalar::from(0x00c0_ffee_u64));
    let key = (&secret * ED25519_BASEPOINT_TABLE + to_key).compress();
    let r = (&nonce * ED25519_BASEPOINT_TABLE + to_r).compress();
    let s = nonce + challenge(r.as_bytes(), key.as_bytes(), message) * secret;
    let signature = [*r.as_bytes(), s.to_bytes()].concat();
    let key = PublicKey::new(Algorithm::EdDsa, key.as_bytes()).unwrap();
    Signed { key, message: message.to_vec(), signature }
}

#[test]
fn honest_signatures_stand_in_batches_of_every_size() {
    let sizes = [0, 1, BATCH_MIN - 1, BATCH_MIN, BATCH_MIN + 1, 300, BATCH_MAX, BATCH_MAX + 1];
    for size in sizes {
        assert_eq!(verdicts(&honest_batch(size)), vec![true; size]);
    }
}

#[test]
fn one_bad_signature_is_found_wherever_it_stands() {
    for at in (0..BATCH_MIN * 2).step_by(17) {
        let mut batch = honest_batch(BATCH_MIN * 2);
        batch[at].signature[at % 64] ^= 1;
        let found = verdicts(&batch);
        assert!(found.iter().enumerate().all(|(index, stands)| *stands == (index != at)));
    }
}

#[test]
fn a_part_of_small_order_in_r_passes_no_batch() {
    // Times eight, the equation of such a signature stands: a cofactored check takes it. Alone, in
    // pairs that add up to nothing, and in eights, a sum without the test of subsets would too.
    let zero = EdwardsPoint::default();
    for torsion in &EIGHT_TORSION[1..] {
        for copies in [1, 2, 8] {
            let mut batch = honest_batch(BATCH_MIN * 4);
            for copy in 0..copies {
                let part = if copy % 2 == 0 { *torsion } else { -torsion };
                batch.insert(copy * 31, crafted(&[1, u8::try_from(copy).unwrap()], zero, part));
            }
            let found = verdicts(&batch);
            assert_eq!(found.iter().filter(|stands| !**stands).count(), copies);
        }
    }
    assert!(verdicts(&[crafted(b"without one", zero, zero)])[0]);
}

#[test]
fn a_key_with_a_part_of_small_order_is_judged_as_alone() {
    // Where the challenge is a multiple of eight, single checks take its signature: one in eight.
    let zero = EdwardsPoint::default();
    let mut batch = honest_batch(BATCH_MIN);
    batch.extend((0..64_u8).map(|at| crafted(&[at], EIGHT_TORSION[1], zero)));
    let found = verdicts(&batch);
    let taken = found[BATCH_MIN..].iter().filter(|stands| **stands).count();
    assert!((1..64).contains(&taken), "{taken} of 64 stand alone");
}

#[test]
fn second_forms_of_r_and_s_and_other_lengths_pass_no_batch() {
    let mut batch = honest_batch(BATCH_MIN * 2);
    // R = 1, the neutral point, in its two forms, and y = p, a second form of 0.
    for (at, (first, rest, last)) in
        [(1, 0, 0), (1, 0, 0x80), (0xed, 0xff, 0x7f), (0xee, 0xff, 0x7f)].into_iter().enumerate()
    {
        let mut r = [rest; 32];
        (r[0], r[31]) = (first, last);
        batch[at].signature[..32].copy_from_slice(&r);
    }
    batch[10].signature[32..].copy_from_slice(&[0xff; 32]);
    batch[11].signature.truncate(63);
    batch[12].signature.push(0);
    batch[13].signature.clear();
    let bad = verdicts(&batch).iter().filter(|stands| !**stands).count();
    assert_eq!(bad, 8);
}

#[test]
fn other_algorithms_are_judged_beside_the_batch() {
    let draw = ring::rand::SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &draw).unwrap();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &draw).unwrap();
    let key = PublicKey::new(Algorithm::Es256, pair.public_key().as_ref()).unwrap();
    let mut batch = honest_batch(BATCH_MIN * 2);
    for (at, message) in [(5, b"signed"), (6, b"sighed")] {
        let signature = pair.sign(&draw, b"signed").unwrap().as_ref().to_vec();
        batch.insert(at, Signed { key: key.clone(), message: message.to_vec(), signature });
    }
    let found = verdicts(&batch);
    assert!(found.iter().enumerate().all(|(at, stands)| *stands == (at != 6)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_mixture_has_the_verdicts_of_each(
        len in BATCH_MIN..3 * BATCH_MIN,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..512_usize), 0..6),
        swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
    ) {
        let mut batch = honest_batch(len);
        for (index, bit) in flips {
            batch[index.index(len)].signature[bit / 8] ^= 1 << (bit % 8);
        }
        for (one, other) in swaps {
            let (one, other) = (one.index(len), other.index(len));
            let signature = batch[one].signature.clone();
            batch[one].signature = std::mem::replace(&mut batch[other].signature, signature);
        }
        verdicts(&batch);
    }
}
