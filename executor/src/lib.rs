//! The executor: takes admitted runs from the log to one outcome in the log.
//!
//! Every hint, from whatever carrier, only says that a collaboration moved. The executor then
//! fetches the entries, verifies seals, chain, rules and the signed checkpoint ([`log`]), and acts
//! on the state that this gives. A pure machine ([`machine`]) says what comes next for a run, the
//! driver does it. It never imports `commands` or `projections`: it speaks to the service over
//! HTTP only, in the same process too.
//!
//! # The order of effects
//!
//! Intent before effect, outcome after it, both in the log:
//!
//! 1. `run.admit`: the evidence binds this executor's key to the run; the rules check all again.
//! 2. The job spec is made, signed and put on disk; `run.submit` puts its digest into the log.
//! 3. Only then the engine is started, from the file with that digest. Whatever starts it holds
//!    the job's lock from before its first instruction until its death ([`backend::local`]).
//! 4. `run.start`, and at the end the result is checked against the files, `run.succeed` or
//!    `run.fail`.
//!
//! A `kill -9` between any two of these leaves the log and the disk to go on from: steps 1, 2 and 4
//! are repeated or refused by the rules, and step 3 adopts what lives, counts what died, and gives
//! up after [`machine::ATTEMPTS_MAX`].

pub mod backend;
pub mod client;
mod clock;
pub mod config;
mod driver;
mod ending;
mod evidence;
mod job;
mod key;
pub mod log;
pub mod machine;
mod manifest;
pub mod measurement;
mod opening;
mod paths;
pub mod spec;

use std::fmt;

use chancery_ledger::id::{CollaborationId, RunId};

pub use client::Client;
pub use config::{Config, Credentials, Secret, Spark};
pub use driver::{Executor, ExecutorError, StartError, subscribe};
pub use paths::{DataRoot, Home, PathError};

/// A run in its collaboration. Run ids are chosen by clients, so they are no name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunKey {
    /// The collaboration.
    pub collaboration: CollaborationId,
    /// The run.
    pub run: RunId,
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.collaboration, self.run)
    }
}
