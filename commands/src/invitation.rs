//! The e-mail side of invitations: sealing, finding and matching addresses.

use chancery_governance::state::{InvitationStage, State};
use chancery_governance::subject::{Subject, member_of};
use chancery_ledger::id::{CollaborationId, InvitationId};

use crate::App;
use crate::execute::Incoming;
use crate::personal::{self, Email};
use crate::problem::Problem;
use crate::refusal;

/// A sealed address and the key that opens it.
pub struct SealedEmail {
    /// The key, to be kept beside the log.
    pub key: Vec<u8>,
    /// The ciphertext, for the log.
    pub ciphertext: String,
}

/// Seals the address of a new invitation.
///
/// # Errors
///
/// 500 where the system gives no randomness.
pub fn seal(email: &Email, incoming: &Incoming) -> Result<SealedEmail, Problem> {
    let subject = incoming.subject.to_string();
    let (key, ciphertext) = personal::seal(email, incoming.collaboration, &subject)
        .map_err(|error| Problem::internal(&error))?;
    Ok(SealedEmail { key: key.to_vec(), ciphertext })
}

/// Whether an address is invited, or a member's, already.
///
/// # Errors
///
/// 503 where the keys can't be read.
pub async fn is_known(app: &App, state: &State, email: &Email) -> Result<bool, Problem> {
    let Some(state) = state.collaboration() else { return Ok(false) };
    for (id, invitation) in &state.invitations {
        // Somebody who left or was removed can be invited again.
        if invitation.stage == InvitationStage::Withdrawn
            || state.former.contains_key(&member_of(*id))
        {
            continue;
        }
        let opened = open(app, state.id, *id, &invitation.email.ciphertext).await?;
        if opened.is_some_and(|opened| opened.is(&email.address)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an invitation is for `address`, which the caller's issuer vouches for.
///
/// # Errors
///
/// 503 where the keys can't be read.
pub async fn is_for(
    app: &App,
    state: &State,
    subject: Subject,
    address: &str,
) -> Result<bool, Problem> {
    let (Subject::Invitation(id), Some(state)) = (subject, state.collaboration()) else {
        return Ok(false);
    };
    let Some(invitation) = state.invitations.get(&id) else { return Ok(false) };
    let opened = open(app, state.id, id, &invitation.email.ciphertext).await?;
    Ok(opened.is_some_and(|email| {
        email.is(address) && email.commitment() == invitation.email.commitment
    }))
}

async fn open(
    app: &App,
    collaboration: CollaborationId,
    invitation: InvitationId,
    ciphertext: &str,
) -> Result<Option<Email>, Problem> {
    let subject = Subject::Invitation(invitation).to_string();
    let key = app
        .store()
        .personal_key(collaboration, &subject)
        .await
        .map_err(|error| refusal::read(&error))?;
    Ok(key.and_then(|key| personal::open(&key, ciphertext, collaboration, &subject)))
}
