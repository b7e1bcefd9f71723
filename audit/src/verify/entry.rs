//! The checks of an entry that need no other one but the entry before.

use chancery_attestation::EvidenceError;
use chancery_governance::event::{CollaborationCreated, Event};
use chancery_governance::log::FoldError;
use chancery_governance::replay::Prepared;
use chancery_governance::run::{Evidence, Verdict as EvidenceVerdict};
use chancery_governance::state::origin;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Entry, OpenError, Sealed};
use chancery_ledger::key::{KeyId, PublicKey};

use super::opened::Opened;
use super::verdict::{causes, tampered};
use crate::bundle::Header;
use crate::check::{Check, Verdict};

/// What stands before an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing: it is the first.
    Nothing,
    /// An entry with this leaf hash.
    Leaf(Digest),
    /// An entry that is left out, in a subtree with others.
    Unknown,
}

impl Before {
    /// Whether an entry that names `previous` can follow.
    fn takes(self, previous: Option<Digest>) -> bool {
        match self {
            Self::Nothing => previous.is_none(),
            Self::Leaf(leaf) => previous == Some(leaf),
            Self::Unknown => true,
        }
    }
}

/// Where an entry stands, and what must hold there.
pub struct Place<'a> {
    pub header: &'a Header,
    pub position: u64,
    pub before: Before,
    /// The key that seals there, and its id.
    pub key: &'a PublicKey,
    pub key_id: KeyId,
}

impl Place<'_> {
    /// Checks the seal, the place and the chain, and that the entry can be read.
    ///
    /// # Errors
    ///
    /// The failing check, or that this release can't judge it.
    pub fn check(&self, opened: Result<Box<Opened>, OpenError>) -> Result<Taken, Verdict> {
        let fails = |check, detail| tampered(check, Some(self.position), detail);
        let seal = |error: OpenError| fails(Check::Seal, causes(&error));
        let Opened { sealed, seal_proven, prepared } = *opened.map_err(seal)?;
        if !(seal_proven && sealed.key_id() == self.key_id) {
            Sealed::open(sealed.bytes().to_vec(), self.key).map_err(seal)?;
        }
        let entry = sealed.entry();
        if entry.collaboration != self.header.collaboration {
            let detail = format!(
                "it is of collaboration {}, the bundle of {}",
                entry.collaboration, self.header.collaboration
            );
            return Err(fails(Check::Position, detail));
        }
        if entry.position != self.position {
            let detail = format!("the entry there names position {}", entry.position);
            return Err(fails(Check::Position, detail));
        }
        if !self.before.takes(entry.previous) {
            let detail = "it does not name the leaf hash of the entry before".to_owned();
            return Err(fails(Check::Chain, detail));
        }
        let prepared = prepared.map_err(|error| unread(entry, &error))?;
        if let Some(Err(error @ EvidenceError::UnknownKind(_))) =
            evidence(prepared.event()).map(chancery_attestation::verify)
        {
            let detail = format!("position {}: {error}", entry.position);
            return Err(Verdict::Unreadable { detail });
        }
        Ok(Taken { sealed, prepared })
    }
}

/// An entry whose seal, place and chain were checked.
pub struct Taken {
    pub sealed: Sealed,
    pub prepared: Prepared,
}

/// The verdict on an entry whose payload is none. The seal holds, so no flipped byte made this: one
/// of another type is for a newer release to judge.
fn unread(entry: &Entry, error: &FoldError) -> Verdict {
    if Event::KINDS.contains(&entry.kind.as_str()) {
        tampered(Check::Rules, Some(entry.position), causes(error))
    } else {
        Verdict::Unreadable { detail: causes(error) }
    }
}

/// What only the first event says: whose log this is.
///
/// # Errors
///
/// The failing check.
pub fn begins(header: &Header, created: &CollaborationCreated) -> Result<EvidenceVerdict, Verdict> {
    if created.service_key != header.service_key {
        let detail = "the log's first event names another service key than the header";
        return Err(tampered(Check::ServiceKey, Some(0), detail.to_owned()));
    }
    let origin = origin(&created.service, header.collaboration);
    if header.origin != origin {
        let detail = format!("the origin is {:?}, by the first event {origin:?}", header.origin);
        return Err(tampered(Check::Header, Some(0), detail));
    }
    chancery_attestation::service::verify(&created.evidence, &created.service, &created.service_key)
        .map_err(|error| tampered(Check::ServiceEvidence, Some(0), causes(&error)))
}

fn evidence(event: &Event) -> Option<&Evidence> {
    match event {
        Event::CollaborationCreated(event) => Some(&event.evidence),
        Event::ServiceKeyRotated(event) => Some(&event.evidence),
        Event::RunAdmitted(event) => Some(&event.evidence),
        Event::RunSucceeded(event) => Some(&event.evidence),
        _ => None,
    }
}
