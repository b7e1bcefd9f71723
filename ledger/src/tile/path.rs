//! The paths of tiles and bundles: `tile/0/x001/067`, `tile/1/000.p/5`, `tile/entries/x001/067`.

use std::fmt::Write as _;

use super::{LEVEL_MAX, Tile, WIDTH};

/// The last tile of a level: the hashes beyond it have no number that fits 64 bits.
pub const INDEX_MAX: u64 = u64::MAX / WIDTH as u64;

/// A text that is no path of a tile or bundle in its one written form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile or an entry bundle")]
pub struct ParseTileError;

impl Tile {
    /// The path: `tile/<level>/<index>`, with `.p/<width>` where the tile is partial.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, suffix(self.index, self.width))
    }

    /// Reads a path, which must be in the one form that [`Tile::path`] writes.
    ///
    /// # Errors
    ///
    /// [`ParseTileError`].
    pub fn parse(path: &str) -> Result<Self, ParseTileError> {
        let rest = path.strip_prefix("tile/").ok_or(ParseTileError)?;
        let (level, rest) = rest.split_once('/').ok_or(ParseTileError)?;
        let level = level.parse().ok().filter(|level| *level <= LEVEL_MAX).ok_or(ParseTileError)?;
        let (index, width) = parse_suffix(rest)?;
        let tile = Self { level, index, width };
        // Signs, leading zeros and needless elements are other texts for the same tile.
        if tile.path() == path { Ok(tile) } else { Err(ParseTileError) }
    }
}

/// `<N>[.p/<W>]`.
pub fn suffix(index: u64, width: u16) -> String {
    let digits = index.to_string();
    let padded = format!("{digits:0>len$}", len = digits.len().div_ceil(3) * 3);
    let mut out = String::new();
    let last = padded.len() / 3 - 1;
    for (place, element) in padded.as_bytes().chunks(3).enumerate() {
        if place < last {
            out.push('x');
        }
        out.extend(element.iter().copied().map(char::from));
        if place < last {
            out.push('/');
        }
    }
    if width < WIDTH {
        // Writing to a string does not fail.
        let _ = write!(out, ".p/{width}");
    }
    out
}

/// Reads `<N>[.p/<W>]` leniently: the caller compares with what it would write.
pub fn parse_suffix(text: &str) -> Result<(u64, u16), ParseTileError> {
    let (index, width) = match text.split_once(".p/") {
        Some((index, width)) => (index, width.parse().map_err(|_| ParseTileError)?),
        None => (text, WIDTH),
    };
    if width == 0 || width > WIDTH {
        return Err(ParseTileError);
    }
    let mut number: u64 = 0;
    for element in index.split('/') {
        let digits = element.strip_prefix('x').unwrap_or(element);
        let value: u64 = digits.parse().map_err(|_| ParseTileError)?;
        if value > 999 {
            return Err(ParseTileError);
        }
        number = number
            .checked_mul(1000)
            .and_then(|number| number.checked_add(value))
            .ok_or(ParseTileError)?;
    }
    if number > INDEX_MAX {
        return Err(ParseTileError);
    }
    Ok((number, width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::Bundle;

    #[test]
    fn the_last_tile_is_the_last_whose_hashes_have_a_number() {
        let last = Tile { level: 0, index: INDEX_MAX, width: 256 };
        assert_eq!(Tile::parse(&last.path()), Ok(last));
        assert_eq!(last.first(), u64::MAX - 255);
        let beyond = suffix(INDEX_MAX + 1, 256);
        assert_eq!(Tile::parse(&format!("tile/0/{beyond}")), Err(ParseTileError));
        assert_eq!(Bundle::parse(&format!("tile/entries/{beyond}")), Err(ParseTileError));
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        let cases = [
            ("tile/0/x001/x234/067", Tile { level: 0, index: 1_234_067, width: 256 }),
            ("tile/0/x001/067", Tile { level: 0, index: 1067, width: 256 }),
            ("tile/0/273.p/112", Tile { level: 0, index: 273, width: 112 }),
            ("tile/1/001.p/17", Tile { level: 1, index: 1, width: 17 }),
            ("tile/63/000.p/1", Tile { level: 63, index: 0, width: 1 }),
            ("tile/0/999", Tile { level: 0, index: 999, width: 256 }),
            ("tile/0/x001/000", Tile { level: 0, index: 1000, width: 256 }),
            (
                "tile/0/x072/x057/x594/x037/x927/935.p/255",
                Tile { level: 0, index: INDEX_MAX, width: 255 },
            ),
        ];
        for (path, tile) in cases {
            assert_eq!(tile.path(), path);
            assert_eq!(Tile::parse(path), Ok(tile));
        }
    }

    #[test]
    fn other_texts_are_no_paths() {
        for path in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile/0/000/",
            "tile/00/000",
            "tile/+0/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/+01",
            "tile/0/x000/001",
            "tile/0/x001/x067",
            "tile/0/001/067",
            "tile/0/x001",
            "tile/0/1000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/257",
            "tile/0/000.p/01",
            "tile/0/000.p/+1",
            "tile/0/000.p/",
            "tile/0/000.p",
            "tile/0/000.p/1.p/1",
            "tile/0/x018/x446/x744/x073/x709/x551/615",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/entries/000",
            "tile/0/\u{661}00",
        ] {
            assert_eq!(Tile::parse(path), Err(ParseTileError), "{path}");
        }
    }
}
