//! Reports on runs, signed with the executor's key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::command::Command;
use chancery_governance::subject::Subject;
use chancery_governance::wire::v1::encode_command;
use chancery_ledger::codec::{self, Key, Value};
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CommandId;
use chancery_ledger::key::{KeyId, SigningKey};
use reqwest::Method;

use super::{BODY_LEN_MAX, Client, ClientError, Patience};
use crate::{RunKey, clock};

/// How long a report's signature lives. Each attempt is signed anew.
const SIGNATURE_LIFE_MS: u64 = 60 * 60 * 1000;

/// A report on a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// The id of the key that seals the run's log.
    pub audience: KeyId,
    /// The run.
    pub run: RunKey,
    /// The command's id, the same at every repetition.
    pub id: CommandId,
    /// One of the executor's commands.
    pub command: Command,
}

impl Client {
    /// Sends a report, and repeats it under its id until its outcome is known, or the service has
    /// been away for too long. The reply is not used: the log says what became of it.
    ///
    /// # Errors
    ///
    /// [`ClientError`]. A refused run is a conflict, `run_refused`, and in the log.
    pub async fn report(&self, report: &Report, key: &SigningKey) -> Result<(), ClientError> {
        let action = report.command.action();
        let step = action.strip_prefix("run.").unwrap_or(action);
        let content = encode_command(&report.command);
        let RunKey { collaboration, run } = report.run;
        let path = format!("/v1/collaborations/{collaboration}/runs/{run}/reports/{step}");
        let body = to_json(&content).to_string();
        let content = Digest::of(&codec::encode(&content));
        let mut patience = Patience::default();
        loop {
            let signed = SignedCommand {
                audience: report.audience,
                collaboration,
                action: action.to_owned(),
                subject: Subject::Run(run).to_string(),
                content,
                expected_version: None,
                command: report.id,
                expires_ms: clock::now_ms().saturating_add(SIGNATURE_LIFE_MS),
            };
            let signature = signed.sign(ContentType::ExecutorReport, key);
            let request = self
                .request(Method::POST, &path)
                .header("idempotency-key", report.id.to_string())
                .header("chancery-signature", URL_SAFE_NO_PAD.encode(signature))
                .header("content-type", "application/json")
                .body(body.clone());
            match self.send(request, BODY_LEN_MAX).await {
                Err(error @ ClientError::Unavailable(_)) => patience.wait(error).await?,
                outcome => return outcome.map(drop),
            }
        }
    }
}

/// A command's content as JSON: it has text keys, and integers of 64 bits only.
fn to_json(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::Int(number) => u64::try_from(*number)
            .map(Json::from)
            .or_else(|_| i64::try_from(*number).map(Json::from))
            .unwrap_or(Json::Null),
        Value::Bytes(bytes) => Json::from(URL_SAFE_NO_PAD.encode(bytes)),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Map(map) => map
            .iter()
            .filter_map(|(key, value)| match key {
                Key::Text(text) => Some((text.0.clone(), to_json(value))),
                Key::Uint(_) | Key::Nint(_) => None,
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Bool(bool) => Json::from(*bool),
        Value::Null => Json::Null,
    }
}
