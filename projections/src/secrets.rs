//! Secrets, tokens and the service's keys in the views: who was given what, when, and who in vain.

use chancery_governance::event::{
    AttestationRecorded, DatasetSecretErased, DatasetSecretStored, SecretRefused, SecretReleased,
    TokenMinted, TokenRefused,
};
use chancery_governance::reason::Reason as Given;
use chancery_governance::secret::Attests;
use chancery_governance::state::Recorded;
use chancery_governance::subject::Subject;
use chancery_ledger::entry::Actor;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::collaborations;
use crate::document::Reason;
use crate::fold::{Illegal, Rows, SUBJECT};
use crate::mirror::document;
use crate::moment::Moment;
use crate::runs::RunView;

/// The keys that the service announced for secrets and tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceKeysView {
    /// What secrets are sealed to: `X25519:` and the key in base64url.
    pub release_key: String,
    /// Its id, `sha256:...`.
    pub release_key_id: String,
    /// What signs tokens: `ES256:` and the key in base64url.
    pub token_key: String,
    /// What stands behind the evidence: `insecure-virtual` means that the service's process holds the
    /// private halves, and no hardware.
    pub platform: String,
    /// When they were announced.
    pub announced: Moment,
}

/// The stored secret of a dataset's newest version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretView {
    /// The digest of its ciphertext.
    pub ciphertext: String,
    /// The id of the key that it is sealed to.
    pub release_key_id: String,
    /// When it was stored.
    pub stored: Moment,
}

/// What an executor of a run was given, or asked for in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HandedOut {
    /// `secret` or `token`.
    pub kind: String,
    /// Whether it was given.
    pub given: bool,
    /// The dataset's id.
    pub dataset: String,
    /// The digest of the secret's ciphertext, where one was released.
    pub ciphertext: Option<String>,
    /// Whom a token is for.
    pub audience: Option<String>,
    /// When a token ends, milliseconds since the Unix epoch.
    pub expires_ms: Option<u64>,
    /// The id of the executor's key.
    pub executor_key_id: String,
    /// The key that it was sealed to.
    pub recipient: String,
    /// The digest of the evidence.
    pub evidence: String,
    /// Why not.
    pub reasons: Vec<Reason>,
    /// When.
    pub at: Moment,
}

/// The service announced keys; what is recorded of an executor stands beside what it was given.
pub(crate) fn attested(
    rows: &mut Rows,
    at: &Recorded,
    event: &AttestationRecorded,
) -> Result<(), Illegal> {
    match &event.attests {
        Attests::Service { release_key, token_key } => {
            let keys = ServiceKeysView {
                release_key: release_key.to_string(),
                release_key_id: release_key.id().to_string(),
                token_key: token_key.to_string(),
                platform: event.platform.as_str().to_owned(),
                announced: Moment::of(at),
            };
            collaborations::about(rows, at)?.keys = Some(keys);
            Ok(())
        }
        Attests::Executor { .. } => run(rows, at).map(|_| ()),
    }
}

/// A secret lies beside the log.
pub(crate) fn stored(
    rows: &mut Rows,
    at: &Recorded,
    event: &DatasetSecretStored,
) -> Result<(), Illegal> {
    let Subject::Dataset(id) = at.subject else { return Err(SUBJECT) };
    let dataset = rows.datasets.touch(&id.to_string(), at)?;
    if dataset.digest != event.version.to_string() || dataset.retired.is_some() {
        return Err("the dataset is retired, or has another version");
    }
    dataset.secret = Some(SecretView {
        ciphertext: event.ciphertext.to_string(),
        release_key_id: event.release_key.to_string(),
        stored: Moment::of(at),
    });
    Ok(())
}

/// It is destroyed.
pub(crate) fn erased(
    rows: &mut Rows,
    at: &Recorded,
    event: &DatasetSecretErased,
) -> Result<(), Illegal> {
    let Subject::Dataset(id) = at.subject else { return Err(SUBJECT) };
    match rows.datasets.touch(&id.to_string(), at)?.secret.take() {
        Some(secret) if secret.ciphertext == event.ciphertext.to_string() => Ok(()),
        _ => Err("no such secret is stored"),
    }
}

/// A secret is released.
pub(crate) fn released(
    rows: &mut Rows,
    at: &Recorded,
    event: &SecretReleased,
) -> Result<(), Illegal> {
    hand_out(rows, at, |it| {
        it.dataset = event.dataset.dataset.to_string();
        it.ciphertext = Some(event.ciphertext.to_string());
        it.recipient = event.recipient.to_string();
        it.evidence = event.evidence.to_string();
    })
}

/// A secret is refused.
pub(crate) fn refused(
    rows: &mut Rows,
    at: &Recorded,
    event: &SecretRefused,
) -> Result<(), Illegal> {
    let reasons = documents(&event.reasons)?;
    hand_out(rows, at, |it| {
        (it.given, it.reasons) = (false, reasons);
        it.dataset = event.dataset.to_string();
        it.recipient = event.recipient.to_string();
        it.evidence = event.evidence.to_string();
    })
}

/// A token is minted.
pub(crate) fn minted(rows: &mut Rows, at: &Recorded, event: &TokenMinted) -> Result<(), Illegal> {
    hand_out(rows, at, |it| {
        TOKEN.clone_into(&mut it.kind);
        it.dataset = event.dataset.dataset.to_string();
        it.audience = Some(event.audience.clone());
        it.expires_ms = Some(event.expires_ms);
        it.recipient = event.recipient.to_string();
        it.evidence = event.evidence.to_string();
    })
}

/// A token is refused.
pub(crate) fn token_refused(
    rows: &mut Rows,
    at: &Recorded,
    event: &TokenRefused,
) -> Result<(), Illegal> {
    let reasons = documents(&event.reasons)?;
    hand_out(rows, at, |it| {
        TOKEN.clone_into(&mut it.kind);
        (it.given, it.reasons) = (false, reasons);
        it.dataset = event.dataset.to_string();
        it.audience = Some(event.audience.clone());
        it.recipient = event.recipient.to_string();
        it.evidence = event.evidence.to_string();
    })
}

const SECRET: &str = "secret";
const TOKEN: &str = "token";

fn hand_out(
    rows: &mut Rows,
    at: &Recorded,
    fill: impl FnOnce(&mut HandedOut),
) -> Result<(), Illegal> {
    let Actor::Executor(executor) = at.actor else { return Err("its actor is no executor") };
    let run = run(rows, at)?;
    let mut it = HandedOut {
        kind: SECRET.to_owned(),
        given: true,
        dataset: String::new(),
        ciphertext: None,
        audience: None,
        expires_ms: None,
        executor_key_id: executor.to_string(),
        recipient: String::new(),
        evidence: String::new(),
        reasons: Vec::new(),
        at: Moment::of(at),
    };
    fill(&mut it);
    if run.executor.is_none() || (it.given && run.ended) {
        return Err("no executor is admitted to the run");
    }
    run.handed_out.push(it);
    Ok(())
}

fn run<'a>(rows: &'a mut Rows, at: &Recorded) -> Result<&'a mut RunView, Illegal> {
    let Subject::Run(id) = at.subject else { return Err(SUBJECT) };
    rows.runs.touch(&id.to_string(), at)
}

fn documents(reasons: &[Given]) -> Result<Vec<Reason>, Illegal> {
    reasons.iter().map(document).collect()
}
