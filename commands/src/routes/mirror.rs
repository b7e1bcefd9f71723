//! The mirror of a log: how it stands, and the receipts; and the figures of all logs, as metrics.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use chancery_ledger::id::CollaborationId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::readable;
use crate::App;
use crate::caller::Caller;
use crate::extract::{Path, id};
use crate::mirror::{self, MirrorStanding, MirroredEntry};
use crate::problem::Problem;
use crate::refusal;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(standing)).routes(routes!(receipt)).routes(routes!(metrics))
}

/// How far the log is mirrored, and whether it goes on.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/mirror", tag = "log",
    params(("collaboration" = String, Path)), responses((status = 200, body = MirrorStanding)))]
async fn standing(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
) -> Result<Json<MirrorStanding>, Problem> {
    let collaboration = id(&collaboration)?;
    let size = size(&app, &caller, collaboration).await?;
    let standing = mirror::standing(&app, collaboration, size).await;
    standing.map(Json).map_err(|error| refusal::read(&error))
}

/// Whether an entry is mirrored, with the mirror's receipt for the batch that holds it.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/receipts/{position}", tag = "log",
    params(("collaboration" = String, Path), ("position" = u64, Path)),
    responses((status = 200, body = MirroredEntry)))]
async fn receipt(
    State(app): State<App>,
    caller: Caller,
    Path((collaboration, position)): Path<(String, String)>,
) -> Result<Json<MirroredEntry>, Problem> {
    let collaboration = id(&collaboration)?;
    let size = size(&app, &caller, collaboration).await?;
    let position = position.parse().ok().filter(|position| *position < size);
    let position = position.ok_or_else(|| {
        Problem::missing("position_not_found", "The log has no entry at that position.")
    })?;
    let entry = mirror::entry(&app, collaboration, position, size).await;
    entry.map(Json).map_err(|error| refusal::read(&error))
}

/// The size of a log that the caller may read.
async fn size(app: &App, caller: &Caller, collaboration: CollaborationId) -> Result<u64, Problem> {
    drop(readable(app, caller, collaboration).await?);
    let head = app.store().head(collaboration).await.map_err(|error| refusal::read(&error))?;
    Ok(head.map_or(0, |head| head.size))
}

/// Figures of the mirror over all logs, in the Prometheus text format. They name no collaboration.
#[utoipa::path(get, path = "/metrics", tag = "service", security(()),
    responses((status = 200, body = String, content_type = "text/plain")))]
async fn metrics(State(app): State<App>) -> Response {
    let mut response = text(&app).into_response();
    let media = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response
}

fn text(app: &App) -> String {
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, values: &[(String, u64)]| {
        let _ = write!(
            text,
            "# HELP chancery_mirror_{name} {help}\n# TYPE chancery_mirror_{name} gauge\n"
        );
        for (labels, value) in values {
            let _ = writeln!(text, "chancery_mirror_{name}{labels} {value}");
        }
    };
    let kind = app.mirror.as_ref().map_or("none", |mirror| mirror.kind.as_str());
    let one = |value| [(String::new(), value)];
    gauge("info", "What the logs are mirrored in.", &[(format!("{{kind=\"{kind}\"}}"), 1)]);
    let Some(mirror) = &app.mirror else { return text };
    let figures = mirror.figures((app.clock)());
    let states: Vec<_> = figures
        .logs
        .iter()
        .map(|(name, count)| (format!("{{state=\"{name}\"}}"), *count))
        .collect();
    gauge("logs", "Logs, by how their mirror stands.", &states);
    gauge("entries", "Entries with a verified receipt.", &one(figures.entries));
    gauge("lag_entries", "Entries without one.", &one(figures.lag_entries));
    let help = "Entries without one in the log with most of them.";
    gauge("lag_entries_max", help, &one(figures.lag_entries_max));
    let help = "For how long the oldest entry without a receipt has been in its log.";
    gauge("lag_seconds", help, &one(figures.lag_seconds));
    text
}
