//! Clean rooms, founded by the rules as the service would, and members' commands in them that are
//! signed before anything is timed.
//!
//! Every command withdraws or restores one member's consent to one kind of use of one dataset. Such
//! a pair of member, dataset and kind is a *lane*: in a lane commands alternate, so each is legal
//! when it follows the one before; lanes don't touch one another.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_attestation::{insecure_virtual, service};
use chancery_governance::command::{
    AcceptInvitation, Command, CreateCollaboration, Invite, PublishDataset, RegisterSigningKey,
    RestoreConsent, WithdrawConsent,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::dataset::{
    AccessMode, AccessPolicy, Column, ColumnType, Descriptor, Format, Store as Location,
};
use chancery_governance::decide::member::registration_message;
use chancery_governance::event::{ConsentRestored, ConsentWithdrawn, Event};
use chancery_governance::log;
use chancery_governance::member::{Ability, Identity, Terms};
use chancery_governance::run::Evidence;
use chancery_governance::state::State;
use chancery_governance::subject::Subject;
use chancery_governance::submission::{
    EmailProof, Facts, Service, Submission, email_commitment, handle,
};
use chancery_governance::wire::v1;
use chancery_ledger::codec::{self, Value};
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{self, Actor, Authority, Entry, Sealed, SignedContent, Witness};
use chancery_ledger::id::{CollaborationId, CommandId, DatasetId, InvitationId, MemberId};
use chancery_ledger::key::SigningKey;
use uuid::Uuid;

/// The service's name.
pub const SERVICE: &str = "ledger.example.com";
/// How long the members' signatures live: the benchmarks take less.
const LIFETIME_MS: u64 = 12 * 60 * 60 * 1000;
const KINDS: [ConsentKind; 3] =
    [ConsentKind::Execution, ConsentKind::Logging, ConsentKind::Telemetry];
/// Members of a room, its founder included.
pub const MEMBERS: usize = 4;

/// One who takes part.
pub struct Member {
    /// Its id in the room.
    pub id: MemberId,
    /// Who it is.
    pub identity: Identity,
    /// What it signs with.
    pub key: SigningKey,
}

/// A room in memory.
pub struct Room {
    /// The collaboration's id.
    pub id: CollaborationId,
    /// Who takes part.
    pub members: Vec<Member>,
    /// The entries so far.
    pub entries: Vec<Sealed>,
    service: Arc<SigningKey>,
    datasets: Vec<(usize, DatasetId)>,
    state: State,
    now_ms: u64,
    commands: u64,
}

/// A member's own marks of one kind on one dataset.
#[derive(Debug, Clone, Copy)]
pub struct Lane {
    /// The member, by its place in the room.
    pub member: usize,
    subject: Subject,
    kind: ConsentKind,
    /// Commands made so far: the next withdraws where that is even.
    made: u64,
}

/// A signed command on its way.
pub struct Signed {
    /// What it is about.
    pub subject: Subject,
    /// The action.
    pub action: &'static str,
    /// Its id.
    pub command: CommandId,
    /// The content.
    pub content: Value,
    /// The signed command.
    pub message: Vec<u8>,
}

/// The key that seals the logs.
pub fn service_key() -> Result<SigningKey> {
    key(1)
}

/// The evidence that binds the service's key.
pub fn service_evidence(key: &SigningKey) -> Evidence {
    let bound = service::report_data(SERVICE, key.public());
    insecure_virtual::evidence(Digest::of(b"the service"), bound)
}

fn key(seed: u8) -> Result<SigningKey> {
    SigningKey::from_seed(&[seed; 32]).context("a seed of 32 bytes")
}

fn uuid(kind: u16, room: u64, number: u64) -> Uuid {
    Uuid::from_u128(
        0x0193_2b6c_7d3a_7000_8000_0000_0000_0000
            | u128::from(kind) << 64
            | u128::from(room & 0xff) << 48
            | u128::from(number),
    )
}

impl Room {
    /// Room `number` with its members, without signing keys, and `datasets` of theirs.
    ///
    /// # Errors
    ///
    /// Where the rules refuse what they should take.
    pub fn founded(number: u64, datasets: usize, now_ms: u64) -> Result<Self> {
        let members = (0..MEMBERS).map(|place| {
            let seed = u8::try_from(100 + place)?;
            let name = format!("member-{place}");
            let identity = Identity {
                issuer: "https://login.example.com".to_owned(),
                tenant: Some("example".to_owned()),
                subject: name,
            };
            // The founder's id is the collaboration's command; the others' are their invitations'.
            Ok(Member {
                id: MemberId::new(uuid(2, number, place as u64)),
                identity,
                key: key(seed)?,
            })
        });
        let mut room = Self {
            id: CollaborationId::new(uuid(1, number, 0)),
            members: members.collect::<Result<_>>()?,
            entries: Vec::new(),
            service: Arc::new(service_key()?),
            datasets: Vec::new(),
            state: State::Absent,
            now_ms,
            commands: 0,
        };
        room.create()?;
        for place in 1..MEMBERS {
            room.join(place, number)?;
        }
        for place in 0..datasets {
            let id = DatasetId::new(uuid(4, number, place as u64));
            let owner = place % MEMBERS;
            let publish = PublishDataset { descriptor: descriptor(place) };
            room.send(owner, Subject::Dataset(id), &publish.into(), Facts::default())?;
            room.datasets.push((owner, id));
        }
        Ok(room)
    }

    /// Every lane, those of a member far apart.
    pub fn lanes(&self) -> Vec<Lane> {
        let lane = |kind| {
            move |(member, id): &(usize, DatasetId)| Lane {
                member: *member,
                subject: Subject::Dataset(*id),
                kind,
                made: 0,
            }
        };
        KINDS.into_iter().flat_map(|kind| self.datasets.iter().map(lane(kind))).collect()
    }

    /// The next command of `lane`, signed by its member. Ids are of `series`, which no other
    /// caller may use for this room.
    pub fn signed(&self, lane: &mut Lane, series: u16, number: u64, now_ms: u64) -> Signed {
        let (command, _) = lane.next();
        let id = CommandId::new(uuid(0x100 | series, self.number(), number));
        let content = v1::encode_command(&command);
        let bytes = codec::encode(&content);
        let action = command.action();
        let message = self.message(lane, action, &bytes, id, now_ms);
        Signed { subject: lane.subject, action, command: id, content, message }
    }

    /// What registers the key of the member at `place`.
    pub fn registration(&self, place: usize) -> (Subject, RegisterSigningKey) {
        let member = &self.members[place];
        let audience = self.service.public().id();
        let message = registration_message(audience, self.id, member.id, member.key.public());
        let proof = URL_SAFE_NO_PAD.encode(member.key.sign(&message));
        let register = RegisterSigningKey { key: member.key.public().clone(), proof };
        (Subject::Member(member.id), register)
    }

    /// Registers every member's key.
    ///
    /// # Errors
    ///
    /// Where the rules refuse it.
    pub fn register_keys(&mut self) -> Result<()> {
        for place in 0..self.members.len() {
            let (subject, register) = self.registration(place);
            self.send(place, subject, &register.into(), Facts::default())?;
        }
        Ok(())
    }

    /// Seals what a legal command of `lane` causes, without asking the rules again: the entry that
    /// they would make, at a third of the cost. Only the last entry is kept.
    pub fn mark(&mut self, lane: &mut Lane) -> &Sealed {
        let (command, event) = lane.next();
        self.commands += 1;
        let id = CommandId::new(uuid(5, self.number(), self.commands));
        let content = codec::encode(&v1::encode_command(&command));
        let message = self.message(lane, command.action(), &content, id, self.now_ms);
        let last = self.entries.last();
        let entry = Entry {
            kind: event.kind().to_owned(),
            collaboration: self.id,
            position: last.map_or(0, |last| last.entry().position + 1),
            previous: last.map(Sealed::leaf),
            subject: lane.subject.to_string(),
            actor: Actor::Member(self.members[lane.member].id),
            command: id,
            time_ms: self.now_ms,
            payload: v1::encode_event(&event),
            authority: Authority::MemberSigned(SignedContent { message, content }),
        };
        let sealed = entry::seal(entry, &self.service);
        self.entries.clear();
        self.entries.push(sealed);
        &self.entries[0]
    }

    /// The service's key.
    pub const fn service(&self) -> &Arc<SigningKey> {
        &self.service
    }

    fn number(&self) -> u64 {
        u64::from(self.id.as_bytes()[9])
    }

    fn message(
        &self,
        lane: &Lane,
        action: &str,
        content: &[u8],
        command: CommandId,
        now_ms: u64,
    ) -> Vec<u8> {
        SignedCommand {
            audience: self.service.public().id(),
            collaboration: self.id,
            action: action.to_owned(),
            subject: lane.subject.to_string(),
            content: Digest::of(content),
            expected_version: None,
            command,
            expires_ms: now_ms + LIFETIME_MS,
        }
        .sign(ContentType::Command, &self.members[lane.member].key)
    }

    fn create(&mut self) -> Result<()> {
        let create = CreateCollaboration {
            name: "Benchmark".to_owned(),
            organisation: "Organisation 0".to_owned(),
            terms: Terms { insecure_virtual: true, ..Terms::default() },
        };
        let facts = Facts {
            service: Some(Service {
                name: SERVICE.to_owned(),
                key: self.service.public().clone(),
                evidence: service_evidence(&self.service),
            }),
            ..Facts::default()
        };
        self.send(0, Subject::Collaboration(self.id), &create.into(), facts)?;
        let state = self.state.collaboration().context("a room that was founded")?;
        let founder = state.members.keys().next().context("its founder")?;
        self.members[0].id = *founder;
        Ok(())
    }

    fn join(&mut self, place: usize, number: u64) -> Result<()> {
        let id = uuid(2, number, place as u64);
        let subject = Subject::Invitation(InvitationId::new(id));
        let invite = Invite {
            organisation: format!("Organisation {place}"),
            abilities: vec![Ability::DataProvider],
            email_commitment: email_commitment(&[7; 16], "someone@example.com"),
            tenant: None,
            key: None,
        };
        let facts =
            Facts { email_ciphertext: Some(URL_SAFE_NO_PAD.encode([7; 60])), ..Facts::default() };
        self.send(0, subject, &invite.into(), facts)?;
        let facts = Facts { email: EmailProof::Matches, ..Facts::default() };
        self.send(place, subject, &AcceptInvitation {}.into(), facts)?;
        let identity = &self.members[place].identity;
        let state = self.state.collaboration().context("a room")?;
        let (id, _) = state.member_by_identity(identity).context("who accepted is a member")?;
        self.members[place].id = id;
        Ok(())
    }

    /// Sends a command by a token that the service says it saw; the rules decide.
    fn send(
        &mut self,
        place: usize,
        subject: Subject,
        command: &Command,
        facts: Facts,
    ) -> Result<()> {
        self.commands += 1;
        let identity = &self.members[place].identity;
        let authority = Authority::ServiceWitnessed(Witness {
            token: Digest::of(b"a token"),
            issuer: identity.issuer.clone(),
            tenant: identity.tenant.clone(),
            subject: identity.subject.clone(),
            key_id: "key-1".to_owned(),
            action: command.action().to_owned(),
            expected_version: None,
            content: codec::encode(&v1::encode_command(command)),
        });
        let submission = Submission {
            collaboration: self.id,
            subject,
            command: CommandId::new(uuid(5, self.number(), self.commands)),
            authority: &authority,
            verified: None,
            now_ms: self.now_ms,
            facts,
        };
        let refused = |rejection| anyhow!("{} on {subject}: {rejection}", command.action());
        let decision = handle(&self.state, &submission).map_err(refused)?;
        let state = std::mem::take(&mut self.state);
        let (entries, state) = log::seal(state, decision, &submission, &self.service)?;
        self.state = state;
        self.entries.extend(entries);
        Ok(())
    }
}

impl Lane {
    fn next(&mut self) -> (Command, Event) {
        let (kind, withdraw) = (self.kind, self.made.is_multiple_of(2));
        self.made += 1;
        if withdraw {
            (WithdrawConsent { kind }.into(), ConsentWithdrawn { kind }.into())
        } else {
            (RestoreConsent { kind }.into(), ConsentRestored { kind }.into())
        }
    }
}

fn descriptor(number: usize) -> Descriptor {
    let column = |(name, kind): (&str, ColumnType)| Column { name: name.to_owned(), kind };
    let columns = [("region", ColumnType::String), ("amount", ColumnType::Long)];
    Descriptor {
        name: format!("dataset-{number}"),
        usage: chancery_governance::usage::Usage::default(),
        encryption: chancery_governance::dataset::Encryption::None,
        token_audience: None,
        format: Format::Csv { null_value: None },
        columns: columns.into_iter().map(column).collect(),
        store: Location::Local { path: format!("data/{number}") },
        access_mode: AccessMode::Read,
        policy: AccessPolicy {
            allowed_columns: vec!["region".to_owned(), "amount".to_owned()],
            minimum_group: None,
            column_rules: Vec::new(),
            differential_privacy: None,
        },
    }
}
