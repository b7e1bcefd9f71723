//! The write path: batches, receipts, back-pressure, what an answer rests on.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_commands::caller::Caller;
use chancery_commands::execute::{CommandHeaders, Incoming, execute};
use chancery_commands::identity::VerifiedIdentity;
use chancery_commands::problem::Problem;
use chancery_commands::reply::Reply;
use chancery_commands::writer::{BATCH_COMMANDS_MAX, BATCH_TIME_MAX, QUEUE_MAX};
use chancery_governance::subject::Subject;
use chancery_ledger::codec::Value;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::receipt::{self, Inclusion};
use serde_json::json;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::support::commands::{self, Command};
use crate::support::person::Person;
use crate::support::room::{Room, Stage};
use crate::support::{Service, fixtures};

fn publication(room: &Room, n: usize) -> Command {
    let mut descriptor = fixtures::campaigns();
    descriptor["name"] = json!(format!("campaigns-{n}"));
    commands::publish(room.next(), room.id, descriptor)
}

#[tokio::test]
async fn commands_that_wait_share_one_commit_and_each_gets_its_receipt() {
    let service = Service::start().await;
    let (caller, room) = founded(&service).await;
    let blocker = Blocker::of(&service).await;
    let mut commits = service.store.appended();
    let tasks: Vec<_> =
        (0..120).map(|n| tokio::spawn(marked(&service, &caller, room, n))).collect();
    // One thread: all have queued when this task is on again.
    tokio::task::yield_now().await;
    blocker.release().await;
    let mut positions = BTreeSet::new();
    let mut roots = BTreeSet::new();
    for task in tasks {
        let reply = task.await.unwrap().unwrap();
        positions.insert(reply.position);
        let proven = proven(&service, &reply);
        roots.insert((proven.size, proven.root));
    }
    assert_eq!(positions, (1..=120).collect());
    let mut count = 0;
    while commits.try_recv().is_ok() {
        count += 1;
    }
    assert_eq!(count, roots.len());
    assert!(count <= 3, "{count} commits for 120 commands that waited together");
    let leaves: Vec<_> = service.entries(room).await.iter().map(Sealed::leaf).collect();
    for (size, root) in roots {
        assert_eq!(chancery_ledger::merkle::root(&leaves[..usize::try_from(size).unwrap()]), root);
    }
    service.finish().await;
}

#[tokio::test]
async fn what_comes_while_a_batch_is_stored_is_one_batch_however_long_that_takes() {
    let service = Service::start().await;
    let (caller, room) = founded(&service).await;
    let blocker = Blocker::of(&service).await;
    let mut tasks = Vec::new();
    for n in 0..30 {
        tasks.push(tokio::spawn(marked(&service, &caller, room, n)));
        // The first is a batch of its own; half of the others come when the next one is due.
        if n == 0 || n == 15 {
            tokio::time::sleep(BATCH_TIME_MAX * 3).await;
        }
    }
    tokio::task::yield_now().await;
    blocker.release().await;
    let mut sizes = Vec::new();
    for task in tasks {
        let reply = task.await.unwrap().unwrap();
        sizes.push(proven(&service, &reply).size);
    }
    assert_eq!(sizes, [vec![2], vec![31; 29]].concat());
    service.finish().await;
}

#[tokio::test]
async fn receipts_of_any_entry_at_any_size_and_between_sizes_verify() {
    let room = Room::at(Stage::Stocked).await;
    let entries = room.service.entries(room.id).await;
    let (size, key) = (entries.len() as u64, room.service.key.public());
    let get = async |path: String| {
        let answer = room.service.send(room.contosso.get(&room.path(&path))).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), "application/cose; cose-type=\"cose-sign1\"");
        answer.bytes
    };
    for at in 1..=size {
        let until = usize::try_from(at).unwrap();
        let leaves: Vec<_> = entries[..until].iter().map(Sealed::leaf).collect();
        let root = chancery_ledger::merkle::root(&leaves);
        for position in [0, at / 2, at - 1] {
            let bytes = get(format!("/receipts/inclusion?position={position}&size={at}")).await;
            let leaf = &leaves[usize::try_from(position).unwrap()];
            assert_eq!(receipt::verify_inclusion(&bytes, leaf, key).unwrap().root, root);
        }
        let bytes = get(format!("/receipts/consistency?from={at}")).await;
        let proven = receipt::verify_consistency(&bytes, &root, key).unwrap();
        assert_eq!((proven.old, proven.new), (at, size));
    }
    for path in [
        format!("/receipts/inclusion?position={size}"),
        format!("/receipts/inclusion?position=0&size={}", size + 1),
        format!("/receipts/consistency?from={}", size + 1),
    ] {
        let call = room.contosso.get(&room.path(&path));
        room.service.refuses(call, 400, "proof_out_of_range").await;
    }
    let stranger = Person::stranger(&room.service);
    let call = stranger.get(&room.path("/receipts/inclusion?position=0"));
    room.service.refuses(call, 404, "collaboration_not_found").await;
    room.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repeat_that_overtakes_its_first_delivery_gets_the_same_outcome() {
    let room = Room::at(Stage::Joined).await;
    for n in 0..10 {
        let publish = publication(&room, n);
        let deliveries: Vec<_> = (0..8)
            .map(|_| {
                let (person, publish) = (room.contosso.clone(), publish.clone());
                tokio::spawn(async move { person.does(&publish).await })
            })
            .collect();
        let mut fresh = 0;
        let mut positions = BTreeSet::new();
        for delivery in deliveries {
            let answer = delivery.await.unwrap();
            fresh += usize::from(answer.json["replayed"] == false);
            positions.insert(answer.number("/position"));
        }
        assert_eq!((fresh, positions.len()), (1, 1));
    }
    room.finish().await;
}

/// Somebody, and a room that they created.
async fn founded(service: &Service) -> (Caller, CollaborationId) {
    let caller = somebody(service);
    let id = service.id();
    execute(&service.app, &caller, creation(id)).await.unwrap();
    (caller, CollaborationId::new(id.uuid()))
}

/// Has the `n`th mark carried out.
fn marked(
    service: &Service,
    caller: &Caller,
    room: CollaborationId,
    n: usize,
) -> impl Future<Output = Result<Reply, Problem>> + Send + 'static {
    let (app, caller) = (service.app.clone(), caller.clone());
    let incoming = mark(room, n, service.id());
    async move { execute(&app, &caller, incoming).await }
}

/// What the reply's receipt proves: its own leaf at its position, and no other leaf.
fn proven(service: &Service, reply: &Reply) -> Inclusion {
    let bytes = URL_SAFE_NO_PAD.decode(&reply.receipt).unwrap();
    let leaf: Digest = reply.digest.parse().unwrap();
    let proven = receipt::verify_inclusion(&bytes, &leaf, service.key.public()).unwrap();
    assert_eq!(proven.index, reply.position);
    let other = Digest::of(b"another leaf");
    assert!(receipt::verify_inclusion(&bytes, &other, service.key.public()).is_err());
    proven
}

/// The creation of a room by somebody.
fn creation(id: CommandId) -> Incoming {
    let collaboration = CollaborationId::new(id.uuid());
    let create = commands::create(id, &[], true);
    let content = chancery_commands::content::parse(create.body.to_string().as_bytes()).unwrap();
    incoming(collaboration, Subject::Collaboration(collaboration), create.action, content, id)
}

/// The `n`th of many marks that follow legally on one another.
fn mark(room: CollaborationId, n: usize, id: CommandId) -> Incoming {
    let action = if (n / 2).is_multiple_of(2) { "consent.withdraw" } else { "consent.restore" };
    let content = Value::map([("kind", Value::text(["telemetry", "logging"][n % 2]))]);
    incoming(room, Subject::Collaboration(room), action, content, id)
}

fn incoming(
    collaboration: CollaborationId,
    subject: Subject,
    action: &'static str,
    content: Value,
    command: CommandId,
) -> Incoming {
    let headers = CommandHeaders { command, signature: None, if_match: None, wait_s: None };
    Incoming { collaboration, subject, action, content, email: None, sealed: None, headers }
}

fn somebody(service: &Service) -> Caller {
    let identity = VerifiedIdentity {
        issuer: service.issuer().to_owned(),
        tenant: Some("a tenant".to_owned()),
        subject: "somebody".to_owned(),
        email: None,
        email_verified: false,
        name: None,
        key_id: "1".to_owned(),
        token_digest: Digest::of(b"a token"),
        expires_ms: u64::MAX,
    };
    Caller { identity, is_executor: false }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn beyond_what_can_wait_a_command_is_turned_away_and_none_is_lost() {
    let service = Service::start().await;
    let (caller, room) = founded(&service).await;

    // Another writer holds the database for as long as this transaction is open.
    let blocker = Blocker::of(&service).await;
    let sent = BATCH_COMMANDS_MAX * 2 + QUEUE_MAX + 500;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..sent {
        tasks.spawn(marked(&service, &caller, room, n));
    }
    // All have queued or been turned away when only those that can't be answered are left.
    let mut turned_away = 0;
    while tasks.len() > BATCH_COMMANDS_MAX * 2 + QUEUE_MAX {
        let problem = tasks.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!((problem.status().as_u16(), problem.code()), (503, "log_busy"));
        assert!(problem.retry_after_s().is_some());
        turned_away += 1;
    }
    assert!(turned_away >= 500);
    blocker.release().await;
    let mut stored = 0;
    while let Some(outcome) = tasks.join_next().await {
        match outcome.unwrap() {
            Ok(_) => stored += 1,
            // Legal only where the mark stands as it was thought to; or turned away.
            Err(problem) => assert!(matches!(problem.status().as_u16(), 409 | 422 | 503)),
        }
    }
    assert_eq!(service.sizes().await[&room], stored + 1);
    assert!(stored > 0);
    service.finish().await;
}

/// The write lock of the log's database, as another process would hold it.
struct Blocker(SqliteConnection);

impl Blocker {
    async fn of(service: &Service) -> Self {
        let options = SqliteConnectOptions::new().filename(service.folder().join("log.db"));
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        Self(connection)
    }

    async fn release(mut self) {
        sqlx::query("ROLLBACK").execute(&mut self.0).await.unwrap();
    }
}
