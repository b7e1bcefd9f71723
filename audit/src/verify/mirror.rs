//! Receipts of the mirror: each must be of the log as it stands up to its place.
//!
//! What takes time, signatures and certificates, is done on any core, before the receipt's turn; what
//! it has to claim is known only then. A certificate in a bundle is anybody's until an auditor names
//! it: then receipts are held against the named one alone.

use chancery_ccf::certificate::Certificate;
use chancery_ccf::receipt::{Expected, Proven, Receipt, ReceiptError};
use chancery_ccf::txid::TxId;
use chancery_ledger::digest::Digest;
use chancery_ledger::note::Checkpoint;

use super::tree::Tree;
use super::verdict::{causes, tampered};
use crate::bundle::{Header, MirrorKind, MirrorReceipt};
use crate::check::{Check, Verdict};
use crate::standing::{MIRROR_SPANS_MAX, MirrorSpan, Mirrored};

/// What stands in the name of a stand-in's certificate, whatever a bundle says of its kind.
const STAND_IN: &[u8] = b"INSECURE VIRTUAL";

/// A receipt whose signatures were looked at.
#[derive(Debug)]
pub struct Judged {
    item: MirrorReceipt,
    outcome: Result<Held, String>,
}

/// A receipt that some service's certificate vouches for.
#[derive(Debug)]
struct Held {
    receipt: Receipt,
    /// What it was verified under.
    service: Certificate,
    expected: bool,
    /// None where it leaves out what its transaction claims: that must be given.
    proven: Option<Proven>,
}

/// Looks at a receipt's signatures. `named` are the services that the auditor named.
pub fn judge(item: MirrorReceipt, named: &[Certificate]) -> Judged {
    let outcome = held(&item, named);
    Judged { item, outcome }
}

fn held(item: &MirrorReceipt, named: &[Certificate]) -> Result<Held, String> {
    let told = Certificate::from_der(&item.service)
        .map_err(|error| format!("the mirror's certificate: {}", causes(&error)))?;
    told.check_self_signed()
        .map_err(|error| format!("the mirror's certificate: {}", causes(&error)))?;
    let is_stand_in = item.service.windows(STAND_IN.len()).any(|part| part == STAND_IN);
    if is_stand_in != (item.kind == MirrorKind::InsecureVirtual) {
        return Err(format!("it is called {}, and its certificate says otherwise", item.kind));
    }
    let receipt = Receipt::parse(&item.receipt).map_err(|error| causes(&error))?;
    if named.is_empty() {
        let proven = proven(&receipt, &told).map_err(|error| causes(&error))?;
        return Ok(Held { receipt, service: told, expected: false, proven });
    }
    // The service that signed may be an earlier or a later one than those that were named: then the
    // receipt itself brings what leads to them.
    let mut refused = String::new();
    for service in named {
        match proven(&receipt, service) {
            Ok(proven) => {
                let service = service.clone();
                return Ok(Held { receipt, service, expected: true, proven });
            }
            Err(error) => refused = causes(&error),
        }
    }
    Err(format!("it is not by the mirror that was named: {refused}"))
}

fn proven(receipt: &Receipt, service: &Certificate) -> Result<Option<Proven>, ReceiptError> {
    match receipt.verify(service, &[], &Expected::default()) {
        Ok(proven) => Ok(Some(proven)),
        Err(ReceiptError::ClaimsMissing) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Held {
    /// That it is of a transaction with that id, which claims that.
    fn check(&self, claims: Digest, transaction: TxId) -> Result<(), ReceiptError> {
        let expected =
            Expected { claims: Some(claims), transaction: Some(transaction), at_s: None };
        match &self.proven {
            Some(Proven { claims: Some(found), .. }) if *found != claims => {
                Err(ReceiptError::OtherClaims { found: *found })
            }
            Some(Proven { transaction: Some(found), .. }) if *found != transaction => {
                Err(ReceiptError::OtherTransaction { found: *found })
            }
            Some(Proven { claims: Some(_), transaction: Some(_), .. }) => Ok(()),
            Some(_) => Err(ReceiptError::SignatureTransaction),
            None => self.receipt.verify(&self.service, &[], &expected).map(|_| ()),
        }
    }
}

/// The receipts so far.
#[derive(Debug)]
pub struct Receipts {
    /// For how many entries the header says that there are receipts.
    announced: u64,
    whole: bool,
    /// Where the newest one ends.
    until: u64,
    batches: u64,
    spans: Vec<MirrorSpan>,
    spans_left_out: u64,
    /// The first entry that is there and not in a receipt yet.
    waiting: Option<u64>,
}

impl Receipts {
    /// None so far. Of a whole log, they follow one another without a gap.
    pub const fn new(announced: u64, whole: bool) -> Self {
        let (until, batches, spans_left_out) = (0, 0, 0);
        Self { announced, whole, until, batches, spans: Vec::new(), spans_left_out, waiting: None }
    }

    /// Takes note of an entry that is there.
    pub const fn entry(&mut self, position: u64) {
        if self.waiting.is_none() {
            self.waiting = Some(position);
        }
    }

    /// Checks the next receipt against the tree that it stands in.
    ///
    /// # Errors
    ///
    /// The failing check, at the first entry of the receipt's batch.
    pub fn take(&mut self, judged: &Judged, header: &Header, tree: &Tree) -> Result<(), Verdict> {
        let item = &judged.item;
        let (first, size) = (item.first, item.size);
        let fails = |detail: String| tampered(Check::Mirror, Some(first), detail);
        if size != tree.size() || first >= size || size > self.announced {
            let detail = format!(
                "a receipt for positions {first} to {size} stands after {} entries, and the header \
                 announces them for {}",
                tree.size(),
                self.announced
            );
            return Err(fails(detail));
        }
        let missing = if self.whole { first != self.until } else { first < self.until };
        if missing {
            let detail = format!("it does not begin where the one before ends, at {}", self.until);
            return Err(fails(detail));
        }
        if let Some(waiting) = self.waiting.filter(|waiting| *waiting < first) {
            return Err(lacking(waiting));
        }
        let held = judged.outcome.as_ref().map_err(|why| fails(why.clone()))?;
        let (origin, root) = (header.origin.clone(), tree.frontier().root());
        let text = Checkpoint { origin, size, root }.text();
        let transaction = item
            .transaction
            .parse()
            .map_err(|_| fails("its transaction's id is none".to_owned()))?;
        held.check(Digest::of(text.as_bytes()), transaction)
            .map_err(|error| fails(causes(&error)))?;
        self.batches += 1;
        self.until = size;
        self.waiting = None;
        self.span(MirrorSpan {
            from: first,
            until: size,
            kind: item.kind,
            service: held.service.digest(),
            expected: held.expected,
        });
        Ok(())
    }

    fn span(&mut self, span: MirrorSpan) {
        if let Some(last) = self.spans.last_mut()
            && (last.kind, last.service, last.until) == (span.kind, span.service, span.from)
        {
            last.until = span.until;
        } else if self.spans.len() < MIRROR_SPANS_MAX {
            self.spans.push(span);
        } else {
            self.spans_left_out += 1;
        }
    }

    /// What the mirror has. `named`: whether the auditor named one.
    ///
    /// # Errors
    ///
    /// What is missing: a receipt that the header announces, or any where a mirror was named.
    pub fn end(self, named: bool) -> Result<Option<Mirrored>, Verdict> {
        if let Some(waiting) = self.waiting.filter(|waiting| *waiting < self.announced) {
            return Err(lacking(waiting));
        }
        if self.whole && self.until != self.announced {
            return Err(lacking(self.until));
        }
        if self.batches == 0 {
            if named {
                return Err(Verdict::Incomplete {
                    check: Check::Mirror,
                    position: None,
                    detail: "a mirror was named, and there is no receipt of one".to_owned(),
                });
            }
            return Ok(None);
        }
        Ok(Some(Mirrored {
            size: self.until,
            batches: self.batches,
            spans: self.spans,
            spans_left_out: self.spans_left_out,
        }))
    }
}

fn lacking(position: u64) -> Verdict {
    Verdict::Incomplete {
        check: Check::Mirror,
        position: Some(position),
        detail: "the header announces a receipt of the mirror for it, and there is none".to_owned(),
    }
}
