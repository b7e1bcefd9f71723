//! A log that signs, and witnesses over real HTTP: ours, and ones that misbehave.

#![allow(dead_code, reason = "not every test takes all of it")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use axum::routing::post;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle::{self, Frontier, leaf_hash};
use chancery_ledger::note::{Checkpoint, LogKey, Note, Witness, cosign};
use chancery_store::{Append, NewEntry, Store};
use chancery_witness::{AddCheckpoint, Client, Clock, Service, State, serve};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub const SERVICE: &str = "chancery.test";
pub const NOW: u64 = 1_735_689_600;
pub const TIMEOUT: Duration = Duration::from_secs(5);

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

pub fn clock() -> Clock {
    Arc::new(|| NOW)
}

pub fn http() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    client.no_proxy().build().unwrap()
}

pub fn collaboration(n: u8) -> CollaborationId {
    format!("01941f29-7c00-7000-8000-0000000000{n:02x}").parse().unwrap()
}

pub fn origin(n: u8) -> String {
    format!("{SERVICE}/{}", collaboration(n))
}

pub fn leaves(count: u64) -> Vec<Digest> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

/// The checkpoint of log `n` at `size`, signed by the service.
pub fn note(n: u8, size: u64) -> String {
    sign(n, size, merkle::root(&leaves(size)))
}

pub fn sign(n: u8, size: u64, root: Digest) -> String {
    Checkpoint { origin: origin(n), size, root }.sign(&key(1))
}

pub fn request(n: u8, old: u64, new: u64) -> AddCheckpoint {
    let proof = merkle::consistency_proof(&leaves(new), old).unwrap();
    AddCheckpoint { old, proof, note: note(n, new) }
}

pub fn witness(seed: u8) -> Witness {
    Witness::new(&format!("witness.test/w{seed}"), key(seed).public().clone()).unwrap()
}

pub fn client(seed: u8, address: SocketAddr) -> Client {
    Client::new(http(), &format!("http://{address}"), witness(seed), TIMEOUT)
}

/// A server on threads of its own, until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Server {
    /// Runs what `start` makes of a listener at `address`, or any.
    async fn start<F, S>(address: Option<SocketAddr>, start: F) -> Self
    where
        F: FnOnce(TcpListener) -> S + Send + 'static,
        S: Future<Output = ()> + Send,
    {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let bound = runtime.spawn(async move { listener(address) }).await.unwrap();
        let address = bound.local_addr().unwrap();
        runtime.spawn(async move { start(bound).await });
        Self { address, runtime: Some(runtime) }
    }

    /// Stops it wherever it is, its connections too, and frees its address.
    pub async fn kill(mut self) -> SocketAddr {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(TIMEOUT)).await.unwrap();
        self.address
    }
}

fn listener(address: Option<SocketAddr>) -> TcpListener {
    let address = address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    // Connections of the one before may linger on the same port.
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(128).unwrap()
}

/// Our witness with its state in `folder`, at a given address or any.
pub async fn ours(seed: u8, folder: &Path, address: Option<SocketAddr>) -> Server {
    let path = folder.join(format!("{seed}.db"));
    Server::start(address, move |listener| async move {
        let state = State::open(&path).await.unwrap();
        let logs = vec![LogKey::new(SERVICE, key(1).public().clone()).unwrap()];
        let name = witness(seed).name().to_owned();
        let service = Arc::new(Service::new(&name, key(seed), logs, state, clock()).unwrap());
        serve(listener, service, std::future::pending()).await.unwrap();
    })
    .await
}

/// A witness that answers each request by `answer`, and how often it was asked.
pub async fn misbehaving<F, R>(answer: F) -> (Server, Arc<AtomicUsize>)
where
    F: Fn(String) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response> + Send,
{
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let handler = move |body: String| {
        count.fetch_add(1, Ordering::SeqCst);
        let answer = answer.clone();
        async move { answer(body).await }
    };
    let router = Router::new().route("/add-checkpoint", post(handler));
    let serve = |listener| async { axum::serve(listener, router).await.unwrap() };
    (Server::start(None, serve).await, asked)
}

/// A right answer of the witness `seed` to a request, at a time of its choice.
pub fn cosigned(body: &str, seed: u8, time: u64) -> String {
    let request = AddCheckpoint::parse(body.as_bytes()).unwrap();
    let text = Note::parse(&request.note).unwrap().text().to_owned();
    cosign(&text, witness(seed).name(), &key(seed), time)
}

/// Appends leaves `from..to` of log `n` to a store, as its writer would.
pub async fn append_to_store(store: &Store, n: u8, from: u64, to: u64) {
    let (mut tree, mut nodes) = (Frontier::default(), Vec::new());
    tree.extend(leaves(from));
    let entry = |n: u64| {
        let sealed = n.to_be_bytes().to_vec();
        NewEntry { leaf_hash: leaf_hash(&sealed), sealed }
    };
    let entries: Vec<_> = (from..to).map(entry).collect();
    for entry in &entries {
        tree.append_noting(entry.leaf_hash, &mut nodes);
    }
    let append = Append {
        collaboration: collaboration(n),
        expected_size: from,
        entries,
        nodes,
        checkpoint: sign(n, to, tree.root()),
        commands: vec![],
        personal_keys: vec![],
        erased: vec![],
    };
    store.append(append).await.unwrap();
}
