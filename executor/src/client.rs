//! The HTTP client of the service's API, as far as an executor uses it.
//!
//! The service may be killed at any moment and come back, and a reply may be lost: what can be
//! repeated is, with doubling delays. A report keeps its command id, so that the service answers a
//! repetition with the first outcome.

mod error;
mod given;
mod reader;
mod report;
mod token;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::note::NOTE_LEN_MAX;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;

pub use error::ClientError;
pub use report::Report;
use token::Tokens;

use crate::config::Config;

/// Most entries that are asked for at once, as the service allows.
pub const ENTRIES_MAX: u32 = 500;
/// Attempts of one call while the service is unavailable.
pub const ATTEMPTS_MAX: u32 = 8;

const FIRST_DELAY: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(30);
/// A range of the store in base64, and what is around it.
const BODY_LEN_MAX: usize = 64 << 20;
const PROBLEM_LEN_MAX: usize = 256 << 10;

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<Parts>);

struct Parts {
    http: reqwest::Client,
    base: String,
    tokens: Tokens,
}

/// Sealed entries as the service gave them, unchecked.
#[derive(Debug)]
pub struct Page {
    /// The position and sealed bytes of each.
    pub entries: Vec<(u64, Vec<u8>)>,
}

impl Client {
    /// A client for the service and identity in `config`, over `http`, which brings its own TLS.
    pub fn new(config: &Config, http: reqwest::Client) -> Self {
        let tokens = Tokens::new(http.clone(), config.credentials.clone());
        let base = config.service.trim_end_matches('/').to_owned();
        Self(Arc::new(Parts { http, base, tokens }))
    }

    /// The sizes of all logs after `after`, by id; none is the end.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn log_heads(
        &self,
        after: Option<CollaborationId>,
    ) -> Result<Vec<(CollaborationId, u64)>, ClientError> {
        #[derive(Deserialize)]
        struct Heads {
            heads: Vec<Head>,
        }
        #[derive(Deserialize)]
        struct Head {
            collaboration: String,
            size: u64,
        }
        let after: Vec<_> = after.map(|after| ("after", after.to_string())).into_iter().collect();
        let heads: Heads = self.read_json("/v1/log/heads", &after).await?;
        heads
            .heads
            .into_iter()
            .map(|head| match head.collaboration.parse() {
                Ok(id) => Ok((id, head.size)),
                Err(error) => Err(ClientError::corrupt(error)),
            })
            .collect()
    }

    /// Entries from position `from` on, 1 to [`ENTRIES_MAX`]; none is the end. Nothing is checked.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn entries(
        &self,
        collaboration: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Page, ClientError> {
        #[derive(Deserialize)]
        struct Entries {
            entries: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            position: u64,
            sealed: String,
        }
        let limit = limit.clamp(1, ENTRIES_MAX);
        let query = [("from", from.to_string()), ("limit", limit.to_string())];
        let path = format!("/v1/collaborations/{collaboration}/entries");
        let page: Entries = self.read_json(&path, &query).await?;
        let entries = page.entries.into_iter().map(|entry| {
            let sealed = URL_SAFE_NO_PAD.decode(entry.sealed).map_err(ClientError::corrupt)?;
            Ok((entry.position, sealed))
        });
        Ok(Page { entries: entries.collect::<Result<_, ClientError>>()? })
    }

    /// The signed checkpoint over a log: a note, unchecked.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn checkpoint(&self, collaboration: CollaborationId) -> Result<String, ClientError> {
        let path = format!("/v1/collaborations/{collaboration}/checkpoint");
        let body = self.read(&path, &[], NOTE_LEN_MAX).await?;
        String::from_utf8(body).map_err(ClientError::corrupt)
    }

    async fn read_json<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, ClientError> {
        let body = self.read(path, query, BODY_LEN_MAX).await?;
        serde_json::from_slice(&body).map_err(ClientError::corrupt)
    }

    async fn read(
        &self,
        path: &str,
        query: &[(&str, String)],
        len_max: usize,
    ) -> Result<Vec<u8>, ClientError> {
        let mut patience = Patience::default();
        loop {
            let request = self.request(Method::GET, path).query(query);
            match self.send(request, len_max).await {
                Err(error @ ClientError::Unavailable(_)) => patience.wait(error).await?,
                outcome => return outcome,
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.0.http.request(method, format!("{}{path}", self.0.base)).timeout(TIMEOUT)
    }

    /// Sends a request under the executor's token, with a fresh one where the first is refused.
    async fn send(&self, request: RequestBuilder, len_max: usize) -> Result<Vec<u8>, ClientError> {
        let again = request.try_clone();
        let token = self.0.tokens.token().await?;
        let response = request.bearer_auth(&token).send().await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return body(response, len_max).await;
        }
        self.0.tokens.forget(&token).await;
        let Some(again) = again else { return body(response, len_max).await };
        let token = self.0.tokens.token().await?;
        body(again.bearer_auth(token).send().await?, len_max).await
    }
}

/// The body of a success, of at most `len_max` bytes, or what the problem document says.
async fn body(response: Response, len_max: usize) -> Result<Vec<u8>, ClientError> {
    let status = response.status();
    if status.is_success() {
        return limited(response, len_max).await;
    }
    Err(ClientError::of_problem(status, &limited(response, PROBLEM_LEN_MAX).await?))
}

async fn limited(mut response: Response, len_max: usize) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > len_max {
            return Err(ClientError::corrupt(format!("a body of more than {len_max} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// How often and how soon a call is repeated while the service is unavailable.
#[derive(Default)]
struct Patience {
    failures: u32,
}

impl Patience {
    /// Waits before the next attempt, or gives `error` back after [`ATTEMPTS_MAX`] of them.
    async fn wait(&mut self, error: ClientError) -> Result<(), ClientError> {
        self.failures += 1;
        if self.failures >= ATTEMPTS_MAX {
            return Err(error);
        }
        let doubled = FIRST_DELAY.saturating_mul(1 << (self.failures - 1));
        tokio::time::sleep(doubled.min(DELAY_MAX)).await;
        Ok(())
    }
}
