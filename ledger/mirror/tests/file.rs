//! The stand-in in a file: it goes on after a restart where it was, and is no fork.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

mod support;

use std::fs;
use std::path::Path;

use chancery_ccf::receipt::{Expected, Receipt};
use chancery_ledger::digest::Digest;
use chancery_mirror::{Accepted, Batch, Head, InsecureVirtual, MirrorLedger as _, OpenError};
use support::{NAME, checkpoint, collaboration, entries};

const SEED: &[u8] = b"seed";

fn open(path: &Path) -> InsecureVirtual {
    InsecureVirtual::open(NAME, SEED, path).unwrap()
}

async fn push(ledger: &InsecureVirtual, first: usize, until: usize) -> Accepted {
    let c = collaboration(1);
    let sent = entries(until)[first..].to_vec();
    let batch = Batch { collaboration: c, first: first as u64, entries: sent, checkpoint: None };
    ledger.push(&batch).await.unwrap()
}

#[tokio::test]
async fn after_a_restart_it_holds_what_it_held() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let c = collaboration(1);
    let mut taken = Vec::new();
    let mut service = None;
    for (first, until) in [(0, 3), (3, 4), (4, 9)] {
        let ledger = open(&path);
        let head = ledger.head(c).await.unwrap();
        assert_eq!(head.map_or(0, |head| head.size), first as u64);
        assert_eq!(service.get_or_insert(ledger.service().clone()), ledger.service());
        taken.push(push(&ledger, first, until).await);
    }
    let ledger = open(&path);
    let root = checkpoint(c, &entries(9)).root;
    assert_eq!(ledger.head(c).await.unwrap(), Some(Head { size: 9, root }));
    for (again, (first, until)) in taken.iter().zip([(0, 3), (3, 4), (4, 9)]) {
        assert_eq!(push(&ledger, first, until).await, *again, "as the first time");
        assert_eq!(ledger.batch_of(c, first as u64).await.unwrap(), *again);
        let receipt = ledger.receipt(again.transaction).await.unwrap().unwrap();
        let text = checkpoint(c, &entries(until)).text();
        let claims = Some(Digest::of(text.as_bytes()));
        let expected = Expected { claims, transaction: Some(again.transaction), at_s: None };
        Receipt::parse(&receipt).unwrap().verify(ledger.service(), &[], &expected).unwrap();
    }
}

#[tokio::test]
async fn a_line_that_was_cut_short_was_never_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    push(&open(&path), 0, 3).await;
    let before = fs::read(&path).unwrap();
    push(&open(&path), 3, 6).await;
    let after = fs::read(&path).unwrap();
    for len in (before.len()..after.len()).step_by(7) {
        fs::write(&path, &after[..len]).unwrap();
        let ledger = open(&path);
        assert_eq!(ledger.head(collaboration(1)).await.unwrap().unwrap().size, 3);
        push(&ledger, 3, 6).await;
        assert_eq!(fs::read(&path).unwrap(), after, "cut at {len}");
    }
    // Cut in the first line, it is as good as new.
    fs::write(&path, &after[..5]).unwrap();
    push(&open(&path), 0, 3).await;
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_file_and_one_in_use_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let opened = |path: &Path| InsecureVirtual::open(NAME, SEED, path).err();
    {
        let ledger = open(&path);
        push(&ledger, 0, 3).await;
        push(&ledger, 3, 6).await;
        assert!(matches!(opened(&path), Some(OpenError::Busy)));
    }
    let good = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = good.lines().collect();
    for (bad, number) in [
        (format!("{}\n{}\n", lines[0], lines[2]), 1),
        (format!("{}\n{}\n{}\n", lines[0], lines[1], lines[1]), 2),
        (format!("{}\n{{}}\n", lines[0]), 1),
        (good.replace("sha256:", "sha255:"), 1),
    ] {
        fs::write(&path, bad).unwrap();
        let Some(OpenError::Record { number: found }) = opened(&path) else { panic!("taken") };
        assert_eq!(found, number);
    }
    fs::write(&path, "another file\n").unwrap();
    assert!(matches!(opened(&path), Some(OpenError::Magic)));
    fs::write(&path, "another").unwrap();
    assert!(matches!(opened(&path), Some(OpenError::Magic)));
    assert!(matches!(opened(&folder.path().join("no/such/ledger")), Some(OpenError::Io(_))));
}
