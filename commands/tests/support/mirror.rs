//! A mirror behind a gate: the stand-in, which a test can cut off or have tell of another history.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use chancery_ccf::certificate::Certificate;
use chancery_ccf::txid::TxId;
use chancery_commands::mirror::Mirror;
use chancery_ledger::id::CollaborationId;
use chancery_mirror::{
    Accepted, Batch, Driver, Head, InsecureVirtual, Kind, LedgerError, MirrorLedger, Options,
    Refusal, Standing, StoredLogs, forward_appends,
};
use chancery_store::Store;
use tokio::task::JoinHandle;

use super::NAME;

/// What the gate does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Open,
    /// Nothing gets through.
    Closed,
    /// Batches are refused, for another history is held.
    Forked,
}

pub struct Gate {
    pub inner: InsecureVirtual,
    way: AtomicU8,
}

impl Gate {
    pub fn new() -> Self {
        Self { inner: InsecureVirtual::new(NAME, b"seed").unwrap(), way: AtomicU8::new(0) }
    }

    pub fn set(&self, way: Way) {
        self.way.store(way as u8, Ordering::SeqCst);
    }

    /// The certificate of the service behind it.
    pub fn service(&self) -> &Certificate {
        self.inner.service()
    }

    fn check(&self) -> Result<(), LedgerError> {
        let way = self.way.load(Ordering::SeqCst);
        if way == Way::Closed as u8 {
            return Err(LedgerError::Unavailable("the gate is closed".to_owned()));
        }
        if way == Way::Forked as u8 {
            let (code, message) = ("fork".to_owned(), "another entry is held".to_owned());
            return Err(Refusal { code, message }.into());
        }
        Ok(())
    }
}

impl MirrorLedger for Gate {
    fn kind(&self) -> Kind {
        self.inner.kind()
    }

    fn services(&self) -> Vec<Arc<Certificate>> {
        self.inner.services()
    }

    async fn head(&self, c: CollaborationId) -> Result<Option<Head>, LedgerError> {
        self.inner.head(c).await
    }

    async fn push(&self, batch: &Batch) -> Result<Accepted, LedgerError> {
        self.check()?;
        self.inner.push(batch).await
    }

    async fn batch_of(&self, c: CollaborationId, position: u64) -> Result<Accepted, LedgerError> {
        self.inner.batch_of(c, position).await
    }

    async fn standing(&self, transaction: TxId) -> Result<Standing, LedgerError> {
        self.inner.standing(transaction).await
    }

    async fn receipt(&self, transaction: TxId) -> Result<Option<Vec<u8>>, LedgerError> {
        self.inner.receipt(transaction).await
    }
}

/// Has the logs of a store mirrored behind the gate, where there is one.
pub fn follow(gate: Option<&Arc<Gate>>, store: &Store) -> (Option<Mirror>, Vec<JoinHandle<()>>) {
    let Some(gate) = gate else { return (None, Vec::new()) };
    let options = Options {
        poll: Duration::from_millis(2),
        backoff_first: Duration::from_millis(2),
        backoff_cap: Duration::from_millis(20),
        ..Options::default()
    };
    let logs = StoredLogs::new(store.clone(), gate.kind());
    let driver = Driver::new(Arc::clone(gate), Arc::new(logs), options);
    let (status, hint, appends) = (driver.status(), driver.hint(), store.clone());
    let tasks = vec![
        tokio::spawn(async move { forward_appends(&appends, hint).await }),
        tokio::spawn(driver.run(std::future::pending())),
    ];
    (Some(Mirror { kind: gate.kind(), status }), tasks)
}
