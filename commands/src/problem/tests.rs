//! Problem documents, and the middleware that completes them.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{ALLOW, CONTENT_LENGTH};
use axum::routing::get;

use super::*;

async fn body(response: Response) -> serde_json::Value {
    let bytes = to_bytes(response.into_body(), 64 * 1024).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn header(response: &Response, name: HeaderName) -> Option<&str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_problem_is_a_problem_document_with_its_code_in_the_type() {
    let response = Problem::rejected("query_not_accepted", "The query has no votes yet.")
        .with_reasons(vec![
            ReasonItem::new("vote_missing", "Contosso has not voted."),
            ReasonItem::new("column_not_allowed", "ssn is not allowed.")
                .about("segment-1")
                .at(3, 14),
        ])
        .with_request_id("0190-abc")
        .into_response();
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(header(&response, CONTENT_TYPE), Some(MEDIA_TYPE));
    assert_eq!(
        body(response).await,
        serde_json::json!({
            "type": "urn:chancery:problem:query_not_accepted",
            "title": "The rules refuse this",
            "status": 422,
            "detail": "The query has no votes yet.",
            "code": "query_not_accepted",
            "instance": "urn:chancery:request:0190-abc",
            "reasons": [
                {"code": "vote_missing", "detail": "Contosso has not voted."},
                {"code": "column_not_allowed", "detail": "ssn is not allowed.",
                 "subject": "segment-1", "line": 3, "column": 14},
            ],
        })
    );
}

#[test]
fn each_constructor_has_its_status_family_and_headers() {
    use Family::{Conflict, Corrupt, Rejected, Unavailable};
    let cases = [
        (Problem::bad_request("c", "d"), 400, Rejected),
        (Problem::unauthenticated("c", "d"), 401, Rejected),
        (Problem::invalid_token("c", "d"), 401, Rejected),
        (Problem::forbidden("c", "d"), 403, Rejected),
        (Problem::not_found("d"), 404, Rejected),
        (Problem::method_not_allowed(), 405, Rejected),
        (Problem::conflict("c", "d"), 409, Conflict),
        (Problem::payload_too_large(9), 413, Rejected),
        (Problem::unsupported_media_type("application/json"), 415, Rejected),
        (Problem::rejected("c", "d"), 422, Rejected),
        (Problem::precondition_required("If-Match"), 428, Rejected),
        (Problem::too_many_requests(7), 429, Unavailable),
        (Problem::corrupt(&"x"), 500, Corrupt),
        (Problem::internal(&"x"), 500, Corrupt),
        (Problem::unavailable("c", "d").with_retry_after(7), 503, Unavailable),
    ];
    for (problem, status, family) in cases {
        assert_eq!(problem.status().as_u16(), status, "{problem}");
        assert_eq!(problem.family(), family, "{problem}");
        let response = problem.into_response();
        let challenge = header(&response, WWW_AUTHENTICATE);
        assert_eq!(challenge.is_some(), status == 401);
        assert!(challenge.is_none_or(|text| text.starts_with("Bearer")));
        let wait = header(&response, RETRY_AFTER);
        assert_eq!(wait, matches!(status, 429 | 503).then_some("7"));
    }
}

#[tokio::test]
async fn the_cause_stays_inside() {
    let problem = Problem::corrupt(&"position 7 holds secret things");
    assert_eq!(problem.cause(), Some("position 7 holds secret things"));
    let text = body(problem.into_response()).await.to_string();
    assert!(!text.contains("secret things"), "{text}");
}

#[test]
fn a_request_id_of_unusual_form_is_not_echoed() {
    for bad in ["", "a b", "<script>", "é", &"x".repeat(65)] {
        let problem = Problem::not_found("d").with_request_id(bad);
        assert_eq!(problem.document().instance, None, "{bad}");
    }
}

#[tokio::test]
async fn the_middleware_adds_the_instance_and_keeps_headers_of_inner_layers() {
    async fn refuse() -> Response {
        let mut response = Problem::unavailable("store_unavailable", "Later.").into_response();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        // As a layer would that measured the first body.
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("7"));
        response
    }
    let app = Router::new()
        .route("/refuse", get(refuse))
        .route("/fine", get(async || "fine"))
        .layer(axum::middleware::from_fn(complete));
    let request = |path: &str| {
        Request::builder().uri(path).header(REQUEST_ID, "r-1").body(Body::empty()).unwrap()
    };
    let response = call(&app, request("/refuse")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&response, ALLOW), Some("GET"));
    assert_eq!(header(&response, RETRY_AFTER), Some("5"));
    assert_eq!(header(&response, CONTENT_TYPE), Some(MEDIA_TYPE));
    let told = header(&response, CONTENT_LENGTH).map(|length| length.parse::<usize>().unwrap());
    let bytes = to_bytes(response.into_body(), 64 * 1024).await.unwrap();
    assert!(told.is_none_or(|told| told == bytes.len()), "{told:?}");
    let document: Document = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(document.instance.as_deref(), Some("urn:chancery:request:r-1"));
    let fine = call(&app, request("/fine")).await;
    assert_eq!(fine.status(), StatusCode::OK);
}

async fn call(app: &Router, request: Request) -> Response {
    tower::ServiceExt::oneshot(app.clone(), request).await.unwrap()
}

#[test]
fn the_schema_is_named_problem_and_lists_the_fields() {
    let schema = serde_json::to_value(<Document as utoipa::PartialSchema>::schema()).unwrap();
    assert_eq!(<Document as ToSchema>::name(), "Problem");
    for field in ["type", "title", "status", "detail", "code", "instance", "reasons"] {
        assert!(schema["properties"].get(field).is_some(), "{field}: {schema}");
    }
}
