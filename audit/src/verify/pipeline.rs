//! A bundle's items, read and opened on all cores, taken in order on one.
//!
//! This thread reads; as many others as there are cores open batches of entries; one more takes
//! what they made, in the order of the file. What is on the way is bounded, in entries and bytes.

use std::io::Read;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use chancery_ccf::certificate::Certificate;
use chancery_ledger::entry::OpenError;

use super::mirror::{Judged, judge};
use super::opened::{Directory, Opened};
use crate::bundle::{Gap, Item, MirrorReceipt, ReadError, Reader, Trailer};
use crate::check::Verdict;

/// Most items of a batch.
pub const BATCH_ITEMS_MAX: usize = 256;
/// A batch that holds so many bytes takes no more items: 256 KiB.
pub const BATCH_LEN: usize = 256 << 10;
/// Batches on the way for each core.
pub const BATCHES_PER_CORE: usize = 4;

/// An item that was opened.
pub enum Step {
    /// The next entry.
    Entry(Result<Box<Opened>, OpenError>),
    /// Entries that are left out.
    Gap(Gap),
    /// A receipt of the mirror.
    Receipt(Box<Judged>),
    /// The end.
    Trailer(Trailer),
    /// The bundle can't be read on, after so many entries.
    Unread(ReadError, u64),
}

impl Step {
    const fn is_last(&self) -> bool {
        matches!(self, Self::Trailer(_) | Self::Unread(..))
    }
}

/// What is read and not opened yet.
enum Raw {
    Entry(Vec<u8>),
    Receipt(Box<MirrorReceipt>),
    Other(Step),
}

impl Raw {
    fn next(reader: &mut Reader<impl Read>) -> Self {
        Self::Other(match reader.next_item() {
            Ok(Item::Entry(bytes)) => return Self::Entry(bytes),
            Ok(Item::Receipt(receipt)) => return Self::Receipt(receipt),
            Ok(Item::Gap(gap)) => Step::Gap(gap),
            Ok(Item::Trailer(trailer)) => Step::Trailer(trailer),
            Err(error) => Step::Unread(error, reader.entries_read()),
        })
    }

    const fn len(&self) -> usize {
        match self {
            Self::Entry(bytes) => bytes.len(),
            Self::Receipt(receipt) => receipt.receipt.len() + receipt.service.len(),
            Self::Other(_) => 0,
        }
    }

    const fn is_last(&self) -> bool {
        matches!(self, Self::Other(step) if step.is_last())
    }
}

/// What is known of whoever signs.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The keys that entries brought so far.
    pub keys: &'a Directory,
    /// The services of mirrors that the auditor named.
    pub mirrors: &'a [Certificate],
}

/// Gives every item of the bundle to `take`, in order, until the last one or the first error.
///
/// # Errors
///
/// What `take` returns.
pub fn run(
    reader: &mut Reader<impl Read>,
    known: Known<'_>,
    threads: NonZero<usize>,
    mut take: impl FnMut(Step) -> Result<(), Verdict> + Send,
) -> Result<(), Verdict> {
    if threads.get() == 1 {
        loop {
            let batch = next_batch(reader);
            let last = batch.last().is_some_and(Raw::is_last);
            open(batch, known).into_iter().try_for_each(&mut take)?;
            if last {
                return Ok(());
            }
        }
    }
    let on_the_way = threads.get().saturating_mul(BATCHES_PER_CORE);
    // The batches for any core, and for each batch, in order, where its steps will come out.
    let (jobs, work) = sync_channel::<(Vec<Raw>, SyncSender<Vec<Step>>)>(on_the_way);
    let (turns, order) = sync_channel::<Receiver<Vec<Step>>>(on_the_way);
    let work = Mutex::new(work);
    thread::scope(|scope| {
        for _ in 0..threads.get() {
            scope.spawn(|| {
                loop {
                    let job = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((batch, done)) = job else { return };
                    let opened = open(batch, known);
                    // Nobody waits for it any more where an earlier entry failed.
                    drop(done.send(opened));
                }
            });
        }
        let taker = scope.spawn(move || {
            for turn in order {
                // A worker that panicked sends nothing; the scope panics then.
                turn.into_iter().flatten().try_for_each(&mut take)?;
            }
            Ok(())
        });
        loop {
            let batch = next_batch(reader);
            let last = batch.last().is_some_and(Raw::is_last);
            let (done, turn) = sync_channel(1);
            if turns.send(turn).is_err() || jobs.send((batch, done)).is_err() || last {
                break;
            }
        }
        drop((turns, jobs));
        match taker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn next_batch(reader: &mut Reader<impl Read>) -> Vec<Raw> {
    let (mut batch, mut len) = (Vec::new(), 0_usize);
    while batch.len() < BATCH_ITEMS_MAX && len < BATCH_LEN {
        let raw = Raw::next(reader);
        len = len.saturating_add(raw.len());
        let last = raw.is_last();
        batch.push(raw);
        if last {
            break;
        }
    }
    batch
}

fn open(batch: Vec<Raw>, known: Known<'_>) -> Vec<Step> {
    // The entries' places stay free until all of them are opened together.
    let mut entries = Vec::new();
    let steps: Vec<Option<Step>> = batch
        .into_iter()
        .map(|raw| match raw {
            Raw::Entry(bytes) => {
                entries.push(bytes);
                None
            }
            Raw::Receipt(receipt) => Some(Step::Receipt(Box::new(judge(*receipt, known.mirrors)))),
            Raw::Other(step) => Some(step),
        })
        .collect();
    let mut opened = known.keys.open(entries).into_iter().map(Step::Entry);
    steps.into_iter().filter_map(|step| step.or_else(|| opened.next())).collect()
}
