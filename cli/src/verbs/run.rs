//! `chancery run`: asked for, watched, stopped.

use std::path::PathBuf;
use std::time::Duration;

use chancery_commands::api::Mechanism;
use chancery_governance::privacy::{decimal, micro_text};
use chancery_governance::subject::Subject;
use chancery_ledger::id::RunId;
use clap::Subcommand;
use indicatif::ProgressBar;
use reqwest::Method;
use serde_json::{Value, json};

use super::query::find;
use super::query_show::{charge, reasons};
use super::{done, result, vote};
use crate::args::Global;
use crate::client::clock;
use crate::client::http::view;
use crate::client::room::Room;
use crate::client::session::Order;
use crate::client::views::Run;
use crate::failure::{Exit, Failure, Result};
use crate::output;
use crate::text::{Table, evidence, facts, plain, short, time};

/// How often a run is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs of accepted queries, and their results.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask for a run of an accepted query
    Start {
        /// The query's name or id
        query: String,
        /// Wait for its outcome; exit code 1 where it does not succeed
        #[arg(long)]
        wait: bool,
        /// Seconds to wait at most
        #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
        timeout: u64,
    },
    /// Wait for a run's outcome; exit code 1 where it does not succeed
    Wait {
        /// The run's id
        run: RunId,
        /// Seconds to wait at most
        #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
        timeout: u64,
    },
    /// The runs here, refused ones included
    List,
    /// A run with its steps, outcome and statistics
    Show {
        /// The run's id
        run: RunId,
    },
    /// Ask for a run to stop
    Cancel {
        /// The run's id
        run: RunId,
    },
    /// Check a result's files against the attested manifest and show them
    #[command(after_help = "\
Example:
  chancery run result 01932b6c-7d3a-7c1e-8f00-0123456789ab \\
    --data-root /srv/data --to delays.csv")]
    Result {
        /// The run's id
        run: RunId,
        /// Folder under which the output dataset's store lies
        #[arg(long, value_name = "DIR")]
        data_root: PathBuf,
        /// Copy the checked result to a file
        #[arg(long, value_name = "FILE.csv")]
        to: Option<PathBuf>,
        /// Rows to show at most
        #[arg(long, default_value_t = 20)]
        rows: usize,
    },
}

/// Does it.
///
/// # Errors
///
/// The service's refusal, or that it can't be reached.
pub async fn run(global: &Global, command: Command) -> Result<Exit> {
    let room = &Room::open(global).await?;
    match command {
        Command::Start { query, wait, timeout } => start(room, &query, wait, timeout).await,
        Command::Wait { run, timeout } => watch(room, run, timeout).await,
        Command::List => list(room).await,
        Command::Show { run } => {
            let document = document(room, run).await?;
            output::answer(&document, &describe(&view(&document)?))?;
            Ok(Exit::Done)
        }
        Command::Cancel { run } => {
            let order = Order {
                method: Method::POST,
                path: format!("/runs/{run}/cancel"),
                action: "run.cancel",
                subject: Subject::Run(run),
                command: clock::command_id()?,
                expected_version: None,
                body: json!({}),
                content: None,
            };
            done(&room.send(&order).await?, &format!("Cancelled {run}"), Vec::new())?;
            Ok(Exit::Done)
        }
        Command::Result { run, data_root, to, rows } => {
            let it: Run = view(&document(room, run).await?)?;
            result::show(room, &it, &result::Wanted { data_root, to, rows }).await?;
            Ok(Exit::Done)
        }
    }
}

async fn document(room: &Room, run: RunId) -> Result<Value> {
    room.document(&format!("/runs/{run}")).await
}

async fn start(room: &Room, query: &str, wait: bool, timeout_s: u64) -> Result<Exit> {
    let (it, query) = find(room, query).await?;
    let digest = vote::look(room, &it, "ask for a run of").await?;
    let command = clock::command_id()?;
    let run = RunId::new(command.uuid());
    let order = Order {
        method: Method::POST,
        path: "/runs".to_owned(),
        action: "run.request",
        subject: Subject::Run(run),
        command,
        expected_version: None,
        body: json!({"query": query.to_string(), "digest": digest}),
        content: None,
    };
    let sent = room.send(&order).await?;
    if wait {
        output::tell(&format!("Run {run} is asked for."))?;
        return watch(room, run, timeout_s).await;
    }
    done(&sent, "The run is asked for", vec![("run", run.to_string())])?;
    Ok(Exit::Done)
}

/// Waits for the outcome, showing each stage: on a spinner to who sees it, else a line each.
async fn watch(room: &Room, run: RunId, timeout_s: u64) -> Result<Exit> {
    let spinner = output::progress_is_seen().then(ProgressBar::new_spinner);
    if let Some(spinner) = &spinner {
        spinner.enable_steady_tick(Duration::from_millis(120));
    }
    let mut shown = 0;
    let until_ms = clock::now_ms().saturating_add(timeout_s.saturating_mul(1000));
    loop {
        let document = document(room, run).await?;
        let it: Run = view(&document)?;
        for step in it.timeline.iter().skip(shown) {
            let line = format!("  {}  {}", time(step.time_ms), plain(&step.stage));
            match &spinner {
                Some(spinner) => spinner.set_message(line),
                None => output::tell(&line)?,
            }
        }
        shown = it.timeline.len();
        if it.ended {
            if let Some(spinner) = &spinner {
                spinner.finish_and_clear();
            }
            output::answer(&document, &describe(&it))?;
            return Ok(if it.stage == "succeeded" { Exit::Done } else { Exit::Refused });
        }
        if clock::now_ms() >= until_ms {
            let why = format!("it is {} after {timeout_s} s", it.stage);
            return Err(Failure::new(
                Exit::Unreadable,
                "run_not_ended",
                "The run has no outcome yet",
                why,
            )
            .with_hint(format!("Wait on: chancery run wait {run}")));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn list(room: &Room) -> Result<Exit> {
    let items = room.list("/runs").await?;
    let mut table = Table::new(["RUN", "QUERY", "STAGE", "RUNNER", "ASKED FOR", "PLATFORM"]);
    for item in &items {
        let it: Run = view(item)?;
        let platform = it.executor.as_ref().map_or("-", |executor| executor.platform.as_str());
        let asked = time(it.created.time_ms);
        table.row([&it.id, &it.query_name, &it.stage, &it.runner_organisation, &asked, platform]);
    }
    let none = "No run was asked for here.\n".to_owned();
    let text = if table.is_empty() { none } else { table.render(0) };
    output::answer(&json!({"items": items}), &text)?;
    Ok(Exit::Done)
}

/// One noise in words.
fn noise(it: &Mechanism) -> (&'static str, String) {
    let shown = it.threshold.map_or(String::new(), |least| format!(", shown from {least} on"));
    let (epsilon, scale) = (micro_text(it.epsilon_micro), decimal(it.scale_milli, 3));
    let (of, name) = (it.of.replace('_', " "), plain(&it.column));
    ("noise", format!("{name}, {of}: {} of scale {scale}, ε {epsilon}{shown}", it.mechanism))
}

/// A run as people read it.
fn describe(run: &Run) -> String {
    let mut pairs = vec![("id", run.id.clone()), ("runner", run.runner_organisation.clone())];
    pairs.extend(run.digest.as_ref().map(|digest| ("digest", digest.clone())));
    let back = if run.given_back { ", given back" } else { "" };
    pairs.extend(run.charges.iter().map(|it| ("privacy", format!("{}{back}", charge(it)))));
    if let Some(executor) = &run.executor {
        pairs.push(("platform", evidence(&executor.platform)));
        pairs.push(("application", short(&executor.measurement)));
    }
    pairs.extend(run.timeline.iter().map(|step| {
        ("step", format!("{}  {} at {}", time(step.time_ms), step.stage, step.position))
    }));
    pairs.extend(run.handed_out.iter().map(|it| {
        let how = if it.given { "given" } else { "refused" };
        let what = plain(&it.kind);
        ("secret", format!("{what} of dataset {} {how} at {}", it.dataset, it.at.position))
    }));
    if let Some(result) = &run.result {
        pairs.push(("engine", format!("{} {}", result.engine.name, result.engine.version)));
        pairs.extend(
            result
                .statistics
                .inputs
                .iter()
                .map(|it| ("read", format!("{} rows of {}", it.rows, it.alias))),
        );
        pairs.extend(result.statistics.segments.iter().map(|it| {
            ("made", format!("{} rows of {} in {} ms", it.rows, it.view, it.duration_ms))
        }));
        pairs.push(("wrote", format!("{} rows", result.statistics.rows_written)));
        pairs.extend(result.privacy.iter().flat_map(|noised| &noised.mechanisms).map(noise));
        pairs.extend(
            result.manifest.files.iter().map(|it| {
                ("file", format!("{}, {} bytes, {}", it.path, it.bytes, short(&it.digest)))
            }),
        );
    }
    pairs.extend(run.failure.as_ref().map(|it| ("failure", format!("{}: {}", it.code, it.detail))));
    let (name, stage) = (plain(&run.query_name), plain(&run.stage));
    format!("{name}: {stage}\n{}{}", facts(2, pairs), reasons(&run.reasons))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_with_what_it_took_of_budgets_of_privacy() {
        let at = json!({"position": 7, "time_ms": 0});
        let mut run = json!({
            "id": "r", "query": "q", "query_name": "Spend", "digest": null,
            "runner_organisation": "Fabrikam", "stage": "cancelled", "ended": true, "reasons": [],
            "executor": null, "result": null, "failure": null, "timeline": [], "created": at,
            "version": 7, "given_back": false,
            "charges": [{
                "dataset": "d", "dataset_name": "people", "epsilon_micro": 400_000, "delta_pico": 0,
            }],
        });
        let told = |run: &Value| describe(&view(run).unwrap());
        assert!(told(&run).contains("ε 0.4 of the budget of people\n"), "{}", told(&run));
        run["given_back"] = json!(true);
        assert!(told(&run).contains("of people, given back\n"), "{}", told(&run));
        // A service of an earlier release says nothing of it.
        run.as_object_mut().unwrap().remove("charges");
        assert!(!told(&run).contains("privacy"), "{}", told(&run));
    }
}
