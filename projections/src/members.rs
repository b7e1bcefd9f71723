//! The members view: members with their keys, and invitations.

use chancery_governance::decide::collaboration::FOUNDER_ABILITIES;
use chancery_governance::event::{
    CollaborationCreated, CollaboratorActivated, CollaboratorInvited, CollaboratorRemoved,
    InvitationAccepted, SigningKeyRegistered, SigningKeyRevoked,
};
use chancery_governance::member::Ability;
use chancery_governance::state::Recorded;
use chancery_governance::subject::{Subject, owner_of};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::Identity;
use crate::fold::{Illegal, Row, Rows, SUBJECT};
use crate::mirror::document;
use crate::moment::Moment;

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberView {
    /// Its id: that of the invitation, or for the owner that of the collaboration.
    pub id: String,
    /// The organisation that it speaks for.
    pub organisation: String,
    /// Who it is to the issuer.
    pub identity: Identity,
    /// What it can do: `owner`, `data_provider`, `analyst`, `runner`, `result_receiver`, `auditor`.
    pub abilities: Vec<String>,
    /// Its keys, oldest first.
    pub keys: Vec<MemberKey>,
    /// That it is a member no more.
    pub removed: Option<Removed>,
    /// When it became a member.
    pub created: Moment,
    /// When it last changed.
    pub updated: Moment,
    /// Its version, for `If-Match`: the position of the last event about it.
    pub version: u64,
}

/// That somebody is a member no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// `left`, or `removed` by the members' vote.
    pub departure: String,
    /// When.
    pub at: Moment,
}

/// A member's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberKey {
    /// The key's id, `sha256:...`.
    pub id: String,
    /// `EdDSA:` or `ES256:` and the public key in base64url.
    pub key: String,
    /// Since when it signs.
    pub registered: Moment,
    /// Since when it signs no more.
    pub revoked: Option<Moment>,
}

/// An invitation. The e-mail is not here: only its sealed commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvitationView {
    /// Its id, which the member will have too.
    pub id: String,
    /// The organisation of the invited.
    pub organisation: String,
    /// What they will be able to do.
    pub abilities: Vec<String>,
    /// The tenant that must vouch for the e-mail, where one is demanded.
    pub tenant: Option<String>,
    /// The id of the key that the invited will sign with, where the inviter knew it.
    pub key: Option<String>,
    /// The salted commitment to the e-mail; null once the e-mail is erased.
    pub email_commitment: Option<String>,
    /// When the key of the e-mail was destroyed: nobody can read it any more.
    pub email_erased: Option<Moment>,
    /// What became of it.
    pub stage: InvitationStage,
    /// Who accepted it.
    pub accepted_by: Option<Identity>,
    /// When it was accepted or withdrawn.
    pub settled: Option<Moment>,
    /// When it was made.
    pub created: Moment,
    /// When it last changed.
    pub updated: Moment,
    /// Its version, for `If-Match`: the position of the last event about it.
    pub version: u64,
}

/// What became of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitationStage {
    /// Open.
    Pending,
    /// Taken back.
    Withdrawn,
    /// Accepted; the member has the same id.
    Accepted,
}

impl Row for MemberView {
    const TABLE: &'static str = "members";

    fn id(&self) -> &str {
        &self.id
    }

    fn position(&self) -> u64 {
        self.created.position
    }

    fn touch(&mut self, at: Moment) {
        self.updated = at;
        self.version = at.position;
    }
}

impl Row for InvitationView {
    const TABLE: &'static str = "invitations";

    fn id(&self) -> &str {
        &self.id
    }

    fn position(&self) -> u64 {
        self.created.position
    }

    fn touch(&mut self, at: Moment) {
        self.updated = at;
        self.version = at.position;
    }
}

/// The founder is the first member.
pub(crate) fn founded(
    rows: &mut Rows,
    at: &Recorded,
    event: &CollaborationCreated,
) -> Result<(), Illegal> {
    let moment = Moment::of(at);
    rows.members.insert(MemberView {
        id: owner_of(at.collaboration).to_string(),
        organisation: event.organisation.clone(),
        identity: document(&event.identity)?,
        abilities: names(&FOUNDER_ABILITIES),
        keys: Vec::new(),
        removed: None,
        created: moment,
        updated: moment,
        version: at.position,
    })
}

/// Somebody is invited.
pub(crate) fn invited(
    rows: &mut Rows,
    at: &Recorded,
    event: &CollaboratorInvited,
) -> Result<(), Illegal> {
    let Subject::Invitation(id) = at.subject else { return Err(SUBJECT) };
    let moment = Moment::of(at);
    rows.invitations.insert(InvitationView {
        id: id.to_string(),
        organisation: event.organisation.clone(),
        abilities: names(&event.abilities),
        tenant: event.tenant.clone(),
        key: event.key.map(|key| key.to_string()),
        email_commitment: Some(event.email.commitment.to_string()),
        email_erased: None,
        stage: InvitationStage::Pending,
        accepted_by: None,
        settled: None,
        created: moment,
        updated: moment,
        version: at.position,
    })
}

/// The invitation is taken back.
pub(crate) fn withdrawn(rows: &mut Rows, at: &Recorded) -> Result<(), Illegal> {
    settle(rows, at, InvitationStage::Withdrawn).map(|_| ())
}

/// The e-mail of the invitation is erased.
pub(crate) fn erased(rows: &mut Rows, at: &Recorded) -> Result<(), Illegal> {
    let Subject::Invitation(id) = at.subject else { return Err(SUBJECT) };
    let invitation = rows.invitations.touch(&id.to_string(), at)?;
    invitation.email_commitment = None;
    match invitation.email_erased.replace(Moment::of(at)) {
        None => Ok(()),
        Some(_) => Err("the e-mail is erased"),
    }
}

/// The invitation is accepted.
pub(crate) fn accepted(
    rows: &mut Rows,
    at: &Recorded,
    event: &InvitationAccepted,
) -> Result<(), Illegal> {
    let identity = document(&event.identity)?;
    settle(rows, at, InvitationStage::Accepted)?.accepted_by = Some(identity);
    Ok(())
}

/// The invited is a member.
pub(crate) fn activated(
    rows: &mut Rows,
    at: &Recorded,
    event: &CollaboratorActivated,
) -> Result<(), Illegal> {
    let Subject::Member(id) = at.subject else { return Err(SUBJECT) };
    let id = id.to_string();
    let invitation = rows.invitations.row(&id)?;
    let identity = invitation.accepted_by.clone().ok_or("the invitation is not accepted")?;
    let moment = Moment::of(at);
    rows.members.insert(MemberView {
        id,
        organisation: event.organisation.clone(),
        identity,
        abilities: names(&event.abilities),
        keys: Vec::new(),
        removed: None,
        created: moment,
        updated: moment,
        version: at.position,
    })?;
    rows.collaborations.change(&at.collaboration.to_string())?.member_count += 1;
    Ok(())
}

/// Somebody is a member no more.
pub(crate) fn removed(
    rows: &mut Rows,
    at: &Recorded,
    event: &CollaboratorRemoved,
) -> Result<(), Illegal> {
    let member = about(rows, at)?;
    let removed = Removed { departure: event.departure.as_str().to_owned(), at: Moment::of(at) };
    if member.removed.replace(removed).is_some() {
        return Err("the member is one no more");
    }
    let count = &mut rows.collaborations.change(&at.collaboration.to_string())?.member_count;
    *count = count.checked_sub(1).ok_or("there is no member")?;
    Ok(())
}

/// A member can do something more.
pub(crate) fn granted(rows: &mut Rows, at: &Recorded, ability: Ability) -> Result<(), Illegal> {
    let abilities = &mut about(rows, at)?.abilities;
    let name = ability.as_str().to_owned();
    if abilities.contains(&name) {
        return Err("the member has the ability");
    }
    abilities.push(name);
    Ok(())
}

/// A member can do something no more.
pub(crate) fn revoked(rows: &mut Rows, at: &Recorded, ability: Ability) -> Result<(), Illegal> {
    let abilities = &mut about(rows, at)?.abilities;
    let place = abilities.iter().position(|name| name == ability.as_str());
    abilities.remove(place.ok_or("the member does not have the ability")?);
    Ok(())
}

/// A key signs from now on.
pub(crate) fn key_registered(
    rows: &mut Rows,
    at: &Recorded,
    event: &SigningKeyRegistered,
) -> Result<(), Illegal> {
    let keys = &mut about(rows, at)?.keys;
    let id = event.key.id().to_string();
    if keys.iter().any(|key| key.id == id) {
        return Err("the key is registered");
    }
    keys.push(MemberKey {
        id,
        key: event.key.to_string(),
        registered: Moment::of(at),
        revoked: None,
    });
    Ok(())
}

/// A key signs no more.
pub(crate) fn key_revoked(
    rows: &mut Rows,
    at: &Recorded,
    event: &SigningKeyRevoked,
) -> Result<(), Illegal> {
    let id = event.key.to_string();
    let keys = &mut about(rows, at)?.keys;
    let key = keys.iter_mut().find(|key| key.id == id).ok_or("no such key")?;
    match key.revoked.replace(Moment::of(at)) {
        None => Ok(()),
        Some(_) => Err("the key is revoked"),
    }
}

fn about<'a>(rows: &'a mut Rows, at: &Recorded) -> Result<&'a mut MemberView, Illegal> {
    let Subject::Member(id) = at.subject else { return Err(SUBJECT) };
    rows.members.touch(&id.to_string(), at)
}

fn settle<'a>(
    rows: &'a mut Rows,
    at: &Recorded,
    stage: InvitationStage,
) -> Result<&'a mut InvitationView, Illegal> {
    let Subject::Invitation(id) = at.subject else { return Err(SUBJECT) };
    let invitation = rows.invitations.touch(&id.to_string(), at)?;
    if invitation.stage != InvitationStage::Pending {
        return Err("the invitation is not open");
    }
    invitation.stage = stage;
    invitation.settled = Some(Moment::of(at));
    Ok(invitation)
}

fn names(abilities: &[Ability]) -> Vec<String> {
    abilities.iter().map(|ability| ability.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use chancery_governance::member::SealedPersonal;
    use chancery_ledger::digest::Digest;
    use chancery_ledger::entry::Actor;
    use chancery_ledger::id::{CollaborationId, CommandId, InvitationId, MemberId};

    use super::*;

    fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(number: u64) -> T {
        format!("01932b6c-7d3a-7c1e-8f00-{number:012x}").parse().unwrap()
    }

    fn at(position: u64, subject: Subject) -> Recorded {
        Recorded {
            collaboration: id::<CollaborationId>(1),
            position,
            leaf: Digest::of(&position.to_be_bytes()),
            time_ms: 1000 + position,
            actor: Actor::Member(id::<MemberId>(2)),
            command: id::<CommandId>(3),
            subject,
        }
    }

    fn invitation() -> (Rows, Subject) {
        let mut rows = Rows::default();
        let subject = Subject::Invitation(id::<InvitationId>(4));
        let event = CollaboratorInvited {
            organisation: "Woodgrove".into(),
            abilities: vec![Ability::Auditor],
            email: SealedPersonal {
                commitment: Digest::of(b"commitment"),
                ciphertext: "c2VhbGVk".into(),
            },
            tenant: None,
            key: None,
        };
        invited(&mut rows, &at(5, subject), &event).unwrap();
        (rows, subject)
    }

    #[test]
    fn an_erased_email_leaves_nothing_but_when() {
        let (mut rows, subject) = invitation();
        let row = rows.invitations()[0];
        assert_eq!(row.email_commitment, Some(Digest::of(b"commitment").to_string()));
        assert_eq!(row.email_erased, None);
        erased(&mut rows, &at(6, subject)).unwrap();
        let row = rows.invitations()[0];
        assert_eq!(row.email_commitment, None);
        assert_eq!(row.email_erased, Some(Moment { position: 6, time_ms: 1006 }));
        // What it is otherwise stays.
        assert_eq!((row.version, row.stage), (6, InvitationStage::Pending));
        assert_eq!(row.organisation, "Woodgrove");
        // It can still be taken back.
        withdrawn(&mut rows, &at(7, subject)).unwrap();
        assert_eq!(rows.invitations()[0].email_commitment, None);
    }

    #[test]
    fn only_an_invitation_is_erased_and_once() {
        let (mut rows, subject) = invitation();
        let room = Subject::Collaboration(id::<CollaborationId>(1));
        assert_eq!(erased(&mut rows, &at(6, room)), Err(SUBJECT));
        let other = Subject::Invitation(id::<InvitationId>(9));
        erased(&mut rows, &at(6, other)).unwrap_err();
        erased(&mut rows, &at(6, subject)).unwrap();
        assert_eq!(erased(&mut rows, &at(7, subject)), Err("the e-mail is erased"));
    }
}
