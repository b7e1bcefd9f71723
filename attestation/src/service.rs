//! What the evidence of a service binds: its name and the key that seals its logs.

use chancery_governance::run::{Evidence, Platform, Verdict};
use chancery_ledger::key::PublicKey;

use crate::EvidenceError;

pub use chancery_governance::decide::service::report_data;

/// Verifies that `evidence` binds `name` and `key`.
///
/// # Errors
///
/// [`EvidenceError`].
pub fn verify(evidence: &Evidence, name: &str, key: &PublicKey) -> Result<Verdict, EvidenceError> {
    let verdict = crate::verify(evidence)?;
    if verdict.report_data == report_data(name, key) {
        Ok(verdict)
    } else {
        Err(EvidenceError::Malformed("it binds another service or key"))
    }
}

/// Whether hardware stands behind a verdict.
pub const fn is_hardware(verdict: &Verdict) -> bool {
    match verdict.platform {
        Platform::InsecureVirtual => false,
        Platform::SevSnp => true,
    }
}
