//! Collaborations: beginning one, what may run in it, reading it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_governance::subject::Subject;
use chancery_ledger::id::CollaborationId;
use chancery_projections::CollaborationView;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::{Page, PageOf};
use super::{caught_up, readable, send, views};
use crate::App;
use crate::api;
use crate::caller::Caller;
use crate::execute::CommandHeaders;
use crate::extract::{Content, Params, Path, id};
use crate::problem::Problem;
use crate::refusal;
use crate::reply::Reply;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show))
        .routes(routes!(enable_workload))
        .routes(routes!(set_policy))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(close))
}

/// Begin a clean room. You become its owner; its id is the command's.
#[utoipa::path(post, path = "/v1/collaborations", tag = "collaborations",
    request_body = api::CreateCollaboration, responses((status = 201, body = Reply)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Content(content): Content,
) -> Result<Response, Problem> {
    let collaboration = CollaborationId::new(headers.command.uuid());
    let target = (collaboration, Subject::Collaboration(collaboration));
    send(&app, &caller, headers, StatusCode::CREATED, target, ("collaboration.create", content))
        .await
}

/// The collaborations that you are a member of.
#[utoipa::path(get, path = "/v1/collaborations", tag = "collaborations", params(Page),
    responses((status = 200, body = PageOf<CollaborationView>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(page): Params<Page>,
) -> Result<Json<PageOf<CollaborationView>>, Problem> {
    let page = page.request()?;
    caught_up(&app).await?;
    let found = app
        .views
        .collaborations_of(&caller.governance_identity(), page)
        .await
        .map_err(|error| refusal::views(&error))?;
    Ok(Json(found.into()))
}

/// A collaboration with its members, keys, terms and marks.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}", tag = "collaborations",
    params(("collaboration" = String, Path)), responses((status = 200, body = CollaborationView)))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
) -> Result<Json<CollaborationView>, Problem> {
    let collaboration = id(&collaboration)?;
    views(&app, readable(&app, &caller, collaboration).await?).await?;
    let found = app.views.collaboration(collaboration).await;
    found
        .map_err(|error| refusal::views(&error))?
        .map(Json)
        .ok_or_else(refusal::collaboration_not_found)
}

/// Enable a workload.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/workload", tag = "collaborations",
    params(("collaboration" = String, Path)), request_body = api::EnableWorkload,
    responses((status = 200, body = Reply)))]
async fn enable_workload(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let collaboration = id(&collaboration)?;
    let target = (collaboration, Subject::Collaboration(collaboration));
    let command = ("collaboration.enable-workload", content);
    send(&app, &caller, headers, StatusCode::OK, target, command).await
}

/// Say which applications may run queries.
#[utoipa::path(put, path = "/v1/collaborations/{collaboration}/clean-room-policy",
    tag = "collaborations", params(("collaboration" = String, Path)),
    request_body = api::SetCleanRoomPolicy, responses((status = 200, body = Reply)))]
async fn set_policy(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let collaboration = id(&collaboration)?;
    let target = (collaboration, Subject::Collaboration(collaboration));
    send(&app, &caller, headers, StatusCode::OK, target, ("collaboration.set-policy", content))
        .await
}

/// Let nothing run until it is resumed. Runs in flight are cancelled.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/pause", tag = "collaborations",
    params(("collaboration" = String, Path)), request_body = api::Stop,
    responses((status = 200, body = Reply)))]
async fn pause(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let collaboration = id(&collaboration)?;
    let target = (collaboration, Subject::Collaboration(collaboration));
    send(&app, &caller, headers, StatusCode::OK, target, ("collaboration.pause", content)).await
}

/// Let queries run again.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/resume", tag = "collaborations",
    params(("collaboration" = String, Path)), request_body = api::Empty,
    responses((status = 200, body = Reply)))]
async fn resume(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let collaboration = id(&collaboration)?;
    let target = (collaboration, Subject::Collaboration(collaboration));
    send(&app, &caller, headers, StatusCode::OK, target, ("collaboration.resume", content)).await
}

/// End it for good: runs are cancelled, and nothing is left but reading, export and erasure.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/close", tag = "collaborations",
    params(("collaboration" = String, Path)), request_body = api::Stop,
    responses((status = 200, body = Reply)))]
async fn close(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let collaboration = id(&collaboration)?;
    let target = (collaboration, Subject::Collaboration(collaboration));
    send(&app, &caller, headers, StatusCode::OK, target, ("collaboration.close", content)).await
}
