//! What a run leaves behind: evidence, result, statistics, outcome.

use chancery_ledger::digest::Digest;

use crate::clean_room::Claims;
use crate::dataset::Column;
use crate::privacy::Noised;
use crate::query::DatasetVersion;

/// Attestation evidence as it came, for the attestation crate to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Its kind: `insecure-virtual` or `sev-snp`.
    pub kind: String,
    /// Its bytes, base64url.
    pub document: String,
}

/// What verified evidence says. Made by the attestation crate from an [`Evidence`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether hardware stands behind it.
    pub platform: Platform,
    /// The application that was measured.
    pub measurement: Digest,
    /// What the evidence binds.
    pub report_data: Digest,
    /// What it says of the platform beside.
    pub claims: Claims,
}

/// What stands behind evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Platform {
    /// Nothing: anybody can make it. Shown as `insecure-virtual` wherever it appears.
    InsecureVirtual,
    /// AMD SEV-SNP.
    SevSnp,
}

/// The result that the executor attests to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// The digest of the query's binding.
    pub query_digest: Digest,
    /// The leaf hashes of the votes that accepted it, by position.
    pub votes: Vec<Digest>,
    /// The dataset versions that were read.
    pub inputs: Vec<DatasetVersion>,
    /// The application that ran.
    pub application: Digest,
    /// The engine under it.
    pub engine: Engine,
    /// The digest of the signed job spec.
    pub job_spec: Digest,
    /// What was written.
    pub manifest: Manifest,
    /// What it took.
    pub statistics: Statistics,
    /// The noise in it, where an input asks for differential privacy.
    pub privacy: Option<Noised>,
}

/// The engine that ran a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Its name, as in `apache-spark`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The files of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The files, sorted by path.
    pub files: Vec<File>,
    /// Rows over all files.
    pub rows: u64,
    /// The columns.
    pub columns: Vec<Column>,
}

/// A file of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Relative to the run's folder.
    pub path: String,
    /// SHA-256 of its content.
    pub digest: Digest,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What a run took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// Rows read from each input.
    pub inputs: Vec<InputRows>,
    /// Rows and time of each segment.
    pub segments: Vec<SegmentRows>,
    /// Rows written.
    pub rows_written: u64,
}

/// Rows read from an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputRows {
    /// The input's alias.
    pub alias: String,
    /// The rows.
    pub rows: u64,
}

/// Rows that a segment made and the time that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRows {
    /// The segment's view.
    pub view: String,
    /// The rows.
    pub rows: u64,
    /// Milliseconds.
    pub duration_ms: u64,
}

/// When a run was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusedAt {
    /// When it was requested.
    Request,
    /// When the executor asked to be admitted.
    Admission,
}
