//! The checks, in order: those of the header, of each entry as it comes, of the end.

use std::error::Error;
use std::io::Read;

use chancery_attestation::EvidenceError;
use chancery_governance::event::{CollaborationCreated, Event};
use chancery_governance::log::{self, FoldError};
use chancery_governance::reason::{Code, Rejection};
use chancery_governance::replay::{Replay, ReplayError};
use chancery_governance::run::{Evidence, Verdict as EvidenceVerdict};
use chancery_governance::state::origin;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;
use chancery_ledger::key::KeyId;
use chancery_ledger::merkle::Frontier;
use chancery_ledger::note::Checkpoint;

use crate::bundle::{Header, Item, Place, ReadError, Reader, Trailer};
use crate::check::{Check, Verdict};
use crate::collect::{Collector, Ending};
use crate::report::{Contents, Report};
use crate::view::View;

/// What an auditor knows beforehand.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The id of the service's key, from elsewhere than the bundle. Without it, a log that somebody
    /// made up with a key of their own verifies too.
    pub service_key: Option<KeyId>,
    /// What is told of a log that verifies.
    pub view: View,
}

/// Reads a bundle to its end and runs every check; the first that fails is the verdict.
pub fn verify(bundle: impl Read, options: &Options) -> Report {
    match audit(bundle, options) {
        Ok(contents) => Report { verdict: Verdict::Verified, contents: Some(Box::new(contents)) },
        Err(verdict) => Report { verdict, contents: None },
    }
}

fn audit(bundle: impl Read, options: &Options) -> Result<Contents, Verdict> {
    let mut reader = Reader::open(bundle).map_err(|error| unread(&error, 0))?;
    let header = reader.header().clone();
    let key = header.service_key.id();
    if let Some(pinned) = options.service_key
        && pinned != key
    {
        let detail = format!("the header names the key {key}, not the expected {pinned}");
        return Err(tampered(Check::ServiceKey, None, detail));
    }
    let mut log = Log {
        header,
        replay: Replay::default(),
        frontier: Frontier::default(),
        last: None,
        service: None,
        collector: Collector::new(options.view.clone()),
    };
    loop {
        match reader.next_item().map_err(|error| unread(&error, reader.entries_read()))? {
            Item::Entry(bytes) => log.entry(bytes)?,
            Item::Trailer(trailer) => return log.end(&trailer, options),
        }
    }
}

/// A log as far as it was read and verified.
struct Log {
    header: Header,
    replay: Replay,
    frontier: Frontier,
    last: Option<Digest>,
    service: Option<EvidenceVerdict>,
    collector: Collector,
}

impl Log {
    fn entry(&mut self, bytes: Vec<u8>) -> Result<(), Verdict> {
        let position = self.frontier.size();
        let fails = |check, detail| tampered(check, Some(position), detail);
        let sealed = Sealed::open(bytes, &self.header.service_key)
            .map_err(|error| fails(Check::Seal, causes(&error)))?;
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
        self.collector.before(&sealed, &self.frontier, self.replay.state());
        self.replay
            .step(&sealed, &|evidence: &Evidence| {
                chancery_attestation::verify(evidence).map_err(|error| causes(&error))
            })
            .map_err(|error| match error {
                ReplayError::Rules { .. } => Verdict::Unreadable { detail: causes(&error) },
                _ => fails(check_of(&error), causes(&error)),
            })?;
        self.collector.record(&sealed, recorded.subject, &event, self.replay.state());
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

fn tampered(check: Check, position: Option<u64>, detail: String) -> Verdict {
    Verdict::Tampered { check, position, detail }
}

/// The verdict on a bundle that can't be read on, after `read` entries that verify.
fn unread(error: &ReadError, read: u64) -> Verdict {
    let detail = causes(error);
    match error {
        ReadError::NotABundle | ReadError::Version | ReadError::Io(_) => {
            Verdict::Unreadable { detail }
        }
        ReadError::Truncated(place) => Verdict::Incomplete {
            position: position(*place),
            detail: format!("{detail}; {read} entries before that verify"),
        },
        ReadError::Malformed { place, .. } | ReadError::Cbor { place, .. } => {
            tampered(Check::Format, position(*place), detail)
        }
    }
}

const fn position(place: Place) -> Option<u64> {
    match place {
        Place::Entry(position) => Some(position),
        Place::Header | Place::Trailer | Place::End => None,
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

const fn check_of(error: &ReplayError) -> Check {
    match error {
        ReplayError::Refused { source, .. } => check_of_refusal(source),
        ReplayError::Fold(FoldError::Previous { .. }) => Check::Chain,
        ReplayError::Fold(
            FoldError::Subject { .. } | FoldError::Payload { .. } | FoldError::Corrupt(_),
        )
        | ReplayError::Rules { .. }
        | ReplayError::OtherEvent { .. }
        | ReplayError::NoCause { .. }
        | ReplayError::Incomplete { .. }
        | ReplayError::CommandReused { .. } => Check::Rules,
    }
}

const fn check_of_refusal(rejection: &Rejection) -> Check {
    match rejection.first.code {
        Code::EvidenceInvalid | Code::EvidenceNotBound => Check::ExecutorEvidence,
        Code::SignatureInvalid
        | Code::SignatureExpired
        | Code::SignatureLifetime
        | Code::SignatureAudience
        | Code::SignatureCollaboration
        | Code::SignatureSubject
        | Code::SignatureContent
        | Code::SignatureCommand
        | Code::KeyUnknown
        | Code::KeyRevoked => Check::Authority,
        _ => Check::Rules,
    }
}

/// An error and what caused it, on one line.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
