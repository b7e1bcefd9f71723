//! Either side is killed at random, under load, and nothing is lost or doubled.
//!
//! By default the driver is dropped and begun anew, and the stand-in is away and cut off, for some
//! seconds of made-up time. Where `CHANCERY_CCF_URL` and the rest are set (`tests/contract.rs`) and
//! `CHANCERY_CCF_RESTART` is a command that kills a node with SIGKILL and brings it back, the same is done
//! to processes: the driver is one of its own and killed too. Of a network of one node that is a disaster
//! recovery, with another service certificate in the file; of several, the primary's death and an election.
//! More:
//!
//! - `CHANCERY_CHAOS_SECONDS`: for how long, 20 by default;
//! - `CHANCERY_CHAOS_RATE`: entries a second over all logs, 150 by default;
//! - `CHANCERY_CCF_HISTORY`: a folder of the earlier service certificates.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]
#![expect(clippy::print_stdout, reason = "what a long run came to")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_ccf::certificate::Certificate;
use chancery_ccf::receipt::{Expected, Receipt};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::merkle::{Frontier, leaf_hash};
use chancery_ledger::note::Checkpoint;
use chancery_mirror::{Ccf, Driver, Head, Logs as _, MirrorLedger, Options, State, StatusHandle};
use support::growing::{Files, Growing};
use support::{Fault, Faulty};
use uuid::Uuid;

/// A sequence that looks random, the same for the same seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn millis(&mut self, from: u64, until: u64) -> Duration {
        Duration::from_millis(from + self.below(until - from))
    }
}

/// Every log is mirrored whole: its batches follow one another, here and there the same, each with a
/// receipt that verifies.
async fn check(
    files: &Files,
    logs: &[Growing],
    ledger: &impl MirrorLedger,
    services: &[Certificate],
) {
    for log in logs {
        let c = log.collaboration;
        let size = log.size();
        let entries = files.entries(c, 0, u32::MAX).await.unwrap();
        assert_eq!(entries.len() as u64, size);
        let head = Head { size, root: log.root() };
        assert_eq!(ledger.head(c).await.unwrap(), Some(head), "the mirror holds all, once");
        let (mut tree, kept) = (Frontier::default(), files.kept(c));
        for batch in &kept {
            assert_eq!(batch.first, tree.size(), "neither a hole nor an overlap");
            let new = usize::try_from(batch.first).unwrap()..usize::try_from(batch.size).unwrap();
            entries[new].iter().for_each(|entry| tree.append(leaf_hash(entry)));
            assert_eq!(batch.root, tree.root());
            let there = ledger.batch_of(c, batch.first).await.unwrap();
            let here = (batch.first, batch.size, batch.root, batch.transaction);
            assert_eq!((there.first, there.size, there.root, there.transaction), here);
            let origin = format!("{}/{c}", support::NAME);
            let text = Checkpoint { origin, size: batch.size, root: batch.root }.text();
            let claims = Some(Digest::of(text.as_bytes()));
            let expected = Expected { claims, transaction: Some(batch.transaction), at_s: None };
            let receipt = Receipt::parse(&batch.receipt).unwrap();
            let by = |service: &Certificate| receipt.verify(service, &[], &expected).is_ok();
            assert!(services.iter().any(by), "the receipt of {}", batch.transaction);
        }
        assert_eq!(tree.size(), size, "nothing is lost");
    }
}

fn collaborations(seed: u128) -> Vec<CollaborationId> {
    (1..=3).map(|at| CollaborationId::new(Uuid::from_u128(seed << 16 | at))).collect()
}

fn mirrored(status: &StatusHandle, logs: &[Growing]) -> bool {
    let board = status.read();
    for status in board.values() {
        assert!(!matches!(status.state, State::Diverged(_)), "{:?}", status.state);
    }
    logs.iter().all(|log| board.get(&log.collaboration).is_some_and(|it| it.mirrored == log.size()))
}

#[tokio::test(start_paused = true)]
async fn either_side_is_killed() {
    let folder = Folder::new("made-up");
    let ids = collaborations(1);
    let ledger = Faulty::new();
    let mut logs: Vec<_> = ids.iter().map(|c| Growing::new(*c)).collect();
    let writer = Files::open(&folder.0, &ids);
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let end = tokio::time::Instant::now() + Duration::from_secs(15);
    let mut kills = 0;
    while tokio::time::Instant::now() < end {
        let driver = Driver::new(
            ledger.clone(),
            Arc::new(Files::open(&folder.0, &ids)),
            Options { pending_max: 3, ..support::options() },
        );
        let status = driver.status();
        let running = tokio::spawn(driver.run(std::future::pending()));
        let until = tokio::time::Instant::now() + random.millis(50, 2_000);
        while tokio::time::Instant::now() < until {
            let log = usize::try_from(random.below(3)).unwrap();
            writer.append(&mut logs[log], usize::try_from(1 + random.below(6)).unwrap());
            if random.below(20) == 0 {
                let mut faults = ledger.faults.lock().unwrap();
                faults.push_back(Fault::AnswerLost);
                faults.extend((0..random.below(8)).map(|_| Fault::Lost));
                faults.push_back(Fault::Twice);
            }
            tokio::time::sleep(random.millis(5, 40)).await;
        }
        mirrored(&status, &logs);
        running.abort();
        let _ = running.await;
        kills += 1;
    }
    assert!(kills > 8, "{kills}");
    ledger.faults.lock().unwrap().clear();
    let driver =
        Driver::new(ledger.clone(), Arc::new(Files::open(&folder.0, &ids)), support::options());
    let status = driver.status();
    let running = tokio::spawn(driver.run(std::future::pending()));
    tokio::time::timeout(Duration::from_mins(10), async {
        while !mirrored(&status, &logs) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    running.abort();
    let services: Vec<_> = ledger.services().iter().map(|it| Certificate::clone(it)).collect();
    check(&writer, &logs, &*ledger, &services).await;
}

/// The folder of one test, removed when it is done.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("chancery-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn network() -> Option<Ccf> {
    let config = support::network()?;
    let service = std::env::var("CHANCERY_CCF_SERVICE").unwrap();
    let newest = move || std::fs::read_to_string(&service).ok();
    Some(Ccf::new(config).unwrap().with_successor(newest))
}

fn real_options() -> Options {
    let second = Duration::from_secs(1);
    Options { backoff_cap: second, sweep: second / 5, stale_max: 300, ..Options::default() }
}

const CHILD: &str = "CHANCERY_CHAOS_CHILD";
const SEED: &str = "CHANCERY_CHAOS_SEED";

/// The driver, in a process that is killed: begun by the test below, and by nothing else.
#[tokio::test]
async fn the_driver_that_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let ids = collaborations(std::env::var(SEED).unwrap().parse().unwrap());
    let files = Arc::new(Files::open(Path::new(&folder), &ids));
    let driver = Driver::new(Arc::new(network().unwrap()), files, real_options());
    let status = driver.status();
    let watch = async move {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            for status in status.read().values() {
                if let State::Diverged(why) = &status.state {
                    std::fs::write(Path::new(&folder).join("diverged"), why).unwrap();
                }
            }
        }
    };
    driver.run(watch).await;
}

fn driver(folder: &Path, seed: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["the_driver_that_is_killed", "--exact"])
        .env(CHILD, folder)
        .env(SEED, seed.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn either_process_is_killed() {
    let Ok(restart) = std::env::var("CHANCERY_CCF_RESTART") else { return };
    let number = |name: &str, or: u64| {
        std::env::var(name).map_or(or, |text| text.parse().expect("a number"))
    };
    let seconds = number("CHANCERY_CHAOS_SECONDS", 20);
    let rate = number("CHANCERY_CHAOS_RATE", 150);
    let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let seed = u64::try_from(seed).unwrap() | 1;
    let mut random = Random(seed);
    let folder = Folder::new("real");
    let ids = collaborations(seed.into());
    let mut logs: Vec<_> = ids.iter().map(|c| Growing::new(*c)).collect();
    let writer = Files::open(&folder.0, &ids);

    let end = Instant::now() + Duration::from_secs(seconds);
    let mut child = driver(&folder.0, seed);
    let mut node: Option<Child> = None;
    let mut next_driver = Instant::now() + random.millis(500, 6_000);
    let mut next_node = Instant::now() + random.millis(3_000, 12_000);
    let (mut drivers, mut nodes) = (0, 0);
    while Instant::now() < end {
        for log in &mut logs {
            writer.append(log, usize::try_from(rate / 30).unwrap());
        }
        if Instant::now() > next_driver {
            child.kill().unwrap();
            child.wait().unwrap();
            child = driver(&folder.0, seed);
            drivers += 1;
            next_driver = Instant::now() + random.millis(500, 6_000);
        }
        if let Some(restarting) = &mut node {
            if let Some(status) = restarting.try_wait().unwrap() {
                assert!(status.success(), "the node came back");
                node = None;
                next_node = Instant::now() + random.millis(3_000, 12_000);
            }
        } else if Instant::now() > next_node {
            node = Some(Command::new("sh").args(["-c", &restart]).spawn().unwrap());
            nodes += 1;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if let Some(mut restarting) = node {
        assert!(restarting.wait().unwrap().success(), "the node came back");
    }
    let whole = Instant::now() + Duration::from_secs(120 + seconds);
    let mirrored = |log: &Growing| writer.kept(log.collaboration).last().map_or(0, |it| it.size);
    while logs.iter().any(|log| mirrored(log) < log.size()) {
        let why = std::fs::read_to_string(folder.0.join("diverged"));
        assert!(why.is_err(), "{why:?}");
        assert!(child.try_wait().unwrap().is_none(), "the driver ended by itself");
        let sizes: Vec<_> = logs.iter().map(|log| (mirrored(log), log.size())).collect();
        assert!(Instant::now() < whole, "not mirrored in time: {sizes:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let ledger = network().unwrap();
    let mut services: Vec<_> = ledger.services().iter().map(|it| Certificate::clone(it)).collect();
    if let Ok(history) = std::env::var("CHANCERY_CCF_HISTORY") {
        for file in std::fs::read_dir(history).unwrap() {
            let pem = std::fs::read_to_string(file.unwrap().path()).unwrap();
            services.push(Certificate::from_pem(&pem).unwrap());
        }
    }
    check(&writer, &logs, &ledger, &services).await;
    let entries: u64 = logs.iter().map(Growing::size).sum();
    let batches: usize = ids.iter().map(|c| writer.kept(*c).len()).sum();
    println!(
        "{seconds} s: the driver was killed {drivers} times, the node {nodes} times; {entries} \
         entries in {batches} batches, none lost, none twice, every receipt verified"
    );
}
