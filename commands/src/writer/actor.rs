//! The one task that writes to a collaboration's log.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chancery_governance::state::{Member, State};
use chancery_governance::submission::key_of;
use chancery_ledger::entry::Sealed;
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::key::PublicKey;
use chancery_store::{AppendError, Fault};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

use super::batch::{Batch, Pending, Verdict};
use super::decide::{Turn, decide, reads_beside};
use super::{Known, Outcome, QUEUE_MAX, RACES_MAX, Request};
use crate::logs::Loaded;
use crate::problem::Problem;
use crate::refusal;
use crate::{App, Parts};

/// How long a writer waits for a command before it ends and lets its log go from memory.
const IDLE_MAX: Duration = Duration::from_mins(1);
/// Commands decided before other tasks of the thread get their turn.
const DECISIONS_AT_ONCE: usize = 32;

/// Starts the writer of a collaboration; it ends when it is idle, or the service is dropped.
pub fn spawn(app: &App, collaboration: CollaborationId) -> mpsc::Sender<Request> {
    let (queue, waiting) = mpsc::channel(QUEUE_MAX);
    let actor = Actor {
        parts: Arc::downgrade(&app.0),
        collaboration,
        queue: waiting,
        first: VecDeque::new(),
        loaded: None,
        append: None,
    };
    tokio::spawn(actor.run());
    queue
}

struct Actor {
    // Weak: the queues are part of the service, and a writer that held it would never end.
    parts: Weak<Parts>,
    collaboration: CollaborationId,
    queue: mpsc::Receiver<Request>,
    /// What comes before the queue: commands set back, or to be run again.
    first: VecDeque<Request>,
    /// The state after all that was decided, stored or not; none where it must be loaded.
    loaded: Option<Loaded>,
    append: Option<UnderWay>,
}

/// An append that may be on disk already.
struct UnderWay {
    pending: Pending,
    outcome: JoinHandle<Result<(), AppendError>>,
}

impl Actor {
    async fn run(mut self) {
        while self.next_is_there().await {
            let Some(parts) = self.parts.upgrade() else { return };
            let app = App(parts);
            let batch = self.batch(&app).await;
            if batch.is_empty() {
                continue;
            }
            if batch.has_entries() {
                self.start(&app, batch);
            } else {
                self.refuse(&app, batch).await;
            }
        }
    }

    /// Waits for something to do; false when the writer is to end.
    async fn next_is_there(&mut self) -> bool {
        if !self.first.is_empty() || self.append.is_some() {
            return true;
        }
        let next = tokio::time::timeout(IDLE_MAX, self.queue.recv()).await;
        let next = if let Ok(next) = next {
            next
        } else {
            // Closed first: a command that was queued in between is still taken.
            self.queue.close();
            self.queue.recv().await
        };
        self.first.extend(next);
        !self.first.is_empty()
    }

    /// Decides what waits, until the batch is full or, with no append under way, due or nothing
    /// waits.
    async fn batch(&mut self, app: &App) -> Batch {
        let mut batch = Batch::new();
        loop {
            self.take_what_waits(app, &mut batch).await;
            let Some(append) = &mut self.append else { return batch };
            if !batch.is_full() {
                tokio::select! {
                    biased;
                    outcome = &mut append.outcome => {
                        let outcome = flatten(outcome);
                        if let Err(set_back) = self.settle(app, outcome) {
                            self.again(set_back, batch);
                            batch = Batch::new();
                        }
                    }
                    Some(request) = self.queue.recv() => self.first.push_back(request),
                }
                continue;
            }
            let outcome = flatten((&mut append.outcome).await);
            if let Err(set_back) = self.settle(app, outcome) {
                self.again(set_back, batch);
                batch = Batch::new();
                continue;
            }
            return batch;
        }
    }

    async fn take_what_waits(&mut self, app: &App, batch: &mut Batch) {
        let mut decisions = 0;
        while !batch.is_full() && (self.append.is_some() || !batch.is_due()) {
            let Some(request) = self.first.pop_front().or_else(|| self.queue.try_recv().ok())
            else {
                return;
            };
            if self.must_wait(&request, batch) {
                self.first.push_front(request);
                return batch.close();
            }
            if self.loaded.is_none() {
                match app.logs.load(self.collaboration).await {
                    Ok(loaded) => {
                        app.writers.learn(keys(&loaded.state));
                        self.loaded = Some(loaded);
                    }
                    Err(error) => {
                        request.answer(Err(refusal::load(&error)));
                        continue;
                    }
                }
            }
            let alone = request.alone;
            if let Turn::Later(request) = decide(app, &mut self.loaded, batch, request).await {
                self.first.push_front(request);
                return batch.close();
            }
            if alone {
                return batch.close();
            }
            decisions += 1;
            if decisions % DECISIONS_AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Whether a command can be decided only when all before it is stored.
    fn must_wait(&self, request: &Request, batch: &Batch) -> bool {
        let id = request.incoming.headers.command;
        let unsettled = self.append.is_some() || !batch.is_empty();
        let barrier = request.alone || reads_beside(&request.incoming);
        (unsettled && barrier) || batch.holds(id) || self.appending(id)
    }

    fn appending(&self, id: CommandId) -> bool {
        self.append.as_ref().is_some_and(|append| append.pending.ids.contains(&id))
    }

    /// Starts the append of a batch. None is under way.
    fn start(&mut self, app: &App, batch: Batch) {
        let Some(loaded) = &mut self.loaded else { return self.again(Vec::new(), batch) };
        let key = match app.logs.sealing_key(&loaded.state) {
            Ok(key) => key,
            Err(problem) => {
                self.loaded = None;
                return refuse_all(batch.into_decided(), &problem);
            }
        };
        let (append, pending) = batch.append(self.collaboration, loaded, (&app.logs, &key));
        let store = app.store().clone();
        // A task of its own: it begins now, and goes on whatever becomes of this one.
        let outcome = tokio::spawn(async move { store.append(append).await });
        self.append = Some(UnderWay { pending, outcome });
    }

    /// Answers a batch of refusals, if the state that they rest on is that of the log still:
    /// another process may have moved it, and a refusal meets no conflict that could tell.
    async fn refuse(&mut self, app: &App, batch: Batch) {
        let size = self.loaded.as_ref().map_or(0, |loaded| loaded.tree.size());
        let decided = batch.into_decided();
        match app.store().head(self.collaboration).await {
            Ok(head) if head.as_ref().map_or(0, |head| head.size) == size => {
                for (request, verdict) in decided {
                    if let Verdict::Refused(problem) = verdict {
                        request.answer(Err(problem));
                    }
                }
            }
            Ok(_) => {
                self.loaded = None;
                let again = lost(decided);
                self.run_first(again);
            }
            Err(error) => refuse_all(decided, &refusal::read(&error)),
        }
    }

    /// Answers the append under way; gives what must be run again, with all that was decided on top
    /// of it, where it failed.
    fn settle(&mut self, app: &App, outcome: Result<(), AppendError>) -> Result<(), Vec<Request>> {
        let Some(UnderWay { pending, .. }) = self.append.take() else { return Ok(()) };
        let Err(error) = outcome else {
            for (request, outcome) in pending.settle() {
                if let Ok(committed) = &outcome {
                    let brought = committed.entries.iter().map(Sealed::entry);
                    app.writers.learn(brought.filter_map(key_of));
                }
                request.answer(outcome.map(Outcome::Made));
            }
            return Ok(());
        };
        self.loaded = None;
        let mut decided = pending.decided;
        Err(match error {
            AppendError::Conflict { .. } => lost(decided),
            AppendError::DuplicateCommand { id, .. } => {
                for (request, _) in &mut decided {
                    if request.incoming.headers.command == id {
                        request.known = Known::Ask;
                    }
                }
                requests(decided).collect()
            }
            AppendError::Unknown(fault) => {
                for (request, _) in &mut decided {
                    request.known = Known::Unsure(fault.clone());
                }
                lost(decided)
            }
            AppendError::TooLarge(_)
            | AppendError::Empty
            | AppendError::PersonalKeyExists
            | AppendError::Corrupt(_)
                if decided.len() > 1 =>
            {
                // One of them is to blame: each alone, so that only that one is refused.
                for (request, _) in &mut decided {
                    request.alone = true;
                }
                requests(decided).collect()
            }
            error => {
                refuse_all(decided, &refusal::append(&error));
                Vec::new()
            }
        })
    }

    /// Runs again what an append set back, then the batch that was decided on top of it.
    fn again(&mut self, set_back: Vec<Request>, batch: Batch) {
        self.loaded = None;
        let again = set_back.into_iter().chain(requests(batch.into_decided())).collect();
        self.run_first(again);
    }

    /// Puts commands before all that wait, in order.
    fn run_first(&mut self, requests: Vec<Request>) {
        for request in requests.into_iter().rev() {
            self.first.push_front(request);
        }
    }
}

/// The keys that commands on this state are signed with.
fn keys(state: &State) -> impl Iterator<Item = PublicKey> {
    let members = state.collaboration().into_iter().flat_map(|state| state.members.values());
    members.flat_map(Member::active_keys).cloned()
}

fn requests(decided: Vec<(Request, Verdict)>) -> impl Iterator<Item = Request> {
    decided.into_iter().map(|(request, _)| request)
}

fn refuse_all(decided: Vec<(Request, Verdict)>, problem: &Problem) {
    for request in requests(decided) {
        request.answer(Err(problem.clone()));
    }
}

/// Commands that met another writer, but those that met too many: these are answered.
fn lost(decided: Vec<(Request, Verdict)>) -> Vec<Request> {
    let mut again = Vec::new();
    for mut request in requests(decided) {
        request.races += 1;
        if request.races < RACES_MAX {
            again.push(request);
            continue;
        }
        let problem = match &request.known {
            Known::Unsure(fault) => refusal::outcome_unknown(fault),
            Known::New | Known::Ask => Problem::unavailable(
                "log_contended",
                "Other writers were faster several times. Send the same command again.",
            ),
        };
        request.answer(Err(problem));
    }
    again
}

/// An append whose task ended early may have been stored.
fn flatten(outcome: Result<Result<(), AppendError>, JoinError>) -> Result<(), AppendError> {
    outcome.unwrap_or_else(|_| Err(AppendError::Unknown(Fault::stopped())))
}
