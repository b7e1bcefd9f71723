//! Literals: written so that Spark reads exactly the value, whatever its version and settings.
//!
//! In Spark's lexer a backslash escapes; a doubled quote is a quote in Spark 4 but a concatenation in
//! Spark 3; and `${…}` anywhere in a text is replaced by variables of the session before parsing. The
//! one form that all of them read alike is `\uXXXX`, so quotes, backslashes, dollars and control
//! characters are written in it.

use std::collections::BTreeMap;
use std::fmt::Write;

use sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, TimezoneInfo, TypedString, UnaryOperator, Value,
};
use sqlparser::tokenizer::Span;

use super::kind::Kind;
use super::names::is_binding_name;
use super::refusal::{Clause, RefusalCode, Refusals};
use super::{BINDINGS_MAX, Literal, PARAMETER_BYTES_MAX, Parameter, types};

/// Bytes of a double's text.
const DOUBLE_BYTES_MAX: usize = 64;

/// The parameters of a query, and which of them segments mention.
#[derive(Debug, Default)]
pub(super) struct Bindings<'a> {
    known: BTreeMap<&'a str, (&'a Literal, bool)>,
}

impl<'a> Bindings<'a> {
    /// Takes the parameters in, refusing what can't be bound.
    pub(super) fn new(parameters: &[Parameter<'a>], refusals: &mut Refusals) -> Self {
        let mut bindings = Self::default();
        let nowhere = Span::empty();
        if parameters.len() > BINDINGS_MAX {
            let detail = format!("at most {BINDINGS_MAX} parameters are bound");
            refusals.push(RefusalCode::TooMany, Clause::Query, nowhere, detail);
            return bindings;
        }
        for Parameter { name, value } in parameters {
            if !is_binding_name(name) {
                refusals.push(
                    RefusalCode::InvalidName,
                    Clause::Query,
                    nowhere,
                    format!("parameter name {name:?}"),
                );
            }
            if !is_valid(value) {
                let detail = match value {
                    Literal::Decimal(decimal, _) => {
                        format!("the value of :{name} is no number within the digits of {decimal}")
                    }
                    _ => format!("the value of :{name} is not of the form of its type"),
                };
                refusals.push(RefusalCode::InvalidParameter, Clause::Query, nowhere, detail);
            }
            if bindings.known.insert(name, (value, false)).is_some() {
                refusals.push(
                    RefusalCode::DuplicateParameter,
                    Clause::Query,
                    nowhere,
                    format!(":{name} is given twice"),
                );
            }
        }
        bindings
    }

    /// The literal for `:name`, which counts as used from now on.
    pub(super) fn take(&mut self, name: &str) -> Option<(Expr, Kind)> {
        let (value, used) = self.known.get_mut(name)?;
        *used = true;
        Some(expression(value))
    }

    /// Refuses the parameters that nothing mentions.
    pub(super) fn refuse_unused(&self, refusals: &mut Refusals) {
        for (name, (_, used)) in &self.known {
            if !used {
                let detail = format!("no segment mentions :{name}");
                refusals.push(RefusalCode::UnusedParameter, Clause::Query, Span::empty(), detail);
            }
        }
    }
}

fn is_valid(value: &Literal) -> bool {
    match value {
        Literal::String(text) => text.len() <= PARAMETER_BYTES_MAX,
        Literal::Long(_) | Literal::Boolean(_) => true,
        Literal::Date(text) => is_date(text),
        Literal::Timestamp(text) => is_timestamp(text),
        Literal::Double(text) => is_double(text),
        Literal::Decimal(decimal, text) => decimal.holds(text),
    }
}

/// The tree for a value, and its type.
fn expression(value: &Literal) -> (Expr, Kind) {
    match value {
        Literal::String(text) => (string(text), Kind::String),
        Literal::Long(number) if *number < 0 => {
            let digits = Expr::value(Value::Number(number.unsigned_abs().to_string(), false));
            let negative = Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(digits) };
            (Expr::Nested(Box::new(negative)), types::integer(*number))
        }
        Literal::Long(number) => {
            let digits = Expr::value(Value::Number(number.to_string(), false));
            (digits, types::integer(*number))
        }
        Literal::Boolean(truth) => (Expr::value(Value::Boolean(*truth)), Kind::Boolean),
        Literal::Date(text) => (typed(DataType::Date, text), Kind::Date),
        Literal::Timestamp(text) => {
            (typed(DataType::Timestamp(None, TimezoneInfo::None), text), Kind::Timestamp)
        }
        // From text, since a bare 1.5 is a decimal in Spark and long ones lose digits.
        Literal::Double(text) => {
            (cast(text, DataType::Double(ExactNumberInfo::None)), Kind::Double)
        }
        // From text too: a bare 1.50 has the digits that are written, not those of its type.
        Literal::Decimal(decimal, text) => {
            (cast(text, types::decimal_type(*decimal)), Kind::Decimal(*decimal))
        }
    }
}

fn cast(text: &str, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(string(text)), data_type, format: None }
}

fn typed(data_type: DataType, text: &str) -> Expr {
    let value = Value::SingleQuotedString(text.to_owned()).with_empty_span();
    Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax: false })
}

/// A string literal for a value.
pub(super) fn string(value: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(encode(value)))
}

/// The literal's inner text for the raw inner text that the lexer kept; without backslashes, as
/// `lex` has checked.
pub(super) fn re_encode(raw: &str) -> String {
    encode(&raw.replace("''", "'"))
}

fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, '\'' | '\\' | '$') || character.is_control() {
            // Control characters and these three lie in the basic plane: four digits always do.
            let _ = write!(text, "\\u{:04X}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text
}

/// `yyyy-MM-dd`, a day that exists in the proleptic Gregorian calendar.
pub(super) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) =
        (number(&[*y1, *y2, *y3, *y4]), number(&[*m1, *m2]), number(&[*d1, *d2]))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day) && year > 0
}

/// `yyyy-MM-dd HH:mm:ss`, with up to six digits of a second's fraction.
pub(super) fn is_timestamp(text: &str) -> bool {
    let Some((date, time)) = text.split_once(' ') else {
        return false;
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock.as_bytes() else {
        return false;
    };
    is_date(date)
        && number(&[*h1, *h2]).is_some_and(|hour| hour < 24)
        && number(&[*m1, *m2]).is_some_and(|minute| minute < 60)
        && number(&[*s1, *s2]).is_some_and(|second| second < 60)
        && (1..=6).contains(&fraction.len())
        && fraction.bytes().all(|digit| digit.is_ascii_digit())
}

/// `-?digits[.digits][e[+-]digits]`.
fn is_double(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    text.len() <= DOUBLE_BYTES_MAX
        && digits(whole)
        && digits(fraction)
        && digits(exponent)
        && exponent.len() <= 3
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'))
    })
}
