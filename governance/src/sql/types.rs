//! Types of expressions, where the analysis can tell, and the types a cast may name.

use sqlparser::ast::{BinaryOperator, DataType, ExactNumberInfo, TimezoneInfo};

use super::decimals;
use super::kind::{Kind, Width};
use crate::decimal::Decimal;

/// Digits of `DECIMAL` without a number.
const DECIMAL_DIGITS: u8 = 10;

/// The type of `left op right`.
pub(super) fn binary(op: &BinaryOperator, left: Option<Kind>, right: Option<Kind>) -> Option<Kind> {
    match op {
        BinaryOperator::Plus
        | BinaryOperator::Minus
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::Modulo => arithmetic(op, left?, right?),
        BinaryOperator::StringConcat => Some(Kind::String),
        _ => Some(Kind::Boolean),
    }
}

fn arithmetic(op: &BinaryOperator, left: Kind, right: Kind) -> Option<Kind> {
    match (left, right) {
        (Kind::Double, other) | (other, Kind::Double) => is_number(other).then_some(Kind::Double),
        (Kind::Decimal(_), _) | (_, Kind::Decimal(_)) => {
            let (left, right) = (left.decimal()?, right.decimal()?);
            let made = match op {
                BinaryOperator::Multiply => decimals::product(left, right),
                BinaryOperator::Divide => decimals::quotient(left, right),
                BinaryOperator::Modulo => decimals::remainder(left, right),
                _ => decimals::sum(left, right),
            };
            made.map(Kind::Decimal)
        }
        _ => {
            let width = left.width()?.max(right.width()?);
            let divides = *op == BinaryOperator::Divide;
            Some(if divides { Kind::Double } else { Kind::Integer(width) })
        }
    }
}

/// The common type of branches; `None` if one is unknown or they have none that is sure.
pub(super) fn merge(kinds: impl IntoIterator<Item = Option<Kind>>) -> Option<Kind> {
    let mut kinds = kinds.into_iter().map(|kind| kind.map(Kind::settled));
    let first = kinds.next()??;
    kinds.try_fold(first, |one, other| wider(one, other?))
}

fn wider(one: Kind, other: Kind) -> Option<Kind> {
    match (one, other) {
        (Kind::Integer(one), Kind::Integer(other)) => Some(Kind::Integer(one.max(other))),
        (Kind::Double, number) | (number, Kind::Double) if is_number(number) => Some(Kind::Double),
        (Kind::Decimal(_), _) | (_, Kind::Decimal(_)) => {
            decimals::widest(one.decimal()?, other.decimal()?).map(Kind::Decimal)
        }
        _ => (one == other).then_some(one),
    }
}

/// The type of a number as Spark reads it: integers, doubles in exponent form, decimals otherwise.
/// `text` may begin with a sign; `long` says whether an `L` stands behind it.
pub(super) fn number(text: &str, long: bool) -> Option<Kind> {
    if text.contains(['e', 'E']) {
        return Some(Kind::Double);
    }
    match text.parse() {
        Ok(value) if long => return Some(Kind::Literal { value, width: Width::Long }),
        Ok(value) => return Some(integer(value)),
        Err(_) => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    decimals::literal(digits).filter(|_| !long).map(Kind::Decimal)
}

/// The type of an integer that is written out.
pub(super) fn integer(value: i64) -> Kind {
    let width = if i32::try_from(value).is_ok() { Width::Int } else { Width::Long };
    Kind::Literal { value, width }
}

/// The type of a sum.
pub(super) fn total(kind: Option<Kind>) -> Option<Kind> {
    match kind?.settled() {
        Kind::Integer(_) => Some(Kind::LONG),
        Kind::Double => Some(Kind::Double),
        Kind::Decimal(decimal) => decimals::total(decimal).map(Kind::Decimal),
        _ => None,
    }
}

/// The type of a mean.
pub(super) fn mean(kind: Option<Kind>) -> Option<Kind> {
    match kind? {
        Kind::Decimal(decimal) => decimals::mean(decimal).map(Kind::Decimal),
        other => is_number(other).then_some(Kind::Double),
    }
}

/// The type of `FLOOR` and `CEIL`.
pub(super) fn whole(kind: Option<Kind>) -> Option<Kind> {
    match kind? {
        Kind::Decimal(decimal) => decimals::whole(decimal).map(Kind::Decimal),
        other => is_number(other).then_some(Kind::LONG),
    }
}

/// The type of `ROUND` of these arguments: a number, and the places where they are told.
pub(super) fn rounded(arguments: &[Option<Kind>]) -> Option<Kind> {
    let (number, places) = arguments.split_first()?;
    match (number.as_ref()?.settled(), places) {
        (Kind::Decimal(decimal), []) => decimals::rounded(decimal, 0).map(Kind::Decimal),
        (Kind::Decimal(decimal), [Some(Kind::Literal { value, width: _ })]) => {
            decimals::rounded(decimal, *value).map(Kind::Decimal)
        }
        // Computed places: the type is decided by what they come to.
        (Kind::Decimal(_), _) => None,
        (other, _) => Some(other),
    }
}

fn is_number(kind: Kind) -> bool {
    matches!(kind, Kind::Integer(_) | Kind::Literal { .. } | Kind::Double | Kind::Decimal(_))
}

/// What comes out of a cast: a type that is known, or one that isn't (a float).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cast(pub(super) Option<Kind>);

/// What a cast to the type gives; `None` if a cast may not name it.
///
/// Spark's names only: a type that Spark reads under another meaning is not on the list.
pub(super) fn cast(data_type: &DataType) -> Option<Cast> {
    let kind = match data_type {
        DataType::TinyInt(None) => Some(Kind::Integer(Width::Byte)),
        DataType::SmallInt(None) => Some(Kind::Integer(Width::Short)),
        DataType::Int(None) | DataType::Integer(None) => Some(Kind::INT),
        DataType::BigInt(None) => Some(Kind::LONG),
        DataType::Double(ExactNumberInfo::None) => Some(Kind::Double),
        DataType::Float(info) if *info == ExactNumberInfo::None => None,
        DataType::Decimal(info) => Some(Kind::Decimal(decimal(*info)?)),
        DataType::String(None) => Some(Kind::String),
        DataType::Boolean => Some(Kind::Boolean),
        DataType::Date => Some(Kind::Date),
        DataType::Timestamp(None, TimezoneInfo::None) => Some(Kind::Timestamp),
        _ => return None,
    };
    Some(Cast(kind))
}

fn decimal(info: ExactNumberInfo) -> Option<Decimal> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (DECIMAL_DIGITS, 0),
        ExactNumberInfo::Precision(precision) => (u8::try_from(precision).ok()?, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => {
            (u8::try_from(precision).ok()?, u8::try_from(scale).ok()?)
        }
    };
    Decimal::new(precision, scale)
}

/// The type of a decimal in a cast.
pub(super) fn decimal_type(decimal: Decimal) -> DataType {
    let (precision, scale) = (decimal.precision().into(), decimal.scale().into());
    DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale))
}

/// Whether a cast to the type maps values broadly (see `shape`). One to a boolean is a
/// condition; one to a narrower number rounds, at thresholds that no caller can place.
pub(super) fn cast_is_gentle(data_type: &DataType) -> bool {
    !matches!(data_type, DataType::Boolean)
}
