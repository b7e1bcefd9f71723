//! A server process: its data folder, its parts, and their end.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use axum::Router;
use chancery_attestation::{insecure_virtual, service};
use chancery_commands::clock;
use chancery_commands::identity::{TrustedIssuer, Verifier};
use chancery_commands::logs::Logs;
use chancery_commands::writer::Writers;
use chancery_commands::{App, ExecutorIdentity, Parts};
use chancery_feed::{ConnectOptions, PUBLISHER, Publisher};
use chancery_governance::event::Event;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;
use chancery_ledger::note::LogKey;
use chancery_projections::{Projector, Views};
use chancery_store::Store;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::database::{self, DatabaseUrl, VIEWS_FILE};
use super::witnesses::Witnesses;
use super::{keys, mirror, moving, trust};
use crate::private_file;

/// What a server needs.
pub struct Settings {
    /// Where everything of it lies.
    pub data_dir: PathBuf,
    /// Its name: the first part of each log's origin.
    pub name: String,
    /// The issuers whose tokens it takes.
    pub issuers: Vec<TrustedIssuer>,
    /// The identity under which the executor reports.
    pub executor: Option<ExecutorIdentity>,
    /// NATS, where there is one.
    pub nats: Option<String>,
    /// The PostgreSQL database with the log, where it is not in the data folder.
    pub database: Option<DatabaseUrl>,
    /// Who cosigns the logs.
    pub witnesses: Witnesses,
    /// What mirrors them.
    pub mirror: mirror::Wanted,
    /// The public address that stores know it by as an issuer of tokens, if they do.
    pub token_issuer: Option<String>,
}

/// A server that is put together and not yet listening.
pub struct Node {
    /// The log.
    pub store: Store,
    /// The API.
    pub router: Router,
    /// The id of the key that seals.
    pub key_id: Digest,
    /// The ids of all keys that are there, older ones too.
    pub key_ids: Vec<Digest>,
    tasks: JoinSet<()>,
    /// Keeps them from being deleted.
    _keys: keys::InUse,
}

/// An HTTP client for issuers and services: TLS by ring, no redirects.
///
/// # Errors
///
/// Where TLS can't be set up.
pub fn http_client() -> anyhow::Result<reqwest::Client> {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    client.build().context("can't set up an HTTP client")
}

/// The SHA-256 of this very program: what the virtual evidence of the service says it measured.
fn own_measurement() -> anyhow::Result<Digest> {
    let path = std::env::current_exe().context("can't find this program")?;
    let bytes = std::fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
    Ok(Digest::of(&bytes))
}

/// Which feed subject an entry goes under: its area and event type.
fn subject_of(sealed: &[u8]) -> Option<(String, String)> {
    let sealed = Sealed::parse(sealed.to_vec()).ok()?;
    let kind = &sealed.entry().kind;
    Some((Event::area_of(kind)?.to_owned(), kind.clone()))
}

/// Opens the views of a data folder.
///
/// # Errors
///
/// Where the database can't be opened.
pub async fn open_views(data_dir: &Path) -> anyhow::Result<Views> {
    Views::open(&data_dir.join(VIEWS_FILE)).await.context("can't open the views")
}

impl Node {
    /// Opens the data folder and starts what runs beside the API.
    ///
    /// # Errors
    ///
    /// Where a part can't be opened.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        private_file::folder(&settings.data_dir)?;
        let keys = keys::take(&settings.data_dir)?;
        let key = keys.keyring.current().public().clone();
        let store = database::open(&settings.data_dir, settings.database.as_ref()).await?;
        let views = open_views(&settings.data_dir).await?;
        let bound = service::report_data(&settings.name, &key);
        let evidence = insecure_virtual::evidence(own_measurement()?, bound);
        let verifier = Verifier::new(settings.issuers, http_client()?)
            .context("an issuer is not acceptable")?;
        let mut tasks = JoinSet::new();
        let projector = Projector::new(store.clone(), views.clone());
        tasks.spawn(async move { projector.run(std::future::pending()).await });
        if let Some(url) = &settings.nats {
            let client = chancery_feed::connect(url, ConnectOptions::default()).await?;
            let publisher = Publisher::new(store.clone(), client, PUBLISHER.parse()?, subject_of);
            tasks.spawn(async move {
                let error = publisher.run().await;
                tracing::error!(%error, "the feed stopped publishing");
            });
        }
        settings.witnesses.follow(&store, &mut tasks)?;
        let (name, data_dir) = (&settings.name, &settings.data_dir);
        let mirror = settings.mirror.follow(name, data_dir, &store, &mut tasks)?;
        if let Ok(log_key) = LogKey::new(&settings.name, key.clone()) {
            tracing::info!(verifier_key = %log_key, "what witnesses must know of the logs");
        }
        let app = App::new(Parts {
            logs: Logs::new(store.clone(), keys.keyring.clone(), settings.name),
            writers: Writers::default(),
            mirror,
            views,
            verifier,
            executor: settings.executor,
            evidence,
            clock: clock::system(),
            trust: trust::take(&settings.data_dir)?,
            token_issuer: settings.token_issuer,
        });
        if !keys.older.is_empty() {
            tasks.spawn(moving::move_logs(app.clone()));
        }
        let (router, key_id) = (chancery_commands::router(app), key.id());
        let key_ids = std::iter::once(key_id).chain(keys.older.iter().copied()).collect();
        Ok(Self { store, router, key_id, key_ids, tasks, _keys: keys })
    }

    /// Serves until `stop` resolves, then ends requests under way and closes the log.
    ///
    /// # Errors
    ///
    /// Where the listener fails.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let served = axum::serve(listener, self.router).with_graceful_shutdown(stop).await;
        self.tasks.shutdown().await;
        self.store.close().await;
        served.context("the server failed")
    }
}

/// Binds the address, with a clear error where it is taken.
///
/// # Errors
///
/// Where it can't be bound.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("can't listen on {address}"))
}

/// Resolves on SIGTERM or SIGINT.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
