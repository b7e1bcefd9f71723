//! A real log, told command by command through the rules, and bundles of it.
//!
//! Litware (owner, with a key) founds the room; Contosso (provider) and Fabrikam (analyst) join with
//! keys of their own; Woodgrove (provider and auditor) joins without one, so that what it does is
//! service-witnessed. A query is accepted by three votes and runs to its end; another is rejected;
//! a run is cancelled when consent is withdrawn, and the next one refused.

#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test that can't tell its story fails")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_attestation::{insecure_virtual, service};
use chancery_audit::bundle::{Cosigned, Gap, Header, Kind, Writer};
use chancery_audit::partial::{GapMaker, Scope, Selection};
use chancery_governance::command::{
    AcceptInvitation, AdmitRun, ApproveQuery, Command, CreateCollaboration, DraftQuery,
    EnableWorkload, Invite, ProposeQuery, PublishDataset, RegisterSigningKey, RejectQuery,
    RequestRun, RevokeSigningKey, RotateServiceKey, SetCleanRoomPolicy, StartRun, SubmitRun,
    SucceedRun, WithdrawConsent,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::dataset::{
    AccessMode, AccessPolicy, Column, ColumnType, Descriptor, Format, GroupIdentity, MinimumGroup,
    Store,
};
use chancery_governance::decide::member::registration_message;
use chancery_governance::decide::run::{admission_report_data, result_report_data};
use chancery_governance::event::Event;
use chancery_governance::log;
use chancery_governance::member::{Ability, Terms};
use chancery_governance::query::{Definition, Input, Segment};
use chancery_governance::reason::Rejection;
use chancery_governance::run::{
    Attested, Engine, File, InputRows, Manifest, SegmentRows, Statistics,
};
use chancery_governance::state::{Collaboration, State};
use chancery_governance::subject::Subject;
use chancery_governance::submission::{
    EmailProof, Facts, Service, Submission, email_commitment, handle,
};
use chancery_governance::wire::v1;
use chancery_ledger::codec;
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{self, Actor, Authority, Entry, Sealed, SignedContent, Witness};
use chancery_ledger::id::{
    CollaborationId, CommandId, DatasetId, InvitationId, MemberId, QueryId, RunId,
};
use chancery_ledger::key::{PublicKey, SigningKey};
use chancery_ledger::merkle::Frontier;
use chancery_ledger::note::{self, Checkpoint, Policy, Witness as NoteWitness};

/// The service's name.
pub const SERVICE: &str = "ledger.example.com";
/// When the story begins: 2026-01-05T09:00:00Z.
pub const BEGIN_MS: u64 = 1_767_603_600_000;
/// When its bundles are exported.
pub const EXPORT_MS: u64 = BEGIN_MS + 86_400_000;

/// An id of any kind, from a small number.
pub fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(number: u64) -> T {
    format!("01932b6c-7d3a-7c1e-8f00-{number:012x}").parse().unwrap()
}

/// The collaboration's id.
pub fn room() -> CollaborationId {
    id(1)
}

/// The collaboration as a subject.
pub fn about_room() -> Subject {
    Subject::Collaboration(room())
}

/// A signing key, from a small number.
pub fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32]).unwrap()
}

/// The key that seals the log.
pub fn service_key() -> SigningKey {
    key(1)
}

/// Who takes part. The number is that of the id and of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    Litware = 1,
    Contosso = 2,
    Fabrikam = 3,
    Woodgrove = 4,
}

impl Person {
    pub fn member(self) -> MemberId {
        id(self as u64)
    }

    pub fn invitation(self) -> InvitationId {
        id(self as u64)
    }

    pub fn key(self) -> SigningKey {
        key(100 + self as u8)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Litware => "Litware",
            Self::Contosso => "Contosso",
            Self::Fabrikam => "Fabrikam",
            Self::Woodgrove => "Woodgrove",
        }
    }
}

/// By what right a command is sent.
#[derive(Debug, Clone, Copy)]
pub enum Right<'a> {
    /// A token that the service saw.
    Token(Person),
    /// The person's own key.
    Key(Person),
    /// An executor's key.
    Executor(&'a SigningKey),
    /// A new key of the service's.
    Service(&'a SigningKey),
}

/// The state and the entries so far.
pub struct Story {
    pub state: State,
    pub entries: Vec<Sealed>,
    pub service: SigningKey,
    pub now_ms: u64,
    /// Entries that are no longer held: see [`Story::forget`].
    pub forgotten: u64,
    pub commands: u64,
}

/// The application that may run queries.
pub fn application() -> Digest {
    Digest::of(b"application")
}

/// The executor's key.
pub fn executor() -> SigningKey {
    key(50)
}

pub fn flights() -> DatasetId {
    id(0x10)
}

pub fn planes() -> DatasetId {
    id(0x11)
}

pub fn weather() -> DatasetId {
    id(0x12)
}

pub fn results() -> DatasetId {
    id(0x13)
}

/// The query that is accepted and run.
pub fn delays() -> QueryId {
    id(0x20)
}

/// The query that Woodgrove rejects.
pub fn storms() -> QueryId {
    id(0x21)
}

/// A run, by its number: 0 succeeds, 1 is cancelled, 2 is refused.
pub fn run(number: u64) -> RunId {
    id(0x30 + number)
}

impl Default for Story {
    fn default() -> Self {
        Self {
            state: State::Absent,
            entries: Vec::new(),
            service: service_key(),
            now_ms: BEGIN_MS,
            forgotten: 0,
            commands: 0,
        }
    }
}

impl Story {
    /// The room, empty but for its founder.
    pub fn founded() -> Self {
        Self::founded_in(Self::default())
    }

    /// The same, by the service of an empty story.
    pub fn founded_in(mut story: Self) -> Self {
        let terms = Terms { member_signed: Vec::new(), insecure_virtual: true, ..Terms::default() };
        let create = CreateCollaboration {
            name: "Flight delays".into(),
            organisation: Person::Litware.name().into(),
            terms,
        };
        let name = SERVICE.to_owned();
        let data = service::report_data(&name, story.service.public());
        let facts = Facts {
            service: Some(Service {
                name,
                key: story.service.public().clone(),
                evidence: insecure_virtual::evidence(Digest::of(b"service"), data),
            }),
            ..Facts::default()
        };
        story.send_with(Right::Token(Person::Litware), about_room(), create, facts);
        story.register(Person::Litware, Right::Token(Person::Litware), &Person::Litware.key());
        story
    }

    /// All four are in, and the clean room policy stands.
    pub fn gathered() -> Self {
        use Ability::{Analyst, Auditor, DataProvider, ResultReceiver, Runner};
        let mut story = Self::founded();
        let founder = Right::Key(Person::Litware);
        let spark = EnableWorkload { workload: "spark-sql".into() };
        story.send(founder, about_room(), spark);
        let policy = SetCleanRoomPolicy::of(vec![application()]);
        story.send(founder, about_room(), policy);
        for (person, abilities) in [
            (Person::Contosso, vec![DataProvider]),
            (Person::Fabrikam, vec![Analyst, Runner, ResultReceiver]),
            (Person::Woodgrove, vec![DataProvider, Auditor]),
        ] {
            story.join(person, abilities);
        }
        for person in [Person::Contosso, Person::Fabrikam] {
            story.register(person, Right::Token(person), &person.key());
        }
        // A second key of Contosso's, registered and revoked by its signature.
        let second = key(200);
        story.register(Person::Contosso, Right::Key(Person::Contosso), &second);
        let subject = Subject::Member(Person::Contosso.member());
        let revoke = RevokeSigningKey { key: second.public().id() };
        story.send(Right::Key(Person::Contosso), subject, revoke);
        story
    }

    /// The datasets are published, and the first query is up for votes.
    pub fn proposed() -> Self {
        use ColumnType::{Double, Long, String};
        let mut story = Self::gathered();
        let floor = MinimumGroup { identity: GroupIdentity::Row, count: 50 };
        let mut publish = |right, id, name, columns: &[(&str, ColumnType)], mode, floor| {
            let descriptor = descriptor(name, columns, mode, floor);
            story.send(right, Subject::Dataset(id), PublishDataset { descriptor });
        };
        let (read, write) = (AccessMode::Read, AccessMode::Write);
        publish(
            Right::Key(Person::Litware),
            flights(),
            "flights",
            &[("carrier", String), ("tailnum", String), ("delay", Double)],
            read,
            Some(floor),
        );
        let columns = [("tailnum", String), ("model", String)];
        publish(Right::Key(Person::Contosso), planes(), "planes", &columns, read, None);
        let columns = [("origin", String), ("wind", Double)];
        publish(Right::Token(Person::Woodgrove), weather(), "weather", &columns, read, None);
        let columns = [("model", String), ("flights", Long), ("delay", Double)];
        publish(Right::Key(Person::Fabrikam), results(), "results", &columns, write, None);
        let sql = "SELECT p.model, COUNT(*) AS flights, AVG(f.delay) AS delay FROM flights f \
                   JOIN planes p ON f.tailnum = p.tailnum GROUP BY p.model";
        story.propose(
            delays(),
            "Delays by model",
            sql,
            &[("flights", flights()), ("planes", planes())],
        );
        story
    }

    /// The first query is accepted, and its first run asked for.
    pub fn requested() -> Self {
        let mut story = Self::proposed();
        for person in [Person::Litware, Person::Contosso, Person::Fabrikam] {
            story.approve(Right::Key(person), delays());
        }
        story.request(0);
        story
    }

    /// The first run is admitted, submitted and started.
    pub fn started() -> Self {
        let mut story = Self::requested();
        story.admit(0);
        let right = executor();
        let right = Right::Executor(&right);
        let submit = SubmitRun { tracking: "local-1".into(), job_spec: Digest::of(b"job spec") };
        story.send(right, Subject::Run(run(0)), submit);
        story.send(right, Subject::Run(run(0)), StartRun {});
        story
    }

    /// Everything.
    pub fn whole() -> Self {
        let mut story = Self::started();
        story.succeed(0);
        let sql = "SELECT w.origin AS model, COUNT(*) AS flights, AVG(w.wind) AS delay \
                   FROM weather w GROUP BY w.origin";
        story.propose(storms(), "Storms", sql, &[("weather", weather())]);
        story.approve(Right::Key(Person::Fabrikam), storms());
        let digest = story.digest(storms());
        let reject = RejectQuery { digest, comment: "Too fine.".into() };
        story.send(Right::Token(Person::Woodgrove), Subject::Query(storms()), reject);
        story.request(1);
        story.admit(1);
        // Cancels the run by the same command.
        let withdraw = WithdrawConsent { kind: ConsentKind::Execution };
        story.send(Right::Key(Person::Contosso), Subject::Dataset(planes()), withdraw);
        story.request(2);
        story
    }

    /// Everything, and then the service goes over to another key.
    pub fn rotated() -> Self {
        let mut story = Self::whole();
        story.rotate(2);
        let withdraw = WithdrawConsent { kind: ConsentKind::Telemetry };
        story.send(Right::Key(Person::Litware), about_room(), withdraw);
        story.request(3);
        story
    }

    /// The service goes over to the key of this number.
    pub fn rotate(&mut self, number: u8) {
        let to = key(number);
        let data = service::report_data(SERVICE, to.public());
        let evidence = insecure_virtual::evidence(Digest::of(b"service"), data);
        let verdict = chancery_attestation::verify(&evidence);
        let verdict = Some(verdict.map_err(|error| error.to_string()));
        let rotate = RotateServiceKey { key: to.public().clone(), evidence };
        let facts = Facts { verdict, ..Facts::default() };
        self.send_with(Right::Service(&to), about_room(), rotate, facts);
        self.service = to;
    }

    pub fn collaboration(&self) -> &Collaboration {
        self.state.collaboration().unwrap()
    }

    /// Sends a command that the rules must take.
    pub fn send(&mut self, right: Right<'_>, subject: Subject, command: impl Into<Command>) {
        self.send_with(right, subject, command, Facts::default());
    }

    /// The same, with facts from outside.
    pub fn send_with(
        &mut self,
        right: Right<'_>,
        subject: Subject,
        command: impl Into<Command>,
        facts: Facts,
    ) {
        let command = command.into();
        let action = command.action();
        if let Err(rejection) = self.try_send(right, subject, &command, facts) {
            panic!("{action} on {subject} was refused: {rejection}");
        }
    }

    pub fn try_send(
        &mut self,
        right: Right<'_>,
        subject: Subject,
        command: &Command,
        facts: Facts,
    ) -> Result<(), Rejection> {
        let (id, authority) = self.authority(right, subject, command);
        let submission = Submission {
            collaboration: room(),
            subject,
            command: id,
            authority: &authority,
            verified: None,
            now_ms: self.now_ms,
            facts,
        };
        let decision = handle(&self.state, &submission)?;
        let state = std::mem::take(&mut self.state);
        let (sealed, state) = log::seal(state, decision, &submission, &self.service).unwrap();
        self.state = state;
        self.entries.extend(sealed);
        Ok(())
    }

    /// The authority of a new command, a minute later.
    pub fn authority(
        &mut self,
        right: Right<'_>,
        subject: Subject,
        command: &Command,
    ) -> (CommandId, Authority) {
        self.commands += 1;
        self.now_ms += 60_000;
        let id = id(0x1000 + self.commands);
        let content = codec::encode(&v1::encode_command(command));
        let signed = |kind, key: &SigningKey| {
            let message = SignedCommand {
                audience: self.service.public().id(),
                collaboration: room(),
                action: command.action().to_owned(),
                subject: subject.to_string(),
                content: Digest::of(&content),
                expected_version: None,
                command: id,
                expires_ms: self.now_ms + 60_000,
            };
            SignedContent { message: message.sign(kind, key), content: content.clone() }
        };
        let authority = match right {
            Right::Token(person) => Authority::ServiceWitnessed(Witness {
                token: Digest::of(person.name().as_bytes()),
                issuer: "https://login.example.com".into(),
                tenant: Some(person.name().to_lowercase()),
                subject: format!("user-{}", person as u8),
                key_id: "kid-1".into(),
                action: command.action().to_owned(),
                expected_version: None,
                content,
            }),
            Right::Key(person) => {
                Authority::MemberSigned(signed(ContentType::Command, &person.key()))
            }
            Right::Service(key) => {
                Authority::ServiceSigned(signed(ContentType::ServiceCommand, key))
            }
            Right::Executor(key) => {
                Authority::ExecutorSigned(signed(ContentType::ExecutorReport, key))
            }
        };
        (id, authority)
    }

    /// Seals an event with the service's own key, whatever the rules say: what a dishonest service
    /// could write. The state no longer follows.
    pub fn forge(
        &mut self,
        right: Right<'_>,
        actor: Actor,
        subject: Subject,
        command: &Command,
        event: &Event,
    ) {
        let (command, authority) = self.authority(right, subject, command);
        self.forge_as(command, authority, actor, subject, event.kind(), v1::encode_event(event));
    }

    /// The same, with every part given.
    pub fn forge_as(
        &mut self,
        command: CommandId,
        authority: Authority,
        actor: Actor,
        subject: Subject,
        kind: &str,
        payload: codec::Value,
    ) {
        let entry = Entry {
            kind: kind.to_owned(),
            collaboration: room(),
            position: self.forgotten + self.entries.len() as u64,
            previous: self.entries.last().map(Sealed::leaf),
            subject: subject.to_string(),
            actor,
            command,
            time_ms: self.now_ms,
            payload,
            authority,
        };
        self.entries.push(entry::seal(entry, &self.service));
    }

    /// Drops all entries but the last one: for logs that are longer than memory.
    pub fn forget_all_but_last(&mut self) {
        let gone = self.entries.len() - 1;
        self.entries.drain(..gone);
        self.forgotten += gone as u64;
    }

    fn register(&mut self, person: Person, right: Right<'_>, key: &SigningKey) {
        let audience = self.service.public().id();
        let message = registration_message(audience, room(), person.member(), key.public());
        let register = RegisterSigningKey {
            key: key.public().clone(),
            proof: URL_SAFE_NO_PAD.encode(key.sign(&message)),
        };
        self.send(right, Subject::Member(person.member()), register);
    }

    fn join(&mut self, person: Person, abilities: Vec<Ability>) {
        let subject = Subject::Invitation(person.invitation());
        let invite = Invite {
            organisation: person.name().into(),
            abilities,
            email_commitment: email_commitment(&[person as u8; 16], "someone@example.com"),
            tenant: Some(person.name().to_lowercase()),
            key: None,
        };
        let facts = Facts {
            email_ciphertext: Some(URL_SAFE_NO_PAD.encode([person as u8; 60])),
            ..Facts::default()
        };
        self.send_with(Right::Key(Person::Litware), subject, invite, facts);
        let facts = Facts { email: EmailProof::Matches, ..Facts::default() };
        self.send_with(Right::Token(person), subject, AcceptInvitation {}, facts);
    }

    fn propose(&mut self, id: QueryId, name: &str, sql: &str, inputs: &[(&str, DatasetId)]) {
        let input = |(alias, dataset): &(&str, DatasetId)| Input {
            alias: (*alias).into(),
            dataset: *dataset,
        };
        let definition = Definition {
            name: name.into(),
            segments: vec![Segment {
                order: 1,
                view: "summary".into(),
                sql: sql.into(),
                pre_conditions: Vec::new(),
                post_filters: Vec::new(),
            }],
            inputs: inputs.iter().map(input).collect(),
            output: results(),
            parameters: Vec::new(),
            privacy: None,
        };
        let right = Right::Key(Person::Fabrikam);
        self.send(right, Subject::Query(id), DraftQuery { definition });
        self.send(
            right,
            Subject::Query(id),
            ProposeQuery { votes_until_ms: None, runs_until_ms: None },
        );
    }

    /// The digest that votes on a query are about.
    pub fn digest(&self, query: QueryId) -> Digest {
        self.collaboration().queries[&query].live_proposal().unwrap().digest
    }

    pub fn approve(&mut self, right: Right<'_>, query: QueryId) {
        let digest = self.digest(query);
        self.send(right, Subject::Query(query), ApproveQuery { digest });
    }

    pub fn request(&mut self, number: u64) {
        let request = RequestRun { query: delays(), digest: self.digest(delays()) };
        self.send(Right::Key(Person::Fabrikam), Subject::Run(run(number)), request);
    }

    pub fn admit(&mut self, number: u64) {
        let executor = executor();
        let nonce = self.collaboration().runs[&run(number)].request_leaf;
        let audience = self.service.public().id();
        let data = admission_report_data(audience, room(), run(number), nonce, executor.public());
        let evidence = insecure_virtual::evidence(application(), data);
        let facts = Facts {
            verdict: Some(
                chancery_attestation::verify(&evidence).map_err(|error| error.to_string()),
            ),
            ..Facts::default()
        };
        let admit = AdmitRun { executor: executor.public().clone(), evidence };
        self.send_with(Right::Executor(&executor), Subject::Run(run(number)), admit, facts);
    }

    /// The result of the first run, as attested.
    pub fn result(&self) -> Attested {
        let proposal = self.collaboration().queries[&delays()].live_proposal().unwrap();
        let file =
            File { path: "part-0.parquet".into(), digest: Digest::of(b"rows"), bytes: 1_234 };
        let columns = [
            ("model", ColumnType::String),
            ("flights", ColumnType::Long),
            ("delay", ColumnType::Double),
        ];
        Attested {
            query_digest: proposal.digest,
            votes: proposal.vote_leaves(),
            inputs: proposal.binding.inputs.clone(),
            application: application(),
            engine: Engine { name: "apache-spark".into(), version: "4.0.0".into() },
            job_spec: Digest::of(b"job spec"),
            manifest: Manifest {
                files: vec![file],
                rows: 7,
                columns: columns.map(column).to_vec(),
            },
            statistics: Statistics {
                inputs: [("flights", 9_000), ("planes", 800)]
                    .map(|(alias, rows)| InputRows { alias: alias.into(), rows })
                    .to_vec(),
                segments: vec![SegmentRows { view: "summary".into(), rows: 7, duration_ms: 2_345 }],
                rows_written: 7,
            },
            privacy: None,
        }
    }

    /// The command that reports the result, with evidence over `attested`.
    pub fn success(&self, number: u64, result: Attested, attested: &Attested) -> SucceedRun {
        let nonce = self.collaboration().runs[&run(number)].request_leaf;
        let audience = self.service.public().id();
        let data =
            result_report_data(audience, room(), run(number), nonce, executor().public(), attested);
        SucceedRun { result, evidence: insecure_virtual::evidence(application(), data) }
    }

    pub fn succeed(&mut self, number: u64) {
        let result = self.result();
        self.attest(number, &result);
    }

    /// The same, of a file with this content.
    pub fn succeed_with(&mut self, number: u64, content: &[u8]) {
        let mut result = self.result();
        let file = &mut result.manifest.files[0];
        (file.digest, file.bytes) = (Digest::of(content), content.len() as u64);
        self.attest(number, &result);
    }

    fn attest(&mut self, number: u64, result: &Attested) {
        let succeed = self.success(number, result.clone(), result);
        let verdict = chancery_attestation::verify(&succeed.evidence);
        let facts =
            Facts { verdict: Some(verdict.map_err(|error| error.to_string())), ..Facts::default() };
        self.send_with(Right::Executor(&executor()), Subject::Run(run(number)), succeed, facts);
    }

    /// The parts of this log's bundle.
    pub fn parts(&self) -> Parts {
        let entries: Vec<_> = self.entries.iter().map(|sealed| sealed.bytes().to_vec()).collect();
        let header = Header {
            collaboration: room(),
            origin: format!("{SERVICE}/{}", room()),
            service_key: self.first_key(),
            size: entries.len() as u64,
            exported_at_ms: EXPORT_MS,
        };
        let checkpoint = checkpoint(&entries, &self.service);
        Parts { header, entries, checkpoint }
    }

    /// The positions that a partial bundle holds.
    pub fn selected(&self, scope: Scope) -> std::collections::BTreeSet<u64> {
        let mut selection = Selection::new(scope);
        for sealed in &self.entries {
            selection.see(sealed).unwrap();
        }
        selection.positions()
    }

    /// The parts of a partial bundle.
    pub fn pieces(&self, scope: Scope) -> Pieces {
        self.pieces_of(scope, &self.selected(scope), None)
    }

    /// The parts of a partial bundle that holds these positions.
    pub fn pieces_of(
        &self,
        scope: Scope,
        positions: &std::collections::BTreeSet<u64>,
        cosigned: Option<Cosigned>,
    ) -> Pieces {
        let (mut items, mut gap) = (Vec::new(), GapMaker::default());
        for (position, sealed) in (0..).zip(&self.entries) {
            let included = positions.contains(&position);
            if included || cosigned.as_ref().is_some_and(|cosigned| cosigned.size == position) {
                items.extend(gap.end().map(Piece::Gap));
            }
            if included {
                items.push(Piece::Entry(sealed.bytes().to_vec()));
            } else {
                gap.leave_out(position, sealed.leaf());
            }
        }
        items.extend(gap.end().map(Piece::Gap));
        let Parts { header, checkpoint, .. } = self.parts();
        Pieces { scope, header, items, checkpoint, cosigned }
    }

    /// This log's bundle with a cosigned note of that size, signed by `service`.
    pub fn cosigned_bundle(&self, service: &SigningKey, size: usize, witnesses: &[u8]) -> Vec<u8> {
        let parts = self.parts();
        let note = cosigned(&checkpoint(&parts.entries[..size], service), witnesses);
        let cosigned = Some(Cosigned { size: size as u64, note });
        let mut writer =
            Writer::of_kind(Vec::new(), &parts.header, Kind::WholeLog, cosigned).unwrap();
        for entry in &parts.entries {
            writer.push(entry).unwrap();
        }
        writer.finish(&parts.checkpoint).unwrap()
    }

    /// This log's bundle.
    pub fn bundle(&self) -> Vec<u8> {
        self.parts().bundle()
    }

    /// The key that the log began with.
    fn first_key(&self) -> PublicKey {
        let first = self.entries.first().map(Sealed::entry).filter(|entry| entry.position == 0);
        first
            .and_then(chancery_governance::submission::key_of)
            .unwrap_or_else(|| service_key().public().clone())
    }
}

/// A witness's key, from a small number.
pub fn witness(number: u8) -> (String, SigningKey) {
    (format!("witness.example/{number}"), key(210 + number))
}

/// The policy: so many of the first three witnesses.
pub fn policy(threshold: usize) -> Policy {
    let known = (0..3).map(|number| {
        let (name, key) = witness(number);
        NoteWitness::new(&name, key.public().clone()).unwrap()
    });
    Policy::new(known.collect(), threshold).unwrap()
}

/// The note with the cosignatures of these witnesses.
pub fn cosigned(note: &str, witnesses: &[u8]) -> String {
    let text = note::Note::parse(note).unwrap().text().to_owned();
    let lines = witnesses.iter().map(|number| {
        let (name, key) = witness(*number);
        note::cosign(&text, &name, &key, EXPORT_MS / 1_000)
    });
    format!("{note}{}", lines.collect::<String>())
}

/// An item of a partial bundle.
#[derive(Debug, Clone)]
pub enum Piece {
    Entry(Vec<u8>),
    Gap(Gap),
}

/// What a partial bundle is made of, to be tampered with.
#[derive(Debug, Clone)]
pub struct Pieces {
    pub scope: Scope,
    pub header: Header,
    pub items: Vec<Piece>,
    pub checkpoint: String,
    pub cosigned: Option<Cosigned>,
}

impl Pieces {
    /// The file, whatever a writer would say of it.
    pub fn bundle(&self) -> Vec<u8> {
        let kind = Kind::Partial(self.scope);
        let mut writer =
            Writer::of_kind(Vec::new(), &self.header, kind, self.cosigned.clone()).unwrap();
        let mut bundle = std::mem::take(writer.output());
        let header = bundle[chancery_audit::bundle::MAGIC.len()..].to_vec();
        for piece in &self.items {
            bundle.extend(codec::encode(&match piece {
                Piece::Entry(sealed) => codec::Value::bytes(sealed.as_slice()),
                Piece::Gap(gap) => codec::Value::Array(vec![
                    gap.first.into(),
                    gap.count.into(),
                    codec::Value::Array(
                        gap.roots
                            .iter()
                            .map(|root| codec::Value::bytes(*root.as_bytes()))
                            .collect(),
                    ),
                ]),
            }));
        }
        let note = self.cosigned.as_ref().map(|cosigned| cosigned.note.clone());
        let parts =
            [&header, self.checkpoint.as_bytes(), note.as_deref().unwrap_or_default().as_bytes()];
        let mut trailer = vec![
            ("checkpoint", codec::Value::text(&self.checkpoint)),
            ("checksum", codec::Value::text(Digest::of_parts(&parts).to_string())),
        ];
        trailer.extend(note.map(|note| ("cosigned", codec::Value::text(note))));
        bundle.extend(codec::encode(&codec::Value::map(trailer)));
        bundle
    }
}

/// What a bundle is made of, to be tampered with.
#[derive(Debug, Clone)]
pub struct Parts {
    pub header: Header,
    pub entries: Vec<Vec<u8>>,
    pub checkpoint: String,
}

impl Parts {
    /// Writes the bundle; the header's size is made that of the entries.
    pub fn bundle(&self) -> Vec<u8> {
        let header = Header { size: self.entries.len() as u64, ..self.header.clone() };
        let mut writer = Writer::new(Vec::new(), &header).unwrap();
        for entry in &self.entries {
            writer.push(entry).unwrap();
        }
        writer.finish(&self.checkpoint).unwrap()
    }
}

/// The signed checkpoint over `entries`.
pub fn checkpoint(entries: &[Vec<u8>], key: &SigningKey) -> String {
    let mut frontier = Frontier::default();
    frontier.extend(entries.iter().map(|entry| chancery_ledger::merkle::leaf_hash(entry)));
    let origin = format!("{SERVICE}/{}", room());
    Checkpoint { origin, size: frontier.size(), root: frontier.root() }.sign(key)
}

/// Where each item of a bundle begins, and its end: magic, header, entries, trailer.
pub fn boundaries(parts: &Parts) -> Vec<usize> {
    let header_end = {
        let header = Header { size: parts.entries.len() as u64, ..parts.header.clone() };
        Writer::new(Vec::new(), &header).unwrap().output().len()
    };
    let mut at = vec![0, chancery_audit::bundle::MAGIC.len(), header_end];
    for entry in &parts.entries {
        let item = codec::encode(&codec::Value::bytes(entry.as_slice()));
        at.push(at[at.len() - 1] + item.len());
    }
    at.push(parts.bundle().len());
    at
}

fn column((name, kind): (&str, ColumnType)) -> Column {
    Column { name: name.into(), kind }
}

fn descriptor(
    name: &str,
    columns: &[(&str, ColumnType)],
    access_mode: AccessMode,
    minimum_group: Option<MinimumGroup>,
) -> Descriptor {
    Descriptor {
        name: name.into(),
        usage: chancery_governance::usage::Usage::default(),
        encryption: chancery_governance::dataset::Encryption::None,
        token_audience: None,
        format: Format::Csv { null_value: Some("NA".into()) },
        columns: columns.iter().copied().map(column).collect(),
        store: Store::Local { path: name.into() },
        access_mode,
        policy: AccessPolicy {
            allowed_columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
            minimum_group,
            column_rules: Vec::new(),
            differential_privacy: None,
        },
    }
}
