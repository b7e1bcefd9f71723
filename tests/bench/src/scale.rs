//! What an append costs, and what memory it takes, as one log grows: both should be flat.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::merkle::{Frontier, Growth, leaf_hash};
use chancery_store::{Append, NewCommand, NewEntry, Store};
use uuid::Uuid;

use crate::Setup;
use crate::machine;
use crate::plot::{self, Curve, Plot};
use crate::report::{Figure, Goal, Part, Ratio, Sample, Timer};
use crate::room::Room;
use crate::service::checkpoint_of;

/// The name on the command line.
pub const NAME: &str = "scale";
/// Entries of a batch: as many as the writer puts into one.
const BATCH: usize = 512;
/// Different entries that the logs are filled with.
const ENTRIES_MADE: usize = 4096;
/// Bytes that an entry takes on disk, roughly, with its index entries and the log ahead of it.
const DISK_BYTES_PER_ENTRY: u64 = 1400;
/// When the entries were made: 2026-01-05T09:00:00Z.
const BEGIN_MS: u64 = 1_767_603_600_000;

struct Sizes {
    rounds: usize,
    /// Sizes of the logs, ascending.
    logs: &'static [u64],
    /// Batches that are timed in each round, at each size.
    batches: u64,
}

/// Measures.
///
/// # Errors
///
/// Where the disk is too small, or a write fails.
pub async fn run(setup: &Setup) -> Result<Part> {
    let mut part = Part::new(NAME, "append cost and memory as one log grows");
    let sizes = setup.size(
        Sizes { rounds: 3, logs: &[1000, 10_000, 30_000], batches: 4 },
        Sizes { rounds: 7, logs: &[10_000, 1_000_000, 10_000_000], batches: 40 },
        Sizes { rounds: 15, logs: &[10_000, 1_000_000, 10_000_000], batches: 80 },
    );
    let wanted = sizes.logs.iter().sum::<u64>() * DISK_BYTES_PER_ENTRY;
    let free = machine::free_bytes(&setup.folder);
    ensure!(
        free.is_none_or(|free| free > wanted),
        "{} GB are needed for the logs, and {} are free",
        wanted / 1_000_000_000,
        free.unwrap_or(0) / 1_000_000_000
    );
    let folder = tempfile::tempdir_in(&setup.folder)?;
    let material = Material::made()?;
    let mut logs = Vec::new();
    // The largest first, while no other log is open: the memory is that of one growing log.
    for (place, size) in sizes.logs.iter().enumerate().rev() {
        setup.say(&format!("{NAME}: filling a log to {size} entries"));
        let mut log = Log::open(&folder.path().join(format!("{size}.db"))).await?;
        let largest = place + 1 == sizes.logs.len();
        log.fill(*size, &material, largest.then_some(&mut part)).await?;
        logs.push((*size, log));
    }
    logs.reverse();
    for round in 0..sizes.rounds {
        setup.progress(NAME, round + 1, sizes.rounds);
        let count = logs.len();
        for turn in 0..count {
            let (size, log) = &mut logs[if round % 2 == 0 { turn } else { count - 1 - turn }];
            let sample = log.batches(sizes.batches, &material).await?;
            let named = [("entries", *size), ("batch_entries", BATCH as u64)];
            part.push(&cost_name(*size), "us/entry", &named, sample);
        }
    }
    let bytes = material.entries.iter().map(|it| it.len() as u64).sum::<u64>();
    conclude(&mut part, sizes.logs, bytes / ENTRIES_MADE as u64)?;
    if !setup.is_quick() {
        // Where the documentation, if it is to be written, takes it from.
        std::fs::write(setup.folder.join(plot::FILE), plot::svg(&plots(&part)))?;
    }
    Ok(part)
}

fn cost_name(size: u64) -> String {
    format!("append at {} entries", grouped(size))
}

fn memory_name(size: u64) -> String {
    format!("memory at {} entries", grouped(size))
}

/// A number with its digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn conclude(part: &mut Part, logs: &[u64], entry_bytes: u64) -> Result<()> {
    let [small, .., large] = logs else { anyhow::bail!("two sizes or more") };
    let pairs =
        [(cost_name(*small), cost_name(*large)), (memory_name(*small), memory_name(*large))];
    for (what, (small, large)) in ["cost", "memory"].into_iter().zip(pairs) {
        let figure = |name| part.figure(name).context("a figure of every size");
        let ratio = Ratio::of(
            &format!("{what}, the largest log to the smallest"),
            figure(&large)?,
            figure(&small)?,
        );
        part.ratios.push(ratio.goal(Goal::AtMost(1.5)));
    }
    part.note(format!(
        "Logs of one collaboration, filled through the store in batches of {BATCH}, each with its \
         command records, tree nodes and a signed checkpoint. The entries are {ENTRIES_MADE} \
         member-signed ones of {entry_bytes} bytes, taken in turn with their last 8 bytes changed, \
         so that each has a leaf hash of its own; the store checks no signatures. Command ids \
         ascend, as UUIDv7s do.",
    ));
    part.note(
        "Cost is of a batch: hashing its entries, growing the tree, signing the checkpoint, and \
         the store's transaction with its sync. The sizes are measured in turns on logs of their \
         own. Memory is what the process holds when the largest log, as the only one, has grown \
         that far.",
    );
    Ok(())
}

/// The plots of a part that this module made.
fn plots(part: &Part) -> Vec<Plot> {
    let curve = |prefix: &str, name: &str| {
        let prefixed = |figure: &&Figure| figure.name.starts_with(prefix);
        let point = |figure: &Figure| Some((*figure.sizes.get("entries")?, figure.median));
        let mut points: Vec<_> = part.figures.iter().filter(prefixed).filter_map(point).collect();
        points.sort_by_key(|(size, _)| *size);
        Curve { name: name.to_owned(), points }
    };
    let plot = |title: &str, unit: &str, curve| Plot {
        title: title.to_owned(),
        unit: unit.to_owned(),
        across: "entries in the log".to_owned(),
        curves: vec![curve],
    };
    vec![
        plot("Append: time of an entry, batches of 512", "µs", curve("append at", "append")),
        plot("Memory of the process", "MB", curve("memory at", "memory")),
    ]
}

/// Entries to fill logs with.
struct Material {
    room: Room,
    entries: Vec<Vec<u8>>,
}

impl Material {
    fn made() -> Result<Self> {
        let mut room = Room::founded(0, 16, BEGIN_MS)?;
        let mut lanes = room.lanes();
        let count = lanes.len();
        let mut made = |number: usize| room.mark(&mut lanes[number % count]).bytes().to_vec();
        let entries = (0..ENTRIES_MADE).map(&mut made).collect();
        Ok(Self { room, entries })
    }

    fn entry(&self, position: u64) -> NewEntry {
        let count = self.entries.len() as u64;
        let mut sealed = usize::try_from(position % count)
            .ok()
            .and_then(|at| self.entries.get(at).cloned())
            .unwrap_or_default();
        if let Some(last) = sealed.last_chunk_mut() {
            *last = position.to_be_bytes();
        }
        let leaf_hash = leaf_hash(&sealed);
        NewEntry { sealed, leaf_hash }
    }
}

/// A log that grows.
struct Log {
    store: Store,
    tree: Frontier,
    id: CollaborationId,
}

impl Log {
    async fn open(file: &Path) -> Result<Self> {
        let id = CollaborationId::new(Uuid::from_u128(0x0193_2b6c_7d3a_7000_8000_0000_0000_0001));
        Ok(Self { store: Store::open(file).await?, tree: Frontier::default(), id })
    }

    /// Appends up to `size` entries; notes the memory at each power of ten, and at `size`.
    async fn fill(
        &mut self,
        size: u64,
        material: &Material,
        part: Option<&mut Part>,
    ) -> Result<()> {
        let mut nothing = Part::default();
        let part = part.unwrap_or(&mut nothing);
        let mut noted = BTreeSet::new();
        let timer = Timer::start();
        while self.tree.size() < size {
            let left = usize::try_from(size - self.tree.size())?;
            self.append(left.min(BATCH), material).await?;
            let now = self.tree.size();
            let reached = if now >= size { size } else { 10_u64.pow(now.ilog10()) };
            // Smaller logs are all start-up.
            if (1000..=now).contains(&reached) && noted.insert(reached) {
                let value = megabytes(machine::resident_kib());
                let named = [("entries", reached)];
                part.push(&memory_name(reached), "MB", &named, timer.sample(value));
            }
        }
        Ok(())
    }

    /// Appends `count` batches; gives the time of an entry in microseconds.
    async fn batches(&mut self, count: u64, material: &Material) -> Result<Sample> {
        let timer = Timer::start();
        for _ in 0..count {
            self.append(BATCH, material).await?;
        }
        let entries = count * BATCH as u64;
        let rate = timer.rate(entries);
        Ok(Sample { value: 1e6 / rate.value, ..rate })
    }

    async fn append(&mut self, count: usize, material: &Material) -> Result<()> {
        let first = self.tree.size();
        let entries: Vec<_> = (first..).take(count).map(|at| material.entry(at)).collect();
        let leaves: Vec<_> = entries.iter().map(|entry| entry.leaf_hash).collect();
        let growth = Growth::of(&self.tree, &leaves);
        let commands = (first..).zip(&entries).map(|(at, entry)| NewCommand {
            id: CommandId::new(Uuid::from_u128(u128::from(at) << 64 | 7)),
            content_digest: entry.leaf_hash,
            first_position: at,
            count: 1,
        });
        let append = Append {
            collaboration: self.id,
            expected_size: first,
            commands: commands.collect(),
            entries,
            nodes: growth.nodes().to_vec(),
            checkpoint: checkpoint_of(&material.room, &growth),
            personal_keys: Vec::new(),
            erased: Vec::new(),
        };
        self.store.append(append).await?;
        self.tree = growth.frontier().clone();
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "MB to one digit")]
fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(10_000_000), "10,000,000");
    }
}
