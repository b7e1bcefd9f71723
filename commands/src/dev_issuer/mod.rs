//! The embedded issuer for development: an `OpenID` provider without passwords.
//!
//! Anyone who reaches it can be any of the three demo people. So it is bound to this machine: it
//! can't be made for a base URL that is not loopback http, answers only to loopback host names (a
//! guard against DNS rebinding), redirects only to loopback addresses, and marks each response
//! with [`MARK`]. Whether it exists at all is the binary's choice, in development mode alone.
//!
//! Authorization code flow with PKCE (RFC 6749 section 4.1, RFC 7636, RFC 9700) for people, and
//! client credentials (RFC 6749 section 4.4) for the executor. No refresh tokens, sessions or user
//! info: signing in again costs one click.

mod authorize;
mod codes;
mod key;
mod loopback;
mod page;
mod people;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod token;

use std::fmt;
use std::sync::{Arc, Mutex};

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CACHE_CONTROL, HOST, HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use chancery_ledger::digest::Digest;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::identity::is_loopback_host;
use crate::problem::Problem;
use codes::Codes;
pub use key::DevKey;
pub use people::{EXECUTOR_SUBJECT, OPERATOR_TENANT, PEOPLE, Person};

/// The header on every response of this issuer, and its value.
pub const MARK: (HeaderName, HeaderValue) =
    (HeaderName::from_static("chancery-development-issuer"), HeaderValue::from_static("insecure"));

/// The `aud` of access tokens: the service.
pub const AUDIENCE: &str = "chancery";

/// The claim that holds the tenant.
pub const TENANT_CLAIM: &str = "tid";

/// The clients that people sign in with. Public: they have no secret, and so need PKCE.
pub const PUBLIC_CLIENTS: [&str; 2] = ["chancery-web", "chancery-cli"];

/// The client that the executor is, with a secret.
pub const EXECUTOR_CLIENT: &str = "chancery-executor";

/// How long a token is valid.
pub const TOKEN_LIFE_S: u64 = 60 * 60;

/// How long an authorization code waits to be redeemed.
pub const CODE_LIFE_MS: u64 = 60 * 1000;

/// The most codes that wait at a time.
pub const CODES_MAX: usize = 1024;

/// The shortest secret that the executor may have, in bytes.
pub const EXECUTOR_SECRET_BYTES_MIN: usize = 32;

/// The largest form that the token endpoint reads.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// Fills a buffer with unpredictable bytes.
pub type Random = Arc<dyn Fn(&mut [u8]) -> Result<(), ring::error::Unspecified> + Send + Sync>;

/// What a development issuer is made of.
pub struct DevIssuerParts {
    /// The `iss`, and the address under which [`DevIssuer::router`] is nested:
    /// `http://127.0.0.1:8080/dev/issuer`. No slash at the end.
    pub base_url: String,
    /// The secret of [`EXECUTOR_CLIENT`], at least [`EXECUTOR_SECRET_BYTES_MIN`] random bytes of
    /// text.
    pub executor_secret: String,
    /// What signs the tokens.
    pub key: DevKey,
    /// The clock.
    pub now_ms: Clock,
    /// The source of codes and token ids.
    pub random: Random,
}

/// Why a development issuer can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DevIssuerError {
    /// The base URL would let other machines in.
    #[error("the development issuer runs on http at a loopback address only, not at {base_url:?}")]
    NotLoopback {
        /// The URL as given.
        base_url: String,
    },
    /// The base URL is not in its plain form, byte for byte, which an `iss` needs.
    #[error("{base_url:?} is not a plain base URL")]
    NotPlain {
        /// The URL as given.
        base_url: String,
    },
    /// The executor's secret is too short.
    #[error("the executor's secret is shorter than {EXECUTOR_SECRET_BYTES_MIN} bytes")]
    SecretTooShort,
    /// The signing key can't be made or read.
    #[error("the signing key is unusable")]
    Key,
}

/// The embedded issuer for development.
pub struct DevIssuer {
    base_url: String,
    /// Compared as a digest, so that the time it takes tells nothing.
    executor_secret: Digest,
    key: DevKey,
    now_ms: Clock,
    random: Random,
    codes: Mutex<Codes>,
}

impl DevIssuer {
    /// Makes an issuer.
    ///
    /// # Errors
    ///
    /// [`DevIssuerError::NotLoopback`] for a base URL that other machines could reach, and others
    /// of [`DevIssuerError`] for unfit parts.
    pub fn new(parts: DevIssuerParts) -> Result<Self, DevIssuerError> {
        loopback::check_base_url(&parts.base_url)?;
        if parts.executor_secret.len() < EXECUTOR_SECRET_BYTES_MIN {
            return Err(DevIssuerError::SecretTooShort);
        }
        Ok(Self {
            base_url: parts.base_url,
            executor_secret: Digest::of(parts.executor_secret.as_bytes()),
            key: parts.key,
            now_ms: parts.now_ms,
            random: parts.random,
            codes: Mutex::default(),
        })
    }

    /// The `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        &self.base_url
    }

    /// The configuration with which a [`crate::identity::Verifier`] trusts this issuer.
    pub fn trusted(&self) -> crate::identity::TrustedIssuer {
        crate::identity::TrustedIssuer {
            issuer: self.base_url.clone(),
            audience: AUDIENCE.to_owned(),
            tenant_claim: Some(TENANT_CLAIM.to_owned()),
            emails_verified_in_tenant: false,
        }
    }

    /// The endpoints, to nest under the path of the base URL.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/authorize", get(authorize::endpoint))
            .route("/token", post(token::endpoint))
            .fallback(async || Problem::not_found("The development issuer has no such page."))
            .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
            .layer(middleware::from_fn(guard))
            .with_state(self)
    }

    fn endpoint(&self, path: &str) -> String {
        format!("{}/{path}", self.base_url)
    }

    /// 32 random bytes in base64url, or nothing when the system has none to give.
    fn random_text(&self) -> Option<String> {
        use base64::Engine as _;
        let mut bytes = [0; 32];
        (self.random)(&mut bytes).ok()?;
        Some(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for DevIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevIssuer").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Marks each response, keeps it out of caches, and answers to this machine's names only.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = if asks_for_this_machine(request.headers()) {
        next.run(request).await
    } else {
        Problem::forbidden(
            "development_issuer_loopback_only",
            "The development issuer answers on this machine's own names only.",
        )
        .into_response()
    };
    let headers = response.headers_mut();
    headers.insert(MARK.0, MARK.1);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn asks_for_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let url = host.and_then(|host| reqwest::Url::parse(&format!("http://{host}/")).ok());
    url.is_some_and(|url| url.username().is_empty() && url.host_str().is_some_and(is_loopback_host))
}

/// `OpenID` Connect Discovery 1.0 section 3, RFC 8414.
async fn discovery(State(issuer): State<Arc<DevIssuer>>) -> Json<Value> {
    Json(json!({
        "issuer": issuer.base_url,
        "authorization_endpoint": issuer.endpoint("authorize"),
        "token_endpoint": issuer.endpoint("token"),
        "jwks_uri": issuer.endpoint("jwks"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "scopes_supported": ["openid", "email", "profile"],
        "claims_supported": ["iss", "sub", "aud", "exp", "nbf", "iat", "nonce", TENANT_CLAIM,
                             "email", "email_verified", "name"],
        "claims_parameter_supported": false,
        "request_uri_parameter_supported": false,
    }))
}

async fn jwks(State(issuer): State<Arc<DevIssuer>>) -> Json<Value> {
    Json(json!({"keys": [issuer.key.public()]}))
}

/// The answer when the system has no random bytes.
fn no_randomness() -> Response {
    Problem::unavailable("random_unavailable", "Try again.").into_response()
}
