//! Who got what, and which code ran it.

use std::collections::BTreeMap;

use chancery_governance::event::Event;
use chancery_governance::query::DatasetVersion;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{QueryId, RunId};
use chancery_ledger::key::KeyId;

use super::Seen;
use crate::report::{CODE_MAX, Code, Listed, RELEASES_MAX, Recipient, Release, Released};

#[derive(Debug, Default)]
pub struct Releases {
    listed: Listed<Release>,
    secrets: u64,
    /// What the runs without an outcome will write. No more than the state has such runs.
    outputs: BTreeMap<RunId, DatasetVersion>,
    code: BTreeMap<(QueryId, Digest, KeyId, Digest), Code>,
    code_left_out: u64,
}

/// The executor that the run is admitted to.
fn executor(seen: &Seen<'_>, run: RunId) -> Option<Recipient> {
    let admission = seen.state.runs.get(&run)?.stage.admission()?;
    Some(Recipient::Executor {
        key: admission.executor.id(),
        platform: admission.platform,
        measurement: admission.measurement,
    })
}

impl Releases {
    pub fn record(&mut self, seen: &Seen<'_>) {
        let Subject::Run(run) = seen.subject else { return };
        let Some(query) = seen.state.runs.get(&run).map(|run| run.query) else { return };
        if let Some((to, what)) = self.release(seen, run) {
            self.secrets = self.secrets.saturating_add(u64::from(what.is_secret()));
            if seen.listed {
                self.listed.push(Release { stamp: seen.stamp, run, query, to, what }, RELEASES_MAX);
            } else {
                self.listed.leave_out();
            }
        }
        self.code(seen, run, query);
    }

    /// What an event gives out, and to whom. An event that gives out a secret gets its arm here.
    fn release(&mut self, seen: &Seen<'_>, run: RunId) -> Option<(Recipient, Released)> {
        match seen.event {
            Event::RunRequested(event) => {
                let proposal = super::live(seen.state, event.query, event.digest)?;
                self.outputs.insert(run, proposal.binding.output.clone());
                None
            }
            Event::RunAdmitted(event) => {
                let admitted = seen.state.runs.get(&run)?;
                let proposal = super::live(seen.state, admitted.query, admitted.digest?)?;
                let to = Recipient::Executor {
                    key: event.executor.id(),
                    platform: event.platform,
                    measurement: event.measurement,
                };
                Some((to, Released::Datasets(proposal.binding.inputs.clone())))
            }
            Event::SecretReleased(event) => {
                let what = Released::Secret {
                    dataset: event.dataset.clone(),
                    ciphertext: event.ciphertext,
                    recipient: event.recipient,
                };
                Some((executor(seen, run)?, what))
            }
            Event::TokenMinted(event) => {
                let what = Released::Token {
                    dataset: event.dataset.clone(),
                    audience: event.audience.clone(),
                    expires_ms: event.expires_ms,
                    recipient: event.recipient,
                };
                Some((executor(seen, run)?, what))
            }
            Event::RunSucceeded(event) => {
                let dataset = self.outputs.remove(&run)?;
                let owner = seen.state.datasets.get(&dataset.dataset)?.owner;
                let manifest = &event.result.manifest;
                let (files, rows) = (manifest.files.len() as u64, manifest.rows);
                Some((Recipient::Member(owner), Released::Result { dataset, files, rows }))
            }
            Event::RunRefused(_) | Event::RunFailed(_) | Event::RunCancelled(_) => {
                self.outputs.remove(&run);
                None
            }
            _ => None,
        }
    }

    fn code(&mut self, seen: &Seen<'_>, run: RunId, query: QueryId) {
        let Event::RunAdmitted(event) = seen.event else { return };
        let Some(query_digest) = seen.state.runs.get(&run).and_then(|run| run.digest) else {
            return;
        };
        let (executor, measurement) = (event.executor.id(), event.measurement);
        let position = seen.stamp.position;
        let key = (query, query_digest, executor, measurement);
        if let Some(code) = self.code.get_mut(&key) {
            (code.admissions, code.last) = (code.admissions.saturating_add(1), position);
        } else if self.code.len() < CODE_MAX {
            let code = Code {
                query,
                query_digest,
                executor,
                platform: event.platform,
                measurement,
                admissions: 1,
                first: position,
                last: position,
            };
            self.code.insert(key, code);
        } else {
            self.code_left_out = self.code_left_out.saturating_add(1);
        }
    }

    pub fn told(self) -> (Listed<Release>, u64, Listed<Code>) {
        let mut code: Vec<_> = self.code.into_values().collect();
        code.sort_by_key(|code| code.first);
        let mut code = Listed::of(code, CODE_MAX);
        code.leave_out_more(self.code_left_out);
        (self.listed, self.secrets, code)
    }
}
