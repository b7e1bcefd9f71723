//! Signatures of commands on their way to the writers: one at a time while few come, many at once
//! when many do. A batch costs a fraction of as many single checks
//! ([`chancery_ledger::batch`]).

use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chancery_ledger::batch::Seed;
use chancery_ledger::cose;
use chancery_ledger::key::PublicKey;

use super::Request;
use crate::App;
use crate::clock::random;

/// Signatures checked together, at most: with larger batches all callers wait for one check, then all
/// for their writers, and the two stages no longer overlap.
const TOGETHER_MAX: usize = 512;

/// How often a check waits for more, at most.
const GATHERINGS_MAX: usize = 8;

/// Commands whose signatures wait to be checked. What waits is bounded with all that the writers
/// hold: [`super::QUEUE_KIB_MAX`].
pub struct Proving {
    state: Mutex<State>,
    seed: Seed,
    /// How many may check signatures at one moment: half of the cores, as the others decide, seal and
    /// store. Fewer make larger batches.
    at_work_max: usize,
}

#[derive(Default)]
struct State {
    waiting: Vec<(Request, PublicKey)>,
    /// How many check signatures at this moment.
    at_work: usize,
}

impl Default for Proving {
    fn default() -> Self {
        // Without randomness from the system nothing else here works either; the seed then comes
        // down to the signatures themselves.
        let drawn = random().unwrap_or_else(|error| {
            tracing::warn!(%error, "signatures are checked together without randomness");
            [0; 32]
        });
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { state: Mutex::default(), seed: Seed::new(drawn), at_work_max: cores.div_ceil(2) }
    }
}

impl Proving {
    /// Checks that `key` signed the request's command, and sends it on to its writer, together with
    /// all that come until somebody is free to check. A signature that does not verify is its
    /// writer's to refuse.
    pub fn send(&self, app: &App, request: Request, key: PublicKey) {
        {
            let mut state = self.state();
            state.waiting.push((request, key));
            if state.at_work >= self.at_work_max {
                return;
            }
            state.at_work += 1;
        }
        let mut turn = Turn { app: app.clone(), over: false };
        tokio::spawn(async move {
            loop {
                turn.gather().await;
                let Some(batch) = turn.next() else { return };
                prove(&turn.app, batch);
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to check signatures, given back also by who panics.
struct Turn {
    app: App,
    over: bool,
}

impl Turn {
    /// Lets others that are ready to run go first, with their commands, as long as more come.
    async fn gather(&self) {
        let mut before = 0;
        for _ in 0..GATHERINGS_MAX {
            tokio::task::yield_now().await;
            let waiting = self.app.writers.proving.state().waiting.len();
            if waiting <= before || waiting >= TOGETHER_MAX {
                return;
            }
            before = waiting;
        }
    }

    /// What to check next; none where nothing waits, and the turn is over.
    fn next(&mut self) -> Option<Vec<(Request, PublicKey)>> {
        let mut state = self.app.writers.proving.state();
        if state.waiting.is_empty() {
            state.at_work -= 1;
            self.over = true;
            return None;
        }
        let len = state.waiting.len().min(TOGETHER_MAX);
        Some(state.waiting.drain(..len).collect())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.over {
            self.app.writers.proving.state().at_work -= 1;
        }
    }
}

fn prove(app: &App, batch: Vec<(Request, PublicKey)>) {
    let signed: Vec<_> =
        batch.iter().filter_map(|(request, key)| Some((request.signed()?, key))).collect();
    let mut proofs = cose::verify_each(&signed, &app.writers.proving.seed).into_iter();
    let proofs: Vec<_> = batch
        .iter()
        .map(|(request, _)| request.signed().and_then(|_| proofs.next().flatten()))
        .collect();
    for ((mut request, _), proof) in batch.into_iter().zip(proofs) {
        request.verified = proof;
        app.writers.enqueue(app, request);
    }
}
