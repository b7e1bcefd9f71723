//! Names: their forms, and the ones that queries can't use.

use super::RESERVED_PREFIX;
use super::refusal::RefusalCode;

/// Words that Spark's grammar could read as something else where a name stands.
const KEYWORDS: &[&str] = &[
    "all",
    "and",
    "anti",
    "as",
    "asof",
    "between",
    "by",
    "case",
    "cluster",
    "cross",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "distinct",
    "distribute",
    "else",
    "end",
    "except",
    "exists",
    "false",
    "fetch",
    "filter",
    "for",
    "from",
    "full",
    "group",
    "having",
    "in",
    "inner",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "lateral",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "minus",
    "natural",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "pivot",
    "qualify",
    "right",
    "select",
    "semi",
    "session_user",
    "setminus",
    "sort",
    "table",
    "tablesample",
    "then",
    "true",
    "union",
    "unpivot",
    "user",
    "using",
    "values",
    "when",
    "where",
    "window",
    "with",
];

/// Whether a word can't be a name.
pub(super) fn is_keyword(name: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(name))
}

/// `[A-Za-z_][A-Za-z0-9_]*`.
pub(super) fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `[a-z_][a-z0-9_]{0,63}`: names of views, inputs and parameters.
pub(super) fn is_binding_name(name: &str) -> bool {
    is_identifier(name) && name.len() <= 64 && !name.chars().any(|c| c.is_ascii_uppercase())
}

/// Whether Chancery keeps the name to itself.
pub(super) fn is_reserved(name: &str) -> bool {
    name.get(..RESERVED_PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(RESERVED_PREFIX))
}

/// Why a view or an input can't have a name.
pub(super) fn name_objection(what: &str, name: &str) -> Option<(RefusalCode, String)> {
    if is_reserved(name) {
        Some((
            RefusalCode::ReservedName,
            format!("names that start with {RESERVED_PREFIX} are not for queries"),
        ))
    } else if is_keyword(name) {
        Some((RefusalCode::ReservedName, format!("{name} is a word of Spark's grammar")))
    } else if is_binding_name(name) {
        None
    } else {
        Some((
            RefusalCode::InvalidName,
            format!("{what} name {name:?} is not of the form [a-z_][a-z0-9_]{{0,63}}"),
        ))
    }
}
