//! Signed commands: which content is signed, and by which key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_commands::content;
use chancery_governance::subject::Subject;
use chancery_ledger::codec;
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::key::{KeyId, SigningKey};

use crate::failure::Result;

/// How long a signature lives: long enough for every retry, short enough to be of no other use.
pub const LIFE_MS: u64 = 5 * 60 * 1000;

/// What is signed, but for the content.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The service that it is meant for.
    pub audience: KeyId,
    /// The collaboration.
    pub collaboration: CollaborationId,
    /// The action, as in `query.approve`.
    pub action: &'static str,
    /// What it acts on.
    pub subject: Subject,
    /// The version of the subject that was looked at.
    pub expected_version: Option<u64>,
    /// The command's id.
    pub command: CommandId,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
}

/// The digest of the canonical content of a JSON body.
///
/// # Errors
///
/// Where the body has no canonical form.
pub fn content_digest(body: &[u8]) -> Result<Digest> {
    Ok(Digest::of(&codec::encode(&content::parse(body)?)))
}

/// The signature header of a command with that JSON content.
///
/// # Errors
///
/// Where the content has no canonical form.
pub fn header(envelope: &Envelope, content: &[u8], key: &SigningKey) -> Result<String> {
    let signed = SignedCommand {
        audience: envelope.audience,
        collaboration: envelope.collaboration,
        action: envelope.action.to_owned(),
        subject: envelope.subject.to_string(),
        content: content_digest(content)?,
        expected_version: envelope.expected_version,
        command: envelope.command,
        expires_ms: envelope.now_ms.saturating_add(LIFE_MS),
    };
    Ok(URL_SAFE_NO_PAD.encode(signed.sign(ContentType::Command, key)))
}

#[cfg(test)]
mod tests;
