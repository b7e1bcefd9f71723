//! A network of several nodes, as the client meets it over HTTPS: redirects to the primary, elections, nodes
//! that are gone or lack the ledger of before, and others that only claim to be of it. The nodes here are
//! what they answer, under certificates made here; `tests/contract.rs` and `tests/chaos.rs` take real ones.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chancery_ccf::txid::TxId;
use chancery_ledger::id::CollaborationId;
use chancery_mirror::{Ccf, Config, Credentials, Head, LedgerError, MirrorLedger as _};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

/// The identity of a network.
struct Service(CertifiedIssuer<'static, KeyPair>);

impl Service {
    fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }

    fn client(&self, nodes: &[&Node]) -> Ccf {
        let config = Config {
            nodes: nodes.iter().map(|node| node.url.clone()).collect(),
            service: self.0.pem(),
            credentials: Credentials::Token(Arc::new(|| "token".to_owned())),
            timeout: Duration::from_secs(5),
        };
        Ccf::new(config).unwrap()
    }
}

/// What a node does with a request.
#[derive(Clone)]
enum Way {
    /// Answers with this status and body.
    Says(u16, String),
    /// Sends on to the same path at another node.
    Redirects(String),
    /// Hangs up.
    Gone,
}

struct Node {
    url: String,
    way: Arc<Mutex<Way>>,
    /// The paths that were asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Node {
    async fn start(service: &Service, way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = Self {
            url: format!("https://{}", listener.local_addr().unwrap()),
            way: Arc::new(Mutex::new(way)),
            asked: Arc::default(),
        };
        let (acceptor, way, asked) =
            (service.acceptor(), Arc::clone(&node.way), Arc::clone(&node.asked));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // Whoever does not trust the certificate hangs up.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { break };
                    request.push(byte);
                }
                let line = String::from_utf8(request).unwrap();
                let path = line.split(' ').nth(1).unwrap().to_owned();
                asked.lock().unwrap().push(path.clone());
                let now = way.lock().unwrap().clone();
                let (status, headers, body) = match now {
                    Way::Gone => continue,
                    Way::Says(status, body) => (status, String::new(), body),
                    Way::Redirects(to) => (307, format!("location: {to}{path}\r\n"), String::new()),
                };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} -\r\n{headers}connection: close\r\n\
                     content-length: {length}\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
                let _ = stream.shutdown().await;
            }
        });
        node
    }

    fn set(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn log() -> CollaborationId {
    CollaborationId::new(Uuid::from_u128(1))
}

/// The answer of a primary: a log of that size.
fn head_of(size: u64) -> Way {
    Way::Says(200, format!(r#"{{"size":{size},"root":"{}"}}"#, "00".repeat(32)))
}

fn size(head: Result<Option<Head>, LedgerError>) -> u64 {
    head.unwrap().unwrap().size
}

fn error(code: &str) -> String {
    format!(r#"{{"error":{{"code":"{code}","message":"-"}}}}"#)
}

#[tokio::test]
async fn a_redirect_leads_to_the_primary_which_is_asked_from_then_on() {
    let service = Service::new();
    let primary = Node::start(&service, head_of(7)).await;
    let backup = Node::start(&service, Way::Redirects(primary.url.clone())).await;
    let network = service.client(&[&backup, &primary]);
    for _ in 0..3 {
        assert_eq!(size(network.head(log()).await), 7);
    }
    assert_eq!((backup.asked(), primary.asked()), (1, 3));
}

#[tokio::test]
async fn an_election_is_survived() {
    let service = Service::new();
    let one = Node::start(&service, head_of(1)).await;
    let two = Node::start(&service, Way::Redirects(one.url.clone())).await;
    let three = Node::start(&service, Way::Redirects(one.url.clone())).await;
    let network = service.client(&[&two, &three, &one]);
    assert_eq!(size(network.head(log()).await), 1);
    // The primary dies; until there is another one, the others have none to name.
    one.set(Way::Gone);
    for node in [&two, &three] {
        node.set(Way::Says(503, error("PrimaryNotFound")));
    }
    for _ in 0..3 {
        let failed = network.head(log()).await;
        assert!(matches!(failed, Err(LedgerError::Unavailable(_))), "{failed:?}");
    }
    three.set(head_of(2));
    two.set(Way::Redirects(three.url.clone()));
    let mut found = network.head(log()).await;
    for _ in 0..2 {
        if found.is_err() {
            found = network.head(log()).await;
        }
    }
    assert_eq!(size(found), 2);
    assert_eq!(size(network.head(log()).await), 2);
}

#[tokio::test]
async fn a_redirect_out_of_the_network_or_in_a_circle_is_refused() {
    let service = Service::new();
    let stranger = Node::start(&Service::new(), head_of(9)).await;
    let node = Node::start(&service, Way::Gone).await;
    let network = service.client(&[&node]);
    let reason = async |way: Way| {
        node.set(way);
        match network.head(log()).await {
            Err(LedgerError::Unavailable(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    let plain = Way::Redirects("http://127.0.0.1:1".to_owned());
    assert_eq!(reason(plain).await, "a redirect to nowhere");
    let why = reason(Way::Redirects(stranger.url.clone())).await;
    assert!(why.contains("not the service that is pinned"), "{why}");
    assert_eq!(stranger.asked(), 0, "it hears of no request");
    assert_eq!(reason(Way::Redirects(node.url.clone())).await, "redirected in a circle");
    node.set(head_of(3));
    assert_eq!(size(network.head(log()).await), 3);
}

#[tokio::test]
async fn receipts_come_from_a_node_that_has_the_ledger() {
    let service = Service::new();
    // The primary joined from a snapshot: it takes batches, and fetches the past for ever.
    let primary = Node::start(&service, Way::Says(202, String::new())).await;
    let empty = Node::start(&service, Way::Says(202, String::new())).await;
    let whole = Node::start(&service, Way::Says(200, "receipt".to_owned())).await;
    let network = service.client(&[&primary, &empty, &whole]);
    let transaction: TxId = "2.10".parse().unwrap();
    let mut tries = 0;
    let receipt = loop {
        tries += 1;
        assert!(tries < 100, "never");
        if let Some(receipt) = network.receipt(transaction).await.unwrap() {
            break receipt;
        }
    };
    assert_eq!(receipt, b"receipt");
    let before = (primary.asked(), empty.asked());
    assert_eq!(network.receipt(transaction).await.unwrap().unwrap(), b"receipt");
    assert_eq!((primary.asked(), empty.asked()), before, "it is asked from then on");
    // It dies: the others have it by now.
    whole.set(Way::Gone);
    primary.set(Way::Says(200, "the same".to_owned()));
    assert!(network.receipt(transaction).await.is_err());
    assert_eq!(network.receipt(transaction).await.unwrap().unwrap(), b"the same");
    // Everything else is asked of the primary all the while.
    primary.set(head_of(5));
    assert_eq!(size(network.head(log()).await), 5);
}

#[tokio::test]
async fn a_node_that_fetches_each_receipt_first_is_not_left() {
    let service = Service::new();
    let primary = Node::start(&service, Way::Gone).await;
    let other = Node::start(&service, Way::Says(202, String::new())).await;
    let network = service.client(&[&primary, &other]);
    let transaction: TxId = "2.10".parse().unwrap();
    for _ in 0..20 {
        primary.set(Way::Says(202, String::new()));
        assert_eq!(network.receipt(transaction).await.unwrap(), None);
        primary.set(Way::Says(200, "receipt".to_owned()));
        assert_eq!(network.receipt(transaction).await.unwrap().unwrap(), b"receipt");
    }
    assert_eq!(other.asked(), 0);
}
