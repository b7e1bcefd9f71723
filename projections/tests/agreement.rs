//! The views against the rules, over random stories.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod story;

use std::collections::BTreeSet;
use std::path::Path;

use chancery_governance::subject::Subject;
use chancery_projections::{Projector, Rows, rebuild};
use proptest::prelude::*;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use story::{FLIGHTS, PLANES, Person, RESULTS, Story, id, open};

/// The version that the row about `subject` shows.
fn version_of(rows: &Rows, subject: Subject) -> Option<u64> {
    let id = subject.to_string();
    let id = id.split_once('/').map(|(_, id)| id.to_owned()).unwrap();
    match subject {
        Subject::Collaboration(_) => rows.collaboration().map(|row| row.version),
        Subject::Member(_) => rows.members().iter().find(|row| row.id == id).map(|row| row.version),
        Subject::Invitation(_) => {
            rows.invitations().iter().find(|row| row.id == id).map(|row| row.version)
        }
        Subject::Dataset(_) => {
            rows.datasets().iter().find(|row| row.id == id).map(|row| row.version)
        }
        Subject::Query(_) => rows.queries().iter().find(|row| row.id == id).map(|row| row.version),
        Subject::Run(_) => rows.runs().iter().find(|row| row.id == id).map(|row| row.version),
        Subject::Change(_) => rows.changes().iter().find(|row| row.id == id).map(|row| row.version),
        Subject::Rule(_) => rows.rules().iter().find(|row| row.id == id).map(|row| row.version),
    }
}

/// One step of a random story; most are refused by the rules.
fn act(story: &mut Story, kind: u8, number: u64, person: Person) {
    let _ = match kind {
        0 => story.draft(number % 3),
        1 => story.propose(number % 3),
        2 | 3 => story.approve(person, number % 3),
        4 => story.reject(person, number % 3),
        5 => story.revise(number % 3),
        6 => story.withdraw(number % 3),
        7 => Person::ALL.into_iter().all(|person| story.approve(person, number % 3)),
        8 | 9 => story.request(number, number % 3),
        10 | 11 => story.admit(number),
        12 => story.submit(number) && story.start(number),
        13 => story.succeed(number),
        14 => story.fail(number),
        15 => story.cancel(person, number),
        16 => story.consent(person, story.about(), number.is_multiple_of(2)),
        17 => story.consent(person, Subject::Query(id(0x100)), number.is_multiple_of(2)),
        18 => story.consent(person, Subject::Dataset(id(FLIGHTS)), number.is_multiple_of(2)),
        19 => story.publish(person, if number < 3 { FLIGHTS } else { RESULTS }, number),
        20 => number == 5 && story.leave(person),
        21 => story.ability(person, number),
        22 => story.rule(person, number),
        23 => story.ask(person, number),
        24 => number == 5 && story.retire(person, PLANES),
        25 => number < 2 && story.pause(),
        26 => story.resume(),
        _ => number == 5 && person == Person::Litware && story.close(),
    };
}

/// The rows of all views, byte for byte as they are stored.
async fn documents(path: &Path) -> Vec<String> {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let mut all = Vec::new();
    for table in [
        "collaborations",
        "members",
        "invitations",
        "datasets",
        "queries",
        "runs",
        "changes",
        "rules",
    ] {
        let sql = format!("SELECT doc FROM {table} ORDER BY collaboration, id");
        let rows = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await;
        all.extend::<Vec<String>>(rows.unwrap());
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    /// Rebuilt rows, rows that were followed live in batches, and the fold alone are the same; and
    /// their stages are those of the rules' own state.
    #[test]
    fn rebuilt_followed_and_folded_rows_agree(
        acts in prop::collection::vec((0u8..28, 0u64..6, 0usize..3), 1..120),
        others in prop::collection::vec((0u8..28, 0u64..6, 0usize..3), 1..60),
        cuts in prop::collection::vec(1usize..20, 1..8),
    ) {
        let mut story = Story::proposed(1);
        for (kind, number, person) in acts {
            act(&mut story, kind, number, Person::ALL[person]);
        }
        let mut other = Story::proposed(2);
        for (kind, number, person) in others {
            act(&mut other, kind, number, Person::ALL[person]);
        }
        let rows = story.rows(story.entries.len());
        let state = story.collaboration();
        prop_assert_eq!(rows.queries().len(), state.queries.len());
        for query in rows.queries() {
            let held = &state.queries[&query.id.parse().unwrap()];
            let stage = serde_json::to_value(query.stage).unwrap();
            prop_assert_eq!(stage.as_str(), Some(held.stage.name()));
        }
        prop_assert_eq!(rows.runs().len(), state.runs.len());
        for run in rows.runs() {
            let held = &state.runs[&run.id.parse().unwrap()];
            let stage = serde_json::to_value(run.stage).unwrap();
            prop_assert_eq!(stage.as_str(), Some(held.stage.name()));
            prop_assert_eq!(run.ended, held.stage.ended());
        }
        let lifecycle = serde_json::to_value(rows.collaboration().unwrap().lifecycle).unwrap();
        prop_assert_eq!(lifecycle.as_str(), Some(state.lifecycle.name()));
        let marks = rows.collaboration().unwrap().marks.len()
            + rows.datasets().iter().map(|it| it.marks.len()).sum::<usize>()
            + rows.queries().iter().map(|it| it.marks.len()).sum::<usize>();
        prop_assert_eq!(marks, state.marks.values().map(BTreeSet::len).sum::<usize>());
        let present = rows.members().into_iter().filter(|it| it.removed.is_none());
        let present: BTreeSet<_> = present.map(|it| it.id.clone()).collect();
        let members: BTreeSet<_> = state.members.keys().map(ToString::to_string).collect();
        prop_assert_eq!(rows.collaboration().unwrap().member_count, members.len() as u64);
        prop_assert_eq!(present, members);
        for change in rows.changes() {
            let held = &state.changes[&change.id.parse().unwrap()];
            let stage = serde_json::to_value(change.stage).unwrap();
            prop_assert_eq!(stage.as_str(), Some(held.stage.name()));
        }
        let standing = rows.rules().into_iter().filter(|it| it.removed.is_none()).count();
        prop_assert_eq!(standing, state.rules.len());
        for (subject, version) in &state.versions {
            let held = version_of(&rows, *subject);
            prop_assert_eq!(held, Some(*version), "{}", subject);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (store, views) = open(folder.path()).await;
            let path = folder.path().join("views.db");
            let projector = Projector::new(store.clone(), views.clone());
            other.append(&store, 0, other.entries.len()).await;
            projector.catch_up(other.room).await.unwrap();
            let mut shown = 0;
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let next = shown + cut.min(story.entries.len() - shown);
                story.append(&store, shown, next).await;
                projector.catch_up(story.room).await.unwrap();
                shown = next;
            }
            story.assert_shown(&views, story.entries.len()).await;
            let followed = documents(&path).await;
            rebuild(&store, &views, |_, _| ()).await.unwrap();
            story.assert_shown(&views, story.entries.len()).await;
            other.assert_shown(&views, other.entries.len()).await;
            assert_eq!(documents(&path).await, followed);
        });
    }
}
