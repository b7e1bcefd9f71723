//! Several services over one log, one after another and at once.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::answer::Answer;
use crate::support::commands::{self, Command};
use crate::support::person::Person;
use crate::support::room::{Room, Stage};
use crate::support::{Service, fixtures};

/// Attempts at a command that meets the rival again and again.
const ATTEMPTS_MAX: usize = 1_000;

/// Sends until the answer is another than "others were faster".
async fn insists(person: &Person, command: &Command) -> Answer {
    for _ in 0..ATTEMPTS_MAX {
        let answer = person.tries(command).await;
        if answer.status != 503 {
            return answer;
        }
        answer.assert_problem(503, "log_contended");
    }
    panic!("a writer starves");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_writers_of_one_log_never_fork_it() {
    let room = Room::at(Stage::Joined).await;
    let rival = room.service.again().await;
    let people = [room.contosso.clone(), room.contosso.at(&rival)];
    let before = room.service.sizes().await[&room.id];
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..60 {
        let mut descriptor = fixtures::campaigns();
        descriptor["name"] = json!(format!("campaigns-{n}"));
        let publish = commands::publish(room.next(), room.id, descriptor);
        let person = people[n % 2].clone();
        tasks.spawn(async move { insists(&person, &publish).await.ok() });
    }
    let mut positions = BTreeSet::new();
    while let Some(answer) = tasks.join_next().await {
        assert!(positions.insert(answer.unwrap().number("/position")), "a position twice");
    }
    assert_eq!(positions, (before..before + 60).collect());
    assert_eq!(room.service.state(room.id).await.datasets.len(), 60);
    // Both read the same, whoever wrote it.
    for person in &people {
        let datasets = person.reads(&room.path("/datasets?limit=200")).await;
        assert_eq!(datasets.list("/items").len(), 60);
    }
    rival.finish().await;
    room.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_command_at_two_services_is_carried_out_once() {
    let room = Room::at(Stage::Joined).await;
    let rival = room.service.again().await;
    let people = [room.contosso.clone(), room.contosso.at(&rival)];
    let mut fresh = 0;
    for n in 0..20 {
        let mut descriptor = fixtures::campaigns();
        descriptor["name"] = json!(format!("campaigns-{n}"));
        let publish = commands::publish(room.next(), room.id, descriptor);
        let (one, other) =
            tokio::join!(insists(&people[0], &publish), insists(&people[1], &publish));
        let (one, other) = (one.ok(), other.ok());
        assert_eq!(one.number("/position"), other.number("/position"));
        assert_eq!(one.text("/digest"), other.text("/digest"));
        fresh += [one, other].iter().filter(|it| it.json["replayed"] == false).count();
    }
    assert_eq!(fresh, 20);
    rival.finish().await;
    room.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_want_one_name_one_gets_it() {
    let room = Room::at(Stage::Joined).await;
    let rival = room.service.again().await;
    let people = [room.contosso.clone(), room.contosso.at(&rival)];
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        let publish = commands::publish(room.next(), room.id, fixtures::campaigns());
        let person = people[n % 2].clone();
        tasks.spawn(async move { insists(&person, &publish).await });
    }
    let mut won = 0;
    while let Some(answer) = tasks.join_next().await {
        let answer = answer.unwrap();
        if answer.status == 201 {
            won += 1;
        } else {
            answer.assert_problem(409, "dataset_name_taken");
        }
    }
    assert_eq!(won, 1);
    rival.finish().await;
    room.finish().await;
}

#[tokio::test]
async fn a_service_decides_on_what_its_rival_wrote() {
    let room = Room::at(Stage::Keyed).await;
    let rival = room.service.again().await;
    // The rival has this state loaded before the other moves it.
    room.litware.at(&rival).reads(&room.path("/proofs/inclusion?position=0")).await;
    let invitation =
        room.invites("carlos@contosso.example", None, crate::support::room::PROVIDER).await;
    let there = room.contosso.at(&rival);
    assert_eq!(there.reads("/v1/invitations").await.list("/invitations").len(), 1);
    there.does(&commands::accept(room.next(), room.id, invitation)).await;
    let again = commands::publish(room.next(), room.id, fixtures::campaigns());
    room.contosso.does(&again).await;
    let taken = commands::publish(room.next(), room.id, fixtures::campaigns());
    there.refused(&taken, 409, "dataset_name_taken").await;
    assert_eq!(there.does(&again).await.json["replayed"], true);
    rival.finish().await;
    room.finish().await;
}

#[tokio::test]
async fn a_restarted_service_goes_on_where_it_was() {
    let mut room = Room::at(Stage::Accepted).await;
    let request = commands::request_run(room.next(), room.id, room.query, &room.digest);
    let first = room.fabrikam.does(&request).await;
    room.service.finish().await;
    room.service.store.close().await;
    room.service.views.close().await;

    let service = room.service.again().await;
    room.litware = room.litware.at(&service);
    room.contosso = room.contosso.at(&service);
    room.fabrikam = room.fabrikam.at(&service);
    room.service = service;
    let again = room.fabrikam.does(&request).await;
    let mut expected = first.json.clone();
    expected["replayed"] = json!(true);
    assert_eq!((again.status, again.json), (first.status, expected));
    let vote = commands::approve(room.next(), room.id, room.query, &room.digest);
    room.contosso.refused(&vote, 409, "already_voted").await;

    room.run = chancery_ledger::id::RunId::new(request.id.uuid());
    room.nonce = first.parsed("/digest");
    let executor = room.executor().await;
    executor.starts(&room).await;
    let view = room.contosso.reads(&room.path(&format!("/runs/{}", room.run))).await;
    assert_eq!(view.text("/stage"), "started");
    room.finish().await;
}

#[tokio::test]
async fn a_damaged_log_takes_no_commands() {
    let room = Room::at(Stage::Keyed).await;
    room.service.finish().await;
    room.service.store.close().await;
    room.service.views.close().await;
    let file = room.service.folder().join("log.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // The name stands in the first entry's payload, in its content, and nowhere else.
    let damaged: Vec<_> = bytes
        .windows(7)
        .enumerate()
        .filter(|(_, window)| window == b"Flights")
        .map(|(at, _)| at)
        .collect();
    assert!(!damaged.is_empty());
    for at in damaged {
        bytes[at] = b'f';
    }
    std::fs::write(&file, bytes).unwrap();

    let service: Service = room.service.again().await;
    let litware = room.litware.at(&service);
    let policy = commands::set_policy(room.next(), room.id, &[fixtures::application()]);
    litware.refused(&policy, 500, "corrupt").await;
    service.stop();
}
