//! The benchmarks that `./bench` runs. Every comparison is a ratio of rounds that take turns, and
//! beside each figure stands what the host took from this machine meanwhile.
//!
//! Each benchmark runs in a process of its own (`--part`), so that one's memory is not counted as
//! another's; the first process puts their findings together.

mod append;
mod latency;
mod limit;
mod machine;
mod mirror;
mod peers;
mod plot;
mod rebuild;
mod report;
mod room;
mod scale;
mod service;
mod table;
mod verify;

#[path = "../../../projections/tests/story/mod.rs"]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "the views' own test support, which tells a log by the rules"
)]
mod story;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;

use crate::machine::Machine;
use crate::report::{Part, Report};

/// That of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Every benchmark, in the order in which they run.
const NAMES: [&str; 6] =
    [append::NAME, latency::NAME, verify::NAME, rebuild::NAME, scale::NAME, mirror::NAME];
/// Where `--write` writes, from the root of the repository.
const DOCUMENT: &str = "docs/performance.md";
const IMAGES: &str = "docs/img";

/// Runs the benchmarks; `./bench` installs what they need.
#[derive(Debug, Parser)]
struct Arguments {
    /// Small sizes, within two minutes: shows that everything runs, not how fast.
    #[arg(long)]
    quick: bool,
    /// More rounds, and a bundle of 10 million entries.
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Writes the findings into docs/performance.md.
    #[arg(long, conflicts_with = "quick")]
    write: bool,
    /// Where the report and the benchmarks' files go.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    /// Runs one benchmark in this process.
    #[arg(long, hide = true, value_name = "FILE", requires = "names")]
    part: Option<PathBuf>,
    /// Makes the log that the views are rebuilt from, in FOLDER.
    #[arg(long, hide = true, value_name = "ENTRIES")]
    make_log: Option<u64>,
    /// The benchmarks to run; all where none is named.
    #[arg(value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(NAMES))]
    names: Vec<String>,
}

/// How large, and where.
pub struct Setup {
    mode: Mode,
    /// Where the benchmarks' files go: on a disk.
    pub folder: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Quick,
    Usual,
    Full,
}

impl Setup {
    /// The one of three sizes that was asked for.
    fn size<T>(&self, quick: T, usual: T, full: T) -> T {
        match self.mode {
            Mode::Quick => quick,
            Mode::Usual => usual,
            Mode::Full => full,
        }
    }

    fn is_full(&self) -> bool {
        self.mode == Mode::Full
    }

    fn is_quick(&self) -> bool {
        self.mode == Mode::Quick
    }

    /// Tells whoever waits what is going on.
    #[expect(clippy::unused_self, reason = "where it is told may depend on the mode")]
    fn say(&self, text: &str) {
        // Nobody listens: then nobody is told.
        let _ = writeln!(std::io::stderr(), "  {text}");
    }

    fn progress(&self, name: &str, round: usize, of: usize) {
        self.say(&format!("{name}: round {round} of {of}"));
    }

    /// Runs this program with `arguments` and `folder`.
    async fn in_a_process(&self, arguments: &[&str], folder: &Path) -> Result<()> {
        let own = std::env::current_exe()?;
        let mut command = tokio::process::Command::new(own);
        let status = command.args(arguments).arg("--folder").arg(folder).status().await?;
        ensure!(status.success(), "{} failed", arguments.join(" "));
        Ok(())
    }
}

/// Cores that this process may use.
pub fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("a runtime")
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match done {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(entries) = arguments.make_log {
        rebuild::make(&arguments.folder, entries).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mode = match (arguments.quick, arguments.full) {
        (true, _) => Mode::Quick,
        (_, true) => Mode::Full,
        _ => Mode::Usual,
    };
    std::fs::create_dir_all(&arguments.folder)?;
    let setup = Setup { mode, folder: arguments.folder.canonicalize()? };
    if let Some(file) = &arguments.part {
        let [name] = &arguments.names[..] else { bail!("one benchmark in a process") };
        let part = measured(&setup, name).await?;
        std::fs::write(file, serde_json::to_vec(&part)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = all(&setup, arguments).await?;
    let json = serde_json::to_string_pretty(&report)?;
    std::fs::write(setup.folder.join("report.json"), json + "\n")?;
    let _ = write!(std::io::stdout(), "\n{}", table::screen(&report));
    if !report.failed.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    if arguments.write {
        write(&setup, &report)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn measured(setup: &Setup, name: &str) -> Result<Part> {
    // Fails where it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match name {
        append::NAME => append::run(setup).await,
        latency::NAME => latency::run(setup).await,
        verify::NAME => verify::run(setup),
        rebuild::NAME => rebuild::run(setup).await,
        scale::NAME => scale::run(setup).await,
        mirror::NAME => mirror::run(setup).await,
        other => bail!("there is no benchmark {other}"),
    }
}

/// Runs each benchmark in a process of its own.
async fn all(setup: &Setup, arguments: &Arguments) -> Result<Report> {
    let named =
        |name: &&&str| arguments.names.is_empty() || arguments.names.iter().any(|it| it == **name);
    let machine = Machine::this();
    let (mut parts, mut failed) = (Vec::new(), BTreeMap::new());
    for name in NAMES.iter().filter(named) {
        let file = setup.folder.join(format!("{name}.json"));
        // What an earlier run left must not pass for this one's.
        let _ = std::fs::remove_file(&file);
        let path = file.to_str().context("a folder whose name is text")?;
        let size = setup.size(Some("--quick"), None, Some("--full"));
        let words: Vec<_> = size.into_iter().chain(["--part", path, name]).collect();
        let done = setup.in_a_process(&words, &setup.folder).await;
        let part = done.and_then(|()| Ok(serde_json::from_slice(&std::fs::read(&file)?)?));
        match part {
            Ok(part) => parts.push(part),
            Err(error) => {
                failed.insert((*name).to_owned(), format!("{error:#}"));
            }
        }
    }
    let mode = setup.size("quick", "usual", "full").to_owned();
    Ok(Report { mode, machine, parts, failed })
}

/// Puts the report into the documentation.
fn write(setup: &Setup, report: &Report) -> Result<()> {
    let document = std::fs::read_to_string(DOCUMENT).context(DOCUMENT)?;
    let written = table::written(&document, report)?;
    if report.parts.iter().any(|part| part.name == scale::NAME) {
        std::fs::create_dir_all(IMAGES)?;
        std::fs::copy(setup.folder.join(plot::FILE), Path::new(IMAGES).join(plot::FILE))?;
    }
    std::fs::write(DOCUMENT, written)?;
    setup.say(&format!("wrote {DOCUMENT}"));
    Ok(())
}
