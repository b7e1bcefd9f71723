//! The tree over the entries, and what signed notes say of it.

use chancery_ledger::digest::Digest;
use chancery_ledger::key::PublicKey;
use chancery_ledger::merkle::Frontier;
use chancery_ledger::note::{Checkpoint, Policy};

use super::verdict::{causes, tampered};
use crate::bundle::{Gap, Header, Trailer};
use crate::check::{Check, Verdict};
use crate::partial::subtrees;
use crate::standing::Witnessed;

/// The tree so far.
#[derive(Debug)]
pub struct Tree {
    frontier: Frontier,
    cosigned_size: Option<u64>,
    /// The root at that size, once it was reached.
    cosigned_root: Option<Digest>,
}

impl Tree {
    /// An empty tree, whose root at `cosigned_size` will be kept.
    pub fn new(cosigned_size: Option<u64>) -> Self {
        let mut tree = Self { frontier: Frontier::default(), cosigned_size, cosigned_root: None };
        tree.keep();
        tree
    }

    /// The number of entries.
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Appends an entry.
    pub fn append(&mut self, leaf: Digest) {
        self.frontier.append(leaf);
        self.keep();
    }

    /// Appends entries that are left out.
    ///
    /// # Errors
    ///
    /// The failing check, where the roots are not as many as the gap takes.
    pub fn append_gap(&mut self, gap: &Gap) -> Result<(), Verdict> {
        let fails = |detail: &str| tampered(Check::Format, Some(gap.first), detail.to_owned());
        let heights: Vec<_> = subtrees(gap.first, gap.count).collect();
        if heights.len() != gap.roots.len() {
            return Err(fails("the gap has not the roots that it takes to cover it"));
        }
        for (height, root) in heights.into_iter().zip(&gap.roots) {
            self.frontier
                .append_subtree(height, *root)
                .map_err(|_| fails("the gap does not fit where it stands"))?;
        }
        self.keep();
        Ok(())
    }

    fn keep(&mut self) {
        if Some(self.frontier.size()) == self.cosigned_size {
            self.cosigned_root = Some(self.frontier.root());
        }
    }

    /// The checkpoint of the trailer: of this log, this size and this root. `key` seals the next
    /// entry.
    ///
    /// # Errors
    ///
    /// The failing check.
    pub fn checkpoint(
        &self,
        header: &Header,
        trailer: &Trailer,
        key: &PublicKey,
    ) -> Result<Checkpoint, Verdict> {
        let size = self.size();
        let fails = |check, detail| tampered(check, None, detail);
        let checkpoint = Checkpoint::open(&trailer.checkpoint, &header.origin, key)
            .map_err(|error| fails(Check::Checkpoint, causes(&error)))?;
        if checkpoint.size > size {
            return Err(Verdict::Incomplete {
                check: Check::Checkpoint,
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
        if header.size != size {
            let detail = format!("it says {} entries, and there are {size}", header.size);
            return Err(fails(Check::Header, detail));
        }
        let root = self.frontier.root();
        if checkpoint.root != root {
            let detail = format!("the checkpoint has {}, the entries {root}", checkpoint.root);
            return Err(fails(Check::Root, detail));
        }
        if !trailer.intact {
            let detail = "the checksum is not that of the header and the notes".to_owned();
            return Err(fails(Check::Header, detail));
        }
        Ok(checkpoint)
    }

    /// The cosigned note, if there is one, and whether enough witnesses cosigned. `key_at` gives the
    /// key that signs the checkpoint of a size.
    ///
    /// # Errors
    ///
    /// The failing check: a note that is not of this log, or a named witness's line that does not
    /// verify, is tampered with; too few witnesses are something that is missing.
    pub fn witnessed<'a>(
        &self,
        header: &Header,
        trailer: &Trailer,
        key_at: impl Fn(u64) -> &'a PublicKey,
        policy: Option<&Policy>,
    ) -> Result<Option<Witnessed>, Verdict> {
        let fails = |detail| tampered(Check::Witnesses, None, detail);
        let none = Policy::default();
        let asked = policy.unwrap_or(&none);
        let mut witnessed = None;
        let mut enough = asked.threshold() == 0;
        if let (Some(note), Some(size)) = (&trailer.cosigned, self.cosigned_size) {
            let root = self.cosigned_root.ok_or_else(|| {
                fails(format!("the cosigned note is of {size} entries, where no tree is known"))
            })?;
            let opened = Checkpoint::open(note, &header.origin, key_at(size))
                .map_err(|error| fails(format!("the cosigned note: {}", causes(&error))))?;
            if (opened.size, opened.root) != (size, root) {
                let detail = format!(
                    "the cosigned note has {} entries and root {}, the log there {size} and {root}",
                    opened.size, opened.root
                );
                return Err(fails(detail));
            }
            witnessed = Some((size, note));
        }
        // Witnesses may have cosigned the checkpoint itself.
        let notes = [(self.size(), &trailer.checkpoint)].into_iter().chain(witnessed);
        let mut best: Option<Witnessed> = None;
        for (size, note) in notes {
            let cosigned = asked.verify(note).map_err(|error| fails(causes(&error)))?;
            enough |= asked.is_met_by(&cosigned);
            if best.as_ref().is_none_or(|best| best.cosigned.len() < cosigned.len()) {
                best = Some(Witnessed { size, cosigned });
            }
        }
        if !enough {
            let found = best.map_or(0, |best| best.cosigned.len());
            return Err(Verdict::Incomplete {
                check: Check::Witnesses,
                position: None,
                detail: format!(
                    "{found} of the named witnesses cosigned, and {} were asked for",
                    asked.threshold()
                ),
            });
        }
        Ok(best.filter(|best| !best.cosigned.is_empty()))
    }
}
