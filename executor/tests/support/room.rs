//! A log made by the rules: Litware, who owns and provides, and Fabrikam, who analyses and runs.

use chancery_governance::command::{
    AcceptInvitation, ApproveQuery, AttestService, Command, CreateCollaboration, DraftQuery,
    EnableWorkload, EraseDatasetSecret, Invite, PauseCollaboration, ProposeQuery, PublishDataset,
    RequestRun, SetCleanRoomPolicy, StoreDatasetSecret, WithdrawConsent,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::dataset::{
    AccessMode, AccessPolicy, Column, ColumnType, Descriptor, Format, GroupIdentity, MinimumGroup,
    Store,
};
use chancery_governance::decide::secret::{service_keys_report_data, standing};
use chancery_governance::log;
use chancery_governance::member::{Ability, Terms};
use chancery_governance::privacy::{Bounds, DifferentialPrivacy, Loss, LossBudget};
use chancery_governance::query::{
    DatasetVersion, Definition, Input, PostFilter, PreCondition, Segment,
};
use chancery_governance::reason::Rejection;
use chancery_governance::secret::{given_context, stored_context};
use chancery_governance::state::{Collaboration, State};
use chancery_governance::subject::Subject;
use chancery_governance::submission::{
    EmailProof, Facts, Service, Submission, carried, email_commitment, handle,
};
use chancery_governance::usage::{Period, Usage};
use chancery_governance::wire::v1::encode_command;
use chancery_ledger::codec;
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Authority, Sealed, SignedContent, Witness};
use chancery_ledger::id::{CollaborationId, CommandId, DatasetId, InvitationId, QueryId, RunId};
use chancery_ledger::key::{Algorithm, PublicKey, SigningKey};
use chancery_ledger::merkle::Frontier;
use chancery_ledger::note::Checkpoint;
use chancery_sealing::OpeningKey;
use uuid::Uuid;

pub const SERVICE: &str = "chancery.test";
const EPOCH_MS: u64 = 1_767_225_600_000;

fn uuid(kind: u16, number: u64) -> Uuid {
    Uuid::from_u128(
        0x0194_1f29_7c00_7000_8000_0000_0000_0000 | u128::from(kind) << 64 | u128::from(number),
    )
}

pub fn id() -> CollaborationId {
    CollaborationId::new(uuid(0xc, 1))
}

pub fn orders() -> DatasetId {
    DatasetId::new(uuid(0xd, 1))
}

pub fn report() -> DatasetId {
    DatasetId::new(uuid(0xd, 2))
}

pub fn query() -> QueryId {
    QueryId::new(uuid(0xf, 1))
}

/// Run ids are marks on processes of this machine, so each test has its own.
pub fn fresh_run() -> RunId {
    let mut random = [0; 10];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random).unwrap();
    RunId::new(uuid::Builder::from_unix_timestamp_millis(EPOCH_MS, &random).into_uuid())
}

pub fn service_key() -> SigningKey {
    SigningKey::from_seed(&[200; 32]).unwrap()
}

/// What members seal secrets to.
fn release_key() -> OpeningKey {
    OpeningKey::derive(&[55; 32])
}

pub struct Room {
    pub log: Vec<Sealed>,
    pub state: State,
    pub tree: Frontier,
    /// The sealed secret of orders.
    pub stored: Vec<u8>,
    key: SigningKey,
    now_ms: u64,
    commands: u64,
}

/// The folder of Litware's orders under a data root.
pub fn orders_folder() -> String {
    format!("{}/{}/orders", id(), id())
}

/// The folder of Fabrikam's reports under a data root.
pub fn report_folder() -> String {
    format!("{}/{}/report", id(), uuid(0xa, 1))
}

impl Room {
    /// A log in which the query is accepted for `application`.
    pub fn accepted(application: Digest) -> Self {
        Self::of(application, (orders_descriptor(), None), definition())
    }

    /// The same, where the files of orders are encrypted, and their key is stored.
    pub fn encrypted(application: Digest, secret: &[u8]) -> Self {
        let mut orders = orders_descriptor();
        orders.encryption = chancery_governance::dataset::Encryption::ChunkedAes256Gcm;
        Self::of(application, (orders, Some(secret)), definition())
    }

    /// The same with differential privacy.
    pub fn private(application: Digest) -> Self {
        let mut orders = orders_descriptor();
        orders.policy.minimum_group = None;
        orders.policy.differential_privacy = Some(DifferentialPrivacy {
            unit: "customer".into(),
            budget: LossBudget {
                period: Period::Life,
                epsilon_micro: 1_000_000,
                delta_pico: 1_000,
            },
            query_epsilon_micro_max: 500_000,
            groups_max: 2,
            rows_max: 3,
            columns: vec![Bounds { column: "amount".into(), lower: 0, upper: 100, decimals: 0 }],
            declared: Vec::new(),
        });
        let mut definition = definition();
        definition.privacy = Some(Loss { epsilon_micro: 400_000, delta_pico: 1_000 });
        for segment in &mut definition.segments {
            segment.pre_conditions.clear();
            segment.post_filters.clear();
        }
        Self::of(application, (orders, None), definition)
    }

    fn of(
        application: Digest,
        (read, secret): (Descriptor, Option<&[u8]>),
        definition: Definition,
    ) -> Self {
        let key = service_key();
        let (log, state, tree) = (Vec::new(), State::Absent, Frontier::default());
        let stored = Vec::new();
        let mut room = Self { log, state, tree, stored, key, now_ms: EPOCH_MS, commands: 0 };
        let itself = Subject::Collaboration(id());
        let terms = Terms { member_signed: Vec::new(), insecure_virtual: true, ..Terms::default() };
        let create =
            CreateCollaboration { name: "Flights".into(), organisation: "Litware".into(), terms };
        room.by("litware", itself, create).unwrap();
        let invitation = Subject::Invitation(InvitationId::new(uuid(0xa, 1)));
        let invite = Invite {
            organisation: "Fabrikam".into(),
            abilities: vec![Ability::Analyst, Ability::Runner, Ability::ResultReceiver],
            email_commitment: email_commitment(&[7; 32], "fabrikam@example.com"),
            tenant: None,
            key: None,
        };
        room.by("litware", invitation, invite).unwrap();
        room.by("fabrikam", invitation, AcceptInvitation {}).unwrap();
        room.by("litware", itself, EnableWorkload { workload: "spark-sql".into() }).unwrap();
        let policy = SetCleanRoomPolicy::of(vec![application]);
        room.by("litware", itself, policy).unwrap();
        let orders = Subject::Dataset(orders());
        room.by("litware", orders, PublishDataset { descriptor: read }).unwrap();
        if let Some(secret) = secret {
            room.attest();
            room.store(secret);
        }
        let report = Subject::Dataset(report());
        room.by("fabrikam", report, PublishDataset { descriptor: report_descriptor() }).unwrap();
        let subject = Subject::Query(query());
        room.by("fabrikam", subject, DraftQuery { definition }).unwrap();
        room.by("fabrikam", subject, ProposeQuery { votes_until_ms: None, runs_until_ms: None })
            .unwrap();
        let digest = room.digest();
        room.by("litware", subject, ApproveQuery { digest }).unwrap();
        room.by("fabrikam", subject, ApproveQuery { digest }).unwrap();
        room
    }

    /// The service announces its keys.
    fn attest(&mut self) {
        let mut point = [9; 65];
        point[0] = 4;
        let token_key = PublicKey::new(Algorithm::Es256, &point).unwrap();
        let release_key = *release_key().public();
        let service = self.key.public();
        let bound = service_keys_report_data(SERVICE, service, &release_key, &token_key);
        let evidence =
            chancery_attestation::insecure_virtual::evidence(Digest::of(b"the service"), bound);
        let command: Command = AttestService { release_key, token_key, evidence }.into();
        let content = codec::encode(&encode_command(&command));
        let subject = Subject::Collaboration(id());
        self.commands += 1;
        let id = CommandId::new(uuid(0xe, self.commands));
        let message = SignedCommand {
            audience: service.id(),
            collaboration: self::id(),
            action: command.action().into(),
            subject: subject.to_string(),
            content: Digest::of(&content),
            expected_version: None,
            command: id,
            expires_ms: self.now_ms + 60 * 60 * 1000,
        }
        .sign(ContentType::ServiceCommand, &self.key);
        let authority = Authority::ServiceSigned(SignedContent { message, content });
        self.take(subject, id, &authority).unwrap();
    }

    /// Litware stores the secret of orders.
    pub fn store(&mut self, secret: &[u8]) {
        let release_key = release_key();
        let version = self.state().dataset_version(orders()).unwrap().1.digest;
        let of = DatasetVersion { dataset: orders(), digest: version };
        let context = stored_context(id(), &of);
        self.stored = chancery_sealing::seal(release_key.public(), &context, secret).unwrap();
        let store = StoreDatasetSecret {
            version,
            ciphertext: Digest::of(&self.stored),
            release_key: release_key.public().id(),
        };
        self.by("litware", Subject::Dataset(orders()), store).unwrap();
    }

    /// Litware destroys it.
    pub fn erase_secret(&mut self) {
        self.stored.clear();
        self.by("litware", Subject::Dataset(orders()), EraseDatasetSecret {}).unwrap();
    }

    /// What the entry at a position gave, sealed as the service does it; or the code of a refusal.
    pub fn given(&self, run: RunId, position: u64) -> Result<Vec<u8>, &'static str> {
        let state = self.state();
        let given = state.runs[&run].secrets.as_ref().map(|secrets| &secrets.given);
        let given = given.and_then(|given| given.iter().find(|it| it.position == position));
        let given = given.ok_or("not_given")?;
        if let Some(reason) = standing(state, run, self.now_ms).first() {
            return Err(reason.code.as_str());
        }
        let context = stored_context(id(), &given.version);
        let secret = release_key().open(&context, &self.stored).map_err(|_| "secret_erased")?;
        let context = given_context(id(), run, &given.leaf);
        Ok(chancery_sealing::seal(&given.recipient, &context, &secret).unwrap())
    }

    pub fn state(&self) -> &Collaboration {
        self.state.collaboration().unwrap()
    }

    pub fn digest(&self) -> Digest {
        self.state().queries[&query()].live_proposal().unwrap().digest
    }

    pub fn request(&mut self, run: RunId) {
        let request = RequestRun { query: query(), digest: self.digest() };
        self.by("fabrikam", Subject::Run(run), request).unwrap();
    }

    pub fn withdraw_consent(&mut self) {
        self.withdraw(ConsentKind::Execution);
    }

    pub fn withdraw(&mut self, kind: ConsentKind) {
        let withdraw = WithdrawConsent { kind };
        self.by("litware", Subject::Dataset(orders()), withdraw).unwrap();
    }

    pub fn pause(&mut self) {
        let pause = PauseCollaboration { reason: "An incident.".into() };
        self.by("litware", Subject::Collaboration(id()), pause).unwrap();
    }

    pub fn by(
        &mut self,
        who: &str,
        subject: Subject,
        command: impl Into<Command>,
    ) -> Result<(), Rejection> {
        let command = command.into();
        self.commands += 1;
        let id = CommandId::new(uuid(0xe, self.commands));
        let authority = Authority::ServiceWitnessed(Witness {
            token: Digest::of(who.as_bytes()),
            issuer: "https://issuer.test".into(),
            tenant: None,
            subject: who.into(),
            key_id: "1".into(),
            action: command.action().into(),
            expected_version: None,
            content: codec::encode(&encode_command(&command)),
        });
        self.take(subject, id, &authority)
    }

    /// Decides and appends, as the command service does.
    pub fn take(
        &mut self,
        subject: Subject,
        command: CommandId,
        authority: &Authority,
    ) -> Result<(), Rejection> {
        // The executor's signatures end by the machine's clock.
        let signed = carried(authority).ok().and_then(|carried| Some(carried.signed?.command));
        self.now_ms = match signed {
            Some(signed) => self.now_ms.max(signed.expires_ms - 60 * 60 * 1000),
            None => self.now_ms + 1000,
        };
        let evidence = carried(authority).ok().and_then(|carried| match carried.command {
            Command::AdmitRun(command) => Some(command.evidence),
            Command::SucceedRun(command) => Some(command.evidence),
            Command::ReleaseSecret(command) => Some(command.evidence),
            Command::AttestService(command) => Some(command.evidence),
            _ => None,
        });
        let service = self.key.public();
        let submission = Submission {
            collaboration: id(),
            subject,
            command,
            authority,
            verified: None,
            now_ms: self.now_ms,
            facts: Facts {
                service: Some(Service {
                    name: SERVICE.into(),
                    key: service.clone(),
                    evidence: chancery_attestation::insecure_virtual::evidence(
                        Digest::of(b"the service"),
                        chancery_attestation::service::report_data(SERVICE, service),
                    ),
                }),
                email_ciphertext: Some("c2VhbGVk".into()),
                email_is_known: false,
                email: EmailProof::Matches,
                verdict: evidence.map(|evidence| {
                    chancery_attestation::verify(&evidence).map_err(|error| error.to_string())
                }),
                token_issuer: None,
            },
        };
        let decision = handle(&self.state, &submission)?;
        let state = std::mem::take(&mut self.state);
        let (sealed, state) = log::seal(state, decision, &submission, &self.key).unwrap();
        self.state = state;
        self.tree.extend(sealed.iter().map(Sealed::leaf));
        self.log.extend(sealed);
        Ok(())
    }

    pub fn checkpoint(&self) -> String {
        let origin = self.state().origin();
        Checkpoint { origin, size: self.tree.size(), root: self.tree.root() }.sign(&self.key)
    }

    pub fn stage_name(&self, run: RunId) -> &'static str {
        self.state().runs[&run].stage.name()
    }
}

fn columns(columns: &[(&str, ColumnType)]) -> Vec<Column> {
    columns.iter().map(|(name, kind)| Column { name: (*name).into(), kind: *kind }).collect()
}

pub fn orders_descriptor() -> Descriptor {
    Descriptor {
        name: "orders".into(),
        usage: Usage::default(),
        encryption: chancery_governance::dataset::Encryption::None,
        token_audience: None,
        format: Format::Csv { null_value: Some("NA".into()) },
        columns: columns(&[
            ("customer", ColumnType::String),
            ("region", ColumnType::String),
            ("amount", ColumnType::Long),
            ("note", ColumnType::String),
        ]),
        store: Store::Local { path: "orders".into() },
        access_mode: AccessMode::Read,
        policy: AccessPolicy {
            allowed_columns: ["customer", "region", "amount"].map(Into::into).into(),
            minimum_group: Some(MinimumGroup { identity: GroupIdentity::Row, count: 2 }),
            column_rules: Vec::new(),
            differential_privacy: None,
        },
    }
}

fn report_descriptor() -> Descriptor {
    let columns = columns(&[("region", ColumnType::String), ("total", ColumnType::Long)]);
    Descriptor {
        name: "report".into(),
        usage: Usage::default(),
        encryption: chancery_governance::dataset::Encryption::None,
        token_audience: None,
        format: Format::Csv { null_value: None },
        policy: AccessPolicy {
            allowed_columns: columns.iter().map(|column| column.name.clone()).collect(),
            minimum_group: None,
            column_rules: Vec::new(),
            differential_privacy: None,
        },
        columns,
        store: Store::Local { path: "report".into() },
        access_mode: AccessMode::Write,
    }
}

fn definition() -> Definition {
    Definition {
        name: "Totals".into(),
        segments: vec![Segment {
            order: 1,
            view: "totals".into(),
            sql: "SELECT region, SUM(amount) AS total FROM orders GROUP BY region".into(),
            pre_conditions: vec![PreCondition { view: "orders".into(), min_rows: 3 }],
            post_filters: vec![PostFilter { column: "total".into(), minimum: 1 }],
        }],
        inputs: vec![Input { alias: "orders".into(), dataset: orders() }],
        output: report(),
        parameters: Vec::new(),
        privacy: None,
    }
}
