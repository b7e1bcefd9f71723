//! Decimals with a fixed number of digits: the types that Spark calls `DecimalType`.

use std::fmt;
use std::str::FromStr;

/// Most digits of a decimal.
pub const PRECISION_MAX: u8 = 38;
/// Bytes of a decimal's text, sign and leading zeros among them.
pub const TEXT_BYTES_MAX: usize = 64;

/// A decimal type: `precision` digits, of which `scale` stand after the point.
///
/// Its text is `decimal(precision,scale)`, without blanks and leading zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal {
    precision: u8,
    scale: u8,
}

/// A text that is no decimal type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected decimal(p,s) with p from 1 to {PRECISION_MAX} and s from 0 to p")]
pub struct InvalidDecimal;

impl Decimal {
    /// The type of `precision` digits, 1 to [`PRECISION_MAX`], of which `scale` stand after the point;
    /// none where there is no such type.
    pub const fn new(precision: u8, scale: u8) -> Option<Self> {
        if precision >= 1 && precision <= PRECISION_MAX && scale <= precision {
            Some(Self { precision, scale })
        } else {
            None
        }
    }

    /// All its digits.
    pub const fn precision(self) -> u8 {
        self.precision
    }

    /// Digits after the point.
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Digits before the point.
    pub const fn whole(self) -> u8 {
        self.precision - self.scale
    }

    /// Whether `text`, of the form `-?digits[.digits]`, is a value of the type as it stands: without
    /// rounding, and without a digit too many.
    pub fn holds(self, text: &str) -> bool {
        let digits =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) if digits(fraction) => (whole, fraction),
            Some(_) => return false,
            None => (unsigned, ""),
        };
        text.len() <= TEXT_BYTES_MAX
            && digits(whole)
            && whole.trim_start_matches('0').len() <= usize::from(self.whole())
            && fraction.len() <= usize::from(self.scale)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "decimal({},{})", self.precision, self.scale)
    }
}

impl FromStr for Decimal {
    type Err = InvalidDecimal;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = text.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')'));
        let (precision, scale) =
            inner.and_then(|inner| inner.split_once(',')).ok_or(InvalidDecimal)?;
        let number = |digits: &str| digits.parse().map_err(|_| InvalidDecimal);
        let read = Self::new(number(precision)?, number(scale)?).ok_or(InvalidDecimal)?;
        // One text for each type: `+5` and `05` parse too.
        if read.to_string() == text { Ok(read) } else { Err(InvalidDecimal) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_hold_at_their_edges() {
        for (precision, scale) in [(1, 0), (1, 1), (38, 0), (38, 38), (15, 2)] {
            let decimal = Decimal::new(precision, scale).unwrap();
            assert_eq!((decimal.precision(), decimal.scale()), (precision, scale));
            assert_eq!(decimal.to_string().parse(), Ok(decimal));
        }
        for (precision, scale) in [(0, 0), (39, 0), (39, 39), (1, 2), (38, 39), (255, 255)] {
            assert_eq!(Decimal::new(precision, scale), None, "{precision},{scale}");
        }
    }

    #[test]
    fn a_type_has_one_text() {
        assert_eq!("decimal(15,2)".parse(), Ok(Decimal::new(15, 2).unwrap()));
        for text in [
            "",
            "decimal",
            "decimal()",
            "decimal(15)",
            "decimal(15,2",
            "decimal(15, 2)",
            "decimal(015,2)",
            "decimal(+15,2)",
            "decimal(15,-2)",
            "decimal(39,2)",
            "decimal(0,0)",
            "decimal(2,3)",
            "decimal(300,2)",
            "decimal(15,2,1)",
            "DECIMAL(15,2)",
            " decimal(15,2)",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(InvalidDecimal), "{text}");
        }
    }

    #[test]
    fn a_value_fits_with_all_its_digits_or_not_at_all() {
        let price = Decimal::new(5, 2).unwrap();
        for text in ["0", "-0", "999.99", "-999.99", "12.5", "7", "0012.50", "0.01"] {
            assert!(price.holds(text), "{text}");
        }
        let long = "0".repeat(TEXT_BYTES_MAX + 1);
        for text in [
            "", "-", "1000", "0.001", "1.000", "1.", ".5", "+1", "1e2", "--1", "1.2.3", "1 ", &long,
        ] {
            assert!(!price.holds(text), "{text}");
        }
        assert!(Decimal::new(2, 2).unwrap().holds("0.99"));
        assert!(!Decimal::new(2, 2).unwrap().holds("1.00"));
        assert!(Decimal::new(38, 0).unwrap().holds(&"9".repeat(38)));
        assert!(!Decimal::new(38, 0).unwrap().holds(&"9".repeat(39)));
    }
}
