//! CCF receipts: proofs that a transaction is in a service's ledger, in JSON and in COSE.
//!
//! Both prove a Merkle path from the transaction's leaf to a signed root. In JSON a node signed the
//! root, and its certificate leads to the service's, over those of earlier services where there were
//! any. In COSE the service's own key signed it, and leads to the key of today over endorsements.
//!
//! What a receipt does not prove: that the transaction is in the service's *present* history where
//! the service itself forked; and, in JSON, when it was signed.

mod cose;
mod json;

use chancery_ledger::digest::Digest;

use crate::certificate::{Certificate, CertificateError, ChainError, Period};
use crate::cose::CoseError;
use crate::endorsement::EndorsementError;
use crate::leaf::{CommitEvidence, Leaf};
use crate::tree::{Misplaced, Root, Step, check_place, check_some_place};
use crate::txid::TxId;

pub use cose::{ProofReceipt, assemble};
pub use json::NodeReceipt;

/// Longest receipt that is read: 1 MiB, for a JSON receipt with all the certificates it may have.
pub const RECEIPT_LEN_MAX: usize = 1 << 20;

/// The form of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON, of a transaction: signed by a node.
    Json,
    /// JSON, of a signature transaction itself: its root, signed by a node.
    JsonSignature,
    /// COSE, of the CCF profile of COSE Receipts (draft-birkholz-cose-receipts-ccf-profile-05).
    Cose,
}

impl Form {
    /// Its name, as programs read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::JsonSignature => "json-signature",
            Self::Cose => "cose-ccf-profile-05",
        }
    }
}

/// What the caller knows beforehand. What is none is not checked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected {
    /// The digest of what the transaction must claim. Needed for a JSON receipt that leaves it out.
    pub claims: Option<Digest>,
    /// The transaction that it must be of.
    pub transaction: Option<TxId>,
    /// A time, in seconds since 1970, at which all certificates must be valid. A COSE receipt says
    /// when it was signed: that is checked anyway.
    pub at_s: Option<u64>,
}

/// What a receipt proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Its form.
    pub form: Form,
    /// The transaction; none for one of a signature transaction, which does not name itself.
    pub transaction: Option<TxId>,
    /// What the transaction claims.
    pub claims: Option<Digest>,
    /// The hash of its leaf; none for a signature transaction's.
    pub leaf: Option<Digest>,
    /// The root that was signed.
    pub root: Digest,
    /// The signature transaction, where it is named.
    pub signed_at: Option<TxId>,
    /// When it was signed by the node's clock, in seconds since 1970, where that is said.
    pub issued_at_s: Option<u64>,
    /// The id of the key that signed: a node's or a service's.
    pub signer: Digest,
    /// Over how many earlier services the chain went.
    pub endorsements: usize,
    /// When all certificates of the chain are valid.
    pub period: Period,
}

/// Why a receipt does not prove what it is presented for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Longer than [`RECEIPT_LEN_MAX`], or neither a JSON object nor a tagged `COSE_Sign1`.
    #[error("neither a JSON nor a COSE receipt of at most {RECEIPT_LEN_MAX} bytes")]
    NotAReceipt,
    /// The JSON is not that of a receipt.
    #[error("not the JSON of a receipt: {0}")]
    Json(String),
    /// The COSE is not that of a receipt.
    #[error("not the COSE of a receipt")]
    Cose(#[source] CoseError),
    /// A certificate in it is malformed.
    #[error("certificate {index} of the receipt")]
    Certificate {
        /// 0 is the node's, then those of earlier services.
        index: usize,
        /// Why.
        source: CertificateError,
    },
    /// It leaves out what the transaction claims, and the caller does not say.
    #[error("the receipt leaves out what the transaction claims: it must be given")]
    ClaimsMissing,
    /// It claims something else.
    #[error("the transaction claims {found}")]
    OtherClaims {
        /// What it claims.
        found: Digest,
    },
    /// It is of another transaction.
    #[error("the receipt is of {found}")]
    OtherTransaction {
        /// Which.
        found: TxId,
    },
    /// It is of a signature transaction, which claims nothing and does not name itself.
    #[error("the receipt is of a signature transaction, which claims nothing")]
    SignatureTransaction,
    /// The path is not one of the transaction's place.
    #[error("the transaction has another place")]
    Misplaced(#[from] Misplaced),
    /// It names another node than the certificate's.
    #[error("the certificate is not that of the node named")]
    OtherNode,
    /// The root that the path leads to was not signed.
    #[error("the signature is not over the root that the path leads to")]
    BadSignature,
    /// A certificate does not lead to the service's.
    #[error("certificate {index} does not lead to the service's")]
    Chain {
        /// 0 is the node's, then those of earlier services.
        index: usize,
        /// Why.
        source: ChainError,
    },
    /// The endorsements don't lead to the key that signed.
    #[error("no endorsed key signed the receipt")]
    Endorsement(#[source] EndorsementError),
    /// The certificates of the chain are not valid at the time of the signature, or at none.
    #[error("the certificates were not all valid at one time, or at the time asked for")]
    Expired,
}

impl ReceiptError {
    /// Its stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAReceipt => "not-a-receipt",
            Self::Json(_) | Self::Cose(_) => "malformed-receipt",
            Self::Certificate { .. } => "malformed-certificate",
            Self::ClaimsMissing => "claims-missing",
            Self::OtherClaims { .. } => "other-claims",
            Self::OtherTransaction { .. } => "other-transaction",
            Self::SignatureTransaction => "signature-transaction",
            Self::Misplaced(_) => "misplaced",
            Self::OtherNode => "other-node",
            Self::BadSignature => "bad-signature",
            Self::Chain { .. } => "not-endorsed",
            Self::Endorsement(error) => match error {
                EndorsementError::UnknownKey => "unknown-key",
                EndorsementError::TooMany | EndorsementError::Malformed { .. } => {
                    "malformed-endorsement"
                }
                EndorsementError::Signature { .. } => "endorsement-signature",
                EndorsementError::Range { .. } => "endorsement-range",
                EndorsementError::Hole { .. } => "endorsement-hole",
                EndorsementError::OtherEpoch { .. } => "endorsement-epoch",
            },
            Self::Expired => "expired",
        }
    }

    /// The exit code of an audit: 1 it is refused, 2 something is missing, 3 it can't be read.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::NotAReceipt | Self::Json(_) | Self::Cose(_) | Self::Certificate { .. } => 3,
            Self::ClaimsMissing => 2,
            _ => 1,
        }
    }
}

/// A receipt, read and not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// Signed by a node.
    Node(NodeReceipt),
    /// Signed by the service.
    Proof(ProofReceipt),
}

impl Receipt {
    /// Reads a receipt of either form: JSON begins with a brace, COSE with its tag.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > RECEIPT_LEN_MAX {
            return Err(ReceiptError::NotAReceipt);
        }
        match bytes.trim_ascii_start().first() {
            Some(b'{') => NodeReceipt::parse(bytes).map(Self::Node),
            Some(0xd2) => ProofReceipt::parse(bytes).map(Self::Proof),
            _ => Err(ReceiptError::NotAReceipt),
        }
    }

    /// Verifies it. `endorsements` are those of earlier services of a COSE receipt, newest first
    /// ([`crate::endorsement`]); a JSON receipt brings its own.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`].
    pub fn verify(
        &self,
        service: &Certificate,
        endorsements: &[Vec<u8>],
        expected: &Expected,
    ) -> Result<Proven, ReceiptError> {
        match self {
            Self::Node(receipt) => receipt.verify(service, expected),
            Self::Proof(receipt) => receipt.verify(service, endorsements, expected),
        }
    }
}

/// A leaf that may lack its claims, and its path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Proof {
    write_set: Digest,
    evidence: CommitEvidence,
    claims: Option<Digest>,
    path: Vec<Step>,
}

impl Proof {
    /// The leaf and the root that it leads to, with what is expected of it checked. `size` is the
    /// number of leaves of the tree, where it is known.
    fn rooted(&self, expected: &Expected, size: Option<u64>) -> Result<Rooted, ReceiptError> {
        let claims = match (self.claims, expected.claims) {
            (Some(found), Some(wanted)) if found != wanted => {
                return Err(ReceiptError::OtherClaims { found });
            }
            (Some(claims), _) | (None, Some(claims)) => claims,
            (None, None) => return Err(ReceiptError::ClaimsMissing),
        };
        let found = self.evidence.transaction();
        if expected.transaction.is_some_and(|wanted| wanted != found) {
            return Err(ReceiptError::OtherTransaction { found });
        }
        match size {
            Some(size) => check_place(&self.path, found.seqno, size)?,
            None => check_some_place(&self.path, found.seqno)?,
        }
        let leaf = Leaf { write_set: self.write_set, evidence: self.evidence.clone(), claims };
        let leaf = leaf.hash();
        Ok(Rooted { claims, leaf, root: Root::of_path(leaf, &self.path) })
    }
}

/// What a path leads from and to.
struct Rooted {
    claims: Digest,
    leaf: Digest,
    root: Root,
}
