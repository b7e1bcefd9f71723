//! Requests before they are sent, and what came back.

use std::fmt::Debug;

use chancery_commands::problem::MEDIA_TYPE;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value as Json;

use super::Service;

/// A request: change what shall be wrong with it.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Option<Vec<u8>>,
}

impl Call {
    pub fn new(method: Method, path: &str) -> Self {
        Self { method, path: path.to_owned(), headers: HeaderMap::new(), body: None }
    }

    /// A read without a token.
    pub fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    /// Sets a header; one that stands is replaced.
    pub fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    /// Adds a header beside one that stands.
    pub fn also(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(HeaderName::from_static(name), value.parse().unwrap());
        self
    }

    /// Takes a header away.
    pub fn without(mut self, name: &'static str) -> Self {
        self.headers.remove(name);
        self
    }

    pub fn token(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub fn if_match(self, version: u64) -> Self {
        self.header("if-match", format!("\"{version}\""))
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub(super) fn request(self, service: &Service) -> reqwest::RequestBuilder {
        let url = format!("{}{}", service.origin, self.path);
        let request = service.http.request(self.method, url).headers(self.headers);
        match self.body {
            Some(body) => request.body(body),
            None => request,
        }
    }
}

/// A response, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
    /// Null where it is none.
    pub json: Json,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap().to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { status, headers, bytes, json }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A text of the body.
    pub fn text(&self, pointer: &str) -> &str {
        let found = self.json.pointer(pointer).and_then(Json::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer}: {self:?}"))
    }

    /// A number of the body.
    pub fn number(&self, pointer: &str) -> u64 {
        let found = self.json.pointer(pointer).and_then(Json::as_u64);
        found.unwrap_or_else(|| panic!("no number at {pointer}: {self:?}"))
    }

    /// A list of the body.
    pub fn list(&self, pointer: &str) -> &[Json] {
        let found = self.json.pointer(pointer).and_then(Json::as_array);
        found.unwrap_or_else(|| panic!("no list at {pointer}: {self:?}"))
    }

    /// An id of the body, or a digest.
    pub fn parsed<T: std::str::FromStr<Err: Debug>>(&self, pointer: &str) -> T {
        self.text(pointer).parse().unwrap()
    }

    /// The kinds of the events that a command caused.
    pub fn kinds(&self) -> Vec<&str> {
        self.list("/events").iter().map(|event| event["kind"].as_str().unwrap()).collect()
    }

    /// The reason codes of a problem, in order.
    pub fn reasons(&self) -> Vec<&str> {
        self.json["reasons"]
            .as_array()
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .map(|reason| reason["code"].as_str().unwrap())
            .collect()
    }

    /// The response, which must be a good one.
    pub fn ok(self) -> Self {
        assert!(self.status == 200 || self.status == 201, "{} {}", self.status, self.json);
        assert!(self.header("content-type").starts_with("application/json"));
        self
    }

    /// A problem document, whole and with nothing else in it.
    pub fn assert_problem(&self, status: u16, code: &str) {
        let found = (self.status, self.json["code"].as_str().unwrap_or_default());
        assert_eq!(found, (status, code), "{}", String::from_utf8_lossy(&self.bytes));
        assert_eq!(self.header("content-type"), MEDIA_TYPE);
        assert_eq!(self.text("/type"), format!("urn:chancery:problem:{code}"));
        assert_eq!(self.number("/status"), u64::from(status));
        assert!(!self.text("/title").is_empty() && !self.text("/detail").is_empty());
        let instance = format!("urn:chancery:request:{}", self.header("x-request-id"));
        assert_eq!(self.text("/instance"), instance);
        let known =
            ["type", "title", "status", "detail", "code", "instance", "reasons", "position"];
        for name in self.json.as_object().unwrap().keys() {
            assert!(known.contains(&name.as_str()), "{name}");
        }
        assert_eq!(status == 401, self.headers.contains_key("www-authenticate"));
    }
}
