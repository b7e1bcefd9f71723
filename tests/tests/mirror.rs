//! The mirror end to end: the stand-in of `chancery dev`, killed and restarted; and, where
//! `CHANCERY_CCF_URL`, `CHANCERY_CCF_SERVICE` and `CHANCERY_CCF_IDENTITY` are set, a real CCF network
//! (as in `ledger/mirror/tests/contract.rs`: it must allow the service key of
//! `docs/wire/vectors/v1/index.json` under the name `chancery.test`).

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::Command;

use chancery_ledger::digest::Digest;
use chancery_tests::{Room, Shape, chancery, offline, root};
use serde_json::Value;

/// How long the mirror may take, in seconds.
const WAIT: &str = "120";

/// Waits until all of the room's log is mirrored; gives its size.
fn mirrored(room: &Room) -> u64 {
    let standing = room.contosso.does(&["audit", "mirrored", "--wait", WAIT]);
    assert_eq!(standing["state"], "following", "{standing:#}");
    assert_eq!(standing["mirrored"], standing["size"], "{standing:#}");
    standing["size"].as_u64().unwrap()
}

/// Verifies a bundle, with the mirror's certificate pinned: exit code and report.
fn verify(bundle: &str, certificate: &Path, service_key: &str) -> (i32, Value) {
    let output = Command::new(chancery())
        .args(["--output", "json", "audit", "verify", bundle, "--service-key", service_key])
        .arg("--ccf-service-certificate")
        .arg(certificate)
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), report)
}

/// Every receipt by itself, as `audit ccf-receipt` has it, against the certificate.
fn check_receipts(room: &Room, size: u64, certificate: &Path, kind: &str) {
    let mut next = 0;
    while next < size {
        let entry = room.contosso.does(&["audit", "mirrored", &next.to_string()]);
        assert_eq!(
            (&entry["state"], &entry["receipt"]["kind"]),
            (&"mirrored".into(), &kind.into())
        );
        let receipt = &entry["receipt"];
        assert_eq!(receipt["first"], next, "no gap and nothing twice");
        let file = room.folder.path().join("receipt");
        let bytes = base64url(receipt["receipt"].as_str().unwrap());
        fs::write(&file, bytes).unwrap();
        let claims = receipt["claims_digest"].as_str().unwrap();
        let transaction = receipt["transaction"].as_str().unwrap();
        let outcome = offline(
            &[
                "audit",
                "ccf-receipt",
                file.to_str().unwrap(),
                "--service-certificate",
                certificate.to_str().unwrap(),
                "--claims-digest",
                claims,
                "--transaction",
                transaction,
            ],
            None,
        );
        assert_eq!(outcome.code, 0, "{:#}", outcome.document);
        next = receipt["size"].as_u64().unwrap();
    }
    assert_eq!(next, size);
}

fn base64url(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// The story's log is mirrored, its bundle says so, and a changed receipt is found out.
fn ends_mirrored(room: &Room, certificate: &Path, kind: &str) {
    let size = mirrored(room);
    check_receipts(room, size, certificate, kind);
    let (bundle, key) = (room.export("audit.chancery"), room.service_key());
    let (code, report) = verify(&bundle, certificate, &key);
    assert_eq!(code, 0, "{report:#}");
    let told = &report["standing"]["mirrored"];
    assert_eq!((&told["size"], &told["pinned"]), (&size.into(), &true.into()), "{told:#}");
    assert_eq!(told["spans"][0]["kind"], kind);

    let mut bytes = fs::read(&bundle).unwrap();
    let mark = b"claims_digest";
    let at = bytes.windows(mark.len()).position(|window| window == mark).unwrap() + 20;
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    fs::write(&bundle, bytes).unwrap();
    let (code, report) = verify(&bundle, certificate, &key);
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(
        (&report["failure"]["check"], &report["failure"]["position"]),
        (&"mirror".into(), &0.into())
    );
}

/// The certificate that the service names, in a file.
fn named_certificate(room: &Room) -> std::path::PathBuf {
    let entry = room.contosso.does(&["audit", "mirrored", "0", "--wait", WAIT]);
    let path = room.folder.path().join("mirror.pem");
    fs::write(&path, entry["receipt"]["service_certificate"].as_str().unwrap()).unwrap();
    path
}

#[test]
fn a_server_that_is_killed_goes_on_mirroring_and_is_no_fork() {
    let mut room = Room::start(Shape::ServerOnly);
    room.gather();
    mirrored(&room);
    let certificate = named_certificate(&room);
    for reason in ["one", "two", "three"] {
        room.litware.does(&["collaboration", "pause", "--reason", reason]);
        // Whatever the mirror has of it by now.
        room.kill_server();
        room.start_server();
        room.litware.does(&["collaboration", "resume"]);
    }
    room.agree();
    ends_mirrored(&room, &certificate, "insecure-virtual");

    let data_dir = room.server_dir();
    let checked = offline(&["log", "fsck", "--data-dir", data_dir.to_str().unwrap()], None);
    assert_eq!(
        (checked.code, &checked.document["clean"]),
        (0, &true.into()),
        "{:#}",
        checked.document
    );
    let log = &checked.document["logs"][0];
    assert_eq!(log["mirrored"], log["entries"]);

    // A mirror that lost what it had is seen, by whoever looks.
    room.kill_server();
    fs::remove_file(data_dir.join("mirror-virtual.ledger")).unwrap();
    room.start_server();
    let beyond = room.contosso.is_refused(&["audit", "mirrored", "99999999"]);
    assert_eq!(beyond, ["position_not_found"]);
    room.litware.does(&["collaboration", "pause", "--reason", "to see"]);
    let outcome = room.contosso.run(&["audit", "mirrored", "--wait", WAIT]);
    assert_eq!(outcome.code, 1, "{:#}", outcome.document);
    assert_eq!(outcome.document["alarm"], "mirror_diverged", "{:#}", outcome.document);
    assert!(room.said().contains("MIRROR DIVERGED"), "{}", room.said());
}

#[test]
fn the_story_in_a_real_network() {
    let Ok(urls) = std::env::var("CHANCERY_CCF_URL") else { return };
    let certificate = std::env::var("CHANCERY_CCF_SERVICE").unwrap();
    let identity = std::env::var("CHANCERY_CCF_IDENTITY").unwrap();
    // Copies: a network that is recovered meanwhile gets another certificate, and what is open to
    // others is refused.
    let secrets = tempfile::tempdir().unwrap();
    let pinned = secrets.path().join("service.pem");
    fs::copy(&certificate, &pinned).unwrap();
    let certificate = pinned.to_str().unwrap();
    let copy = secrets.path().join("identity.pem");
    secret(&copy, &fs::read(&identity).unwrap());
    let mut options = vec!["--name", "chancery.test", "--mirror-ccf-service", certificate];
    options.extend(["--mirror-identity", copy.to_str().unwrap()]);
    options.extend(urls.split(',').flat_map(|url| ["--mirror-ccf-url", url]));
    let index = fs::read(root().join("docs/wire/vectors/v1/index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let seed = index["keys"]["service"]["seed"].as_str().unwrap();
    let seed: Digest = format!("sha256:{seed}").parse().unwrap();
    // PKCS#8 of an Ed25519 key (RFC 8410 section 7).
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let key = [&head[..], seed.as_bytes()].concat();
    let mut room = Room::start_with(
        Shape::ServerOnly,
        options.into_iter().map(str::to_owned).collect(),
        |data_dir| {
            fs::DirBuilder::new().mode(0o700).create(data_dir).unwrap();
            secret(&data_dir.join("service.key"), &key);
        },
    );
    room.gather();
    room.agree();
    room.kill_server();
    room.start_server();
    room.request();
    ends_mirrored(&room, Path::new(certificate), "ccf");
}

fn secret(path: &Path, bytes: &[u8]) {
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(bytes).unwrap();
}
