//! The mirror of a golden log in a real CCF network, before and after a disaster recovery: its
//! receipts, its ledger, and what of them must not pass (`vectors/mirror`).

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use chancery_ccf::certificate::Certificate;
use chancery_ccf::chunk::Name;
use chancery_ccf::ledger::{Options, Status, verify};
use chancery_ccf::mirror::{Log, Mirror};
use chancery_ccf::receipt::{Expected, Form, Proven, Receipt, ReceiptError, assemble};
use chancery_ccf::txid::TxId;
use chancery_ccf::verdict::{Check, Verdict};
use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;
use chancery_ledger::merkle::leaf_hash;
use serde_json::Value as Json;
use support::network::audit;
use support::vector;

const FIRST: TxId = TxId::new(2, 34);
const SECOND: TxId = TxId::new(4, 54);
const FILES: [&str; 4] = [
    "ledger_1-32.committed",
    "ledger_33-39.committed",
    "ledger_40-51.committed",
    "ledger_52-59.committed",
];

fn recorded(name: &str) -> Vec<u8> {
    vector(&format!("mirror/{name}"))
}

fn service(when: &str) -> Certificate {
    let pem = recorded(&format!("service_cert_{when}.pem"));
    Certificate::from_pem(&String::from_utf8(pem).unwrap()).unwrap()
}

fn wire(path: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/wire/vectors");
    std::fs::read(folder.join(path)).unwrap()
}

/// What the golden batch of that size claims, by the protocol's vectors.
fn claims(size: u64) -> Digest {
    let index: Json = serde_json::from_slice(&wire("mirror-v1/index.json")).unwrap();
    let batches = index["batches"].as_array().unwrap();
    let batch = batches.iter().find(|batch| batch["size"] == size).unwrap();
    Digest::of(batch["text"].as_str().unwrap().as_bytes())
}

fn first() -> Expected {
    Expected { claims: Some(claims(10)), transaction: Some(FIRST), at_s: None }
}

fn second() -> Expected {
    Expected { claims: Some(claims(25)), transaction: Some(SECOND), at_s: None }
}

fn check(bytes: &[u8], service: &Certificate, expected: &Expected) -> Result<Proven, ReceiptError> {
    Receipt::parse(bytes)?.verify(service, &[], expected)
}

fn code<T>(result: Result<T, ReceiptError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "verified")
}

/// The COSE receipt, put together from the JSON one and the signature that the node served.
fn cose(which: &str) -> Vec<u8> {
    let Receipt::Node(json) = Receipt::parse(&recorded(&format!("{which}.json"))).unwrap() else {
        panic!("a node's")
    };
    let (leaf, path) = json.leaf_and_path().unwrap();
    assemble(&recorded(&format!("{which}-signature.cose")), &leaf, path).unwrap()
}

#[test]
fn receipts_of_both_services_verify_for_what_the_log_claims() {
    let (before, after) = (service("before"), service("after"));
    let proven = check(&recorded("first.json"), &before, &first()).unwrap();
    assert_eq!((proven.form, proven.endorsements), (Form::Json, 0));
    let again = check(&recorded("first-after.json"), &after, &first()).unwrap();
    assert_eq!((again.root, again.endorsements), (proven.root, 1));
    let later = check(&recorded("second.json"), &after, &second()).unwrap();
    assert_eq!(later.endorsements, 0);
    let by_service = check(&cose("first"), &before, &first()).unwrap();
    assert_eq!((by_service.form, by_service.root), (Form::Cose, proven.root));
    assert_eq!(check(&cose("second"), &after, &second()).unwrap().root, later.root);
    // What the application's own endpoint answers.
    let answer: Json = serde_json::from_slice(&recorded("answer.json")).unwrap();
    assert_eq!(answer["transaction"], FIRST.to_string());
    assert_eq!(Some(Digest::of(answer["text"].as_str().unwrap().as_bytes())), first().claims);
    let receipt = answer["receipt"].to_string();
    assert_eq!(check(receipt.as_bytes(), &before, &first()).unwrap().root, proven.root);
}

#[test]
fn the_earlier_service_is_reached_over_its_endorsement_only() {
    let (before, after) = (service("before"), service("after"));
    assert_eq!(code(check(&recorded("first.json"), &after, &first())), "not-endorsed");
    assert_eq!(code(check(&recorded("first-after.json"), &before, &first())), "not-endorsed");
    assert_eq!(code(check(&recorded("second.json"), &before, &second())), "not-endorsed");
    let mut hole: Json = serde_json::from_slice(&recorded("first-after.json")).unwrap();
    hole["service_endorsements"] = Json::Array(Vec::new());
    assert_eq!(code(check(hole.to_string().as_bytes(), &after, &first())), "not-endorsed");
    hole["service_endorsements"] =
        Json::Array(vec![String::from_utf8(recorded("service_cert_before.pem")).unwrap().into()]);
    assert_eq!(code(check(hole.to_string().as_bytes(), &after, &first())), "not-endorsed");

    let receipt = Receipt::parse(&cose("first")).unwrap();
    let chain = [recorded("endorsement.cose")];
    receipt.verify(&after, &chain, &first()).unwrap();
    assert_eq!(code(receipt.verify(&after, &[], &first())), "unknown-key");
    let mut altered = chain.clone();
    *altered[0].last_mut().unwrap() ^= 1;
    assert_eq!(code(receipt.verify(&after, &altered, &first())), "endorsement-signature");
    // Twice the same does not follow itself.
    let twice = [chain[0].clone(), chain[0].clone()];
    assert_eq!(code(receipt.verify(&after, &twice, &first())), "endorsement-signature");
}

#[test]
fn receipts_are_for_their_entry_place_and_network() {
    let (before, after) = (service("before"), service("after"));
    let other = Certificate::from_pem(&String::from_utf8(vector("service_cert.pem")).unwrap());
    let other = other.unwrap();
    for (bytes, service, right, wrong) in [
        (recorded("first.json"), &before, first(), second()),
        (cose("first"), &before, first(), second()),
        (recorded("first-after.json"), &after, first(), second()),
        (recorded("second.json"), &after, second(), first()),
        (cose("second"), &after, second(), first()),
    ] {
        assert_eq!(code(check(&bytes, service, &wrong)), "other-claims");
        let elsewhere = Expected { transaction: Some(TxId::new(3, 34)), ..right };
        assert_eq!(code(check(&bytes, service, &elsewhere)), "other-transaction");
        let unknown = ["unknown-key", "not-endorsed"];
        assert!(unknown.contains(&code(check(&bytes, &other, &right))));
    }
    let json: Json = serde_json::from_slice(&recorded("first.json")).unwrap();
    let with = |change: &dyn Fn(&mut Json)| {
        let mut altered = json.clone();
        change(&mut altered);
        code(check(altered.to_string().as_bytes(), &before, &first()))
    };
    assert_eq!(with(&|_| ()), "verified");
    let refused = ["bad-signature", "misplaced"];
    assert!(refused.contains(&with(&|it| drop(it["proof"].as_array_mut().unwrap().pop()))));
    assert!(refused.contains(&with(&|it| drop(it["proof"].as_array_mut().unwrap().remove(0)))));
    let second: Json = serde_json::from_slice(&recorded("second.json")).unwrap();
    assert_eq!(with(&|it| it["cert"] = second["cert"].clone()), "other-node");
    assert_eq!(with(&|it| it["signature"] = second["signature"].clone()), "bad-signature");
}

#[test]
fn no_receipt_survives_a_flipped_byte() {
    for (bytes, when) in [
        (recorded("first.json"), "before"),
        (recorded("first-after.json"), "after"),
        (cose("first"), "before"),
    ] {
        let service = service(when);
        check(&bytes, &service, &first()).unwrap();
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut altered = bytes.clone();
                altered[position] ^= 1 << bit;
                assert!(check(&altered, &service, &first()).is_err(), "{position} {bit}");
            }
        }
    }
}

fn files() -> BTreeMap<String, Vec<u8>> {
    FILES.iter().map(|name| ((*name).to_owned(), recorded(name))).collect()
}

#[test]
fn the_ledger_verifies_over_the_recovery_and_holds_the_log() {
    let Value::Array(items) = codec::decode(&wire("v1/log-demo.cbor")).unwrap() else { panic!() };
    let bytes = |item| if let Value::Bytes(bytes) = item { bytes } else { panic!("an entry") };
    let entries: Vec<Vec<u8>> = items.into_iter().map(bytes).collect();
    let collaboration = Sealed::parse(entries[0].clone()).unwrap().entry().collaboration;
    let leaves = (0..).zip(entries.iter().map(|entry| leaf_hash(entry))).collect();
    let origin = format!("chancery.test/{collaboration}");
    let mut mirror = Mirror::of(Log { collaboration, origin, leaves });
    let read = files();
    let chunks = read.iter().map(|(name, bytes)| {
        let Name::Chunk(range) = Name::parse(name) else { panic!("a chunk") };
        (range, Ok(bytes.as_slice()))
    });
    let options = Options { reaches: Some(SECOND), ..Options::default() };
    let report = verify(chunks, &service("after"), &options, |entry| mirror.observe(entry));
    assert_eq!(report.verdict, Verdict::Verified);
    assert_eq!((report.transactions, report.chunks), (59, 4));
    assert_eq!(report.epochs.len(), 2, "before and after the recovery");
    let mirrored = mirror.finish(report.signed.unwrap().0.seqno);
    assert_eq!((mirrored.found, mirrored.missing, mirrored.problem), (25, None, None));
    assert_eq!(mirrored.batches, 2);
    assert!(report.epochs.iter().all(|epoch| epoch.status == Status::Open));
}

#[test]
fn a_ledger_under_the_earlier_certificate_or_with_a_part_missing_is_not_whole() {
    let verdict = |files: &BTreeMap<String, Vec<u8>>, when: &str, reaches| {
        audit(files, &service(when), &Options { reaches, ..Options::default() }).verdict
    };
    let named = |verdict: Verdict| verdict.finding().map(|finding| finding.check);
    assert_eq!(named(verdict(&files(), "before", None)), Some(Check::ServiceKey));
    let without = |name: &str| {
        let mut hole = files();
        hole.remove(name).unwrap();
        verdict(&hole, "after", None)
    };
    let first = without(FILES[0]);
    assert!(matches!(first, Verdict::Incomplete(_)), "{first:?}");
    // What comes before the hole is of the earlier service.
    assert_eq!(named(without(FILES[1])), Some(Check::ServiceKey));
    assert_eq!(named(without(FILES[2])), Some(Check::ServiceKey));
    let mut tail = files();
    tail.remove(FILES[3]).unwrap();
    assert_eq!(verdict(&tail, "after", None), Verdict::Verified, "it ends at a signature");
    assert_eq!(named(verdict(&tail, "after", Some(SECOND))), Some(Check::Signed));
    // What there was before the recovery is whole for whoever has the earlier certificate.
    tail.remove(FILES[2]).unwrap();
    assert_eq!(verdict(&tail, "before", Some(FIRST)), Verdict::Verified);
}

#[test]
fn no_file_of_the_ledger_survives_a_flipped_byte() {
    // Some of the bytes: each costs an audit of the whole.
    for (name, step) in FILES.into_iter().zip([4001, 53, 97, 97]) {
        let whole = files();
        let bytes = &whole[name];
        // Of the very last signature transaction only what it signs is bound.
        let table = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        let entry = u32::from_le_bytes(*bytes.last_chunk().unwrap());
        let last = u64::from(entry)..table;
        for position in (0..bytes.len()).step_by(step) {
            let mut altered = whole.clone();
            altered.get_mut(name).unwrap()[position] ^= 1;
            let verdict = audit(&altered, &service("after"), &Options::default()).verdict;
            let free = name == FILES[3] && last.contains(&(position as u64));
            assert!(free || verdict != Verdict::Verified, "{name} {position}");
        }
    }
}
