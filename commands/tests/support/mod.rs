//! The whole service in one process: real database, views, issuer and HTTP on a loopback port, with
//! a clock that is set. Each test ends with [`Service::finish`].

pub mod answer;
pub mod commands;
pub mod executor;
pub mod fixtures;
pub mod mirror;
pub mod person;
pub mod room;
pub mod secrets;
pub mod tokens;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use chancery_attestation::{insecure_virtual, service};
use chancery_audit::Verdict;
use chancery_commands::clock::Clock;
use chancery_commands::dev_issuer::{
    AUDIENCE, DevIssuer, DevIssuerParts, DevKey, EXECUTOR_SUBJECT, TENANT_CLAIM,
};
use chancery_commands::identity::{TrustedIssuer, Verifier};
use chancery_commands::keyring::Keyring;
use chancery_commands::logs::Logs;
use chancery_commands::writer::Writers;
use chancery_commands::{App, ExecutorIdentity, Parts};
use chancery_governance::event::Event;
use chancery_governance::log;
use chancery_governance::state::{Collaboration, State};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::key::SigningKey;
use chancery_projections::{Projector, Views};
use chancery_store::Store;
use ring::rand::{SecureRandom as _, SystemRandom};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use answer::{Answer, Call};
use mirror::Gate;
use person::Person;

/// The service's name.
pub const NAME: &str = "chancery.test";
/// When tests begin: 2026-01-01T00:00:00Z.
pub const START_MS: u64 = 1_767_225_600_000;
/// What stores know the service by as an issuer.
pub const ISSUER: &str = "https://chancery.test";
/// The executor's secret.
pub const SECRET: &str = "a secret of the executor, of 32 bytes or more";
/// Longer than anything here takes; reached only by a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A service under test. Clones are the same service.
#[derive(Clone)]
pub struct Service(Arc<Running>);

/// What a service is made of.
pub struct Running {
    /// `http://127.0.0.1:<port>`.
    pub origin: String,
    /// A client without redirects and proxies.
    pub http: reqwest::Client,
    /// The log.
    pub store: Store,
    /// The views.
    pub views: Views,
    /// The key that seals new logs.
    pub key: Arc<SigningKey>,
    /// The service itself.
    pub app: App,
    issuer: Arc<Issuer>,
    world: World,
    tasks: Vec<JoinHandle<()>>,
    finished: AtomicBool,
}

/// What outlives a service.
#[derive(Clone)]
struct World {
    clock: Arc<AtomicU64>,
    ids: Arc<AtomicU64>,
    folder: Arc<TempDir>,
    issuer: Option<Arc<Issuer>>,
    mirror: Option<Arc<Gate>>,
}

impl std::ops::Deref for Service {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.0
    }
}

/// The key of that seed.
pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

/// The development issuer, on a port of its own: it outlives services.
struct Issuer {
    base_url: String,
    key: Vec<u8>,
    task: JoinHandle<()>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn reading(clock: &Arc<AtomicU64>) -> Clock {
    let clock = Arc::clone(clock);
    Arc::new(move || clock.load(Ordering::SeqCst))
}

impl Issuer {
    async fn start(clock: &Arc<AtomicU64>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/dev/issuer", listener.local_addr().unwrap());
        let key = tokens::new_key();
        let system = SystemRandom::new();
        let issuer = DevIssuer::new(DevIssuerParts {
            base_url: base_url.clone(),
            executor_secret: SECRET.to_owned(),
            key: DevKey::from_pkcs8(&key).unwrap(),
            now_ms: reading(clock),
            random: Arc::new(move |bytes| system.fill(bytes)),
        });
        let router = Router::new().nest("/dev/issuer", Arc::new(issuer.unwrap()).router());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base_url, key, task }
    }

    fn trusted(&self) -> TrustedIssuer {
        TrustedIssuer {
            issuer: self.base_url.clone(),
            audience: AUDIENCE.to_owned(),
            tenant_claim: Some(TENANT_CLAIM.to_owned()),
            emails_verified_in_tenant: false,
        }
    }
}

impl Service {
    /// A service with an empty log.
    pub async fn start() -> Self {
        // A second test of the process finds it installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let world = World {
            clock: Arc::new(AtomicU64::new(START_MS)),
            ids: Arc::new(AtomicU64::new(1)),
            folder: Arc::new(tempfile::tempdir().unwrap()),
            issuer: None,
            mirror: None,
        };
        Self::open(world, &[200]).await
    }

    /// A service with an empty log whose logs are mirrored, as far as the gate lets them.
    pub async fn mirrored() -> (Self, Arc<Gate>) {
        let service = Self::start().await;
        service.stop();
        let gate = Arc::new(Gate::new());
        let world = World { mirror: Some(Arc::clone(&gate)), ..service.world.clone() };
        (Self::open(world, &[200]).await, gate)
    }

    /// Another service over the same folder, clock and issuer: this one after a restart, or a
    /// rival of it.
    pub async fn again(&self) -> Self {
        Self::open(self.world.clone(), &[200]).await
    }

    /// This service after a restart with keys of these seeds, newest first.
    pub async fn with_keys(&self, seeds: &[u8]) -> Self {
        Self::open(self.world.clone(), seeds).await
    }

    async fn open(mut world: World, seeds: &[u8]) -> Self {
        let issuer = match world.issuer.take() {
            Some(issuer) => issuer,
            None => Arc::new(Issuer::start(&world.clock).await),
        };
        world.issuer = Some(Arc::clone(&issuer));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let http = client.no_proxy().build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let keys: Vec<_> = seeds.iter().map(|seed| Arc::new(key(*seed))).collect();
        let key = Arc::clone(&keys[0]);
        let keyring = keys[1..]
            .iter()
            .fold(Keyring::new(Arc::clone(&key)), |ring, older| ring.with_older(Arc::clone(older)));
        let store = Store::open(&world.folder.path().join("log.db")).await.unwrap();
        let views = Views::open(&world.folder.path().join("views.db")).await.unwrap();
        let bound = service::report_data(NAME, key.public());
        let (mirror, mut tasks) = mirror::follow(world.mirror.as_ref(), &store);
        let app = App::new(Parts {
            logs: Logs::new(store.clone(), keyring, NAME.to_owned()),
            writers: Writers::default(),
            mirror,
            views: views.clone(),
            executor: Some(ExecutorIdentity {
                issuer: issuer.base_url.clone(),
                subject: EXECUTOR_SUBJECT.to_owned(),
            }),
            verifier: Verifier::new(vec![issuer.trusted()], http.clone()).unwrap(),
            evidence: insecure_virtual::evidence(Digest::of(b"the service"), bound),
            clock: reading(&world.clock),
            trust: secrets::trust_keys(),
            token_issuer: Some(ISSUER.to_owned()),
        });
        let router = chancery_commands::router(app.clone());
        let projector = Projector::new(store.clone(), views.clone());
        tasks.push(tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }));
        tasks.push(tokio::spawn(async move { projector.run(std::future::pending()).await }));
        let finished = AtomicBool::new(false);
        Self(Arc::new(Running {
            origin,
            http,
            store,
            views,
            key,
            app,
            issuer,
            world,
            tasks,
            finished,
        }))
    }

    /// The issuer's `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer.base_url
    }

    /// The issuer's private key, to make tokens that it would not.
    pub fn issuer_key(&self) -> &[u8] {
        &self.issuer.key
    }

    /// The folder with the databases.
    pub fn folder(&self) -> &Path {
        self.world.folder.path()
    }

    /// Every file in the folder.
    pub fn files(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.folder()).unwrap().map(|file| file.unwrap().path()).collect()
    }

    /// The time.
    pub fn now_ms(&self) -> u64 {
        self.world.clock.load(Ordering::SeqCst)
    }

    /// Lets time pass.
    pub fn advance(&self, ms: u64) {
        self.world.clock.fetch_add(ms, Ordering::SeqCst);
    }

    /// A command id that nobody used: a UUIDv7.
    pub fn id(&self) -> CommandId {
        let number = self.world.ids.fetch_add(1, Ordering::SeqCst);
        CommandId::new(Uuid::from_u128(
            0x0194_1f29_7c00_7000_8000_0000_0000_0000 | u128::from(number),
        ))
    }

    /// Signs one of the demo people in, by code and PKCE.
    pub async fn person(&self, email: &str) -> Person {
        Person::sign_in(self, email).await
    }

    /// Sends a request.
    pub async fn send(&self, call: Call) -> Answer {
        Answer::of(call.request(self).send().await.unwrap()).await
    }

    /// Sends a request that must be refused without a trace: a problem document with this status and
    /// code, and no log that grew.
    pub async fn refuses(&self, call: Call, status: u16, code: &str) -> Answer {
        let before = self.sizes().await;
        let answer = self.send(call).await;
        answer.assert_problem(status, code);
        assert_eq!(self.sizes().await, before, "{code}: something was appended");
        answer
    }

    /// The sizes of all logs.
    pub async fn sizes(&self) -> BTreeMap<CollaborationId, u64> {
        self.store.heads(None, chancery_store::PAGE_MAX).await.unwrap().into_iter().collect()
    }

    /// The sealed entries of a log. The audit at the end checks their seals.
    pub async fn entries(&self, collaboration: CollaborationId) -> Vec<Sealed> {
        let mut entries = Vec::new();
        loop {
            let page = self.store.range(collaboration, entries.len() as u64, 500).await.unwrap();
            if page.is_empty() {
                return entries;
            }
            entries.extend(page.into_iter().map(|it| Sealed::parse(it.sealed).unwrap()));
        }
    }

    /// The events of a log.
    pub async fn events(&self, collaboration: CollaborationId) -> Vec<Event> {
        self.entries(collaboration).await.iter().map(|entry| log::read(entry).unwrap().1).collect()
    }

    /// What a log adds up to, folded here.
    pub async fn state(&self, collaboration: CollaborationId) -> Collaboration {
        let mut state = State::Absent;
        for entry in self.entries(collaboration).await {
            state = log::fold(state, &entry).unwrap();
        }
        state.collaboration().unwrap().clone()
    }

    /// What an auditor says of a log, straight from the store.
    pub async fn audit(&self, collaboration: CollaborationId) -> Verdict {
        let head = self.store.head(collaboration).await.unwrap().unwrap();
        let entries = self.entries(collaboration).await;
        let Event::CollaborationCreated(created) = log::read(&entries[0]).unwrap().1 else {
            panic!("a log begins with its creation")
        };
        let header = chancery_audit::bundle::Header {
            collaboration,
            origin: chancery_governance::state::origin(NAME, collaboration),
            service_key: created.service_key,
            size: head.size,
            exported_at_ms: self.now_ms(),
        };
        let mut writer = chancery_audit::bundle::Writer::new(Vec::new(), &header).unwrap();
        for entry in &entries {
            writer.push(entry.bytes()).unwrap();
        }
        let bundle = writer.finish(&head.checkpoint).unwrap();
        let options = chancery_audit::Options {
            service_key: Some(self.key.public().id()),
            ..chancery_audit::Options::default()
        };
        chancery_audit::verify(&bundle[..], &options).verdict
    }

    /// Ends a test: every log must verify as an auditor does it, and the views show it to its end.
    pub async fn finish(&self) {
        for (collaboration, size) in self.sizes().await {
            self.views.wait_for(collaboration, size - 1, PATIENCE).await.unwrap();
            assert_eq!(self.views.size(collaboration), size, "the views are past the log");
            assert_eq!(self.audit(collaboration).await, Verdict::Verified, "{collaboration}");
        }
        assert_eq!(self.views.health().halted, []);
        self.stop();
    }

    /// Ends the service as a process ends, without looking at what was done.
    pub fn stop(&self) {
        self.finished.store(true, Ordering::SeqCst);
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let finished = self.finished.load(Ordering::SeqCst);
        assert!(finished || std::thread::panicking(), "a test did not finish its service");
    }
}
