//! The verifier against real HTTP issuers on loopback ports.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::dev_issuer::testing::{START_MS, Served, client, new_key, serve};
use crate::dev_issuer::{
    AUDIENCE, DevKey, EXECUTOR_CLIENT, EXECUTOR_SUBJECT, OPERATOR_TENANT, PEOPLE, TOKEN_LIFE_S,
};
use crate::problem::Problem;

/// Longer than anything here takes; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn verifier_of(served: &Served) -> Verifier {
    Verifier::new(vec![served.issuer.trusted()], client()).unwrap()
}

async fn code(verifier: &Verifier, token: &str, now_ms: u64) -> &'static str {
    verifier.verify(token, now_ms).await.map_or_else(|error| error.code(), |_| "verified")
}

async fn access_token(served: &Served) -> String {
    served.sign_in(PEOPLE[0].email).await["access_token"].as_str().unwrap().to_owned()
}

fn parts(token: &str) -> (Value, Value, String) {
    let mut segments = token.split('.');
    let mut json = || {
        let bytes = URL_SAFE_NO_PAD.decode(segments.next().unwrap()).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    let (header, claims) = (json(), json());
    (header, claims, segments.next().unwrap().to_owned())
}

fn joined(header: &Value, claims: &Value, signature: &str) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.{signature}", encode(header), encode(claims))
}

#[tokio::test]
async fn a_person_who_signed_in_with_code_and_pkce_is_verified() {
    let served = Served::start().await;
    let verifier = verifier_of(&served);
    for person in PEOPLE {
        let tokens = served.sign_in(person.email).await;
        let token = tokens["access_token"].as_str().unwrap();
        let identity = verifier.verify(token, served.now_ms()).await.unwrap();
        let (header, ..) = parts(token);
        assert_eq!(
            identity,
            VerifiedIdentity {
                issuer: served.base_url.clone(),
                tenant: Some(person.tenant.to_owned()),
                subject: person.subject.to_owned(),
                email: Some(person.email.to_owned()),
                email_verified: true,
                name: Some(person.name.to_owned()),
                key_id: header["kid"].as_str().unwrap().to_owned(),
                token_digest: Digest::of(token.as_bytes()),
                expires_ms: START_MS + TOKEN_LIFE_S * 1000,
            }
        );
        let logged = format!("{identity:?}");
        assert!(!logged.contains(person.email) && !logged.contains(person.name), "{logged}");
    }
}

#[tokio::test]
async fn the_executor_is_verified_by_its_client_credentials() {
    let served = Served::start().await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", EXECUTOR_CLIENT),
        ("client_secret", crate::dev_issuer::testing::EXECUTOR_SECRET),
    ];
    let tokens: Value = served.post(&form).await.json().await.unwrap();
    let token = tokens["access_token"].as_str().unwrap();
    let identity = verifier_of(&served).verify(token, served.now_ms()).await.unwrap();
    assert_eq!(identity.subject, EXECUTOR_SUBJECT);
    assert_eq!(identity.tenant.as_deref(), Some(OPERATOR_TENANT));
    assert_eq!((identity.email, identity.email_verified), (None, false));
}

#[tokio::test]
async fn an_id_token_is_no_access_token() {
    let served = Served::start().await;
    let tokens = served.sign_in(PEOPLE[0].email).await;
    let id_token = tokens["id_token"].as_str().unwrap();
    let verdict = code(&verifier_of(&served), id_token, START_MS).await;
    assert_eq!(verdict, "token_audience_mismatch");
}

#[tokio::test]
async fn an_expired_token_is_refused_from_the_end_of_the_leeway_on() {
    let served = Served::start().await;
    let (verifier, token) = (verifier_of(&served), access_token(&served).await);
    let end_ms = START_MS + (TOKEN_LIFE_S + LEEWAY_S) * 1000;
    assert_eq!(code(&verifier, &token, end_ms - 1).await, "verified");
    assert_eq!(code(&verifier, &token, end_ms).await, "token_expired");
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused_without_a_request() {
    let (ours, theirs) = (Served::start().await, Served::start().await);
    let token = access_token(&theirs).await;
    assert_eq!(code(&verifier_of(&ours), &token, START_MS).await, "token_issuer_unknown");
}

#[tokio::test]
async fn a_token_in_our_issuers_name_by_another_key_is_refused() {
    let (ours, theirs) = (Served::start().await, Served::start().await);
    let (header, mut claims, signature) = parts(&access_token(&theirs).await);
    claims["iss"] = ours.base_url.as_str().into();
    let verifier = verifier_of(&ours);
    let forged = joined(&header, &claims, &signature);
    assert_eq!(code(&verifier, &forged, START_MS).await, "token_key_unknown");
    let (own_header, ..) = parts(&access_token(&ours).await);
    let forged = joined(&own_header, &claims, &signature);
    assert_eq!(code(&verifier, &forged, START_MS).await, "token_signature_invalid");
}

#[tokio::test]
async fn altered_tokens_are_refused() {
    let served = Served::start().await;
    let verifier = verifier_of(&served);
    let token = access_token(&served).await;
    let (header, claims, signature) = parts(&token);
    let mut bytes = URL_SAFE_NO_PAD.decode(&signature).unwrap();
    bytes[17] ^= 1;
    let altered = joined(&header, &claims, &URL_SAFE_NO_PAD.encode(&bytes));
    assert_eq!(code(&verifier, &altered, START_MS).await, "token_signature_invalid");
    let mut promoted = claims.clone();
    promoted["sub"] = PEOPLE[1].subject.into();
    let altered = joined(&header, &promoted, &signature);
    assert_eq!(code(&verifier, &altered, START_MS).await, "token_signature_invalid");
    let none = format!("{}.", token.rsplit_once('.').unwrap().0);
    assert_eq!(code(&verifier, &none, START_MS).await, "token_signature_invalid");
}

#[tokio::test]
async fn alg_none_hmac_with_the_public_key_and_another_keys_alg_are_refused() {
    let served = Served::start().await;
    let verifier = verifier_of(&served);
    let (mut header, claims, signature) = parts(&access_token(&served).await);

    header["alg"] = "none".into();
    let unsigned = joined(&header, &claims, "");
    assert_eq!(code(&verifier, &unsigned, START_MS).await, "token_algorithm_not_allowed");

    // The classic confusion: the public key, which everyone has, taken for an HMAC secret.
    let keys = served.http.get(format!("{}/jwks", served.base_url)).send().await.unwrap();
    let secret = keys.text().await.unwrap();
    let mut hmac = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    hmac.kid = header["kid"].as_str().map(str::to_owned);
    let secret = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    let confused = jsonwebtoken::encode(&hmac, &claims, &secret).unwrap();
    assert_eq!(code(&verifier, &confused, START_MS).await, "token_algorithm_not_allowed");

    for other in ["RS256", "PS256", "EdDSA"] {
        header["alg"] = other.into();
        let confused = joined(&header, &claims, &signature);
        assert_eq!(code(&verifier, &confused, START_MS).await, "token_algorithm_not_allowed");
    }
}

#[tokio::test]
async fn an_oversize_token_is_refused() {
    let served = Served::start().await;
    let token = format!("{}{}", access_token(&served).await, "A".repeat(TOKEN_BYTES_MAX));
    assert_eq!(code(&verifier_of(&served), &token, START_MS).await, "token_too_large");
}

// From here on the issuer is a stub, whose answers a test can change.

struct Stub {
    origin: String,
    answers: Mutex<Answers>,
    /// How often the key set was asked for.
    asked: AtomicUsize,
    /// Told when the key set was asked for.
    heard: Notify,
    /// While held, the key set is not answered.
    gate: tokio::sync::Mutex<()>,
}

struct Answers {
    discovery: Answer,
    keys: Answer,
}

#[derive(Clone)]
enum Answer {
    Json(Value),
    Text(String),
    Status(u16),
    Redirect(String),
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Json(value) => axum::Json(value).into_response(),
            Self::Text(text) => text.into_response(),
            Self::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
            Self::Redirect(to) => (StatusCode::FOUND, [(LOCATION, to)]).into_response(),
        }
    }
}

impl Stub {
    async fn start(keys: &[&DevKey]) -> Arc<Self> {
        let mut made = None;
        serve(|origin| {
            let stub = Arc::new(Self {
                origin: origin.to_owned(),
                answers: Mutex::new(Answers {
                    discovery: Answer::Json(
                        json!({"issuer": origin, "jwks_uri": format!("{origin}/keys")}),
                    ),
                    keys: Self::key_set(keys),
                }),
                asked: AtomicUsize::new(0),
                heard: Notify::new(),
                gate: tokio::sync::Mutex::new(()),
            });
            made = Some(Arc::clone(&stub));
            Router::new().fallback(Self::answer).with_state(stub)
        })
        .await;
        made.unwrap()
    }

    async fn answer(State(stub): State<Arc<Self>>, uri: Uri) -> Response {
        if uri.path() == "/.well-known/openid-configuration" {
            return stub.answers.lock().unwrap().discovery.clone().into_response();
        }
        stub.asked.fetch_add(1, Ordering::SeqCst);
        stub.heard.notify_one();
        let _open = stub.gate.lock().await;
        let answer = stub.answers.lock().unwrap().keys.clone();
        answer.into_response()
    }

    fn key_set(keys: &[&DevKey]) -> Answer {
        let keys: Vec<_> = keys.iter().map(|key| key.public()).collect();
        Answer::Json(json!({"keys": keys}))
    }

    fn publish(&self, keys: &[&DevKey]) {
        self.answers.lock().unwrap().keys = Self::key_set(keys);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn verifier(&self) -> Arc<Verifier> {
        let trusted = TrustedIssuer {
            issuer: self.origin.clone(),
            audience: AUDIENCE.to_owned(),
            tenant_claim: None,
            emails_verified_in_tenant: false,
        };
        Arc::new(Verifier::new(vec![trusted], client()).unwrap())
    }

    /// A token good at any time of these tests.
    fn token(&self, key: &DevKey) -> String {
        let exp = START_MS / 1000 + 365 * 24 * 3600;
        let claims = json!({"iss": self.origin, "aud": AUDIENCE, "sub": "s", "exp": exp});
        key.sign("JWT", &claims).unwrap()
    }
}

#[tokio::test]
async fn claims_out_of_order_are_refused_over_http_too() {
    let key = new_key();
    let stub = Stub::start(&[&key]).await;
    let verifier = stub.verifier();
    let now_s = START_MS / 1000;
    let good = json!({"iss": stub.origin, "aud": AUDIENCE, "sub": "s", "exp": now_s + 60});
    for (claim, value, expected) in [
        ("sub", json!("s"), "verified"),
        ("nbf", json!(now_s + LEEWAY_S + 1), "token_not_yet_valid"),
        ("exp", json!(now_s - LEEWAY_S), "token_expired"),
        ("aud", json!("somebody-else"), "token_audience_mismatch"),
        ("sub", Value::Null, "token_claim_missing"),
        ("exp", Value::Null, "token_claim_missing"),
        ("iss", json!(format!("{}/", stub.origin)), "token_issuer_unknown"),
    ] {
        let mut claims = good.clone();
        claims[claim] = value;
        let token = key.sign("JWT", &claims).unwrap();
        assert_eq!(code(&verifier, &token, START_MS).await, expected, "{claim}");
    }
}

#[tokio::test]
async fn an_unknown_key_makes_one_refetch_in_ten_seconds_and_a_rotation_is_picked_up() {
    let (old, new) = (new_key(), new_key());
    let stub = Stub::start(&[&old]).await;
    let verifier = stub.verifier();
    assert_eq!(code(&verifier, &stub.token(&old), START_MS).await, "verified");
    assert_eq!(stub.asked(), 1);

    // Too early: the last fetch was a moment ago, so the answer is no, and cheap.
    stub.publish(&[&new]);
    let last_ms = START_MS + KEYS_REFETCH_MIN_MS - 1;
    for _ in 0..5 {
        assert_eq!(code(&verifier, &stub.token(&new), last_ms).await, "token_key_unknown");
    }
    assert_eq!(stub.asked(), 1);

    let then_ms = START_MS + KEYS_REFETCH_MIN_MS;
    assert_eq!(code(&verifier, &stub.token(&new), then_ms).await, "verified");
    assert_eq!(code(&verifier, &stub.token(&old), then_ms).await, "token_key_unknown");
    assert_eq!(stub.asked(), 2);
}

#[tokio::test]
async fn many_first_callers_make_one_fetch() {
    let key = new_key();
    let stub = Stub::start(&[&key]).await;
    let (verifier, token) = (stub.verifier(), stub.token(&key));
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let (verifier, token) = (Arc::clone(&verifier), token.clone());
            tokio::spawn(async move { code(&verifier, &token, START_MS).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "verified");
    }
    assert_eq!(stub.asked(), 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_stop_the_fetch() {
    let key = new_key();
    let stub = Stub::start(&[&key]).await;
    let (verifier, token) = (stub.verifier(), stub.token(&key));
    let gate = stub.gate.lock().await;
    let caller = {
        let (verifier, token) = (Arc::clone(&verifier), token.clone());
        tokio::spawn(async move { code(&verifier, &token, START_MS).await })
    };
    tokio::time::timeout(PATIENCE, stub.heard.notified()).await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    drop(gate);
    assert_eq!(code(&verifier, &token, START_MS).await, "verified");
    assert_eq!(stub.asked(), 1, "the first fetch served");
}

#[tokio::test]
async fn ageing_keys_serve_while_they_are_fetched_again_in_the_background() {
    let (old, new) = (new_key(), new_key());
    let stub = Stub::start(&[&old]).await;
    let verifier = stub.verifier();
    assert_eq!(code(&verifier, &stub.token(&old), START_MS).await, "verified");
    stub.heard.notified().await;
    stub.publish(&[&new]);
    let later_ms = START_MS + KEYS_REFRESH_AFTER_MS;
    assert_eq!(code(&verifier, &stub.token(&old), later_ms).await, "verified");
    tokio::time::timeout(PATIENCE, stub.heard.notified()).await.unwrap();
    // The new key waits for the fetch that runs, and starts none of its own.
    assert_eq!(code(&verifier, &stub.token(&new), later_ms).await, "verified");
    assert_eq!(code(&verifier, &stub.token(&old), later_ms).await, "token_key_unknown");
    assert_eq!(stub.asked(), 2);
}

#[tokio::test]
async fn keys_of_an_unreachable_issuer_serve_until_their_greatest_age() {
    let key = new_key();
    let stub = Stub::start(&[&key]).await;
    let (verifier, token) = (stub.verifier(), stub.token(&key));
    assert_eq!(code(&verifier, &token, START_MS).await, "verified");
    stub.answers.lock().unwrap().discovery = Answer::Status(500);
    let end_ms = START_MS + KEYS_AGE_MAX_MS;
    assert_eq!(code(&verifier, &token, end_ms - 1 - KEYS_REFETCH_MIN_MS).await, "verified");
    assert_eq!(code(&verifier, &token, end_ms).await, "issuer_unavailable");
    let back_ms = START_MS - KEYS_AGE_MAX_MS;
    assert_eq!(code(&verifier, &token, back_ms).await, "issuer_unavailable", "clock set back");
}

#[tokio::test]
async fn an_issuer_that_fails_is_unavailable_and_asked_again_after_ten_seconds() {
    let key = new_key();
    let stub = Stub::start(&[&key]).await;
    let (verifier, token) = (stub.verifier(), stub.token(&key));
    let (good_discovery, good_keys) = {
        let answers = stub.answers.lock().unwrap();
        (answers.discovery.clone(), answers.keys.clone())
    };
    let origin = &stub.origin;
    // Good but for the blanks after it.
    let padded = |answer: &Answer| match answer {
        Answer::Json(value) => {
            Answer::Text(format!("{value}{}", " ".repeat(ISSUER_DOCUMENT_BYTES_MAX)))
        }
        other => other.clone(),
    };
    let points_to = |uri: &str| Answer::Json(json!({"issuer": origin, "jwks_uri": uri}));
    let other = json!({"issuer": format!("{origin}/"), "jwks_uri": format!("{origin}/keys")});
    let symmetric = json!({"keys": [{"kty": "oct", "kid": key.id(), "k": "AAAA"}]});
    let by_discovery = [
        (Answer::Status(500), "Status { status: 500 }"),
        (Answer::Status(204), "Status { status: 204 }"),
        (Answer::Text("no json".to_owned()), "Unreadable"),
        (padded(&good_discovery), "TooLarge"),
        (Answer::Redirect(format!("{origin}/elsewhere")), "Redirected"),
        (Answer::Json(other), "IssuerMismatch"),
        (points_to("http://keys.example/keys"), "KeysUrlNotAllowed"),
        (points_to("file:///etc/keys"), "KeysUrlNotAllowed"),
        (points_to("keys"), "KeysUrlNotAllowed"),
    ];
    let by_keys = [
        (Answer::Status(404), "Status { status: 404 }"),
        (padded(&good_keys), "TooLarge"),
        (Answer::Text("[]".to_owned()), "Unreadable"),
        (Answer::Json(json!({"keys": []})), "NoUsableKey"),
        (Answer::Json(symmetric), "NoUsableKey"),
    ];
    let by_discovery = by_discovery
        .map(|(discovery, expected)| (Answers { discovery, keys: good_keys.clone() }, expected));
    let by_keys = by_keys
        .map(|(keys, expected)| (Answers { discovery: good_discovery.clone(), keys }, expected));
    let mut now_ms = START_MS;
    for (answers, expected) in by_discovery.into_iter().chain(by_keys) {
        *stub.answers.lock().unwrap() = answers;
        match verifier.verify(&token, now_ms).await {
            Err(IdentityError::IssuerUnavailable { source, .. }) => {
                let found = format!("{source:?}");
                assert!(found.starts_with(expected), "{found}, not {expected}");
            }
            other => panic!("{other:?}, not {expected}"),
        }
        now_ms += KEYS_REFETCH_MIN_MS;
    }
    let answers = Answers { discovery: good_discovery, keys: good_keys };
    *stub.answers.lock().unwrap() = answers;
    let early_ms = now_ms - 1;
    let error = verifier.verify(&token, early_ms).await.unwrap_err();
    assert!(matches!(
        error,
        IdentityError::IssuerUnavailable { source: FetchError::FailedRecently, .. }
    ));
    assert_eq!(code(&verifier, &token, now_ms).await, "verified");
}

#[tokio::test]
async fn a_redirect_is_refused_also_when_the_client_followed_it() {
    let key = new_key();
    let stub = Stub::start(&[&key]).await;
    let token = stub.token(&key);
    let trusted = stub.verifier().sources[&stub.origin].trusted().clone();
    let following = reqwest::Client::builder().no_proxy().build().unwrap();
    let verifier = Verifier::new(vec![trusted], following).unwrap();
    stub.answers.lock().unwrap().discovery = Answer::Redirect(format!("{}/keys", stub.origin));
    let error = verifier.verify(&token, START_MS).await.unwrap_err();
    assert!(matches!(
        error,
        IdentityError::IssuerUnavailable { source: FetchError::Redirected, .. }
    ));
}

#[tokio::test]
async fn an_issuer_that_is_not_there_is_unavailable() {
    let key = new_key();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let claims = json!({"iss": issuer, "aud": AUDIENCE, "sub": "s", "exp": START_MS / 1000 + 60});
    let token = key.sign("JWT", &claims).unwrap();
    let trusted = TrustedIssuer {
        issuer,
        audience: AUDIENCE.to_owned(),
        tenant_claim: None,
        emails_verified_in_tenant: false,
    };
    let verifier = Verifier::new(vec![trusted], client()).unwrap();
    let problem = Problem::from(verifier.verify(&token, START_MS).await.unwrap_err());
    assert_eq!(problem.code(), "issuer_unavailable");
    let response = problem.into_response();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "10");
}

#[test]
fn refusals_are_401_with_a_challenge_and_say_nothing_of_the_token() {
    let cases = [
        (IdentityError::Missing, "Bearer realm=\"chancery\""),
        (IdentityError::Expired, "Bearer realm=\"chancery\", error=\"invalid_token\""),
        (IdentityError::KeyUnknown, "Bearer realm=\"chancery\", error=\"invalid_token\""),
    ];
    for (error, challenge) in cases {
        let code = error.code();
        let problem = Problem::from(error);
        assert_eq!(problem.code(), code);
        let response = problem.into_response();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], challenge);
    }
}

#[test]
fn issuers_are_configured_once() {
    let trusted = |issuer: &str| TrustedIssuer {
        issuer: issuer.to_owned(),
        audience: AUDIENCE.to_owned(),
        tenant_claim: None,
        emails_verified_in_tenant: false,
    };
    let make = |issuers| Verifier::new(issuers, client()).map(|_| ()).unwrap_err();
    let twice = make(vec![trusted("https://id.example"), trusted("https://id.example")]);
    assert!(matches!(twice, IssuerConfigError::Duplicate { .. }));
    let many = (0..=ISSUERS_MAX).map(|n| trusted(&format!("https://{n}.example"))).collect();
    assert_eq!(make(many), IssuerConfigError::TooMany);
    let insecure = make(vec![trusted("http://id.example")]);
    assert!(matches!(insecure, IssuerConfigError::Insecure { .. }));
}
