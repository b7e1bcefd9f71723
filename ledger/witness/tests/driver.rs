//! The driver with witnesses over real HTTP: ours, and ones that are slow, down, or lie.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::note::{Checkpoint, Cosigned, Policy};
use chancery_ledger::tile::{Tile, Tiles};
use chancery_store::Store;
use chancery_witness::{
    Client, Driver, InMemory, Logs, LogsError, Options, Signed, Status, StatusHandle,
    forward_appends,
};
use support::{
    NOW, Server, append_to_store, client, clock, collaboration, http, key, leaves, misbehaving,
    origin, ours, sign, witness,
};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

struct Bench {
    logs: Arc<InMemory>,
    seeds: Vec<u8>,
    status: StatusHandle,
    hint: Arc<Notify>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

fn options(threshold: usize) -> Options {
    Options {
        threshold,
        sweep: Duration::from_millis(50),
        settle: Duration::from_millis(1),
        round_min: Duration::from_millis(20),
        round_max: Duration::from_millis(400),
        backoff_first: Duration::from_millis(20),
        backoff_cap: Duration::from_millis(200),
        parallel: 4,
    }
}

impl Bench {
    fn start(logs: Arc<InMemory>, witnesses: Vec<(u8, Client)>, options: Options) -> Self {
        let (seeds, clients) = witnesses.into_iter().unzip();
        let driver = Driver::new(logs.clone(), clients, &clock(), options).unwrap();
        let (status, hint) = (driver.status(), driver.hint());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(driver.run(async {
            let _ = stopped.await;
        }));
        Self { logs, seeds, status, hint, stop: Some(stop), task }
    }

    fn append(&self, n: u8, from: usize, to: usize) {
        append(&self.logs, n, from, to);
        self.hint.notify_one();
    }

    /// Waits until what is said of the status holds.
    async fn until(&self, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let status = self.status.read();
                if holds(&status) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("never {what}: {:?}", self.status.read()))
    }

    async fn until_kept(&self, n: u8, size: u64) -> Vec<Cosigned> {
        self.until("kept", |status| {
            status.logs.get(&collaboration(n)).is_some_and(|log| log.cosigned == size)
        })
        .await;
        self.kept(n, size).await
    }

    /// The cosignatures of the note that is kept, which must be a checkpoint of that size.
    async fn kept(&self, n: u8, size: u64) -> Vec<Cosigned> {
        let Signed { size: kept, note } =
            self.logs.cosigned(collaboration(n)).await.unwrap().unwrap();
        let checkpoint = Checkpoint::open(&note, &origin(n), key(1).public()).unwrap();
        assert_eq!((kept, checkpoint.size), (size, size));
        let witnesses = self.seeds.iter().map(|seed| witness(*seed)).collect();
        Policy::new(witnesses, 1).unwrap().verify(&note).unwrap()
    }

    async fn stop(mut self) -> Arc<InMemory> {
        let _ = self.stop.take().unwrap().send(());
        self.task.await.unwrap();
        self.logs
    }
}

fn append(logs: &InMemory, n: u8, from: usize, to: usize) {
    let all = leaves(to as u64);
    logs.append(collaboration(n), &all[from..], |size, root| sign(n, size, root));
}

fn quick(seed: u8, server: &Server, timeout: Duration) -> Client {
    Client::new(http(), &format!("http://{}", server.address), witness(seed), timeout)
}

#[tokio::test]
async fn checkpoints_are_cosigned_by_all_as_logs_grow() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (ours(10, folder.path(), None).await, ours(11, folder.path(), None).await);
    let clients = vec![(10, client(10, a.address)), (11, client(11, b.address))];
    let bench = Bench::start(Arc::default(), clients, options(2));
    bench.append(1, 0, 3);
    assert_eq!(bench.until_kept(1, 3).await.len(), 2);
    bench.append(1, 3, 300);
    bench.append(2, 0, 7);
    assert_eq!(bench.until_kept(1, 300).await.len(), 2);
    assert_eq!(bench.until_kept(2, 7).await.len(), 2);
    let status = bench.until("quiet", |status| status.witnesses.iter().all(|w| w.cosigned == 3));
    for one in status.await.witnesses {
        assert_eq!((one.outages, &one.last_error), (0, &None));
        assert_eq!(one.logs[&collaboration(1)].size, 300);
        assert_eq!(one.logs[&collaboration(1)].time, Some(NOW));
    }
    bench.stop().await;
}

#[tokio::test]
async fn while_one_is_down_and_one_hangs_the_others_are_enough() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (ours(10, folder.path(), None).await, ours(11, folder.path(), None).await);
    let (hanging, _) = misbehaving(|_| std::future::pending()).await;
    let down = ours(13, folder.path(), None).await;
    let down_client = client(13, down.address);
    down.kill().await;
    let clients = vec![
        (12, quick(12, &hanging, PATIENCE)),
        (13, down_client),
        (10, client(10, a.address)),
        (11, client(11, b.address)),
    ];
    let bench = Bench::start(Arc::default(), clients, options(2));
    for (from, to) in [(0, 1), (1, 5), (5, 9)] {
        bench.append(1, from, to);
        assert_eq!(bench.until_kept(1, to as u64).await.len(), 2);
    }
    let status = bench.until("down", |status| status.witnesses[1].outages > 0).await;
    assert_eq!(status.witnesses[1].last_error.as_deref(), Some("the witness does not answer"));
    assert_eq!(status.logs[&collaboration(1)].lag(), 0);
    bench.stop().await;
}

#[tokio::test]
async fn too_few_keep_nothing_and_a_witness_that_comes_back_completes_it() {
    let folder = tempfile::tempdir().unwrap();
    let a = ours(10, folder.path(), None).await;
    let b = ours(11, folder.path(), None).await;
    let clients = vec![(10, client(10, a.address)), (11, client(11, b.address))];
    let address = b.kill().await;
    let bench = Bench::start(Arc::default(), clients, options(2));
    bench.append(1, 0, 5);
    let cosigned = |status: &Status| {
        let log = status.logs.get(&collaboration(1));
        log.is_some_and(|log| log.cosignatures == 1) && status.witnesses[1].outages > 1
    };
    let status = bench.until("cosigned by one", cosigned).await;
    assert_eq!(status.logs[&collaboration(1)].lag(), 5);
    assert_eq!(bench.logs.cosigned(collaboration(1)).await.unwrap(), None);
    let _b = ours(11, folder.path(), Some(address)).await;
    assert_eq!(bench.until_kept(1, 5).await.len(), 2);
    bench.stop().await;
}

/// The witness is at 5 and the driver, new, knows nothing of it: a conflict says where it is.
#[tokio::test]
async fn after_a_restart_it_goes_on_where_each_witness_is() {
    let folder = tempfile::tempdir().unwrap();
    let a = ours(10, folder.path(), None).await;
    let b = ours(11, folder.path(), None).await;
    let one = vec![(10, client(10, a.address))];
    let bench = Bench::start(Arc::default(), one, options(1));
    bench.append(1, 0, 5);
    bench.until_kept(1, 5).await;
    let logs = bench.stop().await;
    // The same checkpoint, with a second witness: the first one's line stays.
    let two = || vec![(10, client(10, a.address)), (11, client(11, b.address))];
    let bench = Bench::start(logs, two(), options(2));
    bench.until("both", |status| status.logs.values().any(|log| log.cosignatures == 2)).await;
    let both = async {
        while bench.kept(1, 5).await.len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, both).await.expect("the second line is kept too");
    assert_eq!(bench.status.read().witnesses[0].asked, 0);
    let logs = bench.stop().await;
    append(&logs, 1, 5, 40);
    let bench = Bench::start(logs, two(), options(2));
    assert_eq!(bench.until_kept(1, 40).await.len(), 2);
    assert_eq!(bench.status.read().witnesses[0].asked, 2, "a conflict and a cosignature");
    bench.stop().await;
}

#[tokio::test]
async fn witnesses_that_lie_are_not_kept_and_are_asked_ever_less() {
    let folder = tempfile::tempdir().unwrap();
    let good = ours(10, folder.path(), None).await;
    let (forger, _) = misbehaving(|_| async {
        support::cosigned(&support::request(9, 0, 1).encode(), 11, NOW).into_response()
    })
    .await;
    let (unsteady, asked) = misbehaving(|body: String| async move {
        let size = body.len() % 2;
        let kind = [("content-type", "text/x.tlog.size")];
        (StatusCode::CONFLICT, kind, format!("{size}\n")).into_response()
    })
    .await;
    let (ahead, _) = misbehaving(|_| async {
        let kind = [("content-type", "text/x.tlog.size")];
        (StatusCode::CONFLICT, kind, format!("{}\n", u64::MAX)).into_response()
    })
    .await;
    let clients = vec![
        (10, client(10, good.address)),
        (11, client(11, forger.address)),
        (12, client(12, unsteady.address)),
        (13, client(13, ahead.address)),
    ];
    let bench = Bench::start(Arc::default(), clients, options(1));
    bench.append(1, 0, 4);
    let kept = bench.until_kept(1, 4).await;
    assert_eq!(kept.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["witness.test/w10"]);
    bench.append(1, 4, 6);
    assert_eq!(bench.until_kept(1, 6).await.len(), 1);
    let errors = |status: &Status, n: usize| status.witnesses[n].last_error.clone();
    let all = |status: &Status| (1..4).all(|n| errors(status, n).is_some());
    let status = bench.until("found out", all).await;
    let expected = [
        "the witness's cosignature does not verify",
        "the witness says another size each time",
        "the witness cosigned 18446744073709551615 entries, more than were asked for",
    ];
    for (n, expected) in (1..).zip(expected) {
        assert_eq!(errors(&status, n).as_deref(), Some(expected));
        assert_eq!(status.witnesses[n].cosigned, 0);
    }
    let before = asked.load(Ordering::SeqCst);
    bench.until("asked again", |_| asked.load(Ordering::SeqCst) > before).await;
    bench.stop().await;
}

/// A witness is past the checkpoint that is out, which it can then never cosign: the next is put out.
#[tokio::test]
async fn a_target_that_a_witness_is_past_gives_way_to_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let a = ours(10, folder.path(), None).await;
    let b = ours(11, folder.path(), None).await;
    let past = client(11, b.address);
    past.add_checkpoint(&support::request(1, 0, 8), NOW).await.unwrap();
    let clients = vec![(10, client(10, a.address)), (11, client(11, b.address))];
    let bench = Bench::start(Arc::default(), clients, options(2));
    bench.append(1, 0, 5);
    bench.until("found out", |status| status.witnesses[1].last_error.is_some()).await;
    bench.append(1, 5, 8);
    assert_eq!(bench.until_kept(1, 8).await.len(), 2);
    bench.stop().await;
}

/// The whole of it on a store: appends wake the driver, and what it keeps is there when the store is
/// opened again.
#[tokio::test]
async fn a_store_s_logs_are_cosigned_as_they_are_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (ours(10, folder.path(), None).await, ours(11, folder.path(), None).await);
    let path = folder.path().join("log.db");
    let store = Arc::new(Store::open(&path).await.unwrap());
    let clients = vec![client(10, a.address), client(11, b.address)];
    let patient = Options { sweep: PATIENCE, ..options(2) };
    let driver = Driver::new(store.clone(), clients, &clock(), patient).unwrap();
    let (status, hint) = (driver.status(), driver.hint());
    let forwarding = store.clone();
    let tasks = [
        tokio::spawn(async move { forward_appends(&forwarding, hint).await }),
        tokio::spawn(driver.run(std::future::pending())),
    ];
    for (from, to) in [(0, 1), (1, 300), (300, 301)] {
        append_to_store(&store, 1, from, to).await;
        let kept = async {
            while status.read().logs.get(&collaboration(1)).is_none_or(|log| log.cosigned < to) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE / 2, kept).await.expect("woken by the append");
    }
    tasks.iter().for_each(JoinHandle::abort);
    store.close().await;
    let store = Store::open(&path).await.unwrap();
    let kept = store.cosigned(collaboration(1)).await.unwrap().unwrap();
    let opened = Checkpoint::open(&kept.checkpoint, &origin(1), key(1).public()).unwrap();
    assert_eq!((kept.size, opened.size), (301, 301));
    let policy = Policy::new(vec![witness(10), witness(11)], 2).unwrap();
    assert!(policy.is_met_by(&policy.verify(&kept.checkpoint).unwrap()));
}

/// Logs that can't keep anything for a while, and once say so although they did.
struct Failing {
    logs: InMemory,
    failures: AtomicUsize,
}

impl Logs for Failing {
    async fn heads(
        &self,
        after: Option<CollaborationId>,
    ) -> Result<Vec<(CollaborationId, u64)>, LogsError> {
        self.logs.heads(after).await
    }

    async fn head(&self, c: CollaborationId) -> Result<Option<Signed>, LogsError> {
        self.logs.head(c).await
    }

    async fn tiles(&self, c: CollaborationId, tiles: &[Tile]) -> Result<Tiles, LogsError> {
        self.logs.tiles(c, tiles).await
    }

    async fn cosigned(&self, c: CollaborationId) -> Result<Option<Signed>, LogsError> {
        self.logs.cosigned(c).await
    }

    async fn put_cosigned(&self, c: CollaborationId, signed: Signed) -> Result<bool, LogsError> {
        match self.failures.fetch_sub(1, Ordering::SeqCst) {
            0 => {
                self.failures.store(0, Ordering::SeqCst);
                return self.logs.put_cosigned(c, signed).await;
            }
            1 => drop(self.logs.put_cosigned(c, signed).await),
            _ => {}
        }
        Err(LogsError("can't be written".into()))
    }
}

#[tokio::test]
async fn a_cosigned_checkpoint_that_can_not_be_kept_is_kept_later_without_asking_again() {
    let folder = tempfile::tempdir().unwrap();
    let a = ours(10, folder.path(), None).await;
    let logs = Arc::new(Failing { logs: InMemory::default(), failures: AtomicUsize::new(3) });
    append(&logs.logs, 1, 0, 5);
    let clients = vec![client(10, a.address)];
    let driver = Driver::new(logs.clone(), clients, &clock(), options(1)).unwrap();
    let status = driver.status();
    let running = tokio::spawn(driver.run(std::future::pending()));
    let kept = async {
        while status.read().logs.get(&collaboration(1)).is_none_or(|log| log.cosigned < 5) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, kept).await.expect("kept in the end");
    assert_eq!(logs.failures.load(Ordering::SeqCst), 0);
    assert_eq!(status.read().witnesses[0].asked, 1);
    assert_eq!(logs.cosigned(collaboration(1)).await.unwrap().unwrap().size, 5);
    running.abort();
}
