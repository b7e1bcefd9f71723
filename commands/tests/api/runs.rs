//! Runs: what stands against one, said in full and kept.

use chancery_governance::event::Event;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::QueryId;

use crate::support::answer::Answer;
use crate::support::room::{Room, Stage};
use crate::support::{commands, fixtures};

async fn readiness(room: &Room) -> Answer {
    room.fabrikam.reads(&room.path(&format!("/queries/{}/readiness", room.query))).await
}

/// The request that was refused stands in the log, with the same reasons as the answer has.
async fn assert_refused(room: &Room, answer: &Answer) {
    answer.assert_problem(409, "run_refused");
    let position = answer.number("/position");
    let events = room.service.events(room.id).await;
    assert_eq!(position + 1, events.len() as u64, "the refusal is the last event");
    let Some(Event::RunRefused(refused)) = events.last() else { panic!("{:?}", events.last()) };
    let logged: Vec<_> = refused.reasons.iter().map(|it| it.code.as_str()).collect();
    assert_eq!(answer.reasons(), logged);
    let run = room.fabrikam.reads(&room.path(&format!("/runs/{}", room.run))).await;
    assert_eq!((run.text("/stage"), run.text("/refused_at")), ("refused", "request"));
    assert_eq!(run.reasons(), logged);
}

#[tokio::test]
async fn a_run_before_approval_is_refused_with_every_reason_and_the_refusal_is_an_event() {
    let mut room = Room::at(Stage::Proposed).await;
    room.litware.does(&commands::approve(room.next(), room.id, room.query, &room.digest)).await;
    let dataset = Subject::Dataset(room.campaigns);
    room.contosso.does(&commands::consent(room.next(), room.id, dataset, "withdraw")).await;
    let all = commands::consent(room.next(), room.id, room.subject(), "withdraw");
    room.litware.does(&all).await;

    let expected = [
        "query_not_accepted",
        "approval_missing",
        "approval_missing",
        "consent_withdrawn",
        "consent_withdrawn",
    ];
    let ready = readiness(&room).await;
    assert_eq!((&ready.json["ready"], ready.reasons()), (&false.into(), expected.to_vec()));
    let before = room.service.sizes().await[&room.id];
    let answer = room.request().await;
    assert_eq!(answer.reasons(), expected);
    assert_eq!(answer.number("/position"), before);
    let subjects: Vec<_> =
        answer.list("/reasons").iter().filter_map(|it| it["subject"].as_str()).collect();
    assert!(subjects.contains(&&*dataset.to_string()), "{subjects:?}");
    assert!(subjects.contains(&&*room.subject().to_string()), "{subjects:?}");
    assert_refused(&room, &answer).await;

    // The same request again: the same refusal, once in the log.
    let id = chancery_ledger::id::CommandId::new(room.run.uuid());
    let again = commands::request_run(id, room.id, room.query, &room.digest);
    let again = room.fabrikam.refused(&again, 409, "run_refused").await;
    assert_eq!(again.json["reasons"], answer.json["reasons"]);
    assert_eq!(again.json["position"], answer.json["position"]);
    room.finish().await;
}

#[tokio::test]
async fn readiness_tells_everything_from_the_first_day_on() {
    let room = Room::at(Stage::Joined).await;
    let id = || room.next();
    let orders = commands::publish(id(), room.id, fixtures::campaigns());
    room.contosso.does(&orders).await;
    let report = commands::publish(id(), room.id, fixtures::report());
    room.fabrikam.does(&report).await;
    let definition = serde_json::json!({
        "name": "Spend",
        "segments": [{
            "order": 1, "view": "result",
            "sql": "SELECT region, COUNT(*) AS total, SUM(spend) AS spend FROM campaigns GROUP BY region",
            "pre_conditions": [], "post_filters": [],
        }],
        "inputs": [{"alias": "campaigns", "dataset": orders.id.to_string()}],
        "output": report.id.to_string(),
        "parameters": [],
    });
    let draft = commands::draft(id(), room.id, definition);
    room.fabrikam.does(&draft).await;
    let path = room.path(&format!("/queries/{}/readiness", draft.id));
    let mine = room.fabrikam.reads(&path).await;
    let expected = ["workload_not_enabled", "clean_room_policy_missing", "query_not_accepted"];
    assert_eq!(mine.reasons(), expected);
    let others = room.contosso.reads(&path).await;
    assert_eq!(others.reasons()[2], "ability_missing");
    let propose = commands::on_query(id(), room.id, QueryId::new(draft.id.uuid()), "propose");
    room.fabrikam.refused(&propose, 409, "clean_room_policy_missing").await;
    let nothing = room.fabrikam.get(&room.path(&format!("/queries/{}/readiness", id())));
    room.service.refuses(nothing, 404, "query_not_found").await;
    room.finish().await;
}

#[tokio::test]
async fn withdrawn_consent_cancels_what_is_in_flight_and_refuses_what_comes() {
    let mut room = Room::at(Stage::Requested).await;
    assert_eq!(readiness(&room).await.json["ready"], true);
    let executor = room.executor().await;
    executor.does(&executor.admit(&room)).await;
    let dataset = Subject::Dataset(room.orders);
    let foreign = commands::consent(room.next(), room.id, dataset, "withdraw");
    room.contosso.refused(&foreign, 403, "not_the_dataset_owner").await;
    let restore = commands::consent(room.next(), room.id, dataset, "restore");
    room.litware.refused(&restore, 409, "consent_not_withdrawn").await;

    let withdraw = commands::consent(room.next(), room.id, dataset, "withdraw");
    let answer = room.litware.does(&withdraw).await;
    assert_eq!(answer.kinds(), ["ConsentWithdrawn", "RunCancelled"]);
    assert_eq!(answer.text("/events/1/subject"), Subject::Run(room.run).to_string());
    let run = room.contosso.reads(&room.path(&format!("/runs/{}", room.run))).await;
    assert_eq!((run.text("/stage"), run.reasons()), ("cancelled", vec!["consent_withdrawn"]));
    let submit = crate::support::executor::Executor::submit(&room);
    let late = executor.refused(&submit, 409, "run_already_ended").await;
    assert_eq!(late.reasons(), ["run_already_ended", "consent_withdrawn"]);
    let twice = commands::consent(room.next(), room.id, dataset, "withdraw");
    room.litware.refused(&twice, 409, "consent_already_withdrawn").await;

    let refused = room.request().await;
    assert_eq!(refused.reasons(), ["consent_withdrawn"]);
    assert!(refused.text("/reasons/0/detail").contains("Litware withdrew consent"));
    assert_refused(&room, &refused).await;
    room.litware.does(&commands::consent(room.next(), room.id, dataset, "restore")).await;
    assert_eq!(readiness(&room).await.json["ready"], true);
    assert_eq!(room.request().await.ok().kinds(), ["RunRequested"]);
    room.finish().await;
}

#[tokio::test]
async fn consent_to_logging_stops_no_run() {
    let room = Room::at(Stage::Requested).await;
    let mut logging = commands::consent(room.next(), room.id, room.subject(), "withdraw");
    logging.body["kind"] = "logging".into();
    assert_eq!(room.contosso.does(&logging).await.kinds(), ["ConsentWithdrawn"]);
    assert_eq!(readiness(&room).await.json["ready"], true);
    logging.id = room.next();
    logging.body["kind"] = "marketing".into();
    room.contosso.refused(&logging, 422, "invalid_content").await;
    room.finish().await;
}

#[tokio::test]
async fn a_run_is_of_what_was_accepted() {
    let mut room = Room::at(Stage::Accepted).await;
    let nothing = QueryId::new(room.next().uuid());
    let unknown = commands::request_run(room.next(), room.id, nothing, &room.digest);
    room.fabrikam.refused(&unknown, 404, "query_not_found").await;
    let accepted = std::mem::replace(&mut room.digest, Digest::of(b"another").to_string());
    let answer = room.request().await;
    assert_eq!(answer.reasons(), ["query_digest_mismatch"]);
    assert_refused(&room, &answer).await;
    room.digest = accepted;
    let policy = [fixtures::application(), Digest::of(b"application 2")];
    room.litware.does(&commands::set_policy(room.next(), room.id, &policy)).await;
    let answer = room.request().await;
    assert_eq!(answer.reasons(), ["clean_room_policy_changed"]);
    assert_refused(&room, &answer).await;
    let retire = commands::retire(room.next(), room.id, room.campaigns);
    let retired = room.contosso.does(&retire).await;
    assert_eq!(retired.kinds(), ["DatasetRetired", "QuerySuperseded"]);
    let answer = room.request().await;
    assert_eq!(answer.reasons(), ["query_not_accepted", "dataset_retired"]);
    assert_refused(&room, &answer).await;
    room.finish().await;
}

#[tokio::test]
async fn a_run_is_cancelled_once_by_who_has_a_say() {
    let room = Room::at(Stage::Requested).await;
    let cancel = || commands::cancel_run(room.next(), room.id, room.run);
    assert_eq!(room.contosso.does(&cancel()).await.kinds(), ["RunCancelled"]);
    let answer = room.fabrikam.refused(&cancel(), 409, "run_already_ended").await;
    assert_eq!(answer.reasons(), ["run_already_ended", "cancelled_by_member"]);
    let run = chancery_ledger::id::RunId::new(room.next().uuid());
    let nothing = commands::cancel_run(room.next(), room.id, run);
    room.fabrikam.refused(&nothing, 404, "run_not_found").await;
    room.finish().await;
}

#[tokio::test]
async fn terms_without_insecure_evidence_are_refused_by_a_service_that_has_no_other() {
    let service = crate::support::Service::start().await;
    let olivia = service.person("olivia@litware.example").await;
    let create = commands::create(service.id(), &[], false);
    olivia.refused(&create, 403, "insecure_virtual_not_allowed").await;
    service.finish().await;
}
