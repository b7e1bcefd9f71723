//! COSE Receipts (RFC 9942) of the verifiable data structure `RFC9162_SHA256`: a signed Merkle root
//! with a proof that an entry is under it, or that it extends an older one.
//!
//! A receipt is a tagged `COSE_Sign1`. Protected header: exactly `alg` (1), `kid` (4) and `vds` (395).
//! Payload: the root, always detached, so that a verifier must make it from the proof. Unprotected
//! header: exactly `vdp` (396) with one proof of one kind. The signature is over the root alone, so
//! one signature serves all entries and all proofs of a checkpoint.
//!
//! The domains are apart: every other `COSE_Sign1` of this ledger has a content type (3) among its
//! protected headers and no `vds`, and each parser takes exactly its own headers, whose bytes are
//! signed. A signed note is text, which `Sig_structure` is not.
//!
//! A receipt proves that the leaf is in the tree of that root. It does not prove size and index: the
//! signature is not over them, and trees of other sizes have proofs of the same form. An entry says
//! its own position; the size goes with the root in a checkpoint.

use crate::codec::{self, DecodeError, Key, Value, Writer};
use crate::digest::Digest;
use crate::key::{Algorithm, KeyId, PublicKey, SigningKey};
use crate::merkle::{self, PROOF_LEN_MAX};

/// Largest receipt that is read: 4 KiB. That of a proof of [`PROOF_LEN_MAX`] hashes has 2.4 KiB.
pub const RECEIPT_LEN_MAX: usize = 4 << 10;

const LABEL_ALG: i64 = 1;
const LABEL_KID: i64 = 4;
/// RFC 9942: the verifiable data structure, and its proofs.
const LABEL_VDS: i64 = 395;
const LABEL_VDP: i64 = 396;
/// The data structure `RFC9162_SHA256`.
const RFC9162_SHA256: i64 = 1;
/// Major type 6, tag 18, in its one shortest form.
const TAG_SIGN1: u8 = 0xd2;
const CONTEXT: &str = "Signature1";
/// Bytes to set aside for heads and labels: more than they take.
const ROOM: usize = 64;

/// The kinds of proof, as labels in `vdp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Inclusion,
    Consistency,
}

impl Kind {
    const fn label(self) -> i64 {
        match self {
            Self::Inclusion => -1,
            Self::Consistency => -2,
        }
    }
}

/// A root with the service's signature over it: makes the receipts of one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRoot {
    root: Digest,
    protected: Vec<u8>,
    signature: Vec<u8>,
}

/// What a receipt of inclusion proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inclusion {
    /// The number of leaves that the proof is for. Signed only by way of `root`: see the module.
    pub size: u64,
    /// The leaf's index that the proof is for. Likewise.
    pub index: u64,
    /// The root that the service signed.
    pub root: Digest,
}

/// What a receipt of consistency proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consistency {
    /// The number of leaves of the older tree that the proof is for.
    pub old: u64,
    /// That of the newer tree.
    pub new: u64,
    /// The root of the newer tree, which the service signed.
    pub root: Digest,
}

/// Why bytes are not a receipt for what it was presented with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// More than [`RECEIPT_LEN_MAX`] bytes, or the first is not tag 18.
    #[error("not a tagged COSE_Sign1 of at most {RECEIPT_LEN_MAX} bytes")]
    NotSign1,
    /// The CBOR is not canonical.
    #[error("the receipt is not canonical CBOR")]
    Cbor(#[source] DecodeError),
    /// The structure is not that of a receipt of this kind.
    #[error("not the expected receipt structure: {0}")]
    Structure(&'static str),
    /// The proof fits neither the sizes that it names, or not the older root.
    #[error("the receipt's proof does not verify")]
    Proof,
    /// It names another key than the one expected.
    #[error("the receipt is by another key")]
    UnknownKey,
    /// The signature is not the key's over the root that the proof leads to: another leaf, a proof
    /// of another tree, or a forgery.
    #[error("the receipt's signature does not verify over the root that its proof leads to")]
    BadSignature,
}

impl SignedRoot {
    /// Signs `root`: one Ed25519 signature for all receipts at that checkpoint.
    pub fn sign(root: Digest, key: &SigningKey) -> Self {
        let protected = codec::encode(&Value::map([
            (LABEL_ALG, Value::Int(key.public().algorithm().cose().into())),
            (LABEL_KID, Value::bytes(*key.public().id().as_bytes())),
            (LABEL_VDS, Value::Int(RFC9162_SHA256.into())),
        ]));
        let signature = key.sign(&to_be_signed(&protected, &root));
        Self { root, protected, signature }
    }

    /// The root.
    pub const fn root(&self) -> &Digest {
        &self.root
    }

    /// The receipt that leaf `index` is in this tree, which has `size` leaves; `path` is its
    /// inclusion proof.
    pub fn inclusion(&self, size: u64, index: u64, path: &[Digest]) -> Vec<u8> {
        self.write(Kind::Inclusion, size, index, path)
    }

    /// The receipt that this tree, of `new` leaves, extends that of `old`; `path` is the
    /// consistency proof.
    pub fn consistency(&self, old: u64, new: u64, path: &[Digest]) -> Vec<u8> {
        self.write(Kind::Consistency, old, new, path)
    }

    fn write(&self, kind: Kind, first: u64, second: u64, path: &[Digest]) -> Vec<u8> {
        let mut proof = Writer::after(&[], path.len() * (Digest::LEN + 2) + ROOM);
        proof.array(3);
        proof.uint(first);
        proof.uint(second);
        proof.array(path.len() as u64);
        for hash in path {
            proof.bytes(hash.as_bytes());
        }
        let proof = proof.finish();
        let len = self.protected.len() + proof.len() + self.signature.len() + ROOM;
        let mut out = Writer::after(&[TAG_SIGN1], len);
        out.array(4);
        out.bytes(&self.protected);
        out.map(1);
        out.int(LABEL_VDP.into());
        out.map(1);
        out.int(kind.label().into());
        out.array(1);
        out.bytes(&proof);
        out.null();
        out.bytes(&self.signature);
        out.finish()
    }
}

/// Verifies that `leaf`, a leaf hash, is in a tree whose root `key` signed.
///
/// # Errors
///
/// [`ReceiptError`].
pub fn verify_inclusion(
    bytes: &[u8],
    leaf: &Digest,
    key: &PublicKey,
) -> Result<Inclusion, ReceiptError> {
    let receipt = Receipt::parse(bytes, Kind::Inclusion)?;
    let (size, index) = (receipt.first, receipt.second);
    let root =
        merkle::included_root(leaf, index, size, &receipt.path).map_err(|_| ReceiptError::Proof)?;
    receipt.verify(&root, key)?;
    Ok(Inclusion { size, index, root })
}

/// Verifies that a tree whose root `key` signed extends that of `old_root`.
///
/// A receipt from no leaves is refused: it would prove nothing.
///
/// # Errors
///
/// [`ReceiptError`].
pub fn verify_consistency(
    bytes: &[u8],
    old_root: &Digest,
    key: &PublicKey,
) -> Result<Consistency, ReceiptError> {
    let receipt = Receipt::parse(bytes, Kind::Consistency)?;
    let (old, new) = (receipt.first, receipt.second);
    let root = merkle::extended_root(old, old_root, new, &receipt.path)
        .map_err(|_| ReceiptError::Proof)?;
    receipt.verify(&root, key)?;
    Ok(Consistency { old, new, root })
}

/// The id of the key that a receipt names, to choose among the service's keys. Not verified.
///
/// # Errors
///
/// [`ReceiptError`] where this is no receipt of either kind.
pub fn key_id(bytes: &[u8]) -> Result<KeyId, ReceiptError> {
    Receipt::parse(bytes, Kind::Inclusion)
        .or_else(|_| Receipt::parse(bytes, Kind::Consistency))
        .map(|receipt| receipt.key_id)
}

/// A receipt taken apart, not yet verified.
struct Receipt {
    protected: Vec<u8>,
    key_id: KeyId,
    first: u64,
    second: u64,
    path: Vec<Digest>,
    signature: Vec<u8>,
}

impl Receipt {
    fn parse(bytes: &[u8], kind: Kind) -> Result<Self, ReceiptError> {
        let body = bytes
            .strip_prefix(&[TAG_SIGN1])
            .filter(|_| bytes.len() <= RECEIPT_LEN_MAX)
            .ok_or(ReceiptError::NotSign1)?;
        let Value::Array(parts) = codec::decode(body).map_err(ReceiptError::Cbor)? else {
            return Err(ReceiptError::Structure("not an array"));
        };
        let Ok([protected, unprotected, payload, signature]) = <[Value; 4]>::try_from(parts) else {
            return Err(ReceiptError::Structure("not four parts"));
        };
        let (Value::Bytes(protected), Value::Bytes(signature)) = (protected, signature) else {
            return Err(ReceiptError::Structure("a part is not a byte string"));
        };
        if payload != Value::Null {
            return Err(ReceiptError::Structure("the payload is not detached"));
        }
        let key_id = parse_protected(&protected)?;
        let (first, second, path) = parse_unprotected(unprotected, kind)?;
        Ok(Self { protected, key_id, first, second, path, signature })
    }

    fn verify(&self, root: &Digest, key: &PublicKey) -> Result<(), ReceiptError> {
        if key.algorithm() != Algorithm::EdDsa || key.id() != self.key_id {
            return Err(ReceiptError::UnknownKey);
        }
        key.verify(&to_be_signed(&self.protected, root), &self.signature)
            .map_err(|_| ReceiptError::BadSignature)
    }
}

/// Exactly `alg`, `kid` and `vds`; returns the key id.
fn parse_protected(bytes: &[u8]) -> Result<KeyId, ReceiptError> {
    let Value::Map(mut header) = codec::decode(bytes).map_err(ReceiptError::Cbor)? else {
        return Err(ReceiptError::Structure("the protected header is not a map"));
    };
    let mut take = |label: i64| header.remove(&Key::from(label));
    if take(LABEL_ALG) != Some(Value::Int(Algorithm::EdDsa.cose().into())) {
        return Err(ReceiptError::Structure("alg is not EdDSA"));
    }
    if take(LABEL_VDS) != Some(Value::Int(RFC9162_SHA256.into())) {
        return Err(ReceiptError::Structure("vds is not RFC9162_SHA256"));
    }
    let key_id = match take(LABEL_KID) {
        Some(Value::Bytes(id)) => Digest::from_slice(&id),
        _ => None,
    }
    .ok_or(ReceiptError::Structure("kid is not 32 bytes"))?;
    if !header.is_empty() {
        return Err(ReceiptError::Structure("an unknown protected header"));
    }
    Ok(key_id)
}

/// Exactly `{vdp: {kind: [proof]}}`; returns the two numbers and the path of the proof.
fn parse_unprotected(header: Value, kind: Kind) -> Result<(u64, u64, Vec<Digest>), ReceiptError> {
    let structure = ReceiptError::Structure;
    let proofs = only(header, LABEL_VDP).ok_or(structure("not exactly the header vdp"))?;
    let proofs =
        only(proofs, kind.label()).ok_or(structure("not one kind of proof, the expected"))?;
    let Value::Array(proofs) = proofs else {
        return Err(structure("the proofs are not an array"));
    };
    let Ok([Value::Bytes(proof)]) = <[Value; 1]>::try_from(proofs) else {
        return Err(structure("not exactly one proof"));
    };
    let Value::Array(parts) = codec::decode(&proof).map_err(ReceiptError::Cbor)? else {
        return Err(structure("the proof is not an array"));
    };
    let Ok([Value::Int(first), Value::Int(second), Value::Array(path)]) =
        <[Value; 3]>::try_from(parts)
    else {
        return Err(structure("the proof is not two numbers and a path"));
    };
    let number = |number| u64::try_from(number).map_err(|_| structure("a negative number"));
    if path.len() > PROOF_LEN_MAX {
        return Err(structure("the path is longer than any tree is deep"));
    }
    let hash = |value| match value {
        Value::Bytes(bytes) => Digest::from_slice(&bytes),
        _ => None,
    };
    let path = path.into_iter().map(hash).collect::<Option<Vec<_>>>();
    let path = path.ok_or(structure("a hash of the path is not 32 bytes"))?;
    Ok((number(first)?, number(second)?, path))
}

/// The value of a map that has the one key `label`.
fn only(value: Value, label: i64) -> Option<Value> {
    let Value::Map(mut map) = value else { return None };
    let value = map.remove(&Key::from(label))?;
    map.is_empty().then_some(value)
}

/// `Sig_structure` (RFC 9052 section 4.4) with the root as the payload.
fn to_be_signed(protected: &[u8], root: &Digest) -> Vec<u8> {
    codec::encode(&Value::Array(vec![
        Value::text(CONTEXT),
        Value::bytes(protected),
        Value::bytes([]),
        Value::bytes(*root.as_bytes()),
    ]))
}

#[cfg(test)]
mod tests;
