//! The issuer: its discovery document (`OpenID` Connect Discovery 1.0) and its token endpoint.

use serde::Deserialize;

use super::unfit;
use crate::client::http::{base_url, bytes};
use crate::failure::{Failure, OrFail as _, Result};

/// What is needed of a discovery document.
#[derive(Debug, Clone, Deserialize)]
pub struct Issuer {
    /// Its name.
    #[serde(rename = "issuer")]
    pub iss: String,
    /// Where people sign in.
    pub authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    /// Whether it names itself in its answers (RFC 9207).
    #[serde(default, rename = "authorization_response_iss_parameter_supported")]
    pub names_itself: bool,
}

/// What a code is good for.
#[derive(Deserialize)]
pub struct Granted {
    /// The token.
    pub access_token: String,
    /// Its life in seconds.
    pub expires_in: Option<u64>,
    token_type: String,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
    error_description: Option<String>,
}

impl Issuer {
    /// Reads the discovery document of `issuer`.
    pub async fn discover(client: &reqwest::Client, issuer: &str) -> Result<Self> {
        let url = format!("{issuer}/.well-known/openid-configuration");
        let response = client.get(&url).send().await;
        let response = response.or_unreadable(|| format!("Can't reach the issuer {issuer}"))?;
        if !response.status().is_success() {
            return Err(unfit("There is no such issuer", format!("{url}: {}", response.status())));
        }
        let found: Self = serde_json::from_slice(&bytes(response).await?)
            .map_err(|error| unfit("The issuer can't be understood", error.to_string()))?;
        if found.iss.trim_end_matches('/') != issuer {
            return Err(unfit("The issuer has another name", found.iss));
        }
        base_url_with_query(&found.authorization_endpoint)?;
        base_url_with_query(&found.token_endpoint)?;
        let methods = found.code_challenge_methods_supported.as_ref();
        if methods.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
            return Err(unfit("The issuer can't sign you in safely", "it lacks PKCE with S256"));
        }
        Ok(found)
    }

    /// Trades a code for a token (RFC 6749 section 4.1.3).
    pub async fn redeem(
        &self,
        client: &reqwest::Client,
        client_id: &str,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
    ) -> Result<Granted> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("client_id", client_id),
            ("code_verifier", verifier),
        ];
        let response = client.post(&self.token_endpoint).form(&form).send().await;
        let response = response.or_unreadable(|| "Can't reach the issuer".to_owned())?;
        let good = response.status().is_success();
        let body = bytes(response).await?;
        if !good {
            let why = serde_json::from_slice::<Refused>(&body).map_or_else(
                |_| "it does not say why".to_owned(),
                |refused| match refused.error_description {
                    Some(more) => format!("{}: {more}", refused.error),
                    None => refused.error,
                },
            );
            return Err(Failure::refused("login_refused", "The issuer gave no token", why));
        }
        let granted: Granted = serde_json::from_slice(&body)
            .map_err(|error| unfit("The issuer can't be understood", error.to_string()))?;
        if !granted.token_type.eq_ignore_ascii_case("bearer") {
            return Err(unfit("The issuer gives no bearer tokens", granted.token_type));
        }
        Ok(granted)
    }
}

/// An endpoint may have a query; but for that, it is as any address that secrets go to.
fn base_url_with_query(endpoint: &str) -> Result<()> {
    let plain = endpoint.split_once('?').map_or(endpoint, |(plain, _)| plain);
    base_url(plain, "the issuer's endpoint").map(|_| ())
}
