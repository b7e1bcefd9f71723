//! Change requests: terms and membership by the members' vote.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_governance::state::change::Stage;
use chancery_governance::subject::Subject;
use chancery_ledger::id::{ChangeId, MemberId};
use chancery_projections::ChangeView;
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
use crate::problem::Problem;
use crate::refusal;
use crate::reply::Reply;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(propose, list))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(withdraw))
        .routes(routes!(commit))
        .routes(routes!(tally))
}

/// Ask the members to vote on a change of the terms or the membership; its id is the command's.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/changes", tag = "changes",
    params(("collaboration" = String, Path)), request_body = api::ProposeChange,
    responses((status = 201, body = Reply)))]
async fn propose(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let subject = Subject::Change(ChangeId::new(headers.command.uuid()));
    let target = (id(&collaboration)?, subject);
    send(&app, &caller, headers, StatusCode::CREATED, target, ("change.propose", content)).await
}

/// Vote yes, signed. The last vote that it takes makes the change.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/changes/{change}/approve",
    tag = "changes", params(("collaboration" = String, Path), ("change" = String, Path)),
    request_body = api::ApproveChange, responses((status = 200, body = Reply)))]
async fn approve(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, change)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Change(id(&change)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("change.approve", content)).await
}

/// Vote no, signed.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/changes/{change}/reject",
    tag = "changes", params(("collaboration" = String, Path), ("change" = String, Path)),
    request_body = api::RejectChange, responses((status = 200, body = Reply)))]
async fn reject(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, change)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Change(id(&change)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("change.reject", content)).await
}

/// Take a change request of yours back.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/changes/{change}/withdraw",
    tag = "changes", params(("collaboration" = String, Path), ("change" = String, Path)),
    request_body = api::Empty, responses((status = 200, body = Reply)))]
async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, change)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Change(id(&change)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("change.withdraw", content)).await
}

/// Carry out a change that came to have its votes because somebody left.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/changes/{change}/commit",
    tag = "changes", params(("collaboration" = String, Path), ("change" = String, Path)),
    request_body = api::CommitChange, responses((status = 200, body = Reply)))]
async fn commit(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, change)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Change(id(&change)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("change.commit", content)).await
}

/// The change requests of a collaboration, with their votes.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/changes", tag = "changes",
    params(("collaboration" = String, Path), Page),
    responses((status = 200, body = PageOf<ChangeView>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<PageOf<ChangeView>>, Problem> {
    let page = page.request()?;
    let collaboration = id(&collaboration)?;
    views(&app, readable(&app, &caller, collaboration).await?).await?;
    let found = app.views.changes(collaboration, page).await;
    Ok(Json(found.map_err(|error| refusal::views(&error))?.into()))
}

/// A change request: what it would change, and the votes.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/changes/{change}", tag = "changes",
    params(("collaboration" = String, Path), ("change" = String, Path)),
    responses((status = 200, body = ChangeView)))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path((collaboration, change)): Path<(String, String)>,
) -> Result<Json<ChangeView>, Problem> {
    let collaboration = id(&collaboration)?;
    views(&app, readable(&app, &caller, collaboration).await?).await?;
    let found = app.views.change(collaboration, id(&change)?).await;
    found.map_err(|error| refusal::views(&error))?.map(Json).ok_or_else(not_found)
}

/// How the votes on a change stand among those who are members now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tally {
    /// Whether it is open: the rest is about the moment, or about the end of a settled one.
    pub open: bool,
    /// The ids of those who have a vote.
    pub electorate: Vec<String>,
    /// How many must say yes.
    pub needed: u64,
    /// How many did.
    pub approvals: u64,
    /// How many said no.
    pub rejections: u64,
    /// The ids of those who have a vote and have not cast it.
    pub pending: Vec<String>,
    /// Whether it has its votes: an open one that has them can be committed.
    pub carried: bool,
    /// Whether the time to vote is over.
    pub expired: bool,
}

/// Who votes on a change, how many it takes and who has not voted: computed by the rules.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/changes/{change}/tally",
    tag = "changes", params(("collaboration" = String, Path), ("change" = String, Path)),
    responses((status = 200, body = Tally)))]
async fn tally(
    State(app): State<App>,
    caller: Caller,
    Path((collaboration, change)): Path<(String, String)>,
) -> Result<Json<Tally>, Problem> {
    let (collaboration, change) = (id(&collaboration)?, id::<ChangeId>(&change)?);
    let held = readable(&app, &caller, collaboration).await?;
    let state = held.state().collaboration().ok_or_else(refusal::collaboration_not_found)?;
    let request = state.changes.get(&change).ok_or_else(not_found)?;
    let tally = state.tally(request);
    let voted = |member: &MemberId| {
        request.approvals.contains_key(member) || request.rejections.contains(member)
    };
    let pending = tally.electorate.iter().filter(|member| !voted(member));
    let now_ms = (app.clock)().max(state.last_time_ms);
    Ok(Json(Tally {
        open: request.stage == Stage::Open,
        pending: pending.map(ToString::to_string).collect(),
        needed: tally.needed as u64,
        approvals: tally.approvals as u64,
        rejections: tally.rejections as u64,
        carried: tally.carried(),
        expired: chancery_governance::decide::change::expired(request, now_ms),
        electorate: tally.electorate.iter().map(ToString::to_string).collect(),
    }))
}

fn not_found() -> Problem {
    Problem::missing("change_not_found", "There is no such change request.")
}
