//! The driver over logs in memory and a mirror that fails.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use chancery_ccf::receipt::{Expected, Receipt};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_mirror::{
    Batch, Driver, Head, InMemory, Logs as _, MirrorLedger as _, Mirrored, Options, Standing, State,
};
use support::{Fault, Faulty, checkpoint, collaboration, entries, note, options, set};

/// Runs a driver until `done` says so of the log's status; panics where it takes an hour of the
/// paused clock.
async fn run_until(
    ledger: &Arc<Faulty>,
    logs: &Arc<InMemory>,
    options: Options,
    c: CollaborationId,
    done: impl Fn(&chancery_mirror::LogStatus) -> bool,
) -> chancery_mirror::LogStatus {
    let driver = Driver::new(ledger.clone(), logs.clone(), options);
    let status = driver.status();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(driver.run(async {
        stopped.await.ok();
    }));
    let found = tokio::time::timeout(Duration::from_hours(1), async {
        loop {
            if let Some(found) = status.read().get(&c).filter(|found| done(found)) {
                return found.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let found = found.await.unwrap_or_else(|_| panic!("it stays at {:?}", status.read()));
    stop.send(()).unwrap();
    running.await.unwrap();
    found
}

async fn mirrored(ledger: &Arc<Faulty>, logs: &Arc<InMemory>, c: CollaborationId, size: u64) {
    run_until(ledger, logs, options(), c, |status| status.mirrored == size).await;
    check_kept(ledger, logs, c, size);
}

/// Every receipt that is kept follows the one before and proves its batch.
fn check_kept(ledger: &Faulty, logs: &InMemory, c: CollaborationId, size: u64) {
    let kept = logs.kept(c);
    let all = entries(usize::try_from(size).unwrap());
    let mut until = 0;
    for Mirrored { first, size, root, transaction, service, receipt } in kept {
        assert_eq!(first, until, "nothing twice, nothing left out");
        assert_eq!(service, ledger.inner.service().der());
        until = size;
        let expected = checkpoint(c, &all[..usize::try_from(size).unwrap()]);
        assert_eq!(root, expected.root);
        let claims = Some(Digest::of(expected.text().as_bytes()));
        let expected = Expected { claims, transaction: Some(transaction), at_s: None };
        Receipt::parse(&receipt)
            .unwrap()
            .verify(&ledger.inner.services()[0], &[], &expected)
            .unwrap();
    }
    assert_eq!(until, size);
}

async fn diverges(ledger: &Arc<Faulty>, logs: &Arc<InMemory>, c: CollaborationId, word: &str) {
    let found =
        run_until(ledger, logs, options(), c, |status| matches!(status.state, State::Diverged(_)));
    let State::Diverged(why) = found.await.state else { unreachable!("asked for") };
    assert!(why.contains(word), "{why}");
}

fn setup(count: usize) -> (Arc<Faulty>, Arc<InMemory>, CollaborationId) {
    let (ledger, logs, c) = (Faulty::new(), Arc::new(InMemory::default()), collaboration(1));
    set(&logs, c, &entries(count));
    (ledger, logs, c)
}

#[tokio::test(start_paused = true)]
async fn a_log_is_mirrored_in_batches_and_the_last_brings_the_checkpoint() {
    let (ledger, logs, c) = setup(10);
    mirrored(&ledger, &logs, c, 10).await;
    assert_eq!(*ledger.pushes.lock().unwrap(), [(0, 4, false), (4, 4, false), (8, 2, true)]);
    let found = logs.receipt_of(c, 9).await.unwrap().unwrap();
    assert_eq!((found.first, found.size), (8, 10));
    assert_eq!(logs.receipt_of(c, 10).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_grows_is_followed_and_the_lag_is_known() {
    let (ledger, logs, c) = setup(3);
    let driver = Driver::new(ledger.clone(), logs.clone(), options());
    let (status, hint) = (driver.status(), driver.hint());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(driver.run(async {
        stopped.await.ok();
    }));
    for size in [3_u8, 4, 9, 30] {
        set(&logs, c, &entries(size.into()));
        hint.notify_one();
        while status.read().get(&c).is_none_or(|found| found.mirrored < size.into()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let found = status.read()[&c].clone();
        assert_eq!((found.lag(), found.state), (0, State::Following));
    }
    stop.send(()).unwrap();
    running.await.unwrap();
    check_kept(&ledger, &logs, c, 30);
}

#[tokio::test(start_paused = true)]
async fn logs_that_come_later_are_found() {
    let (ledger, logs, _) = setup(3);
    let all = [2_u8, 3, 5, 8, 13, 21].map(|size| (collaboration(size.into()), size));
    for (c, size) in all {
        set(&logs, c, &entries(size.into()));
    }
    for (c, size) in all {
        mirrored(&ledger, &logs, c, size.into()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_lost_and_repeated_call_loses_and_doubles_nothing() {
    // Each fault alone at each of the first calls, then many at once.
    for fault in [Fault::Lost, Fault::AnswerLost, Fault::Twice] {
        for call in 0..12 {
            let (ledger, logs, c) = setup(10);
            // A fault that does nothing stands for a call that goes well.
            let mut faults = vec![Fault::Twice; call];
            faults.push(fault);
            ledger.faults.lock().unwrap().extend(faults);
            mirrored(&ledger, &logs, c, 10).await;
        }
    }
    for seed in 0..20_u64 {
        let (ledger, logs, c) = setup(23);
        let pick = |at: u64| {
            let digest = Digest::of_parts(&[&seed.to_be_bytes(), &at.to_be_bytes()]);
            [Fault::Lost, Fault::AnswerLost, Fault::Twice][usize::from(digest.as_bytes()[0]) % 3]
        };
        ledger.faults.lock().unwrap().extend((0..60).map(pick));
        mirrored(&ledger, &logs, c, 23).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_anywhere_goes_on_from_the_mirrors_own_head() {
    for at in 0..=10 {
        let (ledger, logs, c) = setup(10);
        let found = run_until(&ledger, &logs, options(), c, |status| status.mirrored >= at).await;
        assert!(found.mirrored >= at);
        mirrored(&ledger, &logs, c, 10).await;
    }
}

#[tokio::test(start_paused = true)]
async fn receipts_that_were_lost_here_are_fetched_again() {
    let (ledger, logs, c) = setup(10);
    mirrored(&ledger, &logs, c, 10).await;
    logs.forget(c);
    ledger.pushes.lock().unwrap().clear();
    mirrored(&ledger, &logs, c, 10).await;
    assert!(ledger.pushes.lock().unwrap().is_empty(), "no entry is sent again");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_somebody_else_sent_is_taken_over() {
    let (ledger, logs, c) = setup(10);
    let first = entries(10)[..3].to_vec();
    let checkpoint = Some(note(c, &first));
    let batch = Batch { collaboration: c, first: 0, entries: first, checkpoint };
    ledger.inner.push(&batch).await.unwrap();
    mirrored(&ledger, &logs, c, 10).await;
}

#[tokio::test(start_paused = true)]
async fn an_election_that_rolls_back_is_survived() {
    use Standing::{Invalid, Pending, Unknown};
    for standings in [
        vec![Pending, Pending, Pending],
        vec![Invalid],
        vec![Pending, Invalid, Pending, Invalid],
        vec![Unknown; 20],
    ] {
        let (ledger, logs, c) = setup(10);
        ledger.lies.lock().unwrap().standing.extend(standings);
        mirrored(&ledger, &logs, c, 10).await;
    }
}

#[tokio::test(start_paused = true)]
async fn receipts_that_come_late_are_waited_for() {
    let (ledger, logs, c) = setup(10);
    ledger.lies.lock().unwrap().receipts_late = 50;
    mirrored(&ledger, &logs, c, 10).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_consortium_is_seen_and_waited_out() {
    let (ledger, logs, c) = setup(10);
    ledger.lies.lock().unwrap().refusal = Some("unknown-key");
    let blocked = State::Blocked("unknown-key".to_owned());
    run_until(&ledger, &logs, options(), c, |status| status.state == blocked).await;
    ledger.lies.lock().unwrap().refusal = None;
    mirrored(&ledger, &logs, c, 10).await;
}

#[tokio::test(start_paused = true)]
async fn refusals_that_mean_a_fork_stop_the_log_and_no_other() {
    for code in ["fork", "checkpoint-of-another-state"] {
        let (ledger, logs, c) = setup(10);
        ledger.lies.lock().unwrap().refusal = Some(code);
        diverges(&ledger, &logs, c, "another history").await;
        ledger.lies.lock().unwrap().refusal = None;
        let other = collaboration(2);
        set(&logs, other, &entries(5));
        mirrored(&ledger, &logs, other, 5).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_rewritten_here_is_found_out() {
    let (ledger, logs, c) = setup(10);
    mirrored(&ledger, &logs, c, 10).await;
    let mut rewritten = entries(12);
    rewritten[3] = b"another".to_vec();
    set(&logs, c, &rewritten);
    diverges(&ledger, &logs, c, "another root").await;
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_rolled_back_here_is_found_out() {
    let (ledger, logs, c) = setup(10);
    mirrored(&ledger, &logs, c, 10).await;
    logs.forget(c);
    set(&logs, c, &entries(7));
    diverges(&ledger, &logs, c, "holds 10 entries and the log 7").await;
}

#[tokio::test(start_paused = true)]
async fn a_mirror_that_lost_its_tail_is_found_out() {
    let (ledger, logs, c) = setup(10);
    mirrored(&ledger, &logs, c, 10).await;
    let root = checkpoint(c, &entries(4)).root;
    for head in [Some(Head { size: 4, root }), None] {
        ledger.lies.lock().unwrap().head = Some(head);
        diverges(&ledger, &logs, c, "receipts for 10").await;
    }
}

/// What the ledger says that is not so.
type Lie = fn(&mut support::Lies, Digest);

#[tokio::test(start_paused = true)]
async fn a_mirror_that_lies_is_found_out() {
    let wrong = Digest::of(b"wrong");
    let cases: [(Lie, &str); 3] = [
        (|lies, root| lies.head = Some(Some(Head { size: 3, root })), "another root"),
        (|lies, _| lies.head = Some(Some(Head { size: 11, root: Digest::of(b"x") })), "holds 11"),
        (|lies, root| lies.accepted_root = Some(root), "another root"),
    ];
    for (lie, word) in cases {
        let (ledger, logs, c) = setup(10);
        lie(&mut ledger.lies.lock().unwrap(), wrong);
        diverges(&ledger, &logs, c, word).await;
    }
    let (ledger, logs, c) = setup(10);
    mirrored(&ledger, &logs, c, 10).await;
    logs.forget(c);
    ledger.lies.lock().unwrap().batch_first = Some(1);
    diverges(&ledger, &logs, c, "does not begin there").await;
}

#[tokio::test(start_paused = true)]
async fn a_receipt_of_another_batch_or_network_or_with_a_flipped_byte_is_found_out() {
    let (ledger, logs, c) = setup(10);
    mirrored(&ledger, &logs, c, 10).await;
    let good = logs.kept(c);
    let elsewhere = chancery_mirror::InsecureVirtual::new(support::NAME, b"another seed").unwrap();
    let first = entries(10)[..4].to_vec();
    let batch = Batch { collaboration: c, first: 0, entries: first, checkpoint: None };
    let foreign = elsewhere.push(&batch).await.unwrap().transaction;
    let foreign = elsewhere.receipt(foreign).await.unwrap().unwrap();
    let mut flipped = good[0].receipt.clone();
    let at = flipped.windows(9).position(|part| part == b"write_set").unwrap() + 30;
    flipped[at] = if flipped[at] == b'0' { b'1' } else { b'0' };
    for bad in [good[1].receipt.clone(), foreign, flipped, b"{}".to_vec(), Vec::new()] {
        let (ledger, logs, c) = setup(10);
        ledger.lies.lock().unwrap().receipt = Some(bad);
        diverges(&ledger, &logs, c, "does not verify").await;
        assert!(logs.kept(c).is_empty(), "nothing unverified is kept");
    }
}
