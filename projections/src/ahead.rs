//! Reading ahead: pages of a log are read and decoded on all cores while those before them are
//! folded. The fold takes them in order.

use std::collections::VecDeque;

use chancery_governance::event::Event;
use chancery_governance::log::{self, FoldError};
use chancery_governance::state::Recorded;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;
use chancery_ledger::id::CollaborationId;
use chancery_store::{ReadError, Store, StoredEntry};

use crate::halt::Corrupt;
use crate::tables::Cursor;
use crate::task::{Task, on_a_core};

/// Entries of a page.
pub(crate) const PAGE_ENTRIES: u32 = 256;
/// Pages under way at once: what bounds the memory, with the store's own bound on a page's bytes.
const PAGES_AHEAD: usize = 8;

/// An entry that was read, or what is wrong with it alone.
pub(crate) type Read = Result<Opened, Corrupt>;

/// An entry whose bytes are those that were stored. Whether it continues the log is not known yet.
pub(crate) struct Opened {
    leaf: Digest,
    collaboration: CollaborationId,
    position: u64,
    previous: Option<Digest>,
    said: Result<(Recorded, Event), FoldError>,
}

/// A page under way.
type Reading = Task<Result<Vec<Read>, ReadError>>;

/// One log from a position on.
pub(crate) struct Ahead {
    store: Store,
    collaboration: CollaborationId,
    /// Where the reading ends.
    until: u64,
    /// The position of the next entry that [`Ahead::page`] gives.
    at: u64,
    /// Pages under way: where each begins, in order, from `at` on without gap.
    pages: VecDeque<(u64, Reading)>,
    /// The first position that no page under way holds.
    next: u64,
}

impl Ahead {
    /// The entries of a log below `until`, from the first on.
    pub(crate) fn new(store: &Store, collaboration: CollaborationId, until: u64) -> Self {
        let store = store.clone();
        Self { store, collaboration, until, at: 0, pages: VecDeque::new(), next: 0 }
    }

    /// Whose log it is.
    pub(crate) const fn collaboration(&self) -> CollaborationId {
        self.collaboration
    }

    /// Goes to `position`. What was read ahead from elsewhere is dropped.
    pub(crate) fn seek(&mut self, position: u64) {
        self.at = position;
        if self.pages.front().map_or(self.next, |(first, _)| *first) != position {
            self.pages.clear();
            self.next = position;
        }
    }

    /// The next entries, [`PAGE_ENTRIES`] at most; empty at the end. One that can't be read is the
    /// last of its page.
    ///
    /// # Errors
    ///
    /// [`ReadError::Unavailable`]; where the store is corrupt, an entry says so.
    pub(crate) async fn page(&mut self) -> Result<Vec<Read>, ReadError> {
        while self.pages.len() < PAGES_AHEAD && self.next < self.until {
            let limit = u32::try_from(self.until - self.next).unwrap_or(u32::MAX).min(PAGE_ENTRIES);
            let reading = read(self.store.clone(), self.collaboration, self.next, limit);
            self.pages.push_back((self.next, Task::spawn(reading)));
            self.next += u64::from(limit);
        }
        let Some((_, page)) = self.pages.pop_front() else { return Ok(Vec::new()) };
        let page = page.join().await?;
        // A short page is not the end: the store bounds its bytes too.
        self.seek(self.at + page.len() as u64);
        Ok(page)
    }
}

async fn read(
    store: Store,
    collaboration: CollaborationId,
    from: u64,
    mut limit: u32,
) -> Result<Vec<Read>, ReadError> {
    let entries = loop {
        match store.range(collaboration, from, limit).await {
            // Fewer, down to the one that the store can't give: views show all that is before it.
            Err(ReadError::Corrupt(_)) if limit > 1 => limit /= 2,
            Err(ReadError::Corrupt(what)) => return Ok(vec![Err(Corrupt::Store(what))]),
            result => break result?,
        }
    };
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on_a_core(move || {
        let mut page = Vec::with_capacity(entries.len());
        for entry in entries {
            let read = open(entry);
            let bad = read.is_err();
            page.push(read);
            if bad {
                break;
            }
        }
        page
    })
    .await)
}

/// Reads a stored entry. Its seal was checked when it came in; that nobody changed it since is for
/// the auditor, beyond what chain and hash tell.
fn open(entry: StoredEntry) -> Read {
    let sealed = Sealed::parse(entry.sealed).map_err(Corrupt::Entry)?;
    if sealed.leaf() != entry.leaf_hash {
        return Err(Corrupt::Leaf);
    }
    let says = sealed.entry();
    Ok(Opened {
        leaf: sealed.leaf(),
        collaboration: says.collaboration,
        position: says.position,
        previous: says.previous,
        said: log::read(&sealed),
    })
}

impl Opened {
    /// What it records, where that can be read.
    pub(crate) fn said(&self) -> Option<&(Recorded, Event)> {
        self.said.as_ref().ok()
    }

    /// Checks that it continues the log of `collaboration` at `at`. Gives what it records and
    /// where the log is after it.
    pub(crate) fn continues(
        self,
        collaboration: CollaborationId,
        at: Cursor,
    ) -> Result<(Recorded, Event, Cursor), Corrupt> {
        if self.collaboration != collaboration || self.position != at.size {
            return Err(Corrupt::Place);
        }
        if self.previous != at.last {
            return Err(Corrupt::Chain);
        }
        let (recorded, event) = self.said.map_err(Corrupt::Read)?;
        Ok((recorded, event, Cursor { size: at.size + 1, last: Some(self.leaf) }))
    }
}
