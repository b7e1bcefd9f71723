//! Writing a bundle, item by item.

use std::io::{self, Write};

use chancery_ledger::codec::{self, Value};
use chancery_ledger::entry::SEALED_LEN_MAX;
use chancery_ledger::note::NOTE_LEN_MAX;

use super::{
    Beside, Cosigned, GAP_ROOTS_MAX, Gap, HEADER_LEN_MAX, Header, Kind, MAGIC,
    MIRROR_RECEIPT_LEN_MAX, MIRROR_SERVICE_LEN_MAX, MirrorReceipt, Place, Running, checksum,
};

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
        /// What was written, the left out ones counted in.
        written: u64,
    },
    /// A gap that does not begin where the bundle stands, is empty, or in a whole log.
    #[error("no gap can stand at position {0}")]
    Gap(u64),
    /// A receipt that does not stand where its batch ends, or that was not announced.
    #[error("the receipt for {size} entries can't stand after {written}")]
    Receipt {
        /// The size of the log after its batch.
        size: u64,
        /// What was written, the left out ones counted in.
        written: u64,
    },
}

/// Writes a bundle, item by item.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    kind: Kind,
    header: Vec<u8>,
    declared: u64,
    written: u64,
    cosigned: Option<String>,
    mirrored: u64,
    /// The certificate beside the last receipt.
    service: Vec<u8>,
    receipts: Running,
}

impl<W: Write> Writer<W> {
    /// Begins the bundle of a whole log.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn new(output: W, header: &Header) -> Result<Self, WriteError> {
        Self::of_kind(output, header, Kind::WholeLog, None)
    }

    /// Begins a bundle of this kind, which will end with the cosigned note, if there is one. Which
    /// entries belong into a partial one: [`crate::partial::Selection`].
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn of_kind(
        output: W,
        header: &Header,
        kind: Kind,
        cosigned: Option<Cosigned>,
    ) -> Result<Self, WriteError> {
        Self::with(output, header, kind, Beside { cosigned, mirrored: 0 })
    }

    /// Begins a bundle of this kind, with what it will hold beside entries and checkpoint.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn with(
        mut output: W,
        header: &Header,
        kind: Kind,
        beside: Beside,
    ) -> Result<Self, WriteError> {
        let bytes = codec::encode(&header.encode(kind, &beside));
        let Beside { cosigned, mirrored } = beside;
        let cosigned = cosigned.map(|cosigned| cosigned.note);
        if bytes.len() > HEADER_LEN_MAX {
            return Err(WriteError::TooLong(Place::Header));
        }
        output.write_all(MAGIC)?;
        output.write_all(&bytes)?;
        Ok(Self {
            output,
            kind,
            header: bytes,
            declared: header.size,
            written: 0,
            cosigned,
            mirrored,
            service: Vec::new(),
            receipts: Running::default(),
        })
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
        self.count(1)?;
        self.output.write_all(&codec::encode(&Value::bytes(sealed)))?;
        Ok(())
    }

    /// Leaves out the next entries.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn leave_out(&mut self, gap: &Gap) -> Result<(), WriteError> {
        if self.kind == Kind::WholeLog || gap.first != self.written || gap.count == 0 {
            return Err(WriteError::Gap(gap.first));
        }
        if gap.roots.len() > GAP_ROOTS_MAX {
            return Err(WriteError::TooLong(Place::Entry(self.written)));
        }
        self.count(gap.count)?;
        let roots = gap.roots.iter().map(|root| Value::bytes(*root.as_bytes())).collect();
        let parts = vec![gap.first.into(), gap.count.into(), Value::Array(roots)];
        self.output.write_all(&codec::encode(&Value::Array(parts)))?;
        Ok(())
    }

    /// Writes a receipt of the mirror, after the last entry of its batch.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn receipt(&mut self, receipt: &MirrorReceipt) -> Result<(), WriteError> {
        let (size, written) = (receipt.size, self.written);
        if size != written || size > self.mirrored {
            return Err(WriteError::Receipt { size, written });
        }
        if receipt.service.len() > MIRROR_SERVICE_LEN_MAX
            || receipt.receipt.len() > MIRROR_RECEIPT_LEN_MAX
        {
            return Err(WriteError::TooLong(Place::Receipt(size)));
        }
        let mut fields = vec![
            ("mirror", Value::text(receipt.kind.as_str())),
            ("first", Value::from(receipt.first)),
            ("size", Value::from(size)),
            ("transaction", Value::text(&receipt.transaction)),
            ("receipt", Value::bytes(receipt.receipt.as_slice())),
        ];
        if receipt.service != self.service {
            self.service.clone_from(&receipt.service);
            fields.push(("service", Value::bytes(receipt.service.as_slice())));
        }
        let item = codec::encode(&Value::map(fields));
        self.receipts.add(&item);
        self.output.write_all(&item)?;
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
        let cosigned = self.cosigned.as_deref();
        if checkpoint.len().max(cosigned.unwrap_or_default().len()) > NOTE_LEN_MAX {
            return Err(WriteError::TooLong(Place::Trailer));
        }
        let checksum = checksum(&self.header, checkpoint, cosigned, self.receipts).to_string();
        let mut fields =
            vec![("checkpoint", Value::text(checkpoint)), ("checksum", Value::text(checksum))];
        fields.extend(cosigned.map(|note| ("cosigned", Value::text(note))));
        self.output.write_all(&codec::encode(&Value::map(fields)))?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn count(&mut self, more: u64) -> Result<(), WriteError> {
        let written = self.written.saturating_add(more);
        if written > self.declared {
            return Err(self.miscounted(written));
        }
        self.written = written;
        Ok(())
    }

    const fn miscounted(&self, written: u64) -> WriteError {
        WriteError::Count { declared: self.declared, written }
    }
}
