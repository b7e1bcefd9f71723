//! Secrets and tokens: stored by a dataset's owner, asked for by an attested executor, handed out to
//! the key that an entry of the log names, and to nobody else.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::decide::secret::standing;
use chancery_governance::query::DatasetVersion;
use chancery_governance::reason::Rejection;
use chancery_governance::secret::{Given, GivenWhat, SEALED_SECRET_LEN_MAX, ServiceKeys};
use chancery_governance::subject::Subject;
use chancery_ledger::codec::{Key, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, DatasetId, RunId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ExecutorGate, readable, send};
use crate::App;
use crate::api;
use crate::caller::Caller;
use crate::execute::{CommandHeaders, Incoming, execute};
use crate::extract::{Content, Path, id};
use crate::problem::Problem;
use crate::refusal;
use crate::reply::Reply;
use crate::trust::{HandOutError, jwk, stored_under};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(announce))
        .routes(routes!(store))
        .routes(routes!(erase))
        .routes(routes!(release))
        .routes(routes!(mint))
        .routes(routes!(hand_out))
        .routes(routes!(discovery))
        .routes(routes!(key_set))
}

/// The keys that the service announced in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnnouncedKeys {
    /// What secrets are sealed to: `X25519:` and the key in base64url.
    pub release_key: String,
    /// Its id, `sha256:...`.
    pub release_key_id: String,
    /// What signs tokens: `ES256:` and the key in base64url.
    pub token_key: String,
    /// What stands behind the evidence: `insecure-virtual` means that the service's process holds the
    /// private halves, and no hardware.
    pub platform: String,
    /// The position of the entry that announced them.
    pub position: u64,
}

impl AnnouncedKeys {
    fn of(keys: &ServiceKeys) -> Self {
        Self {
            release_key: keys.release_key.to_string(),
            release_key_id: keys.release_key.id().to_string(),
            token_key: keys.token_key.to_string(),
            platform: keys.platform.as_str().to_owned(),
            position: keys.position,
        }
    }
}

/// What was given to an executor, sealed to its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HandedOut {
    /// `secret` or `token`.
    pub kind: String,
    /// The dataset's id.
    pub dataset: String,
    /// The position of the entry that gave it.
    pub position: u64,
    /// The leaf hash of that entry: what the sealed bytes are bound to.
    pub leaf: String,
    /// The key that it is sealed to.
    pub recipient: String,
    /// The sealed bytes, base64url.
    pub sealed: String,
}

/// Have the service announce its keys for secrets and tokens in this log, if it did not yet. The
/// command is the service's own: yours may be repeated at will.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/service-keys", tag = "secrets",
    params(("collaboration" = String, Path)), request_body = api::Empty,
    responses((status = 200, body = AnnouncedKeys)))]
async fn announce(
    State(app): State<App>,
    caller: Caller,
    _: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(body): Content,
) -> Result<Json<AnnouncedKeys>, Problem> {
    if body != Value::map::<Key>([]) {
        return Err(Problem::rejected("invalid_content", "Expected a map without fields."));
    }
    let collaboration = id(&collaboration)?;
    drop(readable(&app, &caller, collaboration).await?);
    app.writers.attest(&app, collaboration).await?;
    let held = readable(&app, &caller, collaboration).await?;
    let keys = held.state().collaboration().and_then(|state| state.announced.last());
    let keys = keys.ok_or_else(|| Problem::internal(&"keys were announced, and are not there"))?;
    Ok(Json(AnnouncedKeys::of(keys)))
}

/// Store the secret of your dataset's newest version, sealed to the service's release key. The log
/// holds its digest, never the secret.
#[utoipa::path(put, path = "/v1/collaborations/{collaboration}/datasets/{dataset}/secret",
    tag = "secrets", params(("collaboration" = String, Path), ("dataset" = String, Path)),
    request_body = api::StoreDatasetSecret, responses((status = 200, body = Reply)))]
async fn store(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, dataset)): Path<(String, String)>,
    Content(body): Content,
) -> Result<Response, Problem> {
    let (collaboration, dataset): (CollaborationId, DatasetId) =
        (id(&collaboration)?, id(&dataset)?);
    let (content, sealed) = split_sealed(body)?;
    check_opens(&app, collaboration, dataset, &content, &sealed)?;
    let incoming = Incoming {
        collaboration,
        subject: Subject::Dataset(dataset),
        action: "dataset.store-secret",
        content,
        email: None,
        sealed: Some(sealed),
        headers,
    };
    execute(&app, &caller, incoming).await.map(|reply| reply.into_response(StatusCode::OK))
}

/// Takes the sealed bytes out of a body and puts their digest in.
fn split_sealed(body: Value) -> Result<(Value, Vec<u8>), Problem> {
    let Value::Map(mut fields) = body else {
        return Err(Problem::rejected("invalid_content", "Expected a map."));
    };
    let sealed = match fields.remove(&Key::from("sealed")) {
        Some(Value::Text(text)) => URL_SAFE_NO_PAD.decode(text).ok(),
        _ => None,
    };
    let sealed = sealed.filter(|sealed| (1..=SEALED_SECRET_LEN_MAX).contains(&sealed.len()));
    let sealed = sealed.ok_or_else(|| {
        let detail = format!("sealed: 1 to {SEALED_SECRET_LEN_MAX} bytes in base64url.");
        Problem::rejected("invalid_content", detail)
    })?;
    let digest = Value::text(Digest::of(&sealed).to_string());
    if fields.insert(Key::from("ciphertext"), digest).is_some() {
        let detail = "ciphertext: is not a known field.";
        return Err(Problem::rejected("invalid_content", detail));
    }
    Ok((Value::Map(fields), sealed))
}

/// Checks that the service could hand the secret out: the owner learns it now, not at the first run.
fn check_opens(
    app: &App,
    collaboration: CollaborationId,
    dataset: DatasetId,
    content: &Value,
    sealed: &[u8],
) -> Result<(), Problem> {
    let Value::Map(fields) = content else { return Ok(()) };
    let Some(Value::Text(version)) = fields.get(&Key::from("version")) else { return Ok(()) };
    // What is no digest, the rules refuse.
    let Ok(digest) = version.parse() else { return Ok(()) };
    if app.trust.opens(collaboration, &DatasetVersion { dataset, digest }, sealed) {
        return Ok(());
    }
    Err(Problem::rejected(
        "secret_not_openable",
        "The service can't open it: it is sealed to another key, dataset or version.",
    ))
}

/// Destroy the stored secret of your dataset. Runs get it no more.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/datasets/{dataset}/secret/erase",
    tag = "secrets", params(("collaboration" = String, Path), ("dataset" = String, Path)),
    request_body = api::Empty, responses((status = 200, body = Reply)))]
async fn erase(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, dataset)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Dataset(id(&dataset)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("dataset.erase-secret", content)).await
}

/// What is said to whoever is given nothing.
const GATE: ExecutorGate = ExecutorGate {
    only: "Only the executor is given secrets.",
    unsigned: "A request of a secret takes the executor key's signature.",
};

/// Executor: ask for a dataset's secret, on evidence. A refusal is 409 `secret_refused`, and an event.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/runs/{run}/reports/release-secret",
    tag = "executor", params(("collaboration" = String, Path), ("run" = String, Path)),
    request_body = api::ReleaseSecret, responses((status = 200, body = Reply)))]
async fn release(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(path): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    GATE.send(&app, &caller, headers, path, ("run.release-secret", content)).await
}

/// Executor: ask for a token for a dataset's store, on evidence. A refusal is 409 `token_refused`, and
/// an event.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/runs/{run}/reports/mint-token",
    tag = "executor", params(("collaboration" = String, Path), ("run" = String, Path)),
    request_body = api::MintToken, responses((status = 200, body = Reply)))]
async fn mint(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(path): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    GATE.send(&app, &caller, headers, path, ("run.mint-token", content)).await
}

/// Executor: fetch what the entry at a position gave, sealed to the key that it names. Everything is
/// checked once more: what was withdrawn since is handed out no more.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/runs/{run}/given/{position}",
    tag = "executor",
    params(("collaboration" = String, Path), ("run" = String, Path), ("position" = u64, Path)),
    responses((status = 200, body = HandedOut)))]
async fn hand_out(
    State(app): State<App>,
    caller: Caller,
    Path((collaboration, run, position)): Path<(String, String, String)>,
) -> Result<Json<HandedOut>, Problem> {
    let (collaboration, run): (CollaborationId, RunId) = (id(&collaboration)?, id(&run)?);
    let held = readable(&app, &caller, collaboration).await?;
    GATE.admits(&caller)?;
    let missing = || Problem::missing("not_given", "No entry there gave this run anything.");
    let position: u64 = position.parse().map_err(|_| missing())?;
    let state = held.state().collaboration().ok_or_else(refusal::collaboration_not_found)?;
    let found = state.runs.get(&run).ok_or_else(missing)?;
    let given = found.secrets.iter().flat_map(|secrets| &secrets.given);
    let given = given.into_iter().find(|it| it.position == position).cloned();
    let given = given.ok_or_else(missing)?;
    let now_ms = (app.clock)().max(state.last_time_ms);
    if let Some(rejection) = Rejection::of(standing(state, run, now_ms)) {
        return Err(refusal::rejection(&rejection));
    }
    let admitted = found.stage.admission().map(|admission| admission.executor.id());
    if admitted != Some(given.executor) {
        return Err(Problem::forbidden(
            "not_the_admitted_executor",
            "The run was admitted to another executor since.",
        ));
    }
    drop(held);
    let sealed = sealed(&app, (collaboration, run), &given).await?;
    let kind = match given.what {
        GivenWhat::Secret(_) => "secret",
        GivenWhat::Token(_) => "token",
    };
    Ok(Json(HandedOut {
        kind: kind.to_owned(),
        dataset: given.version.dataset.to_string(),
        position,
        leaf: given.leaf.to_string(),
        recipient: given.recipient.to_string(),
        sealed: URL_SAFE_NO_PAD.encode(sealed),
    }))
}

async fn sealed(
    app: &App,
    of: (CollaborationId, RunId),
    given: &Given,
) -> Result<Vec<u8>, Problem> {
    let made = match (&given.what, stored_under(given)) {
        (GivenWhat::Secret(ciphertext), Some(name)) => {
            let stored = app.store().personal_key(of.0, &name).await;
            let stored = stored.map_err(|error| refusal::read(&error))?.ok_or_else(|| {
                Problem::missing("secret_erased", "The stored secret was destroyed since.")
            })?;
            app.trust.hand_out_secret(of, given, (ciphertext, &stored))
        }
        (GivenWhat::Token(claims), _) => app.trust.hand_out_token(of, given, claims),
        (GivenWhat::Secret(_), None) => Err(HandOutError::Stored),
    };
    made.map_err(|error| match error {
        HandOutError::Key => Problem::unavailable(
            "trust_key_missing",
            "The service does not hold the key that this takes.",
        ),
        HandOutError::Stored => Problem::corrupt(&error),
        HandOutError::Sealing(_) | HandOutError::Signing => Problem::internal(&error),
    })
}

fn issuer(app: &App) -> Result<&str, Problem> {
    app.token_issuer.as_deref().ok_or_else(|| {
        Problem::missing("token_issuer_missing", "This service is no issuer of tokens.")
    })
}

/// What a store must know to verify tokens of runs: `OpenID` Connect Discovery 1.0.
#[utoipa::path(get, path = "/.well-known/openid-configuration", tag = "secrets", security(()),
    responses((status = 200, body = serde_json::Value)))]
async fn discovery(State(app): State<App>) -> Result<Json<serde_json::Value>, Problem> {
    let issuer = issuer(&app)?;
    Ok(Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["iss", "sub", "aud", "iat", "nbf", "exp", "jti"],
    })))
}

/// The keys that verify tokens of runs: a JSON Web Key Set (RFC 7517).
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "secrets", security(()),
    responses((status = 200, body = serde_json::Value)))]
async fn key_set(State(app): State<App>) -> Result<Json<serde_json::Value>, Problem> {
    issuer(&app)?;
    let keys: Vec<_> = jwk(app.trust.token_key()).into_iter().collect();
    Ok(Json(json!({ "keys": keys })))
}
