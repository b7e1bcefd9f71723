//! Leaves of the tree: what a transaction's hash is made of.

use std::str::FromStr;

use chancery_ledger::digest::Digest;

use crate::txid::TxId;

/// The digest of a transaction that claims nothing: zeros.
pub const NO_CLAIMS: Digest = Digest::from_bytes([0; Digest::LEN]);

/// The commit evidence of a transaction, `ce:VIEW.SEQNO:<64 hex digits>`: shown only once it is
/// committed. Its digest is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitEvidence {
    text: String,
    transaction: TxId,
}

/// A text that is no commit evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a commit evidence of the form ce:VIEW.SEQNO:<64 hex digits>")]
pub struct BadCommitEvidence;

impl FromStr for CommitEvidence {
    type Err = BadCommitEvidence;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, nonce) = text
            .strip_prefix("ce:")
            .and_then(|rest| rest.split_once(':'))
            .ok_or(BadCommitEvidence)?;
        let transaction = id.parse().map_err(|_| BadCommitEvidence)?;
        digest_of_hex(nonce).ok_or(BadCommitEvidence)?;
        Ok(Self { text: text.to_owned(), transaction })
    }
}

impl CommitEvidence {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The transaction that it is of.
    pub const fn transaction(&self) -> TxId {
        self.transaction
    }
}

/// What a leaf is the hash of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// SHA-256 of the whole entry in the ledger, with its header.
    pub write_set: Digest,
    /// The commit evidence.
    pub evidence: CommitEvidence,
    /// What the application claims; [`NO_CLAIMS`] where it claims nothing.
    pub claims: Digest,
}

impl Leaf {
    /// `SHA-256(write set digest || SHA-256(commit evidence) || claims digest)`.
    pub fn hash(&self) -> Digest {
        hash(&self.write_set, &Digest::of(self.evidence.text.as_bytes()), &self.claims)
    }
}

/// The hash of a leaf from the digests of its parts.
pub fn hash(write_set: &Digest, evidence: &Digest, claims: &Digest) -> Digest {
    let mut parts = [0; 3 * Digest::LEN];
    for (place, part) in parts.chunks_mut(Digest::LEN).zip([write_set, evidence, claims]) {
        place.copy_from_slice(part.as_bytes());
    }
    crate::tree::sha256(&parts)
}

/// A digest from its 64 lower-case hex digits, as CCF writes them.
pub(crate) fn digest_of_hex(text: &str) -> Option<Digest> {
    format!("sha256:{text}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_evidence_has_one_form() {
        let hex = "05a4f06ab9cb4ac651395a94300f909f9c17d46762ce5f4d239f1a028a995c1a";
        let evidence: CommitEvidence = format!("ce:2.14:{hex}").parse().unwrap();
        assert_eq!(evidence.transaction(), TxId::new(2, 14));
        for bad in [
            String::new(),
            "ce:2.14".to_owned(),
            format!("ce:2.14:{}", &hex[1..]),
            format!("ce:2.14:{hex}0"),
            format!("ce:2.14:{}", hex.to_uppercase()),
            format!("ce:2.014:{hex}"),
            format!("CE:2.14:{hex}"),
            format!("ce:2.14:{hex} "),
            format!("ce:2.14::{hex}"),
        ] {
            assert_eq!(bad.parse::<CommitEvidence>(), Err(BadCommitEvidence), "{bad}");
        }
    }
}
