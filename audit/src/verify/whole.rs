//! A whole log: every entry is decided again.

use std::io::Read;
use std::num::NonZero;

use chancery_governance::event::Event;
use chancery_governance::log;
use chancery_governance::replay::{Replay, ReplayError};
use chancery_governance::run::{Evidence, Verdict as EvidenceVerdict};
use chancery_governance::state::Collaboration;
use chancery_ledger::entry::OpenError;
use chancery_ledger::key::{KeyId, PublicKey};

use super::Options;
use super::entry::{Before, Place, Taken, begins};
use super::mirror::Receipts;
use super::opened::Opened;
use super::pipeline::{self, Known, Step};
use super::tree::Tree;
use super::verdict::{causes, check_of, tampered, unread};
use crate::bundle::{Header, Reader, Trailer};
use crate::check::{Check, Verdict};
use crate::collect::{Collector, Ending};
use crate::report::Contents;
use crate::standing::{ServiceKey, Standing};

/// Runs the checks over the bundle of a whole log.
pub fn audit(
    reader: &mut Reader<impl Read>,
    header: Header,
    known: Known<'_>,
    threads: NonZero<usize>,
    options: &Options,
) -> Result<(Contents, Standing), Verdict> {
    let mut log = Log {
        key_id: header.service_key.id(),
        header,
        replay: Replay::default(),
        tree: Tree::new(reader.cosigned_size()),
        receipts: Receipts::new(reader.mirrored(), true),
        before: Before::Nothing,
        service: None,
        collector: Collector::new(options.view.clone()),
    };
    let mut end = None;
    pipeline::run(reader, known, threads, |step| match step {
        Step::Entry(opened) => log.entry(opened),
        Step::Gap(_) => Ok(()),
        Step::Receipt(judged) => log.receipts.take(&judged, &log.header, &log.tree),
        Step::Unread(error, read) => Err(unread(&error, read)),
        Step::Trailer(trailer) => {
            end = Some(trailer);
            Ok(())
        }
    })?;
    match end {
        Some(trailer) => log.end(&trailer, options),
        None => Err(Verdict::Unreadable { detail: "there is no trailer".to_owned() }),
    }
}

/// A log as far as it was read and verified.
struct Log {
    header: Header,
    /// The id of the key that seals the next entry.
    key_id: KeyId,
    replay: Replay,
    tree: Tree,
    receipts: Receipts,
    before: Before,
    service: Option<EvidenceVerdict>,
    collector: Collector,
}

impl Log {
    fn entry(&mut self, opened: Result<Box<Opened>, OpenError>) -> Result<(), Verdict> {
        let position = self.tree.size();
        let fails = |check, detail| tampered(check, Some(position), detail);
        let key = log::sealing_key(self.replay.state(), &self.header.service_key);
        let place =
            Place { header: &self.header, position, before: self.before, key, key_id: self.key_id };
        let Taken { sealed, prepared } = place.check(opened)?;
        let (subject, event) = (prepared.recorded().subject, prepared.event());
        if let Event::CollaborationCreated(created) = event
            && position == 0
        {
            self.service = Some(begins(&self.header, created)?);
        }
        self.collector.before(&sealed, self.tree.frontier(), self.replay.state());
        self.replay
            .step_prepared(&sealed, &prepared, &|evidence: &Evidence| {
                chancery_attestation::verify(evidence).map_err(|error| causes(&error))
            })
            .map_err(|error| match error {
                ReplayError::Rules { .. } => Verdict::Unreadable { detail: causes(&error) },
                _ => match (check_of(&error), event) {
                    (Check::ExecutorEvidence, Event::ServiceKeyRotated(_)) => {
                        fails(Check::ServiceEvidence, causes(&error))
                    }
                    (check, _) => fails(check, causes(&error)),
                },
            })?;
        if let Event::ServiceKeyRotated(rotated) = event {
            self.key_id = rotated.key.id();
        }
        self.collector.record(&sealed, subject, event, self.replay.state());
        self.receipts.entry(position);
        self.tree.append(sealed.leaf());
        self.before = Before::Leaf(sealed.leaf());
        Ok(())
    }

    fn end(self, trailer: &Trailer, options: &Options) -> Result<(Contents, Standing), Verdict> {
        let state = self.replay.state();
        if let (Some(expected), Some(state)) = (options.service_key, state.collaboration())
            && !state.sealed_with(expected)
        {
            let detail = format!("the log was never sealed by the expected key {expected}");
            return Err(tampered(Check::ServiceKey, None, detail));
        }
        let key = log::sealing_key(state, &self.header.service_key);
        let checkpoint = self.tree.checkpoint(&self.header, trailer, key)?;
        let size = self.tree.size();
        self.replay
            .finish(size)
            .map_err(|error| tampered(Check::Settled, Some(size), causes(&error)))?;
        let (Some(state), Some(service)) = (state.collaboration(), self.service) else {
            return Err(tampered(Check::Rules, None, "the log is empty".to_owned()));
        };
        let witnessed = self.tree.witnessed(
            &self.header,
            trailer,
            |size| state.service_key_at(size),
            options.witnesses.as_ref(),
        )?;
        let mirrored = self.receipts.end(!options.mirrors.is_empty())?;
        let service_keys = service_keys(state, options);
        let standing = Standing { service_keys, witnessed, mirrored };
        let notes = [Some(&trailer.checkpoint), trailer.cosigned.as_ref()];
        let lines: usize = notes.into_iter().flatten().map(|note| cosignatures(note)).sum();
        let ending = Ending {
            state,
            service,
            pinned: options.service_key.is_some(),
            note: &trailer.checkpoint,
            checkpoint,
            witnessed: standing.witnessed.as_ref(),
            mirrored: standing.mirrored.as_ref(),
            cosignatures: lines,
            exported_at_ms: self.header.exported_at_ms,
        };
        Ok((self.collector.contents(ending), standing))
    }
}

/// Signature lines of a note beside the service's own.
fn cosignatures(note: &str) -> usize {
    let lines = note.rsplit("\n\n").next().unwrap_or_default().lines().count();
    lines.saturating_sub(1)
}

fn service_keys(state: &Collaboration, options: &Options) -> Vec<ServiceKey> {
    let key = |(from, key): &(u64, PublicKey)| {
        let (from, key) = (*from, key.id());
        ServiceKey { key, from, expected: options.service_key == Some(key) }
    };
    state.service_keys.iter().map(key).collect()
}
