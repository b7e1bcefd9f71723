//! The bundle, version 1: one whole log in one file.
//!
//! The line `chancery-bundle/1\n`, then a CBOR sequence (RFC 8742) of canonical items (RFC 8949
//! section 4.2.1, as [`chancery_ledger::codec`] has it):
//!
//! ```text
//! bundle  = magic header *entry trailer
//! header  = {"version": 1, "kind": "whole-log", "collaboration": id, "origin": text,
//!            "service_key": text, "size": uint, "exported_at_ms": uint}
//! entry   = bstr                  ; one sealed entry; the first is position 0
//! trailer = {"checkpoint": text,  ; signed note (C2SP tlog-checkpoint), as the service stores it
//!            "checksum": text}    ; SHA-256 of the header's bytes, then the checkpoint's
//! ```
//!
//! Nothing follows the trailer. Each item has a named bound; a length beyond it is refused before a
//! byte of it is read, so memory is bounded by the longest item that is really there.
//!
//! The header is not signed. What the log itself says of the same things must agree with it; the
//! time of the export stands nowhere else. The checksum finds damage to what no signature covers,
//! not intent: whoever changes the header can make the checksum anew.

use std::fmt;
use std::io::{self, BufReader, Read, Write};

use chancery_ledger::codec::{self, DecodeError, Key, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::SEALED_LEN_MAX;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::key::{Algorithm, PublicKey};
use chancery_ledger::note::NOTE_LEN_MAX;

/// The first line of a bundle.
pub const MAGIC: &[u8] = b"chancery-bundle/1\n";
/// The version in the header; that of [`MAGIC`].
pub const VERSION: u64 = 1;
/// The kind of a bundle that holds every entry of a log.
pub const KIND: &str = "whole-log";
/// Longest header, in bytes.
pub const HEADER_LEN_MAX: usize = 4 << 10;
/// Longest entry item, in bytes: a sealed entry and the head of its byte string.
pub const ENTRY_LEN_MAX: usize = SEALED_LEN_MAX + 5;
/// Longest trailer, in bytes: the longest note and the rest of the map.
pub const TRAILER_LEN_MAX: usize = NOTE_LEN_MAX + 256;

const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// What a bundle says of itself before its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The collaboration.
    pub collaboration: CollaborationId,
    /// The log's origin: see [`chancery_governance::state::origin`].
    pub origin: String,
    /// The key that seals the log.
    pub service_key: PublicKey,
    /// The number of entries.
    pub size: u64,
    /// When it was exported: milliseconds since the Unix epoch. Nobody signs this.
    pub exported_at_ms: u64,
}

/// What ends a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailer {
    /// The signed checkpoint.
    pub checkpoint: String,
    /// Whether the checksum is that of the header and the checkpoint.
    pub intact: bool,
}

/// Why a bundle was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The output failed.
    #[error("writing the bundle failed")]
    Io(#[from] io::Error),
    /// An item passes its bound; a reader would refuse it.
    #[error("the {0} is longer than a bundle can hold")]
    TooLong(Place),
    /// The entries are not as many as the header says.
    #[error("the header says {declared} entries, and {written} were written")]
    Count {
        /// What the header says.
        declared: u64,
        /// What was written.
        written: u64,
    },
}

/// Writes a bundle, entry by entry.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    header: Vec<u8>,
    declared: u64,
    written: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a bundle.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn new(mut output: W, header: &Header) -> Result<Self, WriteError> {
        let bytes = codec::encode(&header.encode());
        if bytes.len() > HEADER_LEN_MAX {
            return Err(WriteError::TooLong(Place::Header));
        }
        output.write_all(MAGIC)?;
        output.write_all(&bytes)?;
        Ok(Self { output, header: bytes, declared: header.size, written: 0 })
    }

    /// Writes the next sealed entry.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn push(&mut self, sealed: &[u8]) -> Result<(), WriteError> {
        if sealed.len() > SEALED_LEN_MAX {
            return Err(WriteError::TooLong(Place::Entry(self.written)));
        }
        if self.written == self.declared {
            return Err(self.miscounted(self.written.saturating_add(1)));
        }
        self.output.write_all(&codec::encode(&Value::bytes(sealed)))?;
        self.written += 1;
        Ok(())
    }

    /// The output: an asynchronous caller drains a `Vec` here between entries.
    pub const fn output(&mut self) -> &mut W {
        &mut self.output
    }

    /// Ends the bundle with the checkpoint over its entries and gives the output back.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn finish(mut self, checkpoint: &str) -> Result<W, WriteError> {
        if self.written != self.declared {
            return Err(self.miscounted(self.written));
        }
        if checkpoint.len() > NOTE_LEN_MAX {
            return Err(WriteError::TooLong(Place::Trailer));
        }
        let trailer = Value::map([
            ("checkpoint", Value::text(checkpoint)),
            ("checksum", Value::text(checksum(&self.header, checkpoint).to_string())),
        ]);
        self.output.write_all(&codec::encode(&trailer))?;
        self.output.flush()?;
        Ok(self.output)
    }

    const fn miscounted(&self, written: u64) -> WriteError {
        WriteError::Count { declared: self.declared, written }
    }
}

/// A place in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The header.
    Header,
    /// The entry at this position.
    Entry(u64),
    /// The trailer.
    Trailer,
    /// After the trailer.
    End,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("header"),
            Self::Entry(position) => write!(f, "entry at position {position}"),
            Self::Trailer => f.write_str("trailer"),
            Self::End => f.write_str("end"),
        }
    }
}

/// Why a bundle can't be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is something else.
    #[error("not a Chancery bundle: the first line is not that of one")]
    NotABundle,
    /// A bundle of a version that this release does not know.
    #[error("a Chancery bundle of a version that this release can't read")]
    Version,
    /// The input failed.
    #[error("reading the bundle failed")]
    Io(#[source] io::Error),
    /// The file ends too early.
    #[error("the file ends before the {0} is whole")]
    Truncated(Place),
    /// An item is not what stands there in a bundle.
    #[error("the {place} {problem}")]
    Malformed {
        /// Which item.
        place: Place,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An item is not canonical CBOR.
    #[error("the {place} is not canonical CBOR")]
    Cbor {
        /// Which item.
        place: Place,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
}

/// What follows the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The next entry: its sealed bytes, of at most [`SEALED_LEN_MAX`].
    Entry(Vec<u8>),
    /// The trailer; nothing follows it.
    Trailer(Trailer),
}

/// Reads a bundle, item by item. Checks its form only: see [`crate::verify()`].
#[derive(Debug)]
pub struct Reader<R> {
    input: BufReader<R>,
    header: Header,
    header_bytes: Vec<u8>,
    read: u64,
}

impl<R: Read> Reader<R> {
    /// Reads the magic line and the header.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn open(input: R) -> Result<Self, ReadError> {
        let mut input = BufReader::new(input);
        let mut magic = Vec::new();
        input.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(ReadError::Io)?;
        if magic != MAGIC {
            let named = magic.starts_with(b"chancery-bundle/");
            return Err(if named { ReadError::Version } else { ReadError::NotABundle });
        }
        let place = Place::Header;
        let header_bytes = read_item(&mut input, place, &[MAP], HEADER_LEN_MAX)?;
        let header = Header::decode(decode(place, &header_bytes)?)
            .map_err(|problem| ReadError::Malformed { place, problem })?;
        Ok(Self { input, header, header_bytes, read: 0 })
    }

    /// The header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The number of entries read so far.
    pub const fn entries_read(&self) -> u64 {
        self.read
    }

    /// Reads the next item. The trailer is the last one.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; the bundle can't be read on then.
    pub fn next_item(&mut self) -> Result<Item, ReadError> {
        let place =
            if self.read < self.header.size { Place::Entry(self.read) } else { Place::Trailer };
        let bytes = read_item(&mut self.input, place, &[BYTES, MAP], ENTRY_LEN_MAX)?;
        let malformed = |problem| ReadError::Malformed { place, problem };
        match decode(place, &bytes)? {
            Value::Bytes(_) if place == Place::Trailer => {
                Err(malformed("is an entry: there are more than the header says"))
            }
            Value::Bytes(sealed) => {
                self.read += 1;
                Ok(Item::Entry(sealed))
            }
            value => {
                if bytes.len() > TRAILER_LEN_MAX {
                    return Err(malformed("is too long"));
                }
                let trailer = self
                    .trailer(value)
                    .map_err(|problem| ReadError::Malformed { place: Place::Trailer, problem })?;
                self.end()?;
                Ok(Item::Trailer(trailer))
            }
        }
    }

    fn trailer(&self, value: Value) -> Result<Trailer, &'static str> {
        let mut fields = Fields::of(value)?;
        let checkpoint = fields.text("checkpoint")?;
        let written: Digest =
            fields.text("checksum")?.parse().map_err(|_| "has a checksum that is none")?;
        fields.end()?;
        let intact = written == checksum(&self.header_bytes, &checkpoint);
        Ok(Trailer { checkpoint, intact })
    }

    fn end(&mut self) -> Result<(), ReadError> {
        let mut rest = Vec::new();
        match self.input.by_ref().take(1).read_to_end(&mut rest) {
            Ok(0) => Ok(()),
            Ok(_) => Err(ReadError::Malformed {
                place: Place::End,
                problem: "is followed by more bytes",
            }),
            Err(error) => Err(ReadError::Io(error)),
        }
    }
}

impl Header {
    fn encode(&self) -> Value {
        Value::map([
            ("version", Value::from(VERSION)),
            ("kind", Value::text(KIND)),
            ("collaboration", Value::text(self.collaboration.to_string())),
            ("origin", Value::text(&self.origin)),
            ("service_key", Value::text(self.service_key.to_string())),
            ("size", Value::from(self.size)),
            ("exported_at_ms", Value::from(self.exported_at_ms)),
        ])
    }

    fn decode(value: Value) -> Result<Self, &'static str> {
        let mut fields = Fields::of(value)?;
        if fields.uint("version")? != VERSION {
            return Err("names another version than the first line");
        }
        if fields.text("kind")? != KIND {
            return Err("names a kind that version 1 does not have");
        }
        let collaboration = fields.text("collaboration")?;
        let service_key = fields.text("service_key")?;
        let header = Self {
            collaboration: collaboration.parse().map_err(|_| "names no collaboration")?,
            origin: fields.text("origin")?,
            service_key: service_key.parse().map_err(|_| "names no service key")?,
            size: fields.uint("size")?,
            exported_at_ms: fields.uint("exported_at_ms")?,
        };
        fields.end()?;
        // Checkpoints are Ed25519 notes; another kind of key could sign none.
        match header.service_key.algorithm() {
            Algorithm::EdDsa => Ok(header),
            Algorithm::Es256 => Err("names a service key that is not Ed25519"),
        }
    }
}

fn checksum(header: &[u8], checkpoint: &str) -> Digest {
    Digest::of_parts(&[header, checkpoint.as_bytes()])
}

fn decode(place: Place, bytes: &[u8]) -> Result<Value, ReadError> {
    codec::decode(bytes).map_err(|source| ReadError::Cbor { place, source })
}

/// Reads the bytes of one item of at most `len_max` bytes, which must begin with one of `majors`.
///
/// Lengths are definite in canonical items, so a count of the items still to come takes the place of
/// a stack. Nothing is allocated for bytes that are not there.
fn read_item(
    input: &mut impl Read,
    place: Place,
    majors: &[u8],
    len_max: usize,
) -> Result<Vec<u8>, ReadError> {
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
        copy(input, place, bytes, &mut item)?;
    }
    Ok(item)
}

fn copy(
    input: &mut impl Read,
    place: Place,
    len: u64,
    item: &mut Vec<u8>,
) -> Result<(), ReadError> {
    let read = input.by_ref().take(len).read_to_end(item).map_err(ReadError::Io)?;
    if read as u64 == len { Ok(()) } else { Err(ReadError::Truncated(place)) }
}

/// The fields of a map, taken one by one; none may be left.
struct Fields(std::collections::BTreeMap<Key, Value>);

impl Fields {
    fn of(value: Value) -> Result<Self, &'static str> {
        if let Value::Map(map) = value { Ok(Self(map)) } else { Err("is not a map") }
    }

    fn text(&mut self, name: &str) -> Result<String, &'static str> {
        match self.0.remove(&Key::from(name)) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err("lacks a text that belongs there"),
        }
    }

    fn uint(&mut self, name: &str) -> Result<u64, &'static str> {
        match self.0.remove(&Key::from(name)) {
            Some(Value::Int(number)) => u64::try_from(number).ok(),
            _ => None,
        }
        .ok_or("lacks a number that belongs there")
    }

    fn end(self) -> Result<(), &'static str> {
        if self.0.is_empty() { Ok(()) } else { Err("has a field that is not known") }
    }
}
