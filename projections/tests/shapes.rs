//! The JSON that the HTTP API gives, and what must never be in it.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod story;

use chancery_projections::Rows;
use serde_json::{Value, json};
use story::{Person, Story, id};

fn whole() -> (Story, Rows) {
    let story = Story::whole(1);
    let rows = story.rows(story.entries.len());
    (story, rows)
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_query_shows_its_votes_and_both_texts() {
    let (_, rows) = whole();
    let query = serde_json::to_value(rows.queries()[0]).unwrap();
    assert_eq!(query["stage"], "superseded");
    assert_eq!(query["superseded"]["code"], "dataset_version_changed");
    assert_eq!(query["marks"][0]["kind"], "execution");
    assert_eq!(query["marks"][0]["organisation"], "Fabrikam");
    let proposal = &query["proposal"];
    assert_eq!(
        keys(proposal),
        [
            "accepted",
            "applications",
            "approvers",
            "charges",
            "demands",
            "digest",
            "groups",
            "inputs",
            "output",
            "pending",
            "proposed",
            "runs_until_ms",
            "texts",
            "votes_until_ms"
        ]
    );
    assert!(proposal["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(proposal["pending"], json!([]));
    assert_eq!(proposal["approvers"].as_array().unwrap().len(), 3);
    let first = &proposal["approvers"][0];
    assert_eq!(keys(first), ["by_rule", "leaf", "member", "organisation", "vote", "voted"]);
    assert_eq!((&first["organisation"], &first["vote"]), (&json!("Litware"), &json!("approved")));
    assert!(first["voted"]["time_ms"].is_u64() && first["voted"]["position"].is_u64());
    let text = &proposal["texts"][0];
    assert_eq!(keys(text), ["order", "original", "rewritten", "view"]);
    assert!(text["original"].as_str().unwrap().starts_with("SELECT p.model"));
    assert!(!text["rewritten"].as_str().unwrap().is_empty());
}

#[test]
fn a_rejection_names_who_and_why_until_the_query_is_revised() {
    let mut story = Story::proposed(1);
    assert!(story.approve(Person::Litware, 0));
    assert!(story.reject(Person::Contosso, 0));
    let rows = story.rows(story.entries.len());
    let query = serde_json::to_value(rows.queries()[0]).unwrap();
    assert_eq!(query["stage"], "rejected");
    assert_eq!(query["rejected"]["organisation"], "Contosso");
    assert_eq!(query["rejected"]["comment"], "Too fine.");
    let votes = query["proposal"]["approvers"].as_array().unwrap().iter();
    let votes: Vec<_> = votes.map(|approver| approver["vote"].clone()).collect();
    assert_eq!(votes, ["approved", "rejected", "pending"]);
    assert_eq!(query["proposal"]["pending"].as_array().unwrap().len(), 1);
    assert!(story.revise(0));
    let rows = story.rows(story.entries.len());
    let query = serde_json::to_value(rows.queries()[0]).unwrap();
    assert_eq!(
        (&query["stage"], &query["proposal"], &query["rejected"]),
        (&json!("draft"), &Value::Null, &Value::Null)
    );
    assert_eq!(query["definition"]["name"], "Query 0, again");
}

#[test]
fn runs_show_their_one_outcome_and_the_way_there() {
    let (_, rows) = whole();
    let runs: Vec<_> =
        rows.runs().into_iter().map(|run| serde_json::to_value(run).unwrap()).collect();
    let stages: Vec<_> = runs.iter().map(|run| run["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["succeeded", "cancelled", "refused"]);
    let [succeeded, cancelled, refused] = &runs[..] else { panic!("three runs") };
    assert_eq!(succeeded["executor"]["platform"], "insecure-virtual");
    assert_eq!(succeeded["tracking"], "local-1");
    assert_eq!(succeeded["result"]["manifest"]["rows"], 3);
    assert_eq!(succeeded["result"]["statistics"]["segments"][0]["duration_ms"], 20);
    let steps: Vec<_> = succeeded["timeline"].as_array().unwrap().iter().collect();
    let reached: Vec<_> = steps.iter().map(|step| step["stage"].as_str().unwrap()).collect();
    assert_eq!(reached, ["requested", "admitted", "submitted", "started", "succeeded"]);
    assert!(steps.iter().map(|step| step["position"].as_u64().unwrap()).is_sorted());
    assert_eq!(cancelled["reasons"][0]["code"], "consent_withdrawn");
    assert_eq!((&refused["refused_at"], &refused["digest"]), (&json!("request"), &Value::Null));
    assert_eq!(refused["reasons"][0]["code"], "consent_withdrawn");
    assert_eq!(refused["query_name"], "Query 0");
}

#[test]
fn datasets_members_and_invitations_have_their_shapes() {
    let (story, rows) = whole();
    let dataset = serde_json::to_value(rows.datasets()[0]).unwrap();
    assert_eq!(dataset["owner_organisation"], "Litware");
    assert_eq!(dataset["versions"].as_array().unwrap().len(), 2);
    assert_eq!(dataset["descriptor"]["store"], json!({"kind": "local", "path": "data/v1"}));
    assert_eq!(dataset["descriptor"]["format"], json!({"kind": "csv", "null_value": null}));
    assert_eq!(dataset["digest"], dataset["versions"][1]["digest"]);
    assert_eq!(dataset["retired"], Value::Null);
    let stages: Vec<_> = rows
        .invitations()
        .into_iter()
        .map(|row| serde_json::to_value(row.stage).unwrap())
        .collect();
    assert_eq!(stages, ["accepted", "accepted", "withdrawn"]);
    let room = serde_json::to_value(rows.collaboration().unwrap()).unwrap();
    assert_eq!(room["id"], story.room.to_string());
    assert_eq!((&room["member_count"], &room["marks"]), (&json!(3), &json!([])));
    assert_eq!(room["service_evidence"], "insecure-virtual");
    assert_eq!((&room["lifecycle"], &room["stopped"]), (&json!("open"), &Value::Null));
    assert_eq!((&room["demands"], &room["only"]), (&json!({}), &json!([])));
    let owner = serde_json::to_value(rows.members()[0]).unwrap();
    assert_eq!(owner["abilities"], json!(["owner", "data_provider"]));
    assert_eq!(owner["id"], room["owner"]);
}

#[test]
fn a_pause_and_a_close_are_shown_with_who_and_why() {
    let mut story = Story::proposed(1);
    assert!(story.pause());
    let room = |story: &Story| {
        let rows = story.rows(story.entries.len());
        serde_json::to_value(rows.collaboration().unwrap()).unwrap()
    };
    let shown = room(&story);
    assert_eq!(shown["lifecycle"], "paused");
    assert_eq!(shown["stopped"]["organisation"], "Litware");
    assert_eq!(shown["stopped"]["reason"], "An incident.");
    assert!(story.resume());
    assert_eq!(room(&story)["stopped"], Value::Null);
    assert!(story.close());
    assert_eq!(room(&story)["lifecycle"], "closed");
    assert_eq!(room(&story)["stopped"]["at"]["position"], story.entries.len() as u64 - 1);
}

#[test]
fn no_ciphertext_of_an_email_is_in_any_row() {
    let (story, rows) = whole();
    let state = story.collaboration();
    let sealed = &state.invitations[&id(0x60)].email;
    let mut all = vec![serde_json::to_string(rows.collaboration().unwrap()).unwrap()];
    all.extend(rows.members().into_iter().map(|row| serde_json::to_string(row).unwrap()));
    all.extend(rows.invitations().into_iter().map(|row| serde_json::to_string(row).unwrap()));
    assert!(!all.iter().any(|row| row.contains(&sealed.ciphertext)));
    assert!(all.iter().any(|row| row.contains(&sealed.commitment.to_string())));
}
