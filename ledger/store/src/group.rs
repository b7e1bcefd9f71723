//! What a group of writes comes to: decided here from what the database knows, the same for every
//! back end. A back end loads [`Known`] for [`Wanted`], lets [`decide`], and stores [`Changes`],
//! all in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::id::{CollaborationId, CommandId};

use crate::append::{Append, AppendError, NewCommand};
use crate::cosigned::{Cosign, CosignError};
use crate::cursor::{Advance, AdvanceError};
use crate::mirrored::{Keep, MirrorError, MirrorReceipt};
use crate::personal_key::{Erase, EraseError};
use crate::read::CommandRecord;

/// One write, in bounds.
pub(crate) enum Work {
    Append(Append),
    Advance(Advance),
    Cosign(Cosign),
    Keep(Keep),
    Erase(Erase),
}

/// What became of one write, if its transaction commits.
pub(crate) enum Outcome {
    Append(Result<(), AppendError>),
    Advance(Result<(), AdvanceError>),
    Cosign(Result<(), CosignError>),
    Keep(Result<(), MirrorError>),
    /// Set once its traces are dropped, after the commit.
    Erase(Result<(), EraseError>),
}

/// What a decision needs of the database.
#[derive(Default)]
pub(crate) struct Wanted<'a> {
    /// Whose heads; no one else may write to these logs until the transaction ends.
    pub heads: BTreeSet<CollaborationId>,
    pub commands: BTreeSet<(CollaborationId, CommandId)>,
    pub personal_keys: BTreeSet<(CollaborationId, &'a str)>,
    /// No one else may move these until the transaction ends.
    pub cursors: BTreeSet<(&'a str, CollaborationId)>,
    pub cosigned: BTreeSet<CollaborationId>,
    pub mirrored: BTreeSet<CollaborationId>,
}

/// What the database knows of it; what it doesn't know is left out.
#[derive(Default)]
pub(crate) struct Known {
    pub sizes: BTreeMap<CollaborationId, u64>,
    pub commands: BTreeMap<(CollaborationId, CommandId), CommandRecord>,
    pub personal_keys: BTreeMap<(CollaborationId, String), Vec<u8>>,
    pub cursors: BTreeMap<(String, CollaborationId), u64>,
    pub cosigned: BTreeMap<CollaborationId, u64>,
    pub mirrored: BTreeMap<CollaborationId, u64>,
}

/// What is to be stored, in the order of the fields.
#[derive(Default)]
pub(crate) struct Changes<'a> {
    pub heads: BTreeMap<CollaborationId, HeadChange<'a>>,
    /// Whose nodes, entries and commands are new, in order.
    pub appends: Vec<&'a Append>,
    pub erased: BTreeSet<(CollaborationId, &'a str)>,
    /// Keys for subjects that have none now or are among the erased.
    pub personal_keys: BTreeMap<(CollaborationId, &'a str), &'a [u8]>,
    pub cursors: BTreeMap<(&'a str, CollaborationId), CursorChange>,
    /// Size and note.
    pub cosigned: BTreeMap<CollaborationId, (u64, &'a str)>,
    /// In order.
    pub receipts: Vec<(CollaborationId, &'a MirrorReceipt)>,
}

pub(crate) struct HeadChange<'a> {
    /// 0: there is no row yet.
    pub before: u64,
    pub size: u64,
    pub checkpoint: &'a str,
}

pub(crate) struct CursorChange {
    /// 0: there is no row yet.
    pub before: u64,
    pub to: u64,
}

/// What must be known to decide on `group`.
pub(crate) fn wanted<'a>(group: &[&'a Work]) -> Wanted<'a> {
    let mut wanted = Wanted::default();
    for work in group {
        match work {
            Work::Append(append) => {
                let c = append.collaboration;
                wanted.heads.insert(c);
                wanted.commands.extend(append.commands.iter().map(|command| (c, command.id)));
                let subjects = append.personal_keys.iter().map(|(subject, _)| subject);
                wanted.personal_keys.extend(subjects.map(|subject| (c, subject.as_str())));
            }
            Work::Advance(advance) => {
                wanted.cursors.insert((&advance.consumer, advance.collaboration));
            }
            Work::Cosign(cosign) => {
                wanted.heads.insert(cosign.collaboration);
                wanted.cosigned.insert(cosign.collaboration);
            }
            Work::Keep(keep) => {
                wanted.heads.insert(keep.collaboration);
                wanted.mirrored.insert(keep.collaboration);
            }
            // With its head, so that no append gives the key anew meanwhile.
            Work::Erase(erase) => {
                wanted.heads.insert(erase.collaboration);
            }
        }
    }
    wanted
}

/// Decides on the writes in order, each as if those before it had been stored.
pub(crate) fn decide<'a>(group: &[&'a Work], mut known: Known) -> (Vec<Outcome>, Changes<'a>) {
    let mut changes = Changes::default();
    let outcomes = group
        .iter()
        .map(|work| match work {
            Work::Append(append) => Outcome::Append(known.append(append, &mut changes)),
            Work::Advance(advance) => Outcome::Advance(known.advance(advance, &mut changes)),
            Work::Cosign(cosign) => Outcome::Cosign(known.cosign(cosign, &mut changes)),
            Work::Keep(keep) => Outcome::Keep(known.keep(keep, &mut changes)),
            Work::Erase(erase) => {
                known.erase(erase.collaboration, &erase.subject, &mut changes);
                Outcome::Erase(Ok(()))
            }
        })
        .collect();
    (outcomes, changes)
}

impl Known {
    fn append<'a>(
        &mut self,
        append: &'a Append,
        changes: &mut Changes<'a>,
    ) -> Result<(), AppendError> {
        let c = append.collaboration;
        for NewCommand { id, .. } in &append.commands {
            if let Some(record) = self.commands.get(&(c, *id)) {
                return Err(AppendError::DuplicateCommand { id: *id, record: *record });
            }
        }
        let actual = self.sizes.get(&c).copied().unwrap_or(0);
        if actual != append.expected_size {
            return Err(AppendError::Conflict { actual });
        }
        let mut given = BTreeMap::new();
        for (subject, key) in &append.personal_keys {
            let stored = self.personal_keys.get(&(c, subject.clone()));
            if stored.or(given.insert(subject, key)).is_some_and(|other| other != key) {
                return Err(AppendError::PersonalKeyExists);
            }
        }

        // Nothing refuses it any more.
        self.sizes.insert(c, append.new_size());
        self.commands
            .extend(append.commands.iter().map(|command| ((c, command.id), command.record())));
        changes
            .heads
            .entry(c)
            .and_modify(|head| {
                head.size = append.new_size();
                head.checkpoint = &append.checkpoint;
            })
            .or_insert_with(|| HeadChange {
                before: actual,
                size: append.new_size(),
                checkpoint: &append.checkpoint,
            });
        changes.appends.push(append);
        for (subject, key) in given {
            if self.personal_keys.insert((c, subject.clone()), key.clone()).is_none() {
                changes.personal_keys.insert((c, subject), key);
            }
        }
        for subject in &append.erased {
            self.erase(c, subject, changes);
        }
        Ok(())
    }

    fn advance<'a>(
        &mut self,
        advance: &'a Advance,
        changes: &mut Changes<'a>,
    ) -> Result<(), AdvanceError> {
        let c = advance.collaboration;
        let at = self.cursors.entry((advance.consumer.clone(), c)).or_insert(0);
        if *at != advance.from {
            return Err(AdvanceError::Conflict { actual: *at });
        }
        *at = advance.to;
        let change = CursorChange { before: advance.from, to: advance.to };
        changes
            .cursors
            .entry((&advance.consumer, c))
            .and_modify(|change| change.to = advance.to)
            .or_insert(change);
        Ok(())
    }

    fn cosign<'a>(
        &mut self,
        cosign: &'a Cosign,
        changes: &mut Changes<'a>,
    ) -> Result<(), CosignError> {
        let c = cosign.collaboration;
        let head = self.sizes.get(&c).copied().unwrap_or(0);
        if cosign.size > head {
            return Err(CosignError::Beyond { head });
        }
        if let Some(newest) = self.cosigned.get(&c).copied().filter(|size| *size > cosign.size) {
            return Err(CosignError::Stale { newest });
        }
        self.cosigned.insert(c, cosign.size);
        changes.cosigned.insert(c, (cosign.size, &cosign.note));
        Ok(())
    }

    fn keep<'a>(&mut self, keep: &'a Keep, changes: &mut Changes<'a>) -> Result<(), MirrorError> {
        let (c, receipt) = (keep.collaboration, &keep.receipt);
        let head = self.sizes.get(&c).copied().unwrap_or(0);
        if receipt.size > head {
            return Err(MirrorError::Beyond { head });
        }
        let mirrored = self.mirrored.get(&c).copied().unwrap_or(0);
        if receipt.first != mirrored {
            return Err(MirrorError::Conflict { mirrored });
        }
        self.mirrored.insert(c, receipt.size);
        changes.receipts.push((c, receipt));
        Ok(())
    }

    fn erase<'a>(&mut self, c: CollaborationId, subject: &'a str, changes: &mut Changes<'a>) {
        self.personal_keys.remove(&(c, subject.to_owned()));
        changes.personal_keys.remove(&(c, subject));
        changes.erased.insert((c, subject));
    }
}
