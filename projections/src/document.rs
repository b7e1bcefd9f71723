//! The parts of rows that say what an event says, in the same JSON form as commands have.
//!
//! The bodies of commands are made of the same types, so that the OpenAPI document has each once.
//! Ids, digests (`sha256:...`) and keys are texts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! documents {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind),* }
    )*};
}

documents! {
    /// What holds in a collaboration.
    Terms {
        /// Acts that take the member's own signature: `votes`, `consents`, `runs`.
        member_signed: Vec<String>,
        /// Whether evidence without hardware is accepted.
        insecure_virtual: bool,
        /// How many members carry a change request, 2 or more; left out for all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change_threshold: Option<u64>,
        /// Whether nobody becomes a member before the members voted for it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        admission_by_vote: bool,
        /// The groups whose approval every query takes beside the owners'.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        groups: Vec<ApprovalGroup>,
        /// How long an accepted query may run, from its proposal on, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        acceptance_lifetime_ms: Option<u64>,
    }
    /// Members of whom so many must approve.
    ApprovalGroup {
        /// `[a-z][a-z0-9_-]{0,63}`, unique.
        name: String,
        /// The ids of its members, sorted.
        members: Vec<String>,
        /// How many of them must say yes.
        needed: u64,
    }
    /// What a member approves in advance. What is null is not asked.
    ApprovalRule {
        /// What people call it, 1 to 200 characters.
        name: String,
        /// The id of the member who must have written the query, or null.
        author: Option<String>,
        /// The id of the member who alone may run it on this approval, or null.
        runner: Option<String>,
        /// The id of the dataset that it must write, or null.
        output: Option<String>,
        /// What it may say.
        shape: RuleShape,
        /// Until when the rule votes, milliseconds since the Unix epoch, or null.
        expires_ms: Option<u64>,
    }
    /// What a query may read of a dataset.
    AllowedInput {
        /// The dataset's id.
        dataset: String,
        /// Columns that it may read and show.
        columns: Vec<String>,
        /// Columns that it may read, and show inside aggregates only.
        aggregates: Vec<String>,
    }
    /// Who somebody is to an OIDC issuer.
    Identity {
        /// The issuer's `iss`.
        issuer: String,
        /// The tenant, where the issuer has tenants.
        tenant: Option<String>,
        /// The `sub`.
        subject: String,
    }
    /// One reason against a run, or for the end of a query.
    Reason {
        /// The stable code.
        code: String,
        /// What it is about, as in `dataset/<id>`, where it is not the thing itself.
        subject: Option<String>,
        /// One sentence for people.
        detail: String,
    }
    /// How often a dataset may be used, and who may receive results.
    #[derive(Default)]
    Usage {
        /// Numbers of runs in a period; all hold at once. None means without limit.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        budgets: Vec<RunBudget>,
        /// Who may receive results of queries that read it. None means whoever owns their output.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        receivers: Vec<Receiver>,
    }
    /// A number of runs in a period.
    RunBudget {
        /// `day`, `week` (from Monday), `month` or `life`, of the calendar in UTC.
        period: String,
        /// The most runs in it, 1 or more.
        runs: u64,
        /// Whether each runner has that many, or all runners together.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        each_runner: bool,
    }
    /// What is demanded of a platform beside the application.
    #[derive(Default)]
    Demands {
        /// Host data, one of which the evidence must hold; none means any.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        host_data: Vec<String>,
        /// Engine images, one of which the evidence must hold; none means any.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        engines: Vec<String>,
        /// The least trusted computing base.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        minimum_tcb: Option<Tcb>,
    }
    /// The security version numbers of AMD SEV-SNP's parts.
    Tcb {
        /// The boot loader.
        bootloader: u64,
        /// The security processor's operating system.
        tee: u64,
        /// The SNP firmware.
        snp: u64,
        /// The microcode.
        microcode: u64,
    }
    /// An application that may run some queries only.
    Only {
        /// Its measurement.
        application: String,
        /// The ids of the queries.
        queries: Vec<String>,
    }
    /// What evidence says of a platform beside the application.
    Claims {
        /// Its host data.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host_data: Option<String>,
        /// The engine's image.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        engine: Option<String>,
        /// Its trusted computing base.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tcb: Option<Tcb>,
        /// Whether its memory can be debugged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        debug: Option<bool>,
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
        /// How often it may be used, and who may receive results.
        #[serde(default, skip_serializing_if = "Usage::is_unlimited")]
        usage: Usage,
        /// How its files are encrypted: `chunked-aes-256-gcm`; left out where they are not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        encryption: Option<String>,
        /// The one audience of tokens that open its store, where runs may have such tokens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_audience: Option<String>,
    }
    /// A column.
    Column {
        /// `[A-Za-z_][A-Za-z0-9_]{0,63}`.
        name: String,
        /// `string`, `long`, `double`, `boolean`, `date`, `timestamp`, or `decimal(p,s)` with p digits, 1
        /// to 38, of which s stand after the point.
        r#type: String,
    }
    /// What queries may do with a dataset.
    AccessPolicy {
        /// The columns that a query may read at all.
        allowed_columns: Vec<String>,
        /// The floor under every output group, or null.
        minimum_group: Option<MinimumGroup>,
        /// Rules on single columns, each column once; left out where there is none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        column_rules: Vec<ColumnRule>,
        /// Only noised counts, sums and means leave, within a budget; left out where it is not asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        differential_privacy: Option<DifferentialPrivacy>,
    }
    /// A demand for differential privacy.
    DifferentialPrivacy {
        /// The column that tells individuals apart.
        unit: String,
        /// What may be lost in all.
        budget: LossBudget,
        /// The most that one query may cost, epsilon in millionths.
        query_epsilon_micro_max: u64,
        /// In how many groups of a result an individual has a part, 1 to 1000.
        groups_max: u64,
        /// For how many rows an individual counts in each of them, 1 to 1000.
        rows_max: u64,
        /// The columns that may be summed and averaged.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        columns: Vec<Bounds>,
        /// The columns whose values are no secret.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        declared: Vec<DeclaredValues>,
    }
    /// The loss of privacy that an owner accepts in each period.
    LossBudget {
        /// `day`, `week`, `month` or `life`, of the calendar in UTC.
        period: String,
        /// Epsilon in millionths.
        epsilon_micro: u64,
        /// Delta in 10⁻¹²; left out at 0.
        #[serde(default, skip_serializing_if = "is_zero")]
        delta_pico: u64,
    }
    /// The values that a column counts with.
    Bounds {
        /// The column: a long or a double.
        column: String,
        /// The least value, in units of the last digit that counts.
        lower: i64,
        /// The largest value, in the same units.
        upper: i64,
        /// How many digits after the point count; left out at 0.
        #[serde(default, skip_serializing_if = "is_zero")]
        decimals: u64,
    }
    /// All values of a column that a result shows.
    DeclaredValues {
        /// The column: a string.
        column: String,
        /// Its values, 1 to 1000.
        values: Vec<String>,
    }
    /// What a run costs in privacy.
    Loss {
        /// Epsilon in millionths.
        epsilon_micro: u64,
        /// Delta in 10⁻¹²; left out at 0.
        #[serde(default, skip_serializing_if = "is_zero")]
        delta_pico: u64,
    }
    /// The noise in a result.
    Noised {
        /// Epsilon in millionths.
        epsilon_micro: u64,
        /// Delta in 10⁻¹²; left out at 0.
        #[serde(default, skip_serializing_if = "is_zero")]
        delta_pico: u64,
        /// Each noise that was drawn.
        mechanisms: Vec<Mechanism>,
    }
    /// One noise, drawn anew for each group.
    Mechanism {
        /// The column of the result that it is for.
        column: String,
        /// What it was added to: `count`, `individuals`, `sum`, `mean_sum`, `mean_count` or `groups`.
        of: String,
        /// Its distribution: `discrete_laplace`.
        mechanism: String,
        /// What it costs, epsilon in millionths.
        epsilon_micro: u64,
        /// By how much one individual moves its values together, at most.
        sensitivity: u64,
        /// The scale of the distribution, in thousandths of a unit.
        scale_milli: u64,
        /// The noised count from which on a group is shown, where this noise decides it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        threshold: Option<u64>,
    }
    /// What queries may do with one column. What is left out is not ruled.
    ColumnRule {
        /// The column.
        column: String,
        /// The least group that it may have a part in, in the place of the dataset's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        minimum: Option<u64>,
        /// Whether only an aggregate of it, other than `MIN` and `MAX`, may be shown or decide anything.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        aggregate_only: bool,
        /// Whether no column of an output may be computed from it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        output_forbidden: bool,
        /// Whether it may stand only where an equality joins two relations.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        join_only: bool,
        /// Which literals it may be compared with: `any`, `equality` or `none`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        literals: Option<String>,
    }
    /// The least number of individuals behind every output group.
    MinimumGroup {
        /// What counts as one.
        identity: GroupIdentity,
        /// The least count, 1 or more.
        count: u64,
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
        /// What each run costs where an input asks for differential privacy; left out elsewhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        privacy: Option<Loss>,
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
        /// The noise in it, where an input asks for differential privacy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        privacy: Option<Noised>,
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
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Usage {
    /// Whether it says nothing.
    pub fn is_unlimited(&self) -> bool {
        self.budgets.is_empty() && self.receivers.is_empty()
    }
}

/// Somebody who may receive results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Receiver {
    /// A member.
    Member {
        /// Its id.
        member: String,
    },
    /// Every member who speaks for an organisation.
    Organisation {
        /// Its name, to the letter.
        organisation: String,
    },
    /// Every member with an ability.
    Ability {
        /// The ability.
        ability: String,
    },
}

/// A change that takes the members' vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// Other terms, in place of all of those in force.
    SetTerms {
        /// The terms.
        terms: Terms,
    },
    /// A member is one no more.
    RemoveMember {
        /// The member's id.
        member: String,
    },
    /// A member becomes an owner.
    GrantOwner {
        /// The member's id.
        member: String,
    },
    /// A member is an owner no more.
    RevokeOwner {
        /// The member's id.
        member: String,
    },
    /// A member that lost its keys may register this one.
    ReplaceKey {
        /// The member's id.
        member: String,
        /// The id of the key, `sha256:...`.
        key: String,
    },
    /// An invitation may be accepted.
    AdmitMember {
        /// The invitation's id.
        invitation: String,
    },
}

/// What a query may say to be approved by a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RuleShape {
    /// These segments, inputs and parameters to the letter.
    Text {
        /// Their digest, `sha256:...`.
        digest: String,
    },
    /// Any text that reads no more than this.
    Reads {
        /// What.
        inputs: Vec<AllowedInput>,
    },
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
    /// A folder in its owner's own folder under the executor's data root.
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

/// A typed value; doubles, decimals, dates and timestamps as text.
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
    /// Decimal, as text.
    Decimal {
        /// Its type, such as `decimal(15,2)`.
        r#type: String,
        /// The number, `-?digits[.digits]`, with no digit more than the type has.
        value: String,
    },
}
