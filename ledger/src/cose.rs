//! `COSE_Sign1` (RFC 9052 section 4.2), the one form that this ledger signs and accepts.
//!
//! Tagged (18), payload attached, no external data, unprotected header empty, protected header
//! exactly `alg`, `content type` and `kid`. The content type separates the domains: an entry can
//! never pass for a command, nor either for a job spec. The parsed message keeps the bytes it came
//! from, and the signature is checked over those.

use crate::batch::{self, Check};
use crate::codec::{self, DecodeError, Key, Value, Writer};
use crate::digest::Digest;
use crate::key::{Algorithm, BadSignature, KeyId, PublicKey, SigningKey};

/// What a message is, as its content type (RFC 9052 section 3.1, label 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    /// An entry of the log, sealed by the service.
    Entry,
    /// A command, signed by a member.
    Command,
    /// A report of the executor, signed by its attested key.
    ExecutorReport,
    /// A command of the service itself, signed by the key that it brings in.
    ServiceCommand,
    /// A job spec for the Spark application.
    JobSpec,
}

impl ContentType {
    /// The media type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entry => "application/chancery-entry+cbor",
            Self::Command => "application/chancery-command+cbor",
            Self::ExecutorReport => "application/chancery-executor-report+cbor",
            Self::ServiceCommand => "application/chancery-service-command+cbor",
            Self::JobSpec => "application/chancery-job-spec+cbor",
        }
    }
}

const LABEL_ALG: i64 = 1;
const LABEL_CONTENT_TYPE: i64 = 3;
const LABEL_KID: i64 = 4;
/// Major type 6, tag 18, in its one shortest form.
const TAG_SIGN1: u8 = 0xd2;
const CONTEXT: &str = "Signature1";
/// Bytes to set aside for the heads and the context of a message: enough for any payload.
const ROOM: usize = 64;

/// Why bytes are not a signed message of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The first byte is not tag 18.
    #[error("not a tagged COSE_Sign1")]
    NotSign1,
    /// The CBOR inside is not canonical.
    #[error("the message is not canonical CBOR")]
    Cbor(#[source] DecodeError),
    /// The structure is not that of this profile.
    #[error("not the expected COSE_Sign1 structure: {0}")]
    Structure(&'static str),
}

/// A parsed `COSE_Sign1`, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign1 {
    algorithm: Algorithm,
    key_id: KeyId,
    protected: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// Proof that a key signed a message. Only a verification that succeeds makes one, so it can be
/// carried from where signatures are checked, on all cores, to where they are relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    key: KeyId,
    /// SHA-256 of `Sig_structure` and the signature: everything that was checked.
    message: Digest,
}

/// Signs `payload` with `key` and returns the tagged message.
pub fn sign(content: ContentType, payload: &[u8], key: &SigningKey) -> Vec<u8> {
    let protected = codec::encode(&Value::map([
        (LABEL_ALG, Value::Int(key.public().algorithm().cose().into())),
        (LABEL_CONTENT_TYPE, Value::text(content.as_str())),
        (LABEL_KID, Value::bytes(*key.public().id().as_bytes())),
    ]));
    let signature = key.sign(&to_be_signed(&protected, payload));
    let mut out =
        Writer::after(&[TAG_SIGN1], protected.len() + payload.len() + signature.len() + ROOM);
    out.array(4);
    out.bytes(&protected);
    out.map(0);
    out.bytes(payload);
    out.bytes(&signature);
    out.finish()
}

/// Parses a message that must be of kind `content`.
///
/// # Errors
///
/// [`ParseError`]; the signature is checked by [`Sign1::verify`], not here.
pub fn parse(content: ContentType, bytes: &[u8]) -> Result<Sign1, ParseError> {
    let body = bytes.strip_prefix(&[TAG_SIGN1]).ok_or(ParseError::NotSign1)?;
    let Value::Array(parts) = codec::decode(body).map_err(ParseError::Cbor)? else {
        return Err(ParseError::Structure("not an array"));
    };
    let Ok([protected, unprotected, payload, signature]) = <[Value; 4]>::try_from(parts) else {
        return Err(ParseError::Structure("not four parts"));
    };
    let (Value::Bytes(protected), Value::Bytes(payload), Value::Bytes(signature)) =
        (protected, payload, signature)
    else {
        return Err(ParseError::Structure("a part is not a byte string"));
    };
    if unprotected != Value::map::<Key>([]) {
        return Err(ParseError::Structure("the unprotected header is not empty"));
    }
    let Value::Map(mut header) = codec::decode(&protected).map_err(ParseError::Cbor)? else {
        return Err(ParseError::Structure("the protected header is not a map"));
    };
    let algorithm = match header.remove(&Key::from(LABEL_ALG)) {
        Some(Value::Int(number)) => i64::try_from(number).ok().and_then(Algorithm::from_cose),
        _ => None,
    }
    .ok_or(ParseError::Structure("alg is neither EdDSA nor ES256"))?;
    if header.remove(&Key::from(LABEL_CONTENT_TYPE)) != Some(Value::text(content.as_str())) {
        return Err(ParseError::Structure("another content type"));
    }
    let key_id = match header.remove(&Key::from(LABEL_KID)) {
        Some(Value::Bytes(id)) => Digest::from_slice(&id),
        _ => None,
    }
    .ok_or(ParseError::Structure("kid is not 32 bytes"))?;
    if !header.is_empty() {
        return Err(ParseError::Structure("an unknown protected header"));
    }
    Ok(Sign1 { algorithm, key_id, protected, payload, signature })
}

impl Sign1 {
    /// The id of the key that is said to have signed.
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The payload's bytes. Trust them only after [`Sign1::verify`].
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Checks that `key` is the one named, of the algorithm named, and signed these bytes.
    ///
    /// # Errors
    ///
    /// [`BadSignature`].
    pub fn verify(&self, key: &PublicKey) -> Result<Verified, BadSignature> {
        if !self.names(key) {
            return Err(BadSignature);
        }
        let signed = to_be_signed(&self.protected, &self.payload);
        key.verify(&signed, &self.signature)?;
        Ok(self.proof(&signed))
    }

    fn proof(&self, signed: &[u8]) -> Verified {
        Verified { key: self.key_id, message: Digest::of_parts(&[signed, &self.signature]) }
    }

    /// Whether `verified` proves that `key` signed this very message: no signature is computed.
    pub fn is_verified_by(&self, verified: &Verified, key: &PublicKey) -> bool {
        let signed = to_be_signed(&self.protected, &self.payload);
        self.names(key)
            && verified.key == self.key_id
            && verified.message == Digest::of_parts(&[&signed, &self.signature])
    }

    fn names(&self, key: &PublicKey) -> bool {
        key.algorithm() == self.algorithm && key.id() == self.key_id
    }
}

/// What [`Sign1::verify`] proves of each message and key, in order; none where it does not verify.
/// Many at once take a fraction of the time.
pub fn verify_each(messages: &[(&Sign1, &PublicKey)]) -> Vec<Option<Verified>> {
    let named: Vec<_> = messages.iter().filter(|(message, key)| message.names(key)).collect();
    let signed: Vec<_> = named
        .iter()
        .map(|(message, _)| to_be_signed(&message.protected, &message.payload))
        .collect();
    let checks = named.iter().zip(&signed).map(|((message, key), signed)| Check {
        key,
        message: signed,
        signature: &message.signature,
    });
    let verdicts = batch::verify_each(&checks.collect::<Vec<_>>());
    let mut proofs = named
        .iter()
        .zip(&signed)
        .zip(verdicts)
        .map(|(((message, _), signed), stands)| stands.then(|| message.proof(signed)));
    messages
        .iter()
        .map(|(message, key)| if message.names(key) { proofs.next().flatten() } else { None })
        .collect()
}

/// `Sig_structure` (RFC 9052 section 4.4).
fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Writer::after(&[], protected.len() + payload.len() + ROOM);
    out.array(4);
    out.text(CONTEXT);
    out.bytes(protected);
    out.bytes(&[]);
    out.bytes(payload);
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_verifies_and_any_flipped_byte_does_not() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let message = sign(ContentType::Command, b"payload", &key);
        let parsed = parse(ContentType::Command, &message).unwrap();
        assert_eq!(parsed.payload(), b"payload");
        assert!(parsed.verify(key.public()).is_ok());
        for position in 0..message.len() {
            for bit in 0..8 {
                let mut altered = message.clone();
                altered[position] ^= 1 << bit;
                let accepted = parse(ContentType::Command, &altered)
                    .is_ok_and(|parsed| parsed.verify(key.public()).is_ok());
                assert!(!accepted, "byte {position} bit {bit}");
            }
        }
    }

    #[test]
    fn many_at_once_have_the_verdict_of_each() {
        let keys = [1, 2, 3].map(|seed| SigningKey::from_seed(&[seed; 32]).unwrap());
        let messages: Vec<_> = (0..300_usize)
            .map(|at| {
                let signed = sign(ContentType::Entry, &at.to_le_bytes(), &keys[at % 2]);
                parse(ContentType::Entry, &signed).unwrap()
            })
            .collect();
        // Every seventh is asked about with a key that it does not name.
        let key = |at: usize| if at % 7 == 0 { 2 } else { at % 2 };
        let asked: Vec<_> =
            messages.iter().enumerate().map(|(at, it)| (it, keys[key(at)].public())).collect();
        for (at, proof) in verify_each(&asked).into_iter().enumerate() {
            let (message, key) = asked[at];
            assert_eq!(proof, message.verify(key).ok(), "{at}");
            assert_eq!(proof.is_some(), at % 7 != 0, "{at}");
        }
        assert_eq!(verify_each(&[]), []);
    }

    #[test]
    fn content_types_separate_the_domains() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let message = sign(ContentType::Command, b"payload", &key);
        assert_eq!(
            parse(ContentType::Entry, &message),
            Err(ParseError::Structure("another content type"))
        );
    }

    #[test]
    fn the_key_must_be_the_one_named() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let other = SigningKey::from_seed(&[2; 32]).unwrap();
        let message = sign(ContentType::Command, b"payload", &key);
        let parsed = parse(ContentType::Command, &message).unwrap();
        assert_eq!(parsed.verify(other.public()), Err(BadSignature));
    }

    #[test]
    fn a_proof_is_of_one_message_and_one_key() {
        let (key, other) = ([1; 32], [2; 32]);
        let key = SigningKey::from_seed(&key).unwrap();
        let other = SigningKey::from_seed(&other).unwrap();
        let parsed = |content, payload: &[u8], key: &SigningKey| {
            parse(content, &sign(content, payload, key)).unwrap()
        };
        let message = parsed(ContentType::Command, b"payload", &key);
        let verified = message.verify(key.public()).unwrap();
        assert!(message.is_verified_by(&verified, key.public()));
        assert!(!message.is_verified_by(&verified, other.public()));
        for altered in [
            parsed(ContentType::Command, b"payloae", &key),
            parsed(ContentType::ExecutorReport, b"payload", &key),
            parsed(ContentType::Command, b"payload", &other),
            Sign1 { signature: vec![0; 64], ..message.clone() },
        ] {
            assert!(!altered.is_verified_by(&verified, key.public()));
            assert!(!altered.is_verified_by(&verified, other.public()));
        }
    }
}
