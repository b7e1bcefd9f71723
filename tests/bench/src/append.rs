//! Durable append of member-signed events through the whole write path, beside what else writes
//! the same bytes as durably, and the processor's limit for the signatures alone.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use chancery_ledger::id::CollaborationId;
use chancery_store::{Appended, RANGE_ENTRIES_MAX, Store};
use tokio::sync::broadcast;

use crate::Setup;
use crate::limit::{self, Library, Signature};
use crate::peers::{jetstream, postgres, sqlite};
use crate::report::{Goal, Part};
use crate::service::{Ready, Service};

/// The name on the command line.
pub const NAME: &str = "append";
/// Callers that wait for replies at the same time: even the writer of one collaboration has a place
/// for each.
pub const CALLERS: usize = 3072;
/// Collaborations written to at the same time, where it is several.
pub const ROOMS: u64 = 8;
/// Signatures that the limit is measured with, at most.
const SAMPLE: usize = 4096;
/// Rows that bare SQLite inserts one by one, at most: it syncs each.
const SINGLES_MAX: usize = 4000;

const ONE: &str = "Chancery on SQLite, 1 collaboration";
const EIGHT: &str = "Chancery on SQLite, 8 collaborations";
const VIEWS: &str = "the same 8, with the views following";
const ON_POSTGRES: &str = "Chancery on PostgreSQL, 8 collaborations";
const LIMIT: &str = "Ed25519 verification, all cores (AWS-LC)";
const RING: &str = "Ed25519 verification, all cores (ring)";
const BARE: &str = "bare SQLite, the same batches";
const SINGLE: &str = "bare SQLite, a transaction each";
const PGBENCH: &str = "PostgreSQL, pgbench, an insert each";
const JETSTREAM: &str = "NATS JetStream, sync always";

/// Everything, in the order of a round. Those that are compared are neighbours where they can be.
const TURNS: [&str; 9] = [LIMIT, ONE, BARE, EIGHT, JETSTREAM, VIEWS, PGBENCH, ON_POSTGRES, SINGLE];
/// In the order of the table.
const SHOWN: [&str; 10] =
    [ONE, EIGHT, VIEWS, ON_POSTGRES, LIMIT, RING, BARE, SINGLE, PGBENCH, JETSTREAM];

/// How long and how often.
struct Sizes {
    rounds: usize,
    /// Events a round.
    events: u64,
    /// How long what is not counted in events runs, each round.
    time: Duration,
}

/// What takes a turn in each round.
struct Contenders {
    one: Service,
    eight: Service,
    views: Service,
    on_postgres: Service,
    bare: sqlite::Bare,
    single: sqlite::Bare,
    postgres: postgres::Peer,
    jetstream: Option<jetstream::Peer>,
    /// What the writer of one collaboration last appended, batch by batch.
    batches: Vec<Vec<Vec<u8>>>,
}

/// Measures.
///
/// # Errors
///
/// Where anything that was to be measured does not work.
pub async fn run(setup: &Setup) -> Result<Part> {
    let mut part = Part::new(NAME, "durable append of member-signed events");
    let sizes = setup.size(
        Sizes { rounds: 2, events: 1500, time: Duration::from_millis(300) },
        Sizes { rounds: 7, events: 60_000, time: Duration::from_secs(3) },
        Sizes { rounds: 9, events: 150_000, time: Duration::from_secs(8) },
    );
    let folder = tempfile::tempdir_in(&setup.folder)?;
    let at = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).map(|()| path)
    };
    let (one, eight, views) = (at("one")?, at("eight")?, at("views")?);
    let store = |folder: &Path| folder.join("log.db");
    let mut one = Service::begin(Store::open(&store(&one)).await?, &one, 1, CALLERS).await?;
    let eight = Service::begin(Store::open(&store(&eight)).await?, &eight, ROOMS, CALLERS).await?;
    let views = Service::begin(Store::open(&store(&views)).await?, &views, ROOMS, CALLERS).await?;
    views.follow();
    // Also warms up, and makes the first batches for the peers.
    let (_, batches) = appended(&mut one, sizes.events / 4).await?;
    let sample = batches.iter().flatten().next().context("an entry")?.clone();
    let postgres = postgres::Peer::start(&sample)?;
    let on_postgres = on_postgres(&postgres, &at("on-postgres")?).await?;
    let jetstream = match jetstream::program(folder.path()) {
        Ok(program) => Some(jetstream::Peer::start(&program, folder.path()).await?),
        Err(missing) => {
            part.note(format!("JetStream was not measured: {missing}."));
            None
        }
    };
    let mut contenders = Contenders {
        one,
        eight,
        views,
        on_postgres,
        bare: sqlite::Bare::open(&folder.path().join("bare.db")).await?,
        single: sqlite::Bare::open(&folder.path().join("single.db")).await?,
        postgres,
        jetstream,
        batches,
    };
    contenders.warm_up(&sizes).await?;
    for round in 0..sizes.rounds {
        setup.progress(NAME, round + 1, sizes.rounds);
        contenders.round(&mut part, &sizes, round % 2 == 1).await?;
    }
    conclude(&mut part, setup);
    Ok(part)
}

/// The product on its PostgreSQL store, in a database of its own on the server that pgbench loads.
async fn on_postgres(server: &postgres::Peer, folder: &Path) -> Result<Service> {
    let store = Store::connect(&server.database()).await?;
    Service::begin(store, folder, ROOMS, CALLERS).await
}

impl Contenders {
    /// Everything once, uncounted: files get made, connections opened, keys learned.
    async fn warm_up(&mut self, sizes: &Sizes) -> Result<()> {
        let few = Sizes { rounds: 1, events: sizes.events / 8, time: sizes.time / 4 };
        self.round(&mut Part::default(), &few, false).await
    }

    /// One turn for each, in an order that the next round reverses.
    async fn round(&mut self, part: &mut Part, sizes: &Sizes, reversed: bool) -> Result<()> {
        let mut turns = TURNS;
        if reversed {
            turns.reverse();
        }
        for turn in turns {
            self.turn(part, turn, sizes).await?;
        }
        Ok(())
    }

    async fn turn(&mut self, part: &mut Part, turn: &str, sizes: &Sizes) -> Result<()> {
        let unit = "events/s";
        let callers = ("callers", CALLERS as u64);
        let rooms = ("collaborations", ROOMS);
        match turn {
            LIMIT => {
                let commands = self.one.sign(SAMPLE.min(usize::try_from(sizes.events)?) as u64)?;
                let signatures = signatures(&self.one, &commands)?;
                // They are sent too: the next ones of each lane follow them.
                for (name, library) in [(RING, Library::Ring), (LIMIT, Library::AwsLc)] {
                    let sample = limit::verifications(&signatures, sizes.time, library)?;
                    part.push(name, "signatures/s", &[("threads", crate::cores())], sample);
                }
                self.one.send_all(commands).await?;
            }
            ONE => {
                let (sample, batches) = appended(&mut self.one, sizes.events).await?;
                let bytes: u64 = batches.iter().flatten().map(|entry| entry.len() as u64).sum();
                let events: u64 = batches.iter().map(|batch| batch.len() as u64).sum();
                let batch = events / (batches.len() as u64).max(1);
                let size = bytes / events.max(1);
                let sizes =
                    [callers, ("events", events), ("entry_bytes", size), ("batch_events", batch)];
                part.push(turn, unit, &sizes, sample);
                self.batches = batches;
            }
            EIGHT | VIEWS | ON_POSTGRES => {
                let service = match turn {
                    EIGHT => &mut self.eight,
                    VIEWS => &mut self.views,
                    _ => &mut self.on_postgres,
                };
                let commands = service.sign(sizes.events)?;
                let sizes = [callers, rooms, ("events", count(&commands))];
                part.push(turn, unit, &sizes, service.send_all(commands).await?);
            }
            BARE => {
                let sizes = [("batches", self.batches.len() as u64)];
                part.push(turn, unit, &sizes, self.bare.insert(&self.batches).await?);
            }
            SINGLE => {
                let all = self.batches.iter().flatten().take(SINGLES_MAX);
                let batches: Vec<_> = all.map(|entry| vec![entry.clone()]).collect();
                let sizes = [("rows", batches.len() as u64)];
                part.push(turn, unit, &sizes, self.single.insert(&batches).await?);
            }
            PGBENCH => {
                let sizes_of = [("clients", u64::from(postgres::CLIENTS))];
                part.push(turn, unit, &sizes_of, self.postgres.insert(sizes.time)?);
            }
            _ => {
                let Some(peer) = &self.jetstream else { return Ok(()) };
                let entries = self.batches.iter().flatten();
                let messages: Vec<_> = entries.map(|it| Bytes::copy_from_slice(it)).collect();
                let sizes_of = [("in_flight", jetstream::IN_FLIGHT as u64)];
                part.push(turn, unit, &sizes_of, peer.publish(&messages, sizes.time).await?);
            }
        }
        Ok(())
    }
}

fn conclude(part: &mut Part, setup: &Setup) {
    let place = |name: &str| SHOWN.iter().position(|shown| *shown == name);
    part.figures.sort_by_key(|figure| place(&figure.name));
    let goal = Some(Goal::AtLeast(0.6));
    let ahead = Some(Goal::AtLeast(1.0));
    part.compare("1 collaboration to the limit", ONE, LIMIT, goal);
    part.compare("8 collaborations to the limit", EIGHT, LIMIT, goal);
    part.compare("8, views following, to the limit", VIEWS, LIMIT, None);
    part.compare("8 collaborations to JetStream", EIGHT, JETSTREAM, ahead);
    part.compare("8 collaborations to pgbench", EIGHT, PGBENCH, ahead);
    part.compare("8 to bare SQLite, a transaction each", EIGHT, SINGLE, ahead);
    part.compare("1 collaboration to bare SQLite, batches", ONE, BARE, None);
    part.compare("Chancery on PostgreSQL to pgbench", ON_POSTGRES, PGBENCH, ahead);
    part.note(
        "Every event: the member's signature verified, the rules asked, the entry sealed (a second \
         signature is made), appended, synced, and answered with a COSE Receipt. Commands are \
         signed before the timed part; HTTP and tokens are not in it.",
    );
    part.note(format!(
        "Limit: AWS-LC verifies distinct commands of the same size on {} threads and does nothing \
         else. It is for the member's signature only. ring's figure is for comparison.",
        crate::cores()
    ));
    part.note(
        "Bare SQLite inserts what Chancery appended last, in the same batches, in the same form of \
         statement, WAL and synchronous=FULL as there. It verifies, decides and signs nothing: it \
         shows what the disk and SQLite alone would allow.",
    );
    part.note(format!(
        "pgbench: prepared, {} clients, 2 threads, one entry's bytes in each insert, a primary key \
         from a sequence, synchronous_commit and fsync on. JetStream: file storage, one stream, \
         {} messages in flight, each acknowledged after its sync.",
        postgres::CLIENTS,
        jetstream::IN_FLIGHT
    ));
    if !crate::machine::one_file_system(&setup.folder, &std::env::temp_dir()) {
        part.note("PostgreSQL's files are on another file system than the others'.");
    }
}

fn count(commands: &[Vec<Ready>]) -> u64 {
    commands.iter().map(|lane| lane.len() as u64).sum()
}

fn signatures(service: &Service, commands: &[Vec<Ready>]) -> Result<Vec<Signature>> {
    let members = &service.room()?.members;
    let keys: std::collections::BTreeMap<_, _> =
        members.iter().map(|member| (member.key.public().id().to_string(), &member.key)).collect();
    let messages = commands.iter().flatten().take(SAMPLE).map(Ready::message);
    messages
        .map(|message| {
            let kind = chancery_ledger::cose::ContentType::Command;
            let id = chancery_ledger::cose::parse(kind, message)?.key_id().to_string();
            Signature::of(message, keys.get(&id).context("a member's key")?.public())
        })
        .collect()
}

/// Has `events` commands carried out on one collaboration; gives the rate, and what was appended,
/// batch by batch.
async fn appended(
    service: &mut Service,
    events: u64,
) -> Result<(crate::report::Sample, Vec<Vec<Vec<u8>>>)> {
    let commands = service.sign(events)?;
    let id = service.room()?.id;
    let before = service.store.head(id).await?.map_or(0, |head| head.size);
    let mut hints = service.store.appended();
    let sample = service.send_all(commands).await?;
    let ends = ends(&mut hints, id);
    let mut batches = Vec::new();
    let mut from = before;
    for until in ends {
        let mut batch = Vec::new();
        while from < until {
            let limit = u32::try_from(until - from)?.min(RANGE_ENTRIES_MAX);
            let page = service.store.range(id, from, limit).await?;
            anyhow::ensure!(!page.is_empty(), "the log ends before its head");
            from += page.len() as u64;
            batch.extend(page.into_iter().map(|stored| stored.sealed));
        }
        batches.push(batch);
    }
    Ok((sample, batches))
}

/// The sizes of the log after each append that was hinted at.
fn ends(hints: &mut broadcast::Receiver<Appended>, id: CollaborationId) -> Vec<u64> {
    let mut ends = Vec::new();
    loop {
        match hints.try_recv() {
            Ok(hint) if hint.collaboration == id => ends.push(hint.size),
            // What was missed makes the next batch look larger; there is room for a thousand.
            Ok(_) | Err(broadcast::error::TryRecvError::Lagged(_)) => {}
            Err(_) => return ends,
        }
    }
}
