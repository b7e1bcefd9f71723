//! A ledger verified from its files, in one pass over them: memory does not grow with the ledger.
//!
//! Files are read, hashed and followed on one thread; signatures are verified on all cores. The
//! verdict does not depend on how many there are: of all that fails, what stands first decides.

mod nodes;
mod service;
mod signing;

use std::io::Read;
use std::num::NonZero;
use std::thread;

use chancery_ledger::digest::Digest;

use crate::certificate::Certificate;
use crate::chunk::{ChunkError, Range, Reader};
use crate::cose::RootSignature;
use crate::entry::{Entry, EntryError, Kind};
use crate::tree::{Frontier, Root};
use crate::txid::TxId;
use crate::verdict::{Check, Finding, Verdict, causes, from_to};
use nodes::Nodes;
use service::Services;
use signing::{Job, Jobs, NodeRecord, What};

pub use service::{Epoch, Status};

const SERVICE: &str = "public:ccf.gov.service.info";
const NODES: &str = "public:ccf.gov.nodes.info";
const NODE_CERTIFICATES: &str = "public:ccf.gov.nodes.endorsed_certificates";
const SIGNATURES: &str = "public:ccf.internal.signatures";
const COSE_SIGNATURES: &str = "public:ccf.internal.cose_signatures";
const TREE: &str = "public:ccf.internal.tree";
const ENDORSEMENT: &str = "public:ccf.internal.previous_service_identity_endorsement";
/// The key of tables that hold one value.
const ONLY_KEY: [u8; 8] = [0; 8];

/// What an auditor asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// On how many threads signatures are verified; by default on as many as there are cores.
    pub threads: Option<NonZero<usize>>,
    /// A transaction that the ledger must hold, signed: known from a receipt, say. A ledger that was
    /// cut off right after a signature can't be told from a whole one otherwise.
    pub reaches: Option<TxId>,
}

/// What was read, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// Files that were read to their end.
    pub chunks: u64,
    /// Transactions that were read.
    pub transactions: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Signatures of nodes.
    pub node_signatures: u64,
    /// Signatures of the service.
    pub service_signatures: u64,
    /// The last signature transaction, and the root that it signs.
    pub signed: Option<(TxId, Digest)>,
    /// The time of the first and last signature by the nodes' clocks, in seconds since 1970, where
    /// the service signs.
    pub signed_s: Option<(u64, u64)>,
    /// The service's identities, one after the other.
    pub epochs: Vec<Epoch>,
}

impl Report {
    /// How many transactions stand after the last signature.
    pub fn unsigned(&self) -> u64 {
        self.transactions - self.signed.map_or(0, |(id, _)| id.seqno)
    }
}

/// Why reading ended before the end of the files.
enum Stop {
    Tampered(Finding),
    Incomplete(Finding),
    Unreadable(Finding),
    /// A signature failed on another thread.
    Elsewhere,
}

/// Verifies a ledger against its service's certificate, which comes from elsewhere than the ledger.
///
/// `chunks` are its closed and committed files in order of their first transactions. Each
/// transaction is shown to `observe` as it is read, before it is known to be signed: count what it
/// says only up to [`Report::signed`] and only where the verdict allows.
pub fn verify<R: Read>(
    chunks: impl IntoIterator<Item = (Range, std::io::Result<R>)>,
    service: &Certificate,
    options: &Options,
    observe: impl FnMut(&Entry<'_>),
) -> Report {
    let cores = || thread::available_parallelism().ok();
    let threads = options.threads.or_else(cores).unwrap_or(NonZero::<usize>::MIN);
    let (mut state, stop, failed) = signing::with_jobs(threads, |jobs| {
        let mut state = State::new(observe);
        let stop = state.read_all(chunks, jobs).err();
        (state, stop)
    });
    state.report.verdict = state.verdict(stop, failed, service, options);
    state.report.epochs = state.services.into_epochs();
    state.report
}

struct State<F> {
    frontier: Frontier,
    last: TxId,
    services: Services,
    nodes: Nodes,
    /// The first signature that was made outside of a certificate's period.
    outdated: Option<Finding>,
    report: Report,
    observe: F,
}

/// What a transaction writes to the tables that are followed.
#[derive(Default)]
struct Followed<'a> {
    service: Option<&'a [u8]>,
    endorsement: Option<&'a [u8]>,
    node: Option<&'a [u8]>,
    cose: Option<&'a [u8]>,
    tree: Option<&'a [u8]>,
}

impl<F: FnMut(&Entry<'_>)> State<F> {
    fn new(observe: F) -> Self {
        let report = Report {
            verdict: Verdict::Verified,
            chunks: 0,
            transactions: 0,
            bytes: 0,
            node_signatures: 0,
            service_signatures: 0,
            signed: None,
            signed_s: None,
            epochs: Vec::new(),
        };
        Self {
            frontier: Frontier::genesis(),
            last: TxId::new(0, 0),
            services: Services::default(),
            nodes: Nodes::default(),
            outdated: None,
            report,
            observe,
        }
    }

    fn read_all<R: Read>(
        &mut self,
        chunks: impl IntoIterator<Item = (Range, std::io::Result<R>)>,
        jobs: &Jobs<'_>,
    ) -> Result<(), Stop> {
        for (range, input) in chunks {
            let next = self.last.seqno + 1;
            if range.first < next {
                let detail = format!("ledger_{}-{} overlaps another file", range.first, range.last);
                return Err(Stop::Tampered(Finding::at(Check::Chunks, range.first, detail)));
            }
            if range.first > next {
                let detail = format!("{} are in no file", from_to(next, range.first - 1));
                return Err(Stop::Incomplete(Finding::at(Check::Chunks, next, detail)));
            }
            let unread = |at: &Self, error| stop(&error, at.last.seqno + 1, range);
            let input = input.map_err(|error| unread(self, error.into()))?;
            let mut reader = Reader::open(input, range).map_err(|error| unread(self, error))?;
            loop {
                match reader.next_entry() {
                    Ok(Some(raw)) => self.take(raw, jobs)?,
                    Ok(None) => break,
                    Err(error) => return Err(unread(self, error)),
                }
            }
            self.report.chunks += 1;
        }
        Ok(())
    }

    fn take(&mut self, raw: &[u8], jobs: &Jobs<'_>) -> Result<(), Stop> {
        if jobs.failed() {
            return Err(Stop::Elsewhere);
        }
        let seqno = self.last.seqno + 1;
        let tampered = |check, detail: String| Stop::Tampered(Finding::at(check, seqno, detail));
        let entry = Entry::parse(raw).map_err(|error| match error {
            EntryError::Malformed(_) => tampered(Check::Format, error.to_string()),
            EntryError::Unsupported(_) => {
                Stop::Unreadable(Finding::at(Check::Format, seqno, error.to_string()))
            }
        })?;
        if entry.kind != Kind::Transaction {
            return Err(tampered(Check::Format, "a snapshot stands among transactions".to_owned()));
        }
        if entry.id.seqno != seqno {
            return Err(tampered(Check::Transaction, format!("{} stands here", entry.id)));
        }
        if entry.id.view < self.last.view.max(1) {
            let detail = format!("{} comes after {}", entry.id, self.last);
            return Err(tampered(Check::Transaction, detail));
        }
        let followed = self.follow(&entry).map_err(|(check, detail)| tampered(check, detail))?;
        self.services
            .take(entry.id, followed.service, followed.endorsement)
            .map_err(|(check, detail)| tampered(check, detail))?;
        if followed.node.is_some() || followed.cose.is_some() {
            self.sign(entry.id, &followed, jobs)
                .map_err(|(check, detail)| tampered(check, detail))?;
        }
        self.frontier.append(entry.leaf());
        self.last = entry.id;
        self.report.transactions = seqno;
        self.report.bytes += raw.len() as u64;
        (self.observe)(&entry);
        Ok(())
    }

    /// Gathers what is followed, and takes up changes of nodes.
    fn follow<'a>(&mut self, entry: &Entry<'a>) -> Result<Followed<'a>, (Check, String)> {
        let mut followed = Followed::default();
        for write in entry.writes() {
            let (check, place) = match write.table {
                SERVICE => (Check::Service, &mut followed.service),
                ENDORSEMENT => (Check::Endorsement, &mut followed.endorsement),
                SIGNATURES => (Check::NodeSignature, &mut followed.node),
                COSE_SIGNATURES => (Check::ServiceSignature, &mut followed.cose),
                TREE => (Check::Tree, &mut followed.tree),
                NODES => {
                    self.nodes.take_info(write.key, write.value)?;
                    continue;
                }
                NODE_CERTIFICATES => {
                    self.nodes.take_certificate(write.key, write.value)?;
                    continue;
                }
                _ => continue,
            };
            if write.key != ONLY_KEY || write.value.is_none() || place.is_some() {
                let detail = format!("{} is written in another way than once", write.table);
                return Err((check, detail));
            }
            *place = write.value;
        }
        Ok(followed)
    }

    /// A signature transaction: everything but the signatures themselves is checked here.
    fn sign(
        &mut self,
        id: TxId,
        followed: &Followed<'_>,
        jobs: &Jobs<'_>,
    ) -> Result<(), (Check, String)> {
        let root = self.frontier.root().unwrap_or_else(|| Root::of_digest(Digest::of(&[])));
        let mut record = None;
        if let Some(bytes) = followed.node {
            let read = NodeRecord::parse(bytes).map_err(|detail| (Check::NodeSignature, detail))?;
            if read.id != id {
                return Err((Check::NodeSignature, format!("it says that it is {}", read.id)));
            }
            if read.root != *root.digest() {
                let detail =
                    format!("{} is signed, the transactions have {}", read.root, root.digest());
                return Err((Check::Root, detail));
            }
            record = Some(read);
        }
        let service =
            self.services.certificate().map_err(|detail| (Check::Service, detail))?.clone();
        let mut times = None;
        if let Some(bytes) = followed.cose {
            let malformed = |detail| (Check::ServiceSignature, detail);
            let bytes = signing::base64_in_json(bytes).map_err(malformed)?;
            let signature =
                RootSignature::parse(&bytes).map_err(|error| malformed(causes(&error)))?;
            if signature.transaction() != id {
                return Err(malformed(format!("it is for {}", signature.transaction())));
            }
            if !signature.is_by(service.key()) {
                return Err(malformed("it names another key than the service's".to_owned()));
            }
            let time_s = signature.issued_at_s();
            times = Some(time_s);
            self.report.service_signatures += 1;
            let first_s = self.report.signed_s.map_or(time_s, |(first_s, _)| first_s);
            self.report.signed_s = Some((first_s, time_s));
            self.note_period(id, time_s, &service, "the service's certificate");
            let what = What::Service(service.key().clone(), Box::new(signature), *root.digest());
            jobs.push(Job { seqno: id.seqno, what });
        }
        if let Some(record) = record {
            let certificate = self.nodes.signer(&record, &service)?;
            if let Some(time_s) = times {
                self.note_period(id, time_s, &certificate, "the node's certificate");
            }
            self.report.node_signatures += 1;
            let what = What::Node(certificate.key().clone(), root, record.signature);
            jobs.push(Job { seqno: id.seqno, what });
        }
        if let Some(bytes) = followed.tree {
            let what = What::Tree(bytes.to_vec(), id.seqno, *root.digest());
            jobs.push(Job { seqno: id.seqno, what });
        }
        self.services.signed(*root.digest());
        self.report.signed = Some((id, *root.digest()));
        Ok(())
    }

    fn note_period(&mut self, id: TxId, time_s: u64, certificate: &Certificate, whose: &str) {
        if self.outdated.is_none() && !certificate.period().holds(time_s) {
            let detail = format!("{whose} was not valid when {id} was signed, at {time_s} s");
            self.outdated = Some(Finding::at(Check::Validity, id.seqno, detail));
        }
    }

    fn verdict(
        &self,
        stop: Option<Stop>,
        failed: Option<Finding>,
        service: &Certificate,
        options: &Options,
    ) -> Verdict {
        // A failed signature stands before whatever ended the reading.
        if let Some(finding) = failed {
            return Verdict::Tampered(finding);
        }
        let mut missing = None;
        match stop {
            None | Some(Stop::Elsewhere) => {}
            Some(Stop::Tampered(finding)) => return Verdict::Tampered(finding),
            Some(Stop::Unreadable(finding)) => return Verdict::Unreadable(finding),
            Some(Stop::Incomplete(finding)) => missing = Some(finding),
        }
        if self.report.transactions == 0 {
            let none = || Finding::of_all(Check::Chunks, "there are no transactions");
            return Verdict::Incomplete(missing.unwrap_or_else(none));
        }
        if let Err(finding) = self.services.check_service(service) {
            return Verdict::Tampered(finding);
        }
        let missing = missing
            .or_else(|| self.services.unendorsed())
            .or_else(|| self.outdated.clone())
            .or_else(|| self.tail(options));
        missing.map_or(Verdict::Verified, Verdict::Incomplete)
    }

    /// What is missing at the end.
    fn tail(&self, options: &Options) -> Option<Finding> {
        let signed = self.report.signed.map_or(0, |(id, _)| id.seqno);
        if signed < self.last.seqno {
            let detail = format!(
                "{} come after the last signature: nothing vouches for them",
                from_to(signed + 1, self.last.seqno)
            );
            return Some(Finding::at(Check::Signed, signed + 1, detail));
        }
        let wanted = options.reaches.filter(|wanted| wanted.seqno > signed)?;
        let detail = format!("the ledger ends at {}, before {wanted}", self.last);
        Some(Finding::at(Check::Signed, signed + 1, detail))
    }
}

/// From what went wrong with a file to why reading stops.
fn stop(error: &ChunkError, seqno: u64, range: Range) -> Stop {
    let detail = format!("ledger_{}-{}: {}", range.first, range.last, causes(error));
    let finding = Finding::at(Check::Format, seqno, detail);
    match error {
        ChunkError::Io(_) | ChunkError::Entry(EntryError::Unsupported(_)) => {
            Stop::Unreadable(finding)
        }
        ChunkError::Truncated | ChunkError::Open => Stop::Incomplete(finding),
        ChunkError::Entry(EntryError::Malformed(_)) | ChunkError::Malformed(_) => {
            Stop::Tampered(finding)
        }
    }
}
