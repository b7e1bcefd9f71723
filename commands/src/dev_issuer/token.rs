//! `POST /token`: a code, or the executor's secret, for tokens (RFC 6749 sections 4.1.3, 4.4, 5).

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_ledger::digest::Digest;
use serde::{Deserialize, Serialize};

use super::codes::Grant;
use super::{
    AUDIENCE, DevIssuer, EXECUTOR_CLIENT, EXECUTOR_SUBJECT, OPERATOR_TENANT, TOKEN_LIFE_S,
    no_randomness,
};

/// Characters of a PKCE verifier (RFC 7636 section 4.1).
const VERIFIER_CHARS: std::ops::RangeInclusive<usize> = 43..=128;

/// The parameters of a token request that matter here; others are ignored.
#[derive(Deserialize)]
pub(super) struct TokenRequest {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
}

#[derive(Serialize)]
struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

/// RFC 6749 section 5.2.
#[derive(Serialize)]
struct ErrorResponse {
    error: &'static str,
    error_description: &'static str,
}

/// The claims of both tokens (RFC 9068, `OpenID` Connect Core 1.0 section 2).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    iat: u64,
    nbf: u64,
    exp: u64,
    /// Makes each token another, so that its digest names one sign-in.
    jti: &'a str,
    tid: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

pub(super) async fn endpoint(
    State(issuer): State<Arc<DevIssuer>>,
    form: Result<Form<TokenRequest>, FormRejection>,
) -> Response {
    let Ok(Form(request)) = form else {
        return refused("invalid_request", "Send a form, each parameter once.");
    };
    match request.grant_type.as_deref() {
        Some("authorization_code") => for_code(&issuer, &request),
        Some("client_credentials") => for_secret(&issuer, &request),
        Some(_) => refused(
            "unsupported_grant_type",
            "There are authorization_code and client_credentials.",
        ),
        None => refused("invalid_request", "A grant_type is required."),
    }
}

fn for_code(issuer: &DevIssuer, request: &TokenRequest) -> Response {
    let (Some(code), Some(client), Some(redirect_uri), Some(verifier)) =
        (&request.code, &request.client_id, &request.redirect_uri, &request.code_verifier)
    else {
        return refused(
            "invalid_request",
            "These are required: code, client_id, redirect_uri, code_verifier.",
        );
    };
    let now_ms = (issuer.now_ms)();
    let mut codes = issuer.codes.lock().unwrap_or_else(PoisonError::into_inner);
    let redeemed = codes.redeem(code, now_ms);
    drop(codes);
    let Some(grant) = redeemed else {
        return refused("invalid_grant", "The code is unknown, used or expired.");
    };
    if grant.client != *client || grant.redirect_uri != *redirect_uri {
        return refused("invalid_grant", "The code was issued to another client or address.");
    }
    if !proves(verifier, &grant.challenge) {
        return refused("invalid_grant", "The code_verifier does not match the code_challenge.");
    }
    people_tokens(issuer, &grant, now_ms / 1000)
}

fn people_tokens(issuer: &DevIssuer, grant: &Grant, now_s: u64) -> Response {
    let Some(id) = issuer.random_text() else { return no_randomness() };
    let access = Claims {
        iss: &issuer.base_url,
        sub: grant.person.subject,
        aud: AUDIENCE,
        client_id: &grant.client,
        iat: now_s,
        nbf: now_s,
        exp: now_s + TOKEN_LIFE_S,
        jti: &id,
        tid: grant.person.tenant,
        name: grant.person.name,
        email: Some(grant.person.email),
        email_verified: Some(true),
        nonce: None,
    };
    // For the client, not for the service: its audience keeps it from passing as an access token.
    let identity = Claims { aud: &grant.client, nonce: grant.nonce.as_deref(), ..access };
    let signed = issuer
        .key
        .sign("JWT", &identity)
        .and_then(|id_token| Ok((issuer.key.sign("at+jwt", &access)?, id_token)));
    match signed {
        Ok((access_token, id_token)) => issued(access_token, Some(id_token)),
        Err(error) => crate::problem::Problem::internal(&error).into_response(),
    }
}

fn for_secret(issuer: &DevIssuer, request: &TokenRequest) -> Response {
    let secret = request.client_secret.as_deref().unwrap_or_default();
    let known = request.client_id.as_deref() == Some(EXECUTOR_CLIENT)
        && Digest::of(secret.as_bytes()) == issuer.executor_secret;
    if !known {
        return error(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "The client is unknown or its secret is wrong.",
        );
    }
    let Some(id) = issuer.random_text() else { return no_randomness() };
    let now_s = (issuer.now_ms)() / 1000;
    let claims = Claims {
        iss: &issuer.base_url,
        sub: EXECUTOR_SUBJECT,
        aud: AUDIENCE,
        client_id: EXECUTOR_CLIENT,
        iat: now_s,
        nbf: now_s,
        exp: now_s + TOKEN_LIFE_S,
        jti: &id,
        tid: OPERATOR_TENANT,
        name: "Chancery executor",
        email: None,
        email_verified: None,
        nonce: None,
    };
    match issuer.key.sign("at+jwt", &claims) {
        Ok(access_token) => issued(access_token, None),
        Err(error) => crate::problem::Problem::internal(&error).into_response(),
    }
}

/// Whether `verifier` is what `challenge` is the hash of (RFC 7636 section 4.6).
fn proves(verifier: &str, challenge: &str) -> bool {
    let unreserved =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    VERIFIER_CHARS.contains(&verifier.len())
        && verifier.bytes().all(unreserved)
        && URL_SAFE_NO_PAD.encode(Digest::of(verifier.as_bytes()).as_bytes()) == challenge
}

fn issued(access_token: String, id_token: Option<String>) -> Response {
    let scope = if id_token.is_some() { "openid email profile" } else { "" };
    Json(TokenResponse {
        access_token,
        token_type: "Bearer",
        expires_in: TOKEN_LIFE_S,
        scope,
        id_token,
    })
    .into_response()
}

fn refused(code: &'static str, description: &'static str) -> Response {
    error(StatusCode::BAD_REQUEST, code, description)
}

fn error(status: StatusCode, code: &'static str, description: &'static str) -> Response {
    (status, Json(ErrorResponse { error: code, error_description: description })).into_response()
}
