//! Types of what is computed from decimals, by the rules of Spark 4 with
//! `spark.sql.decimalOperations.allowPrecisionLoss`, its default.
//!
//! Source: `DecimalPrecisionTypeCoercion.scala`, `DecimalType.scala` and the data types of
//! `arithmetic.scala`, `Sum`, `Average` and `mathExpressions.scala` in Spark's catalyst.
//! `executor/spark/tests/test_types.py` asks Spark itself.

use crate::decimal::{Decimal, PRECISION_MAX};

/// Digits after the point that a result keeps while digits before it don't fit.
const SCALE_KEPT: i32 = 6;
/// Digits that a sum has more than what it adds up.
const SUM_DIGITS: i32 = 10;
/// Digits after the point that a mean has more than its values.
const MEAN_DIGITS: i32 = 4;

const MAX: i32 = PRECISION_MAX as i32;

struct Digits {
    precision: i32,
    scale: i32,
    whole: i32,
}

fn digits(of: Decimal) -> Digits {
    Digits { precision: of.precision().into(), scale: of.scale().into(), whole: of.whole().into() }
}

fn decimal(precision: i32, scale: i32) -> Option<Decimal> {
    Decimal::new(u8::try_from(precision).ok()?, u8::try_from(scale).ok()?)
}

/// Each cut at the most that there may be.
fn bounded(precision: i32, scale: i32) -> Option<Decimal> {
    decimal(precision.min(MAX), scale.min(MAX))
}

/// Where there are too many digits, those after the point go first, down to [`SCALE_KEPT`].
fn adjusted(precision: i32, scale: i32) -> Option<Decimal> {
    if precision <= MAX {
        return decimal(precision, scale);
    }
    let whole = precision - scale;
    decimal(MAX, (MAX - whole).max(scale.min(SCALE_KEPT)))
}

/// The type of `left + right` and `left - right`.
pub(super) fn sum(left: Decimal, right: Decimal) -> Option<Decimal> {
    let (left, right) = (digits(left), digits(right));
    let scale = left.scale.max(right.scale);
    adjusted(left.whole.max(right.whole) + scale + 1, scale)
}

/// The type of `left * right`.
pub(super) fn product(left: Decimal, right: Decimal) -> Option<Decimal> {
    let (left, right) = (digits(left), digits(right));
    adjusted(left.precision + right.precision + 1, left.scale + right.scale)
}

/// The type of `left / right`.
pub(super) fn quotient(left: Decimal, right: Decimal) -> Option<Decimal> {
    let (left, right) = (digits(left), digits(right));
    let scale = SCALE_KEPT.max(left.scale + right.precision + 1);
    adjusted(left.whole + right.scale + scale, scale)
}

/// The type of `left % right`.
pub(super) fn remainder(left: Decimal, right: Decimal) -> Option<Decimal> {
    let (left, right) = (digits(left), digits(right));
    let scale = left.scale.max(right.scale);
    adjusted(left.whole.min(right.whole) + scale, scale)
}

/// The type that holds values of both; digits after the point go where there are too many.
pub(super) fn widest(one: Decimal, other: Decimal) -> Option<Decimal> {
    let (one, other) = (digits(one), digits(other));
    let scale = one.scale.max(other.scale);
    let precision = one.whole.max(other.whole) + scale;
    let over = (precision - MAX).max(0);
    decimal(precision - over, (scale - over).max(0))
}

/// The type of `SUM`.
pub(super) fn total(of: Decimal) -> Option<Decimal> {
    let of = digits(of);
    bounded(of.precision + SUM_DIGITS, of.scale)
}

/// The type of `AVG`.
pub(super) fn mean(of: Decimal) -> Option<Decimal> {
    let of = digits(of);
    bounded(of.precision + MEAN_DIGITS, of.scale + MEAN_DIGITS)
}

/// The type of `FLOOR` and `CEIL`.
pub(super) fn whole(of: Decimal) -> Option<Decimal> {
    if of.scale() == 0 { Some(of) } else { bounded(digits(of).whole + 1, 0) }
}

/// The type of `ROUND(…, places)`.
pub(super) fn rounded(of: Decimal, places: i64) -> Option<Decimal> {
    let of = digits(of);
    let places = i32::try_from(places).ok()?;
    // It may carry into a digit more.
    let whole = of.whole + 1;
    if places < 0 {
        let carried = 1_i32.checked_sub(places)?;
        return bounded(whole.max(carried), 0);
    }
    let scale = of.scale.min(places);
    bounded(whole + scale, scale)
}

/// The type of a number's digits, such as `0.05`: as many as it has after its leading zeros, and no
/// fewer than stand after the point.
pub(super) fn literal(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all = [whole, fraction].concat();
    if all.is_empty() || !all.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let significant = all.trim_start_matches('0').len().max(1);
    let scale = i32::try_from(fraction.len()).ok()?;
    decimal(i32::try_from(significant).ok()?.max(scale), scale)
}
