//! Measures how fast the views follow and are rebuilt:
//! `cargo run --release -p chancery-projections --example rebuild_rate [entries]`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::similar_names,
    reason = "a measurement, run by hand"
)]

#[path = "../tests/story/mod.rs"]
mod story;

use std::time::Instant;

use chancery_projections::{Projector, rebuild};
use story::{Person, Story, open};

#[tokio::main]
async fn main() {
    let wanted = std::env::args().nth(1).map_or(20_000, |text| text.parse().unwrap());
    let mut story = Story::proposed(1);
    let mut number = 0;
    // Queries that are voted on and run, four times each: as in real use, most entries are of runs.
    while story.entries.len() < wanted {
        let query = number;
        if query > 0 {
            assert!(story.draft(query) && story.propose(query));
        }
        assert!(Person::ALL.into_iter().all(|person| story.approve(person, query)));
        for run in 4 * number..4 * number + 4 {
            assert!(story.request(run, query) && story.admit(run) && story.submit(run));
            assert!(story.start(run) && story.succeed(run));
        }
        number += 1;
    }
    let folder = tempfile::tempdir().unwrap();
    let (store, views) = open(folder.path()).await;
    let entries = story.entries.len();
    let bytes: usize = story.entries.iter().map(|entry| entry.bytes().len()).sum();
    println!("{entries} entries, {} bytes each", bytes / entries);
    story.append(&store, 0, entries).await;

    let began = Instant::now();
    Projector::new(store.clone(), views.clone()).catch_up(story.room).await.unwrap();
    println!("follow:  {:.0} entries/s", entries as f64 / began.elapsed().as_secs_f64());
    for _ in 0..3 {
        let rebuilt = rebuild(&store, &views, |_, _| ()).await.unwrap();
        println!("rebuild: {:.0} entries/s", rebuilt.entries_per_second());
    }
    let began = Instant::now();
    let _ = story.rows(entries);
    println!("fold:    {:.0} entries/s", entries as f64 / began.elapsed().as_secs_f64());
}
