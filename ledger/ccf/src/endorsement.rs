//! Endorsements of a service's earlier identities.
//!
//! After a disaster recovery a network has a new service key. The new key signs the one before, with
//! the range of transactions that it signed: a `COSE_Sign1` in
//! `public:ccf.internal.previous_service_identity_endorsement`, whose payload is the earlier key. So
//! whoever trusts the key of today can verify what an earlier one signed, if the chain has no hole.

use chancery_ledger::codec::Value;
use chancery_ledger::digest::Digest;

use crate::cose::{CoseError, Sign1};
use crate::key::EcKey;
use crate::txid::{RECOVERY_VIEW_STEP, TxId};

/// Longest chain that is followed.
pub const ENDORSEMENTS_MAX: usize = 64;

const START: &str = "epoch.start.txid";
const END: &str = "epoch.end.txid";
const ROOT: &str = "epoch.end.merkle.root";

/// A service key signed by the one that came after it, or, by the first one of all, by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsement {
    message: Sign1,
    algorithm: i128,
    key: EcKey,
    start: TxId,
    end: Option<TxId>,
    root: Option<Digest>,
    issued_at_s: u64,
}

/// Why a chain of endorsements does not lead to a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndorsementError {
    /// More than [`ENDORSEMENTS_MAX`].
    #[error("more than {ENDORSEMENTS_MAX} endorsements")]
    TooMany,
    /// One is malformed.
    #[error("endorsement {index} is malformed")]
    Malformed {
        /// Its place in the chain, from 0.
        index: usize,
        /// Why.
        source: CoseError,
    },
    /// One is not signed by the key before it in the chain.
    #[error("endorsement {index} is not signed by the service key that came after it")]
    Signature {
        /// Its place in the chain, from 0.
        index: usize,
    },
    /// One says no end, or one before its beginning.
    #[error("endorsement {index} has no range of transactions")]
    Range {
        /// Its place in the chain, from 0.
        index: usize,
    },
    /// Transactions between two epochs are in neither, or in both.
    #[error("endorsement {index} ends at {end}, the epoch after it begins at {start}")]
    Hole {
        /// Its place in the chain, from 0.
        index: usize,
        /// Where it ends.
        end: TxId,
        /// Where the next epoch begins.
        start: TxId,
    },
    /// The chain leads to other keys.
    #[error("the key that signed is neither the service's nor one that it endorses")]
    UnknownKey,
    /// The key is endorsed for other transactions.
    #[error("the key that signed is endorsed from {start} to {end}, not for {transaction}")]
    OtherEpoch {
        /// From there.
        start: TxId,
        /// To there.
        end: TxId,
        /// What it was to be for.
        transaction: TxId,
    },
}

impl Endorsement {
    /// Reads an endorsement; its signature is verified by [`Endorsement::is_signed_by`].
    ///
    /// # Errors
    ///
    /// [`CoseError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CoseError> {
        let message = Sign1::parse(bytes)?;
        if !message.unprotected.is_empty() {
            return Err(CoseError::Structure("the unprotected header is not empty"));
        }
        let key = message.payload.as_deref().and_then(|spki| EcKey::from_spki(spki).ok());
        let key = key.ok_or(CoseError::Structure("the payload is not a public key"))?;
        let mut header = message.header.clone();
        let algorithm = header.algorithm()?;
        let mut claims = header.claims()?;
        let issued_at_s = claims.issued_at()?;
        claims.end("an unknown CWT claim")?;
        let mut ccf = header.ccf()?;
        let start = ccf.txid(START, "no transaction where the epoch starts")?;
        let end = if ccf.0.contains_key(&END.into()) {
            Some(ccf.txid(END, "the epoch's end is not a transaction id")?)
        } else {
            None
        };
        let root = match ccf.take(ROOT) {
            None => None,
            Some(Value::Bytes(root)) => Some(
                Digest::from_slice(&root)
                    .ok_or(CoseError::Structure("the epoch's root is not 32 bytes"))?,
            ),
            Some(_) => return Err(CoseError::Structure("the epoch's root is not 32 bytes")),
        };
        ccf.end("an unknown entry in ccf.v1")?;
        header.end("an unknown protected header")?;
        Ok(Self { message, algorithm, key, start, end, root, issued_at_s })
    }

    /// The key that is endorsed.
    pub const fn key(&self) -> &EcKey {
        &self.key
    }

    /// The first transaction of the epoch in which that key signed.
    pub const fn start(&self) -> TxId {
        self.start
    }

    /// The last transaction of that epoch; none where the first service endorses itself.
    pub const fn end(&self) -> Option<TxId> {
        self.end
    }

    /// The last root that was signed in that epoch.
    pub const fn root(&self) -> Option<Digest> {
        self.root
    }

    /// When it was signed, by the node's clock, in seconds since 1970.
    pub const fn issued_at_s(&self) -> u64 {
        self.issued_at_s
    }

    /// Whether `key` signed it.
    pub fn is_signed_by(&self, key: &EcKey) -> bool {
        let payload = self.message.to_be_signed(self.key.spki());
        key.curve().cose() == self.algorithm
            && key.verify_cose(&payload, &self.message.signature).is_ok()
    }

    /// The range of transactions, where it has one.
    fn range(&self) -> Option<(TxId, TxId)> {
        let end =
            self.end.filter(|end| end.seqno >= self.start.seqno && end.view >= self.start.view)?;
        Some((self.start, end))
    }
}

/// Whether an epoch that begins at `start` follows one that ended at `end` without a gap: CCF raises
/// the view by [`RECOVERY_VIEW_STEP`].
pub fn follows(start: TxId, end: TxId) -> bool {
    end.seqno.checked_add(1) == Some(start.seqno)
        && end.view.checked_add(RECOVERY_VIEW_STEP) == Some(start.view)
}

/// Follows a chain from a service's key to the one of that id, which must be endorsed for
/// `transaction`. The endorsements stand newest first, as CCF gives them, and each is verified.
///
/// # Errors
///
/// [`EndorsementError`].
pub fn resolve(
    service: &EcKey,
    chain: &[Vec<u8>],
    signer: Digest,
    transaction: TxId,
) -> Result<EcKey, EndorsementError> {
    if chain.len() > ENDORSEMENTS_MAX {
        return Err(EndorsementError::TooMany);
    }
    let mut found = (service.id() == signer).then(|| service.clone());
    let (mut issuer, mut next_start) = (service.clone(), None);
    for (index, bytes) in chain.iter().enumerate() {
        let endorsement = Endorsement::parse(bytes)
            .map_err(|source| EndorsementError::Malformed { index, source })?;
        if !endorsement.is_signed_by(&issuer) {
            return Err(EndorsementError::Signature { index });
        }
        let (start, end) = endorsement.range().ok_or(EndorsementError::Range { index })?;
        match next_start {
            Some(next) if !follows(next, end) => {
                return Err(EndorsementError::Hole { index, end, start: next });
            }
            // What the newest key signed comes after all that it endorses.
            None if service.id() == signer && transaction.seqno <= end.seqno => {
                return Err(EndorsementError::OtherEpoch { start, end, transaction });
            }
            Some(_) | None => {}
        }
        issuer = endorsement.key;
        next_start = Some(start);
        if found.is_none() && issuer.id() == signer {
            let seqnos = start.seqno..=end.seqno;
            let views = start.view..=end.view;
            if !seqnos.contains(&transaction.seqno) || !views.contains(&transaction.view) {
                return Err(EndorsementError::OtherEpoch { start, end, transaction });
            }
            found = Some(issuer.clone());
        }
    }
    found.ok_or(EndorsementError::UnknownKey)
}
