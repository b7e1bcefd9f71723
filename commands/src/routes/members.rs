//! Invitations, members and their keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::subject::Subject;
use chancery_ledger::codec::{Key, Value};
use chancery_ledger::id::{CollaborationId, InvitationId};
use chancery_projections::{InvitationView, MemberView};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::{Page, PageOf};
use super::{readable, send, views};
use crate::App;
use crate::api;
use crate::caller::Caller;
use crate::execute::{CommandHeaders, Incoming, execute};
use crate::extract::{Content, Params, Path, id};
use crate::personal::{Email, SALT_LEN_MAX, SALT_LEN_MIN, is_address, normal};
use crate::problem::Problem;
use crate::refusal;
use crate::reply::Reply;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(invite, list_invitations))
        .routes(routes!(accept))
        .routes(routes!(withdraw))
        .routes(routes!(erase))
        .routes(routes!(list_members))
        .routes(routes!(register_key))
        .routes(routes!(revoke_key))
        .routes(routes!(leave))
        .routes(routes!(grant_ability))
        .routes(routes!(revoke_ability))
}

/// Invite somebody by e-mail. The address is sealed; what is signed holds its commitment.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/invitations", tag = "members",
    params(("collaboration" = String, Path)), request_body = api::Invite,
    responses((status = 201, body = Reply)))]
async fn invite(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path(collaboration): Path<String>,
    Content(body): Content,
) -> Result<Response, Problem> {
    let collaboration: CollaborationId = id(&collaboration)?;
    let (content, email) = split_email(body)?;
    let incoming = Incoming {
        collaboration,
        subject: Subject::Invitation(InvitationId::new(headers.command.uuid())),
        action: "member.invite",
        content,
        email: Some(email),
        sealed: None,
        headers,
    };
    execute(&app, &caller, incoming).await.map(|reply| reply.into_response(StatusCode::CREATED))
}

/// Takes the address out of an invitation's body and puts its commitment in.
fn split_email(body: Value) -> Result<(Value, Email), Problem> {
    let Value::Map(mut fields) = body else {
        return Err(Problem::rejected("invalid_content", "Expected a map."));
    };
    let mut take = |name: &str| match fields.remove(&Key::from(name)) {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(Problem::rejected("invalid_content", format!("{name}: expected a text."))),
    };
    let (address, salt) = (take("email")?, take("email_salt")?);
    let address = normal(&address);
    if !is_address(&address) {
        return Err(Problem::rejected("invalid_email", "email: that is no e-mail address."));
    }
    let salt = URL_SAFE_NO_PAD
        .decode(salt)
        .ok()
        .filter(|salt| (SALT_LEN_MIN..=SALT_LEN_MAX).contains(&salt.len()))
        .ok_or_else(|| {
            Problem::rejected(
                "invalid_content",
                format!("email_salt: {SALT_LEN_MIN} to {SALT_LEN_MAX} bytes in base64url."),
            )
        })?;
    let email = Email { salt, address };
    let commitment = Value::text(email.commitment().to_string());
    if fields.insert(Key::from("email_commitment"), commitment).is_some() {
        let detail = "email_commitment: is not a known field.";
        return Err(Problem::rejected("invalid_content", detail));
    }
    Ok((Value::Map(fields), email))
}

/// The invitations of a collaboration.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/invitations", tag = "members",
    params(("collaboration" = String, Path), Page),
    responses((status = 200, body = PageOf<InvitationView>)))]
async fn list_invitations(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<PageOf<InvitationView>>, Problem> {
    let page = page.request()?;
    let collaboration = id(&collaboration)?;
    views(&app, readable(&app, &caller, collaboration).await?).await?;
    let found = app.views.invitations(collaboration, page).await;
    Ok(Json(found.map_err(|error| refusal::views(&error))?.into()))
}

/// Accept an invitation. Your issuer must vouch for the invited e-mail.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/invitations/{invitation}/accept",
    tag = "members", params(("collaboration" = String, Path), ("invitation" = String, Path)),
    request_body = api::Empty, responses((status = 200, body = Reply)))]
async fn accept(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, invitation)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Invitation(id(&invitation)?));
    let command = ("member.accept-invitation", content);
    send(&app, &caller, headers, StatusCode::OK, target, command).await
}

/// Take an invitation back.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/invitations/{invitation}/withdraw",
    tag = "members", params(("collaboration" = String, Path), ("invitation" = String, Path)),
    request_body = api::Empty, responses((status = 200, body = Reply)))]
async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, invitation)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Invitation(id(&invitation)?));
    let command = ("member.withdraw-invitation", content);
    send(&app, &caller, headers, StatusCode::OK, target, command).await
}

/// Erase the address that an invitation holds, for good. Every proof still verifies.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/invitations/{invitation}/erase",
    tag = "members", params(("collaboration" = String, Path), ("invitation" = String, Path)),
    request_body = api::Empty, responses((status = 200, body = Reply)))]
async fn erase(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, invitation)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Invitation(id(&invitation)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("personal.erase", content)).await
}

/// The members of a collaboration.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/members", tag = "members",
    params(("collaboration" = String, Path), Page),
    responses((status = 200, body = PageOf<MemberView>)))]
async fn list_members(
    State(app): State<App>,
    caller: Caller,
    Path(collaboration): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<PageOf<MemberView>>, Problem> {
    let page = page.request()?;
    let collaboration = id(&collaboration)?;
    views(&app, readable(&app, &caller, collaboration).await?).await?;
    let found = app.views.members(collaboration, page).await;
    Ok(Json(found.map_err(|error| refusal::views(&error))?.into()))
}

/// Register a key of your own, with its proof of possession.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/members/{member}/keys",
    tag = "members", params(("collaboration" = String, Path), ("member" = String, Path)),
    request_body = api::RegisterSigningKey, responses((status = 201, body = Reply)))]
async fn register_key(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, member)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Member(id(&member)?));
    send(&app, &caller, headers, StatusCode::CREATED, target, ("member.register-key", content))
        .await
}

/// Revoke a key of your own.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/members/{member}/keys/revoke",
    tag = "members", params(("collaboration" = String, Path), ("member" = String, Path)),
    request_body = api::RevokeSigningKey, responses((status = 200, body = Reply)))]
async fn revoke_key(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, member)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Member(id(&member)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("member.revoke-key", content)).await
}

/// Be a member no more. What you own is retired, what you wrote ends, your marks fall.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/members/{member}/leave",
    tag = "members", params(("collaboration" = String, Path), ("member" = String, Path)),
    request_body = api::Empty, responses((status = 200, body = Reply)))]
async fn leave(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, member)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Member(id(&member)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("member.leave", content)).await
}

/// Let a member do something. Making an owner takes a change request.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/members/{member}/abilities/grant",
    tag = "members", params(("collaboration" = String, Path), ("member" = String, Path)),
    request_body = api::Ability, responses((status = 200, body = Reply)))]
async fn grant_ability(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, member)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Member(id(&member)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("member.grant-ability", content)).await
}

/// Let a member do something no more, or give it up yourself. What takes it ends at once.
#[utoipa::path(post, path = "/v1/collaborations/{collaboration}/members/{member}/abilities/revoke",
    tag = "members", params(("collaboration" = String, Path), ("member" = String, Path)),
    request_body = api::Ability, responses((status = 200, body = Reply)))]
async fn revoke_ability(
    State(app): State<App>,
    caller: Caller,
    headers: CommandHeaders,
    Path((collaboration, member)): Path<(String, String)>,
    Content(content): Content,
) -> Result<Response, Problem> {
    let target = (id(&collaboration)?, Subject::Member(id(&member)?));
    send(&app, &caller, headers, StatusCode::OK, target, ("member.revoke-ability", content)).await
}
