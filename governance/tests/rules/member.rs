//! Invitations and keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::command::{
    AcceptInvitation, Invite, PublishDataset, RegisterSigningKey, RevokeSigningKey,
    WithdrawInvitation,
};
use chancery_governance::member::Ability;
use chancery_governance::reason::Code;
use chancery_governance::subject::Subject;
use chancery_governance::submission::EmailProof;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::InvitationId;
use chancery_ledger::key::{Algorithm, PublicKey};

use crate::case::{Case, case, check};
use crate::support::fixtures::{campaigns, campaigns_id, create, invite, orders_s, room, terms};
use crate::support::people::{Who, registration};
use crate::support::{Tried, World, key, kinds, uuid};

fn invitation(who: Who) -> Subject {
    Subject::Invitation(who.invitation())
}

fn invited() -> World {
    let mut world = World::begun();
    let command = invite(Who::Contosso, &[Ability::DataProvider]);
    world.litware().does(invitation(Who::Contosso), command).unwrap();
    world
}

fn invite_as(change: fn(&mut Invite)) -> Tried {
    let mut world = World::begun();
    let mut command = invite(Who::Contosso, &[Ability::DataProvider]);
    change(&mut command);
    world.litware().does(invitation(Who::Contosso), command)
}

fn accept_with(email: EmailProof) -> Tried {
    let mut world = invited();
    let command = AcceptInvitation {}.into();
    let mut attempt = world.prepare(Who::Contosso, invitation(Who::Contosso), &command);
    attempt.facts.email = email;
    world.submit(&attempt)
}

fn second(who: Who) -> u8 {
    who.member().as_bytes()[15] + 50
}

#[test]
fn inviting_and_accepting_makes_a_member_of_the_same_id() {
    let mut world = invited();
    let events = world.contosso().does(invitation(Who::Contosso), AcceptInvitation {});
    assert_eq!(kinds(&events), ["InvitationAccepted", "CollaboratorActivated"]);
    let member = &world.room().members[&Who::Contosso.member()];
    assert_eq!(member.identity, Who::Contosso.identity());
    assert!(member.abilities.iter().copied().eq([Ability::DataProvider]));
    world.check_replay();
}

#[test]
fn an_invitation_without_a_tenant_takes_any() {
    let mut world = World::begun();
    let command = Invite { tenant: None, ..invite(Who::Contosso, &[Ability::Auditor]) };
    world.litware().does(invitation(Who::Contosso), command).unwrap();
    assert!(world.contosso().does(invitation(Who::Contosso), AcceptInvitation {}).is_ok());
    world.check_replay();
}

/// Contosso accepted an invitation that names its key, and has not registered it.
fn bound() -> World {
    let mut world = World::begun();
    let named = Some(Who::Contosso.key().public().id());
    let command = Invite { key: named, ..invite(Who::Contosso, &[Ability::DataProvider]) };
    world.litware().does(invitation(Who::Contosso), command).unwrap();
    world.contosso().does(invitation(Who::Contosso), AcceptInvitation {}).unwrap();
    world
}

#[test]
fn an_invitation_that_names_a_key_lets_its_holder_in() {
    let mut world = bound();
    world.register_key(Who::Contosso);
    let subject = Who::Contosso.itself();
    let command = registration(&world, Who::Contosso, &key(second(Who::Contosso)));
    assert!(world.contosso().does(subject, command).is_ok(), "the second key is free");
    world.check_replay();
}

#[test]
fn an_invitation_can_be_withdrawn_while_it_is_open() {
    let mut world = invited();
    let events = world.litware().does(invitation(Who::Contosso), WithdrawInvitation {});
    assert_eq!(kinds(&events), ["InvitationWithdrawn"]);
    world.check_replay();
}

#[test]
fn keys_are_registered_and_revoked_and_then_sign_no_more() {
    let mut world = World::joined();
    let new = key(50);
    let command = registration(&world, Who::Fabrikam, &new);
    let subject = Who::Fabrikam.itself();
    assert_eq!(kinds(&world.fabrikam().does(subject, command)), ["SigningKeyRegistered"]);
    let command = RevokeSigningKey { key: new.public().id() };
    assert_eq!(kinds(&world.fabrikam().does(subject, command)), ["SigningKeyRevoked"]);
    world.check_replay();
}

pub fn cases() -> Vec<Case> {
    let mut cases = invitations();
    cases.extend(keys());
    cases
}

fn invitations() -> Vec<Case> {
    vec![
        case("an invitation by no owner", Code::AbilityMissing, || {
            let command = invite(Who::Mallory, &[Ability::Auditor]);
            World::joined().contosso().does(invitation(Who::Mallory), command)
        }),
        case("an invitation of another subject", Code::WrongSubject, || {
            World::begun().litware().does(orders_s(), invite(Who::Mallory, &[Ability::Auditor]))
        }),
        case("the invitation's id is in use", Code::InvitationExists, || {
            let command = invite(Who::Mallory, &[Ability::Auditor]);
            invited().litware().does(invitation(Who::Contosso), command)
        }),
        case("the invitation's id is the owner's", Code::InvitationExists, || {
            let command = invite(Who::Mallory, &[Ability::Auditor]);
            World::begun().litware().does(invitation(Who::Litware), command)
        }),
        case("a blank organisation", Code::InvalidName, || {
            invite_as(|invite| invite.organisation = String::new())
        }),
        case("no ability", Code::InvalidAbilities, || invite_as(|invite| invite.abilities.clear())),
        case("an ability twice", Code::InvalidAbilities, || {
            invite_as(|invite| invite.abilities.push(Ability::DataProvider))
        }),
        case("a second owner", Code::InvalidAbilities, || {
            invite_as(|invite| invite.abilities.push(Ability::Owner))
        }),
        case("an e-mail that is invited already", Code::DuplicateInvitation, || {
            let mut world = World::begun();
            let command = invite(Who::Contosso, &[Ability::Auditor]).into();
            let mut attempt = world.prepare(Who::Litware, invitation(Who::Contosso), &command);
            attempt.facts.email_is_known = true;
            world.submit(&attempt)
        }),
        case("no e-mail beside the invitation", Code::InvalidContent, || {
            let mut world = World::begun();
            let command = invite(Who::Contosso, &[Ability::Auditor]).into();
            let mut attempt = world.prepare(Who::Litware, invitation(Who::Contosso), &command);
            attempt.facts.email_ciphertext = None;
            world.submit(&attempt)
        }),
        case("withdrawing what is not there", Code::InvitationNotFound, || {
            World::begun().litware().does(invitation(Who::Contosso), WithdrawInvitation {})
        }),
        case("withdrawing twice", Code::InvitationWithdrawn, || {
            let mut world = invited();
            world.litware().does(invitation(Who::Contosso), WithdrawInvitation {}).unwrap();
            world.litware().does(invitation(Who::Contosso), WithdrawInvitation {})
        }),
        case("withdrawing after acceptance", Code::InvitationAlreadyAccepted, || {
            World::joined().litware().does(invitation(Who::Contosso), WithdrawInvitation {})
        }),
        case("withdrawing by the invited", Code::NotAMember, || {
            invited().contosso().does(invitation(Who::Contosso), WithdrawInvitation {})
        }),
        case("accepting what is not there", Code::InvitationNotFound, || {
            World::begun().contosso().does(invitation(Who::Contosso), AcceptInvitation {})
        }),
        case("accepting what was withdrawn", Code::InvitationWithdrawn, || {
            let mut world = invited();
            world.litware().does(invitation(Who::Contosso), WithdrawInvitation {}).unwrap();
            world.contosso().does(invitation(Who::Contosso), AcceptInvitation {})
        }),
        case("accepting what another accepted", Code::InvitationAlreadyAccepted, || {
            World::joined().by(Who::Mallory).does(invitation(Who::Contosso), AcceptInvitation {})
        }),
        case("accepting as a member", Code::AlreadyAMember, || {
            invited().litware().does(invitation(Who::Contosso), AcceptInvitation {})
        }),
        case("accepting from another tenant", Code::InvitationTenantMismatch, || {
            invited().by(Who::Mallory).does(invitation(Who::Contosso), AcceptInvitation {})
        }),
        case("accepting with another e-mail", Code::InvitationEmailMismatch, || {
            accept_with(EmailProof::Differs)
        }),
        case("accepting about another subject", Code::WrongSubject, || {
            invited().litware().does(room(), AcceptInvitation {})
        }),
        case("accepting before the log began", Code::CollaborationNotFound, || {
            World::empty().contosso().does(invitation(Who::Contosso), AcceptInvitation {})
        }),
    ]
}

fn register_as(change: fn(&World, &mut RegisterSigningKey)) -> Tried {
    let mut world = World::joined();
    let mut command = registration(&world, Who::Fabrikam, &key(second(Who::Fabrikam)));
    change(&world, &mut command);
    world.fabrikam().does(Who::Fabrikam.itself(), command)
}

fn keys() -> Vec<Case> {
    vec![
        case("a key for another member", Code::NotYourself, || {
            let mut world = World::joined();
            let command = registration(&world, Who::Contosso, &key(50));
            world.fabrikam().does(Who::Contosso.itself(), command)
        }),
        case("a key for another subject", Code::WrongSubject, || {
            let mut world = World::joined();
            let command = registration(&world, Who::Fabrikam, &key(50));
            world.fabrikam().does(room(), command)
        }),
        case("a key by a stranger", Code::NotAMember, || {
            let mut world = World::joined();
            let command = registration(&world, Who::Mallory, &key(50));
            world.by(Who::Mallory).does(Who::Mallory.itself(), command)
        }),
        case("a key that another member has", Code::KeyAlreadyRegistered, || {
            let mut world = World::joined();
            let command = registration(&world, Who::Contosso, &Who::Litware.key());
            world.contosso().does(Who::Contosso.itself(), command)
        }),
        case("a key that was revoked comes back", Code::KeyAlreadyRegistered, || {
            let mut world = revoked();
            let command = registration(&world, Who::Fabrikam, &Who::Fabrikam.key());
            let attempt = signed_with_second(&mut world, &command.into());
            world.submit(&attempt)
        }),
        case("the service's key", Code::InvalidKey, || {
            register_as(|world, command| {
                *command = registration(world, Who::Fabrikam, &world.service);
            })
        }),
        case("a key that signs anything for anybody", Code::KeyProofInvalid, || {
            register_as(|_, command| {
                let mut identity_point = [0; 32];
                identity_point[0] = 1;
                command.key = PublicKey::new(Algorithm::EdDsa, &identity_point).unwrap();
                let mut signature = [0; 64];
                signature[0] = 1;
                command.proof = URL_SAFE_NO_PAD.encode(signature);
            })
        }),
        case("another first key than the invitation names", Code::KeyNotInvited, || {
            let mut world = bound();
            let command = registration(&world, Who::Contosso, &key(second(Who::Contosso)));
            world.contosso().does(Who::Contosso.itself(), command)
        }),
        case("an act before the named key", Code::MemberSignatureRequired, || {
            let mut world = bound();
            let publish = PublishDataset { descriptor: campaigns() };
            world.contosso().does(Subject::Dataset(campaigns_id()), publish)
        }),
        case("no proof", Code::KeyProofInvalid, || register_as(|_, command| command.proof.clear())),
        case("a proof for another member", Code::KeyProofInvalid, || {
            register_as(|world, command| {
                *command = registration(world, Who::Contosso, &key(second(Who::Fabrikam)));
            })
        }),
        case("a proof by another key", Code::KeyProofInvalid, || {
            register_as(|world, command| {
                command.proof = registration(world, Who::Fabrikam, &key(51)).proof;
            })
        }),
        case("65 keys", Code::LimitExceeded, || {
            let mut world = World::joined();
            for seed in 0..63 {
                let command = registration(&world, Who::Fabrikam, &key(100 + seed));
                world.fabrikam().does(Who::Fabrikam.itself(), command).unwrap();
            }
            let command = registration(&world, Who::Fabrikam, &key(99));
            world.fabrikam().does(Who::Fabrikam.itself(), command)
        }),
        case("revoking the last key", Code::LastKey, || {
            let command = RevokeSigningKey { key: Who::Fabrikam.key().public().id() };
            World::joined().fabrikam().does(Who::Fabrikam.itself(), command)
        }),
        case("revoking a key that is not there", Code::KeyNotFound, || {
            let command = RevokeSigningKey { key: Digest::of(b"none") };
            World::joined().fabrikam().does(Who::Fabrikam.itself(), command)
        }),
        case("revoking another's key", Code::NotYourself, || {
            let command = RevokeSigningKey { key: Who::Litware.key().public().id() };
            World::joined().fabrikam().does(Who::Litware.itself(), command)
        }),
        case("revoking twice", Code::KeyAlreadyRevoked, || {
            let mut world = revoked();
            let command = RevokeSigningKey { key: Who::Fabrikam.key().public().id() };
            let attempt = signed_with_second(&mut world, &command.into());
            world.submit(&attempt)
        }),
        case("a member that is not there", Code::NotAMember, || {
            let command = RevokeSigningKey { key: Digest::of(b"none") };
            let nobody = Subject::Member(chancery_governance::subject::member_of(
                InvitationId::new(uuid(0xa, 99)),
            ));
            World::joined().by(Who::Mallory).does(nobody, command)
        }),
    ]
}

/// Fabrikam has a second key, and its first one is revoked.
pub fn revoked() -> World {
    let mut world = World::joined();
    let command = registration(&world, Who::Fabrikam, &key(second(Who::Fabrikam)));
    world.fabrikam().does(Who::Fabrikam.itself(), command).unwrap();
    let command = RevokeSigningKey { key: Who::Fabrikam.key().public().id() };
    world.fabrikam().does(Who::Fabrikam.itself(), command).unwrap();
    world
}

fn signed_with_second(
    world: &mut World,
    command: &chancery_governance::command::Command,
) -> crate::support::Attempt {
    use chancery_ledger::cose::ContentType;
    use chancery_ledger::entry::{Authority, SignedContent};
    let mut attempt = world.prepare(Who::Fabrikam, Who::Fabrikam.itself(), command);
    let message = world
        .to_sign(attempt.subject, command, attempt.command)
        .sign(ContentType::Command, &key(second(Who::Fabrikam)));
    let content = crate::support::content(command);
    attempt.authority = Authority::MemberSigned(SignedContent { message, content });
    attempt
}

#[test]
fn rejections() {
    check(&cases());
}

#[test]
fn the_creator_of_another_log_is_no_member_here() {
    let mut world = World::joined();
    let tried = world.by(Who::Mallory).does(room(), create(terms(&[], true)));
    assert_eq!(crate::support::codes(&tried), [Code::CollaborationExists]);
}
