//! The command service: the HTTP API over the log, with identity, idempotency and OpenAPI.
//!
//! Commands are decided by `governance`, sealed and appended here; queries are answered from the
//! projections. This crate never imports the executor: the two meet in the log.

pub mod api;
pub mod caller;
pub mod clock;
pub mod content;
pub mod dev_issuer;
pub mod execute;
pub mod export;
pub mod extract;
pub mod identity;
mod invitation;
pub mod keyring;
pub mod logs;
pub mod mirror;
pub mod personal;
pub mod problem;
mod proofs;
mod refusal;
pub mod reply;
mod routes;
pub mod trust;
pub mod writer;

use std::sync::Arc;

use chancery_governance::run::Evidence;
use chancery_projections::Views;
use chancery_store::Store;

use crate::clock::Clock;
use crate::identity::Verifier;
use crate::logs::Logs;
use crate::mirror::Mirror;
use crate::trust::TrustKeys;
use crate::writer::Writers;

pub use routes::{openapi, router, usage};

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// The logs.
    pub logs: Logs,
    /// What writes to them.
    pub writers: Writers,
    /// What they are mirrored in, if anything.
    pub mirror: Option<Mirror>,
    /// The read models.
    pub views: Views,
    /// Verifies bearer tokens.
    pub verifier: Verifier,
    /// The identity under which the executor reports, if there is one.
    pub executor: Option<ExecutorIdentity>,
    /// The evidence that binds this service's key.
    pub evidence: Evidence,
    /// Tells the time.
    pub clock: Clock,
    /// The keys for secrets and tokens.
    pub trust: TrustKeys,
    /// The public address that stores know this service by as an issuer of tokens, if they do.
    pub token_issuer: Option<String>,
}

/// The identity under which the executor reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorIdentity {
    /// The token's `iss`.
    pub issuer: String,
    /// The token's `sub`.
    pub subject: String,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) fn store(&self) -> &Store {
        self.logs.store()
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
