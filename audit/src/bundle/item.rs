//! One CBOR item of a stream, within its bound.

use std::io::Read;

use chancery_ledger::codec::{self, DecodeError, Key, Map, Value};

use super::{Place, ReadError};

pub const BYTES: u8 = 2;
const TEXT: u8 = 3;
pub const ARRAY: u8 = 4;
pub const MAP: u8 = 5;
const TAG: u8 = 6;

/// Longest part of an item that is made room for before it is read.
const ROOM: u64 = 64 << 10;

/// An item as it stands in the file.
pub enum Raw {
    /// A byte string in its canonical form: its content.
    Bytes(Vec<u8>),
    /// Another item, not decoded yet: its bytes.
    Other(Vec<u8>),
}

/// Reads one item of at most `len_max` bytes, which must begin with one of `majors`.
///
/// Lengths are definite in canonical items, so a count of the items still to come takes the place of
/// a stack. Nothing is allocated for bytes that are not there, but for [`ROOM`].
pub fn read(
    input: &mut impl Read,
    place: Place,
    majors: &[u8],
    len_max: usize,
) -> Result<Raw, ReadError> {
    let malformed = |problem| ReadError::Malformed { place, problem };
    let len_max = len_max as u64;
    let mut item = Vec::new();
    let mut pending: u64 = 1;
    while pending > 0 {
        let start = item.len();
        copy(input, place, 1, &mut item)?;
        let (major, info) = (item[start] >> 5, item[start] & 0x1f);
        if start == 0 && !majors.contains(&major) {
            return Err(malformed("is an item of another type"));
        }
        let argument = match info {
            0..=23 => u64::from(info),
            24..=27 => {
                copy(input, place, 1 << (info - 24), &mut item)?;
                item[start + 1..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
            _ => return Err(malformed("has no definite length")),
        };
        let (bytes, items) = match major {
            BYTES | TEXT => (argument, 0),
            ARRAY => (0, argument),
            MAP => (0, argument.saturating_mul(2)),
            TAG => (0, 1),
            _ => (0, 0),
        };
        pending = (pending - 1).saturating_add(items);
        // Every item to come takes one byte at least.
        if bytes.saturating_add(pending).saturating_add(item.len() as u64) > len_max {
            return Err(malformed("is too long"));
        }
        if start == 0 && major == BYTES {
            // The whole item: its content is not copied once more, nor decoded.
            let mut content = Vec::new();
            copy(input, place, bytes, &mut content)?;
            return if is_shortest(info, argument) {
                Ok(Raw::Bytes(content))
            } else {
                Err(ReadError::Cbor { place, source: DecodeError::NonCanonical })
            };
        }
        copy(input, place, bytes, &mut item)?;
    }
    Ok(Raw::Other(item))
}

/// Whether a head with this additional information is the shortest for its argument.
const fn is_shortest(info: u8, argument: u64) -> bool {
    match info {
        24 => argument > 23,
        25 => argument > 0xff,
        26 => argument > 0xffff,
        27 => argument > 0xffff_ffff,
        _ => true,
    }
}

pub fn decode(place: Place, bytes: &[u8]) -> Result<Value, ReadError> {
    codec::decode(bytes).map_err(|source| ReadError::Cbor { place, source })
}

fn copy(
    input: &mut impl Read,
    place: Place,
    len: u64,
    item: &mut Vec<u8>,
) -> Result<(), ReadError> {
    item.reserve_exact(usize::try_from(len.min(ROOM)).unwrap_or(0));
    let read = input.by_ref().take(len).read_to_end(item).map_err(ReadError::Io)?;
    if read as u64 == len { Ok(()) } else { Err(ReadError::Truncated(place)) }
}

/// The fields of a map, taken one by one; none may be left.
pub struct Fields(Map);

impl Fields {
    pub fn of(value: Value) -> Result<Self, &'static str> {
        if let Value::Map(map) = value { Ok(Self(map)) } else { Err("is not a map") }
    }

    pub fn text(&mut self, name: &str) -> Result<String, &'static str> {
        self.optional_text(name)?.ok_or("lacks a text that belongs there")
    }

    pub fn optional_text(&mut self, name: &str) -> Result<Option<String>, &'static str> {
        match self.0.remove(&Key::from(name)) {
            Some(Value::Text(text)) => Ok(Some(text)),
            None => Ok(None),
            Some(_) => Err("lacks a text that belongs there"),
        }
    }

    pub fn bytes(&mut self, name: &str) -> Result<Vec<u8>, &'static str> {
        self.optional_bytes(name)?.ok_or("lacks bytes that belong there")
    }

    pub fn optional_bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, &'static str> {
        match self.0.remove(&Key::from(name)) {
            Some(Value::Bytes(bytes)) => Ok(Some(bytes)),
            None => Ok(None),
            Some(_) => Err("lacks bytes that belong there"),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(&Key::from(name))
    }

    pub fn uint(&mut self, name: &str) -> Result<u64, &'static str> {
        self.optional_uint(name)?.ok_or("lacks a number that belongs there")
    }

    pub fn optional_uint(&mut self, name: &str) -> Result<Option<u64>, &'static str> {
        let number = match self.0.remove(&Key::from(name)) {
            None => return Ok(None),
            Some(Value::Int(number)) => u64::try_from(number).ok(),
            Some(_) => None,
        };
        number.map(Some).ok_or("lacks a number that belongs there")
    }

    pub fn end(self) -> Result<(), &'static str> {
        if self.0.is_empty() { Ok(()) } else { Err("has a field that is not known") }
    }
}
