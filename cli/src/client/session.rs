//! A session with a service: who it is, who you are, commands sent and signed.

use chancery_commands::extract::{IDEMPOTENCY_KEY, SIGNATURE};
use chancery_commands::reply::Reply;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::key::{KeyId, SigningKey};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, IF_MATCH};
use serde_json::Value;

use super::http::{Http, Request, base_url, view};
use super::profile::{Config, Profile, SERVER_DEFAULT, Token};
use super::sign::{self, Envelope};
use super::views::Service;
use super::{clock, key_file};
use crate::args::Global;
use crate::failure::{Failure, OrFail as _, Result};

/// A session with a service whose key is the pinned one.
pub struct Session {
    /// The service, by HTTP.
    pub http: Http,
    /// What it says of itself.
    pub service: Service,
    /// The id of its key.
    pub audience: KeyId,
    /// Who you are.
    pub profile: Profile,
}

/// A command to be sent.
#[derive(Debug)]
pub struct Order {
    /// The method.
    pub method: Method,
    /// The path below the collaboration, as in `/datasets`.
    pub path: String,
    /// The action.
    pub action: &'static str,
    /// What it acts on.
    pub subject: Subject,
    /// Its id.
    pub command: CommandId,
    /// The version of the subject that was looked at.
    pub expected_version: Option<u64>,
    /// The body.
    pub body: Value,
    /// The content, where it is not the body.
    pub content: Option<Value>,
}

/// A command that was carried out.
#[derive(Debug)]
pub struct Sent {
    /// What the service said.
    pub document: Value,
    /// The same, read.
    pub reply: Reply,
    /// The key that signed it, where one did.
    pub signed_by: Option<KeyId>,
}

/// The server that is meant: by option, by profile, or the default.
///
/// # Errors
///
/// Where it is unfit.
pub fn server(global: &Global, config: &Config) -> Result<String> {
    let text = global.server.as_deref().or(config.server.as_deref()).unwrap_or(SERVER_DEFAULT);
    base_url(text, "the server")
}

/// Asks a service who it is.
///
/// # Errors
///
/// Where it can't be reached, or names no key.
pub async fn introduce(http: &Http) -> Result<(Service, KeyId)> {
    let service: Service = http.read("/v1/service").await?;
    let id = service.key_id.parse::<Digest>();
    let id = id.or_unreadable(|| format!("{} names no key", http.server()))?;
    Ok((service, id))
}

/// Compares a service's key with the one that the profile pinned for that server. True where the
/// profile knows none yet.
///
/// # Errors
///
/// Where the key is another.
pub fn check_pin(profile: &Profile, config: &Config, server: &str, key: KeyId) -> Result<bool> {
    if config.server.as_deref() != Some(server) {
        return Ok(true);
    }
    let Some(pinned) = &config.service_key else { return Ok(true) };
    if *pinned == key.to_string() {
        return Ok(false);
    }
    let why =
        format!("{server} shows {key}, and {} pins {pinned}", profile.config_path().display());
    Err(Failure::refused("service_key_changed", "THE SERVICE'S KEY IS NOT THE PINNED ONE", why))
}

/// The token for a server, if it is good still.
///
/// # Errors
///
/// Where nobody has signed in there, or not for a while.
pub fn signed_in(profile: &Profile, server: &str) -> Result<Token> {
    let token = profile.token()?.ok_or_else(|| {
        Failure::refused("not_logged_in", "You are not signed in", "the profile has no token")
    })?;
    if token.server != server {
        let why = format!("the token is for {}, not for {server}", token.server);
        return Err(Failure::refused("not_logged_in", "You are not signed in there", why));
    }
    if token.expires_ms.is_some_and(|end| end <= clock::now_ms()) {
        return Err(Failure::refused(
            "token_expired",
            "Your sign-in has ended",
            "tokens live for a while only",
        ));
    }
    Ok(token)
}

impl Session {
    /// Opens a session as whoever signed in.
    ///
    /// # Errors
    ///
    /// Where nobody has, or the service is not the one that is known.
    pub async fn open(global: &Global) -> Result<Self> {
        let profile = Profile::new(global.profile.as_deref())?;
        let mut config = profile.config()?;
        let server = server(global, &config)?;
        let token = signed_in(&profile, &server)?;
        let http = Http::new(server.clone())?;
        let (service, audience) = introduce(&http).await?;
        if check_pin(&profile, &config, &server, audience)? {
            config.server = Some(server);
            config.service_key = Some(audience.to_string());
            profile.set_config(&config)?;
        }
        Ok(Self { http: http.with_token(token.bearer), service, audience, profile })
    }

    /// The profile's key, if it has one.
    ///
    /// # Errors
    ///
    /// Where the file is no key.
    pub fn key(&self) -> Result<Option<SigningKey>> {
        key_file::load(&self.profile.key_path())
    }

    /// Sends a command; signed with `key` where there is one, over content in `collaboration`.
    ///
    /// # Errors
    ///
    /// The service's refusal, or that it can't be reached.
    pub async fn send(
        &self,
        collaboration: CollaborationId,
        path: String,
        order: &Order,
        key: Option<&SigningKey>,
    ) -> Result<Sent> {
        let bytes = |value: &Value| value.to_string().into_bytes();
        let body = bytes(&order.body);
        // What the service would refuse is refused here, before anything is signed.
        sign::content_digest(&body)?;
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: String| -> Result<()> {
            let value = HeaderValue::from_str(&value);
            headers.insert(name, value.or_unreadable(|| "Can't make a header".to_owned())?);
            Ok(())
        };
        set(IDEMPOTENCY_KEY, order.command.to_string())?;
        if let Some(version) = order.expected_version {
            set(IF_MATCH, format!("\"{version}\""))?;
        }
        if let Some(key) = key {
            let envelope = Envelope {
                audience: self.audience,
                collaboration,
                action: order.action,
                subject: order.subject,
                expected_version: order.expected_version,
                command: order.command,
                now_ms: clock::now_ms(),
            };
            let content = order.content.as_ref().map_or_else(|| body.clone(), bytes);
            set(SIGNATURE, sign::header(&envelope, &content, key)?)?;
        }
        let request = Request { method: order.method.clone(), path, headers, body: Some(body) };
        let document = self.http.send(&request).await?;
        let reply = view(&document)?;
        Ok(Sent { document, reply, signed_by: key.map(|key| key.public().id()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_than_the_pinned_one_is_a_loud_error() {
        let profile = Profile::new(Some(std::path::Path::new("/nowhere"))).unwrap();
        let (here, key) = ("https://a.example", Digest::of(b"key"));
        let config = |server: &str, pin: Option<Digest>| Config {
            server: Some(server.to_owned()),
            service_key: pin.map(|pin| pin.to_string()),
            ..Config::default()
        };
        let check = |config: &Config| check_pin(&profile, config, here, key);
        assert!(check(&Config::default()).unwrap(), "nothing is known yet");
        assert!(check(&config(here, None)).unwrap());
        assert!(!check(&config(here, Some(key))).unwrap());
        assert!(check(&config("https://b.example", Some(Digest::of(b"b")))).unwrap());
        let changed = check(&config(here, Some(Digest::of(b"old")))).unwrap_err();
        assert_eq!(changed.code(), "service_key_changed");
        assert!(changed.text().contains("Send nothing."), "{}", changed.text());
    }
}
