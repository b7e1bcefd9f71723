//! Ledger files: recorded from a real CCF node, and of a network that was made up.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::num::NonZero;

use chancery_ccf::certificate::Certificate;
use chancery_ccf::chunk::Range;
use chancery_ccf::entry::{ENTRY_LEN_MAX, Entry, EntryError, HEADER_LEN, Header, TABLES_MAX};
use chancery_ccf::ledger::{Options, Report, Status, verify};
use chancery_ccf::snapshot::{self, SnapshotError};
use chancery_ccf::txid::TxId;
use chancery_ccf::verdict::{Check, Verdict};
use chancery_ledger::digest::Digest;
use serde_json::{Value as Json, json};
use support::network::{
    ISSUED_AT_S, Network, Table, audit, endorse, entry, file, framed, one, only, root_signature_at,
};
use support::x509::Template;
use support::{Key, fixtures, vector};

const SIGNATURES: &str = "public:ccf.internal.signatures";
const INFO: &str = "public:ccf.gov.nodes.info";
const CERTIFICATES: &str = "public:ccf.gov.nodes.endorsed_certificates";

fn recorded_service() -> Certificate {
    Certificate::from_pem(&String::from_utf8(vector("service_cert.pem")).unwrap()).unwrap()
}

fn of(network: &Network) -> Report {
    audit(&network.files(), &network.certificate(), &Options::default())
}

/// The verdict's name, its check and its number.
fn told(report: &Report) -> (&'static str, Option<Check>, Option<u64>) {
    let finding = report.verdict.finding();
    (report.verdict.as_str(), finding.map(|it| it.check), finding.and_then(|it| it.seqno))
}

#[track_caller]
fn assert_told(report: &Report, name: &str, check: Check, seqno: u64) {
    assert_eq!(told(report), (name, Some(check), Some(seqno)), "{:?}", report.verdict);
}

#[test]
fn the_recorded_file_verifies() {
    let files =
        BTreeMap::from([("ledger_1-10.committed".to_owned(), vector("ledger_1-10.committed"))]);
    for threads in 1..4 {
        let options = Options { threads: NonZero::new(threads), reaches: Some(TxId::new(2, 10)) };
        let report = audit(&files, &recorded_service(), &options);
        assert_eq!(report.verdict, Verdict::Verified);
        assert_eq!((report.chunks, report.transactions), (1, 10));
        assert_eq!((report.node_signatures, report.service_signatures), (2, 2));
        assert_eq!(report.signed.unwrap().0, TxId::new(2, 10));
        assert_eq!(report.epochs.len(), 1);
        assert_eq!(report.epochs[0].status, Status::Open);
    }
    let report = audit(&files, &Network::genesis().certificate(), &Options::default());
    assert_told(&report, "tampered", Check::ServiceKey, 1);
    let options = Options { reaches: Some(TxId::new(2, 14)), ..Options::default() };
    let report = audit(&files, &recorded_service(), &options);
    assert_told(&report, "incomplete", Check::Signed, 11);
}

#[test]
fn the_whole_recording_verifies() {
    let Some(folder) = fixtures() else { return };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        files.insert(name, std::fs::read(path).unwrap());
    }
    let report = audit(&files, &recorded_service(), &Options::default());
    assert_eq!(report.verdict, Verdict::Verified);
    assert_eq!((report.chunks, report.transactions, report.node_signatures), (2, 10_664, 15));
}

#[test]
fn a_made_up_ledger_of_many_files_verifies() {
    let mut network = Network::genesis();
    for _ in 0..5 {
        network.records(7);
        network.sign();
        network.cut();
    }
    network.view += 1;
    network.records(3);
    network.sign();
    let report = of(&network);
    assert_eq!(report.verdict, Verdict::Verified);
    assert_eq!((report.chunks, report.transactions, report.unsigned()), (6, 48, 0));
    assert_eq!(report.signed, Some((network.last(), network.signed[&48].root)));
    assert_eq!(report.signed_s, Some((ISSUED_AT_S, ISSUED_AT_S)));
}

#[test]
fn what_is_observed_is_what_was_written() {
    let mut network = Network::genesis();
    network.records(3);
    network.write(&[("public:t".to_owned(), vec![(b"k".to_vec(), None)])], None);
    network.sign();
    let files = network.files();
    let chunks = files.values().map(|bytes| (Range { first: 1, last: 9 }, Ok(bytes.as_slice())));
    let mut seen = Vec::new();
    let mut leaves = vec![Digest::from_bytes([0; 32])];
    let report =
        verify(chunks, &network.certificate(), &Options::default(), |entry: &Entry<'_>| {
            leaves.push(entry.leaf());
            for write in entry.writes().filter(|write| !write.table.starts_with("public:ccf")) {
                let value = write.value.map(|value| String::from_utf8(value.to_vec()).unwrap());
                seen.push((entry.id.seqno, String::from_utf8(write.key.to_vec()).unwrap(), value));
            }
        });
    assert_eq!(report.verdict, Verdict::Verified);
    assert_eq!(leaves, network.leaves);
    let record =
        |seqno, value: u64| (seqno, format!("r{value}"), Some(format!("{{\"value\":{value}}}")));
    assert_eq!(seen, [record(5, 4), record(6, 5), record(7, 6), (8, "k".to_owned(), None)]);
}

/// Every byte before the last signature transaction matters; in that one itself, what it signs.
#[test]
fn no_byte_of_a_ledger_can_be_changed() {
    let mut network = Network::genesis();
    network.records(2);
    network.sign();
    let files = network.files();
    let (name, bytes) = files.first_key_value().unwrap();
    let last = network.entries.last().unwrap().len();
    let table = bytes.len() - 4 * network.entries.len();
    let last_entry = table - last..table;
    let mut unsigned = Vec::new();
    // The head of the last signature transaction, and samples of all the rest.
    let head = last_entry.start..last_entry.start + 64;
    let positions = (0..bytes.len()).filter(|at| head.contains(at) || at % 11 == 0);
    for position in positions {
        let mut altered = bytes.clone();
        altered[position] ^= 1;
        let altered = BTreeMap::from([(name.clone(), altered)]);
        let options = Options { threads: NonZero::new(1), ..Options::default() };
        let report = audit(&altered, &network.certificate(), &options);
        if report.verdict == Verdict::Verified {
            assert!(last_entry.contains(&position), "{position}");
            unsigned.push(position - last_entry.start);
        }
    }
    // Of the last signature transaction: flags, tag of AES-GCM, claims, evidence and versions, the
    // parts of its records that nothing depends on, the private domain. The next signature covers
    // them.
    assert!(unsigned.iter().filter(|it| **it < 8).count() <= 1);
    assert!((8..24).all(|tag| unsigned.contains(&tag)));
    assert!(!(24..36).any(|iv| unsigned.contains(&iv)));
}

#[test]
fn a_ledger_that_is_cut_off_is_incomplete() {
    let mut network = Network::genesis();
    network.records(2);
    network.sign();
    network.cut();
    network.records(2);
    network.sign();
    let files = network.files();
    let service = network.certificate();
    let last = "ledger_8-10.committed".to_owned();
    let bytes = &files[&last];
    for len in (0..bytes.len()).step_by(7) {
        let mut files = files.clone();
        files.insert(last.clone(), bytes[..len].to_vec());
        let report = audit(&files, &service, &Options::default());
        assert_told(&report, "incomplete", Check::Format, report.transactions + 1);
    }
    // The signature is taken off, and the file closed anew.
    let mut files = files.clone();
    files.remove(&last);
    files.insert("ledger_8-9.committed".to_owned(), file(&network.entries[7..9]));
    let report = audit(&files, &service, &Options::default());
    assert_told(&report, "incomplete", Check::Signed, 8);
    assert_eq!(report.unsigned(), 2);
    // At a signature, only what is known from elsewhere tells.
    files.remove("ledger_8-9.committed");
    assert_eq!(audit(&files, &service, &Options::default()).verdict, Verdict::Verified);
    let options = Options { reaches: Some(TxId::new(2, 9)), ..Options::default() };
    assert_told(&audit(&files, &service, &options), "incomplete", Check::Signed, 8);
}

#[test]
fn files_must_follow_one_another() {
    let mut network = Network::genesis();
    for _ in 0..3 {
        network.cut();
        network.records(2);
        network.sign();
    }
    let (files, service) = (network.files(), network.certificate());
    let audited = |files: &BTreeMap<_, _>| audit(files, &service, &Options::default());
    let without = |name: &str| {
        let mut files = files.clone();
        files.remove(name).unwrap();
        audited(&files)
    };
    assert_told(&without("ledger_1-4.committed"), "incomplete", Check::Chunks, 1);
    assert_told(&without("ledger_5-7.committed"), "incomplete", Check::Chunks, 5);
    let mut twice = files.clone();
    twice.insert("ledger_5-10.committed".to_owned(), file(&network.entries[4..10]));
    assert_told(&audited(&twice), "tampered", Check::Chunks, 5);
    let report = audited(&BTreeMap::new());
    assert_eq!(told(&report), ("incomplete", Some(Check::Chunks), None));
    let mut renamed = files.clone();
    let bytes = renamed.remove("ledger_5-7.committed").unwrap();
    renamed.insert("ledger_5-6.committed".to_owned(), bytes.clone());
    assert_eq!(told(&audited(&renamed)).0, "tampered");
    renamed.remove("ledger_5-6.committed");
    renamed.insert("ledger_5-8.committed".to_owned(), bytes.clone());
    renamed.remove("ledger_8-10.committed");
    assert_told(&audited(&renamed), "tampered", Check::Format, 8);
    let mut longer = files.clone();
    longer.get_mut("ledger_5-7.committed").unwrap().push(0);
    assert_told(&audited(&longer), "tampered", Check::Format, 8);
    let mut open = files.clone();
    open.get_mut("ledger_5-7.committed").unwrap()[..8].fill(0);
    assert_told(&audited(&open), "incomplete", Check::Format, 5);
}

/// The network with its last entry changed.
fn with_last(mut network: Network, change: impl FnOnce(&mut Vec<u8>)) -> Network {
    change(network.entries.last_mut().unwrap());
    network
}

#[test]
fn entries_are_read_strictly() {
    let network = || {
        let mut network = Network::genesis();
        network.records(1);
        network
    };
    let refused = |change: fn(&mut Vec<u8>)| {
        let report = of(&with_last(network(), change));
        told(&report)
    };
    let format = |name| (name, Some(Check::Format), Some(5));
    assert_eq!(refused(|it| it[0] = 2), format("unreadable"));
    assert_eq!(refused(|it| it[1] = 4), format("unreadable"));
    assert_eq!(refused(|it| it[44] = 3), format("unreadable"));
    assert_eq!(refused(|it| it[44] = 9), format("unreadable"));
    assert_eq!(refused(|it| it[44] = 1), format("tampered"));
    assert_eq!(refused(|it| it[35] |= 0x80), format("tampered"));
    assert_eq!(refused(|it| it[24] = 6), format("tampered"));
    assert_eq!(refused(|it| it[36] = 0xff), format("tampered"));
    let order = |name| (name, Some(Check::Transaction), Some(5));
    assert_eq!(refused(|it| (it[24], it[45]) = (6, 6)), order("tampered"));
    assert_eq!(refused(|it| it[32] = 1), order("tampered"));
    // A snapshot among transactions.
    let mut public = vec![1];
    public.extend(5_u64.to_le_bytes());
    public.extend(0_u64.to_le_bytes());
    let mut network = network();
    *network.entries.last_mut().unwrap() = framed(TxId::new(2 | 1 << 31, 5), 0, &public, b"");
    assert_eq!(told(&of(&network)), format("tampered"));
}

#[test]
fn the_bounds_of_entries_hold_at_their_edges() {
    let header = |len: u64| {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = 1;
        bytes[2..].copy_from_slice(&(len - HEADER_LEN as u64).to_le_bytes()[..6]);
        Header::parse(bytes)
    };
    let most = ENTRY_LEN_MAX as u64;
    assert_eq!(header(most).unwrap().len as u64, most);
    assert!(matches!(header(most + 1), Err(EntryError::Malformed(_))));
    let zeros = Digest::from_bytes([0; 32]);
    let tables = |count: usize| -> Vec<Table> {
        (0..count).map(|number| one(&format!("public:{number}"), "k", "v")).collect()
    };
    let parse = |tables: &[Table]| {
        Entry::parse(&entry(TxId::new(2, 1), 0, &zeros, &zeros, tables, b"")).map(|_| ())
    };
    assert_eq!(parse(&tables(TABLES_MAX)), Ok(()));
    assert!(matches!(parse(&tables(TABLES_MAX + 1)), Err(EntryError::Malformed(_))));
    assert!(matches!(
        parse(&[one("public:a", "k", "v"), one("public:a", "l", "v")]),
        Err(EntryError::Malformed(_))
    ));
    let raw = entry(TxId::new(2, 1), 0, &zeros, &zeros, &tables(2), b"private");
    for len in 0..raw.len() {
        assert!(Entry::parse(&raw[..len]).is_err());
    }
}

/// A signature transaction with its tables changed, in a ledger that goes on and is signed.
fn with_tables(change: impl FnOnce(&mut Network, &mut Vec<Table>)) -> Report {
    let mut network = Network::genesis();
    network.records(2);
    let mut tables = network.signature_tables();
    change(&mut network, &mut tables);
    network.write(&tables, None);
    of(&network)
}

fn value(tables: &mut [Table], table: &str) -> &'static str {
    let found = tables.iter_mut().find(|(name, _)| name == table).unwrap();
    let bytes = found.1[0].1.clone().unwrap();
    Box::leak(String::from_utf8(bytes).unwrap().into_boxed_str())
}

fn set(tables: &mut [Table], table: &str, value: impl Into<Vec<u8>>) {
    let found = tables.iter_mut().find(|(name, _)| name == table).unwrap();
    found.1[0].1 = Some(value.into());
}

fn with_record(change: impl Fn(&mut Json)) -> (&'static str, Option<Check>, Option<u64>) {
    told(&with_tables(|_, tables| {
        let mut record: Json = serde_json::from_str(value(tables, SIGNATURES)).unwrap();
        change(&mut record);
        set(tables, SIGNATURES, record.to_string());
    }))
}

#[test]
fn signatures_of_nodes_are_of_their_root_and_transaction() {
    let tampered = |check| ("tampered", Some(check), Some(7));
    assert_eq!(with_record(|_| ()).0, "verified");
    assert_eq!(with_record(|it| drop(it.as_object_mut().unwrap().remove("cert"))).0, "verified");
    let other = Digest::of(b"other").to_hex();
    assert_eq!(with_record(|it| it["root"] = json!(other)), tampered(Check::Root));
    assert_eq!(with_record(|it| it["seqno"] = json!(8)), tampered(Check::NodeSignature));
    assert_eq!(with_record(|it| it["view"] = json!(3)), tampered(Check::NodeSignature));
    assert_eq!(with_record(|it| it["sig"] = json!("")), tampered(Check::NodeSignature));
    assert_eq!(with_record(|it| it["node"] = json!(other)), tampered(Check::Node));
    assert_eq!(with_record(|it| *it = json!({})), tampered(Check::NodeSignature));
    let pem = Template::node(&Key::new(50), &Key::new(51)).pem();
    assert_eq!(with_record(|it| it["cert"] = json!(pem)), tampered(Check::Node));
    // By another key, over the right root.
    let root = with_tables(|_, _| ()).signed.unwrap().1;
    let forged = base64(&Key::new(50).sign_digest(&root));
    assert_eq!(with_record(|it| it["sig"] = json!(forged)), tampered(Check::NodeSignature));
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn the_services_signatures_are_of_their_root_and_transaction() {
    const COSE: &str = "public:ccf.internal.cose_signatures";
    let with = |sign: fn(&Network) -> Vec<u8>| {
        told(&with_tables(|network, tables| {
            set(tables, COSE, json!(base64(&sign(network))).to_string());
        }))
    };
    let tampered = ("tampered", Some(Check::ServiceSignature), Some(7));
    assert_eq!(
        with(|it| root_signature_at(
            &it.identity().service,
            TxId::new(2, 7),
            &it.root(),
            ISSUED_AT_S
        ))
        .0,
        "verified"
    );
    for refused in [
        with(|it| {
            root_signature_at(&it.identity().service, TxId::new(2, 8), &it.root(), ISSUED_AT_S)
        }),
        with(|it| {
            root_signature_at(&it.identity().service, TxId::new(3, 7), &it.root(), ISSUED_AT_S)
        }),
        with(|it| {
            root_signature_at(
                &it.identity().service,
                TxId::new(2, 7),
                &Digest::of(b""),
                ISSUED_AT_S,
            )
        }),
        with(|it| root_signature_at(&Key::new(50), TxId::new(2, 7), &it.root(), ISSUED_AT_S)),
        with(|it| it.cose_receipt(3)),
        with(|_| Vec::new()),
    ] {
        assert_eq!(refused, tampered);
    }
    // Signed long after the certificates ended: it holds, and something is missing.
    let outdated = with(|it| {
        root_signature_at(&it.identity().service, TxId::new(2, 7), &it.root(), 4_000_000_000)
    });
    assert_eq!(outdated, ("incomplete", Some(Check::Validity), Some(7)));
}

#[test]
fn a_ledger_may_have_one_kind_of_signature_only() {
    for kept in [SIGNATURES, "public:ccf.internal.cose_signatures"] {
        let report = with_tables(|_, tables| tables.retain(|(name, _)| name == kept));
        assert_eq!(report.verdict, Verdict::Verified);
        assert_eq!(report.node_signatures + report.service_signatures, 5);
    }
    // The tree alone signs nothing.
    let report = with_tables(|_, tables| tables.retain(|(name, _)| name.ends_with("tree")));
    assert_told(&report, "incomplete", Check::Signed, 5);
}

#[test]
fn the_tree_in_a_signature_is_that_of_the_transactions() {
    const TREE: &str = "public:ccf.internal.tree";
    let with = |change: fn(&mut Vec<u8>)| {
        told(&with_tables(|_, tables| {
            let table = tables.iter_mut().find(|(name, _)| name == TREE).unwrap();
            change(table.1[0].1.as_mut().unwrap());
        }))
    };
    let tampered = ("tampered", Some(Check::Tree), Some(7));
    assert_eq!(with(|_| ()).0, "verified");
    assert_eq!(with(|it| it[20] ^= 1), tampered);
    assert_eq!(with(|it| it.truncate(it.len() - 1)), tampered);
    assert_eq!(with(Vec::clear), tampered);
    assert_eq!(
        with(|it| {
            // One leaf, which is the root: of another size.
            it.truncate(48);
            it[..16].fill(0);
            it[7] = 1;
        }),
        tampered
    );
}

#[test]
fn nodes_must_be_of_the_network_and_its_service() {
    let node_of = |network: &Network| network.identity().node.id().to_hex();
    let with = |tables: fn(&Network, &str) -> Vec<Table>| {
        let mut network = Network::genesis();
        let id = node_of(&network);
        let tables = tables(&network, &id);
        network.write(&tables, None);
        network.sign();
        told(&of(&network))
    };
    let refused = ("tampered", Some(Check::Node), Some(6));
    let at_once = ("tampered", Some(Check::Node), Some(5));
    assert_eq!(with(|_, id| vec![one(INFO, id, r#"{"status":"Retired"}"#)]).0, "verified");
    assert_eq!(with(|_, id| vec![one(INFO, id, r#"{"status":"Pending"}"#)]), refused);
    assert_eq!(with(|_, id| vec![(INFO.into(), vec![(id.into(), None)])]), refused);
    assert_eq!(with(|_, id| vec![(CERTIFICATES.into(), vec![(id.into(), None)])]), refused);
    assert_eq!(with(|_, id| vec![one(INFO, id, r#"{"status":"Other"}"#)]), at_once);
    assert_eq!(with(|_, _| vec![one(INFO, "short", r#"{"status":"Trusted"}"#)]), at_once);
    assert_eq!(with(|_, id| vec![one(CERTIFICATES, id, "not PEM")]), at_once);
    // A certificate that the service did not sign; another node's.
    assert_eq!(
        with(|it, id| {
            let pem = Template::node(&it.identity().node, &Key::new(50)).pem();
            vec![one(CERTIFICATES, id, pem)]
        }),
        refused
    );
    assert_eq!(
        with(|it, id| {
            let pem = Template::node(&Key::new(50), &it.identity().service).pem();
            vec![one(CERTIFICATES, id, pem)]
        }),
        refused
    );
    // A renewed one of its own.
    assert_eq!(
        with(|it, id| {
            let node = Template::node(&it.identity().node, &it.identity().service);
            vec![one(CERTIFICATES, id, Template { until: "480101000000Z", ..node }.pem())]
        })
        .0,
        "verified"
    );
}

#[test]
fn the_services_state_changes_as_it_may() {
    let with = |statuses: &[&'static str]| {
        let mut network = Network::genesis();
        for status in statuses {
            let table = network.set_status(status);
            network.write(&[table], None);
        }
        network.sign();
        told(&of(&network))
    };
    assert_eq!(with(&["Open", "Open"]).0, "verified");
    for status in ["Opening", "Recovering", "WaitingForRecoveryShares", "Other"] {
        assert_eq!(with(&[status]), ("tampered", Some(Check::Service), Some(5)), "{status}");
    }
    let with = |table: fn(&Network) -> Table| {
        let mut network = Network::genesis();
        let table = table(&network);
        network.write(&[table], None);
        network.sign();
        told(&of(&network))
    };
    let refused = ("tampered", Some(Check::Service), Some(5));
    assert_eq!(with(|_| only("public:ccf.gov.service.info", "{}")), refused);
    assert_eq!(with(|_| one("public:ccf.gov.service.info", "key", "{}")), refused);
    // A certificate for the service's key that somebody else signed; another service that is open.
    assert_eq!(
        with(|it| {
            let template = Template::service(&it.identity().service);
            let cert = Template { signer: &Key::new(50), ..template }.pem();
            only("public:ccf.gov.service.info", json!({"cert": cert, "status": "Open"}).to_string())
        }),
        refused
    );
    assert_eq!(
        with(|_| {
            let cert = Template::service(&Key::new(50)).pem();
            only("public:ccf.gov.service.info", json!({"cert": cert, "status": "Open"}).to_string())
        }),
        refused
    );
    // A renewed certificate is the same service's.
    assert_eq!(
        with(|it| {
            let template = Template::service(&it.identity().service);
            let cert = Template { until: "480101000000Z", ..template }.pem();
            only("public:ccf.gov.service.info", json!({"cert": cert, "status": "Open"}).to_string())
        })
        .0,
        "verified"
    );
    // A ledger without a service.
    let mut network = Network::genesis();
    network.entries[0] = network.entries[4 - 1].clone();
    assert_eq!(told(&of(&network)).0, "tampered");
}

#[test]
fn a_recovered_ledger_verifies_by_its_last_service() {
    let mut network = Network::genesis();
    network.records(3);
    network.sign();
    network.cut();
    network.recover();
    network.records(3);
    network.sign();
    network.recover();
    let report = of(&network);
    assert_eq!(report.verdict, Verdict::Verified, "{:?}", report.verdict);
    let endorsed: Vec<_> = report.epochs.iter().map(|epoch| epoch.endorsed).collect();
    assert_eq!(endorsed, [true, true, false]);
    let starts: Vec<_> = report.epochs.iter().map(|epoch| epoch.start).collect();
    assert_eq!(starts, [TxId::new(2, 1), TxId::new(4, 9), TxId::new(6, 18)]);
    // By an earlier one it doesn't: who went on is not for that one to say.
    let first = network.identities[0].certificate();
    assert_told(
        &audit(&network.files(), &first, &Options::default()),
        "tampered",
        Check::ServiceKey,
        18,
    );
}

#[test]
fn an_earlier_service_must_be_endorsed_for_what_it_signed() {
    let with = |endorse: fn(&Network) -> Option<Vec<u8>>, range: (&str, &str)| {
        // Everything up to the endorsement as it was, then another endorsement.
        let mut network = Network::genesis();
        network.recover();
        network.rewind(7);
        let info = network.set_status("Open");
        let mut tables = vec![info];
        if let Some(bytes) = endorse(&network) {
            let record = json!({
                "endorsement": base64(&bytes),
                "endorsing_key": base64(&network.identity().service.spki()),
                "endorsement_epoch_begin": range.0,
                "endorsement_epoch_end": range.1,
            });
            let name = "public:ccf.internal.previous_service_identity_endorsement";
            tables.push(only(name, record.to_string()));
        }
        network.write(&tables, None);
        network.sign();
        told(&of(&network))
    };
    let right = ("2.1", "2.4");
    assert_eq!(
        with(|it| Some(endorsement(it, 1, 0, "2.1", "2.4", Some(it.signed[&4].root))), right).0,
        "verified"
    );
    assert_eq!(with(|_| None, right), ("incomplete", Some(Check::Endorsement), Some(1)));
    let refused = ("tampered", Some(Check::Endorsement), Some(8));
    assert_eq!(with(|it| Some(endorsement(it, 1, 0, "2.1", "2.4", None)), ("2.1", "2.3")), refused);
    assert_eq!(with(|it| Some(endorsement(it, 1, 0, "2.1", "2.3", None)), ("2.1", "2.3")), refused);
    assert_eq!(with(|it| Some(endorsement(it, 1, 0, "2.1", "3.4", None)), ("2.1", "3.4")), refused);
    assert_eq!(with(|it| Some(endorsement(it, 1, 0, "2.2", "2.4", None)), ("2.2", "2.4")), refused);
    assert_eq!(with(|it| Some(endorsement(it, 0, 0, "2.1", "2.4", None)), right), refused);
    assert_eq!(
        with(|it| Some(endorsement(it, 1, 0, "2.1", "2.4", Some(it.signed[&2].root))), right),
        refused
    );
    assert_eq!(
        with(
            |it| {
                let (by, other) = (&it.identities[1].service, Key::new(50));
                Some(endorse(by, &other, TxId::new(2, 1), Some(TxId::new(2, 4)), None))
            },
            right
        ),
        refused
    );
}

fn endorsement(
    network: &Network,
    by: usize,
    of: usize,
    start: &str,
    end: &str,
    root: Option<Digest>,
) -> Vec<u8> {
    let (by, of) = (&network.identities[by].service, &network.identities[of].service);
    endorse(by, of, start.parse().unwrap(), Some(end.parse().unwrap()), root)
}

#[test]
fn the_first_failure_decides_on_any_number_of_threads() {
    let mut network = Network::genesis();
    for _ in 0..10 {
        network.records(3);
        network.sign();
    }
    let (mut files, service) = (network.files(), network.certificate());
    let (name, bytes) = files.pop_first().unwrap();
    let mut altered = bytes;
    // A record of transaction 13, under the signatures at 16 and after.
    let at = altered.windows(11).position(|it| it == b"\x03\0\0\0\0\0\0\0r12").unwrap();
    altered[at + 10] ^= 1;
    files.insert(name, altered);
    for threads in 1..6 {
        let options = Options { threads: NonZero::new(threads), ..Options::default() };
        assert_told(&audit(&files, &service, &options), "tampered", Check::Root, 16);
    }
}

#[test]
fn snapshots_are_those_that_the_ledger_has_evidence_of() {
    let mut network = Network::genesis();
    network.records(4);
    let (name, bytes) = network.snapshot();
    assert_eq!(name, "snapshot_8_9.committed");
    let services = [network.certificate()];
    let proven = snapshot::verify(&bytes[..], 8, 9, &services).unwrap();
    assert_eq!(proven.transaction, Some(TxId::new(2, 9)));
    assert_eq!(proven.leaf, Some(network.leaves[9]));
    assert_eq!(of(&network).verdict, Verdict::Verified);
    assert!(matches!(
        snapshot::verify(&bytes[..], 7, 9, &services),
        Err(SnapshotError::OtherTransaction(8))
    ));
    assert!(matches!(
        snapshot::verify(&bytes[..], 8, 10, &services),
        Err(SnapshotError::OtherEvidence)
    ));
    let other = [
        Network::genesis().certificate(),
        Certificate::from_der(&Template::service(&Key::new(50)).der()).unwrap(),
    ];
    assert!(snapshot::verify(&bytes[..], 8, 9, &other).is_ok());
    assert!(matches!(
        snapshot::verify(&bytes[..], 8, 9, &other[1..]),
        Err(SnapshotError::Receipt(_))
    ));
    let entry = bytes.windows(9).position(|it| it == b"{\"cert\":\"").unwrap();
    for position in 0..entry {
        let mut altered = bytes.clone();
        altered[position] ^= 1;
        assert!(snapshot::verify(&altered[..], 8, 9, &services).is_err(), "{position}");
    }
    for len in 0..bytes.len() {
        assert!(snapshot::verify(&bytes[..len], 8, 9, &services).is_err(), "{len}");
    }
}
