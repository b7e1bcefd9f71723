//! `COSE_Sign1` (RFC 9052 section 4.2), the one form that this ledger signs and accepts.
//!
//! Tagged (18), payload attached, no external data, unprotected header empty, protected header
//! exactly `alg`, `content type` and `kid`. The content type separates the domains: an entry can
//! never pass for a command, nor either for a job spec. The parsed message keeps the bytes it came
//! from, and the signature is checked over those.

use crate::batch::{self, Check, Seed};
use crate::codec::{self, DecodeError, Key, Slices, Value, Writer};
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
/// Initial bytes in their shortest form: an array of four items, a map of none.
const ARRAY_OF_FOUR: u8 = 0x84;
const EMPTY_MAP: u8 = 0xa0;
/// The head of a byte string of 32 bytes.
const KID_HEAD: [u8; 2] = [0x58, 0x20];
const CONTEXT: &str = "Signature1";
/// Bytes to set aside for the heads and the context of a message: enough for any payload.
const ROOM: usize = 96;

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
    let mut protected = header(key.public().algorithm(), content);
    protected.extend_from_slice(key.public().id().as_bytes());
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

/// The protected header up to the 32 bytes of the `kid`, which end it.
fn header(algorithm: Algorithm, content: ContentType) -> Vec<u8> {
    let mut out = Writer::after(&[], ROOM + Digest::LEN);
    out.map(3);
    out.int(LABEL_ALG.into());
    out.int(algorithm.cose().into());
    out.int(LABEL_CONTENT_TYPE.into());
    out.text(content.as_str());
    out.int(LABEL_KID.into());
    let mut out = out.finish();
    out.extend_from_slice(&KID_HEAD);
    out
}

/// A message as it stands in its bytes.
pub(crate) struct Parts<'a> {
    algorithm: Algorithm,
    pub(crate) key_id: KeyId,
    protected: &'a [u8],
    pub(crate) payload: &'a [u8],
    signature: &'a [u8],
}

impl Parts<'_> {
    /// A copy of its own.
    pub(crate) fn to_message(&self) -> Sign1 {
        Sign1 {
            algorithm: self.algorithm,
            key_id: self.key_id,
            protected: self.protected.to_vec(),
            payload: self.payload.to_vec(),
            signature: self.signature.to_vec(),
        }
    }
}

/// Parses a message that must be of kind `content`.
///
/// # Errors
///
/// [`ParseError`]; the signature is checked by [`Sign1::verify`], not here.
pub fn parse(content: ContentType, bytes: &[u8]) -> Result<Sign1, ParseError> {
    parts(content, bytes).map(|parts| parts.to_message())
}

/// As [`parse`], without a copy.
pub(crate) fn parts(content: ContentType, bytes: &[u8]) -> Result<Parts<'_>, ParseError> {
    let body = bytes.strip_prefix(&[TAG_SIGN1]).ok_or(ParseError::NotSign1)?;
    slices(content, body).ok_or_else(|| why_not(content, body))
}

/// The one form, read in place.
fn slices(content: ContentType, body: &[u8]) -> Option<Parts<'_>> {
    let mut slices = Slices::of(body)?;
    slices.pass(&[ARRAY_OF_FOUR])?;
    let protected = slices.bytes()?;
    slices.pass(&[EMPTY_MAP])?;
    let (payload, signature) = (slices.bytes()?, slices.bytes()?);
    if !slices.rest().is_empty() {
        return None;
    }
    let (algorithm, key_id) = [Algorithm::EdDsa, Algorithm::Es256].into_iter().find_map(|it| {
        let kid = protected.strip_prefix(header(it, content).as_slice())?;
        Digest::from_slice(kid).map(|kid| (it, kid))
    })?;
    Some(Parts { algorithm, key_id, protected, payload, signature })
}

/// What is wrong with a message that does not have the one form.
fn why_not(content: ContentType, body: &[u8]) -> ParseError {
    let parts = match codec::decode(body) {
        Ok(Value::Array(parts)) => parts,
        Ok(_) => return ParseError::Structure("not an array"),
        Err(error) => return ParseError::Cbor(error),
    };
    let Ok([protected, unprotected, payload, signature]) = <[Value; 4]>::try_from(parts) else {
        return ParseError::Structure("not four parts");
    };
    let (Value::Bytes(protected), Value::Bytes(_), Value::Bytes(_)) =
        (protected, payload, signature)
    else {
        return ParseError::Structure("a part is not a byte string");
    };
    if unprotected != Value::map::<Key>([]) {
        return ParseError::Structure("the unprotected header is not empty");
    }
    let mut header = match codec::decode(&protected) {
        Ok(Value::Map(header)) => header,
        Ok(_) => return ParseError::Structure("the protected header is not a map"),
        Err(error) => return ParseError::Cbor(error),
    };
    let algorithm = match header.remove(&Key::from(LABEL_ALG)) {
        Some(Value::Int(number)) => i64::try_from(number).ok().and_then(Algorithm::from_cose),
        _ => None,
    };
    if algorithm.is_none() {
        return ParseError::Structure("alg is neither EdDSA nor ES256");
    }
    if header.remove(&Key::from(LABEL_CONTENT_TYPE)) != Some(Value::text(content.as_str())) {
        return ParseError::Structure("another content type");
    }
    match header.remove(&Key::from(LABEL_KID)) {
        Some(Value::Bytes(id)) if id.len() == Digest::LEN => {
            ParseError::Structure("an unknown protected header")
        }
        _ => ParseError::Structure("kid is not 32 bytes"),
    }
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
pub fn verify_each(messages: &[(&Sign1, &PublicKey)], seed: &Seed) -> Vec<Option<Verified>> {
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
    let verdicts = batch::verify_each(&checks.collect::<Vec<_>>(), seed);
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

    const SEED: Seed = Seed::new([5; 32]);

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
        let key = |at: usize| if at.is_multiple_of(7) { 2 } else { at % 2 };
        let asked: Vec<_> =
            messages.iter().enumerate().map(|(at, it)| (it, keys[key(at)].public())).collect();
        for (at, proof) in verify_each(&asked, &SEED).into_iter().enumerate() {
            let (message, key) = asked[at];
            assert_eq!(proof, message.verify(key).ok(), "{at}");
            assert_eq!(proof.is_some(), !at.is_multiple_of(7), "{at}");
        }
        assert_eq!(verify_each(&[], &SEED), []);
    }

    #[test]
    fn a_message_has_one_form_and_what_is_wrong_with_another_is_said() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let kid = || Value::bytes(*key.public().id().as_bytes());
        let header = |pairs: Vec<(i64, Value)>| Value::bytes(codec::encode(&Value::map(pairs)));
        let usual = || {
            vec![
                (LABEL_ALG, Value::Int((-8).into())),
                (LABEL_CONTENT_TYPE, Value::text(ContentType::Command.as_str())),
                (LABEL_KID, kid()),
            ]
        };
        let with = |pair: (i64, Value)| {
            let mut pairs = usual();
            pairs.retain(|(label, _)| *label != pair.0);
            pairs.push(pair);
            header(pairs)
        };
        let bytes = || Value::bytes([7; 64]);
        let empty = || Value::map::<Key>([]);
        let message = |item: Value| [vec![TAG_SIGN1], codec::encode(&item)].concat();
        let four = |protected| message(Value::Array(vec![protected, empty(), bytes(), bytes()]));
        assert!(parse(ContentType::Command, &four(header(usual()))).is_ok());
        let text = || Value::text("no bytes");
        for (bytes, expected) in [
            (message(text()), "not an array"),
            (message(Value::Array(vec![header(usual())])), "not four parts"),
            (four(text()), "a part is not a byte string"),
            (
                message(Value::Array(vec![header(usual()), empty(), text(), bytes()])),
                "a part is not a byte string",
            ),
            (
                message(Value::Array(vec![header(usual()), with((9, text())), bytes(), bytes()])),
                "the unprotected header is not empty",
            ),
            (four(Value::bytes(codec::encode(&text()))), "the protected header is not a map"),
            (four(with((LABEL_ALG, Value::Int((-37).into())))), "alg is neither EdDSA nor ES256"),
            (four(with((LABEL_CONTENT_TYPE, text()))), "another content type"),
            (four(with((LABEL_KID, Value::bytes([0; 31])))), "kid is not 32 bytes"),
            (four(with((9, text()))), "an unknown protected header"),
        ] {
            let found = parse(ContentType::Command, &bytes);
            assert_eq!(found, Err(ParseError::Structure(expected)));
        }
        let long = [four(header(usual())), vec![0]].concat();
        for bytes in [long.as_slice(), &[TAG_SIGN1, 0x98, 0x04], &[TAG_SIGN1]] {
            assert!(matches!(parse(ContentType::Command, bytes), Err(ParseError::Cbor(_))));
        }
        assert_eq!(parse(ContentType::Command, &[]), Err(ParseError::NotSign1));
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
