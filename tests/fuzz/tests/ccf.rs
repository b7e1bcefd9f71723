//! CCF's receipts, endorsements, certificates and ledger files, recorded from a real node.

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use std::num::NonZero;

use chancery_ccf::certificate::Certificate;
use chancery_ccf::chunk::{Name, Range, Reader};
use chancery_ccf::cose::RootSignature;
use chancery_ccf::endorsement::Endorsement;
use chancery_ccf::entry::Entry;
use chancery_ccf::leaf::CommitEvidence;
use chancery_ccf::ledger::{Options, verify};
use chancery_ccf::receipt::{Expected, Receipt};
use chancery_ccf::snapshot;
use chancery_ccf::tree::read_compact;
use chancery_ccf::txid::TxId;
use chancery_ccf::verdict::Verdict;
use chancery_fuzz::{corpus, fuzz, mutate};
use chancery_ledger::codec::{self, Value};

const RANGE: Range = Range { first: 1, last: 10 };

fn vector(name: &str) -> Vec<u8> {
    corpus::file(&format!("ledger/ccf/tests/vectors/{name}"))
}

fn text(name: &str) -> String {
    String::from_utf8(vector(name)).unwrap()
}

fn service() -> Certificate {
    Certificate::from_pem(&text("service_cert.pem")).unwrap()
}

/// The entries of the recorded file.
fn entries() -> Vec<Vec<u8>> {
    let file = vector("ledger_1-10.committed");
    let mut reader = Reader::open(&file[..], RANGE).unwrap();
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        entries.push(entry.to_vec());
    }
    assert_eq!(entries.len(), 10);
    entries
}

/// The values of a table in them.
fn values(table: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for raw in entries() {
        let entry = Entry::parse(&raw).unwrap();
        let writes = entry.writes().filter(|write| write.table == table);
        found.extend(writes.filter_map(|write| write.value.map(<[u8]>::to_vec)));
    }
    assert!(!found.is_empty(), "{table}");
    found
}

/// The COSE messages that stand in a table in base64, in JSON.
fn messages(table: &str, member: Option<&str>) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let message = |json: Vec<u8>| {
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let text = member.map_or(&json, |member| &json[member]).as_str().unwrap().to_owned();
        base64::engine::general_purpose::STANDARD.decode(text).unwrap()
    };
    values(table).into_iter().map(message).collect()
}

fn endorsements() -> Vec<Vec<u8>> {
    let table = "public:ccf.internal.previous_service_identity_endorsement";
    messages(table, Some("endorsement"))
}

#[test]
fn what_is_decoded_in_any_order_is_one_value_with_one_canonical_encoding() {
    let mut seeds = vec![vector("receipt.cose")[1..].to_vec()];
    seeds.extend(corpus::vectors("v1", "signed-"));
    let protected = RootSignature::parse(&messages("public:ccf.internal.cose_signatures", None)[0]);
    assert!(protected.is_ok());
    seeds.extend(endorsements().into_iter().map(|it| it[1..].to_vec()));
    for seed in seeds.clone() {
        if let Ok(Value::Array(parts)) = codec::decode_unordered(&seed)
            && let Some(Value::Bytes(protected)) = parts.first()
        {
            seeds.push(protected.clone());
        }
    }
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        let value = codec::decode_unordered(&bytes);
        if let Ok(canonical) = codec::decode(&bytes) {
            assert_eq!(value.as_ref(), Ok(&canonical));
        }
        if let Ok(value) = value {
            // The same bytes but for the order of keys.
            assert_eq!(codec::encoded_len(&value), bytes.len());
            assert_eq!(codec::decode(&codec::encode(&value)), Ok(value));
        }
        Ok(())
    });
}

#[test]
fn a_changed_cose_receipt_never_verifies() {
    let (service, good) = (service(), vector("receipt.cose"));
    let seeds = [good.clone(), messages("public:ccf.internal.cose_signatures", None)[0].clone()];
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        if let Ok(receipt) = Receipt::parse(&bytes)
            && receipt.verify(&service, &[], &Expected::default()).is_ok()
        {
            assert_eq!(bytes, good);
        }
        Ok(())
    });
}

#[test]
fn a_changed_json_receipt_says_the_same_or_nothing() {
    let (service, good) = (service(), text("receipt.json"));
    let expected = Expected::default();
    let wanted = Receipt::parse(good.as_bytes()).unwrap().verify(&service, &[], &expected).unwrap();
    let words = ["left", "right", "leaf", "proof", "cert", "service_endorsements", "null", "[]"];
    let seeds = [good];
    fuzz(|u| {
        let text = mutate::text(u, &seeds, &words)?;
        if let Ok(receipt) = Receipt::parse(text.as_bytes())
            && let Ok(proven) = receipt.verify(&service, &[], &expected)
        {
            assert_eq!(proven, wanted, "{text}");
        }
        Ok(())
    });
}

#[test]
fn a_changed_certificate_is_not_the_services() {
    let service = service();
    let receipt: serde_json::Value = serde_json::from_str(&text("receipt.json")).unwrap();
    let node = Certificate::from_pem(receipt["cert"].as_str().unwrap()).unwrap();
    let seeds = [service.der().to_vec(), node.der().to_vec()];
    fuzz(|u| {
        let der = mutate::bytes(u, &seeds)?;
        if let Ok(certificate) = Certificate::from_der(&der) {
            assert_eq!(certificate.der(), der);
            if certificate.check_issued_by(&service).is_ok() {
                assert!(seeds.contains(&der), "issued: {der:02x?}");
            }
        }
        Ok(())
    });
    let seeds = [text("service_cert.pem")];
    fuzz(|u| {
        let pem = mutate::text(u, &seeds, &["-----BEGIN CERTIFICATE-----", "-----"])?;
        if let Ok(certificate) = Certificate::from_pem(&pem)
            && certificate.check_self_signed().is_ok()
        {
            assert_eq!(certificate, service);
        }
        Ok(())
    });
}

#[test]
fn a_changed_endorsement_is_not_signed() {
    let (key, seeds) = (service().key().clone(), endorsements());
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        if let Ok(endorsement) = Endorsement::parse(&bytes)
            && endorsement.is_signed_by(&key)
        {
            assert!(seeds.contains(&bytes));
        }
        Ok(())
    });
}

#[test]
fn an_entry_is_its_bytes() {
    let seeds = entries();
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        if let Ok(entry) = Entry::parse(&bytes) {
            assert_eq!(entry.raw, bytes);
            let read: usize = entry
                .writes()
                .map(|write| write.key.len() + write.value.map_or(0, <[u8]>::len))
                .sum();
            assert!(read < bytes.len());
        }
        Ok(())
    });
}

#[test]
fn a_changed_ledger_never_verifies_but_in_its_last_signature() {
    let (service, good) = (service(), vector("ledger_1-10.committed"));
    let entries = entries();
    let signed = good.len() - 4 * entries.len() - entries.last().unwrap().len();
    let seeds = [good.clone()];
    let options = Options { threads: NonZero::new(1), reaches: None };
    fuzz(|u| {
        let mut bytes = seeds[0].clone();
        for _ in 0..u.int_in_range(1..=3)? {
            mutate::change_bytes(u, &mut bytes, &good)?;
        }
        let chunk = [(RANGE, Ok(bytes.as_slice()))];
        let report = verify(chunk, &service, &options, |_| {});
        if report.verdict == Verdict::Verified {
            assert_eq!(bytes[8..signed], good[8..signed]);
            assert_eq!(report.transactions, 10);
        }
        Ok(())
    });
}

#[test]
fn a_snapshot_is_verified_by_nothing_but_its_receipt() {
    let services = [service()];
    let mut entry = entries().swap_remove(4);
    entry[35] |= 0x80;
    entry[44] = 1;
    let seeds = [[entry, vector("receipt.json")].concat()];
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        assert!(snapshot::verify(&bytes[..], 5, 14, &services).is_err());
        Ok(())
    });
}

#[test]
fn small_texts_and_trees_have_one_form() {
    let seeds = values("public:ccf.internal.tree");
    let names = ["ledger_1-10.committed", "snapshot_10_12.committed", "ledger_11"];
    let ids = ["2.14", "ce:2.14:", "1.18446744073709551615"];
    let texts: Vec<_> = names.iter().chain(&ids).map(|it| (*it).to_owned()).collect();
    let hex = "05a4f06ab9cb4ac651395a94300f909f9c17d46762ce5f4d239f1a028a995c1a";
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        if let Ok(tree) = read_compact(&bytes) {
            assert!(tree.size() == 0 || tree.root().is_some());
        }
        let text = mutate::text(u, &texts, &[hex, "committed", "_", "-"])?;
        if let Ok(id) = text.parse::<TxId>() {
            assert_eq!(id.to_string(), text);
        }
        if let Ok(evidence) = text.parse::<CommitEvidence>() {
            assert_eq!(evidence.as_str(), text);
        }
        match Name::parse(&text) {
            Name::Chunk(Range { first, last }) => {
                assert_eq!(format!("ledger_{first}-{last}.committed"), text);
            }
            Name::Snapshot { seqno, evidence } => {
                assert_eq!(format!("snapshot_{seqno}_{evidence}.committed"), text);
            }
            Name::Uncommitted | Name::Other => {}
        }
        Ok(())
    });
}
