//! CCF's `COSE_Sign1` messages: the service's signature over a Merkle root.
//!
//! CCF writes the keys of its maps as they come (395 before 15), so these are read by
//! [`codec::decode_unordered`]; what is signed are always the bytes as they stand.

use chancery_ledger::codec::{self, DecodeError, Key, Map, Value};
use chancery_ledger::digest::Digest;

use crate::key::{BadSignature, EcKey};
use crate::leaf::digest_of_hex;
use crate::txid::TxId;

/// Longest message that is read: 16 KiB. A receipt with the longest path has less than 4.
pub const MESSAGE_LEN_MAX: usize = 16 << 10;

/// Major type 6, tag 18, in its one shortest form.
const TAG_SIGN1: u8 = 0xd2;
const CONTEXT: &str = "Signature1";
const LABEL_ALG: i64 = 1;
const LABEL_KID: i64 = 4;
/// RFC 9597: CWT claims in a header, of them issuer, subject and time.
const LABEL_CWT: i64 = 15;
const CWT_ISS: i64 = 1;
const CWT_SUB: i64 = 2;
const CWT_IAT: i64 = 6;
/// RFC 9942: the verifiable data structure.
const LABEL_VDS: i64 = 395;
/// `CCF_LEDGER_SHA256` of the profile.
const CCF_LEDGER_SHA256: i128 = 2;
const LABEL_CCF: &str = "ccf.v1";

/// Why bytes are not a message of the kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoseError {
    /// Longer than [`MESSAGE_LEN_MAX`], or the first byte is not tag 18.
    #[error("not a tagged COSE_Sign1 of at most {MESSAGE_LEN_MAX} bytes")]
    NotSign1,
    /// The CBOR is not of the form that is read.
    #[error("the CBOR in it")]
    Cbor(#[from] DecodeError),
    /// The structure is another.
    #[error("not the expected structure: {0}")]
    Structure(&'static str),
}

/// A parsed message, whatever its headers mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sign1 {
    /// The bytes of the protected header, as signed.
    pub protected: Vec<u8>,
    /// What they say.
    pub header: Header,
    /// The unprotected header.
    pub unprotected: Map,
    /// The payload; none where it is detached.
    pub payload: Option<Vec<u8>>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Sign1 {
    /// Takes a message apart.
    pub fn parse(bytes: &[u8]) -> Result<Self, CoseError> {
        if bytes.len() > MESSAGE_LEN_MAX {
            return Err(CoseError::NotSign1);
        }
        let body = bytes.strip_prefix(&[TAG_SIGN1]).ok_or(CoseError::NotSign1)?;
        let Value::Array(parts) = codec::decode_unordered(body)? else {
            return Err(CoseError::Structure("not an array"));
        };
        let Ok([protected, unprotected, payload, signature]) = <[Value; 4]>::try_from(parts) else {
            return Err(CoseError::Structure("not four parts"));
        };
        let (Value::Bytes(protected), Value::Map(unprotected), Value::Bytes(signature)) =
            (protected, unprotected, signature)
        else {
            return Err(CoseError::Structure("a part is of another type"));
        };
        let payload = match payload {
            Value::Bytes(payload) => Some(payload),
            Value::Null => None,
            _ => return Err(CoseError::Structure("the payload is neither bytes nor nil")),
        };
        let Value::Map(header) = codec::decode_unordered(&protected)? else {
            return Err(CoseError::Structure("the protected header is not a map"));
        };
        Ok(Self { protected, header: Header(header), unprotected, payload, signature })
    }

    /// `Sig_structure` (RFC 9052 section 4.4) with that payload.
    pub fn to_be_signed(&self, payload: &[u8]) -> Vec<u8> {
        codec::encode(&Value::Array(vec![
            Value::text(CONTEXT),
            Value::bytes(self.protected.as_slice()),
            Value::bytes([]),
            Value::bytes(payload),
        ]))
    }
}

/// A map that is taken apart key by key, to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header(pub Map);

impl Header {
    pub fn take(&mut self, key: impl Into<Key>) -> Option<Value> {
        self.0.remove(&key.into())
    }

    pub fn map(&mut self, key: impl Into<Key>, what: &'static str) -> Result<Self, CoseError> {
        match self.take(key) {
            Some(Value::Map(map)) => Ok(Self(map)),
            _ => Err(CoseError::Structure(what)),
        }
    }

    pub fn text(&mut self, key: impl Into<Key>, what: &'static str) -> Result<String, CoseError> {
        match self.take(key) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(CoseError::Structure(what)),
        }
    }

    pub fn txid(&mut self, key: impl Into<Key>, what: &'static str) -> Result<TxId, CoseError> {
        self.text(key, what)?.parse().map_err(|_| CoseError::Structure(what))
    }

    pub fn uint(&mut self, key: impl Into<Key>, what: &'static str) -> Result<u64, CoseError> {
        match self.take(key) {
            Some(Value::Int(number)) => {
                u64::try_from(number).map_err(|_| CoseError::Structure(what))
            }
            _ => Err(CoseError::Structure(what)),
        }
    }

    pub fn end(&self, what: &'static str) -> Result<(), CoseError> {
        if self.0.is_empty() { Ok(()) } else { Err(CoseError::Structure(what)) }
    }

    /// `alg`, which must be the one of a curve that services have.
    pub fn algorithm(&mut self) -> Result<i128, CoseError> {
        match self.take(LABEL_ALG) {
            Some(Value::Int(number @ (-7 | -35))) => Ok(number),
            _ => Err(CoseError::Structure("alg is neither ES384 nor ES256")),
        }
    }

    pub fn claims(&mut self) -> Result<Self, CoseError> {
        self.map(LABEL_CWT, "no CWT claims")
    }

    pub fn issued_at(&mut self) -> Result<u64, CoseError> {
        self.uint(CWT_IAT, "no time of issue")
    }

    pub fn ccf(&mut self) -> Result<Self, CoseError> {
        self.map(LABEL_CCF, "no header ccf.v1")
    }
}

/// The service's signature over the root of its Merkle tree, as it stands in a signature
/// transaction (`public:ccf.internal.cose_signatures`) and in a COSE receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootSignature {
    pub(crate) message: Sign1,
    algorithm: i128,
    kid: Digest,
    transaction: TxId,
    issued_at_s: u64,
    issuer: String,
    subject: String,
}

impl RootSignature {
    /// Reads the signature of a signature transaction: its unprotected header is empty.
    ///
    /// # Errors
    ///
    /// [`CoseError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CoseError> {
        let parsed = Self::parse_any(bytes)?;
        if parsed.message.unprotected.is_empty() {
            Ok(parsed)
        } else {
            Err(CoseError::Structure("the unprotected header is not empty"))
        }
    }

    /// The same with any unprotected header, which is the caller's to read.
    pub(crate) fn parse_any(bytes: &[u8]) -> Result<Self, CoseError> {
        let message = Sign1::parse(bytes)?;
        if message.payload.is_some() {
            return Err(CoseError::Structure("the payload is not detached"));
        }
        let mut header = message.header.clone();
        let algorithm = header.algorithm()?;
        let kid = match header.take(LABEL_KID) {
            Some(Value::Bytes(kid)) => std::str::from_utf8(&kid).ok().and_then(digest_of_hex),
            _ => None,
        };
        let kid = kid.ok_or(CoseError::Structure("kid is not the hex digest of a key"))?;
        if header.take(LABEL_VDS) != Some(Value::Int(CCF_LEDGER_SHA256)) {
            return Err(CoseError::Structure("vds is not CCF_LEDGER_SHA256"));
        }
        let mut claims = header.claims()?;
        let issued_at_s = claims.issued_at()?;
        let issuer = claims.text(CWT_ISS, "no issuer")?;
        let subject = claims.text(CWT_SUB, "no subject")?;
        claims.end("an unknown CWT claim")?;
        let mut ccf = header.ccf()?;
        let transaction = ccf.txid("txid", "txid is not a transaction id")?;
        ccf.end("an unknown entry in ccf.v1")?;
        header.end("an unknown protected header")?;
        Ok(Self { message, algorithm, kid, transaction, issued_at_s, issuer, subject })
    }

    /// The id of the service key that is said to have signed.
    pub const fn kid(&self) -> Digest {
        self.kid
    }

    /// The signature transaction. The root is over the transactions before it.
    pub const fn transaction(&self) -> TxId {
        self.transaction
    }

    /// When the node says that it signed, in seconds since 1970.
    pub const fn issued_at_s(&self) -> u64 {
        self.issued_at_s
    }

    /// The service's configured name.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The ledger's configured name.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether `key` is the one named, and of the algorithm named.
    pub fn is_by(&self, key: &EcKey) -> bool {
        key.id() == self.kid && key.curve().cose() == self.algorithm
    }

    /// Checks that `key` is the one named and signed `root`.
    ///
    /// # Errors
    ///
    /// [`BadSignature`].
    pub fn verify(&self, root: &Digest, key: &EcKey) -> Result<(), BadSignature> {
        if !self.is_by(key) {
            return Err(BadSignature);
        }
        key.verify_cose(&self.message.to_be_signed(root.as_bytes()), &self.message.signature)
    }
}
