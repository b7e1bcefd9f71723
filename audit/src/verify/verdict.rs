//! From what went wrong to the verdict on it.

use std::error::Error;

use chancery_governance::log::FoldError;
use chancery_governance::reason::{Code, Rejection};
use chancery_governance::replay::ReplayError;

use crate::bundle::{Place, ReadError};
use crate::check::{Check, Verdict};

pub fn tampered(check: Check, position: Option<u64>, detail: String) -> Verdict {
    Verdict::Tampered { check, position, detail }
}

/// The verdict on a bundle that can't be read on, after `read` entries that verify.
pub fn unread(error: &ReadError, read: u64) -> Verdict {
    let detail = causes(error);
    match error {
        ReadError::NotABundle | ReadError::Version | ReadError::Io(_) => {
            Verdict::Unreadable { detail }
        }
        ReadError::Truncated(place) => Verdict::Incomplete {
            check: Check::Format,
            position: position(*place),
            detail: format!("{detail}; {read} entries before that verify"),
        },
        ReadError::Malformed { place, .. } | ReadError::Cbor { place, .. } => {
            tampered(Check::Format, position(*place), detail)
        }
    }
}

const fn position(place: Place) -> Option<u64> {
    match place {
        Place::Entry(position) => Some(position),
        Place::Header | Place::Receipt(_) | Place::Trailer | Place::End => None,
    }
}

pub const fn check_of(error: &ReplayError) -> Check {
    match error {
        ReplayError::Refused { source, .. } => check_of_refusal(source),
        ReplayError::Fold(FoldError::Previous { .. }) => Check::Chain,
        ReplayError::Fold(FoldError::Sealer { .. }) => Check::Seal,
        ReplayError::Fold(
            FoldError::Subject { .. } | FoldError::Payload { .. } | FoldError::Corrupt(_),
        )
        | ReplayError::Rules { .. }
        | ReplayError::OtherEvent { .. }
        | ReplayError::NoCause { .. }
        | ReplayError::Incomplete { .. }
        | ReplayError::CommandReused { .. } => Check::Rules,
    }
}

pub const fn check_of_refusal(rejection: &Rejection) -> Check {
    match rejection.first.code {
        Code::EvidenceInvalid | Code::EvidenceNotBound => Check::ExecutorEvidence,
        Code::SignatureInvalid
        | Code::SignatureExpired
        | Code::SignatureLifetime
        | Code::SignatureAudience
        | Code::SignatureCollaboration
        | Code::SignatureSubject
        | Code::SignatureContent
        | Code::SignatureCommand
        | Code::KeyUnknown
        | Code::KeyRevoked => Check::Authority,
        _ => Check::Rules,
    }
}

/// An error and what caused it, on one line.
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
