//! `chancery dev`: a server with an embedded issuer and three demo people, on this machine only.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_commands::ExecutorIdentity;
use chancery_commands::clock::{self, random};
use chancery_commands::dev_issuer::{DevIssuer, DevIssuerParts, DevKey, EXECUTOR_SUBJECT};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

use super::node::{Node, Settings, listen, stop_signal};
use super::witnesses::Witnesses;
use super::{LogFormat, executor, mirror, start_log};
use crate::failure::{Failure, OrFail as _};
use crate::private_file;

/// The name of a development service.
const NAME: &str = "chancery.localhost";
const ISSUER_PATH: &str = "/dev/issuer";
/// The file with the secret by which the executor gets its tokens.
pub const EXECUTOR_SECRET_FILE: &str = "executor.secret";
const ISSUER_KEY_FILE: &str = "dev-issuer.key";

/// Run a server for development: embedded issuer, demo people, this machine only.
///
/// Its evidence is `insecure-virtual`: no hardware stands behind it. So is its mirror, unless a CCF
/// network is named.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for the log, the views and the keys.
    #[arg(long, default_value = "chancery-dev")]
    data_dir: PathBuf,
    /// Loopback address to listen on.
    #[arg(long, default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// NATS server to publish events to, as in `nats://127.0.0.1:4222`.
    #[arg(long)]
    nats: Option<String>,
    /// Run the executor in this process too; then --data-root and --venv say how.
    #[arg(long, requires = "data_root", requires = "venv")]
    embedded: bool,
    /// Folder under which datasets lie (with --embedded).
    #[arg(long)]
    data_root: Option<PathBuf>,
    /// Python environment with executor/spark/requirements.txt installed (with --embedded).
    #[arg(long)]
    venv: Option<PathBuf>,
    /// The service's name.
    #[arg(long, default_value = NAME, hide = true)]
    name: String,
    #[command(flatten)]
    mirror: mirror::Wanted,
    /// Form of the log on standard error.
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
}

/// Serves until it is told to stop.
///
/// # Errors
///
/// Where the address is not a loopback one, or a part can't be started.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if !args.listen.ip().is_loopback() {
        bail!("{} is not a loopback address, and the demo people have no passwords", args.listen);
    }
    start_log(args.log_format);
    let listener = listen(args.listen).await?;
    let address = listener.local_addr().context("the listener has no address")?;
    let server = format!("http://{address}");
    private_file::folder(&args.data_dir)?;
    let secret = executor_secret(&args.data_dir)?;
    let issuer = Arc::new(dev_issuer(&args.data_dir, &server, &secret)?);
    let executor = ExecutorIdentity {
        issuer: issuer.issuer().to_owned(),
        subject: EXECUTOR_SUBJECT.to_owned(),
    };
    let mut node = Node::start(Settings {
        data_dir: args.data_dir.clone(),
        name: args.name,
        issuers: vec![issuer.trusted()],
        executor: Some(executor),
        nats: args.nats,
        database: None,
        witnesses: Witnesses::default(),
        mirror: args.mirror.or_stand_in(),
        token_issuer: Some(server.clone()),
    })
    .await?;
    node.router = node.router.nest(ISSUER_PATH, issuer.router());
    tracing::warn!(
        %server,
        service_key = %node.key_id,
        "development server: embedded issuer, evidence insecure-virtual"
    );
    if let (true, Some(data_root), Some(venv)) = (args.embedded, args.data_root, args.venv) {
        let embedded = executor::Embedded {
            issuer: format!("{server}{ISSUER_PATH}"),
            server,
            secret,
            service_keys: node.key_ids.clone(),
            data_root,
            venv,
            state_dir: args.data_dir.join("executor"),
            store: node.store.clone(),
        };
        tokio::spawn(executor::run_embedded(embedded));
    }
    node.serve(listener, stop_signal()).await?;
    Ok(ExitCode::SUCCESS)
}

fn executor_secret(data_dir: &Path) -> anyhow::Result<String> {
    let bytes = private_file::read_or_draw(&data_dir.join(EXECUTOR_SECRET_FILE), || {
        let bytes = random::<32>().or_unreadable(|| "Can't draw a secret".to_owned())?;
        Ok(URL_SAFE_NO_PAD.encode(bytes).into_bytes())
    })?;
    String::from_utf8(bytes).context("executor.secret is damaged")
}

fn dev_issuer(data_dir: &Path, server: &str, secret: &str) -> anyhow::Result<DevIssuer> {
    let key = private_file::read_or_draw(&data_dir.join(ISSUER_KEY_FILE), || {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document =
            EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).map_err(|_| {
                Failure::unreadable("Can't draw a key", "this machine gives no random numbers")
            })?;
        Ok(document.as_ref().to_vec())
    })?;
    let system = SystemRandom::new();
    let parts = DevIssuerParts {
        base_url: format!("{server}{ISSUER_PATH}"),
        executor_secret: secret.to_owned(),
        key: DevKey::from_pkcs8(&key).context("dev-issuer.key is damaged")?,
        now_ms: clock::system(),
        random: Arc::new(move |bytes| system.fill(bytes)),
    };
    DevIssuer::new(parts).context("can't start the development issuer")
}
