//! Checking a stored log against itself: everything that can be recomputed from the sealed bytes
//! is, and what disagrees is told. Signatures and the entries' meaning are checked elsewhere.

use std::collections::BTreeMap;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::merkle::{Frontier, Node, leaf_hash};
use chancery_ledger::note::Checkpoint;
use futures_util::TryStreamExt as _;

use crate::backend::{Backend as _, RawEntry, RawHead, Snapshot, on};
use crate::{ReadError, Store};

/// Entries in one page, at most.
const PAGE_ENTRIES: u32 = 1024;
/// Bytes of entries after which a page takes no further one.
pub(crate) const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// What a stored log disagrees with itself about. Each text can be read alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// There is no entry at some positions below the head.
    #[error(
        "{count} entries from position {first} on are missing: the tree can't be checked beyond"
    )]
    MissingEntries {
        /// The first such position.
        first: u64,
        /// How many in a row.
        count: u64,
    },
    /// An entry's position isn't below the head's size.
    #[error("an entry at position {position} lies beyond the head")]
    EntryBeyondHead {
        /// The position, as stored.
        position: i64,
    },
    /// An entry's leaf hash isn't the hash of its bytes.
    #[error("the leaf hash of entry {position} isn't that of its bytes")]
    LeafHash {
        /// The entry's position.
        position: u64,
    },
    /// A node of the tree isn't stored.
    #[error("node {index} of level {level} is missing")]
    MissingNode {
        /// The level of tiles, 1 or more.
        level: u8,
        /// The node's place in the level.
        index: u64,
    },
    /// A stored node isn't what the entries' bytes give.
    #[error("node {index} of level {level} isn't the hash of the entries under it")]
    WrongNode {
        /// The level of tiles, 1 or more.
        level: u8,
        /// The node's place in the level.
        index: u64,
    },
    /// A node is stored whose entries aren't all below the head.
    #[error("node {number} of level {level} lies beyond the head")]
    NodeBeyondHead {
        /// The level, as stored.
        level: i64,
        /// The place in the level, as stored.
        number: i64,
    },
    /// The head's size isn't a number of entries.
    #[error("the head's size is {size}")]
    HeadSize {
        /// The size, as stored.
        size: i64,
    },
    /// The head's checkpoint names another size or root than the entries have.
    #[error(
        "the head's checkpoint isn't of the {size} entries of the log: its size or root differs"
    )]
    Checkpoint {
        /// The head's size.
        size: u64,
    },
    /// A command's entries aren't all in the log.
    #[error(
        "command {id} is said to have made {count} entries from position {first_position} on, \
         which aren't all in the log"
    )]
    CommandBeyondHead {
        /// Which command.
        id: CommandId,
        /// Its first position, as stored.
        first_position: i64,
        /// Its number of entries, as stored.
        count: i64,
    },
    /// Two commands claim the same entry.
    #[error("command {id} claims entry {position}, which another command claims too")]
    CommandOverlap {
        /// The command that comes later in the log, or the shorter one.
        id: CommandId,
        /// The first entry that both claim.
        position: u64,
    },
    /// A consumer has acknowledged more than there is.
    #[error("the cursor of {consumer:?} is at {position}, beyond the head")]
    CursorBeyondHead {
        /// The consumer's name.
        consumer: String,
        /// The cursor, as stored.
        position: i64,
    },
    /// The cosigned checkpoint is of more entries than there are.
    #[error("the cosigned checkpoint is of {size} entries, more than there are")]
    CosignedBeyondHead {
        /// The size, as stored.
        size: i64,
    },
    /// A receipt of the mirror doesn't begin where the one before ended.
    #[error(
        "the mirror's receipt from position {first} on doesn't begin where the one before ends"
    )]
    ReceiptOutOfPlace {
        /// The position of its batch's first entry, as stored.
        first: i64,
    },
    /// A receipt of the mirror is of more entries than there are.
    #[error("the mirror's receipt from position {first} on ends at {size}, beyond the head")]
    ReceiptBeyondHead {
        /// The position of its batch's first entry, as stored.
        first: i64,
        /// Where it ends, as stored.
        size: i64,
    },
    /// A receipt of the mirror is of another root than the entries had.
    #[error("the mirror's receipt at {size} entries has another root than the entries")]
    ReceiptRoot {
        /// The number of entries that it says it is of.
        size: u64,
    },
    /// The cosigned checkpoint names another size or root than the entries had.
    #[error("the cosigned checkpoint isn't of the first {size} entries: its size or root differs")]
    Cosigned {
        /// The size that it is stored under.
        size: u64,
    },
}

/// How much was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// Entries in the log, by its head.
    pub entries: u64,
    /// Nodes that the entries complete.
    pub nodes: u64,
    /// Commands that are remembered.
    pub commands: u64,
    /// Entries with a receipt of the mirror.
    pub mirrored: u64,
    /// Entries that no command claims. The store allows them; whether they may be is for the
    /// reader of the entries to say.
    pub unclaimed: u64,
    /// The root of the tree, if no entry is missing.
    pub root: Option<Digest>,
}

impl Store {
    /// Checks all that is stored of a collaboration's log against its sealed bytes, at one moment,
    /// and tells `report` every disagreement. Memory doesn't grow with the log.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]: then the check isn't complete.
    pub async fn fsck(
        &self,
        c: CollaborationId,
        report: &mut impl FnMut(Finding),
    ) -> Result<Checked, ReadError> {
        on!(self, database => {
            let mut snapshot = database.snapshot().await?;
            check(&mut snapshot, c, report).await
        })
    }

    /// Whose personal keys there are: what lies beside the log, by name. Which of them should, is for
    /// the reader of the entries to say.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn personal_subjects(&self, c: CollaborationId) -> Result<Vec<String>, ReadError> {
        on!(self, database => {
            let mut snapshot = database.snapshot().await?;
            snapshot.personal_subjects(c).await
        })
    }
}

async fn check(
    snapshot: &mut impl Snapshot,
    c: CollaborationId,
    report: &mut impl FnMut(Finding),
) -> Result<Checked, ReadError> {
    let head = snapshot.head(c).await?;
    let cosigned = snapshot.cosigned(c).await?;
    let stored_size = head.as_ref().map_or(0, |head| head.size);
    let size = u64::try_from(stored_size).unwrap_or_else(|_| {
        report(Finding::HeadSize { size: stored_size });
        0
    });
    let mut checked = Checked { entries: size, ..Checked::default() };

    let mut walk = Walk::new(size, cosigned.as_ref());
    let mut from = i64::MIN;
    loop {
        let page = snapshot.entries(c, from, PAGE_ENTRIES).await?;
        let Some(last) = page.last() else { break };
        let next = last.position.checked_add(1);
        let sizes = page.first().map_or(0, |entry| entry.position).saturating_add(1)
            ..last.position.saturating_add(2);
        walk.mirror_roots = snapshot.mirror_roots(c, sizes).await?;
        for entry in &page {
            walk.entry(entry, report);
        }
        checked.nodes += walk.completed.len() as u64;
        compare_nodes(snapshot, c, std::mem::take(&mut walk.completed), report).await?;
        let Some(next) = next else { break };
        from = next;
    }
    walk.end(report);
    checked.root = (walk.tree.size() == size).then(|| walk.tree.root());

    if let (Some(head), Some(root)) = (&head, checked.root)
        && !is_checkpoint_of(&head.note, size, root)
    {
        report(Finding::Checkpoint { size });
    }
    if let Some(cosigned) = &cosigned {
        match u64::try_from(cosigned.size) {
            Ok(of) if of <= size => {
                let differs = |root| !is_checkpoint_of(&cosigned.note, of, root);
                if walk.cosigned_root.is_some_and(differs) {
                    report(Finding::Cosigned { size: of });
                }
            }
            _ => report(Finding::CosignedBeyondHead { size: cosigned.size }),
        }
    }
    let mut beyond = snapshot.nodes_beyond(c, size.cast_signed());
    while let Some((level, number)) = beyond.try_next().await? {
        report(Finding::NodeBeyondHead { level, number });
    }
    drop(beyond);
    check_commands(snapshot, c, &mut checked, report).await?;
    check_mirror(snapshot, c, &mut checked, report).await?;
    let mut cursors = snapshot.cursors_beyond(c, size.cast_signed());
    while let Some((consumer, position)) = cursors.try_next().await? {
        report(Finding::CursorBeyondHead { consumer, position });
    }
    Ok(checked)
}

/// The way through the entries, in the order of their positions.
struct Walk {
    /// The head's.
    size: u64,
    /// The position that is due.
    next: u64,
    /// The tree of the entries' bytes, up to the first gap.
    tree: Frontier,
    /// Nodes that were completed and aren't compared yet.
    completed: Vec<Node>,
    cosigned_size: Option<i64>,
    cosigned_root: Option<Digest>,
    /// What the mirror's receipts say of the trees that end in this page, by size.
    mirror_roots: BTreeMap<i64, Vec<u8>>,
}

impl Walk {
    fn new(size: u64, cosigned: Option<&RawHead>) -> Self {
        Self {
            size,
            next: 0,
            tree: Frontier::default(),
            completed: Vec::new(),
            cosigned_size: cosigned.map(|cosigned| cosigned.size),
            cosigned_root: None,
            mirror_roots: BTreeMap::new(),
        }
    }

    fn entry(&mut self, entry: &RawEntry, report: &mut impl FnMut(Finding)) {
        let stored = entry.position;
        let Some(position) = u64::try_from(stored).ok().filter(|position| *position < self.size)
        else {
            report(Finding::EntryBeyondHead { position: stored });
            return;
        };
        self.missing(position, report);
        let leaf = leaf_hash(&entry.sealed);
        if entry.leaf_hash != leaf.as_bytes() {
            report(Finding::LeafHash { position });
        }
        if self.tree.size() == position {
            self.tree.append_noting(leaf, &mut self.completed);
            if self.cosigned_size == Some(self.tree.size().cast_signed()) {
                self.cosigned_root = Some(self.tree.root());
            }
            let mirrored = self.mirror_roots.get(&self.tree.size().cast_signed());
            if mirrored.is_some_and(|root| root != self.tree.root().as_bytes()) {
                report(Finding::ReceiptRoot { size: self.tree.size() });
            }
        }
        self.next = position + 1;
    }

    fn missing(&mut self, until: u64, report: &mut impl FnMut(Finding)) {
        if self.next < until {
            report(Finding::MissingEntries { first: self.next, count: until - self.next });
        }
    }

    fn end(&mut self, report: &mut impl FnMut(Finding)) {
        self.missing(self.size, report);
    }
}

/// That the nodes that a page of entries completed are stored as they are.
async fn compare_nodes(
    snapshot: &mut impl Snapshot,
    c: CollaborationId,
    completed: Vec<Node>,
    report: &mut impl FnMut(Finding),
) -> Result<(), ReadError> {
    let mut by_level: BTreeMap<u8, Vec<Node>> = BTreeMap::new();
    for node in completed {
        by_level.entry(node.level).or_default().push(node);
    }
    for (level, nodes) in by_level {
        let [first, ..] = nodes[..] else { continue };
        let from = first.index.cast_signed();
        let until = from + i64::try_from(nodes.len()).unwrap_or(i64::MAX - from);
        let stored = snapshot.nodes(c, level, from..until).await?;
        for node in nodes {
            let index = node.index;
            match stored.get(&index.cast_signed()) {
                None => report(Finding::MissingNode { level, index }),
                Some(hash) if hash != node.hash.as_bytes() => {
                    report(Finding::WrongNode { level, index });
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

async fn check_commands(
    snapshot: &mut impl Snapshot,
    c: CollaborationId,
    checked: &mut Checked,
    report: &mut impl FnMut(Finding),
) -> Result<(), ReadError> {
    let mut commands = snapshot.commands(c);
    // Positions below it are claimed, or were passed over as unclaimed.
    let mut free = 0;
    while let Some((id, first_position, count)) = commands.try_next().await? {
        checked.commands += 1;
        let range = u64::try_from(first_position).ok().zip(u64::try_from(count).ok());
        let until = range.and_then(|(first, count)| first.checked_add(count));
        let (Some((first, 1..)), Some(until)) =
            (range, until.filter(|until| *until <= checked.entries))
        else {
            report(Finding::CommandBeyondHead { id, first_position, count });
            continue;
        };
        if first < free {
            report(Finding::CommandOverlap { id, position: first });
        } else {
            checked.unclaimed += first - free;
        }
        free = free.max(until);
    }
    checked.unclaimed += checked.entries - free;
    Ok(())
}

/// That the mirror's receipts follow one another, within the log.
async fn check_mirror(
    snapshot: &mut impl Snapshot,
    c: CollaborationId,
    checked: &mut Checked,
    report: &mut impl FnMut(Finding),
) -> Result<(), ReadError> {
    let mut ranges = snapshot.mirror_ranges(c);
    let mut next = 0;
    while let Some((first, size)) = ranges.try_next().await? {
        if first != next {
            report(Finding::ReceiptOutOfPlace { first });
        }
        if size > checked.entries.cast_signed() {
            report(Finding::ReceiptBeyondHead { first, size });
        }
        next = size;
    }
    checked.mirrored = u64::try_from(next).unwrap_or(0);
    Ok(())
}

/// Whether the note's text is a checkpoint of this size and root, whatever the log's name.
fn is_checkpoint_of(note: &str, size: u64, root: Digest) -> bool {
    let origin = note.split('\n').next().unwrap_or_default().to_owned();
    let text = Checkpoint { origin, size, root }.text();
    note.strip_prefix(&text).is_some_and(|rest| rest.starts_with('\n'))
}
