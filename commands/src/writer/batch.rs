//! A batch: commands decided in order, each on what those before it leave, and their entries.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_governance::log::seal;
use chancery_governance::submission::{Decision, Submission};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle::Growth;
use chancery_ledger::receipt::SignedRoot;
use chancery_store::{Append, BATCH_ENTRIES_MAX, NewCommand, NewEntry};

use super::Request;
use crate::logs::{Loaded, Logs};
use crate::problem::Problem;

/// Commands in one batch, at most.
pub const BATCH_COMMANDS_MAX: usize = 512;
/// Bytes of sealed entries after which a batch takes no further command.
pub const BATCH_BYTES_MAX: usize = 4 << 20;
/// How long a batch takes commands, at most, unless the append before it is still under way.
pub const BATCH_TIME_MAX: Duration = Duration::from_millis(20);
/// A command of more events than this is a batch of its own.
const COMPANY_EVENTS_MAX: usize = 8;

/// Commands decided and sealed, not stored yet.
pub struct Batch {
    entries: Vec<Sealed>,
    bytes: usize,
    personal_keys: Vec<(String, Vec<u8>)>,
    erased: Vec<String>,
    commands: Vec<NewCommand>,
    ids: HashSet<CommandId>,
    decided: Vec<(Request, Verdict)>,
    opened: Instant,
    closed: bool,
}

/// What a command changes beside the log, in the same transaction.
#[derive(Default)]
pub struct Beside {
    /// A subject's new key.
    pub personal_key: Option<(String, Vec<u8>)>,
    /// The subjects whose keys are destroyed.
    pub erased: Vec<String>,
}

/// What was decided on a command.
pub enum Verdict {
    /// Entries: so many, after those of the commands before it.
    Made(usize),
    /// A refusal.
    Refused(Problem),
}

/// What the append of a batch needs when it is over.
pub struct Pending {
    /// The commands with what was decided on each, in order.
    pub decided: Vec<(Request, Verdict)>,
    /// The ids of those that made entries.
    pub ids: HashSet<CommandId>,
    entries: Vec<Sealed>,
    growth: Growth,
    root: SignedRoot,
}

/// Entries of one command that are stored, with what proves that they are in the log.
pub struct Committed {
    /// The entries, never none.
    pub entries: Vec<Sealed>,
    batch: Arc<(Growth, SignedRoot)>,
}

impl Committed {
    /// The COSE Receipt (RFC 9942) for the entry at `position`, one of these.
    pub fn receipt(&self, position: u64) -> Option<Vec<u8>> {
        let (growth, root) = &*self.batch;
        let path = growth.inclusion_proof(position)?;
        Some(root.inclusion(growth.frontier().size(), position, &path))
    }
}

impl Batch {
    /// An empty batch on top of `before`.
    pub fn new() -> Self {
        Self {
            entries: Vec::new(),
            bytes: 0,
            personal_keys: Vec::new(),
            erased: Vec::new(),
            commands: Vec::new(),
            ids: HashSet::new(),
            decided: Vec::new(),
            opened: Instant::now(),
            closed: false,
        }
    }

    /// Whether nothing was decided yet.
    pub fn is_empty(&self) -> bool {
        self.decided.is_empty()
    }

    /// Whether it makes entries.
    pub fn has_entries(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Whether it takes no further command.
    pub fn is_full(&self) -> bool {
        self.closed
            || self.decided.len() >= BATCH_COMMANDS_MAX
            || self.bytes >= BATCH_BYTES_MAX
            || self.entries.len() >= BATCH_ENTRIES_MAX - COMPANY_EVENTS_MAX
    }

    /// Whether its time is up: it takes a further command only while it can't be stored anyway.
    pub fn is_due(&self) -> bool {
        !self.is_empty() && self.opened.elapsed() >= BATCH_TIME_MAX
    }

    /// Takes no further command.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Whether `decision` can join what is here.
    pub fn has_room_for(&self, decision: &Decision) -> bool {
        self.entries.is_empty() || decision.events.len() <= COMPANY_EVENTS_MAX
    }

    /// Whether a command of that id made entries here.
    pub fn holds(&self, id: CommandId) -> bool {
        self.ids.contains(&id)
    }

    /// Seals what was decided and moves `loaded` by it.
    ///
    /// # Errors
    ///
    /// 500 where a decision contradicts the fold; `loaded` is none then.
    pub fn seal(
        &mut self,
        loaded: &mut Option<Loaded>,
        decision: Decision,
        submission: &Submission<'_>,
        (content_digest, beside): (Digest, Beside),
        logs: &Logs,
    ) -> Result<usize, Problem> {
        let Loaded { state, tree } = loaded.take().unwrap_or_default();
        let key = logs.sealing_key(&state)?;
        let first = state.collaboration().map_or(0, |state| state.size);
        let (entries, state) = seal(state, decision, submission, &key)
            .map_err(|error| Problem::corrupt(&crate::refusal::chain(&error)))?;
        self.bytes += entries.iter().map(|entry| entry.bytes().len()).sum::<usize>();
        let count = entries.len();
        self.entries.extend(entries);
        self.commands.push(NewCommand {
            id: submission.command,
            content_digest,
            first_position: first,
            count: count as u64,
        });
        self.ids.insert(submission.command);
        self.personal_keys.extend(beside.personal_key);
        self.erased.extend(beside.erased);
        *loaded = Some(Loaded { state, tree });
        Ok(count)
    }

    /// Notes what was decided on a command.
    pub fn push(&mut self, request: Request, verdict: Verdict) {
        self.decided.push((request, verdict));
    }

    /// The commands, where the batch makes no entries or can't be stored.
    pub fn into_decided(self) -> Vec<(Request, Verdict)> {
        self.decided
    }

    /// What the store is to append, and what is needed when it has. The tree moves by the entries.
    /// `key` is the one that seals the next entry.
    pub fn append(
        self,
        collaboration: CollaborationId,
        loaded: &mut Loaded,
        (logs, key): (&Logs, &SigningKey),
    ) -> (Append, Pending) {
        let leaves: Vec<_> = self.entries.iter().map(Sealed::leaf).collect();
        let growth = Growth::of(&loaded.tree, &leaves);
        let append = Append {
            collaboration,
            expected_size: loaded.tree.size(),
            entries: self
                .entries
                .iter()
                .map(|entry| NewEntry { sealed: entry.bytes().to_vec(), leaf_hash: entry.leaf() })
                .collect(),
            nodes: growth.nodes().to_vec(),
            checkpoint: logs.checkpoint(collaboration, growth.frontier(), key),
            commands: self.commands,
            personal_keys: self.personal_keys,
            erased: self.erased,
        };
        loaded.tree = growth.frontier().clone();
        let root = SignedRoot::sign(loaded.tree.root(), key);
        let pending =
            Pending { decided: self.decided, ids: self.ids, entries: self.entries, growth, root };
        (append, pending)
    }
}

impl Pending {
    /// Every command with its outcome, now that the entries are stored.
    pub fn settle(self) -> impl Iterator<Item = (Request, Result<Committed, Problem>)> {
        let batch = Arc::new((self.growth, self.root));
        let mut entries = self.entries.into_iter();
        self.decided.into_iter().map(move |(request, verdict)| {
            let outcome = match verdict {
                Verdict::Made(count) => Ok(Committed {
                    entries: entries.by_ref().take(count).collect(),
                    batch: Arc::clone(&batch),
                }),
                Verdict::Refused(problem) => Err(problem),
            };
            (request, outcome)
        })
    }
}
