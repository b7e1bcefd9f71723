//! The verified logs, by collaboration.

use std::collections::{BTreeMap, BTreeSet};

use chancery_governance::state::Collaboration;
use chancery_governance::state::run::Stage;
use chancery_ledger::id::{CollaborationId, RunId};
use chancery_ledger::key::{KeyId, PublicKey};

use super::chain;
use super::runs::{Noted, Standing};
use crate::RunKey;
use crate::client::{Client, ClientError};
use crate::job::Jobs;
use crate::log::{SyncError, VerifiedLog};

/// The verified copies of all logs that moved since the executor began, and of all before.
pub struct Logs {
    client: Client,
    pins: Vec<KeyId>,
    key: PublicKey,
    copies: BTreeMap<CollaborationId, VerifiedLog>,
    moved: BTreeSet<CollaborationId>,
    /// Logs that could not be fetched.
    failing: BTreeSet<CollaborationId>,
    /// Logs that don't verify: never acted on again.
    halted: BTreeSet<CollaborationId>,
    /// Logs that were there when the executor began and were not read yet.
    at_start: BTreeSet<CollaborationId>,
    /// Runs that stood admitted to another key then.
    orphans: BTreeSet<RunKey>,
}

impl Logs {
    pub fn new(client: Client, pins: Vec<KeyId>, key: PublicKey) -> Self {
        Self {
            client,
            pins,
            key,
            copies: BTreeMap::new(),
            moved: BTreeSet::new(),
            failing: BTreeSet::new(),
            halted: BTreeSet::new(),
            at_start: BTreeSet::new(),
            orphans: BTreeSet::new(),
        }
    }

    /// Lists all logs, to be read: among their runs are those that a process before this one left.
    pub async fn recover(&mut self) -> Result<(), ClientError> {
        let mut after = None;
        loop {
            let page = self.client.log_heads(after).await?;
            let last = page.iter().map(|(id, _)| *id).max();
            if last <= after {
                break;
            }
            after = last;
            self.at_start.extend(page.iter().map(|(id, _)| *id));
        }
        self.moved.extend(&self.at_start);
        Ok(())
    }

    /// Takes a hint that a log moved.
    pub fn moved(&mut self, hint: Option<CollaborationId>) {
        self.moved.extend(hint);
    }

    /// The logs to read now.
    pub fn take_moved(&mut self) -> BTreeSet<CollaborationId> {
        let mut due = std::mem::take(&mut self.moved);
        due.extend(std::mem::take(&mut self.failing));
        &due - &self.halted
    }

    /// Whether a log waits to be read.
    pub fn behind(&self) -> bool {
        !self.failing.is_empty()
    }

    /// Whether a log does not verify.
    pub fn halted(&self, id: CollaborationId) -> bool {
        self.halted.contains(&id)
    }

    /// Brings a log up to date, and tells whether it is; logs why not.
    pub async fn sync(&mut self, id: CollaborationId) -> bool {
        match self.newest(id).await {
            Ok(()) => true,
            Err(SyncError::Client(error)) if error.code() == Some("collaboration_not_found") => {
                tracing::debug!(collaboration = %id, "a hint of a log that is not there");
                false
            }
            Err(error @ SyncError::Client(_)) => {
                if self.failing.insert(id) {
                    tracing::debug!(collaboration = %id, error = %chain(&error), "a log can't be read");
                }
                false
            }
            // `newest` has logged it.
            Err(SyncError::Log(_)) => false,
        }
    }

    /// Brings a log up to date.
    pub async fn newest(&mut self, id: CollaborationId) -> Result<(), SyncError> {
        let copy = || VerifiedLog::new(id, self.pins.clone());
        let log = self.copies.entry(id).or_insert_with(copy);
        let before = log.size();
        match log.sync(&self.client).await {
            Ok(()) => {}
            Err(SyncError::Log(error)) => {
                tracing::error!(collaboration = %id, error = %chain(&error), "a log does not verify; nothing of it is run");
                self.halted.insert(id);
                self.copies.remove(&id);
                return Err(error.into());
            }
            Err(error) => return Err(error),
        }
        tracing::debug!(collaboration = %id, from = before, to = log.size(), "log verified");
        if self.at_start.remove(&id) {
            let state = log.state().map(|state| (state, &state.runs));
            let foreign = state.into_iter().flat_map(|(state, runs)| {
                runs.iter().filter_map(|(run, held)| {
                    let admission = held.stage.admission()?;
                    let key = RunKey { collaboration: state.id, run: *run };
                    (admission.executor != self.key).then_some(key)
                })
            });
            self.orphans.extend(foreign);
        }
        Ok(())
    }

    /// The verified state of a log.
    pub fn state(&self, id: CollaborationId) -> Option<&Collaboration> {
        self.copies.get(&id)?.state()
    }

    /// The stage of a run.
    pub fn stage(&self, run: RunKey) -> Option<&Stage> {
        Some(&self.state(run.collaboration)?.runs.get(&run.run)?.stage)
    }

    /// Whether the run stood admitted to another key when the executor began.
    pub fn is_orphan(&self, run: RunKey) -> bool {
        self.orphans.contains(&run)
    }

    /// The run was admitted to this executor: it is an orphan no more.
    pub fn adopted(&mut self, run: RunKey) {
        self.orphans.remove(&run);
    }

    /// How the runs stand that entries were about since this was asked last.
    pub fn take_touched(&mut self, collaboration: CollaborationId, jobs: &Jobs) -> Vec<Noted> {
        let Some(log) = self.copies.get_mut(&collaboration) else { return Vec::new() };
        if log.state().is_none() {
            return Vec::new();
        }
        let touched = log.take_touched();
        touched.into_iter().filter_map(|run| self.noted(collaboration, run, jobs)).collect()
    }

    fn noted(&self, collaboration: CollaborationId, run: RunId, jobs: &Jobs) -> Option<Noted> {
        let run = RunKey { collaboration, run };
        let stage = self.stage(run)?;
        let standing = match stage.admission() {
            _ if stage.ended() => Standing::Over,
            None => Standing::New,
            Some(admission) if admission.executor == self.key => Standing::Ours,
            Some(_) if self.is_orphan(run) => Standing::Ours,
            Some(_) => Standing::Over,
        };
        // The ended runs of all time have left nothing, but for a few.
        let nothing_left = stage.ended() && !jobs.folder(run).exists();
        (!nothing_left || standing != Standing::Over).then_some(Noted { run, standing })
    }
}
