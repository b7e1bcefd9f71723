//! The contract on `SQLite`, and what only a file can show.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod contract;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use chancery_store::{Append, AppendError, OpenError, ReadError, Store};
use contract::{append_of, collaboration, read_all};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tempfile::TempDir;

async fn fresh() -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("log.db")).await.unwrap();
    (store, folder)
}

store_contract!(fresh);

/// The database as someone with another program has it.
async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

#[tokio::test]
async fn the_files_are_for_the_owner_only() {
    let (store, folder) = fresh().await;
    store.append(append_of(collaboration(1), 0, &["x"])).await.unwrap();
    let mut seen = BTreeSet::new();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            file.path().display()
        );
        seen.insert(file.file_name().into_string().unwrap());
    }
    assert_eq!(
        seen,
        ["log.db", "log.db-shm", "log.db-wal", "log.db.lock"].map(String::from).into()
    );
}

#[tokio::test]
async fn it_opens_again_with_all_that_was_written() {
    let (store, folder) = fresh().await;
    let path = folder.path().join("log.db");
    for size in 0..5 {
        store.append(append_of(collaboration(1), size, &["x"])).await.unwrap();
        store.advance_cursor("views", collaboration(1), size, size + 1).await.unwrap();
        let receipt = contract::receipt(size, size + 1);
        store.keep_mirror_receipt(collaboration(1), receipt).await.unwrap();
    }
    store.close().await;
    for _ in 0..3 {
        let store = Store::open(&path).await.unwrap();
        assert_eq!(read_all(&store, collaboration(1), 2).await.len(), 5);
        assert_eq!(store.cursor("views", collaboration(1)).await.unwrap(), 5);
        assert_eq!(store.mirrored(collaboration(1)).await.unwrap(), 5);
        let receipt = store.mirror_receipt(collaboration(1), 3).await.unwrap();
        assert_eq!(receipt, Some(contract::receipt(3, 4)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_file_opens_once_for_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let path = path.clone();
            tokio::spawn(async move { Store::open(&path).await })
        })
        .collect();
    for one in opening {
        one.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_is_no_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Store::open(&folder.path().join("no/such/log.db")).await;
    assert!(matches!(missing, Err(OpenError::File(_))));
    let text = folder.path().join("text");
    std::fs::write(&text, "not a database, but long enough to have a header ".repeat(100)).unwrap();
    assert!(matches!(Store::open(&text).await, Err(OpenError::Database(_))));
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (store, folder) = fresh().await;
    store.close().await;
    let path = folder.path().join("log.db");
    let mut raw = raw(&path).await;
    sqlx::query("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 1")
        .execute(&mut raw)
        .await
        .unwrap();
    raw.close().await.unwrap();
    assert!(matches!(Store::open(&path).await, Err(OpenError::Migration(_))));
}

/// Two writers that know nothing of one another, many tasks each: no fork, no gap, nothing lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_writers_race_without_forks_or_gaps() {
    let (one, folder) = fresh().await;
    let two = Store::open(&folder.path().join("log.db")).await.unwrap();
    let c = collaboration(1);
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = if task % 2 == 0 { one.clone() } else { two.clone() };
            tokio::spawn(async move {
                let mut size = 0;
                for n in 0..15 {
                    let texts = [format!("{task}-{n}-a"), format!("{task}-{n}-b")];
                    let texts = [texts[0].as_str(), texts[1].as_str()];
                    loop {
                        match store.append(append_of(c, size, &texts)).await {
                            Ok(()) => break size += 2,
                            Err(AppendError::Conflict { actual }) => size = actual,
                            Err(other) => panic!("{other:?}"),
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let entries = read_all(&one, c, 100).await;
    assert_eq!(entries, read_all(&two, c, 7).await);
    assert_eq!(entries.len(), 8 * 15 * 2);
    let texts: Vec<_> =
        entries.iter().map(|entry| String::from_utf8(entry.sealed.clone()).unwrap()).collect();
    for pair in texts.chunks(2) {
        assert_eq!(pair[0].strip_suffix('a'), pair[1].strip_suffix('b'), "a batch was torn");
    }
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), texts.len());
    assert_eq!(one.head(c).await.unwrap().unwrap().size, entries.len() as u64);
}

#[tokio::test]
async fn the_database_refuses_to_rewrite_history() {
    let (store, folder) = fresh().await;
    store.append(append_of(collaboration(1), 0, &["a", "b"])).await.unwrap();
    let mut raw = raw(&folder.path().join("log.db")).await;
    for statement in [
        "UPDATE entries SET sealed = x'00'",
        "DELETE FROM entries",
        "UPDATE heads SET size = 1",
        "UPDATE heads SET checkpoint = 'forged'",
        "DELETE FROM heads",
        "INSERT INTO entries SELECT collaboration, 5, leaf_hash, sealed FROM entries LIMIT 1",
        "INSERT INTO entries SELECT collaboration, 0, leaf_hash, sealed FROM entries LIMIT 1",
    ] {
        assert!(sqlx::query(statement).execute(&mut raw).await.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn a_gap_is_corrupt_and_never_skipped() {
    for hole in 0..3 {
        let (store, folder) = fresh().await;
        let c = collaboration(1);
        store.append(append_of(c, 0, &["a", "b", "c"])).await.unwrap();
        let mut raw = raw(&folder.path().join("log.db")).await;
        sqlx::query("DROP TRIGGER entries_are_never_deleted").execute(&mut raw).await.unwrap();
        sqlx::query("DELETE FROM entries WHERE position = ?")
            .bind(hole)
            .execute(&mut raw)
            .await
            .unwrap();
        assert!(matches!(store.range(c, 0, 10).await, Err(ReadError::Corrupt(_))));
        assert!(matches!(store.leaf_hashes(c, 0, 10).await, Err(ReadError::Corrupt(_))));
    }
}

#[tokio::test]
async fn an_erased_key_leaves_no_trace_in_the_files() {
    const KEY: &[u8] = b"a personal key that nobody may find again";
    let (store, folder) = fresh().await;
    let c = collaboration(1);
    let traces = || {
        let files = std::fs::read_dir(folder.path()).unwrap();
        files
            .filter(|file| {
                let bytes = std::fs::read(file.as_ref().unwrap().path()).unwrap();
                bytes.windows(KEY.len()).any(|window| window == KEY)
            })
            .count()
    };
    let personal_keys = vec![("ann".to_owned(), KEY.to_vec())];
    store.append(Append { personal_keys, ..append_of(c, 0, &["a"]) }).await.unwrap();
    assert!(traces() > 0);
    store.erase_personal_key(c, "ann").await.unwrap();
    assert_eq!(traces(), 0);

    let personal_keys = vec![("bob".to_owned(), KEY.to_vec())];
    store.append(Append { personal_keys, ..append_of(c, 1, &["b"]) }).await.unwrap();
    assert!(traces() > 0);
    let erased = vec!["bob".to_owned()];
    store.append(Append { erased, ..append_of(c, 2, &["c"]) }).await.unwrap();
    // The append didn't wait for its traces to go; a later write comes after that.
    store.advance_cursor("fence", c, 0, 1).await.unwrap();
    assert_eq!(traces(), 0);
}

/// A log from before the nodes had a table.
#[tokio::test]
async fn the_nodes_of_an_older_log_are_computed_when_it_opens() {
    let (store, folder) = fresh().await;
    let path = folder.path().join("log.db");
    let mut logs = [1, 2].map(|n| contract::Log::new(collaboration(n)));
    for (log, counts) in logs.iter_mut().zip([&[1024, 1024, 3][..], &[255]]) {
        for count in counts {
            store.append(log.next(*count)).await.unwrap();
        }
    }
    store.close().await;
    let mut old = raw(&path).await;
    for statement in [
        "DROP TABLE nodes",
        "DROP TABLE cosigned",
        "DROP TABLE pending",
        "DROP TRIGGER entries_come_with_their_nodes",
        "DELETE FROM _sqlx_migrations WHERE version = 2",
    ] {
        sqlx::query(statement).execute(&mut old).await.unwrap();
    }
    old.close().await.unwrap();

    let store = Store::open(&path).await.unwrap();
    for (log, nodes) in logs.iter_mut().zip([8, 0]) {
        let mut findings = Vec::new();
        let checked = store.fsck(log.c, &mut |finding| findings.push(finding)).await.unwrap();
        assert_eq!((findings, checked.nodes), (vec![], nodes));
        store.append(log.next(300)).await.unwrap();
    }
}

/// A write that the database itself fails isn't stored, and its neighbours in the group are.
#[tokio::test]
async fn a_failing_write_fails_alone() {
    let (store, folder) = fresh().await;
    let mut raw = raw(&folder.path().join("log.db")).await;
    sqlx::query(
        "CREATE TRIGGER poison BEFORE INSERT ON entries WHEN NEW.sealed = CAST('poison' AS BLOB)
         BEGIN SELECT RAISE(ABORT, 'poison'); END",
    )
    .execute(&mut raw)
    .await
    .unwrap();
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

/// If the commit itself fails, the caller is told that nobody knows; the store goes on.
#[tokio::test]
async fn a_failing_commit_is_unknown() {
    let (store, folder) = fresh().await;
    let mut raw = raw(&folder.path().join("log.db")).await;
    for statement in [
        "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
        "CREATE TABLE orphans (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER orphan AFTER INSERT ON entries WHEN NEW.sealed = CAST('poison' AS BLOB)
         BEGIN INSERT INTO orphans VALUES (1); END",
    ] {
        sqlx::query(statement).execute(&mut raw).await.unwrap();
    }
    let c = collaboration(1);
    let outcome = store.append(append_of(c, 0, &["poison"])).await;
    assert!(matches!(outcome, Err(AppendError::Unknown(_))), "{outcome:?}");
    assert_eq!(store.head(c).await.unwrap(), None);
    store.append(append_of(c, 0, &["x"])).await.unwrap();
    assert_eq!(read_all(&store, c, 10).await.len(), 1);
}
