//! Reading a bundle, item by item.

use std::io::{self, BufReader, Read};

use chancery_ledger::codec::{DecodeError, Value};
use chancery_ledger::digest::Digest;

use super::item::{self, ARRAY, BYTES, Fields, MAP, Raw};
use super::{
    Decoded, ENTRY_LEN_MAX, GAP_LEN_MAX, Gap, HEADER_LEN_MAX, Header, Kind, MAGIC, MAGIC_V1,
    MIRROR_LEN_MAX, MIRROR_RECEIPT_LEN_MAX, MIRROR_SERVICE_LEN_MAX, MirrorKind, MirrorReceipt,
    Place, Running, Trailer, Version, checksum,
};

/// Bytes asked for at a time.
const BUFFER_LEN: usize = 64 << 10;

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
    /// The next entry: its sealed bytes, of at most
    /// [`SEALED_LEN_MAX`](chancery_ledger::entry::SEALED_LEN_MAX).
    Entry(Vec<u8>),
    /// Entries that are left out. Begins at the next position; ends within the log.
    Gap(Gap),
    /// That the entries of a batch, the last one of which was read, are in the ledger of a mirror.
    Receipt(Box<MirrorReceipt>),
    /// The trailer; nothing follows it.
    Trailer(Trailer),
}

/// Reads a bundle, item by item. Checks its form only: see [`crate::verify()`].
#[derive(Debug)]
pub struct Reader<R> {
    input: BufReader<R>,
    version: Version,
    kind: Kind,
    cosigned_size: Option<u64>,
    mirrored: u64,
    header: Header,
    header_bytes: Vec<u8>,
    read: u64,
    /// The position of the next entry.
    position: u64,
    /// The certificate beside the last receipt.
    service: Vec<u8>,
    receipts: Running,
}

impl<R: Read> Reader<R> {
    /// Reads the magic line and the header.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn open(input: R) -> Result<Self, ReadError> {
        let mut input = BufReader::with_capacity(BUFFER_LEN, input);
        let mut magic = Vec::new();
        input.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(ReadError::Io)?;
        let version = match magic.as_slice() {
            MAGIC => Version::V2,
            MAGIC_V1 => Version::V1,
            other if other.starts_with(b"chancery-bundle/") => return Err(ReadError::Version),
            _ => return Err(ReadError::NotABundle),
        };
        let place = Place::Header;
        let header_bytes = match item::read(&mut input, place, &[MAP], HEADER_LEN_MAX)? {
            Raw::Bytes(bytes) | Raw::Other(bytes) => bytes,
        };
        let Decoded { header, kind, cosigned_size, mirrored } =
            Header::decode(version, item::decode(place, &header_bytes)?)
                .map_err(|problem| ReadError::Malformed { place, problem })?;
        Ok(Self {
            input,
            version,
            kind,
            cosigned_size,
            mirrored,
            header,
            header_bytes,
            read: 0,
            position: 0,
            service: Vec::new(),
            receipts: Running::default(),
        })
    }

    /// The version of the bundle.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// How much of the log it holds.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The size of the cosigned note that the trailer holds, if it holds one.
    pub const fn cosigned_size(&self) -> Option<u64> {
        self.cosigned_size
    }

    /// For how many entries there are receipts of the mirror.
    pub const fn mirrored(&self) -> u64 {
        self.mirrored
    }

    /// The header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The number of entries read so far; those left out do not count.
    pub const fn entries_read(&self) -> u64 {
        self.read
    }

    /// Reads the next item. The trailer is the last one.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; the bundle can't be read on then.
    pub fn next_item(&mut self) -> Result<Item, ReadError> {
        let place = if self.position < self.header.size {
            Place::Entry(self.position)
        } else {
            Place::Trailer
        };
        let majors: &[u8] = match self.kind {
            Kind::WholeLog => &[BYTES, MAP],
            Kind::Partial(_) => &[BYTES, MAP, ARRAY],
        };
        let malformed = |place, problem| ReadError::Malformed { place, problem };
        let bytes = match item::read(&mut self.input, place, majors, ENTRY_LEN_MAX)? {
            Raw::Bytes(_) if place == Place::Trailer => {
                return Err(malformed(place, "is an entry: there are more than the header says"));
            }
            Raw::Bytes(sealed) => {
                self.read += 1;
                self.position += 1;
                return Ok(Item::Entry(sealed));
            }
            Raw::Other(bytes) => bytes,
        };
        let is_gap = bytes.first().is_some_and(|first| first >> 5 == ARRAY);
        // Whether a map is a receipt, its fields say; neither may be longer than the longer one.
        let map_max = self.version.trailer_len_max();
        let map_max = if self.mirrored > 0 { map_max.max(MIRROR_LEN_MAX) } else { map_max };
        if bytes.len() > if is_gap { GAP_LEN_MAX } else { map_max } {
            return Err(malformed(place, "is too long"));
        }
        let value = item::decode(place, &bytes)?;
        if is_gap {
            let gap = self.gap(value).map_err(|problem| malformed(place, problem))?;
            self.position += gap.count;
            return Ok(Item::Gap(gap));
        }
        let fields = Fields::of(value).map_err(|problem| malformed(place, problem))?;
        if self.mirrored > 0 && fields.has("mirror") {
            let receipt = self.receipt(fields).map_err(|problem| malformed(place, problem))?;
            self.receipts.add(&bytes);
            return Ok(Item::Receipt(Box::new(receipt)));
        }
        if bytes.len() > self.version.trailer_len_max() {
            return Err(malformed(Place::Trailer, "is too long"));
        }
        let trailer = self.trailer(fields).map_err(|problem| malformed(Place::Trailer, problem))?;
        self.end()?;
        Ok(Item::Trailer(trailer))
    }

    fn gap(&self, value: Value) -> Result<Gap, &'static str> {
        const FORM: &str = "is not a gap: first position, count, roots";
        let Value::Array(parts) = value else { return Err(FORM) };
        let Ok([Value::Int(first), Value::Int(count), Value::Array(roots)]) =
            <[Value; 3]>::try_from(parts)
        else {
            return Err(FORM);
        };
        let first = u64::try_from(first).map_err(|_| FORM)?;
        let count = u64::try_from(count).map_err(|_| FORM)?;
        if first != self.position {
            return Err("is a gap of another position than where it stands");
        }
        if count == 0 || count > self.header.size - self.position {
            return Err("is a gap of none, or of more entries than the log has");
        }
        let root = |root| match root {
            Value::Bytes(bytes) => Digest::from_slice(&bytes).ok_or(FORM),
            _ => Err(FORM),
        };
        Ok(Gap { first, count, roots: roots.into_iter().map(root).collect::<Result<_, _>>()? })
    }

    fn receipt(&mut self, mut fields: Fields) -> Result<MirrorReceipt, &'static str> {
        let kind = MirrorKind::of(&fields.text("mirror")?);
        if let Some(service) = fields.optional_bytes("service")? {
            // Said once: so that a bundle has one form.
            if service == self.service {
                return Err("names the certificate of the receipt before again");
            }
            self.service = service;
        }
        let receipt = MirrorReceipt {
            kind: kind.ok_or("is a receipt of a mirror of another kind")?,
            first: fields.uint("first")?,
            size: fields.uint("size")?,
            transaction: fields.text("transaction")?,
            service: self.service.clone(),
            receipt: fields.bytes("receipt")?,
        };
        fields.end()?;
        if receipt.service.is_empty() {
            return Err("is a receipt without a certificate");
        }
        if receipt.service.len() > MIRROR_SERVICE_LEN_MAX
            || receipt.receipt.len() > MIRROR_RECEIPT_LEN_MAX
        {
            return Err("is too long");
        }
        Ok(receipt)
    }

    fn trailer(&self, mut fields: Fields) -> Result<Trailer, &'static str> {
        let checkpoint = fields.text("checkpoint")?;
        let cosigned = self.cosigned_size.map(|_| fields.text("cosigned")).transpose()?;
        let written: Digest =
            fields.text("checksum")?.parse().map_err(|_| "has a checksum that is none")?;
        fields.end()?;
        let intact = written
            == checksum(&self.header_bytes, &checkpoint, cosigned.as_deref(), self.receipts);
        Ok(Trailer { checkpoint, cosigned, intact })
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
