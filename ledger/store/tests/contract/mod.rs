//! What every back end of the log must do. Each case takes a fresh store from `make`, which
//! returns it with whatever must outlive it (a folder, a container).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::merkle::{self, Frontier, Node};
use chancery_ledger::note::Checkpoint;
use chancery_ledger::tile::Tile;
use chancery_store::{
    APPEND_BYTES_MAX, AdvanceError, Append, AppendError, Appended, BATCH_ENTRIES_MAX,
    CHECKPOINT_BYTES_MAX, Checked, CommandRecord, CosignError, ENTRY_BYTES_MAX, Head, NewCommand,
    NewEntry, Oversize, RANGE_BYTES_MAX, Store, StoredEntry,
};
use uuid::Uuid;

/// Long enough for any step on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

pub fn collaboration(n: u128) -> CollaborationId {
    CollaborationId::new(Uuid::from_u128(n))
}

pub fn command_id(n: u128) -> CommandId {
    CommandId::new(Uuid::from_u128(n))
}

pub fn command(n: u128, first_position: u64, count: u64) -> NewCommand {
    let content_digest = Digest::of(b"content");
    NewCommand { id: command_id(n), content_digest, first_position, count }
}

pub fn entry(text: &str) -> NewEntry {
    NewEntry { sealed: text.into(), leaf_hash: Digest::of(text.as_bytes()) }
}

pub fn append_of(c: CollaborationId, expected_size: u64, texts: &[&str]) -> Append {
    let entries: Vec<_> = texts.iter().map(|text| entry(text)).collect();
    Append {
        collaboration: c,
        expected_size,
        checkpoint: checkpoint(expected_size + texts.len() as u64),
        entries,
        nodes: Vec::new(),
        commands: Vec::new(),
        personal_keys: Vec::new(),
        erased: Vec::new(),
    }
}

/// The nodes that entries at `positions` complete, for logs whose hashes no one checks.
pub fn nodes(positions: Range<u64>) -> Vec<Node> {
    let mut tree = Frontier::default();
    tree.extend((0..positions.start).map(|_| Digest::of(b"")));
    let mut nodes = Vec::new();
    positions.for_each(|_| tree.append_noting(Digest::of(b""), &mut nodes));
    nodes
}

pub fn checkpoint(size: u64) -> String {
    format!("checkpoint at {size}")
}

fn stored(position: u64, text: &str) -> StoredEntry {
    let NewEntry { sealed, leaf_hash } = entry(text);
    StoredEntry { position, sealed, leaf_hash }
}

/// All entries of a log, as a caller reads them: page by page until an empty one.
pub async fn read_all(store: &Store, c: CollaborationId, page: u32) -> Vec<StoredEntry> {
    let mut all: Vec<StoredEntry> = Vec::new();
    loop {
        let next = store.range(c, all.len() as u64, page).await.unwrap();
        if next.is_empty() {
            return all;
        }
        all.extend(next);
    }
}

/// Makes one `#[tokio::test]` of each case, on the stores that `$make` gives.
#[macro_export]
macro_rules! store_contract {
    ($make:path; $($case:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $case() {
            let (store, keep) = $make().await;
            contract::$case(store).await;
            drop(keep);
        }
    )*};
    ($make:path) => {
        $crate::store_contract! { $make;
            an_unknown_collaboration_is_empty
            entries_come_back_in_order_as_they_went_in
            logs_are_separate
            a_stale_size_is_a_conflict_and_writes_nothing
            ranges_are_contiguous_pages
            a_long_range_ends_early_but_goes_on
            leaf_hashes_follow_the_entries
            heads_come_in_pages_by_id
            a_repeated_command_returns_its_first_outcome
            a_command_id_belongs_to_one_collaboration
            bounds_are_enforced
            of_appends_at_the_same_size_one_wins
            appends_to_many_collaborations_all_succeed
            hints_tell_of_appends_after_they_can_be_read
            cursors_move_by_compare_and_set
            personal_keys_are_kept_and_erased
            a_refused_append_keeps_no_part
            a_closed_store_is_unavailable
            a_dropped_append_still_ends_whole
            an_append_that_contradicts_itself_is_rejected
            several_commands_of_an_append_are_each_remembered
            tiles_are_those_of_the_tree
            an_append_can_erase_keys
            the_newest_cosigned_checkpoint_is_kept
            readers_never_see_a_gap_or_a_head_beyond_its_entries
            a_follower_of_hints_and_sweeps_sees_every_entry_once
            more_writers_than_the_queue_holds_wait_for_their_turn
            a_sound_log_has_no_findings
        }
    };
}

pub async fn an_unknown_collaboration_is_empty(store: Store) {
    let c = collaboration(1);
    assert_eq!(store.head(c).await.unwrap(), None);
    assert_eq!(store.range(c, 0, 10).await.unwrap(), []);
    assert_eq!(store.leaf_hashes(c, 0, 10).await.unwrap(), []);
    assert_eq!(store.heads(None, 10).await.unwrap(), []);
    assert_eq!(store.command(c, command_id(1)).await.unwrap(), None);
    assert_eq!(store.personal_key(c, "x").await.unwrap(), None);
}

pub async fn entries_come_back_in_order_as_they_went_in(store: Store) {
    let c = collaboration(1);
    store.append(append_of(c, 0, &["a"])).await.unwrap();
    store.append(append_of(c, 1, &["b", "c"])).await.unwrap();
    assert_eq!(read_all(&store, c, 10).await, [stored(0, "a"), stored(1, "b"), stored(2, "c")]);
    assert_eq!(store.head(c).await.unwrap(), Some(Head { size: 3, checkpoint: checkpoint(3) }));
}

pub async fn logs_are_separate(store: Store) {
    store.append(append_of(collaboration(1), 0, &["one"])).await.unwrap();
    store.append(append_of(collaboration(2), 0, &["two"])).await.unwrap();
    assert_eq!(read_all(&store, collaboration(1), 10).await, [stored(0, "one")]);
    assert_eq!(read_all(&store, collaboration(2), 10).await, [stored(0, "two")]);
}

pub async fn a_stale_size_is_a_conflict_and_writes_nothing(store: Store) {
    let c = collaboration(1);
    store.append(append_of(c, 0, &["a", "b"])).await.unwrap();
    for stale in [0, 1, 3, 1_000_000] {
        let refused = store.append(append_of(c, stale, &["x"])).await;
        assert!(matches!(refused, Err(AppendError::Conflict { actual: 2 })), "{refused:?}");
    }
    let refused = store.append(append_of(collaboration(2), 1, &["x"])).await;
    assert!(matches!(refused, Err(AppendError::Conflict { actual: 0 })), "{refused:?}");
    assert_eq!(read_all(&store, c, 10).await.len(), 2);
    assert_eq!(store.head(collaboration(2)).await.unwrap(), None);
}

pub async fn ranges_are_contiguous_pages(store: Store) {
    let c = collaboration(1);
    let texts: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    store.append(append_of(c, 0, &texts)).await.unwrap();
    for page in [1, 7, 50, 1000] {
        let positions: Vec<u64> =
            read_all(&store, c, page).await.iter().map(|entry| entry.position).collect();
        assert_eq!(positions, (0..50).collect::<Vec<_>>());
    }
    assert_eq!(store.range(c, 48, 10).await.unwrap(), [stored(48, "48"), stored(49, "49")]);
    assert_eq!(store.range(c, 50, 10).await.unwrap(), []);
    assert_eq!(store.range(c, u64::MAX, u32::MAX).await.unwrap(), []);
    assert_eq!(store.range(c, 0, 0).await.unwrap(), []);
}

pub async fn a_long_range_ends_early_but_goes_on(store: Store) {
    let c = collaboration(1);
    let count = RANGE_BYTES_MAX / ENTRY_BYTES_MAX + 4;
    let per_append = APPEND_BYTES_MAX / ENTRY_BYTES_MAX;
    let mut size = 0;
    while size < count {
        let entries = (0..per_append.min(count - size))
            .map(|n| {
                let sealed = vec![u8::try_from(size + n).unwrap(); ENTRY_BYTES_MAX];
                NewEntry { leaf_hash: Digest::of(&sealed), sealed }
            })
            .collect::<Vec<_>>();
        let added = entries.len();
        let append = Append { entries, ..append_of(c, size as u64, &[]) };
        store.append(append).await.unwrap();
        size += added;
    }
    let first = store.range(c, 0, 1000).await.unwrap();
    assert_eq!(first.len(), RANGE_BYTES_MAX / ENTRY_BYTES_MAX);
    let all = read_all(&store, c, 1000).await;
    assert_eq!(all.len(), count);
    assert!(all.iter().all(|entry| entry.leaf_hash == Digest::of(&entry.sealed)));
}

pub async fn leaf_hashes_follow_the_entries(store: Store) {
    let c = collaboration(1);
    store.append(append_of(c, 0, &["a", "b", "c"])).await.unwrap();
    let hashes = ["a", "b", "c"].map(|text| Digest::of(text.as_bytes()));
    assert_eq!(store.leaf_hashes(c, 0, 100).await.unwrap(), hashes);
    assert_eq!(store.leaf_hashes(c, 1, 1).await.unwrap(), hashes[1..2]);
    assert_eq!(store.leaf_hashes(c, 3, 1).await.unwrap(), []);
}

pub async fn heads_come_in_pages_by_id(store: Store) {
    let expected: Vec<_> = [1, 2, 0x80, 1 << 127].map(|n| (collaboration(n), 1)).into();
    for (c, _) in expected.iter().rev() {
        store.append(append_of(*c, 0, &["x"])).await.unwrap();
    }
    assert_eq!(store.heads(None, 100).await.unwrap(), expected);
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = store.heads(after, 3).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        paged.extend(page);
    }
    assert_eq!(paged, expected);
}

pub async fn a_repeated_command_returns_its_first_outcome(store: Store) {
    let c = collaboration(1);
    let command = command(7, 1, 2);
    store.append(append_of(c, 0, &["a"])).await.unwrap();
    store.append(Append { commands: vec![command], ..append_of(c, 1, &["b", "c"]) }).await.unwrap();
    let expected =
        CommandRecord { first_position: 1, count: 2, content_digest: command.content_digest };
    assert_eq!(store.command(c, command.id).await.unwrap(), Some(expected));

    // At the right size, at a stale one, and with other content.
    for (size, content) in [(3, "content"), (1, "content"), (3, "other")] {
        let content_digest = Digest::of(content.as_bytes());
        let again = NewCommand { content_digest, first_position: size, count: 1, ..command };
        let commands = vec![again];
        match store.append(Append { commands, ..append_of(c, size, &["x"]) }).await {
            Err(AppendError::DuplicateCommand { id, record }) => {
                assert_eq!((id, record), (command.id, expected));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(store.head(c).await.unwrap().unwrap().size, 3);
}

pub async fn a_command_id_belongs_to_one_collaboration(store: Store) {
    for n in 1..=2 {
        let commands = vec![command(7, 0, 1)];
        store.append(Append { commands, ..append_of(collaboration(n), 0, &["x"]) }).await.unwrap();
    }
}

pub async fn bounds_are_enforced(store: Store) {
    let c = collaboration(1);
    let oversize = |append: Append| {
        let store = store.clone();
        async move {
            match store.append(append).await {
                Err(AppendError::TooLarge(which)) => which,
                other => panic!("{other:?}"),
            }
        }
    };
    let sized = |bytes: usize, count: usize| Append {
        entries: vec![NewEntry { sealed: vec![1; bytes], leaf_hash: Digest::of(b"") }; count],
        ..append_of(c, 0, &[])
    };
    assert_eq!(oversize(sized(ENTRY_BYTES_MAX + 1, 1)).await, Oversize::Entry);
    assert_eq!(oversize(sized(1, BATCH_ENTRIES_MAX + 1)).await, Oversize::Batch);
    assert_eq!(
        oversize(sized(ENTRY_BYTES_MAX, APPEND_BYTES_MAX / ENTRY_BYTES_MAX + 1)).await,
        Oversize::Append
    );
    assert_eq!(
        oversize(Append { checkpoint: "x".repeat(1 << 20), ..sized(1, 1) }).await,
        Oversize::Checkpoint
    );
    assert_eq!(
        oversize(Append { personal_keys: vec![("x".repeat(1000), vec![])], ..sized(1, 1) }).await,
        Oversize::PersonalKey
    );
    assert_eq!(
        oversize(Append { expected_size: i64::MAX as u64, ..sized(1, 1) }).await,
        Oversize::Position
    );
    for empty in [sized(1, 0), sized(0, 1)] {
        assert!(matches!(store.append(empty).await, Err(AppendError::Empty)));
    }
    assert_eq!(store.head(c).await.unwrap(), None);

    let largest =
        Append { expected_size: 0, ..sized(ENTRY_BYTES_MAX, APPEND_BYTES_MAX / ENTRY_BYTES_MAX) };
    store.append(largest).await.unwrap();
    let nodes = nodes(16..16 + BATCH_ENTRIES_MAX as u64);
    let most = Append { expected_size: 16, nodes, ..sized(1, BATCH_ENTRIES_MAX) };
    store.append(most).await.unwrap();
    assert_eq!(store.head(c).await.unwrap().unwrap().size, 16 + BATCH_ENTRIES_MAX as u64);
}

pub async fn of_appends_at_the_same_size_one_wins(store: Store) {
    let c = collaboration(1);
    for round in 0..10 {
        let tries: Vec<_> = (0..16)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    store.append(append_of(c, round, &[&format!("{round}-{n}")])).await
                })
            })
            .collect();
        let mut won = 0;
        for one in tries {
            match one.await.unwrap() {
                Ok(()) => won += 1,
                Err(AppendError::Conflict { actual }) => assert_eq!(actual, round + 1),
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(won, 1);
    }
    assert_eq!(read_all(&store, c, 100).await.len(), 10);
}

pub async fn appends_to_many_collaborations_all_succeed(store: Store) {
    let tasks: Vec<_> = (1..=40)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                for size in 0..5 {
                    store.append(append_of(collaboration(n), size, &["x"])).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let heads = store.heads(None, 100).await.unwrap();
    assert_eq!(heads, (1..=40).map(|n| (collaboration(n), 5)).collect::<Vec<_>>());
}

pub async fn hints_tell_of_appends_after_they_can_be_read(store: Store) {
    let c = collaboration(1);
    let mut hints = store.appended();
    let reader = store.clone();
    let follower = tokio::spawn(async move {
        for size in 1..=20 {
            let hint = tokio::time::timeout(PATIENCE, hints.recv()).await.unwrap().unwrap();
            assert_eq!(hint, Appended { collaboration: c, size });
            assert!(reader.range(c, size - 1, 1).await.unwrap().len() == 1);
        }
    });
    for size in 0..20 {
        store.append(append_of(c, size, &["x"])).await.unwrap();
        // A refused one sends none.
        store.append(append_of(c, size, &["x"])).await.unwrap_err();
    }
    follower.await.unwrap();
}

pub async fn cursors_move_by_compare_and_set(store: Store) {
    let (one, two) = (collaboration(1), collaboration(2));
    assert_eq!(store.cursor("views", one).await.unwrap(), 0);
    store.advance_cursor("views", one, 0, 3).await.unwrap();
    store.advance_cursor("views", one, 3, 4).await.unwrap();
    store.advance_cursor("views", two, 0, 1).await.unwrap();
    store.advance_cursor("mirror", one, 0, 9).await.unwrap();
    let stale = store.advance_cursor("views", one, 3, 5).await;
    assert!(matches!(stale, Err(AdvanceError::Conflict { actual: 4 })), "{stale:?}");
    for (from, to) in [(4, 4), (4, 3), (4, u64::MAX)] {
        let invalid = store.advance_cursor("views", one, from, to).await;
        assert!(matches!(invalid, Err(AdvanceError::Invalid)), "{invalid:?}");
    }
    assert!(matches!(store.advance_cursor("", one, 0, 1).await, Err(AdvanceError::Invalid)));
    assert_eq!(store.cursor("views", one).await.unwrap(), 4);
    assert_eq!(store.cursors("views").await.unwrap(), [(one, 4), (two, 1)].into());
    assert_eq!(store.cursors("nobody").await.unwrap(), [].into());
}

pub async fn personal_keys_are_kept_and_erased(store: Store) {
    let c = collaboration(1);
    let with_keys = |size, keys: &[(&str, &[u8])]| Append {
        personal_keys: keys
            .iter()
            .map(|(subject, key)| ((*subject).to_owned(), key.to_vec()))
            .collect(),
        ..append_of(c, size, &["x"])
    };
    store.append(with_keys(0, &[("ann", b"key of ann"), ("bob", b"key of bob")])).await.unwrap();
    assert_eq!(store.personal_key(c, "ann").await.unwrap().as_deref(), Some(&b"key of ann"[..]));
    assert_eq!(store.personal_key(collaboration(2), "ann").await.unwrap(), None);

    // The same key again is fine; another would make what is sealed under the first unreadable.
    store.append(with_keys(1, &[("ann", b"key of ann")])).await.unwrap();
    for keys in [&[("ann", &b"other"[..])][..], &[("cy", b"1"), ("cy", b"2")]] {
        let refused = store.append(with_keys(2, keys)).await;
        assert!(matches!(refused, Err(AppendError::PersonalKeyExists)), "{refused:?}");
    }

    for _ in 0..2 {
        store.erase_personal_key(c, "ann").await.unwrap();
    }
    assert_eq!(store.personal_key(c, "ann").await.unwrap(), None);
    assert_eq!(store.personal_key(c, "bob").await.unwrap().as_deref(), Some(&b"key of bob"[..]));
    assert_eq!(store.head(c).await.unwrap().unwrap().size, 2);
}

pub async fn a_refused_append_keeps_no_part(store: Store) {
    let c = collaboration(1);
    store.append(append_of(c, 0, &["a"])).await.unwrap();
    let refused = Append {
        commands: vec![command(1, 0, 2)],
        personal_keys: vec![("ann".into(), vec![1])],
        ..append_of(c, 0, &["x", "y"])
    };
    store.append(refused).await.unwrap_err();
    assert_eq!(store.head(c).await.unwrap(), Some(Head { size: 1, checkpoint: checkpoint(1) }));
    assert_eq!(read_all(&store, c, 10).await, [stored(0, "a")]);
    assert_eq!(store.command(c, command_id(1)).await.unwrap(), None);
    assert_eq!(store.personal_key(c, "ann").await.unwrap(), None);
}

pub async fn a_closed_store_is_unavailable(store: Store) {
    let c = collaboration(1);
    store.append(append_of(c, 0, &["a"])).await.unwrap();
    store.close().await;
    assert!(matches!(
        store.append(append_of(c, 1, &["b"])).await,
        Err(AppendError::Unavailable(_))
    ));
    assert!(matches!(
        store.advance_cursor("views", c, 0, 1).await,
        Err(AdvanceError::Unavailable(_))
    ));
    store.range(c, 0, 1).await.unwrap_err();
}

pub async fn a_dropped_append_still_ends_whole(store: Store) {
    let c = collaboration(1);
    for round in 0..20 {
        let before = store.head(c).await.unwrap().map_or(0, |head| head.size);
        {
            let append = store.append(append_of(c, before, &["x", "y", "z"]));
            // Polled once, so that it is queued, and dropped.
            let _ = tokio::time::timeout(Duration::ZERO, append).await;
        }
        // A later write of this handle comes after it in the queue.
        store.advance_cursor("fence", c, round, round + 1).await.unwrap();
        let after = store.head(c).await.unwrap().map_or(0, |head| head.size);
        assert!(after == before || after == before + 3, "{before} to {after}");
    }
    let positions: BTreeSet<u64> =
        read_all(&store, c, 100).await.iter().map(|entry| entry.position).collect();
    assert_eq!(positions.len() as u64, store.head(c).await.unwrap().map_or(0, |head| head.size));
}

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
    // Another log is none of its business.
    store.append(Log::new(collaboration(2)).next(3)).await.unwrap();
    let mut findings = Vec::new();
    let checked = store.fsck(log.c, &mut |finding| findings.push(finding)).await.unwrap();
    assert_eq!(findings, []);
    let expected = Checked {
        entries: log.tree.size(),
        nodes: 9,
        commands: 7,
        unclaimed: 5,
        root: Some(log.tree.root()),
    };
    assert_eq!(checked, expected);
    let nothing = store.fsck(collaboration(3), &mut |_| panic!("nothing is there")).await.unwrap();
    assert_eq!((nothing.entries, nothing.root), (0, Some(Frontier::default().root())));
}
