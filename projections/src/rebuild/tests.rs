//! Rows are the same bytes whatever the windows and however few rows are held.

#[path = "../../tests/story/mod.rs"]
mod story;

use chancery_ledger::entry::{self, Entry, Sealed};
use chancery_ledger::key::SigningKey;
use chancery_store::NewEntry;
use sqlx::{AssertSqlSafe, Row as _};
use story::{Story, append, open};

use super::*;
use crate::halt::Corrupt;
use crate::projector::Projector;

/// All rows and cursors as they are stored.
async fn dump(views: &Views) -> Vec<String> {
    let mut all = Vec::new();
    for table in ["collaborations", "members", "invitations", "datasets", "queries", "runs"] {
        let sql = format!(
            "SELECT concat_ws(' ', '{table}', collaboration, id, position, doc) FROM {table}
             ORDER BY collaboration, id"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(views.readers()).await.unwrap();
        all.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    let sql = "SELECT concat_ws(' ', collaboration, size, hex(last_leaf)) FROM cursors ORDER BY 1";
    let rows = sqlx::query(sql).fetch_all(views.readers()).await.unwrap();
    all.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_and_rows_held_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    for story in [Story::whole(1), Story::whole(2), Story::proposed(3)] {
        story.append(&store, 0, story.entries.len()).await;
    }
    Projector::new(store.clone(), views.clone()).sweep().await;
    let followed = dump(&views).await;
    assert!(followed.len() > 30);
    for window_entries in [1, 2, 3, 7, 16, 1000] {
        for rows in [0, 1, 5, 1000] {
            let mut seen = Vec::new();
            let limits = Limits { window_entries, rows };
            let progress = |done, total| seen.push((done, total));
            let rebuilt = rebuild_within(&store, &views, limits, progress).await.unwrap();
            assert_eq!(rebuilt.halted, Vec::new());
            assert_eq!(rebuilt.entries, views.health().entries);
            assert_eq!(dump(&views).await, followed, "{limits:?}");
            assert!(seen.is_sorted());
            assert_eq!(seen.last(), Some(&(rebuilt.entries, rebuilt.entries)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_illegal_entry_halts_at_its_place_in_every_window() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let (good, story) = (Story::whole(2), Story::whole(1));
    good.append(&store, 0, good.entries.len()).await;
    let size = story.entries.len();
    story.append(&store, 0, size).await;
    // The first query is drafted once more: well chained, and in memory its row is lost to it.
    let drafted = story.entries.iter().find(|entry| entry.entry().kind == "QueryDrafted");
    let again = Entry {
        position: size as u64,
        previous: story.entries.last().map(Sealed::leaf),
        ..drafted.unwrap().entry().clone()
    };
    let again = entry::seal(again, &SigningKey::from_seed(&[1; 32]).unwrap());
    let entries = vec![NewEntry { sealed: again.bytes().to_vec(), leaf_hash: again.leaf() }];
    append(&store, story.room, size, entries).await;

    let projector = Projector::new(store.clone(), views.clone());
    projector.sweep().await;
    story.assert_shown(&views, size).await;
    let (followed, halted) = (dump(&views).await, views.health().halted);
    assert_eq!((halted.len(), halted[0].position), (1, size as u64));
    assert!(matches!(halted[0].cause, Corrupt::Illegal { .. }));
    for window_entries in [1, 2, 3, 5, 8, 1000] {
        for rows in [0, 1000] {
            let limits = Limits { window_entries, rows };
            let rebuilt = rebuild_within(&store, &views, limits, |_, _| ()).await.unwrap();
            assert_eq!(rebuilt.halted, halted, "{limits:?}");
            assert_eq!(dump(&views).await, followed, "{limits:?}");
        }
    }
}
