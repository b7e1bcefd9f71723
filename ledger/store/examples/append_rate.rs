//! Measures how many entries a second the store appends, on both databases:
//! `cargo run --release --example append_rate [FOLDER]`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

use std::time::{Duration, Instant};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::merkle::Frontier;
use chancery_store::{Append, NewCommand, NewEntry, Store};
use uuid::Uuid;

#[path = "../tests/support/postgres.rs"]
mod server;

use server::Server;

const ENTRY_BYTES: usize = 1024;
const RUN: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() {
    // The folder given, or else a temporary one, which may lie on a disk that doesn't sync.
    let folder = std::env::args_os().nth(1);
    let temporary =
        tempfile::tempdir_in(folder.unwrap_or_else(|| std::env::temp_dir().into())).unwrap();
    let server = Server::start();
    for (writers, batch) in [(1, 1), (1, 100), (32, 1), (32, 100), (1, 1000)] {
        for on in ["SQLite", "PostgreSQL"] {
            let store = if on == "SQLite" {
                Store::open(&temporary.path().join(format!("{writers}-{batch}.db"))).await.unwrap()
            } else {
                Store::connect(&server.database()).await.unwrap()
            };
            let start = Instant::now();
            let tasks: Vec<_> =
                (0..writers).map(|n| tokio::spawn(write(store.clone(), n, batch, start))).collect();
            let mut entries = 0;
            for task in tasks {
                entries += task.await.unwrap();
            }
            let rate = entries * 1000 / u64::try_from(start.elapsed().as_millis()).unwrap();
            println!(
                "{on:>10}: {writers:>3} writers, batches of {batch:>3}: {rate:>7} entries/s of {ENTRY_BYTES} bytes"
            );
        }
    }
}

async fn write(store: Store, n: u128, batch: u64, start: Instant) -> u64 {
    let collaboration = CollaborationId::new(Uuid::from_u128(n));
    let entry = NewEntry { sealed: vec![7; ENTRY_BYTES], leaf_hash: Digest::of(b"") };
    let mut size = 0;
    let mut tree = Frontier::default();
    while start.elapsed() < RUN {
        let mut nodes = Vec::new();
        for _ in 0..batch {
            tree.append_noting(entry.leaf_hash, &mut nodes);
        }
        let append = Append {
            collaboration,
            expected_size: size,
            entries: vec![entry.clone(); usize::try_from(batch).unwrap()],
            checkpoint: "a signed note is about this long, with one signature".repeat(4),
            nodes,
            commands: vec![NewCommand {
                id: CommandId::new(Uuid::from_u128(size.into())),
                content_digest: Digest::of(b""),
                first_position: size,
                count: batch,
            }],
            personal_keys: Vec::new(),
            erased: Vec::new(),
        };
        store.append(append).await.unwrap();
        size += batch;
    }
    size
}
