//! Where a query's output comes from, and under which policies: what approvers sign, taken apart.

use serde_json::json;

use crate::support::room::{Room, Stage};

#[tokio::test]
async fn a_proposal_tells_the_sources_of_its_output_and_the_policies_of_its_inputs() {
    let room = Room::at(Stage::Proposed).await;
    let path = room.path(&format!("/queries/{}/lineage", room.query));
    let told = room.contosso.reads(&path).await;
    assert_eq!(told.json["digest"], room.digest.clone());
    let source = |input: &str, column: &str| json!({"input": input, "column": column});
    assert_eq!(
        told.json["columns"],
        json!([
            {"name": "region", "type": "string", "aggregated": false,
             "sources": [source("orders", "region")]},
            {"name": "total", "type": "long", "aggregated": true, "sources": []},
            {"name": "spend", "type": "long", "aggregated": false,
             "sources": [source("campaigns", "spend")]},
        ])
    );
    assert_eq!(
        told.json["policies"][0],
        json!({"alias": "orders", "policy": {
            "allowed_columns": ["customer", "region", "amount"],
            "minimum_group": {"identity": {"kind": "column", "column": "customer"}, "count": 10},
        }})
    );
    room.finish().await;
}

#[tokio::test]
async fn a_draft_has_no_lineage_yet() {
    let room = Room::at(Stage::Drafted).await;
    let path = room.path(&format!("/queries/{}/lineage", room.query));
    let asked = room.contosso.get(&path);
    room.service.refuses(asked, 404, "proposal_not_found").await;
    let nothing = room.contosso.get(&room.path(&format!("/queries/{}/lineage", room.next())));
    room.service.refuses(nothing, 404, "query_not_found").await;
    room.finish().await;
}
