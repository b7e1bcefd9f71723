//! Receipts and ledgers of ours in the hands of implementations that are not: Microsoft's `ccf` and
//! `scitt-cose`. They take what ours takes and refuse what ours refuses, but for what is listed in
//! [`theirs_is_more_lenient_where_it_is_known_to_be`].

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
#[path = "support/theirs.rs"]
mod theirs;

use std::collections::BTreeMap;

use chancery_ccf::certificate::Certificate;
use chancery_ccf::ledger::Options;
use chancery_ccf::receipt::{Expected, Receipt, assemble};
use chancery_ccf::txid::TxId;
use chancery_ccf::verdict::Verdict;
use chancery_ledger::digest::{Digest, hex};
use serde_json::{Value as Json, json};
use support::network::{Network, audit};
use support::x509::Template;
use support::{Key, vector};
use theirs::ask;

/// A receipt with the certificate and claims that it is verified for.
#[derive(Clone)]
struct Case {
    receipt: Vec<u8>,
    service: String,
    claims: Digest,
}

impl Case {
    fn ours(&self) -> bool {
        let service = Certificate::from_pem(&self.service).unwrap();
        let expected = Expected { claims: Some(self.claims), ..Expected::default() };
        Receipt::parse(&self.receipt)
            .and_then(|receipt| receipt.verify(&service, &[], &expected))
            .is_ok()
    }

    fn with(&self, receipt: Vec<u8>) -> Self {
        Self { receipt, ..self.clone() }
    }

    fn request(&self, by: &str) -> Json {
        json!({
            "do": by,
            "receipt": hex(&self.receipt),
            "service": self.service,
            "claims": self.claims.to_hex(),
        })
    }
}

fn recorded(name: &str) -> Case {
    Case {
        receipt: vector(name),
        service: String::from_utf8(vector("service_cert.pem")).unwrap(),
        claims: Digest::of(br#"{"hello":"world","n":1}"#),
    }
}

/// A receipt of the mirror that was recovered, with the certificate of before or after.
fn mirrored(name: &str, when: &str) -> Case {
    let receipt = vector(&format!("mirror/{name}"));
    let pem = vector(&format!("mirror/service_cert_{when}.pem"));
    let json: Json = serde_json::from_slice(&receipt).unwrap();
    let claims = json["leaf_components"]["claims_digest"].as_str().unwrap();
    let claims = format!("sha256:{claims}").parse().unwrap();
    Case { receipt, service: String::from_utf8(pem).unwrap(), claims }
}

/// The COSE receipt of the same, with the signature that the node served.
fn mirrored_cose(which: &str, when: &str) -> Case {
    let case = mirrored(&format!("{which}.json"), when);
    let Receipt::Node(json) = Receipt::parse(&case.receipt).unwrap() else { panic!() };
    let (leaf, path) = json.leaf_and_path().unwrap();
    let signature = vector(&format!("mirror/{which}-signature.cose"));
    case.with(assemble(&signature, &leaf, path).unwrap())
}

fn network() -> Network {
    let mut network = Network::genesis();
    network.records(5);
    network.sign();
    network.recover();
    network
}

/// What both must say of each, by `by`: what differs, as (ours, theirs, index).
fn compare(cases: &[Case], by: &str) -> Vec<(bool, bool, usize)> {
    let requests: Vec<_> = cases.iter().map(|case| case.request(by)).collect();
    let theirs = ask(&requests);
    let ours = cases.iter().map(Case::ours);
    let both = ours.zip(theirs).enumerate();
    both.filter(|(_, (ours, theirs))| ours != theirs).map(|(at, (a, b))| (a, b, at)).collect()
}

#[test]
fn they_take_every_receipt_that_ours_takes() {
    let network = network();
    let service = network.identities[0].pem();
    let mut cases = vec![
        recorded("receipt.cose"),
        mirrored_cose("first", "before"),
        mirrored_cose("second", "after"),
    ];
    for (seqno, part) in (1..10).zip(&network.parts) {
        let claims = part.claims;
        let receipt = network.cose_receipt(seqno);
        cases.push(Case { receipt, service: service.clone(), claims });
    }
    assert!(cases.iter().all(Case::ours));
    assert_eq!(compare(&cases, "cose"), []);
    assert_eq!(compare(&cases, "scitt"), []);
    let mut cases = vec![
        recorded("receipt.json"),
        mirrored("first.json", "before"),
        mirrored("first-after.json", "after"),
        mirrored("second.json", "after"),
    ];
    let service = network.identity().pem();
    for (seqno, part) in (1..14).zip(&network.parts) {
        let claims = part.claims;
        let mut json = network.json_receipt(seqno);
        let case = |json: &Json| Case {
            receipt: json.to_string().into_bytes(),
            service: service.clone(),
            claims,
        };
        cases.push(case(&json));
        json["leaf_components"].as_object_mut().unwrap().remove("claims_digest");
        cases.push(case(&json));
    }
    assert!(cases.iter().all(Case::ours));
    assert_eq!(compare(&cases, "json"), []);
}

#[test]
fn they_refuse_every_flipped_byte_of_a_cose_receipt() {
    let case = recorded("receipt.cose");
    let mut cases = Vec::new();
    for position in 0..case.receipt.len() {
        let mut altered = case.receipt.clone();
        altered[position] ^= 1 << (position % 8);
        cases.push(case.with(altered));
    }
    assert!(!cases.iter().any(Case::ours));
    assert_eq!(compare(&cases, "cose"), []);
    assert_eq!(compare(&cases, "scitt"), []);
}

/// Where in a JSON receipt a flipped byte is nothing to them: see
/// [`theirs_is_more_lenient_where_it_is_known_to_be`].
fn lenient(json: &str) -> Vec<std::ops::Range<usize>> {
    let range = |from: &str, to: &str| {
        let start = json.find(from).unwrap();
        start..start + json[start..].find(to).unwrap() + to.len()
    };
    // The certificate's text, of which OpenSSL skips what is no base64; the node's id with its name;
    // the name of the claims, which are given beside the receipt.
    vec![range("\"cert\"", "\",\n"), range("\"node_id\"", "\",\n"), range("\"claims_digest", "\":")]
}

#[test]
fn they_refuse_every_flipped_byte_of_a_json_receipt() {
    let case = recorded("receipt.json");
    let text = String::from_utf8(case.receipt.clone()).unwrap();
    let lenient = lenient(&text);
    let mut cases = Vec::new();
    for position in 0..case.receipt.len() {
        let mut altered = case.receipt.clone();
        altered[position] ^= 1 << (position % 8);
        cases.push(case.with(altered));
    }
    let different = compare(&cases, "json");
    let unknown: Vec<_> = different
        .iter()
        .filter(|(ours, _, at)| {
            // A hex digit in upper case is the same digit to them.
            let case = at % 8 == 5 && text.as_bytes()[*at].is_ascii_hexdigit();
            *ours || !case && !lenient.iter().any(|range| range.contains(at))
        })
        .map(|(_, _, at)| (*at, text[at.saturating_sub(10)..(at + 10).min(text.len())].to_owned()))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn they_refuse_the_mutations_that_ours_refuses() {
    let network = network();
    let (first, second) = (&network.identities[0], &network.identities[1]);
    let claims = network.parts[5].claims;
    let case = |receipt: Json, service: &str, claims| Case {
        receipt: receipt.to_string().into_bytes(),
        service: service.to_owned(),
        claims,
    };
    let service = second.pem();
    let receipt = network.json_receipt(6);
    let other = Template::service(&Key::new(50)).pem();
    let mut crossed = vec![
        mirrored("first.json", "after"),
        mirrored("first-after.json", "before"),
        mirrored("second.json", "before"),
    ];
    let other_claims = crossed[0].claims;
    crossed.push(Case { claims: other_claims, ..mirrored_cose("second", "after") });
    crossed.push(mirrored_cose("first", "after"));
    assert!(!crossed.iter().any(Case::ours));
    assert_eq!(compare(&crossed[..3], "json"), []);
    assert_eq!(compare(&crossed[3..], "cose"), []);
    let mut cases = vec![
        // Another network's certificate, an earlier service's; another entry's claims; no chain.
        case(receipt.clone(), &other, claims),
        case(network.json_receipt(11), &first.pem(), network.parts[10].claims),
    ];
    let mut change = |change: &dyn Fn(&mut Json)| {
        let mut altered = receipt.clone();
        change(&mut altered);
        cases.push(case(altered, &service, claims));
    };
    change(&|it| it["service_endorsements"] = json!([]));
    change(&|it| it["service_endorsements"] = json!([other]));
    change(&|it| drop(it["proof"].as_array_mut().unwrap().pop()));
    change(&|it| it["proof"] = json!([]));
    change(&|it| it["proof"].as_array_mut().unwrap().reverse());
    change(&|it| it["leaf_components"] = network.json_receipt(5)["leaf_components"].clone());
    change(&|it| it["signature"] = network.json_receipt(11)["signature"].clone());
    change(&|it| it["cert"] = json!(Template::node(&Key::new(50), &first.service).pem()));
    change(&|it| {
        let text = it["leaf_components"]["commit_evidence"].as_str().unwrap();
        it["leaf_components"]["commit_evidence"] = json!(text.replacen("ce:2.", "ce:3.", 1));
    });
    assert!(!cases.iter().any(Case::ours));
    assert_eq!(compare(&cases, "json"), []);

    let cose = |seqno, service: String, claims| Case {
        receipt: network.cose_receipt(seqno),
        service,
        claims,
    };
    let cases = [
        cose(6, other, claims),
        cose(6, second.pem(), claims),
        cose(11, first.pem(), network.parts[10].claims),
        cose(6, first.pem(), network.parts[6].claims),
        cose(6, first.pem(), Digest::of(b"")),
    ];
    assert!(!cases.iter().any(Case::ours));
    assert_eq!(compare(&cases, "cose"), []);
    assert_eq!(compare(&cases, "scitt"), []);
}

fn ledger(files: &BTreeMap<String, Vec<u8>>) -> Json {
    let files: BTreeMap<_, _> = files.iter().map(|(name, it)| (name, hex(it))).collect();
    json!({"do": "ledger", "files": files})
}

#[test]
fn they_take_and_refuse_the_same_ledgers() {
    let mut network = Network::genesis();
    network.records(3);
    network.sign();
    network.cut();
    network.records(3);
    network.sign();
    network.cut();
    network.recover();
    let (files, service) = (network.files(), network.certificate());
    let verdict = |files: &BTreeMap<_, _>| audit(files, &service, &Options::default()).verdict;
    assert_eq!(verdict(&files), Verdict::Verified);
    let recorded =
        BTreeMap::from([("ledger_1-10.committed".to_owned(), vector("ledger_1-10.committed"))]);
    let names = [
        "ledger_1-32.committed",
        "ledger_33-39.committed",
        "ledger_40-51.committed",
        "ledger_52-59.committed",
    ];
    let mirrored: BTreeMap<_, _> =
        names.map(|name| (name.to_owned(), vector(&format!("mirror/{name}")))).into();
    let mut requests = vec![ledger(&files), ledger(&recorded), ledger(&mirrored)];
    // Flipped bytes in the first file, but for the table of positions, where one flip leads them to
    // the same entries twice or past some; a file left out; one renamed.
    let name = "ledger_1-8.committed";
    let entries: usize = network.entries[..8].iter().map(Vec::len).sum();
    for position in (8..8 + entries).step_by(7) {
        let mut altered = files.clone();
        altered.get_mut(name).unwrap()[position] ^= 1;
        assert_ne!(verdict(&altered), Verdict::Verified, "{position}");
        requests.push(ledger(&altered));
    }
    let mut hole = files.clone();
    hole.remove("ledger_9-12.committed").unwrap();
    assert_ne!(verdict(&hole), Verdict::Verified);
    requests.push(ledger(&hole));
    let answers = ask(&requests);
    assert!(answers[..3].iter().all(|accepted| *accepted));
    let accepted: Vec<_> = (3..answers.len()).filter(|at| answers[*at]).collect();
    assert!(accepted.is_empty(), "{accepted:?} of {}", answers.len());
}

/// What Microsoft's `ccf` 6.0.28 accepts and ours refuses. Each is a hole in theirs, or a strictness of
/// ours, that is known: this fails where one of them closes.
#[test]
fn theirs_is_more_lenient_where_it_is_known_to_be() {
    // A node id in a JSON receipt that is not its certificate's: nothing of theirs reads it.
    let network = network();
    let mut receipt = network.json_receipt(6);
    receipt["node_id"] = json!(Digest::of(b"").to_hex());
    let node_id = Case {
        receipt: receipt.to_string().into_bytes(),
        service: network.identity().pem(),
        claims: network.parts[5].claims,
    };
    // Unknown members of a JSON receipt; hex digits in upper case; text around its certificate.
    let mut receipt = network.json_receipt(6);
    receipt["unknown"] = json!(1);
    let unknown = node_id.with(receipt.to_string().into_bytes());
    let mut receipt = network.json_receipt(6);
    let digest = receipt["leaf_components"]["write_set_digest"].as_str().unwrap().to_uppercase();
    receipt["leaf_components"]["write_set_digest"] = json!(digest);
    let upper = node_id.with(receipt.to_string().into_bytes());
    let mut receipt = network.json_receipt(6);
    receipt["cert"] = json!(format!("text\n{}", receipt["cert"].as_str().unwrap()));
    let text = node_id.with(receipt.to_string().into_bytes());
    // Certificates that ended before the node's began: only check_cert_chain reads periods, and with
    // the time of today.
    let (node, service) = (&network.identity().node, &network.identity().service);
    let old = Template { until: "260301000000Z", ..Template::service(service) }.pem();
    let late = Template { from: "260302000000Z", ..Template::node(node, service) }.pem();
    let mut receipt = network.json_receipt(11);
    receipt["cert"] = json!(late);
    let expired = Case {
        receipt: receipt.to_string().into_bytes(),
        service: old.clone(),
        claims: network.parts[10].claims,
    };
    let cases = [node_id, unknown, upper, text, expired];
    assert!(!cases.iter().any(Case::ours));
    assert_eq!(compare(&cases, "json").len(), cases.len());
    // A COSE receipt that was signed after its service's certificate ended.
    let expired =
        Case { receipt: network.cose_receipt(11), service: old, claims: network.parts[10].claims };
    assert!(!expired.ours());
    assert_eq!(compare(&[expired], "cose").len(), 1);

    // Ledgers. The trust in whatever service the ledger names is that of ours with the certificate
    // from the ledger itself: another network's ledger verifies.
    let verdict = |network: &Network| {
        audit(&network.files(), &network.certificate(), &Options::default()).verdict
    };
    let mut requests = vec![ledger(&network.files())];
    let other = Certificate::from_pem(&Template::service(&Key::new(50)).pem()).unwrap();
    let report = audit(&network.files(), &other, &Options::default());
    assert_eq!(report.verdict.as_str(), "tampered");
    // A ledger whose last signature was cut off.
    let mut cut = Network::genesis();
    cut.records(2);
    assert_eq!(verdict(&cut).as_str(), "incomplete");
    requests.push(ledger(&cut.files()));
    // A node whose certificate is not the service's.
    let mut forged = Network::genesis();
    let pem = Template::node(&forged.identity().node, &Key::new(50)).pem();
    let id = forged.identity().node.id().to_hex();
    let table = "public:ccf.gov.nodes.endorsed_certificates";
    forged.write(&[support::network::one(table, id, pem)], None);
    forged.sign();
    assert_eq!(verdict(&forged).as_str(), "tampered");
    requests.push(ledger(&forged.files()));
    // A signature transaction whose COSE signature is for another transaction.
    let mut moved = Network::genesis();
    moved.records(2);
    let mut tables = moved.signature_tables();
    let cose = support::network::root_signature(
        &moved.identity().service,
        TxId::new(2, 99),
        &moved.root(),
    );
    let cose = json!(base64(&cose)).to_string();
    tables[1].1[0].1 = Some(cose.into_bytes());
    moved.write(&tables, None);
    assert_eq!(verdict(&moved).as_str(), "tampered");
    requests.push(ledger(&moved.files()));
    // A table of positions that names an entry twice and leaves one out at the unsigned end.
    let mut files = cut.files();
    let bytes = files.first_entry().unwrap().into_mut();
    let len = bytes.len();
    bytes.copy_within(len - 8..len - 4, len - 4);
    assert_eq!(audit(&files, &cut.certificate(), &Options::default()).verdict.as_str(), "tampered");
    requests.push(ledger(&files));
    // An earlier service that no later one endorses.
    let mut unendorsed = Network::genesis();
    unendorsed.recover();
    unendorsed.rewind(7);
    let info = unendorsed.set_status("Open");
    unendorsed.write(&[info], None);
    unendorsed.sign();
    assert_eq!(verdict(&unendorsed).as_str(), "incomplete");
    requests.push(ledger(&unendorsed.files()));
    let answers = ask(&requests);
    assert_eq!(answers, vec![true; requests.len()]);
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
