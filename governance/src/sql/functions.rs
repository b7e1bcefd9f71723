//! The functions a query may call: deterministic, without side effects, of bounded output size.
//!
//! Left out on purpose: what shows single rows of a group (`first`, `any_value`, `collect_list`,
//! `max_by`, percentiles), what reads the session or the clock (`current_date`, `input_file_name`,
//! `uuid`), what raises its argument as an error, what calls code by name (`reflect`), and what grows
//! a value without bound (`repeat`, `lpad`).

use sqlparser::ast::BinaryOperator;

use super::kind::Kind;
use super::refusal::RefusalCode;
use super::types;

/// What a function does with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// One value for a group. `distinct` may stand before the argument.
    Aggregate { distinct: bool },
    /// One value of a group's own values, as it is stored: `MIN` and `MAX`. They show a value that
    /// one individual has; the first form allows it for stored columns, above the floor.
    Extreme,
    /// One value for a row of a window.
    Window,
    /// One value for a row. `gentle` as in `shape`.
    Scalar { gentle: bool },
}

/// The type of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returns {
    /// Always this one.
    Always(Kind),
    /// The first argument's.
    First,
    /// The one that all arguments share.
    Shared,
    /// The one that the second and third argument share.
    Branches,
    /// A decimal with more digits for a decimal, a double for another number.
    Mean,
    /// As wide as sums of the argument get.
    Total,
    /// The first argument's, to the places that the second says.
    Rounded,
    /// That of the operator `%`.
    Remainder,
    /// Not told.
    Unknown,
}

/// An allowed function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    /// Its name in upper case, as it is printed.
    pub(super) name: &'static str,
    pub(super) class: Class,
    /// The least and the most arguments.
    pub(super) arguments: (usize, usize),
    pub(super) returns: Returns,
}

const VARIADIC: usize = 16;
const AGGREGATE: Class = Class::Aggregate { distinct: false };
const GENTLE: Class = Class::Scalar { gentle: true };
const SHARP: Class = Class::Scalar { gentle: false };
const BOOLEAN: Returns = Returns::Always(Kind::Boolean);
const DATE: Returns = Returns::Always(Kind::Date);
const DOUBLE: Returns = Returns::Always(Kind::Double);
const INT: Returns = Returns::Always(Kind::INT);
const LONG: Returns = Returns::Always(Kind::LONG);
const STRING: Returns = Returns::Always(Kind::String);
const TIMESTAMP: Returns = Returns::Always(Kind::Timestamp);

const fn function(
    name: &'static str,
    class: Class,
    arguments: (usize, usize),
    returns: Returns,
) -> Function {
    Function { name, class, arguments, returns }
}

const ALLOWED: &[Function] = &[
    function("COUNT", Class::Aggregate { distinct: true }, (1, 1), LONG),
    function("COUNT_IF", AGGREGATE, (1, 1), LONG),
    function("SUM", AGGREGATE, (1, 1), Returns::Total),
    function("AVG", AGGREGATE, (1, 1), Returns::Mean),
    function("MEAN", AGGREGATE, (1, 1), Returns::Mean),
    function("MIN", Class::Extreme, (1, 1), Returns::First),
    function("MAX", Class::Extreme, (1, 1), Returns::First),
    function("STD", AGGREGATE, (1, 1), DOUBLE),
    function("STDDEV", AGGREGATE, (1, 1), DOUBLE),
    function("STDDEV_POP", AGGREGATE, (1, 1), DOUBLE),
    function("STDDEV_SAMP", AGGREGATE, (1, 1), DOUBLE),
    function("VARIANCE", AGGREGATE, (1, 1), DOUBLE),
    function("VAR_POP", AGGREGATE, (1, 1), DOUBLE),
    function("VAR_SAMP", AGGREGATE, (1, 1), DOUBLE),
    function("CORR", AGGREGATE, (2, 2), DOUBLE),
    function("COVAR_POP", AGGREGATE, (2, 2), DOUBLE),
    function("COVAR_SAMP", AGGREGATE, (2, 2), DOUBLE),
    function("ROW_NUMBER", Class::Window, (0, 0), INT),
    function("RANK", Class::Window, (0, 0), INT),
    function("DENSE_RANK", Class::Window, (0, 0), INT),
    function("PERCENT_RANK", Class::Window, (0, 0), DOUBLE),
    function("CUME_DIST", Class::Window, (0, 0), DOUBLE),
    function("NTILE", Class::Window, (1, 1), INT),
    function("LAG", Class::Window, (1, 3), Returns::First),
    function("LEAD", Class::Window, (1, 3), Returns::First),
    function("FIRST_VALUE", Class::Window, (1, 1), Returns::First),
    function("LAST_VALUE", Class::Window, (1, 1), Returns::First),
    function("NTH_VALUE", Class::Window, (2, 2), Returns::First),
    function("ABS", GENTLE, (1, 1), Returns::First),
    function("ROUND", GENTLE, (1, 2), Returns::Rounded),
    function("SIGN", SHARP, (1, 1), Returns::Unknown),
    function("SQRT", SHARP, (1, 1), DOUBLE),
    function("POWER", SHARP, (2, 2), DOUBLE),
    function("POW", SHARP, (2, 2), DOUBLE),
    function("EXP", SHARP, (1, 1), DOUBLE),
    function("LN", SHARP, (1, 1), DOUBLE),
    function("LOG10", SHARP, (1, 1), DOUBLE),
    function("MOD", SHARP, (2, 2), Returns::Remainder),
    function("COALESCE", GENTLE, (1, VARIADIC), Returns::Shared),
    function("IFNULL", GENTLE, (2, 2), Returns::Shared),
    function("NVL", GENTLE, (2, 2), Returns::Shared),
    function("NULLIF", SHARP, (2, 2), Returns::First),
    function("IF", SHARP, (3, 3), Returns::Branches),
    function("GREATEST", SHARP, (2, VARIADIC), Returns::Shared),
    function("LEAST", SHARP, (2, VARIADIC), Returns::Shared),
    function("ISNULL", SHARP, (1, 1), BOOLEAN),
    function("ISNOTNULL", SHARP, (1, 1), BOOLEAN),
    function("ISNAN", SHARP, (1, 1), BOOLEAN),
    function("UPPER", GENTLE, (1, 1), STRING),
    function("LOWER", GENTLE, (1, 1), STRING),
    function("LTRIM", GENTLE, (1, 1), STRING),
    function("RTRIM", GENTLE, (1, 1), STRING),
    function("CONCAT", SHARP, (1, VARIADIC), STRING),
    function("LENGTH", GENTLE, (1, 1), INT),
    function("CHAR_LENGTH", GENTLE, (1, 1), INT),
    function("REPLACE", SHARP, (3, 3), STRING),
    function("STARTSWITH", SHARP, (2, 2), BOOLEAN),
    function("ENDSWITH", SHARP, (2, 2), BOOLEAN),
    function("CONTAINS", SHARP, (2, 2), BOOLEAN),
    function("YEAR", GENTLE, (1, 1), INT),
    function("QUARTER", GENTLE, (1, 1), INT),
    function("MONTH", GENTLE, (1, 1), INT),
    function("WEEKOFYEAR", GENTLE, (1, 1), INT),
    function("DAY", GENTLE, (1, 1), INT),
    function("DAYOFMONTH", GENTLE, (1, 1), INT),
    function("DAYOFWEEK", GENTLE, (1, 1), INT),
    function("DAYOFYEAR", GENTLE, (1, 1), INT),
    function("HOUR", GENTLE, (1, 1), INT),
    function("MINUTE", GENTLE, (1, 1), INT),
    function("SECOND", GENTLE, (1, 1), INT),
    function("DATE_TRUNC", GENTLE, (2, 2), TIMESTAMP),
    function("TRUNC", GENTLE, (2, 2), DATE),
    function("LAST_DAY", GENTLE, (1, 1), DATE),
    function("DATEDIFF", GENTLE, (2, 2), INT),
    function("DATE_ADD", GENTLE, (2, 2), DATE),
    function("DATE_SUB", GENTLE, (2, 2), DATE),
    function("ADD_MONTHS", GENTLE, (2, 2), DATE),
    function("MONTHS_BETWEEN", SHARP, (2, 2), DOUBLE),
    function("TO_DATE", GENTLE, (1, 2), DATE),
    function("TO_TIMESTAMP", GENTLE, (1, 2), TIMESTAMP),
    function("DATE_FORMAT", GENTLE, (2, 2), STRING),
];

/// The allowed function of a name, without regard to case.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    ALLOWED.iter().find(|function| function.name.eq_ignore_ascii_case(name))
}

/// Functions that have a reason of their own to be refused, by it.
const REFUSED: &[(RefusalCode, &[&str])] = &[
    (
        RefusalCode::FunctionReflects,
        &["reflect", "java_method", "try_reflect", "identifier", "call_function"],
    ),
    (
        RefusalCode::FunctionReadsEnvironment,
        &[
            "current_catalog",
            "current_database",
            "current_date",
            "current_schema",
            "current_time",
            "current_timestamp",
            "current_timezone",
            "current_user",
            "curdate",
            "getvariable",
            "input_file_block_length",
            "input_file_block_start",
            "input_file_name",
            "localtimestamp",
            "monotonically_increasing_id",
            "now",
            "rand",
            "randn",
            "random",
            "randstr",
            "read_files",
            "secret",
            "session_user",
            "shuffle",
            "spark_partition_id",
            "uniform",
            "unix_timestamp",
            "user",
            "uuid",
            "version",
        ],
    ),
    (
        RefusalCode::FunctionShowsRows,
        &[
            "any_value",
            "approx_percentile",
            "array_agg",
            "collect_list",
            "collect_set",
            "first",
            "histogram_numeric",
            "last",
            "listagg",
            "max_by",
            "median",
            "min_by",
            "mode",
            "percentile",
            "percentile_approx",
            "percentile_cont",
            "percentile_disc",
            "string_agg",
        ],
    ),
];

/// The code that a function outside the allow-list is refused with.
pub(super) fn why_not(name: &str) -> RefusalCode {
    let lists = |names: &[&str]| names.iter().any(|refused| refused.eq_ignore_ascii_case(name));
    REFUSED
        .iter()
        .find(|(_, names)| lists(names))
        .map_or(RefusalCode::FunctionNotAllowed, |(code, _)| *code)
}

impl Function {
    /// The type of a call with arguments of these types.
    pub(super) fn kind(&self, arguments: &[Option<Kind>]) -> Option<Kind> {
        let first = arguments.first().copied().flatten();
        match self.returns {
            Returns::Always(kind) => Some(kind),
            Returns::First => first.map(Kind::settled),
            Returns::Shared => types::merge(arguments.iter().copied()),
            Returns::Branches => types::merge(arguments.iter().skip(1).copied()),
            Returns::Mean => types::mean(first),
            Returns::Total => types::total(first),
            Returns::Rounded => types::rounded(arguments),
            Returns::Remainder => {
                let second = arguments.get(1).copied().flatten();
                types::binary(&BinaryOperator::Modulo, first, second)
            }
            Returns::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ALLOWED;

    #[test]
    fn names_are_upper_case_and_unique() {
        for (index, function) in ALLOWED.iter().enumerate() {
            assert_eq!(function.name, function.name.to_ascii_uppercase());
            assert!(
                ALLOWED[..index].iter().all(|other| other.name != function.name),
                "{}",
                function.name
            );
            assert!(function.arguments.0 <= function.arguments.1);
        }
    }
}
