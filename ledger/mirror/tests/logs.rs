//! What the driver expects of logs, held by those in memory and by a store.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

mod support;

use chancery_ccf::txid::TxId;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::merkle::leaf_hash;
use chancery_mirror::{InMemory, Kind, Logs, Mirrored, Signed, StoredLogs};
use chancery_store::{Append, NewEntry, Store};
use support::{checkpoint, collaboration, entries, note, set};

async fn append(store: &Store, c: CollaborationId, from: usize, until: usize) {
    let all = entries(until);
    let entry =
        |sealed: &Vec<u8>| NewEntry { leaf_hash: leaf_hash(sealed), sealed: sealed.clone() };
    let append = Append {
        collaboration: c,
        expected_size: from as u64,
        checkpoint: note(c, &all),
        entries: all[from..].iter().map(entry).collect(),
        nodes: Vec::new(),
        commands: Vec::new(),
        personal_keys: Vec::new(),
        erased: Vec::new(),
    };
    store.append(append).await.unwrap();
}

/// Over logs 1, of 9 entries, and 2, of 3.
async fn contract(logs: &impl Logs) {
    let (one, two, none) = (collaboration(1), collaboration(2), collaboration(3));
    assert_eq!(logs.heads(None).await.unwrap(), [(one, 9), (two, 3)]);
    assert_eq!(logs.heads(Some(one)).await.unwrap(), [(two, 3)]);
    assert_eq!(logs.heads(Some(two)).await.unwrap(), []);
    let head = Signed { size: 9, note: note(one, &entries(9)) };
    assert_eq!(logs.head(one).await.unwrap(), Some(head));
    assert_eq!(logs.head(none).await.unwrap(), None);
    assert_eq!(logs.entries(one, 7, 100).await.unwrap(), entries(9)[7..]);
    assert_eq!(logs.entries(one, 0, 2).await.unwrap(), entries(2));
    assert!(logs.entries(one, 9, 1).await.unwrap().is_empty());
    let leaves: Vec<_> = entries(9).iter().map(|entry| leaf_hash(entry)).collect();
    assert_eq!(logs.leaf_hashes(one, 2, 3).await.unwrap(), leaves[2..5]);
    assert!(logs.leaf_hashes(one, 9, 3).await.unwrap().is_empty());

    assert_eq!(logs.mirrored(one).await.unwrap(), 0);
    let batch = |first: u64, size: u64| Mirrored {
        first,
        size,
        root: checkpoint(one, &entries(usize::try_from(size).unwrap())).root,
        transaction: TxId::new(2, size),
        service: b"a certificate".to_vec(),
        receipt: b"a receipt".to_vec(),
    };
    assert!(logs.keep(one, batch(0, 4)).await.unwrap());
    assert!(!logs.keep(one, batch(0, 4)).await.unwrap(), "it is there already");
    assert!(!logs.keep(one, batch(5, 6)).await.unwrap(), "it leaves one out");
    assert!(logs.keep(one, batch(4, 9)).await.unwrap());
    assert_eq!((logs.mirrored(one).await.unwrap(), logs.mirrored(two).await.unwrap()), (9, 0));
    for (position, expected) in [(0, batch(0, 4)), (3, batch(0, 4)), (4, batch(4, 9))] {
        assert_eq!(logs.receipt_of(one, position).await.unwrap(), Some(expected));
    }
    assert_eq!(logs.receipt_of(one, 9).await.unwrap(), None);
    assert_eq!(logs.receipt_of(two, 0).await.unwrap(), None);
}

#[tokio::test]
async fn those_in_memory() {
    let logs = InMemory::default();
    set(&logs, collaboration(1), &entries(9));
    set(&logs, collaboration(2), &entries(3));
    contract(&logs).await;
}

#[tokio::test]
async fn those_of_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("log.db")).await.unwrap();
    append(&store, collaboration(1), 0, 5).await;
    append(&store, collaboration(1), 5, 9).await;
    append(&store, collaboration(2), 0, 3).await;
    contract(&StoredLogs::new(store.clone(), Kind::InsecureVirtual)).await;
    let kept = store.mirror_receipt(collaboration(1), 0).await.unwrap().unwrap();
    assert_eq!(kept.kind, "insecure-virtual");
    assert_eq!(kept.transaction, "2.4");
    assert_eq!(kept.service, b"a certificate");
}
