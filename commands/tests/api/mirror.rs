//! The mirror as the API tells of it: receipts, lag, the alarm, and waiting for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_ccf::certificate::Certificate;
use chancery_ccf::receipt::{Expected, Receipt};
use chancery_commands::mirror::WAIT_S_MAX;
use chancery_governance::state::lifecycle::Lifecycle;
use chancery_governance::state::origin;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::merkle;
use chancery_ledger::note::Checkpoint;
use chancery_mirror::State;

use crate::support::answer::{Answer, Call};
use crate::support::mirror::{Gate, Way};
use crate::support::room::{Room, Stage};
use crate::support::{NAME, PATIENCE, Service, commands};

async fn room_at(stage: Stage) -> (Room, Arc<Gate>) {
    let (service, gate) = Service::mirrored().await;
    (Room::of(&service, stage, &[]).await, gate)
}

async fn until_mirrored(service: &Service, c: CollaborationId) -> u64 {
    let size = service.sizes().await[&c];
    let status = &service.app.mirror.as_ref().unwrap().status;
    assert!(tokio::time::timeout(PATIENCE, status.reached(c, size)).await.unwrap());
    size
}

/// Until the driver says so of the log: polled, for it is on its own.
async fn until(service: &Service, c: CollaborationId, is: impl Fn(&State) -> bool) {
    let status = service.app.mirror.as_ref().unwrap().status.clone();
    let seen = async {
        while !status.of(c).is_some_and(|log| is(&log.state)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap();
}

async fn metrics(service: &Service) -> String {
    let answer = service.send(Call::get("/metrics")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    String::from_utf8(answer.bytes).unwrap()
}

async fn status_page(service: &Service) -> String {
    let answer = service.send(Call::get("/status")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/html"));
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
    String::from_utf8(answer.bytes).unwrap()
}

fn has_line(metrics: &str, line: &str) -> bool {
    metrics.lines().any(|found| found == line)
}

#[tokio::test]
async fn every_entry_gets_a_receipt_that_verifies() {
    let (room, gate) = room_at(Stage::Proposed).await;
    let size = until_mirrored(&room.service, room.id).await;
    let leaves: Vec<_> = room
        .service
        .entries(room.id)
        .await
        .iter()
        .map(chancery_ledger::entry::Sealed::leaf)
        .collect();
    assert_eq!(leaves.len() as u64, size);
    for position in 0..size {
        let answer = room.contosso.reads(&room.path(&format!("/receipts/{position}"))).await;
        assert_eq!((answer.text("/state"), answer.number("/position")), ("mirrored", position));
        assert_eq!(answer.text("/receipt/kind"), "insecure-virtual");
        let (first, end) = (answer.number("/receipt/first"), answer.number("/receipt/size"));
        assert!((first..end).contains(&position) && end <= size);
        let root = merkle::root(&leaves[..usize::try_from(end).unwrap()]);
        assert_eq!(answer.parsed::<Digest>("/receipt/root"), root);
        let text = Checkpoint { origin: origin(NAME, room.id), size: end, root }.text();
        let claims = Digest::of(text.as_bytes());
        assert_eq!(answer.parsed::<Digest>("/receipt/claims_digest"), claims);
        let service = Certificate::from_pem(answer.text("/receipt/service_certificate")).unwrap();
        assert_eq!(&service, gate.service());
        assert_eq!(answer.parsed::<Digest>("/receipt/service"), service.digest());
        let receipt = URL_SAFE_NO_PAD.decode(answer.text("/receipt/receipt")).unwrap();
        let transaction = answer.text("/receipt/transaction").parse().unwrap();
        let expected =
            Expected { claims: Some(claims), transaction: Some(transaction), at_s: None };
        Receipt::parse(&receipt).unwrap().verify(&service, &[], &expected).unwrap();
    }
    let standing = room.fabrikam.reads(&room.path("/mirror")).await;
    assert_eq!(
        (standing.text("/kind"), standing.text("/state")),
        ("insecure-virtual", "following")
    );
    assert_eq!((standing.number("/mirrored"), standing.number("/lag_entries")), (size, 0));
    assert!(standing.json["alarm"].is_null() && standing.json["detail"].is_null());
    for beyond in [&size.to_string(), "-1", "x", "99999999999999999999"] {
        let read = room.contosso.get(&room.path(&format!("/receipts/{beyond}")));
        room.service.refuses(read, 404, "position_not_found").await;
    }
    room.finish().await;
}

#[tokio::test]
async fn an_entry_that_waits_is_not_yet_mirrored_and_the_lag_is_told() {
    let (mut room, gate) = room_at(Stage::Created).await;
    let before = until_mirrored(&room.service, room.id).await;
    gate.set(Way::Closed);
    room.litware.takes_key(room.id, room.litware_id(), crate::support::key(1)).await;
    let size = room.service.sizes().await[&room.id];
    room.service.advance(90_500);
    until(&room.service, room.id, |state| matches!(state, State::Unavailable(_))).await;
    let answer = room.litware.reads(&room.path(&format!("/receipts/{before}"))).await;
    assert_eq!((answer.text("/state"), answer.text("/mirror/state")), ("not_yet", "unavailable"));
    assert!(answer.json["receipt"].is_null());
    assert!(answer.text("/mirror/detail").contains("the gate is closed"));
    assert_eq!(answer.number("/mirror/lag_entries"), size - before);
    assert_eq!(answer.number("/mirror/lag_seconds"), 90);
    let answer = room.litware.reads(&room.path("/receipts/0")).await;
    assert_eq!(answer.text("/state"), "mirrored", "what has a receipt keeps it");
    let figures = metrics(&room.service).await;
    for line in [
        "chancery_mirror_info{kind=\"insecure-virtual\"} 1".to_owned(),
        "chancery_mirror_logs{state=\"unavailable\"} 1".to_owned(),
        "chancery_mirror_logs{state=\"diverged\"} 0".to_owned(),
        format!("chancery_mirror_entries {before}"),
        format!("chancery_mirror_lag_entries {}", size - before),
        format!("chancery_mirror_lag_entries_max {}", size - before),
        "chancery_mirror_lag_seconds 90".to_owned(),
    ] {
        assert!(has_line(&figures, &line), "{line} in {figures}");
    }
    assert!(!figures.contains(&room.id.to_string()), "metrics name no collaboration");

    gate.set(Way::Open);
    until_mirrored(&room.service, room.id).await;
    until(&room.service, room.id, |state| *state == State::Following).await;
    let figures = metrics(&room.service).await;
    for line in [
        "chancery_mirror_logs{state=\"following\"} 1",
        "chancery_mirror_lag_entries 0",
        "chancery_mirror_lag_seconds 0",
    ] {
        assert!(has_line(&figures, line), "{line} in {figures}");
    }
    room.finish().await;
}

#[tokio::test]
async fn a_divergence_stops_that_log_and_is_told_everywhere() {
    let (mut room, gate) = room_at(Stage::Created).await;
    let before = until_mirrored(&room.service, room.id).await;
    let ready = room.service.send(Call::get("/readyz")).await.ok();
    assert!(ready.json.get("alarms").is_none());
    let page = status_page(&room.service).await;
    assert!(page.contains("No alarm") && !page.contains("ALARM"), "{page}");
    assert!(page.contains("insecure-virtual"), "{page}");
    assert!(page.contains("<th>Logs following</th><td>1</td>"), "{page}");
    gate.set(Way::Forked);
    room.litware.takes_key(room.id, room.litware_id(), crate::support::key(1)).await;
    until(&room.service, room.id, |state| matches!(state, State::Diverged(_))).await;
    // For good, though the mirror is as before.
    gate.set(Way::Open);
    let answer = room.litware.reads(&room.path(&format!("/receipts/{before}"))).await;
    assert_eq!((answer.text("/state"), answer.text("/mirror/state")), ("diverged", "diverged"));
    assert_eq!(answer.text("/mirror/alarm"), "mirror_diverged");
    assert!(answer.text("/mirror/detail").contains("another history"));
    let ready = room.service.send(Call::get("/readyz")).await.ok();
    assert_eq!((ready.text("/status"), ready.text("/alarms/0")), ("ok", "mirror_diverged"));
    let page = status_page(&room.service).await;
    assert!(page.contains("<title>ALARM: "), "{page}");
    assert!(page.contains("<strong>mirror_diverged</strong>"), "{page}");
    assert!(!page.contains(&room.id.to_string()), "the page names no collaboration");
    let figures = metrics(&room.service).await;
    assert!(has_line(&figures, "chancery_mirror_logs{state=\"diverged\"} 1"), "{figures}");

    // Who waits is told at once; another log goes on.
    let asked = Instant::now();
    let answer = waits(&room, &format!("wait={WAIT_S_MAX}")).await;
    assert_eq!(answer.json["mirrored"], false);
    assert!(asked.elapsed() < Duration::from_secs(WAIT_S_MAX.into()));
    let other = commands::create(room.next(), &[], true);
    let call = room.contosso.call(&other).header("prefer", "wait=20");
    assert_eq!(room.service.send(call).await.ok().json["mirrored"], true);
    room.finish().await;
}

/// Pauses or resumes the room, with a preference.
async fn waits(room: &Room, preference: &str) -> Answer {
    let lifecycle = room.service.state(room.id).await.lifecycle;
    let paused = matches!(lifecycle, Lifecycle::Paused(_));
    let (verb, body) = if paused {
        ("resume", serde_json::json!({}))
    } else {
        ("pause", serde_json::json!({"reason": "to wait"}))
    };
    let command = commands::lifecycle(room.next(), room.id, verb, body);
    room.service.send(room.litware.call(&command).header("prefer", preference)).await.ok()
}

#[tokio::test]
async fn a_command_can_wait_for_the_mirror_and_stands_where_it_takes_too_long() {
    let (room, gate) = room_at(Stage::Created).await;
    for (asked, applied) in [
        ("wait=20".to_owned(), 20),
        (format!("wait={WAIT_S_MAX}"), WAIT_S_MAX),
        (format!("respond-async, wait={}", WAIT_S_MAX + 1), WAIT_S_MAX),
    ] {
        let answer = waits(&room, &asked).await;
        assert_eq!(answer.json["mirrored"], true, "{asked}");
        assert_eq!(answer.header("preference-applied"), format!("wait={applied}"));
        let last = answer.list("/events").last().unwrap()["position"].as_u64().unwrap();
        assert!(room.service.store.mirrored(room.id).await.unwrap() > last);
    }
    let answer = waits(&room, "return=minimal").await;
    assert!(answer.json.get("mirrored").is_none(), "who does not ask is not told");
    assert_eq!(answer.header("preference-applied"), "");

    until_mirrored(&room.service, room.id).await;
    gate.set(Way::Closed);
    for seconds in [0, 1] {
        let before = room.service.sizes().await[&room.id];
        let asked = Instant::now();
        let answer = waits(&room, &format!("wait={seconds}")).await;
        assert!(asked.elapsed() >= Duration::from_secs(seconds));
        assert_eq!((answer.status, &answer.json["mirrored"]), (200, &false.into()));
        assert_eq!(answer.header("preference-applied"), format!("wait={seconds}"));
        assert_eq!(room.service.sizes().await[&room.id], before + 1, "the command stands");
    }
    gate.set(Way::Open);
    until_mirrored(&room.service, room.id).await;
    room.finish().await;
}

#[tokio::test]
async fn a_service_without_a_mirror_says_so() {
    let room = Room::at(Stage::Created).await;
    let answer = room.litware.reads(&room.path("/receipts/0")).await;
    assert_eq!((answer.text("/state"), answer.text("/mirror/state")), ("off", "off"));
    assert!(answer.json.pointer("/mirror/kind").unwrap().is_null());
    let asked = Instant::now();
    let answer = waits(&room, &format!("wait={WAIT_S_MAX}")).await;
    assert!(asked.elapsed() < Duration::from_secs(WAIT_S_MAX.into()));
    assert_eq!(answer.json["mirrored"], false);
    assert_eq!(answer.header("preference-applied"), "");
    let figures = metrics(&room.service).await;
    assert!(has_line(&figures, "chancery_mirror_info{kind=\"none\"} 1"), "{figures}");
    assert!(status_page(&room.service).await.contains("The logs are mirrored nowhere."));
    room.finish().await;
}

#[tokio::test]
async fn a_restart_goes_on_where_the_mirror_is() {
    let (room, gate) = room_at(Stage::Created).await;
    let before = until_mirrored(&room.service, room.id).await;
    gate.set(Way::Closed);
    waits(&room, "wait=0").await;
    // Ends as a process that is killed: what the driver knew is gone.
    room.service.finish().await;
    gate.set(Way::Open);
    let service = room.service.again().await;
    let size = until_mirrored(&service, room.id).await;
    assert!(size > before);
    let receipts = service.store.mirror_receipts(room.id, 0, 100).await.unwrap();
    let mut next = 0;
    for receipt in receipts {
        assert_eq!(receipt.first, next, "nothing twice, nothing left out");
        next = receipt.size;
    }
    assert_eq!(next, size);
    service.finish().await;
}

#[tokio::test]
async fn bundles_bring_the_receipts_of_what_they_hold() {
    let (room, gate) = room_at(Stage::Requested).await;
    let size = until_mirrored(&room.service, room.id).await;
    let mirrors = vec![gate.service().clone()];
    let options = chancery_audit::Options { mirrors, ..chancery_audit::Options::default() };
    let parts = [
        String::new(),
        format!("?query={}", room.query),
        format!("?run={}", room.run),
        format!("?member={}", room.fabrikam_id),
    ];
    for part in parts {
        let path = room.path(&format!("/bundle{part}"));
        let answer = room.service.send(room.contosso.get(&path)).await;
        let report = chancery_audit::verify(&answer.bytes[..], &options);
        assert_eq!(report.verdict, chancery_audit::Verdict::Verified, "{part}");
        let mirrored = report.standing.unwrap().mirrored.unwrap();
        assert!(mirrored.is_expected() && mirrored.is_insecure_virtual());
        assert!(mirrored.size == size || !part.is_empty(), "{part}: {mirrored:?}");
    }
    // What came after the last receipt is told as such, and the bundle verifies.
    gate.set(Way::Closed);
    waits(&room, "wait=0").await;
    let answer = room.service.send(room.contosso.get(&room.path("/bundle"))).await;
    let report = chancery_audit::verify(&answer.bytes[..], &options);
    assert_eq!(report.verdict, chancery_audit::Verdict::Verified);
    assert_eq!(report.standing.unwrap().mirrored.unwrap().size, size);
    gate.set(Way::Open);
    room.finish().await;
}
