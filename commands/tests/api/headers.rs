//! `Idempotency-Key` and `If-Match`.

use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;

use crate::support::room::{Room, Stage};
use crate::support::{Service, commands, fixtures};

#[tokio::test]
async fn a_command_needs_one_fresh_uuid_of_version_7() {
    let service = Service::start().await;
    let olivia = service.person("olivia@litware.example").await;
    let create = commands::create(service.id(), &[], true);
    let call = olivia.call(&create);
    let missing = call.clone().without("idempotency-key");
    service.refuses(missing, 400, "idempotency_key_missing").await;
    for invalid in [
        "0b5b3a4c-9f55-4d4f-8b0c-3c5d2c8f1a11", // version 4
        "01941F29-7C00-7000-8000-000000000001",
        "019 41f29",
        "",
        "{01941f29-7c00-7000-8000-000000000001}",
    ] {
        let call = call.clone().header("idempotency-key", invalid);
        service.refuses(call, 400, "idempotency_key_invalid").await;
    }
    let twice = call.clone().also("idempotency-key", &create.id.to_string());
    service.refuses(twice, 400, "header_malformed").await;
    let latin = call.header("idempotency-key", b"\xe9");
    service.refuses(latin, 400, "header_malformed").await;
    service.finish().await;
}

#[tokio::test]
async fn the_same_command_again_gets_the_first_outcome() {
    let room = Room::at(Stage::Stocked).await;
    let draft = commands::draft(room.next(), room.id, room.definition());
    let first = room.fabrikam.does(&draft).await;
    assert_eq!(first.json["replayed"], false);
    let before = room.service.sizes().await;
    // Another signature, of another time, over the same command.
    room.service.advance(1000);
    let again = room.fabrikam.does(&draft).await;
    assert_eq!(again.status, first.status);
    assert_eq!(again.json["replayed"], true);
    let mut expected = first.json.clone();
    expected["replayed"] = true.into();
    assert_eq!(again.json, expected);
    assert_eq!(again.header("etag"), first.header("etag"));
    // Another spelling of the same JSON.
    let spelt = draft.body.to_string().replace("Spend", "\\u0053pend");
    let spelt = room.service.send(room.fabrikam.call(&draft).body(spelt)).await.ok();
    assert_eq!(spelt.json, expected);
    assert_eq!(room.service.sizes().await, before);

    let mut other = room.definition();
    other["name"] = "Another".into();
    let other =
        commands::Command { body: serde_json::json!({"definition": other}), ..draft.clone() };
    room.fabrikam.refused(&other, 409, "command_id_reused").await;
    let policy = commands::set_policy(draft.id, room.id, &[fixtures::application()]);
    room.litware.refused(&policy, 409, "command_id_reused").await;
    let stranger = crate::support::person::Person::stranger(&room.service);
    stranger.refused(&draft, 404, "collaboration_not_found").await;
    room.finish().await;
}

#[tokio::test]
async fn a_replayed_creation_is_known_to_its_creator_only() {
    let room = Room::at(Stage::Created).await;
    let create = commands::create(chancery_ledger::id::CommandId::new(room.id.uuid()), &[], true);
    let again = room.litware.does(&create).await;
    assert_eq!((again.status, &again.json["replayed"]), (201, &true.into()));
    room.contosso.refused(&create, 404, "collaboration_not_found").await;
    room.finish().await;
}

#[tokio::test]
async fn an_expected_version_must_be_the_one_that_stands() {
    let room = Room::at(Stage::Stocked).await;
    let version = room.contosso.reads(&room.path(&format!("/datasets/{}", room.campaigns))).await;
    let version = version.number("/version");
    let publish =
        |descriptor| commands::publish_version(room.next(), room.id, room.campaigns, descriptor);
    let moved = publish(fixtures::moved(fixtures::campaigns()));
    let call = room.contosso.call(&moved);
    for stale in [0, version - 1, version + 1, u64::MAX] {
        let call = call.clone().if_match(stale);
        let answer = room.service.refuses(call, 412, "stale_version").await;
        assert!(answer.text("/detail").contains(&version.to_string()));
    }
    for malformed in
        ["*", "1", "\"\"", "\"-1\"", "W/\"1\"", "\"1\", \"2\"", "\"18446744073709551616\""]
    {
        let call = call.clone().header("if-match", malformed);
        room.service.refuses(call, 400, "if_match_malformed").await;
    }
    let twice = call.clone().if_match(version).also("if-match", "\"1\"");
    room.service.refuses(twice, 400, "header_malformed").await;
    let done = room.service.send(call.if_match(version)).await.ok();
    assert!(done.number("/version") > version);
    assert_eq!(done.header("etag"), format!("\"{}\"", done.number("/version")));
    let stale = publish(fixtures::campaigns());
    let call = room.contosso.call(&stale).if_match(version);
    room.service.refuses(call, 412, "stale_version").await;
    // What does not exist yet has no version to expect.
    let new = commands::publish(room.next(), room.id, fixtures::campaigns());
    let call = room.contosso.call(&new).if_match(0);
    room.service.refuses(call, 412, "stale_version").await;
    room.finish().await;
}

#[tokio::test]
async fn of_signed_commands_the_signed_version_counts() {
    let room = Room::at(Stage::Stocked).await;
    let version = room.service.state(room.id).await.versions
        [&chancery_governance::subject::Subject::Dataset(room.orders)];
    let moved = commands::publish_version(
        room.next(),
        room.id,
        room.orders,
        fixtures::moved(fixtures::orders()),
    );
    let key = room.litware.key.clone().unwrap();
    let mut signed = room.litware.to_sign(&moved);
    let call = |signed: &SignedCommand| {
        room.litware.signed_with(&moved, signed, ContentType::Command, &key)
    };
    // Not signed, so the service will not pretend that it was.
    let unsigned = call(&signed).if_match(version);
    room.service.refuses(unsigned, 400, "if_match_not_signed").await;
    signed.expected_version = Some(version + 1);
    room.service.refuses(call(&signed), 412, "stale_version").await;
    let both = call(&signed).if_match(version);
    room.service.refuses(both, 400, "if_match_not_signed").await;
    signed.expected_version = Some(version);
    room.service.send(call(&signed).if_match(version)).await.ok();
    room.finish().await;
}
