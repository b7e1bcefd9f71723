//! Our COSE Receipts in the hands of an implementation that is not ours, `scitt-cose`, and its in
//! ours. Python with `tests/scitt/requirements.txt` does its part: `tests/scitt/check.py`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "support/script.rs"]
mod script;
mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_ledger::digest::hex;
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle;
use chancery_ledger::receipt::{self, ReceiptError, SignedRoot};
use serde_json::{Value as Json, json};
use support::{entry, leaves};

const SEED: [u8; 32] = [5; 32];

fn key() -> SigningKey {
    SigningKey::from_seed(&SEED).unwrap()
}

const CHECK: script::Script = script::Script {
    variable: "CHANCERY_TEST_PYTHON",
    environment: ".venv",
    folder: "ledger/tests/scitt",
};

/// Has the script answer `requests`.
fn ask(requests: &[Json]) -> Vec<Json> {
    CHECK.ask(requests)
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// The public key in PEM, RFC 8410 section 4.
fn public_pem(key: &SigningKey) -> String {
    let prefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    pem("PUBLIC KEY", &[&prefix, key.public().bytes()].concat())
}

/// The private key in PEM, RFC 8410 section 7.
fn private_pem() -> String {
    let prefix =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 4, 32];
    pem("PRIVATE KEY", &[prefix.as_slice(), &SEED].concat())
}

/// A receipt of inclusion of entry `index` of `size`, as a request.
fn inclusion(size: u64, index: u64) -> (Vec<u8>, Json) {
    let leaves = leaves(size);
    let signed = SignedRoot::sign(merkle::root(&leaves), &key());
    let receipt = signed.inclusion(size, index, &merkle::inclusion_proof(&leaves, index).unwrap());
    let request = json!({
        "do": "inclusion",
        "receipt": hex(&receipt),
        "entry": hex(&entry(index)),
        "key": public_pem(&key()),
    });
    (receipt, request)
}

/// A receipt that `new` leaves extend `old`, as a request.
fn consistency(old: u64, new: u64) -> (Vec<u8>, Json) {
    let leaves = leaves(new);
    let root = merkle::root(&leaves);
    let path = merkle::consistency_proof(&leaves, old).unwrap();
    let receipt = SignedRoot::sign(root, &key()).consistency(old, new, &path);
    let old_root = merkle::root(&leaves[..usize::try_from(old).unwrap()]);
    let request = json!({
        "do": "consistency",
        "receipt": hex(&receipt),
        "old_root": old_root.to_hex(),
        "new_root": root.to_hex(),
        "key": public_pem(&key()),
    });
    (receipt, request)
}

fn with(request: &Json, field: &str, value: String) -> Json {
    let mut request = request.clone();
    request[field] = Json::String(value);
    request
}

/// `request` with each byte of its receipt flipped in turn.
fn flips(receipt: &[u8], request: &Json) -> Vec<Json> {
    let flip = |at| {
        let mut altered = receipt.to_vec();
        altered[at] ^= 1;
        with(request, "receipt", hex(&altered))
    };
    (0..receipt.len()).map(flip).collect()
}

#[test]
fn scitt_cose_verifies_our_receipts() {
    let sizes = [1, 2, 3, 7, 8, 255, 256, 257];
    let mut requests = Vec::new();
    let mut expected = Vec::new();
    for size in sizes {
        let root = merkle::root(&leaves(size)).to_hex();
        for index in [0, size / 2, size - 1] {
            requests.push(inclusion(size, index).1);
            expected.push(json!({ "ok": true, "root": root, "size": size, "index": index }));
        }
        for old in [1, size.div_ceil(2), size] {
            requests.push(consistency(old, size).1);
            expected.push(json!({ "ok": true, "old": old, "new": size }));
        }
    }
    assert_eq!(ask(&requests), expected);
}

#[test]
fn scitt_cose_refuses_them_altered() {
    let (receipt, request) = inclusion(11, 6);
    let mut requests = flips(&receipt, &request);
    let other = SigningKey::from_seed(&[6; 32]).unwrap();
    requests.push(with(&request, "entry", hex(&entry(7))));
    requests.push(with(&request, "key", public_pem(&other)));
    for (request, answer) in requests.iter().zip(ask(&requests)) {
        // Neither size nor index is signed: see the module. All else is.
        let same = (&answer["size"], &answer["index"]) == (&json!(11), &json!(6));
        assert!(answer["ok"] == json!(false) || !same, "{request} {answer}");
    }
    let (receipt, request) = consistency(5, 11);
    let mut requests = flips(&receipt, &request);
    requests.push(with(&request, "old_root", merkle::root(&leaves(4)).to_hex()));
    requests.push(with(&request, "new_root", merkle::root(&leaves(12)).to_hex()));
    requests.push(with(&request, "key", public_pem(&other)));
    for (at, (request, answer)) in requests.iter().zip(ask(&requests)).enumerate() {
        let same = (&answer["old"], &answer["new"]) == (&json!(5), &json!(11));
        assert!(answer["ok"] == json!(false) || !same, "{at}: {request} {answer}");
    }
}

/// Ours is stricter: `build_receipt` writes its protected header in no canonical order.
#[test]
fn we_verify_the_receipts_of_scitt_cose_that_are_canonical() {
    let mut requests = Vec::new();
    let cases = [(1, 0), (7, 3), (256, 255), (257, 256)];
    for (size, index) in cases {
        requests.push(json!({
            "do": "make",
            "entries": (0..size).map(|n| hex(&entry(n))).collect::<Vec<_>>(),
            "index": index,
            "kid": key().public().id().to_hex(),
            "private_key": private_pem(),
        }));
    }
    for ((size, index), answer) in cases.into_iter().zip(ask(&requests)) {
        let made = unhex(answer["canonical"].as_str().unwrap());
        let leaf = merkle::leaf_hash(&entry(index));
        let proved = receipt::verify_inclusion(&made, &leaf, key().public()).unwrap();
        assert_eq!((proved.size, proved.index), (size, index));
        assert_eq!(made, inclusion(size, index).0, "the same bytes as ours");
        let made = unhex(answer["unordered"].as_str().unwrap());
        let refused = receipt::verify_inclusion(&made, &leaf, key().public());
        assert!(matches!(refused, Err(ReceiptError::Cbor(_))), "{refused:?}");
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}
