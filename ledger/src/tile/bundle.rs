//! Bundles of up to 256 entries: each its length as two big-endian bytes, then its bytes.

use super::path::{ParseTileError, parse_suffix, suffix};
use super::{Tile, WIDTH};

/// The longest entry that a bundle can hold: its length is two bytes.
///
/// A sealed entry may be longer. A log with such an entry has every tile but not that bundle; its
/// entries are served otherwise.
pub const ENTRY_LEN_MAX: usize = 0xffff;

/// Where a bundle stands and how many entries it has: those under the level 0 tile of the same
/// index and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bundle {
    /// Its place among the bundles, from 0.
    pub index: u64,
    /// The number of entries, 1 to [`WIDTH`].
    pub width: u16,
}

/// Why there is no such bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// An entry is longer than [`ENTRY_LEN_MAX`].
    #[error("entry {place} of the bundle has {len} bytes, more than a bundle can hold")]
    EntryTooLong {
        /// Its place in the bundle, from 0.
        place: usize,
        /// Its length in bytes.
        len: usize,
    },
    /// Not as many entries as the bundle is wide, cut off, or with bytes after the last.
    #[error("not a bundle of {width} entries")]
    Malformed {
        /// The number of entries that it should have.
        width: u16,
    },
}

impl Bundle {
    /// The bundle at `index` of a log of `size` entries, as wide as it is there.
    pub fn of(index: u64, size: u64) -> Option<Self> {
        Tile::of(0, index, size).map(|Tile { index, width, .. }| Self { index, width })
    }

    /// The position of its first entry.
    pub const fn first(&self) -> u64 {
        self.index * WIDTH as u64
    }

    /// The path: `tile/entries/<index>`, with `.p/<width>` where it is partial.
    pub fn path(&self) -> String {
        format!("tile/entries/{}", suffix(self.index, self.width))
    }

    /// Reads a path, which must be in the one form that [`Bundle::path`] writes.
    ///
    /// # Errors
    ///
    /// [`ParseTileError`].
    pub fn parse(path: &str) -> Result<Self, ParseTileError> {
        let rest = path.strip_prefix("tile/entries/").ok_or(ParseTileError)?;
        let (index, width) = parse_suffix(rest)?;
        let bundle = Self { index, width };
        if bundle.path() == path { Ok(bundle) } else { Err(ParseTileError) }
    }

    /// The bundle's bytes, of as many `entries` as it is wide.
    ///
    /// # Errors
    ///
    /// [`BundleError`].
    pub fn encode<B: AsRef<[u8]>>(&self, entries: &[B]) -> Result<Vec<u8>, BundleError> {
        if entries.len() != usize::from(self.width) {
            return Err(BundleError::Malformed { width: self.width });
        }
        let mut out = Vec::new();
        for (place, entry) in entries.iter().map(AsRef::as_ref).enumerate() {
            let len = u16::try_from(entry.len())
                .map_err(|_| BundleError::EntryTooLong { place, len: entry.len() })?;
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(entry);
        }
        Ok(out)
    }

    /// The entries of a bundle's bytes.
    ///
    /// # Errors
    ///
    /// [`BundleError::Malformed`].
    pub fn decode<'a>(&self, mut bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, BundleError> {
        let malformed = BundleError::Malformed { width: self.width };
        let mut entries = Vec::with_capacity(self.width.into());
        for _ in 0..self.width {
            let (len, rest) = bytes.split_first_chunk::<2>().ok_or(malformed)?;
            let (entry, rest) =
                rest.split_at_checked(u16::from_be_bytes(*len).into()).ok_or(malformed)?;
            entries.push(entry);
            bytes = rest;
        }
        if bytes.is_empty() { Ok(entries) } else { Err(malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_round_trips_and_its_limit_is_65535_bytes_an_entry() {
        let bundle = Bundle::of(1, 259).unwrap();
        assert_eq!((bundle.path().as_str(), bundle.first()), ("tile/entries/001.p/3", 256));
        let longest = vec![7; ENTRY_LEN_MAX];
        let bytes = bundle.encode(&[b"ab".as_slice(), b"", &longest]).unwrap();
        assert_eq!(bytes[..8], [0, 2, b'a', b'b', 0, 0, 0xff, 0xff]);
        assert_eq!(bundle.decode(&bytes).unwrap(), [b"ab".as_slice(), b"", &longest]);
        let longer = vec![7; ENTRY_LEN_MAX + 1];
        assert_eq!(
            bundle.encode(&[b"ab".as_slice(), b"", &longer]),
            Err(BundleError::EntryTooLong { place: 2, len: 65_536 })
        );
        assert_eq!(bundle.encode(&[b"a"]), Err(BundleError::Malformed { width: 3 }));
        for len in 0..bytes.len() {
            assert!(bundle.decode(&bytes[..len]).is_err(), "{len}");
        }
        let trailing = [bytes.as_slice(), &[0]].concat();
        assert_eq!(bundle.decode(&trailing), Err(BundleError::Malformed { width: 3 }));
    }

    #[test]
    fn paths_of_bundles_have_one_form() {
        for path in ["tile/entries/000", "tile/entries/x001/067", "tile/entries/000.p/1"] {
            assert_eq!(Bundle::parse(path).unwrap().path(), path);
        }
        for path in ["tile/0/000", "tile/entries/0", "tile/entries/000.p/256", "tile/entries/"] {
            assert_eq!(Bundle::parse(path), Err(ParseTileError), "{path}");
        }
        assert_eq!(Bundle::of(1, 256), None);
        assert_eq!(Bundle::of(0, 256), Some(Bundle { index: 0, width: WIDTH }));
    }
}
