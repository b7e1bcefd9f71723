//! What a provider publishes: a schema, where the bytes lie, and the policy on their use.

use std::fmt;
use std::str::FromStr;

use crate::decimal::Decimal;
use crate::privacy::DifferentialPrivacy;
use crate::usage::Usage;

/// A column type that a dataset may declare. Its text is its name in lower case; that of a decimal has
/// its digits too, as in `decimal(15,2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColumnType {
    /// UTF-8 text.
    String,
    /// 64-bit signed integer.
    Long,
    /// IEEE 754 double.
    Double,
    /// Exact number with so many digits.
    Decimal(Decimal),
    /// True or false.
    Boolean,
    /// Calendar day without a zone, `yyyy-MM-dd`.
    Date,
    /// Instant, microsecond precision, UTC.
    Timestamp,
}

/// A text that is no column type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected string, long, double, decimal(p,s), boolean, date or timestamp")]
pub struct InvalidColumnType;

impl fmt::Display for ColumnType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::String => "string",
            Self::Long => "long",
            Self::Double => "double",
            Self::Decimal(decimal) => return decimal.fmt(formatter),
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        })
    }
}

impl FromStr for ColumnType {
    type Err = InvalidColumnType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "string" => Self::String,
            "long" => Self::Long,
            "double" => Self::Double,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            other => Self::Decimal(other.parse().map_err(|_| InvalidColumnType)?),
        })
    }
}

/// A named, typed column. Names match `[A-Za-z_][A-Za-z0-9_]{0,63}` and compare without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, unique within the dataset.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
}

/// What counts as one individual behind a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupIdentity {
    /// Each source row is one.
    Row,
    /// Each distinct value of this column is one.
    Column(String),
}

/// The least number of distinct individuals behind every output group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinimumGroup {
    /// What is counted.
    pub identity: GroupIdentity,
    /// The least count, 1 or more.
    pub count: u64,
}

/// Which comparisons of a column with literals a query may make. Ordered by strictness.
///
/// There is no form for ranges alone: two ranges make an equality.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LiteralComparisons {
    /// All of them.
    #[default]
    Any,
    /// Whole values only: `=`, `<>` and `IN`. No ranges, patterns or parts of a value.
    Equality,
    /// None: it is compared with stored columns only.
    None,
}

/// What queries may do with one column, beyond what holds for its dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnRule {
    /// The column.
    pub column: String,
    /// The least group that it may have a part in, in the place of the dataset's. Of the columns of a
    /// dataset that have a part in a group, the one that asks for the most decides.
    pub minimum: Option<u64>,
    /// Only an aggregate of it may be shown or decide anything; `MIN` and `MAX` are none.
    pub aggregate_only: bool,
    /// No column of the output may be computed from it.
    pub output_forbidden: bool,
    /// It may stand only where two relations are joined by its equality with another stored column.
    pub join_only: bool,
    /// Which literals it may be compared with.
    pub literals: LiteralComparisons,
}

/// What queries may do with a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessPolicy {
    /// The columns that a query may read at all; the others are not even loaded.
    pub allowed_columns: Vec<String>,
    /// The floor under every output group, if there is one.
    pub minimum_group: Option<MinimumGroup>,
    /// Rules on single columns, each column once.
    pub column_rules: Vec<ColumnRule>,
    /// Only noised counts, sums and means leave, within a budget.
    pub differential_privacy: Option<DifferentialPrivacy>,
}

/// How a dataset's files are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 text with a header line; this text, where given, stands for null.
    Csv {
        /// The text that stands for null.
        null_value: Option<String>,
    },
    /// One JSON object a line.
    Json,
    /// Apache Parquet.
    Parquet,
}

/// Where a dataset's files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// A folder of its owner under the executor's data root, `<root>/<collaboration>/<owner>/<path>`.
    /// Whoever may write there is the owner, so nobody's data can be published by somebody else.
    Local {
        /// The folder.
        path: String,
    },
}

/// How a dataset's files are encrypted where they lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encryption {
    /// They are not.
    #[default]
    None,
    /// Each file in chunks under AES-256-GCM: `docs/secrets.md`. The dataset's secret is the key.
    ChunkedAes256Gcm,
}

/// Whether queries read a dataset or write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessMode {
    /// An input.
    Read,
    /// An output.
    Write,
}

/// What a provider says of a dataset. Its digest is the version's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its name: `[a-z][a-z0-9_-]{0,63}`, unique in the collaboration while not retired.
    pub name: String,
    /// How its files are written.
    pub format: Format,
    /// Its columns, 1 to [`COLUMNS_MAX`].
    pub columns: Vec<Column>,
    /// Where its files lie.
    pub store: Store,
    /// Input or output.
    pub access_mode: AccessMode,
    /// What queries may do with it.
    pub policy: AccessPolicy,
    /// How often it may be used, and who may receive what comes of it.
    pub usage: Usage,
    /// How its files are encrypted.
    pub encryption: Encryption,
    /// The one audience of tokens that open its store, where runs may have such tokens.
    pub token_audience: Option<String>,
}

/// Most columns of a dataset.
pub const COLUMNS_MAX: usize = 1024;
/// Longest name of a dataset or a column, in characters.
pub const NAME_LEN_MAX: usize = 64;
