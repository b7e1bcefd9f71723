//! `chancery executor`: runs approved queries on Spark, in a process of its own or in a server's.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use chancery_commands::dev_issuer::EXECUTOR_CLIENT;
use chancery_executor::{
    Client, Config, Credentials, Executor, Secret, Spark, measurement, subscribe,
};
use chancery_feed::{ConnectOptions, ConsumerName, StreamOptions, Wakeup, connect};
use chancery_ledger::digest::Digest;
use chancery_store::Store;
use clap::Subcommand;
use serde_json::json;

use super::node::{http_client, stop_signal};
use super::{LogFormat, start_log};
use crate::output;

/// The name of the executor's consumer at NATS.
const CONSUMER: &str = "executor";
/// Heap of the local Spark, in MiB, where nothing else is said.
const DRIVER_MEMORY_MIB: u32 = 2048;

/// Run approved queries on Spark.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Follow the log and run what is approved, until stopped.
    ///
    /// A stop is no cancel: a job under way lives on, and the next start adopts it.
    Run(Box<RunArgs>),
    /// Print the measurement of the Spark application in this program.
    ///
    /// A clean room policy names it: chancery collaboration set-policy --application sha256:...
    Measurement,
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// The command service.
    #[arg(long)]
    server: String,
    /// The id of the key that began the service's logs, never taken from the service itself; after
    /// a rotation, may be repeated: the keys of before, and the new one.
    #[arg(long = "service-key", required = true)]
    service_keys: Vec<Digest>,
    /// The OIDC issuer of the executor's tokens.
    #[arg(long)]
    issuer: String,
    /// Its client id there.
    #[arg(long, default_value = EXECUTOR_CLIENT)]
    client_id: String,
    /// File with its client secret.
    #[arg(long)]
    client_secret_file: PathBuf,
    /// The scope to ask for, where the issuer wants one.
    #[arg(long)]
    scope: Option<String>,
    /// Folder of local datasets: in it a folder for each collaboration, and in that one for each
    /// member (chancery dataset folder).
    #[arg(long)]
    data_root: PathBuf,
    /// Folder for the executor's key and jobs.
    #[arg(long)]
    state_dir: PathBuf,
    /// Python environment with executor/spark/requirements.txt installed.
    #[arg(long)]
    venv: PathBuf,
    /// Heap of Spark, in MiB.
    #[arg(long, default_value_t = DRIVER_MEMORY_MIB)]
    driver_memory_mib: u32,
    /// NATS server to hear from; without it the log is looked at every few seconds.
    #[arg(long)]
    nats: Option<String>,
    /// Form of the log on standard error.
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
}

/// An executor in a server's own process.
pub struct Embedded {
    /// The service's address.
    pub server: String,
    /// Its issuer.
    pub issuer: String,
    /// The executor's secret there.
    pub secret: String,
    /// The ids of the service's keys.
    pub service_keys: Vec<Digest>,
    /// See [`RunArgs`].
    pub data_root: PathBuf,
    /// See [`RunArgs`].
    pub state_dir: PathBuf,
    /// See [`RunArgs`].
    pub venv: PathBuf,
    /// The log, for its wake-ups only: the executor reads over HTTP and verifies.
    pub store: Store,
}

/// Runs the executor, or prints its measurement.
///
/// # Errors
///
/// Where it can't be started, or stopped by itself.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Measurement => {
            let measurement = measurement::application().to_string();
            output::answer(&json!({ "application": measurement }), &measurement)?;
        }
        What::Run(args) => run_apart(*args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_apart(args: RunArgs) -> anyhow::Result<()> {
    start_log(args.log_format);
    let file = &args.client_secret_file;
    let secret =
        std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    let token_endpoint = token_endpoint(&args.issuer).await?;
    let wakeup = match &args.nats {
        Some(url) => Wakeup::nats(
            connect(url, ConnectOptions::default()).await?,
            CONSUMER.parse::<ConsumerName>()?,
            StreamOptions::default(),
        ),
        None => Wakeup::none(),
    };
    let config = Config {
        service: args.server,
        service_keys: args.service_keys,
        credentials: Credentials {
            token_endpoint,
            client_id: args.client_id,
            client_secret: Secret(secret.trim().to_owned()),
            scope: args.scope,
        },
        data_root: args.data_root,
        state_dir: args.state_dir,
        spark: Spark::in_venv(&args.venv, args.driver_memory_mib),
    };
    work(&config, wakeup, stop_signal()).await
}

/// Works beside a server until the process ends. What goes wrong is logged; the server goes on.
pub async fn run_embedded(embedded: Embedded) {
    let config = Config {
        service: embedded.server,
        service_keys: embedded.service_keys,
        credentials: Credentials {
            token_endpoint: format!("{}/token", embedded.issuer),
            client_id: EXECUTOR_CLIENT.to_owned(),
            client_secret: Secret(embedded.secret),
            scope: None,
        },
        data_root: embedded.data_root,
        state_dir: embedded.state_dir,
        spark: Spark::in_venv(&embedded.venv, DRIVER_MEMORY_MIB),
    };
    let wakeup = Wakeup::in_process(&embedded.store);
    if let Err(error) = work(&config, wakeup, std::future::pending()).await {
        tracing::error!(error = format!("{error:#}"), "the embedded executor stopped");
    }
}

async fn work(
    config: &Config,
    wakeup: Wakeup,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let client = Client::new(config, http_client()?);
    let subscription = subscribe(config, &client, wakeup).await?;
    let executor = Executor::start(config, client, subscription, stop)?;
    executor.ended().await.context("the executor stopped")
}

/// The issuer's token endpoint, from its discovery document.
async fn token_endpoint(issuer: &str) -> anyhow::Result<String> {
    let url = format!("{issuer}/.well-known/openid-configuration");
    let document: serde_json::Value = http_client()?
        .get(&url)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .with_context(|| format!("can't reach the issuer at {url}"))?
        .json()
        .await
        .context("the issuer's discovery document is no JSON")?;
    anyhow::ensure!(document["issuer"] == issuer, "the document at {url} is of another issuer");
    let endpoint = document["token_endpoint"].as_str().context("it names no token endpoint")?;
    Ok(endpoint.to_owned())
}
