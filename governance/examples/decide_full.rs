//! What a decision costs in a full room: 1,000 members, datasets and accepted queries, each dataset
//! with budgets: `cargo run --release -p chancery-governance --example decide_full`.

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

use chancery_governance::command::{
    AcceptInvitation, ApproveQuery, Command, DraftQuery, Invite, PauseCollaboration, ProposeQuery,
    PublishDataset, RequestRun, RestoreConsent, ResumeCollaboration, RetireDataset,
    WithdrawConsent,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::dataset::{AccessMode, Descriptor};
use chancery_governance::log;
use chancery_governance::member::{Ability, Identity};
use chancery_governance::query::{Definition, Input};
use chancery_governance::readiness::{Asked, readiness_at};
use chancery_governance::remedy;
use chancery_governance::subject::Subject;
use chancery_governance::submission::{EmailProof, Facts, Submission, email_commitment, handle};
use chancery_governance::usage::{Period, RunBudget};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Authority, Witness};
use chancery_ledger::id::{DatasetId, InvitationId, QueryId, RunId};

use support::fixtures::{campaigns, create, report, room, segment, terms};
use support::people::Who;
use support::{World, content, uuid};

const MANY: u64 = 1_000;
const ROUNDS: u32 = 200;

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

/// The room, filled by commands as any other.
struct Full {
    world: World,
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
        let (_, state) = log::seal(state, decision, &submission, &self.world.service).unwrap();
        self.world.state = state;
    }

    /// The mean time of deciding, which changes nothing.
    fn measures(&mut self, what: &str, member: u64, subject: Subject, command: impl Into<Command>) {
        let command = command.into();
        let authority = authority(identity(member), &command);
        let submission = self.submission(subject, &authority);
        let begin = Instant::now();
        for _ in 0..ROUNDS {
            black_box(handle(&self.world.state, black_box(&submission)).unwrap());
        }
        say(what, begin);
    }
}

fn say(what: &str, begin: Instant) {
    let each_us = begin.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
    println!("  {what:<44} {each_us:>8.2} us");
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

fn main() {
    let mut full = Full { world: World::empty() };
    full.does(0, room(), create(terms(&[], true)));
    full.does(
        0,
        room(),
        chancery_governance::command::EnableWorkload { workload: "spark-sql".into() },
    );
    let policy =
        chancery_governance::command::SetCleanRoomPolicy::of(vec![Digest::of(b"application 1")]);
    full.does(0, room(), policy);
    for number in 1..MANY {
        let invitation = Subject::Invitation(InvitationId::new(uuid(0xa, number)));
        let abilities =
            [Ability::DataProvider, Ability::Analyst, Ability::Runner, Ability::ResultReceiver];
        let invite = Invite {
            organisation: format!("Organisation {number}"),
            abilities: abilities.to_vec(),
            email_commitment: email_commitment(&[7; 32], &format!("{number}@example.com")),
            tenant: None,
            key: None,
        };
        full.does(0, invitation, invite);
        full.does(number, invitation, AcceptInvitation {});
        let published = |descriptor| PublishDataset { descriptor: limited(descriptor, number) };
        full.does(number, Subject::Dataset(dataset(number)), published(campaigns()));
        full.does(number, Subject::Dataset(output(number)), published(report()));
        let subject = Subject::Query(query(number));
        full.does(number, subject, DraftQuery { definition: definition(number) });
        full.does(number, subject, ProposeQuery { votes_until_ms: None, runs_until_ms: None });
        let digest = full.world.digest_of(query(number));
        full.does(number, subject, ApproveQuery { digest });
        let run = Subject::Run(RunId::new(uuid(0x9, number)));
        full.does(number, run, RequestRun { query: query(number), digest });
    }
    let state = full.world.room();
    println!(
        "{} members, {} datasets, {} queries, {} runs",
        state.members.len(),
        state.datasets.len(),
        state.queries.len(),
        state.runs.len()
    );
    measure(&mut full);
}

fn measure(full: &mut Full) {
    let last = MANY - 1;
    let digest = full.world.digest_of(query(last));
    let dataset_s = Subject::Dataset(dataset(last));
    let kind = ConsentKind::Telemetry;
    let run = Subject::Run(RunId::new(uuid(0x9, 5_000)));
    full.measures("run.request", last, run, RequestRun { query: query(last), digest });
    full.measures("consent.withdraw, telemetry", last, room(), WithdrawConsent { kind });
    let execution = WithdrawConsent { kind: ConsentKind::Execution };
    full.measures("consent.withdraw, execution, on a dataset", last, dataset_s, execution);
    full.measures("dataset.retire", last, dataset_s, RetireDataset {});
    let mut again = limited(campaigns(), last);
    again.usage.budgets.pop();
    full.measures(
        "dataset.publish, a version",
        last,
        dataset_s,
        PublishDataset { descriptor: again },
    );
    full.measures("query.withdraw", last, Subject::Query(query(last)), withdraw());
    full.does(last, room(), WithdrawConsent { kind });
    full.measures("consent.restore", last, room(), RestoreConsent { kind });
    let begin = Instant::now();
    let asked = Asked { runner: None, now_ms: full.world.now_ms, run: None };
    for _ in 0..ROUNDS {
        let reasons = readiness_at(full.world.room(), query(last), &asked);
        black_box(remedy::of(full.world.room(), query(last), &asked, &reasons));
    }
    say("readiness with remedies", begin);
    let pause = PauseCollaboration { reason: "An incident.".into() };
    full.measures("collaboration.pause, 1,000 runs in flight", 0, room(), pause.clone());
    full.does(0, room(), pause);
    full.measures("collaboration.resume", 0, room(), ResumeCollaboration {});
    full.does(0, room(), ResumeCollaboration {});
    let pause = PauseCollaboration { reason: "Nothing runs.".into() };
    full.measures("collaboration.pause, nothing in flight", 0, room(), pause);
}

fn withdraw() -> chancery_governance::command::WithdrawQuery {
    chancery_governance::command::WithdrawQuery {}
}
