//! A store, a carrier, and a real `nats-server` of the test's own.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use chancery_feed::{
    Client, ConnectOptions, Delivery, LogReader, PUBLISHER, Publisher, STREAM, StoreCursors,
    StreamOptions, Subscription, Wakeup, connect,
};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::merkle::Frontier;
use chancery_ledger::tile;
use chancery_store::{Append, NewEntry, Store};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Long enough for any step on a loaded machine.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// A sweep that doesn't come a second time during a test: only hints wake the subscription.
pub const NEVER: Duration = Duration::from_hours(1);
pub const SOON: Duration = Duration::from_millis(50);

pub type StoreSubscription = Subscription<Store, StoreCursors>;

pub fn collaboration(n: u128) -> CollaborationId {
    CollaborationId::new(Uuid::from_u128(n))
}

/// The bytes of the entry at `position`: `area.event` and who it is.
pub fn sealed(c: CollaborationId, position: u64) -> Vec<u8> {
    format!("tests.Counted {c} {position}").into_bytes()
}

pub async fn append(store: &Store, c: CollaborationId, count: u64) {
    let size = store.head(c).await.unwrap().map_or(0, |head| head.size);
    append_sealed(store, c, (size..size + count).map(|position| sealed(c, position)).collect())
        .await;
}

pub async fn append_sealed(store: &Store, c: CollaborationId, sealed: Vec<Vec<u8>>) {
    let expected_size = store.head(c).await.unwrap().map_or(0, |head| head.size);
    let width = u64::from(tile::WIDTH);
    let completes = (expected_size + sealed.len() as u64) / width > expected_size / width;
    // Only what completes a tile needs the tree, and reading it takes time.
    let mut tree = Frontier::default();
    if completes {
        let tiles = store.tiles(c, &tile::for_frontier(expected_size)).await.unwrap();
        tree = tile::frontier(expected_size, &tiles).unwrap();
    }
    let mut nodes = Vec::new();
    let entries = sealed
        .into_iter()
        .map(|sealed| NewEntry { leaf_hash: Digest::of(&sealed), sealed })
        .collect::<Vec<_>>();
    if completes {
        for entry in &entries {
            tree.append_noting(entry.leaf_hash, &mut nodes);
        }
    }
    let append = Append {
        collaboration: c,
        expected_size,
        entries,
        checkpoint: "checkpoint".into(),
        nodes,
        commands: Vec::new(),
        personal_keys: Vec::new(),
        erased: Vec::new(),
    };
    store.append(append).await.unwrap();
}

/// What stands before the first space, split at the first dot.
fn name(sealed: &[u8]) -> Option<(String, String)> {
    let words = std::str::from_utf8(sealed).ok()?.split(' ').next()?;
    words.split_once('.').map(|(area, event)| (area.to_owned(), event.to_owned()))
}

/// The next delivery, which must come in time.
pub async fn next<L: LogReader, C: chancery_feed::Cursors>(
    subscription: &mut Subscription<L, C>,
) -> Delivery {
    tokio::time::timeout(PATIENCE, subscription.next()).await.expect("no delivery in time").unwrap()
}

/// Takes deliveries until all of `sizes` are complete. Each must be the next of its collaboration.
pub async fn expect_all(
    subscription: &mut StoreSubscription,
    sizes: &BTreeMap<CollaborationId, u64>,
) {
    let mut seen: BTreeMap<CollaborationId, u64> = BTreeMap::new();
    while &seen != sizes {
        let delivery = next(subscription).await;
        let expected = seen.entry(delivery.collaboration).or_default();
        assert_eq!(delivery.position, *expected, "of {}", delivery.collaboration);
        assert_eq!(delivery.sealed, sealed(delivery.collaboration, *expected));
        *expected += 1;
        subscription.acknowledge(&delivery).await.unwrap();
    }
}

/// Waits, in time, for what only can be asked for.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let mut interval = tokio::time::interval(Duration::from_millis(10));
    let waiting = async {
        while !condition().await {
            interval.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

/// A store, and how its subscriptions are woken.
pub struct Rig {
    pub store: Store,
    /// None: in process.
    pub nats: Option<Nats>,
    pub folder: TempDir,
}

pub struct Nats {
    pub server: NatsServer,
    pub client: Client,
    pub publisher: JoinHandle<()>,
}

impl Rig {
    pub async fn in_process() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("log.db")).await.unwrap();
        Self { store, nats: None, folder }
    }

    pub async fn nats() -> Self {
        let mut rig = Self::in_process().await;
        let server = NatsServer::start(&rig.folder.path().join("nats"));
        let client = connect(&server.url(), ConnectOptions::new()).await.unwrap();
        let publisher = publish(&rig.store, &client);
        rig.nats = Some(Nats { server, client, publisher });
        rig
    }

    pub async fn subscribe(&self, consumer: &str, sweep: Duration) -> StoreSubscription {
        let consumer: chancery_feed::ConsumerName = consumer.parse().unwrap();
        let wakeup = match &self.nats {
            None => Wakeup::in_process(&self.store),
            Some(nats) => {
                let options = StreamOptions::default();
                Wakeup::nats(nats.client.clone(), consumer.clone(), options)
            }
        };
        let cursors = StoreCursors::new(self.store.clone(), consumer);
        Subscription::open(self.store.clone(), cursors, wakeup, sweep).await.unwrap()
    }

    pub fn client(&self) -> &Client {
        &self.nats.as_ref().unwrap().client
    }

    pub fn server(&mut self) -> &mut NatsServer {
        &mut self.nats.as_mut().unwrap().server
    }

    /// Waits until the publisher has had the acknowledgement of all `size` entries.
    pub async fn published(&self, c: CollaborationId, size: u64) {
        eventually("published", async || self.store.cursor(PUBLISHER, c).await.unwrap() == size)
            .await;
    }

    /// Ends the publisher in the middle of whatever it does, and starts another.
    pub async fn restart_publisher(&mut self) {
        let nats = self.nats.as_mut().unwrap();
        nats.publisher.abort();
        let _ = (&mut nats.publisher).await;
        nats.publisher = publish(&self.store, &nats.client);
    }

    /// What is in the stream: (subject, position, payload), in its order.
    pub async fn stream_content(&self) -> Vec<(String, Option<String>, Vec<u8>)> {
        let context = async_nats::jetstream::new(self.client().clone());
        let mut stream = context.get_stream(STREAM).await.unwrap();
        let state = stream.info().await.unwrap().state.clone();
        let mut messages = Vec::new();
        for sequence in state.first_sequence..=state.last_sequence {
            let message = stream.get_raw_message(sequence).await.unwrap();
            let position =
                message.headers.get(chancery_feed::POSITION_HEADER).map(ToString::to_string);
            messages.push((message.subject.to_string(), position, message.payload.to_vec()));
        }
        messages
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(nats) = &self.nats {
            nats.publisher.abort();
        }
    }
}

pub fn publish(store: &Store, client: &Client) -> JoinHandle<()> {
    let publisher = Publisher::new(store.clone(), client.clone(), PUBLISHER.parse().unwrap(), name);
    tokio::spawn(async move {
        let error = publisher.sweep_interval(NEVER).run().await;
        panic!("the publisher ended: {error:?}");
    })
}

/// A `nats-server` with `JetStream` on a free port. Killed when dropped.
pub struct NatsServer {
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl NatsServer {
    pub fn start(folder: &Path) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        Self { process: spawn(port, folder), port, folder: folder.to_owned() }
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts again on the same port, with what it had on disk.
    pub fn restart(&mut self) {
        self.process = spawn(self.port, &self.folder);
    }

    /// Loses all that it had on disk.
    pub fn wipe(&self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(port: u16, folder: &Path) -> Child {
    let binary = ["/usr/sbin/nats-server", "/usr/bin/nats-server", "/usr/local/bin/nats-server"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap_or("nats-server");
    let mut process = Command::new(binary)
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("nats-server can't be run ({error}); install it: apt-get install nats-server")
        });
    let (ready, is_ready) = mpsc::channel();
    let log = BufReader::new(process.stderr.take().unwrap());
    // Reads to the end, so that the server never waits for its own log.
    std::thread::spawn(move || {
        for line in log.lines().map_while(Result::ok) {
            if line.contains("Server is ready") {
                let _ = ready.send(());
            }
        }
    });
    is_ready.recv_timeout(PATIENCE).expect("nats-server is not ready in time");
    process
}
