//! Following all logs by position.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::time::Duration;

use chancery_ledger::id::CollaborationId;
use chancery_store::Store;
use futures_util::FutureExt as _;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::wakeup::Hint;
use crate::{
    ConsumerName, Corruption, CursorError, Cursors, FeedError, LogReader, StoreCursors, Wakeup,
    backoff,
};

/// How often all heads are swept for what no hint told, unless the caller says otherwise.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Entries read from one log before another gets its turn.
pub const PAGE_ENTRIES: u32 = 64;
const HEADS_PAGE: u32 = 1000;

/// One entry, read from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Whose log.
    pub collaboration: CollaborationId,
    /// Its position there, from 0.
    pub position: u64,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

/// A consumer's place in all logs.
///
/// Entries come in position order within a collaboration; collaborations take turns. What wasn't
/// acknowledged comes again when the subscription is opened anew, after a crash or to retry.
pub struct Subscription<L, C> {
    log: L,
    cursors: C,
    wakeup: Wakeup,
    progress: BTreeMap<CollaborationId, Progress>,
    /// Read and not yet delivered: all of one collaboration.
    page: VecDeque<Delivery>,
    /// Collaborations that may have more to read.
    behind: BTreeSet<CollaborationId>,
    /// Whose turn it was last.
    served: Option<CollaborationId>,
    sweep: Sweep,
    timer: Interval,
    failures: u32,
    /// When to read again after a failure.
    retry_at: Instant,
}

/// The comparison of all heads with what was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sweep {
    /// None is due.
    Idle,
    /// Under way: the heads after this collaboration are to be seen.
    After(Option<CollaborationId>),
}

/// Counts of entries from the start of one log: `acknowledged <= attempted <= delivered`.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    acknowledged: u64,
    /// The furthest that an advance with an unknown outcome may have moved the cursor.
    attempted: u64,
    delivered: u64,
}

impl Subscription<Store, StoreCursors> {
    /// Opens the subscription of `consumer` in the process that appends.
    ///
    /// # Errors
    ///
    /// As [`Subscription::open`].
    pub async fn in_process(store: &Store, consumer: ConsumerName) -> Result<Self, FeedError> {
        let wakeup = Wakeup::in_process(store);
        let cursors = StoreCursors::new(store.clone(), consumer);
        Self::open(store.clone(), cursors, wakeup, SWEEP_INTERVAL).await
    }
}

impl<L: LogReader, C: Cursors> Subscription<L, C> {
    /// Opens a subscription after what its cursors say was acknowledged, and sweeps at once and
    /// then every `sweep_interval`, which must not be zero.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Corrupt` if the cursors can't be loaded.
    pub async fn open(
        log: L,
        cursors: C,
        wakeup: Wakeup,
        sweep_interval: Duration,
    ) -> Result<Self, FeedError> {
        let progress = cursors
            .load()
            .await
            .map_err(cursor_failure)?
            .into_iter()
            .map(|(c, position)| {
                (c, Progress { acknowledged: position, attempted: position, delivered: position })
            })
            .collect();
        let mut timer = tokio::time::interval(sweep_interval);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            log,
            cursors,
            wakeup,
            progress,
            page: VecDeque::new(),
            behind: BTreeSet::new(),
            served: None,
            sweep: Sweep::Idle,
            timer,
            failures: 0,
            retry_at: Instant::now(),
        })
    }

    /// Waits for the next entry. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    ///
    /// See [`FeedError`]. After `Unavailable`, call again.
    pub async fn next(&mut self) -> Result<Delivery, FeedError> {
        loop {
            if let Some(delivery) = self.page.pop_front() {
                self.progress.entry(delivery.collaboration).or_default().delivered =
                    delivery.position + 1;
                return Ok(delivery);
            }
            tokio::time::sleep_until(self.retry_at).await;
            match self.step().await {
                Ok(()) => self.failures = 0,
                Err(error) => {
                    self.failures = self.failures.saturating_add(1);
                    self.retry_at = Instant::now() + backoff::delay(self.failures);
                    return Err(error);
                }
            }
        }
    }

    /// Waits for the next entry and takes with it those of the same collaboration that were read
    /// at once: 1 to [`PAGE_ENTRIES`], contiguous. Acknowledging the last acknowledges all.
    ///
    /// # Errors
    ///
    /// As [`Subscription::next`].
    pub async fn next_page(&mut self) -> Result<Vec<Delivery>, FeedError> {
        let mut deliveries = vec![self.next().await?];
        deliveries.extend(self.page.drain(..));
        if let Some(last) = deliveries.last() {
            self.progress.entry(last.collaboration).or_default().delivered = last.position + 1;
        }
        Ok(deliveries)
    }

    /// Makes it durable that `delivery` **and all before it in its collaboration** are done with.
    /// Acknowledging one again does nothing.
    ///
    /// # Errors
    ///
    /// `Unavailable`: repeat it, or acknowledge a later one. Otherwise see [`FeedError`].
    pub async fn acknowledge(&mut self, delivery: &Delivery) -> Result<(), FeedError> {
        let collaboration = delivery.collaboration;
        let progress = self.progress.get_mut(&collaboration).ok_or(FeedError::NotDelivered)?;
        if delivery.position >= progress.delivered {
            return Err(FeedError::NotDelivered);
        }
        let to = delivery.position + 1;
        // Again only if an earlier advance that seemed to fail was made: `acknowledged` grows.
        while progress.acknowledged < to {
            let known = progress.attempted;
            progress.attempted = known.max(to);
            match self.cursors.advance(collaboration, progress.acknowledged, to).await {
                Ok(()) => {
                    progress.acknowledged = to;
                    progress.attempted = to;
                }
                Err(CursorError::Conflict { actual })
                    if actual > progress.acknowledged && actual <= known =>
                {
                    progress.acknowledged = actual;
                }
                Err(CursorError::Conflict { actual }) => {
                    return Err(FeedError::Conflict { collaboration, actual });
                }
                Err(error) => return Err(cursor_failure(error)),
            }
        }
        Ok(())
    }

    /// One read, or one wait. What it changes before an await is whole, so it can be dropped there.
    async fn step(&mut self) -> Result<(), FeedError> {
        // Looked at first: neither a busy log nor a flood of hints may put off the sweep.
        if self.sweep == Sweep::Idle && self.timer.tick().now_or_never().is_some() {
            self.sweep = Sweep::After(None);
        }
        if let Sweep::After(after) = self.sweep {
            return self.sweep_page(after).await;
        }
        let Some(collaboration) = self.turn() else {
            tokio::select! {
                hint = self.wakeup.next() => self.take(hint),
                _ = self.timer.tick() => self.sweep = Sweep::After(None),
            }
            return Ok(());
        };
        // One hint for one read, so that forged ones can't pile up.
        if let Some(hint) = self.wakeup.next().now_or_never() {
            self.take(hint);
        }
        self.fill(collaboration).await
    }

    fn take(&mut self, hint: Hint) {
        match hint {
            Hint::Collaboration(collaboration) => {
                self.behind.insert(collaboration);
            }
            Hint::Anywhere => self.sweep = Sweep::After(None),
        }
    }

    /// The collaboration to read next: the one after that served last, around.
    fn turn(&self) -> Option<CollaborationId> {
        let after = self.served.map_or(Unbounded, Excluded);
        self.behind.range((after, Unbounded)).next().or(self.behind.first()).copied()
    }

    async fn fill(&mut self, collaboration: CollaborationId) -> Result<(), FeedError> {
        let from = self.progress.get(&collaboration).map_or(0, |progress| progress.delivered);
        let entries = self.log.range(collaboration, from, PAGE_ENTRIES).await?;
        if entries.is_empty() {
            self.behind.remove(&collaboration);
        }
        for (expected, entry) in (from..).zip(&entries) {
            let found = entry.position;
            if found != expected {
                return Err(FeedError::Corrupt(Corruption::Gap { collaboration, expected, found }));
            }
        }
        self.served = Some(collaboration);
        self.page.extend(entries.into_iter().map(|entry| Delivery {
            collaboration,
            position: entry.position,
            sealed: entry.sealed,
        }));
        Ok(())
    }

    /// Compares one page of heads with what was delivered.
    async fn sweep_page(&mut self, after: Option<CollaborationId>) -> Result<(), FeedError> {
        let heads = self.log.heads(after, HEADS_PAGE).await?;
        let last = heads.last().map(|(c, _)| *c);
        if last.is_some() && last <= after {
            let what = "the heads are not in order".into();
            return Err(FeedError::Corrupt(Corruption::Log(what)));
        }
        let heads: BTreeMap<_, _> = heads.into_iter().collect();
        let swept = (after.map_or(Unbounded, Excluded), last.map_or(Unbounded, Included));
        for (&collaboration, progress) in self.progress.range(swept) {
            let size = heads.get(&collaboration).copied().unwrap_or(0);
            let acknowledged = progress.acknowledged;
            if size < acknowledged {
                return Err(FeedError::Corrupt(Corruption::Shrunk {
                    collaboration,
                    size,
                    acknowledged,
                }));
            }
        }
        for (collaboration, size) in heads {
            if self.progress.get(&collaboration).map_or(0, |progress| progress.delivered) < size {
                self.behind.insert(collaboration);
            }
        }
        self.sweep = last.map_or(Sweep::Idle, |last| Sweep::After(Some(last)));
        Ok(())
    }
}

fn cursor_failure(error: CursorError) -> FeedError {
    match error {
        CursorError::Unavailable(source) => FeedError::Unavailable(source),
        CursorError::Corrupt(source) => FeedError::Corrupt(Corruption::Cursors(source)),
        // Loading conflicts with nothing; advancing tells its conflicts apart.
        conflict @ CursorError::Conflict { .. } => FeedError::Unavailable(conflict.into()),
    }
}
