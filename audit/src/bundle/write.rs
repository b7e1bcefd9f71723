//! Writing a bundle, item by item.

use std::io::{self, Write};

use chancery_ledger::codec::{self, Value};
use chancery_ledger::entry::SEALED_LEN_MAX;
use chancery_ledger::note::NOTE_LEN_MAX;

use super::{Cosigned, GAP_ROOTS_MAX, Gap, HEADER_LEN_MAX, Header, Kind, MAGIC, Place, checksum};

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

    /// Begins a bundle of this kind, which will end with the cosigned note, if there is one. Which entries belong into a partial one:
    /// [`crate::partial::Selection`].
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn of_kind(
        mut output: W,
        header: &Header,
        kind: Kind,
        cosigned: Option<Cosigned>,
    ) -> Result<Self, WriteError> {
        let bytes = codec::encode(&header.encode(kind, cosigned.as_ref().map(|one| one.size)));
        let cosigned = cosigned.map(|cosigned| cosigned.note);
        if bytes.len() > HEADER_LEN_MAX {
            return Err(WriteError::TooLong(Place::Header));
        }
        output.write_all(MAGIC)?;
        output.write_all(&bytes)?;
        Ok(Self { output, kind, header: bytes, declared: header.size, written: 0, cosigned })
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
        let checksum = checksum(&self.header, checkpoint, cosigned).to_string();
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
