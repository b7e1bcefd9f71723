//! A clean room in memory: keys from seeds, a clock that is set, submissions signed or witnessed as
//! a service would take them, decided, sealed and kept.

#![allow(dead_code, missing_docs, reason = "each test binary uses its own part")]
#![allow(clippy::unused_self, reason = "all kinds of authority are asked of the world")]

pub mod evidence;
pub mod fixtures;
pub mod people;
pub mod secrets;
pub mod stages;

use std::collections::BTreeSet;

use chancery_governance::command::{Command, RotateServiceKey};
use chancery_governance::event::Event;
use chancery_governance::log;
use chancery_governance::reason::{Code, Reason, Rejection};
use chancery_governance::replay::{Replay, ReplayError};
use chancery_governance::run::Evidence;
use chancery_governance::state::{Collaboration, State};
use chancery_governance::subject::Subject;
use chancery_governance::submission::{EmailProof, Facts, Service, Submission, handle, key_of};
use chancery_governance::wire::v1;
use chancery_ledger::codec;
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::{ContentType, Verified};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Authority, Sealed, SignedContent, Witness};
use chancery_ledger::id::{CollaborationId, CommandId, RunId};
use chancery_ledger::key::SigningKey;
use uuid::Uuid;

use people::Who;

/// The name of the service.
pub const SERVICE: &str = "chancery.test";
/// When the log begins: 2026-01-01T00:00:00Z.
pub const EPOCH_MS: u64 = 1_767_225_600_000;
/// How long the signatures of well-behaved members live.
pub const LIFETIME_MS: u64 = 5 * 60 * 1000;

/// What a submission came to.
pub type Tried = Result<Vec<(Subject, Event)>, Rejection>;

/// A UUID of version 7 form: the kind of thing in front, a number behind.
pub fn uuid(kind: u16, number: u64) -> Uuid {
    Uuid::from_u128(
        0x0194_1f29_7c00_7000_8000_0000_0000_0000 | u128::from(kind) << 64 | u128::from(number),
    )
}

/// The collaboration that these tests are about.
pub fn collaboration() -> CollaborationId {
    CollaborationId::new(uuid(0xc, 1))
}

/// The key of that seed.
pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

/// A submission before it is handed in: change what shall be wrong with it.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub subject: Subject,
    pub command: CommandId,
    pub authority: Authority,
    pub facts: Facts,
    pub verified: Option<Verified>,
}

/// The clean room.
pub struct World {
    pub id: CollaborationId,
    pub service: SigningKey,
    pub executor: SigningKey,
    pub now_ms: u64,
    pub state: State,
    pub log: Vec<Sealed>,
    pub attempts: Vec<Attempt>,
    used: BTreeSet<CommandId>,
    commands: u64,
}

impl World {
    /// Before anything has happened.
    pub fn empty() -> Self {
        Self {
            id: collaboration(),
            service: key(200),
            executor: key(201),
            now_ms: EPOCH_MS,
            state: State::Absent,
            log: Vec::new(),
            attempts: Vec::new(),
            used: BTreeSet::new(),
            commands: 0,
        }
    }

    pub fn litware(&mut self) -> Act<'_> {
        self.by(Who::Litware)
    }

    pub fn contosso(&mut self) -> Act<'_> {
        self.by(Who::Contosso)
    }

    pub fn fabrikam(&mut self) -> Act<'_> {
        self.by(Who::Fabrikam)
    }

    pub fn by(&mut self, who: Who) -> Act<'_> {
        Act { world: self, who }
    }

    /// The collaboration; it must have begun.
    pub fn room(&self) -> &Collaboration {
        self.state.collaboration().unwrap()
    }

    /// A command id that nobody used.
    pub fn next_command(&mut self) -> CommandId {
        self.commands += 1;
        CommandId::new(uuid(0xe, self.commands))
    }

    /// What `who` would sign for this command, well formed.
    pub fn to_sign(&self, subject: Subject, command: &Command, id: CommandId) -> SignedCommand {
        SignedCommand {
            audience: self.service.public().id(),
            collaboration: self.id,
            action: command.action().to_owned(),
            subject: subject.to_string(),
            content: Digest::of(&content(command)),
            expected_version: None,
            command: id,
            expires_ms: self.now_ms + LIFETIME_MS,
        }
    }

    /// The authority of a member's signature.
    pub fn signed(
        &self,
        who: Who,
        subject: Subject,
        command: &Command,
        id: CommandId,
    ) -> Authority {
        let message = self.to_sign(subject, command, id).sign(ContentType::Command, &who.key());
        Authority::MemberSigned(SignedContent { message, content: content(command) })
    }

    /// The authority of a token that the service says it saw.
    pub fn witnessed(&self, who: Who, command: &Command) -> Authority {
        let identity = who.identity();
        Authority::ServiceWitnessed(Witness {
            token: Digest::of(format!("token of {who:?}").as_bytes()),
            issuer: identity.issuer,
            tenant: identity.tenant,
            subject: identity.subject,
            key_id: "issuer-key-1".into(),
            action: command.action().to_owned(),
            expected_version: None,
            content: content(command),
        })
    }

    /// The well-formed attempt of a member: signed, once it has a key.
    pub fn prepare(&mut self, who: Who, subject: Subject, command: &Command) -> Attempt {
        let id = self.next_command();
        let keyed = self
            .state
            .collaboration()
            .and_then(|room| room.members.get(&who.member()))
            .is_some_and(|member| !member.keys.is_empty());
        let authority = if keyed {
            self.signed(who, subject, command, id)
        } else {
            self.witnessed(who, command)
        };
        Attempt { subject, command: id, authority, facts: self.facts(command), verified: None }
    }

    /// The well-formed report of an executor with `key`.
    pub fn prepare_report(&mut self, key: &SigningKey, run: RunId, command: &Command) -> Attempt {
        let id = self.next_command();
        let subject = Subject::Run(run);
        let message = self.to_sign(subject, command, id).sign(ContentType::ExecutorReport, key);
        let authority =
            Authority::ExecutorSigned(SignedContent { message, content: content(command) });
        Attempt { subject, command: id, authority, facts: self.facts(command), verified: None }
    }

    /// The well-formed command of the service: signed by `new`, for who seals now.
    pub fn prepare_service(&mut self, new: &SigningKey, command: &Command) -> Attempt {
        let id = self.next_command();
        let subject = Subject::Collaboration(self.id);
        let message = self.to_sign(subject, command, id).sign(ContentType::ServiceCommand, new);
        let authority =
            Authority::ServiceSigned(SignedContent { message, content: content(command) });
        Attempt { subject, command: id, authority, facts: self.facts(command), verified: None }
    }

    /// The rotation to `new`, with evidence that binds it.
    pub fn rotation(&self, new: &SigningKey) -> RotateServiceKey {
        let key = new.public().clone();
        RotateServiceKey { evidence: evidence::service(SERVICE, &key), key }
    }

    /// The service changes its key, and seals with the new one from then on.
    pub fn rotate(&mut self, new: SigningKey) -> Tried {
        let command = self.rotation(&new).into();
        let attempt = self.prepare_service(&new, &command);
        let tried = self.submit(&attempt);
        if tried.is_ok() {
            self.service = new;
        }
        tried
    }

    /// What an honest service knows beside a command.
    pub fn facts(&self, command: &Command) -> Facts {
        let mut facts = Facts { email: EmailProof::Matches, ..Facts::default() };
        match command {
            Command::CreateCollaboration(_) => facts.service = Some(self.service_facts()),
            Command::Invite(_) => facts.email_ciphertext = Some("c2VhbGVk".into()),
            Command::AdmitRun(command) => facts.verdict = Some(evidence::verify(&command.evidence)),
            Command::SucceedRun(command) => {
                facts.verdict = Some(evidence::verify(&command.evidence));
            }
            Command::RotateServiceKey(command) => {
                facts.verdict = Some(evidence::verify(&command.evidence));
            }
            Command::ReleaseSecret(command) => {
                facts.verdict = Some(evidence::verify(&command.evidence));
            }
            Command::AttestService(command) => {
                facts.verdict = Some(evidence::verify(&command.evidence));
            }
            Command::MintToken(command) => {
                facts.verdict = Some(evidence::verify(&command.evidence));
                facts.token_issuer = Some(secrets::ISSUER.into());
            }
            _ => {}
        }
        facts
    }

    pub fn service_facts(&self) -> Service {
        Service {
            name: SERVICE.into(),
            key: self.service.public().clone(),
            evidence: evidence::service(SERVICE, self.service.public()),
        }
    }

    /// Hands an attempt in, as the command service does: decide, seal, keep; or refuse and keep
    /// nothing.
    pub fn submit(&mut self, attempt: &Attempt) -> Tried {
        self.attempts.push(attempt.clone());
        if self.used.contains(&attempt.command) {
            return Err(Rejection::new(Code::CommandIdReused, "the log takes a command once"));
        }
        let submission = Submission {
            collaboration: self.id,
            subject: attempt.subject,
            command: attempt.command,
            authority: &attempt.authority,
            verified: attempt.verified,
            now_ms: self.now_ms,
            facts: attempt.facts.clone(),
        };
        let decision = handle(&self.state, &submission)?;
        let events = decision.events.clone();
        assert!(!events.is_empty(), "a decision without events");
        assert_eq!(events[0].0, attempt.subject, "the first event is about the command's subject");
        let sealed = log::seal(self.state.clone(), decision, &submission, &self.service);
        let (entries, state) =
            sealed.unwrap_or_else(|error| panic!("decided, not sealed: {error}"));
        for entry in &entries {
            let stored = Sealed::open(entry.bytes().to_vec(), self.service.public());
            assert!(
                stored.as_ref() == Ok(entry),
                "sealed, and can't be opened: {:?}",
                stored.err()
            );
        }
        self.used.insert(attempt.command);
        self.log.extend(entries);
        self.state = state;
        self.now_ms += 1_000;
        Ok(events)
    }

    /// Submits an executor's report.
    pub fn report(&mut self, run: RunId, command: impl Into<Command>) -> Tried {
        let attempt = self.prepare_report(&key(201), run, &command.into());
        self.submit(&attempt)
    }

    /// Every event with where it stands.
    pub fn events(&self) -> Vec<(chancery_governance::state::Recorded, Event)> {
        self.log.iter().map(|sealed| log::read(sealed).unwrap()).collect()
    }

    /// Replays the whole log and checks that it comes to the same state.
    pub fn check_replay(&self) {
        let state = replay(&self.log).unwrap_or_else(|error| {
            panic!("the handler's own log does not replay: {error} {error:?}")
        });
        assert_eq!(state, self.state);
    }
}

/// Opens and replays a log, each entry by the key that seals there.
pub fn replay(entries: &[Sealed]) -> Result<State, ReplayError> {
    let begins = entries.first().map(Sealed::entry);
    let named = begins.filter(|entry| entry.kind == "CollaborationCreated").and_then(key_of);
    let first = named.unwrap_or_else(|| key(200).public().clone());
    let verify: &(dyn Fn(&Evidence) -> _ + Sync) = &evidence::verify;
    let mut replay = Replay::default();
    for sealed in entries {
        let Ok(opened) = log::open(sealed.bytes().to_vec(), replay.state(), &first) else {
            let position = sealed.entry().position;
            return Err(log::FoldError::Sealer { position }.into());
        };
        assert_eq!(opened, *sealed);
        replay.step(sealed, verify)?;
    }
    replay.finish(entries.len() as u64)?;
    Ok(replay.state().clone())
}

/// A command's canonical content.
pub fn content(command: &Command) -> Vec<u8> {
    codec::encode(&v1::encode_command(command))
}

/// A member about to act.
pub struct Act<'w> {
    pub world: &'w mut World,
    pub who: Who,
}

impl Act<'_> {
    pub fn does(self, subject: Subject, command: impl Into<Command>) -> Tried {
        let attempt = self.world.prepare(self.who, subject, &command.into());
        self.world.submit(&attempt)
    }
}

/// Every reason code in an outcome: of the rejection, or in the events.
pub fn codes(tried: &Tried) -> Vec<Code> {
    let of = |reasons: &[Reason]| reasons.iter().map(|reason| reason.code).collect::<Vec<_>>();
    match tried {
        Err(rejection) => rejection.reasons().map(|reason| reason.code).collect(),
        Ok(events) => events
            .iter()
            .flat_map(|(_, event)| match event {
                Event::RunRefused(event) => of(&event.reasons),
                Event::RunCancelled(event) => of(&event.reasons),
                Event::SecretRefused(event) => of(&event.reasons),
                Event::TokenRefused(event) => of(&event.reasons),
                Event::QuerySuperseded(event) => vec![event.reason.code],
                Event::ChangeSuperseded(event) => vec![event.reason.code],
                _ => Vec::new(),
            })
            .collect(),
    }
}

/// The types of the events.
pub fn kinds(tried: &Tried) -> Vec<&'static str> {
    match tried {
        Ok(events) => events.iter().map(|(_, event)| event.kind()).collect(),
        Err(rejection) => panic!("refused: {rejection} {:?}", rejection.others),
    }
}
