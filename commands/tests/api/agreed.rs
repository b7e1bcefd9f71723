//! What members agree on over HTTP: changes, abilities, leaving, approvals in advance.

use chancery_governance::subject::Subject;
use chancery_ledger::id::{ChangeId, MemberId, RuleId};
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::support::commands::{self, Command};
use crate::support::key;
use crate::support::room::{ANALYST, PROVIDER, Room, Stage};

fn command(room: &Room, subject: Subject, action: &'static str, rest: &str, body: Json) -> Command {
    Command {
        id: room.next(),
        collaboration: room.id,
        subject,
        action,
        method: Method::POST,
        path: room.path(rest),
        body,
        content: None,
    }
}

/// Begins something whose id is the command's.
fn begin(
    room: &Room,
    subject: fn(uuid::Uuid) -> Subject,
    action: &'static str,
    rest: &str,
    body: Json,
) -> Command {
    let mut command = command(room, room.subject(), action, rest, body);
    command.subject = subject(command.id.uuid());
    command
}

#[allow(clippy::needless_pass_by_value, reason = "tests make it where they call")]
fn ask(room: &Room, change: Json) -> (Command, ChangeId) {
    let of = |id| Subject::Change(ChangeId::new(id));
    let body = json!({"change": change, "expires_ms": null});
    let command = begin(room, of, "change.propose", "/changes", body);
    let id = ChangeId::new(command.id.uuid());
    (command, id)
}

fn yes(room: &Room, id: ChangeId, digest: &str) -> Command {
    let rest = format!("/changes/{id}/approve");
    command(room, Subject::Change(id), "change.approve", &rest, json!({"digest": digest}))
}

fn on_member(room: &Room, id: MemberId, action: &'static str, below: &str, body: Json) -> Command {
    command(room, Subject::Member(id), action, &format!("/members/{id}{below}"), body)
}

/// A room where all three work with keys.
async fn keyed(stage: Stage) -> Room {
    let mut room = Room::at(stage).await;
    let (id, member) = (room.id, room.contosso_id);
    room.contosso.takes_key(id, member, key(2)).await;
    room
}

#[tokio::test]
async fn all_members_change_the_terms_and_see_who_voted() {
    let room = keyed(Stage::Proposed).await;
    let terms = json!({
        "member_signed": ["votes"],
        "insecure_virtual": true,
        "groups": [{"name": "stewards", "members": [room.contosso_id.to_string()], "needed": 1}],
    });
    let (asked, id) = ask(&room, json!({"kind": "set_terms", "terms": terms}));
    let answer = room.litware.tries(&asked).await.ok();
    assert_eq!((answer.status, answer.kinds()), (201, vec!["ChangeProposed"]));
    let view = room.fabrikam.reads(&room.path(&format!("/changes/{id}"))).await;
    assert_eq!(view.json["change"]["terms"], terms);
    assert_eq!(view.json["stage"], "open");
    let digest = view.text("/digest").to_owned();

    let other = yes(&room, id, &format!("sha256:{}", "0".repeat(64)));
    room.contosso.refused(&other, 409, "change_digest_mismatch").await;
    let unsigned = yes(&room, id, &digest);
    room.service
        .refuses(room.contosso.witnessed(&unsigned), 403, "member_signature_required")
        .await;
    room.litware.does(&yes(&room, id, &digest)).await;
    room.contosso.does(&yes(&room, id, &digest)).await;
    let rest = format!("/changes/{id}/tally");
    let tally = room.litware.reads(&room.path(&rest)).await;
    assert_eq!(tally.json["pending"], json!([room.fabrikam_id.to_string()]));
    assert_eq!((tally.number("/needed"), tally.number("/approvals")), (3, 2));
    assert_eq!((&tally.json["carried"], &tally.json["open"]), (&json!(false), &json!(true)));
    let last = room.fabrikam.does(&yes(&room, id, &digest)).await;
    assert_eq!(last.kinds(), ["ChangeApproved", "ChangeCommitted", "QuerySuperseded"]);
    room.fabrikam.refused(&yes(&room, id, &digest), 409, "already_voted").await;

    let shown = room.litware.reads(&room.path("")).await;
    assert_eq!(shown.json["terms"], terms);
    let view = room.litware.reads(&room.path("/changes")).await;
    assert_eq!(view.json["items"][0]["stage"], "committed");
    assert_eq!(view.json["items"][0]["votes"].as_array().unwrap().len(), 3);
    let none = format!("/changes/{}", room.next());
    let missing = room.service.send(room.litware.get(&room.path(&none))).await;
    missing.assert_problem(404, "change_not_found");
    // A new proposal asks the group, which shows beside the owners.
    let revise = commands::revise(room.next(), room.id, room.query, room.definition());
    room.fabrikam.does(&revise).await;
    let propose = commands::on_query(room.next(), room.id, room.query, "propose");
    room.fabrikam.does(&propose).await;
    let view = room.litware.reads(&room.path(&format!("/queries/{}", room.query))).await;
    assert_eq!(view.json["proposal"]["groups"][0]["name"], "stewards");
    room.finish().await;
}

#[tokio::test]
async fn one_no_is_shown_with_its_reason() {
    let room = keyed(Stage::Joined).await;
    let change = json!({"kind": "grant_owner", "member": room.contosso_id.to_string()});
    let (asked, id) = ask(&room, change);
    room.litware.does(&asked).await;
    let digest = room.litware.reads(&room.path(&format!("/changes/{id}"))).await;
    let digest = digest.text("/digest").to_owned();
    let body = json!({"digest": digest, "comment": "One owner is enough."});
    let rest = format!("/changes/{id}/reject");
    room.fabrikam.does(&command(&room, Subject::Change(id), "change.reject", &rest, body)).await;
    let view = room.litware.reads(&room.path(&format!("/changes/{id}"))).await;
    assert_eq!(view.json["stage"], "rejected");
    assert_eq!(view.json["votes"][0]["comment"], "One owner is enough.");
    let rest = format!("/changes/{id}/withdraw");
    let late = command(&room, Subject::Change(id), "change.withdraw", &rest, json!({}));
    room.litware.refused(&late, 409, "change_not_open").await;
    room.finish().await;
}

#[tokio::test]
async fn who_leaves_sees_nothing_any_more_and_can_be_invited_again() {
    let room = Room::at(Stage::Requested).await;
    let leave = on_member(&room, room.contosso_id, "member.leave", "/leave", json!({}));
    room.litware.refused(&leave, 403, "not_yourself").await;
    let left = room.contosso.does(&leave).await;
    let kinds = ["CollaboratorRemoved", "DatasetRetired", "QuerySuperseded", "RunCancelled"];
    assert_eq!(left.kinds(), kinds);
    let members = room.litware.reads(&room.path("/members")).await;
    let gone = members.json["items"].as_array().unwrap().iter();
    let gone = gone.filter(|it| it["removed"]["departure"] == "left").count();
    assert_eq!(gone, 1);
    let room_view = room.litware.reads(&room.path("")).await;
    assert_eq!(room_view.number("/member_count"), 2);
    let unseen = room.service.send(room.contosso.get(&room.path("/members"))).await;
    unseen.assert_problem(404, "collaboration_not_found");
    let mine = room.contosso.reads("/v1/collaborations").await;
    assert!(mine.list("/items").is_empty());
    let me = room.contosso.reads("/v1/me").await;
    assert!(me.list("/members").is_empty());
    // The same address again, as another member.
    let contosso = &chancery_commands::dev_issuer::PEOPLE[1];
    let again = room.invites(contosso.email, Some(contosso.tenant), PROVIDER).await;
    room.contosso.does(&commands::accept(room.next(), room.id, again)).await;
    room.contosso.reads(&room.path("/members")).await;
    room.finish().await;
}

#[tokio::test]
async fn abilities_are_granted_and_revoked_one_by_one() {
    let room = Room::at(Stage::Joined).await;
    assert!(ANALYST.contains(&"runner"));
    let grant = |ability: &str| {
        let body = json!({"ability": ability});
        on_member(&room, room.contosso_id, "member.grant-ability", "/abilities/grant", body)
    };
    room.litware.does(&grant("auditor")).await;
    room.litware.refused(&grant("auditor"), 409, "ability_already_granted").await;
    room.litware.refused(&grant("owner"), 409, "change_vote_required").await;
    room.fabrikam.refused(&grant("runner"), 403, "ability_missing").await;
    let body = json!({"ability": "auditor"});
    let revoke =
        on_member(&room, room.contosso_id, "member.revoke-ability", "/abilities/revoke", body);
    assert_eq!(room.contosso.does(&revoke).await.kinds(), ["AbilityRevoked"]);
    room.finish().await;
}

#[tokio::test]
async fn a_rule_votes_and_is_shown_as_what_it_is() {
    let room = Room::at(Stage::Drafted).await;
    let rule = json!({
        "name": "Spend by region", "author": room.fabrikam_id.to_string(), "runner": null,
        "output": null, "expires_ms": null,
        "shape": {"kind": "reads", "inputs": [
            {"dataset": room.orders.to_string(), "columns": ["region", "amount"],
             "aggregates": ["customer"]},
            {"dataset": room.campaigns.to_string(), "columns": ["region", "spend"],
             "aggregates": []},
        ]},
    });
    let of = |id| Subject::Rule(RuleId::new(id));
    let set = begin(&room, of, "rule.set", "/rules", json!({"rule": rule}));
    let id = RuleId::new(set.id.uuid());
    let stored = room.contosso.tries(&set).await.ok();
    assert_eq!((stored.status, stored.kinds()), (201, vec!["AutoApprovalRuleSet"]));
    let propose = commands::on_query(room.next(), room.id, room.query, "propose");
    let proposed = room.fabrikam.does(&propose).await;
    assert_eq!(proposed.kinds(), ["QueryProposed", "QueryApprovedByRule"]);
    let view = room.litware.reads(&room.path(&format!("/queries/{}", room.query))).await;
    let approvers = view.list("/proposal/approvers");
    let contosso = room.contosso_id.to_string();
    let voted = approvers.iter().find(|it| it["member"] == contosso.as_str()).unwrap();
    assert_eq!(
        (&voted["vote"], &voted["by_rule"]["rule"]),
        (&json!("approved"), &json!(id.to_string()))
    );
    let rules = room.litware.reads(&room.path("/rules")).await;
    assert_eq!(rules.json["items"][0]["votes"], 1);
    assert_eq!(rules.json["items"][0]["rule"], rule);
    let rest = format!("/rules/{id}/remove");
    let remove = command(&room, Subject::Rule(id), "rule.remove", &rest, json!({}));
    room.litware.refused(&remove, 403, "not_the_rule_owner").await;
    room.contosso.does(&remove).await;
    let view = room.contosso.reads(&room.path(&format!("/rules/{id}"))).await;
    assert!(view.json["removed"].is_object());
    room.finish().await;
}
