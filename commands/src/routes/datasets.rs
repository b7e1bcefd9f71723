//! Datasets: published, versioned, retired, listed. Schemas and policies, never rows.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_governance::subject::Subject;
use chancery_ledger::id::DatasetId;
use chancery_projections::DatasetView;
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
        .routes(routes!(publish, list))
        .routes(routes!(publish_version, show))
        .routes(routes!(retire))
}

/// Publish a dataset; its id is the command's.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/datasets", tag = "datasets",
    params(("collaboration" = String, Path)), request_body = api::PublishDataset,
    responses((status = 201, body = Reply)))]
async fn publish(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let subject = Subject::Dataset(DatasetId::new(headers.command.uuid()));
    let target = (id(&collaboration)?, subject);
    send(&app, &caller, headers, StatusCode::CREATED, target, ("dataset.publish", content)).await
}

/// Publish a new version of a dataset. Votes on the old one are void.
#[utoipa::path(put, path = "/v1/collaborations/{collaboration}/datasets/{dataset}",
    tag = "datasets", params(("collaboration" = String, Path), ("dataset" = String, Path)),
    request_body = api::PublishDataset, responses((status = 200, body = Reply)))]
async fn publish_version(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, dataset)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let (collaboration, dataset) = (id(&collaboration)?, id(&dataset)?);
    let held = readable(&app, &caller, collaboration).await?;
    if held.state().collaboration().is_some_and(|state| !state.datasets.contains_key(&dataset)) {
        return Err(Problem::missing("dataset_not_found", "There is no such dataset."));
    }
    drop(held);
    let target = (collaboration, Subject::Dataset(dataset));
    send(&app, &caller, headers, StatusCode::OK, target, ("dataset.publish", content)).await
}

/// Take a dataset out of use.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/datasets/{dataset}/retire",
    tag = "datasets", params(("collaboration" = String, Path), ("dataset" = String, Path)),
    request_body = api::Empty, responses((status = 200, body = Reply)))]
async fn retire(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, dataset)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Dataset(id(&dataset)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("dataset.retire", content)).await
}

/// The datasets of a collaboration: schemas and policies, never rows.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/datasets", tag = "datasets",
    params(("collaboration" = String, Path), Page),
    responses((status = 200, body = PageOf<DatasetView>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<PageOf<DatasetView>>, Problem> {
    let page = page.request()?;
    let collaboration = id(&collaboration)?;
    views(&app, readable(&app, &caller, collaboration).await?).await?;
    let found = app.views.datasets(collaboration, page).await;
    Ok(Json(found.map_err(|error| refusal::views(&error))?.into()))
}

/// A dataset with all its versions.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/datasets/{dataset}",
    tag = "datasets", params(("collaboration" = String, Path), ("dataset" = String, Path)),
    responses((status = 200, body = DatasetView)))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path((collaboration, dataset)): Path<(String, String)>,
) -> Result<Json<DatasetView>, Problem> {
    let collaboration = id(&collaboration)?;
    views(&app, readable(&app, &caller, collaboration).await?).await?;
    let found = app.views.dataset(collaboration, id(&dataset)?).await;
    found
        .map_err(|error| refusal::views(&error))?
        .map(Json)
        .ok_or_else(|| Problem::missing("dataset_not_found", "There is no such dataset."))
}
