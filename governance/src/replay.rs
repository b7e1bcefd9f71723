//! The strict replay: was each entry permitted, and made, by those before it?
//!
//! Each command is decided again from the bytes that its authority carries; the events must be the
//! stored ones, all of them and no more, but for the sentences of reasons, which no signature is
//! over and releases may word differently. What a decision took from outside the log is lifted from
//! the stored event, and what that means is the caller's to say.

mod prepared;
mod used;

use std::collections::VecDeque;

use chancery_ledger::entry::{Actor, Authority, Sealed};
use chancery_ledger::id::CommandId;

use crate::command::Command;
use crate::event::Event;
use crate::log::{FoldError, check_place};
use crate::reason::{Code, Rejection};
use crate::run::{Evidence, Verdict};
use crate::state::{State, evolve};
use crate::subject::Subject;
use crate::submission::{EmailProof, Facts, Service, Submission, handle_carried};

/// An entry that the rules do not permit where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It can't be part of this log.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The log was begun under rules that this release does not have.
    #[error(
        "position 0: the log is under version {version} of the rules, and this release has {}",
        crate::RULES
    )]
    Rules {
        /// The version that the log names.
        version: u64,
    },
    /// Its command is refused by the rules.
    #[error("position {position}: the rules refuse its command")]
    Refused {
        /// Where.
        position: u64,
        /// Why.
        #[source]
        source: Rejection,
    },
    /// Its command causes something else.
    #[error("position {position}: its command causes {expected}, and the log has {found}")]
    OtherEvent {
        /// Where.
        position: u64,
        /// What the rules give.
        expected: String,
        /// What is stored.
        found: String,
    },
    /// It claims to follow from a command that does not cause it.
    #[error("position {position}: it follows from no command before it")]
    NoCause {
        /// Where.
        position: u64,
    },
    /// The log ends, or goes on, before all that a command causes.
    #[error("position {position}: {missing} of what the command before causes is missing")]
    Incomplete {
        /// Where the missing entry should stand.
        position: u64,
        /// How many entries are missing.
        missing: usize,
    },
    /// A command id stands twice.
    #[error("position {position}: the command id was used before")]
    CommandReused {
        /// Where.
        position: u64,
    },
}

/// Verifies evidence: gives what it says, or why it says nothing.
pub type VerifyEvidence<'a> = &'a (dyn Fn(&Evidence) -> Result<Verdict, String> + Sync);

pub use prepared::Prepared;

/// A replay in progress.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    state: State,
    due: VecDeque<(Subject, Event)>,
    cause: Option<(u64, CommandId, Actor)>,
    commands: used::Used,
}

impl Replay {
    /// The state so far.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Takes the next entry. Its seal must have been checked.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]; the replay can't go on then.
    pub fn step(&mut self, sealed: &Sealed, verify: VerifyEvidence<'_>) -> Result<(), ReplayError> {
        self.step_prepared(sealed, &Prepared::event_of(sealed)?, verify)
    }

    /// As [`Replay::step`], where `prepared` was read from that entry. What it holds no proof of is
    /// checked here.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]; the replay can't go on then.
    pub fn step_prepared(
        &mut self,
        sealed: &Sealed,
        prepared: &Prepared,
        verify: VerifyEvidence<'_>,
    ) -> Result<(), ReplayError> {
        let (recorded, event) = (prepared.recorded(), prepared.event());
        let (entry, position) = (sealed.entry(), recorded.position);
        if let Event::CollaborationCreated(created) = event
            && created.rules != crate::RULES
        {
            return Err(ReplayError::Rules { version: created.rules });
        }
        check_place(&self.state, sealed, event)?;
        if let Authority::Consequence(of) = entry.authority {
            if self.cause != Some((of, entry.command, entry.actor)) || self.due.is_empty() {
                return Err(ReplayError::NoCause { position });
            }
        } else {
            self.finish(position)?;
            if !self.commands.insert(entry.command) {
                return Err(ReplayError::CommandReused { position });
            }
            let carried = prepared
                .carried(&entry.authority)
                .map_err(|source| ReplayError::Refused { position, source })?;
            let submission = Submission {
                collaboration: entry.collaboration,
                subject: recorded.subject,
                command: entry.command,
                authority: &entry.authority,
                verified: prepared.verified(),
                now_ms: entry.time_ms,
                facts: recorded_facts(&carried.command, event, verify),
            };
            let decision = handle_carried(&self.state, &submission, &carried)
                .map_err(|source| ReplayError::Refused { position, source })?;
            if decision.actor != entry.actor {
                return Err(ReplayError::OtherEvent {
                    position,
                    expected: format!("an act of {:?}", decision.actor),
                    found: format!("one of {:?}", entry.actor),
                });
            }
            self.cause = Some((position, entry.command, entry.actor));
            self.due = decision.events.into();
        }
        let due = self.due.pop_front();
        let same = due.as_ref().is_some_and(|(subject, due)| {
            *subject == recorded.subject && due.is_but_for_prose(event)
        });
        if !same {
            let name = |subject: &Subject, event: &Event| format!("{} on {subject}", event.kind());
            return Err(ReplayError::OtherEvent {
                position,
                expected: due
                    .as_ref()
                    .map_or("nothing".to_owned(), |(subject, event)| name(subject, event)),
                found: name(&recorded.subject, event),
            });
        }
        let state = std::mem::take(&mut self.state);
        self.state = evolve(state, recorded, event.clone()).map_err(FoldError::from)?;
        Ok(())
    }

    /// Checks that nothing is due before `position`.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Incomplete`].
    pub fn finish(&self, position: u64) -> Result<(), ReplayError> {
        match self.due.len() {
            0 => Ok(()),
            missing => Err(ReplayError::Incomplete { position, missing }),
        }
    }
}

/// What the decision took from outside, as the stored event has it; evidence is verified again.
fn recorded_facts(command: &Command, event: &Event, verify: VerifyEvidence<'_>) -> Facts {
    let mut facts = Facts {
        email: EmailProof::Recorded,
        verdict: command.evidence().map(verify),
        ..Facts::default()
    };
    match event {
        Event::CollaborationCreated(created) => {
            facts.service = Some(Service {
                name: created.service.clone(),
                key: created.service_key.clone(),
                evidence: created.evidence.clone(),
            });
        }
        Event::CollaboratorInvited(invited) => {
            facts.email_ciphertext = Some(invited.email.ciphertext.clone());
        }
        Event::TokenMinted(minted) => facts.token_issuer = Some(minted.issuer.clone()),
        // Whether the service had an address then is all that a refusal rested on.
        Event::TokenRefused(refused) => {
            let had = refused.reasons.iter().all(|it| it.code != Code::TokenIssuerMissing);
            facts.token_issuer = had.then(String::new);
        }
        _ => {}
    }
    facts
}
