//! What every mirror does alike: the stand-in, and, where `CHANCERY_CCF_URL` and the rest are set, a
//! real CCF network with the application of `deploy/ccf`.
//!
//! For the network: `CHANCERY_CCF_URL` (one node, or several with commas between), `CHANCERY_CCF_SERVICE`
//! (path of the service certificate),
//! `CHANCERY_CCF_IDENTITY` (path of a writer's certificate and key). It must allow the service key of
//! `docs/wire/vectors/v1/index.json` under the name `chancery.test`, and hold no log of the vectors'
//! collaboration yet.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

mod support;

use std::time::Duration;

use chancery_ccf::receipt::{Expected, Receipt};
use chancery_ccf::txid::TxId;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::merkle::{leaf_hash, root};
use chancery_ledger::note::Checkpoint;
use chancery_mirror::{
    Accepted, Batch, Ccf, Head, InsecureVirtual, LedgerError, MirrorLedger, Standing,
};
use support::growing::{golden, golden_key};

fn checkpoint(c: CollaborationId, entries: &[Vec<u8>]) -> Checkpoint {
    let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let origin = format!("{}/{c}", support::NAME);
    Checkpoint { origin, size: entries.len() as u64, root: root(&leaves) }
}

fn signed(c: CollaborationId, entries: &[Vec<u8>]) -> String {
    checkpoint(c, entries).sign(&golden_key())
}

fn code<T: std::fmt::Debug>(answer: Result<T, LedgerError>) -> String {
    match answer {
        Err(LedgerError::Refused(refusal)) => refusal.code,
        other => panic!("not a refusal: {other:?}"),
    }
}

async fn committed(ledger: &impl MirrorLedger, transaction: TxId) -> Vec<u8> {
    tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            if ledger.standing(transaction).await.unwrap() == Standing::Committed
                && let Some(receipt) = ledger.receipt(transaction).await.unwrap()
            {
                return receipt;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap()
}

async fn contract(ledger: &impl MirrorLedger) {
    let (c, all) = golden();
    let batch = |first: usize, until: usize, note: bool| Batch {
        collaboration: c,
        first: first as u64,
        entries: all[first..until].to_vec(),
        checkpoint: note.then(|| signed(c, &all[..until])),
    };

    assert_eq!(ledger.head(c).await, Ok(None));
    assert_eq!(code(ledger.batch_of(c, 0).await), "unknown-collaboration");
    assert_eq!(code(ledger.push(&batch(1, 3, false)).await), "gap");

    let mut taken: Vec<Accepted> = Vec::new();
    for (first, until, note) in [(0, 1, true), (1, 7, false), (7, 20, true)] {
        let sent = batch(first, until, note);
        let accepted = ledger.push(&sent).await.unwrap();
        let root = checkpoint(c, &all[..until]).root;
        assert_eq!((accepted.first, accepted.size), (first as u64, until as u64));
        assert_eq!(accepted.root, root);
        assert_eq!(ledger.head(c).await, Ok(Some(Head { size: until as u64, root })));
        assert_eq!(ledger.push(&sent).await, Ok(accepted), "again, as the first time");
        taken.push(accepted);
    }
    assert_eq!(ledger.push(&batch(0, 1, true)).await, Ok(taken[0]), "also an old one");
    for position in 0..20 {
        let holds = |batch: &&Accepted| (batch.first..batch.size).contains(&position);
        let expected = *taken.iter().find(holds).unwrap();
        assert_eq!(ledger.batch_of(c, position).await, Ok(expected));
    }
    assert_eq!(code(ledger.batch_of(c, 20).await), "unknown-position");
    assert_eq!(code(ledger.push(&batch(21, 25, false)).await), "gap");
    assert_eq!(code(ledger.push(&batch(0, 7, false)).await), "replay");
    assert_eq!(code(ledger.push(&batch(19, 21, false)).await), "replay");
    let wrong = Batch { checkpoint: Some(signed(c, &all[..24])), ..batch(20, 25, false) };
    assert_eq!(code(ledger.push(&wrong).await), "checkpoint-of-another-state");

    let view = taken[2].transaction.view;
    for Accepted { size, transaction, root, .. } in taken {
        let receipt = committed(ledger, transaction).await;
        let text = Checkpoint { origin: format!("{}/{c}", support::NAME), size, root }.text();
        let claims = Digest::of(text.as_bytes());
        let expected =
            Expected { claims: Some(claims), transaction: Some(transaction), at_s: None };
        let receipt = Receipt::parse(&receipt).unwrap();
        let proven = receipt.verify(&ledger.services()[0], &[], &expected).unwrap();
        assert_eq!(proven.claims, Some(claims));
    }
    assert_eq!(ledger.standing(TxId::new(view, 9_999_999)).await, Ok(Standing::Unknown));
    assert_eq!(ledger.standing(TxId::new(9_999, 1)).await, Ok(Standing::Invalid));
}

#[tokio::test]
async fn the_stand_in() {
    contract(&InsecureVirtual::new(support::NAME, b"seed").unwrap()).await;
}

#[tokio::test]
async fn a_real_network() {
    let Some(config) = support::network() else { return };
    contract(&Ccf::new(config).unwrap()).await;
}
