//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::output::Format;
use crate::server;
use crate::verbs::{
    audit, change, collaboration, dataset, key, query, rule, run, service, sign_in,
};

const EXAMPLES: &str = "\
Try it out, on this machine only:
  chancery dev                                 # in one terminal
  chancery login --as olivia@litware.example   # in another
  chancery collaboration create --name Flights --organisation Litware \\
    --allow-insecure-virtual

Exit codes: 0 done, 1 refused or verification failed, 2 incomplete (audit),
3 unreadable or unreachable, 64 wrong usage.";

/// The governance ledger of a data clean room.
///
/// Organisations that don't trust each other, and don't trust the operator, agree on datasets and
/// queries. Every step is a signed event that anyone can verify offline.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, after_help = EXAMPLES, term_width = 80)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Folder with your sign-in and key [default: ~/.chancery]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "CHANCERY_PROFILE",
        hide_env_values = true
    )]
    pub profile: Option<PathBuf>,
    /// Form of answers and errors
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "text|json"
    )]
    pub output: Format,
    /// Server, where it is not the one that you signed in at
    #[arg(long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// Collaboration, where you are in more than one
    #[arg(
        long,
        global = true,
        value_name = "NAME|ID",
        env = "CHANCERY_COLLABORATION",
        hide_env_values = true
    )]
    pub collaboration: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in with your organisation's identity
    Login(sign_in::Login),
    /// Forget the sign-in
    Logout,
    /// Who the service takes you for, and where you are a member
    Whoami,
    /// What the service says of itself: name, key, evidence; and its key's rotation
    Service(service::Args),
    /// Your own signing key
    #[command(subcommand)]
    Key(key::Command),
    /// Collaborations, members, invitations, registered keys
    #[command(subcommand, alias = "collab")]
    Collaboration(collaboration::Command),
    /// Datasets: schemas and policies, never rows
    #[command(subcommand)]
    Dataset(dataset::Command),
    /// Queries: draft, propose, vote
    #[command(subcommand)]
    Query(query::Command),
    /// Terms and membership, by the members' vote
    #[command(subcommand)]
    Change(change::Command),
    /// Queries that you approve in advance
    #[command(subcommand)]
    Rule(rule::Command),
    /// Runs of accepted queries, and their results
    #[command(subcommand)]
    Run(run::Command),
    /// Export the log and verify it offline
    #[command(subcommand)]
    Audit(audit::Command),
    /// Run the command service
    Serve(server::serve::Args),
    /// Run a server to try things out, on this machine only
    Dev(server::dev::Args),
    /// The process that runs accepted queries on Spark
    Executor(server::executor::Args),
    /// Cosign the logs of services, as a witness
    Witness(server::witness::Args),
    /// Check the log's database, or publish it as tiles
    #[command(subcommand)]
    Log(server::log::Command),
    /// Upkeep of the server's views
    Projections(server::projections::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn check_width(command: &mut clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        let help = command.render_long_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{path}: {line}");
        }
        // The server's options are its operators'; their defaults and values can be long.
        let servers = ["serve", "dev", "executor", "projections", "witness"];
        for inner in command.get_subcommands_mut() {
            if !servers.contains(&inner.get_name()) {
                check_width(inner, &path);
            }
        }
    }

    #[test]
    fn help_fits_80_columns() {
        let mut command = Cli::command().term_width(80);
        command.build();
        check_width(&mut command, "");
    }

    #[test]
    fn global_options_stand_anywhere() {
        for line in [
            &["chancery", "--server", "http://127.0.0.1:1", "query", "list"][..],
            &["chancery", "query", "list", "--server", "http://127.0.0.1:1"][..],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.global.server.as_deref(), Some("http://127.0.0.1:1"));
        }
    }
}
