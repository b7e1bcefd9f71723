//! Receipts of a mirror.

use chancery_ledger::digest::Digest;
use chancery_store::{
    MIRROR_CERTIFICATE_BYTES_MAX, MIRROR_NAME_BYTES_MAX, MIRROR_RECEIPT_BYTES_MAX,
    MIRROR_RECEIPTS_MAX, MirrorError, MirrorReceipt, RANGE_BYTES_MAX, Store,
};

use super::{append_of, collaboration};

pub fn receipt(first: u64, size: u64) -> MirrorReceipt {
    MirrorReceipt {
        first,
        size,
        root: Digest::of(&size.to_be_bytes()),
        kind: "ccf".to_owned(),
        transaction: format!("2.{size}"),
        service: b"certificate".to_vec(),
        receipt: format!("receipt of {first} to {size}").into_bytes(),
    }
}

pub async fn receipts_of_a_mirror_follow_one_another(store: Store) {
    let c = collaboration(1);
    let early = store.keep_mirror_receipt(c, receipt(0, 1)).await;
    assert!(matches!(early, Err(MirrorError::Beyond { head: 0 })));
    store.append(append_of(c, 0, &["a", "b", "c", "d"])).await.unwrap();
    store.append(append_of(collaboration(2), 0, &["x"])).await.unwrap();
    assert_eq!(store.mirrored(c).await.unwrap(), 0);
    assert_eq!(store.mirror_receipt(c, 0).await.unwrap(), None);
    assert_eq!(store.mirror_receipts(c, 0, 10).await.unwrap(), []);

    store.keep_mirror_receipt(c, receipt(0, 2)).await.unwrap();
    for (first, size) in [(0, 2), (0, 3), (1, 3), (3, 4)] {
        let out_of_place = store.keep_mirror_receipt(c, receipt(first, size)).await;
        assert!(matches!(out_of_place, Err(MirrorError::Conflict { mirrored: 2 })), "{first}");
    }
    let beyond = store.keep_mirror_receipt(c, receipt(2, 5)).await;
    assert!(matches!(beyond, Err(MirrorError::Beyond { head: 4 })));
    let other = MirrorReceipt { service: b"another".to_vec(), ..receipt(2, 4) };
    store.keep_mirror_receipt(c, other.clone()).await.unwrap();
    assert_eq!(store.mirrored(c).await.unwrap(), 4);
    assert_eq!(store.mirror_receipts(c, 0, 10).await.unwrap(), [receipt(0, 2), other]);
    assert_eq!(store.mirrored(collaboration(2)).await.unwrap(), 0);

    // Each bound, on it and beyond it.
    let c = collaboration(2);
    let long = |len: usize| "x".repeat(len);
    for invalid in [
        receipt(1, 1),
        MirrorReceipt { first: u64::MAX - 1, size: u64::MAX, ..receipt(0, 1) },
        MirrorReceipt { kind: String::new(), ..receipt(0, 1) },
        MirrorReceipt { kind: long(MIRROR_NAME_BYTES_MAX + 1), ..receipt(0, 1) },
        MirrorReceipt { transaction: String::new(), ..receipt(0, 1) },
        MirrorReceipt { transaction: long(MIRROR_NAME_BYTES_MAX + 1), ..receipt(0, 1) },
        MirrorReceipt { service: Vec::new(), ..receipt(0, 1) },
        MirrorReceipt { service: vec![1; MIRROR_CERTIFICATE_BYTES_MAX + 1], ..receipt(0, 1) },
        MirrorReceipt { receipt: Vec::new(), ..receipt(0, 1) },
        MirrorReceipt { receipt: vec![1; MIRROR_RECEIPT_BYTES_MAX + 1], ..receipt(0, 1) },
    ] {
        let refused = store.keep_mirror_receipt(c, invalid).await;
        assert!(matches!(refused, Err(MirrorError::Invalid)));
    }
    let largest = MirrorReceipt {
        kind: long(MIRROR_NAME_BYTES_MAX),
        transaction: long(MIRROR_NAME_BYTES_MAX),
        service: vec![1; MIRROR_CERTIFICATE_BYTES_MAX],
        receipt: vec![1; MIRROR_RECEIPT_BYTES_MAX],
        ..receipt(0, 1)
    };
    store.keep_mirror_receipt(c, largest.clone()).await.unwrap();
    assert_eq!(store.mirror_receipt(c, 0).await.unwrap(), Some(largest));
}

pub async fn receipts_of_a_mirror_are_found_by_position_and_in_pages(store: Store) {
    let c = collaboration(1);
    let entries = vec!["x"; 255];
    store.append(append_of(c, 0, &entries)).await.unwrap();
    let ends: Vec<u64> = (1..=85).map(|n| n * 3).collect();
    for end in &ends {
        store.keep_mirror_receipt(c, receipt(end - 3, *end)).await.unwrap();
    }
    for position in [0, 1, 2, 3, 100, 254] {
        let first = position / 3 * 3;
        let found = store.mirror_receipt(c, position).await.unwrap();
        assert_eq!(found, Some(receipt(first, first + 3)), "{position}");
    }
    for position in [255, u64::MAX] {
        assert_eq!(store.mirror_receipt(c, position).await.unwrap(), None);
        assert_eq!(store.mirror_receipts(c, position, 1).await.unwrap(), []);
    }
    let (mut all, mut next) = (Vec::new(), 0);
    loop {
        let page = store.mirror_receipts(c, next, 7).await.unwrap();
        assert!(page.len() <= 7);
        let Some(last) = page.last() else { break };
        next = last.size;
        all.extend(page);
    }
    assert_eq!(all.iter().map(|it| it.size).collect::<Vec<_>>(), ends);

    // Long ones end an answer early.
    let c = collaboration(2);
    let count = RANGE_BYTES_MAX / MIRROR_RECEIPT_BYTES_MAX + 3;
    assert!(count < MIRROR_RECEIPTS_MAX as usize);
    store.append(append_of(c, 0, &vec!["x"; count])).await.unwrap();
    for first in 0..count as u64 {
        let long = vec![1; MIRROR_RECEIPT_BYTES_MAX];
        let long = MirrorReceipt { receipt: long, ..receipt(first, first + 1) };
        store.keep_mirror_receipt(c, long).await.unwrap();
    }
    let page = store.mirror_receipts(c, 0, MIRROR_RECEIPTS_MAX).await.unwrap();
    assert_eq!(page.len(), RANGE_BYTES_MAX / MIRROR_RECEIPT_BYTES_MAX);
    let rest = store.mirror_receipts(c, page.len() as u64, MIRROR_RECEIPTS_MAX).await.unwrap();
    assert_eq!(page.len() + rest.len(), count);
}

pub async fn of_two_receipts_for_the_same_entries_one_is_kept(store: Store) {
    let c = collaboration(1);
    store.append(append_of(c, 0, &["x"; 20])).await.unwrap();
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut kept = 0;
                for first in 0..20 {
                    let receipt = MirrorReceipt {
                        transaction: format!("{task}"),
                        ..receipt(first, first + 1)
                    };
                    match store.keep_mirror_receipt(c, receipt).await {
                        Ok(()) => kept += 1,
                        Err(MirrorError::Conflict { mirrored }) => assert!(mirrored <= 20),
                        Err(error) => panic!("{error}"),
                    }
                }
                kept
            })
        })
        .collect();
    let mut kept = 0;
    for task in tasks {
        kept += task.await.unwrap();
    }
    let all = store.mirror_receipts(c, 0, 256).await.unwrap();
    assert_eq!((all.len(), store.mirrored(c).await.unwrap()), (kept, kept as u64));
    for (position, receipt) in all.iter().enumerate() {
        assert_eq!(receipt.first, position as u64);
    }
}
