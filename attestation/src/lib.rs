//! Attestation evidence: verified here, bound to keys and results by the report data that the
//! rules compute. Pure: no network and no clock.

pub mod insecure_virtual;
pub mod service;
pub mod snp;

use chancery_governance::run::{Evidence, Verdict};

/// Evidence that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// A kind that this release can't verify.
    #[error("evidence of kind {0:?} can't be verified by this release")]
    UnknownKind(String),
    /// Not a document of its kind.
    #[error("the evidence is not a document of its kind: {0}")]
    Malformed(&'static str),
    /// An SEV-SNP report or its certificates do not hold.
    #[error("the SEV-SNP evidence does not hold: {0}")]
    Snp(&'static str),
}

/// Verifies evidence of any known kind.
///
/// # Errors
///
/// [`EvidenceError`].
pub fn verify(evidence: &Evidence) -> Result<Verdict, EvidenceError> {
    match evidence.kind.as_str() {
        insecure_virtual::KIND => insecure_virtual::verify(&evidence.document),
        snp::KIND => snp::verify(&evidence.document),
        other => Err(EvidenceError::UnknownKind(other.to_owned())),
    }
}
