//! Secrets, tokens and attestation on the wire.

use chancery_ledger::codec::Value;

use super::super::record::Fields;
use super::super::{Wire, WireError, decode_text};
use super::{tagged, untagged};
use crate::secret::{Attests, SealingKey};
use crate::{command, event};

names! {
    crate::dataset::Encryption { None "none", ChunkedAes256Gcm "chunked-aes-256-gcm" }
}

record! {
    event::AttestationRecorded {
        attests, kind, evidence, platform, measurement, report_data, claims = omitted,
    }
    event::DatasetSecretStored { version, ciphertext, release_key }
    event::DatasetSecretErased { ciphertext }
    event::SecretReleased { dataset, ciphertext, recipient, evidence }
    event::SecretRefused { dataset, recipient, evidence, reasons }
    event::TokenMinted {
        dataset, issuer, subject, audience, expires_ms, token_key, recipient, evidence,
    }
    event::TokenRefused { dataset, audience, recipient, evidence, reasons }
    command::StoreDatasetSecret { version, ciphertext, release_key }
    command::EraseDatasetSecret {}
    command::ReleaseSecret { dataset, recipient, evidence }
    command::MintToken { dataset, audience, lifetime_ms, recipient, evidence }
    command::AttestService { release_key, token_key, evidence }
}

impl Wire for SealingKey {
    fn encode(&self) -> Value {
        Value::text(self.to_string())
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        decode_text(value, "`X25519:` and a key in base64url")
    }
}

impl Wire for Attests {
    fn encode(&self) -> Value {
        match self {
            Self::Service { release_key, token_key } => tagged(
                "service",
                [("release_key", release_key.encode()), ("token_key", token_key.encode())],
            ),
            Self::Executor { executor, recipient } => tagged(
                "executor",
                [("executor", executor.encode()), ("recipient", recipient.encode())],
            ),
        }
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        let variant = |kind: &str, fields: &mut Fields<'_>| {
            Ok(match kind {
                "service" => Some(Self::Service {
                    release_key: fields.take("release_key")?,
                    token_key: fields.take("token_key")?,
                }),
                "executor" => Some(Self::Executor {
                    executor: fields.take("executor")?,
                    recipient: fields.take("recipient")?,
                }),
                _ => None,
            })
        };
        untagged(value, variant, "service executor")
    }
}
