//! JSON receipts, as `GET /app/receipt` and `historicalState.receipt` give them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_ledger::digest::Digest;
use serde::Deserialize;

use super::{Expected, Form, Proof, Proven, ReceiptError, Rooted};
use crate::certificate::{Certificate, Period};
use crate::endorsement::ENDORSEMENTS_MAX;
use crate::leaf::{Leaf, digest_of_hex};
use crate::tree::{PATH_LEN_MAX, Root, Side, Step};

/// A JSON receipt, read and not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeReceipt {
    subject: Subject,
    node: Certificate,
    node_id: Digest,
    signature: Vec<u8>,
    earlier: Vec<Certificate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Transaction(Proof),
    /// A signature transaction, by the root in it.
    Signature(Root),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    cert: String,
    leaf: Option<String>,
    leaf_components: Option<Components>,
    node_id: String,
    proof: Vec<JsonStep>,
    service_endorsements: Option<Vec<String>>,
    signature: String,
    is_signature_transaction: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Components {
    claims_digest: Option<String>,
    commit_evidence: String,
    write_set_digest: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum JsonStep {
    Left(String),
    Right(String),
}

fn digest(text: &str, what: &str) -> Result<Digest, ReceiptError> {
    digest_of_hex(text)
        .ok_or_else(|| ReceiptError::Json(format!("{what} is not 64 lower-case hex digits")))
}

impl NodeReceipt {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let json: Json =
            serde_json::from_slice(bytes).map_err(|error| ReceiptError::Json(error.to_string()))?;
        let other = |what: &str| ReceiptError::Json(what.to_owned());
        let certificate = |index, text: &str| {
            Certificate::from_pem(text)
                .map_err(|source| ReceiptError::Certificate { index, source })
        };
        let subject = match (json.leaf, json.leaf_components) {
            (None, Some(leaf)) => Subject::Transaction(Proof {
                write_set: digest(&leaf.write_set_digest, "write_set_digest")?,
                evidence: leaf
                    .commit_evidence
                    .parse()
                    .map_err(|_| other("commit_evidence is of another form"))?,
                claims: leaf
                    .claims_digest
                    .map(|claims| digest(&claims, "claims_digest"))
                    .transpose()?,
                path: steps(json.proof)?,
            }),
            (Some(root), None) if json.proof.is_empty() => {
                Subject::Signature(Root::of_digest(digest(&root, "leaf")?))
            }
            (Some(_), None) => return Err(other("a leaf without its components has a path")),
            (Some(_), Some(_)) => return Err(other("both leaf and leaf_components")),
            (None, None) => return Err(other("neither leaf nor leaf_components")),
        };
        let is_signature = matches!(subject, Subject::Signature(_));
        if json.is_signature_transaction.is_some_and(|said| said != is_signature) {
            return Err(other("is_signature_transaction says otherwise"));
        }
        let earlier = json.service_endorsements.unwrap_or_default();
        if earlier.len() > ENDORSEMENTS_MAX {
            return Err(other("too many service_endorsements"));
        }
        Ok(Self {
            subject,
            node: certificate(0, &json.cert)?,
            node_id: digest(&json.node_id, "node_id")?,
            signature: STANDARD
                .decode(&json.signature)
                .map_err(|_| other("signature is not base64"))?,
            earlier: earlier
                .iter()
                .enumerate()
                .map(|(index, text)| certificate(index + 1, text))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The leaf and path of a transaction that says what it claims: what [`super::assemble`] takes.
    pub fn leaf_and_path(&self) -> Option<(Leaf, &[Step])> {
        let Subject::Transaction(proof) = &self.subject else { return None };
        let leaf = Leaf {
            write_set: proof.write_set,
            evidence: proof.evidence.clone(),
            claims: proof.claims?,
        };
        Some((leaf, &proof.path))
    }

    /// The certificates of earlier services, the oldest first, each issued by the next and the last
    /// one by the service, once the receipt is verified.
    pub fn earlier_services(&self) -> &[Certificate] {
        &self.earlier
    }

    pub(super) fn verify(
        &self,
        service: &Certificate,
        expected: &Expected,
    ) -> Result<Proven, ReceiptError> {
        let (form, transaction, found, root) = match &self.subject {
            Subject::Transaction(proof) => {
                let Rooted { claims, leaf, root } = proof.rooted(expected, None)?;
                (Form::Json, Some(proof.evidence.transaction()), Some((claims, leaf)), root)
            }
            Subject::Signature(_)
                if expected.claims.is_some() || expected.transaction.is_some() =>
            {
                return Err(ReceiptError::SignatureTransaction);
            }
            Subject::Signature(root) => (Form::JsonSignature, None, None, *root),
        };
        let key = self.node.key();
        if key.id() != self.node_id {
            return Err(ReceiptError::OtherNode);
        }
        key.verify_root(&root, &self.signature).map_err(|_| ReceiptError::BadSignature)?;
        let period = self.chain(service)?;
        if expected.at_s.is_some_and(|at_s| !period.holds(at_s)) {
            return Err(ReceiptError::Expired);
        }
        Ok(Proven {
            form,
            transaction,
            claims: found.map(|(claims, _)| claims),
            leaf: found.map(|(_, leaf)| leaf),
            root: *root.digest(),
            signed_at: None,
            issued_at_s: None,
            signer: self.node_id,
            endorsements: self.earlier.len(),
            period,
        })
    }

    /// From the node's certificate over those of earlier services, the oldest first, to the
    /// service's. Gives the time in which all of them are valid.
    fn chain(&self, service: &Certificate) -> Result<Period, ReceiptError> {
        let mut below = &self.node;
        let mut period = Some(below.period());
        for (index, issuer) in self.earlier.iter().chain([service]).enumerate() {
            below
                .check_issued_by(issuer)
                .map_err(|source| ReceiptError::Chain { index, source })?;
            period = period.and_then(|period| period.common(&issuer.period()));
            below = issuer;
        }
        period.ok_or(ReceiptError::Expired)
    }
}

fn steps(proof: Vec<JsonStep>) -> Result<Vec<Step>, ReceiptError> {
    if proof.len() > PATH_LEN_MAX {
        return Err(ReceiptError::Json("the proof is longer than any tree is deep".to_owned()));
    }
    let step = |step| match step {
        JsonStep::Left(hash) => Ok((Side::Left, digest(&hash, "left")?)),
        JsonStep::Right(hash) => Ok((Side::Right, digest(&hash, "right")?)),
    };
    proof.into_iter().map(step).collect()
}
