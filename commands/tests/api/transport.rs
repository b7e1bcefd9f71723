//! What every answer has in common.

use reqwest::Method;

use crate::support::Service;
use crate::support::answer::Call;
use crate::support::room::{Room, Stage};

#[tokio::test]
async fn unknown_routes_and_methods_are_problems_too() {
    let room = Room::at(Stage::Created).await;
    let service = &room.service;
    for path in ["/", "/v1", "/v1/", "/v2/collaborations", "/v1/collaborations/", "/favicon.ico"] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            service.refuses(Call::new(method, path), 404, "not_found").await;
        }
    }
    for (method, path) in [
        (Method::DELETE, "/v1/collaborations".to_owned()),
        (Method::PATCH, room.path("")),
        (Method::POST, "/v1/service".to_owned()),
        (Method::POST, "/openapi.json".to_owned()),
        (Method::PUT, room.path("/entries")),
        (Method::OPTIONS, room.path("/bundle")),
    ] {
        let answer = service.refuses(Call::new(method, &path), 405, "method_not_allowed").await;
        assert!(!answer.header("allow").is_empty(), "{path}: no Allow (RFC 9110 section 15.5.6)");
    }
    let undecodable = room.litware.get("/v1/collaborations/%ff/datasets");
    service.refuses(undecodable, 400, "path_malformed").await;
    room.finish().await;
}

#[tokio::test]
async fn the_request_id_comes_back() {
    let room = Room::at(Stage::Created).await;
    let service = &room.service;
    let named = Call::get("/nowhere").header("x-request-id", "deploy_42.a-b");
    let answer = service.refuses(named, 404, "not_found").await;
    assert_eq!(answer.header("x-request-id"), "deploy_42.a-b");
    assert_eq!(answer.text("/instance"), "urn:chancery:request:deploy_42.a-b");
    let good = service.send(Call::get("/healthz").header("x-request-id", "mine")).await.ok();
    assert_eq!(good.header("x-request-id"), "mine");
    // Without one, each request gets its own.
    let one = service.refuses(Call::get("/nowhere"), 404, "not_found").await;
    let two = service.refuses(Call::get("/nowhere"), 404, "not_found").await;
    assert!(!one.header("x-request-id").is_empty());
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    // One that could break out of a log line or a URN is not taken over.
    for odd in ["a b", "a\"b", "<script>", &*"x".repeat(65)] {
        let answer = service.send(Call::get("/nowhere").header("x-request-id", odd)).await;
        assert_eq!((answer.status, answer.json.get("instance")), (404, None), "{odd}");
    }
    room.finish().await;
}

#[tokio::test]
async fn a_problem_tells_the_caller_no_internals() {
    let room = Room::at(Stage::Created).await;
    let answer = room.service.refuses(Call::get("/v1/me"), 401, "token_missing").await;
    let text = String::from_utf8(answer.bytes).unwrap();
    for internal in ["sqlite", "/tmp", ".rs", "panicked", "Error"] {
        assert!(!text.contains(internal), "{text}");
    }
    room.finish().await;
}

#[tokio::test]
async fn health_needs_no_token() {
    let service = Service::start().await;
    for path in ["/healthz", "/readyz"] {
        let answer = service.send(Call::get(path)).await.ok();
        assert_eq!(answer.text("/status"), "ok");
    }
    service.store.close().await;
    let answer = service.send(Call::get("/readyz")).await;
    answer.assert_problem(503, "log_unavailable");
    assert!(!answer.header("retry-after").is_empty());
    service.stop();
}
