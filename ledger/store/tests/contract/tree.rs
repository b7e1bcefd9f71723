//! The cases of the tree, of batches of commands, and of readers beside writers.

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::merkle::{self, Frontier, Node};
use chancery_ledger::note::Checkpoint;
use chancery_ledger::tile::Tile;
use chancery_store::{
    Append, AppendError, CHECKPOINT_BYTES_MAX, Checked, CosignError, Head, MirrorReceipt, NewEntry,
    Store,
};

use super::{PATIENCE, append_of, collaboration, command, command_id, nodes};

pub async fn an_append_that_contradicts_itself_is_rejected(store: Store) {
    let c = collaboration(1);
    let full = |nodes| Append { nodes, ..append_of(c, 0, &["x"; 256]) };
    let [node] = nodes(0..256)[..] else { panic!("one node") };
    let with = |commands| Append { commands, ..append_of(c, 0, &["a", "b", "c"]) };
    for contradiction in [
        full(vec![]),
        full(vec![node, node]),
        full(vec![Node { index: 1, ..node }]),
        full(vec![Node { level: 2, ..node }]),
        Append { nodes: vec![node], ..append_of(c, 0, &["x"; 255]) },
        with(vec![command(1, 0, 1), command(1, 1, 1)]),
        with(vec![command(1, 0, 2), command(2, 1, 1)]),
        with(vec![command(1, 1, 1), command(2, 0, 1)]),
        with(vec![command(1, 0, 4)]),
        with(vec![command(1, 3, 1)]),
        with(vec![command(1, 0, 0)]),
        with(vec![command(1, u64::MAX, 1)]),
        with(vec![command(1, 1, u64::MAX)]),
    ] {
        let refused = store.append(contradiction).await;
        assert!(matches!(refused, Err(AppendError::Contradiction(_))), "{refused:?}");
    }
    assert_eq!(store.head(c).await.unwrap(), None);
    store.append(full(vec![node])).await.unwrap();
}

pub async fn several_commands_of_an_append_are_each_remembered(store: Store) {
    let c = collaboration(1);
    store.append(append_of(c, 0, &["a"])).await.unwrap();
    // Between the two, an entry that no command made.
    let commands = vec![command(1, 1, 2), command(2, 4, 1)];
    let append = append_of(c, 1, &["b", "c", "d", "e"]);
    store.append(Append { commands, ..append }).await.unwrap();
    for (n, first_position, count) in [(1, 1, 2), (2, 4, 1)] {
        let record = store.command(c, command_id(n)).await.unwrap().unwrap();
        assert_eq!((record.first_position, record.count), (first_position, count));
    }
    // One that is known refuses all of the append.
    let commands = vec![command(3, 5, 1), command(2, 6, 1)];
    let refused = store.append(Append { commands, ..append_of(c, 5, &["f", "g"]) }).await;
    match refused {
        Err(AppendError::DuplicateCommand { id, record }) => {
            assert_eq!((id, record.first_position), (command_id(2), 4));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.command(c, command_id(3)).await.unwrap(), None);
    assert_eq!(store.head(c).await.unwrap().unwrap().size, 5);
}

/// A log as its writer has it: real leaf hashes, nodes and checkpoints (but for the signature).
pub struct Log {
    pub c: CollaborationId,
    pub tree: Frontier,
    pub leaves: Vec<Digest>,
    pub nodes: Vec<Node>,
}

impl Log {
    pub fn new(c: CollaborationId) -> Self {
        Self { c, tree: Frontier::default(), leaves: Vec::new(), nodes: Vec::new() }
    }

    pub fn note(&self) -> String {
        let (size, root) = (self.tree.size(), self.tree.root());
        let text = Checkpoint { origin: "log.test".into(), size, root }.text();
        format!("{text}\n\u{2014} log.test AAAAAA==\n")
    }

    /// The next `count` entries, which one command made.
    pub fn next(&mut self, count: u64) -> Append {
        let first = self.tree.size();
        let (mut entries, mut nodes) = (Vec::new(), Vec::new());
        for position in first..first + count {
            let sealed = format!("entry {position} of {}", self.c).into_bytes();
            let leaf_hash = merkle::leaf_hash(&sealed);
            self.tree.append_noting(leaf_hash, &mut nodes);
            self.leaves.push(leaf_hash);
            entries.push(NewEntry { sealed, leaf_hash });
        }
        self.nodes.extend_from_slice(&nodes);
        Append {
            collaboration: self.c,
            expected_size: first,
            entries,
            nodes,
            checkpoint: self.note(),
            commands: vec![command(first.into(), first, count)],
            personal_keys: Vec::new(),
            erased: Vec::new(),
        }
    }
}

pub async fn tiles_are_those_of_the_tree(store: Store) {
    let mut log = Log::new(collaboration(1));
    let mut size = 0;
    for count in [255, 1, 1, 1024, 1024, 3] {
        store.append(log.next(count)).await.unwrap();
        size += count;
    }
    let tile = |level, index, width| Tile { level, index, width };
    let within = [tile(0, 0, 256), tile(0, 8, 256), tile(0, 9, 4), tile(1, 0, 1), tile(1, 0, 9)];
    let beyond = [tile(0, 9, 5), tile(0, 10, 1), tile(1, 0, 10), tile(2, 0, 1), tile(0, 0, 0)];
    assert_eq!(size, 9 * 256 + 4);
    let mut asked = within.to_vec();
    asked.extend(beyond);
    let found = store.tiles(log.c, &asked).await.unwrap();
    assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), within.into());
    for (tile, hashes) in &found {
        let first = usize::try_from(tile.index * 256).unwrap();
        let expected: Vec<_> = match tile.level {
            0 => log.leaves[first..first + usize::from(tile.width)].to_vec(),
            _ => log.nodes[first..first + usize::from(tile.width)]
                .iter()
                .map(|node| node.hash)
                .collect(),
        };
        assert_eq!(hashes, &expected, "{tile:?}");
        assert_eq!(store.tile(log.c, *tile).await.unwrap(), Some(expected));
    }
    for tile in beyond {
        assert_eq!(store.tile(log.c, tile).await.unwrap(), None, "{tile:?}");
    }
    assert_eq!(store.tile(collaboration(2), tile(0, 0, 1)).await.unwrap(), None);
}

pub async fn an_append_can_erase_keys(store: Store) {
    let c = collaboration(1);
    let key = |subject: &str| (subject.to_owned(), subject.as_bytes().to_vec());
    let keys = |subjects: &[&str]| subjects.iter().map(|subject| key(subject)).collect();
    let first = Append { personal_keys: keys(&["ann", "bob"]), ..append_of(c, 0, &["a"]) };
    store.append(first).await.unwrap();
    // Refused: then it erases nothing either.
    let erased = vec!["ann".to_owned(), "cy".to_owned()];
    let stale = Append { erased: erased.clone(), ..append_of(c, 0, &["b"]) };
    store.append(stale).await.unwrap_err();
    assert!(store.personal_key(c, "ann").await.unwrap().is_some());

    let second = Append { erased, personal_keys: keys(&["cy", "dot"]), ..append_of(c, 1, &["b"]) };
    store.append(second).await.unwrap();
    for (subject, is_there) in [("ann", false), ("bob", true), ("cy", false), ("dot", true)] {
        assert_eq!(store.personal_key(c, subject).await.unwrap().is_some(), is_there, "{subject}");
    }
}

pub async fn the_newest_cosigned_checkpoint_is_kept(store: Store) {
    let c = collaboration(1);
    let nothing = store.put_cosigned(c, 1, "one").await;
    assert!(matches!(nothing, Err(CosignError::Beyond { head: 0 })), "{nothing:?}");
    assert_eq!(store.cosigned(c).await.unwrap(), None);
    store.append(append_of(c, 0, &["a", "b", "c"])).await.unwrap();
    store.put_cosigned(c, 2, "two").await.unwrap();
    store.put_cosigned(c, 2, "two, by more witnesses").await.unwrap();
    let older = store.put_cosigned(c, 1, "one").await;
    assert!(matches!(older, Err(CosignError::Stale { newest: 2 })), "{older:?}");
    let beyond = store.put_cosigned(c, 4, "four").await;
    assert!(matches!(beyond, Err(CosignError::Beyond { head: 3 })), "{beyond:?}");
    for (size, note) in [(0, String::new()), (3, "x".repeat(CHECKPOINT_BYTES_MAX + 1))] {
        let invalid = store.put_cosigned(c, size, &note).await;
        assert!(matches!(invalid, Err(CosignError::Invalid)), "{invalid:?}");
    }
    let kept = Head { size: 2, checkpoint: "two, by more witnesses".into() };
    assert_eq!(store.cosigned(c).await.unwrap(), Some(kept));
    store.put_cosigned(c, 3, &"x".repeat(CHECKPOINT_BYTES_MAX)).await.unwrap();
    assert_eq!(store.cosigned(c).await.unwrap().unwrap().size, 3);
}

pub async fn readers_never_see_a_gap_or_a_head_beyond_its_entries(store: Store) {
    const LOGS: u128 = 12;
    const APPENDS: u64 = 25;
    let writers: Vec<_> = (1..=LOGS)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..APPENDS {
                    let append = append_of(collaboration(n), round * 3, &["x", "y", "z"]);
                    store.append(append).await.unwrap();
                }
            })
        })
        .collect();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut seen = BTreeMap::new();
                let mut sightings = 0_u64;
                while seen.len() < 12 || seen.values().any(|size| *size < APPENDS * 3) {
                    for (c, size) in store.heads(None, 100).await.unwrap() {
                        assert_eq!(size % 3, 0, "a part of an append is visible");
                        let before = seen.insert(c, size).unwrap_or(0);
                        assert!(before <= size, "a head went back");
                        // All below the head is there, at once and without a gap (else `Corrupt`).
                        let entries = store.range(c, before, 1000).await.unwrap();
                        let positions: Vec<_> = entries.iter().map(|one| one.position).collect();
                        assert!(positions.len() as u64 >= size - before);
                        assert_eq!(
                            positions,
                            (before..before + positions.len() as u64).collect::<Vec<_>>()
                        );
                        sightings += u64::from(size > before);
                    }
                }
                sightings
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for reader in readers {
        assert!(tokio::time::timeout(PATIENCE, reader).await.unwrap().unwrap() >= 12);
    }
}

pub async fn a_follower_of_hints_and_sweeps_sees_every_entry_once(store: Store) {
    let mut hints = store.appended();
    let reader = store.clone();
    let follower = tokio::spawn(async move {
        let mut next: BTreeMap<CollaborationId, u64> = BTreeMap::new();
        let mut texts = Vec::new();
        while texts.len() < 8 * 30 {
            // Some hints are missed on purpose: the sweep makes up for them.
            let woken = match hints.recv().await {
                Ok(hint) if hint.size % 7 == 0 => reader.heads(None, 100).await.unwrap(),
                Ok(hint) if hint.size % 2 == 0 => vec![(hint.collaboration, hint.size)],
                Ok(_) => continue,
                Err(_) => reader.heads(None, 100).await.unwrap(),
            };
            for (c, _) in woken {
                let at = next.entry(c).or_insert(0);
                for entry in reader.range(c, *at, 1000).await.unwrap() {
                    assert_eq!(entry.position, *at);
                    *at += 1;
                    texts.push(entry.sealed);
                }
            }
        }
        texts
    });
    let writers: Vec<_> = (1..=8)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                for size in 0..30 {
                    let append = append_of(collaboration(n), size, &[&format!("{n} {size}")]);
                    store.append(append).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let texts = tokio::time::timeout(PATIENCE, follower).await.unwrap().unwrap();
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), 8 * 30);
}

/// Several times the queue's length at once: each waits, none is refused or lost.
pub async fn more_writers_than_the_queue_holds_wait_for_their_turn(store: Store) {
    let appends: Vec<_> = (1..=1000)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.append(append_of(collaboration(n), 0, &["x"])).await })
        })
        .collect();
    for append in appends {
        tokio::time::timeout(PATIENCE, append).await.unwrap().unwrap().unwrap();
    }
    assert_eq!(store.heads(None, 10_000).await.unwrap().len(), 1000);
}

pub async fn a_sound_log_has_no_findings(store: Store) {
    let mut log = Log::new(collaboration(1));
    for count in [1, 254, 1, 1, 1024, 1024, 7] {
        store.append(log.next(count)).await.unwrap();
        if log.tree.size() == 257 {
            store.put_cosigned(log.c, 257, &log.note()).await.unwrap();
        }
    }
    let unclaimed = Append { commands: Vec::new(), ..log.next(5) };
    store.append(unclaimed).await.unwrap();
    store.advance_cursor("views", log.c, 0, log.tree.size()).await.unwrap();
    let root = log.tree.root();
    let receipt = MirrorReceipt { root, ..super::receipt(0, log.tree.size()) };
    store.keep_mirror_receipt(log.c, receipt).await.unwrap();
    // Another log is none of its business.
    store.append(Log::new(collaboration(2)).next(3)).await.unwrap();
    let mut findings = Vec::new();
    let checked = store.fsck(log.c, &mut |finding| findings.push(finding)).await.unwrap();
    assert_eq!(findings, []);
    let expected = Checked {
        entries: log.tree.size(),
        nodes: 9,
        commands: 7,
        mirrored: log.tree.size(),
        unclaimed: 5,
        root: Some(log.tree.root()),
    };
    assert_eq!(checked, expected);
    let nothing = store.fsck(collaboration(3), &mut |_| panic!("nothing is there")).await.unwrap();
    assert_eq!((nothing.entries, nothing.root), (0, Some(Frontier::default().root())));
}
