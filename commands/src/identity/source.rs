//! Where an issuer's keys come from, and how long they are believed.
//!
//! Fetches of one issuer run one at a time and at least [`KEYS_REFETCH_MIN_MS`] apart, so that
//! tokens which name made-up keys can't turn this service into a flood. A fetch runs in a task of
//! its own: a caller who hangs up can't stop it, and so can't hold off a key rotation either.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::issuer::{Transport, transport};
use super::keys::{KeySet, Lookup};
use super::{
    FetchError, ISSUER_DOCUMENT_BYTES_MAX, ISSUER_TIMEOUT_MS, IdentityError, IssuerConfigError,
    KEYS_AGE_MAX_MS, KEYS_REFETCH_MIN_MS, KEYS_REFRESH_AFTER_MS, TrustedIssuer,
};

/// One issuer's keys, fetched when first wanted.
pub(super) struct KeySource {
    trusted: TrustedIssuer,
    discovery: Url,
    http: reqwest::Client,
    fetched: RwLock<Option<Fetched>>,
    /// Held while a fetch runs.
    last_attempt: Mutex<Option<Attempt>>,
}

#[derive(Clone)]
struct Fetched {
    keys: Arc<KeySet>,
    at_ms: u64,
}

#[derive(Clone, Copy)]
struct Attempt {
    at_ms: u64,
    succeeded: bool,
}

/// The part of a discovery document that is used (`OpenID` Connect Discovery 1.0 section 3).
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl KeySource {
    pub fn new(trusted: TrustedIssuer, http: reqwest::Client) -> Result<Self, IssuerConfigError> {
        Ok(Self {
            discovery: trusted.discovery_url()?,
            trusted,
            http,
            fetched: RwLock::new(None),
            last_attempt: Mutex::new(None),
        })
    }

    pub fn trusted(&self) -> &TrustedIssuer {
        &self.trusted
    }

    /// The key named `id`, for `algorithm`.
    pub async fn key(
        self: &Arc<Self>,
        id: &str,
        algorithm: Algorithm,
        now_ms: u64,
    ) -> Result<DecodingKey, IdentityError> {
        if let Some(fetched) = self.usable(now_ms) {
            match fetched.keys.find(id, algorithm) {
                Lookup::Found(key) => {
                    if now_ms.abs_diff(fetched.at_ms) >= KEYS_REFRESH_AFTER_MS {
                        self.refresh_in_background(now_ms);
                    }
                    return Ok(key);
                }
                Lookup::WrongAlgorithm => return Err(IdentityError::AlgorithmNotAllowed),
                Lookup::Unknown => {}
            }
        }
        self.refresh(now_ms).await.map_err(|source| IdentityError::IssuerUnavailable {
            issuer: self.trusted.issuer.clone(),
            source,
        })?;
        let found = self.usable(now_ms).map(|fetched| fetched.keys.find(id, algorithm));
        match found {
            Some(Lookup::Found(key)) => Ok(key),
            Some(Lookup::WrongAlgorithm) => Err(IdentityError::AlgorithmNotAllowed),
            Some(Lookup::Unknown) | None => Err(IdentityError::KeyUnknown),
        }
    }

    /// The keys, unless they are too old. Distances in time are absolute, so that a clock set back
    /// makes keys old rather than young for ever.
    fn usable(&self, now_ms: u64) -> Option<Fetched> {
        let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        (now_ms.abs_diff(fetched.at_ms) < KEYS_AGE_MAX_MS).then_some(fetched)
    }

    async fn refresh(self: &Arc<Self>, now_ms: u64) -> Result<(), FetchError> {
        let source = Arc::clone(self);
        let task = tokio::spawn(async move {
            let mut last = source.last_attempt.lock().await;
            source.fetch_unless_recent(&mut last, now_ms).await
        });
        task.await.unwrap_or(Err(FetchError::Interrupted))
    }

    fn refresh_in_background(self: &Arc<Self>, now_ms: u64) {
        let source = Arc::clone(self);
        tokio::spawn(async move {
            // When it is taken, somebody fetches already.
            let Ok(mut last) = source.last_attempt.try_lock() else { return };
            // A failure was logged; the keys at hand go on serving.
            let _ = source.fetch_unless_recent(&mut last, now_ms).await;
        });
    }

    async fn fetch_unless_recent(
        &self,
        last: &mut Option<Attempt>,
        now_ms: u64,
    ) -> Result<(), FetchError> {
        if let Some(attempt) = *last
            && now_ms.abs_diff(attempt.at_ms) < KEYS_REFETCH_MIN_MS
        {
            return if attempt.succeeded { Ok(()) } else { Err(FetchError::FailedRecently) };
        }
        let outcome = self.fetch().await;
        *last = Some(Attempt { at_ms: now_ms, succeeded: outcome.is_ok() });
        match outcome {
            Ok(keys) => {
                let fetched = Fetched { keys: Arc::new(keys), at_ms: now_ms };
                *self.fetched.write().unwrap_or_else(PoisonError::into_inner) = Some(fetched);
                Ok(())
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let issuer = self.trusted.issuer.as_str();
                tracing::warn!(issuer, %error, cause, "can't fetch an issuer's keys");
                Err(error)
            }
        }
    }

    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let bytes = self.document(self.discovery.clone()).await?;
        let discovery: Discovery =
            serde_json::from_slice(&bytes).map_err(FetchError::Unreadable)?;
        if discovery.issuer != self.trusted.issuer {
            return Err(FetchError::IssuerMismatch);
        }
        let keys = Url::parse(&discovery.jwks_uri).map_err(|_| FetchError::KeysUrlNotAllowed)?;
        match (transport(&self.discovery), transport(&keys)) {
            (_, Transport::Secure) | (Transport::Loopback, Transport::Loopback) => {}
            _ => return Err(FetchError::KeysUrlNotAllowed),
        }
        KeySet::parse(&self.document(keys).await?)
    }

    /// Reads one document, within time and size.
    async fn document(&self, url: Url) -> Result<Vec<u8>, FetchError> {
        let mut response = self
            .http
            .get(url.clone())
            .header(reqwest::header::ACCEPT, "application/json")
            .timeout(Duration::from_millis(ISSUER_TIMEOUT_MS))
            .send()
            .await
            .map_err(FetchError::Transport)?;
        if *response.url() != url || response.status().is_redirection() {
            return Err(FetchError::Redirected);
        }
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status { status: response.status().as_u16() });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(FetchError::Transport)? {
            if bytes.len() + chunk.len() > ISSUER_DOCUMENT_BYTES_MAX {
                return Err(FetchError::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}
