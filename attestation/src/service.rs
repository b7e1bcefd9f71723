//! What the evidence of a service binds: its name and the key that seals its logs.

use chancery_governance::run::{Evidence, Platform, Verdict};
use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::key::PublicKey;

use crate::EvidenceError;

/// The report data of a service: SHA-256 of the canonical CBOR of
/// `["chancery/v1/service", name, key]`.
pub fn report_data(name: &str, key: &PublicKey) -> Digest {
    Digest::of(&codec::encode(&Value::Array(vec![
        Value::text("chancery/v1/service"),
        Value::text(name),
        Value::text(key.to_string()),
    ])))
}

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
