//! Entries of the log: what they hold, how they are sealed and opened.

use crate::codec::{DecodeError, Value};
use crate::cose::{self, ContentType};
use crate::digest::Digest;
use crate::id::{CollaborationId, CommandId, MemberId};
use crate::key::{BadSignature, KeyId, PublicKey, SigningKey};
use crate::merkle;
use crate::wire;

/// Largest sealed entry: 1 MiB.
pub const SEALED_LEN_MAX: usize = 1 << 20;

/// One event as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event's type, as in `QueryApproved`.
    pub kind: String,
    /// The log that it belongs to.
    pub collaboration: CollaborationId,
    /// Its place in that log, from 0.
    pub position: u64,
    /// The leaf hash of the entry before; none at position 0.
    pub previous: Option<Digest>,
    /// What it is about, as in `query/<id>`.
    pub subject: String,
    /// Who caused it.
    pub actor: Actor,
    /// The command that caused it.
    pub command: CommandId,
    /// When the service sealed it: milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The event's own fields: a map with text keys, without byte strings.
    pub payload: Value,
    /// By what right it stands here.
    pub authority: Authority,
}

/// Who caused an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A member of the collaboration.
    Member(MemberId),
    /// An executor, by its attested key.
    Executor(KeyId),
    /// The service, by the key that signed its command.
    Service(KeyId),
}

/// By what right an entry stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// The member's own signature over the command.
    MemberSigned(SignedContent),
    /// The service saw a verified identity token; for a member without a key.
    ServiceWitnessed(Witness),
    /// The signature of an attested executor key over its report.
    ExecutorSigned(SignedContent),
    /// The signature of a key of the service over its own command.
    ServiceSigned(SignedContent),
    /// It follows from the entry at this earlier position, of the same command.
    Consequence(u64),
}

/// A signed command and the content that its digest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedContent {
    /// The `COSE_Sign1` bytes.
    pub message: Vec<u8>,
    /// The content's canonical bytes.
    pub content: Vec<u8>,
}

/// What the service keeps of a verified identity token, and the command that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// SHA-256 of the token.
    pub token: Digest,
    /// The token's `iss`.
    pub issuer: String,
    /// Its tenant, where the issuer has tenants.
    pub tenant: Option<String>,
    /// Its `sub`.
    pub subject: String,
    /// The `kid` of the issuer's key.
    pub key_id: String,
    /// The command's action.
    pub action: String,
    /// The expected version of the subject that it named.
    pub expected_version: Option<u64>,
    /// The command's content, canonical bytes.
    pub content: Vec<u8>,
}

impl Authority {
    /// The content of the command that it carries, canonical bytes; none where it carries none.
    pub fn content(&self) -> Option<&[u8]> {
        match self {
            Self::MemberSigned(signed)
            | Self::ExecutorSigned(signed)
            | Self::ServiceSigned(signed) => Some(&signed.content),
            Self::ServiceWitnessed(witness) => Some(&witness.content),
            Self::Consequence(_) => None,
        }
    }

    /// Bytes of what it carries: the signed message and its content, or the witnessed content.
    pub const fn carried_len(&self) -> usize {
        match self {
            Self::MemberSigned(signed)
            | Self::ExecutorSigned(signed)
            | Self::ServiceSigned(signed) => signed.message.len() + signed.content.len(),
            Self::ServiceWitnessed(witness) => witness.content.len(),
            Self::Consequence(_) => 0,
        }
    }
}

/// A sealed entry: its bytes as stored, their leaf hash, and what they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    bytes: Vec<u8>,
    leaf: Digest,
    key_id: KeyId,
    entry: Entry,
}

/// Why bytes are not a sealed entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Longer than [`SEALED_LEN_MAX`].
    #[error("the entry is longer than {SEALED_LEN_MAX} bytes")]
    TooLong,
    /// Not the `COSE_Sign1` of an entry.
    #[error("the entry is not a signed message of its kind")]
    Envelope(#[source] cose::ParseError),
    /// The payload is not canonical CBOR.
    #[error("the entry is not canonical CBOR")]
    Cbor(#[source] DecodeError),
    /// The payload is not an entry of a known wire version.
    #[error("the entry is not of a known wire version: {0}")]
    Wire(&'static str),
    /// The seal does not verify.
    #[error("the seal of the entry does not verify")]
    Seal(#[source] BadSignature),
}

/// Seals `entry` with the service's key.
pub fn seal(entry: Entry, key: &SigningKey) -> Sealed {
    let bytes = cose::sign(ContentType::Entry, &wire::v1::encode_entry(&entry), key);
    Sealed { leaf: merkle::leaf_hash(&bytes), bytes, key_id: key.public().id(), entry }
}

/// Reads an entry and the message that it is, in place.
fn read(bytes: &[u8]) -> Result<(cose::Parts<'_>, Entry), OpenError> {
    if bytes.len() > SEALED_LEN_MAX {
        return Err(OpenError::TooLong);
    }
    let parts = cose::parts(ContentType::Entry, bytes).map_err(OpenError::Envelope)?;
    let entry = wire::v1::decode_entry(parts.payload)?;
    Ok((parts, entry))
}

impl Sealed {
    /// Reads an entry without checking its seal: for bytes that were checked when they came in.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, OpenError> {
        let (parts, entry) = read(&bytes)?;
        let key_id = parts.key_id;
        Ok(Self { leaf: merkle::leaf_hash(&bytes), bytes, key_id, entry })
    }

    /// Reads an entry and checks that `key` sealed it.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(bytes: Vec<u8>, key: &PublicKey) -> Result<Self, OpenError> {
        let (sealed, message) = Self::parse_signed(bytes)?;
        message.verify(key).map_err(OpenError::Seal)?;
        Ok(sealed)
    }

    /// Reads an entry, and gives beside it the signed message that it is, to check its seal later.
    ///
    /// # Errors
    ///
    /// [`OpenError`], but for [`OpenError::Seal`].
    pub fn parse_signed(bytes: Vec<u8>) -> Result<(Self, cose::Sign1), OpenError> {
        let (parts, entry) = read(&bytes)?;
        let (key_id, message) = (parts.key_id, parts.to_message());
        Ok((Self { leaf: merkle::leaf_hash(&bytes), bytes, key_id, entry }, message))
    }

    /// The bytes as stored.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, given away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The Merkle leaf hash of the bytes.
    pub const fn leaf(&self) -> Digest {
        self.leaf
    }

    /// The id of the key that sealed it.
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// What the entry says.
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }
}
