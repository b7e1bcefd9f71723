//! `chancery audit ccf-receipt` and `ccf-ledger` as scripts see them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../ledger/ccf/tests/support/mod.rs"]
mod ccf;
#[path = "../../audit/tests/story/mod.rs"]
mod story;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ccf::network::{Network, Table, one};
use chancery_audit::bundle::{Item, Reader};
use chancery_ledger::digest::Digest;
use chancery_ledger::merkle::{Frontier, leaf_hash};
use chancery_ledger::note::Checkpoint;
use serde_json::Value;
use story::Story;

const CLAIMS: &str = "32b769982a3a6e2df120530b06dcbaf1e8f75e004ceea92ac3e91bd7a248d728";

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ledger/ccf/tests/vectors")
}

fn chancery(dir: &Path, line: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chancery"))
        .env_remove("CHANCERY_COLLABORATION")
        .env("CHANCERY_PROFILE", dir.join("profile"))
        .current_dir(dir)
        .args(line)
        .output()
        .unwrap()
}

/// The exit code and the answer as JSON; the text is read too, and fits.
fn told(dir: &Path, line: &[&str]) -> (Option<i32>, Value) {
    let text = chancery(dir, line);
    for line in String::from_utf8(text.stdout).unwrap().lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let json: Vec<_> = ["--output", "json"].iter().chain(line).copied().collect();
    let output = chancery(dir, &json);
    assert_eq!(output.status.code(), text.status.code());
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

fn receipt(line: &[&str]) -> (Option<i32>, Value) {
    let dir = tempfile::tempdir().unwrap();
    let certificate = vectors().join("service_cert.pem");
    let with = [&["audit", "ccf-receipt"][..], line, &["--service-certificate"]].concat();
    told(dir.path(), &[&with[..], &[certificate.to_str().unwrap()]].concat())
}

#[test]
fn recorded_receipts_are_told() {
    for (name, form) in [("receipt.json", "json"), ("receipt.cose", "cose-ccf-profile-05")] {
        let file = vectors().join(name);
        let file = file.to_str().unwrap();
        let (code, json) = receipt(&[
            file,
            "--claims-digest",
            CLAIMS,
            "--transaction",
            "2.14",
            "--at",
            "2026-12-01T00:00:00Z",
        ]);
        assert_eq!((code, &json["verdict"]), (Some(0), &"verified".into()), "{json}");
        assert_eq!(json["receipt"]["form"], form);
        assert_eq!(json["receipt"]["claims_digest"], CLAIMS);
        let other = CLAIMS.replace('3', "4");
        for (line, refused) in [
            (["--claims-digest", other.as_str()], "other-claims"),
            (["--transaction", "2.15"], "other-transaction"),
            (["--at", "2030-01-01T00:00:00Z"], "expired"),
        ] {
            let (code, json) = receipt(&[&[file][..], &line].concat());
            assert_eq!((code, &json["failure"]["code"]), (Some(1), &refused.into()));
            assert_eq!(json["exit_code"], 1);
        }
    }
    assert_eq!(receipt(&["none"]).0, Some(3));
    let certificate = vectors().join("service_cert.pem");
    let (code, json) = receipt(&[certificate.to_str().unwrap()]);
    assert_eq!((code, &json["failure"]["code"]), (Some(3), &"not-a-receipt".into()));
    let file = vectors().join("receipt.json");
    let line = [file.to_str().unwrap(), "--claims-digest", "short"];
    let dir = tempfile::tempdir().unwrap();
    let wrong = [&["audit", "ccf-receipt"][..], &line, &["--service-certificate", "x"]].concat();
    assert_eq!(chancery(dir.path(), &wrong).status.code(), Some(64));
    let without = chancery(dir.path(), &["audit", "ccf-receipt", line[0]]);
    assert_eq!(without.status.code(), Some(64), "a certificate is wanted");
}

#[test]
fn a_receipt_of_an_earlier_service_takes_endorsements() {
    let dir = tempfile::tempdir().unwrap();
    let mut network = Network::genesis();
    network.recover();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    write("receipt.cose", &network.cose_receipt(3));
    write("service.pem", network.identity().pem().as_bytes());
    write("endorsement.cose", &network.endorsements[0]);
    let line = ["audit", "ccf-receipt", "receipt.cose", "--service-certificate", "service.pem"];
    let (code, json) = told(dir.path(), &line);
    assert_eq!((code, &json["failure"]["code"]), (Some(1), &"unknown-key".into()));
    let (code, json) =
        told(dir.path(), &[&line[..], &["--endorsement", "endorsement.cose"]].concat());
    assert_eq!((code, &json["receipt"]["endorsements"]), (Some(0), &1.into()), "{json}");
    // JSON that leaves out the claims.
    let mut receipt = network.json_receipt(3);
    receipt["leaf_components"].as_object_mut().unwrap().remove("claims_digest");
    write("receipt.json", receipt.to_string().as_bytes());
    let (code, json) = told(
        dir.path(),
        &["audit", "ccf-receipt", "receipt.json", "--service-certificate", "service.pem"],
    );
    assert_eq!((code, &json["failure"]["code"]), (Some(2), &"claims-missing".into()));
}

/// A network's files in a folder, with its certificate beside it.
fn written(network: &Network) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("ccf/ledger")).unwrap();
    fs::create_dir_all(dir.path().join("ccf/snapshots")).unwrap();
    for (name, bytes) in network.files() {
        fs::write(dir.path().join("ccf/ledger").join(name), bytes).unwrap();
    }
    fs::write(dir.path().join("service.pem"), network.identity().pem()).unwrap();
    dir
}

fn ledger(dir: &Path, line: &[&str]) -> (Option<i32>, Value) {
    let with = ["audit", "ccf-ledger", "ccf", "--service-certificate", "service.pem"];
    told(dir, &[&with[..], line].concat())
}

#[test]
fn ledgers_are_told() {
    let mut network = Network::genesis();
    network.records(4);
    network.sign();
    network.cut();
    network.recover();
    let (name, snapshot) = network.snapshot();
    let dir = written(&network);
    fs::write(dir.path().join("ccf/snapshots").join(&name), &snapshot).unwrap();
    fs::write(dir.path().join("ccf/ledger/ledger_17"), [0; 8]).unwrap();
    let (code, json) = ledger(dir.path(), &["--reaches", "4.16"]);
    assert_eq!((code, &json["verdict"]), (Some(0), &"verified".into()), "{json}");
    assert_eq!((&json["transactions"], &json["uncommitted_files"]), (&16.into(), &1.into()));
    assert_eq!((&json["snapshots"], &json["unsigned"]), (&1.into(), &0.into()));
    assert_eq!(json["services"].as_array().unwrap().len(), 2);
    let (code, json) = ledger(dir.path(), &["--reaches", "4.17"]);
    assert_eq!((code, &json["failure"]["check"]), (Some(2), &"signed".into()));
    // A snapshot that was changed, and one of another history.
    let mut altered = snapshot.clone();
    altered[60] ^= 1;
    fs::write(dir.path().join("ccf/snapshots").join(&name), altered).unwrap();
    let (code, json) = ledger(dir.path(), &[]);
    assert_eq!((code, &json["failure"]["check"]), (Some(1), &"snapshot".into()));
    let mut fork = Network::genesis();
    fork.records(5);
    fork.cut();
    fork.sign();
    fork.recover();
    let (other, snapshot) = fork.snapshot();
    fs::remove_file(dir.path().join("ccf/snapshots").join(&name)).unwrap();
    fs::write(dir.path().join("ccf/snapshots").join(other), snapshot).unwrap();
    let (code, json) = ledger(dir.path(), &[]);
    assert_eq!(json["failure"]["check"], "snapshot", "{json}");
    assert_eq!(code, Some(1));
    fs::remove_dir_all(dir.path().join("ccf/snapshots")).unwrap();
    // A changed byte, and a file that is missing.
    let file = dir.path().join("ccf/ledger/ledger_1-9.committed");
    let mut bytes = fs::read(&file).unwrap();
    // The record's key, after its length: the letters alone stand in a certificate too.
    let at = bytes.windows(10).position(|it| it == b"\x02\0\0\0\0\0\0\0r5").unwrap();
    bytes[at + 9] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let (code, json) = ledger(dir.path(), &[]);
    assert_eq!((code, &json["failure"]["check"]), (Some(1), &"root".into()));
    assert_eq!(json["signed"], Value::Null, "nothing is told of a ledger that fails");
    fs::remove_file(&file).unwrap();
    let (code, json) = ledger(dir.path(), &[]);
    assert_eq!((code, &json["failure"]["check"]), (Some(2), &"chunks".into()));
    fs::remove_dir_all(dir.path().join("ccf/ledger")).unwrap();
    assert_eq!(ledger(dir.path(), &[]).0, Some(3));
}

#[test]
fn the_recorded_ledger_is_told() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("ccf")).unwrap();
    for (name, to) in [
        ("ledger_1-10.committed", "ccf/ledger_1-10.committed"),
        ("service_cert.pem", "service.pem"),
    ] {
        fs::copy(vectors().join(name), dir.path().join(to)).unwrap();
    }
    let (code, json) = ledger(dir.path(), &["--reaches", "2.10"]);
    assert_eq!((code, &json["transactions"]), (Some(0), &10.into()), "{json}");
}

/// The sealed entries of a story's bundle.
fn sealed(bundle: &[u8]) -> (Vec<Vec<u8>>, Checkpoint, [u8; 16]) {
    let mut reader = Reader::open(bundle).unwrap();
    let header = reader.header().clone();
    let mut entries = Vec::new();
    while let Item::Entry(entry) = reader.next_item().unwrap() {
        entries.push(entry);
    }
    let checkpoint = Checkpoint { origin: header.origin, size: 0, root: Digest::of(b"") };
    (entries, checkpoint, *header.collaboration.as_bytes())
}

/// Writes entries as the mirror application does, so many a batch.
fn mirror(
    network: &mut Network,
    bundle: &[u8],
    digests: bool,
    change: impl Fn(u64, &mut Vec<u8>, &mut Checkpoint),
) {
    let (entries, mut checkpoint, collaboration) = sealed(bundle);
    let mut tree = Frontier::default();
    for batch in entries.chunks(4) {
        let mut table: Table = Table::default();
        let first = tree.size();
        for entry in batch {
            let position = tree.size();
            tree.append(leaf_hash(entry));
            let mut value =
                if digests { leaf_hash(entry).as_bytes().to_vec() } else { entry.clone() };
            change(position, &mut value, &mut checkpoint);
            let key = [&collaboration[..], &position.to_be_bytes()].concat();
            table.1.push((key, Some(value)));
        }
        table.0 = format!("public:chancery.{}", if digests { "leaves" } else { "entries" });
        (checkpoint.size, checkpoint.root) = (tree.size(), tree.root());
        let key = [&collaboration[..], &first.to_be_bytes()].concat();
        let claims = Digest::of(checkpoint.text().as_bytes());
        network.write(&[table, one("public:chancery.batches", key, "{}")], Some(claims));
        network.records(1);
    }
    network.sign();
}

#[test]
fn a_bundle_is_found_in_the_ledger_that_mirrors_it() {
    let bundle = Story::whole().bundle();
    let count = sealed(&bundle).0.len() as u64;
    let with = |digests, change: &dyn Fn(u64, &mut Vec<u8>, &mut Checkpoint)| {
        let mut network = Network::genesis();
        mirror(&mut network, &bundle, digests, change);
        let dir = written(&network);
        fs::write(dir.path().join("audit.chancery"), &bundle).unwrap();
        ledger(dir.path(), &["--bundle", "audit.chancery"])
    };
    for digests in [false, true] {
        let (code, json) = with(digests, &|_, _, _| ());
        assert_eq!(code, Some(0), "{json}");
        assert_eq!(json["bundle"]["found"], count);
        assert_eq!(json["bundle"]["size"], count);
    }
    let mirror_fails = |(code, json): (Option<i32>, Value)| {
        assert_eq!((code, &json["failure"]["check"]), (Some(1), &"mirror".into()), "{json}");
    };
    mirror_fails(with(false, &|position, value, _| value[20] ^= u8::from(position == 6)));
    mirror_fails(with(true, &|position, value, _| value[20] ^= u8::from(position == 6)));
    mirror_fails(with(true, &|_, value, _| value.truncate(31)));
    mirror_fails(with(false, &|position, _, checkpoint| {
        if position == 6 {
            checkpoint.origin = "another".to_owned();
        }
    }));
    // Half of it only; in another order; and not at all.
    let mut network = Network::genesis();
    mirror(&mut network, &bundle, false, |_, _, _| ());
    network.rewind(8);
    network.sign();
    let dir = written(&network);
    fs::write(dir.path().join("audit.chancery"), &bundle).unwrap();
    let (code, json) = ledger(dir.path(), &["--bundle", "audit.chancery"]);
    assert_eq!((code, &json["failure"]["check"]), (Some(2), &"mirror".into()), "{json}");
    assert_eq!((&json["bundle"]["missing"], &json["bundle"]["found"]), (&8.into(), &8.into()));
    let twice = |network: &mut Network| mirror(network, &bundle, false, |_, _, _| ());
    let mut network = Network::genesis();
    twice(&mut network);
    twice(&mut network);
    let dir = written(&network);
    fs::write(dir.path().join("audit.chancery"), &bundle).unwrap();
    mirror_fails(ledger(dir.path(), &["--bundle", "audit.chancery"]));
    let dir = written(&Network::genesis());
    fs::write(dir.path().join("audit.chancery"), &bundle).unwrap();
    let (code, json) = ledger(dir.path(), &["--bundle", "audit.chancery"]);
    assert_eq!((code, &json["bundle"]["found"]), (Some(2), &0.into()));
    // A bundle that does not verify itself.
    let mut altered = bundle.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    fs::write(dir.path().join("audit.chancery"), &altered).unwrap();
    let output = chancery(
        dir.path(),
        &[
            "audit",
            "ccf-ledger",
            "ccf",
            "--service-certificate",
            "service.pem",
            "--bundle",
            "audit.chancery",
        ],
    );
    assert_eq!(output.status.code(), Some(1));
}
