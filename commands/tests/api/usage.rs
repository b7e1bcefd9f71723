//! Use over HTTP: pause and close, budgets, receivers, and what to do about each reason.

use chancery_commands::dev_issuer::PEOPLE;
use serde_json::json;

use crate::support::answer::Answer;
use crate::support::executor::Executor;
use crate::support::room::{Room, Stage};
use crate::support::{commands, fixtures};

async fn readiness(room: &Room) -> Answer {
    room.fabrikam.reads(&room.path(&format!("/queries/{}/readiness", room.query))).await
}

/// A room whose orders may be used once a day.
async fn limited() -> Room {
    let mut room = Room::at(Stage::Joined).await;
    room.litware.does(&commands::enable_workload(room.next(), room.id)).await;
    let application = [fixtures::application()];
    room.litware.does(&commands::set_policy(room.next(), room.id, &application)).await;
    let mut orders = fixtures::orders();
    orders["usage"] = json!({
        "budgets": [{"period": "day", "runs": 1}],
        "receivers": [{"kind": "organisation", "organisation": "An organisation"}],
    });
    let orders = commands::publish(room.next(), room.id, orders);
    room.litware.does(&orders).await;
    let campaigns = commands::publish(room.next(), room.id, fixtures::campaigns());
    room.contosso.does(&campaigns).await;
    let report = commands::publish(room.next(), room.id, fixtures::report());
    room.fabrikam.does(&report).await;
    room.orders = chancery_ledger::id::DatasetId::new(orders.id.uuid());
    room.campaigns = chancery_ledger::id::DatasetId::new(campaigns.id.uuid());
    room.report = chancery_ledger::id::DatasetId::new(report.id.uuid());
    room.drafted_and_voted().await;
    room
}

#[tokio::test]
async fn a_pause_is_shown_refuses_runs_and_ends() {
    let mut room = Room::at(Stage::Requested).await;
    let pause = commands::lifecycle(room.next(), room.id, "pause", json!({"reason": "Why not."}));
    let answer = room.litware.does(&pause).await;
    assert_eq!(answer.kinds(), ["CollaborationPaused", "RunCancelled"]);
    let shown = room.contosso.reads(&room.path("")).await;
    assert_eq!(shown.text("/lifecycle"), "paused");
    assert_eq!(shown.text("/stopped/reason"), "Why not.");
    assert_eq!(shown.text("/stopped/member"), room.litware_id().to_string());
    let ready = readiness(&room).await;
    assert_eq!(ready.reasons(), ["collaboration_paused"]);
    assert_eq!(ready.text("/reasons/0/remedy/step"), "resume_collaboration");
    assert_eq!(ready.list("/reasons/0/remedy/who"), [json!(room.litware_id().to_string())]);
    // The refusal says the same; sent again, it says what still stands.
    let request = commands::request_run(room.next(), room.id, room.query, &room.digest);
    let refused = room.fabrikam.tries(&request).await;
    refused.assert_problem(409, "run_refused");
    assert_eq!(refused.reasons(), ["collaboration_paused"]);
    assert_eq!(refused.json["reasons"][0]["remedy"], ready.json["reasons"][0]["remedy"]);
    let refused = room.fabrikam.refused(&request, 409, "run_refused").await;
    assert_eq!(refused.text("/reasons/0/remedy/step"), "resume_collaboration");
    let again = commands::lifecycle(room.next(), room.id, "pause", json!({"reason": "Again."}));
    room.litware.refused(&again, 409, "collaboration_paused").await;
    let other = commands::lifecycle(room.next(), room.id, "resume", json!({}));
    room.contosso.refused(&other, 403, "ability_missing").await;
    let resume = commands::lifecycle(room.next(), room.id, "resume", json!({}));
    assert_eq!(room.litware.does(&resume).await.kinds(), ["CollaborationResumed"]);
    let shown = room.contosso.reads(&room.path("")).await;
    assert_eq!((shown.text("/lifecycle"), &shown.json["stopped"]), ("open", &json!(null)));
    let refused = room.fabrikam.refused(&request, 409, "run_refused").await;
    assert_eq!(refused.reasons(), ["collaboration_paused"]);
    assert_eq!(refused.json["reasons"][0].get("remedy"), None, "it is over");
    room.request().await.ok();
    room.finish().await;
}

#[tokio::test]
async fn a_closed_collaboration_is_read_and_takes_nothing_more() {
    let room = Room::at(Stage::Accepted).await;
    let close = commands::lifecycle(room.next(), room.id, "close", json!({"reason": "Over."}));
    room.litware.does(&close).await;
    let shown = room.fabrikam.reads(&room.path("")).await;
    assert_eq!(shown.text("/lifecycle"), "closed");
    assert_eq!(readiness(&room).await.reasons(), ["collaboration_closed"]);
    let request = commands::request_run(room.next(), room.id, room.query, &room.digest);
    room.fabrikam.refused(&request, 409, "collaboration_closed").await;
    let publish = commands::publish(room.next(), room.id, fixtures::campaigns());
    room.contosso.refused(&publish, 409, "collaboration_closed").await;
    let resume = commands::lifecycle(room.next(), room.id, "resume", json!({}));
    room.litware.refused(&resume, 409, "collaboration_closed").await;
    room.finish().await;
}

#[tokio::test]
async fn a_budget_is_counted_and_says_when_it_is_free_again() {
    let mut room = limited().await;
    let path = room.path(&format!("/datasets/{}/budget", room.orders));
    let standing = room.contosso.reads(&path).await;
    assert_eq!((standing.number("/budgets/0/runs"), standing.number("/budgets/0/used")), (1, 0));
    room.request().await.ok();
    let standing = room.contosso.reads(&path).await;
    assert_eq!(standing.number("/budgets/0/used"), 1);
    let renews_ms = standing.number("/budgets/0/renews_ms");
    assert_eq!(renews_ms % 86_400_000, 0);
    let refused = room.request().await;
    refused.assert_problem(409, "run_refused");
    assert_eq!(refused.reasons(), ["run_budget_spent"]);
    let ready = readiness(&room).await;
    assert_eq!(ready.text("/reasons/0/remedy/step"), "await_budget");
    assert_eq!(ready.number("/reasons/0/remedy/at_ms"), renews_ms);
    room.service.advance(renews_ms - room.service.now_ms());
    // Yesterday's token has ended.
    room.fabrikam = room.service.person(PEOPLE[2].email).await;
    assert_eq!(room.fabrikam.reads(&path).await.number("/budgets/0/used"), 0);
    assert_eq!(readiness(&room).await.json["ready"], json!(true));
    let none = room.path(&format!("/datasets/{}/budget", room.query));
    room.fabrikam.tries_to_read(&none).await.assert_problem(404, "dataset_not_found");
    room.finish().await;
}

#[tokio::test]
async fn a_result_is_for_its_receiver_only() {
    let mut room = limited().await;
    room.request().await.ok();
    let path = room.path(&format!("/runs/{}/result", room.run));
    room.fabrikam.tries_to_read(&path).await.assert_problem(409, "run_wrong_step");
    let executor = room.executor().await;
    executor.starts(&room).await;
    let result = Executor::result(&room).await;
    executor.does(&executor.succeed(&room, &result)).await;
    let received = room.fabrikam.reads(&path).await;
    assert_eq!(received.number("/result/manifest/rows"), 4);
    assert_eq!(received.text("/owner"), room.fabrikam_id.to_string());
    assert_eq!(received.text("/descriptor/name"), "report");
    for other in [&room.litware, &room.contosso] {
        other.tries_to_read(&path).await.assert_problem(403, "not_a_receiver");
    }
    executor.person.tries_to_read(&path).await.assert_problem(403, "not_a_member");
    room.finish().await;
}

#[tokio::test]
async fn who_may_not_receive_can_not_propose() {
    let room = Room::at(Stage::Drafted).await;
    let mut campaigns = fixtures::campaigns();
    campaigns["usage"] = json!({"receivers": [{"kind": "ability", "ability": "auditor"}]});
    let version = commands::publish_version(room.next(), room.id, room.campaigns, campaigns);
    room.contosso.does(&version).await;
    let propose = commands::on_query(room.next(), room.id, room.query, "propose");
    let refused = room.fabrikam.refused(&propose, 409, "receiver_not_allowed").await;
    assert_eq!(refused.text("/reasons/0/subject"), format!("dataset/{}", room.campaigns));
    let shown = room.fabrikam.reads(&room.path(&format!("/datasets/{}", room.campaigns))).await;
    let receivers = shown.list("/descriptor/usage/receivers");
    assert_eq!(receivers, [json!({"kind": "ability", "ability": "auditor"})]);
    room.finish().await;
}

#[tokio::test]
async fn demands_of_the_policy_are_shown_and_held() {
    let mut room = Room::at(Stage::Stocked).await;
    let host = fixtures::job_spec().to_string();
    let mut policy = commands::set_policy(room.next(), room.id, &[fixtures::application()]);
    policy.body["demands"] = json!({
        "host_data": [host],
        "minimum_tcb": {"bootloader": 4, "tee": 0, "snp": 22, "microcode": 213},
    });
    room.litware.does(&policy).await;
    let shown = room.fabrikam.reads(&room.path("")).await;
    assert_eq!(shown.json["demands"], policy.body["demands"]);
    room.drafted_and_voted().await;
    room.request().await.ok();
    let executor = room.executor().await;
    let refused = executor.refused(&executor.admit(&room), 403, "host_data_not_allowed").await;
    assert_eq!(refused.reasons(), ["host_data_not_allowed", "tcb_too_old", "debug_not_allowed"]);
    room.finish().await;
}
