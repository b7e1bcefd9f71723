//! A whole log: every entry is decided again.

use std::io::Read;
use std::num::NonZero;

use chancery_attestation::EvidenceError;
use chancery_governance::event::{CollaborationCreated, Event};
use chancery_governance::log;
use chancery_governance::replay::{Replay, ReplayError};
use chancery_governance::run::{Evidence, Verdict as EvidenceVerdict};
use chancery_governance::state::origin;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{OpenError, Sealed};
use chancery_ledger::key::KeyId;
use chancery_ledger::merkle::Frontier;
use chancery_ledger::note::Checkpoint;

use super::Options;
use super::opened::{Directory, Opened};
use super::pipeline::{self, Step};
use super::verdict::{causes, check_of, tampered, unread};
use crate::bundle::{Header, Reader, Trailer};
use crate::check::{Check, Verdict};
use crate::collect::{Collector, Ending};
use crate::report::Contents;

/// Runs the checks over the bundle of a whole log.
pub fn audit(
    reader: &mut Reader<impl Read>,
    header: Header,
    keys: &Directory,
    threads: NonZero<usize>,
    options: &Options,
) -> Result<Contents, Verdict> {
    let mut log = Log {
        key_id: header.service_key.id(),
        header,
        replay: Replay::default(),
        frontier: Frontier::default(),
        last: None,
        service: None,
        collector: Collector::default(),
    };
    let mut end = None;
    pipeline::run(reader, keys, threads, |step| match step {
        Step::Entry(opened) => log.entry(opened),
        Step::Gap(_) => Ok(()),
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
    /// The id of the key that seals.
    key_id: KeyId,
    replay: Replay,
    frontier: Frontier,
    last: Option<Digest>,
    service: Option<EvidenceVerdict>,
    collector: Collector,
}

impl Log {
    fn entry(&mut self, opened: Result<Box<Opened>, OpenError>) -> Result<(), Verdict> {
        let position = self.frontier.size();
        let fails = |check, detail| tampered(check, Some(position), detail);
        let seal = |error: OpenError| fails(Check::Seal, causes(&error));
        let Opened { sealed, seal_proven, authority } = *opened.map_err(seal)?;
        if !(seal_proven && sealed.key_id() == self.key_id) {
            let bytes = sealed.bytes().to_vec();
            Sealed::open(bytes, &self.header.service_key).map_err(seal)?;
        }
        let entry = sealed.entry();
        if entry.collaboration != self.header.collaboration {
            let detail = format!(
                "it is of collaboration {}, the bundle of {}",
                entry.collaboration, self.header.collaboration
            );
            return Err(fails(Check::Position, detail));
        }
        if entry.position != position {
            let detail = format!("the entry there names position {}", entry.position);
            return Err(fails(Check::Position, detail));
        }
        if entry.previous != self.last {
            let detail = "it does not name the leaf hash of the entry before".to_owned();
            return Err(fails(Check::Chain, detail));
        }
        let (recorded, event) = log::read(&sealed).map_err(|error| {
            // The seal holds, so no flipped byte made this: it is for a newer release to judge.
            if Event::KINDS.contains(&entry.kind.as_str()) {
                fails(Check::Rules, causes(&error))
            } else {
                Verdict::Unreadable { detail: causes(&error) }
            }
        })?;
        if let Some(Err(error @ EvidenceError::UnknownKind(_))) =
            evidence(&event).map(chancery_attestation::verify)
        {
            return Err(Verdict::Unreadable { detail: format!("position {position}: {error}") });
        }
        if let Event::CollaborationCreated(created) = &event
            && position == 0
        {
            self.first(created)?;
        }
        self.replay
            .step_verified(
                &sealed,
                &|evidence: &Evidence| {
                    chancery_attestation::verify(evidence).map_err(|error| causes(&error))
                },
                authority,
            )
            .map_err(|error| match error {
                ReplayError::Rules { .. } => Verdict::Unreadable { detail: causes(&error) },
                _ => fails(check_of(&error), causes(&error)),
            })?;
        self.collector.record(&sealed, recorded.subject, &event);
        self.frontier.append(sealed.leaf());
        self.last = Some(sealed.leaf());
        Ok(())
    }

    /// What only the first event says: whose log this is.
    fn first(&mut self, created: &CollaborationCreated) -> Result<(), Verdict> {
        if created.service_key != self.header.service_key {
            let detail = "the log's first event names another service key than the header";
            return Err(tampered(Check::ServiceKey, Some(0), detail.to_owned()));
        }
        let origin = origin(&created.service, self.header.collaboration);
        if self.header.origin != origin {
            let detail =
                format!("the origin is {:?}, by the first event {origin:?}", self.header.origin);
            return Err(tampered(Check::Header, Some(0), detail));
        }
        let verified = chancery_attestation::service::verify(
            &created.evidence,
            &created.service,
            &created.service_key,
        )
        .map_err(|error| tampered(Check::ServiceEvidence, Some(0), causes(&error)))?;
        self.service = Some(verified);
        Ok(())
    }

    fn end(self, trailer: &Trailer, options: &Options) -> Result<Contents, Verdict> {
        let size = self.frontier.size();
        let fails = |check, detail| tampered(check, None, detail);
        let checkpoint =
            Checkpoint::open(&trailer.checkpoint, &self.header.origin, &self.header.service_key)
                .map_err(|error| fails(Check::Checkpoint, causes(&error)))?;
        if checkpoint.size > size {
            return Err(Verdict::Incomplete {
                position: Some(size),
                detail: format!(
                    "the service signed for {} entries, and the bundle holds {size}",
                    checkpoint.size
                ),
            });
        }
        if checkpoint.size < size {
            let detail = format!("it covers {} entries of the {size} here", checkpoint.size);
            return Err(fails(Check::Checkpoint, detail));
        }
        if self.header.size != size {
            let detail = format!("it says {} entries, and there are {size}", self.header.size);
            return Err(fails(Check::Header, detail));
        }
        let root = self.frontier.root();
        if checkpoint.root != root {
            let detail = format!("the checkpoint has {}, the entries {root}", checkpoint.root);
            return Err(fails(Check::Root, detail));
        }
        if !trailer.intact {
            let detail = "the checksum is not that of the header and the checkpoint".to_owned();
            return Err(fails(Check::Header, detail));
        }
        self.replay
            .finish(size)
            .map_err(|error| tampered(Check::Settled, Some(size), causes(&error)))?;
        let (Some(state), Some(service)) = (self.replay.state().collaboration(), self.service)
        else {
            return Err(fails(Check::Rules, "the log is empty".to_owned()));
        };
        let ending = Ending {
            state,
            service,
            pinned: options.service_key.is_some(),
            note: &trailer.checkpoint,
            checkpoint,
            exported_at_ms: self.header.exported_at_ms,
        };
        Ok(self.collector.contents(ending))
    }
}

fn evidence(event: &Event) -> Option<&Evidence> {
    match event {
        Event::CollaborationCreated(event) => Some(&event.evidence),
        Event::RunAdmitted(event) => Some(&event.evidence),
        Event::RunSucceeded(event) => Some(&event.evidence),
        _ => None,
    }
}
