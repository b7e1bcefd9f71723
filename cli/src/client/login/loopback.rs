//! The loopback redirect (RFC 8252 section 7.3): a listener on this machine that hears one answer.

use std::time::Duration;

use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::failure::{Failure, OrFail as _, Result};

/// How long somebody may take to sign in.
const ANSWER_WITHIN: Duration = Duration::from_mins(5);
/// How long a connection may take to say what it wants.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// Longest request line and headers.
const REQUEST_LEN_MAX: usize = 16 << 10;
/// Most connections that are heard.
const CONNECTIONS_MAX: usize = 1_000;
const PATH: &str = "/callback";

const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Chancery</title>\
    <body style=\"font:16px sans-serif;margin:4rem\"><p>Chancery has the answer. \
    You can close this page and go back to the terminal.</body></html>";

/// The listener.
pub struct Loopback {
    listener: TcpListener,
    redirect_uri: String,
}

impl Loopback {
    /// Listens on a free port.
    pub async fn bind() -> Result<Self> {
        let failed = || "Can't listen on this machine for the answer".to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.or_unreadable(failed)?;
        let port = listener.local_addr().or_unreadable(failed)?.port();
        Ok(Self { listener, redirect_uri: format!("http://127.0.0.1:{port}{PATH}") })
    }

    /// Where the issuer sends the browser.
    pub fn redirect_uri(&self) -> String {
        self.redirect_uri.clone()
    }

    /// Waits for the browser and returns the address that it was sent to.
    pub async fn answer(&self) -> Result<Url> {
        let too_late =
            || Failure::refused("login_timeout", "Nobody signed in", "five minutes went by");
        timeout(ANSWER_WITHIN, self.hear()).await.map_err(|_| too_late())?
    }

    async fn hear(&self) -> Result<Url> {
        let failed = || "Can't hear the answer".to_owned();
        for _ in 0..CONNECTIONS_MAX {
            let (mut stream, _) = self.listener.accept().await.or_unreadable(failed)?;
            // Whoever connects and says nothing, or something else, is not the browser's answer.
            let Ok(Some(target)) = timeout(REQUEST_WITHIN, target(&mut stream)).await else {
                continue;
            };
            let answer = self.redirect_uri.strip_suffix(PATH).and_then(|origin| {
                let url = Url::parse(&format!("{origin}{target}")).ok()?;
                (url.path() == PATH && url.query().is_some()).then_some(url)
            });
            let (status, body) =
                if answer.is_some() { ("200 OK", PAGE) } else { ("404 Not Found", "") };
            let response = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n\
                 Content-Length: {}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = timeout(REQUEST_WITHIN, stream.write_all(response.as_bytes())).await;
            let _ = stream.shutdown().await;
            if let Some(answer) = answer {
                return Ok(answer);
            }
        }
        Err(Failure::refused("login_timeout", "Nobody signed in", "others used up the listener"))
    }
}

/// The target of a GET request, once its headers are whole.
async fn target(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        if request.len() > REQUEST_LEN_MAX || stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    let line = request.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    (words.next() == Some("GET")).then(|| words.next())?.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_answer_is_heard() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let loopback = Loopback::bind().await.unwrap();
        let uri = loopback.redirect_uri();
        let origin = uri.strip_suffix(PATH).unwrap().to_owned();
        let asks = tokio::spawn(async move {
            let client = crate::client::http::plain_client().unwrap();
            let get = |url: String| client.get(url).send();
            assert_eq!(get(format!("{origin}/favicon.ico")).await.unwrap().status(), 404);
            assert_eq!(
                get(format!("{origin}/callback?code=c&state=s")).await.unwrap().status(),
                200
            );
        });
        assert_eq!(loopback.answer().await.unwrap().query(), Some("code=c&state=s"));
        asks.await.unwrap();
    }
}
