//! Change requests: what all agreed on is changed by all, or by as many as they agreed on.

use chancery_governance::change::Change;
use chancery_governance::command::{
    AcceptInvitation, ApproveChange, CommitChange, LeaveCollaboration, ProposeChange,
    RegisterSigningKey, RejectChange, WithdrawChange,
};
use chancery_governance::decide::change::{CHANGES_MAX, OPEN_CHANGES_MAX, VOTE_LIFETIME_MS_MAX};
use chancery_governance::decide::query::COMMENT_LEN_MAX;
use chancery_governance::decide::terms::{
    ACCEPTANCE_LIFETIME_MS_MAX, GROUP_MEMBERS_MAX, GROUPS_MAX,
};
use chancery_governance::event::Event;
use chancery_governance::member::{Ability, ApprovalGroup, SignedAct, Terms};
use chancery_governance::reason::Code;
use chancery_governance::state::State;
use chancery_governance::state::change::Stage;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{ChangeId, MemberId};
use chancery_ledger::key::KeyId;

use crate::case::{Case, case, check};
use crate::support::fixtures::{change_id, change_s, create, invite, room, terms};
use crate::support::people::{Who, registration};
use crate::support::{Tried, World, codes, key, kinds, uuid};

/// Other terms than those in force.
fn stricter() -> Terms {
    terms(&[SignedAct::Votes], true)
}

fn to(terms: Terms) -> Change {
    Change::SetTerms(terms)
}

fn other_s() -> Subject {
    Subject::Change(ChangeId::new(uuid(0x8, 2)))
}

fn propose(change: Change, expires_ms: Option<u64>) -> ProposeChange {
    ProposeChange { change, expires_ms }
}

fn set_as(change: fn(&mut Terms)) -> Tried {
    let mut terms = stricter();
    change(&mut terms);
    World::keyed().asks(to(terms))
}

fn group(name: &str, needed: u64) -> ApprovalGroup {
    let mut members = vec![Who::Contosso.member(), Who::Fabrikam.member()];
    members.sort_unstable();
    ApprovalGroup { name: name.into(), members, needed }
}

/// A room where two members carry a change.
fn two_of_three() -> World {
    let terms = Terms { change_threshold: Some(2), admission_by_vote: true, ..terms(&[], true) };
    let mut world = World::asked(to(terms));
    world.carry().unwrap();
    world
}

#[test]
fn terms_change_when_everybody_said_yes() {
    let mut world = World::asked(to(stricter()));
    let Ok(events) = world.votes_for(Who::Litware) else { panic!() };
    let first = world.room().size - 1;
    assert_eq!(events.len(), 1);
    assert_eq!(kinds(&world.votes_for(Who::Contosso)), ["ChangeApproved"]);
    assert_eq!(world.room().terms, terms(&[], true));
    let events = world.votes_for(Who::Fabrikam).unwrap();
    let [_, (_, Event::ChangeCommitted(committed))] = &events[..] else { panic!("{events:?}") };
    assert_eq!(committed.votes, [first, first + 1, first + 2]);
    assert_eq!(committed.digest, world.change_digest());
    assert_eq!(world.room().terms, stricter());
    assert_eq!(world.room().changes[&change_id()].stage, Stage::Committed);
    world.check_replay();
}

#[test]
fn one_no_ends_what_takes_everybody() {
    let mut world = World::asked(to(stricter()));
    assert_eq!(kinds(&world.votes_against(Who::Contosso)), ["ChangeRejected"]);
    assert_eq!(world.room().changes[&change_id()].stage, Stage::Rejected);
    assert_eq!(codes(&world.votes_for(Who::Fabrikam)), [Code::ChangeNotOpen]);
    world.check_replay();
}

#[test]
fn where_the_terms_say_so_some_carry_it_and_so_many_noes_end_it() {
    let mut world = two_of_three();
    world.litware().does(other_s(), propose(to(stricter()), None)).unwrap();
    let digest = world.change_digest_of(ChangeId::new(uuid(0x8, 2)));
    let no = || RejectChange { digest, comment: String::new() };
    world.contosso().does(other_s(), no()).unwrap();
    world.litware().does(other_s(), ApproveChange { digest }).unwrap();
    let events = world.fabrikam().does(other_s(), ApproveChange { digest });
    assert_eq!(kinds(&events), ["ChangeApproved", "ChangeCommitted"]);
    world.check_replay();
    let mut world = two_of_three();
    world.litware().does(other_s(), propose(to(stricter()), None)).unwrap();
    world.contosso().does(other_s(), no()).unwrap();
    world.fabrikam().does(other_s(), no()).unwrap();
    let request = &world.room().changes[&ChangeId::new(uuid(0x8, 2))];
    assert_eq!(request.stage, Stage::Rejected);
    world.check_replay();
}

#[test]
fn the_electorate_is_counted_anew_when_somebody_leaves() {
    let mut world = World::asked(to(stricter()));
    world.votes_for(Who::Litware).unwrap();
    world.votes_for(Who::Contosso).unwrap();
    assert_eq!(codes(&world.commits(Who::Litware)), [Code::ChangeVotesMissing]);
    world.fabrikam().does(Who::Fabrikam.itself(), LeaveCollaboration {}).unwrap();
    let tally = world.room().tally(&world.room().changes[&change_id()]);
    assert!(tally.carried() && tally.needed == 2);
    assert_eq!(kinds(&world.commits(Who::Contosso)), ["ChangeCommitted"]);
    assert_eq!(world.room().terms, stricter());
    world.check_replay();
    // And a vote of who left is counted no more.
    let mut world = World::asked(to(stricter()));
    world.votes_for(Who::Fabrikam).unwrap();
    world.fabrikam().does(Who::Fabrikam.itself(), LeaveCollaboration {}).unwrap();
    assert_eq!(world.room().tally(&world.room().changes[&change_id()]).approvals, 0);
}

#[test]
fn other_terms_end_what_rests_on_those_before() {
    let mut world = World::started().key_contosso();
    world.contosso().does(other_s(), propose(to(terms(&[], false)), None)).unwrap_err();
    world
        .contosso()
        .does(other_s(), propose(Change::GrantOwner(Who::Contosso.member()), None))
        .unwrap();
    let mut grouped = terms(&[], true);
    grouped.groups = vec![group("stewards", 1)];
    world.asks(to(grouped)).unwrap();
    let events = world.carry();
    assert_eq!(
        kinds(&events),
        [
            "ChangeApproved",
            "ChangeCommitted",
            "ChangeSuperseded",
            "QuerySuperseded",
            "RunCancelled"
        ]
    );
    assert_eq!(codes(&events), [Code::TermsChanged; 3]);
    world.check_replay();
}

#[test]
fn a_change_that_can_t_be_made_any_more_says_so() {
    let mut world = World::asked(Change::GrantOwner(Who::Contosso.member()));
    let grant = propose(Change::GrantOwner(Who::Contosso.member()), None);
    world.contosso().does(other_s(), grant).unwrap();
    world.carry().unwrap();
    let id = ChangeId::new(uuid(0x8, 2));
    let digest = world.change_digest_of(id);
    for who in [Who::Litware, Who::Contosso] {
        world.by(who).does(other_s(), ApproveChange { digest }).unwrap();
    }
    let events = world.fabrikam().does(other_s(), ApproveChange { digest }).unwrap();
    let [_, (_, Event::ChangeSuperseded(event))] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.reason.code, Code::NothingToChange);
    world.check_replay();
}

fn replacing(new: KeyId) -> Change {
    Change::ReplaceKey { member: Who::Fabrikam.member(), key: new }
}

/// Fabrikam lost its key, and the members voted for another.
fn replaced() -> World {
    let mut world = World::asked(replacing(key(70).public().id()));
    assert_eq!(codes(&world.votes_for(Who::Fabrikam)), [Code::NotAnElector]);
    world.carry().unwrap();
    world
}

fn registers(world: &mut World, command: RegisterSigningKey) -> Tried {
    let command = command.into();
    let mut attempt = world.prepare(Who::Fabrikam, Who::Fabrikam.itself(), &command);
    attempt.authority = world.witnessed(Who::Fabrikam, &command);
    world.submit(&attempt)
}

#[test]
fn a_lost_key_is_replaced_by_the_members_and_a_token_together() {
    let mut world = replaced();
    let registration = registration(&world, Who::Fabrikam, &key(70));
    let events = registers(&mut world, registration);
    assert_eq!(kinds(&events), ["SigningKeyRegistered", "SigningKeyRevoked"]);
    let member = &world.room().members[&Who::Fabrikam.member()];
    let active: Vec<_> = member.active_keys().map(chancery_ledger::key::PublicKey::id).collect();
    assert_eq!(active, [key(70).public().id()]);
    assert_eq!((member.replacement, member.invited_key), (None, Some(key(70).public().id())));
    world.check_replay();
}

#[test]
fn who_can_still_sign_has_not_lost_its_key_and_says_no() {
    let mut world = World::asked(replacing(key(70).public().id()));
    assert_eq!(kinds(&world.votes_against(Who::Fabrikam)), ["ChangeRejected"]);
    assert_eq!(world.room().changes[&change_id()].stage, Stage::Rejected);
    world.check_replay();
    // Or, once it is voted, registers another key, which ends the replacement.
    let mut world = replaced();
    let another = registration(&world, Who::Fabrikam, &key(71));
    world.fabrikam().does(Who::Fabrikam.itself(), another).unwrap();
    assert_eq!(world.room().members[&Who::Fabrikam.member()].replacement, None);
    world.check_replay();
}

fn invitation() -> Subject {
    Subject::Invitation(Who::Mallory.invitation())
}

/// Invited into a room that asks for the members' vote.
fn waiting() -> World {
    let mut world = two_of_three();
    world.litware().does(invitation(), invite(Who::Mallory, &[Ability::Analyst])).unwrap();
    world
}

#[test]
fn where_the_terms_say_so_nobody_joins_without_a_vote() {
    let mut world = waiting();
    let change = Change::AdmitMember(Who::Mallory.invitation());
    world.litware().does(other_s(), propose(change, None)).unwrap();
    let digest = world.change_digest_of(ChangeId::new(uuid(0x8, 2)));
    for who in [Who::Litware, Who::Contosso] {
        world.by(who).does(other_s(), ApproveChange { digest }).unwrap();
    }
    assert!(world.by(Who::Mallory).does(invitation(), AcceptInvitation {}).is_ok());
    world.check_replay();
}

/// A room with so many change requests on record.
fn full() -> World {
    let mut world = World::asked(to(stricter()));
    world.litware().does(change_s(), WithdrawChange {}).unwrap();
    let State::Present(room) = &mut world.state else { unreachable!() };
    let one = room.changes[&change_id()].clone();
    for number in 2..=CHANGES_MAX as u64 {
        room.changes.insert(ChangeId::new(uuid(0x8, number)), one.clone());
    }
    world
}

pub fn cases() -> Vec<Case> {
    let mut cases = terms_cases();
    cases.extend(vote_cases());
    cases.extend(member_cases());
    cases
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn vote_cases() -> Vec<Case> {
    vec![
        case("a stranger proposes a change", Code::NotAMember, || {
            World::keyed().by(Who::Mallory).does(change_s(), propose(to(stricter()), None))
        }),
        case("a change's id is in use", Code::ChangeExists, || {
            World::asked(to(stricter())).asks(Change::GrantOwner(Who::Contosso.member()))
        }),
        case("one change request too many", Code::LimitExceeded, || {
            full().litware().does(
                Subject::Change(ChangeId::new(uuid(0x8, 20_000))),
                propose(to(stricter()), None),
            )
        }),
        case("one open change request of a member too many", Code::LimitExceeded, || {
            let mut world = World::keyed();
            let mut last = Ok(Vec::new());
            for number in 1..=OPEN_CHANGES_MAX as u64 + 1 {
                let subject = Subject::Change(ChangeId::new(uuid(0x8, number)));
                last = world.litware().does(subject, propose(to(stricter()), None));
                assert!(last.is_ok() || number == OPEN_CHANGES_MAX as u64 + 1);
            }
            last
        }),
        case("a vote that ends now", Code::InvalidExpiry, || {
            let mut world = World::keyed();
            let now_ms = world.now_ms;
            world.litware().does(change_s(), propose(to(stricter()), Some(now_ms)))
        }),
        case("a vote that ends too late", Code::InvalidExpiry, || {
            let mut world = World::keyed();
            let far = world.now_ms + VOTE_LIFETIME_MS_MAX + 1;
            world.litware().does(change_s(), propose(to(stricter()), Some(far)))
        }),
        case("a vote after its end", Code::ChangeExpired, || {
            let mut world = World::keyed();
            let end = world.now_ms + VOTE_LIFETIME_MS_MAX;
            world.litware().does(change_s(), propose(to(stricter()), Some(end))).unwrap();
            world.now_ms = end;
            world.votes_for(Who::Litware).unwrap();
            world.votes_for(Who::Contosso)
        }),
        case("a no after its end", Code::ChangeExpired, || {
            let mut world = World::keyed();
            let end = world.now_ms + 1;
            world.litware().does(change_s(), propose(to(stricter()), Some(end))).unwrap();
            world.votes_against(Who::Contosso)
        }),
        case("a vote on no change", Code::ChangeNotFound, || {
            World::keyed().votes_for(Who::Contosso)
        }),
        case("a vote on another digest", Code::ChangeDigestMismatch, || {
            let digest = Digest::of(b"another");
            World::asked(to(stricter())).contosso().does(change_s(), ApproveChange { digest })
        }),
        case("a no on another digest", Code::ChangeDigestMismatch, || {
            let reject = RejectChange { digest: Digest::of(b"another"), comment: "No.".into() };
            World::asked(to(stricter())).contosso().does(change_s(), reject)
        }),
        case("a second vote on a change", Code::AlreadyVoted, || {
            let mut world = World::asked(to(stricter()));
            world.votes_for(Who::Contosso).unwrap();
            world.votes_against(Who::Contosso)
        }),
        case("a comment on a change too long", Code::LimitExceeded, || {
            let mut world = World::asked(to(stricter()));
            let digest = world.change_digest();
            let comment = "x".repeat(COMMENT_LEN_MAX + 1);
            world.contosso().does(change_s(), RejectChange { digest, comment })
        }),
        case("a vote that nobody signed", Code::MemberSignatureRequired, || {
            // Contosso has no key here, so the service could vote in its name.
            let mut world = World::stocked();
            world.asks(to(stricter())).unwrap();
            world.votes_for(Who::Contosso)
        }),
        case("a vote of a stranger on a change", Code::NotAMember, || {
            World::asked(to(stricter())).votes_for(Who::Mallory)
        }),
        case("another takes a change back", Code::NotTheProposer, || {
            World::asked(to(stricter())).contosso().does(change_s(), WithdrawChange {})
        }),
        case("a change is taken back twice", Code::ChangeNotOpen, || {
            let mut world = World::asked(to(stricter()));
            world.litware().does(change_s(), WithdrawChange {}).unwrap();
            world.litware().does(change_s(), WithdrawChange {})
        }),
        case("a change is made without its votes", Code::ChangeVotesMissing, || {
            World::asked(to(stricter())).commits(Who::Litware)
        }),
        case(
            "another change is made than the one that has its votes",
            Code::ChangeDigestMismatch,
            || {
                let digest = Digest::of(b"another");
                World::asked(to(stricter())).litware().does(change_s(), CommitChange { digest })
            },
        ),
        case("a change is made twice", Code::ChangeNotOpen, || {
            let mut world = World::asked(to(stricter()));
            world.carry().unwrap();
            world.commits(Who::Litware)
        }),
    ]
}

fn terms_cases() -> Vec<Case> {
    vec![
        case("a change beside other terms", Code::TermsChanged, || {
            let mut world = World::asked(to(stricter()));
            let other = propose(Change::GrantOwner(Who::Contosso.member()), None);
            world.contosso().does(other_s(), other).unwrap();
            world.carry()
        }),
        case("the terms in force again", Code::NothingToChange, || {
            World::keyed().asks(to(terms(&[], true)))
        }),
        case("terms that the service can't hold", Code::InsecureVirtualNotAllowed, || {
            World::keyed().asks(to(terms(&[], false)))
        }),
        case("a threshold of one", Code::InvalidTerms, || {
            set_as(|terms| {
                terms.change_threshold = Some(1);
                terms.admission_by_vote = true;
            })
        }),
        case("a threshold where an owner invites votes", Code::InvalidTerms, || {
            set_as(|terms| terms.change_threshold = Some(2))
        }),
        case("an acceptance that lasts no time", Code::InvalidTerms, || {
            set_as(|terms| terms.acceptance_lifetime_ms = Some(0))
        }),
        case("an acceptance that lasts too long", Code::InvalidTerms, || {
            set_as(|terms| terms.acceptance_lifetime_ms = Some(ACCEPTANCE_LIFETIME_MS_MAX + 1))
        }),
        case("a group of another name", Code::InvalidTerms, || {
            set_as(|terms| terms.groups = vec![group("The Stewards", 1)])
        }),
        case("two groups of a name", Code::InvalidTerms, || {
            set_as(|terms| terms.groups = vec![group("a", 1), group("a", 2)])
        }),
        case("a group of nobody", Code::InvalidTerms, || {
            set_as(|terms| {
                terms.groups = vec![ApprovalGroup { members: Vec::new(), ..group("a", 1) }];
            })
        }),
        case("a group of too many", Code::InvalidTerms, || {
            set_as(|terms| {
                let many = (0..=GROUP_MEMBERS_MAX as u64).map(|n| MemberId::new(uuid(0xa, n)));
                terms.groups = vec![ApprovalGroup { members: many.collect(), ..group("a", 1) }];
            })
        }),
        case("too many groups", Code::InvalidTerms, || {
            set_as(|terms| {
                terms.groups = (0..=GROUPS_MAX).map(|n| group(&format!("g{n}"), 1)).collect();
            })
        }),
        case("a group with a stranger", Code::InvalidTerms, || {
            set_as(|terms| {
                let members = vec![Who::Mallory.member()];
                terms.groups = vec![ApprovalGroup { members, ..group("a", 1) }];
            })
        }),
        case("a group that names somebody twice", Code::InvalidTerms, || {
            set_as(|terms| {
                let members = vec![Who::Contosso.member(); 2];
                terms.groups = vec![ApprovalGroup { members, ..group("a", 1) }];
            })
        }),
        case("a group that needs more than all", Code::InvalidTerms, || {
            set_as(|terms| terms.groups = vec![group("a", 3)])
        }),
        case("a group that needs nobody", Code::InvalidTerms, || {
            set_as(|terms| terms.groups = vec![group("a", 0)])
        }),
        case("a room that begins with strangers in a group", Code::InvalidTerms, || {
            let mut terms = terms(&[], true);
            terms.groups = vec![group("a", 1)];
            World::empty().litware().does(room(), create(terms))
        }),
    ]
}

fn member_cases() -> Vec<Case> {
    vec![
        case("an owner is made one", Code::NothingToChange, || {
            World::keyed().asks(Change::GrantOwner(Who::Litware.member()))
        }),
        case("a stranger is made an owner", Code::MemberNotFound, || {
            World::keyed().asks(Change::GrantOwner(Who::Mallory.member()))
        }),
        case("who is no owner is unmade", Code::NothingToChange, || {
            World::keyed().asks(Change::RevokeOwner(Who::Contosso.member()))
        }),
        case("the last owner is unmade", Code::LastOwner, || {
            World::keyed().asks(Change::RevokeOwner(Who::Litware.member()))
        }),
        case("a key replaces none", Code::NothingToChange, || {
            let member = Who::Contosso.member();
            let change = Change::ReplaceKey { member, key: key(70).public().id() };
            World::stocked().asks(change)
        }),
        case("a key replaces another that is somebody's", Code::KeyAlreadyRegistered, || {
            World::keyed().asks(replacing(Who::Litware.key().public().id()))
        }),
        case("the service's key replaces another", Code::InvalidKey, || {
            World::keyed().asks(replacing(key(200).public().id()))
        }),
        case("a lost key is replaced by a token alone", Code::MemberSignatureRequired, || {
            let mut world = World::keyed();
            let registration = registration(&world, Who::Fabrikam, &key(70));
            registers(&mut world, registration)
        }),
        case("another key than the one voted for", Code::MemberSignatureRequired, || {
            let mut world = replaced();
            let registration = registration(&world, Who::Fabrikam, &key(72));
            registers(&mut world, registration)
        }),
        case("an invitation is accepted before the vote", Code::ChangeVoteRequired, || {
            waiting().by(Who::Mallory).does(invitation(), AcceptInvitation {})
        }),
        case("a vote on an invitation that takes none", Code::NothingToChange, || {
            let mut world = World::keyed();
            world.litware().does(invitation(), invite(Who::Mallory, &[Ability::Analyst])).unwrap();
            world.asks(Change::AdmitMember(Who::Mallory.invitation()))
        }),
        case("a vote on no invitation", Code::InvitationNotFound, || {
            World::keyed().asks(Change::AdmitMember(Who::Mallory.invitation()))
        }),
        case("a vote on an invitation that was accepted", Code::InvitationAlreadyAccepted, || {
            World::keyed().asks(Change::AdmitMember(Who::Contosso.invitation()))
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}
