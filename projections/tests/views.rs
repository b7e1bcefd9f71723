//! The driver, the rebuild and the query API against the fold alone.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::similar_names, reason = "a story goes into a store")]

mod story;

use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::InvitationId;
use chancery_projections::{
    BATCH_ENTRIES_MAX, Corrupt, PageRequest, ProjectError, Projector, SCHEMA_VERSION, Views,
    ViewsError, rebuild,
};
use chancery_store::{NewEntry, Store};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use story::{Person, Story, append, id, open};

/// Long enough for anything that comes at all.
const LONG: Duration = Duration::from_mins(1);

async fn execute(path: &Path, sql: &'static str) {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::query(sql).execute(&mut connection).await.unwrap();
}

#[tokio::test]
async fn the_driver_shows_what_the_fold_gives_at_every_position() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let projector = Projector::new(store.clone(), views.clone());
    let story = Story::whole(1);
    for size in 1..=story.entries.len() {
        story.append(&store, size - 1, size).await;
        assert_eq!(projector.catch_up(story.room).await.unwrap(), size as u64);
        story.assert_shown(&views, size).await;
    }
}

#[tokio::test]
async fn running_it_follows_hints_and_serves_reads_after_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let (early, late) = (Story::whole(1), Story::whole(2));
    early.append(&store, 0, early.entries.len()).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let projector = Projector::new(store.clone(), views.clone());
    let running = tokio::spawn(async move { projector.run(async { drop(stopped.await) }).await });
    let last = early.entries.len() as u64 - 1;
    views.wait_for(early.room, last, LONG).await.unwrap();
    for size in 1..=late.entries.len() {
        late.append(&store, size - 1, size).await;
        views.wait_for(late.room, size as u64 - 1, LONG).await.unwrap();
    }
    early.assert_shown(&views, early.entries.len()).await;
    late.assert_shown(&views, late.entries.len()).await;
    stop.send(()).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn waiting_ends_with_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, views) = open(folder.path()).await;
    let room = id(1);
    let error = views.wait_for(room, 3, Duration::ZERO).await.unwrap_err();
    assert!(
        matches!(error, ViewsError::Behind { collaboration, position: 3 } if collaboration == room)
    );
}

#[tokio::test]
async fn a_log_of_many_batches_is_followed_and_rebuilt_up_to_a_bad_entry() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let mut story = Story::proposed(1);
    let batch = BATCH_ENTRIES_MAX as usize;
    let mut withdraw = true;
    while story.entries.len() < 2 * batch + 7 {
        assert!(story.consent(Person::Litware, story.about(), withdraw));
        withdraw = !withdraw;
    }
    // Rows of the first batch move again in the last.
    assert!(Person::ALL.into_iter().all(|person| story.approve(person, 0)));
    let size = story.entries.len();
    story.append(&store, 0, size).await;
    let rubbish = b"rubbish".to_vec();
    let leaf_hash = chancery_ledger::merkle::leaf_hash(&rubbish);
    append(&store, story.room, size, vec![NewEntry { sealed: rubbish, leaf_hash }]).await;
    let projector = Projector::new(store.clone(), views.clone());
    assert!(projector.catch_up(story.room).await.is_err());
    story.assert_shown(&views, size).await;
    let mut steps = 0;
    let rebuilt = rebuild(&store, &views, |_, _| steps += 1).await.unwrap();
    assert!(steps > 2);
    assert_eq!((rebuilt.entries, rebuilt.halted[0].position), (size as u64, size as u64));
    story.assert_shown(&views, size).await;
}

/// Polls `future` at most `polls` times, then drops it.
async fn killed<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut done = 0;
    poll_fn(|context| {
        if done == polls {
            return Poll::Ready(None);
        }
        done += 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn a_driver_killed_anywhere_loses_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let story = Story::whole(1);
    let mut appended = 0;
    let mut killed_midway = 0;
    for polls in 0.. {
        let (store, views) = open(folder.path()).await;
        let next = (appended + 3).min(story.entries.len());
        story.append(&store, appended, next).await;
        appended = next;
        let projector = Projector::new(store.clone(), views.clone());
        if killed(projector.catch_up(story.room), polls).await.is_none() {
            killed_midway += 1;
        }
        drop((projector, views));
        // What is in the file is the fold of a prefix, whatever that is.
        let views = Views::open(&folder.path().join("views.db")).await.unwrap();
        let size = usize::try_from(views.size(story.room)).unwrap();
        if size > 0 {
            story.assert_shown(&views, size).await;
        }
        views.close().await;
        store.close().await;
        if size == story.entries.len() {
            break;
        }
    }
    assert!(killed_midway > 5, "only {killed_midway} kills struck");
}

#[tokio::test]
async fn a_rebuild_gives_the_same_rows_and_keeps_the_order_of_lists() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let projector = Projector::new(store.clone(), views.clone());
    // Seen in another order than that of the ids.
    let stories = [Story::whole(9), Story::proposed(8), Story::whole(7)];
    for story in &stories {
        story.append(&store, 0, story.entries.len()).await;
        projector.catch_up(story.room).await.unwrap();
    }
    let order = async || {
        let page = PageRequest::default();
        let page = views.collaborations_of(&Person::Fabrikam.identity(), page).await.unwrap();
        page.items.into_iter().map(|room| room.name).collect::<Vec<_>>()
    };
    assert_eq!(order().await, ["Room 9", "Room 8", "Room 7"]);
    for _ in 0..2 {
        let mut seen = Vec::new();
        let rebuilt =
            rebuild(&store, &views, |done, total| seen.push((done, total))).await.unwrap();
        let total: usize = stories.iter().map(|story| story.entries.len()).sum();
        assert_eq!(rebuilt.entries, total as u64);
        assert_eq!(seen.last(), Some(&(total as u64, total as u64)));
        assert!(seen.is_sorted());
        for story in &stories {
            story.assert_shown(&views, story.entries.len()).await;
        }
        assert_eq!(order().await, ["Room 9", "Room 8", "Room 7"]);
    }
}

#[tokio::test]
async fn a_rebuild_heals_rows_that_were_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let story = Story::whole(1);
    story.append(&store, 0, story.entries.len()).await;
    Projector::new(store.clone(), views.clone()).catch_up(story.room).await.unwrap();
    execute(&folder.path().join("views.db"), "UPDATE queries SET doc = '{\"stage\":1}'").await;
    let error = views.queries(story.room, PageRequest::default()).await.unwrap_err();
    assert!(matches!(error, ViewsError::Row { table: "queries" }));
    rebuild(&store, &views, |_, _| ()).await.unwrap();
    story.assert_shown(&views, story.entries.len()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_old_rows_or_new_ones_while_it_is_rebuilt_and_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let story = Story::whole(1);
    let half = story.entries.len() / 2;
    story.append(&store, 0, half).await;
    let projector = Projector::new(store.clone(), views.clone());
    projector.catch_up(story.room).await.unwrap();
    let rebuilding = tokio::spawn({
        let (store, views) = (store.clone(), views.clone());
        async move {
            for _ in 0..5 {
                rebuild(&store, &views, |_, _| ()).await.unwrap();
            }
        }
    });
    let mut shown = 0;
    for size in half + 1..=story.entries.len() {
        story.append(&store, size - 1, size).await;
        projector.catch_up(story.room).await.unwrap();
        let room = views.collaboration(story.room).await.unwrap().unwrap();
        assert!(room.version >= shown, "the views went back");
        shown = room.version;
        assert_eq!(views.size(story.room), size as u64);
    }
    rebuilding.await.unwrap();
    story.assert_shown(&views, story.entries.len()).await;
}

#[tokio::test]
async fn another_schema_version_makes_the_rows_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("views.db");
    let story = Story::whole(1);
    let (store, views) = open(folder.path()).await;
    story.append(&store, 0, story.entries.len()).await;
    Projector::new(store.clone(), views.clone()).catch_up(story.room).await.unwrap();
    views.close().await;

    // The same version keeps them.
    let views = Views::open(&path).await.unwrap();
    story.assert_shown(&views, story.entries.len()).await;
    views.close().await;

    assert_ne!(SCHEMA_VERSION, 99);
    execute(&path, "PRAGMA user_version = 99").await;
    execute(&path, "ALTER TABLE queries RENAME COLUMN doc TO was_doc").await;
    let views = Views::open(&path).await.unwrap();
    assert_eq!(views.size(story.room), 0);
    assert_eq!(views.collaboration(story.room).await.unwrap(), None);
    Projector::new(store, views.clone()).sweep().await;
    story.assert_shown(&views, story.entries.len()).await;
}

#[tokio::test]
async fn a_corrupt_log_stops_its_own_views_only() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let (bad, good) = (Story::whole(1), Story::whole(2));
    let half = bad.entries.len() / 2;
    bad.append(&store, 0, half).await;
    let rubbish = b"rubbish".to_vec();
    let leaf_hash = chancery_ledger::merkle::leaf_hash(&rubbish);
    append(&store, bad.room, half, vec![NewEntry { sealed: rubbish, leaf_hash }]).await;
    good.append(&store, 0, good.entries.len()).await;

    let projector = Projector::new(store.clone(), views.clone());
    projector.sweep().await;
    let shown = async || {
        bad.assert_shown(&views, half).await;
        good.assert_shown(&views, good.entries.len()).await;
        let health = views.health();
        assert_eq!((health.collaborations, health.halted.len()), (2, 1));
        let halt = &health.halted[0];
        assert_eq!((halt.collaboration, halt.position), (bad.room, half as u64));
        assert!(matches!(halt.cause, Corrupt::Entry(_)));
        let error = views.wait_for(bad.room, half as u64, LONG).await.unwrap_err();
        assert!(matches!(error, ViewsError::Halted(_)));
        views.wait_for(bad.room, half as u64 - 1, LONG).await.unwrap();
    };
    shown().await;
    let again = projector.catch_up(bad.room).await.unwrap_err();
    assert!(matches!(again, ProjectError::Halted(_)));
    let rebuilt = rebuild(&store, &views, |_, _| ()).await.unwrap();
    assert_eq!(rebuilt.halted.len(), 1);
    shown().await;
}

#[tokio::test]
async fn each_kind_of_corruption_has_its_name() {
    let story = Story::whole(1);
    let other = Story::proposed(2);
    let place = 4;
    let leaf = story.entries[place].leaf();
    let entry = |sealed: &chancery_ledger::entry::Sealed, leaf_hash: Digest| NewEntry {
        sealed: sealed.bytes().to_vec(),
        leaf_hash,
    };
    let cases = [
        (entry(&story.entries[place], Digest::of(b"other")), Corrupt::Leaf),
        (entry(&other.entries[place], other.entries[place].leaf()), Corrupt::Place),
        (entry(&story.entries[place + 1], story.entries[place + 1].leaf()), Corrupt::Place),
    ];
    for (bad, cause) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (store, views) = open(folder.path()).await;
        story.append(&store, 0, place).await;
        append(&store, story.room, place, vec![bad]).await;
        let projector = Projector::new(store, views.clone());
        let Err(ProjectError::Halted(halt)) = projector.catch_up(story.room).await else {
            panic!("{cause:?} was not seen");
        };
        assert_eq!((halt.position, halt.cause), (place as u64, cause));
        story.assert_shown(&views, place).await;
    }
    // An entry of this place in a log that went another way before it.
    let mut fork = Story::founded(1);
    fork.consent(Person::Litware, fork.about(), true);
    while fork.entries.len() <= place {
        let withdraw = fork.entries.len() % 2 == 1;
        fork.consent(Person::Litware, fork.about(), withdraw);
        fork.consent(Person::Litware, fork.about(), !withdraw);
    }
    assert_ne!(fork.entries[place].leaf(), leaf);
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    story.append(&store, 0, place).await;
    append(
        &store,
        story.room,
        place,
        vec![entry(&fork.entries[place], fork.entries[place].leaf())],
    )
    .await;
    let error = Projector::new(store, views).catch_up(story.room).await.unwrap_err();
    assert!(matches!(error, ProjectError::Halted(halt) if halt.cause == Corrupt::Chain));
}

#[tokio::test]
async fn a_log_that_lost_entries_stops_its_views() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let story = Story::whole(1);
    story.append(&store, 0, story.entries.len()).await;
    Projector::new(store, views.clone()).catch_up(story.room).await.unwrap();
    let restored = Store::open(&folder.path().join("restored.db")).await.unwrap();
    story.append(&restored, 0, 5).await;
    Projector::new(restored, views.clone()).sweep().await;
    assert_eq!(views.health().halted[0].cause, Corrupt::Shorter { size: 5 });
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let mut story = Story::proposed(1);
    for number in 1..7 {
        assert!(story.draft(number));
    }
    story.append(&store, 0, story.entries.len()).await;
    Projector::new(store, views.clone()).catch_up(story.room).await.unwrap();
    let all: Vec<_> = story.rows(story.entries.len()).queries().into_iter().cloned().collect();
    assert_eq!(all.len(), 7);
    for limit in 1..=8 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let request = PageRequest { after, limit: Some(limit) };
            let page = views.queries(story.room, request).await.unwrap();
            assert!(!page.items.is_empty() && page.items.len() <= limit as usize);
            seen.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, all, "limit {limit}");
    }
    for (request, items) in [
        (PageRequest { after: None, limit: Some(0) }, 1),
        (PageRequest { after: None, limit: Some(u32::MAX) }, 7),
        (PageRequest { after: Some(u64::MAX), limit: None }, 0),
        (PageRequest::default(), 7),
    ] {
        assert_eq!(views.queries(story.room, request).await.unwrap().items.len(), items);
    }
    let nobody = views.queries(id(77), PageRequest::default()).await.unwrap();
    assert_eq!((nobody.items.len(), nobody.next), (0, None));
    let first = views.query(story.room, id(0x100)).await.unwrap();
    assert_eq!(first.as_ref(), all.first());
    assert_eq!(views.query(story.room, id(0x999)).await.unwrap(), None);
}

#[tokio::test]
async fn collaborations_are_found_by_the_whole_identity() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let (both, alone) = (Story::proposed(1), Story::founded(2));
    for story in [&both, &alone] {
        story.append(&store, 0, story.entries.len()).await;
    }
    Projector::new(store, views.clone()).sweep().await;
    let names = async |identity| {
        let page = views.collaborations_of(&identity, PageRequest::default()).await.unwrap();
        page.items.into_iter().map(|room| room.name).collect::<Vec<_>>()
    };
    assert_eq!(names(Person::Litware.identity()).await, ["Room 1", "Room 2"]);
    assert_eq!(names(Person::Fabrikam.identity()).await, ["Room 1"]);
    let mut other = Person::Litware.identity();
    other.tenant = None;
    assert!(names(other.clone()).await.is_empty());
    other.tenant = Some("fabrikam".into());
    assert!(names(other).await.is_empty());
    let one = PageRequest { after: None, limit: Some(1) };
    let page = views.collaborations_of(&Person::Litware.identity(), one).await.unwrap();
    let two = PageRequest { after: page.next, limit: Some(1) };
    let page = views.collaborations_of(&Person::Litware.identity(), two).await.unwrap();
    assert_eq!((page.items[0].name.as_str(), page.next), ("Room 2", None));
}

#[tokio::test]
async fn memberships_are_found_over_all_collaborations() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let stories = [Story::proposed(2), Story::founded(3), Story::proposed(1)];
    let projector = Projector::new(store.clone(), views.clone());
    for story in &stories {
        story.append(&store, 0, story.entries.len()).await;
        projector.catch_up(story.room).await.unwrap();
    }
    let identity = Person::Litware.identity();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = PageRequest { after, limit: Some(2) };
        let page = views.memberships(&identity, page).await.unwrap();
        assert!(!page.items.is_empty() && page.items.len() <= 2);
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let names: Vec<_> = found.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["Room 2", "Room 3", "Room 1"]);
    for (membership, story) in found.iter().zip(&stories) {
        assert_eq!(membership.collaboration, story.room);
        assert_eq!(&membership.member, story.rows(story.entries.len()).members()[0]);
    }
    let fabrikam = Person::Fabrikam.identity();
    let other = views.memberships(&fabrikam, PageRequest::default());
    assert_eq!(other.await.unwrap().items.len(), 2);
    let mut nobody = identity;
    nobody.tenant = None;
    let none = views.memberships(&nobody, PageRequest::default()).await.unwrap();
    assert_eq!((none.items.len(), none.next), (0, None));
}

#[tokio::test]
async fn open_invitations_are_those_that_nobody_settled() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let projector = Projector::new(store.clone(), views.clone());
    // Two are accepted, the last is withdrawn at the very end.
    let stories = [Story::whole(2), Story::whole(1)];
    for story in &stories {
        story.append(&store, 0, story.entries.len() - 1).await;
        projector.catch_up(story.room).await.unwrap();
    }
    let all = views.open_invitations(None, 200).await.unwrap();
    let names: Vec<_> = all.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["Room 1", "Room 2"]);
    assert!(all.iter().all(|it| it.invitation.id == id::<InvitationId>(0x60).to_string()));
    let first = views.open_invitations(None, 1).await.unwrap();
    let second = views.open_invitations(Some(first[0].place()), 1).await.unwrap();
    assert_eq!([first, second.clone()].concat(), all);
    assert_eq!(views.open_invitations(Some(second[0].place()), 1).await.unwrap(), []);

    let story = &stories[0];
    story.append(&store, story.entries.len() - 1, story.entries.len()).await;
    projector.catch_up(story.room).await.unwrap();
    let left = views.open_invitations(None, 200).await.unwrap();
    assert_eq!(left.iter().map(|it| it.collaboration).collect::<Vec<_>>(), [stories[1].room]);
}

#[tokio::test]
async fn an_erased_email_is_shown_as_erased_and_nothing_else_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let projector = Projector::new(store.clone(), views.clone());
    let mut story = Story::whole(1);
    let size = story.entries.len();
    story.append(&store, 0, size).await;
    projector.catch_up(story.room).await.unwrap();
    let invitation: InvitationId = id(0x20 + Person::Contosso as u64);
    let before = views.invitation(story.room, invitation).await.unwrap().unwrap();
    assert!(before.email_commitment.is_some() && before.email_erased.is_none());

    story.erase(Person::Contosso);
    story.append(&store, size, size + 1).await;
    projector.catch_up(story.room).await.unwrap();
    let mut after = views.invitation(story.room, invitation).await.unwrap().unwrap();
    assert_eq!(after.email_commitment, None);
    assert_eq!(after.email_erased.as_ref().map(|at| at.position), Some(size as u64));
    assert_eq!((after.updated.position, after.version), (size as u64, size as u64));
    (after.email_commitment, after.email_erased) = (before.email_commitment.clone(), None);
    (after.updated, after.version) = (before.updated, before.version);
    assert_eq!(after, before);
    // A view built anew from the same log says so too.
    story.assert_shown(&views, size + 1).await;
}
