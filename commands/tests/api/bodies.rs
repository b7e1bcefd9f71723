//! Bodies that can't be understood in one way only.

use chancery_commands::content::BODY_LEN_MAX;
use chancery_ledger::digest::Digest;
use serde_json::json;

use crate::support::room::{Room, Stage};
use crate::support::{Service, commands, fixtures};

#[tokio::test]
async fn an_unknown_missing_or_mistyped_field_is_refused_with_its_path() {
    let room = Room::at(Stage::Stocked).await;
    let publish = |at: &str, value: serde_json::Value| {
        let mut descriptor = fixtures::moved(fixtures::campaigns());
        let (parent, name) = at.rsplit_once('/').unwrap();
        descriptor.pointer_mut(parent).unwrap()[name] = value;
        commands::publish(room.next(), room.id, descriptor)
    };
    for (command, path) in [
        (publish("/colour", json!(1)), "descriptor.colour: is not a known field"),
        (
            publish("/columns/1/extra", json!(1)),
            "descriptor.columns[1].extra: is not a known field",
        ),
        (publish("/columns/0/type", json!("map")), "descriptor.columns[0].type: expected one of"),
        (publish("/columns/0/name", json!(7)), "descriptor.columns[0].name: expected a text"),
        (publish("/columns", json!({})), "descriptor.columns: expected a list"),
        (publish("/format", json!({"kind": "avro"})), "descriptor.format.kind: expected one of"),
        (publish("/format/extra", json!(1)), "descriptor.format.extra: is not a known field"),
        (publish("/store", json!([])), "descriptor.store: expected a map"),
        (publish("/policy", json!(null)), "descriptor.policy: expected a map"),
        (
            publish("/policy/minimum_group", json!({"identity": {"kind": "row"}, "count": -1})),
            "descriptor.policy.minimum_group.count: expected an integer",
        ),
        (
            publish("/policy/minimum_group", json!({"identity": {"kind": "row"}})),
            "descriptor.policy.minimum_group.count: is missing",
        ),
    ] {
        let answer = room.contosso.refused(&command, 422, "invalid_content").await;
        let detail = answer.text("/detail").to_lowercase();
        assert!(detail.starts_with(&path.to_lowercase()), "{detail}");
        assert_eq!(answer.reasons(), ["invalid_content"]);
    }
    for body in [json!([]), json!("text"), json!(7), json!(null), json!(true), json!({})] {
        let publish = commands::publish(room.next(), room.id, json!({})).with(body);
        room.contosso.refused(&publish, 422, "invalid_content").await;
    }
    room.finish().await;
}

#[tokio::test]
async fn a_body_that_two_readers_could_read_differently_is_refused() {
    let service = Service::start().await;
    let olivia = service.person("olivia@litware.example").await;
    let good = commands::create(service.id(), &[], true);
    let text = good.body.to_string();
    let with_name = |name: &str| format!("{{{name},{}", &text[1..]);
    let deep = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    for (body, code) in [
        (with_name("\"name\":\"Another\""), "json_not_canonical"),
        (text.replace("true", "1.5"), "json_not_canonical"),
        (text.replace("true", "1e3"), "json_not_canonical"),
        (text.replace("true", "18446744073709551616"), "json_not_canonical"),
        (deep(70), "json_not_canonical"),
        (deep(100_000), "json_not_canonical"),
        (text.replace("true", "{\"x\":1,\"x\":2}"), "json_not_canonical"),
        (String::new(), "json_malformed"),
        ("{".to_owned(), "json_malformed"),
        (format!("{text}{text}"), "json_malformed"),
        (format!("\u{feff}{text}"), "json_malformed"),
        (text.replace('"', "'"), "json_malformed"),
        (text.replace("Flights", "\\ud800"), "json_malformed"),
        (text.replace("true", "NaN"), "json_malformed"),
        (text.replace("true", "01"), "json_malformed"),
    ] {
        let call = olivia.call(&good).body(body);
        let answer = service.refuses(call, 400, code).await;
        let place = answer.text("/detail");
        assert!(place.contains("line 1 column") || place.contains("line 0 column"), "{place}");
    }
    let mut not_text = text.clone().into_bytes();
    not_text[11] = 0xff;
    service.refuses(olivia.call(&good).body(not_text), 400, "json_malformed").await;
    olivia.does(&good).await;
    service.finish().await;
}

#[tokio::test]
async fn only_json_is_read_and_only_up_to_the_bound() {
    let service = Service::start().await;
    let olivia = service.person("olivia@litware.example").await;
    let create = commands::create(service.id(), &[], true);
    for media in
        ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "json"]
    {
        let call = olivia.call(&create).header("content-type", media);
        service.refuses(call, 415, "unsupported_media_type").await;
    }
    let call = olivia.call(&create).without("content-type");
    service.refuses(call, 415, "unsupported_media_type").await;

    let mut body = create.body.to_string().into_bytes();
    body.resize(BODY_LEN_MAX + 1, b' ');
    let answer = service.refuses(olivia.call(&create).body(body.clone()), 413, "payload_too_large");
    assert!(answer.await.text("/detail").contains("524288"));
    body.resize(BODY_LEN_MAX, b' ');
    let call = olivia.call(&create).body(body);
    let call = call.header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(service.send(call).await.ok().status, 201);
    service.finish().await;
}

#[tokio::test]
async fn texts_and_lists_have_bounds() {
    let room = Room::at(Stage::Joined).await;
    for name in ["", " ", "a\u{0}b", "a\nb", &"x".repeat(201)] {
        let mut create = commands::create(room.next(), &[], true);
        create.body["name"] = json!(name);
        room.contosso.refused(&create, 422, "invalid_name").await;
    }
    let many: Vec<_> = (0..65_u8).map(|n| Digest::of(&[n])).collect();
    let policy = |of: &[Digest]| commands::set_policy(room.next(), room.id, of);
    room.litware.refused(&policy(&many), 422, "limit_exceeded").await;
    room.litware.refused(&policy(&[]), 422, "invalid_clean_room_policy").await;
    room.litware.refused(&policy(&[many[0], many[0]]), 422, "invalid_clean_room_policy").await;
    let mut upper = policy(&many[..1]);
    upper.body["applications"][0] = json!(many[0].to_string().to_uppercase());
    room.litware.refused(&upper, 422, "invalid_content").await;
    let mut other = commands::enable_workload(room.next(), room.id);
    other.body["workload"] = json!("trino");
    room.litware.refused(&other, 422, "unknown_workload").await;
    room.litware.does(&policy(&many[..64])).await;
    room.finish().await;
}
