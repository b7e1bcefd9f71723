//! One of each event, authority and command content, written out: no rule takes part, so that the
//! bytes change with the wire form only. Together they hold every variant of every type.

#[path = "samples_people.rs"]
mod people;

use chancery_governance::clean_room::{Claims, Demands};
use chancery_governance::command::{self, Command};
use chancery_governance::consent::ConsentKind;
use chancery_governance::dataset::{
    AccessMode, AccessPolicy, Column, ColumnRule, ColumnType, Descriptor, Encryption, Format,
    GroupIdentity, LiteralComparisons, MinimumGroup, Store,
};
use chancery_governance::event::{self, Event};
use chancery_governance::member::{Ability, SealedPersonal, SignedAct, Terms};
use chancery_governance::query::{
    Binding, DatasetVersion, Definition, Input, Parameter, PostFilter, PreCondition, Rewritten,
    Segment,
};
use chancery_governance::reason::{Code, Reason};
use chancery_governance::run::{
    Attested, Engine, Evidence, File, InputRows, Manifest, Platform, RefusedAt, SegmentRows,
    Statistics,
};
use chancery_governance::sql::{Literal, RefusalCode};
use chancery_governance::subject::Subject;
use chancery_governance::usage::Usage;
use chancery_governance::wire::v1;
use chancery_ledger::codec::{self, Key, Value};
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Actor, Authority, Entry, Sealed, SignedContent, Witness, seal};
use chancery_ledger::id::CommandId;
use chancery_ledger::key::{Algorithm, PublicKey, SigningKey};

#[path = "samples/decimals.rs"]
pub mod decimals;
#[path = "samples/privacy.rs"]
pub mod privacy;
#[path = "samples/secrets.rs"]
pub mod secrets;
#[path = "samples/usage.rs"]
pub mod usage;

use crate::support::fixtures::{
    campaigns_id, campaigns_s, orders_id, orders_s, query_id, query_s, report_id, report_s, room,
    run_s,
};
use crate::support::people::Who;
use crate::support::{EPOCH_MS, SERVICE, collaboration, content, key, uuid};

fn digest(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

fn evidence(kind: &str) -> Evidence {
    Evidence { kind: kind.into(), document: "ZXZpZGVuY2U".into() }
}

fn terms() -> Terms {
    Terms {
        member_signed: vec![SignedAct::Votes, SignedAct::Consents, SignedAct::Runs],
        insecure_virtual: true,
        ..Terms::default()
    }
}

pub fn descriptor() -> Descriptor {
    let kinds = [
        ("customer", ColumnType::String),
        ("amount", ColumnType::Long),
        ("rate", ColumnType::Double),
        ("vip", ColumnType::Boolean),
        ("day", ColumnType::Date),
        ("at", ColumnType::Timestamp),
    ];
    Descriptor {
        name: "orders".into(),
        usage: Usage::default(),
        format: Format::Csv { null_value: Some("NA".into()) },
        columns: kinds.map(|(name, kind)| Column { name: name.into(), kind }).to_vec(),
        store: Store::Local { path: "orders/v1".into() },
        access_mode: AccessMode::Read,
        policy: AccessPolicy {
            allowed_columns: vec!["customer".into(), "amount".into()],
            minimum_group: Some(MinimumGroup {
                identity: GroupIdentity::Column("customer".into()),
                count: 10,
            }),
            column_rules: Vec::new(),
            differential_privacy: None,
        },
        encryption: Encryption::None,
        token_audience: None,
    }
}

/// Every form of a rule on a column: what came after the first release.
pub fn ruled() -> (Subject, Command) {
    let rule = |column: &str| ColumnRule { column: column.into(), ..ColumnRule::default() };
    let mut descriptor = descriptor();
    descriptor.policy.column_rules = vec![
        ColumnRule { minimum: Some(25), aggregate_only: true, ..rule("amount") },
        ColumnRule { output_forbidden: true, ..rule("rate") },
        ColumnRule { join_only: true, ..rule("customer") },
        ColumnRule { literals: LiteralComparisons::Equality, ..rule("day") },
        ColumnRule { literals: LiteralComparisons::None, ..rule("at") },
    ];
    (orders_s(), command::PublishDataset { descriptor }.into())
}

fn rows_descriptor() -> Descriptor {
    let mut descriptor = descriptor();
    descriptor.format = Format::Json;
    descriptor.policy.minimum_group = Some(MinimumGroup { identity: GroupIdentity::Row, count: 1 });
    descriptor
}

fn output_descriptor() -> Descriptor {
    let mut descriptor = descriptor();
    descriptor.name = "report".into();
    descriptor.format = Format::Parquet;
    descriptor.access_mode = AccessMode::Write;
    descriptor.policy.minimum_group = None;
    descriptor
}

pub fn definition() -> Definition {
    let parameter = |name: &str, value| Parameter { name: name.into(), value };
    Definition {
        name: "Spend by region – Übersicht".into(),
        segments: vec![Segment {
            order: 1,
            view: "result".into(),
            sql: "SELECT region, COUNT(*) AS total FROM orders GROUP BY region".into(),
            pre_conditions: vec![PreCondition { view: "orders".into(), min_rows: 100 }],
            post_filters: vec![PostFilter { column: "total".into(), minimum: 5 }],
        }],
        inputs: vec![
            Input { alias: "orders".into(), dataset: orders_id() },
            Input { alias: "campaigns".into(), dataset: campaigns_id() },
        ],
        output: report_id(),
        parameters: vec![
            parameter("s", Literal::String("O'Hare".into())),
            parameter("l", Literal::Long(-42)),
            parameter("b", Literal::Boolean(true)),
            parameter("d", Literal::Date("2026-01-31".into())),
            parameter("t", Literal::Timestamp("2026-01-31 12:00:00.5".into())),
            parameter("x", Literal::Double("-1.5e3".into())),
        ],
        privacy: None,
    }
}

fn versions() -> Vec<DatasetVersion> {
    vec![
        DatasetVersion { dataset: orders_id(), digest: digest("orders 1") },
        DatasetVersion { dataset: campaigns_id(), digest: digest("campaigns 1") },
    ]
}

fn binding() -> Binding {
    Binding {
        definition: definition(),
        rewritten: vec![Rewritten { view: "result".into(), sql: "SELECT 1 AS one".into() }],
        inputs: versions(),
        output: DatasetVersion { dataset: report_id(), digest: digest("report 1") },
        applications: vec![digest("application 1")],
        demands: Demands::default(),
        votes_until_ms: None,
        runs_until_ms: None,
    }
}

fn attested() -> Attested {
    Attested {
        query_digest: digest("binding"),
        votes: vec![digest("vote 1"), digest("vote 2")],
        inputs: versions(),
        application: digest("application 1"),
        engine: Engine { name: "apache-spark".into(), version: "4.0.1".into() },
        job_spec: digest("job spec"),
        manifest: Manifest {
            files: vec![File {
                path: "part-00000.csv".into(),
                digest: digest("file"),
                bytes: 4_294_967_296,
            }],
            rows: 24,
            columns: vec![Column { name: "region".into(), kind: ColumnType::String }],
        },
        statistics: Statistics {
            inputs: vec![InputRows { alias: "orders".into(), rows: 65_536 }],
            segments: vec![SegmentRows { view: "result".into(), rows: 255, duration_ms: 23 }],
            rows_written: 256,
        },
        privacy: None,
    }
}

fn reasons() -> Vec<Reason> {
    vec![
        Reason::new(Code::WorkloadNotEnabled, "no workload is enabled yet"),
        Reason::about(Code::Sql(RefusalCode::UnknownColumn), query_s(), "no such column"),
    ]
}

/// Every event with its subject.
pub fn events() -> Vec<(Subject, Event)> {
    let mut events = first_events();
    events.extend(people::events());
    events.extend(secrets::events());
    events.push((run_s(), privacy::requested().into()));
    events.push((run_s(), privacy::succeeded(attested(), evidence("sev-snp")).into()));
    events
}

#[expect(clippy::too_many_lines, reason = "one sample for each event type")]
fn first_events() -> Vec<(Subject, Event)> {
    let invitation = Subject::Invitation(Who::Contosso.invitation());
    let identity = Who::Contosso.identity();
    let key = Who::Litware.key();
    vec![
        (
            room(),
            event::CollaborationCreated {
                rules: chancery_governance::RULES,
                name: "Flights".into(),
                organisation: "Litware".into(),
                identity: Who::Litware.identity(),
                terms: terms(),
                service: SERVICE.into(),
                service_key: service().public().clone(),
                evidence: evidence("insecure-virtual"),
            }
            .into(),
        ),
        (room(), event::WorkloadEnabled { workload: "spark-sql".into() }.into()),
        (room(), event::CleanRoomPolicySet::of(vec![digest("application 1")]).into()),
        (
            invitation,
            event::CollaboratorInvited {
                organisation: "Contosso".into(),
                abilities: vec![Ability::DataProvider, Ability::Auditor],
                email: SealedPersonal {
                    commitment: digest("e-mail"),
                    ciphertext: "c2VhbGVk".into(),
                },
                tenant: None,
                key: None,
            }
            .into(),
        ),
        (invitation, event::InvitationWithdrawn {}.into()),
        (invitation, event::InvitationAccepted { identity: identity.clone() }.into()),
        (
            Who::Contosso.itself(),
            event::CollaboratorActivated {
                organisation: "Contosso".into(),
                abilities: vec![Ability::Analyst, Ability::Runner, Ability::ResultReceiver],
            }
            .into(),
        ),
        (
            Who::Litware.itself(),
            event::SigningKeyRegistered { key: key.public().clone(), proof: "cHJvb2Y".into() }
                .into(),
        ),
        (Who::Litware.itself(), event::SigningKeyRevoked { key: key.public().id() }.into()),
        (
            orders_s(),
            event::DatasetPublished { descriptor: descriptor(), digest: digest("orders 1") }.into(),
        ),
        (orders_s(), event::DatasetRetired {}.into()),
        (query_s(), event::QueryDrafted { definition: definition() }.into()),
        (query_s(), event::QueryRevised { definition: definition() }.into()),
        (
            query_s(),
            event::QueryProposed {
                binding: binding(),
                digest: digest("binding"),
                approvers: vec![Who::Contosso.member(), Who::Fabrikam.member()],
                groups: Vec::new(),
            }
            .into(),
        ),
        (query_s(), event::QueryApproved { digest: digest("binding") }.into()),
        (
            query_s(),
            event::QueryRejected {
                digest: digest("binding"),
                comment: "Not \"yet\".\nSee §3.".into(),
            }
            .into(),
        ),
        (query_s(), event::QueryWithdrawn {}.into()),
        (query_s(), event::QueryAccepted { digest: digest("binding"), votes: vec![3, 256] }.into()),
        (
            query_s(),
            event::QuerySuperseded {
                reason: Reason::about(Code::DatasetVersionChanged, orders_s(), "a new version"),
            }
            .into(),
        ),
        (campaigns_s(), event::ConsentWithdrawn { kind: ConsentKind::Execution }.into()),
        (room(), event::ConsentRestored { kind: ConsentKind::Logging }.into()),
        (
            run_s(),
            event::RunRequested {
                query: query_id(),
                digest: digest("binding"),
                privacy: Vec::new(),
            }
            .into(),
        ),
        (
            run_s(),
            event::RunRefused {
                query: query_id(),
                stage: RefusedAt::Admission,
                reasons: reasons(),
            }
            .into(),
        ),
        (
            run_s(),
            event::RunAdmitted {
                executor: executor().public().clone(),
                platform: Platform::SevSnp,
                measurement: digest("application 1"),
                claims: Claims::default(),
                evidence: evidence("sev-snp"),
            }
            .into(),
        ),
        (
            run_s(),
            event::RunSubmitted { tracking: "local/4711".into(), job_spec: digest("job spec") }
                .into(),
        ),
        (run_s(), event::RunStarted {}.into()),
        (
            run_s(),
            event::RunSucceeded {
                result: attested(),
                platform: Platform::InsecureVirtual,
                evidence: evidence("insecure-virtual"),
            }
            .into(),
        ),
        (
            run_s(),
            event::RunFailed { code: "out_of_memory".into(), detail: "Killed.".into() }.into(),
        ),
        (run_s(), event::RunCancelled { reasons: reasons() }.into()),
        // Further variants of types that stand in one event only.
        (
            orders_s(),
            event::DatasetPublished { descriptor: rows_descriptor(), digest: digest("orders 2") }
                .into(),
        ),
        (
            report_s(),
            event::DatasetPublished { descriptor: output_descriptor(), digest: digest("report 1") }
                .into(),
        ),
        (query_s(), event::ConsentWithdrawn { kind: ConsentKind::Telemetry }.into()),
        (
            run_s(),
            event::RunRefused { query: query_id(), stage: RefusedAt::Request, reasons: reasons() }
                .into(),
        ),
        // What came after the first release: see [`FIRST_RELEASE_ENTRIES`].
        (
            room(),
            event::ServiceKeyRotated {
                key: next_service().public().clone(),
                evidence: evidence("insecure-virtual"),
            }
            .into(),
        ),
        (invitation, event::SubjectErased {}.into()),
        // Use and lifecycle.
        (room(), event::CollaborationPaused { reason: "An incident.".into() }.into()),
        (room(), event::CollaborationResumed {}.into()),
        (room(), event::CollaborationClosed { reason: "The study is over.".into() }.into()),
        (room(), usage::policy_set().into()),
        (orders_s(), usage::published().into()),
        (query_s(), usage::proposed(binding()).into()),
        (run_s(), usage::admitted(executor().public(), evidence("sev-snp")).into()),
        (run_s(), usage::refused().into()),
    ]
}

/// Every command content with its subject.
pub fn commands() -> Vec<(Subject, Command)> {
    let mut commands = first_commands();
    commands.extend(people::commands());
    commands.extend(secrets::commands());
    commands
}

fn first_commands() -> Vec<(Subject, Command)> {
    let invitation = Subject::Invitation(Who::Contosso.invitation());
    let key = Who::Litware.key();
    vec![
        (
            room(),
            command::CreateCollaboration {
                name: "Flights".into(),
                organisation: "Litware".into(),
                terms: terms(),
            }
            .into(),
        ),
        (room(), command::EnableWorkload { workload: "spark-sql".into() }.into()),
        (room(), command::SetCleanRoomPolicy::of(vec![digest("application 1")]).into()),
        (room(), command::PauseCollaboration { reason: "An incident.".into() }.into()),
        (room(), command::ResumeCollaboration {}.into()),
        (room(), command::CloseCollaboration { reason: "The study is over.".into() }.into()),
        (
            invitation,
            command::Invite {
                organisation: "Contosso".into(),
                abilities: vec![Ability::Owner, Ability::DataProvider],
                email_commitment: digest("e-mail"),
                tenant: Some("contosso".into()),
                key: Some(Who::Contosso.key().public().id()),
            }
            .into(),
        ),
        (invitation, command::WithdrawInvitation {}.into()),
        (invitation, command::AcceptInvitation {}.into()),
        (
            Who::Litware.itself(),
            command::RegisterSigningKey { key: key.public().clone(), proof: "cHJvb2Y".into() }
                .into(),
        ),
        (Who::Litware.itself(), command::RevokeSigningKey { key: key.public().id() }.into()),
        (orders_s(), command::PublishDataset { descriptor: descriptor() }.into()),
        (orders_s(), command::RetireDataset {}.into()),
        (query_s(), command::DraftQuery { definition: definition() }.into()),
        (query_s(), command::ReviseQuery { definition: definition() }.into()),
        (query_s(), command::ProposeQuery { votes_until_ms: None, runs_until_ms: None }.into()),
        (query_s(), command::ApproveQuery { digest: digest("binding") }.into()),
        (
            query_s(),
            command::RejectQuery { digest: digest("binding"), comment: "No.".into() }.into(),
        ),
        (query_s(), command::WithdrawQuery {}.into()),
        (room(), command::WithdrawConsent { kind: ConsentKind::Execution }.into()),
        (room(), command::RestoreConsent { kind: ConsentKind::Telemetry }.into()),
        (run_s(), command::RequestRun { query: query_id(), digest: digest("binding") }.into()),
        (run_s(), command::CancelRun {}.into()),
        (
            run_s(),
            command::AdmitRun {
                executor: executor().public().clone(),
                evidence: evidence("insecure-virtual"),
            }
            .into(),
        ),
        (
            run_s(),
            command::SubmitRun { tracking: "local/4711".into(), job_spec: digest("job spec") }
                .into(),
        ),
        (run_s(), command::StartRun {}.into()),
        (
            run_s(),
            command::SucceedRun { result: attested(), evidence: evidence("insecure-virtual") }
                .into(),
        ),
        (
            run_s(),
            command::FailRun { code: "out_of_memory".into(), detail: "Killed.".into() }.into(),
        ),
        (
            room(),
            command::RotateServiceKey {
                key: next_service().public().clone(),
                evidence: evidence("insecure-virtual"),
            }
            .into(),
        ),
        (invitation, command::ErasePersonal {}.into()),
    ]
}

/// The service's key: seed of 32 bytes 200.
pub fn service() -> SigningKey {
    key(200)
}

/// The key that the service goes over to: seed of 32 bytes 202.
pub fn next_service() -> SigningKey {
    key(202)
}

/// The entries that the first release wrote, and its checkpoint is over. Later ones come after.
pub const FIRST_RELEASE_ENTRIES: usize = 33;

/// The executor's key: seed of 32 bytes 201.
pub fn executor() -> SigningKey {
    key(201)
}

fn command_id(number: u64) -> CommandId {
    CommandId::new(uuid(0xe, number))
}

/// The signed command over `command`.
pub fn to_sign(
    subject: Subject,
    command: &Command,
    number: u64,
    expected: Option<u64>,
) -> SignedCommand {
    SignedCommand {
        audience: service().public().id(),
        collaboration: collaboration(),
        action: command.action().to_owned(),
        subject: subject.to_string(),
        content: Digest::of(&content(command)),
        expected_version: expected,
        command: command_id(number),
        expires_ms: EPOCH_MS + 300_000,
    }
}

pub fn member_command() -> (SignedCommand, Vec<u8>) {
    let command: Command = command::ApproveQuery { digest: digest("binding") }.into();
    let signed = to_sign(query_s(), &command, 14, Some(13));
    let message = signed.sign(ContentType::Command, &Who::Litware.key());
    (signed, message)
}

pub fn executor_report() -> (SignedCommand, Vec<u8>) {
    let command: Command = command::StartRun {}.into();
    let signed = to_sign(run_s(), &command, 25, None);
    let message = signed.sign(ContentType::ExecutorReport, &executor());
    (signed, message)
}

pub fn service_command() -> (SignedCommand, Vec<u8>) {
    let rotate = command::RotateServiceKey {
        key: next_service().public().clone(),
        evidence: evidence("insecure-virtual"),
    };
    let signed = to_sign(room(), &rotate.into(), 33, None);
    let message = signed.sign(ContentType::ServiceCommand, &next_service());
    (signed, message)
}

/// The P-256 key of the private scalar 0x0505..05.
pub fn es256_key() -> PublicKey {
    PublicKey::new(
        Algorithm::Es256,
        &unhex(concat!(
            "0407810ea974cea5773e63b897f37e3be9a09e7a5fe9b971a44d1065ac2a3a93",
            "11637e47a4f99464a0fdce44a88ec7d703a9183c1d06552d9e2d6b76069481c5",
            "77",
        )),
    )
    .unwrap()
}

/// The member's command, signed by [`es256_key`] elsewhere: ring can't sign the same bytes twice.
pub fn es256_command() -> (SignedCommand, Vec<u8>) {
    let (command, _) = member_command();
    let header = Value::map([
        (1i64, Value::Int(-7)),
        (3, Value::text(ContentType::Command.as_str())),
        (4, Value::bytes(*es256_key().id().as_bytes())),
    ]);
    let signature = unhex(concat!(
        "56cfa65fcb4f09b35e55486b1e975dc348a2f48e2b8c580617be8340b6631a10",
        "177020823d6337f668b2881bfef80e6ccb94b0445d2507a5c324d7936f8d2c09",
    ));
    let mut message = vec![0xd2];
    message.extend(codec::encode(&Value::Array(vec![
        Value::Bytes(codec::encode(&header)),
        Value::map::<Key>([]),
        Value::Bytes(chancery_ledger::wire::v1::encode_command(&command)),
        Value::Bytes(signature),
    ])));
    (command, message)
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// An authority of each kind, in turn, with its actor; the service's where only it can be.
fn authority(position: u64, subject: Subject, event: &Event) -> (Actor, Authority) {
    if let Event::ServiceKeyRotated(event) = event {
        let rotate =
            command::RotateServiceKey { key: event.key.clone(), evidence: event.evidence.clone() };
        let signed =
            SignedContent { message: service_command().1, content: content(&rotate.into()) };
        return (Actor::Service(event.key.id()), Authority::ServiceSigned(signed));
    }
    let vote: Command = command::ApproveQuery { digest: digest("binding") }.into();
    let start: Command = command::StartRun {}.into();
    match position % 4 {
        0 => {
            let message = to_sign(subject, &vote, position, None)
                .sign(ContentType::Command, &Who::Litware.key());
            let signed = SignedContent { message, content: content(&vote) };
            (Actor::Member(Who::Litware.member()), Authority::MemberSigned(signed))
        }
        1 => {
            let identity = Who::Contosso.identity();
            let witness = Witness {
                token: digest("token"),
                issuer: identity.issuer,
                tenant: identity.tenant.filter(|_| position % 8 == 1),
                subject: identity.subject,
                key_id: "issuer-key-1".into(),
                action: vote.action().into(),
                expected_version: (position % 8 == 1).then_some(position),
                content: content(&vote),
            };
            (Actor::Member(Who::Contosso.member()), Authority::ServiceWitnessed(witness))
        }
        2 => {
            let message = to_sign(subject, &start, position, None)
                .sign(ContentType::ExecutorReport, &executor());
            let signed = SignedContent { message, content: content(&start) };
            (Actor::Executor(executor().public().id()), Authority::ExecutorSigned(signed))
        }
        _ => (Actor::Member(Who::Litware.member()), Authority::Consequence(position - 1)),
    }
}

/// One chained entry for each of [`events`]. They are well formed and linked; no rule made them.
pub fn entries() -> Vec<Sealed> {
    let mut sealed: Vec<Sealed> = Vec::new();
    let mut rotated = false;
    for (position, (subject, event)) in (0..).zip(events()) {
        let (actor, authority) = authority(position, subject, &event);
        let entry = Entry {
            kind: event.kind().to_owned(),
            collaboration: collaboration(),
            position,
            previous: sealed.last().map(Sealed::leaf),
            subject: subject.to_string(),
            actor,
            command: command_id(position),
            time_ms: EPOCH_MS + position * 1_000,
            payload: v1::encode_event(&event),
            authority,
        };
        let key = if rotated { next_service() } else { service() };
        rotated |= matches!(event, Event::ServiceKeyRotated(_));
        sealed.push(seal(entry, &key));
    }
    sealed
}
