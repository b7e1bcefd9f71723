//! Samples of secrets, tokens and attestation.

use chancery_governance::clean_room::Claims;
use chancery_governance::command::{self, Command};
use chancery_governance::dataset::{Descriptor, Encryption};
use chancery_governance::event::{self, Event};
use chancery_governance::query::DatasetVersion;
use chancery_governance::reason::{Code, Reason};
use chancery_governance::run::Platform;
use chancery_governance::secret::{Attests, SealingKey, token_subject};
use chancery_governance::subject::Subject;

use super::{descriptor, digest, es256_key, evidence, executor};
use crate::support::fixtures::{orders_id, orders_s, room, run_id, run_s};
use crate::support::people::Who;
use crate::support::{EPOCH_MS, collaboration};

const AUDIENCE: &str = "api://AzureADTokenExchange";

fn recipient() -> SealingKey {
    SealingKey::new([9; SealingKey::LEN])
}

fn release_key() -> SealingKey {
    SealingKey::new([8; SealingKey::LEN])
}

fn attested(attests: Attests, claims: Claims) -> event::AttestationRecorded {
    event::AttestationRecorded {
        attests,
        kind: "insecure-virtual".into(),
        evidence: digest("evidence"),
        platform: Platform::InsecureVirtual,
        measurement: digest("application 1"),
        report_data: digest("report data"),
        claims,
    }
}

fn version() -> DatasetVersion {
    DatasetVersion { dataset: orders_id(), digest: digest("orders 1") }
}

fn encrypted() -> Descriptor {
    Descriptor {
        encryption: Encryption::ChunkedAes256Gcm,
        token_audience: Some(AUDIENCE.into()),
        ..descriptor()
    }
}

/// Every event with its subject.
pub fn events() -> Vec<(Subject, Event)> {
    let service = Attests::Service { release_key: release_key(), token_key: es256_key() };
    let of_run =
        Attests::Executor { executor: executor().public().clone(), recipient: recipient() };
    let claims = Claims { debug: Some(false), ..Claims::default() };
    let reason = |code| Reason::about(code, orders_s(), "No.");
    vec![
        (room(), attested(service, Claims::default()).into()),
        (
            orders_s(),
            event::DatasetSecretStored {
                version: digest("orders 4"),
                ciphertext: digest("ciphertext"),
                release_key: release_key().id(),
            }
            .into(),
        ),
        (orders_s(), event::DatasetSecretErased { ciphertext: digest("ciphertext") }.into()),
        (
            run_s(),
            event::SecretReleased {
                dataset: version(),
                ciphertext: digest("ciphertext"),
                recipient: recipient(),
                evidence: digest("evidence"),
            }
            .into(),
        ),
        (run_s(), attested(of_run, claims).into()),
        (
            run_s(),
            event::SecretRefused {
                dataset: orders_id(),
                recipient: recipient(),
                evidence: digest("evidence"),
                reasons: vec![
                    reason(Code::ConsentWithdrawn),
                    reason(Code::SecretNotStored),
                    reason(Code::SecretAlreadyReleased),
                    reason(Code::DatasetNotOfRun),
                    reason(Code::EvidenceOtherPlatform),
                ],
            }
            .into(),
        ),
        (
            run_s(),
            event::TokenMinted {
                dataset: version(),
                issuer: "https://chancery.test".into(),
                subject: token_subject(
                    collaboration(),
                    Who::Litware.member(),
                    orders_id(),
                    run_id(),
                ),
                audience: AUDIENCE.into(),
                expires_ms: EPOCH_MS + 600_000,
                token_key: es256_key().id(),
                recipient: recipient(),
                evidence: digest("evidence"),
            }
            .into(),
        ),
        (
            run_s(),
            event::TokenRefused {
                dataset: orders_id(),
                audience: AUDIENCE.into(),
                recipient: recipient(),
                evidence: digest("evidence"),
                reasons: vec![
                    reason(Code::AudienceNotAllowed),
                    reason(Code::TokenIssuerMissing),
                    reason(Code::ServiceNotAttested),
                ],
            }
            .into(),
        ),
    ]
}

/// Every command content with its subject.
pub fn commands() -> Vec<(Subject, Command)> {
    vec![
        (
            orders_s(),
            command::StoreDatasetSecret {
                version: digest("orders 4"),
                ciphertext: digest("ciphertext"),
                release_key: release_key().id(),
            }
            .into(),
        ),
        (orders_s(), command::EraseDatasetSecret {}.into()),
        (
            run_s(),
            command::ReleaseSecret {
                dataset: orders_id(),
                recipient: recipient(),
                evidence: evidence("insecure-virtual"),
            }
            .into(),
        ),
        (
            run_s(),
            command::MintToken {
                dataset: orders_id(),
                audience: AUDIENCE.into(),
                lifetime_ms: 600_000,
                recipient: recipient(),
                evidence: evidence("insecure-virtual"),
            }
            .into(),
        ),
        (
            room(),
            command::AttestService {
                release_key: release_key(),
                token_key: es256_key(),
                evidence: evidence("insecure-virtual"),
            }
            .into(),
        ),
    ]
}

/// Contents with the fields that [`super::commands`] has at their defaults.
pub fn contents() -> Vec<(&'static str, Command)> {
    let publish = command::PublishDataset { descriptor: encrypted() };
    vec![("publish-encrypted", publish.into())]
}
