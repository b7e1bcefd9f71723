//! Public keys of services and nodes: ECDSA on P-384, which CCF makes, and on P-256.

use std::fmt;

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use chancery_ledger::digest::Digest;
use p384::ecdsa::signature::hazmat::PrehashVerifier as _;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use crate::tree::Root;

/// `id-ecPublicKey` (RFC 5480).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// A curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256, with `ES256` in COSE.
    P256,
    /// NIST P-384, with `ES384` in COSE.
    P384,
}

/// A hash function under a certificate's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

impl Curve {
    /// The COSE algorithm that CCF signs with on this curve (RFC 9053 section 2.1).
    pub const fn cose(self) -> i128 {
        match self {
            Self::P256 => -7,
            Self::P384 => -35,
        }
    }

    /// The length of an uncompressed point (SEC 1).
    const fn point_len(self) -> usize {
        match self {
            Self::P256 => 65,
            Self::P384 => 97,
        }
    }
}

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub struct EcKey {
    curve: Curve,
    point: Vec<u8>,
    spki: Vec<u8>,
    id: Digest,
}

/// Bytes that are no public key of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an ECDSA public key on P-256 or P-384, uncompressed, in canonical DER")]
pub struct BadKey;

/// A signature that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

impl EcKey {
    /// Reads a `SubjectPublicKeyInfo` (RFC 5480), DER.
    ///
    /// # Errors
    ///
    /// [`BadKey`].
    pub fn from_spki(der: &[u8]) -> Result<Self, BadKey> {
        let info = SubjectPublicKeyInfoOwned::from_der(der).map_err(|_| BadKey)?;
        if info.to_der().as_deref() != Ok(der) || info.algorithm.oid != EC_PUBLIC_KEY {
            return Err(BadKey);
        }
        let curve = info.algorithm.parameters.as_ref().and_then(|it| it.decode_as().ok());
        let curve = match curve {
            Some(SECP256R1) => Curve::P256,
            Some(SECP384R1) => Curve::P384,
            _ => return Err(BadKey),
        };
        let point = info.subject_public_key.as_bytes().ok_or(BadKey)?;
        if point.len() != curve.point_len() || point[0] != 4 {
            return Err(BadKey);
        }
        Ok(Self { curve, point: point.to_vec(), spki: der.to_vec(), id: Digest::of(der) })
    }

    /// Its curve.
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// Its `SubjectPublicKeyInfo`, DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of [`EcKey::spki`]. In hex it is a node's id, and the `kid` of a service.
    pub const fn id(&self) -> Digest {
        self.id
    }

    /// Verifies a signature in DER (`ECDSA-Sig-Value`) over a message.
    ///
    /// # Errors
    ///
    /// [`BadSignature`].
    pub fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.by_library(
            match (self.curve, hash) {
                (Curve::P256, Hash::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
                (Curve::P256, Hash::Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
                (Curve::P384, Hash::Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
                (Curve::P384, Hash::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
            },
            message,
            signature,
        )
    }

    /// Verifies a signature of COSE, `r || s`, over a message: [`Curve::cose`].
    ///
    /// # Errors
    ///
    /// [`BadSignature`].
    pub fn verify_cose(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.by_library(
            match self.curve {
                Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED,
                Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            },
            message,
            signature,
        )
    }

    /// Verifies a node's signature in DER over a Merkle root, which it signed as the digest of
    /// SHA-256 that it is, whatever the curve.
    ///
    /// # Errors
    ///
    /// [`BadSignature`].
    pub fn verify_root(&self, root: &Root, signature: &[u8]) -> Result<(), BadSignature> {
        match root.pair() {
            Some(pair) => self.verify(Hash::Sha256, pair, signature),
            None => self.verify_digest(root.digest(), signature),
        }
    }

    /// The same where nothing but the digest is known. Some times slower, in pure Rust.
    fn verify_digest(&self, digest: &Digest, signature: &[u8]) -> Result<(), BadSignature> {
        let digest = digest.as_bytes();
        match self.curve {
            Curve::P256 => {
                let signature = p256::ecdsa::DerSignature::try_from(signature)
                    .and_then(p256::ecdsa::Signature::try_from);
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&self.point);
                key.and_then(|key| key.verify_prehash(digest, &signature?))
            }
            Curve::P384 => {
                let signature = p384::ecdsa::DerSignature::try_from(signature)
                    .and_then(p384::ecdsa::Signature::try_from);
                let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&self.point);
                key.and_then(|key| key.verify_prehash(digest, &signature?))
            }
        }
        .map_err(|_| BadSignature)
    }

    /// By AWS-LC, which is some times as fast on P-384 as `ring`.
    fn by_library(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(algorithm, &self.point)
            .verify(message, signature)
            .map_err(|_| BadSignature)
    }
}

impl fmt::Debug for EcKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.curve, self.id.to_hex())
    }
}
