//! Authority: what a signature is over, whose it is, and when it is demanded.

use chancery_governance::command::{
    ApproveQuery, CancelRun, Command, EnableWorkload, RejectQuery, RequestRun, StartRun,
    WithdrawConsent,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::member::SignedAct;
use chancery_governance::reason::Code;
use chancery_governance::subject::Subject;
use chancery_ledger::codec::{self, Value};
use chancery_ledger::command::{LIFETIME_MS_MAX, SignedCommand};
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Authority, SignedContent};
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::key::SigningKey;

use crate::case::{Case, case, check};
use crate::support::fixtures::{query_id, query_s, room, run_id, run_s, terms};
use crate::support::people::Who;
use crate::support::{Attempt, Tried, World, codes, content, key, kinds, uuid};

/// Litware's vote, with something wrong in what is signed.
fn vote(change: fn(&mut SignedCommand)) -> Tried {
    vote_by(&Who::Litware.key(), ContentType::Command, change)
}

fn vote_by(key: &SigningKey, kind: ContentType, change: fn(&mut SignedCommand)) -> Tried {
    let mut world = World::proposed();
    let command: Command = ApproveQuery { digest: world.digest() }.into();
    let mut attempt = world.prepare(Who::Litware, query_s(), &command);
    let mut signed = world.to_sign(query_s(), &command, attempt.command);
    change(&mut signed);
    let message = signed.sign(kind, key);
    attempt.authority =
        Authority::MemberSigned(SignedContent { message, content: content(&command) });
    world.submit(&attempt)
}

/// Litware's vote, with something wrong in what is sent.
fn sent(change: fn(&World, &mut Attempt, &mut SignedContent)) -> Tried {
    let mut world = World::proposed();
    let command: Command = ApproveQuery { digest: world.digest() }.into();
    let mut attempt = world.prepare(Who::Litware, query_s(), &command);
    let Authority::MemberSigned(mut signed) = attempt.authority.clone() else { unreachable!() };
    change(&world, &mut attempt, &mut signed);
    attempt.authority = Authority::MemberSigned(signed);
    world.submit(&attempt)
}

/// A witnessed command of Contosso's, with other content.
fn witnessed(action: &str, raw: Vec<u8>) -> Tried {
    let mut world = World::proposed();
    let command: Command = ApproveQuery { digest: world.digest() }.into();
    let mut attempt = world.prepare(Who::Contosso, query_s(), &command);
    let Authority::ServiceWitnessed(witness) = &mut attempt.authority else { unreachable!() };
    witness.action = action.into();
    witness.content = raw;
    world.submit(&attempt)
}

fn demanding(act: SignedAct) -> World {
    World::begun_on(terms(&[act], true)).join().stock().draft().propose()
}

#[test]
fn a_signed_vote_counts() {
    assert_eq!(kinds(&vote(|_| {})), ["QueryApproved"]);
    assert_eq!(kinds(&sent(|_, _, _| {})), ["QueryApproved"]);
}

#[test]
fn a_signature_may_live_a_day_to_the_millisecond() {
    let tried = vote(|signed| signed.expires_ms += LIFETIME_MS_MAX - crate::support::LIFETIME_MS);
    assert_eq!(kinds(&tried), ["QueryApproved"]);
    let tried = vote(|signed| signed.expires_ms -= crate::support::LIFETIME_MS);
    assert_eq!(kinds(&tried), ["QueryApproved"], "the last millisecond still counts");
}

#[test]
fn the_expected_version_is_the_position_of_the_last_event_about_the_subject() {
    let tried = vote(|signed| signed.expected_version = Some(proposed_at()));
    assert_eq!(kinds(&tried), ["QueryApproved"]);
}

fn proposed_at() -> u64 {
    World::proposed().room().size - 1
}

#[test]
fn all_that_is_wrong_with_signed_bytes_is_told_at_once() {
    let tried = vote(|signed| {
        signed.audience = Digest::of(b"another service");
        signed.collaboration = CollaborationId::new(uuid(0xc, 2));
        signed.subject = "query/none".into();
        signed.command = CommandId::new(uuid(0xe, 999));
        signed.expires_ms = 0;
    });
    assert_eq!(
        codes(&tried),
        [
            Code::SignatureAudience,
            Code::SignatureCollaboration,
            Code::SignatureSubject,
            Code::SignatureCommand,
            Code::SignatureExpired,
        ]
    );
}

pub fn cases() -> Vec<Case> {
    let mut cases = signatures();
    cases.extend(keys());
    cases.extend(contents());
    cases.extend(demands());
    cases
}

fn signatures() -> Vec<Case> {
    vec![
        case("another audience", Code::SignatureAudience, || {
            vote(|signed| signed.audience = Digest::of(b"another service"))
        }),
        case("another collaboration", Code::SignatureCollaboration, || {
            vote(|signed| signed.collaboration = CollaborationId::new(uuid(0xc, 2)))
        }),
        case("another subject", Code::SignatureSubject, || {
            vote(|signed| signed.subject = room().to_string())
        }),
        case("the same subject, in capitals", Code::SignatureSubject, || {
            vote(|signed| signed.subject = signed.subject.to_uppercase())
        }),
        case("another content", Code::SignatureContent, || {
            vote(|signed| signed.content = Digest::of(b"another"))
        }),
        case("another command id", Code::SignatureCommand, || {
            vote(|signed| signed.command = CommandId::new(uuid(0xe, 999)))
        }),
        case("an action that takes other content", Code::InvalidContent, || {
            vote(|signed| signed.action = "query.reject".into())
        }),
        case("an action that takes less", Code::InvalidContent, || {
            vote(|signed| signed.action = "query.withdraw".into())
        }),
        case("an action that there is not", Code::UnknownAction, || {
            vote(|signed| signed.action = "query.approve-all".into())
        }),
        case("a signature that has ended", Code::SignatureExpired, || {
            vote(|signed| signed.expires_ms -= crate::support::LIFETIME_MS + 1)
        }),
        case("a signature that ends never", Code::SignatureLifetime, || {
            vote(|signed| signed.expires_ms = u64::MAX)
        }),
        case("a signature of a day and a millisecond", Code::SignatureLifetime, || {
            vote(|signed| {
                signed.expires_ms += LIFETIME_MS_MAX - crate::support::LIFETIME_MS + 1;
            })
        }),
        case("a version that is past", Code::StaleVersion, || {
            vote(|signed| signed.expected_version = Some(0))
        }),
        case("a version of what is not there", Code::StaleVersion, || {
            let mut world = World::accepted();
            let command: Command = RequestRun { query: query_id(), digest: world.digest() }.into();
            let mut attempt = world.prepare(Who::Fabrikam, run_s(), &command);
            let mut signed = world.to_sign(run_s(), &command, attempt.command);
            signed.expected_version = Some(1);
            let message = signed.sign(ContentType::Command, &Who::Fabrikam.key());
            let content = content(&command);
            attempt.authority = Authority::MemberSigned(SignedContent { message, content });
            world.submit(&attempt)
        }),
        case("a clock behind the log does not lengthen a life", Code::SignatureExpired, || {
            let mut world = World::proposed();
            let command: Command = ApproveQuery { digest: world.digest() }.into();
            let mut attempt = world.prepare(Who::Litware, query_s(), &command);
            world.now_ms -= 60_000;
            let mut signed = world.to_sign(query_s(), &command, attempt.command);
            signed.expires_ms = world.now_ms + 1_000;
            let message = signed.sign(ContentType::Command, &Who::Litware.key());
            let content = content(&command);
            attempt.authority = Authority::MemberSigned(SignedContent { message, content });
            world.submit(&attempt)
        }),
        case("the same command twice", Code::CommandIdReused, || {
            let mut world = World::proposed();
            let command = ApproveQuery { digest: world.digest() }.into();
            let attempt = world.prepare(Who::Litware, query_s(), &command);
            world.submit(&attempt).unwrap();
            world.submit(&attempt)
        }),
        case("a signature under another command's id", Code::SignatureCommand, || {
            sent(|_, attempt, _| attempt.command = CommandId::new(uuid(0xe, 999)))
        }),
        case("a signature under another subject", Code::SignatureSubject, || {
            sent(|_, attempt, _| attempt.subject = room())
        }),
    ]
}

fn keys() -> Vec<Case> {
    vec![
        case("a key that nobody registered", Code::KeyUnknown, || {
            vote_by(&key(99), ContentType::Command, |_| {})
        }),
        case("a stranger's key", Code::KeyUnknown, || {
            vote_by(&Who::Mallory.key(), ContentType::Command, |_| {})
        }),
        case("the service's key", Code::KeyUnknown, || {
            vote_by(&key(200), ContentType::Command, |_| {})
        }),
        case("a key that was revoked", Code::KeyRevoked, || {
            let mut world = crate::member::revoked();
            let command = EnableWorkload { workload: "spark-sql".into() };
            world.fabrikam().does(room(), command)
        }),
        case("signed by one, named as another", Code::SignatureInvalid, || {
            sent(|_, _, signed| {
                // The key id of Litware in the header, the signature by Mallory.
                let mallory = Who::Mallory.key();
                let end = signed.message.len() - 64;
                let forged = mallory.sign(&signed.message);
                signed.message.splice(end.., forged);
            })
        }),
        case("the last byte flipped", Code::SignatureInvalid, || {
            sent(|_, _, signed| *signed.message.last_mut().unwrap() ^= 1)
        }),
        case("no message at all", Code::SignatureInvalid, || {
            sent(|_, _, signed| signed.message.clear())
        }),
        case("an executor's report as a member's command", Code::SignatureInvalid, || {
            vote_by(&Who::Litware.key(), ContentType::ExecutorReport, |_| {})
        }),
        case("an entry as a member's command", Code::SignatureInvalid, || {
            vote_by(&Who::Litware.key(), ContentType::Entry, |_| {})
        }),
        case("a job spec as a member's command", Code::SignatureInvalid, || {
            vote_by(&Who::Litware.key(), ContentType::JobSpec, |_| {})
        }),
        case("a member's command as an executor's report", Code::SignatureInvalid, || {
            let mut world = World::submitted();
            let command: Command = StartRun {}.into();
            let mut attempt = world.prepare_report(&key(201), run_id(), &command);
            let message = world
                .to_sign(run_s(), &command, attempt.command)
                .sign(ContentType::Command, &world.executor);
            let content = content(&command);
            attempt.authority = Authority::ExecutorSigned(SignedContent { message, content });
            world.submit(&attempt)
        }),
        case("an executor's report signed for another run", Code::SignatureSubject, || {
            let mut world = World::submitted();
            let mut attempt = world.prepare_report(&key(201), run_id(), &StartRun {}.into());
            let other = Subject::Run(chancery_ledger::id::RunId::new(uuid(0x9, 2)));
            let message = world
                .to_sign(other, &StartRun {}.into(), attempt.command)
                .sign(ContentType::ExecutorReport, &world.executor);
            let content = content(&StartRun {}.into());
            attempt.authority = Authority::ExecutorSigned(SignedContent { message, content });
            world.submit(&attempt)
        }),
        case("an executor's report altered", Code::SignatureInvalid, || {
            let mut world = World::submitted();
            let mut attempt = world.prepare_report(&key(201), run_id(), &StartRun {}.into());
            if let Authority::ExecutorSigned(signed) = &mut attempt.authority {
                *signed.message.last_mut().unwrap() ^= 1;
            }
            world.submit(&attempt)
        }),
        case("a signature before the log began", Code::CollaborationNotFound, || {
            let mut world = World::empty();
            let command: Command = EnableWorkload { workload: "spark-sql".into() }.into();
            let mut attempt = world.prepare(Who::Litware, room(), &command);
            attempt.authority = world.signed(Who::Litware, room(), &command, attempt.command);
            world.submit(&attempt)
        }),
    ]
}

fn contents() -> Vec<Case> {
    vec![
        case("content that is no CBOR", Code::InvalidContent, || {
            witnessed("query.approve", vec![0xff])
        }),
        case("content that is no map", Code::InvalidContent, || {
            witnessed("query.approve", codec::encode(&Value::Null))
        }),
        case("content with a field too many", Code::InvalidContent, || {
            let digest = Value::text(Digest::of(b"x").to_string());
            let map = Value::map([("digest", digest), ("approver", Value::text("me"))]);
            witnessed("query.approve", codec::encode(&map))
        }),
        case("content with a field too few", Code::InvalidContent, || {
            witnessed("query.approve", codec::encode(&Value::map::<&str>([])))
        }),
        case("content with a field of another type", Code::InvalidContent, || {
            witnessed("query.approve", codec::encode(&Value::map([("digest", Value::from(1))])))
        }),
        case("content in another encoding", Code::InvalidContent, || {
            let command =
                content(&RejectQuery { digest: Digest::of(b"x"), comment: "n".into() }.into());
            let mut long = vec![0xb8, 0x02];
            long.extend_from_slice(&command[1..]);
            witnessed("query.reject", long)
        }),
        case("a consequence as a command", Code::InvalidContent, || {
            let mut world = World::proposed();
            let command = ApproveQuery { digest: world.digest() }.into();
            let mut attempt = world.prepare(Who::Litware, query_s(), &command);
            attempt.authority = Authority::Consequence(0);
            world.submit(&attempt)
        }),
    ]
}

fn demands() -> Vec<Case> {
    vec![
        case("a token for a member with a key", Code::MemberSignatureRequired, || {
            let mut world = World::proposed();
            let command: Command = ApproveQuery { digest: world.digest() }.into();
            let mut attempt = world.prepare(Who::Litware, query_s(), &command);
            attempt.authority = world.witnessed(Who::Litware, &command);
            world.submit(&attempt)
        }),
        case(
            "a token for a member whose first key was revoked",
            Code::MemberSignatureRequired,
            || {
                let mut world = crate::member::revoked();
                let command: Command = EnableWorkload { workload: "spark-sql".into() }.into();
                let mut attempt = world.prepare(Who::Fabrikam, room(), &command);
                attempt.authority = world.witnessed(Who::Fabrikam, &command);
                world.submit(&attempt)
            },
        ),
        case("a token for a vote that must be signed", Code::MemberSignatureRequired, || {
            demanding(SignedAct::Votes).approve(Who::Contosso)
        }),
        case("a token for a no that must be signed", Code::MemberSignatureRequired, || {
            let mut world = demanding(SignedAct::Votes);
            let reject = RejectQuery { digest: world.digest(), comment: String::new() };
            world.contosso().does(query_s(), reject)
        }),
        case("a token for a consent that must be signed", Code::MemberSignatureRequired, || {
            let command = WithdrawConsent { kind: ConsentKind::Logging };
            demanding(SignedAct::Consents).contosso().does(room(), command)
        }),
        case("a token for a run that must be signed", Code::MemberSignatureRequired, || {
            demanding(SignedAct::Runs).contosso().does(run_s(), CancelRun {})
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}

#[test]
fn acts_that_the_terms_do_not_name_can_be_witnessed() {
    let mut world = demanding(SignedAct::Runs);
    assert_eq!(kinds(&world.approve(Who::Contosso)), ["QueryApproved"]);
    world.check_replay();
}

#[test]
fn a_clock_that_ran_back_still_makes_a_log_that_replays() {
    let mut world = World::proposed();
    world.now_ms -= 3_600_000;
    let tried = world.approve(Who::Contosso);
    assert_eq!(kinds(&tried), ["QueryApproved"]);
    world.now_ms = world.room().last_time_ms;
    assert_eq!(kinds(&world.approve(Who::Litware)), ["QueryApproved"]);
    world.check_replay();
}
