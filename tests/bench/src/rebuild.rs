//! Making all views anew from the log, on SQLite.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use chancery_ledger::entry::Sealed;
use chancery_ledger::merkle::Growth;
use chancery_projections::{Views, rebuild};
use chancery_store::{Append, BATCH_ENTRIES_MAX, NewEntry, Store};

use crate::Setup;
use crate::machine;
use crate::report::{Goal, Part, Ratio, Sample, Timer};
use crate::story::{Person, Story};

/// The name on the command line.
pub const NAME: &str = "rebuild";
/// Entries of a collaboration: the rules allow 10,000 queries in one, of 26 entries each here.
const ROOM_ENTRIES: u64 = 250_000;
const GOAL: f64 = 60_000.0;

struct Sizes {
    rounds: usize,
    entries: u64,
}

/// Measures.
///
/// # Errors
///
/// Where the log can't be made, or the views do not follow it to its end.
pub async fn run(setup: &Setup) -> Result<Part> {
    let mut part = Part::new(NAME, "rebuild of all views from the log, on SQLite");
    let sizes = setup.size(
        Sizes { rounds: 2, entries: 2000 },
        Sizes { rounds: 3, entries: 1_000_000 },
        Sizes { rounds: 7, entries: 1_000_000 },
    );
    let store = Store::open(&log(setup, sizes.entries).await?).await?;
    let folder = tempfile::tempdir_in(&setup.folder)?;
    let views = Views::open(&folder.path().join("views.db")).await?;
    // A whole query at a time is told, so the log is a little longer than was asked for.
    let heads = store.heads(None, 1000).await?;
    let entries: u64 = heads.iter().map(|(_, size)| size).sum();
    let named = [("entries", entries), ("collaborations", heads.len() as u64)];
    let before = machine::resident_kib();
    machine::forget_peak();
    for round in 0..sizes.rounds {
        setup.progress(NAME, round + 1, sizes.rounds);
        let timer = Timer::start();
        let rebuilt = rebuild(&store, &views, |_, _| ()).await?;
        let sample = timer.rate(entries);
        ensure!(rebuilt.halted.is_empty() && rebuilt.entries == entries, "{rebuilt:?}");
        part.push("rebuild", "entries/s", &named, sample);
        let peak = megabytes(machine::peak_kib());
        part.push("peak memory of the rebuild", "MB", &[], Sample { value: peak, ..sample });
    }
    let values = part.figure("rebuild").map(|figure| figure.rounds.clone()).unwrap_or_default();
    let ratios = values.iter().map(|sample| sample.value / GOAL).collect();
    let ratio = Ratio::from_rounds("entries a second, to 60,000", ratios);
    part.ratios.push(ratio.goal(Goal::AtLeast(1.0)));
    part.note(format!(
        "The log, made once by the rules: queries drafted, proposed, voted on, and run four times \
         each to their end. Before the first rebuild the process held {:.0} MB.",
        megabytes(before)
    ));
    Ok(part)
}

#[expect(clippy::cast_precision_loss, reason = "MB to one digit")]
fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

/// The file of a log of `entries` entries; made, by a process of its own, if there is none.
async fn log(setup: &Setup, entries: u64) -> Result<PathBuf> {
    let version = env!("CARGO_PKG_VERSION");
    let file = setup.folder.join(format!("rooms-{version}-{entries}.db"));
    if !file.exists() {
        setup.say(&format!("{NAME}: making a log of {entries} entries, once"));
        let beside = file.with_extension("new");
        for suffix in ["", "-wal", "-shm"] {
            let mut old = beside.clone().into_os_string();
            old.push(suffix);
            let _ = std::fs::remove_file(old);
        }
        // In a process of its own, so that what the rules hold does not count as the views'.
        setup.in_a_process(&["--make-log", &entries.to_string()], &beside).await?;
        std::fs::rename(beside, &file)?;
    }
    Ok(file)
}

/// Makes the log of `entries` entries, or a few more, at `file`.
///
/// # Errors
///
/// Where it can't be written.
pub async fn make(file: &Path, entries: u64) -> Result<()> {
    let store = Store::open(file).await?;
    let mut made = 0;
    for room in 1.. {
        made += make_room(&store, room, (entries - made).min(ROOM_ENTRIES)).await?;
        if made >= entries {
            break;
        }
    }
    // Closed, so that all of it is in the one file.
    store.close().await;
    Ok(())
}

async fn make_room(store: &Store, room: u64, wanted: u64) -> Result<u64> {
    let mut story = Story::proposed(room);
    let mut tree = chancery_ledger::merkle::Frontier::default();
    let mut number = 0;
    while tree.size() < wanted {
        let query = number;
        if query > 0 {
            ensure!(story.draft(query) && story.propose(query), "a query was refused");
        }
        ensure!(Person::ALL.into_iter().all(|person| story.approve(person, query)), "a vote was");
        for run in 4 * number..4 * number + 4 {
            let ran = story.request(run, query) && story.admit(run) && story.submit(run);
            ensure!(ran && story.start(run) && story.succeed(run), "a run was refused");
        }
        number += 1;
        let last = tree.size() + story.entries.len() as u64 >= wanted;
        while story.entries.len() >= BATCH_ENTRIES_MAX / 4 || (last && !story.entries.is_empty()) {
            let count = story.entries.len().min(BATCH_ENTRIES_MAX / 4);
            let part: Vec<_> = story.entries.drain(..count).collect();
            let leaves: Vec<_> = part.iter().map(Sealed::leaf).collect();
            let growth = Growth::of(&tree, &leaves);
            let new = |it: Sealed| NewEntry { leaf_hash: it.leaf(), sealed: it.into_bytes() };
            let append = Append {
                collaboration: story.room,
                expected_size: tree.size(),
                entries: part.into_iter().map(new).collect(),
                nodes: growth.nodes().to_vec(),
                checkpoint: "a checkpoint, which the views do not read".to_owned(),
                commands: Vec::new(),
                personal_keys: Vec::new(),
                erased: Vec::new(),
            };
            store.append(append).await?;
            tree = growth.frontier().clone();
        }
    }
    Ok(tree.size())
}
