//! Between decisions and the log: sealing what was decided, folding what is stored.

use chancery_ledger::entry::{self, Authority, Entry, OpenError, Sealed};
use chancery_ledger::id::ParseIdError;
use chancery_ledger::key::{PublicKey, SigningKey};

use crate::event::Event;
use crate::state::{Corrupt, Recorded, State, evolve};
use crate::submission::{Decision, Submission};
use crate::wire::{WireError, v1};

/// A stored entry that can't be part of this log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// Its subject is none.
    #[error("position {position}: the subject is not `kind/id`")]
    Subject {
        /// Where.
        position: u64,
        /// What is wrong with it.
        #[source]
        source: ParseIdError,
    },
    /// Its payload is not that of its event type.
    #[error("position {position}: the payload is not that of its type")]
    Payload {
        /// Where.
        position: u64,
        /// What is wrong with it.
        #[source]
        source: WireError,
    },
    /// It does not name the leaf hash of the entry before.
    #[error("position {position}: it does not name the leaf hash of the entry before")]
    Previous {
        /// Where.
        position: u64,
    },
    /// Another key sealed it than the one that seals there.
    #[error("position {position}: another key sealed it than the one that seals there")]
    Sealer {
        /// Where.
        position: u64,
    },
    /// The event is illegal in the state.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// Reads what a stored entry records.
///
/// # Errors
///
/// [`FoldError::Subject`] and [`FoldError::Payload`].
pub fn read(sealed: &Sealed) -> Result<(Recorded, Event), FoldError> {
    let entry = sealed.entry();
    let position = entry.position;
    let subject =
        entry.subject.parse().map_err(|source| FoldError::Subject { position, source })?;
    let event = v1::decode_event(&entry.kind, &entry.payload)
        .map_err(|source| FoldError::Payload { position, source })?;
    let recorded = Recorded {
        collaboration: entry.collaboration,
        position,
        leaf: sealed.leaf(),
        time_ms: entry.time_ms,
        actor: entry.actor,
        command: entry.command,
        subject,
    };
    Ok((recorded, event))
}

/// The key that seals the next entry of a log, and signs the checkpoint of its size: the one that
/// the state names, or `first` while the log is empty.
pub fn sealing_key<'a>(state: &'a State, first: &'a PublicKey) -> &'a PublicKey {
    state.collaboration().map_or(first, |state| &state.service_key)
}

/// Opens the next entry of a log: its seal must be by [`sealing_key`].
///
/// # Errors
///
/// [`OpenError`].
pub fn open(bytes: Vec<u8>, state: &State, first: &PublicKey) -> Result<Sealed, OpenError> {
    Sealed::open(bytes, sealing_key(state, first))
}

/// Checks that an entry follows the one before, and names the key that seals there. That this key
/// did seal it is for whoever opened it to check.
pub(crate) fn check_place(state: &State, sealed: &Sealed, event: &Event) -> Result<(), FoldError> {
    let position = sealed.entry().position;
    if sealed.entry().previous != state.collaboration().map(|state| state.last_leaf) {
        return Err(FoldError::Previous { position });
    }
    let sealer = match (state, event) {
        (State::Present(state), _) => state.service_key.id(),
        (State::Absent, Event::CollaborationCreated(created)) => created.service_key.id(),
        // No log begins so; the fold says it.
        (State::Absent, _) => return Ok(()),
    };
    if sealed.key_id() == sealer { Ok(()) } else { Err(FoldError::Sealer { position }) }
}

/// Moves `state` by a stored entry. The seal must have been checked.
///
/// # Errors
///
/// [`FoldError`].
pub fn fold(state: State, sealed: &Sealed) -> Result<State, FoldError> {
    let (recorded, event) = read(sealed)?;
    check_place(&state, sealed, &event)?;
    Ok(evolve(state, &recorded, event)?)
}

/// Seals what was decided and moves the state by it.
///
/// # Errors
///
/// [`FoldError::Sealer`] where `key` is not the one that seals the log now, and
/// [`FoldError::Corrupt`] where a decision contradicts the fold: a fault of the rules themselves.
pub fn seal(
    state: State,
    decision: Decision,
    submission: &Submission<'_>,
    key: &SigningKey,
) -> Result<(Vec<Sealed>, State), FoldError> {
    let first = state.collaboration().map_or(0, |state| state.size);
    let time_ms =
        submission.now_ms.max(state.collaboration().map_or(0, |state| state.last_time_ms));
    let mut state = state;
    let mut sealed = Vec::with_capacity(decision.events.len());
    for (position, (subject, event)) in (first..).zip(decision.events) {
        let authority = if position == first {
            submission.authority.clone()
        } else {
            Authority::Consequence(first)
        };
        let entry = entry::seal(
            Entry {
                kind: event.kind().to_owned(),
                collaboration: submission.collaboration,
                position,
                previous: state.collaboration().map(|state| state.last_leaf),
                subject: subject.to_string(),
                actor: decision.actor,
                command: submission.command,
                time_ms,
                payload: v1::encode_event(&event),
                authority,
            },
            key,
        );
        check_place(&state, &entry, &event)?;
        let recorded = Recorded {
            collaboration: submission.collaboration,
            position,
            leaf: entry.leaf(),
            time_ms,
            actor: decision.actor,
            command: submission.command,
            subject,
        };
        // The event itself: reading it back from its payload gives the same.
        state = evolve(state, &recorded, event)?;
        sealed.push(entry);
    }
    Ok((sealed, state))
}
