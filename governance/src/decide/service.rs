//! The service's own key: what binds it, and how another one takes over.

use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::key::{Algorithm, PublicKey};

use super::{Events, wrong_subject};
use crate::command::RotateServiceKey;
use crate::event::ServiceKeyRotated;
use crate::reason::{Code, Rejection};
use crate::run::Platform;
use crate::state::Collaboration;
use crate::subject::Subject;
use crate::submission::Facts;

/// Most keys that seal a log, one after the other.
pub const SERVICE_KEYS_MAX: usize = 1_000;

/// What the evidence of a service must bind, when a log begins and whenever its key changes:
/// SHA-256 of the canonical CBOR of `["chancery/v1/service", name, key]`.
pub fn report_data(name: &str, key: &PublicKey) -> Digest {
    Digest::of(&codec::encode(&Value::Array(vec![
        Value::text("chancery/v1/service"),
        Value::text(name),
        Value::text(key.to_string()),
    ])))
}

/// The command is signed by the new key; that the one before agrees, its seal on the entry says.
pub(super) fn rotate_key(
    state: &Collaboration,
    subject: Subject,
    command: &RotateServiceKey,
    facts: &Facts,
) -> Result<Events, Rejection> {
    if subject != Subject::Collaboration(state.id) {
        return Err(wrong_subject("the collaboration itself"));
    }
    let id = command.key.id();
    if command.key.algorithm() != Algorithm::EdDsa {
        return Err(Rejection::new(Code::InvalidKey, "a key that seals a log is an Ed25519 key"));
    }
    if state.sealed_with(id) {
        return Err(Rejection::new(
            Code::ServiceKeyUsed,
            "the key seals this log now, or did before; a service never goes back to a key",
        ));
    }
    if state.member_by_key(id).is_some() {
        return Err(Rejection::new(Code::KeyAlreadyRegistered, "the key is a member's"));
    }
    if state.service_keys.len() >= SERVICE_KEYS_MAX {
        return Err(Rejection::new(
            Code::LimitExceeded,
            format!("at most {SERVICE_KEYS_MAX} keys seal a log, one after the other"),
        ));
    }
    let bound = report_data(&state.service, &command.key);
    let verdict = match &facts.verdict {
        Some(Ok(verdict)) if verdict.report_data == bound => verdict,
        Some(Ok(_)) => {
            return Err(Rejection::new(
                Code::EvidenceNotBound,
                "the evidence binds something else than the service's name and the new key",
            ));
        }
        Some(Err(why)) => return Err(Rejection::new(Code::EvidenceInvalid, why.clone())),
        None => {
            return Err(Rejection::new(Code::EvidenceInvalid, "the evidence was not looked at"));
        }
    };
    if verdict.platform == Platform::InsecureVirtual && !state.terms.insecure_virtual {
        return Err(Rejection::new(
            Code::InsecureVirtualNotAllowed,
            "no hardware stands behind the evidence, and the terms do not accept that",
        ));
    }
    let rotated =
        ServiceKeyRotated { key: command.key.clone(), evidence: command.evidence.clone() };
    Ok(vec![(subject, rotated.into())])
}
