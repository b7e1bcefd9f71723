//! Who is let in at all.

use serde_json::json;

use crate::support::answer::Call;
use crate::support::person::Person;
use crate::support::room::{Room, Stage};
use crate::support::{Service, commands, tokens};

#[tokio::test]
async fn a_request_without_a_good_token_is_refused() {
    let room = Room::at(Stage::Created).await;
    let service = &room.service;
    let good = tokens::claims(service, "somebody");
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[name] = value;
        tokens::signed(service.issuer_key(), &claims)
    };
    let now_s = service.now_ms() / 1000;
    let foreign = Service::start().await;
    let of_foreign = foreign.person("olivia@litware.example").await.token;
    let stranger = Person::stranger(service).token;
    let (body, signature) = stranger.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let flipped = format!("{body}.{first}{}", &signature[1..]);
    let other_key = tokens::signed(&tokens::new_key(), &good);
    for (token, code) in [
        (of_foreign, "token_issuer_unknown"),
        (with("iss", json!("https://login.example")), "token_issuer_unknown"),
        (with("iss", json!(format!("{}/", service.issuer()))), "token_issuer_unknown"),
        (with("aud", json!("chancery-cli")), "token_audience_mismatch"),
        (with("exp", json!(now_s - 61)), "token_expired"),
        (with("nbf", json!(now_s + 61)), "token_not_yet_valid"),
        (with("tid", json!(null)), "token_claim_missing"),
        (with("sub", json!("")), "token_claim_invalid"),
        (other_key, "token_key_unknown"),
        (flipped, "token_signature_invalid"),
        (body.to_owned(), "token_malformed"),
        ("x".repeat(17 * 1024), "token_too_large"),
    ] {
        let create = commands::create(service.id(), &[], true);
        let call = room.litware.call(&create).token(&token);
        service.refuses(call, 401, code).await;
        service.refuses(Call::get("/v1/me").token(&token), 401, code).await;
    }
    for path in
        ["/v1/me", "/v1/collaborations", "/v1/log/heads", &room.path(""), &room.path("/bundle")]
    {
        let answer = service.refuses(Call::get(path), 401, "token_missing").await;
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"chancery\"");
        let basic = Call::get(path).header("authorization", "Basic YTpi");
        service.refuses(basic, 401, "token_missing").await;
        // A token in the URL would end up in logs.
        let asked = format!("{path}?access_token={}", room.litware.token);
        service.refuses(Call::get(&asked), 401, "token_missing").await;
    }
    foreign.stop();
    room.finish().await;
}

#[tokio::test]
async fn a_token_ends_and_its_member_does_not() {
    let room = Room::at(Stage::Created).await;
    let service = &room.service;
    service.advance(61 * 60 * 1000);
    let answer = service.refuses(room.litware.get("/v1/me"), 401, "token_expired").await;
    assert!(answer.header("www-authenticate").contains("invalid_token"));
    let again = service.person("olivia@litware.example").await;
    let me = again.reads("/v1/me").await;
    assert_eq!(me.text("/members/0/collaboration"), room.id.to_string());
    assert_eq!(me.text("/verified_email"), "olivia@litware.example");
    room.finish().await;
}

#[tokio::test]
async fn the_same_subject_of_another_tenant_is_somebody_else() {
    let room = Room::at(Stage::Created).await;
    let mut claims = tokens::claims(&room.service, "litware-olivia");
    claims["email"] = json!("olivia@litware.example");
    let impostor = Person::with_claims(&room.service, &claims);
    let get = impostor.get(&room.path(""));
    room.service.refuses(get, 404, "collaboration_not_found").await;
    let policy = commands::set_policy(room.next(), room.id, &[]);
    impostor.refused(&policy, 404, "collaboration_not_found").await;
    assert_eq!(impostor.reads("/v1/me").await.list("/members").len(), 0);
    room.finish().await;
}
