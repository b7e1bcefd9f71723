//! Whoever is not in a collaboration does not learn that it exists.

use chancery_governance::subject::Subject;
use chancery_ledger::id::{CollaborationId, InvitationId};

use crate::support::commands::{self, Command};
use crate::support::person::Person;
use crate::support::room::{Room, Stage};
use crate::support::{fixtures, key};

fn all_commands(room: &Room, c: CollaborationId) -> Vec<Command> {
    let invitation = InvitationId::new(room.contosso_id.uuid());
    let id = || room.next();
    let mut all = vec![
        commands::enable_workload(id(), c),
        commands::set_policy(id(), c, &[fixtures::application()]),
        commands::invite(id(), c, "x@example.com", None, &["auditor"]),
        commands::withdraw_invitation(id(), c, invitation),
        commands::register_key(id(), c, room.contosso_id, &key(9).public().to_string(), "AA"),
        commands::revoke_key(id(), c, room.contosso_id, key(3).public().id()),
        commands::publish(id(), c, fixtures::campaigns()),
        commands::publish_version(id(), c, room.campaigns, fixtures::campaigns()),
        commands::retire(id(), c, room.campaigns),
        commands::draft(id(), c, room.definition()),
        commands::revise(id(), c, room.query, room.definition()),
        commands::on_query(id(), c, room.query, "propose"),
        commands::on_query(id(), c, room.query, "withdraw"),
        commands::approve(id(), c, room.query, &room.digest),
        commands::reject(id(), c, room.query, &room.digest),
        commands::request_run(id(), c, room.query, &room.digest),
        commands::cancel_run(id(), c, room.run),
    ];
    for subject in
        [Subject::Collaboration(c), Subject::Dataset(room.orders), Subject::Query(room.query)]
    {
        all.push(commands::consent(id(), c, subject, "withdraw"));
        all.push(commands::consent(id(), c, subject, "restore"));
    }
    all
}

fn all_reads(room: &Room, c: CollaborationId) -> Vec<String> {
    let (dataset, query, run) = (room.orders, room.query, room.run);
    [
        String::new(),
        "/members".into(),
        "/invitations".into(),
        "/datasets".into(),
        format!("/datasets/{dataset}"),
        "/queries".into(),
        format!("/queries/{query}"),
        format!("/queries/{query}/readiness"),
        "/runs".into(),
        format!("/runs/{run}"),
        "/entries".into(),
        "/checkpoint".into(),
        "/proofs/inclusion?position=0".into(),
        "/proofs/consistency?from=1".into(),
        "/bundle".into(),
        "/mirror".into(),
        "/receipts/0".into(),
    ]
    .map(|rest| commands::at(c, &rest))
    .to_vec()
}

#[tokio::test]
async fn a_stranger_can_not_tell_a_foreign_collaboration_from_none() {
    let room = Room::at(Stage::Requested).await;
    let mut stranger = Person::stranger(&room.service);
    let none = CollaborationId::new(room.next().uuid());
    for with_key in [None, Some(std::sync::Arc::new(key(77)))] {
        stranger.key = with_key;
        for c in [room.id, none] {
            for command in all_commands(&room, c) {
                stranger.refused(&command, 404, "collaboration_not_found").await;
            }
            let nowhere = InvitationId::new(room.next().uuid());
            let accept = commands::accept(room.next(), c, nowhere);
            stranger.refused(&accept, 404, "collaboration_not_found").await;
            for path in all_reads(&room, c) {
                room.service.refuses(stranger.get(&path), 404, "collaboration_not_found").await;
            }
        }
    }
    assert_eq!(stranger.reads("/v1/collaborations").await.list("/items").len(), 0);
    assert_eq!(stranger.reads("/v1/invitations").await.list("/invitations").len(), 0);
    let heads = stranger.get("/v1/log/heads");
    room.service.refuses(heads, 403, "not_an_executor").await;
    // To a member, all of that is there.
    for path in all_reads(&room, room.id) {
        let answer = room.service.send(room.contosso.get(&path)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.json);
    }
    room.finish().await;
}

#[tokio::test]
async fn a_member_can_do_only_what_its_abilities_allow() {
    let room = Room::at(Stage::Drafted).await;
    let id = || room.next();
    let (contosso, fabrikam) = (&room.contosso, &room.fabrikam);
    let invite = || commands::invite(id(), room.id, "x@example.com", None, &["auditor"]);
    let policy = || commands::set_policy(id(), room.id, &[fixtures::application()]);
    for person in [contosso, fabrikam] {
        person.refused(&invite(), 403, "ability_missing").await;
        person.refused(&policy(), 403, "ability_missing").await;
        let withdraw = commands::withdraw_invitation(
            id(),
            room.id,
            InvitationId::new(room.contosso_id.uuid()),
        );
        person.refused(&withdraw, 403, "ability_missing").await;
    }
    let draft = commands::draft(id(), room.id, room.definition());
    contosso.refused(&draft, 403, "ability_missing").await;
    let run = commands::request_run(id(), room.id, room.query, &room.digest);
    contosso.refused(&run, 403, "ability_missing").await;
    let read = commands::publish(id(), room.id, fixtures::moved(fixtures::campaigns()));
    fabrikam.refused(&read, 403, "ability_missing").await;
    let foreign =
        commands::publish_version(id(), room.id, room.orders, fixtures::moved(fixtures::orders()));
    contosso.refused(&foreign, 403, "not_the_dataset_owner").await;
    let retire = commands::retire(id(), room.id, room.orders);
    contosso.refused(&retire, 403, "not_the_dataset_owner").await;
    let other = contosso.registration(room.id, room.fabrikam_id, &key(9));
    contosso.refused(&other, 403, "not_yourself").await;
    room.finish().await;
}

#[tokio::test]
async fn the_executor_alone_can_change_nothing() {
    let room = Room::at(Stage::Requested).await;
    let executor = room.executor().await;
    for command in all_commands(&room, room.id) {
        executor.person.refused(&command, 403, "not_a_member").await;
        let before = room.service.sizes().await;
        let answer = executor.tries(&command).await;
        answer.assert_problem(answer.status, answer.text("/code"));
        assert_eq!(room.service.sizes().await, before, "{}", command.action);
        let signed = executor.person.to_sign(&command);
        let as_member = executor.person.signed_with(
            &command,
            &signed,
            chancery_ledger::cose::ContentType::Command,
            &executor.key,
        );
        room.service.refuses(as_member, 400, "signature_malformed").await;
    }
    room.finish().await;
}
