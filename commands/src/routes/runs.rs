//! Runs: requested, cancelled, watched.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_governance::subject::Subject;
use chancery_ledger::id::RunId;
use chancery_projections::RunView;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::{Page, PageOf};
use super::{readable, send, views};
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
        .routes(routes!(request, list))
        .routes(routes!(show))
        .routes(routes!(cancel))
}

/// Ask for a run; its id is the command's. A refusal is 409 `run_refused`, and an event.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/runs", tag = "runs",
    params(("collaboration" = String, Path)), request_body = api::RequestRun,
    responses((status = 201, body = Reply)))]
async fn request(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let subject = Subject::Run(RunId::new(headers.command.uuid()));
    let target = (id(&collaboration)?, subject);
    send(&app, &caller, headers, StatusCode::CREATED, target, ("run.request", content)).await
}

/// Ask for a run to stop.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/runs/{run}/cancel", tag = "runs",
    params(("collaboration" = String, Path), ("run" = String, Path)),
    request_body = api::Empty, responses((status = 200, body = Reply)))]
async fn cancel(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, run)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Run(id(&run)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("run.cancel", content)).await
}

/// The runs of a collaboration, refused ones included.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/runs", tag = "runs",
    params(("collaboration" = String, Path), Page),
    responses((status = 200, body = PageOf<RunView>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<PageOf<RunView>>, Problem> {
    let page = page.request()?;
    let collaboration = id(&collaboration)?;
    views(&app, readable(&app, &caller, collaboration).await?).await?;
    let found = app.views.runs(collaboration, page).await;
    Ok(Json(found.map_err(|error| refusal::views(&error))?.into()))
}

/// A run with its timeline and outcome.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/runs/{run}", tag = "runs",
    params(("collaboration" = String, Path), ("run" = String, Path)),
    responses((status = 200, body = RunView)))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path((collaboration, run)): Path<(String, String)>,
) -> Result<Json<RunView>, Problem> {
    let collaboration = id(&collaboration)?;
    views(&app, readable(&app, &caller, collaboration).await?).await?;
    let found = app.views.run(collaboration, id(&run)?).await;
    found
        .map_err(|error| refusal::views(&error))?
        .map(Json)
        .ok_or_else(|| Problem::missing("run_not_found", "There is no such run."))
}
