//! Between rows and values. What doesn't fit its type was not written by this store: `Corrupt`.

use std::ops::Range;

use chancery_ledger::digest::Digest;

use crate::ReadError;

pub const GAP: ReadError = ReadError::Corrupt("an entry or node below the head is missing");

/// A stored number: databases have signed 64-bit integers only.
pub fn number(value: i64) -> Result<u64, ReadError> {
    u64::try_from(value).map_err(|_| ReadError::Corrupt("a position or size is negative"))
}

/// The number to store, if it fits.
pub fn signed(value: u64) -> Option<i64> {
    i64::try_from(value).ok()
}

/// The bounds of a range below a size that the database told: they fit.
pub fn bounds(range: &Range<u64>) -> (i64, i64) {
    (range.start.cast_signed(), range.end.cast_signed())
}

pub fn digest(bytes: &[u8]) -> Result<Digest, ReadError> {
    Digest::from_slice(bytes).ok_or(ReadError::Corrupt("a digest doesn't have 32 bytes"))
}

/// The hashes of (number, hash) rows in order, which must be all of `range`.
pub fn gapless<'a>(
    rows: impl Iterator<Item = Result<(i64, &'a [u8]), ReadError>>,
    range: Range<u64>,
) -> Result<Vec<Digest>, ReadError> {
    let mut rows = rows;
    range
        .map(|expected| {
            let (found, hash) = rows.next().ok_or(GAP)??;
            if number(found)? == expected { digest(hash) } else { Err(GAP) }
        })
        .collect()
}
