//! Differential privacy over HTTP: the policy, what a query costs, and the budget that it takes it of.

use serde_json::{Value as Json, json};

use crate::support::answer::Answer;
use crate::support::room::{Room, Stage};
use crate::support::{commands, fixtures};

/// Orders under differential privacy: 1 of epsilon for life, at most half of it for a query.
fn orders() -> Json {
    let mut orders = fixtures::orders();
    orders["policy"]["minimum_group"] = Json::Null;
    orders["policy"]["differential_privacy"] = json!({
        "unit": "customer",
        "budget": {"period": "life", "epsilon_micro": 1_000_000, "delta_pico": 10_000},
        "query_epsilon_micro_max": 500_000,
        "groups_max": 2,
        "rows_max": 3,
        "columns": [{"column": "amount", "lower": 0, "upper": 100}],
    });
    orders
}

/// A query that states what each run of it costs.
fn definition(room: &Room, epsilon_micro: u64) -> Json {
    let mut definition = room.definition();
    let sql = "SELECT region, SUM(amount) AS total, COUNT(*) AS spend FROM orders GROUP BY region";
    definition["segments"] = json!([{
        "order": 1, "view": "result", "sql": sql, "pre_conditions": [], "post_filters": [],
    }]);
    definition["inputs"] = json!([{"alias": "orders", "dataset": room.orders.to_string()}]);
    definition["parameters"] = json!([]);
    definition["privacy"] = json!({"epsilon_micro": epsilon_micro, "delta_pico": 1_000});
    definition
}

/// A room with the private orders and an accepted query over them, which costs 0.4 a run.
async fn private() -> Room {
    let mut room = Room::at(Stage::Stocked).await;
    let policy = commands::publish_version(room.next(), room.id, room.orders, orders());
    room.litware.does(&policy).await;
    let draft = commands::draft(room.next(), room.id, definition(&room, 400_000));
    room.fabrikam.does(&draft).await;
    room.query = chancery_ledger::id::QueryId::new(draft.id.uuid());
    room.propose().await;
    // Contosso has no dataset in it.
    for person in [&room.litware, &room.fabrikam] {
        let vote = commands::approve(room.next(), room.id, room.query, &room.digest);
        person.does(&vote).await;
    }
    room
}

/// What runs took of the budget: epsilon in millionths, delta in 10⁻¹².
async fn used(room: &Room) -> (u64, u64) {
    let path = room.path(&format!("/datasets/{}/budget", room.orders));
    let standing = room.contosso.reads(&path).await;
    assert_eq!(standing.text("/privacy/period"), "life");
    assert_eq!(standing.number("/privacy/epsilon_micro"), 1_000_000);
    assert_eq!(standing.number("/privacy/delta_pico"), 10_000);
    assert_eq!(standing.json["privacy"]["renews_ms"], Json::Null);
    (standing.number("/privacy/epsilon_micro_used"), standing.number("/privacy/delta_pico_used"))
}

async fn readiness(room: &Room) -> Answer {
    room.fabrikam.reads(&room.path(&format!("/queries/{}/readiness", room.query))).await
}

#[tokio::test]
async fn a_run_over_the_budget_of_privacy_is_refused_before_it_runs() {
    let mut room = private().await;
    assert_eq!(used(&room).await, (0, 0));
    // What nobody was admitted to gives back what it took.
    room.request().await.ok();
    assert_eq!(used(&room).await, (400_000, 1_000));
    room.fabrikam.does(&commands::cancel_run(room.next(), room.id, room.run)).await;
    assert_eq!(used(&room).await, (0, 0));
    for runs in 1..=2 {
        room.request().await.ok();
        let executor = room.executor().await;
        executor.does(&executor.admit(&room)).await;
        assert_eq!(used(&room).await, (runs * 400_000, runs * 1_000));
    }
    // 0.2 is left.
    let ready = readiness(&room).await;
    assert_eq!(ready.reasons(), ["privacy_budget_spent"]);
    let refused = room.request().await;
    refused.assert_problem(409, "run_refused");
    assert_eq!(refused.reasons(), ["privacy_budget_spent"]);
    assert_eq!(refused.text("/reasons/0/subject"), format!("dataset/{}", room.orders));
    let told = refused.text("/reasons/0/detail");
    assert!(told.contains("ε 0.4") && told.contains("ε 0.2"), "{told}");
    assert_eq!(refused.text("/reasons/0/remedy/step"), "raise_budget");
    assert_eq!(refused.list("/reasons/0/remedy/who"), [json!(room.litware_id().to_string())]);
    assert_eq!(used(&room).await, (800_000, 2_000), "a refusal takes nothing");
    let shown = room.fabrikam.reads(&room.path(&format!("/runs/{}", room.run))).await;
    assert_eq!((shown.text("/stage"), shown.text("/refused_at")), ("refused", "request"));
    room.finish().await;
}

#[tokio::test]
async fn a_cost_that_the_policy_does_not_take_and_a_policy_that_is_none_are_refused() {
    let room = private().await;
    let draft = commands::draft(room.next(), room.id, definition(&room, 500_001));
    room.fabrikam.refused(&draft, 422, "invalid_privacy_loss").await;
    let mut silent = definition(&room, 1);
    silent.as_object_mut().unwrap().remove("privacy");
    let draft = commands::draft(room.next(), room.id, silent);
    room.fabrikam.refused(&draft, 422, "invalid_privacy_loss").await;
    let mut nobody = orders();
    nobody["policy"]["differential_privacy"]["unit"] = json!("nothing");
    let publish = commands::publish_version(room.next(), room.id, room.orders, nobody);
    room.litware.refused(&publish, 422, "invalid_descriptor").await;
    room.finish().await;
}

#[tokio::test]
async fn a_query_shows_what_runs_will_take_and_a_run_what_it_took() {
    let mut room = private().await;
    let charges = json!([{
        "dataset": room.orders.to_string(), "dataset_name": "orders",
        "epsilon_micro": 400_000, "delta_pico": 1_000,
    }]);
    let query = room.contosso.reads(&room.path(&format!("/queries/{}", room.query))).await;
    assert_eq!(query.json["proposal"]["charges"], charges);
    room.request().await.ok();
    let path = |room: &Room| room.path(&format!("/runs/{}", room.run));
    let run = room.contosso.reads(&path(&room)).await;
    assert_eq!((&run.json["charges"], &run.json["given_back"]), (&charges, &json!(false)));
    room.fabrikam.does(&commands::cancel_run(room.next(), room.id, room.run)).await;
    let run = room.contosso.reads(&path(&room)).await;
    assert_eq!((&run.json["charges"], &run.json["given_back"]), (&charges, &json!(true)));
    assert_eq!(used(&room).await, (0, 0));
    // Admitted once, it is spent.
    room.request().await.ok();
    let executor = room.executor().await;
    executor.does(&executor.admit(&room)).await;
    room.fabrikam.does(&commands::cancel_run(room.next(), room.id, room.run)).await;
    let run = room.contosso.reads(&path(&room)).await;
    assert_eq!((&run.json["charges"], &run.json["given_back"]), (&charges, &json!(false)));
    assert_eq!(used(&room).await, (400_000, 1_000));
    room.finish().await;
}
