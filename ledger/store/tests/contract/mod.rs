//! What every back end of the log must do. Each case takes a fresh store from `make`, which
//! returns it with whatever must outlive it (a folder, a container).

mod mirror;
mod tree;

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::merkle::{Frontier, Node};
use chancery_store::{
    APPEND_BYTES_MAX, AdvanceError, Append, AppendError, Appended, BATCH_ENTRIES_MAX,
    CommandRecord, ENTRY_BYTES_MAX, Head, NewCommand, NewEntry, Oversize, RANGE_BYTES_MAX, Store,
    StoredEntry,
};
use uuid::Uuid;

pub use mirror::*;
pub use tree::*;

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
            let (store, _keep) = $make().await;
            contract::$case(store).await;
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
            receipts_of_a_mirror_follow_one_another
            receipts_of_a_mirror_are_found_by_position_and_in_pages
            of_two_receipts_for_the_same_entries_one_is_kept
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
    assert_eq!(store.personal_subjects(c).await.unwrap(), ["ann", "bob"]);
    assert!(store.personal_subjects(collaboration(2)).await.unwrap().is_empty());

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
    assert_eq!(store.personal_subjects(c).await.unwrap(), ["bob"]);
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
