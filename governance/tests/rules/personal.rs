//! Erasure of the e-mail that an invitation holds.

use chancery_governance::command::{AcceptInvitation, ErasePersonal, Invite};
use chancery_governance::member::Ability;
use chancery_governance::reason::Code;
use chancery_governance::subject::Subject;
use chancery_ledger::id::InvitationId;

use crate::case::{Case, case, check};
use crate::support::fixtures::{invite, query_s};
use crate::support::people::Who;
use crate::support::{Tried, World, kinds, uuid};

fn of(who: Who) -> Subject {
    Subject::Invitation(who.invitation())
}

fn invited() -> World {
    let mut world = World::begun();
    let command = Invite { tenant: None, ..invite(Who::Contosso, &[Ability::Auditor]) };
    world.litware().does(of(Who::Contosso), command).unwrap();
    world
}

fn erase(world: &mut World, by: Who, on: Who) -> Tried {
    world.by(by).does(of(on), ErasePersonal {})
}

#[test]
fn the_owner_and_the_invited_erase_and_the_log_still_replays() {
    let mut world = World::joined();
    assert_eq!(kinds(&erase(&mut world, Who::Litware, Who::Contosso)), ["SubjectErased"]);
    assert_eq!(kinds(&erase(&mut world, Who::Fabrikam, Who::Fabrikam)), ["SubjectErased"]);
    let room = world.room();
    assert_eq!(room.invitations[&Who::Fabrikam.invitation()].erased_at, Some(room.size - 1));
    assert_eq!(room.invitations[&Who::Contosso.invitation()].erased_at, Some(room.size - 2));
    assert!(room.members.contains_key(&Who::Fabrikam.member()), "the member stays one");
    world.check_replay();
}

#[test]
fn an_open_invitation_can_be_erased_and_then_nobody_accepts_it() {
    let mut world = invited();
    assert_eq!(kinds(&erase(&mut world, Who::Litware, Who::Contosso)), ["SubjectErased"]);
    let tried = world.contosso().does(of(Who::Contosso), AcceptInvitation {});
    assert_eq!(crate::support::codes(&tried), [Code::PersonalErased]);
    world.check_replay();
}

pub fn cases() -> Vec<Case> {
    vec![
        case("erased twice", Code::PersonalErased, || {
            let mut world = World::joined();
            erase(&mut world, Who::Contosso, Who::Contosso).unwrap();
            erase(&mut world, Who::Litware, Who::Contosso)
        }),
        case("by another member", Code::NotTheInvited, || {
            erase(&mut World::joined(), Who::Fabrikam, Who::Contosso)
        }),
        case("by a stranger", Code::NotAMember, || {
            erase(&mut World::joined(), Who::Mallory, Who::Contosso)
        }),
        case("by the invited before they are a member", Code::NotAMember, || {
            erase(&mut invited(), Who::Contosso, Who::Contosso)
        }),
        case("an invitation that there is not", Code::InvitationNotFound, || {
            let none = Subject::Invitation(InvitationId::new(uuid(0xa, 99)));
            World::joined().litware().does(none, ErasePersonal {})
        }),
        case("another kind of subject", Code::WrongSubject, || {
            World::joined().litware().does(query_s(), ErasePersonal {})
        }),
        case("a token for a member with a key", Code::MemberSignatureRequired, || {
            let mut world = World::joined();
            let command = ErasePersonal {}.into();
            let mut attempt = world.prepare(Who::Fabrikam, of(Who::Fabrikam), &command);
            attempt.authority = world.witnessed(Who::Fabrikam, &command);
            world.submit(&attempt)
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}
