//! The mirror: how fast logs go into a CCF ledger by the size of batches, and how fast a ledger is
//! read back, beside `ccf`'s validator on the same files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use chancery_ccf::certificate::Certificate;
use chancery_ccf::chunk::{Name, Range};
use chancery_ccf::ledger;
use chancery_ccf::verdict::Verdict;
use chancery_ledger::id::CollaborationId;
use chancery_mirror::{
    Ccf as Network, Config, Credentials, Driver, InMemory, InsecureVirtual, MirrorLedger, Options,
    State,
};
use uuid::Uuid;

use crate::Setup;
use crate::report::{Goal, Part, Ratio, Sample, Timer};
use crate::verify::Ccf;

#[path = "../../../ledger/mirror/tests/support/growing.rs"]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "the mirror's own test support, which makes logs of any length"
)]
mod growing;

use growing::Growing;

/// The name on the command line.
pub const NAME: &str = "mirror";
/// Entries in a batch.
const BATCHES: [usize; 3] = [16, 64, 256];
/// Logs that are mirrored side by side.
const LOGS: usize = 4;
/// What one node should take, in entries a second.
const GOAL: f64 = 5000.0;

const OURS: &str = "chancery audit ccf-ledger";
const CCF: &str = "ccf 6.0.28 LedgerValidator";

struct Sizes {
    rounds: usize,
    /// Into the stand-in.
    entries: usize,
    /// Into a network.
    sent: usize,
    time: Duration,
}

/// Measures.
///
/// # Errors
///
/// Where a mirror stops, or a ledger is not found good.
pub async fn run(setup: &Setup) -> Result<Part> {
    let mut part = Part::new(NAME, "mirroring into a CCF ledger, and reading one back");
    let sizes = setup.size(
        Sizes { rounds: 1, entries: 1024, sent: 512, time: Duration::from_millis(300) },
        Sizes { rounds: 5, entries: 16_384, sent: 8192, time: Duration::from_secs(3) },
        Sizes { rounds: 9, entries: 65_536, sent: 16_384, time: Duration::from_secs(5) },
    );
    let network = network()?;
    if network.is_none() {
        part.note("No CCF network was measured: CHANCERY_CCF_URL is not set (docs/ccf.md).");
    }
    let mut reading = match Reading::start(setup) {
        Ok(reading) => Some(reading),
        Err(missing) => {
            part.note(format!("Reading a ledger was not measured: {missing}."));
            None
        }
    };
    for round in 0..sizes.rounds {
        setup.progress(NAME, round + 1, sizes.rounds);
        for size in BATCHES {
            let ledger = Arc::new(InsecureVirtual::new(growing::NAME, b"bench")?);
            let sample = mirrored(ledger, size, sizes.entries).await?;
            let named = [("entries", sizes.entries as u64), ("logs", LOGS as u64)];
            part.push(&into("the stand-in", size), "entries/s", &named, sample);
            if let Some(network) = &network {
                let sample = mirrored(network.clone(), size, sizes.sent).await?;
                let named = [("entries", sizes.sent as u64), ("logs", LOGS as u64)];
                part.push(&into("a CCF network", size), "entries/s", &named, sample);
            }
        }
        if let Some(reading) = &mut reading {
            reading.round(&mut part, sizes.time)?;
        }
    }
    for ledger in ["the stand-in", "a CCF network"] {
        let Some(figure) = part.figure(&into(ledger, 256)) else { continue };
        let ratios = figure.rounds.iter().map(|sample| sample.value / GOAL).collect();
        let name = format!("into {ledger}, to {GOAL} entries a second");
        part.ratios.push(Ratio::from_rounds(&name, ratios).goal(Goal::AtLeast(1.0)));
    }
    part.compare("transactions a second, to ccf's", OURS, CCF, Some(Goal::AtLeast(20.0)));
    part.note(
        "An entry counts as mirrored when the receipt of its batch was verified and kept; the logs \
         are there whole when it begins. The stand-in checks no seals and is in the same process.",
    );
    Ok(part)
}

fn into(ledger: &str, batch: usize) -> String {
    format!("into {ledger}, batches of {batch}")
}

/// Mirrors logs of `entries` entries in all into `ledger`, until each has its receipt.
async fn mirrored<P: MirrorLedger>(ledger: Arc<P>, batch: usize, entries: usize) -> Result<Sample> {
    let logs = Arc::new(InMemory::default());
    let each = entries / LOGS;
    // A network keeps what it took: each run has logs of its own.
    let now = SystemTime::UNIX_EPOCH.elapsed()?.as_nanos();
    for at in 0..LOGS as u128 {
        let c = CollaborationId::new(Uuid::from_u128(now << 8 | at));
        let mut log = Growing::new(c);
        let sealed = log.grow(each);
        logs.set(c, sealed, log.note());
    }
    let (poll, sweep) = (Duration::from_millis(10), Duration::from_secs(1));
    let options = Options { entries_max: batch, poll, sweep, ..Options::default() };
    let driver = Driver::new(ledger, logs, options);
    let status = driver.status();
    let timer = Timer::start();
    let mut stopped = None;
    let whole = async {
        loop {
            let board = status.read();
            stopped = board.values().find_map(|log| match &log.state {
                State::Blocked(why) | State::Diverged(why) => Some(why.clone()),
                State::Following | State::Unavailable(_) => None,
            });
            let mirrored: u64 = board.values().map(|log| log.mirrored).sum();
            if stopped.is_some() || mirrored == (each * LOGS) as u64 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    driver.run(whole).await;
    let sample = timer.rate((each * LOGS) as u64);
    ensure!(stopped.is_none(), "the mirror stopped: {}", stopped.unwrap_or_default());
    Ok(sample)
}

/// The network of the environment, as in `ledger/mirror/tests/contract.rs`.
fn network() -> Result<Option<Arc<Network>>> {
    let Ok(urls) = std::env::var("CHANCERY_CCF_URL") else { return Ok(None) };
    let read = |name: &str| {
        let path = std::env::var(name).with_context(|| format!("{name} is not set"))?;
        fs::read(&path).context(path)
    };
    let config = Config {
        nodes: urls.split(',').map(str::to_owned).collect(),
        service: String::from_utf8(read("CHANCERY_CCF_SERVICE")?)?,
        credentials: Credentials::Certificate(read("CHANCERY_CCF_IDENTITY")?),
        timeout: Duration::from_secs(30),
    };
    Ok(Some(Arc::new(Network::new(config)?)))
}

/// A ledger that is read by two.
struct Reading {
    theirs: Ccf,
    service: Certificate,
    chunks: Vec<(Range, PathBuf)>,
}

impl Reading {
    fn start(setup: &Setup) -> Result<Self> {
        let theirs = Ccf::start(setup)?;
        let pem = fs::read_to_string(theirs.ledger.join("service_cert.pem"))?;
        let (service, chunks) = (Certificate::from_pem(&pem)?, chunks(&theirs.ledger)?);
        Ok(Self { theirs, service, chunks })
    }

    fn round(&mut self, part: &mut Part, time: Duration) -> Result<()> {
        let theirs = self.theirs.validate(time / 2)?;
        let timer = Timer::start();
        let mut read = 0;
        // As often as fits: one pass is over too soon to be timed.
        while timer.seconds() < time.as_secs_f64() / 2.0 {
            let files = self.chunks.iter().map(|(range, path)| (*range, File::open(path)));
            let report = ledger::verify(files, &self.service, &ledger::Options::default(), |_| {});
            ensure!(report.verdict == Verdict::Verified, "{:?}", report.verdict);
            read += report.transactions;
        }
        let named = [("transactions", theirs.entries)];
        part.push(OURS, "tx/s", &named, timer.rate(read));
        part.push(CCF, "tx/s", &named, theirs.rate);
        Ok(())
    }
}

/// The closed and committed files of a ledger, in order.
fn chunks(folder: &Path) -> Result<Vec<(Range, PathBuf)>> {
    let mut chunks = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Name::Chunk(range) = Name::parse(name) {
            chunks.push((range, path));
        }
    }
    chunks.sort();
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn logs_are_mirrored_whole() {
        let ledger = Arc::new(InsecureVirtual::new(growing::NAME, b"bench").unwrap());
        assert!(mirrored(ledger, 16, 128).await.unwrap().value > 0.0);
    }
}
