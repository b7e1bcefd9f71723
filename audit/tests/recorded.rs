//! The demo's story as a CCF network of three nodes mirrored it: its bundle verifies for ever, and each
//! of its receipts is taken by Microsoft's verifier too.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

#[path = "../../ledger/ccf/tests/support/theirs.rs"]
mod theirs;

use chancery_audit::bundle::{Item, MirrorKind, MirrorReceipt, Reader};
use chancery_audit::{Check, Options, Report, Verdict, verify};
use chancery_ccf::certificate::Certificate;
use chancery_ledger::digest::{Digest, hex};
use chancery_ledger::merkle::{Frontier, leaf_hash};
use chancery_ledger::note::Checkpoint;
use serde_json::{Value as Json, json};
use theirs::ask;

const BUNDLE: &[u8] = include_bytes!("vectors/ccf/story.bundle");
const SERVICE: &str = include_str!("vectors/ccf/service_cert.pem");
const SERVICE_KEY: &str = "sha256:9a22b9e8cf5a0a0ee9dd3b16e000c7b52d36f8ce8032e306a30d6bb24006be3f";
/// The certificate of another network of ours.
const ANOTHER: &str = include_str!("../../ledger/ccf/tests/vectors/service_cert.pem");
const SIZE: u64 = 37;
const RECEIPTS: usize = 9;

fn report(service: &str) -> Report {
    let options = Options {
        service_key: Some(SERVICE_KEY.parse().unwrap()),
        mirrors: vec![Certificate::from_pem(service).unwrap()],
        ..Options::default()
    };
    verify(BUNDLE, &options)
}

/// Each receipt with what its transaction claims.
fn receipts() -> Vec<(MirrorReceipt, Digest)> {
    let mut reader = Reader::open(BUNDLE).unwrap();
    let origin = reader.header().origin.clone();
    let (mut tree, mut receipts) = (Frontier::default(), Vec::new());
    loop {
        match reader.next_item().unwrap() {
            Item::Entry(sealed) => tree.append(leaf_hash(&sealed)),
            Item::Receipt(receipt) => {
                let (origin, size) = (origin.clone(), receipt.size);
                assert_eq!(size, tree.size());
                let text = Checkpoint { origin, size, root: tree.root() }.text();
                receipts.push((*receipt, Digest::of(text.as_bytes())));
            }
            Item::Gap(_) => panic!("the log is whole"),
            Item::Trailer(_) => return receipts,
        }
    }
}

/// Whether Microsoft's verifier takes each of them.
fn theirs(receipts: &[(Vec<u8>, Digest)]) -> Vec<bool> {
    let requests: Vec<_> = receipts
        .iter()
        .map(|(receipt, claims)| {
            let (receipt, claims) = (hex(receipt), claims.to_hex());
            json!({"do": "json", "receipt": receipt, "service": SERVICE, "claims": claims})
        })
        .collect();
    ask(&requests)
}

#[test]
fn the_bundle_verifies_with_the_networks_certificate_and_no_other() {
    let report = report(SERVICE);
    assert_eq!(report.verdict, Verdict::Verified);
    let mirrored = report.standing.unwrap().mirrored.unwrap();
    assert_eq!((mirrored.size, mirrored.batches), (SIZE, RECEIPTS as u64));
    assert!(mirrored.spans.iter().all(|span| span.kind == MirrorKind::Ccf && span.expected));
    let Verdict::Tampered { check, position, .. } = self::report(ANOTHER).verdict else { panic!() };
    assert_eq!((check, position), (Check::Mirror, Some(0)));
}

#[test]
fn each_receipt_is_taken_by_microsofts_verifier_and_none_that_is_changed() {
    let receipts = receipts();
    assert_eq!(receipts.len(), RECEIPTS);
    assert_eq!(receipts.last().unwrap().0.size, SIZE);
    let mut first = 0;
    for (receipt, claims) in &receipts {
        assert_eq!((receipt.kind, receipt.first), (MirrorKind::Ccf, first), "no gap, none twice");
        first = receipt.size;
        let json: Json = serde_json::from_slice(&receipt.receipt).unwrap();
        assert_eq!(json["leaf_components"]["claims_digest"], claims.to_hex());
    }
    let kept = receipts.iter().map(|(receipt, claims)| (receipt.receipt.clone(), *claims));
    let kept: Vec<_> = kept.collect();
    assert_eq!(theirs(&kept), [true; RECEIPTS]);

    let changed: Vec<_> = kept
        .into_iter()
        .map(|(mut receipt, claims)| {
            let mark = b"\"claims_digest\":\"";
            let found = receipt.windows(mark.len()).position(|window| window == mark);
            let at = found.unwrap() + mark.len();
            receipt[at] = if receipt[at] == b'0' { b'1' } else { b'0' };
            (receipt, claims)
        })
        .collect();
    assert_eq!(theirs(&changed), [false; RECEIPTS]);
}
