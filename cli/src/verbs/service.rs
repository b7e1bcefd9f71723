//! `chancery service`: what a service says of itself; and the rotation of its key, on both sides.

use std::fs::File;
use std::path::{Path, PathBuf};

use chancery_audit::{Options, Report, Verdict, verify};
use chancery_ledger::key::{KeyId, PublicKey};
use chancery_ledger::note::LogKey;
use clap::Subcommand;
use serde_json::json;

use crate::args::Global;
use crate::chunks;
use crate::client::clock::random;
use crate::client::http::{Http, view};
use crate::client::names::{Kind, pick};
use crate::client::profile::Profile;
use crate::client::session::{introduce, server, signed_in};
use crate::client::views::{Collaboration, Service};
use crate::failure::{Failure, OrFail as _, Result};
use crate::output;
use crate::server::database::{DatabaseUrl, URL_ENV};
use crate::server::{keys, retire};
use crate::text::{evidence, facts, plain};

/// Logs that are tried where none is named, at most.
const TRIED_MAX: usize = 20;

/// What the service says of itself: name, key, evidence; and its key's rotation
///
/// Without a command, asks the service.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a new service key and keep the current one beside it (operator)
    ///
    /// The server uses it from its next start on, and then moves each log to it: by an entry that
    /// the old key seals and the new one signs. Broken off anywhere, it can be run again.
    #[command(after_help = "\
Then: give the new verifier key to the witnesses, if there are any; restart the
server, and executors with the new --service-key beside the old one; tell the
members to run chancery service trust-rotation; at last, retire-keys.")]
    RotateKey {
        /// The server's data folder
        #[arg(long, value_name = "DIR")]
        data_dir: PathBuf,
        /// The service's name, to print the verifier key that witnesses need
        #[arg(long)]
        name: Option<String>,
    },
    /// Delete the service's older keys, for good (operator)
    ///
    /// Refused while a log is sealed by one of them, or a server runs with one.
    RetireKeys {
        /// The server's data folder
        #[arg(long, value_name = "DIR")]
        data_dir: PathBuf,
        /// The log's PostgreSQL database, where it is not in the data folder
        ///
        /// Better given by `CHANCERY_DATABASE_URL`: command lines are seen by all.
        #[arg(long, value_name = "postgres://URL", env = URL_ENV, hide_env_values = true)]
        database: Option<DatabaseUrl>,
    },
    /// Trust the service's new key, if the log proves that the pinned one handed over to it
    ///
    /// Takes the log of a collaboration that you are in, verifies it pinned to the key that you
    /// trust, and only then pins the key that the service shows now. To take the log, your sign-in
    /// is sent to the service; with --bundle it is not.
    TrustRotation {
        /// Take the log from this bundle, which another member exported
        #[arg(long, value_name = "FILE")]
        bundle: Option<PathBuf>,
    },
}

/// Does it.
///
/// # Errors
///
/// Where the service can't be reached, or what is asked for is refused.
pub async fn run(global: &Global, args: Args) -> Result<()> {
    match args.what {
        None => show(global).await,
        Some(What::RotateKey { data_dir, name }) => rotate(&data_dir, name.as_deref()),
        Some(What::RetireKeys { data_dir, database }) => retire::run(&data_dir, database).await,
        Some(What::TrustRotation { bundle }) => trust(global, bundle).await,
    }
}

/// Shows the service. Nobody needs to be signed in.
async fn show(global: &Global) -> Result<()> {
    let profile = Profile::new(global.profile.as_deref())?;
    let http = Http::new(server(global, &profile.config()?)?)?;
    let mut document = http.document("/v1/service").await?;
    let service: Service = view(&document)?;
    let verifier = service.key.parse::<PublicKey>().ok();
    let verifier = verifier.and_then(|key| LogKey::new(&service.name, key).ok());
    let verifier = verifier.map(|key| key.to_string());
    document["verifier_key"] = json!(verifier);
    let pairs = [
        ("server", http.server().to_owned()),
        ("key", service.key),
        ("key id", service.key_id),
        ("verifier", verifier.unwrap_or_else(|| "-".to_owned())),
        ("evidence", evidence(&service.evidence.kind)),
        ("release", service.version),
    ];
    let text = format!("{}\n{}", plain(&service.name), facts(2, pairs));
    Ok(output::answer(&document, &text)?)
}

fn rotate(data_dir: &Path, name: Option<&str>) -> Result<()> {
    let unfit = |name: &str| format!("{name:?} can't be the service's name");
    let rotated = keys::rotate(data_dir)?;
    let verifier = name
        .map(|name| LogKey::new(name, rotated.key.clone()).or_unreadable(|| unfit(name)))
        .transpose()?
        .map(|key| key.to_string());
    let (before, now) = (rotated.before.to_string(), rotated.key.id().to_string());
    let document = json!({
        "key": rotated.key.to_string(), "key_id": now, "verifier_key": verifier,
        "previous_key_id": before, "restart": true,
    });
    let mut pairs = vec![("new", now), ("kept", before)];
    pairs.extend(verifier.map(|key| ("verifier", key)));
    let text = format!(
        "Made a new service key\n{}\nRestart the server: it then moves every log to the new key. \
         Members run\n  chancery service trust-rotation\n",
        facts(2, pairs)
    );
    Ok(output::answer(&document, &text)?)
}

async fn trust(global: &Global, bundle: Option<PathBuf>) -> Result<()> {
    let profile = Profile::new(global.profile.as_deref())?;
    let mut config = profile.config()?;
    let server = server(global, &config)?;
    let http = Http::new(server.clone())?;
    let (service, shown) = introduce(&http).await?;
    let pinned = config.service_key.as_deref().filter(|_| config.server.as_ref() == Some(&server));
    let Some(pinned) = pinned else {
        let why = format!("{} pins no key of {server}", profile.config_path().display());
        return Err(Failure::refused("no_pin", "There is no key to begin from", why)
            .with_hint("Sign in: chancery login"));
    };
    let damaged = || format!("{} is damaged", profile.config_path().display());
    let pinned: KeyId = pinned.parse().or_unreadable(damaged)?;
    if pinned == shown {
        let document = json!({"key_id": shown.to_string(), "changed": false});
        return Ok(output::answer(&document, "The service's key is the pinned one.")?);
    }
    let rotation = Rotation { pinned, shown, service: &service.name };
    let proven = match bundle {
        Some(path) => {
            let failed = || format!("Can't read {}", path.display());
            let file = File::open(&path).or_unreadable(failed)?;
            let options = rotation.options()?;
            let report = tokio::task::spawn_blocking(move || verify(file, &options)).await;
            rotation.proven(&report.or_unreadable(failed)?, None)
        }
        None => rotation.ask(global, &http, &profile, &server).await?,
    };
    let name = proven.map_err(|why| {
        let what = "THE LOG DOES NOT PROVE THAT THE KEY WAS ROTATED";
        Failure::refused("rotation_unproven", what, why)
    })?;
    config.service_key = Some(shown.to_string());
    profile.set_config(&config)?;
    let document = json!({
        "key_id": shown.to_string(), "previous_key_id": pinned.to_string(), "changed": true,
        "proven_by": name,
    });
    let pairs = [("pinned now", shown.to_string()), ("before", pinned.to_string())];
    let text = format!("The log of {} proves the rotation\n{}", plain(&name), facts(2, pairs));
    Ok(output::answer(&document, &text)?)
}

/// From which key to which.
struct Rotation<'a> {
    pinned: KeyId,
    shown: KeyId,
    service: &'a str,
}

/// The name of the collaboration whose log proves it, or why it is not proven.
type Proven = std::result::Result<String, String>;

impl Rotation<'_> {
    fn options(&self) -> Result<Options> {
        Ok(Options { service_key: Some(self.pinned), seed: random()?, ..Options::default() })
    }

    /// Tries the log that is named, or one after the other.
    async fn ask(
        &self,
        global: &Global,
        http: &Http,
        profile: &Profile,
        server: &str,
    ) -> Result<Proven> {
        let http = http.clone().with_token(signed_in(profile, server)?.bearer);
        let mine = http.list("/v1/collaborations").await?;
        let mut mine = mine.iter().map(view).collect::<Result<Vec<Collaboration>>>()?;
        if let Some(wanted) = &global.collaboration {
            mine = vec![pick(Kind::Collaboration, mine, wanted)?];
        }
        let mut last = "you are in no collaboration, so there is no log to prove it".to_owned();
        for it in mine.iter().take(TRIED_MAX) {
            match self.verify_log(&http, it).await? {
                Ok(name) => return Ok(Ok(name)),
                Err(why) => last = format!("the log of {:?}: {why}", it.name),
            }
        }
        Ok(Err(last))
    }

    async fn verify_log(&self, http: &Http, it: &Collaboration) -> Result<Proven> {
        let mut response = http.download(format!("/v1/collaborations/{}/bundle", it.id)).await?;
        let (sender, reader) = chunks::channel();
        let options = self.options()?;
        let audit = tokio::task::spawn_blocking(move || verify(reader, &options));
        let broken = || "The connection broke before the log was whole".to_owned();
        while let Some(chunk) = response.chunk().await.or_unreadable(broken)? {
            // It reads no further once it has its verdict.
            if sender.send(chunk.into()).await.is_err() {
                break;
            }
        }
        drop(sender);
        let report = audit.await.or_unreadable(|| "The audit ended".to_owned())?;
        Ok(self.proven(&report, Some(&it.id)))
    }

    /// That the log verifies, is of this service, was sealed by the pinned key, and is now by the
    /// shown one. That each key handed over to the next, the verification has found.
    fn proven(&self, report: &Report, id: Option<&str>) -> Proven {
        match &report.verdict {
            Verdict::Verified => {}
            Verdict::Tampered { detail, .. }
            | Verdict::Incomplete { detail, .. }
            | Verdict::Unreadable { detail } => {
                return Err(format!("{}: {detail}", report.verdict.as_str()));
            }
        }
        let (Some(contents), Some(standing)) = (&report.contents, &report.standing) else {
            return Err("it is a part of a log, and the whole is needed".to_owned());
        };
        if id.is_some_and(|id| id != contents.collaboration.to_string()) {
            return Err(format!("it is of another collaboration, {}", contents.collaboration));
        }
        if contents.service.name != self.service {
            return Err(format!("it is of another service, {:?}", contents.service.name));
        }
        let keys: Vec<_> = standing.service_keys.iter().map(|it| it.key).collect();
        if !keys.contains(&self.pinned) {
            return Err(format!("it was never sealed by {}", self.pinned));
        }
        match keys.last() {
            Some(last) if *last == self.shown => Ok(contents.name.clone()),
            Some(last) => Err(format!("it goes on under {last}, not {}", self.shown)),
            None => Err("it names no key".to_owned()),
        }
    }
}
