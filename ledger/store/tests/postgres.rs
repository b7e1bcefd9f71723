//! The contract on PostgreSQL, and what only a server can show.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod contract;
#[path = "support/postgres.rs"]
mod server;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chancery_store::{Append, AppendError, OpenError, Store};
use contract::{append_of, collaboration, read_all};
use server::{Server, Stop};
use sqlx::{Connection as _, PgConnection, Row as _};

/// Long enough for any step on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// One server for all tests of this program; it ends with the program.
fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(Server::start)
}

async fn fresh() -> (Store, &'static Server) {
    let (store, server, _) = with_url().await;
    (store, server)
}

async fn with_url() -> (Store, &'static Server, String) {
    let server = shared();
    let url = server.database();
    (Store::connect(&url).await.unwrap(), server, url)
}

async fn raw(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn run(connection: &mut PgConnection, statements: &'static str) {
    sqlx::raw_sql(statements).execute(connection).await.unwrap();
}

store_contract!(fresh);

#[tokio::test]
async fn it_opens_again_with_all_that_was_written() {
    let (store, _, url) = with_url().await;
    let c = collaboration(1);
    for size in 0..5 {
        store.append(append_of(c, size, &["x"])).await.unwrap();
        store.advance_cursor("views", c, size, size + 1).await.unwrap();
        store.keep_mirror_receipt(c, contract::receipt(size, size + 1)).await.unwrap();
    }
    store.close().await;
    for _ in 0..3 {
        let store = Store::connect(&url).await.unwrap();
        assert_eq!(read_all(&store, c, 2).await.len(), 5);
        assert_eq!(store.cursor("views", c).await.unwrap(), 5);
        assert_eq!(store.mirrored(c).await.unwrap(), 5);
        let receipt = store.mirror_receipt(c, 3).await.unwrap();
        assert_eq!(receipt, Some(contract::receipt(3, 4)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_database_opens_once_for_many_at_once() {
    let server = shared();
    let url = server.database();
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { Store::connect(&url).await })
        })
        .collect();
    for one in opening {
        one.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_is_no_fit_database_is_refused() {
    let server = shared();
    assert!(matches!(Store::connect("no url").await, Err(OpenError::Url(_))));
    let missing = Store::connect(&server.url("missing")).await;
    assert!(matches!(missing, Err(OpenError::Database(_))));
    let (store, _, url) = with_url().await;
    store.close().await;
    let mut raw = raw(&url).await;
    run(&mut raw, "UPDATE _sqlx_migrations SET version = 9999 WHERE version = 1").await;
    assert!(matches!(Store::connect(&url).await, Err(OpenError::Migration(_))));
}

/// Whatever the database's defaults are, a commit waits for the disk and locks don't wait for ever.
#[tokio::test]
async fn the_connections_are_set_for_durability() {
    let server = shared();
    let url = server.database();
    let mut raw = raw(&url).await;
    run(
        &mut raw,
        "DO $$ BEGIN
             EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database());
             EXECUTE format('ALTER DATABASE %I SET statement_timeout = 0', current_database());
         END $$;
         CREATE TABLE seen (synchronous_commit TEXT, statement_timeout TEXT, isolation TEXT);",
    )
    .await;
    let store = Store::connect(&url).await.unwrap();
    run(
        &mut raw,
        "CREATE FUNCTION see() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO seen VALUES (current_setting('synchronous_commit'),
                 current_setting('statement_timeout'), current_setting('transaction_isolation'));
             RETURN NULL;
         END $$;
         CREATE TRIGGER see AFTER INSERT ON entries FOR EACH STATEMENT EXECUTE FUNCTION see();",
    )
    .await;
    store.append(append_of(collaboration(1), 0, &["x"])).await.unwrap();
    let row = sqlx::query("SELECT * FROM seen").fetch_one(&mut raw).await.unwrap();
    let seen: Vec<String> = (0..3).map(|column| row.get(column)).collect();
    assert_eq!(seen, ["on", "30s", "read committed"]);
}

#[tokio::test]
async fn the_database_refuses_to_rewrite_history() {
    let (store, _, url) = with_url().await;
    let c = collaboration(1);
    let texts = vec!["x"; 300];
    let nodes = contract::nodes(0..300);
    store.append(Append { nodes, ..append_of(c, 0, &texts) }).await.unwrap();
    let commands = vec![contract::command(1, 300, 1)];
    store.append(Append { commands, ..append_of(c, 300, &["y"]) }).await.unwrap();
    store.put_cosigned(c, 2, "note").await.unwrap();
    store.keep_mirror_receipt(c, contract::receipt(0, 2)).await.unwrap();
    let mut raw = raw(&url).await;
    for statement in [
        "UPDATE entries SET sealed = '\\x00'",
        "DELETE FROM entries",
        "TRUNCATE entries",
        "UPDATE nodes SET hash = hash",
        "DELETE FROM nodes",
        "TRUNCATE nodes",
        "UPDATE heads SET size = 1",
        "UPDATE heads SET checkpoint = 'forged'",
        "DELETE FROM heads",
        "TRUNCATE heads",
        "UPDATE commands SET count = 2",
        "DELETE FROM commands",
        "TRUNCATE commands",
        "UPDATE cosigned SET size = 1",
        "DELETE FROM cosigned",
        "TRUNCATE cosigned",
        "UPDATE mirror_receipts SET receipt = '\\x00'",
        "DELETE FROM mirror_receipts",
        "TRUNCATE mirror_receipts",
        "UPDATE mirror_services SET certificate = '\\x00'",
        "DELETE FROM mirror_services",
        "TRUNCATE mirror_services CASCADE",
        "INSERT INTO mirror_receipts SELECT collaboration, 1, 3, root, kind, txid, service, receipt
         FROM mirror_receipts",
        "INSERT INTO mirror_receipts SELECT collaboration, 2, 302, root, kind, txid, service, receipt
         FROM mirror_receipts",
        "INSERT INTO entries SELECT collaboration, 301, leaf_hash, sealed FROM entries LIMIT 1",
        "INSERT INTO entries SELECT collaboration, 0, leaf_hash, sealed FROM entries LIMIT 1",
        "INSERT INTO entries SELECT '00000000-0000-0000-0000-000000000009', 0, leaf_hash, sealed
         FROM entries LIMIT 1",
    ] {
        assert!(sqlx::query(statement).execute(&mut raw).await.is_err(), "{statement}");
    }
    assert_eq!(read_all(&store, c, 1000).await.len(), 301);
}

/// Readers of another process hear of an append without asking.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hints_reach_other_stores_once() {
    let (one, _, url) = with_url().await;
    let two = Store::connect(&url).await.unwrap();
    let (mut at_one, mut at_two) = (one.appended(), two.appended());
    let c = collaboration(1);
    // The listening begins in the background: appends until one is heard.
    let heard = tokio::spawn(async move { at_two.recv().await.unwrap() });
    let mut size = 0;
    while !heard.is_finished() && size < 100_000 {
        one.append(append_of(c, size, &["x"])).await.unwrap();
        size += 1;
    }
    let heard = tokio::time::timeout(PATIENCE, heard).await.unwrap().unwrap();
    assert!(heard.collaboration == c && (1..=size).contains(&heard.size), "{heard:?}");
    // Its own come once and in order, not again from the server.
    one.append(append_of(collaboration(2), 0, &["x"])).await.unwrap();
    let mut last = 0;
    loop {
        match at_one.recv().await {
            Ok(hint) if hint.collaboration == c => {
                assert!(hint.size > last, "a hint came twice");
                last = hint.size;
            }
            Ok(_) => break,
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            Err(closed) => panic!("{closed}"),
        }
    }
}

/// A write that the database itself fails isn't stored, and its neighbours in the group are.
#[tokio::test]
async fn a_failing_write_fails_alone() {
    let (store, _, url) = with_url().await;
    let mut raw = raw(&url).await;
    run(&mut raw, "ALTER TABLE entries ADD CONSTRAINT poison CHECK (sealed <> 'poison')").await;
    let appends = (1..=20).map(|n| {
        let text = if n == 7 { "poison" } else { "x" };
        store.append(append_of(collaboration(n), 0, &["first", text]))
    });
    for (n, outcome) in (1..).zip(futures_util::future::join_all(appends).await) {
        let head = store.head(collaboration(n)).await.unwrap();
        if n == 7 {
            assert!(matches!(outcome, Err(AppendError::Unavailable(_))), "{outcome:?}");
            assert_eq!(head, None);
        } else {
            outcome.unwrap();
            assert_eq!(head.unwrap().size, 2);
        }
    }
}

/// A connection that the server ends while it commits: nobody knows, and nothing is half there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_ended_in_its_commit_is_unknown() {
    let (store, _, url) = with_url().await;
    let mut raw = raw(&url).await;
    // A commit waits for a lock that this test holds.
    run(
        &mut raw,
        "CREATE FUNCTION hold() RETURNS TRIGGER LANGUAGE plpgsql AS $$
             BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON entries DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW WHEN (NEW.sealed = 'held') EXECUTE FUNCTION hold();
         SELECT pg_advisory_lock(42);",
    )
    .await;
    let c = collaboration(1);
    store.append(append_of(c, 0, &["x"])).await.unwrap();
    let held = tokio::spawn({
        let store = store.clone();
        async move { store.append(append_of(c, 1, &["held", "y"])).await }
    });
    let ended = async {
        loop {
            let ended = sqlx::query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE wait_event = 'advisory' AND query LIKE 'COMMIT%'
                     AND datname = current_database()",
            );
            if !ended.fetch_all(&mut raw).await.unwrap().is_empty() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
    let outcome = tokio::time::timeout(PATIENCE, held).await.unwrap().unwrap();
    assert!(matches!(outcome, Err(AppendError::Unknown(_))), "{outcome:?}");
    run(&mut raw, "SELECT pg_advisory_unlock(42)").await;
    // The store goes on, at what is there.
    let size = store.head(c).await.unwrap().unwrap().size;
    assert_eq!(size, 1);
    store.append(append_of(c, size, &["z"])).await.unwrap();
    assert_eq!(read_all(&store, c, 10).await.len(), 2);
}

/// The server crashes under load and comes back: nothing acknowledged is lost, nothing forks, and
/// the same store goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_crashes_and_returns_is_reconnected_to() {
    let server = Arc::new(Server::start());
    let store = Store::connect(&server.database()).await.unwrap();
    let writers: Vec<_> = (1..=4)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let c = collaboration(n);
                let (mut size, mut failures) = (0, 0);
                // Until it has written on after a crash.
                let mut after = 0;
                while after < 20 {
                    match store.append(append_of(c, size, &["a", "b"])).await {
                        Ok(()) => {
                            size += 2;
                            after += u32::from(failures > 0);
                        }
                        Err(AppendError::Unavailable(_) | AppendError::Unknown(_)) => {
                            failures += 1;
                            size = loop {
                                match store.head(c).await {
                                    Ok(head) => break head.map_or(0, |head| head.size).max(size),
                                    Err(_) => tokio::task::yield_now().await,
                                }
                            };
                        }
                        // It would mean that acknowledged entries are lost, or a fork.
                        Err(other) => panic!("{other:?} at {size}"),
                    }
                }
                size
            })
        })
        .collect();
    while store.head(collaboration(1)).await.unwrap().is_none_or(|head| head.size < 20) {
        tokio::task::yield_now().await;
    }
    tokio::task::spawn_blocking({
        let server = server.clone();
        move || {
            server.stop(Stop::Immediate);
            server.resume();
        }
    })
    .await
    .unwrap();
    for (n, writer) in (1..).zip(writers) {
        let size = tokio::time::timeout(PATIENCE, writer).await.unwrap().unwrap();
        let entries = read_all(&store, collaboration(n), 100).await;
        assert_eq!(entries.len() as u64, size);
    }
}

#[tokio::test]
async fn what_is_connected_to_read_is_neither_made_nor_written() {
    let server = shared();
    let url = server.database();
    assert!(matches!(Store::connect_to_read("no url").await, Err(OpenError::Url(_))));
    assert!(matches!(Store::connect_to_read(&url).await, Err(OpenError::NoTables)));
    let mut bare = raw(&url).await;
    let tables = "SELECT COUNT(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    let count: i64 = sqlx::query_scalar(tables).fetch_one(&mut bare).await.unwrap();
    assert_eq!(count, 0);

    let writer = Store::connect(&url).await.unwrap();
    let c = collaboration(1);
    writer.append(append_of(c, 0, &["a", "b"])).await.unwrap();
    writer.put_cosigned(c, 1, "note").await.unwrap();
    // Somebody who may read the log, and nothing else.
    run(
        &mut bare,
        "CREATE ROLE auditor LOGIN; GRANT SELECT ON heads, entries, nodes, cosigned,
             mirror_services, mirror_receipts TO auditor",
    )
    .await;
    for url in [url.clone(), url.replace("user=postgres", "user=auditor")] {
        let reader = Store::connect_to_read(&url).await.unwrap();
        assert_eq!(read_all(&reader, c, 1).await.len(), 2);
        assert_eq!(reader.leaf_hashes(c, 0, 9).await.unwrap().len(), 2);
        assert_eq!(reader.cosigned(c).await.unwrap().unwrap().size, 1);
        assert_eq!(reader.heads(None, 9).await.unwrap(), [(c, 2)]);
        let appended = reader.append(append_of(c, 2, &["c"])).await;
        assert!(matches!(appended, Err(AppendError::Unavailable(_))), "{appended:?}");
        assert!(reader.put_cosigned(c, 2, "other").await.is_err());
        assert!(reader.erase_personal_key(c, "ann").await.is_err());
        reader.close().await;
        assert!(reader.head(c).await.is_err());
    }
    assert_eq!(writer.head(c).await.unwrap().unwrap().size, 2);
}

#[tokio::test]
async fn an_erased_key_leaves_no_trace_in_the_tables() {
    const KEY: &[u8] = b"a personal key that nobody may find again";
    let (store, server, url) = with_url().await;
    let c = collaboration(1);
    let personal_keys =
        vec![("ann".to_owned(), KEY.to_vec()), ("ben".to_owned(), b"kept".to_vec())];
    store.append(Append { personal_keys, ..append_of(c, 0, &["a"]) }).await.unwrap();
    let mut raw = raw(&url).await;
    assert!(traces(&mut raw, server, KEY).await > 0);
    // A snapshot from before the erasure, held through it: what it could see goes all the same.
    let mut reader = self::raw(&url).await;
    run(&mut reader, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM heads").await;
    store.erase_personal_key(c, "ann").await.unwrap();
    assert_eq!(traces(&mut raw, server, KEY).await, 0);
    run(&mut reader, "COMMIT").await;
    assert_eq!(store.personal_key(c, "ann").await.unwrap(), None);
    assert_eq!(store.personal_key(c, "ben").await.unwrap().as_deref(), Some(&b"kept"[..]));
}

/// Files of the tables, of all databases, in which `key` can be found.
async fn traces(raw: &mut PgConnection, server: &Server, key: &[u8]) -> usize {
    run(raw, "CHECKPOINT").await;
    let mut found = 0;
    for database in std::fs::read_dir(server.data().join("base")).unwrap() {
        for file in std::fs::read_dir(database.unwrap().path()).unwrap() {
            // Files of other tests come and go.
            let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
            found += usize::from(bytes.windows(key.len()).any(|window| window == key));
        }
    }
    found
}
