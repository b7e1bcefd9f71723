//! `chancery witness`: an organisation's own witness of the logs that it is concerned in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use chancery_ledger::note::{LogKey, Witness};
use chancery_witness::{Service, State, serve, system_clock};
use clap::Subcommand;
use serde_json::json;

use super::node::{listen, stop_signal};
use super::{LogFormat, start_log};
use crate::client::key_file;
use crate::output;
use crate::private_file;

const KEY_FILE: &str = "witness.key";
const STATE_FILE: &str = "witness.db";

/// Cosign the logs of services, so that nobody can be shown another history.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Cosign each checkpoint of known logs that extends the last one, until stopped.
    ///
    /// Prints its verifier key, which the logs' operator gives to chancery serve --witness. Never
    /// run copies of one data folder: together they would cosign forks.
    Serve {
        /// Folder for the witness's key and what it saw. Restore no old copy of it.
        #[arg(long, value_name = "DIR")]
        data_dir: PathBuf,
        /// Address to listen on. Put a TLS-terminating proxy in front.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8788")]
        listen: SocketAddr,
        /// Its name: a URL without scheme, as in `witness.example.com/fabrikam`.
        #[arg(long)]
        name: String,
        /// Verifier key of a service (chancery service shows it); stands for all its logs; may be
        /// repeated. A service that rotates its key is there twice, until it has moved its logs.
        #[arg(long = "log", value_name = "VKEY", required = true)]
        logs: Vec<LogKey>,
        /// Form of the log on standard error.
        #[arg(long, value_enum, default_value = "text")]
        log_format: LogFormat,
    },
    /// Print the verifier key of a witness, and make its key if there is none.
    Key {
        /// Folder for the witness's key and what it saw.
        #[arg(long, value_name = "DIR")]
        data_dir: PathBuf,
        /// Its name.
        #[arg(long)]
        name: String,
    },
}

/// Serves until it is told to stop.
///
/// # Errors
///
/// Where the witness can't be started, or its name is none.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (data_dir, name) = match &args.what {
        What::Serve { data_dir, name, .. } | What::Key { data_dir, name } => (data_dir, name),
    };
    private_file::folder(data_dir)?;
    let key = key_file::load_or_generate(&data_dir.join(KEY_FILE))?;
    let witness = Witness::new(name, key.public().clone()).context("--name can't be the name")?;
    let verifier_key = witness.to_string();
    let show = || output::answer(&json!({ "verifier_key": verifier_key }), &verifier_key);
    if let What::Serve { data_dir, listen: address, name, logs, log_format } = args.what {
        start_log(log_format);
        let state = State::open(&data_dir.join(STATE_FILE)).await;
        let state = state.context("can't open what the witness saw")?;
        let listener = listen(address).await?;
        let address = listener.local_addr().context("the listener has no address")?;
        let known = logs.len();
        let service = Service::new(&name, key, logs, state.clone(), system_clock())?;
        show()?;
        tracing::info!(%address, %verifier_key, known, "witnessing");
        let served = serve(listener, Arc::new(service), stop_signal()).await;
        state.close().await;
        served.context("the witness failed")?;
    } else {
        show()?;
    }
    Ok(ExitCode::SUCCESS)
}
