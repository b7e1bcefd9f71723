//! Signature transactions: what stands in their tables, and their verification on all cores.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_ledger::digest::Digest;
use serde::Deserialize;

use crate::certificate::Certificate;
use crate::cose::RootSignature;
use crate::key::EcKey;
use crate::leaf::digest_of_hex;
use crate::tree::{Root, read_compact};
use crate::txid::TxId;
use crate::verdict::{Check, Finding};

/// Signatures that wait for a core, for each core.
const WAITING_PER_CORE: usize = 16;

/// What `public:ccf.internal.signatures` holds.
pub struct NodeRecord {
    /// The node's id.
    pub node: String,
    /// The transaction that it says it is.
    pub id: TxId,
    /// The root that is signed.
    pub root: Digest,
    /// The signature, DER.
    pub signature: Vec<u8>,
    /// The node's certificate, where it is in it.
    pub certificate: Option<Certificate>,
}

#[derive(Deserialize)]
struct Json {
    node: String,
    seqno: u64,
    view: u64,
    root: String,
    sig: String,
    cert: Option<String>,
}

impl NodeRecord {
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let json: Json = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let certificate = json.cert.filter(|pem| !pem.is_empty());
        let certificate = certificate.map(|pem| Certificate::from_pem(&pem)).transpose();
        Ok(Self {
            node: json.node,
            id: TxId::new(json.view, json.seqno),
            root: digest_of_hex(&json.root).ok_or("the root is not 64 hex digits")?,
            signature: STANDARD.decode(json.sig).map_err(|_| "the signature is not base64")?,
            certificate: certificate.map_err(|error| format!("its certificate: {error}"))?,
        })
    }
}

/// Bytes in base64 in a JSON string.
pub fn base64_in_json(json: &[u8]) -> Result<Vec<u8>, String> {
    let text: String = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    STANDARD.decode(text).map_err(|_| "it is not base64".to_owned())
}

/// Something to verify of the signature transaction of that number.
pub struct Job {
    pub seqno: u64,
    pub what: What,
}

pub enum What {
    /// A node's signature.
    Node(EcKey, Root, Vec<u8>),
    /// The service's.
    Service(EcKey, Box<RootSignature>, Digest),
    /// The tree, which must have so many leaves and that root.
    Tree(Vec<u8>, u64, Digest),
}

impl Job {
    fn run(&self) -> Option<Finding> {
        let found = |check, detail| Some(Finding::at(check, self.seqno, detail));
        match &self.what {
            What::Node(key, root, signature) => {
                let verified = key.verify_root(root, signature);
                verified.err().and_then(|error| found(Check::NodeSignature, error.to_string()))
            }
            What::Service(key, signature, root) => {
                let verified = signature.verify(root, key);
                verified.err().and_then(|error| found(Check::ServiceSignature, error.to_string()))
            }
            What::Tree(bytes, size, root) => match read_compact(bytes) {
                Err(error) => found(Check::Tree, error.to_string()),
                Ok(tree) if tree.size() != *size => {
                    found(Check::Tree, format!("it has {} leaves, not {size}", tree.size()))
                }
                Ok(tree) if tree.root().is_none_or(|found| found.digest() != root) => {
                    found(Check::Tree, "it has another root".to_owned())
                }
                Ok(_) => None,
            },
        }
    }
}

/// Where jobs go.
pub struct Jobs<'a> {
    queue: Option<SyncSender<Job>>,
    failures: &'a Failures,
}

/// The first failure by number and then by check, whichever core finds it when.
#[derive(Default)]
struct Failures {
    any: AtomicBool,
    first: Mutex<Option<Finding>>,
}

impl Failures {
    fn note(&self, finding: Option<Finding>) {
        let Some(finding) = finding else { return };
        let order = |it: &Finding| (it.seqno, it.check);
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|first| order(&finding) < order(first)) {
            *first = Some(finding);
        }
        self.any.store(true, Ordering::Relaxed);
    }
}

impl Jobs<'_> {
    /// Hands a job over; waits while too many are under way.
    pub fn push(&self, job: Job) {
        match &self.queue {
            // The workers end after the queue does.
            Some(queue) => drop(queue.send(job)),
            None => self.failures.note(job.run()),
        }
    }

    /// Whether something has failed already: there is no use in reading on.
    pub fn failed(&self) -> bool {
        self.failures.any.load(Ordering::Relaxed)
    }
}

/// Runs `work`, and what it hands over on that many threads beside it; gives what `work` gave and
/// the first failure.
pub fn with_jobs<T, S>(
    threads: NonZero<usize>,
    work: impl FnOnce(&Jobs<'_>) -> (T, S),
) -> (T, S, Option<Finding>) {
    let failures = Failures::default();
    let (result, stop) = if threads.get() == 1 {
        work(&Jobs { queue: None, failures: &failures })
    } else {
        let (queue, jobs) = sync_channel(threads.get().saturating_mul(WAITING_PER_CORE));
        let jobs = Mutex::new(jobs);
        thread::scope(|scope| {
            for _ in 0..threads.get() {
                scope.spawn(|| {
                    while let Some(job) = next(&jobs) {
                        failures.note(job.run());
                    }
                });
            }
            work(&Jobs { queue: Some(queue), failures: &failures })
        })
    };
    let first = failures.first.into_inner().unwrap_or_else(PoisonError::into_inner);
    (result, stop, first)
}

fn next(jobs: &Mutex<Receiver<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
