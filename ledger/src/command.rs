//! Signed commands: the bytes that a member, or an attested executor, puts its name to.

use crate::codec::DecodeError;
use crate::cose::{self, ContentType, Sign1};
use crate::digest::Digest;
use crate::id::{CollaborationId, CommandId};
use crate::key::{KeyId, SigningKey};
use crate::wire;

/// Longest life of a signature: one day, in milliseconds.
pub const LIFETIME_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// What a signature is over. It can be replayed nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCommand {
    /// The service that it is meant for: the id of the key in the collaboration's first event.
    pub audience: KeyId,
    /// The collaboration.
    pub collaboration: CollaborationId,
    /// The action, as in `query.approve`.
    pub action: String,
    /// What it acts on, as in `query/<id>`.
    pub subject: String,
    /// SHA-256 of the content's canonical bytes.
    pub content: Digest,
    /// The version of the subject that the signer saw, if it matters.
    pub expected_version: Option<u64>,
    /// The nonce: the command's id, which the log takes once.
    pub command: CommandId,
    /// When the signature ends: milliseconds since the Unix epoch.
    pub expires_ms: u64,
}

/// Why bytes are not a signed command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not the `COSE_Sign1` of a command.
    #[error("not a signed command")]
    Envelope(#[source] cose::ParseError),
    /// The payload is not canonical CBOR.
    #[error("the signed command is not canonical CBOR")]
    Cbor(#[source] DecodeError),
    /// The payload is not a command of a known wire version.
    #[error("the signed command is not of a known wire version: {0}")]
    Wire(&'static str),
}

impl SignedCommand {
    /// Signs this command. `content_type` tells members' commands from executors' reports.
    pub fn sign(&self, content_type: ContentType, key: &SigningKey) -> Vec<u8> {
        cose::sign(content_type, &wire::v1::encode_command(self), key)
    }

    /// Reads a signed command; check the signature with [`Sign1::verify`].
    ///
    /// # Errors
    ///
    /// [`ParseError`].
    pub fn parse(content_type: ContentType, bytes: &[u8]) -> Result<(Self, Sign1), ParseError> {
        let message = cose::parse(content_type, bytes).map_err(ParseError::Envelope)?;
        let command = wire::v1::decode_command(message.payload())?;
        Ok((command, message))
    }
}
