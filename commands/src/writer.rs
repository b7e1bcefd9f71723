//! The write path: one writer for each collaboration, many collaborations at once.
//!
//! A command's signature is checked before it queues, together with those that wait. The
//! writer takes what waits as one batch: it decides each command on what those before it in the
//! batch leave, seals, and appends all of it under one checkpoint and one fsync; while that
//! commits, it decides the next batch. Nobody is answered before what the answer rests on is on
//! disk, refusals included: one may rest on an entry that is not stored yet.
//!
//! - [`actor`]: the writer's task
//! - [`batch`]: commands decided and sealed, and what the append makes of them
//! - [`decide`]: one command's way through the rules
//! - [`proving`]: signatures, checked before the commands queue
//! - [`rotate`]: moving logs to the service's newest key

mod actor;
mod batch;
mod decide;
mod proving;
mod rotate;

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use chancery_governance::member::Identity;
use chancery_governance::submission::{self, Carried};
use chancery_ledger::cose::{Sign1, Verified};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Authority;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::key::{KeyId, PublicKey};
use chancery_store::{CommandRecord, Fault};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::App;
use crate::caller::Caller;
use crate::execute::{Incoming, Submitted};
use crate::problem::Problem;
use crate::refusal;
use proving::Proving;

pub use batch::{BATCH_BYTES_MAX, BATCH_COMMANDS_MAX, BATCH_TIME_MAX, Committed};

/// Commands that wait for one collaboration's writer, at most; the next is answered 503. Several
/// batches: one is checked, one decided and one stored at the same time, and more must wait for the
/// writer to have work.
pub const QUEUE_MAX: usize = 4096;
/// Bytes of all commands that wait, at most, in KiB; the next is answered 503.
pub const QUEUE_KIB_MAX: u32 = 64 << 10;
/// Collaborations that are written to at the same time, at most; the next is answered 503.
pub const WRITERS_MAX: usize = 4096;
/// Public keys held to check signatures before they queue, at most. A key that is not held costs
/// its command a check in the queue.
pub const KEYS_MAX: usize = 65_536;
/// How often a lost race for the next position is run again.
const RACES_MAX: u32 = 4;

/// The writers of one service.
pub struct Writers {
    queues: Mutex<HashMap<CollaborationId, mpsc::Sender<Request>>>,
    room: Arc<Semaphore>,
    keys: RwLock<HashMap<KeyId, PublicKey>>,
    proving: Proving,
}

/// Who sends a command.
pub(crate) enum Sender {
    /// Somebody with a verified token.
    Caller {
        /// Who, as the rules know it.
        identity: Identity,
        /// The e-mail that the issuer vouches for.
        verified_email: Option<String>,
        /// Whether it is this service's executor.
        is_executor: bool,
    },
    /// The service itself, to change its key.
    Service,
}

impl Sender {
    /// Who sends with this token.
    pub(crate) fn of(caller: &Caller) -> Self {
        Self::Caller {
            identity: caller.governance_identity(),
            verified_email: caller.verified_email().map(ToOwned::to_owned),
            is_executor: caller.is_executor,
        }
    }
}

/// A command on its way to a writer. It changes hands often: what it holds stays where it is.
struct Request(Box<Held>);

struct Held {
    sender: Sender,
    incoming: Incoming,
    authority: Authority,
    /// What the authority carries, where that was read before the command queued.
    carried: Option<Carried>,
    /// Proof that the authority's signature was checked.
    verified: Option<Verified>,
    /// What the command's id stands for.
    digest: Digest,
    /// Lost races so far.
    races: u32,
    /// Whether its outcome may be stored already, so that the store is asked before the rules are.
    known: Known,
    /// Whether it must be the only one of its batch.
    alone: bool,
    reply: oneshot::Sender<Result<Outcome, Problem>>,
    _room: OwnedSemaphorePermit,
}

impl Request {
    /// The signed message that was read already.
    fn signed(&self) -> Option<&Sign1> {
        Some(&self.carried.as_ref()?.signed.as_ref()?.message)
    }

    /// Answers the sender. One who no longer listens is passed over.
    fn answer(self, outcome: Result<Outcome, Problem>) {
        let _ = self.0.reply.send(outcome);
    }
}

impl Deref for Request {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.0
    }
}

impl DerefMut for Request {
    fn deref_mut(&mut self) -> &mut Held {
        &mut self.0
    }
}

/// What is known of a command's id before it is decided.
enum Known {
    /// It looks new; the append tells if it is not.
    New,
    /// Ask the store first.
    Ask,
    /// An append of it had an unknown outcome.
    Unsure(Fault),
}

/// What became of a command.
pub enum Outcome {
    /// Its entries are stored.
    Made(Committed),
    /// They were before: at an earlier delivery.
    Replayed(CommandRecord),
}

impl Default for Writers {
    fn default() -> Self {
        Self {
            queues: Mutex::default(),
            room: Arc::new(Semaphore::new(QUEUE_KIB_MAX as usize)),
            keys: RwLock::default(),
            proving: Proving::default(),
        }
    }
}

impl Writers {
    /// Hands a command to its collaboration's writer and waits for what becomes of it.
    ///
    /// # Errors
    ///
    /// The problem to answer with: 503 with `Retry-After` where too much waits already.
    pub(crate) async fn submit(
        &self,
        app: &App,
        sender: Sender,
        incoming: Incoming,
        Submitted { authority, carried }: Submitted,
    ) -> Result<Outcome, Problem> {
        // What a command holds while it waits, but for some hundred bytes.
        let kib = u32::try_from(authority.carried_len() / 1024 + 1).unwrap_or(QUEUE_KIB_MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib).map_err(|_| busy())?;
        let (reply, outcome) = oneshot::channel();
        let mut request = Request(Box::new(Held {
            sender,
            digest: incoming.digest(authority.content().unwrap_or_default()),
            incoming,
            carried,
            authority,
            verified: None,
            races: 0,
            known: Known::New,
            alone: false,
            reply,
            _room: room,
        }));
        let find = |id| self.key(id);
        let signer = request.carried.as_ref().and_then(|carried| carried.signed_by(&find));
        if let Some((_, key)) = signer {
            self.proving.send(app, request, key);
        } else {
            if request.carried.is_none() {
                // A long one: read twice rather than held, as many may wait.
                let carried = submission::carried(&request.authority).ok();
                request.verified = carried.and_then(|carried| carried.preverify(&find));
            }
            self.enqueue(app, request);
        }
        // A writer that ended without an answer may have stored the command.
        outcome.await.unwrap_or_else(|_| Err(refusal::outcome_unknown(&Fault::stopped())))
    }

    /// Hands a request to its collaboration's writer, or answers it where that is not possible.
    fn enqueue(&self, app: &App, request: Request) {
        if let Some(request) = self.without_room(app, request) {
            request.answer(Err(busy()));
        }
    }

    /// Hands a request to its collaboration's writer; gives it back where there is no room for it.
    fn without_room(&self, app: &App, mut request: Request) -> Option<Request> {
        let collaboration = request.incoming.collaboration;
        let mut queues = self.queues();
        if let Some(queue) = queues.get(&collaboration) {
            match queue.try_send(request) {
                Ok(()) => return None,
                Err(TrySendError::Full(returned)) => return Some(returned),
                Err(TrySendError::Closed(returned)) => request = returned,
            }
        }
        queues.retain(|_, queue| !queue.is_closed());
        if queues.len() >= WRITERS_MAX {
            return Some(request);
        }
        let queue = actor::spawn(app, collaboration);
        let returned = queue.try_send(request).err().map(TrySendError::into_inner);
        queues.insert(collaboration, queue);
        returned
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<CollaborationId, mpsc::Sender<Request>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, id: KeyId) -> Option<PublicKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Holds these keys from now on. An id is its key's digest, so that none can be wrong.
    fn learn(&self, new: impl IntoIterator<Item = PublicKey>) {
        let mut new = new.into_iter().peekable();
        // Most entries bring none: then nobody waits for the lock.
        if new.peek().is_none() {
            return;
        }
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        for key in new {
            if keys.len() >= KEYS_MAX {
                keys.clear();
            }
            keys.insert(key.id(), key);
        }
    }
}

fn busy() -> Problem {
    Problem::unavailable(
        "log_busy",
        "Too many commands wait for this log. Send the same command again in a moment.",
    )
}
