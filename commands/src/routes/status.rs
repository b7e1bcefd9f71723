//! The page for whoever looks after the service: whether it stands, and what calls for people. It is
//! public as `/metrics` is, and names no collaboration either.

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use chancery_attestation::insecure_virtual;
use chancery_mirror::Kind;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::health;
use crate::App;
use crate::mirror::{DIVERGED, Figures};
use crate::problem::Problem;

/// Nothing is loaded, sent or framed: the page is whole.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; \
                      base-uri 'none'; form-action 'none'";
/// Seconds between two looks of a page that stays open.
const REFRESH_S: u32 = 30;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(status))
}

/// How the service stands, as a page: what `/v1/service`, `/readyz` and `/metrics` say.
#[utoipa::path(get, path = "/status", tag = "service", security(()),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn status(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let alarms = health(&app).await?.alarms;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, Html(page(&app, &alarms).into_string())))
}

fn page(app: &App, alarms: &[String]) -> Markup {
    let name = app.logs.service();
    let key = app.logs.key().public();
    let is_virtual = app.evidence.kind == insecure_virtual::KIND;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                meta http-equiv="refresh" content=(REFRESH_S);
                title { @if !alarms.is_empty() { "ALARM: " } (name) }
                style { (PreEscaped(include_str!("status.css"))) }
            }
            body {
                h1 { (name) }
                @for alarm in alarms { (notice_of(alarm)) }
                @if alarms.is_empty() {
                    div.notice.ok { strong { "No alarm" } "The log can be read." }
                }
                @if is_virtual {
                    div.notice.virtual {
                        strong { "insecure-virtual" }
                        "No hardware stands behind this service's key: its evidence proves nothing."
                    }
                }
                h2 { "Service" }
                table {
                    tr { th { "Key" } td { code { (key) } } }
                    tr { th { "Key id, which auditors pin" } td { code { (key.id()) } } }
                    tr { th { "Evidence" } td { (app.evidence.kind) } }
                    tr { th { "Release" } td { (env!("CARGO_PKG_VERSION")) } }
                }
                h2 { "Mirror" }
                @match &app.mirror {
                    Some(mirror) => (mirrored(mirror.kind, &mirror.figures((app.clock)()))),
                    None => p { "The logs are mirrored nowhere." },
                }
            }
        }
    }
}

fn notice_of(alarm: &str) -> Markup {
    html! {
        div.notice.alarm {
            strong { (alarm) }
            @if alarm == DIVERGED {
                "The mirror holds another history of a log than this service, lost what it had given \
                 receipts for, or gave one that does not verify. That log is mirrored no more. Keep \
                 the database and the CCF ledger as they are, export a bundle, and compare: "
                code { "chancery audit ccf-ledger DIR --bundle FILE" }
            }
        }
    }
}

fn mirrored(kind: Kind, figures: &Figures) -> Markup {
    html! {
        @if kind == Kind::InsecureVirtual {
            div.notice.virtual {
                strong { "insecure-virtual" }
                "A stand-in in the service itself: its receipts prove nothing."
            }
        }
        table {
            tr { th { "Kind" } td { (kind.as_str()) } }
            @for (state, count) in &figures.logs {
                tr { th { "Logs " (state) } td { (count) } }
            }
            tr { th { "Entries with a verified receipt" } td { (figures.entries) } }
            tr { th { "Entries without one" } td { (figures.lag_entries) } }
            tr { th { "Longest wait for one, seconds" } td { (figures.lag_seconds) } }
        }
    }
}
