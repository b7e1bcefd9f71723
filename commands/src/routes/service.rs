//! The service itself, the caller, health; and how lists are paged.

use axum::Json;
use axum::extract::State;
use chancery_governance::state::{self as governance, InvitationStage};
use chancery_governance::subject::Subject;
use chancery_ledger::id::{CollaborationId, InvitationId};
use chancery_projections::{OpenInvitation, PAGE_MAX, PageRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caught_up;
use crate::App;
use crate::api;
use crate::caller::Caller;
use crate::invitation;
use crate::mirror::DIVERGED;
use crate::problem::Problem;
use crate::refusal;

/// Heads of logs read at a time.
const HEADS: u32 = 10_000;

/// Which part of a list.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// The `next` of the page before.
    pub after: Option<u64>,
    /// At most so many, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

impl Page {
    /// The same part, as the views take it.
    ///
    /// # Errors
    ///
    /// 400 `limit_invalid`, where it is outside 1 to [`PAGE_MAX`].
    pub fn request(self) -> Result<PageRequest, Problem> {
        if self.limit.is_some_and(|limit| !(1..=PAGE_MAX).contains(&limit)) {
            return Err(Problem::bad_request("limit_invalid", format!("limit: 1 to {PAGE_MAX}.")));
        }
        Ok(PageRequest { after: self.after, limit: self.limit })
    }
}

/// A part of a list, in the order of creation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PageOf<T> {
    /// The items.
    pub items: Vec<T>,
    /// What `after` takes for the next page; null on the last.
    pub next: Option<u64>,
}

impl<T> From<chancery_projections::Page<T>> for PageOf<T> {
    fn from(page: chancery_projections::Page<T>) -> Self {
        Self { items: page.items, next: page.next }
    }
}

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(service))
        .routes(routes!(me))
        .routes(routes!(my_invitations))
        .routes(routes!(healthz))
        .routes(routes!(readyz))
}

/// The service whose key seals the logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceInfo {
    /// Its name: the first part of each log's origin.
    pub name: String,
    /// Its public key.
    pub key: String,
    /// The key's id: the audience of signed commands, and what an auditor pins.
    pub key_id: String,
    /// The evidence that binds the key.
    pub evidence: api::Evidence,
    /// The release.
    pub version: String,
}

/// The service: its name, key and evidence.
#[utoipa::path(get, path = "/v1/service", tag = "service", security(()),
    responses((status = 200, body = ServiceInfo)))]
async fn service(State(app): State<App>) -> Json<ServiceInfo> {
    let key = app.logs.key().public();
    Json(ServiceInfo {
        name: app.logs.service().to_owned(),
        key: key.to_string(),
        key_id: key.id().to_string(),
        evidence: api::Evidence {
            kind: app.evidence.kind.clone(),
            document: app.evidence.document.clone(),
        },
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Who the service takes you for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// Your token's issuer.
    pub issuer: String,
    /// Your tenant, where the issuer has tenants.
    pub tenant: Option<String>,
    /// Your subject.
    pub subject: String,
    /// Your e-mail, if the issuer vouches for it.
    pub verified_email: Option<String>,
    /// The members that you are: one for each collaboration.
    pub members: Vec<Membership>,
}

/// A member that the caller is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Membership {
    /// The collaboration's id.
    pub collaboration: String,
    /// What people call it.
    pub name: String,
    /// The member's id.
    pub member: String,
    /// What the member can do.
    pub abilities: Vec<String>,
}

/// Who you are, and which members.
#[utoipa::path(get, path = "/v1/me", tag = "service", responses((status = 200, body = Me)))]
async fn me(State(app): State<App>, caller: Caller) -> Result<Json<Me>, Problem> {
    let identity = caller.governance_identity();
    caught_up(&app).await?;
    let (mut members, mut after) = (Vec::new(), None);
    loop {
        let page = app.views.memberships(&identity, PageRequest { after, limit: Some(PAGE_MAX) });
        let page = page.await.map_err(|error| refusal::views(&error))?;
        members.extend(page.items.into_iter().map(|it| Membership {
            collaboration: it.collaboration.to_string(),
            name: it.name,
            member: it.member.id,
            abilities: it.member.abilities,
        }));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(Json(Me {
        verified_email: caller.verified_email().map(str::to_owned),
        issuer: identity.issuer,
        tenant: identity.tenant,
        subject: identity.subject,
        members,
    }))
}

/// An open invitation for the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MyInvitation {
    /// The collaboration's id.
    pub collaboration: String,
    /// What people call it.
    pub name: String,
    /// The invitation's id.
    pub invitation: String,
    /// The organisation that you would speak for.
    pub organisation: String,
    /// What you would be able to do.
    pub abilities: Vec<String>,
}

/// Open invitations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MyInvitations {
    /// The invitations.
    pub invitations: Vec<MyInvitation>,
}

/// The open invitations for your verified e-mail, in any collaboration.
#[utoipa::path(get, path = "/v1/invitations", tag = "members",
    responses((status = 200, body = MyInvitations)))]
async fn my_invitations(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<MyInvitations>, Problem> {
    let mut invitations = Vec::new();
    let Some(address) = caller.verified_email() else {
        return Ok(Json(MyInvitations { invitations }));
    };
    caught_up(&app).await?;
    let mut after = None;
    loop {
        let page = app.views.open_invitations(after, PAGE_MAX).await;
        let page = page.map_err(|error| refusal::views(&error))?;
        let Some(last) = page.last() else { return Ok(Json(MyInvitations { invitations })) };
        after = Some(last.place());
        for OpenInvitation { collaboration, name, invitation } in page {
            let id = invitation.id.parse().map_err(|error| Problem::corrupt(&error))?;
            // The sealed address is in the log only, and the log may have gone on since.
            let held = app.logs.hold(collaboration).await.map_err(|error| refusal::load(&error))?;
            if is_open(held.state(), id)
                && invitation::is_for(&app, held.state(), Subject::Invitation(id), address).await?
            {
                invitations.push(MyInvitation {
                    collaboration: collaboration.to_string(),
                    name,
                    invitation: invitation.id,
                    organisation: invitation.organisation,
                    abilities: invitation.abilities,
                });
            }
        }
    }
}

fn is_open(state: &governance::State, id: InvitationId) -> bool {
    let invitation = state.collaboration().and_then(|state| state.invitations.get(&id));
    invitation.is_some_and(|invitation| invitation.stage == InvitationStage::Pending)
}

/// Every log with its size.
pub(super) async fn heads(app: &App) -> Result<Vec<(CollaborationId, u64)>, Problem> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = app.store().heads(after, HEADS).await.map_err(|error| refusal::read(&error))?;
        let Some((last, _)) = page.last() else { return Ok(all) };
        after = Some(*last);
        all.extend(page);
    }
}

/// Health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// Codes of what people have to look at, though the service answers: `mirror_diverged`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
}

/// The process is up.
#[utoipa::path(get, path = "/healthz", tag = "service", security(()),
    responses((status = 200, body = Health)))]
async fn healthz() -> Json<Health> {
    Json(Health { status: "ok".to_owned(), alarms: Vec::new() })
}

/// The log can be read; and what people have to look at all the same.
#[utoipa::path(get, path = "/readyz", tag = "service", security(()),
    responses((status = 200, body = Health)))]
async fn readyz(State(app): State<App>) -> Result<Json<Health>, Problem> {
    health(&app).await.map(Json)
}

pub(super) async fn health(app: &App) -> Result<Health, Problem> {
    app.store().heads(None, 1).await.map_err(|error| refusal::read(&error))?;
    let diverged = app.mirror.as_ref().is_some_and(|mirror| mirror.diverged() > 0);
    let alarms = diverged.then(|| DIVERGED.to_owned()).into_iter().collect();
    Ok(Health { status: "ok".to_owned(), alarms })
}
