//! What the driver expects of logs, held by those in memory and by a store.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::merkle::root;
use chancery_ledger::tile;
use chancery_store::Store;
use chancery_witness::{InMemory, Logs, Signed};
use support::{append_to_store, collaboration, leaves, sign};

/// Logs that a test can append to.
trait Appends: Logs {
    async fn append(&self, n: u8, from: u64, leaves: &[Digest]);
}

impl Appends for InMemory {
    async fn append(&self, n: u8, _: u64, leaves: &[Digest]) {
        InMemory::append(self, collaboration(n), leaves, |size, root| sign(n, size, root));
    }
}

impl Appends for Store {
    async fn append(&self, n: u8, from: u64, leaves: &[Digest]) {
        append_to_store(self, n, from, from + leaves.len() as u64).await;
    }
}

async fn all_heads(logs: &impl Logs) -> Vec<(CollaborationId, u64)> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = logs.heads(after).await.unwrap();
        let Some((last, _)) = page.last() else { return all };
        after = Some(*last);
        all.extend(page);
    }
}

async fn contract(logs: &impl Appends) {
    let all = leaves(600);
    let (one, two, none) = (collaboration(1), collaboration(2), collaboration(3));
    assert_eq!(all_heads(logs).await, []);
    assert_eq!(logs.head(one).await.unwrap(), None);
    logs.append(1, 0, &all[..5]).await;
    logs.append(2, 0, &all[..3]).await;
    logs.append(1, 5, &all[5..]).await;
    assert_eq!(all_heads(logs).await, [(one, 600), (two, 3)]);
    let head = logs.head(one).await.unwrap().unwrap();
    assert_eq!(head, Signed { size: 600, note: sign(1, 600, root(&all)) });
    assert_eq!(logs.head(none).await.unwrap(), None);
    for (old, new) in [(1, 5), (5, 600), (256, 512), (300, 400)] {
        let tiles = logs.tiles(one, &tile::for_consistency(old, new).unwrap()).await.unwrap();
        let new_leaves = &all[..usize::try_from(new).unwrap()];
        let expected = chancery_ledger::merkle::consistency_proof(new_leaves, old);
        assert_eq!(tile::consistency_proof(old, new, &tiles).ok(), expected);
    }
    let beyond = tile::for_frontier(601);
    assert!(logs.tiles(one, &beyond).await.unwrap().len() < beyond.len());
    assert_eq!(logs.cosigned(one).await.unwrap(), None);
    let at = |size| Signed { size, note: format!("{}a line\n", sign(1, size, root(&all))) };
    let more = |size| Signed { size, note: format!("{}two lines\n", sign(1, size, root(&all))) };
    assert!(logs.put_cosigned(one, at(5)).await.unwrap());
    assert!(logs.put_cosigned(one, at(600)).await.unwrap());
    assert!(logs.put_cosigned(one, more(600)).await.unwrap());
    assert!(!logs.put_cosigned(one, at(599)).await.unwrap());
    assert_eq!(logs.cosigned(one).await.unwrap(), Some(more(600)));
    assert_eq!(logs.cosigned(two).await.unwrap(), None);
}

#[tokio::test]
async fn logs_in_memory_hold_the_contract() {
    contract(&InMemory::default()).await;
}

#[tokio::test]
async fn a_store_holds_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    contract(&Store::open(&folder.path().join("log.db")).await.unwrap()).await;
}
