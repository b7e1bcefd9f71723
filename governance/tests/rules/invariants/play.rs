//! Random sequences of commands, played against the handler.

use chancery_governance::clean_room::Only;
use chancery_governance::command::{
    ApproveQuery, CancelRun, CloseCollaboration, Command, DraftQuery, ErasePersonal, FailRun,
    PauseCollaboration, ProposeQuery, PublishDataset, RejectQuery, RequestRun, RestoreConsent,
    ResumeCollaboration, RetireDataset, ReviseQuery, RevokeSigningKey, SetAutoApprovalRule,
    SetCleanRoomPolicy, StartRun, WithdrawConsent, WithdrawQuery,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::event::Event;
use chancery_governance::query::Definition;
use chancery_governance::run::Platform;
use chancery_governance::state::Recorded;
use chancery_governance::subject::Subject;
use chancery_governance::usage::{Period, Receiver, RunBudget};
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Authority, SignedContent};
use chancery_ledger::id::{QueryId, RunId};
use proptest::prelude::*;

use super::agree::{self, Agree};
use crate::support::secrets::{Ask, sealing_key, store};

use crate::support::fixtures::{
    admit, admit_with, application, attested, campaigns, campaigns_s, definition, moved, orders,
    orders_s, report, report_s, room, submit, succeed_with, without_litware,
};
use crate::support::people::{Who, registration};
use crate::support::{Tried, World, content, key, uuid};

/// Where a sequence begins.
#[derive(Debug, Clone, Copy)]
pub enum Start {
    Begun,
    Stocked,
    Proposed,
    Accepted,
    Requested,
    Started,
    /// Accepted, with a budget of one run a day and two in all.
    Limited,
    /// All have keys, and Litware asks for a change.
    Asked(u8),
    /// Each member has a rule that lets the query through.
    Ruled,
    /// A run is admitted, and a secret stored for one of its inputs.
    Entitled,
}

/// One step.
#[derive(Debug, Clone)]
pub enum Op {
    Act(Who, Act),
    Report(u8, Report, u8),
    /// As an act, with something wrong in its authority.
    Forge(Who, Act, Forgery),
    /// An earlier submission again, under a new command id or its own.
    Again(prop::sample::Index, bool),
    /// The clock moves.
    Clock(i32),
    /// The service goes over to the key of this number, rightly or not.
    Rotate(u8, Rotation),
}

/// How a rotation is gone about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Signed by the new key, with evidence that binds it.
    Right,
    /// Signed by the key before only.
    ByTheOld,
    /// With evidence of another key.
    Unbound,
    /// Signed by the new key, as a member's command.
    AsMember,
}

#[derive(Debug, Clone)]
pub enum Act {
    Erase(u8),
    RegisterKey(u8),
    RevokeKey(u8),
    Policy(u8),
    Publish(u8, u8),
    Retire(u8),
    Draft(u8, u8),
    Revise(u8, u8),
    Propose(u8),
    Approve(u8, Named),
    Reject(u8, Named),
    Withdraw(u8),
    Consent(u8, u8, bool),
    Request(u8, u8, Named),
    Cancel(u8),
    Pause,
    Resume,
    Close,
    /// A policy with demands, or with limits.
    Demand(u8),
    /// A dataset's version with a budget and receivers.
    Limit(u8, u8),
    /// What members agree on: see [`agree`].
    Agree(Agree),
    /// A secret of orders.
    Store(u8),
    EraseSecret,
}

/// Which digest is named.
#[derive(Debug, Clone, Copy)]
pub enum Named {
    Right,
    Wrong,
}

#[derive(Debug, Clone, Copy)]
pub enum Report {
    Admit,
    AdmitOther,
    AdmitUnbound,
    AdmitUnmeasured,
    Submit,
    Start,
    Succeed,
    SucceedOther,
    /// Without rows and times.
    SucceedQuietly,
    Fail,
    /// For the secret of orders, to this key.
    AskSecret(u8),
    /// For the secret of a dataset that has none.
    AskOther,
    AskToken,
}

#[derive(Debug, Clone, Copy)]
pub enum Forgery {
    /// Signed by somebody else's key.
    OtherKey,
    /// Witnessed for a stranger.
    Stranger,
    /// The signature's last byte is another.
    Flipped,
    /// Signed for another service.
    Audience,
    /// Signed as another kind of message.
    Kind,
    /// Content beside the one that was signed.
    Content,
    /// Signed long ago.
    Expired,
    /// A consequence of nothing.
    Consequence,
    /// Signed by the service's own key, as its own.
    Service,
}

/// What came of a sequence.
pub struct Played {
    pub world: World,
    pub events: Vec<(Recorded, Event)>,
    pub tried: Vec<(Op, Tried)>,
}

impl Played {
    /// The events, by the commands that caused them.
    pub fn batches(&self) -> impl Iterator<Item = &[(Recorded, Event)]> {
        self.events.chunk_by(|(one, _), (next, _)| one.command == next.command)
    }

    /// Whether the entry at that position is a command's own, and follows from no other.
    pub fn is_own_act(&self, position: u64) -> bool {
        let entry = self.world.log[usize::try_from(position).unwrap()].entry();
        !matches!(entry.authority, Authority::Consequence(_))
    }

    pub fn forged(&self) -> impl Iterator<Item = &(Op, Tried)> {
        self.tried.iter().filter(|(op, _)| matches!(op, Op::Forge(..) | Op::Again(..)))
    }
}

pub fn ops() -> impl Strategy<Value = (Start, Vec<Op>)> {
    use Start::{
        Accepted, Asked, Begun, Entitled, Limited, Proposed, Requested, Ruled, Started, Stocked,
    };
    let starts = vec![Begun, Stocked, Proposed, Accepted, Requested, Started, Limited, Limited];
    let start = prop_oneof![
        8 => prop::sample::select(starts),
        3 => (0..agree::CHANGES).prop_map(Asked),
        1 => Just(Ruled),
        3 => Just(Entitled),
    ];
    let op = prop_oneof![
        12 => (who(), act()).prop_map(|(who, act)| Op::Act(who, act)),
        // The right person for the act, so that sequences get somewhere.
        20 => act().prop_map(|act| Op::Act(fit(&act), act)),
        14 => (0..3u8, report_op(), 0..8u8).prop_map(|(run, report, by)| Op::Report(run, report, by)),
        4 => (who(), act(), forgery()).prop_map(|(who, act, how)| Op::Forge(who, act, how)),
        2 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(at, new)| Op::Again(at, new)),
        1 => (-600_000..600_000i32).prop_map(Op::Clock),
        1 => Just(Op::Clock(86_400_000)),
        2 => (0..4u8, rotation()).prop_map(|(key, how)| Op::Rotate(key, how)),
    ];
    // Half of them are disturbed at once, while the runs that they begin with are still in flight.
    let consent = (0..5u8).prop_map(|on| Act::Consent(on, 3, true));
    let disturbed = prop_oneof![2 => consent, 1 => Just(Act::Policy(1))];
    let first = prop::option::of(disturbed.prop_map(|act| Op::Act(fit(&act), act)));
    let admit = Op::Report(0, Report::Admit, 1);
    (start, first, prop::collection::vec(op, 10..60)).prop_map(move |(start, first, mut ops)| {
        if let Some(first) = first {
            ops.splice(0..0, [first, admit.clone()]);
        }
        (start, ops)
    })
}

fn who() -> impl Strategy<Value = Who> {
    prop::sample::select(Who::ALL.to_vec())
}

fn report_op() -> impl Strategy<Value = Report> {
    use Report::{
        Admit, AdmitOther, AdmitUnbound, AdmitUnmeasured, AskOther, AskSecret, AskToken, Fail,
        Start, Submit, Succeed, SucceedOther, SucceedQuietly,
    };
    prop_oneof![
        5 => Just(Admit), 5 => Just(Submit), 5 => Just(Start), 4 => Just(Succeed), 3 => Just(Fail),
        1 => Just(AdmitOther), 1 => Just(AdmitUnbound), 1 => Just(AdmitUnmeasured),
        1 => Just(SucceedOther), 1 => Just(SucceedQuietly),
        4 => (0..3u8).prop_map(AskSecret), 1 => Just(AskOther), 2 => Just(AskToken),
    ]
}

fn forgery() -> impl Strategy<Value = Forgery> {
    use Forgery::{
        Audience, Consequence, Content, Expired, Flipped, Kind, OtherKey, Service, Stranger,
    };
    prop::sample::select(vec![
        OtherKey,
        Stranger,
        Flipped,
        Audience,
        Kind,
        Content,
        Expired,
        Consequence,
        Service,
        Service,
    ])
}

fn rotation() -> impl Strategy<Value = Rotation> {
    use Rotation::{AsMember, ByTheOld, Right, Unbound};
    prop_oneof![4 => Just(Right), 1 => Just(ByTheOld), 1 => Just(Unbound), 1 => Just(AsMember)]
}

fn act() -> impl Strategy<Value = Act> {
    let named = || prop_oneof![9 => Just(Named::Right), 1 => Just(Named::Wrong)];
    let query = || 0..2u8;
    prop_oneof![
        2 => (0..3u8).prop_map(Act::RegisterKey),
        2 => (0..3u8).prop_map(Act::RevokeKey),
        1 => (0..3u8).prop_map(Act::Policy),
        2 => (0..3u8, 1..4u8).prop_map(|(dataset, version)| Act::Publish(dataset, version)),
        1 => (0..3u8).prop_map(Act::Retire),
        2 => (query(), 0..3u8).prop_map(|(query, shape)| Act::Draft(query, shape)),
        2 => (query(), 0..3u8).prop_map(|(query, shape)| Act::Revise(query, shape)),
        3 => query().prop_map(Act::Propose),
        8 => (query(), named()).prop_map(|(query, named)| Act::Approve(query, named)),
        2 => (query(), named()).prop_map(|(query, named)| Act::Reject(query, named)),
        1 => query().prop_map(Act::Withdraw),
        4 => (0..5u8, 0..4u8, any::<bool>()).prop_map(|(on, kind, on_off)| Act::Consent(on, kind, on_off)),
        5 => (0..3u8, query(), named()).prop_map(|(run, query, named)| Act::Request(run, query, named)),
        1 => (0..3u8).prop_map(Act::Cancel),
        1 => (0..3u8).prop_map(Act::Erase),
        1 => prop_oneof![8 => Just(Act::Pause), 20 => Just(Act::Resume), 1 => Just(Act::Close)],
        1 => (0..3u8).prop_map(Act::Demand),
        1 => (0..3u8, 0..6u8).prop_map(|(dataset, how)| Act::Limit(dataset, how)),
        14 => agree::acts().prop_map(Act::Agree),
        2 => (0..3u8).prop_map(Act::Store),
        1 => Just(Act::EraseSecret),
    ]
}

/// Somebody who is likely to be let do it.
fn fit(act: &Act) -> Who {
    match act {
        Act::RegisterKey(n)
        | Act::RevokeKey(n)
        | Act::Approve(n, _)
        | Act::Publish(n, _)
        | Act::Retire(n)
        | Act::Erase(n)
        | Act::Limit(n, _)
        | Act::Consent(n, ..) => Who::MEMBERS[usize::from(*n) % 3],
        Act::Store(_)
        | Act::EraseSecret
        | Act::Policy(_)
        | Act::Pause
        | Act::Resume
        | Act::Close
        | Act::Demand(_) => Who::Litware,
        Act::Agree(act) => agree::fit(*act),
        Act::Reject(..) => Who::Contosso,
        Act::Draft(..)
        | Act::Revise(..)
        | Act::Propose(_)
        | Act::Withdraw(_)
        | Act::Request(..)
        | Act::Cancel(_) => Who::Fabrikam,
    }
}

fn query(n: u8) -> QueryId {
    QueryId::new(uuid(0xf, u64::from(n) + 1))
}

fn run(n: u8) -> RunId {
    RunId::new(uuid(0x9, u64::from(n) + 1))
}

fn shape(n: u8) -> Definition {
    match n {
        0 => definition(),
        1 => without_litware(),
        _ => Definition { name: "Another".into(), ..definition() },
    }
}

fn command(world: &World, who: Who, act: &Act) -> (Subject, Command) {
    let digest = |n: u8, named: Named| match named {
        Named::Right => world.digest_of(query(n)),
        Named::Wrong => Digest::of(b"wrong"),
    };
    match *act {
        Act::RegisterKey(n) => {
            let new = if n == 0 { who.key() } else { key(60 + n) };
            (who.itself(), registration(world, who, &new).into())
        }
        Act::RevokeKey(n) => {
            let old = if n == 0 { who.key() } else { key(60 + n) };
            (who.itself(), RevokeSigningKey { key: old.public().id() }.into())
        }
        Act::Policy(n) => {
            let other = Digest::of(&[n]);
            let applications =
                if n == 0 { vec![application()] } else { vec![application(), other] };
            (room(), SetCleanRoomPolicy::of(applications).into())
        }
        Act::Publish(n, version) => {
            let (subject, descriptor) = match n {
                0 => (orders_s(), orders()),
                1 => (campaigns_s(), campaigns()),
                _ => (report_s(), report()),
            };
            let mut descriptor = moved(descriptor, version.into());
            if version == 3 {
                // Of the name that the others would take too.
                descriptor.name = "ledger".into();
            }
            (subject, PublishDataset { descriptor }.into())
        }
        Act::Retire(n) => {
            ([orders_s(), campaigns_s(), report_s()][usize::from(n)], RetireDataset {}.into())
        }
        Act::Draft(n, s) => (Subject::Query(query(n)), DraftQuery { definition: shape(s) }.into()),
        Act::Revise(n, s) => {
            (Subject::Query(query(n)), ReviseQuery { definition: shape(s) }.into())
        }
        Act::Propose(n) => (
            Subject::Query(query(n)),
            ProposeQuery { votes_until_ms: None, runs_until_ms: None }.into(),
        ),
        Act::Approve(n, named) => {
            (Subject::Query(query(n)), ApproveQuery { digest: digest(n, named) }.into())
        }
        Act::Reject(n, named) => {
            let reject = RejectQuery { digest: digest(n, named), comment: "No.".into() };
            (Subject::Query(query(n)), reject.into())
        }
        Act::Withdraw(n) => (Subject::Query(query(n)), WithdrawQuery {}.into()),
        Act::Consent(on, kind, withdraw) => {
            let on = [orders_s(), campaigns_s(), report_s(), room(), Subject::Query(query(0))]
                [usize::from(on)];
            let kind = ConsentKind::ALL.get(usize::from(kind)).copied();
            let kind = kind.unwrap_or(ConsentKind::Execution);
            let command = if withdraw {
                WithdrawConsent { kind }.into()
            } else {
                RestoreConsent { kind }.into()
            };
            (on, command)
        }
        Act::Request(r, n, named) => {
            let request = RequestRun { query: query(n), digest: digest(n, named) };
            (Subject::Run(run(r)), request.into())
        }
        Act::Cancel(r) => (Subject::Run(run(r)), CancelRun {}.into()),
        Act::Pause => (room(), PauseCollaboration { reason: "An incident.".into() }.into()),
        Act::Resume => (room(), ResumeCollaboration {}.into()),
        Act::Close => (room(), CloseCollaboration { reason: "Over.".into() }.into()),
        Act::Demand(n) => (room(), demand(n).into()),
        Act::Limit(n, how) => limit(n, how),
        Act::Erase(n) => {
            let of = Who::MEMBERS[usize::from(n)].invitation();
            (Subject::Invitation(of), ErasePersonal {}.into())
        }
        Act::Store(n) => (orders_s(), store(world, &[n]).into()),
        Act::EraseSecret => {
            (orders_s(), chancery_governance::command::EraseDatasetSecret {}.into())
        }
        Act::Agree(act) => agree::command(world, who, act),
    }
}

/// A policy with demands that no evidence here meets, or with one that lets one query run.
fn demand(n: u8) -> SetCleanRoomPolicy {
    let mut policy = SetCleanRoomPolicy::of(vec![application()]);
    match n {
        0 => policy.demands.host_data = vec![Digest::of(b"host")],
        n => {
            let queries = vec![query(n - 1)];
            policy.only = vec![Only { application: application(), queries }];
        }
    }
    policy
}

/// A version of a dataset that few runs may use, or few may receive results of.
fn limit(n: u8, how: u8) -> (Subject, Command) {
    let (subject, mut descriptor) = match n {
        0 => (orders_s(), orders()),
        1 => (campaigns_s(), campaigns()),
        _ => (report_s(), report()),
    };
    let period = Period::ALL[usize::from(how) % 4];
    if how < 5 {
        let each_runner = how == 4;
        let runs = 1 + u64::from(how % 2);
        descriptor.usage.budgets = vec![RunBudget { period, runs, each_runner }];
    } else {
        descriptor.usage.receivers = vec![Receiver::Organisation("Contosso".into())];
    }
    (subject, PublishDataset { descriptor }.into())
}

fn report_command(world: &World, run: RunId, report: Report, by: u8) -> Option<(Command, u8)> {
    let seed = if by == 0 { 202 } else { 201 };
    let executor = key(seed);
    world.room().runs.get(&run)?;
    let virtually = Platform::InsecureVirtual;
    let command = match report {
        Report::Admit => admit(world, run, &executor).into(),
        Report::AdmitOther => admit(world, run, &key(202)).into(),
        Report::AdmitUnbound => {
            let mut admit = admit(world, run, &executor);
            admit.evidence =
                crate::support::evidence::make(virtually, application(), Digest::of(b"x"));
            admit.into()
        }
        Report::AdmitUnmeasured => {
            admit_with(world, run, &executor, virtually, Digest::of(b"unmeasured")).into()
        }
        Report::Submit => submit().into(),
        Report::Start => StartRun {}.into(),
        Report::Succeed | Report::SucceedOther | Report::SucceedQuietly => {
            let mut result = attested(world, run);
            if let Report::SucceedQuietly = report {
                result.statistics.inputs.clear();
                result.statistics.segments.clear();
            }
            if let Report::SucceedOther = report {
                result.votes.push(Digest::of(b"a vote that was not"));
            }
            succeed_with(world, run, &executor, result, virtually, application()).into()
        }
        Report::AskSecret(to) => {
            let recipient = sealing_key(40 + to / 2);
            Ask { run, recipient, ..Ask::of(&executor) }.secret(world).into()
        }
        Report::AskOther => {
            let dataset = crate::support::fixtures::campaigns_id();
            Ask { run, dataset, ..Ask::of(&executor) }.secret(world).into()
        }
        Report::AskToken => Ask { run, ..Ask::of(&executor) }.token(world).into(),
        Report::Fail => FailRun { code: "out_of_memory".into(), detail: "Killed.".into() }.into(),
    };
    Some((command, seed))
}

fn limited() -> World {
    let mut world = World::stocked();
    let mut descriptor = orders();
    let budget = |period, runs| RunBudget { period, runs, each_runner: false };
    descriptor.usage.budgets = vec![budget(Period::Day, 1), budget(Period::Life, 2)];
    world.litware().does(orders_s(), PublishDataset { descriptor }).unwrap();
    world.draft().propose().accept()
}

pub fn play(start: Start, ops: &[Op]) -> Played {
    let mut world = match start {
        Start::Begun => World::begun(),
        Start::Stocked => World::stocked(),
        Start::Proposed => World::proposed(),
        Start::Accepted => World::accepted(),
        Start::Requested => World::requested(),
        Start::Started => World::started(),
        Start::Limited => limited(),
        Start::Entitled => World::entitled(),
        Start::Asked(change) => {
            let mut world = World::accepted().key_contosso();
            drop(world.asks(agree::change(change)));
            world
        }
        Start::Ruled => {
            let mut world = World::drafted();
            for (number, who) in (0..).zip(Who::MEMBERS) {
                let rule = agree::rule(number);
                world.by(who).does(agree::rule_s(number), SetAutoApprovalRule { rule }).unwrap();
            }
            world
        }
    };
    let mut tried = Vec::new();
    for op in ops {
        let size = world.log.len();
        if let Some(outcome) = step(&mut world, op) {
            if outcome.is_err() {
                assert_eq!(world.log.len(), size, "a rejection left something behind");
            }
            tried.push((op.clone(), outcome));
        }
    }
    let events = world.events();
    Played { world, events, tried }
}

fn step(world: &mut World, op: &Op) -> Option<Tried> {
    match op {
        Op::Act(who, act) => {
            let (subject, command) = command(world, *who, act);
            let mut attempt = world.prepare(*who, subject, &command);
            if let Act::Agree(act) = act
                && agree::is_witnessed(*act)
            {
                attempt.authority = world.witnessed(*who, &command);
            }
            Some(world.submit(&attempt))
        }
        Op::Report(n, report, by) => {
            let (command, seed) = report_command(world, run(*n), *report, *by)?;
            let attempt = world.prepare_report(&key(seed), run(*n), &command);
            Some(world.submit(&attempt))
        }
        // The service vouches for an invited e-mail, so that a stranger's would be no forgery.
        Op::Forge(_, Act::Agree(Agree::Accept), _) => None,
        Op::Forge(who, act, forgery) => Some(forge(world, *who, act, *forgery)),
        Op::Again(at, new_id) => {
            if world.attempts.is_empty() {
                return None;
            }
            // Only what was taken: an honest attempt that was refused may be tried again.
            let taken: Vec<_> = world
                .attempts
                .iter()
                .filter(|attempt| {
                    world.log.iter().any(|sealed| sealed.entry().command == attempt.command)
                })
                .cloned()
                .collect();
            let mut attempt = at.get(&taken).clone();
            if *new_id {
                // A token's command can be sent anew by whoever holds the token: that is no forgery.
                if let Authority::ServiceWitnessed(_) = attempt.authority {
                    return None;
                }
                attempt.command = world.next_command();
            }
            Some(world.submit(&attempt))
        }
        Op::Rotate(n, how) => Some(rotate(world, *n, *how)),
        Op::Clock(by) => {
            world.now_ms = world.now_ms.saturating_add_signed(i64::from(*by));
            None
        }
    }
}

/// The service goes over to the key of that number; 0 is the one that the log began with.
fn rotate(world: &mut World, number: u8, how: Rotation) -> Tried {
    let new = key(if number == 0 { 200 } else { 210 + number });
    let mut command = world.rotation(&new);
    if how == Rotation::Unbound {
        command.evidence = world.rotation(&key(209)).evidence;
    }
    let command: Command = command.into();
    let mut attempt = world.prepare_service(&new, &command);
    let signed = world.to_sign(attempt.subject, &command, attempt.command);
    let content = content(&command);
    attempt.authority = match how {
        Rotation::Right | Rotation::Unbound => attempt.authority,
        Rotation::ByTheOld => {
            let message = signed.sign(ContentType::ServiceCommand, &world.service);
            Authority::ServiceSigned(SignedContent { message, content })
        }
        Rotation::AsMember => {
            let message = signed.sign(ContentType::Command, &new);
            Authority::MemberSigned(SignedContent { message, content })
        }
    };
    let tried = world.submit(&attempt);
    if tried.is_ok() {
        world.service = new;
    }
    tried
}

fn forge(world: &mut World, who: Who, act: &Act, forgery: Forgery) -> Tried {
    let (subject, command) = command(world, who, act);
    let mut attempt = world.prepare(who, subject, &command);
    let mut to_sign = world.to_sign(subject, &command, attempt.command);
    let mut body = content(&command);
    let mut kind = ContentType::Command;
    let mut signer = who.key();
    match forgery {
        Forgery::OtherKey => signer = key(77),
        Forgery::Audience => to_sign.audience = Digest::of(b"another service"),
        Forgery::Kind => kind = ContentType::ExecutorReport,
        Forgery::Expired => to_sign.expires_ms = 0,
        Forgery::Content => body.push(0),
        Forgery::Flipped => {}
        Forgery::Stranger => {
            let mut authority = world.witnessed(who, &command);
            if let Authority::ServiceWitnessed(witness) = &mut authority {
                witness.issuer = "https://login.evil.example".into();
            }
            attempt.authority = authority;
            return world.submit(&attempt);
        }
        Forgery::Service => {
            let message = to_sign.sign(ContentType::ServiceCommand, &world.service);
            attempt.authority = Authority::ServiceSigned(SignedContent { message, content: body });
            return world.submit(&attempt);
        }
        Forgery::Consequence => {
            attempt.authority = Authority::Consequence(0);
            return world.submit(&attempt);
        }
    }
    let mut message = to_sign.sign(kind, &signer);
    if let Forgery::Flipped = forgery {
        *message.last_mut().unwrap() ^= 1;
    }
    attempt.authority = Authority::MemberSigned(SignedContent { message, content: body });
    world.submit(&attempt)
}
