//! What they do: datasets, queries, votes, runs, and who got what by them.

use chancery_governance::consent::ConsentKind;
use chancery_governance::dataset::{AccessMode, AccessPolicy};
use chancery_governance::member::ApprovalGroup;
use chancery_governance::privacy::Loss;
use chancery_governance::query::{self, DatasetVersion};
use chancery_governance::reason::Reason;
use chancery_governance::run::{Attested, Platform};
use chancery_governance::secret::SealingKey;
use chancery_governance::sql::OutputColumn;
use chancery_governance::subject::Subject;
use chancery_governance::usage::Usage;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{DatasetId, MemberId, QueryId, RunId};
use chancery_ledger::key::KeyId;

use super::{By, ByRule, Listed};

/// Where and when something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The position of its entry.
    pub position: u64,
    /// When that was sealed, by the service's clock: milliseconds since the Unix epoch.
    pub time_ms: u64,
}

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its id.
    pub id: DatasetId,
    /// Its name, as of its newest version.
    pub name: String,
    /// Who published it.
    pub owner: MemberId,
    /// Input or output.
    pub access_mode: AccessMode,
    /// Whether it is out of use.
    pub retired: bool,
    /// How often its newest version may be used, and who may receive results.
    pub usage: Usage,
    /// Its versions, newest first.
    pub versions: Listed<Published>,
}

/// A version of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Where it was published.
    pub position: u64,
    /// The digest of its descriptor.
    pub digest: Digest,
}

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Its id.
    pub id: QueryId,
    /// Its name.
    pub name: String,
    /// Who wrote it.
    pub author: MemberId,
    /// Where it stands, as in `accepted`.
    pub state: &'static str,
    /// The digest of what was proposed last, unless it was taken back.
    pub digest: Option<Digest>,
    /// Whose votes that takes.
    pub approvers: Vec<MemberId>,
    /// The groups of which so many must approve beside them.
    pub groups: Vec<ApprovalGroup>,
    /// Every vote ever cast on it, by position.
    pub votes: Listed<Vote>,
}

/// A vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Where it stands.
    pub position: u64,
    /// When it was sealed, by the service's clock: milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Who cast it.
    pub member: MemberId,
    /// Yes or no.
    pub approves: bool,
    /// What it is about.
    pub digest: Digest,
    /// By what right it stands there.
    pub by: By,
    /// That it was cast by a rule that the member had set.
    pub rule: Option<ByRule>,
    /// Whether it was on a proposal before the last one, or on one that was taken back.
    pub void: bool,
}

/// What a digest that votes and runs name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The query.
    pub query: QueryId,
    /// Its name.
    pub name: String,
    /// Its segments as their author wrote them.
    pub segments: Vec<query::Segment>,
    /// The texts that run: the same after the datasets' policies were written into them.
    pub rewritten: Vec<query::Rewritten>,
    /// The values of its parameters.
    pub parameters: Vec<query::Parameter>,
    /// What each run costs in privacy, where an input asks for it.
    pub privacy: Option<Loss>,
    /// The dataset versions that it reads, each with its name in the text.
    pub inputs: Vec<(String, DatasetVersion)>,
    /// The dataset version that it writes.
    pub output: DatasetVersion,
    /// The applications that may run it.
    pub applications: Vec<Digest>,
    /// What each input's policy lets queries do, by its name in the text.
    pub policies: Vec<(String, AccessPolicy)>,
    /// Where each column of the output comes from, by the SQL analysis.
    pub lineage: Vec<OutputColumn>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The query.
    pub query: QueryId,
    /// The digest of what was to run; none where the request was refused.
    pub query_digest: Option<Digest>,
    /// Who asked for it.
    pub runner: MemberId,
    /// By what right.
    pub by: By,
    /// Where it stands, as in `succeeded`.
    pub state: &'static str,
    /// Its request.
    pub requested: Stamp,
    /// The executor that it was admitted to last.
    pub executor: Option<Executor>,
    /// When its job was handed to the engine.
    pub submitted: Option<Stamp>,
    /// When the engine started it.
    pub started: Option<Stamp>,
    /// Its outcome.
    pub ended: Option<Stamp>,
    /// The digest of the signed job spec.
    pub job_spec: Option<Digest>,
    /// The positions of the votes that stood when it was last admitted, or else requested. The
    /// replay has checked that an attested result names the same.
    pub votes: Vec<u64>,
    /// The attested result.
    pub result: Option<Box<Attested>>,
    /// Why it was refused or cancelled.
    pub reasons: Vec<Reason>,
    /// The code and text of its failure.
    pub failure: Option<(String, String)>,
}

/// An executor as it was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executor {
    /// Its admission.
    pub admitted: Stamp,
    /// Its key.
    pub key: KeyId,
    /// What stands behind its evidence.
    pub platform: Platform,
    /// The measurement of the application.
    pub measurement: Digest,
}

/// Which code ran a query: the runs of one proposal that were admitted to one executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The query.
    pub query: QueryId,
    /// The digest of what ran.
    pub query_digest: Digest,
    /// The executor's key.
    pub executor: KeyId,
    /// What stands behind its evidence.
    pub platform: Platform,
    /// The measurement of the application.
    pub measurement: Digest,
    /// The admissions: how many and where.
    pub admissions: u64,
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
}

/// That somebody got something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Where and when.
    pub stamp: Stamp,
    /// By which run.
    pub run: RunId,
    /// Of which query.
    pub query: QueryId,
    /// To whom.
    pub to: Recipient,
    /// What.
    pub what: Released,
}

/// Who got something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// An executor.
    Executor {
        /// Its key.
        key: KeyId,
        /// What stands behind its evidence.
        platform: Platform,
        /// The measurement of the application.
        measurement: Digest,
    },
    /// A member.
    Member(MemberId),
}

/// What somebody got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Released {
    /// By its admission, an executor may read these.
    Datasets(Vec<DatasetVersion>),
    /// An attested result was written to the member's dataset.
    Result {
        /// The dataset, in the version that the proposal names.
        dataset: DatasetVersion,
        /// How many files.
        files: u64,
        /// How many rows.
        rows: u64,
    },
    /// A dataset's secret, sealed to the executor's key.
    Secret {
        /// The dataset, in the version that was voted on.
        dataset: DatasetVersion,
        /// The digest of the stored ciphertext.
        ciphertext: Digest,
        /// The key that it was sealed to.
        recipient: SealingKey,
    },
    /// A token for a dataset's store, sealed to the executor's key.
    Token {
        /// The dataset, in the version that was voted on.
        dataset: DatasetVersion,
        /// Whom it is for.
        audience: String,
        /// When it ends, milliseconds since the Unix epoch.
        expires_ms: u64,
        /// The key that it was sealed to.
        recipient: SealingKey,
    },
}

impl Released {
    /// Whether it is a secret: a key or a token that the service itself gave out.
    pub const fn is_secret(&self) -> bool {
        match self {
            Self::Datasets(_) | Self::Result { .. } => false,
            Self::Secret { .. } | Self::Token { .. } => true,
        }
    }
}

/// Marks against a use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Of what.
    pub subject: Subject,
    /// The kind of use.
    pub kind: ConsentKind,
    /// Whose.
    pub members: Vec<MemberId>,
}

/// A manifest entry with the digest of a file that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The attestation's entry.
    pub stamp: Stamp,
    /// The run.
    pub run: RunId,
    /// Its query.
    pub query: QueryId,
    /// The digest of what ran.
    pub query_digest: Digest,
    /// The file's path in the result's folder.
    pub path: String,
    /// SHA-256 of its content.
    pub digest: Digest,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many files the result has.
    pub files: u64,
    /// How many rows the result has, over all its files.
    pub rows: u64,
    /// What stands behind the evidence.
    pub platform: Platform,
    /// The application that ran.
    pub application: Digest,
}
