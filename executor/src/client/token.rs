//! Where bearer tokens come from: the client credentials grant (RFC 6749 section 4.4).

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{ClientError, TIMEOUT, limited};
use crate::config::Credentials;

/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_secs(30);
/// The life of a token whose issuer doesn't say (RFC 6749 section 5.1 recommends that it does).
const LIFE_DEFAULT_S: u64 = 60;
const ANSWER_LEN_MAX: usize = 64 << 10;

/// The executor's tokens: one at a time, renewed near its end.
pub struct Tokens {
    http: reqwest::Client,
    credentials: Credentials,
    held: Mutex<Option<Held>>,
}

struct Held {
    token: String,
    ends: Instant,
}

impl Tokens {
    pub fn new(http: reqwest::Client, credentials: Credentials) -> Self {
        Self { http, credentials, held: Mutex::default() }
    }

    /// A token that lives a while yet.
    pub async fn token(&self) -> Result<String, ClientError> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| Instant::now() < held.ends) {
            return Ok(held.token.clone());
        }
        let fresh = self.fetch().await?;
        let token = fresh.token.clone();
        *held = Some(fresh);
        Ok(token)
    }

    /// Forgets a token that the service refused.
    pub async fn forget(&self, refused: &str) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| held.token == refused) {
            *held = None;
        }
    }

    async fn fetch(&self) -> Result<Held, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            access_token: String,
            expires_in: Option<u64>,
        }
        let Credentials { token_endpoint, client_id, client_secret, scope } = &self.credentials;
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client_id.as_str()),
            ("client_secret", client_secret.0.as_str()),
        ];
        form.extend(scope.as_deref().map(|scope| ("scope", scope)));
        let asked = Instant::now();
        let response = self.http.post(token_endpoint).timeout(TIMEOUT).form(&form).send().await?;
        let status = response.status();
        let body = limited(response, ANSWER_LEN_MAX).await?;
        if !status.is_success() {
            return Err(refused(status));
        }
        let answer: Answer = serde_json::from_slice(&body).map_err(ClientError::corrupt)?;
        let life = Duration::from_secs(answer.expires_in.unwrap_or(LIFE_DEFAULT_S));
        // Half of a short life, so that a token is used at all.
        let used = life.saturating_sub(MARGIN).max(life / 2);
        Ok(Held { token: answer.access_token, ends: asked + used })
    }
}

/// The issuer's own words are left out: nothing says that they hold no secret.
fn refused(status: StatusCode) -> ClientError {
    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        ClientError::Rejected {
            code: "token_refused".to_owned(),
            detail: format!("the issuer gives the executor no token: {status}"),
            reasons: Vec::new(),
        }
    } else {
        ClientError::Unavailable(format!("the token endpoint: {status}").into())
    }
}
