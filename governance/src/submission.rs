//! From a submitted command to what it causes: who calls, may they, what follows.
//!
//! The command service runs this on each request, the auditor again on each stored entry: both
//! reach the same events from the same bytes, or the log is refused.

use chancery_ledger::codec::{self, Value};
use chancery_ledger::command::{LIFETIME_MS_MAX, SignedCommand};
use chancery_ledger::cose::{ContentType, Sign1, Verified};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Actor, Authority, Entry, SEALED_LEN_MAX, SignedContent};
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::key::{KeyId, PublicKey};

use crate::authorise;
use crate::command::Command;
use crate::decide;
use crate::event::Event;
use crate::member::Identity;
use crate::reason::{Code, Reason, Rejection};
use crate::run::{Evidence, Verdict};
use crate::state::{Collaboration, Member, State};
use crate::subject::Subject;
use chancery_ledger::id::MemberId;

/// A command as it came in, with what the world outside says about it.
#[derive(Debug, Clone)]
pub struct Submission<'a> {
    /// The collaboration.
    pub collaboration: CollaborationId,
    /// What the command acts on.
    pub subject: Subject,
    /// The command's id.
    pub command: CommandId,
    /// By what right; holds the command's content too.
    pub authority: &'a Authority,
    /// Proof that the authority's signature was checked already: see [`Carried::preverify`]. What
    /// it does not prove is checked here.
    pub verified: Option<Verified>,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// What can't be read from the log or the command.
    pub facts: Facts,
}

/// Outside facts. Each is used by one action only.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// `collaboration.create`: the service that seals the new log.
    pub service: Option<Service>,
    /// `member.invite`: the invited e-mail under its own key, base64url.
    pub email_ciphertext: Option<String>,
    /// `member.invite`: whether that e-mail is invited or a member already.
    pub email_is_known: bool,
    /// `member.accept-invitation`: what is known of the caller's e-mail.
    pub email: EmailProof,
    /// Where a command carries evidence: what that says, or why nothing.
    pub verdict: Option<Result<Verdict, String>>,
    /// `run.mint-token`: the public address that the service is known by as an issuer.
    pub token_issuer: Option<String>,
}

/// The service that seals a log.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: PublicKey,
    /// The evidence that binds the key.
    pub evidence: Evidence,
}

/// What is known of an accepting caller's e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmailProof {
    /// It is not the invited one, not verified, or unknown.
    #[default]
    Differs,
    /// The verified e-mail opens the invitation's commitment.
    Matches,
    /// The service recorded that it did; the address itself is not at hand to check again.
    Recorded,
}

/// What a command causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Who caused it.
    pub actor: Actor,
    /// The events, the one about the command's own subject first; never empty.
    pub events: Vec<(Subject, Event)>,
}

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub enum Caller<'a> {
    /// A member, by a signature or a witnessed token.
    Member {
        /// Its id.
        id: MemberId,
        /// Its state.
        member: &'a Member,
        /// Whether it signed.
        signed: bool,
    },
    /// Somebody with a verified identity who is no member.
    Stranger(&'a Identity),
    /// An executor, by its key.
    Executor(&'a PublicKey),
    /// The service, by the id of the key that signed.
    Service(KeyId),
}

/// The action and content that an authority carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The command.
    pub command: Command,
    /// The subject's version that the caller expected.
    pub expected_version: Option<u64>,
    /// What was signed, where it was.
    pub signed: Option<Signed>,
}

/// A signed command and the message that it came in, whose signature is not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What the bytes say.
    pub command: SignedCommand,
    /// The message.
    pub message: Sign1,
}

/// Decides a submission against `state`.
///
/// # Errors
///
/// [`Rejection`] with every reason that could be told at once; nothing has happened then.
pub fn handle(state: &State, submission: &Submission<'_>) -> Result<Decision, Rejection> {
    handle_carried(state, submission, &carried(submission.authority)?)
}

/// As [`handle`], where what the submission's authority carries was read before, by [`carried`].
///
/// # Errors
///
/// As [`handle`].
pub fn handle_carried(
    state: &State,
    submission: &Submission<'_>,
    carried: &Carried,
) -> Result<Decision, Rejection> {
    let identity = witness_identity(submission.authority);
    let admitted = executor_key(state, &carried.command, submission.subject);
    let caller = caller(state, submission, carried, identity.as_ref(), admitted)?;
    let action =
        authorise::Action { command: &carried.command, subject: submission.subject, caller };
    authorise::authorise(state, &action)?;
    check_version(state, submission.subject, carried.expected_version)?;
    let decision = decide::decide(state, &action, submission)?;
    check_size(&decision, submission.authority)?;
    Ok(decision)
}

/// Room in a sealed entry for all but its payload and its authority's longer parts.
const ENVELOPE_LEN_MAX: usize = 4096;

/// Checks that each event will fit into an entry: one that is sealed and can't be opened again
/// would end the log.
fn check_size(decision: &Decision, authority: &Authority) -> Result<(), Rejection> {
    let mut authority_len = authority.carried_len();
    if let Authority::ServiceWitnessed(witness) = authority {
        let texts = [&witness.issuer, &witness.subject, &witness.key_id, &witness.action];
        let tenant = witness.tenant.as_ref().map_or(0, String::len);
        authority_len += texts.iter().map(|text| text.len()).sum::<usize>() + tenant;
    }
    for (_, event) in &decision.events {
        let payload_len = codec::encoded_len(&crate::wire::v1::encode_event(event));
        if payload_len + authority_len + ENVELOPE_LEN_MAX > SEALED_LEN_MAX {
            return Err(Rejection::new(
                Code::LimitExceeded,
                format!(
                    "{} takes more than an entry of {SEALED_LEN_MAX} bytes holds",
                    event.kind()
                ),
            ));
        }
        // Only the first entry carries the command; the others name its position.
        authority_len = 0;
    }
    Ok(())
}

/// Bytes of a signed message and its content, or of a witnessed content, that are read before their
/// command's turn, at most: read, they may take some thirty times as much memory, and many wait.
pub const CARRIED_LEN_MAX: usize = 4 << 10;

/// As [`carried`], before the command's turn: nothing where it is longer than [`CARRIED_LEN_MAX`],
/// or is none. What is wrong with it, its turn says.
pub fn carried_early(authority: &Authority) -> Option<Carried> {
    if authority.carried_len() <= CARRIED_LEN_MAX { carried(authority).ok() } else { None }
}

/// Reads the command that an authority carries; checks no signature.
///
/// # Errors
///
/// [`Rejection`] where the content is not canonical or not that of its action.
pub fn carried(authority: &Authority) -> Result<Carried, Rejection> {
    let (action, content, expected_version, signed) = match authority {
        Authority::MemberSigned(signed) => signed_parts(ContentType::Command, signed)?,
        Authority::ExecutorSigned(signed) => signed_parts(ContentType::ExecutorReport, signed)?,
        Authority::ServiceSigned(signed) => signed_parts(ContentType::ServiceCommand, signed)?,
        Authority::ServiceWitnessed(witness) => {
            (witness.action.clone(), witness.content.as_slice(), witness.expected_version, None)
        }
        Authority::Consequence(_) => {
            return Err(Rejection::new(Code::InvalidContent, "a consequence carries no command"));
        }
    };
    let value = codec::decode(content)
        .map_err(|error| Rejection::new(Code::InvalidContent, error.to_string()))?;
    let command = crate::wire::v1::decode_command(&action, &value)?;
    Ok(Carried { command, expected_version, signed })
}

type SignedParts<'a> = (String, &'a [u8], Option<u64>, Option<Signed>);

fn signed_parts(kind: ContentType, signed: &SignedContent) -> Result<SignedParts<'_>, Rejection> {
    let (command, message) = SignedCommand::parse(kind, &signed.message)
        .map_err(|error| Rejection::new(Code::SignatureInvalid, error.to_string()))?;
    if command.content != Digest::of(&signed.content) {
        return Err(Rejection::new(
            Code::SignatureContent,
            "the signature is over another content than the one sent",
        ));
    }
    let (action, expected) = (command.action.clone(), command.expected_version);
    Ok((action, &signed.content, expected, Some(Signed { command, message })))
}

fn witness_identity(authority: &Authority) -> Option<Identity> {
    match authority {
        Authority::ServiceWitnessed(witness) => Some(Identity {
            issuer: witness.issuer.clone(),
            tenant: witness.tenant.clone(),
            subject: witness.subject.clone(),
        }),
        Authority::MemberSigned(_)
        | Authority::ExecutorSigned(_)
        | Authority::ServiceSigned(_)
        | Authority::Consequence(_) => None,
    }
}

/// The key that an executor's report must be signed with: the one that asks, or the one admitted.
fn executor_key<'a>(
    state: &'a State,
    command: &'a Command,
    subject: Subject,
) -> Option<&'a PublicKey> {
    if let Command::AdmitRun(admit) = command {
        return Some(&admit.executor);
    }
    let Subject::Run(run) = subject else { return None };
    let run = state.collaboration()?.runs.get(&run)?;
    if matches!(command, Command::ReleaseSecret(_) | Command::MintToken(_)) {
        // Also when the run has its outcome: then it is refused, and that is an event.
        return run.secrets.as_ref()?.executor.as_ref();
    }
    run.stage.admission().map(|admission| &admission.executor)
}

/// The key that a command of the service must be signed with: the one that it brings in, or, for
/// what the service may not do anyway, the one that seals.
fn service_key<'a>(
    state: &'a Collaboration,
    command: &'a Command,
    named: KeyId,
) -> Result<&'a PublicKey, Rejection> {
    let key = match command {
        Command::RotateServiceKey(rotate) => &rotate.key,
        _ => &state.service_key,
    };
    if key.id() == named {
        Ok(key)
    } else {
        Err(Rejection::new(
            Code::KeyUnknown,
            "the key is not the one that a service signs this with",
        ))
    }
}

fn caller<'a>(
    state: &'a State,
    submission: &Submission<'_>,
    carried: &Carried,
    identity: Option<&'a Identity>,
    executor: Option<&'a PublicKey>,
) -> Result<Caller<'a>, Rejection> {
    match (submission.authority, &carried.signed) {
        (Authority::ServiceWitnessed(_), _) => {
            let identity = identity
                .ok_or_else(|| Rejection::new(Code::NotAMember, "no identity came along"))?;
            let member = state.collaboration().and_then(|state| state.member_by_identity(identity));
            Ok(match member {
                Some((id, member)) => Caller::Member { id, member, signed: false },
                None => Caller::Stranger(identity),
            })
        }
        (Authority::MemberSigned(_), Some(signed)) => {
            let state = present(state)?;
            let (id, member, key) =
                state.member_by_key(signed.message.key_id()).ok_or_else(|| {
                    Rejection::new(Code::KeyUnknown, "the key is registered to no member here")
                })?;
            if key.revoked_at.is_some() {
                return Err(Rejection::new(Code::KeyRevoked, "the key was revoked"));
            }
            check_signed(state, submission, &signed.command)?;
            check_signature(signed, &key.key, submission)?;
            Ok(Caller::Member { id, member, signed: true })
        }
        (Authority::ExecutorSigned(_), Some(signed)) => {
            let state = present(state)?;
            let key = executor.ok_or_else(|| match submission.subject {
                Subject::Run(run) => decide::run::no_admission(state, run),
                _ => Rejection::new(Code::WrongSubject, "the action is about a run"),
            })?;
            if signed.message.key_id() != key.id() {
                return Err(Rejection::new(
                    Code::NotTheAdmittedExecutor,
                    "the run was admitted to another executor key",
                ));
            }
            check_signed(state, submission, &signed.command)?;
            check_signature(signed, key, submission)?;
            Ok(Caller::Executor(key))
        }
        (Authority::ServiceSigned(_), Some(signed)) => {
            let state = present(state)?;
            let key = service_key(state, &carried.command, signed.message.key_id())?;
            check_signed(state, submission, &signed.command)?;
            check_signature(signed, key, submission)?;
            Ok(Caller::Service(signed.message.key_id()))
        }
        (
            Authority::MemberSigned(_) | Authority::ExecutorSigned(_) | Authority::ServiceSigned(_),
            None,
        ) => Err(Rejection::new(Code::SignatureInvalid, "the command carries no signature")),
        (Authority::Consequence(_), _) => {
            Err(Rejection::new(Code::InvalidContent, "a consequence carries no command"))
        }
    }
}

/// Checks that `key` signed, unless that is proven already.
fn check_signature(
    signed: &Signed,
    key: &PublicKey,
    submission: &Submission<'_>,
) -> Result<(), Rejection> {
    let proven =
        submission.verified.is_some_and(|verified| signed.message.is_verified_by(&verified, key));
    if proven {
        return Ok(());
    }
    match signed.message.verify(key) {
        Ok(_) => Ok(()),
        Err(error) => Err(Rejection::new(Code::SignatureInvalid, error.to_string())),
    }
}

impl Carried {
    /// The signed message with the key that it names, to check the signature before the command's
    /// turn comes: the arithmetic, on any core, in any order. Whose key it is and what it may do,
    /// [`handle`] says.
    ///
    /// `key` gives the key of an id; ids are SHA-256 of the key, so a wrong answer proves nothing. A
    /// command that brings its own key (`run.admit`, `service.rotate-key`) needs no answer.
    ///
    /// Gives nothing where there is no signature or no key.
    pub fn signed_by(
        &self,
        key: &dyn Fn(KeyId) -> Option<PublicKey>,
    ) -> Option<(&Sign1, PublicKey)> {
        let message = &self.signed.as_ref()?.message;
        let brought = match &self.command {
            Command::AdmitRun(admit) => Some(&admit.executor),
            Command::RotateServiceKey(rotate) => Some(&rotate.key),
            _ => None,
        };
        Some((message, key(message.key_id()).or_else(|| brought.cloned())?))
    }

    /// Checks the signature by the key of [`Carried::signed_by`].
    pub fn preverify(&self, key: &dyn Fn(KeyId) -> Option<PublicKey>) -> Option<Verified> {
        let (message, key) = self.signed_by(key)?;
        message.verify(&key).ok()
    }
}

fn key_at(map: &Value, field: &str) -> Option<PublicKey> {
    let Value::Map(map) = map else { return None };
    let Some(Value::Text(key)) = map.get(&codec::Key::from(field)) else { return None };
    key.parse().ok()
}

/// The key that an entry brings into its log: those that later signatures and seals are made with.
pub fn key_of(entry: &Entry) -> Option<PublicKey> {
    let field = match entry.kind.as_str() {
        "CollaborationCreated" => "service_key",
        "SigningKeyRegistered" | "ServiceKeyRotated" => "key",
        "RunAdmitted" => "executor",
        _ => return None,
    };
    key_at(&entry.payload, field)
}

/// Checks that signed bytes are meant for this service, log, subject, command and time.
fn check_signed(
    state: &Collaboration,
    submission: &Submission<'_>,
    signed: &SignedCommand,
) -> Result<(), Rejection> {
    // The time that the entry will be sealed with: a clock behind the log must not let in what a
    // replay, which sees the sealed time only, refuses.
    let now_ms = submission.now_ms.max(state.last_time_ms);
    let reasons = [
        (
            signed.audience != state.service_key.id(),
            Code::SignatureAudience,
            "the signature is meant for another service",
        ),
        (
            signed.collaboration != submission.collaboration,
            Code::SignatureCollaboration,
            "the signature is meant for another collaboration",
        ),
        (
            signed.subject != submission.subject.to_string(),
            Code::SignatureSubject,
            "the signature is about another subject",
        ),
        (
            signed.command != submission.command,
            Code::SignatureCommand,
            "the signature names another command id",
        ),
        (signed.expires_ms < now_ms, Code::SignatureExpired, "the signature has ended; sign again"),
        (
            signed.expires_ms > now_ms.saturating_add(LIFETIME_MS_MAX),
            Code::SignatureLifetime,
            "the signature would live longer than a day",
        ),
    ];
    let wrong = reasons.into_iter().filter(|(wrong, ..)| *wrong);
    match Rejection::of(wrong.map(|(_, code, detail)| Reason::new(code, detail)).collect()) {
        Some(rejection) => Err(rejection),
        None => Ok(()),
    }
}

fn check_version(state: &State, subject: Subject, expected: Option<u64>) -> Result<(), Rejection> {
    let Some(expected) = expected else { return Ok(()) };
    let actual = state.collaboration().and_then(|state| state.versions.get(&subject)).copied();
    if actual == Some(expected) {
        return Ok(());
    }
    let actual = actual.map_or("none".to_owned(), |version| version.to_string());
    Err(Rejection::new(
        Code::StaleVersion,
        format!("the subject has version {actual}, not {expected}; load it and decide again"),
    ))
}

/// The collaboration, which must exist.
///
/// # Errors
///
/// [`Code::CollaborationNotFound`].
pub fn present(state: &State) -> Result<&Collaboration, Rejection> {
    state.collaboration().ok_or_else(|| {
        Rejection::new(Code::CollaborationNotFound, "there is no such collaboration")
    })
}

/// The commitment to an e-mail address: `SHA-256(CBOR ["chancery/v1/personal", salt, e-mail])`,
/// the address trimmed and in lower case.
pub fn email_commitment(salt: &[u8], email: &str) -> Digest {
    Digest::of(&codec::encode(&Value::Array(vec![
        Value::text("chancery/v1/personal"),
        Value::bytes(salt),
        Value::text(email.trim().to_lowercase()),
    ])))
}
