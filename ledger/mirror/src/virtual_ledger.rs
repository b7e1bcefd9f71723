//! `insecure-virtual`: a stand-in for a CCF network, in this process, for a laptop and for tests.
//!
//! It makes a service and a node identity itself, keeps CCF's Merkle tree, signs its root, and gives
//! JSON receipts of CCF's format that verify against that identity. There is no consensus, no
//! hardware and nobody else behind it: it proves nothing, and says so in its certificate's name.
//! It checks that batches follow one another and that roots are right, as the application does; the
//! seals it leaves to the application's own tests.
//!
//! Kept in a file, it goes on after a restart where it was; else it is gone with the process.

mod certificate;
mod file;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_ccf::certificate::{Certificate, CertificateError};
use chancery_ccf::txid::TxId;
use chancery_ledger::digest::{Digest, hex};
use chancery_ledger::id::CollaborationId;
use chancery_ledger::merkle::{Frontier, leaf_hash};
use chancery_ledger::note::{Checkpoint, Note};
use p384::ecdsa::signature::hazmat::PrehashSigner as _;
use p384::ecdsa::{DerSignature, Signature, SigningKey};
use serde_json::json;

use crate::batch::{Batch, ENTRIES_MAX};
use crate::port::{Accepted, Head, Kind, LedgerError, MirrorLedger, Refusal, Standing};
pub use file::OpenError;

pub use certificate::pem;
use certificate::{node_certificate, service_certificate};
use file::{Record, Recorder};
use tree::Tree;

const VIEW: u64 = 2;

/// The stand-in.
pub struct InsecureVirtual {
    service: Arc<Certificate>,
    service_pem: String,
    node: SigningKey,
    node_pem: String,
    node_id: Digest,
    name: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    logs: BTreeMap<CollaborationId, Log>,
    tree: Tree,
    /// Where what is accepted is written first.
    file: Option<Recorder>,
}

#[derive(Default)]
struct Log {
    frontier: Frontier,
    leaves: Vec<Digest>,
    batches: Vec<Took>,
}

struct Took {
    accepted: Accepted,
    request: Digest,
}

impl InsecureVirtual {
    /// For the logs of the service `name`, with keys derived from a seed, so that a laptop keeps its
    /// identity over restarts.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] never, but where its own certificate is not read as CCF's are.
    pub fn new(name: &str, seed: &[u8]) -> Result<Self, CertificateError> {
        let service = derived(seed, b"service")?;
        let node = derived(seed, b"node")?;
        let service_pem = pem(&service_certificate(&service));
        let node_der = node_certificate(&node, &service);
        Ok(Self {
            service: Arc::new(Certificate::from_pem(&service_pem)?),
            service_pem,
            node_pem: pem(&node_der),
            node_id: Certificate::from_der(&node_der)?.key().id(),
            node,
            name: name.to_owned(),
            state: Mutex::default(),
        })
    }

    /// As [`InsecureVirtual::new`], with what it accepts kept in a file, which is made if it is not
    /// there. One process at a time.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(name: &str, seed: &[u8], path: &Path) -> Result<Self, OpenError> {
        let ledger = Self::new(name, seed).map_err(OpenError::Certificate)?;
        let (file, records) = Recorder::open(path)?;
        ledger.with(|state| {
            for (number, record) in (1..).zip(records) {
                let taken = state.take(name, &record);
                taken.map_err(|_| OpenError::Record { number })?;
            }
            state.file = Some(file);
            Ok::<(), OpenError>(())
        })?;
        Ok(ledger)
    }

    /// The certificate of the service that it makes up.
    pub fn service(&self) -> &Certificate {
        &self.service
    }

    /// The certificate that its receipts verify against, PEM.
    pub fn service_pem(&self) -> &str {
        &self.service_pem
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An insecure key: whoever has the seed has it. 32 bytes below the order of P-384, by far.
fn derived(seed: &[u8], label: &[u8]) -> Result<SigningKey, CertificateError> {
    let scalar = Digest::of_parts(&[b"chancery insecure-virtual mirror ", label, b" ", seed]);
    let mut wide = [0; 48];
    wide[16..].copy_from_slice(scalar.as_bytes());
    SigningKey::from_slice(&wide).map_err(|_| CertificateError::Key)
}

fn refused(code: &str, message: impl Into<String>) -> LedgerError {
    LedgerError::Refused(Refusal { code: code.to_owned(), message: message.into() })
}

impl State {
    fn push(&mut self, name: &str, batch: &Batch) -> Result<Accepted, LedgerError> {
        let request = batch.digest();
        let log = self.logs.entry(batch.collaboration).or_default();
        let size = log.frontier.size();
        let before = log.batches.iter().find(|took| took.accepted.first == batch.first);
        if let Some(took) = before.filter(|took| took.request == request) {
            return Ok(took.accepted);
        }
        if batch.entries.is_empty() || batch.entries.len() > ENTRIES_MAX {
            return Err(refused("batch-too-large", "no entries, or too many"));
        }
        let leaves: Vec<_> = batch.entries.iter().map(|entry| leaf_hash(entry)).collect();
        if batch.first > size {
            return Err(refused("gap", format!("the log is held up to {size}")));
        }
        if batch.first < size {
            let from = usize::try_from(batch.first).unwrap_or(usize::MAX);
            let same = log.leaves[from..].iter().zip(&leaves).all(|(held, new)| held == new);
            let code = if same { "replay" } else { "fork" };
            return Err(refused(code, format!("the log is held up to {size}")));
        }
        let record =
            Record { collaboration: batch.collaboration, first: batch.first, request, leaves };
        let expected = self.after(name, &record);
        if let Some(note) = &batch.checkpoint {
            let checkpoint = Note::parse(note)
                .and_then(|note| note.checkpoint())
                .map_err(|error| refused("bad-checkpoint", error.to_string()))?;
            if checkpoint != expected {
                return Err(refused("checkpoint-of-another-state", "another origin, size or root"));
            }
        }
        if let Some(file) = &mut self.file {
            let written = file.append(&record);
            written.map_err(|error| LedgerError::Unavailable(format!("its file: {error}")))?;
        }
        self.take(name, &record)
    }

    /// The state of the log that a batch follows, after it.
    fn after(&self, name: &str, record: &Record) -> Checkpoint {
        let mut frontier = self
            .logs
            .get(&record.collaboration)
            .map(|log| log.frontier.clone())
            .unwrap_or_default();
        frontier.extend(record.leaves.iter().copied());
        let origin = format!("{name}/{}", record.collaboration);
        Checkpoint { origin, size: frontier.size(), root: frontier.root() }
    }

    /// Takes a batch that is in order and written down.
    fn take(&mut self, name: &str, record: &Record) -> Result<Accepted, LedgerError> {
        let Checkpoint { origin, size, root } = self.after(name, record);
        let log = self.logs.entry(record.collaboration).or_default();
        if record.first != log.frontier.size() || record.leaves.is_empty() {
            return Err(refused("gap", "a batch does not follow the one before"));
        }
        let text = Checkpoint { origin, size, root }.text();
        let seqno = self.tree.append(VIEW, Digest::of(text.as_bytes()), record.request);
        let transaction = TxId::new(VIEW, seqno);
        let accepted = Accepted { first: record.first, size, root, transaction };
        log.frontier.extend(record.leaves.iter().copied());
        log.leaves.extend(&record.leaves);
        log.batches.push(Took { accepted, request: record.request });
        Ok(accepted)
    }
}

impl MirrorLedger for InsecureVirtual {
    fn kind(&self) -> Kind {
        Kind::InsecureVirtual
    }

    fn services(&self) -> Vec<Arc<Certificate>> {
        vec![self.service.clone()]
    }

    async fn head(&self, c: CollaborationId) -> Result<Option<Head>, LedgerError> {
        Ok(self.with(|state| {
            let log = state.logs.get(&c).filter(|log| log.frontier.size() > 0)?;
            Some(Head { size: log.frontier.size(), root: log.frontier.root() })
        }))
    }

    async fn push(&self, batch: &Batch) -> Result<Accepted, LedgerError> {
        self.with(|state| state.push(&self.name, batch))
    }

    async fn batch_of(&self, c: CollaborationId, position: u64) -> Result<Accepted, LedgerError> {
        self.with(|state| {
            let log = state.logs.get(&c).filter(|log| log.frontier.size() > 0);
            let log = log.ok_or_else(|| refused("unknown-collaboration", "nothing is held"))?;
            let batches = log.batches.iter().map(|took| took.accepted);
            batches
                .into_iter()
                .find(|batch| (batch.first..batch.size).contains(&position))
                .ok_or_else(|| refused("unknown-position", "nothing is held there"))
        })
    }

    async fn standing(&self, transaction: TxId) -> Result<Standing, LedgerError> {
        Ok(self.with(|state| match transaction {
            TxId { view: VIEW, seqno } if seqno <= state.tree.last() => Standing::Committed,
            TxId { view: VIEW, .. } => Standing::Unknown,
            _ => Standing::Invalid,
        }))
    }

    async fn receipt(&self, transaction: TxId) -> Result<Option<Vec<u8>>, LedgerError> {
        let found = self.with(|state| state.tree.proof(transaction.seqno));
        let Some(proof) = found.filter(|_| transaction.view == VIEW) else {
            return Err(refused("TransactionInvalid", "there is no such transaction"));
        };
        let signature: Signature = self
            .node
            .sign_prehash(proof.root.as_bytes())
            .map_err(|_| LedgerError::Nonsense("the stand-in can't sign"))?;
        let signature: DerSignature = signature.to_der();
        let steps: Vec<_> = proof
            .path
            .iter()
            .map(|(left, hash)| {
                if *left { json!({"left": hash.to_hex()}) } else { json!({"right": hash.to_hex()}) }
            })
            .collect();
        let receipt = json!({
            "cert": self.node_pem,
            "leaf_components": {
                "claims_digest": proof.claims.to_hex(),
                "commit_evidence": proof.evidence,
                "write_set_digest": proof.write_set.to_hex(),
            },
            "node_id": hex(self.node_id.as_bytes()),
            "proof": steps,
            "signature": STANDARD.encode(signature.as_bytes()),
        });
        Ok(Some(receipt.to_string().into_bytes()))
    }
}
