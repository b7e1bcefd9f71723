//! Signing in: authorization code with PKCE over a loopback redirect (RFC 8252, RFC 7636).

mod issuer;
mod loopback;
mod pkce;
#[cfg(test)]
mod tests;

use std::process::Stdio;

use reqwest::Url;
use reqwest::header::LOCATION;

use super::http::{base_url, plain_client};
use super::profile::Token;
use super::{clock, http::Http};
use crate::failure::{Exit, Failure, OrFail as _, Result};
use crate::output;
use issuer::Issuer;
use loopback::Loopback;
use pkce::Pkce;

/// How somebody signs in.
#[derive(Debug)]
pub struct Request {
    /// The issuer.
    pub issuer: String,
    /// The client id.
    pub client_id: String,
    /// What is asked for.
    pub scope: String,
    /// The e-mail to sign in as without a browser; the development issuer allows it.
    pub hint: Option<String>,
    /// Whether a browser may be opened.
    pub browser: bool,
}

/// Signs in and returns the token, which is for `http`'s server alone.
///
/// # Errors
///
/// Where the issuer refuses, nobody answers in time, or the answer is not to this request.
pub async fn login(http: &Http, request: &Request) -> Result<Token> {
    let client = plain_client()?;
    let issuer = Issuer::discover(&client, &base_url(&request.issuer, "the issuer")?).await?;
    let loopback = Loopback::bind().await?;
    let pkce = Pkce::draw()?;
    let url = authorization_url(&issuer, request, &loopback.redirect_uri(), &pkce)?;
    let answer = if request.hint.is_some() {
        follow(&client, url, &loopback.redirect_uri()).await?
    } else {
        output::note(&format!("Sign in with your browser:\n\n  {url}\n"));
        if request.browser {
            open_browser(url.as_str());
        }
        loopback.answer().await?
    };
    let code = code(&issuer, &answer, &pkce.state)?;
    let granted = issuer
        .redeem(&client, &request.client_id, &code, &loopback.redirect_uri(), &pkce.verifier)
        .await?;
    let life_ms = granted.expires_in.map(|seconds| seconds.saturating_mul(1000));
    Ok(Token {
        bearer: granted.access_token,
        expires_ms: life_ms.map(|life| clock::now_ms().saturating_add(life)),
        server: http.server().to_owned(),
    })
}

/// The address of the authorization request (RFC 6749 section 4.1.1).
fn authorization_url(
    issuer: &Issuer,
    request: &Request,
    redirect_uri: &str,
    pkce: &Pkce,
) -> Result<Url> {
    let mut url = Url::parse(&issuer.authorization_endpoint)
        .or_unreadable(|| "The issuer's authorization endpoint is unfit".to_owned())?;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &request.client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("scope", &request.scope)
        .append_pair("state", &pkce.state)
        .append_pair("code_challenge", &pkce.challenge())
        .append_pair("code_challenge_method", "S256");
    if let Some(hint) = &request.hint {
        url.query_pairs_mut().append_pair("login_hint", hint);
    }
    Ok(url)
}

/// Asks the issuer itself and reads the redirect that a browser would follow.
async fn follow(client: &reqwest::Client, url: Url, redirect_uri: &str) -> Result<Url> {
    let response = client.get(url).send().await;
    let response = response.or_unreadable(|| "Can't reach the issuer".to_owned())?;
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let location = location.and_then(|location| Url::parse(location).ok());
    location.filter(|url| url.as_str().starts_with(redirect_uri)).ok_or_else(|| {
        Failure::refused(
            "login_refused",
            "The issuer does not sign that e-mail in by itself",
            "only the development issuer does, and only its demo people",
        )
        .with_hint("Sign in with a browser: chancery login")
    })
}

/// The code in the answer, which must be to this request and from this issuer (RFC 9207).
fn code(issuer: &Issuer, answer: &Url, state: &str) -> Result<String> {
    let get = |name: &str| {
        answer.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let forged =
        |why: &str| Failure::refused("login_forged", "The answer is not to this sign-in", why);
    if get("state").as_deref() != Some(state) {
        return Err(forged("its state is another"));
    }
    match get("iss") {
        Some(iss) if iss != issuer.iss => return Err(forged("it is from another issuer")),
        None if issuer.names_itself => return Err(forged("it does not name the issuer")),
        Some(_) | None => {}
    }
    if let Some(error) = get("error") {
        let why = get("error_description").map_or(error.clone(), |more| format!("{error}: {more}"));
        return Err(Failure::refused("login_refused", "The issuer did not sign you in", why));
    }
    get("code").ok_or_else(|| forged("it has no code"))
}

/// Opens the browser where there is one; the address is shown anyway.
fn open_browser(url: &str) {
    let mut command = tokio::process::Command::new("xdg-open");
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Whether it opened shows when somebody signs in.
    let _ = command.spawn();
}

/// The failure that an issuer's unusable answer is.
fn unfit(what: &str, why: impl Into<String>) -> Failure {
    Failure::new(Exit::Unreadable, "issuer_unfit", what, why)
        .with_hint("Name the issuer by --issuer URL: its exact iss.")
}
