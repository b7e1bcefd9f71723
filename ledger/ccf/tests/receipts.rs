//! Receipts: recorded from a real CCF node, and of a network that was made up.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use chancery_ccf::certificate::Certificate;
use chancery_ccf::endorsement::{ENDORSEMENTS_MAX, EndorsementError};
use chancery_ccf::receipt::{Expected, Form, Proven, Receipt, ReceiptError, assemble};
use chancery_ccf::txid::TxId;
use chancery_ledger::digest::Digest;
use serde_json::{Value as Json, json};
use support::network::{ISSUED_AT_S, Network, endorse, root_signature_at};
use support::x509::{FROM_S, Template, UNTIL_S};
use support::{Key, vector};

const NONE: Expected = Expected { claims: None, transaction: None, at_s: None };

fn service() -> Certificate {
    Certificate::from_pem(&String::from_utf8(vector("service_cert.pem")).unwrap()).unwrap()
}

fn check(bytes: &[u8], service: &Certificate, expected: &Expected) -> Result<Proven, ReceiptError> {
    Receipt::parse(bytes)?.verify(service, &[], expected)
}

fn code(result: Result<Proven, ReceiptError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "verified")
}

fn json_code(receipt: &Json, service: &Certificate) -> &'static str {
    code(check(receipt.to_string().as_bytes(), service, &NONE))
}

/// What the recorded transaction claims: the SHA-256 of the value that was written.
fn recorded_claims() -> Digest {
    Digest::of(br#"{"hello":"world","n":1}"#)
}

#[test]
fn the_recorded_receipts_verify() {
    let expected = Expected {
        claims: Some(recorded_claims()),
        transaction: Some(TxId::new(2, 14)),
        at_s: Some(1_795_433_287),
    };
    let json = check(&vector("receipt.json"), &service(), &expected).unwrap();
    assert_eq!(json.form, Form::Json);
    assert_eq!(json.issued_at_s, None);
    let cose = check(&vector("receipt.cose"), &service(), &expected).unwrap();
    assert_eq!(cose.form, Form::Cose);
    assert_eq!(cose.signed_at, Some(TxId::new(2, 15)));
    assert_eq!(cose.issued_at_s, Some(1_795_433_287));
    for proven in [&json, &cose] {
        assert_eq!(proven.transaction, Some(TxId::new(2, 14)));
        assert_eq!(proven.claims, Some(recorded_claims()));
        assert_eq!(proven.endorsements, 0);
    }
    assert_eq!((json.root, json.leaf), (cose.root, cose.leaf));
    assert_eq!(cose.signer, service().key().id());
}

#[test]
fn no_recorded_receipt_survives_a_flipped_bit() {
    let json = String::from_utf8(vector("receipt.json")).unwrap();
    let same: Json = serde_json::from_str(&json).unwrap();
    for position in 0..json.len() {
        for bit in 0..8 {
            let mut altered = json.clone().into_bytes();
            altered[position] ^= 1 << bit;
            let verified = check(&altered, &service(), &NONE).is_ok();
            // What is left are changes of white space, which say the same.
            let white = |byte: u8| byte.is_ascii_whitespace();
            let space = white(altered[position]) && white(json.as_bytes()[position]);
            assert!(!verified || space, "{position} {bit}");
            if verified {
                assert_eq!(serde_json::from_slice::<Json>(&altered).unwrap(), same);
            }
        }
    }
    let cose = vector("receipt.cose");
    for position in 0..cose.len() {
        for bit in 0..8 {
            let mut altered = cose.clone();
            altered[position] ^= 1 << bit;
            assert!(check(&altered, &service(), &NONE).is_err(), "{position} {bit}");
        }
    }
    for len in 0..cose.len() {
        assert!(check(&cose[..len], &service(), &NONE).is_err(), "{len}");
    }
}

#[test]
fn a_receipt_is_for_its_claims_and_transaction_only() {
    for name in ["receipt.json", "receipt.cose"] {
        let of = |expected: Expected| code(check(&vector(name), &service(), &expected));
        assert_eq!(of(Expected { claims: Some(Digest::of(b"else")), ..NONE }), "other-claims");
        for other in [TxId::new(2, 13), TxId::new(3, 14), TxId::new(2, 15)] {
            assert_eq!(of(Expected { transaction: Some(other), ..NONE }), "other-transaction");
        }
    }
}

#[test]
fn a_receipt_of_another_network_is_refused() {
    let (made_up, other) = (Network::genesis(), Key::new(77));
    assert_eq!(code(check(&vector("receipt.cose"), &made_up.certificate(), &NONE)), "unknown-key");
    assert_eq!(code(check(&vector("receipt.json"), &made_up.certificate(), &NONE)), "not-endorsed");
    let other = Certificate::from_der(&Template::service(&other).der()).unwrap();
    assert_eq!(code(check(&made_up.cose_receipt(3), &other, &NONE)), "unknown-key");
    assert_eq!(json_code(&made_up.json_receipt(3), &other), "not-endorsed");
    let named =
        Template { subject: "Another", issuer: "Another", ..Template::service(&Key::new(10)) }
            .der();
    let named = Certificate::from_der(&named).unwrap();
    assert_eq!(json_code(&made_up.json_receipt(3), &named), "not-endorsed");
}

#[test]
fn every_transaction_of_a_ledger_has_receipts() {
    let mut network = Network::genesis();
    network.records(20);
    network.sign();
    let service = network.certificate();
    for seqno in 1..25 {
        let id = TxId::new(2, seqno);
        let claims = network.parts[usize::try_from(seqno - 1).unwrap()].claims;
        let expected =
            Expected { claims: Some(claims), transaction: Some(id), at_s: Some(ISSUED_AT_S) };
        let json = network.json_receipt(seqno).to_string();
        let json = check(json.as_bytes(), &service, &expected).unwrap();
        let cose = check(&network.cose_receipt(seqno), &service, &expected).unwrap();
        assert_eq!(json.root, cose.root);
        assert_eq!(json.leaf, Some(network.leaves[usize::try_from(seqno).unwrap()]));
    }
}

#[test]
fn a_cose_receipt_is_assembled_from_a_json_receipt_and_the_signature() {
    let json = Receipt::parse(&vector("receipt.json")).unwrap();
    let Receipt::Node(json) = json else { panic!() };
    let (leaf, path) = json.leaf_and_path().unwrap();
    let recorded = vector("receipt.cose");
    // The recorded receipt is such a one: its signature with an empty unprotected header.
    let proof = recorded.windows(5).position(|it| it == [0xa1, 0x19, 0x01, 0x8c, 0xa1]).unwrap();
    let nil = recorded.len() - 99;
    assert_eq!(recorded[nil], 0xf6);
    let signature = [&recorded[..proof], &[0xa0], &recorded[nil..]].concat();
    assert_eq!(assemble(&signature, &leaf, path).unwrap(), recorded);
    assert!(assemble(&recorded, &leaf, path).is_err());
}

#[test]
fn a_json_receipt_that_leaves_out_its_claims_needs_them() {
    let network = {
        let mut network = Network::genesis();
        network.records(1);
        network.sign();
        network
    };
    let (service, mut receipt) = (network.certificate(), network.json_receipt(5));
    receipt["leaf_components"].as_object_mut().unwrap().remove("claims_digest");
    assert_eq!(json_code(&receipt, &service), "claims-missing");
    let with = |claims| {
        let expected = Expected { claims: Some(claims), ..NONE };
        code(check(receipt.to_string().as_bytes(), &service, &expected))
    };
    assert_eq!(with(network.parts[4].claims), "verified");
    assert_eq!(with(Digest::of(b"else")), "bad-signature");
}

#[test]
fn a_signature_transaction_has_a_receipt_of_its_own() {
    let mut network = Network::genesis();
    network.recover();
    let service = network.certificate();
    for seqno in [2, 4, 6, 9] {
        let receipt = network.json_signature_receipt(seqno);
        let proven = check(receipt.to_string().as_bytes(), &service, &NONE).unwrap();
        assert_eq!((proven.form, proven.transaction), (Form::JsonSignature, None));
        assert_eq!(proven.root, network.signed[&seqno].root);
        for expected in [
            Expected { claims: Some(Digest::of(b"")), ..NONE },
            Expected { transaction: Some(TxId::new(2, seqno)), ..NONE },
        ] {
            let result = check(receipt.to_string().as_bytes(), &service, &expected);
            assert_eq!(code(result), "signature-transaction");
        }
    }
    let with = |name: &str, value: Json| {
        let mut receipt = network.json_signature_receipt(4);
        receipt[name] = value;
        json_code(&receipt, &service)
    };
    assert_eq!(with("is_signature_transaction", json!(true)), "verified");
    assert_eq!(with("is_signature_transaction", json!(false)), "malformed-receipt");
    assert_eq!(with("leaf", json!("0".repeat(64))), "bad-signature");
    assert_eq!(with("proof", json!([{"left": "0".repeat(64)}])), "malformed-receipt");
}

#[test]
fn altered_json_receipts_are_refused_for_what_they_are() {
    let mut network = Network::genesis();
    network.records(5);
    network.sign();
    let (service, receipt) = (network.certificate(), network.json_receipt(6));
    assert_eq!(json_code(&receipt, &service), "verified");
    let hash = |seed: &str| json!(Digest::of(seed.as_bytes()).to_hex());
    let mut cases: Vec<(&str, Json)> = Vec::new();
    let mut case = |code, change: &dyn Fn(&mut Json)| {
        let mut altered = receipt.clone();
        change(&mut altered);
        cases.push((code, altered));
    };
    case("other-node", &|it| it["node_id"] = hash("node"));
    case("bad-signature", &|it| it["leaf_components"]["write_set_digest"] = hash("x"));
    case("bad-signature", &|it| it["leaf_components"]["claims_digest"] = hash("x"));
    case("bad-signature", &|it| {
        // A wrong view.
        let text = it["leaf_components"]["commit_evidence"].as_str().unwrap();
        it["leaf_components"]["commit_evidence"] = json!(text.replacen("ce:2.", "ce:3.", 1));
    });
    case("misplaced", &|it| {
        let text = it["leaf_components"]["commit_evidence"].as_str().unwrap();
        it["leaf_components"]["commit_evidence"] = json!(text.replacen("ce:2.6:", "ce:2.7:", 1));
    });
    case("bad-signature", &|it| it["proof"][0] = json!({"right": "0".repeat(64)}));
    case("bad-signature", &|it| drop(it["proof"].as_array_mut().unwrap().pop()));
    case("misplaced", &|it| drop(it["proof"].as_array_mut().unwrap().remove(0)));
    case("misplaced", &|it| it["proof"] = json!([]));
    case("misplaced", &|it| {
        it["proof"].as_array_mut().unwrap().push(json!({"left": "0".repeat(64)}));
    });
    case("malformed-receipt", &|it| {
        it["proof"] = json!(vec![json!({"left": "0".repeat(64)}); 65]);
    });
    case("malformed-receipt", &|it| it["proof"][0] = json!({}));
    case("malformed-receipt", &|it| {
        it["proof"][0] = json!({"left": "0".repeat(64), "right": "0".repeat(64)});
    });
    case("malformed-receipt", &|it| it["proof"][0] = json!({"left": "0".repeat(63)}));
    case("malformed-receipt", &|it| it["leaf_components"]["commit_evidence"] = json!("ce"));
    case("malformed-receipt", &|it| it["leaf"] = hash("x"));
    case("malformed-receipt", &|it| it["unknown"] = json!(1));
    case("malformed-receipt", &|it| it["signature"] = json!("not base64"));
    case("malformed-certificate", &|it| it["cert"] = json!("not PEM"));
    case("malformed-certificate", &|it| it["service_endorsements"] = json!(["not PEM"]));
    case("malformed-receipt", &|it| {
        it["service_endorsements"] = json!(vec![""; ENDORSEMENTS_MAX + 1]);
    });
    case("not-endorsed", &|it| {
        it["service_endorsements"] = json!([Template::service(&Key::new(9)).pem()]);
    });
    for (index, (code, altered)) in cases.iter().enumerate() {
        assert_eq!(json_code(altered, &service), *code, "case {index}");
    }
    let twice = receipt.to_string().replacen('{', "{\"node_id\":\"\",", 1);
    assert_eq!(code(check(twice.as_bytes(), &service, &NONE)), "malformed-receipt");
    assert_eq!(code(check(b"", &service, &NONE)), "not-a-receipt");
    assert_eq!(code(check(&vec![b'{'; (1 << 20) + 1], &service, &NONE)), "not-a-receipt");
}

#[test]
fn a_node_must_be_the_services() {
    let network = Network::genesis();
    let (service, mut receipt) = (network.certificate(), network.json_receipt(3));
    let (node, other) = (&network.identity().node, Key::new(99));
    let mut with = |template: Template<'_>| {
        receipt["cert"] = json!(template.pem());
        json_code(&receipt, &service)
    };
    assert_eq!(with(Template::node(node, &other)), "not-endorsed");
    assert_eq!(
        with(Template { issuer: "Another", ..Template::node(node, &network.identity().service) }),
        "not-endorsed"
    );
    assert_eq!(with(Template::node(&other, &network.identity().service)), "other-node");
    // A node's certificate signs no other: what it vouches for is not the service's.
    let child = Template { issuer: "CCF Node", signer: node, ..Template::node(node, node) };
    let mut receipt = network.json_receipt(3);
    receipt["cert"] = json!(child.pem());
    receipt["service_endorsements"] = json!([network.identity().node_pem()]);
    assert_eq!(json_code(&receipt, &service), "not-endorsed");
}

#[test]
fn certificates_must_be_valid_together_and_when_asked() {
    let network = Network::genesis();
    let identity = network.identity();
    let receipt = network.json_receipt(3);
    let service = network.certificate();
    let at = |at_s| {
        let expected = Expected { at_s: Some(at_s), ..NONE };
        let json = code(check(receipt.to_string().as_bytes(), &service, &expected));
        assert_eq!(json, code(check(&network.cose_receipt(3), &service, &expected)));
        json
    };
    assert_eq!(at(FROM_S), "verified");
    assert_eq!(at(UNTIL_S), "verified");
    assert_eq!(at(FROM_S - 1), "expired");
    assert_eq!(at(UNTIL_S + 1), "expired");
    // The service's certificate ended before the node's began.
    let old = Template { until: "260301000000Z", ..Template::service(&identity.service) };
    let old = Certificate::from_der(&old.der()).unwrap();
    let late =
        Template { from: "260302000000Z", ..Template::node(&identity.node, &identity.service) };
    let mut altered = receipt.clone();
    altered["cert"] = json!(late.pem());
    assert_eq!(json_code(&altered, &old), "expired");
    assert_eq!(json_code(&altered, &service), "verified");
    // COSE says when: a year after the certificate ended.
    assert_eq!(code(check(&network.cose_receipt(3), &old, &NONE)), "expired");
    let signed = network.signature_of(3);
    let leaf = &network.parts[2];
    let Receipt::Node(node) = Receipt::parse(receipt.to_string().as_bytes()).unwrap() else {
        panic!()
    };
    let (_, path) = node.leaf_and_path().unwrap();
    let early = root_signature_at(&identity.service, signed.id, &signed.root, FROM_S);
    assert_eq!(code(check(&assemble(&early, leaf, path).unwrap(), &old, &NONE)), "verified");
}

#[test]
fn an_earlier_services_receipts_verify_over_endorsements() {
    let mut network = Network::genesis();
    network.records(3);
    network.sign();
    network.recover();
    network.records(3);
    network.sign();
    network.recover();
    let service = network.certificate();
    assert_eq!(network.endorsements.len(), 2);
    for seqno in [1, 5, 10, 14, 18] {
        let json = network.json_receipt(seqno).to_string();
        check(json.as_bytes(), &service, &NONE).unwrap();
        let receipt = Receipt::parse(&network.cose_receipt(seqno)).unwrap();
        receipt.verify(&service, &network.endorsements, &NONE).unwrap();
        let epoch = network.signature_of(seqno).identity;
        if epoch < 2 {
            let refused = receipt.verify(&service, &network.endorsements[..1 - epoch], &NONE);
            assert_eq!(code(refused), "unknown-key");
            // Without the certificates between.
            let mut json = network.json_receipt(seqno);
            json["service_endorsements"].as_array_mut().unwrap().remove(0);
            assert_eq!(json_code(&json, &service), "not-endorsed");
        }
    }
    let mut json = network.json_receipt(1);
    json["service_endorsements"].as_array_mut().unwrap().reverse();
    assert_eq!(json_code(&json, &service), "not-endorsed");
}

#[test]
fn a_chain_of_endorsements_has_no_hole() {
    let mut network = Network::genesis();
    network.recover();
    network.recover();
    let (service, receipt) = (network.certificate(), network.cose_receipt(3));
    let receipt = Receipt::parse(&receipt).unwrap();
    let with = |chain: &[Vec<u8>]| code(receipt.verify(&service, chain, &NONE));
    let [newest, oldest] = <[_; 2]>::try_from(network.endorsements.clone()).unwrap();
    assert_eq!(with(&[newest.clone(), oldest.clone()]), "verified");
    let keys: Vec<_> = network.identities.iter().map(|it| it.service.clone()).collect();
    let (start, end) = (network.identities[0].start, TxId::new(2, 4));
    let by = |key: &Key, start, end| endorse(key, &keys[0], start, end, None);
    assert_eq!(with(&[newest.clone(), by(&keys[1], start, Some(end))]), "verified");
    for (hole, refused) in [
        (by(&keys[1], start, Some(TxId::new(2, 3))), "endorsement-hole"),
        (by(&keys[1], start, Some(TxId::new(2, 5))), "endorsement-hole"),
        (by(&keys[1], start, Some(TxId::new(3, 4))), "endorsement-hole"),
        (by(&keys[1], start, None), "endorsement-range"),
        (by(&keys[1], TxId::new(2, 5), Some(end)), "endorsement-range"),
        (by(&keys[1], TxId::new(2, 5), Some(TxId::new(2, 4))), "endorsement-range"),
        (by(&keys[0], start, Some(end)), "endorsement-signature"),
        (by(&keys[2], start, Some(end)), "endorsement-signature"),
        // The signature transaction 2.4 is not in what is endorsed.
        (by(&keys[1], TxId::new(3, 1), Some(TxId::new(4, 4))), "endorsement-hole"),
        (receipt_bytes(&network), "malformed-endorsement"),
        (vec![], "malformed-endorsement"),
    ] {
        assert_eq!(with(&[newest.clone(), hole]), refused);
    }
    assert_eq!(with(&[oldest.clone(), newest.clone()]), "endorsement-signature");
    assert_eq!(with(std::slice::from_ref(&oldest)), "endorsement-signature");
    assert_eq!(with(&vec![newest.clone(); ENDORSEMENTS_MAX + 1]), "malformed-endorsement");
    for position in 0..oldest.len() {
        let mut altered = oldest.clone();
        altered[position] ^= 1;
        assert_ne!(with(&[newest.clone(), altered]), "verified", "{position}");
    }
}

fn receipt_bytes(network: &Network) -> Vec<u8> {
    network.cose_receipt(3)
}

#[test]
fn a_key_signs_only_in_its_epoch() {
    let mut network = Network::genesis();
    network.recover();
    let (service, first) = (network.certificate(), network.identities[0].clone());
    let Receipt::Node(node) =
        Receipt::parse(network.json_receipt(3).to_string().as_bytes()).unwrap()
    else {
        panic!()
    };
    // The first service's key signs after it was superseded.
    let late =
        root_signature_at(&first.service, TxId::new(4, 4), &network.signed[&4].root, ISSUED_AT_S);
    let (leaf, path) = node.leaf_and_path().unwrap();
    let late = Receipt::parse(&assemble(&late, &leaf, path).unwrap()).unwrap();
    assert_eq!(code(late.verify(&service, &network.endorsements, &NONE)), "endorsement-epoch");
    // The present one signs what was before it.
    let own = root_signature_at(
        &network.identity().service,
        TxId::new(2, 4),
        &network.signed[&4].root,
        ISSUED_AT_S,
    );
    let own = Receipt::parse(&assemble(&own, &leaf, path).unwrap()).unwrap();
    assert_eq!(code(own.verify(&service, &network.endorsements, &NONE)), "endorsement-epoch");
    assert!(matches!(
        own.verify(&service, &network.endorsements, &NONE),
        Err(ReceiptError::Endorsement(EndorsementError::OtherEpoch { .. }))
    ));
}

#[test]
fn a_receipt_of_a_place_behind_its_signature_is_refused() {
    let network = Network::genesis();
    let (service, identity) = (network.certificate(), network.identity());
    let Receipt::Node(node) =
        Receipt::parse(network.json_receipt(3).to_string().as_bytes()).unwrap()
    else {
        panic!()
    };
    let (leaf, path) = node.leaf_and_path().unwrap();
    let root = network.signed[&4].root;
    for (id, refused) in [
        (TxId::new(2, 4), "verified"),
        (TxId::new(2, 3), "misplaced"),
        (TxId::new(2, 6), "misplaced"),
        (TxId::new(1, 4), "other-transaction"),
    ] {
        let signature = root_signature_at(&identity.service, id, &root, ISSUED_AT_S);
        let receipt = assemble(&signature, &leaf, path).unwrap();
        assert_eq!(code(check(&receipt, &service, &NONE)), refused, "{id}");
    }
}
