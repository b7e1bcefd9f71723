//! The processes that stay up: the server, its development form, the executor, a witness; and
//! upkeep of what they leave.

pub mod database;
pub mod dev;
pub mod executor;
mod fsck;
pub mod keys;
pub mod log;
mod mirror;
mod moving;
pub mod node;
pub mod projections;
pub mod retire;
pub mod serve;
mod tiles;
mod trust;
pub mod witness;
mod witnesses;

use tracing_subscriber::EnvFilter;

/// How a process that stays up writes its log, to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Starts the log. `RUST_LOG` sets what is in it; `info` where it is not set.
pub fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
}
