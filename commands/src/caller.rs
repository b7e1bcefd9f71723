//! Who sends a request: a verified identity, and whether it is the executor's.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chancery_governance::member::Identity;
use chancery_governance::state::State;

use crate::App;
use crate::identity::{VerifiedIdentity, bearer_token};
use crate::problem::Problem;

/// A caller with a verified token.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What the token says.
    pub identity: VerifiedIdentity,
    /// Whether it is the identity under which this service's executor reports.
    pub is_executor: bool,
}

impl Caller {
    /// The identity as the rules know it.
    pub fn governance_identity(&self) -> Identity {
        Identity {
            issuer: self.identity.issuer.clone(),
            tenant: self.identity.tenant.clone(),
            subject: self.identity.subject.clone(),
        }
    }

    /// The caller's e-mail, if its issuer vouches for it.
    pub fn verified_email(&self) -> Option<&str> {
        self.identity.email.as_deref().filter(|_| self.identity.email_verified)
    }
}

/// Whether somebody of that identity is a member of the collaboration.
pub fn is_member(state: &State, identity: &Identity) -> bool {
    state.collaboration().is_some_and(|state| state.member_by_identity(identity).is_some())
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = bearer_token(&parts.headers)?;
        let identity = app.verifier.verify(token, (app.clock)()).await?;
        let is_executor = app.executor.as_ref().is_some_and(|executor| {
            executor.issuer == identity.issuer && executor.subject == identity.subject
        });
        Ok(Self { identity, is_executor })
    }
}
