//! Why a text was refused: stable codes, the clause, and the position in the text.

use std::fmt;

use sqlparser::tokenizer::{Location, Span};

/// Refusals kept of one analysis; the rest would only repeat the first ones.
pub const REFUSALS_MAX: usize = 256;

macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident => $text:literal,)+) => {
        /// A stable reason. The text form is part of the API and of signed refusals.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RefusalCode {
            $($(#[$doc])+ $name,)+
        }

        impl RefusalCode {
            /// Every code, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable text, `sql_…`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

codes! {
    /// A segment, or its rewriting, is longer than its bound.
    TooLong => "sql_too_long",
    /// An expression nests deeper, or chains more operators, than the bound.
    TooDeep => "sql_too_deep",
    /// More segments, columns, relations, arguments or group keys than the bound.
    TooMany => "sql_too_many",
    /// There is no segment to analyse.
    NoSegments => "sql_no_segments",
    /// The highest order has more than one segment, so the output is not one relation.
    NotOneOutput => "sql_not_one_output",
    /// The text does not parse.
    Syntax => "sql_syntax",
    /// A character that may stand only inside a string literal or a line comment.
    Character => "sql_character",
    /// The text is not exactly one `SELECT`.
    NotOneSelect => "sql_not_one_select",
    /// A part of the language that the analysis has no proof for.
    ConstructNotSupported => "sql_construct_not_supported",
    /// An optimiser hint.
    Hint => "sql_hint",
    /// A block comment.
    BlockComment => "sql_block_comment",
    /// An identifier or a string in backquotes or double quotes.
    QuotedIdentifier => "sql_quoted_identifier",
    /// A relation that names a file or a directory.
    PathRelation => "sql_path_relation",
    /// A relation or a function with a catalogue or schema before its name.
    QualifiedName => "sql_qualified_name",
    /// A relation that is neither an input nor a view of an earlier order.
    UnknownRelation => "sql_unknown_relation",
    /// A column that no relation in scope has.
    UnknownColumn => "sql_unknown_column",
    /// A name with more than one meaning.
    AmbiguousColumn => "sql_ambiguous_column",
    /// A column outside the allowed columns of its dataset.
    ColumnNotAllowed => "sql_column_not_allowed",
    /// A function outside the allow-list.
    FunctionNotAllowed => "sql_function_not_allowed",
    /// An allowed function with a number or a form of arguments that it does not take.
    FunctionArguments => "sql_function_arguments",
    /// A name that Chancery or Spark's grammar keeps to itself.
    ReservedName => "sql_reserved_name",
    /// A view, alias or parameter name of the wrong form.
    InvalidName => "sql_invalid_name",
    /// A view with the name of another view or of an input.
    DuplicateView => "sql_duplicate_view",
    /// Two relations of one `FROM`, or two inputs, with one name.
    DuplicateAlias => "sql_duplicate_alias",
    /// Two output columns with one name.
    DuplicateOutputColumn => "sql_duplicate_output_column",
    /// An output expression without an alias.
    UnnamedOutputColumn => "sql_unnamed_output_column",
    /// A column beside aggregates that is not a group key.
    NotGrouped => "sql_not_grouped",
    /// An aggregate where Spark takes none, such as `WHERE` or another aggregate.
    MisplacedAggregate => "sql_misplaced_aggregate",
    /// The last segment would show rows of a dataset that has a minimum group.
    RowLevelOutput => "sql_row_level_output",
    /// The minimum group can't be shown to hold for every output row.
    GroupFloorUnprovable => "sql_group_floor_unprovable",
    /// A statement that writes data.
    WritesData => "sql_writes_data",
    /// A statement that makes, changes or drops something.
    Definition => "sql_definition",
    /// A command to the session or the engine.
    SessionCommand => "sql_session_command",
    /// A function in `FROM`.
    TableFunction => "sql_table_function",
    /// An old version of a relation.
    TimeTravel => "sql_time_travel",
    /// A sample of a relation.
    TableSample => "sql_table_sample",
    /// Rows turned into columns, or columns into rows.
    Pivot => "sql_pivot",
    /// More than one grouping of the same rows: `ROLLUP`, `CUBE`, `GROUPING SETS`.
    GroupingSets => "sql_grouping_sets",
    /// A function that calls code by name.
    FunctionReflects => "sql_function_reflects",
    /// A function that reads the session, the clock, the files or chance.
    FunctionReadsEnvironment => "sql_function_reads_environment",
    /// An aggregate that shows single values of its group.
    FunctionShowsRows => "sql_function_shows_rows",
    /// A `WITH` table that reads itself.
    RecursiveTable => "sql_recursive_table",
    /// A `WITH` table with the name of another relation.
    DuplicateTable => "sql_duplicate_table",
    /// A subquery where none is read, such as a group key.
    MisplacedSubquery => "sql_misplaced_subquery",
    /// A subquery with another number of columns than its place takes.
    SubqueryColumns => "sql_subquery_columns",
    /// A reference to the query around a subquery from a place where none is read.
    Correlation => "sql_correlation",
    /// Set operands, or a list of column names, with another number of columns than the first.
    ColumnCount => "sql_column_count",
    /// A window function where none is read, or without a window.
    MisplacedWindow => "sql_misplaced_window",
    /// A subquery in an expression over rows of a dataset that has a minimum group.
    SubqueryFloor => "sql_subquery_floor",
    /// A correlated subquery over groups of a dataset that has a minimum group.
    CorrelatedFloor => "sql_correlated_floor",
    /// A set operation whose operands could show by their difference what a minimum group hides.
    SetOperationFloor => "sql_set_operation_floor",
    /// A window over rows of a dataset that has a minimum group.
    WindowFloor => "sql_window_floor",
    /// A column for aggregates only, outside an aggregate.
    AggregateOnly => "sql_aggregate_only",
    /// A column for joins only, outside an equality that joins.
    JoinOnly => "sql_join_only",
    /// An output column computed from a column that is not for the output.
    OutputForbidden => "sql_output_forbidden",
    /// A comparison of a column with a literal that its policy refuses.
    LiteralComparison => "sql_literal_comparison",
    /// A `:name` for which there is no parameter.
    UnknownParameter => "sql_unknown_parameter",
    /// A parameter that no segment mentions.
    UnusedParameter => "sql_unused_parameter",
    /// Two parameters with one name.
    DuplicateParameter => "sql_duplicate_parameter",
    /// A parameter whose value is not of the form of its type.
    InvalidParameter => "sql_invalid_parameter",
    /// An input whose schema or policy is malformed.
    InvalidInput => "sql_invalid_input",
    /// The printed rewriting does not read back as what was analysed.
    NotPrintable => "sql_not_printable",
    /// More than one input asks for differential privacy, or one does beside a minimum group, or
    /// nothing reads it.
    PrivacyInput => "sql_privacy_input",
    /// A select over an input with differential privacy is not of the one form.
    PrivacyForm => "sql_privacy_form",
    /// Such an input is joined in a way in which rows of others could depend on it.
    PrivacyJoin => "sql_privacy_join",
    /// An output column is neither a group key nor a noised count, sum or mean.
    PrivacyOutput => "sql_privacy_output",
    /// A sum or mean of a column without bounds.
    PrivacyBounds => "sql_privacy_bounds",
    /// A group key of a type that is not for it, that is not shown, or of too many values.
    PrivacyKey => "sql_privacy_key",
    /// An expression that may fail for what a row holds, or that reads more than one row.
    PrivacyExpression => "sql_privacy_expression",
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The part of a segment that a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clause {
    /// The query as a whole: its inputs, parameters and set of segments.
    Query,
    /// The name and order of the view.
    View,
    /// The text before any clause is told apart.
    Text,
    /// The tables of a `WITH`.
    With,
    /// The output list.
    Select,
    /// The relations.
    From,
    /// The `ON` or `USING` of a join.
    Join,
    /// `WHERE`.
    Where,
    /// `GROUP BY`.
    GroupBy,
    /// `HAVING`.
    Having,
    /// `ORDER BY`.
    OrderBy,
    /// `LIMIT`.
    Limit,
}

impl Clause {
    /// The stable text of the clause.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::View => "view",
            Self::Text => "text",
            Self::With => "with",
            Self::Select => "select",
            Self::From => "from",
            Self::Join => "join",
            Self::Where => "where",
            Self::GroupBy => "group_by",
            Self::Having => "having",
            Self::OrderBy => "order_by",
            Self::Limit => "limit",
        }
    }
}

/// One reason against a query, with its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The stable reason.
    pub code: RefusalCode,
    /// The view of the segment; empty where the query as a whole is meant.
    pub segment: String,
    /// The part of the segment.
    pub clause: Clause,
    /// Line in the segment's text, from 1; 0 where the text as a whole is meant.
    pub line: u64,
    /// Character in the line, from 1; 0 where the text as a whole is meant.
    pub column: u64,
    /// One sentence for a person. It quotes the query at most, never data.
    pub detail: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)?;
        if !self.segment.is_empty() {
            write!(f, " ({}, {}", self.segment, self.clause.as_str())?;
            if self.line > 0 {
                write!(f, ", {}:{}", self.line, self.column)?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

/// Where refusals of one segment gather, so that all of them are told at once.
#[derive(Debug)]
pub(super) struct Refusals {
    segment: String,
    found: Vec<Refusal>,
}

impl Refusals {
    pub(super) fn new(segment: &str) -> Self {
        Self { segment: segment.to_owned(), found: Vec::new() }
    }

    pub(super) fn push(
        &mut self,
        code: RefusalCode,
        clause: Clause,
        at: Span,
        detail: impl Into<String>,
    ) {
        self.push_at(code, clause, at.start, detail);
    }

    pub(super) fn push_at(
        &mut self,
        code: RefusalCode,
        clause: Clause,
        at: Location,
        detail: impl Into<String>,
    ) {
        if self.found.len() < REFUSALS_MAX {
            let Location { line, column } = at;
            let segment = self.segment.clone();
            self.found.push(Refusal { code, segment, clause, line, column, detail: detail.into() });
        }
    }

    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The refusals in the order of the text, each one once.
    pub(super) fn into_sorted(mut self) -> Vec<Refusal> {
        self.found.sort_by(|a, b| {
            (a.line, a.column, a.code, a.clause, &a.detail)
                .cmp(&(b.line, b.column, b.code, b.clause, &b.detail))
        });
        self.found.dedup();
        self.found
    }
}
