//! COSE receipts of the CCF profile (draft-birkholz-cose-receipts-ccf-profile-05): the service's
//! signature over a root, with one proof of inclusion in the unprotected header,
//! `{396: {-1: [bstr]}}`. Verifiable data structure 2, `CCF_LEDGER_SHA256`.

use chancery_ledger::codec::{self, Key, Value};
use chancery_ledger::digest::Digest;

use super::{Expected, Form, Proof, Proven, ReceiptError, Rooted};
use crate::certificate::Certificate;
use crate::cose::{CoseError, Header, RootSignature};
use crate::endorsement;
use crate::leaf::Leaf;
use crate::tree::{PATH_LEN_MAX, Side, Step};

/// RFC 9942: the proofs, and of them those of inclusion.
const LABEL_VDP: i64 = 396;
const INCLUSION: i64 = -1;
/// The profile: what stands in a proof.
const PROOF_LEAF: i64 = 1;
const PROOF_PATH: i64 = 2;
const TAG_SIGN1: u8 = 0xd2;

/// A COSE receipt, read and not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofReceipt {
    signature: RootSignature,
    proof: Proof,
}

impl ProofReceipt {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let signature = RootSignature::parse_any(bytes).map_err(ReceiptError::Cose)?;
        let proof = only_proof(&signature).map_err(ReceiptError::Cose)?;
        Ok(Self { signature, proof })
    }

    /// The signature without the proof.
    pub const fn signature(&self) -> &RootSignature {
        &self.signature
    }

    pub(super) fn verify(
        &self,
        service: &Certificate,
        endorsements: &[Vec<u8>],
        expected: &Expected,
    ) -> Result<Proven, ReceiptError> {
        let signed_at = self.signature.transaction();
        let Rooted { claims, leaf, root } = self.proof.rooted(expected, Some(signed_at.seqno))?;
        let transaction = self.proof.evidence.transaction();
        if transaction.view > signed_at.view {
            return Err(ReceiptError::OtherTransaction { found: transaction });
        }
        let (kid, key) = (self.signature.kid(), service.key());
        let key = endorsement::resolve(key, endorsements, kid, signed_at)
            .map_err(ReceiptError::Endorsement)?;
        self.signature.verify(root.digest(), &key).map_err(|_| ReceiptError::BadSignature)?;
        let (period, issued_at_s) = (service.period(), self.signature.issued_at_s());
        // An earlier service has no certificate here: the endorsement vouches for its key.
        let own = key.id() == service.key().id();
        if own && !period.holds(issued_at_s)
            || expected.at_s.is_some_and(|at_s| !period.holds(at_s))
        {
            return Err(ReceiptError::Expired);
        }
        Ok(Proven {
            form: Form::Cose,
            transaction: Some(transaction),
            claims: Some(claims),
            leaf: Some(leaf),
            root: *root.digest(),
            signed_at: Some(signed_at),
            issued_at_s: Some(issued_at_s),
            signer: kid,
            endorsements: if own { 0 } else { endorsements.len() },
            period,
        })
    }
}

/// Exactly `{396: {-1: [proof]}}`.
fn only_proof(signature: &RootSignature) -> Result<Proof, CoseError> {
    let structure = CoseError::Structure;
    let mut unprotected = Header(signature.message.unprotected.clone());
    let mut proofs = unprotected.map(LABEL_VDP, "no header vdp")?;
    unprotected.end("another unprotected header than vdp")?;
    let Some(Value::Array(inclusion)) = proofs.take(INCLUSION) else {
        return Err(structure("no proofs of inclusion"));
    };
    proofs.end("another kind of proof than inclusion")?;
    let Ok([Value::Bytes(proof)]) = <[Value; 1]>::try_from(inclusion) else {
        return Err(structure("not exactly one proof"));
    };
    let Value::Map(proof) = codec::decode_unordered(&proof)? else {
        return Err(structure("the proof is not a map"));
    };
    let mut proof = Header(proof);
    let (leaf, path) = (proof.take(PROOF_LEAF), proof.take(PROOF_PATH));
    proof.end("an unknown part of the proof")?;
    let (Some(Value::Array(leaf)), Some(Value::Array(path))) = (leaf, path) else {
        return Err(structure("the proof is not a leaf and a path"));
    };
    let Ok([Value::Bytes(write_set), Value::Text(evidence), Value::Bytes(claims)]) =
        <[Value; 3]>::try_from(leaf)
    else {
        return Err(structure("the leaf is not two digests and a text"));
    };
    let digest =
        |bytes: &[u8]| Digest::from_slice(bytes).ok_or(structure("a digest is not 32 bytes"));
    if path.len() > PATH_LEN_MAX {
        return Err(structure("the path is longer than any tree is deep"));
    }
    let step = |step| match step {
        Value::Array(parts) => match <[Value; 2]>::try_from(parts) {
            Ok([Value::Bool(left), Value::Bytes(hash)]) => {
                Ok((if left { Side::Left } else { Side::Right }, digest(&hash)?))
            }
            _ => Err(structure("a step is not a side and a digest")),
        },
        _ => Err(structure("a step is not a side and a digest")),
    };
    Ok(Proof {
        write_set: digest(&write_set)?,
        evidence: evidence.parse().map_err(|_| structure("the commit evidence"))?,
        claims: Some(digest(&claims)?),
        path: path.into_iter().map(step).collect::<Result<_, _>>()?,
    })
}

/// Puts a COSE receipt together from the signature in a signature transaction and the leaf and path
/// of a JSON receipt under the same root. For networks that serve no COSE receipts. It is not
/// verified here.
///
/// # Errors
///
/// [`CoseError`] where the signature is not one of a signature transaction.
pub fn assemble(signature: &[u8], leaf: &Leaf, path: &[Step]) -> Result<Vec<u8>, CoseError> {
    let message = RootSignature::parse(signature)?.message;
    let bytes = |digest: &Digest| Value::bytes(*digest.as_bytes());
    let steps = path
        .iter()
        .map(|(side, hash)| Value::Array(vec![Value::Bool(*side == Side::Left), bytes(hash)]));
    let leaf =
        vec![bytes(&leaf.write_set), Value::text(leaf.evidence.as_str()), bytes(&leaf.claims)];
    let proof =
        Value::map([(PROOF_LEAF, Value::Array(leaf)), (PROOF_PATH, Value::Array(steps.collect()))]);
    let proofs = Value::Array(vec![Value::Bytes(codec::encode(&proof))]);
    let unprotected = Value::map([(LABEL_VDP, Value::map([(Key::from(INCLUSION), proofs)]))]);
    let mut out = vec![TAG_SIGN1];
    out.extend(codec::encode(&Value::Array(vec![
        Value::Bytes(message.protected),
        unprotected,
        Value::Null,
        Value::Bytes(message.signature),
    ])));
    Ok(out)
}
