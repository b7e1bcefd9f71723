//! The audit bundle of a whole log, streamed to any member.

use std::io;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use chancery_audit::bundle::{Cosigned, Header, Kind, Writer};
use chancery_governance::state::origin;
use chancery_ledger::id::CollaborationId;
use chancery_store::Store;
use futures_util::stream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::readable;
use crate::App;
use crate::caller::Caller;
use crate::extract::{Path, id};
use crate::problem::Problem;
use crate::refusal;

/// The media type of a bundle.
pub const MEDIA_TYPE: &str = "application/vnd.chancery.bundle";
/// Entries read at a time.
const PAGE: u32 = 256;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(bundle))
}

/// The whole log with its checkpoint, to be verified offline by `chancery audit verify`.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/bundle", tag = "log",
    params(("collaboration" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.chancery.bundle")))]
async fn bundle(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
) -> Result<Response, Problem> {
    let collaboration = id(&collaboration)?;
    let first_key = {
        let held = readable(&app, &caller, collaboration).await?;
        let keys = held.state().collaboration().map(|state| state.service_keys.as_slice());
        let first = keys.and_then(<[_]>::first).map(|(_, key)| key.clone());
        first.ok_or_else(refusal::collaboration_not_found)?
    };
    // Before the head, so that it is not of a longer log.
    let cosigned = app.store().cosigned(collaboration).await;
    let cosigned = cosigned
        .map_err(|error| refusal::read(&error))?
        .map(|head| Cosigned { size: head.size, note: head.checkpoint });
    let head = app.store().head(collaboration).await.map_err(|error| refusal::read(&error))?;
    let head = head.ok_or_else(refusal::collaboration_not_found)?;
    let header = Header {
        collaboration,
        origin: origin(app.logs.service(), collaboration),
        service_key: first_key,
        size: head.size,
        exported_at_ms: (app.clock)(),
    };
    let writer = Writer::of_kind(Vec::new(), &header, Kind::WholeLog, cosigned)
        .map_err(|error| Problem::internal(&error))?;
    let export = Export {
        store: app.store().clone(),
        collaboration,
        size: head.size,
        next: 0,
        checkpoint: head.checkpoint,
        writer,
    };
    let chunks = stream::unfold(Some(export), |export| async {
        match export?.chunk().await {
            Ok((bytes, rest)) => Some((Ok(bytes), rest)),
            Err(error) => Some((Err(error), None)),
        }
    });
    let mut response = Body::from_stream(chunks).into_response();
    let name = format!("attachment; filename=\"{collaboration}.chancery\"");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// An export under way. The connection breaks off where it fails, so that what arrived is cut
/// short and a reader finds it incomplete.
struct Export {
    store: Store,
    collaboration: CollaborationId,
    size: u64,
    next: u64,
    checkpoint: String,
    writer: Writer<Vec<u8>>,
}

impl Export {
    async fn chunk(mut self) -> io::Result<(Bytes, Option<Self>)> {
        if self.next == self.size {
            let bytes = self.writer.finish(&self.checkpoint).map_err(io::Error::other)?;
            return Ok((bytes.into(), None));
        }
        let page = self.store.range(self.collaboration, self.next, PAGE).await;
        let page = page.map_err(io::Error::other)?;
        let left = usize::try_from(self.size - self.next).unwrap_or(usize::MAX);
        if page.is_empty() {
            return Err(io::Error::other("the log is shorter than its head says"));
        }
        for stored in page.into_iter().take(left) {
            self.writer.push(&stored.sealed).map_err(io::Error::other)?;
            self.next += 1;
        }
        let bytes = std::mem::take(self.writer.output());
        Ok((bytes.into(), Some(self)))
    }
}
