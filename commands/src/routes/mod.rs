//! The routes, by resource. Each command is one handler: it names its action and subject, and
//! [`send`] does the rest.

mod bundle;
mod changes;
mod collaborations;
mod consents;
mod datasets;
mod document;
mod lineage;
mod log;
mod members;
mod mirror;
mod queries;
mod reports;
mod rules;
mod runs;
mod secrets;
mod service;
mod status;
mod tiles;
pub mod usage;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_governance::subject::Subject;
use chancery_ledger::codec::Value;
use chancery_ledger::id::CollaborationId;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::caller::{Caller, is_member};
use crate::content::BODY_LEN_MAX;
use crate::execute::{CommandHeaders, Incoming, execute};
use crate::extract::id;
use crate::logs::Held;
use crate::problem::{self, Problem};
use crate::refusal;

pub use document::openapi;

/// How long a read waits for the views to show what the log has.
const VIEWS_WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// The whole API as a router.
pub fn router(app: App) -> Router {
    let (routes, document) = api().split_for_parts();
    let document = document::finish(document);
    routes
        .route("/openapi.json", axum::routing::get(async move || axum::Json(document.clone())))
        .fallback(|| async { Problem::not_found("There is no such resource.") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .with_state(app)
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .layer(axum::middleware::from_fn(problem::complete))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(PropagateRequestIdLayer::new(problem::REQUEST_ID))
        .layer(SetRequestIdLayer::new(problem::REQUEST_ID, MakeRequestUuid))
}

/// Every request is traced under its id, method and matched route; never with tokens or bodies.
fn span(request: &axum::http::Request<axum::body::Body>) -> tracing::Span {
    let route = request
        .extensions()
        .get::<axum::extract::MatchedPath>()
        .map_or("-", axum::extract::MatchedPath::as_str);
    let id = request.headers().get(problem::REQUEST_ID).and_then(|id| id.to_str().ok());
    tracing::info_span!("request", method = %request.method(), route, request_id = id.unwrap_or("-"))
}

fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(service::routes())
        .merge(status::routes())
        .merge(collaborations::routes())
        .merge(members::routes())
        .merge(datasets::routes())
        .merge(queries::routes())
        .merge(changes::routes())
        .merge(rules::routes())
        .merge(lineage::routes())
        .merge(consents::routes())
        .merge(runs::routes())
        .merge(usage::routes())
        .merge(reports::routes())
        .merge(secrets::routes())
        .merge(log::routes())
        .merge(mirror::routes())
        .merge(bundle::routes())
        .merge(tiles::routes())
}

/// Carries a command out and answers with `status`.
async fn send(
    app: &App,
    caller: &Caller,
    headers: CommandHeaders,
    status: StatusCode,
    (collaboration, subject): (CollaborationId, Subject),
    (action, content): (&'static str, Value),
) -> Result<Response, Problem> {
    let incoming =
        Incoming { collaboration, subject, action, content, email: None, sealed: None, headers };
    execute(app, caller, incoming).await.map(|reply| reply.into_response(status))
}

/// The door of what only an executor sends: its token opens it, its key's signature is the authority.
struct ExecutorGate {
    /// What another caller hears.
    only: &'static str,
    /// What the executor hears that did not sign.
    unsigned: &'static str,
}

impl ExecutorGate {
    fn admits(&self, caller: &Caller) -> Result<(), Problem> {
        if caller.is_executor {
            return Ok(());
        }
        Err(Problem::forbidden("not_an_executor", self.only))
    }

    /// Carries out a signed command about a run.
    async fn send(
        &self,
        app: &App,
        caller: &Caller,
        headers: CommandHeaders,
        (collaboration, run): (String, String),
        command: (&'static str, Value),
    ) -> Result<Response, Problem> {
        self.admits(caller)?;
        if headers.signature.is_none() {
            return Err(Problem::forbidden("executor_signature_required", self.unsigned));
        }
        let target = (id(&collaboration)?, Subject::Run(id(&run)?));
        send(app, caller, headers, StatusCode::OK, target, command).await
    }
}

/// The log of a collaboration that the caller may read: a member's, or any for the executor.
async fn readable(
    app: &App,
    caller: &Caller,
    collaboration: CollaborationId,
) -> Result<Held, Problem> {
    let held = app.logs.hold(collaboration).await.map_err(|error| refusal::load(&error))?;
    let reads = is_member(held.state(), &caller.governance_identity())
        || (caller.is_executor && held.exists());
    if reads { Ok(held) } else { Err(refusal::collaboration_not_found()) }
}

/// Waits until the views show everything that is in any log now.
async fn caught_up(app: &App) -> Result<(), Problem> {
    for (id, size) in service::heads(app).await? {
        app.views
            .wait_for(id, size.saturating_sub(1), VIEWS_WAIT)
            .await
            .map_err(|error| refusal::views(&error))?;
    }
    Ok(())
}

/// Waits until the views show everything that is in a held log, then lets the log go.
async fn views(app: &App, held: Held) -> Result<(), Problem> {
    let Some(state) = held.state().collaboration() else { return Ok(()) };
    let (id, last) = (state.id, state.size - 1);
    drop(held);
    app.views.wait_for(id, last, VIEWS_WAIT).await.map_err(|error| refusal::views(&error))
}
