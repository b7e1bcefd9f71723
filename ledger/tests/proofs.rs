//! Proofs are frozen: `docs/wire/vectors/proofs-v1` holds checkpoints, cosignatures and receipts as
//! the first release wrote them, and they verify for ever. `docs/wire/proofs-v1.cddl` is the grammar
//! of receipts.
//!
//! `UPDATE_VECTORS=1` writes the files anew; that is for a version that nobody has released yet.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::PathBuf;

use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::{Digest, hex};
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle;
use chancery_ledger::note::{self, Checkpoint, Note, Policy, Witness};
use chancery_ledger::receipt::{self, SignedRoot};
use serde_json::{Value as Json, json};
use support::{entry, leaves};

const ORIGIN: &str = "chancery.test/01941f29-7c00-7000-8000-000000000001";
/// The log of the checkpoints: its right edge is in a second tile.
const SIZE: u64 = 300;
/// When the witnesses cosigned, in seconds since the Unix epoch.
const COSIGNED_AT: u64 = 1_735_689_600;
const INCLUSIONS: [(u64, u64); 4] = [(1, 0), (7, 5), (256, 255), (300, 255)];
const CONSISTENCIES: [(u64, u64); 4] = [(3, 7), (4, 7), (256, 300), (300, 300)];

struct Vector {
    file: String,
    bytes: Vec<u8>,
    index: Json,
}

fn vector(file: &str, bytes: Vec<u8>, mut index: Json) -> Vector {
    index["file"] = json!(file);
    index["sha256"] = json!(Digest::of(&bytes).to_hex());
    Vector { file: file.to_owned(), bytes, index }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/wire/vectors/proofs-v1")
}

fn read(file: &str) -> Vec<u8> {
    std::fs::read(folder().join(file)).unwrap_or_default()
}

fn service() -> SigningKey {
    SigningKey::from_seed(&[200; 32]).unwrap()
}

fn witness_key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

fn policy() -> Policy {
    let witness = |seed: u8, name| Witness::new(name, witness_key(seed).public().clone()).unwrap();
    let witnesses = vec![witness(210, "witness.test/one"), witness(211, "witness.test/two")];
    Policy::new(witnesses, 2).unwrap()
}

fn root(size: u64) -> Digest {
    merkle::root(&leaves(size))
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size: SIZE, root: root(SIZE) }
}

fn cosigned() -> String {
    let signed = checkpoint().sign(&service());
    let text = checkpoint().text();
    let lines: String = (210..)
        .zip(policy().witnesses())
        .map(|(seed, witness)| note::cosign(&text, witness.name(), &witness_key(seed), COSIGNED_AT))
        .collect();
    policy().merge(&signed, &lines, COSIGNED_AT).unwrap().note
}

fn inclusion(size: u64, index: u64) -> Vec<u8> {
    let proof = merkle::inclusion_proof(&leaves(size), index).unwrap();
    SignedRoot::sign(root(size), &service()).inclusion(size, index, &proof)
}

fn consistency(old: u64, new: u64) -> Vec<u8> {
    let proof = merkle::consistency_proof(&leaves(new), old).unwrap();
    SignedRoot::sign(root(new), &service()).consistency(old, new, &proof)
}

fn accepted() -> Vec<Vector> {
    let note = |file, note: String, lines| {
        let index = json!({
            "kind": "note", "origin": ORIGIN, "size": SIZE, "root": root(SIZE).to_hex(),
            "signature_lines": lines,
        });
        vector(file, note.into_bytes(), index)
    };
    let mut vectors = vec![
        note("checkpoint.txt", checkpoint().sign(&service()), 1),
        note("checkpoint-cosigned.txt", cosigned(), 3),
    ];
    for (size, index) in INCLUSIONS {
        let said = json!({
            "kind": "receipt-of-inclusion", "size": size, "leaf_index": index,
            "entry": String::from_utf8(entry(index)).unwrap(), "root": root(size).to_hex(),
        });
        let file = format!("inclusion-{index}-of-{size}.cbor");
        vectors.push(vector(&file, inclusion(size, index), said));
    }
    for (old, new) in CONSISTENCIES {
        let said = json!({
            "kind": "receipt-of-consistency", "old": old, "new": new,
            "old_root": root(old).to_hex(), "root": root(new).to_hex(),
        });
        let file = format!("consistency-{old}-to-{new}.cbor");
        vectors.push(vector(&file, consistency(old, new), said));
    }
    vectors
}

/// The receipt of entry 5 of 7 with its parts changed; tag and array of four.
fn altered(change: impl FnOnce(&mut Vec<Value>)) -> Vec<u8> {
    let receipt = inclusion(7, 5);
    let Ok(Value::Array(mut parts)) = codec::decode(&receipt[1..]) else { panic!("no array") };
    change(&mut parts);
    [&receipt[..1], &codec::encode(&Value::Array(parts))].concat()
}

fn header(fields: [(i64, Value); 3]) -> Value {
    Value::Bytes(codec::encode(&Value::map(fields)))
}

/// Receipts of entry 5 of 7 that must be refused, each with its error's text.
fn rejects() -> Vec<Vector> {
    let kid = Value::bytes(*service().public().id().as_bytes());
    let other = SignedRoot::sign(root(7), &witness_key(210));
    let proof = merkle::inclusion_proof(&leaves(7), 5).unwrap();
    let mut flipped = inclusion(7, 5);
    *flipped.last_mut().unwrap() ^= 1;
    let cases = [
        ("by-another-key", other.inclusion(7, 5, &proof)),
        ("signature-flipped", flipped),
        ("trailing-byte", [inclusion(7, 5), vec![0]].concat()),
        ("without-tag", inclusion(7, 5)[1..].to_vec()),
        ("path-cut", SignedRoot::sign(root(7), &service()).inclusion(7, 5, &proof[1..])),
        ("path-of-another-leaf", {
            let proof = merkle::inclusion_proof(&leaves(7), 4).unwrap();
            SignedRoot::sign(root(7), &service()).inclusion(7, 5, &proof)
        }),
        ("index-is-size", SignedRoot::sign(root(7), &service()).inclusion(7, 7, &proof)),
        ("payload-attached", altered(|parts| parts[2] = Value::bytes(*root(7).as_bytes()))),
        ("of-consistency", consistency(3, 7)),
        ("vds-of-another-structure", {
            altered(|parts| {
                parts[0] = header([(1, Value::Int(-8)), (4, kid.clone()), (395, Value::Int(2))]);
            })
        }),
        ("content-type-for-vds", {
            let kind = Value::text("application/chancery-entry+cbor");
            altered(|parts| parts[0] = header([(1, Value::Int(-8)), (3, kind), (4, kid.clone())]))
        }),
    ];
    let vector = |(name, bytes): (&str, Vec<u8>)| {
        let leaf = merkle::leaf_hash(&entry(5));
        let error = receipt::verify_inclusion(&bytes, &leaf, service().public()).unwrap_err();
        let index = json!({ "kind": "reject", "error": error.to_string() });
        vector(&format!("reject-receipt-{name}.cbor"), bytes, index)
    };
    cases.into_iter().map(vector).collect()
}

#[test]
fn the_bytes_of_proofs_are_frozen() {
    let vectors: Vec<_> = accepted().into_iter().chain(rejects()).collect();
    let keys: Vec<_> = policy().witnesses().iter().map(ToString::to_string).collect();
    let index = json!({
        "version": 1,
        "about": "Golden vectors of proofs: see docs/wire/README.md. Entry n of the log is the text \
                  `entry n`. The seeds are for tests only.",
        "service": {
            "seed": hex(&[200; 32]),
            "public": service().public().to_string(),
            "verifier_key": note::verifier_key(ORIGIN, service().public()),
        },
        "witnesses": keys,
        "vectors": vectors.iter().map(|vector| vector.index.clone()).collect::<Vec<_>>(),
    });
    let index = format!("{}\n", serde_json::to_string_pretty(&index).unwrap());
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        let _ = std::fs::remove_dir_all(folder());
        std::fs::create_dir_all(folder()).unwrap();
        for vector in &vectors {
            std::fs::write(folder().join(&vector.file), &vector.bytes).unwrap();
        }
        std::fs::write(folder().join("index.json"), &index).unwrap();
    }
    let wrong: Vec<_> =
        vectors.iter().filter(|vector| read(&vector.file) != vector.bytes).collect();
    let wrong: Vec<_> = wrong.iter().map(|vector| vector.file.as_str()).collect();
    assert!(wrong.is_empty(), "these would be written otherwise now, but are released: {wrong:?}");
    assert!(read("index.json") == index.as_bytes(), "index.json is not what the vectors say");
    let files = std::fs::read_dir(folder()).unwrap().count();
    assert_eq!(files, vectors.len() + 1, "a file that no vector accounts for");
}

#[test]
fn the_stored_notes_open_and_are_cosigned() {
    for (file, cosignatures) in [("checkpoint.txt", 0), ("checkpoint-cosigned.txt", 2)] {
        let note = String::from_utf8(read(file)).unwrap();
        assert_eq!(Checkpoint::open(&note, ORIGIN, service().public()), Ok(checkpoint()));
        assert!(Note::parse(&note).is_ok());
        let found = policy().verify(&note).unwrap();
        assert_eq!(found.len(), cosignatures);
        assert!(found.iter().all(|one| one.time == COSIGNED_AT));
        assert_eq!(policy().is_met_by(&found), cosignatures == 2);
    }
}

#[test]
fn the_stored_receipts_verify() {
    for (size, index) in INCLUSIONS {
        let bytes = read(&format!("inclusion-{index}-of-{size}.cbor"));
        let leaf = merkle::leaf_hash(&entry(index));
        let proved = receipt::verify_inclusion(&bytes, &leaf, service().public()).unwrap();
        assert_eq!((proved.size, proved.index, proved.root), (size, index, root(size)));
    }
    for (old, new) in CONSISTENCIES {
        let bytes = read(&format!("consistency-{old}-to-{new}.cbor"));
        let proved = receipt::verify_consistency(&bytes, &root(old), service().public()).unwrap();
        assert_eq!((proved.old, proved.new, proved.root), (old, new, root(new)));
    }
}
