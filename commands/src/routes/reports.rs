//! What an attested executor reports on runs. Its bearer token is the door; its key, which its
//! evidence binds, is the authority.

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ExecutorGate;
use crate::App;
use crate::api;
use crate::caller::Caller;
use crate::execute::CommandHeaders;
use crate::extract::{Content, Path};
use crate::problem::Problem;
use crate::reply::Reply;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(admit))
        .routes(routes!(submit))
        .routes(routes!(start))
        .routes(routes!(succeed))
        .routes(routes!(fail))
}

/// What is said to whoever may not report.
const GATE: ExecutorGate = ExecutorGate {
    only: "Only the executor reports on runs.",
    unsigned: "A report takes the executor key's signature.",
};

/// Ask to be admitted to a run, on evidence.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/runs/{run}/reports/admit",
    tag = "executor", params(("collaboration" = String, Path), ("run" = String, Path)),
    request_body = api::AdmitRun, responses((status = 200, body = Reply)))]
async fn admit(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(path): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    GATE.send(&app, &caller, headers, path, ("run.admit", content)).await
}

/// The job was handed to the engine.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/runs/{run}/reports/submit",
    tag = "executor", params(("collaboration" = String, Path), ("run" = String, Path)),
    request_body = api::SubmitRun, responses((status = 200, body = Reply)))]
async fn submit(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(path): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    GATE.send(&app, &caller, headers, path, ("run.submit", content)).await
}

/// The engine started it.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/runs/{run}/reports/start",
    tag = "executor", params(("collaboration" = String, Path), ("run" = String, Path)),
    request_body = api::Empty, responses((status = 200, body = Reply)))]
async fn start(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(path): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    GATE.send(&app, &caller, headers, path, ("run.start", content)).await
}

/// It ended well.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/runs/{run}/reports/succeed",
    tag = "executor", params(("collaboration" = String, Path), ("run" = String, Path)),
    request_body = api::SucceedRun, responses((status = 200, body = Reply)))]
async fn succeed(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(path): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    GATE.send(&app, &caller, headers, path, ("run.succeed", content)).await
}

/// It ended badly.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/runs/{run}/reports/fail",
    tag = "executor", params(("collaboration" = String, Path), ("run" = String, Path)),
    request_body = api::FailRun, responses((status = 200, body = Reply)))]
async fn fail(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(path): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    GATE.send(&app, &caller, headers, path, ("run.fail", content)).await
}
