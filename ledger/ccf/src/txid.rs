//! Transaction ids: the view, which grows with each election, and the sequence number.

use std::fmt;
use std::str::FromStr;

/// `view.seqno`, as in `2.14`. Ordered by view, then by sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxId {
    /// The view, from 1 (CCF's own first one is 2).
    pub view: u64,
    /// The sequence number, from 1: also the transaction's index in the Merkle tree.
    pub seqno: u64,
}

/// By how much a disaster recovery raises the view (CCF's `starting_view_change`).
pub const RECOVERY_VIEW_STEP: u64 = 2;

/// A text that is no transaction id in its one written form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a transaction id of the form VIEW.SEQNO, as 2.14")]
pub struct ParseTxIdError;

impl TxId {
    /// An id of these numbers.
    pub const fn new(view: u64, seqno: u64) -> Self {
        Self { view, seqno }
    }
}

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.view, self.seqno)
    }
}

impl FromStr for TxId {
    type Err = ParseTxIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (view, seqno) = text.split_once('.').ok_or(ParseTxIdError)?;
        Ok(Self { view: number(view)?, seqno: number(seqno)? })
    }
}

/// A positive decimal number without sign or leading zero.
fn number(text: &str) -> Result<u64, ParseTxIdError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || text.starts_with('0') {
        return Err(ParseTxIdError);
    }
    text.parse().map_err(|_| ParseTxIdError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_written_form() {
        let id: TxId = "2.14".parse().unwrap();
        assert_eq!(id, TxId::new(2, 14));
        assert_eq!(id.to_string(), "2.14");
        assert_eq!("1.18446744073709551615".parse(), Ok(TxId::new(1, u64::MAX)));
        for bad in [
            "",
            ".",
            "2",
            "2.",
            ".14",
            "2.14.1",
            "02.14",
            "2.014",
            "0.1",
            "2.0",
            "+2.14",
            "2.+14",
            "2.-1",
            " 2.14",
            "2.14 ",
            "2.18446744073709551616",
            "٢.14",
        ] {
            assert_eq!(bad.parse::<TxId>(), Err(ParseTxIdError), "{bad}");
        }
    }
}
