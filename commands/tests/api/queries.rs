//! Queries: what can be drafted, who votes, on what.

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{DatasetId, QueryId};
use serde_json::{Value as Json, json};

use crate::support::room::{Room, Stage};
use crate::support::{commands, fixtures};

/// Reads Contosso's only: Litware has no vote.
fn without_litware(room: &Room) -> Json {
    json!({
        "name": "Spend",
        "segments": [{
            "order": 1, "view": "result",
            "sql": "SELECT region, COUNT(*) AS total, SUM(spend) AS spend \
                    FROM campaigns GROUP BY region",
            "pre_conditions": [], "post_filters": [],
        }],
        "inputs": [{"alias": "campaigns", "dataset": room.campaigns.to_string()}],
        "output": room.report.to_string(),
        "parameters": [],
    })
}

#[tokio::test]
async fn only_approvers_vote_once_on_what_is_proposed() {
    let room = Room::at(Stage::Drafted).await;
    let vote =
        |query: QueryId, digest: &str| commands::approve(room.next(), room.id, query, digest);
    let none = Digest::of(b"none").to_string();
    room.litware.refused(&vote(room.query, &none), 409, "query_not_proposed").await;
    let nothing = QueryId::new(room.next().uuid());
    room.litware.refused(&vote(nothing, &none), 404, "query_not_found").await;

    let draft = commands::draft(room.next(), room.id, without_litware(&room));
    room.fabrikam.does(&draft).await;
    let query = QueryId::new(draft.id.uuid());
    let propose = commands::on_query(room.next(), room.id, query, "propose");
    room.contosso.refused(&propose, 403, "ability_missing").await;
    room.fabrikam.does(&propose).await;
    let view = room.contosso.reads(&room.path(&format!("/queries/{query}"))).await;
    let digest = view.text("/proposal/digest").to_owned();
    let pending = view.list("/proposal/pending");
    assert_eq!(pending.len(), 2, "{pending:?}");

    room.litware.refused(&vote(query, &digest), 403, "not_an_approver").await;
    let reject = commands::reject(room.next(), room.id, query, &digest);
    room.litware.refused(&reject, 403, "not_an_approver").await;
    room.contosso.refused(&vote(query, &none), 409, "query_digest_mismatch").await;
    let mut named = vote(query, &digest);
    named.body["approvers"] = json!([room.contosso_id.to_string()]);
    room.contosso.refused(&named, 422, "invalid_content").await;
    assert_eq!(room.contosso.does(&vote(query, &digest)).await.kinds(), ["QueryApproved"]);
    room.contosso.refused(&vote(query, &digest), 409, "already_voted").await;
    let reject = commands::reject(room.next(), room.id, query, &digest);
    room.contosso.refused(&reject, 409, "already_voted").await;
    let revise = commands::revise(room.next(), room.id, query, without_litware(&room));
    room.fabrikam.refused(&revise, 409, "query_not_editable").await;
    let last = room.fabrikam.does(&vote(query, &digest)).await;
    assert_eq!(last.kinds(), ["QueryApproved", "QueryAccepted"]);
    room.fabrikam.refused(&vote(query, &digest), 409, "already_voted").await;
    room.finish().await;
}

#[tokio::test]
async fn one_no_ends_a_proposal() {
    let room = Room::at(Stage::Proposed).await;
    let vote = || commands::approve(room.next(), room.id, room.query, &room.digest);
    room.litware.does(&vote()).await;
    let mut long = commands::reject(room.next(), room.id, room.query, &room.digest);
    long.body["comment"] = json!("x".repeat(2001));
    room.contosso.refused(&long, 422, "limit_exceeded").await;
    let reject = commands::reject(room.next(), room.id, room.query, &room.digest);
    assert_eq!(room.contosso.does(&reject).await.kinds(), ["QueryRejected"]);
    room.fabrikam.refused(&vote(), 409, "query_not_proposed").await;
    let propose = commands::on_query(room.next(), room.id, room.query, "propose");
    room.fabrikam.refused(&propose, 409, "query_not_editable").await;
    let view = room.fabrikam.reads(&room.path(&format!("/queries/{}", room.query))).await;
    assert_eq!(view.text("/stage"), "rejected");
    assert_eq!(view.text("/rejected/comment"), "Not this one.");
    room.finish().await;
}

#[tokio::test]
async fn a_new_version_of_a_dataset_voids_the_votes_on_the_old_one() {
    let room = Room::at(Stage::Accepted).await;
    let moved = fixtures::moved(fixtures::orders());
    let publish = commands::publish_version(room.next(), room.id, room.orders, moved.clone());
    let answer = room.litware.does(&publish).await;
    assert_eq!(answer.kinds(), ["DatasetPublished", "QuerySuperseded"]);
    let unchanged = commands::publish_version(room.next(), room.id, room.orders, moved);
    room.litware.refused(&unchanged, 409, "dataset_unchanged").await;
    let vote = commands::approve(room.next(), room.id, room.query, &room.digest);
    room.litware.refused(&vote, 409, "query_not_proposed").await;
    room.finish().await;
}

#[tokio::test]
async fn a_query_reads_and_writes_what_is_there() {
    let room = Room::at(Stage::Stocked).await;
    let with = |pointer: &str, value: Json| {
        let mut definition = room.definition();
        *definition.pointer_mut(pointer).unwrap() = value;
        commands::draft(room.next(), room.id, definition)
    };
    let nothing = json!(DatasetId::new(room.next().uuid()).to_string());
    let (orders, report) = (json!(room.orders.to_string()), json!(room.report.to_string()));
    let absent = with("/inputs/0/dataset", nothing.clone());
    let answer = room.fabrikam.refused(&absent, 404, "dataset_not_found").await;
    assert_eq!(answer.text("/reasons/0/subject"), format!("dataset/{}", nothing.as_str().unwrap()));
    for (pointer, value, status, code) in [
        ("/output", nothing, 404, "dataset_not_found"),
        ("/output", orders, 409, "dataset_access_mode"),
        ("/inputs/0/dataset", report, 409, "dataset_access_mode"),
        ("/inputs/0/dataset", json!("orders"), 422, "invalid_content"),
        ("/inputs", json!([]), 422, "limit_exceeded"),
        ("/segments", json!([]), 422, "limit_exceeded"),
        ("/segments/0/order", json!(1001), 422, "limit_exceeded"),
        ("/segments/0/order", json!(-1), 422, "invalid_content"),
        ("/segments/0/pre_conditions/0/view", json!("result"), 422, "invalid_query"),
        ("/segments/0/post_filters/0/column", json!("region"), 422, "invalid_query"),
        ("/name", json!(""), 422, "invalid_name"),
        ("/parameters/0/value", json!({"kind": "long", "value": "3"}), 422, "invalid_content"),
    ] {
        room.fabrikam.refused(&with(pointer, value), status, code).await;
    }
    let retire = commands::retire(room.next(), room.id, room.orders);
    room.litware.does(&retire).await;
    let draft = commands::draft(room.next(), room.id, room.definition());
    room.fabrikam.refused(&draft, 409, "dataset_retired").await;
    room.finish().await;
}

#[tokio::test]
async fn a_refused_text_comes_with_its_code_and_place() {
    let room = Room::at(Stage::Stocked).await;
    let with = |sql: &str| {
        let mut definition = room.definition();
        definition["segments"][0]["sql"] = json!(sql);
        definition["parameters"] = json!([]);
        commands::draft(room.next(), room.id, definition)
    };
    for (sql, code, place) in [
        ("SELECT FROM WHERE", "sql_syntax", "line 1, column"),
        (
            "SELECT region AS region, 1 AS total FROM secrets",
            "sql_unknown_relation",
            "line 1, column 42",
        ),
        (
            "SELECT region,\n  secret AS total\nFROM orders",
            "sql_unknown_column",
            "line 2, column 3",
        ),
        ("SELECT region, COUNT(*) AS total FROM csv.`/etc/passwd`", "sql_", "line 1, column"),
        (
            "SELECT region, java_method('a','b') AS total FROM orders",
            "sql_function_reflects",
            "line 1, column 16",
        ),
        ("DROP TABLE orders", "sql_definition", "line 1, column 1"),
        ("SELECT region, total FROM orders; SELECT 1", "sql_not_one_select", "text: "),
        (
            "SELECT /*+ BROADCAST(o) */ region, COUNT(*) AS total FROM orders o GROUP BY region",
            "sql_",
            "line 1, column 8",
        ),
        (
            "SELECT region, COUNT(*) AS total FROM orders WHERE amount > :floor GROUP BY region",
            "sql_unknown_parameter",
            "line 1, column 61",
        ),
    ] {
        let draft = with(sql);
        let before = room.service.sizes().await;
        let answer = room.fabrikam.tries(&draft).await;
        let found = answer.text("/code").to_owned();
        assert!(found.starts_with(code), "{sql}: {}", answer.json);
        answer.assert_problem(422, &found);
        assert_eq!(room.service.sizes().await, before);
        assert_eq!(answer.text("/reasons/0/subject"), "segment/totals");
        assert!(answer.text("/reasons/0/detail").contains(place), "{sql}: {}", answer.json);
    }
    // All at once.
    let two = with("SELECT secret AS region, java_method('a') AS total FROM orders");
    let answer = room.fabrikam.refused(&two, 422, "sql_unknown_column").await;
    assert_eq!(answer.reasons(), ["sql_unknown_column", "sql_function_not_allowed"]);
    room.finish().await;
}
