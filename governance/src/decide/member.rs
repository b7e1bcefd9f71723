//! Invitations and the members' own keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_ledger::codec::{self, Value};
use chancery_ledger::id::{CollaborationId, InvitationId, MemberId};
use chancery_ledger::key::{KeyId, PublicKey};

use super::collaboration::TEXT_LEN_MAX;
use super::{Events, check_text};
use crate::command::{Invite, RegisterSigningKey, RevokeSigningKey};
use crate::event::{
    CollaboratorActivated, CollaboratorInvited, InvitationAccepted, InvitationWithdrawn,
    SigningKeyRegistered, SigningKeyRevoked,
};
use crate::member::{Ability, SealedPersonal};
use crate::reason::{Code, Rejection};
use crate::state::{Collaboration, Invitation, InvitationStage, Member};
use crate::subject::{Subject, member_of};
use crate::submission::{Caller, EmailProof, Facts};

/// Most invitations, open or not, in a collaboration.
pub const INVITATIONS_MAX: usize = 10_000;
/// Most keys of a member, revoked ones included.
pub const KEYS_MAX: usize = 64;

pub(super) fn invite(
    state: &Collaboration,
    invitation: InvitationId,
    command: &Invite,
    facts: &Facts,
) -> Result<Events, Rejection> {
    if state.invitations.contains_key(&invitation)
        || state.members.contains_key(&member_of(invitation))
    {
        return Err(Rejection::new(Code::InvitationExists, "the invitation's id is in use"));
    }
    check_text("the organisation", &command.organisation, TEXT_LEN_MAX)?;
    let mut abilities = command.abilities.clone();
    abilities.sort_unstable();
    abilities.dedup();
    let fine = !abilities.is_empty()
        && abilities.len() == command.abilities.len()
        && !abilities.contains(&Ability::Owner);
    if !fine {
        return Err(Rejection::new(
            Code::InvalidAbilities,
            "name one ability at least, none twice, and not that of the owner",
        ));
    }
    if state.invitations.len() >= INVITATIONS_MAX {
        return Err(Rejection::new(
            Code::LimitExceeded,
            format!("a collaboration has at most {INVITATIONS_MAX} invitations"),
        ));
    }
    if facts.email_is_known {
        return Err(Rejection::new(
            Code::DuplicateInvitation,
            "that e-mail has an open invitation, or is a member's",
        ));
    }
    let ciphertext = facts.email_ciphertext.clone().ok_or_else(|| {
        Rejection::new(Code::InvalidContent, "the e-mail did not come with the invitation")
    })?;
    let invited = CollaboratorInvited {
        organisation: command.organisation.clone(),
        abilities,
        email: SealedPersonal { commitment: command.email_commitment, ciphertext },
        tenant: command.tenant.clone(),
        key: command.key,
    };
    Ok(vec![(Subject::Invitation(invitation), invited.into())])
}

pub(super) fn pending(state: &Collaboration, id: InvitationId) -> Result<&Invitation, Rejection> {
    let invitation = state
        .invitations
        .get(&id)
        .ok_or_else(|| Rejection::new(Code::InvitationNotFound, "there is no such invitation"))?;
    match invitation.stage {
        InvitationStage::Pending => Ok(invitation),
        InvitationStage::Withdrawn => {
            Err(Rejection::new(Code::InvitationWithdrawn, "the invitation was withdrawn"))
        }
        InvitationStage::Accepted(_) => Err(Rejection::new(
            Code::InvitationAlreadyAccepted,
            "the invitation was accepted already",
        )),
    }
}

pub(super) fn withdraw_invitation(
    state: &Collaboration,
    invitation: InvitationId,
) -> Result<Events, Rejection> {
    pending(state, invitation)?;
    Ok(vec![(Subject::Invitation(invitation), InvitationWithdrawn {}.into())])
}

pub(super) fn accept(
    state: &Collaboration,
    id: InvitationId,
    caller: Caller<'_>,
    facts: &Facts,
) -> Result<Events, Rejection> {
    let invitation = pending(state, id)?;
    if invitation.erased_at.is_some() {
        return Err(Rejection::new(
            Code::PersonalErased,
            "the invited e-mail was erased, so nobody can prove that it is theirs",
        ));
    }
    super::change::check_admission(state, invitation)?;
    let Caller::Stranger(identity) = caller else {
        return Err(Rejection::new(Code::AlreadyAMember, "the caller is a member already"));
    };
    if invitation.tenant.is_some() && invitation.tenant != identity.tenant {
        return Err(Rejection::new(
            Code::InvitationTenantMismatch,
            "the invitation is for another tenant",
        ));
    }
    match facts.email {
        EmailProof::Matches | EmailProof::Recorded => {}
        EmailProof::Differs => {
            return Err(Rejection::new(
                Code::InvitationEmailMismatch,
                "the caller's verified e-mail is not the invited one",
            ));
        }
    }
    let accepted = InvitationAccepted { identity: identity.clone() };
    let activated = CollaboratorActivated {
        organisation: invitation.organisation.clone(),
        abilities: invitation.abilities.clone(),
    };
    Ok(vec![
        (Subject::Invitation(id), accepted.into()),
        (Subject::Member(member_of(id)), activated.into()),
    ])
}

/// What a new key signs to prove that its holder registers it: the canonical CBOR of
/// `["chancery/v1/key-registration", service key id, collaboration, member, key]`.
pub fn registration_message(
    audience: KeyId,
    collaboration: CollaborationId,
    member: MemberId,
    key: &PublicKey,
) -> Vec<u8> {
    codec::encode(&Value::Array(vec![
        Value::text("chancery/v1/key-registration"),
        Value::bytes(*audience.as_bytes()),
        Value::bytes(*collaboration.as_bytes()),
        Value::bytes(*member.as_bytes()),
        Value::text(key.to_string()),
    ]))
}

pub(super) fn register_key(
    state: &Collaboration,
    member: MemberId,
    command: &RegisterSigningKey,
) -> Result<Events, Rejection> {
    let found = super::ability::find(state, member)?;
    check_new_key(state, found, command.key.id())?;
    let first = Some(found).filter(|member| member.keys.is_empty());
    if let Some(invited) = first.and_then(|member| member.invited_key)
        && invited != command.key.id()
    {
        return Err(Rejection::new(
            Code::KeyNotInvited,
            "the invitation names another key as the member's first",
        ));
    }
    let message = registration_message(state.service_key.id(), state.id, member, &command.key);
    let proven = URL_SAFE_NO_PAD
        .decode(&command.proof)
        .is_ok_and(|signature| command.key.verify(&message, &signature).is_ok());
    if !proven {
        return Err(Rejection::new(
            Code::KeyProofInvalid,
            "the proof is not this key's signature over this registration",
        ));
    }
    let registered =
        SigningKeyRegistered { key: command.key.clone(), proof: command.proof.clone() };
    let mut events = vec![(Subject::Member(member), registered.into())];
    if found.replacement == Some(command.key.id()) {
        // It takes the place of those that are lost.
        events.extend(
            found
                .active_keys()
                .map(|lost| (Subject::Member(member), SigningKeyRevoked { key: lost.id() }.into())),
        );
    }
    Ok(events)
}

/// Checks that `member` may come to sign with the key of that id.
pub(super) fn check_new_key(
    state: &Collaboration,
    member: &Member,
    key: KeyId,
) -> Result<(), Rejection> {
    if state.knows_key(key) {
        return Err(Rejection::new(Code::KeyAlreadyRegistered, "the key is registered already"));
    }
    if state.sealed_with(key) {
        return Err(Rejection::new(Code::InvalidKey, "the key is the service's"));
    }
    if member.keys.len() >= KEYS_MAX {
        return Err(Rejection::new(
            Code::LimitExceeded,
            format!("a member has at most {KEYS_MAX} keys"),
        ));
    }
    Ok(())
}

pub(super) fn revoke_key(
    state: &Collaboration,
    id: MemberId,
    command: &RevokeSigningKey,
) -> Result<Events, Rejection> {
    let member = super::ability::find(state, id)?;
    let key = member
        .keys
        .get(&command.key)
        .ok_or_else(|| Rejection::new(Code::KeyNotFound, "the member has no such key"))?;
    if key.revoked_at.is_some() {
        return Err(Rejection::new(Code::KeyAlreadyRevoked, "the key was revoked already"));
    }
    if member.active_keys().count() == 1 {
        return Err(Rejection::new(
            Code::LastKey,
            "it is the member's last key that signs; register another first",
        ));
    }
    Ok(vec![(Subject::Member(id), SigningKeyRevoked { key: command.key }.into())])
}
