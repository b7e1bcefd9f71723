//! Tokens: by the issuer's own flows, and made here with its key where it would make none.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_commands::dev_issuer::{DevKey, EXECUTOR_CLIENT};
use chancery_ledger::digest::Digest;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value as Json, json};

use super::{SECRET, Service};

const VERIFIER: &str = "a-verifier-of-the-length-that-pkce-asks-for-43";
const REDIRECT: &str = "http://127.0.0.1:49152/callback";

/// A new P-256 private key.
pub fn new_key() -> Vec<u8> {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap().as_ref().to_vec()
}

/// The access token of one of the demo people, by authorization code and PKCE.
pub async fn sign_in(service: &Service, email: &str) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Digest::of(VERIFIER.as_bytes()).as_bytes());
    let query = [
        ("response_type", "code"),
        ("client_id", "chancery-cli"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid email"),
        ("state", "s"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("login_hint", email),
    ];
    let authorize = format!("{}/authorize", service.issuer());
    let response = service.http.get(authorize).query(&query).send().await.unwrap();
    assert_eq!(response.status(), 303);
    let back = response.headers()["location"].to_str().unwrap();
    let back = reqwest::Url::parse(back).unwrap();
    let (_, code) = back.query_pairs().find(|(name, _)| name == "code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "chancery-cli"),
        ("redirect_uri", REDIRECT),
        ("code", &*code),
        ("code_verifier", VERIFIER),
    ];
    redeem(service, &form).await
}

/// The executor's access token, by its secret.
pub async fn executor(service: &Service) -> String {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", EXECUTOR_CLIENT),
        ("client_secret", SECRET),
    ];
    redeem(service, &form).await
}

async fn redeem(service: &Service, form: &[(&str, &str)]) -> String {
    let url = format!("{}/token", service.issuer());
    let response = service.http.post(url).form(form).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let tokens: Json = response.json().await.unwrap();
    tokens["access_token"].as_str().unwrap().to_owned()
}

/// Claims as the issuer makes them, of a fourth person.
pub fn claims(service: &Service, subject: &str) -> Json {
    let now_s = service.now_ms() / 1000;
    json!({
        "iss": service.issuer(), "sub": subject, "aud": "chancery", "tid": "tenant-of-mallory",
        "iat": now_s, "nbf": now_s, "exp": now_s + 3600, "jti": subject,
        "email": format!("{subject}@example.com"), "email_verified": true,
    })
}

/// A token with these claims, signed with `key`.
pub fn signed(key: &[u8], claims: &Json) -> String {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(DevKey::from_pkcs8(key).unwrap().id().to_owned());
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(key)).unwrap()
}
