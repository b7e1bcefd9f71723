//! What stands between two bundles: nothing, more entries, a fork; or they are of different logs.
//!
//! Both are verified. Two verified bundles of one log that are no prefix of one another prove that
//! the service signed two histories: that is what the two checkpoints are then evidence of.

use std::io::{self, Read};

use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;

use crate::bundle::{Item, ReadError, Reader};
use crate::check::Verdict;
use crate::report::{Contents, Report};
use crate::verify::{Options, verify};

/// One of the two bundles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

impl Side {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }
}

/// Two bundles, each verified by itself, and how they stand to one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// The report on the first. Its lists begin where the shorter log ends.
    pub a: Report,
    /// The report on the second.
    pub b: Report,
    /// How they stand to one another; none where one does not verify.
    pub relation: Option<Relation>,
}

/// How two verified logs stand to one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// They hold the same entries.
    Same,
    /// One holds all of the other and more: its report's timeline has what is added.
    Grew {
        /// The one that holds more.
        longer: Side,
        /// How many entries more.
        added: u64,
    },
    /// The service signed two histories of one log.
    Fork {
        /// The first position where they differ.
        position: u64,
        /// What the first has there.
        a: Branch,
        /// What the second has there.
        b: Branch,
    },
    /// One is a part of a log, which can't be compared: what is left out may be what differs.
    Part(Side),
    /// They are not of one log.
    OtherLogs {
        /// What differs: the origin, or the key that seals it.
        what: &'static str,
    },
}

/// An entry where two logs differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its Merkle leaf hash.
    pub leaf: Digest,
    /// Its type.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// When it was sealed: milliseconds since the Unix epoch.
    pub time_ms: u64,
}

impl Diff {
    /// The report on one side.
    pub const fn side(&self, side: Side) -> &Report {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// The exit code: 0 the same or grown, 1 a fork, 64 two logs or a part of one; else that of the first bundle
    /// which does not verify.
    pub const fn exit_code(&self) -> u8 {
        match (&self.relation, &self.a.verdict) {
            (Some(Relation::Same | Relation::Grew { .. }), _) => 0,
            (Some(Relation::Fork { .. }), _) => 1,
            (Some(Relation::OtherLogs { .. } | Relation::Part(_)), _) => 64,
            (None, Verdict::Verified) => self.b.verdict.exit_code(),
            (None, verdict) => verdict.exit_code(),
        }
    }

    /// The outcome in a word, as programs read it.
    pub const fn as_str(&self) -> &'static str {
        match &self.relation {
            Some(Relation::Same) => "same",
            Some(Relation::Grew { .. }) => "grew",
            Some(Relation::Fork { .. }) => "fork",
            Some(Relation::OtherLogs { .. }) => "other-logs",
            Some(Relation::Part(_)) => "partial",
            None => "not-verified",
        }
    }
}

/// Verifies both bundles and compares them. Each is opened anew for each pass over it, three at
/// most; memory is that of one verification.
///
/// # Errors
///
/// Where a bundle can't be opened, or changes between two passes.
pub fn diff<R: Read>(
    mut open: impl FnMut(Side) -> io::Result<R>,
    options: &Options,
) -> io::Result<Diff> {
    let a = Reader::open(open(Side::A)?).map(|reader| reader.header().size);
    let b = Reader::open(open(Side::B)?).map(|reader| reader.header().size);
    let mut options = options.clone();
    // What a header says is checked below, as a part of its bundle.
    options.view.from = a.unwrap_or(0).min(b.unwrap_or(0));
    let a = verify(open(Side::A)?, &options);
    let b = verify(open(Side::B)?, &options);
    let relation = match (a.contents.as_deref(), b.contents.as_deref()) {
        (Some(a), Some(b)) => Some(match related(a, b) {
            Some(relation) => relation,
            None => fork(open(Side::A)?, open(Side::B)?)?,
        }),
        _ if a.verdict != Verdict::Verified || b.verdict != Verdict::Verified => None,
        (None, _) => Some(Relation::Part(Side::A)),
        (_, None) => Some(Relation::Part(Side::B)),
    };
    Ok(Diff { a, b, relation })
}

/// How two verified logs stand to one another; none where they fork.
fn related(a: &Contents, b: &Contents) -> Option<Relation> {
    if a.checkpoint.origin != b.checkpoint.origin {
        return Some(Relation::OtherLogs { what: "origin" });
    }
    if a.service.key != b.service.key {
        return Some(Relation::OtherLogs { what: "service key" });
    }
    let (longer, long, short) =
        if a.checkpoint.size > b.checkpoint.size { (Side::A, a, b) } else { (Side::B, b, a) };
    if long.checkpoint == short.checkpoint {
        return Some(Relation::Same);
    }
    let added = long.checkpoint.size - short.checkpoint.size;
    let prefix = long.timeline.from == short.checkpoint.size
        && long.timeline.root_before == Some(short.checkpoint.root);
    prefix.then_some(Relation::Grew { longer, added })
}

/// The first entry where two bundles differ.
fn fork(a: impl Read, b: impl Read) -> io::Result<Relation> {
    let broken = |error: ReadError| io::Error::other(error);
    let (mut a, mut b) = (Reader::open(a).map_err(broken)?, Reader::open(b).map_err(broken)?);
    loop {
        let position = a.entries_read();
        match (a.next_item().map_err(broken)?, b.next_item().map_err(broken)?) {
            (Item::Entry(a), Item::Entry(b)) if a == b => {}
            (Item::Entry(a), Item::Entry(b)) => {
                let (a, b) = (branch(a)?, branch(b)?);
                return Ok(Relation::Fork { position, a, b });
            }
            // Their roots differ, so an entry did when they were verified.
            _ => return Err(io::Error::other("a bundle changed while it was read")),
        }
    }
}

fn branch(sealed: Vec<u8>) -> io::Result<Branch> {
    let sealed = Sealed::parse(sealed).map_err(io::Error::other)?;
    let entry = sealed.entry();
    Ok(Branch {
        leaf: sealed.leaf(),
        kind: entry.kind.clone(),
        subject: entry.subject.clone(),
        time_ms: entry.time_ms,
    })
}
