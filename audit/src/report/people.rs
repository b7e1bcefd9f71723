//! Who takes part: the service, the members, their keys; and what nobody but the service says.

use chancery_governance::member::{Ability, Identity};
use chancery_governance::run::Platform;
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Authority, Entry};
use chancery_ledger::id::MemberId;
use chancery_ledger::key::{KeyId, PublicKey};

use super::{Departed, Listed};

/// The service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: PublicKey,
    /// Whether the auditor named that key; else the bundle did.
    pub pinned: bool,
    /// What stands behind its evidence.
    pub platform: Platform,
    /// The service's measurement, as its evidence has it.
    pub measurement: Digest,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: MemberId,
    /// The organisation that it speaks for.
    pub organisation: String,
    /// Who it is to its issuer.
    pub identity: Identity,
    /// What it can do.
    pub abilities: Vec<Ability>,
    /// Its keys, by position.
    pub keys: Listed<MemberKey>,
    /// That it is a member no more.
    pub departed: Option<Departed>,
}

/// A key of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberKey {
    /// The key.
    pub key: PublicKey,
    /// Where it was registered.
    pub registered_at: u64,
    /// By what right: a first key is its member's on the service's word only, if no invitation
    /// names it.
    pub by: By,
    /// Whether the invitation named it, or the members voted to put it in the place of lost ones:
    /// then it is they who vouch for it.
    pub invited: bool,
    /// Where it was revoked, if it was.
    pub revoked_at: Option<u64>,
}

/// By what right an entry stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The signature of this key.
    Key(KeyId),
    /// The service says that it saw an identity token.
    ServiceWitnessed,
    /// It follows from the entry at this position.
    Consequence(u64),
}

impl By {
    /// That of an entry which the replay took.
    pub fn of(entry: &Entry) -> Self {
        let key = |kind, message: &[u8]| {
            // Verified by the replay; if it could not be read, nothing better than the service's
            // word would stand for it.
            SignedCommand::parse(kind, message)
                .map_or(Self::ServiceWitnessed, |(_, message)| Self::Key(message.key_id()))
        };
        match &entry.authority {
            Authority::MemberSigned(signed) => key(ContentType::Command, &signed.message),
            Authority::ExecutorSigned(signed) => key(ContentType::ExecutorReport, &signed.message),
            Authority::ServiceSigned(signed) => key(ContentType::ServiceCommand, &signed.message),
            Authority::ServiceWitnessed(_) => Self::ServiceWitnessed,
            Authority::Consequence(of) => Self::Consequence(*of),
        }
    }
}

/// What rests on the service's word only, beside the times of all entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceWord {
    /// That a verified identity token came with a command: nothing in these entries is signed by
    /// the member. By action and identity, in the order of their first entries.
    pub witnessed: Vec<Witnessed>,
    /// The entries of that kind whose action and identity are not in `witnessed`, which is full.
    pub witnessed_left_out: u64,
    /// That the e-mail of whoever accepted an invitation was the invited one.
    pub emails: Places,
}

impl ServiceWord {
    /// The entries that only a token stands behind.
    pub fn witnessed_entries(&self) -> u64 {
        let counted: u64 = self.witnessed.iter().map(|group| group.places.count).sum();
        counted.saturating_add(self.witnessed_left_out)
    }
}

/// Entries of one action by one identity, on the service's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// The action.
    pub action: String,
    /// Who is said to have asked for it.
    pub identity: Identity,
    /// Where.
    pub places: Places,
}

/// Most positions that are named of entries that are counted.
pub const PLACES_MAX: usize = 8;

/// Some entries: how many, and the positions of the first [`PLACES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// How many.
    pub count: u64,
    /// The first.
    pub first: Vec<u64>,
}

impl Places {
    /// Counts an entry.
    pub fn add(&mut self, position: u64) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < PLACES_MAX {
            self.first.push(position);
        }
    }
}
