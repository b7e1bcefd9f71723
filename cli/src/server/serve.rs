//! `chancery serve`: the server, for any OIDC issuer.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use chancery_commands::ExecutorIdentity;
use chancery_commands::identity::TrustedIssuer;

use super::database::{DatabaseUrl, URL_ENV};
use super::node::{Node, Settings, listen, stop_signal};
use super::witnesses::{WitnessAt, Witnesses};
use super::{LogFormat, mirror, start_log};

/// Run the command service.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for the log, the views and the service's keys.
    #[arg(long)]
    data_dir: PathBuf,
    /// PostgreSQL database for the log, instead of a file in the data folder.
    ///
    /// Better given by `CHANCERY_DATABASE_URL`: command lines are seen by all.
    #[arg(long, value_name = "postgres://URL", env = URL_ENV, hide_env_values = true)]
    database: Option<DatabaseUrl>,
    /// Address to listen on. Put a TLS-terminating proxy in front.
    #[arg(long, default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// The service's name, as in `ledger.example.com`: the first part of each log's origin.
    #[arg(long)]
    name: String,
    /// The OIDC issuer whose tokens are accepted: its exact `iss`.
    #[arg(long)]
    issuer: String,
    /// The audience that tokens must name.
    #[arg(long, default_value = "chancery")]
    audience: String,
    /// The claim that holds the tenant, such as `tid`.
    #[arg(long)]
    tenant_claim: Option<String>,
    /// Take e-mails in tokens as verified within their tenant (Entra ID gives no `email_verified`).
    #[arg(long, requires = "tenant_claim")]
    emails_verified_in_tenant: bool,
    /// The `sub` of the executor's tokens, from the same issuer.
    #[arg(long)]
    executor_subject: Option<String>,
    /// NATS server to publish events to, as in `nats://127.0.0.1:4222`.
    #[arg(long)]
    nats: Option<String>,
    /// A witness that cosigns the logs: its verifier key and its URL; may be repeated.
    #[arg(long = "witness", value_name = "VKEY URL", requires = "witness_quorum")]
    witnesses: Vec<WitnessAt>,
    /// How many of the witnesses must cosign a checkpoint before it is kept and served.
    #[arg(long, value_name = "N", requires = "witnesses")]
    witness_quorum: Option<usize>,
    #[command(flatten)]
    mirror: mirror::Wanted,
    /// Address at which stores find this service as the issuer of runs' tokens, as in
    /// `https://ledger.example.com`: its exact `iss`. Without it, no token is minted.
    #[arg(long, value_name = "URL")]
    token_issuer: Option<String>,
    /// Form of the log on standard error.
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
}

/// Serves until it is told to stop.
///
/// # Errors
///
/// Where a part of the server can't be started.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    start_log(args.log_format);
    let executor = args
        .executor_subject
        .map(|subject| ExecutorIdentity { issuer: args.issuer.clone(), subject });
    let node = Node::start(Settings {
        data_dir: args.data_dir,
        name: args.name,
        issuers: vec![TrustedIssuer {
            issuer: args.issuer,
            audience: args.audience,
            tenant_claim: args.tenant_claim,
            emails_verified_in_tenant: args.emails_verified_in_tenant,
        }],
        executor,
        nats: args.nats,
        database: args.database,
        witnesses: Witnesses { at: args.witnesses, quorum: args.witness_quorum.unwrap_or(0) },
        mirror: args.mirror,
        token_issuer: args.token_issuer.map(|url| url.trim_end_matches('/').to_owned()),
    })
    .await?;
    let listener = listen(args.listen).await?;
    tracing::info!(address = %args.listen, service_key = %node.key_id, "serving");
    node.serve(listener, stop_signal()).await?;
    Ok(ExitCode::SUCCESS)
}
