//! Queries: drafted, proposed, voted on; and whether one can run now.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_governance::readiness::{Asked, readiness_at};
use chancery_governance::remedy;
use chancery_governance::subject::Subject;
use chancery_ledger::id::QueryId;
use chancery_projections::QueryView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::{Page, PageOf};
use super::{readable, send, views};
use crate::App;
use crate::api;
use crate::caller::Caller;
use crate::execute::CommandHeaders;
use crate::extract::{Content, Params, Path, id};
use crate::problem::{Problem, ReasonItem};
use crate::refusal;
use crate::reply::Reply;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(draft, list))
        .routes(routes!(revise, show))
        .routes(routes!(propose))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(withdraw))
        .routes(routes!(ready))
}

/// Draft a query; its id is the command's.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/queries", tag = "queries",
    params(("collaboration" = String, Path)), request_body = api::DraftQuery,
    responses((status = 201, body = Reply)))]
async fn draft(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let subject = Subject::Query(QueryId::new(headers.command.uuid()));
    let target = (id(&collaboration)?, subject);
    send(&app, &caller, headers, StatusCode::CREATED, target, ("query.draft", content)).await
}

/// Change a query that is not up for votes.
#[utoipa::path(put, path = "/v1/collaborations/{collaboration}/queries/{query}", tag = "queries",
    params(("collaboration" = String, Path), ("query" = String, Path)),
    request_body = api::DraftQuery, responses((status = 200, body = Reply)))]
async fn revise(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, query)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Query(id(&query)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("query.revise", content)).await
}

/// Ask for votes. The approvers are the owners of the query's datasets.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/queries/{query}/propose",
    tag = "queries", params(("collaboration" = String, Path), ("query" = String, Path)),
    request_body = api::ProposeQuery, responses((status = 200, body = Reply)))]
async fn propose(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, query)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Query(id(&query)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("query.propose", content)).await
}

/// Vote yes.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/queries/{query}/approve",
    tag = "queries", params(("collaboration" = String, Path), ("query" = String, Path)),
    request_body = api::ApproveQuery, responses((status = 200, body = Reply)))]
async fn approve(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, query)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Query(id(&query)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("query.approve", content)).await
}

/// Vote no, which ends the proposal.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/queries/{query}/reject",
    tag = "queries", params(("collaboration" = String, Path), ("query" = String, Path)),
    request_body = api::RejectQuery, responses((status = 200, body = Reply)))]
async fn reject(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, query)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Query(id(&query)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("query.reject", content)).await
}

/// Take a proposal back, or an accepted query out of use.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/queries/{query}/withdraw",
    tag = "queries", params(("collaboration" = String, Path), ("query" = String, Path)),
    request_body = api::Empty, responses((status = 200, body = Reply)))]
async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, query)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Query(id(&query)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("query.withdraw", content)).await
}

/// The queries of a collaboration, with their votes.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/queries", tag = "queries",
    params(("collaboration" = String, Path), Page),
    responses((status = 200, body = PageOf<QueryView>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<PageOf<QueryView>>, Problem> {
    let page = page.request()?;
    let collaboration = id(&collaboration)?;
    views(&app, readable(&app, &caller, collaboration).await?).await?;
    let found = app.views.queries(collaboration, page).await;
    Ok(Json(found.map_err(|error| refusal::views(&error))?.into()))
}

/// A query: its texts as written and as they will run, its approvers and their votes.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/queries/{query}", tag = "queries",
    params(("collaboration" = String, Path), ("query" = String, Path)),
    responses((status = 200, body = QueryView)))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path((collaboration, query)): Path<(String, String)>,
) -> Result<Json<QueryView>, Problem> {
    let collaboration = id(&collaboration)?;
    views(&app, readable(&app, &caller, collaboration).await?).await?;
    let found = app.views.query(collaboration, id(&query)?).await;
    found
        .map_err(|error| refusal::views(&error))?
        .map(Json)
        .ok_or_else(|| Problem::missing("query_not_found", "There is no such query."))
}

/// Whether a query can run now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// True where nothing stands against a run by you.
    pub ready: bool,
    /// Everything that stands against it.
    pub reasons: Vec<ReasonItem>,
}

/// Can you run this query now, and if not why: every reason at once.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/queries/{query}/readiness",
    tag = "queries", params(("collaboration" = String, Path), ("query" = String, Path)),
    responses((status = 200, body = Readiness)))]
async fn ready(
    State(app): State<App>,
    caller: Caller,
    Path((collaboration, query)): Path<(String, String)>,
) -> Result<Json<Readiness>, Problem> {
    let (collaboration, query) = (id(&collaboration)?, id::<QueryId>(&query)?);
    let held = readable(&app, &caller, collaboration).await?;
    let Some(state) = held.state().collaboration() else {
        return Err(refusal::collaboration_not_found());
    };
    if !state.queries.contains_key(&query) {
        return Err(Problem::missing("query_not_found", "There is no such query."));
    }
    let runner = state.member_by_identity(&caller.governance_identity()).map(|(id, _)| id);
    let now_ms = (app.clock)().max(state.last_time_ms);
    let asked = Asked { runner, now_ms, run: None };
    let reasons = readiness_at(state, query, &asked);
    let remedies = remedy::of(state, query, &asked, &reasons);
    let reasons: Vec<_> = reasons
        .iter()
        .zip(&remedies)
        .map(|(reason, remedy)| refusal::reason(reason).with_remedy(refusal::remedy(remedy)))
        .collect();
    Ok(Json(Readiness { ready: reasons.is_empty(), reasons }))
}
