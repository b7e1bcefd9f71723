//! `chancery login`, `logout`, `whoami`.

use serde_json::json;

use crate::args::Global;
use crate::client::http::{Http, view};
use crate::client::login;
use crate::client::profile::{CLIENT_ID_DEFAULT, Config, Profile};
use crate::client::session::{Session, check_pin, introduce, server};
use crate::client::views::Me;
use crate::failure::Result;
use crate::output;
use crate::text::{Table, evidence, facts, plain, time};

/// Sign in with your organisation's identity.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  chancery login --server https://ledger.example.com \\
    --issuer https://login.example.com
  chancery login --as olivia@litware.example    # development server only")]
pub struct Login {
    /// Sign in as this demo person without a browser (development server)
    #[arg(long = "as", value_name = "EMAIL")]
    hint: Option<String>,
    /// OIDC issuer: its exact `iss` [default: the development server's]
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Client id at the issuer [default: chancery-cli]
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// What to ask the issuer for
    #[arg(long, value_name = "SCOPES", default_value = "openid email profile")]
    scope: String,
    /// Only show the address; open no browser
    #[arg(long)]
    no_browser: bool,
}

/// Signs in, pins the service's key and keeps the token.
///
/// # Errors
///
/// Where the issuer refuses, or the service is not the one that is known.
pub async fn login(global: &Global, args: Login) -> Result<()> {
    let profile = Profile::new(global.profile.as_deref())?;
    let old = profile.config()?;
    let server = server(global, &old)?;
    let http = Http::new(server.clone())?;
    let (service, key) = introduce(&http).await?;
    let pins = check_pin(&profile, &old, &server, key)?;
    // What is remembered of another server is of no use at this one.
    let old = if old.server.as_deref() == Some(&server) { old } else { Config::default() };
    let issuer = args.issuer.or(old.issuer).unwrap_or_else(|| format!("{server}/dev/issuer"));
    let client_id =
        args.client_id.or(old.client_id).unwrap_or_else(|| CLIENT_ID_DEFAULT.to_owned());
    let request = login::Request {
        issuer: issuer.clone(),
        client_id: client_id.clone(),
        scope: args.scope,
        hint: args.hint,
        browser: !args.no_browser,
    };
    let token = login::login(&http, &request).await?;
    let document = http.with_token(token.bearer.clone()).document("/v1/me").await?;
    let me: Me = view(&document)?;
    let expires = token.expires_ms.map_or_else(|| "unknown".to_owned(), time);
    profile.set_token(&token)?;
    profile.set_config(&Config {
        server: Some(server.clone()),
        issuer: Some(issuer),
        client_id: Some(client_id),
        service_key: Some(key.to_string()),
    })?;
    let pinned = if pins { "pinned now: compare it with the operator" } else { "as pinned" };
    let pairs = [
        ("server", server),
        ("service", service.name),
        ("key", format!("{key}")),
        ("", pinned.to_owned()),
        ("evidence", evidence(&service.evidence.kind)),
        ("until", expires),
    ];
    let text = format!("Signed in as {}\n{}", plain(&who(&me)), facts(2, pairs));
    Ok(output::answer(&document, &text)?)
}

fn who(me: &Me) -> String {
    me.verified_email.clone().unwrap_or_else(|| me.subject.clone())
}

/// Forgets the token.
///
/// # Errors
///
/// Where the file can't be removed.
pub fn logout(global: &Global) -> Result<()> {
    let was = Profile::new(global.profile.as_deref())?.forget_token()?;
    let text = if was { "Signed out." } else { "Nobody was signed in." };
    Ok(output::answer(&json!({"signed_out": was}), text)?)
}

/// Shows the caller.
///
/// # Errors
///
/// Where nobody is signed in, or the service can't be reached.
pub async fn whoami(global: &Global) -> Result<()> {
    let session = Session::open(global).await?;
    let document = session.http.document("/v1/me").await?;
    let me: Me = view(&document)?;
    let mut text = format!(
        "{}\n{}",
        plain(&who(&me)),
        facts(
            2,
            [
                ("issuer", me.issuer.clone()),
                ("tenant", me.tenant.clone().unwrap_or_else(|| "-".to_owned())),
                ("subject", me.subject.clone()),
                ("server", session.http.server().to_owned()),
            ]
        )
    );
    let mut table = Table::new(["COLLABORATION", "ABILITIES", "MEMBER"]);
    for member in &me.members {
        table.row([&member.name, &member.abilities.join(", "), &member.member]);
    }
    if !table.is_empty() {
        text.push('\n');
        text.push_str(&table.render(0));
    }
    Ok(output::answer(&document, &text)?)
}
