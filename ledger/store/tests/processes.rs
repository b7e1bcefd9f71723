//! Several processes on one log, and processes that die: what was acknowledged is there, nothing
//! is there in part, and no log forks. On both databases.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[allow(dead_code, reason = "the cases themselves run elsewhere")]
mod contract;
#[path = "support/postgres.rs"]
mod server;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_store::{Append, AppendError, NewCommand, NewEntry, Store};
use contract::{Log, append_of, collaboration, command, nodes, read_all};
use server::Server;
use uuid::Uuid;

/// Names the database to a child, a path or a URL; without it, children have nothing to do.
const DATABASE: &str = "CHANCERY_STORE_TEST_DATABASE";
/// Tells a child after how many statements to abort.
const STATEMENTS: &str = "CHANCERY_STORE_TEST_STATEMENTS";

async fn open(database: &str) -> Store {
    if database.starts_with("postgres://") {
        Store::connect(database).await.unwrap()
    } else {
        Store::open(Path::new(database)).await.unwrap()
    }
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

/// Runs one of this program's `child_` functions as a process of its own.
fn spawn(child: &str, database: &str, statements: Option<u64>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    if let Some(statements) = statements {
        command.env(STATEMENTS, statements.to_string());
    }
    command
        .args([child, "--exact", "--nocapture"])
        .env(DATABASE, database)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// One line in one write, so that those of several tasks don't mix.
fn tell(line: &str) {
    std::io::stdout().lock().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

/// What the child told under `what`, line by line. The last line before its death may be cut: it
/// wasn't heard, then.
fn heard(child: &mut Child, what: &'static str) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.filter_map(move |line| line.unwrap().strip_prefix(what).map(str::to_owned))
}

// Killed at any moment, under load.

const BATCH: u64 = 7;
const WRITERS: u128 = 4;

fn batch(c: CollaborationId, size: u64) -> Append {
    let entry = |position: u64| {
        let sealed = format!("{c} {position} {}", "x".repeat(3000)).into_bytes();
        NewEntry { leaf_hash: Digest::of(&sealed), sealed }
    };
    Append {
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
        ..append_of(c, size, &[])
    }
}

/// Appends until it is killed, and tells of each append that is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn child_that_appends() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let store = open(&database).await;
    let mut writers = tokio::task::JoinSet::new();
    for n in 1..=WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            let c = collaboration(n);
            let mut size = store.head(c).await.unwrap().map_or(0, |head| head.size);
            while size < u64::MAX {
                store.append(batch(c, size)).await.unwrap();
                size += BATCH;
                tell(&format!("acknowledged {n} {size}"));
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_it_acknowledged_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    kill_writers(folder.path().join("log.db").to_str().unwrap()).await;
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_it_acknowledged_on_postgresql() {
    kill_writers(&server().database()).await;
}

async fn kill_writers(database: &str) {
    let mut acknowledged = [0; WRITERS as usize];
    for round in 1..=6 {
        let mut child = spawn("child_that_appends", database, None);
        let mut seen = 0;
        for words in heard(&mut child, "acknowledged ") {
            let Some((n, size)) = words.split_once(' ') else { continue };
            acknowledged[n.parse::<usize>().unwrap() - 1] = size.parse::<u64>().unwrap();
            seen += 1;
            if seen == 13 * round {
                child.kill().unwrap(); // SIGKILL; what is still in the pipe is read to its end.
            }
        }
        assert!(!child.wait().unwrap().success());
        assert!(seen >= 13 * round, "the child ended by itself after {seen} appends");

        let store = open(database).await;
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

// Dead after any statement of a script.

/// Aborts the process at the end of a statement, which sqlx tells of as an event.
struct Abort {
    statements_left: AtomicU64,
}

impl tracing::Subscriber for Abort {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn event(&self, _: &tracing::Event<'_>) {
        if self.statements_left.fetch_sub(1, Ordering::SeqCst) == 1 {
            std::process::abort();
        }
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// What can be seen of the script: entries, `views`' cursor, the cosigned size, ann's key.
type State = (u64, u64, u64, bool);

/// The states after 0, 1, .. steps of the script.
const STATES: [State; 7] = [
    (0, 0, 0, false),
    (250, 0, 0, false),
    (260, 0, 0, true),
    (260, 200, 0, true),
    (260, 200, 260, true),
    (270, 200, 260, false),
    (300, 200, 260, false),
];

async fn step(store: &Store, log: &mut Log, step: usize) {
    let c = log.c;
    match step {
        0 => store.append(log.next(250)).await.unwrap(),
        1 => {
            let personal_keys = vec![("ann".to_owned(), vec![1; 32])];
            store.append(Append { personal_keys, ..log.next(10) }).await.unwrap();
        }
        2 => store.advance_cursor("views", c, 0, 200).await.unwrap(),
        3 => store.put_cosigned(c, 260, &log.note()).await.unwrap(),
        4 => {
            let erased = vec!["ann".to_owned()];
            store.append(Append { erased, ..log.next(10) }).await.unwrap();
        }
        _ => store.append(log.next(30)).await.unwrap(),
    }
}

async fn state(store: &Store, c: CollaborationId) -> State {
    (
        store.head(c).await.unwrap().map_or(0, |head| head.size),
        store.cursor("views", c).await.unwrap(),
        store.cosigned(c).await.unwrap().map_or(0, |cosigned| cosigned.size),
        store.personal_key(c, "ann").await.unwrap().is_some(),
    )
}

#[tokio::test]
async fn child_that_aborts() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let statements_left = AtomicU64::new(std::env::var(STATEMENTS).unwrap().parse().unwrap());
    tracing::subscriber::set_global_default(Abort { statements_left }).unwrap();
    let store = open(&database).await;
    let mut log = Log::new(collaboration(1));
    for n in 0..STATES.len() - 1 {
        step(&store, &mut log, n).await;
        tell(&format!("acknowledged {}", n + 1));
    }
}

#[tokio::test]
async fn a_crash_after_any_statement_leaves_whole_steps_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let database = |n: u64| folder.path().join(format!("{n}.db")).to_str().unwrap().to_owned();
    crash_everywhere(database).await;
}

#[tokio::test]
async fn a_crash_after_any_statement_leaves_whole_steps_on_postgresql() {
    crash_everywhere(|_| server().database()).await;
}

async fn crash_everywhere(database: impl Fn(u64) -> String) {
    let mut ends = BTreeMap::new();
    for statements in 1.. {
        let database = database(statements);
        let mut child = spawn("child_that_aborts", &database, Some(statements));
        let acknowledged =
            heard(&mut child, "acknowledged ").last().map_or(0, |n| n.parse::<usize>().unwrap());
        let ended: ExitStatus = child.wait().unwrap();

        let store = open(&database).await;
        let c = collaboration(1);
        let found = state(&store, c).await;
        let done = STATES.iter().rposition(|state| *state == found);
        let done = done.unwrap_or_else(|| panic!("after {statements} statements: {found:?}"));
        assert!(
            done == acknowledged || done == acknowledged + 1,
            "after {statements} statements: {acknowledged} acknowledged, {done} done"
        );
        *ends.entry(done).or_insert(0) += 1;
        store.fsck(c, &mut |finding| panic!("{finding}")).await.unwrap();
        // The rest goes on from there.
        let mut log = Log::new(c);
        while log.tree.size() < found.0 {
            log.next(
                [250, 10, 10, 30][usize::from(log.tree.size() >= 250)
                    + usize::from(log.tree.size() >= 260)
                    + usize::from(log.tree.size() >= 270)],
            );
        }
        for n in done..STATES.len() - 1 {
            step(&store, &mut log, n).await;
        }
        assert_eq!(state(&store, c).await, STATES[STATES.len() - 1]);
        store.fsck(c, &mut |finding| panic!("{finding}")).await.unwrap();
        store.close().await;
        if ended.success() {
            assert_eq!(acknowledged, STATES.len() - 1);
            break;
        }
    }
    // It did die in each step: a step has a statement or more.
    assert_eq!(ends.keys().copied().collect::<Vec<_>>(), (0..STATES.len()).collect::<Vec<_>>());
}

// Two at once.

const ROUNDS: u64 = 60;

/// Appends to one log until it has won `ROUNDS` times, and tells of each time.
#[tokio::test]
async fn child_that_races() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let store = open(&database).await;
    let c = collaboration(1);
    let me = std::process::id();
    let mut size = store.head(c).await.unwrap().map_or(0, |head| head.size);
    let mut won = 0;
    while won < ROUNDS {
        let id = (u128::from(me) << 64) + u128::from(won);
        let text = format!("{me} {won}");
        let commands = vec![command(id, size, 1)];
        let nodes = nodes(size..size + 1);
        match store.append(Append { commands, nodes, ..append_of(c, size, &[&text]) }).await {
            Ok(()) => {
                tell(&format!("won {size} {text}"));
                size += 1;
                won += 1;
            }
            Err(AppendError::Conflict { actual }) => size = actual,
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn of_two_processes_one_wins_each_position_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    race(folder.path().join("log.db").to_str().unwrap()).await;
}

#[tokio::test]
async fn of_two_processes_one_wins_each_position_on_postgresql() {
    race(&server().database()).await;
}

async fn race(database: &str) {
    // Another process yet has made the database, so that both begin at once.
    open(database).await.close().await;
    let mut children = [(); 2].map(|()| spawn("child_that_races", database, None));
    let told = children.each_mut().map(|child| {
        let lines = heard(child, "won ");
        std::thread::spawn(move || lines.collect::<Vec<_>>())
    });
    let mut won = BTreeMap::new();
    for told in told {
        for line in told.join().unwrap() {
            let (size, text) = line.split_once(' ').unwrap();
            let other = won.insert(size.parse::<u64>().unwrap(), text.to_owned());
            assert_eq!(other, None, "both won position {size}");
        }
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = open(database).await;
    let entries = read_all(&store, collaboration(1), 100).await;
    let found: BTreeMap<u64, String> = entries
        .into_iter()
        .map(|entry| (entry.position, String::from_utf8(entry.sealed).unwrap()))
        .collect();
    assert_eq!(found.len() as u64, 2 * ROUNDS);
    assert_eq!(found, won);
}
