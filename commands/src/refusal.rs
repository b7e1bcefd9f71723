//! From the errors of the layers below to problem documents: one match for each.

use chancery_governance::reason::{Family, Reason, Rejection};
use chancery_governance::remedy::Remedy;
use chancery_store::{AppendError, Fault, ReadError};

use chancery_projections::ViewsError;

use crate::logs::LoadError;
use crate::problem::{Problem, ReasonItem, RemedyItem};

/// A refusal by the rules.
pub fn rejection(rejection: &Rejection) -> Problem {
    let first = &rejection.first;
    let (code, detail) = (first.code.as_str(), sentence(&first.detail));
    let problem = match first.code.family() {
        Family::Invalid => Problem::rejected(code, detail),
        Family::Forbidden => Problem::forbidden(code, detail),
        Family::NotFound => Problem::missing(code, detail),
        Family::Conflict => Problem::conflict(code, detail),
        Family::Stale => Problem::precondition_failed(code, detail),
    };
    problem.with_reasons(rejection.reasons().map(reason).collect())
}

/// A run that was refused, which is an event of its own at `position`.
pub fn recorded(code: &'static str, reasons: &[Reason], position: u64) -> Problem {
    let what = match code {
        "secret_refused" => "The secret was refused, and the refusal is in the log.",
        "token_refused" => "The token was refused, and the refusal is in the log.",
        _ => "The run was refused, and the refusal is in the log.",
    };
    Problem::conflict(code, what)
        .with_reasons(reasons.iter().map(reason).collect())
        .with_position(position)
}

/// A reason as a document shows it.
pub fn reason(reason: &Reason) -> ReasonItem {
    let item = ReasonItem::new(reason.code.as_str(), reason.detail.clone());
    match &reason.subject {
        Some(subject) => item.about(subject.clone()),
        None => item,
    }
}

/// What to do about a reason, as a document shows it.
pub fn remedy(remedy: &Remedy) -> RemedyItem {
    RemedyItem {
        step: remedy.step.as_str().into(),
        who: remedy.who.iter().map(ToString::to_string).collect(),
        detail: remedy.detail.clone(),
        at_ms: remedy.at_ms,
    }
}

/// The answer to whoever may not know whether there is such a collaboration.
pub fn collaboration_not_found() -> Problem {
    Problem::missing(
        "collaboration_not_found",
        "There is no such collaboration, or you are not in it.",
    )
}

/// A log that can't be loaded.
pub fn load(error: &LoadError) -> Problem {
    match error {
        LoadError::Read(error) => read(error),
        LoadError::Entry { .. }
        | LoadError::Fold(_)
        | LoadError::Checkpoint(_)
        | LoadError::ForeignKey => Problem::corrupt(&chain(error)),
    }
}

/// A store that can't be read.
pub fn read(error: &ReadError) -> Problem {
    match error {
        ReadError::Unavailable(_) => unavailable(error),
        ReadError::Corrupt(_) => Problem::corrupt(&chain(error)),
    }
}

/// An append that was not made.
pub fn append(error: &AppendError) -> Problem {
    match error {
        AppendError::TooLarge(_) => {
            Problem::rejected("limit_exceeded", "What the command causes is too large to store.")
                .with_cause(&chain(error))
        }
        AppendError::Unavailable(_)
        | AppendError::Conflict { .. }
        | AppendError::Unknown(_)
        | AppendError::DuplicateCommand { .. } => unavailable(error),
        AppendError::Empty | AppendError::Contradiction(_) | AppendError::PersonalKeyExists => {
            Problem::internal(&chain(error))
        }
        AppendError::Corrupt(_) => Problem::corrupt(&chain(error)),
    }
}

/// An append that may or may not have been made.
pub fn outcome_unknown(fault: &Fault) -> Problem {
    Problem::unavailable(
        "outcome_unknown",
        "The command may have been stored. Send it again with the same Idempotency-Key.",
    )
    .with_cause(fault)
}

fn unavailable(error: &dyn std::error::Error) -> Problem {
    Problem::unavailable("log_unavailable", "The log is not available now. Nothing was stored.")
        .with_cause(&chain(error))
}

/// An error with all its causes, for the log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// A detail of the rules as a sentence.
fn sentence(detail: &str) -> String {
    let mut chars = detail.chars();
    let first = chars.next().map(|char| char.to_uppercase().collect::<String>());
    format!("{}{}.", first.unwrap_or_default(), chars.as_str().trim_end_matches('.'))
}

/// Views that can't be read, or lag behind the log.
pub fn views(error: &ViewsError) -> Problem {
    match error {
        ViewsError::Unavailable(_) | ViewsError::Behind { .. } => {
            Problem::unavailable("views_unavailable", "The views are not up to date. Try again.")
                .with_cause(&chain(error))
        }
        ViewsError::Halted(_) | ViewsError::Row { .. } => Problem::corrupt(&chain(error)),
    }
}
