//! Pausing, resuming and closing a collaboration.
//!
//! Paused, nothing runs: runs in flight are cancelled in the same batch, and requests are refused.
//! All else goes on. Closed, the log takes few commands more: an erasure, which is a right that no
//! agreement ends, the service's change of its key, which changes nothing else, and an executor's
//! request of a secret, which is refused by an event.

use super::collaboration::about_itself;
use super::{Events, check_text, in_flight};
use crate::command::{CloseCollaboration, Command, PauseCollaboration};
use crate::event::{CollaborationClosed, CollaborationPaused, CollaborationResumed};
use crate::reason::{Code, Reason, Rejection};
use crate::state::Collaboration;
use crate::state::lifecycle::Lifecycle;
use crate::subject::Subject;

/// Longest reason for a pause or a close, in characters.
pub const REASON_LEN_MAX: usize = 500;

/// Refuses what a closed collaboration takes no more.
pub(super) fn gate(state: &Collaboration, command: &Command) -> Result<(), Rejection> {
    match (&state.lifecycle, command) {
        (Lifecycle::Open | Lifecycle::Paused(_), _)
        | (
            Lifecycle::Closed(_),
            Command::ErasePersonal(_)
            | Command::RotateServiceKey(_)
            | Command::EraseDatasetSecret(_)
            // Refused for that very reason, and the refusal is an event.
            | Command::ReleaseSecret(_)
            | Command::MintToken(_),
        ) => Ok(()),
        (Lifecycle::Closed(_), _) => Err(closed()),
    }
}

fn closed() -> Rejection {
    Rejection::new(
        Code::CollaborationClosed,
        "the collaboration is closed for good; it can be read, exported, and e-mails in it erased",
    )
}

pub(super) fn pause(
    state: &Collaboration,
    subject: Subject,
    command: &PauseCollaboration,
) -> Result<Events, Rejection> {
    about_itself(state, subject)?;
    check_text("the reason", &command.reason, REASON_LEN_MAX)?;
    match state.lifecycle {
        Lifecycle::Open => {}
        Lifecycle::Paused(_) => {
            return Err(Rejection::new(
                Code::CollaborationPaused,
                "the collaboration is paused already",
            ));
        }
        Lifecycle::Closed(_) => return Err(closed()),
    }
    let reason = Reason::about(Code::CollaborationPaused, subject, "the collaboration was paused");
    let mut events = vec![(subject, CollaborationPaused { reason: command.reason.clone() }.into())];
    events.extend(in_flight::cancel(state.ties.runs(), &reason));
    Ok(events)
}

pub(super) fn resume(state: &Collaboration, subject: Subject) -> Result<Events, Rejection> {
    about_itself(state, subject)?;
    match state.lifecycle {
        Lifecycle::Paused(_) => Ok(vec![(subject, CollaborationResumed {}.into())]),
        Lifecycle::Open => Err(Rejection::new(
            Code::CollaborationNotPaused,
            "the collaboration is open; there is nothing to resume",
        )),
        Lifecycle::Closed(_) => Err(closed()),
    }
}

pub(super) fn close(
    state: &Collaboration,
    subject: Subject,
    command: &CloseCollaboration,
) -> Result<Events, Rejection> {
    about_itself(state, subject)?;
    check_text("the reason", &command.reason, REASON_LEN_MAX)?;
    match state.lifecycle {
        Lifecycle::Open | Lifecycle::Paused(_) => {}
        Lifecycle::Closed(_) => return Err(closed()),
    }
    let reason = Reason::about(Code::CollaborationClosed, subject, "the collaboration was closed");
    let mut events = vec![(subject, CollaborationClosed { reason: command.reason.clone() }.into())];
    events.extend(in_flight::cancel(state.ties.runs(), &reason));
    Ok(events)
}
