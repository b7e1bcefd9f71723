//! `chancery`: the governance ledger of a data clean room, as one program.
//!
//! The server's processes are in `server`; all else is a client of its HTTP API, or works offline.

mod args;
mod chunks;
mod client;
mod encrypt;
mod failure;
mod output;
mod private_file;
mod server;
mod text;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser as _;
use failure::{Exit, Failure, Result};
use output::Format;
use serde_json::json;

/// What the log's work asks of an allocator is many small, short-lived trees on several threads:
/// measured, the views are rebuilt a quarter faster than with the system's (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    // Fails only where one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let line: Vec<_> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&line) {
        Ok(cli) => cli,
        Err(error) => return unparsed(&line, &error),
    };
    output::set_format(cli.global.output);
    match Box::pin(dispatch(cli)).await {
        Ok(code) => code,
        Err(failure) => {
            match output::format() {
                Format::Text => output::note(&failure.text()),
                // Where nobody reads it, the exit code still says it.
                Format::Json => drop(output::print(&failure.document().to_string())),
            }
            failure.exit().into()
        }
    }
}

async fn dispatch(cli: Cli) -> Result<ExitCode> {
    let global = &cli.global;
    match cli.command {
        Command::Login(args) => verbs::sign_in::login(global, args).await,
        Command::Logout => verbs::sign_in::logout(global),
        Command::Whoami => verbs::sign_in::whoami(global).await,
        Command::Service(args) => verbs::service::run(global, args).await,
        Command::Key(command) => verbs::key::run(global, command),
        Command::Collaboration(command) => verbs::collaboration::run(global, command).await,
        Command::Dataset(command) => verbs::dataset::run(global, command).await,
        Command::Query(command) => verbs::query::run(global, command).await,
        Command::Change(command) => verbs::change::run(global, command).await,
        Command::Rule(command) => verbs::rule::run(global, command).await,
        Command::Run(command) => return Ok(verbs::run::run(global, command).await?.into()),
        Command::Audit(command) => return verbs::audit::run(global, command).await,
        Command::Serve(args) => return Ok(server::serve::run(args).await?),
        Command::Dev(args) => return Ok(server::dev::run(args).await?),
        Command::Executor(args) => return Ok(server::executor::run(args).await?),
        Command::Witness(args) => return Ok(server::witness::run(args).await?),
        Command::Log(command) => return Box::pin(server::log::run(global, command)).await,
        Command::Projections(args) => return Ok(server::projections::run(args).await?),
    }?;
    Ok(Exit::Done.into())
}

/// A command line that asks for help, or can't be understood.
fn unparsed(line: &[OsString], error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        drop(error.print());
        return Exit::Done.into();
    }
    if wants_json(line) {
        let failure = Failure::usage("usage", "The command line is wrong", error.to_string());
        let mut document = failure.document();
        document["hint"] = json!("chancery --help");
        drop(output::print(&document.to_string()));
    } else {
        drop(error.print());
    }
    Exit::Usage.into()
}

/// Whether the line asks for JSON, as far as can be told of a line that can't be understood.
fn wants_json(line: &[OsString]) -> bool {
    line.iter().any(|word| word == "--output=json")
        || line.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json")
}
