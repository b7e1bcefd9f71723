//! Auto-approval rules: what members approve in advance.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_governance::subject::Subject;
use chancery_ledger::id::RuleId;
use chancery_projections::RuleView;
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
    OpenApiRouter::new().routes(routes!(set, list)).routes(routes!(show)).routes(routes!(remove))
}

/// Approve queries of a shape in advance; the rule's id is the command's.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/rules", tag = "rules",
    params(("collaboration" = String, Path)), request_body = api::SetAutoApprovalRule,
    responses((status = 201, body = Reply)))]
async fn set(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let subject = Subject::Rule(RuleId::new(headers.command.uuid()));
    let target = (id(&collaboration)?, subject);
    send(&app, &caller, headers, StatusCode::CREATED, target, ("rule.set", content)).await
}

/// Take a rule of yours back. Votes that it cast stand.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/rules/{rule}/remove", tag = "rules",
    params(("collaboration" = String, Path), ("rule" = String, Path)),
    request_body = api::Empty, responses((status = 200, body = Reply)))]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, rule)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Rule(id(&rule)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("rule.remove", content)).await
}

/// The auto-approval rules of a collaboration, ended ones too.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/rules", tag = "rules",
    params(("collaboration" = String, Path), Page),
    responses((status = 200, body = PageOf<RuleView>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<PageOf<RuleView>>, Problem> {
    let page = page.request()?;
    let collaboration = id(&collaboration)?;
    views(&app, readable(&app, &caller, collaboration).await?).await?;
    let found = app.views.rules(collaboration, page).await;
    Ok(Json(found.map_err(|error| refusal::views(&error))?.into()))
}

/// An auto-approval rule.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/rules/{rule}", tag = "rules",
    params(("collaboration" = String, Path), ("rule" = String, Path)),
    responses((status = 200, body = RuleView)))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path((collaboration, rule)): Path<(String, String)>,
) -> Result<Json<RuleView>, Problem> {
    let collaboration = id(&collaboration)?;
    views(&app, readable(&app, &caller, collaboration).await?).await?;
    let found = app.views.rule(collaboration, id(&rule)?).await;
    found
        .map_err(|error| refusal::views(&error))?
        .map(Json)
        .ok_or_else(|| Problem::missing("rule_not_found", "There is no such rule."))
}
