//! How fast a log is verified, beside what the processor can do at most.
//!
//! ```text
//! cargo run --release -p chancery-audit --example verify_rate -- FILE ENTRIES [ROUNDS [THREADS]]
//! ```
//!
//! Makes a log of so many member-signed entries in FILE, if there is none, then in turns measures
//! the Ed25519 verifications that all cores do when they do nothing else (ring, over the very
//! messages of this log) and the verification of the bundle. An entry has two signatures. Steal is
//! the share of processor time that the host gave to others meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that fails stops")]
#![allow(clippy::print_stdout, reason = "its result")]
#![allow(clippy::cast_precision_loss, reason = "rates to three digits")]

#[path = "../tests/story/mod.rs"]
mod story;

use std::fs::{self, File};
use std::io::BufWriter;
use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

use chancery_audit::bundle::{Header, Item, Reader, Writer};
use chancery_audit::{Options, Verdict, verify};
use chancery_governance::command::{Command, RestoreConsent, WithdrawConsent};
use chancery_governance::consent::ConsentKind;
use chancery_governance::event::{ConsentRestored, ConsentWithdrawn, Event};
use chancery_ledger::codec::{self, Value};
use chancery_ledger::entry::{Actor, Authority, Sealed};
use chancery_ledger::key::PublicKey;
use chancery_ledger::merkle::Frontier;
use chancery_ledger::note::Checkpoint;
use ring::signature::{ED25519, UnparsedPublicKey};
use story::{Person, Right, Story, about_room, room, service_key};

/// Entries whose signatures the limit is measured with.
const SAMPLE: usize = 10_000;
/// Signatures between two looks at the clock.
const ROUND: usize = 1_000;
/// How long one measurement of the limit takes at least.
const LIMIT: Duration = Duration::from_secs(5);

fn main() {
    let mut args = std::env::args().skip(1);
    let file = args.next().expect("FILE");
    let entries: u64 = args.next().expect("ENTRIES").parse().expect("a number");
    let rounds: u32 = args.next().map_or(3, |rounds| rounds.parse().expect("a number"));
    let threads: Option<NonZero<usize>> = args.next().map(|n| n.parse().expect("a number"));
    let cores = thread::available_parallelism().unwrap();
    if !fs::exists(&file).unwrap() {
        let begun = Instant::now();
        make(&file, entries);
        say(&format!("made {entries} entries in {:.0} s", begun.elapsed().as_secs_f64()));
    }
    let sample = sample(&file);
    say(&format!(
        "{cores} cores; {} bytes; sample of {} signatures",
        fs::metadata(&file).unwrap().len(),
        sample.len()
    ));
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let ((limit, signature), limit_steal) = measured(|| limit(&sample, cores));
        let busy_before = busy();
        let (rate, steal) = measured(|| verified(&file, threads));
        let entry = (busy() - busy_before) / entries as f64;
        let ((again, _), again_steal) = measured(|| self::limit(&sample, cores));
        let ratio = 2.0 * rate / f64::midpoint(limit, again);
        ratios.push(ratio);
        say(&format!(
            "round {round}: {rate:.0} entries/s, steal {steal:.1} %; limit {limit:.0} and \
             {again:.0} signatures/s, steal {limit_steal:.1} and {again_steal:.1} %; ratio \
             {ratio:.3}; peak {} MB; processor time: entry {:.1} us, signature {:.1} us, ratio {:.3}",
            peak_kb() / 1024,
            entry * 1e6,
            signature * 1e6,
            2.0 * signature / entry
        ));
    }
    ratios.sort_by(f64::total_cmp);
    say(&format!("median ratio {:.3}", ratios[ratios.len() / 2]));
}

/// Entries a second.
fn verified(file: &str, threads: Option<NonZero<usize>>) -> f64 {
    let service_key = Some(service_key().public().id());
    let options = Options { service_key, threads, ..Options::default() };
    let begun = Instant::now();
    let report = verify(File::open(file).unwrap(), &options);
    assert_eq!(report.verdict, Verdict::Verified);
    report.contents.unwrap().checkpoint.size as f64 / begun.elapsed().as_secs_f64()
}

fn say(line: &str) {
    println!("{line}");
}

/// A log of `size` entries: the founding, then a member's marks, set and taken back, each signed.
fn make(file: &str, size: u64) {
    let mut story = Story::founded();
    let header = Header { size, ..story.parts().header };
    let beside = format!("{file}.new");
    let mut writer = Writer::new(BufWriter::new(File::create(&beside).unwrap()), &header).unwrap();
    let mut frontier = Frontier::default();
    let actor = Actor::Member(Person::Litware.member());
    let kind = ConsentKind::Telemetry;
    for sealed in &story.entries {
        frontier.append(sealed.leaf());
        writer.push(sealed.bytes()).unwrap();
    }
    while frontier.size() < size {
        let (command, event): (Command, Event) = if frontier.size() % 2 == 0 {
            (WithdrawConsent { kind }.into(), ConsentWithdrawn { kind }.into())
        } else {
            (RestoreConsent { kind }.into(), ConsentRestored { kind }.into())
        };
        // Straight to the seal: the verifier will say whether the rules permit it.
        story.forge(Right::Key(Person::Litware), actor, about_room(), &command, &event);
        story.forget_all_but_last();
        let sealed = &story.entries[0];
        frontier.append(sealed.leaf());
        writer.push(sealed.bytes()).unwrap();
    }
    let origin = header.origin.clone();
    let checkpoint = Checkpoint { origin, size, root: frontier.root() };
    writer.finish(&checkpoint.sign(&story.service)).unwrap();
    fs::rename(beside, file).unwrap();
}

/// A key, what it signed, the signature.
type Signed = (Vec<u8>, Vec<u8>, Vec<u8>);

fn sample(file: &str) -> Vec<Signed> {
    let mut reader = Reader::open(File::open(file).unwrap()).unwrap();
    let service = reader.header().service_key.clone();
    let mut signed = Vec::new();
    while signed.len() < 2 * SAMPLE {
        let Item::Entry(bytes) = reader.next_item().unwrap() else { break };
        signed.push(parts(&bytes, &service));
        let entry = Sealed::parse(bytes).unwrap();
        if let Authority::MemberSigned(content) = &entry.entry().authority {
            signed.push(parts(&content.message, Person::Litware.key().public()));
        }
    }
    assert_eq!(room(), reader.header().collaboration);
    signed
}

/// `Sig_structure` (RFC 9052 section 4.4) of a message, and its signature.
fn parts(message: &[u8], key: &PublicKey) -> Signed {
    let Value::Array(parts) = codec::decode(&message[1..]).unwrap() else { panic!("COSE_Sign1") };
    let [protected, _, payload, Value::Bytes(signature)] = <[Value; 4]>::try_from(parts).unwrap()
    else {
        panic!("COSE_Sign1")
    };
    let structure =
        Value::Array(vec![Value::text("Signature1"), protected, Value::bytes([]), payload]);
    (key.bytes().to_vec(), codec::encode(&structure), signature)
}

/// Signatures a second over all cores, and the processor seconds of one.
fn limit(sample: &[Signed], cores: NonZero<usize>) -> (f64, f64) {
    let (begun, busy_before) = (Instant::now(), busy());
    let one_core = || {
        let mut done = 0_u32;
        while begun.elapsed() < LIMIT {
            for (key, message, signature) in sample.iter().take(ROUND) {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).unwrap();
                done += 1;
            }
        }
        f64::from(done)
    };
    let done: f64 = thread::scope(|scope| {
        let each: Vec<_> = (0..cores.get()).map(|_| scope.spawn(one_core)).collect();
        each.into_iter().map(|core| core.join().unwrap()).sum()
    });
    (done / begun.elapsed().as_secs_f64(), (busy() - busy_before) / done)
}

/// Processor seconds of this process so far (proc(5), `/proc/self/stat`, in ticks of 10 ms).
fn busy() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    f64::from(ticks.filter_map(|ticks| ticks.parse::<u32>().ok()).sum::<u32>()) / 100.0
}

/// What `run` gives, and the steal meanwhile in percent.
fn measured<T>(run: impl FnOnce() -> T) -> (T, f64) {
    let (steal, total) = ticks();
    let given = run();
    let (steal_after, total_after) = ticks();
    (given, 100.0 * (steal_after - steal) as f64 / (total_after - total).max(1) as f64)
}

/// Ticks stolen and all ticks since the start (proc(5), `/proc/stat`).
fn ticks() -> (u64, u64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    // Guest time, the last two, is counted in user time already.
    (ticks.get(7).copied().unwrap_or(0), ticks.iter().take(8).sum())
}

/// The most memory that this process ever had (proc(5), `VmHWM`).
fn peak_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
