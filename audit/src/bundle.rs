//! The bundle: one log, or a part of it, in one file.
//!
//! The line `chancery-bundle/2\n`, then a CBOR sequence (RFC 8742) of canonical items (RFC 8949
//! section 4.2.1, as [`chancery_ledger::codec`] has it). The README has the CDDL. In words:
//!
//! ```text
//! bundle  = magic header *(entry / gap / receipt) trailer
//! header  = {"version": 2, "kind": "whole-log" / "partial", ? "scope": text, "collaboration": id,
//!            "origin": text, "service_key": text, "size": uint, ? "cosigned_size": uint,
//!            ? "mirrored": uint,     ; entries for which there are receipts of the mirror, from 0 on
//!            "exported_at_ms": uint}
//! entry   = bstr                      ; the next sealed entry; the first is position 0
//! gap     = [uint, uint, [+ bstr]]    ; of a partial bundle: first position, count, subtree roots
//! receipt = {"mirror": "ccf" / "insecure-virtual",  ; after the last entry of its batch
//!            "first": uint, "size": uint, "transaction": text, "receipt": bstr,
//!            ? "service": bstr}      ; X.509, DER; left out: that of the receipt before
//! trailer = {"checkpoint": text,      ; signed note (C2SP tlog-checkpoint), as the service stores it
//!            ? "cosigned": text,      ; the newest note that witnesses cosigned
//!            "checksum": text}        ; SHA-256 of the header's bytes, the checkpoint's, the other's,
//!                                     ; and, where there are receipts, of their running digest
//! ```
//!
//! The running digest begins with 32 zero bytes; each receipt makes it the SHA-256 of itself and the
//! receipt's bytes. A receipt stands where the tree has its size; a part holds the receipts of the
//! batches with an entry in it, and its gaps end where one stands.
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
/// Longest receipt of a mirror, in bytes, in what it is given as: 512 KiB.
pub const MIRROR_RECEIPT_LEN_MAX: usize = 512 << 10;
/// Longest certificate beside it, in DER: 16 KiB.
pub const MIRROR_SERVICE_LEN_MAX: usize = 16 << 10;
/// Longest receipt item, in bytes: the two and the rest of the map.
pub const MIRROR_LEN_MAX: usize = MIRROR_RECEIPT_LEN_MAX + MIRROR_SERVICE_LEN_MAX + 256;
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

/// What stands behind a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MirrorKind {
    /// A CCF network.
    Ccf,
    /// A stand-in in the service itself: it proves nothing.
    InsecureVirtual,
}

impl MirrorKind {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ccf => "ccf",
            Self::InsecureVirtual => "insecure-virtual",
        }
    }

    /// The kind of that name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Ccf, Self::InsecureVirtual].into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for MirrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// That a batch of entries is in the ledger of a mirror. Stands after the batch's last entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorReceipt {
    /// What is said to stand behind the mirror.
    pub kind: MirrorKind,
    /// The position of the batch's first entry.
    pub first: u64,
    /// The size of the log after the batch.
    pub size: u64,
    /// The transaction's id there.
    pub transaction: String,
    /// The certificate of the service that it was verified under, in DER.
    pub service: Vec<u8>,
    /// The receipt, JSON or COSE.
    pub receipt: Vec<u8>,
}

/// What a bundle holds beside entries and checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    /// The cosigned note that it will end with.
    pub cosigned: Option<Cosigned>,
    /// For how many entries there are receipts of the mirror; 0 for none.
    pub mirrored: u64,
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
    /// The receipt of the mirror for a log of this size.
    Receipt(u64),
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
            Self::Receipt(size) => write!(f, "mirror's receipt at {size} entries"),
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
    fn encode(&self, kind: Kind, beside: &Beside) -> Value {
        let mut fields = vec![
            ("version", Value::from(Version::V2.number())),
            ("collaboration", Value::text(self.collaboration.to_string())),
            ("origin", Value::text(&self.origin)),
            ("service_key", Value::text(self.service_key.to_string())),
            ("size", Value::from(self.size)),
            ("exported_at_ms", Value::from(self.exported_at_ms)),
        ];
        let cosigned = beside.cosigned.as_ref();
        fields.extend(cosigned.map(|one| ("cosigned_size", Value::from(one.size))));
        if beside.mirrored > 0 {
            fields.push(("mirrored", Value::from(beside.mirrored)));
        }
        match kind {
            Kind::WholeLog => fields.push(("kind", Value::text(WHOLE_LOG))),
            Kind::Partial(scope) => fields.extend([
                ("kind", Value::text(PARTIAL)),
                ("scope", Value::text(scope.to_string())),
            ]),
        }
        Value::map(fields)
    }

    fn decode(version: Version, value: Value) -> Result<Decoded, &'static str> {
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
        let (cosigned_size, mirrored) = match version {
            Version::V1 => (None, None),
            Version::V2 => {
                (fields.optional_uint("cosigned_size")?, fields.optional_uint("mirrored")?)
            }
        };
        // Left out where it is 0.
        if mirrored == Some(0) || mirrored > Some(header.size) {
            return Err("announces receipts for no entries, or for more than there are");
        }
        let mirrored = mirrored.unwrap_or(0);
        fields.end()?;
        // Checkpoints are Ed25519 notes; another kind of key could sign none.
        match header.service_key.algorithm() {
            Algorithm::EdDsa => Ok(Decoded { header, kind, cosigned_size, mirrored }),
            Algorithm::Es256 => Err("names a service key that is not Ed25519"),
        }
    }
}

/// A header, and what stands in it beside.
struct Decoded {
    header: Header,
    kind: Kind,
    cosigned_size: Option<u64>,
    mirrored: u64,
}

/// The running digest of the receipts: none before the first.
#[derive(Debug, Clone, Copy, Default)]
struct Running(Option<Digest>);

impl Running {
    fn add(&mut self, item: &[u8]) {
        let before = self.0.map_or([0; Digest::LEN], |digest| *digest.as_bytes());
        self.0 = Some(Digest::of_parts(&[&before, item]));
    }
}

/// Of version 1 too: there `cosigned` is never there.
fn checksum(header: &[u8], checkpoint: &str, cosigned: Option<&str>, receipts: Running) -> Digest {
    let notes = [checkpoint.as_bytes(), cosigned.unwrap_or_default().as_bytes()];
    let receipts = receipts.0.map(|digest| *digest.as_bytes());
    let receipts = receipts.as_ref().map_or(&[][..], |bytes| &bytes[..]);
    Digest::of_parts(&[header, notes[0], notes[1], receipts])
}
