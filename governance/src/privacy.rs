//! Differential privacy: what an owner asks for, what a query costs, and what a result tells of it.
//!
//! Numbers are whole: epsilon in millionths, delta in 10⁻¹² (a million of them is 10⁻⁶). Nothing near
//! a hash is a float. `docs/governance.md` says what is guaranteed, and what is not.

pub mod budget;
pub mod plan;
pub mod spec;

use chancery_ledger::id::DatasetId;

use crate::usage::Period;

/// The largest epsilon of a budget, in millionths: a thousand.
pub const BUDGET_EPSILON_MICRO_MAX: u64 = 1_000_000_000;
/// The largest epsilon of a query, in millionths: a hundred, which protects next to nothing.
pub const EPSILON_MICRO_MAX: u64 = 100_000_000;
/// The least epsilon that one noise is drawn for, in millionths: a thousandth.
pub const EPSILON_MICRO_MIN: u64 = 1_000;
/// The largest delta, in 10⁻¹²: a thousandth.
pub const DELTA_PICO_MAX: u64 = 1_000_000_000;
/// The most groups of one individual that a policy may name.
pub const GROUPS_MAX: u64 = 1_000;
/// The most rows of one individual in a group that a policy may name.
pub const ROWS_MAX: u64 = 1_000;
/// The most digits after the point that a column's values are rounded to.
pub const DECIMALS_MAX: u64 = 6;
/// By how much one individual may move the values of one noise together, at most.
pub const SENSITIVITY_MAX: u64 = 1_000_000_000_000;
/// Most columns with bounds of a policy, and most with declared values.
pub const COLUMNS_MAX: usize = 64;
/// Most declared values of a column.
pub const VALUES_MAX: usize = 1_000;
/// Longest declared value, in bytes.
pub const VALUE_BYTES_MAX: usize = 256;

/// How much is learned of an individual at most, in terms of (ε, δ)-differential privacy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// ε in millionths.
    pub epsilon_micro: u64,
    /// δ in 10⁻¹²; zero where no group's presence depends on the data.
    pub delta_pico: u64,
}

/// The loss that a dataset's owner accepts in all, in each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossBudget {
    /// The period. Where it is no life, the guarantee is for one period, and they add up.
    pub period: Period,
    /// ε in millionths.
    pub epsilon_micro: u64,
    /// δ in 10⁻¹².
    pub delta_pico: u64,
}

/// The values that a column counts with in sums and means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// The column: a long or a double.
    pub column: String,
    /// The least value, in units of the last digit that counts.
    pub lower: i64,
    /// The largest value, in the same units.
    pub upper: i64,
    /// How many digits after the point count: values are rounded to them. None for a long.
    pub decimals: u64,
}

impl Bounds {
    /// By how much one row can move a sum at most.
    pub const fn reach(&self) -> u64 {
        let (lower, upper) = (self.lower.unsigned_abs(), self.upper.unsigned_abs());
        if lower > upper { lower } else { upper }
    }
}

/// All values of a column that a result shows, where they are no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredValues {
    /// The column: a string.
    pub column: String,
    /// Its values. Rows with others have no part in a result.
    pub values: Vec<String>,
}

/// A dataset's demand for differential privacy: only noised counts, sums and means of it leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DifferentialPrivacy {
    /// The column that tells individuals apart. Two datasets are neighbours if one is the other
    /// without all rows of one individual.
    pub unit: String,
    /// The loss that is accepted in all.
    pub budget: LossBudget,
    /// The most that one query may cost, ε in millionths.
    pub query_epsilon_micro_max: u64,
    /// In how many groups of a result an individual has a part, at most.
    pub groups_max: u64,
    /// For how many rows an individual counts in each of them, at most.
    pub rows_max: u64,
    /// The columns that may be summed and averaged.
    pub columns: Vec<Bounds>,
    /// The columns whose values are no secret.
    pub declared: Vec<DeclaredValues>,
}

/// What a run takes of a dataset's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Charge {
    /// The dataset.
    pub dataset: DatasetId,
    /// What it takes.
    pub loss: Loss,
}

/// What noise was drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drawn {
    /// A count of rows.
    Count,
    /// A count of individuals that the result shows.
    Individuals,
    /// A sum.
    Sum,
    /// The sum that a mean is made of.
    MeanSum,
    /// The count that a mean is made of.
    MeanCount,
    /// The count of individuals that decides whether a group is shown.
    Groups,
}

impl Drawn {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Count, Self::Individuals, Self::Sum, Self::MeanSum, Self::MeanCount, Self::Groups];
}

/// One noise, drawn anew for each group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mechanism {
    /// The column of the result that it is for.
    pub column: String,
    /// What it was added to.
    pub of: Drawn,
    /// Its distribution: [`DISCRETE_LAPLACE`].
    pub mechanism: String,
    /// What it costs, ε in millionths.
    pub epsilon_micro: u64,
    /// By how much one individual moves its values together, at most.
    pub sensitivity: u64,
    /// The scale of the distribution, in thousandths of a unit.
    pub scale_milli: u64,
    /// The noised count from which on a group is shown, where this noise decides it.
    pub threshold: Option<u64>,
}

/// The one distribution that noise has.
pub const DISCRETE_LAPLACE: &str = "discrete_laplace";

/// What an attested result tells of its noise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noised {
    /// ε in millionths.
    pub epsilon_micro: u64,
    /// δ in 10⁻¹².
    pub delta_pico: u64,
    /// Each noise that was drawn.
    pub mechanisms: Vec<Mechanism>,
}

/// The scale of the discrete Laplace noise that costs at most `epsilon_micro` at this sensitivity, in
/// thousandths: rounded up, and by so much more that no rounding of a float makes it cost more.
///
/// Nothing where there is none: an epsilon of 0, or a scale that 64 bits don't hold.
pub fn scale_milli(sensitivity: u64, epsilon_micro: u64) -> Option<u64> {
    let exact = (u128::from(sensitivity) * 1_000_000_000).checked_div(u128::from(epsilon_micro))?;
    u64::try_from(exact + exact / (1 << 40) + 2).ok()
}

/// An epsilon or a bound in words: millionths as a decimal number without trailing zeros.
pub fn micro_text(micro: u64) -> String {
    decimal(micro, 6)
}

/// A delta in words, as in `1e-6` or `2.5e-7`.
pub fn delta_text(pico: u64) -> String {
    if pico == 0 {
        return "0".to_owned();
    }
    let digits = pico.to_string();
    let exponent = 13 - digits.len();
    let rest = digits.get(1..).unwrap_or_default().trim_end_matches('0');
    let point = if rest.is_empty() { "" } else { "." };
    format!("{}{point}{rest}e-{exponent}", digits.get(..1).unwrap_or_default())
}

/// A loss in words, as in `ε 0.5, δ 1e-6`.
pub fn loss_text(loss: Loss) -> String {
    let epsilon = micro_text(loss.epsilon_micro);
    match loss.delta_pico {
        0 => format!("ε {epsilon}"),
        pico => format!("ε {epsilon}, δ {}", delta_text(pico)),
    }
}

/// `value` units of 10^-`places` as a decimal number.
pub fn decimal(value: u64, places: usize) -> String {
    let digits = format!("{value:0>width$}", width = places + 1);
    let (whole, rest) = digits.split_at(digits.len() - places);
    match rest.trim_end_matches('0') {
        "" => whole.to_owned(),
        rest => format!("{whole}.{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        let texts = [micro_text(1_000_000), micro_text(50_000), micro_text(1_234_567)];
        assert_eq!(texts, ["1", "0.05", "1.234567"]);
        let texts = [0, 1, 1_000_000, 250_000, DELTA_PICO_MAX].map(delta_text);
        assert_eq!(texts, ["0", "1e-12", "1e-6", "2.5e-7", "1e-3"]);
        let loss = Loss { epsilon_micro: 500_000, delta_pico: 1_000_000 };
        assert_eq!(loss_text(loss), "ε 0.5, δ 1e-6");
    }

    #[test]
    fn a_scale_never_costs_more_than_it_may() {
        assert_eq!(scale_milli(1, 1_000_000), Some(1_002), "one, and a little");
        assert_eq!(scale_milli(1, 0), None);
        for sensitivity in [1, 7, 1_000_003, SENSITIVITY_MAX] {
            for epsilon in [EPSILON_MICRO_MIN, 333_333, EPSILON_MICRO_MAX] {
                let scale = u128::from(scale_milli(sensitivity, epsilon).unwrap());
                // sensitivity / scale <= epsilon, in whole numbers
                assert!(u128::from(sensitivity) * 1_000_000_000 < scale * u128::from(epsilon));
            }
        }
    }
}
