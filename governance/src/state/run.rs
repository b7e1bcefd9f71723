//! A run's stages. A run has exactly one outcome.

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{MemberId, QueryId};
use chancery_ledger::key::PublicKey;

use crate::clean_room::Claims;
use crate::query::DatasetVersion;
use crate::reason::Reason;
use crate::run::{Attested, Platform};
use crate::secret::RunSecrets;

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The query.
    pub query: QueryId,
    /// The digest of what was to run; none where the request was refused.
    pub digest: Option<Digest>,
    /// Who asked for it.
    pub runner: MemberId,
    /// The leaf hash of the request: the nonce of the executor's evidence.
    pub request_leaf: Digest,
    /// What it was to write; none where the request was refused.
    pub output: Option<DatasetVersion>,
    /// Where it stands.
    pub stage: Stage,
    /// What its executor asked for and was given; none before the first admission.
    pub secrets: Option<Box<RunSecrets>>,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Asked for; no executor has taken it.
    Requested,
    /// An attested executor took it.
    Admitted(Admission),
    /// The job is with the engine.
    Submitted(Admission, Job),
    /// The engine started it.
    Started(Admission, Job),
    /// The outcome.
    Ended(Outcome),
}

/// The executor that a run was admitted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// Its key.
    pub executor: PublicKey,
    /// What stands behind its evidence.
    pub platform: Platform,
    /// The application's measurement.
    pub measurement: Digest,
    /// What its evidence says beside.
    pub claims: Claims,
}

/// The engine's side of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The engine's name for it.
    pub tracking: String,
    /// The digest of the signed job spec.
    pub job_spec: Digest,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Refused, at the request or at the admission.
    Refused(Vec<Reason>),
    /// Well.
    Succeeded {
        /// What is attested.
        result: Box<Attested>,
        /// What stands behind it.
        platform: Platform,
    },
    /// Badly.
    Failed {
        /// A stable code.
        code: String,
        /// One line for people.
        detail: String,
    },
    /// Stopped.
    Cancelled(Vec<Reason>),
}

impl Stage {
    /// The stage's name, as views show it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Admitted(_) => "admitted",
            Self::Submitted(..) => "submitted",
            Self::Started(..) => "started",
            Self::Ended(Outcome::Refused(_)) => "refused",
            Self::Ended(Outcome::Succeeded { .. }) => "succeeded",
            Self::Ended(Outcome::Failed { .. }) => "failed",
            Self::Ended(Outcome::Cancelled(_)) => "cancelled",
        }
    }

    /// Whether the run has its outcome.
    pub const fn ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }

    /// The executor that it was admitted to, while it has no outcome.
    pub const fn admission(&self) -> Option<&Admission> {
        match self {
            Self::Admitted(admission)
            | Self::Submitted(admission, _)
            | Self::Started(admission, _) => Some(admission),
            Self::Requested | Self::Ended(_) => None,
        }
    }
}
