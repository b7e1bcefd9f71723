//! The bodies of commands, as the OpenAPI document describes them and Rust clients send them.
//!
//! The service itself reads bodies as canonical content and decodes that by
//! `chancery_governance::wire`; `tests/api/contract.rs` holds these types to that form.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind),* }
    )*};
}

bodies! {
    /// A body without fields.
    Empty {}
    /// `collaboration.create`.
    CreateCollaboration {
        /// What people call it, 1 to 200 characters.
        name: String,
        /// Your organisation, 1 to 200 characters.
        organisation: String,
        /// What shall hold in it.
        terms: Terms,
    }
    /// What shall hold in a collaboration.
    Terms {
        /// Acts that take the member's own signature: `votes`, `consents`, `runs`.
        member_signed: Vec<String>,
        /// Whether evidence without hardware is accepted.
        insecure_virtual: bool,
    }
    /// `collaboration.enable-workload`.
    EnableWorkload {
        /// `spark-sql`.
        workload: String,
    }
    /// `collaboration.set-policy`.
    SetCleanRoomPolicy {
        /// Measurements of the applications that may run queries: `sha256:...`, 1 to 64.
        applications: Vec<String>,
    }
    /// `member.invite`. The signed content has `email_commitment` in place of the last two fields.
    Invite {
        /// The organisation of the invited.
        organisation: String,
        /// `data_provider`, `analyst`, `runner`, `result_receiver`, `auditor`.
        abilities: Vec<String>,
        /// The tenant that must vouch for the e-mail, or null.
        tenant: Option<String>,
        /// The e-mail. It is sealed; the log never holds it in clear.
        email: String,
        /// 16 to 64 random bytes, base64url: the salt of the commitment.
        email_salt: String,
    }
    /// `member.register-key`.
    RegisterSigningKey {
        /// `EdDSA:` or `ES256:` and the public key in base64url.
        key: String,
        /// The key's signature over the registration, base64url.
        proof: String,
    }
    /// `member.revoke-key`.
    RevokeSigningKey {
        /// The key's id, `sha256:...`.
        key: String,
    }
    /// `dataset.publish`.
    PublishDataset {
        /// What you say of the dataset.
        descriptor: Descriptor,
    }
    /// A dataset's descriptor. Its digest is the version's identity.
    Descriptor {
        /// `[a-z][a-z0-9_-]{0,63}`, unique in the collaboration.
        name: String,
        /// How its files are written.
        format: Format,
        /// Its columns, 1 to 1024.
        columns: Vec<Column>,
        /// Where its files lie.
        store: Store,
        /// `read` for an input, `write` for an output.
        access_mode: String,
        /// What queries may do with it.
        policy: AccessPolicy,
    }
    /// A column.
    Column {
        /// `[A-Za-z_][A-Za-z0-9_]{0,63}`.
        name: String,
        /// `string`, `long`, `double`, `boolean`, `date` or `timestamp`.
        r#type: String,
    }
    /// What queries may do with a dataset.
    AccessPolicy {
        /// The columns that a query may read at all.
        allowed_columns: Vec<String>,
        /// The floor under every output group, or null.
        minimum_group: Option<MinimumGroup>,
    }
    /// The least number of individuals behind every output group.
    MinimumGroup {
        /// What counts as one.
        identity: GroupIdentity,
        /// The least count, 1 or more.
        count: u64,
    }
    /// `query.draft` and `query.revise`.
    DraftQuery {
        /// The query.
        definition: Definition,
    }
    /// A query as its author wrote it.
    Definition {
        /// What people call it.
        name: String,
        /// Its segments, 1 to 32.
        segments: Vec<Segment>,
        /// What it reads, 1 to 32.
        inputs: Vec<Input>,
        /// The id of the dataset that it writes.
        output: String,
        /// The values of its `:name` placeholders.
        parameters: Vec<Parameter>,
    }
    /// One SELECT and the view that it makes.
    Segment {
        /// Execution order, 0 to 1000.
        order: u64,
        /// The view.
        view: String,
        /// The text, in Spark's dialect.
        sql: String,
        /// What must hold before it runs.
        pre_conditions: Vec<PreCondition>,
        /// Which of its rows are kept.
        post_filters: Vec<PostFilter>,
    }
    /// A view must have at least so many rows.
    PreCondition {
        /// The view.
        view: String,
        /// The least number of rows.
        min_rows: u64,
    }
    /// Only rows whose column is at least this are kept.
    PostFilter {
        /// The column of the segment's output.
        column: String,
        /// The least value.
        minimum: u64,
    }
    /// A dataset under the name that the text knows it by.
    Input {
        /// The name in the text.
        alias: String,
        /// The dataset's id.
        dataset: String,
    }
    /// A typed value for a placeholder.
    Parameter {
        /// The placeholder's name.
        name: String,
        /// Its value.
        value: Literal,
    }
    /// `query.approve`.
    ApproveQuery {
        /// The digest of what you vote on.
        digest: String,
    }
    /// `query.reject`.
    RejectQuery {
        /// The digest of what you vote on.
        digest: String,
        /// Why, up to 2,000 characters.
        comment: String,
    }
    /// `consent.withdraw` and `consent.restore`.
    Consent {
        /// `execution`, `logging` or `telemetry`.
        kind: String,
    }
    /// `run.request`.
    RequestRun {
        /// The query's id.
        query: String,
        /// The digest of what shall run.
        digest: String,
    }
    /// `run.admit`, by an executor.
    AdmitRun {
        /// The executor's key.
        executor: String,
        /// The evidence that binds it.
        evidence: Evidence,
    }
    /// Attestation evidence.
    Evidence {
        /// `insecure-virtual` or `sev-snp`.
        kind: String,
        /// Its bytes, base64url.
        document: String,
    }
    /// `run.submit`, by an executor.
    SubmitRun {
        /// The engine's name for the job.
        tracking: String,
        /// The digest of the signed job spec.
        job_spec: String,
    }
    /// `run.succeed`, by an executor.
    SucceedRun {
        /// What is attested.
        result: Attested,
        /// The evidence that binds it.
        evidence: Evidence,
    }
    /// An attested result.
    Attested {
        /// The digest of the query's binding.
        query_digest: String,
        /// The leaf hashes of the votes.
        votes: Vec<String>,
        /// The dataset versions that were read.
        inputs: Vec<DatasetVersion>,
        /// The application's measurement.
        application: String,
        /// The engine under it.
        engine: Engine,
        /// The digest of the signed job spec.
        job_spec: String,
        /// What was written.
        manifest: Manifest,
        /// What it took.
        statistics: Statistics,
    }
    /// A dataset at a version.
    DatasetVersion {
        /// The dataset's id.
        dataset: String,
        /// The digest of the version's descriptor.
        digest: String,
    }
    /// The engine that ran a query.
    Engine {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
    }
    /// The files of a result.
    Manifest {
        /// The files, sorted by path.
        files: Vec<File>,
        /// Rows over all files.
        rows: u64,
        /// The columns.
        columns: Vec<Column>,
    }
    /// A file of a result.
    File {
        /// Relative to the run's folder.
        path: String,
        /// SHA-256 of its content.
        digest: String,
        /// Its length in bytes.
        bytes: u64,
    }
    /// What a run took.
    Statistics {
        /// Rows read from each input.
        inputs: Vec<InputRows>,
        /// Rows and time of each segment.
        segments: Vec<SegmentRows>,
        /// Rows written.
        rows_written: u64,
    }
    /// Rows read from an input.
    InputRows {
        /// The input's alias.
        alias: String,
        /// The rows.
        rows: u64,
    }
    /// Rows that a segment made and the time that it took.
    SegmentRows {
        /// The segment's view.
        view: String,
        /// The rows.
        rows: u64,
        /// Milliseconds.
        duration_ms: u64,
    }
    /// `run.fail`, by an executor.
    FailRun {
        /// A stable code, `[a-z0-9_]{1,64}`.
        code: String,
        /// One line for people, without data.
        detail: String,
    }
}

/// How a dataset's files are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Format {
    /// Text with a header line.
    Csv {
        /// The text that stands for null, or null.
        null_value: Option<String>,
    },
    /// One JSON object a line.
    Json {},
    /// Apache Parquet.
    Parquet {},
}

/// Where a dataset's files lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Store {
    /// A folder under the executor's data root.
    Local {
        /// Relative, `/` between parts.
        path: String,
    },
}

/// What counts as one individual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum GroupIdentity {
    /// Each row.
    Row {},
    /// Each distinct value of a column.
    Column {
        /// The column.
        column: String,
    },
}

/// A typed value; doubles, dates and timestamps as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Literal {
    /// Text.
    String {
        /// The text.
        value: String,
    },
    /// 64-bit integer.
    Long {
        /// The number.
        value: i64,
    },
    /// True or false.
    Boolean {
        /// Which.
        value: bool,
    },
    /// `yyyy-MM-dd`.
    Date {
        /// The day.
        value: String,
    },
    /// UTC instant.
    Timestamp {
        /// The instant.
        value: String,
    },
    /// Double, as decimal text.
    Double {
        /// The number.
        value: String,
    },
}
