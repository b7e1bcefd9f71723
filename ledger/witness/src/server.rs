//! A witness: cosigns the checkpoints of known logs that extend what it saw.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle;
use chancery_ledger::note::{self, BadVerifierKey, Checkpoint, LogKey, Note, NoteError, Witness};
use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::request::{AddCheckpoint, BadRequest, REQUEST_LEN_MAX};
use crate::state::{Latest, State, StateError};

/// How long a request may take to arrive.
pub const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A witness: its key, the logs that it knows and what it saw of them.
pub struct Service {
    witness: Witness,
    key: SigningKey,
    logs: Vec<LogKey>,
    state: State,
    clock: Clock,
}

/// Why a checkpoint is not cosigned.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Body(#[from] BadRequest),
    #[error("the body is too long or does not arrive")]
    Unread,
    #[error("not a checkpoint")]
    Checkpoint(#[source] NoteError),
    #[error("no log of this origin is known")]
    UnknownLog,
    #[error("no signature of a trusted key")]
    Untrusted,
    #[error("the old size is greater than the checkpoint's, or a size is beyond 2^63 - 1")]
    Sizes,
    #[error("the last checkpoint cosigned has another size")]
    Conflict { size: u64 },
    #[error("another root was cosigned at this size")]
    Fork,
    #[error("the consistency proof does not verify")]
    Inconsistent,
    #[error("the witness's state is unavailable")]
    State(#[from] StateError),
}

impl Service {
    /// A witness under `name`, a schema-less URL, that cosigns with `key` what the logs of `logs`
    /// sign. A log whose key was rotated is there twice.
    ///
    /// # Errors
    ///
    /// [`BadVerifierKey`] where the name is none for a key.
    pub fn new(
        name: &str,
        key: SigningKey,
        logs: Vec<LogKey>,
        state: State,
        clock: Clock,
    ) -> Result<Self, BadVerifierKey> {
        let witness = Witness::new(name, key.public().clone())?;
        Ok(Self { witness, key, logs, state, clock })
    }

    /// Its name and key, as logs configure them.
    pub const fn witness(&self) -> &Witness {
        &self.witness
    }

    /// Checks a request, records the checkpoint, and returns the cosignature's line.
    async fn add_checkpoint(&self, body: &[u8]) -> Result<String, Refusal> {
        let request = AddCheckpoint::parse(body)?;
        let note = Note::parse(&request.note).map_err(Refusal::Checkpoint)?;
        let checkpoint = self.open(&note)?;
        let new = Latest { size: checkpoint.size, root: checkpoint.root };
        if request.old > new.size || i64::try_from(new.size).is_err() {
            return Err(Refusal::Sizes);
        }
        let latest = self.state.latest(&checkpoint.origin).await?;
        if request.old != latest.size {
            return Err(Refusal::Conflict { size: latest.size });
        }
        if new.size == latest.size && new.root != latest.root {
            tracing::error!(origin = checkpoint.origin, size = new.size, "a log has forked");
            return Err(Refusal::Fork);
        }
        merkle::verify_consistency(latest.size, &latest.root, new.size, &new.root, &request.proof)
            .map_err(|_| Refusal::Inconsistent)?;
        // Recorded even where nothing changes: then no later one has got in between.
        if !self.state.advance(&checkpoint.origin, latest, new).await? {
            let size = self.state.latest(&checkpoint.origin).await?.size;
            return Err(Refusal::Conflict { size });
        }
        tracing::debug!(origin = checkpoint.origin, size = new.size, "cosigned");
        Ok(note::cosign(note.text(), self.witness.name(), &self.key, (self.clock)()))
    }

    /// The checkpoint, if a known log signed it.
    fn open(&self, note: &Note) -> Result<Checkpoint, Refusal> {
        let checkpoint = note.checkpoint().map_err(Refusal::Checkpoint)?;
        let mut known = self.logs.iter().filter(|log| log.is_of(&checkpoint.origin)).peekable();
        if known.peek().is_none() {
            return Err(Refusal::UnknownLog);
        }
        known.find_map(|log| log.open(note).ok()).ok_or(Refusal::Untrusted)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Body(_) | Self::Checkpoint(_) | Self::Sizes => StatusCode::BAD_REQUEST,
            Self::Unread => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownLog => StatusCode::NOT_FOUND,
            Self::Untrusted => StatusCode::FORBIDDEN,
            Self::Conflict { .. } | Self::Fork => StatusCode::CONFLICT,
            Self::Inconsistent => StatusCode::UNPROCESSABLE_ENTITY,
            Self::State(error) => {
                tracing::error!(error = error as &dyn std::error::Error, "state unavailable");
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        if let Self::Conflict { size } = self {
            let kind = [(header::CONTENT_TYPE, "text/x.tlog.size")];
            return (status, kind, format!("{size}\n")).into_response();
        }
        (status, format!("{self}\n")).into_response()
    }
}

/// The routes of a witness.
pub fn router(service: Arc<Service>) -> Router {
    Router::new().route("/add-checkpoint", post(add_checkpoint)).with_state(service)
}

async fn add_checkpoint(Shared(service): Shared<Arc<Service>>, body: Body) -> Response {
    let read = tokio::time::timeout(READ_TIMEOUT, to_bytes(body, REQUEST_LEN_MAX)).await;
    let Ok(Ok(body)) = read else { return Refusal::Unread.into_response() };
    // In a task of its own: a client that hangs up does not stop it half way.
    let work = tokio::spawn(async move { service.add_checkpoint(&body).await });
    match work.await {
        Ok(answer) => answer.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Serves a witness on `listener` until `shutdown`, and answers what is under way.
///
/// # Errors
///
/// As the listener's.
pub async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(service)).with_graceful_shutdown(shutdown).await
}
