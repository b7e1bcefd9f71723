//! Consent: each member's own mark, on the collaboration, a dataset or a query.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_governance::subject::Subject;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::send;
use crate::App;
use crate::api;
use crate::caller::Caller;
use crate::execute::CommandHeaders;
use crate::extract::{Content, Path, id};
use crate::problem::Problem;
use crate::reply::Reply;

const WITHDRAW: &str = "consent.withdraw";
const RESTORE: &str = "consent.restore";

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(withdraw_all))
        .routes(routes!(restore_all))
        .routes(routes!(withdraw_dataset))
        .routes(routes!(restore_dataset))
        .routes(routes!(withdraw_query))
        .routes(routes!(restore_query))
}

/// Withdraw consent on everything in the collaboration. Runs in flight are cancelled.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/consent/withdraw", tag = "consent",
    params(("collaboration" = String, Path)), request_body = api::Consent,
    responses((status = 200, body = Reply)))]
async fn withdraw_all(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let collaboration = id(&collaboration)?;
    let target = (collaboration, Subject::Collaboration(collaboration));
    send(&app, &caller, headers, StatusCode::OK, target, (WITHDRAW, content)).await
}

/// Restore consent on the collaboration.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/consent/restore", tag = "consent",
    params(("collaboration" = String, Path)), request_body = api::Consent,
    responses((status = 200, body = Reply)))]
async fn restore_all(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let collaboration = id(&collaboration)?;
    let target = (collaboration, Subject::Collaboration(collaboration));
    send(&app, &caller, headers, StatusCode::OK, target, (RESTORE, content)).await
}

/// Withdraw consent on a dataset of yours. Runs in flight that use it are cancelled.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/datasets/{dataset}/consent/withdraw",
    tag = "consent", params(("collaboration" = String, Path), ("dataset" = String, Path)),
    request_body = api::Consent, responses((status = 200, body = Reply)))]
async fn withdraw_dataset(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, dataset)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Dataset(id(&dataset)?));
    send(&app, &caller, headers, StatusCode::OK, target, (WITHDRAW, content)).await
}

/// Restore consent on a dataset of yours.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/datasets/{dataset}/consent/restore",
    tag = "consent", params(("collaboration" = String, Path), ("dataset" = String, Path)),
    request_body = api::Consent, responses((status = 200, body = Reply)))]
async fn restore_dataset(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, dataset)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Dataset(id(&dataset)?));
    send(&app, &caller, headers, StatusCode::OK, target, (RESTORE, content)).await
}

/// Withdraw consent on a query that you vote on or wrote.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/queries/{query}/consent/withdraw",
    tag = "consent", params(("collaboration" = String, Path), ("query" = String, Path)),
    request_body = api::Consent, responses((status = 200, body = Reply)))]
async fn withdraw_query(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, query)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Query(id(&query)?));
    send(&app, &caller, headers, StatusCode::OK, target, (WITHDRAW, content)).await
}

/// Restore consent on a query.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/queries/{query}/consent/restore",
    tag = "consent", params(("collaboration" = String, Path), ("query" = String, Path)),
    request_body = api::Consent, responses((status = 200, body = Reply)))]
async fn restore_query(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, query)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Query(id(&query)?));
    send(&app, &caller, headers, StatusCode::OK, target, (RESTORE, content)).await
}
