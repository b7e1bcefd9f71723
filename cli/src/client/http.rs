//! HTTP to the service: one JSON document in, one out, problems as failures, retries bounded.

use std::time::Duration;

use chancery_commands::identity::is_loopback_host;
use chancery_commands::problem::Document;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, Response, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::{Exit, Failure, OrFail as _, Result, causes};

/// Waits before the second and later attempts, in milliseconds.
const WAITS_MS: [u64; 4] = [250, 500, 1_000, 2_000];
/// The longest that an answer's `Retry-After` is obeyed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest silence of a server.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest document that is read: 16 MiB.
const DOCUMENT_LEN_MAX: usize = 16 << 20;
/// Most pages of a list.
const PAGES_MAX: usize = 1_000;
/// Items asked for at a time.
const PAGE: u32 = 200;

/// A client of one server.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    server: String,
    token: Option<String>,
}

/// A request that may be sent more than once.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, from `/v1` on.
    pub path: String,
    /// Headers besides the usual.
    pub headers: HeaderMap,
    /// A JSON body.
    pub body: Option<Vec<u8>>,
}

/// An HTTP client as this program uses it everywhere: TLS by ring, no redirects, no proxy.
///
/// # Errors
///
/// Where TLS can't be set up.
pub fn plain_client() -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build()
        .or_unreadable(|| "Can't set up an HTTP client".to_owned())
}

/// An address that secrets may be sent to: https, or http on this machine. Without its last slash.
///
/// # Errors
///
/// Where it is another, or no address at all.
pub fn base_url(text: &str, what: &str) -> Result<String> {
    let wrong = |why: &str| Failure::usage("url_unfit", format!("{what} {text:?} is unfit"), why);
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    let here = url.host_str().is_some_and(is_loopback_host);
    match url.scheme() {
        "https" => {}
        "http" if here => {}
        _ => return Err(wrong("https is needed, or http on this machine")),
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(wrong("a plain base URL has no user, query or fragment"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

impl Http {
    /// A client of `server`, which is a [`base_url`].
    ///
    /// # Errors
    ///
    /// Where TLS can't be set up.
    pub fn new(server: String) -> Result<Self> {
        Ok(Self { client: plain_client()?, server, token: None })
    }

    /// The same with a token on each request.
    #[must_use]
    pub fn with_token(mut self, token: String) -> Self {
        self.token = Some(token);
        self
    }

    /// The server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// The service's refusal, or that it can't be reached.
    pub async fn document(&self, path: impl Into<String>) -> Result<Value> {
        let path = path.into();
        self.send(&Request { method: Method::GET, path, headers: HeaderMap::new(), body: None })
            .await
    }

    /// Reads a document of a known form.
    ///
    /// # Errors
    ///
    /// As [`Http::document`], and where it has another form.
    pub async fn read<T: DeserializeOwned>(&self, path: impl Into<String>) -> Result<T> {
        view(&self.document(path).await?)
    }

    /// Reads a whole list, page by page.
    ///
    /// # Errors
    ///
    /// As [`Http::document`].
    pub async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut after = String::new();
        for _ in 0..PAGES_MAX {
            let mut page = self.document(format!("{path}?limit={PAGE}{after}")).await?;
            match page.get_mut("items").map(Value::take) {
                Some(Value::Array(more)) => items.extend(more),
                _ => return Err(other_form("a list has no items")),
            }
            match page.get("next").and_then(Value::as_u64) {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(items),
            }
        }
        Err(other_form("a list has no end"))
    }

    /// Sends a request until it is answered, a few times at most; every time the same bytes.
    ///
    /// # Errors
    ///
    /// The service's refusal, or that it can't be reached.
    pub async fn send(&self, request: &Request) -> Result<Value> {
        let mut waits = WAITS_MS.into_iter().map(Duration::from_millis);
        loop {
            let (failure, wait) = match self.attempt(request).await {
                Ok(response) if is_for_later(&response) => {
                    let wait = retry_after(&response);
                    (refusal(response).await, wait)
                }
                Ok(response) => return read(response).await,
                Err(error) => (self.unreachable(&error), None),
            };
            let Some(planned) = waits.next() else { return Err(failure) };
            tokio::time::sleep(wait.map_or(planned, |wait| wait.min(RETRY_AFTER_MAX))).await;
        }
    }

    /// Opens a file for reading; its content is not yet read.
    ///
    /// # Errors
    ///
    /// The service's refusal, or that it can't be reached.
    pub async fn download(&self, path: impl Into<String>) -> Result<Response> {
        let path = path.into();
        let request = Request { method: Method::GET, path, headers: HeaderMap::new(), body: None };
        let response = self.attempt(&request).await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }

    async fn attempt(&self, request: &Request) -> reqwest::Result<Response> {
        let url = format!("{}{}", self.server, request.path);
        let mut builder =
            self.client.request(request.method.clone(), url).headers(request.headers.clone());
        if let Some(token) = &self.token {
            builder = builder.bearer_auth(token);
        }
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        builder.send().await
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let why = causes(error);
        Failure::new(Exit::Unreadable, "unreachable", format!("Can't reach {}", self.server), why)
    }
}

/// A document of a known form.
///
/// # Errors
///
/// Where it has another.
pub fn view<T: DeserializeOwned>(document: &Value) -> Result<T> {
    T::deserialize(document).map_err(|error| other_form(&error.to_string()))
}

fn other_form(why: &str) -> Failure {
    Failure::new(Exit::Unreadable, "answer_unknown", "The answer has an unknown form", why)
        .with_hint("Check that the server is a Chancery service, and of this program's release.")
}

fn is_for_later(response: &Response) -> bool {
    matches!(response.status().as_u16(), 429 | 503)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn read(response: Response) -> Result<Value> {
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    serde_json::from_slice(&bytes(response).await?).map_err(|error| other_form(&error.to_string()))
}

async fn refusal(response: Response) -> Failure {
    let status = response.status();
    let body = match bytes(response).await {
        Ok(body) => body,
        Err(failure) => return failure,
    };
    serde_json::from_slice::<Document>(&body).map_or_else(
        |_| other_form(&format!("HTTP status {status} without a problem document")),
        Failure::of_document,
    )
}

/// The bytes of a document, bounded.
///
/// # Errors
///
/// Where the connection breaks, or there are too many.
pub async fn bytes(mut response: Response) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let broken = || "The connection broke".to_owned();
    while let Some(chunk) = response.chunk().await.or_unreadable(broken)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > DOCUMENT_LEN_MAX {
            return Err(other_form("it is too long"));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
