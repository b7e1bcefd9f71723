//! Asks one witness for all logs. Its failures delay nobody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::note::Cosigned;
use chancery_ledger::tile;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, sleep_until};

use super::{Options, Shared};
use crate::backoff;
use crate::board::Board;
use crate::client::{Answer, Client, ClientError, FUTURE_SECONDS_MAX};
use crate::clock::Clock;
use crate::logs::{Logs, LogsError, Signed};
use crate::request::AddCheckpoint;

/// Requests for one checkpoint before it is put off: one, and one at the size that the witness then
/// says it is at.
const ATTEMPTS: usize = 2;

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Logs(#[from] LogsError),
    #[error("the log's tiles give no proof")]
    Proof,
    /// Either the log lost entries, or the witness is wrong.
    #[error("the witness cosigned {size} entries, more than were asked for")]
    Ahead { size: u64 },
    #[error("the witness says another size each time")]
    Unsteady,
    #[error("the cosignature does not fit the note")]
    Merge,
}

/// Failures in a row, and until when to wait.
#[derive(Debug, Clone, Copy)]
struct Pause {
    failures: u32,
    until: Instant,
}

#[derive(Debug, Default)]
struct Memory {
    /// The size that the witness last cosigned, by log.
    sizes: HashMap<CollaborationId, u64>,
    /// Logs that it did not cosign.
    paused: HashMap<CollaborationId, Pause>,
    /// It does not answer.
    down: Option<Pause>,
}

impl Memory {
    fn waits_until(&self, c: CollaborationId) -> Option<Instant> {
        let log = self.paused.get(&c).map(|pause| pause.until);
        log.max(self.down.map(|pause| pause.until))
    }
}

pub struct Worker<L> {
    index: usize,
    client: Client,
    logs: Arc<L>,
    shared: Arc<Shared>,
    clock: Clock,
    options: Options,
    memory: Mutex<Memory>,
}

impl<L: Logs> Worker<L> {
    pub fn new(
        index: usize,
        client: Client,
        logs: Arc<L>,
        shared: Arc<Shared>,
        clock: Clock,
        options: Options,
    ) -> Self {
        Self { index, client, logs, shared, clock, options, memory: Mutex::default() }
    }

    /// Asks for what is out for cosignature, for ever.
    pub async fn run(self) {
        let mut changed = self.shared.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let open = self.shared.board(|board| board.open_for(self.client.witness().name()));
            let now = Instant::now();
            let waits = |c: &CollaborationId| {
                self.memory(|memory| memory.waits_until(*c)).filter(|until| *until > now)
            };
            let next = open.iter().filter_map(|(c, _)| waits(c)).min();
            let due: Vec<_> = open.into_iter().filter(|(c, _)| waits(c).is_none()).collect();
            if !due.is_empty() {
                let asking = stream::iter(due);
                asking.for_each_concurrent(self.options.parallel, |job| self.tend(job)).await;
                continue;
            }
            let paused = async {
                match next {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = paused => {}
                // The sender lives in `shared`, as long as this worker.
                _ = changed.changed() => {}
            }
        }
    }

    fn memory<T>(&self, act: impl FnOnce(&mut Memory) -> T) -> T {
        act(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for one checkpoint and takes note of how it went.
    async fn tend(&self, (c, target): (CollaborationId, Signed)) {
        // Another request of this batch may have found it down.
        if self.memory(|memory| memory.down).is_some_and(|down| down.until > Instant::now()) {
            return;
        }
        match self.ask(c, &target).await {
            Ok(cosigned) => self.succeeded(c, target.size, &cosigned),
            Err(error) => self.failed(c, &error),
        }
    }

    async fn ask(&self, c: CollaborationId, target: &Signed) -> Result<Cosigned, AskError> {
        for _ in 0..ATTEMPTS {
            let old = self.memory(|memory| memory.sizes.get(&c).copied()).unwrap_or(0);
            if old > target.size {
                self.shared.board(|board| board.outrun(c, old));
                self.shared.moved.notify_one();
                // It may have lied or been restored: next time, let it say again.
                self.memory(|memory| memory.sizes.remove(&c));
                return Err(AskError::Ahead { size: old });
            }
            let proof = self.proof(c, old, target.size).await?;
            let request = AddCheckpoint { old, proof, note: target.note.clone() };
            self.shared.witness(self.index, |status| status.asked += 1);
            let now = (self.clock)();
            let answer = self.client.add_checkpoint(&request, now).await?;
            self.memory(|memory| memory.down = None);
            match answer {
                Answer::Cosigned(cosigned, line) => {
                    self.memory(|memory| memory.sizes.insert(c, target.size));
                    let time_max = now.saturating_add(FUTURE_SECONDS_MAX);
                    let add = |board: &mut Board| board.add(c, target.size, &line, time_max);
                    self.shared.board(add).map_err(|_| AskError::Merge)?;
                    self.shared.moved.notify_one();
                    return Ok(cosigned);
                }
                Answer::Conflict(size) => {
                    self.memory(|memory| memory.sizes.insert(c, size));
                }
            }
        }
        self.memory(|memory| memory.sizes.remove(&c));
        Err(AskError::Unsteady)
    }

    async fn proof(&self, c: CollaborationId, old: u64, new: u64) -> Result<Vec<Digest>, AskError> {
        if old == 0 || old == new {
            return Ok(Vec::new());
        }
        let wanted = tile::for_consistency(old, new).ok_or(AskError::Proof)?;
        let tiles = self.logs.tiles(c, &wanted).await?;
        tile::consistency_proof(old, new, &tiles).map_err(|_| AskError::Proof)
    }

    fn succeeded(&self, c: CollaborationId, size: u64, cosigned: &Cosigned) {
        self.memory(|memory| memory.paused.remove(&c));
        self.shared.witness(self.index, |status| {
            status.cosigned += 1;
            status.outages = 0;
            let log = status.logs.entry(c).or_default();
            log.size = size;
            log.time = Some(cosigned.time);
            if log.error.take() == status.last_error {
                status.last_error = None;
            }
        });
    }

    fn failed(&self, c: CollaborationId, error: &AskError) {
        let outage = matches!(error, AskError::Client(error) if error.is_outage());
        let Options { backoff_first, backoff_cap, .. } = self.options;
        let pause = |before: Option<Pause>| {
            let failures = before.map_or(0, |pause| pause.failures).saturating_add(1);
            let delay = backoff::delay(failures, backoff_first, backoff_cap);
            Pause { failures, until: Instant::now() + delay }
        };
        let size = self.memory(|memory| {
            if outage {
                memory.down = Some(pause(memory.down));
            } else {
                memory.paused.insert(c, pause(memory.paused.get(&c).copied()));
            }
            memory.sizes.get(&c).copied()
        });
        let name = self.client.witness().name();
        let text = error.to_string();
        self.shared.witness(self.index, |status| {
            status.outages = if outage { status.outages.saturating_add(1) } else { 0 };
            let log = status.logs.entry(c).or_default();
            log.size = size.unwrap_or(log.size);
            if log.error.as_ref() != Some(&text) {
                tracing::warn!(witness = name, collaboration = %c, error = text, "not cosigned");
            }
            log.error = Some(text.clone());
            status.last_error = Some(text);
        });
    }
}
