//! Logs, and mirrors that fail in every way there is.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod growing;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chancery_ccf::certificate::Certificate;
use chancery_ccf::txid::TxId;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle::{leaf_hash, root};
use chancery_ledger::note::Checkpoint;
use chancery_mirror::{
    Accepted, Batch, Config, Credentials, Head, InMemory, InsecureVirtual, Kind, LedgerError,
    MirrorLedger, Options, Standing,
};
use uuid::Uuid;

pub use growing::NAME;

pub fn collaboration(number: u128) -> CollaborationId {
    CollaborationId::new(Uuid::from_u128(number))
}

pub fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|at| format!("entry {at}").into_bytes()).collect()
}

pub fn checkpoint(c: CollaborationId, entries: &[Vec<u8>]) -> Checkpoint {
    let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let origin = format!("{NAME}/{c}");
    Checkpoint { origin, size: entries.len() as u64, root: root(&leaves) }
}

pub fn note(c: CollaborationId, entries: &[Vec<u8>]) -> String {
    checkpoint(c, entries).sign(&SigningKey::from_seed(&[9; 32]).unwrap())
}

pub fn set(logs: &InMemory, c: CollaborationId, entries: &[Vec<u8>]) {
    logs.set(c, entries.to_vec(), note(c, entries));
}

pub fn options() -> Options {
    Options {
        entries_max: 4,
        poll: Duration::from_millis(10),
        sweep: Duration::from_millis(500),
        backoff_first: Duration::from_millis(10),
        backoff_cap: Duration::from_millis(100),
        stale_max: 3,
        unknown_max: 5,
        ..Options::default()
    }
}

/// What goes wrong with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request is lost.
    Lost,
    /// It is done, and the answer is lost.
    AnswerLost,
    /// It comes twice, as a retry on the way makes it.
    Twice,
}

/// What it says that is not so.
#[derive(Default)]
pub struct Lies {
    #[allow(clippy::option_option, reason = "a lie, and the lie that there is no head")]
    pub head: Option<Option<Head>>,
    pub accepted_root: Option<Digest>,
    pub batch_first: Option<u64>,
    pub standing: VecDeque<Standing>,
    pub receipt: Option<Vec<u8>>,
    pub receipts_late: u32,
    pub refusal: Option<&'static str>,
}

/// A mirror with faults.
pub struct Faulty {
    pub inner: InsecureVirtual,
    pub faults: Mutex<VecDeque<Fault>>,
    pub lies: Mutex<Lies>,
    pub pushes: Mutex<Vec<(u64, usize, bool)>>,
}

impl Faulty {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: InsecureVirtual::new(NAME, b"seed").unwrap(),
            faults: Mutex::default(),
            lies: Mutex::default(),
            pushes: Mutex::default(),
        })
    }

    fn fault(&self) -> Option<Fault> {
        self.faults.lock().unwrap().pop_front()
    }

    #[allow(clippy::unused_self, reason = "reads as a step of the ledger's")]
    fn before(&self, fault: Option<Fault>) -> Result<(), LedgerError> {
        if fault == Some(Fault::Lost) { Err(unavailable()) } else { Ok(()) }
    }

    #[allow(clippy::unused_self, reason = "reads as a step of the ledger's")]
    fn after<T>(&self, fault: Option<Fault>, answer: T) -> Result<T, LedgerError> {
        if fault == Some(Fault::AnswerLost) { Err(unavailable()) } else { Ok(answer) }
    }
}

fn unavailable() -> LedgerError {
    LedgerError::Unavailable("a fault".to_owned())
}

impl MirrorLedger for Faulty {
    fn kind(&self) -> Kind {
        self.inner.kind()
    }

    fn services(&self) -> Vec<Arc<Certificate>> {
        self.inner.services()
    }

    async fn head(&self, c: CollaborationId) -> Result<Option<Head>, LedgerError> {
        let fault = self.fault();
        self.before(fault)?;
        if let Some(head) = self.lies.lock().unwrap().head.clone() {
            return Ok(head);
        }
        let head = self.inner.head(c).await?;
        self.after(fault, head)
    }

    async fn push(&self, batch: &Batch) -> Result<Accepted, LedgerError> {
        let fault = self.fault();
        self.before(fault)?;
        let sent = (batch.first, batch.entries.len(), batch.checkpoint.is_some());
        self.pushes.lock().unwrap().push(sent);
        if let Some(code) = self.lies.lock().unwrap().refusal {
            let refusal =
                chancery_mirror::Refusal { code: code.to_owned(), message: String::new() };
            return Err(refusal.into());
        }
        let mut accepted = self.inner.push(batch).await?;
        if fault == Some(Fault::Twice) {
            assert_eq!(self.inner.push(batch).await?, accepted, "answered as the first time");
        }
        if let Some(root) = self.lies.lock().unwrap().accepted_root {
            accepted.root = root;
        }
        self.after(fault, accepted)
    }

    async fn batch_of(&self, c: CollaborationId, position: u64) -> Result<Accepted, LedgerError> {
        let fault = self.fault();
        self.before(fault)?;
        let mut batch = self.inner.batch_of(c, position).await?;
        if let Some(first) = self.lies.lock().unwrap().batch_first {
            batch.first = first;
        }
        self.after(fault, batch)
    }

    async fn standing(&self, transaction: TxId) -> Result<Standing, LedgerError> {
        let fault = self.fault();
        self.before(fault)?;
        if let Some(standing) = self.lies.lock().unwrap().standing.pop_front() {
            return Ok(standing);
        }
        let standing = self.inner.standing(transaction).await?;
        self.after(fault, standing)
    }

    async fn receipt(&self, transaction: TxId) -> Result<Option<Vec<u8>>, LedgerError> {
        let fault = self.fault();
        self.before(fault)?;
        {
            let mut lies = self.lies.lock().unwrap();
            if lies.receipts_late > 0 {
                lies.receipts_late -= 1;
                return Ok(None);
            }
            if let Some(receipt) = &lies.receipt {
                return Ok(Some(receipt.clone()));
            }
        }
        let receipt = self.inner.receipt(transaction).await?;
        self.after(fault, receipt)
    }
}

/// The CCF network of the environment (`contract.rs` says how), where there is one.
pub fn network() -> Option<Config> {
    let urls = std::env::var("CHANCERY_CCF_URL").ok()?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let read = |name| std::fs::read(std::env::var(name).unwrap()).unwrap();
    Some(Config {
        nodes: urls.split(',').map(str::to_owned).collect(),
        service: String::from_utf8(read("CHANCERY_CCF_SERVICE")).unwrap(),
        credentials: Credentials::Certificate(read("CHANCERY_CCF_IDENTITY")),
        timeout: Duration::from_secs(10),
    })
}
