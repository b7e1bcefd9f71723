//! How an aggregate's argument may depend on a row, where a minimum group stands under it.
//!
//! A floor on the rows of a group is worth nothing if the argument picks one of them:
//! `SUM(CASE WHEN id = 7 THEN pay ELSE 0 END)` shows one person's pay out of any group. So under a
//! floor an argument is a column, one gentle function of a column, or a sum of these and of products
//! of two columns. Such sums are moments of the group as a whole. And all columns of one aggregate
//! come from one input: another party's column could hold weights, or be null for all rows but one.
//! Conditions belong into the group key, where each side has a floor of its own. Shape and sources
//! are kept with the columns of views, so neither can be hidden in an earlier segment.
//!
//! What this does not bound: nulls stored in the column itself, and how often a join repeats an
//! individual's rows. Both need bounds on contributions, which come with the later policies.

/// What an expression can tell rows apart by, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// The same for every row.
    Constant,
    /// A column as it is stored.
    Column,
    /// A sum of columns, of products of two columns, or a gentle function of one column.
    Moment,
    /// Anything else: it may pick single rows.
    Selective,
}

impl Shape {
    /// `a + b`, `a - b`.
    pub(super) fn sum(self, other: Self) -> Self {
        match (self, other) {
            (Self::Constant, Self::Constant) => Self::Constant,
            (Self::Selective, _) | (_, Self::Selective) => Self::Selective,
            _ => Self::Moment,
        }
    }

    /// `a * b`: longer products could interpolate an indicator of one row.
    pub(super) fn product(self, other: Self) -> Self {
        match (self, other) {
            (Self::Constant, other) | (other, Self::Constant) => other.sum(Self::Constant),
            (Self::Column, Self::Column) => Self::Moment,
            _ => Self::Selective,
        }
    }

    /// `a / b`: by a constant only.
    pub(super) fn quotient(self, divisor: Self) -> Self {
        match divisor {
            Self::Constant => self.sum(Self::Constant),
            Self::Column | Self::Moment | Self::Selective => Self::Selective,
        }
    }

    /// A function of these arguments; `gentle` if it maps values broadly, without a threshold that
    /// its caller could place.
    pub(super) fn call(arguments: &[Self], gentle: bool) -> Self {
        let mut varying = arguments.iter().filter(|shape| **shape != Self::Constant);
        match (varying.next(), varying.next()) {
            (None, _) => Self::Constant,
            (Some(Self::Column), None) if gentle => Self::Moment,
            _ => Self::Selective,
        }
    }

    /// A condition or a choice between these.
    pub(super) fn choice(arguments: &[Self]) -> Self {
        Self::call(arguments, false)
    }
}
