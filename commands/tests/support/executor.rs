//! An executor that runs nothing: its token, its key, its evidence and reports.

use std::sync::Arc;

use chancery_attestation::insecure_virtual;
use chancery_commands::content::to_json;
use chancery_governance::decide::run::{admission_report_data, result_report_data};
use chancery_governance::run::{
    Attested, Engine, Evidence, File, InputRows, Manifest, SegmentRows, Statistics,
};
use chancery_governance::state::query::Proposal;
use chancery_governance::wire::Wire as _;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::key::SigningKey;
use serde_json::{Value as Json, json};

use super::answer::{Answer, Call};
use super::commands::{self, Command};
use super::fixtures::{application, job_spec};
use super::person::Person;
use super::room::Room;
use super::{Service, key, tokens};

/// The executor.
#[derive(Clone)]
pub struct Executor {
    pub person: Person,
    pub key: Arc<SigningKey>,
}

/// Evidence as a body has it.
pub fn evidence(measurement: Digest, bound: Digest) -> Json {
    let Evidence { kind, document } = insecure_virtual::evidence(measurement, bound);
    json!({"kind": kind, "document": document})
}

impl Executor {
    pub async fn new(service: &Service) -> Self {
        let token = tokens::executor(service).await;
        let person = Person { service: service.clone(), token, key: None };
        Self { person, key: Arc::new(key(201)) }
    }

    /// The request for a report, signed.
    pub fn call(&self, command: &Command) -> Call {
        let signed = self.person.to_sign(command);
        self.person.signed_with(command, &signed, ContentType::ExecutorReport, &self.key)
    }

    pub async fn tries(&self, command: &Command) -> Answer {
        self.person.service.send(self.call(command)).await
    }

    pub async fn does(&self, command: &Command) -> Answer {
        self.tries(command).await.ok()
    }

    pub async fn refused(&self, command: &Command, status: u16, code: &str) -> Answer {
        self.person.service.refuses(self.call(command), status, code).await
    }

    fn report(room: &Room, verb: &str, body: Json) -> Command {
        commands::report(room.next(), room.id, room.run, verb, body)
    }

    /// What evidence for the room's run must bind.
    pub fn bound(&self, room: &Room) -> Digest {
        let audience = room.service.key.public().id();
        admission_report_data(audience, room.id, room.run, room.nonce, self.key.public())
    }

    pub fn admit(&self, room: &Room) -> Command {
        self.admit_with(room, &evidence(application(), self.bound(room)))
    }

    pub fn admit_with(&self, room: &Room, evidence: &Json) -> Command {
        let executor = self.key.public().to_string();
        Self::report(room, "admit", json!({"executor": executor, "evidence": evidence}))
    }

    pub fn submit(room: &Room) -> Command {
        let body = json!({"tracking": "local/4711", "job_spec": job_spec().to_string()});
        Self::report(room, "submit", body)
    }

    pub fn start(room: &Room) -> Command {
        Self::report(room, "start", json!({}))
    }

    pub fn fail(room: &Room) -> Command {
        Self::report(room, "fail", json!({"code": "out_of_memory", "detail": "No room."}))
    }

    /// The result that fits what was admitted.
    pub async fn result(room: &Room) -> Attested {
        let state = room.service.state(room.id).await;
        let proposal = state.queries[&room.query].live_proposal();
        let (_, output) = state.dataset_version(room.report).unwrap();
        Attested {
            query_digest: room.digest.parse().unwrap(),
            votes: proposal.map(Proposal::vote_leaves).unwrap_or_default(),
            inputs: proposal.map(|it| it.binding.inputs.clone()).unwrap_or_default(),
            application: application(),
            engine: Engine { name: "apache-spark".into(), version: "4.0.1".into() },
            job_spec: job_spec(),
            manifest: Manifest {
                files: vec![File {
                    path: "part-00000.csv".into(),
                    digest: Digest::of(b"region,total,spend\n"),
                    bytes: 19,
                }],
                rows: 4,
                columns: output.descriptor.columns.clone(),
            },
            statistics: Statistics {
                inputs: vec![InputRows { alias: "orders".into(), rows: 1000 }],
                segments: vec![SegmentRows { view: "result".into(), rows: 4, duration_ms: 80 }],
                rows_written: 4,
            },
            privacy: None,
        }
    }

    pub fn succeed(&self, room: &Room, result: &Attested) -> Command {
        let audience = room.service.key.public().id();
        let (run, nonce) = (room.run, room.nonce);
        let bound = result_report_data(audience, room.id, run, nonce, self.key.public(), result);
        Self::succeed_with(room, result, &evidence(application(), bound))
    }

    pub fn succeed_with(room: &Room, result: &Attested, evidence: &Json) -> Command {
        let result = to_json(&result.encode());
        Self::report(room, "succeed", json!({"result": result, "evidence": evidence}))
    }

    /// Brings the room's run from its request to `started`.
    pub async fn starts(&self, room: &Room) {
        for report in [self.admit(room), Self::submit(room), Self::start(room)] {
            self.does(&report).await;
        }
    }
}
