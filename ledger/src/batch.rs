//! Many Ed25519 signatures checked at once, with the verdicts of checking each.
//!
//! One equation over random multiples of all signatures costs a third of as many single checks (RFC
//! 8032 section 8.9 leaves room for it). On its own it would take more: a signer can add a point of
//! small order to its signature's `R`, which single checks refuse and a sum can hide. So it is
//! shown first that no point in the batch has such a part, by sums over random subsets: a part in
//! any of them survives in half of the subsets. What is left is a group of prime order, and there
//! the equation stands only if each signature does, but for one chance in 2^[`SUBSETS`]
//! (docs/adr/0020).

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity as _, VartimeMultiscalarMul as _};

use crate::key::{Algorithm, PublicKey};

/// Fewer signatures than these are checked one by one: what a batch costs whatever its size would
/// not pay.
pub const BATCH_MIN: usize = 64;
/// More signatures than these are checked in several batches: larger ones gain nothing, and one bad
/// signature costs its whole batch again.
pub const BATCH_MAX: usize = 1024;
/// Subsets of a batch whose sums are shown to have no part of small order.
pub const SUBSETS: usize = PASSES * SUBSETS_A_PASS;

/// Subsets that share one pass over the points: one for each bit of a bucket's number. A pass adds
/// every point once and every bucket twice: with more bits the buckets cost more than the points of a
/// few hundred signatures, with fewer there are more passes.
const SUBSETS_A_PASS: usize = 6;
const PASSES: usize = 11;
const BUCKETS: usize = 1 << SUBSETS_A_PASS;
/// Bytes of a random multiple: 128 bits, as the security of the signatures themselves.
const MULTIPLE_LEN: usize = 16;
const CONTEXT: &[u8] = b"chancery/v1/batch";

/// A signature to check.
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// The key that is to have signed.
    pub key: &'a PublicKey,
    /// What it is to have signed.
    pub message: &'a [u8],
    /// Its signature.
    pub signature: &'a [u8],
}

/// What the random choices come from, with the signatures themselves: whoever made them must not
/// have known it. One for a process is enough.
#[derive(Clone, Copy)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Takes 32 bytes as the caller drew them.
    pub const fn new(drawn: [u8; 32]) -> Self {
        Self(drawn)
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// The verdict on each signature, in order: what [`PublicKey::verify`] says of it.
pub fn verify_each(checks: &[Check<'_>], seed: &Seed) -> Vec<bool> {
    let mut verdicts = vec![false; checks.len()];
    let mut read = Vec::with_capacity(checks.len());
    for (at, check) in checks.iter().enumerate() {
        match Signature::read(check) {
            Some(signature) => read.push((at, signature)),
            None => verdicts[at] = single(check),
        }
    }
    for part in read.chunks(BATCH_MAX) {
        judge(checks, part, seed, &mut verdicts);
    }
    verdicts
}

fn single(check: &Check<'_>) -> bool {
    check.key.verify(check.message, check.signature).is_ok()
}

/// Judges a part whole; where something in it is bad, its halves.
fn judge(checks: &[Check<'_>], part: &[(usize, Signature)], seed: &Seed, verdicts: &mut [bool]) {
    if part.len() < BATCH_MIN {
        for (at, _) in part {
            verdicts[*at] = single(&checks[*at]);
        }
    } else if all_stand(checks, part, seed) {
        for (at, _) in part {
            verdicts[*at] = true;
        }
    } else {
        let (left, right) = part.split_at(part.len() / 2);
        judge(checks, left, seed, verdicts);
        judge(checks, right, seed, verdicts);
    }
}

/// A signature's parts, for the equation `[s]B = R + [k]A` (RFC 8032 section 5.1.7).
struct Signature {
    r: EdwardsPoint,
    s: Scalar,
    k: Scalar,
}

impl Signature {
    /// Reads what a batch can hold; what it can't, a single check judges.
    fn read(check: &Check<'_>) -> Option<Self> {
        if check.key.algorithm() != Algorithm::EdDsa || check.key.is_weak() {
            return None;
        }
        let (r, s) = check.signature.split_first_chunk::<32>()?;
        let s = Scalar::from_canonical_bytes(s.try_into().ok()?).into_option()?;
        // A single check compares bytes, so that only the canonical form of R passes.
        if crate::key::is_doubtful(r) {
            return None;
        }
        let mut hash = ring::digest::Context::new(&ring::digest::SHA512);
        hash.update(r);
        hash.update(check.key.bytes());
        hash.update(check.message);
        let k = hash.finish().as_ref().try_into().ok()?;
        Some(Self {
            r: CompressedEdwardsY(*r).decompress()?,
            s,
            k: Scalar::from_bytes_mod_order_wide(&k),
        })
    }
}

/// Whether all of a part verify. False is no verdict.
fn all_stand(checks: &[Check<'_>], part: &[(usize, Signature)], seed: &Seed) -> bool {
    let mut keys: Vec<&PublicKey> = part.iter().map(|(at, _)| checks[*at].key).collect();
    keys.sort_unstable_by_key(|key| key.id());
    keys.dedup();
    let Some(mut points) = keys.iter().map(|key| point(key)).collect::<Option<Vec<_>>>() else {
        return false;
    };
    points.extend(part.iter().map(|(_, signature)| signature.r));

    let random = random(seed, part, points.len() * PASSES + part.len() * MULTIPLE_LEN);
    let (subsets, multiples) = random.split_at(points.len() * PASSES);
    if !all_of_prime_order(&points, subsets) {
        return false;
    }
    let mut factors = vec![Scalar::ZERO; keys.len()];
    let mut base = Scalar::ZERO;
    for ((at, signature), multiple) in part.iter().zip(multiples.chunks_exact(MULTIPLE_LEN)) {
        let mut z = [0; 32];
        z[..MULTIPLE_LEN].copy_from_slice(multiple);
        let z = Scalar::from_bytes_mod_order(z);
        let Ok(key) = keys.binary_search_by_key(&checks[*at].key.id(), |key| key.id()) else {
            return false;
        };
        base += z * signature.s;
        factors[key] += z * signature.k;
        factors.push(z);
    }
    points.push(-curve25519_dalek::constants::ED25519_BASEPOINT_POINT);
    factors.push(base);
    EdwardsPoint::vartime_multiscalar_mul(&factors, &points) == EdwardsPoint::identity()
}

/// `len` bytes that nobody can know who does not know the seed and all of the signatures. The
/// challenge of a signature stands for its `R`, key and message.
fn random(seed: &Seed, part: &[(usize, Signature)], len: usize) -> Vec<u8> {
    let mut root = ring::digest::Context::new(&ring::digest::SHA512);
    root.update(CONTEXT);
    root.update(&seed.0);
    for (_, signature) in part {
        root.update(signature.k.as_bytes());
        root.update(signature.s.as_bytes());
    }
    let mut out = Vec::with_capacity(len + ring::digest::SHA512_OUTPUT_LEN);
    let root = root.finish();
    for number in 0_u64.. {
        if out.len() >= len {
            break;
        }
        let mut block = ring::digest::Context::new(&ring::digest::SHA512);
        block.update(root.as_ref());
        block.update(&number.to_le_bytes());
        out.extend_from_slice(block.finish().as_ref());
    }
    out.truncate(len);
    out
}

fn point(key: &PublicKey) -> Option<EdwardsPoint> {
    CompressedEdwardsY(key.bytes().try_into().ok()?).decompress()
}

/// Whether no point has a part of small order. Each of [`SUBSETS`] random sums misses a part with
/// a chance of one half at most: a sum with the point and the one without it can't both be free.
///
/// `random` has a byte for each point and pass, whose lower bits are the number of its bucket.
fn all_of_prime_order(points: &[EdwardsPoint], random: &[u8]) -> bool {
    random.chunks_exact(points.len()).all(|numbers| {
        let mut buckets = vec![EdwardsPoint::identity(); BUCKETS];
        for (point, number) in points.iter().zip(numbers) {
            buckets[usize::from(*number) % BUCKETS] += point;
        }
        // Of the buckets left, those in the upper half have the highest bit of their number: their
        // sum is one subset's. Folded onto the lower half they go on to the other subsets.
        let mut left = &mut buckets[..];
        while left.len() > 1 {
            let (lower, upper) = left.split_at_mut(left.len() / 2);
            let mut sum = EdwardsPoint::identity();
            for (lower, upper) in lower.iter_mut().zip(upper) {
                sum += &*upper;
                *lower += &*upper;
            }
            if !is_of_prime_order(&sum) {
                return false;
            }
            left = lower;
        }
        true
    })
}

/// Whether the order of the base point, times `point`, is nothing: the order less one, times the
/// point, is then its negative. Not in constant time: signatures are no secret.
fn is_of_prime_order(point: &EdwardsPoint) -> bool {
    let order_less_one = -Scalar::ONE;
    EdwardsPoint::vartime_double_scalar_mul_basepoint(&order_less_one, point, &Scalar::ZERO)
        == -point
}
