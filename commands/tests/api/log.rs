//! The log as members see it: entries, checkpoints, proofs, bundles.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_audit::{Options, Verdict};
use chancery_governance::state::origin;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;
use chancery_ledger::key::PublicKey;
use chancery_ledger::merkle;
use chancery_ledger::note::Checkpoint;

use crate::support::NAME;
use crate::support::answer::{Answer, Call};
use crate::support::executor::Executor;
use crate::support::room::{Room, Stage};

fn hashes(answer: &Answer) -> Vec<Digest> {
    answer.list("/hashes").iter().map(|it| it.as_str().unwrap().parse().unwrap()).collect()
}

async fn service_key(room: &Room) -> PublicKey {
    let info = room.service.send(Call::get("/v1/service")).await.ok();
    let key: PublicKey = info.parsed("/key");
    assert_eq!(info.parsed::<Digest>("/key_id"), key.id());
    assert_eq!((info.text("/name"), info.text("/evidence/kind")), (NAME, "insecure-virtual"));
    key
}

async fn checkpoint(room: &Room, key: &PublicKey) -> Checkpoint {
    let answer = room.service.send(room.contosso.get(&room.path("/checkpoint"))).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; charset=utf-8"));
    let note = String::from_utf8(answer.bytes).unwrap();
    Checkpoint::open(&note, &origin(NAME, room.id), key).unwrap()
}

async fn leaves(room: &Room, key: &PublicKey, limit: usize) -> Vec<Digest> {
    let mut leaves = Vec::new();
    loop {
        let path = room.path(&format!("/entries?from={}&limit={limit}", leaves.len()));
        let page = room.contosso.reads(&path).await;
        let entries = page.list("/entries");
        if entries.is_empty() {
            assert_eq!(leaves.len() as u64, page.number("/size"));
            return leaves;
        }
        assert!(entries.len() <= limit);
        for entry in entries {
            assert_eq!(entry["position"], leaves.len());
            let bytes = URL_SAFE_NO_PAD.decode(entry["sealed"].as_str().unwrap()).unwrap();
            let sealed = Sealed::open(bytes, key).unwrap();
            assert_eq!(entry["digest"], sealed.leaf().to_string());
            assert_eq!(sealed.entry().position, leaves.len() as u64);
            assert_eq!(sealed.entry().previous.as_ref(), leaves.last());
            leaves.push(sealed.leaf());
        }
    }
}

#[tokio::test]
async fn entries_checkpoint_and_proofs_agree() {
    let room = Room::at(Stage::Proposed).await;
    let key = service_key(&room).await;
    let all = leaves(&room, &key, 3).await;
    assert_eq!(leaves(&room, &key, 500).await, all);
    let head = checkpoint(&room, &key).await;
    assert_eq!((head.size, head.root), (all.len() as u64, merkle::root(&all)));
    for (position, leaf) in (0..).zip(&all) {
        let path = room.path(&format!("/proofs/inclusion?position={position}"));
        let proof = room.contosso.reads(&path).await;
        assert_eq!((proof.number("/size"), proof.parsed("/root")), (head.size, head.root));
        merkle::verify_inclusion(leaf, position, head.size, &hashes(&proof), &head.root).unwrap();
    }
    for old in 0..=head.size {
        let path = room.path(&format!("/proofs/consistency?from={old}"));
        let proof = room.contosso.reads(&path).await;
        let old_root = merkle::root(&all[..usize::try_from(old).unwrap()]);
        merkle::verify_consistency(old, &old_root, head.size, &head.root, &hashes(&proof)).unwrap();
    }
    // In an older tree too.
    let path = room.path("/proofs/inclusion?position=2&size=5");
    let proof = room.contosso.reads(&path).await;
    let root = merkle::root(&all[..5]);
    assert_eq!(proof.parsed::<Digest>("/root"), root);
    merkle::verify_inclusion(&all[2], 2, 5, &hashes(&proof), &root).unwrap();
    let path = room.path("/proofs/consistency?from=3&to=7");
    let proof = room.contosso.reads(&path).await;
    let (old, new) = (merkle::root(&all[..3]), merkle::root(&all[..7]));
    merkle::verify_consistency(3, &old, 7, &new, &hashes(&proof)).unwrap();
    room.finish().await;
}

#[tokio::test]
async fn a_later_checkpoint_continues_an_earlier_one() {
    let room = Room::at(Stage::Proposed).await;
    let key = service_key(&room).await;
    let before = checkpoint(&room, &key).await;
    room.accept().await;
    let after = checkpoint(&room, &key).await;
    assert!(after.size > before.size);
    let path = room.path(&format!("/proofs/consistency?from={}&to={}", before.size, after.size));
    let proof = hashes(&room.litware.reads(&path).await);
    merkle::verify_consistency(before.size, &before.root, after.size, &after.root, &proof).unwrap();
    room.finish().await;
}

#[tokio::test]
async fn what_is_out_of_range_is_refused() {
    let room = Room::at(Stage::Joined).await;
    let size = room.service.sizes().await[&room.id];
    for (rest, code) in [
        ("/entries?limit=0".to_owned(), "limit_invalid"),
        ("/entries?limit=501".to_owned(), "limit_invalid"),
        ("/entries?limit=-1".to_owned(), "query_malformed"),
        ("/entries?from=x".to_owned(), "query_malformed"),
        ("/entries?from=1&from=2".to_owned(), "query_malformed"),
        ("/entries?page=1".to_owned(), "query_malformed"),
        ("/proofs/inclusion".to_owned(), "query_malformed"),
        (format!("/proofs/inclusion?position={size}"), "proof_out_of_range"),
        (format!("/proofs/inclusion?position=0&size={}", size + 1), "proof_out_of_range"),
        ("/proofs/inclusion?position=0&size=0".to_owned(), "proof_out_of_range"),
        (format!("/proofs/inclusion?position={}", u64::MAX), "proof_out_of_range"),
        (format!("/proofs/consistency?from={}", size + 1), "proof_out_of_range"),
        ("/proofs/consistency?from=3&to=2".to_owned(), "proof_out_of_range"),
        ("/proofs/consistency?from=0&to=18446744073709551615".to_owned(), "proof_out_of_range"),
    ] {
        let get = room.contosso.get(&room.path(&rest));
        room.service.refuses(get, 400, code).await;
    }
    let past = room.contosso.reads(&room.path(&format!("/entries?from={}", u64::MAX))).await;
    assert_eq!((past.list("/entries").len(), past.number("/size")), (0, size));
    room.finish().await;
}

#[tokio::test]
async fn a_bundle_verifies_without_the_service() {
    let room = Room::at(Stage::Requested).await;
    let executor = room.executor().await;
    executor.starts(&room).await;
    let result = Executor::result(&room).await;
    executor.does(&executor.succeed(&room, &result)).await;
    let key = service_key(&room).await;
    let answer = room.service.send(room.contosso.get(&room.path("/bundle"))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/vnd.chancery.bundle");
    assert!(answer.header("content-disposition").contains(&room.id.to_string()));
    room.finish().await;

    let options = Options { service_key: Some(key.id()), ..Options::default() };
    let report = chancery_audit::verify(&answer.bytes[..], &options);
    assert_eq!(report.verdict, Verdict::Verified);
    let contents = report.contents.unwrap();
    assert_eq!((contents.collaboration, contents.runs.len()), (room.id, 1));
    assert_eq!(contents.members.len(), 3);
    let cut = &answer.bytes[..answer.bytes.len() - 1];
    assert!(matches!(chancery_audit::verify(cut, &options).verdict, Verdict::Incomplete { .. }));
    let mut altered = answer.bytes.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let verdict = chancery_audit::verify(&altered[..], &options).verdict;
    assert!(matches!(verdict, Verdict::Tampered { .. }), "{verdict:?}");
}
