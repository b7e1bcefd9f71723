//! The type of an expression as Spark has it. It is finer than a dataset's: how wide an integer is
//! decides the type of what is computed from it and a decimal.

use super::decimals;
use crate::dataset::ColumnType;
use crate::decimal::Decimal;

/// What Spark takes an expression for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Integer(Width),
    /// An integer written out: beside a decimal it has the digits that stand there, and no more.
    Literal {
        value: i64,
        width: Width,
    },
    Double,
    Decimal(Decimal),
    Boolean,
    Date,
    Timestamp,
}

/// Spark's integer types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Width {
    Byte,
    Short,
    Int,
    Long,
}

impl Width {
    /// The digits of the decimal that holds every value.
    const fn digits(self) -> u8 {
        match self {
            Self::Byte => 3,
            Self::Short => 5,
            Self::Int => 10,
            Self::Long => 20,
        }
    }
}

impl Kind {
    pub(super) const INT: Self = Self::Integer(Width::Int);
    pub(super) const LONG: Self = Self::Integer(Width::Long);

    /// The type of a column of such values.
    pub(super) const fn column(self) -> ColumnType {
        match self {
            Self::String => ColumnType::String,
            Self::Integer(_) | Self::Literal { .. } => ColumnType::Long,
            Self::Double => ColumnType::Double,
            Self::Decimal(decimal) => ColumnType::Decimal(decimal),
            Self::Boolean => ColumnType::Boolean,
            Self::Date => ColumnType::Date,
            Self::Timestamp => ColumnType::Timestamp,
        }
    }

    /// The type once the expression is no literal any more: a column, or a part of a call.
    pub(super) const fn settled(self) -> Self {
        match self {
            Self::Literal { value: _, width } => Self::Integer(width),
            other => other,
        }
    }

    /// How wide an integer is.
    pub(super) const fn width(self) -> Option<Width> {
        match self {
            Self::Integer(width) | Self::Literal { value: _, width } => Some(width),
            _ => None,
        }
    }

    /// The decimal that an operator beside a decimal takes it for.
    pub(super) fn decimal(self) -> Option<Decimal> {
        match self {
            Self::Decimal(decimal) => Some(decimal),
            Self::Integer(width) => Decimal::new(width.digits(), 0),
            Self::Literal { value, width: _ } => {
                decimals::literal(&value.unsigned_abs().to_string())
            }
            Self::String | Self::Double | Self::Boolean | Self::Date | Self::Timestamp => None,
        }
    }
}

impl From<ColumnType> for Kind {
    fn from(column: ColumnType) -> Self {
        match column {
            ColumnType::String => Self::String,
            ColumnType::Long => Self::LONG,
            ColumnType::Double => Self::Double,
            ColumnType::Decimal(decimal) => Self::Decimal(decimal),
            ColumnType::Boolean => Self::Boolean,
            ColumnType::Date => Self::Date,
            ColumnType::Timestamp => Self::Timestamp,
        }
    }
}
