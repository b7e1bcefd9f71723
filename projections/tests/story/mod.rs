//! Logs told command by command through the rules, and their way into a store.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::path::Path;

use chancery_governance::change::Change;
use chancery_governance::command::{
    AcceptInvitation, AdmitRun, ApproveQuery, CancelRun, CloseCollaboration, Command,
    CreateCollaboration, DraftQuery, EnableWorkload, ErasePersonal, FailRun, GrantAbility, Invite,
    LeaveCollaboration, PauseCollaboration, ProposeChange, ProposeQuery, PublishDataset,
    RejectQuery, RemoveAutoApprovalRule, RequestRun, RestoreConsent, ResumeCollaboration,
    RetireDataset, ReviseQuery, RevokeAbility, SetAutoApprovalRule, SetCleanRoomPolicy, StartRun,
    SubmitRun, SucceedRun, WithdrawChange, WithdrawConsent, WithdrawInvitation, WithdrawQuery,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::dataset::{
    AccessMode, AccessPolicy, Column, ColumnType, Descriptor, Format, Store as Location,
};
use chancery_governance::decide::run::{admission_report_data, result_report_data};
use chancery_governance::log;
use chancery_governance::member::{Ability, Identity, Terms};
use chancery_governance::query::{Definition, Input, Segment};
use chancery_governance::rule::{AllowedInput, ApprovalRule, Shape};
use chancery_governance::run::{
    Attested, Engine, Evidence, File, InputRows, Manifest, Platform, SegmentRows, Statistics,
    Verdict,
};
use chancery_governance::state::run::Stage;
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
use chancery_ledger::entry::{Authority, Sealed, SignedContent, Witness};
use chancery_ledger::id::{CollaborationId, MemberId, QueryId, RunId};
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle::Frontier;
use chancery_projections::{PageRequest, Rows, Views};
use chancery_store::{Append, NewEntry, Store};

pub const BEGIN_MS: u64 = 1_767_603_600_000;

/// An id of any kind, from a small number.
pub fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(number: u64) -> T {
    format!("01932b6c-7d3a-7c1e-8f00-{number:012x}").parse().unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    Litware = 1,
    Contosso = 2,
    Fabrikam = 3,
}

impl Person {
    pub const ALL: [Self; 3] = [Self::Litware, Self::Contosso, Self::Fabrikam];

    pub fn identity(self) -> Identity {
        Identity {
            issuer: "https://login.example.com".into(),
            tenant: (self != Self::Fabrikam).then(|| format!("{self:?}").to_lowercase()),
            subject: format!("user-{}", self as u8),
        }
    }
}

pub const FLIGHTS: u64 = 0x10;
pub const PLANES: u64 = 0x11;
pub const RESULTS: u64 = 0x13;

pub struct Story {
    pub room: CollaborationId,
    pub state: State,
    pub entries: Vec<Sealed>,
    service: SigningKey,
    executor: SigningKey,
    number: u64,
}

impl Story {
    /// Room `number`, empty but for its founder.
    pub fn founded(number: u64) -> Self {
        let mut story = Self {
            room: id(number),
            state: State::Absent,
            entries: Vec::new(),
            service: SigningKey::from_seed(&[1; 32]).unwrap(),
            executor: SigningKey::from_seed(&[2; 32]).unwrap(),
            number: 0,
        };
        let terms = Terms { member_signed: Vec::new(), insecure_virtual: true, ..Terms::default() };
        let create = CreateCollaboration {
            name: format!("Room {number}"),
            organisation: "Litware".into(),
            terms,
        };
        let service = Service {
            name: "ledger.example.com".into(),
            key: story.service.public().clone(),
            evidence: evidence(),
        };
        let facts = Facts { service: Some(service), ..Facts::default() };
        let room = story.about();
        assert!(story.send(Person::Litware, room, create, facts));
        story
    }

    /// Members are in, datasets published, and the query 0 is up for votes.
    pub fn proposed(number: u64) -> Self {
        use Ability::{Analyst, DataProvider, ResultReceiver, Runner};
        let mut story = Self::founded(number);
        story.must(Person::Litware, story.about(), EnableWorkload { workload: "spark-sql".into() });
        let policy = SetCleanRoomPolicy::of(vec![Digest::of(b"application")]);
        story.must(Person::Litware, story.about(), policy);
        story.join(Person::Contosso, vec![DataProvider]);
        story.join(Person::Fabrikam, vec![Analyst, Runner, ResultReceiver]);
        assert!(story.publish(Person::Litware, FLIGHTS, 0));
        assert!(story.publish(Person::Contosso, PLANES, 0));
        assert!(story.publish(Person::Fabrikam, RESULTS, 0));
        assert!(story.draft(0));
        assert!(story.propose(0));
        story
    }

    /// Query 0 accepted and run; query 1 rejected, revised and superseded; consent withdrawn.
    pub fn whole(number: u64) -> Self {
        let mut story = Self::proposed(number);
        for person in Person::ALL {
            assert!(story.approve(person, 0));
        }
        assert!(story.request(0, 0));
        assert!(story.admit(0) && story.submit(0) && story.start(0) && story.succeed(0));
        assert!(story.draft(1) && story.propose(1));
        assert!(story.approve(Person::Litware, 1));
        assert!(story.reject(Person::Contosso, 1));
        assert!(story.revise(1) && story.propose(1));
        assert!(story.request(1, 0) && story.admit(1));
        // Cancels the run, and the next one is refused.
        assert!(story.consent(Person::Contosso, Subject::Dataset(id(PLANES)), true));
        assert!(story.request(2, 0));
        assert!(story.consent(Person::Fabrikam, Subject::Query(id(0x100)), true));
        assert!(story.consent(Person::Litware, story.about(), true));
        assert!(story.consent(Person::Litware, story.about(), false));
        // Supersedes both queries.
        assert!(story.publish(Person::Litware, FLIGHTS, 1));
        let invite = story.invite(0x60, "Woodgrove", vec![Ability::Auditor]);
        assert!(invite);
        story.must(Person::Litware, Subject::Invitation(id(0x60)), WithdrawInvitation {});
        story
    }

    pub fn pause(&mut self) -> bool {
        let pause = PauseCollaboration { reason: "An incident.".into() };
        self.send(Person::Litware, self.about(), pause, Facts::default())
    }

    pub fn resume(&mut self) -> bool {
        self.send(Person::Litware, self.about(), ResumeCollaboration {}, Facts::default())
    }

    pub fn close(&mut self) -> bool {
        let close = CloseCollaboration { reason: "It is over.".into() };
        self.send(Person::Litware, self.about(), close, Facts::default())
    }

    pub fn about(&self) -> Subject {
        Subject::Collaboration(self.room)
    }

    pub fn collaboration(&self) -> &Collaboration {
        self.state.collaboration().unwrap()
    }

    fn must(&mut self, person: Person, subject: Subject, command: impl Into<Command>) {
        assert!(self.send(person, subject, command, Facts::default()));
    }

    fn invite(&mut self, number: u64, organisation: &str, abilities: Vec<Ability>) -> bool {
        let invite = Invite {
            organisation: organisation.into(),
            abilities,
            email_commitment: email_commitment(b"0123456789abcdef", organisation),
            tenant: None,
            key: None,
        };
        let facts = Facts { email_ciphertext: Some("c2VhbGVk".into()), ..Facts::default() };
        self.send(Person::Litware, Subject::Invitation(id(number)), invite, facts)
    }

    fn join(&mut self, person: Person, mut abilities: Vec<Ability>) {
        abilities.sort_unstable();
        assert!(self.invite(0x20 + person as u64, &format!("{person:?}"), abilities));
        let facts = Facts { email: EmailProof::Matches, ..Facts::default() };
        assert!(self.send(
            person,
            Subject::Invitation(id(0x20 + person as u64)),
            AcceptInvitation {},
            facts
        ));
    }

    /// The person's e-mail is erased, by themselves.
    pub fn erase(&mut self, person: Person) {
        let invitation = Subject::Invitation(id(0x20 + person as u64));
        self.must(person, invitation, ErasePersonal {});
    }

    pub fn publish(&mut self, person: Person, number: u64, version: u64) -> bool {
        use ColumnType::{Long, String};
        let (name, columns, access_mode) = match number {
            FLIGHTS => ("flights", [("carrier", String), ("tailnum", String)], AccessMode::Read),
            PLANES => ("planes", [("tailnum", String), ("model", String)], AccessMode::Read),
            _ => ("results", [("model", String), ("flights", Long)], AccessMode::Write),
        };
        let column = |(name, kind): (&str, ColumnType)| Column { name: name.into(), kind };
        let descriptor = Descriptor {
            name: name.into(),
            usage: chancery_governance::usage::Usage::default(),
            encryption: chancery_governance::dataset::Encryption::None,
            token_audience: None,
            format: Format::Csv { null_value: None },
            columns: columns.into_iter().map(column).collect(),
            store: Location::Local { path: format!("data/v{version}") },
            access_mode,
            policy: AccessPolicy {
                allowed_columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
                minimum_group: None,
                column_rules: Vec::new(),
                differential_privacy: None,
            },
        };
        self.plain(person, Subject::Dataset(id(number)), PublishDataset { descriptor })
    }

    pub fn retire(&mut self, person: Person, number: u64) -> bool {
        self.plain(person, Subject::Dataset(id(number)), RetireDataset {})
    }

    fn definition(name: &str) -> Definition {
        let input = |alias: &str, number| Input { alias: alias.into(), dataset: id(number) };
        Definition {
            name: name.into(),
            segments: vec![Segment {
                order: 0,
                view: "out".into(),
                sql: "SELECT p.model AS model, COUNT(*) AS flights FROM flights f \
                      JOIN planes p ON f.tailnum = p.tailnum GROUP BY p.model"
                    .into(),
                pre_conditions: Vec::new(),
                post_filters: Vec::new(),
            }],
            inputs: vec![input("flights", FLIGHTS), input("planes", PLANES)],
            output: id(RESULTS),
            parameters: Vec::new(),
            privacy: None,
        }
    }

    fn query(number: u64) -> QueryId {
        id(0x100 + number)
    }

    pub fn run(number: u64) -> RunId {
        id(0x10_0000 + number)
    }

    pub fn draft(&mut self, number: u64) -> bool {
        let definition = Self::definition(&format!("Query {number}"));
        self.plain(Person::Fabrikam, Subject::Query(Self::query(number)), DraftQuery { definition })
    }

    pub fn revise(&mut self, number: u64) -> bool {
        let definition = Self::definition(&format!("Query {number}, again"));
        self.plain(
            Person::Fabrikam,
            Subject::Query(Self::query(number)),
            ReviseQuery { definition },
        )
    }

    pub fn propose(&mut self, number: u64) -> bool {
        self.plain(
            Person::Fabrikam,
            Subject::Query(Self::query(number)),
            ProposeQuery { votes_until_ms: None, runs_until_ms: None },
        )
    }

    pub fn withdraw(&mut self, number: u64) -> bool {
        self.plain(Person::Fabrikam, Subject::Query(Self::query(number)), WithdrawQuery {})
    }

    fn digest(&self, number: u64) -> Digest {
        let query = self.collaboration().queries.get(&Self::query(number));
        let proposal = query.and_then(|query| query.live_proposal());
        proposal.map_or(Digest::of(b"none"), |proposal| proposal.digest)
    }

    pub fn approve(&mut self, person: Person, number: u64) -> bool {
        let digest = self.digest(number);
        self.plain(person, Subject::Query(Self::query(number)), ApproveQuery { digest })
    }

    pub fn reject(&mut self, person: Person, number: u64) -> bool {
        let reject = RejectQuery { digest: self.digest(number), comment: "Too fine.".into() };
        self.plain(person, Subject::Query(Self::query(number)), reject)
    }

    pub fn consent(&mut self, person: Person, subject: Subject, withdraw: bool) -> bool {
        let kind = ConsentKind::Execution;
        if withdraw {
            self.plain(person, subject, WithdrawConsent { kind })
        } else {
            self.plain(person, subject, RestoreConsent { kind })
        }
    }

    pub fn leave(&mut self, person: Person) -> bool {
        let Some(member) = self.member(person) else { return false };
        self.plain(person, Subject::Member(member), LeaveCollaboration {})
    }

    /// Gives Contosso an ability, or takes one away.
    pub fn ability(&mut self, person: Person, number: u64) -> bool {
        let Some(member) = self.member(Person::Contosso) else { return false };
        let ability = if number < 3 { Ability::Auditor } else { Ability::Runner };
        let subject = Subject::Member(member);
        if number.is_multiple_of(2) {
            self.plain(person, subject, GrantAbility { ability })
        } else {
            self.plain(person, subject, RevokeAbility { ability })
        }
    }

    /// Sets a rule that lets every query of the story through, or takes one back.
    pub fn rule(&mut self, person: Person, number: u64) -> bool {
        let subject = Subject::Rule(id(0x200 + number));
        if number == 0 {
            return self.plain(person, Subject::Rule(id(0x201)), RemoveAutoApprovalRule {});
        }
        let input = |dataset| AllowedInput {
            dataset: id(dataset),
            columns: vec!["tailnum".into(), "model".into()],
            aggregates: Vec::new(),
        };
        let mut shape = vec![input(FLIGHTS), input(PLANES)];
        shape[0].columns.truncate(1);
        let rule = ApprovalRule {
            name: format!("Rule {number}"),
            author: None,
            runner: None,
            output: None,
            shape: Shape::Reads(shape),
            expires_ms: None,
        };
        self.plain(person, subject, SetAutoApprovalRule { rule })
    }

    /// Asks for a change, or takes the request back.
    pub fn ask(&mut self, person: Person, number: u64) -> bool {
        let subject = Subject::Change(id(0x300 + number % 3));
        if number > 3 {
            return self.plain(person, subject, WithdrawChange {});
        }
        let Some(member) = self.member(Person::Contosso) else { return false };
        let change = Change::RemoveMember(member);
        self.plain(person, subject, ProposeChange { change, expires_ms: None })
    }

    fn member(&self, person: Person) -> Option<MemberId> {
        self.collaboration().member_by_identity(&person.identity()).map(|(id, _)| id)
    }

    pub fn request(&mut self, run: u64, query: u64) -> bool {
        let request = RequestRun { query: Self::query(query), digest: self.digest(query) };
        self.plain(Person::Fabrikam, Subject::Run(Self::run(run)), request)
    }

    pub fn cancel(&mut self, person: Person, run: u64) -> bool {
        self.plain(person, Subject::Run(Self::run(run)), CancelRun {})
    }

    pub fn admit(&mut self, run: u64) -> bool {
        let Some(nonce) = self.nonce(run) else { return false };
        let executor = self.executor.public().clone();
        let (service, run) = (self.service.public().id(), Self::run(run));
        let bound = admission_report_data(service, self.room, run, nonce, &executor);
        self.report(run, AdmitRun { executor, evidence: evidence() }, Some(bound))
    }

    pub fn submit(&mut self, run: u64) -> bool {
        let submit = SubmitRun { tracking: "local-1".into(), job_spec: Digest::of(b"job spec") };
        self.report(Self::run(run), submit, None)
    }

    pub fn start(&mut self, run: u64) -> bool {
        self.report(Self::run(run), StartRun {}, None)
    }

    pub fn fail(&mut self, run: u64) -> bool {
        let fail = FailRun { code: "engine_lost".into(), detail: "The engine went away.".into() };
        self.report(Self::run(run), fail, None)
    }

    pub fn succeed(&mut self, run: u64) -> bool {
        let Some(nonce) = self.nonce(run) else { return false };
        let run = Self::run(run);
        let state = self.collaboration();
        let held = &state.runs[&run];
        let Some(proposal) = state.queries[&held.query].live_proposal() else { return false };
        let Stage::Started(admission, job) = &held.stage else { return false };
        let result = Attested {
            query_digest: proposal.digest,
            votes: proposal.vote_leaves(),
            inputs: proposal.binding.inputs.clone(),
            application: admission.measurement,
            engine: Engine { name: "apache-spark".into(), version: "4.0.0".into() },
            job_spec: job.job_spec,
            manifest: Manifest {
                files: vec![File {
                    path: "part-0.csv".into(),
                    digest: Digest::of(b"part"),
                    bytes: 12,
                }],
                rows: 3,
                columns: vec![
                    Column { name: "model".into(), kind: ColumnType::String },
                    Column { name: "flights".into(), kind: ColumnType::Long },
                ],
            },
            statistics: Statistics {
                inputs: vec![
                    InputRows { alias: "flights".into(), rows: 9 },
                    InputRows { alias: "planes".into(), rows: 4 },
                ],
                segments: vec![SegmentRows { view: "out".into(), rows: 3, duration_ms: 20 }],
                rows_written: 3,
            },
            privacy: None,
        };
        let (service, key) = (self.service.public().id(), self.executor.public());
        let bound = result_report_data(service, self.room, run, nonce, key, &result);
        self.report(run, SucceedRun { result, evidence: evidence() }, Some(bound))
    }

    fn nonce(&self, run: u64) -> Option<Digest> {
        self.collaboration().runs.get(&Self::run(run)).map(|run| run.request_leaf)
    }

    fn plain(&mut self, person: Person, subject: Subject, command: impl Into<Command>) -> bool {
        self.send(person, subject, command, Facts::default())
    }

    fn send(
        &mut self,
        person: Person,
        subject: Subject,
        command: impl Into<Command>,
        facts: Facts,
    ) -> bool {
        let (command, identity) = (command.into(), person.identity());
        let authority = Authority::ServiceWitnessed(Witness {
            token: Digest::of(b"token"),
            issuer: identity.issuer,
            tenant: identity.tenant,
            subject: identity.subject,
            key_id: "kid-1".into(),
            action: command.action().to_owned(),
            expected_version: None,
            content: codec::encode(&v1::encode_command(&command)),
        });
        self.number += 1;
        self.submit_as(subject, &authority, facts)
    }

    fn report(&mut self, run: RunId, command: impl Into<Command>, bound: Option<Digest>) -> bool {
        let (command, subject) = (command.into(), Subject::Run(run));
        let content = codec::encode(&v1::encode_command(&command));
        self.number += 1;
        let message = SignedCommand {
            audience: self.service.public().id(),
            collaboration: self.room,
            action: command.action().to_owned(),
            subject: subject.to_string(),
            content: Digest::of(&content),
            expected_version: None,
            command: id(0x1_0000_0000 + self.number),
            expires_ms: BEGIN_MS + self.number * 1000 + 60_000,
        };
        let message = message.sign(ContentType::ExecutorReport, &self.executor);
        let authority = Authority::ExecutorSigned(SignedContent { message, content });
        let verdict = bound.map(|report_data| {
            Ok(Verdict {
                platform: Platform::InsecureVirtual,
                measurement: Digest::of(b"application"),
                report_data,
                claims: chancery_governance::clean_room::Claims::default(),
            })
        });
        self.submit_as(subject, &authority, Facts { verdict, ..Facts::default() })
    }

    fn submit_as(&mut self, subject: Subject, authority: &Authority, facts: Facts) -> bool {
        let submission = Submission {
            collaboration: self.room,
            subject,
            command: id(0x1_0000_0000 + self.number),
            authority,
            verified: None,
            now_ms: BEGIN_MS + self.number * 1000,
            facts,
        };
        let Ok(decision) = handle(&self.state, &submission) else { return false };
        let state = std::mem::take(&mut self.state);
        let (sealed, state) = log::seal(state, decision, &submission, &self.service).unwrap();
        self.state = state;
        self.entries.extend(sealed);
        true
    }

    /// The rows of the first `size` entries, folded without a database.
    pub fn rows(&self, size: usize) -> Rows {
        let mut rows = Rows::default();
        for sealed in &self.entries[..size] {
            let (recorded, event) = log::read(sealed).unwrap();
            rows.fold(&recorded, &event).unwrap();
        }
        rows
    }

    /// Appends the entries `from..until`.
    pub async fn append(&self, store: &Store, from: usize, until: usize) {
        for (first, chunk) in (from..).step_by(256).zip(self.entries[from..until].chunks(256)) {
            let entries = chunk.iter().map(|sealed| NewEntry {
                sealed: sealed.bytes().to_vec(),
                leaf_hash: sealed.leaf(),
            });
            append(store, self.room, first, entries.collect()).await;
        }
    }

    /// Checks that the views show what the fold of the first `size` entries gives, and no more.
    pub async fn assert_shown(&self, views: &Views, size: usize) {
        let rows = self.rows(size);
        let room = self.room;
        assert_eq!(views.size(room), size as u64);
        assert_eq!(views.collaboration(room).await.unwrap().as_ref(), rows.collaboration());
        let all = PageRequest { after: None, limit: Some(200) };
        let members = views.members(room, all).await.unwrap();
        assert_eq!(members.items.iter().collect::<Vec<_>>(), rows.members());
        let invitations = views.invitations(room, all).await.unwrap();
        assert_eq!(invitations.items.iter().collect::<Vec<_>>(), rows.invitations());
        let datasets = views.datasets(room, all).await.unwrap();
        assert_eq!(datasets.items.iter().collect::<Vec<_>>(), rows.datasets());
        let queries = views.queries(room, all).await.unwrap();
        assert_eq!(queries.items.iter().collect::<Vec<_>>(), rows.queries());
        let runs = views.runs(room, all).await.unwrap();
        assert_eq!(runs.items.iter().collect::<Vec<_>>(), rows.runs());
    }
}

/// Appends entries, whatever they are.
pub async fn append(store: &Store, room: CollaborationId, first: usize, entries: Vec<NewEntry>) {
    let mut tree = Frontier::default();
    while tree.size() < first as u64 {
        tree.extend(store.leaf_hashes(room, tree.size(), u32::MAX).await.unwrap());
    }
    let mut nodes = Vec::new();
    for entry in &entries {
        tree.append_noting(entry.leaf_hash, &mut nodes);
    }
    let append = Append {
        collaboration: room,
        expected_size: first as u64,
        entries,
        checkpoint: "checkpoint".into(),
        nodes,
        commands: Vec::new(),
        personal_keys: Vec::new(),
        erased: Vec::new(),
    };
    store.append(append).await.unwrap();
}

pub async fn open(folder: &Path) -> (Store, Views) {
    let store = Store::open(&folder.join("log.db")).await.unwrap();
    (store, Views::open(&folder.join("views.db")).await.unwrap())
}

fn evidence() -> Evidence {
    Evidence { kind: "insecure-virtual".into(), document: "e30".into() }
}
