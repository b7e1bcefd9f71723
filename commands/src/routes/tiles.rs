//! The log as tiles (<https://c2sp.org/tlog-tiles>): what public tools for such logs read.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use chancery_ledger::id::CollaborationId;
use chancery_ledger::tile::{Bundle, Tile};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::readable;
use crate::App;
use crate::caller::Caller;
use crate::extract::{Path, id};
use crate::problem::Problem;
use crate::refusal;

/// A tile never changes once it is there; only who may read it does.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("private, max-age=604800, immutable");
const NO_STORE: HeaderValue = HeaderValue::from_static("private, no-store");

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(tlog))
}

/// A resource of the tiled log: `checkpoint`, `tile/<L>/<N>[.p/<W>]` or
/// `tile/entries/<N>[.p/<W>]`.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/tlog/{*path}", tag = "log",
    params(("collaboration" = String, Path), ("path" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
async fn tlog(
    State(app): State<App>,
    caller: Caller,
    Path((collaboration, path)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let collaboration = id(&collaboration)?;
    drop(readable(&app, &caller, collaboration).await?);
    if path == "checkpoint" {
        let head = app.store().head(collaboration).await.map_err(|error| refusal::read(&error))?;
        let note = head.ok_or_else(refusal::collaboration_not_found)?.checkpoint;
        return Ok(answer(note.into_bytes(), "text/plain; charset=utf-8", NO_STORE));
    }
    let octets = |bytes| answer(bytes, "application/octet-stream", IMMUTABLE);
    if let Ok(bundle) = Bundle::parse(&path) {
        return entries(&app, collaboration, bundle).await.map(octets);
    }
    let tile = Tile::parse(&path).map_err(|_| no_such_tile())?;
    let hashes = app.store().tile(collaboration, tile).await;
    let hashes = hashes.map_err(|error| refusal::read(&error))?.ok_or_else(no_such_tile)?;
    Ok(octets(Tile::encode(&hashes)))
}

async fn entries(
    app: &App,
    collaboration: CollaborationId,
    bundle: Bundle,
) -> Result<Vec<u8>, Problem> {
    let width = usize::from(bundle.width);
    let mut entries = Vec::with_capacity(width);
    while entries.len() < width {
        let limit = u32::from(bundle.width) - u32::try_from(entries.len()).unwrap_or(0);
        let from = bundle.first() + entries.len() as u64;
        let page = app.store().range(collaboration, from, limit).await;
        let page = page.map_err(|error| refusal::read(&error))?;
        if page.is_empty() {
            return Err(no_such_tile());
        }
        entries.extend(page.into_iter().map(|stored| stored.sealed));
    }
    bundle.encode(&entries).map_err(|error| {
        Problem::rejected(
            "entry_too_long_for_tiles",
            format!("Read the entries at /entries instead: {error}."),
        )
    })
}

fn no_such_tile() -> Problem {
    Problem::missing("tile_not_found", "The log has no such tile: not a path of one, or beyond it.")
}

fn answer(bytes: Vec<u8>, media: &'static str, cache: HeaderValue) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, cache);
    response
}
