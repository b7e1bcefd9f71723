//! What a command's sender learns: where its events stand, and under which hashes.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::log::read;
use chancery_ledger::entry::Sealed;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::{may_refuse, refusal};
use crate::mirror::PREFERENCE_APPLIED;
use crate::problem::Problem;
use crate::refusal::{chain, recorded};

/// The outcome of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reply {
    /// The collaboration's id.
    pub collaboration: String,
    /// What the command acted on, as in `query/<id>`.
    pub subject: String,
    /// The subject's version now, for `If-Match`.
    pub version: u64,
    /// The position of the command's first event.
    pub position: u64,
    /// Its Merkle leaf hash.
    pub digest: String,
    /// That it is in the log: a COSE Receipt (RFC 9942), base64url.
    pub receipt: String,
    /// All events that the command caused, in order.
    pub events: Vec<AppendedEvent>,
    /// Whether this is the outcome of an earlier delivery of the same command.
    pub replayed: bool,
    /// Whether the mirror has receipts for all of its events; only where `Prefer: wait=N` asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirrored: Option<bool>,
    /// For how long it was waited for, in seconds at most.
    #[serde(skip)]
    pub(crate) waited_s: Option<u32>,
}

/// An event that a command caused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppendedEvent {
    /// Its position.
    pub position: u64,
    /// Its type, as in `QueryApproved`.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// Its Merkle leaf hash.
    pub digest: String,
}

impl Reply {
    /// The reply for a command's entries, or the problem that a refused run is.
    pub(crate) fn of(
        entries: &[Sealed],
        receipt: Option<Vec<u8>>,
        replayed: bool,
    ) -> Result<Self, Problem> {
        let receipt = receipt.ok_or_else(|| Problem::internal(&"an entry without a receipt"))?;
        let first =
            entries.first().ok_or_else(|| Problem::internal(&"a command without events"))?;
        let position = first.entry().position;
        if may_refuse(&first.entry().kind) {
            let (_, event) = read(first).map_err(|error| Problem::corrupt(&chain(&error)))?;
            if let Some((code, reasons)) = refusal(&event) {
                return Err(recorded(code, reasons, position));
            }
        }
        let subject = first.entry().subject.clone();
        let version = entries
            .iter()
            .filter(|entry| entry.entry().subject == subject)
            .map(|entry| entry.entry().position)
            .max()
            .unwrap_or(position);
        Ok(Self {
            collaboration: first.entry().collaboration.to_string(),
            subject,
            version,
            position,
            digest: first.leaf().to_string(),
            receipt: URL_SAFE_NO_PAD.encode(receipt),
            events: entries
                .iter()
                .map(|entry| AppendedEvent {
                    position: entry.entry().position,
                    kind: entry.entry().kind.clone(),
                    subject: entry.entry().subject.clone(),
                    digest: entry.leaf().to_string(),
                })
                .collect(),
            replayed,
            mirrored: None,
            waited_s: None,
        })
    }

    /// The size of the log after the command's last event.
    pub(crate) fn size(&self) -> u64 {
        self.events.last().map_or(0, |last| last.position + 1)
    }

    /// The same, after a wait of at most so many seconds for the mirror. None: there is no mirror.
    pub(crate) fn waited(mut self, mirrored: Option<bool>, wait_s: u32) -> Self {
        self.waited_s = mirrored.map(|_| wait_s);
        self.mirrored = Some(mirrored.unwrap_or(false));
        self
    }

    /// The response, with the subject's version as `ETag`.
    pub(crate) fn into_response(self, status: StatusCode) -> Response {
        let etag = HeaderValue::from_str(&format!("\"{}\"", self.version));
        let applied = self.waited_s.map(|seconds| format!("wait={seconds}"));
        let mut response = (status, Json(self)).into_response();
        if let Some(Ok(applied)) = applied.as_deref().map(HeaderValue::from_str) {
            response.headers_mut().insert(PREFERENCE_APPLIED, applied);
        }
        if let Ok(etag) = etag {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }
}
