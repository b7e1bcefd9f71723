//! `GET /authorize`: who do you want to be? (RFC 6749 section 4.1.1, `OpenID` Connect Core 1.0
//! section 3.1.2, RFC 9207).

use std::sync::{Arc, PoisonError};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, LOCATION};
use axum::response::{IntoResponse, Response};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::codes::Grant;
use super::{DevIssuer, PEOPLE, PUBLIC_CLIENTS, Person, loopback, no_randomness, page, people};

/// The longest `state` and `nonce` that are echoed.
const ECHO_BYTES_MAX: usize = 2048;

/// Characters of a base64url SHA-256 (RFC 7636 section 4.2).
const CHALLENGE_CHARS: usize = 43;

/// The parameters of an authorization request that matter here; others are ignored.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct AuthorizeRequest {
    response_type: Option<String>,
    client_id: Option<String>,
    redirect_uri: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    prompt: Option<String>,
    login_hint: Option<String>,
}

/// An error that goes back to the client by redirect (RFC 6749 section 4.1.2.1).
struct Refusal {
    error: &'static str,
    description: &'static str,
}

const fn refusal(error: &'static str, description: &'static str) -> Refusal {
    Refusal { error, description }
}

pub(super) async fn endpoint(
    State(issuer): State<Arc<DevIssuer>>,
    query: Result<Query<AuthorizeRequest>, QueryRejection>,
) -> Response {
    let Ok(Query(request)) = query else {
        return page::refused(
            "The request can't be read: a parameter is malformed or comes twice.",
        );
    };
    // Before these two are known to be good, nothing is sent anywhere.
    let client = request.client_id.as_deref().unwrap_or_default();
    if !PUBLIC_CLIENTS.contains(&client) {
        return page::refused("The client_id is not one of this issuer's public clients.");
    }
    let redirect_uri = request.redirect_uri.as_deref().unwrap_or_default();
    let Some(redirect) = loopback::redirect_url(redirect_uri) else {
        return page::refused("The redirect_uri must be http on 127.0.0.1, [::1] or localhost.");
    };
    match decide(&request) {
        Err(refusal) => {
            let pairs = [("error", refusal.error), ("error_description", refusal.description)];
            back(&issuer, redirect, &request, &pairs)
        }
        Ok((challenge, Some(person))) => {
            let grant = Grant {
                person,
                client: client.to_owned(),
                redirect_uri: redirect_uri.to_owned(),
                challenge: challenge.to_owned(),
                nonce: request.nonce.clone(),
                issued_ms: (issuer.now_ms)(),
            };
            let Some(code) = issuer.random_text() else { return no_randomness() };
            let kept =
                issuer.codes.lock().unwrap_or_else(PoisonError::into_inner).issue(&code, grant);
            match kept {
                Ok(()) => back(&issuer, redirect, &request, &[("code", &code)]),
                Err(_) => {
                    back(&issuer, redirect, &request, &[("error", "temporarily_unavailable")])
                }
            }
        }
        Ok((_, None)) => {
            let choices =
                PEOPLE.each_ref().map(|person| (person, address(&issuer, &request, person)));
            page::choose(&choices)
        }
    }
}

/// The PKCE challenge, and who signs in if that is said already.
fn decide(request: &AuthorizeRequest) -> Result<(&str, Option<&'static Person>), Refusal> {
    if request.response_type.as_deref() != Some("code") {
        return Err(refusal("unsupported_response_type", "The response_type must be code."));
    }
    let too_long = |text: &Option<String>| text.as_ref().is_some_and(|t| t.len() > ECHO_BYTES_MAX);
    if too_long(&request.nonce) {
        return Err(refusal("invalid_request", "The nonce is too long."));
    }
    let Some(challenge) = request.code_challenge.as_deref() else {
        return Err(refusal("invalid_request", "A PKCE code_challenge is required."));
    };
    if request.code_challenge_method.as_deref() != Some("S256") {
        return Err(refusal("invalid_request", "The code_challenge_method must be S256."));
    }
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if challenge.len() != CHALLENGE_CHARS || !challenge.bytes().all(alphabet) {
        return Err(refusal("invalid_request", "The code_challenge is not a base64url SHA-256."));
    }
    let person = request.login_hint.as_deref().and_then(people::person);
    if person.is_none() && request.prompt.as_deref() == Some("none") {
        return Err(refusal("login_required", "Nobody is signed in; name one in login_hint."));
    }
    Ok((challenge, person))
}

/// Sends the browser back to the client, with `state` and `iss`.
fn back(
    issuer: &DevIssuer,
    mut redirect: Url,
    request: &AuthorizeRequest,
    pairs: &[(&str, &str)],
) -> Response {
    if request.state.as_ref().is_some_and(|state| state.len() > ECHO_BYTES_MAX) {
        return page::refused("The state is too long.");
    }
    {
        let mut query = redirect.query_pairs_mut();
        query.extend_pairs(pairs);
        if let Some(state) = &request.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &issuer.base_url);
    }
    // A serialised URL is ASCII without control characters.
    match HeaderValue::from_str(redirect.as_str()) {
        Ok(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        Err(_) => page::refused("The redirect_uri can't be written in a header."),
    }
}

/// The address of this same request with `person` as the hint.
fn address(issuer: &DevIssuer, request: &AuthorizeRequest, person: &Person) -> String {
    let fields = [
        ("response_type", &request.response_type),
        ("client_id", &request.client_id),
        ("redirect_uri", &request.redirect_uri),
        ("scope", &request.scope),
        ("state", &request.state),
        ("nonce", &request.nonce),
        ("code_challenge", &request.code_challenge),
        ("code_challenge_method", &request.code_challenge_method),
    ];
    let pairs = fields.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    let url = Url::parse_with_params(
        &issuer.endpoint("authorize"),
        pairs.chain([("login_hint", person.email)]),
    );
    // The base URL was parsed when the issuer was made.
    url.map_or_else(|_| issuer.endpoint("authorize"), String::from)
}
