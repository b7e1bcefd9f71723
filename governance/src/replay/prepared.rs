//! What an entry says, read before its turn: on any core, in any order.

use std::borrow::Cow;

use chancery_ledger::cose::{Sign1, Verified};
use chancery_ledger::entry::{Authority, Sealed};
use chancery_ledger::key::{KeyId, PublicKey};

use crate::event::Event;
use crate::log::{FoldError, read};
use crate::reason::Rejection;
use crate::state::Recorded;
use crate::submission::{Carried, carried, carried_early};

/// An entry that was read. Whatever of it is not held here, the replay reads in order.
#[derive(Debug, Clone)]
pub struct Prepared {
    recorded: Recorded,
    event: Event,
    carried: Option<Carried>,
    verified: Option<Verified>,
}

impl Prepared {
    /// Reads what an entry records.
    ///
    /// # Errors
    ///
    /// [`FoldError::Subject`] and [`FoldError::Payload`].
    pub fn event_of(sealed: &Sealed) -> Result<Self, FoldError> {
        let (recorded, event) = read(sealed)?;
        Ok(Self { recorded, event, carried: None, verified: None })
    }

    /// Reads what an entry records, and the command that led to it, unless that is long.
    ///
    /// # Errors
    ///
    /// As [`Prepared::event_of`].
    pub fn all_of(sealed: &Sealed) -> Result<Self, FoldError> {
        let carried = carried_early(&sealed.entry().authority);
        Ok(Self { carried, ..Self::event_of(sealed)? })
    }

    /// The signed command with the key that it names: see [`Carried::signed_by`].
    pub fn signed_by(
        &self,
        key: &dyn Fn(KeyId) -> Option<PublicKey>,
    ) -> Option<(&Sign1, PublicKey)> {
        self.carried.as_ref()?.signed_by(key)
    }

    /// Takes the proof that the command's signature verifies.
    pub fn prove(&mut self, verified: Option<Verified>) {
        self.verified = verified;
    }

    /// What the entry records.
    pub const fn recorded(&self) -> &Recorded {
        &self.recorded
    }

    /// The event.
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// The command that led to the entry, whose authority this is: read here where it was not.
    ///
    /// # Errors
    ///
    /// As [`carried`].
    pub fn carried(&self, authority: &Authority) -> Result<Cow<'_, Carried>, Rejection> {
        match &self.carried {
            Some(carried) => Ok(Cow::Borrowed(carried)),
            None => carried(authority).map(Cow::Owned),
        }
    }

    /// The proof that the command's signature verifies, where there is one.
    pub const fn verified(&self) -> Option<Verified> {
        self.verified
    }
}
