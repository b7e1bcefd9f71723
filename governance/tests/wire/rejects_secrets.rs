//! What version 1 refuses of secrets, tokens and attestation.

use chancery_ledger::codec::{Key, Value};

use super::people::{put, with};
use super::{As, Reject, reject};

pub fn rejects() -> Vec<Reject> {
    let of = |name, bytes, expected| reject(name, As::Entry, bytes, expected);
    vec![
        of(
            "entry-release-to-a-short-key",
            with("SecretReleased", put("recipient", Value::text("X25519:AAAA"))),
            "position 14: the payload is not that of its type: recipient: expected `X25519:` and a key in base64url",
        ),
        of(
            "entry-release-to-a-signing-key",
            with(
                "SecretReleased",
                put("recipient", Value::text("EdDSA:iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w")),
            ),
            "position 14: the payload is not that of its type: recipient: expected `X25519:` and a key in base64url",
        ),
        of(
            "entry-refused-secret-without-reasons",
            with("SecretRefused", |map| drop(map.remove(&Key::from("reasons")))),
            "position 14: the payload is not that of its type: reasons: is missing",
        ),
        of(
            "entry-release-with-the-secret",
            with("SecretReleased", put("secret", Value::text("hunter2"))),
            "position 14: the payload is not that of its type: secret: is not a known field",
        ),
        of(
            "entry-attestation-of-another-kind",
            with("AttestationRecorded", |map| {
                map.insert("attests".into(), Value::map([("kind", Value::text("operator"))]));
            }),
            "position 14: the payload is not that of its type: attests.kind: expected one of service executor",
        ),
        of(
            "entry-attestation-claims-at-their-default",
            with("AttestationRecorded", |map| {
                map.insert("claims".into(), Value::map::<Key>([]));
            }),
            "position 14: the payload is not that of its type: not the one encoding of this event",
        ),
        of(
            "entry-token-that-ends-before-time",
            with("TokenMinted", put("expires_ms", Value::Int(-1))),
            "position 14: the payload is not that of its type: expires_ms: expected an integer from 0 to 2^64 - 1",
        ),
        of(
            "entry-encryption-of-another-kind",
            with("DatasetPublished", |map| {
                let Some(Value::Map(descriptor)) = map.get_mut(&Key::from("descriptor")) else {
                    return;
                };
                descriptor.insert("encryption".into(), Value::text("rot13"));
            }),
            "position 14: the payload is not that of its type: descriptor.encryption: expected one of none chunked-aes-256-gcm",
        ),
        of(
            "entry-encryption-at-its-default",
            with("DatasetPublished", |map| {
                let Some(Value::Map(descriptor)) = map.get_mut(&Key::from("descriptor")) else {
                    return;
                };
                descriptor.insert("encryption".into(), Value::text("none"));
            }),
            "position 14: the payload is not that of its type: not the one encoding of this event",
        ),
    ]
}
