//! The log itself: sealed entries, checkpoints and proofs, for members and the executor.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::readable;
use crate::App;
use crate::caller::Caller;
use crate::extract::{Params, Path, id};
use crate::problem::Problem;
use crate::proofs;
use crate::refusal;

/// Most entries in one answer.
pub const ENTRIES_MAX: u32 = 500;
/// Most collaborations in one answer.
pub const HEADS_MAX: u32 = 1_000;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(heads))
        .routes(routes!(entries))
        .routes(routes!(checkpoint))
        .routes(routes!(inclusion))
        .routes(routes!(consistency))
        .routes(routes!(inclusion_receipt))
        .routes(routes!(consistency_receipt))
}

/// Where a list of heads starts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct After {
    /// The last collaboration of the answer before.
    after: Option<String>,
}

/// The size of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogHead {
    /// The collaboration's id.
    pub collaboration: String,
    /// The number of entries.
    pub size: u64,
}

/// The sizes of all logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogHeads {
    /// One for each log, by id.
    pub heads: Vec<LogHead>,
}

/// The sizes of all logs; for the executor.
#[utoipa::path(get, path = "/v1/log/heads", tag = "log", params(After),
    responses((status = 200, body = LogHeads)))]
async fn heads(
    State(app): State<App>,
    caller: Caller,
    Params(page): Params<After>,
) -> Result<Json<LogHeads>, Problem> {
    if !caller.is_executor {
        return Err(Problem::forbidden("not_an_executor", "Only the executor follows all logs."));
    }
    let after = page.after.as_deref().map(id::<CollaborationId>).transpose()?;
    let heads = app.store().heads(after, HEADS_MAX).await.map_err(|error| refusal::read(&error))?;
    let heads = heads
        .into_iter()
        .map(|(collaboration, size)| LogHead { collaboration: collaboration.to_string(), size })
        .collect();
    Ok(Json(LogHeads { heads }))
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Range {
    /// The first position; 0 where none is given.
    from: Option<u64>,
    /// At most so many, 1 to 500.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// A sealed entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SealedEntry {
    /// Its position.
    pub position: u64,
    /// Its Merkle leaf hash.
    pub digest: String,
    /// The `COSE_Sign1` bytes, base64url.
    pub sealed: String,
}

/// A range of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entries {
    /// The entries, in order without gaps.
    pub entries: Vec<SealedEntry>,
    /// The number of entries in the log now.
    pub size: u64,
}

/// The sealed entries of a log.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/entries", tag = "log",
    params(("collaboration" = String, Path), Range), responses((status = 200, body = Entries)))]
async fn entries(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
    Params(range): Params<Range>,
) -> Result<Json<Entries>, Problem> {
    let collaboration = id(&collaboration)?;
    let limit = range.limit.unwrap_or(ENTRIES_MAX);
    if limit == 0 || limit > ENTRIES_MAX {
        return Err(Problem::bad_request("limit_invalid", format!("limit: 1 to {ENTRIES_MAX}.")));
    }
    drop(readable(&app, &caller, collaboration).await?);
    let head = app.store().head(collaboration).await.map_err(|error| refusal::read(&error))?;
    let stored = app.store().range(collaboration, range.from.unwrap_or(0), limit).await;
    let entries = stored
        .map_err(|error| refusal::read(&error))?
        .into_iter()
        .map(|stored| SealedEntry {
            position: stored.position,
            digest: stored.leaf_hash.to_string(),
            sealed: URL_SAFE_NO_PAD.encode(stored.sealed),
        })
        .collect();
    Ok(Json(Entries { entries, size: head.map_or(0, |head| head.size) }))
}

/// The signed checkpoint over a log: a C2SP signed note.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/checkpoint", tag = "log",
    params(("collaboration" = String, Path)),
    responses((status = 200, body = String, content_type = "text/plain")))]
async fn checkpoint(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
) -> Result<Response, Problem> {
    let collaboration = id(&collaboration)?;
    drop(readable(&app, &caller, collaboration).await?);
    let head = app.store().head(collaboration).await.map_err(|error| refusal::read(&error))?;
    let head = head.ok_or_else(refusal::collaboration_not_found)?;
    let mut response = head.checkpoint.into_response();
    let media = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    Ok(response)
}

/// A Merkle proof (RFC 9162).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Proof {
    /// The size of the tree that the proof is in.
    pub size: u64,
    /// The root of that tree.
    pub root: String,
    /// The hashes, lowest first.
    pub hashes: Vec<String>,
}

/// Which inclusion proof.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct InclusionOf {
    /// The entry's position.
    position: u64,
    /// The size of the tree; that of the log where none is given.
    size: Option<u64>,
}

/// That an entry is in the log (RFC 9162 section 2.1.3).
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/proofs/inclusion", tag = "log",
    params(("collaboration" = String, Path), InclusionOf), responses((status = 200, body = Proof)))]
async fn inclusion(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
    Params(which): Params<InclusionOf>,
) -> Result<Json<Proof>, Problem> {
    let proof = which.prove(&app, &caller, &collaboration).await?;
    Ok(Json(Proof::of(proof.size, proof.root, &proof.path)))
}

/// That an entry is in the log, as a COSE Receipt (RFC 9942).
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/receipts/inclusion", tag = "log",
    params(("collaboration" = String, Path), InclusionOf),
    responses((status = 200, body = Vec<u8>, content_type = "application/cose")))]
async fn inclusion_receipt(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
    Params(which): Params<InclusionOf>,
) -> Result<Response, Problem> {
    let proof = which.prove(&app, &caller, &collaboration).await?;
    Ok(cose(proof.receipt(&app.logs)))
}

impl InclusionOf {
    async fn prove(
        &self,
        app: &App,
        caller: &Caller,
        collaboration: &str,
    ) -> Result<proofs::Inclusion, Problem> {
        let collaboration = id(collaboration)?;
        drop(readable(app, caller, collaboration).await?);
        proofs::inclusion(app, collaboration, self.position, self.size).await
    }
}

/// Which consistency proof.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ConsistencyOf {
    /// The size of the old tree.
    from: u64,
    /// The size of the new one; that of the log where none is given.
    to: Option<u64>,
}

/// That an older log is a prefix of a newer one (RFC 9162 section 2.1.4).
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/proofs/consistency", tag = "log",
    params(("collaboration" = String, Path), ConsistencyOf),
    responses((status = 200, body = Proof)))]
async fn consistency(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
    Params(which): Params<ConsistencyOf>,
) -> Result<Json<Proof>, Problem> {
    let proof = which.prove(&app, &caller, &collaboration).await?;
    Ok(Json(Proof::of(proof.to, proof.root, &proof.path)))
}

/// That an older log is a prefix of a newer one, as a COSE Receipt (RFC 9942).
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/receipts/consistency", tag = "log",
    params(("collaboration" = String, Path), ConsistencyOf),
    responses((status = 200, body = Vec<u8>, content_type = "application/cose")))]
async fn consistency_receipt(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
    Params(which): Params<ConsistencyOf>,
) -> Result<Response, Problem> {
    let proof = which.prove(&app, &caller, &collaboration).await?;
    Ok(cose(proof.receipt(&app.logs)))
}

impl ConsistencyOf {
    async fn prove(
        &self,
        app: &App,
        caller: &Caller,
        collaboration: &str,
    ) -> Result<proofs::Consistency, Problem> {
        let collaboration = id(collaboration)?;
        drop(readable(app, caller, collaboration).await?);
        proofs::consistency(app, collaboration, self.from, self.to).await
    }
}

impl Proof {
    fn of(size: u64, root: Digest, path: &[Digest]) -> Self {
        Self { size, root: root.to_string(), hashes: path.iter().map(Digest::to_string).collect() }
    }
}

fn cose(receipt: Vec<u8>) -> Response {
    let mut response = receipt.into_response();
    let media = HeaderValue::from_static("application/cose; cose-type=\"cose-sign1\"");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response
}
