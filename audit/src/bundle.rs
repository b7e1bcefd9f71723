//! The bundle: one log, or a part of it, in one file.
//!
//! The line `chancery-bundle/2\n`, then a CBOR sequence (RFC 8742) of canonical items (RFC 8949
//! section 4.2.1, as [`chancery_ledger::codec`] has it). The README has the CDDL. In words:
//!
//! ```text
//! bundle  = magic header *(entry / gap) trailer
//! header  = {"version": 2, "kind": "whole-log" / "partial", ? "scope": text, "collaboration": id,
//!            "origin": text, "service_key": text, "size": uint, ? "cosigned_size": uint,
//!            "exported_at_ms": uint}
//! entry   = bstr                      ; the next sealed entry; the first is position 0
//! gap     = [uint, uint, [+ bstr]]    ; of a partial bundle: first position, count, subtree roots
//! trailer = {"checkpoint": text,      ; signed note (C2SP tlog-checkpoint), as the service stores it
//!            ? "cosigned": text,      ; the newest note that witnesses cosigned
//!            "checksum": text}        ; SHA-256 of the header's bytes, the checkpoint's, the other's
//! ```
//!
//! Nothing follows the trailer. Each item has a named bound; a length beyond it is refused before a
//! byte of it is read, so memory is bounded by the longest item that is really there.
//!
//! Version 1 had whole logs only and no `cosigned`; it is read for ever, and written no more.
//!
//! The header is not signed. What the log itself says of the same things must agree with it; the
//! time of the export stands nowhere else. The checksum finds damage to what no signature covers,
//! not intent: whoever changes the header can make the checksum anew.

mod item;
mod read;
mod write;

use std::fmt;

use chancery_ledger::codec::Value;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::SEALED_LEN_MAX;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::key::{Algorithm, PublicKey};
use chancery_ledger::note::NOTE_LEN_MAX;

pub use read::{Item, ReadError, Reader};
pub use write::{WriteError, Writer};

use crate::partial::Scope;
use item::Fields;

/// The first line of a bundle as it is written.
pub const MAGIC: &[u8] = b"chancery-bundle/2\n";
/// The first line of a bundle of version 1.
pub const MAGIC_V1: &[u8] = b"chancery-bundle/1\n";
/// Longest header, in bytes.
pub const HEADER_LEN_MAX: usize = 4 << 10;
/// Longest entry item, in bytes: a sealed entry and the head of its byte string.
pub const ENTRY_LEN_MAX: usize = SEALED_LEN_MAX + 5;
/// Most subtree roots of a gap: each bit of its two ends can ask for one.
pub const GAP_ROOTS_MAX: usize = 128;
/// Longest gap, in bytes: the roots with their heads, two numbers, two array heads.
pub const GAP_LEN_MAX: usize = GAP_ROOTS_MAX * (2 + Digest::LEN) + 32;
/// Longest trailer, in bytes: the two longest notes and the rest of the map.
pub const TRAILER_LEN_MAX: usize = 2 * NOTE_LEN_MAX + 256;

/// What a bundle says of itself before its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The collaboration.
    pub collaboration: CollaborationId,
    /// The log's origin: see [`chancery_governance::state::origin`].
    pub origin: String,
    /// The key that sealed the log's first entry.
    pub service_key: PublicKey,
    /// The number of entries in the log, whether they are in the bundle or left out.
    pub size: u64,
    /// When it was exported: milliseconds since the Unix epoch. Nobody signs this.
    pub exported_at_ms: u64,
}

/// How much of a log a bundle holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Every entry.
    WholeLog,
    /// The entries about this, and those that they rest on.
    Partial(Scope),
}

/// The version of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Whole logs only.
    V1,
    /// Whole logs and parts; a cosigned note beside the checkpoint.
    V2,
}

/// Entries that a partial bundle leaves out, by the hashes that stand for them in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The position of the first one.
    pub first: u64,
    /// How many: 1 or more.
    pub count: u64,
    /// The roots of the largest aligned perfect subtrees that cover them, from left to right: see
    /// [`crate::partial::subtrees`].
    pub roots: Vec<Digest>,
}

/// A checkpoint of the log, of the bundle's size or a smaller one, that witnesses cosigned. Its
/// size stands in the header already: the tree of that size is gone when the trailer comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The number of entries that it covers.
    pub size: u64,
    /// The note, with the lines of the service and the witnesses.
    pub note: String,
}

/// What ends a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailer {
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The cosigned note, where the header gives its size.
    pub cosigned: Option<String>,
    /// Whether the checksum is that of the header and the notes.
    pub intact: bool,
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

impl Version {
    const fn number(self) -> u64 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    const fn trailer_len_max(self) -> usize {
        match self {
            Self::V1 => NOTE_LEN_MAX + 256,
            Self::V2 => TRAILER_LEN_MAX,
        }
    }
}

const WHOLE_LOG: &str = "whole-log";
const PARTIAL: &str = "partial";

impl Header {
    fn encode(&self, kind: Kind, cosigned_size: Option<u64>) -> Value {
        let mut fields = vec![
            ("version", Value::from(Version::V2.number())),
            ("collaboration", Value::text(self.collaboration.to_string())),
            ("origin", Value::text(&self.origin)),
            ("service_key", Value::text(self.service_key.to_string())),
            ("size", Value::from(self.size)),
            ("exported_at_ms", Value::from(self.exported_at_ms)),
        ];
        fields.extend(cosigned_size.map(|size| ("cosigned_size", Value::from(size))));
        match kind {
            Kind::WholeLog => fields.push(("kind", Value::text(WHOLE_LOG))),
            Kind::Partial(scope) => fields.extend([
                ("kind", Value::text(PARTIAL)),
                ("scope", Value::text(scope.to_string())),
            ]),
        }
        Value::map(fields)
    }

    fn decode(version: Version, value: Value) -> Result<(Self, Kind, Option<u64>), &'static str> {
        let mut fields = Fields::of(value)?;
        if fields.uint("version")? != version.number() {
            return Err("names another version than the first line");
        }
        let kind = match (version, fields.text("kind")?.as_str()) {
            (_, WHOLE_LOG) => Kind::WholeLog,
            (Version::V2, PARTIAL) => Kind::Partial(
                fields.text("scope")?.parse().map_err(|_| "names a scope that is none")?,
            ),
            _ => return Err("names a kind that its version does not have"),
        };
        let collaboration = fields.text("collaboration")?;
        let service_key = fields.text("service_key")?;
        let header = Self {
            collaboration: collaboration.parse().map_err(|_| "names no collaboration")?,
            origin: fields.text("origin")?,
            service_key: service_key.parse().map_err(|_| "names no service key")?,
            size: fields.uint("size")?,
            exported_at_ms: fields.uint("exported_at_ms")?,
        };
        let cosigned_size = match version {
            Version::V1 => None,
            Version::V2 => fields.optional_uint("cosigned_size")?,
        };
        fields.end()?;
        // Checkpoints are Ed25519 notes; another kind of key could sign none.
        match header.service_key.algorithm() {
            Algorithm::EdDsa => Ok((header, kind, cosigned_size)),
            Algorithm::Es256 => Err("names a service key that is not Ed25519"),
        }
    }
}

/// Of version 1 too: there `cosigned` is never there.
fn checksum(header: &[u8], checkpoint: &str, cosigned: Option<&str>) -> Digest {
    Digest::of_parts(&[header, checkpoint.as_bytes(), cosigned.unwrap_or_default().as_bytes()])
}
