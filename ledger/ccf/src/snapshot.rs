//! Snapshots: all tables at one transaction, with the receipt of the transaction that is the
//! evidence for it. That transaction claims the SHA-256 of the snapshot's entry.

use std::io::{self, BufReader, Read};

use chancery_ledger::digest::Digest;
use ring::digest::{Context, SHA256};

use crate::certificate::Certificate;
use crate::entry::{EntryError, HEADER_LEN};
use crate::receipt::{Expected, Proven, RECEIPT_LEN_MAX, Receipt, ReceiptError};

/// Longest entry of a snapshot that is read: 64 GiB, in pieces.
pub const SNAPSHOT_LEN_MAX: u64 = 64 << 30;

/// Bytes read from a file at a time.
const BUFFER_LEN: usize = 1 << 20;

/// Why a snapshot is not what it is presented as.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Reading failed.
    #[error("reading failed")]
    Io(#[from] io::Error),
    /// It ends before it should.
    #[error("the file is cut off")]
    Truncated,
    /// It does not begin with an entry of a snapshot.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// It names another transaction than its file's name.
    #[error("the snapshot is at {0}")]
    OtherTransaction(u64),
    /// Its receipt is of another transaction than its file's name says.
    #[error("the receipt is not of the transaction that the file's name says")]
    OtherEvidence,
    /// The receipt does not prove it under any of the services.
    #[error("the snapshot's receipt")]
    Receipt(#[source] ReceiptError),
}

/// Verifies a snapshot of the name `snapshot_<seqno>_<evidence>.committed` against the certificates
/// of a service and of its earlier identities, whichever of them it is of. Memory is bounded.
///
/// # Errors
///
/// [`SnapshotError`].
pub fn verify(
    input: impl Read,
    seqno: u64,
    evidence: u64,
    services: &[Certificate],
) -> Result<Proven, SnapshotError> {
    let mut input = BufReader::with_capacity(BUFFER_LEN, input);
    let mut head = [0; HEADER_LEN + 16 + 12 + 8 + 9];
    input.read_exact(&mut head).map_err(truncated)?;
    let number = |at: usize, len: usize| {
        head[at..at + len].iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let malformed = |what| SnapshotError::Entry(EntryError::Malformed(what));
    if head[0] != 1 || head[1] & !3 != 0 {
        return Err(EntryError::Unsupported("header").into());
    }
    let len = number(2, 6) + HEADER_LEN as u64;
    if !(head.len() as u64..=SNAPSHOT_LEN_MAX).contains(&len) {
        return Err(malformed("of a length that no snapshot has"));
    }
    let (iv, view, kind, version) = (number(24, 8), number(32, 4), head[44], number(45, 8));
    if kind != 1 || view >> 31 != 1 || iv != version {
        return Err(malformed("it is not a snapshot"));
    }
    if version != seqno {
        return Err(SnapshotError::OtherTransaction(version));
    }
    let mut context = Context::new(&SHA256);
    context.update(&head);
    let mut left = len - head.len() as u64;
    let mut part = vec![0; BUFFER_LEN];
    while left > 0 {
        let len = usize::try_from(left).map_or(part.len(), |left| left.min(part.len()));
        input.read_exact(&mut part[..len]).map_err(truncated)?;
        context.update(&part[..len]);
        left -= len as u64;
    }
    let digest = Digest::from_slice(context.finish().as_ref());
    let mut receipt = Vec::new();
    input.take(RECEIPT_LEN_MAX as u64 + 1).read_to_end(&mut receipt)?;
    if receipt.is_empty() {
        return Err(SnapshotError::Truncated);
    }
    let receipt = Receipt::parse(&receipt).map_err(SnapshotError::Receipt)?;
    let expected = Expected { claims: digest, ..Expected::default() };
    let mut refused = ReceiptError::NotAReceipt;
    for service in services {
        match receipt.verify(service, &[], &expected) {
            Ok(proven) if proven.transaction.is_some_and(|it| it.seqno == evidence) => {
                return Ok(proven);
            }
            Ok(_) => return Err(SnapshotError::OtherEvidence),
            Err(error) => refused = error,
        }
    }
    Err(SnapshotError::Receipt(refused))
}

fn truncated(error: io::Error) -> SnapshotError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => SnapshotError::Truncated,
        _ => SnapshotError::Io(error),
    }
}
