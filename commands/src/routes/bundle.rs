//! The audit bundle of a log, or of a part of it, streamed to any member.

use std::io;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use chancery_audit::partial::Scope;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::readable;
use crate::App;
use crate::caller::Caller;
use crate::export::{Export, ExportError, Wanted};
use crate::extract::{Params, Path, id};
use crate::problem::Problem;
use crate::refusal;

/// The media type of a bundle.
pub const MEDIA_TYPE: &str = "application/vnd.chancery.bundle";
/// The longest log, in entries, of which a part is exported: choosing takes some hundred bytes of
/// memory for each.
pub const CHOSEN_OF_MAX: u64 = 1_000_000;
/// Parts that are chosen at once, in this process; others wait.
const CHOOSING_MAX: usize = 1;

/// Bounds the memory that choosing takes.
static CHOOSING: Semaphore = Semaphore::const_new(CHOOSING_MAX);

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(bundle))
}

/// Which part; one of these at most. The whole log where none is given.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Part {
    /// The entries about this query, its votes and runs, and those that they rest on.
    query: Option<String>,
    /// The entries about this run, and those that they rest on.
    run: Option<String>,
    /// What this member did, and what was done about it.
    member: Option<String>,
}

impl Part {
    fn scope(&self) -> Result<Option<Scope>, Problem> {
        match (&self.query, &self.run, &self.member) {
            (None, None, None) => Ok(None),
            (Some(query), None, None) => Ok(Some(Scope::Query(id(query)?))),
            (None, Some(run), None) => Ok(Some(Scope::Run(id(run)?))),
            (None, None, Some(member)) => Ok(Some(Scope::Member(id(member)?))),
            _ => Err(Problem::bad_request(
                "bundle_part_unclear",
                "A bundle is of the whole log, or of one query, one run or one member.",
            )),
        }
    }
}

/// The log with its checkpoint, whole or the part about one query, run or member, to be verified
/// offline by `chancery audit verify`.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/bundle", tag = "log",
    params(("collaboration" = String, Path), Part),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.chancery.bundle")))]
async fn bundle(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
    Params(part): Params<Part>,
) -> Result<Response, Problem> {
    let collaboration = id(&collaboration)?;
    drop(readable(&app, &caller, collaboration).await?);
    let scope = part.scope()?;
    let wanted = Wanted {
        collaboration,
        scope,
        chosen_of_max: CHOSEN_OF_MAX,
        exported_at_ms: (app.clock)(),
    };
    let turn = match scope {
        Some(_) => Some(CHOOSING.acquire().await.map_err(|error| Problem::internal(&error))?),
        None => None,
    };
    let export = Export::begin(app.store(), &wanted).await.map_err(|error| refused(&error))?;
    drop(turn);
    // The connection breaks off where it fails, so that what arrived is cut short and a reader
    // finds it incomplete.
    let chunks = stream::unfold(Some(export), |export| async {
        match export?.chunk().await {
            Ok((bytes, rest)) => Some((Ok(Bytes::from(bytes)), rest)),
            Err(error) => Some((Err(io::Error::other(error)), None)),
        }
    });
    let mut response = Body::from_stream(chunks).into_response();
    let part =
        scope.map_or_else(String::new, |scope| format!("-{}", scope.to_string().replace('/', "-")));
    let name = format!("attachment; filename=\"{collaboration}{part}.chancery\"");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

fn refused(error: &ExportError) -> Problem {
    match error {
        ExportError::NoLog => refusal::collaboration_not_found(),
        ExportError::NotFound(scope) => {
            let (code, what) = match scope {
                Scope::Query(_) => ("query_not_found", "query"),
                Scope::Run(_) => ("run_not_found", "run"),
                Scope::Member(_) => ("member_not_found", "member"),
            };
            Problem::missing(code, format!("There is no such {what} in this collaboration."))
        }
        ExportError::TooLong { max, .. } => Problem::rejected(
            "log_too_long_for_parts",
            format!("Export the whole log: parts are chosen of logs of {max} entries at most."),
        ),
        ExportError::Read(error) => refusal::read(error),
        ExportError::Short { .. }
        | ExportError::Entry { .. }
        | ExportError::Fold(_)
        | ExportError::Receipt { .. }
        | ExportError::Beginning(_) => Problem::corrupt(&refusal::chain(error)),
        ExportError::Write(_) => Problem::internal(&refusal::chain(error)),
    }
}
