//! Offline verification of a whole log, beside the processor's limit for its signatures and
//! beside `ccf`'s ledger validator on a ledger of its own.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chancery_audit::bundle::{Header, Item, Reader, Writer};
use chancery_audit::{Options, Verdict, verify};
use chancery_ledger::entry::{Authority, Sealed};
use chancery_ledger::merkle::Frontier;
use chancery_ledger::note::Checkpoint;

use crate::Setup;
use crate::limit::{self, Library, Signature};
use crate::machine;
use crate::report::{Goal, Part, Ratio, Sample, Timer};
use crate::room::{self, Room, SERVICE};

/// The name on the command line.
pub const NAME: &str = "verify";
/// Entries whose signatures the limit is measured with.
const SAMPLE: usize = 5000;
/// Signatures of an entry: the member's and the service's.
const SIGNATURES: f64 = 2.0;
/// When the bundle's entries were made: 2026-01-05T09:00:00Z.
const BEGIN_MS: u64 = 1_767_603_600_000;
/// The memory that verification may take, in MB, whatever the bundle's size.
const MEMORY_MB_MAX: f64 = 500.0;

const OURS: &str = "chancery audit verify";
const LIMIT: &str = "Ed25519 verification, all cores (AWS-LC)";
const RING: &str = "Ed25519 verification, all cores (ring)";
const CCF: &str = "ccf 6.0.28 LedgerValidator, on its ledger";
const OURS_SIGNATURES: &str = "chancery audit verify, its signatures";
const CCF_SIGNATURES: &str = "ccf 6.0.28, its signatures";
const MEMORY: &str = "peak memory of the verification";

struct Sizes {
    rounds: usize,
    entries: u64,
    time: Duration,
}

/// Measures.
///
/// # Errors
///
/// Where the bundle can't be made, or is not found good.
pub fn run(setup: &Setup) -> Result<Part> {
    let mut part = Part::new(NAME, "offline verification of a member-signed log");
    let sizes = setup.size(
        Sizes { rounds: 2, entries: 5000, time: Duration::from_millis(300) },
        Sizes { rounds: 3, entries: 1_000_000, time: Duration::from_secs(5) },
        Sizes { rounds: 5, entries: 1_000_000, time: Duration::from_secs(10) },
    );
    let file = bundle(setup, sizes.entries)?;
    let signatures = signatures(&file)?;
    let mut ccf = match Ccf::start(setup) {
        Ok(ccf) => Some(ccf),
        Err(missing) => {
            part.note(format!("ccf was not measured: {missing}."));
            None
        }
    };
    let named = [("entries", sizes.entries), ("bytes", fs::metadata(&file)?.len())];
    // Against the mean of the limit before and after it.
    let mut ratios = Vec::new();
    for round in 0..sizes.rounds {
        setup.progress(NAME, round + 1, sizes.rounds);
        let before = limit::verifications(&signatures, sizes.time, Library::AwsLc)?;
        machine::forget_peak();
        let ours = verified(&file, sizes.entries)?;
        let peak = peak_mb();
        let after = limit::verifications(&signatures, sizes.time, Library::AwsLc)?;
        if let Some(ccf) = &mut ccf {
            let theirs = ccf.validate(sizes.time)?;
            let named = [("entries", theirs.entries), ("signatures", theirs.signatures)];
            part.push(CCF, "entries/s", &named, theirs.rate);
            part.push(CCF_SIGNATURES, "signatures/s", &named, theirs.signature_rate());
            let signatures = Sample { value: SIGNATURES * ours.value, ..ours };
            part.push(OURS_SIGNATURES, "signatures/s", &[], signatures);
        }
        ratios.push(SIGNATURES * ours.value / f64::midpoint(before.value, after.value));
        part.push(OURS, "entries/s", &named, ours);
        let limit = Sample { value: f64::midpoint(before.value, after.value), ..after };
        part.push(LIMIT, "signatures/s", &[("threads", crate::cores())], limit);
        let ring = limit::verifications(&signatures, sizes.time / 2, Library::Ring)?;
        part.push(RING, "signatures/s", &[("threads", crate::cores())], ring);
        part.push(MEMORY, "MB", &named, Sample { value: peak, ..ours });
    }
    let goal = Goal::AtLeast(0.8);
    part.ratios.push(Ratio::from_rounds("signatures verified, to the limit", ratios).goal(goal));
    part.compare("entries a second, to ccf's", OURS, CCF, Some(Goal::AtLeast(20.0)));
    part.compare("signatures a second, to ccf's", OURS_SIGNATURES, CCF_SIGNATURES, None);
    part.note(
        "Each entry has two signatures, the member's and the service's; all of them are checked, \
         every entry is replayed by the rules, and the tree is built and compared with the signed \
         checkpoint. The limit is measured just before and just after, over this log's messages.",
    );
    if let Some(figure) = part.figure(CCF) {
        let note = format!(
            "ccf's validator does all of its checks (release 6.0.28 has no levels) on a ledger of {} \
             entries with {} signatures: over the tree's root at intervals, none by members. An \
             entry of ours has {SIGNATURES} signatures of its own, so that {} times their entries \
             would be more than the processor can verify.",
            figure.sizes["entries"], figure.sizes["signatures"], 20
        );
        part.note(note);
    }
    if setup.is_full() {
        huge(setup, &mut part)?;
    }
    Ok(part)
}

/// 10 million entries: the memory, which must not grow with the log.
fn huge(setup: &Setup, part: &mut Part) -> Result<()> {
    const ENTRIES: u64 = 10_000_000;
    let file = bundle(setup, ENTRIES)?;
    let named = [("entries", ENTRIES), ("bytes", fs::metadata(&file)?.len())];
    machine::forget_peak();
    let sample = verified(&file, ENTRIES)?;
    let peak = peak_mb();
    part.push("10 million entries", "entries/s", &named, sample);
    part.push("10 million entries, peak memory", "MB", &named, Sample { value: peak, ..sample });
    let ratio =
        Ratio::from_rounds("10 million entries, memory to 500 MB", vec![peak / MEMORY_MB_MAX]);
    part.ratios.push(ratio.goal(Goal::AtMost(1.0)));
    fs::remove_file(file)?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "MB to one digit")]
fn peak_mb() -> f64 {
    machine::peak_kib() as f64 * 1024.0 / 1e6
}

fn verified(file: &Path, entries: u64) -> Result<Sample> {
    let service_key = Some(room::service_key()?.public().id());
    let options = Options { service_key, ..Options::default() };
    let timer = Timer::start();
    let report = verify(File::open(file)?, &options);
    let sample = timer.rate(entries);
    ensure!(
        report.verdict == Verdict::Verified,
        "the bundle that this benchmark made is not verified: remove {} if an older release made it",
        file.display()
    );
    Ok(sample)
}

/// The bundle of a log of `entries` entries; made if there is none.
fn bundle(setup: &Setup, entries: u64) -> Result<PathBuf> {
    let version = env!("CARGO_PKG_VERSION");
    let file = setup.folder.join(format!("log-{version}-{entries}.chancery"));
    if file.exists() {
        return Ok(file);
    }
    setup.say(&format!("{NAME}: making a bundle of {entries} entries, once"));
    let beside = file.with_extension("new");
    make(&beside, entries)?;
    fs::rename(beside, &file)?;
    Ok(file)
}

/// The founding by the rules, then the members' marks in turn, each signed and sealed.
fn make(file: &Path, entries: u64) -> Result<()> {
    let mut room = Room::founded(0, 16, BEGIN_MS)?;
    room.register_keys()?;
    let origin = chancery_governance::state::origin(SERVICE, room.id);
    let header = Header {
        collaboration: room.id,
        origin: origin.clone(),
        service_key: room.service().public().clone(),
        size: entries,
        exported_at_ms: BEGIN_MS,
    };
    let mut writer = Writer::new(BufWriter::new(File::create(file)?), &header)?;
    let mut tree = Frontier::default();
    for sealed in &room.entries {
        tree.append(sealed.leaf());
        writer.push(sealed.bytes())?;
    }
    ensure!(tree.size() <= entries, "more entries than the founding of the room");
    let mut lanes = room.lanes();
    let count = lanes.len();
    let mut next = 0;
    while tree.size() < entries {
        let sealed = room.mark(&mut lanes[next % count]);
        tree.append(sealed.leaf());
        writer.push(sealed.bytes())?;
        next += 1;
    }
    let checkpoint = Checkpoint { origin, size: entries, root: tree.root() };
    writer.finish(&checkpoint.sign(room.service()))?;
    Ok(())
}

/// Signatures of the first entries that have two.
fn signatures(file: &Path) -> Result<Vec<Signature>> {
    let members = Room::founded(0, 16, BEGIN_MS)?.members;
    let mut reader = Reader::open(BufReader::new(File::open(file)?))?;
    let service = reader.header().service_key.clone();
    let mut signatures = Vec::new();
    while signatures.len() < 2 * SAMPLE {
        let Item::Entry(bytes) = reader.next_item()? else { break };
        let entry = Sealed::parse(bytes)?;
        let Authority::MemberSigned(content) = &entry.entry().authority else { continue };
        let kind = chancery_ledger::cose::ContentType::Command;
        let id = chancery_ledger::cose::parse(kind, &content.message)?.key_id();
        let member = members.iter().find(|member| member.key.public().id() == id);
        let member = member.context("a member signed it")?;
        signatures.push(Signature::of(&content.message, member.key.public())?);
        signatures.push(Signature::of(entry.bytes(), &service)?);
    }
    Ok(signatures)
}

/// A Python process that validates a CCF ledger when it is told to.
pub struct Ccf {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Its folder, with the service's certificate.
    pub ledger: PathBuf,
}

impl Ccf {
    /// Starts it, or says what is missing.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub fn start(setup: &Setup) -> Result<Self> {
        let python = setup.folder.join("venv/bin/python");
        ensure!(python.is_file(), "./bench installs it for the usual sizes only, not for --quick");
        let fixtures = std::env::var_os("CHANCERY_FIXTURES")
            .map_or_else(|| PathBuf::from("../shared/fixtures"), PathBuf::from);
        let ledger = fixtures.join("ccf");
        ensure!(ledger.is_dir(), "its ledger is not here ({} is missing)", ledger.display());
        let mut process = Command::new(python)
            .args(["-c", include_str!("verify/validate_ccf.py")])
            .arg(&ledger)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take().context("its input")?;
        let output = BufReader::new(process.stdout.take().context("its output")?);
        let mut ccf = Self { process, input, output, ledger };
        // The first pass compiles and caches.
        ccf.validate(Duration::from_millis(1)).context("it does not run")?;
        Ok(ccf)
    }

    /// Validates the whole ledger again and again for `time`.
    ///
    /// # Errors
    ///
    /// Where it ended.
    pub fn validate(&mut self, time: Duration) -> Result<Validated> {
        let timer = Timer::start();
        writeln!(self.input, "{}", time.as_secs_f64())?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let said: Vec<_> = line.split_whitespace().collect();
        let [entries, signatures, passes, seconds] = said[..] else {
            anyhow::bail!("it ended: {line}")
        };
        let (entries, passes): (u32, u32) = (entries.parse()?, passes.parse()?);
        let rate = f64::from(entries) * f64::from(passes) / seconds.parse::<f64>()?;
        let rate = timer.sample(rate);
        Ok(Validated { rate, entries: entries.into(), signatures: signatures.parse()? })
    }
}

/// What the validator did.
pub struct Validated {
    /// Entries a second.
    pub rate: Sample,
    /// Entries of its ledger.
    pub entries: u64,
    /// Signatures in it.
    signatures: u64,
}

impl Validated {
    #[expect(clippy::cast_precision_loss, reason = "a rate to three digits")]
    fn signature_rate(&self) -> Sample {
        let share = self.signatures as f64 / self.entries.max(1) as f64;
        Sample { value: self.rate.value * share, ..self.rate }
    }
}

impl Drop for Ccf {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_that_is_made_is_one_that_the_rules_permit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        make(&file, 200).unwrap();
        assert!(verified(&file, 200).unwrap().value > 0.0);
        // The founding has witnessed entries too: these have one signature.
        let signatures = signatures(&file).unwrap();
        assert!(signatures.len() > 200, "{}", signatures.len());
        let sample =
            limit::verifications(&signatures, Duration::from_millis(1), Library::AwsLc).unwrap();
        assert!(sample.value > 0.0);
    }
}
