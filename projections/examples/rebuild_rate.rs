//! Measures how fast the views follow and are rebuilt.
//!
//! - `rebuild_rate [entries]`: makes a log in a temporary folder, follows it, rebuilds it.
//! - `rebuild_rate make <log.db> <entries>`: only makes the log, to be used again. In a process of
//!   its own, so that the memory of the rules does not count as the views'.
//! - `rebuild_rate measure <log.db> [times]`: rebuilds the views of that log, beside it.
//!
//! As in `cargo run --release -p chancery-projections --example rebuild_rate -- make log.db 1000000`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::similar_names,
    reason = "a measurement, run by hand"
)]

#[path = "../tests/story/mod.rs"]
mod story;

use std::path::Path;
use std::time::{Duration, Instant};

use chancery_ledger::entry::Sealed;
use chancery_projections::{Projector, Views, rebuild};
use chancery_store::{NewEntry, Store};
use story::{Person, Story, append};

/// Entries that are made before they are written.
const PART: usize = 256;
/// Entries of a collaboration: the rules allow 10,000 queries in one, of 26 entries each here.
const ROOM: usize = 250_000;

#[tokio::main]
async fn main() {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["make", log, entries] => make(Path::new(log), entries.parse().unwrap()).await,
        ["measure", log] => measure(Path::new(log), 3).await,
        ["measure", log, times] => measure(Path::new(log), times.parse().unwrap()).await,
        [] => whole(20_000).await,
        [entries] => whole(entries.parse().unwrap()).await,
        _ => println!("[entries] | make <log.db> <entries> | measure <log.db> [times]"),
    }
}

async fn whole(entries: usize) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.db");
    make(&log, entries).await;
    measure(&log, 3).await;
}

async fn make(log: &Path, wanted: usize) {
    let store = Store::open(log).await.unwrap();
    let began = Instant::now();
    let (mut entries, mut bytes) = (0, 0);
    for room in 1.. {
        let made = make_room(&store, room, (wanted - entries).min(ROOM)).await;
        entries += made.0;
        bytes += made.1;
        if entries >= wanted {
            break;
        }
    }
    store.close().await;
    println!("{entries} entries, {} bytes each, made in {:.0?}", bytes / entries, began.elapsed());
}

/// Queries that are voted on and run, four times each: as in real use, most entries are of runs.
/// Gives the entries and their bytes.
async fn make_room(store: &Store, room: u64, wanted: usize) -> (usize, usize) {
    let mut story = Story::proposed(room);
    let (mut number, mut written, mut bytes) = (0, 0, 0);
    while written < wanted {
        let query = number;
        if query > 0 {
            assert!(story.draft(query) && story.propose(query));
        }
        assert!(Person::ALL.into_iter().all(|person| story.approve(person, query)));
        for run in 4 * number..4 * number + 4 {
            assert!(story.request(run, query) && story.admit(run) && story.submit(run));
            assert!(story.start(run) && story.succeed(run));
        }
        number += 1;
        let last = written + story.entries.len() >= wanted;
        while story.entries.len() >= PART || (last && !story.entries.is_empty()) {
            let part: Vec<_> = story.entries.drain(..PART.min(story.entries.len())).collect();
            bytes += part.iter().map(|entry| entry.bytes().len()).sum::<usize>();
            let first = written;
            written += part.len();
            append(store, story.room, first, part.into_iter().map(new).collect()).await;
        }
    }
    (written, bytes)
}

fn new(sealed: Sealed) -> NewEntry {
    NewEntry { leaf_hash: sealed.leaf(), sealed: sealed.into_bytes() }
}

async fn measure(log: &Path, times: u32) {
    let folder = tempfile::tempdir_in(log.parent().unwrap()).unwrap();
    let store = Store::open(log).await.unwrap();
    let views = Views::open(&folder.path().join("views.db")).await.unwrap();
    let size: u64 = store.heads(None, 1000).await.unwrap().iter().map(|(_, size)| size).sum();
    for _ in 0..times {
        let before = Machine::now();
        let rebuilt = rebuild(&store, &views, |_, _| ()).await.unwrap();
        assert_eq!((rebuilt.entries, rebuilt.halted.len()), (size, 0));
        report("rebuild", size, rebuilt.elapsed, &before);
    }
    views.close().await;
    std::fs::remove_dir_all(folder.path()).unwrap();
    std::fs::create_dir(folder.path()).unwrap();
    let views = Views::open(&folder.path().join("views.db")).await.unwrap();
    let (before, began) = (Machine::now(), Instant::now());
    Projector::new(store, views.clone()).sweep().await;
    assert_eq!(views.health().entries, size);
    report("follow", size, began.elapsed(), &before);
}

fn report(what: &str, entries: u64, elapsed: Duration, before: &Machine) {
    let now = Machine::now();
    let rate = entries as f64 / elapsed.as_secs_f64();
    // A tick is 10 ms.
    let own_us = (now.own - before.own) as f64 * 10_000.0 / entries as f64;
    let part = |ticks: u64| 100.0 * ticks as f64 / (now.total - before.total).max(1) as f64;
    println!(
        "{what:<8} {rate:>7.0} entries/s, {own_us:>4.1} us of CPU each; of all cores: own {:>3.0} %, \
         steal {:>3.0} %, idle {:>3.0} %; peak memory {} MiB",
        part(now.own - before.own),
        part(now.steal - before.steal),
        part(now.idle - before.idle),
        peak_memory_kib() / 1024,
    );
}

/// What the cores did since the machine started, over all of them, in ticks.
struct Machine {
    total: u64,
    idle: u64,
    steal: u64,
    /// Of this process.
    own: u64,
}

impl Machine {
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/stat").unwrap();
        let ticks = stat.lines().next().unwrap().split_whitespace().skip(1);
        // user nice system idle iowait irq softirq steal; guests' time is in user's.
        let ticks: Vec<u64> = ticks.take(8).map(|word| word.parse().unwrap()).collect();
        let own = std::fs::read_to_string("/proc/self/stat").unwrap();
        // After the name in brackets: state is field 3, utime 14, stime 15.
        let own = own.rsplit_once(") ").unwrap().1.split_whitespace().skip(11).take(2);
        Self {
            total: ticks.iter().sum(),
            idle: ticks[3] + ticks[4],
            steal: ticks[7],
            own: own.map(|word| word.parse::<u64>().unwrap()).sum(),
        }
    }
}

/// The most memory that this process has held.
fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
