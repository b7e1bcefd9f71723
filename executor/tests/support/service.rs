//! The part of the service's HTTP API that an executor uses, over a [`Room`], with faults on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::subject::Subject;
use chancery_ledger::codec::{self, Value};
use chancery_ledger::entry::{Authority, SignedContent};
use chancery_ledger::id::{CommandId, RunId};
use serde_json::json;

use super::room::{self, Room};

#[derive(Clone)]
pub struct Service(Arc<Mutex<Inner>>);

pub struct Inner {
    pub room: Room,
    /// The next so many answers to reports are lost after the report was taken.
    pub lose_replies: u32,
    /// The next so many calls find the service away.
    pub away: u32,
    /// All calls do.
    pub down: bool,
    /// The position of an entry that is given with a flipped byte.
    pub tampered: Option<usize>,
    /// The number of the one token that is good.
    pub token: u32,
    /// How often the heads were asked for.
    pub sweeps: u32,
    outcomes: BTreeMap<CommandId, Result<(), (String, String)>>,
}

type Problem = (StatusCode, Json<serde_json::Value>);

fn problem(status: StatusCode, code: &str) -> Problem {
    (status, Json(json!({ "code": code, "detail": "so", "reasons": [] })))
}

impl Service {
    /// Serves on a port of its own until the runtime ends. Returns the base URL.
    pub async fn serve(room: Room) -> (Self, String) {
        let inner = Inner {
            room,
            lose_replies: 0,
            away: 0,
            down: false,
            tampered: None,
            token: 0,
            sweeps: 0,
            outcomes: BTreeMap::new(),
        };
        let service = Self(Arc::new(Mutex::new(inner)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/token", post(token))
            .route("/v1/log/heads", get(heads))
            .route("/v1/collaborations/{c}/entries", get(entries))
            .route("/v1/collaborations/{c}/checkpoint", get(checkpoint))
            .route("/v1/collaborations/{c}/runs/{r}/reports/{step}", post(report))
            .route("/v1/collaborations/{c}/runs/{r}/given/{position}", get(given))
            .with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (service, base)
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    fn called(&self, headers: &HeaderMap) -> Result<MutexGuard<'_, Inner>, Problem> {
        let mut inner = self.lock();
        let wanted = format!("Bearer t{}", inner.token);
        if headers.get("authorization").is_none_or(|token| *token != *wanted) {
            return Err(problem(StatusCode::UNAUTHORIZED, "token_invalid"));
        }
        if inner.down || inner.away > 0 {
            inner.away = inner.away.saturating_sub(1);
            return Err(problem(StatusCode::SERVICE_UNAVAILABLE, "log_unavailable"));
        }
        Ok(inner)
    }
}

async fn token(State(service): State<Service>, body: String) -> Json<serde_json::Value> {
    assert_eq!(body, "grant_type=client_credentials&client_id=executor&client_secret=secret");
    Json(json!({ "access_token": format!("t{}", service.lock().token), "expires_in": 3600 }))
}

type Params = Query<BTreeMap<String, String>>;

async fn heads(
    State(service): State<Service>,
    headers: HeaderMap,
    Query(params): Params,
) -> Result<Response, Problem> {
    let mut inner = service.called(&headers)?;
    inner.sweeps += 1;
    let id = room::id().to_string();
    let heads = if params.get("after") == Some(&id) {
        json!([])
    } else {
        json!([{ "collaboration": id, "size": inner.room.log.len() }])
    };
    Ok(Json(json!({ "heads": heads })).into_response())
}

async fn entries(
    State(service): State<Service>,
    headers: HeaderMap,
    Path(_): Path<String>,
    Query(params): Params,
) -> Result<Response, Problem> {
    let inner = service.called(&headers)?;
    let (from, limit): (usize, usize) =
        (params["from"].parse().unwrap(), params["limit"].parse().unwrap());
    // Small pages, so that paging is used.
    let entries: Vec<_> = inner
        .room
        .log
        .iter()
        .enumerate()
        .skip(from)
        .take(limit.min(5))
        .map(|(position, sealed)| {
            let mut bytes = sealed.bytes().to_vec();
            if inner.tampered == Some(position) {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
            json!({
                "position": position,
                "digest": sealed.leaf().to_string(),
                "sealed": URL_SAFE_NO_PAD.encode(bytes),
            })
        })
        .collect();
    Ok(Json(json!({ "entries": entries, "size": inner.room.log.len() })).into_response())
}

async fn checkpoint(
    State(service): State<Service>,
    headers: HeaderMap,
    Path(_): Path<String>,
) -> Result<Response, Problem> {
    Ok(service.called(&headers)?.room.checkpoint().into_response())
}

async fn report(
    State(service): State<Service>,
    headers: HeaderMap,
    Path((_, run, step)): Path<(String, String, String)>,
    body: String,
) -> Result<Response, Problem> {
    let mut inner = service.called(&headers)?;
    let run: RunId = run.parse().unwrap();
    let command: CommandId = headers["idempotency-key"].to_str().unwrap().parse().unwrap();
    let message = URL_SAFE_NO_PAD.decode(&headers["chancery-signature"]).unwrap();
    let content = codec::encode(&to_value(&serde_json::from_str(&body).unwrap()));
    let known = inner.outcomes.get(&command).cloned();
    let outcome = known.unwrap_or_else(|| {
        let authority = Authority::ExecutorSigned(SignedContent { message, content });
        let taken = inner.room.take(Subject::Run(run), command, &authority);
        let last = inner.room.log.last().map(|sealed| sealed.entry().kind.clone());
        let outcome = match taken {
            Ok(()) if last.as_deref() == Some("SecretRefused") => {
                Err(("secret_refused".to_owned(), step.clone()))
            }
            Ok(()) if inner.room.stage_name(run) == "refused" => {
                Err(("run_refused".to_owned(), step.clone()))
            }
            Ok(()) => Ok(()),
            Err(error) => Err((error.first.code.as_str().to_owned(), error.first.detail)),
        };
        inner.outcomes.insert(command, outcome.clone());
        outcome
    });
    if inner.lose_replies > 0 {
        inner.lose_replies -= 1;
        return Err(problem(StatusCode::BAD_GATEWAY, "lost"));
    }
    match outcome {
        Ok(()) => Ok(Json(json!({})).into_response()),
        Err((code, _)) => Err(problem(StatusCode::CONFLICT, &code)),
    }
}

async fn given(
    State(service): State<Service>,
    headers: HeaderMap,
    Path((_, run, position)): Path<(String, RunIdText, u64)>,
) -> Result<Response, Problem> {
    let inner = service.called(&headers)?;
    let sealed = inner.room.given(run.parse().unwrap(), position);
    let sealed = sealed.map_err(|code| problem(StatusCode::CONFLICT, code))?;
    Ok(Json(json!({ "sealed": URL_SAFE_NO_PAD.encode(sealed) })).into_response())
}

type RunIdText = String;

fn to_value(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Number(number) => match number.as_u64() {
            Some(number) => Value::from(number),
            None => Value::Int(number.as_i64().unwrap().into()),
        },
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::Array(items.iter().map(to_value).collect()),
        Json::Object(map) => {
            Value::map(map.iter().map(|(name, value)| (name.as_str(), to_value(value))))
        }
    }
}
