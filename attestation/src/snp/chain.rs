//! From a chip's certificate to AMD's root: AMD 57230. RSA-PSS with SHA-384, as AMD signs.

use chancery_governance::clean_room::Tcb;
use chancery_ledger::digest::Digest;
use ring::signature::{RSA_PSS_2048_8192_SHA384, UnparsedPublicKey};
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _};

use crate::EvidenceError;

/// The roots that are trusted, by the SHA-256 of their public keys (`SubjectPublicKeyInfo`).
const ROOTS: &[(&str, &str)] =
    &[("ARK-Milan", "sha256:9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9")];

const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const BOOTLOADER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.1");
const TEE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.2");
const SNP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.3");
const MICROCODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.8");
const CHIP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.4");

/// A chip's key, and what AMD says of the chip.
pub struct Vcek {
    /// The public key: an uncompressed point on P-384.
    pub key: Vec<u8>,
    pub tcb: Tcb,
    pub chip: [u8; 64],
}

/// Verifies the chain and reads the chip's certificate.
pub fn verify(vcek: &[u8], ask: &[u8], ark: &[u8]) -> Result<Vcek, EvidenceError> {
    let (vcek, ask, ark) = (parse(vcek)?, parse(ask)?, parse(ark)?);
    let root = ark
        .tbs_certificate
        .subject_public_key_info
        .to_der()
        .map(|key| Digest::of(&key).to_string())
        .map_err(|_| DER)?;
    if !ROOTS.iter().any(|(_, pinned)| *pinned == root) {
        return Err(EvidenceError::Snp("the chain ends at no root of AMD that is known here"));
    }
    signed(&ark, &ark)?;
    signed(&ask, &ark)?;
    signed(&vcek, &ask)?;
    read(&vcek)
}

const DER: EvidenceError = EvidenceError::Malformed("a certificate is not X.509 in canonical DER");

fn parse(der: &[u8]) -> Result<Certificate, EvidenceError> {
    let parsed = Certificate::from_der(der).map_err(|_| DER)?;
    // What is signed is encoded again below: so that must be what stands there.
    if parsed.to_der().as_deref() == Ok(der) { Ok(parsed) } else { Err(DER) }
}

fn signed(certificate: &Certificate, by: &Certificate) -> Result<(), EvidenceError> {
    let body = &certificate.tbs_certificate;
    if body.issuer != by.tbs_certificate.subject {
        return Err(EvidenceError::Snp("a certificate names another issuer"));
    }
    let algorithm = &certificate.signature_algorithm;
    if algorithm.oid != RSA_PSS || *algorithm != body.signature {
        return Err(EvidenceError::Snp("a certificate has another signature than RSA-PSS"));
    }
    let key = by.tbs_certificate.subject_public_key_info.subject_public_key.as_bytes();
    let (Some(key), Some(signature)) = (key, certificate.signature.as_bytes()) else {
        return Err(DER);
    };
    let message = body.to_der().map_err(|_| DER)?;
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, key)
        .verify(&message, signature)
        .map_err(|_| EvidenceError::Snp("a certificate is not signed by its issuer"))
}

fn read(vcek: &Certificate) -> Result<Vcek, EvidenceError> {
    let body = &vcek.tbs_certificate;
    let key = body.subject_public_key_info.subject_public_key.as_bytes().ok_or(DER)?;
    let extension = |oid: ObjectIdentifier| {
        let found = body.extensions.iter().flatten().find(|it| it.extn_id == oid);
        found.map(|it| it.extn_value.as_bytes())
    };
    let number = |oid| {
        let der = extension(oid)?;
        u64::from_der(der).ok()
    };
    let parts = (number(BOOTLOADER), number(TEE), number(SNP), number(MICROCODE));
    let (Some(bootloader), Some(tee), Some(snp), Some(microcode)) = parts else {
        return Err(EvidenceError::Snp("the chip's certificate does not tell its TCB"));
    };
    let chip = extension(CHIP).and_then(|bytes| bytes.try_into().ok());
    let chip = chip.ok_or(EvidenceError::Snp("the chip's certificate does not tell the chip"))?;
    Ok(Vcek { key: key.to_vec(), tcb: Tcb { bootloader, tee, snp, microcode }, chip })
}
