//! Has the logs of a service cosigned: follows their heads and asks all witnesses at once.

mod worker;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chancery_ledger::id::CollaborationId;
use chancery_ledger::note::{Policy, PolicyError, Witness};
use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout_at};

use crate::board::Board;
use crate::client::Client;
use crate::clock::Clock;
use crate::logs::{Logs, LogsError};
use crate::status::{Status, WitnessStatus};
use worker::Worker;

/// How the driver paces itself.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many witnesses must cosign a checkpoint before it is kept.
    pub threshold: usize,
    /// How often all heads are looked at without a hint.
    pub sweep: Duration,
    /// The least time between two looks, however many hints there are.
    pub settle: Duration,
    /// The least time that a checkpoint stays out for cosignature while a newer one is there: slow
    /// witnesses get their chance, and quick ones are not asked more often than that.
    pub round_min: Duration,
    /// The most time that it stays out, where too few cosign it.
    pub round_max: Duration,
    /// The first wait after a failure of a witness; it doubles.
    pub backoff_first: Duration,
    /// The longest wait.
    pub backoff_cap: Duration,
    /// Most requests at once to one witness.
    pub parallel: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threshold: 1,
            sweep: Duration::from_secs(5),
            settle: Duration::from_millis(100),
            round_min: Duration::from_secs(1),
            round_max: Duration::from_secs(30),
            backoff_first: Duration::from_millis(500),
            backoff_cap: Duration::from_mins(5),
            parallel: 8,
        }
    }
}

/// What the follower and the workers share.
struct Shared {
    board: Mutex<Board>,
    witnesses: Mutex<Vec<WitnessStatus>>,
    /// Counts changes of the board.
    changed: watch::Sender<u64>,
    /// A worker found that a target must move.
    moved: Arc<Notify>,
}

impl Shared {
    fn board<T>(&self, act: impl FnOnce(&mut Board) -> T) -> T {
        act(&mut self.board.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn witness<T>(&self, index: usize, act: impl FnOnce(&mut WitnessStatus) -> T) -> Option<T> {
        let mut all = self.witnesses.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_mut(index).map(act)
    }
}

/// Has logs cosigned. It only reads them, and keeps what witnesses said beside them.
pub struct Driver<L> {
    logs: Arc<L>,
    workers: Vec<Worker<L>>,
    shared: Arc<Shared>,
    options: Options,
}

/// Reads how witnessing stands, while the driver runs.
#[derive(Clone)]
pub struct StatusHandle(Arc<Shared>);

impl StatusHandle {
    /// How it stands now.
    pub fn read(&self) -> Status {
        let witnesses = self.0.witnesses.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Status { witnesses, logs: self.0.board(|board| board.status()) }
    }
}

impl<L: Logs> Driver<L> {
    /// Of `logs`, with a client for each witness.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] where so many of these witnesses can't cosign.
    pub fn new(
        logs: Arc<L>,
        clients: Vec<Client>,
        clock: &Clock,
        options: Options,
    ) -> Result<Self, PolicyError> {
        let witnesses: Vec<Witness> = clients.iter().map(|one| one.witness().clone()).collect();
        let names = witnesses.iter().map(|witness| witness.name().to_owned());
        let status = names.map(|name| WitnessStatus { name, ..WitnessStatus::default() }).collect();
        let policy = Policy::new(witnesses, options.threshold)?;
        let board = Board::new(policy, options.round_min, options.round_max);
        let shared = Arc::new(Shared {
            board: Mutex::new(board),
            witnesses: Mutex::new(status),
            changed: watch::Sender::new(0),
            moved: Arc::new(Notify::new()),
        });
        let worker = |(index, client)| {
            Worker::new(index, client, logs.clone(), shared.clone(), clock.clone(), options.clone())
        };
        let workers = clients.into_iter().enumerate().map(worker).collect();
        Ok(Self { logs, workers, shared, options })
    }

    /// Reads how it stands.
    pub fn status(&self) -> StatusHandle {
        StatusHandle(self.shared.clone())
    }

    /// Notify it when a log may have grown; without, it looks every [`Options::sweep`].
    pub fn hint(&self) -> Arc<Notify> {
        self.shared.moved.clone()
    }

    /// Runs until `shutdown`. What is under way then is dropped: it is asked for again next time.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { logs, workers, shared, options } = self;
        let workers = join_all(workers.into_iter().map(Worker::run));
        let all = async { tokio::join!(follow(&*logs, &shared, &options), workers) };
        tokio::select! {
            () = shutdown => {}
            _ = all => {}
        }
    }
}

/// Keeps the targets of all logs up with their heads, for ever.
async fn follow<L: Logs>(logs: &L, shared: &Shared, options: &Options) {
    loop {
        let followed = async {
            keep(logs, shared).await?;
            sweep(logs, shared).await
        };
        if let Err(error) = followed.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "logs can't be followed now");
        }
        sleep(options.settle).await;
        let sweep = Instant::now() + options.sweep;
        let next = shared.board(|board| board.next_due()).map_or(sweep, |due| due.min(sweep));
        // Timed out or not, look again.
        let _ = timeout_at(next, shared.moved.notified()).await;
    }
}

/// Keeps what enough witnesses have cosigned. Here alone, one after the other, so that a note with
/// fewer lines never replaces one with more; what fails is kept the next time.
async fn keep<L: Logs>(logs: &L, shared: &Shared) -> Result<(), LogsError> {
    for (c, signed, cosignatures) in shared.board(|board| board.unkept()) {
        let size = signed.size;
        if !logs.put_cosigned(c, signed).await? {
            tracing::warn!(collaboration = %c, size, "a newer cosigned checkpoint is kept");
        }
        shared.board(|board| board.kept(c, size, cosignatures));
    }
    Ok(())
}

async fn sweep<L: Logs>(logs: &L, shared: &Shared) -> Result<(), LogsError> {
    let mut after = None;
    loop {
        let page = logs.heads(after).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(*last);
        for (c, size) in page {
            if shared.board(|board| board.needs_target(c, size, Instant::now())) {
                retarget(logs, shared, c).await?;
            }
        }
    }
}

async fn retarget<L: Logs>(logs: &L, shared: &Shared, c: CollaborationId) -> Result<(), LogsError> {
    let kept = if shared.board(|board| board.is_new(c)) { logs.cosigned(c).await? } else { None };
    let Some(head) = logs.head(c).await? else { return Ok(()) };
    let put = shared.board(|board| board.put(c, head.clone(), kept, Instant::now()));
    if put.is_err() {
        // What was kept is damaged: the log's own note will do.
        tracing::error!(collaboration = %c, "the kept cosigned checkpoint does not verify");
        let put = shared.board(|board| board.put(c, head, None, Instant::now()));
        put.map_err(|error| LogsError(Box::new(error)))?;
    }
    shared.changed.send_modify(|changes| *changes += 1);
    Ok(())
}
