//! Literals, placeholders, typed strings and intervals in an expression.

use sqlparser::ast::{DataType, DateTimeField, Expr, Interval, Spanned, Value, ValueWithSpan};
use sqlparser::tokenizer::Span;

use super::bind;
use super::expr::{Facts, Walker};
use super::kind::Kind;
use super::refusal::RefusalCode;
use super::types;

impl Walker<'_, '_, '_> {
    /// A literal in place, or the expression to put in the place of a placeholder.
    pub(super) fn value(&mut self, value: &mut ValueWithSpan) -> Result<Facts, Box<(Expr, Facts)>> {
        let at = value.span;
        let kind = match &mut value.value {
            Value::Number(text, long) => types::number(text, *long),
            Value::Boolean(_) => Some(Kind::Boolean),
            Value::Null => None,
            Value::SingleQuotedString(text) => {
                *text = bind::re_encode(text);
                Some(Kind::String)
            }
            Value::Placeholder(name) => {
                let bound =
                    name.strip_prefix(':').and_then(|name| self.context.bindings.take(name));
                let Some((literal, kind)) = bound else {
                    let detail = format!("there is no parameter {name}");
                    return Ok(self.refuse(RefusalCode::UnknownParameter, at, detail));
                };
                return Err(Box::new((literal, Facts::constant(Some(kind)))));
            }
            other => {
                let detail = format!("the literal {other} is not supported");
                return Ok(self.unsupported(at, detail));
            }
        };
        Ok(Facts::constant(kind))
    }

    pub(super) fn typed_string(
        &mut self,
        data_type: &DataType,
        value: &ValueWithSpan,
        odbc: bool,
        at: Span,
    ) -> Facts {
        let kind = types::cast(data_type).and_then(|cast| cast.0);
        let valid = match (&value.value, kind) {
            (Value::SingleQuotedString(text), Some(Kind::Date)) => bind::is_date(text),
            (Value::SingleQuotedString(text), Some(Kind::Timestamp)) => bind::is_timestamp(text),
            _ => false,
        };
        if !valid || odbc {
            let detail =
                "typed literals are DATE 'yyyy-MM-dd' and TIMESTAMP 'yyyy-MM-dd HH:mm:ss[.ffffff]'";
            return self.unsupported(at, detail);
        }
        Facts::constant(kind)
    }

    pub(super) fn interval(&mut self, interval: &Interval) -> Facts {
        let Interval {
            value,
            leading_field,
            leading_precision,
            last_field,
            fractional_seconds_precision,
        } = interval;
        let count = match value.as_ref() {
            Expr::Value(ValueWithSpan {
                value: Value::Number(text, false) | Value::SingleQuotedString(text),
                span: _,
            }) => {
                !text.is_empty()
                    && text.len() <= 9
                    && text.bytes().all(|digit| digit.is_ascii_digit())
            }
            _ => false,
        };
        let field = leading_field.as_ref().is_some_and(is_interval_unit);
        if !count
            || !field
            || leading_precision.is_some()
            || last_field.is_some()
            || fractional_seconds_precision.is_some()
        {
            return self.unsupported(value.span(), "intervals are INTERVAL <number> <unit>");
        }
        Facts::constant(None)
    }
}

fn is_interval_unit(field: &DateTimeField) -> bool {
    matches!(
        field,
        DateTimeField::Year
            | DateTimeField::Years
            | DateTimeField::Month
            | DateTimeField::Months
            | DateTimeField::Week(None)
            | DateTimeField::Weeks
            | DateTimeField::Day
            | DateTimeField::Days
            | DateTimeField::Hour
            | DateTimeField::Hours
            | DateTimeField::Minute
            | DateTimeField::Minutes
            | DateTimeField::Second
            | DateTimeField::Seconds
    )
}
