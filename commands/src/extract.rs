//! What handlers take from a request: command headers, content, ids in paths.

use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_ledger::codec::Value;
use chancery_ledger::id::CommandId;
use serde::de::DeserializeOwned;

use crate::App;
use crate::content::{self, BODY_LEN_MAX};
use crate::execute::CommandHeaders;
use crate::mirror::wait_preferred;
use crate::problem::Problem;

/// The header with a command's id, a UUIDv7.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header with the signed command: `COSE_Sign1` in base64url.
pub const SIGNATURE: HeaderName = HeaderName::from_static("chancery-signature");
/// Longest signature header, in characters.
pub const SIGNATURE_LEN_MAX: usize = 8 << 10;

/// A JSON body as canonical content.
pub struct Content(pub Value);

impl FromRequest<App> for Content {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let media = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let json = media.is_some_and(|media| {
            let kind = media.split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case("application/json")
        });
        if !json {
            return Err(Problem::unsupported_media_type("application/json"));
        }
        let bytes = Bytes::from_request(request, app)
            .await
            .map_err(|_| Problem::payload_too_large(BODY_LEN_MAX as u64))?;
        content::parse(&bytes).map(Self)
    }
}

impl FromRequestParts<App> for CommandHeaders {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        Self::read(&parts.headers)
    }
}

impl CommandHeaders {
    /// Reads them from a request's headers; others are ignored.
    ///
    /// # Errors
    ///
    /// 400 where one is missing, repeated or malformed.
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self {
            command: command_id(headers)?,
            signature: signature(headers)?,
            if_match: if_match(headers)?,
            wait_s: wait_preferred(headers),
        })
    }
}

/// The ids in a path; one that can't be decoded is refused with a problem document.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(path)| Self(path)).map_err(|e: PathRejection| e.into())
    }
}

/// The query of a URL; an unknown, repeated or mistyped parameter is refused with a problem document.
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query.map(|axum::extract::Query(query)| Self(query)).map_err(|e: QueryRejection| e.into())
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text)),
        _ => Err(Problem::bad_request("header_malformed", format!("{name}: one ASCII value."))),
    }
}

fn command_id(headers: &HeaderMap) -> Result<CommandId, Problem> {
    let text = text(headers, &IDEMPOTENCY_KEY)?.ok_or_else(|| {
        Problem::bad_request(
            "idempotency_key_missing",
            "Send an Idempotency-Key: a fresh UUIDv7 for each command, the same one on a retry.",
        )
    })?;
    let id: CommandId = text.parse().map_err(|_| invalid_command_id())?;
    if id.uuid().get_version_num() == 7 { Ok(id) } else { Err(invalid_command_id()) }
}

fn invalid_command_id() -> Problem {
    Problem::bad_request("idempotency_key_invalid", "Idempotency-Key: a lower-case UUIDv7.")
}

fn signature(headers: &HeaderMap) -> Result<Option<Vec<u8>>, Problem> {
    let Some(text) = text(headers, &SIGNATURE)? else { return Ok(None) };
    if text.len() > SIGNATURE_LEN_MAX {
        return Err(Problem::bad_request("signature_malformed", "Chancery-Signature: too long."));
    }
    let decoded = URL_SAFE_NO_PAD.decode(text);
    decoded.map(Some).map_err(|_| {
        Problem::bad_request("signature_malformed", "Chancery-Signature: base64url, unpadded.")
    })
}

fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(text) = text(headers, &IF_MATCH)? else { return Ok(None) };
    let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    number.and_then(|number| number.parse().ok()).map(Some).ok_or_else(|| {
        Problem::bad_request(
            "if_match_malformed",
            "If-Match: a version in quotes, as ETag gave it.",
        )
    })
}

/// An id from a path. A text that is none names nothing, so the answer is 404.
///
/// # Errors
///
/// 404 `not_found`.
pub fn id<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found("There is no such thing: the id is malformed."))
}
