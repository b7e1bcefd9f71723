//! A log and cursors that fail in each way they can.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]
#![allow(dead_code, reason = "each test binary uses its part of the support")]

mod support;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use chancery_feed::{
    Corruption, CursorError, Cursors, FeedError, FileCursors, LogEntry, LogReader, ReadFailure,
    Subscription, Wakeup,
};
use chancery_ledger::id::CollaborationId;
use support::{NEVER, SOON, collaboration, next, sealed};

/// A log in memory whose next reads may be scripted.
#[derive(Clone, Default)]
struct FakeLog(Arc<Mutex<FakeLogState>>);

#[derive(Default)]
struct FakeLogState {
    sizes: BTreeMap<CollaborationId, u64>,
    reads: VecDeque<Read>,
}

#[derive(Clone, Copy)]
enum Read {
    Unavailable,
    Corrupt,
    /// Leaves out the entry at this position.
    Without(u64),
}

impl FakeLog {
    fn of(sizes: &[(CollaborationId, u64)]) -> Self {
        let log = Self::default();
        log.0.lock().unwrap().sizes.extend(sizes.iter().copied());
        log
    }

    fn script(&self, reads: &[Read]) {
        self.0.lock().unwrap().reads.extend(reads);
    }

    /// The log, if the script lets this read through, and the position left out.
    fn read(&self) -> Result<(BTreeMap<CollaborationId, u64>, Option<u64>), ReadFailure> {
        let mut state = self.0.lock().unwrap();
        match state.reads.pop_front() {
            Some(Read::Unavailable) => Err(ReadFailure::Unavailable("scripted".into())),
            Some(Read::Corrupt) => Err(ReadFailure::Corrupt("scripted".into())),
            Some(Read::Without(position)) => Ok((state.sizes.clone(), Some(position))),
            None => Ok((state.sizes.clone(), None)),
        }
    }
}

impl LogReader for FakeLog {
    async fn range(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<LogEntry>, ReadFailure> {
        let (sizes, without) = self.read()?;
        let size = sizes.get(&c).copied().unwrap_or(0);
        Ok((from..size)
            .filter(|position| Some(*position) != without)
            .take(limit as usize)
            .map(|position| LogEntry { position, sealed: sealed(c, position) })
            .collect())
    }

    async fn heads(
        &self,
        after: Option<CollaborationId>,
        limit: u32,
    ) -> Result<Vec<(CollaborationId, u64)>, ReadFailure> {
        let (sizes, _) = self.read()?;
        Ok(sizes.into_iter().filter(|(c, _)| Some(*c) > after).take(limit as usize).collect())
    }
}

/// Cursors in memory whose next moves may fail, with or without being made.
#[derive(Clone, Default)]
struct FakeCursors(Arc<Mutex<FakeCursorsState>>);

#[derive(Default)]
struct FakeCursorsState {
    cursors: BTreeMap<CollaborationId, u64>,
    moves: VecDeque<Move>,
}

#[derive(Clone, Copy)]
enum Move {
    FailedNotStored,
    FailedButStored,
}

impl FakeCursors {
    fn script(&self, moves: &[Move]) {
        self.0.lock().unwrap().moves.extend(moves);
    }
}

impl Cursors for FakeCursors {
    async fn load(&self) -> Result<BTreeMap<CollaborationId, u64>, CursorError> {
        Ok(self.0.lock().unwrap().cursors.clone())
    }

    async fn advance(&self, c: CollaborationId, from: u64, to: u64) -> Result<(), CursorError> {
        let FakeCursorsState { cursors, moves } = &mut *self.0.lock().unwrap();
        let scripted = moves.pop_front();
        let cursor = cursors.entry(c).or_default();
        if *cursor != from {
            return Err(CursorError::Conflict { actual: *cursor });
        }
        if !matches!(scripted, Some(Move::FailedNotStored)) {
            *cursor = to;
        }
        match scripted {
            Some(_) => Err(CursorError::Unavailable("scripted".into())),
            None => Ok(()),
        }
    }
}

#[tokio::test]
async fn an_unavailable_log_keeps_its_place() {
    let c = collaboration(1);
    let log = FakeLog::of(&[(c, 200)]);
    let mut subscription =
        Subscription::open(log.clone(), FakeCursors::default(), Wakeup::none(), SOON)
            .await
            .unwrap();
    for position in 0..200 {
        if position % 64 == 0 {
            log.script(&[Read::Unavailable; 3]);
            for _ in 0..3 {
                let failed = subscription.next().await;
                assert!(matches!(failed, Err(FeedError::Unavailable(_))), "{failed:?}");
            }
        }
        assert_eq!(next(&mut subscription).await.position, position);
    }
}

#[tokio::test]
async fn a_corrupt_log_is_told_and_nothing_skipped() {
    let c = collaboration(1);
    let log = FakeLog::of(&[(c, 3)]);
    let mut subscription =
        Subscription::open(log.clone(), FakeCursors::default(), Wakeup::none(), SOON)
            .await
            .unwrap();
    log.script(&[Read::Corrupt]);
    let corrupt = subscription.next().await;
    assert!(matches!(corrupt, Err(FeedError::Corrupt(Corruption::Log(_)))), "{corrupt:?}");
    assert_eq!(next(&mut subscription).await.position, 0);
}

#[tokio::test]
async fn a_gap_in_a_range_is_corrupt_and_nothing_of_it_delivered() {
    let c = collaboration(1);
    for hole in [0, 2] {
        let log = FakeLog::of(&[(c, 5)]);
        let mut subscription =
            Subscription::open(log.clone(), FakeCursors::default(), Wakeup::none(), NEVER)
                .await
                .unwrap();
        // The sweep reads two pages of heads, the second of them empty; then comes the range.
        log.script(&[Read::Without(hole); 3]);
        match subscription.next().await {
            Err(FeedError::Corrupt(Corruption::Gap { expected, found, .. })) => {
                assert_eq!((expected, found), (hole, hole + 1));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(next(&mut subscription).await.position, 0);
    }
}

#[tokio::test]
async fn a_log_shorter_than_what_was_acknowledged_is_corrupt() {
    let (one, two) = (collaboration(1), collaboration(2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cursors");
    {
        let cursors = FileCursors::open(&path).await.unwrap();
        let log = FakeLog::of(&[(one, 4), (two, 4)]);
        let mut subscription =
            Subscription::open(log, cursors, Wakeup::none(), SOON).await.unwrap();
        for _ in 0..8 {
            let delivery = next(&mut subscription).await;
            subscription.acknowledge(&delivery).await.unwrap();
        }
    }
    // Rolled back, emptied at the end, and emptied whole.
    for sizes in [&[(one, 4), (two, 3)][..], &[(one, 9)], &[]] {
        let cursors = FileCursors::open(&path).await.unwrap();
        let mut subscription =
            Subscription::open(FakeLog::of(sizes), cursors, Wakeup::none(), SOON).await.unwrap();
        match subscription.next().await {
            Err(FeedError::Corrupt(Corruption::Shrunk { size, acknowledged: 4, .. })) => {
                assert!(size < 4);
            }
            other => panic!("{sizes:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_acknowledgement_that_failed_can_be_repeated_stored_or_not() {
    let c = collaboration(1);
    for failure in [Move::FailedNotStored, Move::FailedButStored] {
        for later in [false, true] {
            let cursors = FakeCursors::default();
            let log = FakeLog::of(&[(c, 5)]);
            let mut subscription =
                Subscription::open(log, cursors.clone(), Wakeup::none(), SOON).await.unwrap();
            let mut deliveries = Vec::new();
            for _ in 0..5 {
                deliveries.push(next(&mut subscription).await);
            }
            cursors.script(&[failure]);
            let failed = subscription.acknowledge(&deliveries[1]).await;
            assert!(matches!(failed, Err(FeedError::Unavailable(_))), "{failed:?}");
            let position = if later { 3 } else { 1 };
            subscription.acknowledge(&deliveries[position]).await.unwrap();
            assert_eq!(cursors.load().await.unwrap(), [(c, position as u64 + 1)].into());
        }
    }
}

#[tokio::test]
async fn a_cursor_that_another_moved_is_a_conflict() {
    let c = collaboration(1);
    let cursors = FakeCursors::default();
    let mut subscription =
        Subscription::open(FakeLog::of(&[(c, 5)]), cursors.clone(), Wakeup::none(), SOON)
            .await
            .unwrap();
    let delivery = next(&mut subscription).await;
    cursors.advance(c, 0, 3).await.unwrap();
    for _ in 0..2 {
        let refused = subscription.acknowledge(&delivery).await;
        // Told each time, not taken for its own.
        assert!(matches!(refused, Err(FeedError::Conflict { actual: 3, .. })), "{refused:?}");
    }
}
