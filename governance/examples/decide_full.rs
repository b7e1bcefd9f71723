//! What a decision costs in a full room: 1,000 members, datasets and accepted queries with a run in
//! flight each, and budgets: `cargo run --release -p chancery-governance --example decide_full`.
//!
//! Each line is one command, decided for a member, dataset or query of its own in every round; the
//! median is told, with what deciding it again for the same takes. A decision that makes many events is
//! held to the goal for each of them. Drafting and proposing hold the analysis of the SQL, a short text
//! here; `--example latency` has longer ones, which have a goal of their own.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::Instant;

use chancery_governance::change::Change;
use chancery_governance::command::{
    AcceptInvitation, ApproveQuery, CancelRun, Command, DraftQuery, EnableWorkload, Invite,
    LeaveCollaboration, PauseCollaboration, ProposeChange, ProposeQuery, PublishDataset,
    RejectQuery, RequestRun, RestoreConsent, ResumeCollaboration, RetireDataset, RevokeAbility,
    SetAutoApprovalRule, SetCleanRoomPolicy, WithdrawConsent, WithdrawQuery,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::dataset::{AccessMode, Descriptor};
use chancery_governance::log;
use chancery_governance::member::{Ability, Identity};
use chancery_governance::query::{Definition, Input};
use chancery_governance::readiness::{Asked, readiness_at};
use chancery_governance::remedy;
use chancery_governance::rule::{ApprovalRule, Shape};
use chancery_governance::state::{State, evolve};
use chancery_governance::subject::{Subject, member_of};
use chancery_governance::submission::{EmailProof, Facts, Submission, email_commitment, handle};
use chancery_governance::usage::{Period, RunBudget};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Authority, Sealed, Witness};
use chancery_ledger::id::{ChangeId, DatasetId, InvitationId, MemberId, QueryId, RuleId, RunId};

use support::fixtures::{campaigns, create, report, room, segment, terms};
use support::people::Who;
use support::{World, content, uuid};

const MANY: u64 = 1_000;
const ROUNDS: u64 = 201;
/// What a decision may take, in microseconds.
const GOAL_US: f64 = 50.0;

fn identity(member: u64) -> Identity {
    if member == 0 {
        return Who::Litware.identity();
    }
    let subject = format!("member-{member}");
    Identity { issuer: "https://login.example".into(), tenant: Some("t".into()), subject }
}

fn authority(identity: Identity, command: &Command) -> Authority {
    Authority::ServiceWitnessed(Witness {
        token: Digest::of(b"token"),
        issuer: identity.issuer,
        tenant: identity.tenant,
        subject: identity.subject,
        key_id: "k".into(),
        action: command.action().to_owned(),
        expected_version: None,
        content: content(command),
    })
}

/// Who does what, about what.
type Asks = (u64, Subject, Command);

fn asks(member: u64, subject: Subject, command: impl Into<Command>) -> Asks {
    (member, subject, command.into())
}

/// The room, filled by commands as any other.
struct Full {
    world: World,
    log: Vec<Sealed>,
}

impl Full {
    fn submission<'a>(&mut self, subject: Subject, authority: &'a Authority) -> Submission<'a> {
        let facts = Facts {
            email: EmailProof::Matches,
            email_ciphertext: Some("c2VhbGVk".into()),
            service: Some(self.world.service_facts()),
            ..Facts::default()
        };
        self.world.now_ms += 1;
        Submission {
            collaboration: self.world.id,
            subject,
            command: self.world.next_command(),
            authority,
            verified: None,
            now_ms: self.world.now_ms,
            facts,
        }
    }

    fn does(&mut self, member: u64, subject: Subject, command: impl Into<Command>) {
        let authority = authority(identity(member), &command.into());
        let submission = self.submission(subject, &authority);
        let decision = handle(&self.world.state, &submission).unwrap();
        let state = std::mem::take(&mut self.world.state);
        let sealed = log::seal(state, decision, &submission, &self.world.service).unwrap();
        self.log.extend(sealed.0);
        self.world.state = sealed.1;
    }

    /// Times the decision of what `asks` says, which changes nothing, for another number each round.
    fn measures(&mut self, what: &str, asks: impl Fn(&Self, u64) -> Asks) {
        let (mut first, mut again, mut events) = (Vec::new(), Vec::new(), 0);
        for number in 1..=ROUNDS {
            let (member, subject, command) = asks(self, number);
            let authority = authority(identity(member), &command);
            let submission = self.submission(subject, &authority);
            for taken in [&mut first, &mut again] {
                let begin = Instant::now();
                let decision = handle(&self.world.state, black_box(&submission));
                taken.push(begin.elapsed().as_secs_f64() * 1e6);
                events = decision.unwrap().events.len();
            }
        }
        say(what, events, first, again);
    }

    fn proposes(&mut self, number: u64, by: u64) {
        let subject = Subject::Query(query(number));
        self.does(by, subject, DraftQuery { definition: definition(by) });
        self.does(by, subject, proposal());
    }
}

fn median(mut taken: Vec<f64>) -> f64 {
    taken.sort_by(f64::total_cmp);
    taken[taken.len() / 2]
}

fn say(what: &str, events: usize, first: Vec<f64>, again: Vec<f64>) {
    let (first, again) = (median(first), median(again));
    let each = first / events.max(1) as f64;
    let verdict = match (first <= GOAL_US, each <= GOAL_US) {
        (true, _) => "met",
        (false, true) if events >= 100 => "met by event",
        _ => "missed",
    };
    println!(
        "| {what:<42} | {events:>6} | {first:>9.2} | {again:>9.2} | {each:>8.2} | {verdict:<12} |"
    );
}

fn dataset(number: u64) -> DatasetId {
    DatasetId::new(uuid(0xd, 100 + number))
}

fn output(number: u64) -> DatasetId {
    DatasetId::new(uuid(0xd, 100_000 + number))
}

fn query(number: u64) -> QueryId {
    QueryId::new(uuid(0xf, number))
}

fn run(number: u64) -> Subject {
    Subject::Run(RunId::new(uuid(0x9, number)))
}

fn member(number: u64) -> MemberId {
    member_of(InvitationId::new(uuid(0xa, number)))
}

fn limited(mut descriptor: Descriptor, number: u64) -> Descriptor {
    descriptor.name = match descriptor.access_mode {
        AccessMode::Read => format!("campaigns-{number}"),
        AccessMode::Write => format!("report-{number}"),
    };
    let budget = |period, each_runner| RunBudget { period, runs: 100, each_runner };
    descriptor.usage.budgets =
        vec![budget(Period::Day, true), budget(Period::Month, false), budget(Period::Life, false)];
    descriptor
}

fn definition(number: u64) -> Definition {
    let sql =
        "SELECT region, COUNT(*) AS total, SUM(spend) AS spend FROM campaigns GROUP BY region";
    Definition {
        name: format!("Spend {number}"),
        segments: vec![segment(1, "result", sql)],
        inputs: vec![Input { alias: "campaigns".into(), dataset: dataset(number) }],
        output: output(number),
        parameters: Vec::new(),
        privacy: None,
    }
}

fn invite(number: u64) -> Invite {
    let abilities =
        [Ability::DataProvider, Ability::Analyst, Ability::Runner, Ability::ResultReceiver];
    Invite {
        organisation: format!("Organisation {number}"),
        abilities: abilities.to_vec(),
        email_commitment: email_commitment(&[7; 32], &format!("{number}@example.com")),
        tenant: None,
        key: None,
    }
}

const fn proposal() -> ProposeQuery {
    ProposeQuery { votes_until_ms: None, runs_until_ms: None }
}

fn main() {
    let mut full = Full { world: World::empty(), log: Vec::new() };
    full.does(0, room(), create(terms(&[], true)));
    full.does(0, room(), EnableWorkload { workload: "spark-sql".into() });
    full.does(0, room(), SetCleanRoomPolicy::of(vec![Digest::of(b"application 1")]));
    for number in 1..MANY {
        let invitation = Subject::Invitation(InvitationId::new(uuid(0xa, number)));
        full.does(0, invitation, invite(number));
        full.does(number, invitation, AcceptInvitation {});
        let published = |descriptor| PublishDataset { descriptor: limited(descriptor, number) };
        full.does(number, Subject::Dataset(dataset(number)), published(campaigns()));
        full.does(number, Subject::Dataset(output(number)), published(report()));
        full.proposes(number, number);
        let digest = full.world.digest_of(query(number));
        full.does(number, Subject::Query(query(number)), ApproveQuery { digest });
        full.does(number, run(number), RequestRun { query: query(number), digest });
    }
    // Beside them: drafts, proposals, and queries that are accepted and never ran.
    for number in 1..=ROUNDS {
        let draft = DraftQuery { definition: definition(number) };
        full.does(number, Subject::Query(query(2_000 + number)), draft);
        full.proposes(3_000 + number, number);
        full.proposes(4_000 + number, number);
        let digest = full.world.digest_of(query(4_000 + number));
        full.does(number, Subject::Query(query(4_000 + number)), ApproveQuery { digest });
    }
    let state = full.world.room();
    println!(
        "{} members, {} datasets, {} queries, {} runs; the goal is {GOAL_US} us a decision\n",
        state.members.len(),
        state.datasets.len(),
        state.queries.len(),
        state.runs.len()
    );
    println!(
        "| {:<42} | {:>6} | {:>9} | {:>9} | {:>8} | {:<12} |\n|{}|",
        "command",
        "events",
        "median us",
        "again us",
        "an event",
        "goal",
        "-".repeat(102)
    );
    queries(&mut full);
    datasets(&mut full);
    consents(&mut full);
    members(&mut full);
    lifecycle(&mut full);
    fold(&mut full);
}

/// The other side of what decisions find without searching: the fold keeps it.
fn fold(full: &mut Full) {
    let mut taken = Vec::new();
    let mut folded = State::Absent;
    for _ in 0..15 {
        let read: Vec<_> = full.log.iter().map(|sealed| log::read(sealed).unwrap()).collect();
        // The one before is dropped outside the time that is taken.
        folded = State::Absent;
        let begin = Instant::now();
        for (at, event) in read {
            folded = evolve(folded, &at, event).unwrap();
        }
        taken.push(begin.elapsed().as_secs_f64() * 1e6 / full.log.len() as f64);
        assert_eq!(folded, full.world.state);
    }
    full.world.state = folded;
    full.measures("run.request, the first after a restart", request);
    println!("\nthe fold of these {} entries: {:.2} us each", full.log.len(), median(taken));
}

fn queries(full: &mut Full) {
    full.measures("query.draft, with the analysis", |_, number| {
        let draft = DraftQuery { definition: definition(number) };
        asks(number, Subject::Query(query(9_000)), draft)
    });
    full.measures("query.propose, with the analysis", |_, number| {
        asks(number, Subject::Query(query(2_000 + number)), proposal())
    });
    full.measures("query.approve", |full, number| {
        let digest = full.world.digest_of(query(3_000 + number));
        asks(number, Subject::Query(query(3_000 + number)), ApproveQuery { digest })
    });
    full.measures("query.reject", |full, number| {
        let digest = full.world.digest_of(query(3_000 + number));
        let reject = RejectQuery { digest, comment: "No.".into() };
        asks(number, Subject::Query(query(3_000 + number)), reject)
    });
    full.measures("query.withdraw", |_, number| {
        asks(number, Subject::Query(query(number)), WithdrawQuery {})
    });
    full.measures("run.request", request);
    full.measures("run.request, the query's first", |full, number| request(full, 4_000 + number));
    full.measures("run.request, refused", |_, number| {
        let digest = Digest::of(b"another");
        asks(number, run(5_000), RequestRun { query: query(number), digest })
    });
    full.measures("run.cancel", |_, number| asks(number, run(number), CancelRun {}));
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for number in 1..=ROUNDS {
        for taken in [&mut first, &mut again] {
            let asked =
                Asked { runner: Some(member(number)), now_ms: full.world.now_ms, run: None };
            let begin = Instant::now();
            let query = query(3_000 + number);
            let reasons = readiness_at(full.world.room(), query, &asked);
            black_box(remedy::of(full.world.room(), query, &asked, &reasons));
            taken.push(begin.elapsed().as_secs_f64() * 1e6);
        }
    }
    say("(readiness with remedies)", 0, first, again);
}

fn request(full: &Full, number: u64) -> Asks {
    let query = query(number);
    let digest = full.world.digest_of(query);
    asks(number % 4_000, run(5_000), RequestRun { query, digest })
}

fn datasets(full: &mut Full) {
    full.measures("dataset.publish, a new one", |_, number| {
        let descriptor = limited(campaigns(), 9_000);
        asks(number, Subject::Dataset(dataset(9_000)), PublishDataset { descriptor })
    });
    full.measures("dataset.publish, a version", |_, number| {
        let mut descriptor = limited(campaigns(), number);
        descriptor.usage.budgets.pop();
        asks(number, Subject::Dataset(dataset(number)), PublishDataset { descriptor })
    });
    full.measures("dataset.retire", |_, number| {
        asks(number, Subject::Dataset(dataset(number)), RetireDataset {})
    });
}

fn consents(full: &mut Full) {
    let kind = ConsentKind::Telemetry;
    let execution = || WithdrawConsent { kind: ConsentKind::Execution };
    full.measures("consent.withdraw, telemetry", |_, number| {
        asks(number, room(), WithdrawConsent { kind })
    });
    full.measures("consent.withdraw, execution, on a dataset", |_, number| {
        asks(number, Subject::Dataset(dataset(number)), execution())
    });
    full.measures("consent.withdraw, execution, on a query", |_, number| {
        asks(number, Subject::Query(query(number)), execution())
    });
    full.measures("consent.withdraw, execution, on all", |_, number| {
        asks(number, room(), execution())
    });
    for number in 1..=ROUNDS {
        full.does(number, room(), WithdrawConsent { kind });
        full.does(number, Subject::Query(query(number)), WithdrawConsent { kind });
    }
    full.measures("consent.restore", |_, number| asks(number, room(), RestoreConsent { kind }));
    full.measures("consent.restore, on a query", |_, number| {
        asks(number, Subject::Query(query(number)), RestoreConsent { kind })
    });
}

fn members(full: &mut Full) {
    full.measures("member.invite", |_, number| {
        let invitation = Subject::Invitation(InvitationId::new(uuid(0xa, 9_000)));
        asks(0, invitation, invite(9_000 + number))
    });
    full.measures("rule.set", |_, number| {
        let rule = ApprovalRule {
            name: "As it stands".into(),
            author: None,
            runner: None,
            output: None,
            shape: Shape::Text(Digest::of(b"text")),
            expires_ms: None,
        };
        let subject = Subject::Rule(RuleId::new(uuid(0xb, 1)));
        asks(number, subject, SetAutoApprovalRule { rule })
    });
    full.measures("change.propose, a removal", |_, number| {
        let change = Change::RemoveMember(member(number));
        let subject = Subject::Change(ChangeId::new(uuid(0x8, 1)));
        asks(0, subject, ProposeChange { change, expires_ms: None })
    });
    full.measures("member.revoke-ability, analyst", |_, number| {
        let subject = Subject::Member(member(number));
        asks(0, subject, RevokeAbility { ability: Ability::Analyst })
    });
    full.measures("member.leave", |_, number| {
        asks(number, Subject::Member(member(number)), LeaveCollaboration {})
    });
}

fn lifecycle(full: &mut Full) {
    full.measures("collaboration.set-policy", |_, number| {
        let application = Digest::of(&number.to_be_bytes());
        asks(0, room(), SetCleanRoomPolicy::of(vec![application]))
    });
    let pause = || PauseCollaboration { reason: "An incident.".into() };
    full.measures("collaboration.pause", |_, _| asks(0, room(), pause()));
    full.does(0, room(), pause());
    full.measures("collaboration.resume", |_, _| asks(0, room(), ResumeCollaboration {}));
    full.does(0, room(), ResumeCollaboration {});
    full.measures("collaboration.pause, nothing in flight", |_, _| asks(0, room(), pause()));
}
