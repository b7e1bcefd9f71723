//! Keys that sign entries, commands and evidence: Ed25519 (RFC 8032) and, to verify, ES256. By
//! AWS-LC, whose Ed25519 is the fastest that was measured (docs/adr/0012).

use aws_lc_rs::signature::{self, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::digest::Digest;

/// A signature algorithm of the ledger, by its COSE name (RFC 9053 sections 2.1 and 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// `EdDSA` (-8), here always with Ed25519.
    EdDsa,
    /// `ES256` (-7): ECDSA on P-256 with SHA-256, signature `r || s`.
    Es256,
}

impl Algorithm {
    /// The COSE algorithm number.
    pub const fn cose(self) -> i64 {
        match self {
            Self::EdDsa => -8,
            Self::Es256 => -7,
        }
    }

    /// The name as in JOSE and COSE registries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }

    /// The algorithm of that COSE number.
    pub const fn from_cose(number: i64) -> Option<Self> {
        match number {
            -8 => Some(Self::EdDsa),
            -7 => Some(Self::Es256),
            _ => None,
        }
    }

    const fn public_key_len(self) -> usize {
        match self {
            Self::EdDsa => 32,
            Self::Es256 => 65,
        }
    }
}

/// A public key: Ed25519 (32 bytes) or P-256 (65 bytes, uncompressed point, SEC 1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey {
    algorithm: Algorithm,
    bytes: Vec<u8>,
    id: KeyId,
    /// A point of small order, or not in its one canonical form: it verifies nothing.
    weak: bool,
}

/// The SHA-256 of a public key's bytes: its COSE `kid`.
pub type KeyId = Digest;

/// A text or byte string that is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a public key: expected `EdDSA:` or `ES256:` and the key in base64url")]
pub struct ParseKeyError;

/// A signature that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

impl PublicKey {
    /// Takes the raw bytes of a key.
    ///
    /// # Errors
    ///
    /// [`ParseKeyError`] where the length is not the algorithm's.
    pub fn new(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, ParseKeyError> {
        if bytes.len() != algorithm.public_key_len() {
            return Err(ParseKeyError);
        }
        let weak = algorithm == Algorithm::EdDsa && bytes.try_into().is_ok_and(is_doubtful);
        Ok(Self { algorithm, bytes: bytes.to_vec(), id: Digest::of(bytes), weak })
    }

    /// Its algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its raw bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it verifies nothing, whatever the signature.
    pub(crate) const fn is_weak(&self) -> bool {
        self.weak
    }

    /// Its id: SHA-256 of the raw bytes.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Verifies `signature` over `message`.
    ///
    /// # Errors
    ///
    /// [`BadSignature`]; the library says no more, on purpose.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        if self.weak {
            return Err(BadSignature);
        }
        let algorithm: &dyn signature::VerificationAlgorithm = match self.algorithm {
            Algorithm::EdDsa => &signature::ED25519,
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        };
        signature::UnparsedPublicKey::new(algorithm, &self.bytes)
            .verify(message, signature)
            .map_err(|_| BadSignature)
    }
}

/// Whether 32 bytes are an Ed25519 point of small order, or not the canonical form of any.
pub(crate) fn is_doubtful(point: &[u8; 32]) -> bool {
    let mut y = *point;
    y[31] &= 0x7f;
    is_small_order(&y) || !is_canonical(&y)
}

/// The y coordinates of the Ed25519 points of small order, canonical and not, little-endian.
const SMALL_ORDER: [[u8; 32]; 7] = [
    with_first(0, 0),
    with_first(1, 0),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    with_first(0xec, 0xff),
    with_first(0xed, 0xff),
    with_first(0xee, 0xff),
];

/// A number of 255 bits: `first`, then bytes of `rest`.
const fn with_first(first: u8, rest: u8) -> [u8; 32] {
    let mut y = [rest; 32];
    y[0] = first;
    y[31] = rest & 0x7f;
    y
}

/// Whether a y coordinate is of a point of small order. Libraries take such keys, and one signature
/// of theirs verifies for many messages: whoever registered one could disown all that it signed.
fn is_small_order(y: &[u8; 32]) -> bool {
    SMALL_ORDER.contains(y)
}

/// Whether a y coordinate is below 2^255 - 19, as RFC 8032 section 5.1.3 asks. Libraries differ
/// about the others; a log must verify the same with each of them.
fn is_canonical(y: &[u8; 32]) -> bool {
    const P: [u8; 32] = with_first(0xed, 0xff);
    y.iter().rev().lt(P.iter().rev())
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), URL_SAFE_NO_PAD.encode(&self.bytes))
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for PublicKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (algorithm, encoded) = match text.split_once(':') {
            Some(("EdDSA", encoded)) => (Algorithm::EdDsa, encoded),
            Some(("ES256", encoded)) => (Algorithm::Es256, encoded),
            _ => return Err(ParseKeyError),
        };
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| ParseKeyError)?;
        Self::new(algorithm, &bytes)
    }
}

/// An Ed25519 key that signs. Its private half never leaves this type but as the PKCS#8 it came from.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// Bytes that are no Ed25519 private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 private key in PKCS#8 (RFC 8410)")]
pub struct BadPrivateKey;

impl SigningKey {
    /// Reads a PKCS#8 v1 or v2 document (RFC 8410), DER.
    ///
    /// # Errors
    ///
    /// [`BadPrivateKey`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, BadPrivateKey> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
            .map_err(|_| BadPrivateKey)
            .and_then(Self::of)
    }

    /// Makes the key of a 32-byte seed, as drawn by the caller (RFC 8032 section 5.1.5).
    ///
    /// # Errors
    ///
    /// [`BadPrivateKey`] where the seed has another length.
    pub fn from_seed(seed: &[u8]) -> Result<Self, BadPrivateKey> {
        Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BadPrivateKey).and_then(Self::of)
    }

    fn of(pair: Ed25519KeyPair) -> Result<Self, BadPrivateKey> {
        let public = PublicKey::new(Algorithm::EdDsa, pair.public_key().as_ref())
            .map_err(|_| BadPrivateKey)?;
        Ok(Self { pair, public })
    }

    /// The public half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message`: 64 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_verifies_only_with_its_key_and_message() {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        let other = SigningKey::from_seed(&[8; 32]).unwrap();
        let signature = key.sign(b"message");
        assert_eq!(key.public().verify(b"message", &signature), Ok(()));
        assert_eq!(key.public().verify(b"massage", &signature), Err(BadSignature));
        assert_eq!(other.public().verify(b"message", &signature), Err(BadSignature));
    }

    #[test]
    fn a_key_of_small_order_verifies_nothing() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        for sign in [0, 0x80] {
            identity[31] = sign;
            let key = PublicKey::new(Algorithm::EdDsa, &identity).unwrap();
            assert_eq!(key.verify(b"any message", &signature), Err(BadSignature));
        }
    }

    #[test]
    fn only_the_canonical_form_of_a_key_counts() {
        let least = |first: u8| {
            let mut key = [0xff; 32];
            (key[0], key[31]) = (first, 0x7f);
            key
        };
        // 2^255 - 20 is the greatest y that stands; from 2^255 - 19 on it is another's second form.
        assert!(is_canonical(&least(0xec)));
        for first in 0xed..=0xff {
            assert!(!is_canonical(&least(first)), "{first:#x}");
            let key = PublicKey::new(Algorithm::EdDsa, &least(first)).unwrap();
            assert!(key.weak);
        }
        assert!(!SigningKey::from_seed(&[7; 32]).unwrap().public().weak);
    }

    #[test]
    fn public_keys_have_one_written_form() {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        let text = key.public().to_string();
        assert_eq!(text.parse::<PublicKey>().as_ref(), Ok(key.public()));
        for bad in ["", "EdDSA:", "EdDSA:AAAA", "RS256:AAAA", &format!("{text}=")] {
            assert_eq!(bad.parse::<PublicKey>(), Err(ParseKeyError), "{bad}");
        }
        assert_eq!(SigningKey::from_seed(&[7; 31]).err(), Some(BadPrivateKey));
    }
}
