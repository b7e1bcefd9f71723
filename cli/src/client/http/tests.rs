use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::*;

async fn served(app: Router) -> Http {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    Http::new(origin).unwrap()
}

#[test]
fn secrets_go_to_https_or_this_machine_only() {
    assert_eq!(base_url("http://127.0.0.1:1/", "server").unwrap(), "http://127.0.0.1:1");
    assert_eq!(base_url("https://a.example/x", "server").unwrap(), "https://a.example/x");
    for bad in ["", "a.example", "http://a.example", "ftp://127.0.0.1", "https://u@a.example"] {
        assert_eq!(base_url(bad, "server").unwrap_err().exit(), Exit::Usage, "{bad}");
    }
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let pages = get(|Query(page): Query<std::collections::BTreeMap<String, u64>>| async move {
        match page.get("after") {
            None => Json(json!({"items": [1, 2], "next": 7})),
            Some(7) => Json(json!({"items": [3], "next": null})),
            Some(_) => Json(json!({})),
        }
    });
    let http = served(Router::new().route("/v1/things", pages)).await;
    assert_eq!(http.list("/v1/things").await.unwrap(), [json!(1), json!(2), json!(3)]);
}

async fn second_time(State(count): State<Arc<AtomicUsize>>, body: String) -> Response {
    assert_eq!(body, "{}");
    if count.fetch_add(1, Ordering::SeqCst) == 0 {
        let problem = json!({"type": "t", "title": "t", "status": 503, "code": "log_unavailable",
            "detail": "d"});
        return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")], Json(problem))
            .into_response();
    }
    Json(json!({"position": 1})).into_response()
}

#[tokio::test]
async fn a_service_that_is_away_is_asked_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let app = Router::new().route("/v1/x", post(second_time)).with_state(Arc::clone(&count));
    let request = Request {
        method: Method::POST,
        path: "/v1/x".into(),
        headers: HeaderMap::new(),
        body: Some(b"{}".to_vec()),
    };
    let reply = served(app).await.send(&request).await.unwrap();
    assert_eq!((reply, count.load(Ordering::SeqCst)), (json!({"position": 1}), 2));
}

#[tokio::test]
async fn refusals_and_other_answers_are_told_apart() {
    let problem = json!({"type": "t", "title": "Not permitted", "status": 403,
        "code": "ability_missing", "detail": "d"});
    let app = Router::new()
        .route("/v1/refused", get(|| async move { (StatusCode::FORBIDDEN, Json(problem)) }))
        .route("/v1/html", get(|| async { "<html>" }));
    let http = served(app).await;
    let refused = http.document("/v1/refused").await.unwrap_err();
    assert_eq!((refused.code(), refused.exit()), ("ability_missing", Exit::Refused));
    let other = http.document("/v1/html").await.unwrap_err();
    assert_eq!((other.code(), other.exit()), ("answer_unknown", Exit::Unreadable));
}
