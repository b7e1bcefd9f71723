//! X.509 certificates (RFC 5280), as much of them as CCF's services and nodes have.
//!
//! A chain is a signature over the whole certificate by an issuer whose subject is the issuer named,
//! and that may sign certificates. Path lengths, names beyond that and extended uses are not read:
//! the chain starts at one service certificate, never at a list of authorities.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_ledger::digest::Digest;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};

use crate::key::{EcKey, Hash};

/// Longest certificate that is read, as PEM or DER: 16 KiB.
pub const CERTIFICATE_LEN_MAX: usize = 16 << 10;

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// A certificate, its signature not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    signed: Vec<u8>,
    hash: Hash,
    signature: Vec<u8>,
    key: EcKey,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    period: Period,
    signs_certificates: bool,
}

/// When a certificate is valid, in seconds since 1970, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// From then on.
    pub from_s: u64,
    /// Until then.
    pub until_s: u64,
}

impl Period {
    /// Whether it holds that time.
    pub const fn holds(&self, time_s: u64) -> bool {
        self.from_s <= time_s && time_s <= self.until_s
    }

    /// What it has in common with another; none where they don't touch.
    pub fn common(&self, other: &Self) -> Option<Self> {
        let from_s = self.from_s.max(other.from_s);
        let until_s = self.until_s.min(other.until_s);
        (from_s <= until_s).then_some(Self { from_s, until_s })
    }
}

/// Why a text or bytes are not a certificate of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Longer than [`CERTIFICATE_LEN_MAX`].
    #[error("longer than {CERTIFICATE_LEN_MAX} bytes")]
    TooLong,
    /// Not one certificate in PEM (RFC 7468) and nothing else.
    #[error("not one certificate in PEM")]
    Pem,
    /// Not X.509 in canonical DER.
    #[error("not an X.509 certificate in canonical DER")]
    Der,
    /// The key is not one that CCF makes.
    #[error("its key is not an ECDSA key on P-256 or P-384")]
    Key,
    /// The signature is not one that CCF makes.
    #[error("its signature is not ECDSA with SHA-256 or SHA-384")]
    Algorithm,
    /// An extension that is read is malformed.
    #[error("its basic constraints or key usage are malformed")]
    Extension,
}

/// Why one certificate does not vouch for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The names don't chain.
    #[error("the issuer that the certificate names is another one")]
    Issuer,
    /// The issuer may not sign certificates.
    #[error("the issuer's certificate may not sign certificates")]
    NotAnAuthority,
    /// The signature is not the issuer's.
    #[error("the certificate's signature is not the issuer's")]
    Signature,
}

impl Certificate {
    /// Reads one certificate in PEM, with nothing but white space around it.
    ///
    /// # Errors
    ///
    /// [`CertificateError`].
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        if text.len() > CERTIFICATE_LEN_MAX {
            return Err(CertificateError::TooLong);
        }
        let trimmed = text.trim_matches([' ', '\r', '\n']);
        let body = trimmed.strip_prefix(BEGIN).and_then(|it| it.strip_suffix(END));
        let lines: String = body.ok_or(CertificateError::Pem)?.lines().collect();
        let der = STANDARD.decode(lines).map_err(|_| CertificateError::Pem)?;
        Self::from_der(&der)
    }

    /// Reads a certificate in DER.
    ///
    /// # Errors
    ///
    /// [`CertificateError`].
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > CERTIFICATE_LEN_MAX {
            return Err(CertificateError::TooLong);
        }
        let parsed = x509_cert::Certificate::from_der(der).map_err(|_| CertificateError::Der)?;
        // What is signed is encoded again below: so that must be what stands there.
        if parsed.to_der().as_deref() != Ok(der) {
            return Err(CertificateError::Der);
        }
        let body = &parsed.tbs_certificate;
        let encoded =
            |result: x509_cert::der::Result<Vec<u8>>| result.map_err(|_| CertificateError::Der);
        let hash = match parsed.signature_algorithm.oid {
            ECDSA_WITH_SHA256 => Hash::Sha256,
            ECDSA_WITH_SHA384 => Hash::Sha384,
            _ => return Err(CertificateError::Algorithm),
        };
        if parsed.signature_algorithm != body.signature {
            return Err(CertificateError::Algorithm);
        }
        let spki = encoded(body.subject_public_key_info.to_der())?;
        let constraints =
            body.get::<BasicConstraints>().map_err(|_| CertificateError::Extension)?;
        let usage = body.get::<KeyUsage>().map_err(|_| CertificateError::Extension)?;
        let seconds = |time: x509_cert::time::Time| Duration::as_secs(&time.to_unix_duration());
        Ok(Self {
            der: der.to_vec(),
            signed: encoded(body.to_der())?,
            hash,
            signature: parsed.signature.as_bytes().ok_or(CertificateError::Der)?.to_vec(),
            key: EcKey::from_spki(&spki).map_err(|_| CertificateError::Key)?,
            subject: encoded(body.subject.to_der())?,
            issuer: encoded(body.issuer.to_der())?,
            period: Period {
                from_s: seconds(body.validity.not_before),
                until_s: seconds(body.validity.not_after),
            },
            signs_certificates: constraints.is_some_and(|(_, it)| it.ca)
                && usage.is_none_or(|(_, it)| it.0.contains(KeyUsages::KeyCertSign)),
        })
    }

    /// Its bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of its bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// Its public key.
    pub const fn key(&self) -> &EcKey {
        &self.key
    }

    /// When it is valid.
    pub const fn period(&self) -> Period {
        self.period
    }

    /// Checks that `issuer` signed this certificate. Periods are the caller's to check.
    ///
    /// # Errors
    ///
    /// [`ChainError`].
    pub fn check_issued_by(&self, issuer: &Self) -> Result<(), ChainError> {
        if self.issuer != issuer.subject {
            return Err(ChainError::Issuer);
        }
        if !issuer.signs_certificates {
            return Err(ChainError::NotAnAuthority);
        }
        issuer
            .key
            .verify(self.hash, &self.signed, &self.signature)
            .map_err(|_| ChainError::Signature)
    }

    /// Checks that it signed itself, as a service's certificate does.
    ///
    /// # Errors
    ///
    /// [`ChainError`].
    pub fn check_self_signed(&self) -> Result<(), ChainError> {
        self.check_issued_by(self)
    }
}
