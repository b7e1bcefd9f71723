//! The one form in which the HTTP API says no: problem details (RFC 9457).
//!
//! A [`Problem`] carries two texts. The caller gets the [`Document`]: a stable reason code and a
//! sentence that holds no internals. The log gets the cause, which never leaves the process:
//! [`complete`] writes it once, with the request id that the caller sees as `instance`.

mod reason;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use axum::Json;
use axum::extract::Request;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use reason::{ReasonItem, RemedyItem};

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The header that carries the request id in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long a caller waits before it asks again, where nothing better is known.
pub const RETRY_AFTER_DEFAULT_S: u32 = 5;

/// The longest request id that is echoed; a longer one is left out.
const REQUEST_ID_LEN_MAX: usize = 64;

/// The longest detail taken over from a request parser, in characters.
const PARSER_DETAIL_CHARS_MAX: usize = 300;

/// A problem document as the caller sees it (RFC 9457 section 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// `urn:chancery:problem:<code>`.
    #[serde(rename = "type")]
    #[schema(example = "urn:chancery:problem:token_expired")]
    pub kind: String,
    /// What went wrong, in a few words that are the same for every problem of this family.
    pub title: String,
    /// The HTTP status code.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What went wrong this time, and what the caller can do about it.
    pub detail: String,
    /// The stable reason code, the last part of `type`.
    #[schema(example = "token_expired")]
    pub code: Cow<'static, str>,
    /// The request this answers: `urn:chancery:request:<id>`. Name it to the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Every reason at once, where a command was refused for more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<ReasonItem>,
    /// Where the refusal itself stands in the log, where it is an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
}

/// What a caller does about a problem, and how loudly it is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// 4xx: the request as it stands will never do.
    Rejected,
    /// 409: somebody was faster; reload and try again.
    Conflict,
    /// 503 and 429: try again later.
    Unavailable,
    /// 500: the service found itself wrong. It stops writing; an operator is needed.
    Corrupt,
}

/// An error on its way to the caller. Small, so that it is cheap in a `Result`.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    document: Document,
    family: Family,
    retry_after_s: Option<u32>,
    challenge: Option<Challenge>,
    cause: Option<String>,
}

/// The `WWW-Authenticate` of a 401 (RFC 6750 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Challenge {
    /// No token came: say only what is wanted.
    Bare,
    /// The token that came is no good.
    InvalidToken,
}

impl Challenge {
    const fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Bare => "Bearer realm=\"chancery\"",
            Self::InvalidToken => "Bearer realm=\"chancery\", error=\"invalid_token\"",
        })
    }
}

impl Problem {
    fn new(
        family: Family,
        status: StatusCode,
        title: &'static str,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        let code = code.into();
        Self(Box::new(Inner {
            document: Document {
                kind: format!("urn:chancery:problem:{code}"),
                title: title.to_owned(),
                status: status.as_u16(),
                detail: detail.into(),
                code,
                instance: None,
                reasons: Vec::new(),
                position: None,
            },
            family,
            retry_after_s: None,
            challenge: None,
            cause: None,
        }))
    }

    /// 400: the request can't be read.
    pub fn bad_request(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(
            Family::Rejected,
            StatusCode::BAD_REQUEST,
            "The request is malformed",
            code,
            detail,
        )
    }

    /// 401 with `WWW-Authenticate: Bearer`: no token came.
    pub fn unauthenticated(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(
            Family::Rejected,
            StatusCode::UNAUTHORIZED,
            "The caller is not authenticated",
            code,
            detail,
        );
        problem.0.challenge = Some(Challenge::Bare);
        problem
    }

    /// 401 with `WWW-Authenticate: Bearer error="invalid_token"`: the token that came is no good.
    pub fn invalid_token(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        let mut problem = Self::unauthenticated(code, detail);
        problem.0.challenge = Some(Challenge::InvalidToken);
        problem
    }

    /// 403: the caller is known, and may not do this.
    pub fn forbidden(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(Family::Rejected, StatusCode::FORBIDDEN, "Not permitted", code, detail)
    }

    /// 404: no such thing, or none that this caller may know of.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Family::Rejected, StatusCode::NOT_FOUND, "Not found", "not_found", detail)
    }

    /// 404 under a code of its own.
    pub fn missing(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(Family::Rejected, StatusCode::NOT_FOUND, "Not found", code, detail)
    }

    /// 405: the resource exists and doesn't do that.
    pub fn method_not_allowed() -> Self {
        Self::new(
            Family::Rejected,
            StatusCode::METHOD_NOT_ALLOWED,
            "The method is not allowed",
            "method_not_allowed",
            "This resource does not answer to that method.",
        )
    }

    /// 413: the body is over its bound.
    pub fn payload_too_large(bytes_max: u64) -> Self {
        Self::new(
            Family::Rejected,
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is too large",
            "payload_too_large",
            format!("The body may have at most {bytes_max} bytes."),
        )
    }

    /// 415: the body is of another kind. `expected` is the media type that would do.
    pub fn unsupported_media_type(expected: &str) -> Self {
        Self::new(
            Family::Rejected,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The media type is not supported",
            "unsupported_media_type",
            format!("Send the body as {expected}."),
        )
    }

    /// 422: the request was read, and the rules refuse it.
    pub fn rejected(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(
            Family::Rejected,
            StatusCode::UNPROCESSABLE_ENTITY,
            "The rules refuse this",
            code,
            detail,
        )
    }

    /// 412: the subject has another version than the caller expected (RFC 9110 section 15.5.13).
    pub fn precondition_failed(
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(
            Family::Conflict,
            StatusCode::PRECONDITION_FAILED,
            "The subject has another version",
            code,
            detail,
        )
    }

    /// 428: `If-Match` or `Idempotency-Key` is wanted and missing (RFC 6585 section 3).
    pub fn precondition_required(header: &str) -> Self {
        Self::new(
            Family::Rejected,
            StatusCode::PRECONDITION_REQUIRED,
            "A precondition is required",
            "precondition_required",
            format!("Send the {header} header."),
        )
    }

    /// 409: the subject has moved on; reload and try again.
    pub fn conflict(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(
            Family::Conflict,
            StatusCode::CONFLICT,
            "The subject has changed since",
            code,
            detail,
        )
    }

    /// 429 with `Retry-After`: the caller asks too often.
    pub fn too_many_requests(retry_after_s: u32) -> Self {
        let mut problem = Self::new(
            Family::Unavailable,
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests",
            "too_many_requests",
            "Slow down, then try again.",
        );
        problem.0.retry_after_s = Some(retry_after_s);
        problem
    }

    /// 503 with `Retry-After`: something the service needs is away.
    pub fn unavailable(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(
            Family::Unavailable,
            StatusCode::SERVICE_UNAVAILABLE,
            "Temporarily unavailable",
            code,
            detail,
        );
        problem.0.retry_after_s = Some(RETRY_AFTER_DEFAULT_S);
        problem
    }

    /// 500: stored data contradicts itself. The caller learns nothing but that; `cause` is logged.
    pub fn corrupt(cause: &dyn fmt::Display) -> Self {
        Self::new(
            Family::Corrupt,
            StatusCode::INTERNAL_SERVER_ERROR,
            "The service has stopped writing",
            "corrupt",
            "The service found its records inconsistent and takes no more commands. \
             Nothing of this request was stored.",
        )
        .with_cause(cause)
    }

    /// 500: a fault in the service. The caller learns nothing but that; `cause` is logged.
    pub fn internal(cause: &dyn fmt::Display) -> Self {
        Self::new(
            Family::Corrupt,
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal error",
            "internal",
            "The service failed. Repeat the request with the same Idempotency-Key, and name the \
             instance to the operator if it fails again.",
        )
        .with_cause(cause)
    }

    /// The text for the log. The caller never sees it.
    #[must_use]
    pub fn with_cause(mut self, cause: &dyn fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// All reasons for the refusal.
    #[must_use]
    pub fn with_reasons(mut self, reasons: Vec<ReasonItem>) -> Self {
        self.0.document.reasons = reasons;
        self
    }

    /// What to do about each reason, in their order, where there is something.
    #[must_use]
    pub fn with_remedies(mut self, remedies: Vec<Option<RemedyItem>>) -> Self {
        for (reason, remedy) in self.0.document.reasons.iter_mut().zip(remedies) {
            reason.remedy = remedy;
        }
        self
    }

    /// Where the refusal itself stands in the log.
    #[must_use]
    pub fn with_position(mut self, position: u64) -> Self {
        self.0.document.position = Some(position);
        self
    }

    /// How many seconds the caller should wait.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// The request that this answers. An id of unusual form is left out, not escaped.
    #[must_use]
    pub fn with_request_id(mut self, id: &str) -> Self {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !id.is_empty() && id.len() <= REQUEST_ID_LEN_MAX && id.bytes().all(plain) {
            self.0.document.instance = Some(format!("urn:chancery:request:{id}"));
        }
        self
    }

    /// What the caller sees.
    pub fn document(&self) -> &Document {
        &self.0.document
    }

    /// What the caller can do about it.
    pub fn family(&self) -> Family {
        self.0.family
    }

    /// The stable reason code.
    pub fn code(&self) -> &str {
        &self.0.document.code
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// When to try again, in seconds, where that helps.
    pub const fn retry_after_s(&self) -> Option<u32> {
        self.0.retry_after_s
    }

    /// The text for the log, if it is another than the detail.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The response without the copy that [`complete`] reads.
    fn render(&self) -> Response {
        let mut response = (self.status(), Json(&self.0.document)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.0.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.0.challenge {
            headers.insert(WWW_AUTHENTICATE, challenge.header());
        }
        response
    }

    fn log(&self, request_id: Option<&str>) {
        let (code, status) = (self.code(), self.0.document.status);
        let request_id = request_id.unwrap_or("-");
        let cause = self.cause().unwrap_or("-");
        match self.family() {
            Family::Rejected | Family::Conflict => {
                tracing::info!(code, status, request_id, cause, "request refused");
            }
            Family::Unavailable => {
                tracing::warn!(code, status, request_id, cause, "request can't be served now");
            }
            Family::Corrupt => tracing::error!(code, status, request_id, cause, "request failed"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code(), self.0.document.status, self.0.document.detail)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.render();
        response.extensions_mut().insert(self);
        response
    }
}

/// Middleware, the outermost but for the one that sets the request id: puts that id into each
/// problem document as `instance`, and logs each problem once, with its cause.
pub async fn complete(request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let mut response = next.run(request).await;
    let Some(mut problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    problem.log(id.as_deref());
    let Some(id) = id else { return response };
    problem = problem.with_request_id(&id);
    let body = problem.render().into_body();
    // Headers that inner layers added stay; only the length of the body is another now.
    response.headers_mut().remove(axum::http::header::CONTENT_LENGTH);
    let (parts, _) = response.into_parts();
    Response::from_parts(parts, body)
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(REQUEST_ID)?.to_str().ok()?.to_owned())
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::unsupported_media_type("application/json"),
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(
                Family::Rejected,
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is too large",
                "payload_too_large",
                "The body is larger than this resource takes.",
            ),
            _ => Self::bad_request("body_malformed", shortened(&rejection.body_text())),
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request("query_malformed", shortened(&rejection.body_text()))
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request("path_malformed", shortened(&rejection.body_text()))
    }
}

/// A parser's own words, which may quote the request, kept to a bound.
fn shortened(text: &str) -> String {
    text.chars().take(PARSER_DETAIL_CHARS_MAX).collect()
}
