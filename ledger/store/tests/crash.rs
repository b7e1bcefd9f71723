//! A process that is killed while it appends: what it acknowledged is there, and no part of a batch.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::merkle::{Frontier, Node};
use chancery_store::{Append, NewCommand, NewEntry, Store};
use uuid::Uuid;

/// Names the database to the child; without it, `child` has nothing to do.
const DATABASE: &str = "CHANCERY_STORE_CRASH_DATABASE";
const BATCH: u64 = 7;
const WRITERS: u128 = 4;

fn collaboration(n: u128) -> CollaborationId {
    CollaborationId::new(Uuid::from_u128(n))
}

/// The nodes that entries at `positions` complete, over leaves whose hashes no one checks.
fn nodes(positions: Range<u64>) -> Vec<Node> {
    let mut tree = Frontier::default();
    tree.extend((0..positions.start).map(|_| Digest::of(b"")));
    let mut nodes = Vec::new();
    positions.for_each(|_| tree.append_noting(Digest::of(b""), &mut nodes));
    nodes
}

fn batch(c: CollaborationId, size: u64) -> Append {
    let entry = |position: u64| {
        let sealed = format!("{c} {position} {}", "x".repeat(3000)).into_bytes();
        NewEntry { leaf_hash: Digest::of(&sealed), sealed }
    };
    Append {
        collaboration: c,
        expected_size: size,
        entries: (size..size + BATCH).map(entry).collect(),
        checkpoint: format!("checkpoint at {}", size + BATCH),
        nodes: nodes(size..size + BATCH),
        commands: vec![NewCommand {
            id: CommandId::new(Uuid::from_u128(size.into())),
            content_digest: Digest::of(b"content"),
            first_position: size,
            count: BATCH,
        }],
        personal_keys: vec![(size.to_string(), vec![1; 32])],
        erased: Vec::new(),
    }
}

/// Appends until it is killed, and writes a line for each append that is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn child() {
    let Some(path) = std::env::var_os(DATABASE) else { return };
    let store = Store::open(Path::new(&path)).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for n in 1..=WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            let c = collaboration(n);
            let mut size = store.head(c).await.unwrap().map_or(0, |head| head.size);
            while size < u64::MAX {
                store.append(batch(c, size)).await.unwrap();
                size += BATCH;
                // One write, so that lines of the writers don't mix.
                std::io::stdout()
                    .lock()
                    .write_all(format!("\nacknowledged {n} {size}\n").as_bytes())
                    .unwrap();
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let mut acknowledged = [0; WRITERS as usize];
    for round in 1..=6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(DATABASE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut seen = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            // The last line before the kill may be cut: it wasn't read as acknowledged, then.
            let Some(words) = line.strip_prefix("acknowledged ") else { continue };
            let Some((n, size)) = words.split_once(' ') else { continue };
            acknowledged[n.parse::<usize>().unwrap() - 1] = size.parse::<u64>().unwrap();
            seen += 1;
            if seen == 13 * round {
                child.kill().unwrap(); // SIGKILL; what is still in the pipe is read to its end.
            }
        }
        assert!(!child.wait().unwrap().success());
        assert!(seen >= 13 * round, "the child ended by itself after {seen} appends");

        let store = Store::open(&path).await.unwrap();
        for (n, acknowledged) in (1..).zip(acknowledged) {
            check(&store, collaboration(n), acknowledged).await;
        }
        store.close().await;
    }
}

async fn check(store: &Store, c: CollaborationId, acknowledged: u64) {
    let head = store.head(c).await.unwrap();
    let size = head.as_ref().map_or(0, |head| head.size);
    assert!(size >= acknowledged, "{acknowledged} entries were acknowledged, {size} are there");
    assert_eq!(size % BATCH, 0, "a part of a batch is there");
    let mut position = 0;
    while position < size {
        let expected = batch(c, position);
        let entries = store.range(c, position, u32::try_from(BATCH).unwrap()).await.unwrap();
        let found: Vec<_> = entries
            .into_iter()
            .map(|entry| NewEntry { sealed: entry.sealed, leaf_hash: entry.leaf_hash })
            .collect();
        assert_eq!(found, expected.entries);
        let record = store.command(c, expected.commands[0].id).await.unwrap().unwrap();
        assert_eq!((record.first_position, record.count), (position, BATCH));
        assert!(store.personal_key(c, &position.to_string()).await.unwrap().is_some());
        position += BATCH;
    }
    assert_eq!(store.range(c, size, 1).await.unwrap(), []);
    assert_eq!(
        head.map(|head| head.checkpoint),
        (size > 0).then(|| format!("checkpoint at {size}"))
    );
}
