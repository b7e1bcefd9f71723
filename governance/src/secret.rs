//! Secrets of datasets, tokens for stores, and what attestation says of those who handle them.
//!
//! A dataset's secret never stands in the log: its ciphertext's digest does. The ciphertext lies
//! beside the log, sealed to a key of the service, and leaves only sealed again to the key that a
//! [`crate::event::SecretReleased`] names.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId, DatasetId, RunId};
use chancery_ledger::key::{KeyId, PublicKey};

use crate::query::DatasetVersion;
use crate::run::Platform;

/// Most bytes of a sealed secret: 32 of the encapsulated key and 16 of the tag are HPKE's.
pub const SEALED_SECRET_LEN_MAX: usize = 1024;
/// Most requests of secrets and tokens for one run, refused ones included.
pub const SECRET_REQUESTS_MAX: u64 = 256;
/// Shortest life of a token, in milliseconds.
pub const TOKEN_LIFETIME_MS_MIN: u64 = 60 * 1000;
/// Longest life of a token, in milliseconds.
pub const TOKEN_LIFETIME_MS_MAX: u64 = 60 * 60 * 1000;
/// Longest audience of a token, in bytes.
pub const AUDIENCE_LEN_MAX: usize = 256;
/// Most pairs of keys that a service announces in a log, one after the other.
pub const SERVICE_ATTESTATIONS_MAX: usize = 1_000;

/// A public key that secrets are sealed to: X25519 (RFC 7748), 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SealingKey([u8; Self::LEN]);

/// A text or byte string that is no sealing key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a sealing key: expected `X25519:` and the key in base64url")]
pub struct ParseSealingKeyError;

const PREFIX: &str = "X25519:";

impl SealingKey {
    /// Its length in bytes.
    pub const LEN: usize = 32;

    /// Takes the raw bytes of a key.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Its raw bytes.
    pub const fn bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Its id: SHA-256 of the raw bytes.
    pub fn id(&self) -> KeyId {
        Digest::of(&self.0)
    }
}

impl fmt::Display for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl FromStr for SealingKey {
    type Err = ParseSealingKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let encoded = text.strip_prefix(PREFIX).ok_or(ParseSealingKeyError)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| ParseSealingKeyError)?;
        bytes.try_into().map(Self).map_err(|_| ParseSealingKeyError)
    }
}

/// Whose evidence was recorded, and what it binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attests {
    /// The service: the key that secrets are sealed to, and the one that signs tokens.
    Service {
        /// What members seal secrets to.
        release_key: SealingKey,
        /// What signs tokens: an ES256 key.
        token_key: PublicKey,
    },
    /// An executor, for a run that it was admitted to: its key and the one that it decrypts with.
    Executor {
        /// The key that signs.
        executor: PublicKey,
        /// The key that secrets and tokens are sealed to.
        recipient: SealingKey,
    },
}

/// Keys that a service announced in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceKeys {
    /// What members seal secrets to.
    pub release_key: SealingKey,
    /// What signs tokens.
    pub token_key: PublicKey,
    /// What stands behind the evidence.
    pub platform: Platform,
    /// Where they were announced.
    pub position: u64,
}

/// A secret that was stored for the newest version of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredSecret {
    /// The digest of its ciphertext.
    pub ciphertext: Digest,
    /// The id of the key that it is sealed to.
    pub release_key: KeyId,
    /// Where it was stored.
    pub position: u64,
}

/// The name of a stored ciphertext beside the log.
pub fn stored_name(dataset: DatasetId, ciphertext: &Digest) -> String {
    format!("secret/{dataset}/{}", ciphertext.to_hex())
}

/// What an executor was given for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Of which dataset, in which version.
    pub version: DatasetVersion,
    /// The executor's key, by its id.
    pub executor: KeyId,
    /// What it was sealed to.
    pub recipient: SealingKey,
    /// The command that asked for it.
    pub command: CommandId,
    /// Where it was given.
    pub position: u64,
    /// The leaf hash of that entry.
    pub leaf: Digest,
    /// When, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// What.
    pub what: GivenWhat,
}

/// See [`Given`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenWhat {
    /// The dataset's secret, by the digest of its ciphertext.
    Secret(Digest),
    /// A token.
    Token(TokenClaims),
}

/// What a token says. Its `jti` is the leaf hash of the entry that minted it, `iat` that entry's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenClaims {
    /// `iss`: the service's public address.
    pub issuer: String,
    /// `sub`: see [`token_subject`].
    pub subject: String,
    /// `aud`: as the dataset's owner wrote.
    pub audience: String,
    /// `exp`, in milliseconds since the Unix epoch.
    pub expires_ms: u64,
    /// The key that signs it, by its id.
    pub token_key: KeyId,
}

/// What a run was given and asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunSecrets {
    /// The executor that was admitted last; it stays when the run has its outcome.
    pub executor: Option<PublicKey>,
    /// What was given, in order.
    pub given: Vec<Given>,
    /// How often something was asked for, refusals included.
    pub requests: u64,
}

impl RunSecrets {
    /// Whether that executor was given the secret of a dataset.
    pub fn has_secret(&self, executor: KeyId, dataset: DatasetId) -> bool {
        self.given.iter().any(|given| {
            given.executor == executor
                && given.version.dataset == dataset
                && matches!(given.what, GivenWhat::Secret(_))
        })
    }
}

/// Who a token speaks for: a dataset's owner, dataset and run in a collaboration. A store grants
/// access by its beginning, `<collaboration>/<owner>/<dataset>`, so that nobody's dataset names
/// another's.
pub fn token_subject(
    collaboration: CollaborationId,
    owner: chancery_ledger::id::MemberId,
    dataset: DatasetId,
    run: RunId,
) -> String {
    format!("{collaboration}/{owner}/{dataset}/{run}")
}

/// What a member's ciphertext is bound to, as HPKE's `info` and `aad`: it opens for this dataset
/// version in this collaboration only.
pub fn stored_context(collaboration: CollaborationId, version: &DatasetVersion) -> Vec<u8> {
    codec::encode(&Value::Array(vec![
        Value::text("chancery/v1/dataset-secret"),
        Value::bytes(*collaboration.as_bytes()),
        Value::bytes(*version.dataset.as_bytes()),
        Value::bytes(*version.digest.as_bytes()),
    ]))
}

/// What is handed out is bound to: the entry that gave it.
pub fn given_context(collaboration: CollaborationId, run: RunId, leaf: &Digest) -> Vec<u8> {
    codec::encode(&Value::Array(vec![
        Value::text("chancery/v1/given"),
        Value::bytes(*collaboration.as_bytes()),
        Value::bytes(*run.as_bytes()),
        Value::bytes(*leaf.as_bytes()),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealing_key_has_one_text() {
        let key = SealingKey::new([7; 32]);
        let text = key.to_string();
        assert_eq!(text.parse(), Ok(key));
        let longer = format!("{text}A");
        for wrong in ["", "X25519:", "EdDSA:AAAA", &longer, &text[..text.len() - 1]] {
            assert_eq!(wrong.parse::<SealingKey>(), Err(ParseSealingKeyError), "{wrong}");
        }
    }
}
