//! Each way in which a stored log can disagree with itself is found and named. On both databases,
//! with rows changed as someone who has the database would.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[allow(dead_code, reason = "the cases themselves run elsewhere")]
mod contract;
#[path = "support/postgres.rs"]
mod server;

use std::sync::OnceLock;

use chancery_store::{Finding, MirrorReceipt, Store};
use contract::{Log, collaboration, command_id, receipt};
use server::Server;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

const SIZE: u64 = 700;

/// The statements that take the guards away, in both dialects.
const SQLITE_GUARDS: [&str; 11] = [
    "entries_are_never_changed ",
    "entries_are_never_deleted ",
    "entries_follow_the_head ",
    "heads_only_grow ",
    "nodes_are_never_changed ",
    "nodes_are_never_deleted ",
    "commands_are_never_changed ",
    "entries_come_with_their_nodes ",
    "mirror_receipts_follow_one_another ",
    "mirror_receipts_are_never_changed ",
    "mirror_receipts_are_never_deleted ",
];

/// What someone does to the database of a log of 700 entries (two full tiles, a command for each
/// 100, a cosigned checkpoint of 300), and what fsck says. In SQL that both databases understand.
fn cases() -> Vec<(&'static str, Vec<Finding>)> {
    let id = command_id;
    vec![
        (
            "DELETE FROM entries WHERE position BETWEEN 697 AND 698",
            vec![Finding::MissingEntries { first: 697, count: 2 }],
        ),
        (
            "DELETE FROM entries WHERE position = 699",
            vec![Finding::MissingEntries { first: 699, count: 1 }],
        ),
        (
            "INSERT INTO entries SELECT collaboration, 705, leaf_hash, sealed FROM entries
             WHERE position = 3",
            vec![Finding::EntryBeyondHead { position: 705 }],
        ),
        (
            "UPDATE entries SET leaf_hash = (SELECT leaf_hash FROM entries WHERE position = 4)
             WHERE position = 3",
            vec![Finding::LeafHash { position: 3 }],
        ),
        (
            "UPDATE entries SET sealed = (SELECT sealed FROM entries WHERE position = 4)
             WHERE position = 3",
            vec![
                Finding::LeafHash { position: 3 },
                Finding::ReceiptRoot { size: 100 },
                Finding::ReceiptRoot { size: 200 },
                Finding::ReceiptRoot { size: 300 },
                Finding::ReceiptRoot { size: 400 },
                Finding::ReceiptRoot { size: 500 },
                Finding::ReceiptRoot { size: 600 },
                Finding::WrongNode { level: 1, index: 0 },
                Finding::Checkpoint { size: SIZE },
                Finding::Cosigned { size: 300 },
            ],
        ),
        (
            // A forgery that is thorough but for the tree.
            "UPDATE entries SET sealed = (SELECT sealed FROM entries WHERE position = 4),
                 leaf_hash = (SELECT leaf_hash FROM entries WHERE position = 4)
             WHERE position = 600",
            vec![Finding::Checkpoint { size: SIZE }],
        ),
        ("DELETE FROM nodes WHERE number = 1", vec![Finding::MissingNode { level: 1, index: 1 }]),
        (
            "UPDATE nodes SET hash = (SELECT hash FROM nodes WHERE number = 1) WHERE number = 0",
            vec![Finding::WrongNode { level: 1, index: 0 }],
        ),
        (
            "INSERT INTO nodes SELECT collaboration, 1, 2, hash FROM nodes WHERE number = 0",
            vec![Finding::NodeBeyondHead { level: 1, number: 2 }],
        ),
        (
            "INSERT INTO nodes SELECT collaboration, 2, 0, hash FROM nodes WHERE number = 0",
            vec![Finding::NodeBeyondHead { level: 2, number: 0 }],
        ),
        ("UPDATE heads SET checkpoint = 'another note'", vec![Finding::Checkpoint { size: SIZE }]),
        (
            "UPDATE heads SET size = 699",
            vec![
                Finding::EntryBeyondHead { position: 699 },
                Finding::Checkpoint { size: 699 },
                Finding::CommandBeyondHead { id: id(600), first_position: 600, count: 100 },
                Finding::CursorBeyondHead { consumer: "views".into(), position: 700 },
            ],
        ),
        ("UPDATE heads SET size = 701", vec![Finding::MissingEntries { first: 700, count: 1 }]),
        (
            "UPDATE commands SET count = 101 WHERE first_position = 600",
            vec![Finding::CommandBeyondHead { id: id(600), first_position: 600, count: 101 }],
        ),
        (
            "UPDATE commands SET count = 103 WHERE first_position = 100",
            vec![Finding::CommandOverlap { id: id(200), position: 200 }],
        ),
        (
            "UPDATE cursors SET position = 701",
            vec![Finding::CursorBeyondHead { consumer: "views".into(), position: 701 }],
        ),
        ("UPDATE cosigned SET size = 301", vec![Finding::Cosigned { size: 301 }]),
        (
            "UPDATE mirror_receipts SET root = (SELECT leaf_hash FROM entries WHERE position = 4)
             WHERE first = 100",
            vec![Finding::ReceiptRoot { size: 200 }],
        ),
        (
            "DELETE FROM mirror_receipts WHERE first = 100",
            vec![Finding::ReceiptOutOfPlace { first: 200 }],
        ),
        (
            "UPDATE mirror_receipts SET size = 701 WHERE first = 500",
            vec![Finding::ReceiptBeyondHead { first: 500, size: 701 }],
        ),
        (
            "UPDATE mirror_receipts SET first = 101 WHERE first = 100",
            vec![Finding::ReceiptOutOfPlace { first: 101 }],
        ),
        ("UPDATE cosigned SET size = 701", vec![Finding::CosignedBeyondHead { size: 701 }]),
    ]
}

async fn fill(store: &Store) {
    let mut log = Log::new(collaboration(1));
    while log.tree.size() < SIZE {
        store.append(log.next(100)).await.unwrap();
        let size = log.tree.size();
        // The last entries wait for theirs.
        if size < SIZE {
            let root = log.tree.root();
            let receipt = MirrorReceipt { root, ..receipt(size - 100, size) };
            store.keep_mirror_receipt(log.c, receipt).await.unwrap();
        }
        if log.tree.size() == 300 {
            store.put_cosigned(log.c, 300, &log.note()).await.unwrap();
        }
    }
    store.advance_cursor("views", log.c, 0, SIZE).await.unwrap();
    assert_eq!(findings(store).await, []);
}

async fn findings(store: &Store) -> Vec<Finding> {
    let mut findings = Vec::new();
    store.fsck(collaboration(1), &mut |finding| findings.push(finding)).await.unwrap();
    findings
}

#[tokio::test]
async fn every_disagreement_is_found_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    for (n, (statement, expected)) in cases().into_iter().enumerate() {
        let path = folder.path().join(format!("{n}.db"));
        let store = Store::open(&path).await.unwrap();
        fill(&store).await;
        let url = format!("sqlite://{}", path.display());
        let mut raw = SqliteConnection::connect(&url).await.unwrap();
        for guard in SQLITE_GUARDS {
            let drop = format!("DROP TRIGGER {guard}");
            sqlx::query(AssertSqlSafe(drop)).execute(&mut raw).await.unwrap();
        }
        assert!(sqlx::query(statement).execute(&mut raw).await.unwrap().rows_affected() > 0);
        assert_eq!(findings(&store).await, expected, "{statement}");
        store.close().await;
    }
}

#[tokio::test]
async fn every_disagreement_is_found_on_postgresql() {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(Server::start);
    for (statement, expected) in cases() {
        let url = server.database();
        let store = Store::connect(&url).await.unwrap();
        fill(&store).await;
        let mut raw = PgConnection::connect(&url).await.unwrap();
        // No trigger fires on this connection.
        sqlx::query("SET session_replication_role = replica").execute(&mut raw).await.unwrap();
        assert!(sqlx::query(statement).execute(&mut raw).await.unwrap().rows_affected() > 0);
        assert_eq!(findings(&store).await, expected, "{statement}");
        store.close().await;
    }
}

#[test]
fn each_finding_can_be_read_alone() {
    for (_, findings) in cases() {
        for finding in findings {
            let text = finding.to_string();
            assert!(text.len() > 20 && text.chars().any(|c| c.is_ascii_digit()), "{text}");
        }
    }
}
