//! Types of expressions, where the analysis can tell, and the types a cast may name.

use sqlparser::ast::{BinaryOperator, DataType, ExactNumberInfo, TimezoneInfo};

use crate::dataset::ColumnType;

/// The type of `left op right`; `None` for what isn't a declared type (a decimal, say).
pub(super) fn binary(
    op: &BinaryOperator,
    left: Option<ColumnType>,
    right: Option<ColumnType>,
) -> Option<ColumnType> {
    use ColumnType::{Boolean, Double, Long, String};
    match op {
        BinaryOperator::Plus
        | BinaryOperator::Minus
        | BinaryOperator::Multiply
        | BinaryOperator::Modulo => match (left, right) {
            (Some(Long), Some(Long)) => Some(Long),
            (Some(Double), Some(Long | Double)) | (Some(Long), Some(Double)) => Some(Double),
            _ => None,
        },
        BinaryOperator::Divide => match (left, right) {
            (Some(Long | Double), Some(Long | Double)) => Some(Double),
            _ => None,
        },
        BinaryOperator::StringConcat => Some(String),
        _ => Some(Boolean),
    }
}

/// The common type of branches; `None` if they differ or one is unknown.
pub(super) fn merge(kinds: impl IntoIterator<Item = Option<ColumnType>>) -> Option<ColumnType> {
    let mut kinds = kinds.into_iter();
    let first = kinds.next()??;
    kinds.all(|kind| kind == Some(first)).then_some(first)
}

/// The type of a number as Spark reads it: integers, doubles in exponent form, decimals otherwise.
pub(super) fn number(text: &str) -> Option<ColumnType> {
    if text.contains(['e', 'E']) {
        Some(ColumnType::Double)
    } else if text.parse::<i64>().is_ok() {
        Some(ColumnType::Long)
    } else {
        None
    }
}

/// The type of a mean: a decimal's is a decimal, which is not a declared type.
pub(super) fn mean(kind: Option<ColumnType>) -> Option<ColumnType> {
    kind.filter(|kind| is_number(*kind)).map(|_| ColumnType::Double)
}

/// The type of `FLOOR` and `CEIL`.
pub(super) fn whole(kind: Option<ColumnType>) -> Option<ColumnType> {
    kind.filter(|kind| is_number(*kind)).map(|_| ColumnType::Long)
}

fn is_number(kind: ColumnType) -> bool {
    matches!(kind, ColumnType::Long | ColumnType::Double)
}

/// What comes out of a cast: a declared type, or one that isn't (a decimal, a float).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cast(pub(super) Option<ColumnType>);

/// What a cast to the type gives; `None` if a cast may not name it.
///
/// Spark's names only: a type that Spark reads under another meaning is not on the list.
pub(super) fn cast(data_type: &DataType) -> Option<Cast> {
    let kind = match data_type {
        DataType::TinyInt(None)
        | DataType::SmallInt(None)
        | DataType::Int(None)
        | DataType::Integer(None)
        | DataType::BigInt(None) => Some(ColumnType::Long),
        DataType::Double(ExactNumberInfo::None) => Some(ColumnType::Double),
        DataType::Float(info) if *info == ExactNumberInfo::None => None,
        DataType::Decimal(info) if is_decimal(*info) => None,
        DataType::String(None) => Some(ColumnType::String),
        DataType::Boolean => Some(ColumnType::Boolean),
        DataType::Date => Some(ColumnType::Date),
        DataType::Timestamp(None, TimezoneInfo::None) => Some(ColumnType::Timestamp),
        _ => return None,
    };
    Some(Cast(kind))
}

fn is_decimal(info: ExactNumberInfo) -> bool {
    match info {
        ExactNumberInfo::None => true,
        ExactNumberInfo::Precision(precision) => (1..=38).contains(&precision),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => {
            (1..=38).contains(&precision)
                && u64::try_from(scale).is_ok_and(|scale| scale <= precision)
        }
    }
}

/// Whether a cast to the type maps values broadly (see `shape`). One to a boolean is a
/// condition; one to a narrower number rounds, at thresholds that no caller can place.
pub(super) fn cast_is_gentle(data_type: &DataType) -> bool {
    !matches!(data_type, DataType::Boolean)
}
