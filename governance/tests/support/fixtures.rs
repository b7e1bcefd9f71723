//! Datasets, queries and results that the tests are about.

use chancery_governance::command::{
    AdmitRun, CreateCollaboration, Invite, ProposeQuery, SubmitRun, SucceedRun,
};
use chancery_governance::dataset::{
    AccessMode, AccessPolicy, Column, ColumnType, Descriptor, Encryption, Format, GroupIdentity,
    MinimumGroup, Store,
};
use chancery_governance::decide::run::{admission_report_data, result_report_data};
use chancery_governance::member::{Ability, SignedAct, Terms};
use chancery_governance::query::{Definition, Input, Parameter, PostFilter, PreCondition, Segment};
use chancery_governance::run::{
    Attested, Engine, File, InputRows, Manifest, Platform, SegmentRows, Statistics,
};
use chancery_governance::sql::Literal;
use chancery_governance::subject::Subject;
use chancery_governance::submission::email_commitment;
use chancery_governance::usage::Usage;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{ChangeId, DatasetId, QueryId, RuleId, RunId};
use chancery_ledger::key::SigningKey;

use super::people::Who;
use super::{World, evidence, uuid};

/// Litware's, read.
pub fn orders_id() -> DatasetId {
    DatasetId::new(uuid(0xd, 1))
}

/// Contosso's, read.
pub fn campaigns_id() -> DatasetId {
    DatasetId::new(uuid(0xd, 2))
}

/// Fabrikam's, written.
pub fn report_id() -> DatasetId {
    DatasetId::new(uuid(0xd, 3))
}

pub fn query_id() -> QueryId {
    QueryId::new(uuid(0xf, 1))
}

pub fn run_id() -> RunId {
    RunId::new(uuid(0x9, 1))
}

pub fn room() -> Subject {
    Subject::Collaboration(super::collaboration())
}

pub fn orders_s() -> Subject {
    Subject::Dataset(orders_id())
}

pub fn campaigns_s() -> Subject {
    Subject::Dataset(campaigns_id())
}

pub fn report_s() -> Subject {
    Subject::Dataset(report_id())
}

pub fn query_s() -> Subject {
    Subject::Query(query_id())
}

pub fn run_s() -> Subject {
    Subject::Run(run_id())
}

/// The measurement of the application that may run queries.
pub fn application() -> Digest {
    Digest::of(b"application 1")
}

pub fn terms(member_signed: &[SignedAct], insecure_virtual: bool) -> Terms {
    Terms { member_signed: member_signed.to_vec(), insecure_virtual, ..Terms::default() }
}

pub fn create(terms: Terms) -> CreateCollaboration {
    CreateCollaboration { name: "Flights".into(), organisation: "Litware".into(), terms }
}

pub fn invite(who: Who, abilities: &[Ability]) -> Invite {
    Invite {
        organisation: format!("{who:?}"),
        abilities: abilities.to_vec(),
        email_commitment: email_commitment(&[7; 32], &format!("{who:?}@example.com")),
        key: None,
        tenant: who.identity().tenant,
    }
}

fn columns(columns: &[(&str, ColumnType)]) -> Vec<Column> {
    columns.iter().map(|(name, kind)| Column { name: (*name).into(), kind: *kind }).collect()
}

fn descriptor(name: &str, mode: AccessMode, of: &[(&str, ColumnType)]) -> Descriptor {
    Descriptor {
        name: name.into(),
        usage: Usage::default(),
        format: Format::Csv { null_value: None },
        columns: columns(of),
        store: Store::Local { path: format!("{name}/v1") },
        access_mode: mode,
        policy: AccessPolicy {
            allowed_columns: of.iter().map(|(name, _)| (*name).to_owned()).collect(),
            minimum_group: None,
            column_rules: Vec::new(),
            differential_privacy: None,
        },
        encryption: Encryption::None,
        token_audience: None,
    }
}

pub fn orders() -> Descriptor {
    let of = [
        ("customer", ColumnType::String),
        ("region", ColumnType::String),
        ("amount", ColumnType::Long),
    ];
    let mut orders = descriptor("orders", AccessMode::Read, &of);
    orders.policy.minimum_group =
        Some(MinimumGroup { identity: GroupIdentity::Column("customer".into()), count: 10 });
    orders
}

pub fn campaigns() -> Descriptor {
    let of = [("region", ColumnType::String), ("spend", ColumnType::Long)];
    descriptor("campaigns", AccessMode::Read, &of)
}

pub fn report() -> Descriptor {
    descriptor("report", AccessMode::Write, &REPORT)
}

const REPORT: [(&str, ColumnType); 3] =
    [("region", ColumnType::String), ("total", ColumnType::Long), ("spend", ColumnType::Long)];

/// The same dataset with its files elsewhere: a new version.
pub fn moved(mut descriptor: Descriptor, version: u64) -> Descriptor {
    let name = &descriptor.name;
    descriptor.store = Store::Local { path: format!("{name}/v{version}") };
    descriptor
}

pub fn segment(order: u64, view: &str, sql: &str) -> Segment {
    Segment {
        order,
        view: view.into(),
        sql: sql.into(),
        pre_conditions: Vec::new(),
        post_filters: Vec::new(),
    }
}

/// Reads Litware's and Contosso's, writes Fabrikam's: all three have a vote.
pub fn definition() -> Definition {
    let mut totals = segment(
        1,
        "totals",
        "SELECT region, COUNT(*) AS total FROM orders WHERE amount >= :minimum GROUP BY region",
    );
    totals.pre_conditions = vec![PreCondition { view: "orders".into(), min_rows: 100 }];
    totals.post_filters = vec![PostFilter { column: "total".into(), minimum: 5 }];
    Definition {
        name: "Spend by region".into(),
        segments: vec![
            totals,
            segment(
                2,
                "result",
                "SELECT t.region AS region, t.total AS total, c.spend AS spend \
                 FROM totals t JOIN campaigns c ON t.region = c.region",
            ),
        ],
        inputs: vec![
            Input { alias: "orders".into(), dataset: orders_id() },
            Input { alias: "campaigns".into(), dataset: campaigns_id() },
        ],
        output: report_id(),
        parameters: vec![Parameter { name: "minimum".into(), value: Literal::Long(3) }],
        privacy: None,
    }
}

/// Reads Contosso's only: Litware has no vote.
pub fn without_litware() -> Definition {
    Definition {
        name: "Spend".into(),
        segments: vec![segment(
            1,
            "result",
            "SELECT region, COUNT(*) AS total, SUM(spend) AS spend FROM campaigns GROUP BY region",
        )],
        inputs: vec![Input { alias: "campaigns".into(), dataset: campaigns_id() }],
        output: report_id(),
        parameters: Vec::new(),
        privacy: None,
    }
}

/// Ask for votes, without an end.
pub fn propose() -> ProposeQuery {
    ProposeQuery { votes_until_ms: None, runs_until_ms: None }
}

pub fn change_id() -> ChangeId {
    ChangeId::new(uuid(0x8, 1))
}

pub fn change_s() -> Subject {
    Subject::Change(change_id())
}

pub fn rule_id() -> RuleId {
    RuleId::new(uuid(0x7, 1))
}

pub fn rule_s() -> Subject {
    Subject::Rule(rule_id())
}

/// What an executor sends to be admitted to `run`.
pub fn admit(world: &World, run: RunId, executor: &SigningKey) -> AdmitRun {
    admit_with(world, run, executor, Platform::InsecureVirtual, application())
}

pub fn admit_with(
    world: &World,
    run: RunId,
    executor: &SigningKey,
    platform: Platform,
    measurement: Digest,
) -> AdmitRun {
    let nonce = world.room().runs.get(&run).map_or(Digest::of(b"none"), |run| run.request_leaf);
    let bound =
        admission_report_data(world.service.public().id(), world.id, run, nonce, executor.public());
    AdmitRun {
        executor: executor.public().clone(),
        evidence: evidence::make(platform, measurement, bound),
    }
}

pub fn submit() -> SubmitRun {
    SubmitRun { tracking: "local/4711".into(), job_spec: Digest::of(b"job spec") }
}

/// The result that fits what was admitted.
pub fn attested(world: &World, run: RunId) -> Attested {
    let run = &world.room().runs[&run];
    let proposal = world.room().queries[&run.query].live_proposal();
    Attested {
        query_digest: run.digest.unwrap_or(Digest::of(b"none")),
        votes: proposal
            .map(chancery_governance::state::query::Proposal::vote_leaves)
            .unwrap_or_default(),
        inputs: proposal.map(|proposal| proposal.binding.inputs.clone()).unwrap_or_default(),
        application: application(),
        engine: Engine { name: "apache-spark".into(), version: "4.0.1".into() },
        job_spec: submit().job_spec,
        manifest: Manifest {
            files: vec![File {
                path: "part-00000.csv".into(),
                digest: Digest::of(b"region,total,spend\n"),
                bytes: 19,
            }],
            rows: 4,
            columns: columns(&REPORT),
        },
        statistics: Statistics {
            inputs: vec![
                InputRows { alias: "orders".into(), rows: 1000 },
                InputRows { alias: "campaigns".into(), rows: 4 },
            ],
            segments: vec![
                SegmentRows { view: "totals".into(), rows: 4, duration_ms: 120 },
                SegmentRows { view: "result".into(), rows: 4, duration_ms: 80 },
            ],
            rows_written: 4,
        },
        privacy: None,
    }
}

pub fn succeed(world: &World, run: RunId, executor: &SigningKey) -> SucceedRun {
    succeed_with(
        world,
        run,
        executor,
        attested(world, run),
        Platform::InsecureVirtual,
        application(),
    )
}

pub fn succeed_with(
    world: &World,
    run: RunId,
    executor: &SigningKey,
    result: Attested,
    platform: Platform,
    measurement: Digest,
) -> SucceedRun {
    let bound = result_report_data(
        world.service.public().id(),
        world.id,
        run,
        world.room().runs[&run].request_leaf,
        executor.public(),
        &result,
    );
    SucceedRun { result, evidence: evidence::make(platform, measurement, bound) }
}
