//! A CCF network over HTTPS, with the application of `deploy/ccf`.
//!
//! TLS is pinned: the one root is the service certificate that was given, and a node's certificate
//! must lead to it. Redirects to the primary are followed by hand, a few times, with the same pin.
//! After a disaster recovery the network has another certificate: [`Ccf::with_successor`].

mod link;
mod succession;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chancery_ccf::certificate::{Certificate, CertificateError};
use chancery_ccf::receipt::RECEIPT_LEN_MAX;
use chancery_ccf::txid::TxId;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::batch::Batch;
use crate::port::{Accepted, Head, Kind, LedgerError, MirrorLedger, Refusal, Standing};
use link::{Link, Maker};
use succession::{NOT_ENDORSED, Views, leads_back};

/// Largest answer that is read: the longest receipt.
const ANSWER_LEN_MAX: usize = RECEIPT_LEN_MAX;
/// How many redirects are followed for one request.
const REDIRECTS_MAX: usize = 3;
/// How often in a row a node may say that it has yet to fetch a transaction before another one is asked: one that
/// joined from a snapshot, without the ledger files of before, says so for ever.
const FETCHES_MAX: usize = 8;
/// The header that names a transaction.
const TRANSACTION: &str = "x-ms-ccf-transaction-id";

/// CCF's code, with status 404, while it has no open application.
const NOT_OPEN: &str = "FrontendNotOpen";

/// How the mirror shows who it is.
#[derive(Clone)]
pub enum Credentials {
    /// A user's certificate and private key (PKCS#8 or SEC1), PEM, one after the other.
    Certificate(Vec<u8>),
    /// A bearer token, asked for anew with each request.
    Token(Arc<dyn Fn() -> String + Send + Sync>),
}

/// Which network, and how to reach it.
#[derive(Clone)]
pub struct Config {
    /// Its nodes, as in `https://ccf.example:8080`; one is enough.
    pub nodes: Vec<String>,
    /// The service certificate, PEM. All trust comes from it.
    pub service: String,
    /// Who we are.
    pub credentials: Credentials,
    /// For one request in all.
    pub timeout: Duration,
}

/// A configuration that is none.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No node, or one that is no HTTPS URL.
    #[error("the mirror's nodes are HTTPS URLs, one or more")]
    Nodes,
    /// Not the certificate of a CCF service.
    #[error("the service certificate is not that of a CCF service")]
    Service(#[source] CertificateError),
    /// Not a certificate and a key.
    #[error("the mirror's own certificate and key can't be used")]
    Credentials(#[source] reqwest::Error),
    /// TLS can't be set up.
    #[error("TLS can't be set up")]
    Tls(#[source] reqwest::Error),
}

/// Reads the service certificate that was handed over last, PEM.
type Successor = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The network.
pub struct Ccf {
    link: RwLock<Arc<Link>>,
    maker: Maker,
    successor: Option<Successor>,
    /// One at a time sees to a new service.
    succeeding: tokio::sync::Mutex<()>,
    nodes: Vec<String>,
    /// Which node is asked.
    node: AtomicUsize,
    /// Where a redirect has led, until it fails.
    primary: Mutex<Option<String>>,
    /// Nodes passed over for receipts, times [`FETCHES_MAX`], and how often in a row the one that is asked
    /// now had none at hand.
    fetches: AtomicUsize,
    token: Option<Arc<dyn Fn() -> String + Send + Sync>>,
}

struct Answer {
    status: StatusCode,
    transaction: Option<String>,
    body: Vec<u8>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorParts,
}

#[derive(Deserialize)]
struct ErrorParts {
    code: String,
    message: String,
}

#[derive(Deserialize)]
struct HeadBody {
    size: u64,
    root: String,
}

#[derive(Deserialize)]
struct BatchBody {
    first: u64,
    size: u64,
    root: String,
    transaction: Option<String>,
}

#[derive(Deserialize)]
struct StatusBody {
    status: String,
}

impl Ccf {
    /// Of that network. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let nodes: Vec<String> =
            config.nodes.iter().map(|node| node.trim_end_matches('/').to_owned()).collect();
        if nodes.is_empty() || !nodes.iter().all(|node| node.starts_with("https://")) {
            return Err(ConfigError::Nodes);
        }
        let service = Certificate::from_pem(&config.service).map_err(ConfigError::Service)?;
        let maker = Maker::new(&config)?;
        let link = maker.link(service, &[])?;
        let token = match config.credentials {
            Credentials::Certificate(_) => None,
            Credentials::Token(source) => Some(source),
        };
        Ok(Self {
            link: RwLock::new(Arc::new(link)),
            maker,
            successor: None,
            succeeding: tokio::sync::Mutex::default(),
            nodes,
            node: AtomicUsize::new(0),
            primary: Mutex::new(None),
            fetches: AtomicUsize::new(0),
            token,
        })
    }

    /// The same, which goes on with another service certificate where the network was recovered:
    /// `successor` is asked, when the pinned service is not met, for the one that was handed over
    /// since. It has to lead back to the pinned one.
    #[must_use]
    pub fn with_successor(
        mut self,
        successor: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.successor = Some(Arc::new(successor));
        self
    }

    fn link(&self) -> Arc<Link> {
        self.link.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, LedgerError> {
        self.ask_at(None, method, path, body).await
    }

    /// Asks that node, or where none is named the primary.
    async fn ask_at(
        &self,
        node: Option<&str>,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, LedgerError> {
        let met = self.link();
        let mut answer = self.ask_over(&met, node, method.clone(), path, body.clone()).await;
        if answer.is_err() && self.succeed(&met).await? {
            answer = self.ask_over(&self.link(), node, method, path, body).await;
        }
        let fails = match &answer {
            Ok(answer) => answer.status.is_server_error(),
            Err(_) => true,
        };
        if fails && node.is_none() {
            // An election, or a node that is gone: the next one may know.
            *self.primary() = None;
            self.node.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    /// Goes over to the service certificate that was handed over since `met` was made, if there is
    /// one and it leads back to the one of before; false where there is none.
    async fn succeed(&self, met: &Arc<Link>) -> Result<bool, LedgerError> {
        let Some(successor) = &self.successor else { return Ok(false) };
        let _one = self.succeeding.lock().await;
        if !Arc::ptr_eq(met, &self.link()) {
            return Ok(true);
        }
        let Some(service) = successor().and_then(|pem| Certificate::from_pem(&pem).ok()) else {
            return Ok(false);
        };
        let before = &met.services[0];
        if service == **before {
            return Ok(false);
        }
        let unusable = |_| LedgerError::Unavailable("TLS can't be set up".to_owned());
        let renewed = service.key().id() == before.key().id();
        let earlier = if renewed { &met.services[1..] } else { &met.services[..] };
        let link = Arc::new(self.maker.link(service, earlier).map_err(unusable)?);
        if !renewed {
            self.check_leads_back(&link, before).await?;
            tracing::warn!(
                before = %before.key().id(), now = %link.services[0].key().id(),
                "the mirror's network was recovered: it goes on under its new service certificate"
            );
        }
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = link;
        *self.primary() = None;
        Ok(true)
    }

    /// Looks for a transaction of the service before in the ledger of the one of `link`.
    async fn check_leads_back(&self, link: &Link, before: &Certificate) -> Result<(), LedgerError> {
        let get =
            |path: String| async move { self.ask_over(link, None, Method::GET, &path, None).await };
        let views: Views = get("/app/commit?view_history=true".to_owned()).await?.json()?;
        for first in views.newest() {
            let answer = get(format!("/app/receipt?transaction_id={first}")).await?;
            match answer.status {
                StatusCode::OK if leads_back(&answer.body, &link.services[0], before.key()) => {
                    return Ok(());
                }
                StatusCode::ACCEPTED => {
                    let fetched = "the new service has its old receipts fetched".to_owned();
                    return Err(LedgerError::Unavailable(fetched));
                }
                status if status.is_server_error() => return Err(answer.refusal()),
                _ => {}
            }
        }
        Err(LedgerError::Refused(Refusal {
            code: NOT_ENDORSED.to_owned(),
            message: "the service certificate does not lead back to the one of before".to_owned(),
        }))
    }

    async fn ask_over(
        &self,
        link: &Link,
        node: Option<&str>,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, LedgerError> {
        let primary = self.primary().clone();
        let base = node
            .or(primary.as_deref())
            .unwrap_or_else(|| self.numbered(self.node.load(Ordering::Relaxed)));
        let mut url = format!("{base}{path}");
        for _ in 0..=REDIRECTS_MAX {
            let mut request = link.http.request(method.clone(), &url);
            if let Some(body) = &body {
                request = request.header(CONTENT_TYPE, "application/cbor").body(body.clone());
            }
            if let Some(token) = &self.token {
                request = request.bearer_auth(token());
            }
            let response = request.send().await.map_err(|error| unreachable(&error))?;
            let header = |name: &str| {
                let value = response.headers().get(name)?;
                value.to_str().ok().map(str::to_owned)
            };
            if !response.status().is_redirection() {
                let (status, transaction) = (response.status(), header(TRANSACTION));
                return Ok(Answer { status, transaction, body: bounded(response).await? });
            }
            let location = header(LOCATION.as_str());
            url = location
                .filter(|location| location.starts_with("https://"))
                .ok_or_else(|| LedgerError::Unavailable("a redirect to nowhere".to_owned()))?;
            *self.primary() = url.strip_suffix(path).map(str::to_owned);
        }
        Err(LedgerError::Unavailable("redirected in a circle".to_owned()))
    }

    fn numbered(&self, number: usize) -> &str {
        &self.nodes[number % self.nodes.len()]
    }

    fn primary(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.primary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<(Answer, T), LedgerError> {
        let answer = self.ask(Method::GET, path, None).await?;
        let body = answer.json()?;
        Ok((answer, body))
    }
}

impl Answer {
    /// The JSON of a success.
    fn json<T: DeserializeOwned>(&self) -> Result<T, LedgerError> {
        if self.status != StatusCode::OK {
            return Err(self.refusal());
        }
        serde_json::from_slice(&self.body).map_err(|_| LedgerError::Nonsense("another JSON"))
    }

    /// What an answer that is no success says.
    fn refusal(&self) -> LedgerError {
        let said = serde_json::from_slice::<ErrorBody>(&self.body);
        match said {
            // The application's codes are in lower case, CCF's are not.
            // After a start or a recovery, until the members have opened the service.
            Ok(ErrorBody { error }) if error.code == NOT_OPEN => {
                LedgerError::Unavailable(error.code)
            }
            Ok(ErrorBody { error: ErrorParts { code, message } })
                if (self.status.is_client_error()
                    && self.status != StatusCode::TOO_MANY_REQUESTS)
                    || code.starts_with(|first: char| first.is_ascii_lowercase()) =>
            {
                LedgerError::Refused(Refusal { code, message })
            }
            Ok(ErrorBody { error }) => LedgerError::Unavailable(error.code),
            Err(_) => LedgerError::Unavailable(format!("status {}", self.status.as_u16())),
        }
    }
}

/// What went wrong on the way, without addresses in it.
fn unreachable(error: &reqwest::Error) -> LedgerError {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "not reached, or not the service that is pinned"
    } else {
        "cut off"
    };
    LedgerError::Unavailable(what.to_owned())
}

async fn bounded(mut response: reqwest::Response) -> Result<Vec<u8>, LedgerError> {
    let mut read = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if read.len() + chunk.len() > ANSWER_LEN_MAX {
            return Err(LedgerError::Nonsense("an answer that is too long"));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}

fn digest(text: &str) -> Result<Digest, LedgerError> {
    format!("sha256:{text}").parse().map_err(|_| LedgerError::Nonsense("a digest"))
}

fn accepted(body: &BatchBody, header: Option<&String>) -> Result<Accepted, LedgerError> {
    let transaction = body.transaction.as_ref().or(header);
    let transaction =
        transaction.ok_or(LedgerError::Nonsense("a batch without its transaction"))?;
    Ok(Accepted {
        first: body.first,
        size: body.size,
        root: digest(&body.root)?,
        transaction: transaction.parse().map_err(|_| LedgerError::Nonsense("a transaction id"))?,
    })
}

impl MirrorLedger for Ccf {
    fn kind(&self) -> Kind {
        Kind::Ccf
    }

    fn services(&self) -> Vec<Arc<Certificate>> {
        self.link().services.clone()
    }

    async fn head(&self, c: CollaborationId) -> Result<Option<Head>, LedgerError> {
        match self.get::<HeadBody>(&format!("/app/collaborations/{c}")).await {
            Ok((_, body)) => Ok(Some(Head { size: body.size, root: digest(&body.root)? })),
            Err(LedgerError::Refused(refusal)) if refusal.code == "unknown-collaboration" => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn push(&self, batch: &Batch) -> Result<Accepted, LedgerError> {
        let path = format!("/app/collaborations/{}/batches", batch.collaboration);
        let answer = self.ask(Method::POST, &path, Some(batch.encode())).await?;
        accepted(&answer.json()?, answer.transaction.as_ref())
    }

    async fn batch_of(&self, c: CollaborationId, position: u64) -> Result<Accepted, LedgerError> {
        let path = format!("/app/collaborations/{c}/batches?position={position}");
        let (_, body) = self.get::<BatchBody>(&path).await?;
        accepted(&body, None)
    }

    async fn standing(&self, transaction: TxId) -> Result<Standing, LedgerError> {
        let path = format!("/app/tx?transaction_id={transaction}");
        let (_, body) = self.get::<StatusBody>(&path).await?;
        match body.status.as_str() {
            "Unknown" => Ok(Standing::Unknown),
            "Pending" => Ok(Standing::Pending),
            "Committed" => Ok(Standing::Committed),
            "Invalid" => Ok(Standing::Invalid),
            _ => Err(LedgerError::Nonsense("a transaction's status")),
        }
    }

    async fn receipt(&self, transaction: TxId) -> Result<Option<Vec<u8>>, LedgerError> {
        let path = format!("/app/receipt?transaction_id={transaction}");
        let passed = self.fetches.load(Ordering::Relaxed) / FETCHES_MAX;
        let node = passed.checked_sub(1).map(|number| self.numbered(number));
        let answer = self.ask_at(node, Method::GET, &path, None).await;
        if node.is_some() && !answer.as_ref().is_ok_and(|answer| answer.status.is_success()) {
            self.fetches.store((passed + 1) * FETCHES_MAX, Ordering::Relaxed);
        }
        let answer = answer?;
        match answer.status {
            StatusCode::OK => {
                self.fetches.store(passed * FETCHES_MAX, Ordering::Relaxed);
                Ok(Some(answer.body))
            }
            StatusCode::ACCEPTED => {
                self.fetches.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
            _ => match answer.refusal() {
                LedgerError::Refused(refusal) if refusal.code == "TransactionPendingOrUnknown" => {
                    Ok(None)
                }
                error => Err(error),
            },
        }
    }
}
