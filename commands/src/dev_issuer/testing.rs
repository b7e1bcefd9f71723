//! A development issuer on a loopback port, for tests, with a clock that stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_ledger::digest::Digest;
use serde_json::Value;

use super::{DevIssuer, DevIssuerParts, DevKey};

pub(crate) const EXECUTOR_SECRET: &str = "a secret of the executor, 32 bytes or more";
pub(crate) const VERIFIER: &str = "a-verifier-of-the-length-that-pkce-asks-for-43";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:49152/callback";
pub(crate) const START_MS: u64 = 1_800_000_000_000;

pub(crate) struct Served {
    pub issuer: Arc<DevIssuer>,
    pub base_url: String,
    pub http: reqwest::Client,
    clock: Arc<AtomicU64>,
}

/// A client that follows no redirects and asks no proxy.
pub(crate) fn client() -> reqwest::Client {
    // A second test finds it installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder();
    builder.redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

/// Serves `app` on a loopback port of its own until the test's runtime ends.
pub(crate) async fn serve(app: impl FnOnce(&str) -> Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let app = app(&origin);
    tokio::spawn(async move { axum::serve(listener, app).await });
    origin
}

pub(crate) fn new_key() -> DevKey {
    DevKey::generate(&ring::rand::SystemRandom::new()).unwrap()
}

impl Served {
    pub async fn start() -> Self {
        let clock = Arc::new(AtomicU64::new(START_MS));
        let counter = AtomicU64::new(1);
        let mut made = None;
        let origin = serve(|origin| {
            let read = Arc::clone(&clock);
            let issuer = Arc::new(
                DevIssuer::new(DevIssuerParts {
                    base_url: format!("{origin}/dev/issuer"),
                    executor_secret: EXECUTOR_SECRET.to_owned(),
                    key: new_key(),
                    now_ms: Arc::new(move || read.load(Ordering::SeqCst)),
                    // Not random at all, and never twice the same.
                    random: Arc::new(move |bytes: &mut [u8]| {
                        let n = counter.fetch_add(1, Ordering::SeqCst).to_be_bytes();
                        bytes[..n.len()].copy_from_slice(&n);
                        Ok(())
                    }),
                })
                .unwrap(),
            );
            made = Some(Arc::clone(&issuer));
            Router::new().nest("/dev/issuer", issuer.router())
        })
        .await;
        Self {
            issuer: made.unwrap(),
            base_url: format!("{origin}/dev/issuer"),
            http: client(),
            clock,
        }
    }

    pub fn now_ms(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub fn advance(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    /// A good authorization request, with `changes`: a value replaces, an empty one removes.
    pub async fn authorize(&self, changes: &[(&str, &str)]) -> reqwest::Response {
        let challenge = URL_SAFE_NO_PAD.encode(Digest::of(VERIFIER.as_bytes()).as_bytes());
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", "chancery-cli"),
            ("redirect_uri", REDIRECT),
            ("scope", "openid"),
            ("state", "st&te"),
            ("nonce", "n-1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("login_hint", "olivia@litware.example"),
        ];
        change(&mut query, changes);
        let url = format!("{}/authorize", self.base_url);
        self.http.get(url).query(&query).send().await.unwrap()
    }

    /// The code for a person.
    pub async fn code(&self, email: &str) -> String {
        let back = redirected(&self.authorize(&[("login_hint", email)]).await);
        back.iter().find(|(name, _)| name == "code").unwrap().1.clone()
    }

    /// A good token request for `code`, with `changes`.
    pub async fn token(&self, code: &str, changes: &[(&str, &str)]) -> reqwest::Response {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("client_id", "chancery-cli"),
            ("redirect_uri", REDIRECT),
            ("code", code),
            ("code_verifier", VERIFIER),
        ];
        change(&mut form, changes);
        self.post(&form).await
    }

    pub async fn post(&self, form: &[(&str, &str)]) -> reqwest::Response {
        self.http.post(format!("{}/token", self.base_url)).form(form).send().await.unwrap()
    }

    /// The whole flow for a person; the token response.
    pub async fn sign_in(&self, email: &str) -> Value {
        let response = self.token(&self.code(email).await, &[]).await;
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }
}

fn change<'a>(pairs: &mut Vec<(&'a str, &'a str)>, changes: &[(&'a str, &'a str)]) {
    for (name, value) in changes {
        pairs.retain(|(other, _)| other != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
}

/// The query of the address that a response redirects to, which must be the client's.
pub(crate) fn redirected(response: &reqwest::Response) -> Vec<(String, String)> {
    assert_eq!(response.status(), 303);
    let location = response.headers()["location"].to_str().unwrap();
    assert!(location.starts_with(&format!("{REDIRECT}?")), "{location}");
    let url = reqwest::Url::parse(location).unwrap();
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}
