//! The write path: authority, decision, seal, append, reply.

use chancery_governance::command::Command;
use chancery_governance::event::Event;
use chancery_governance::log::seal;
use chancery_governance::run::{Evidence, Verdict};
use chancery_governance::subject::Subject;
use chancery_governance::submission::{EmailProof, Facts, Service, Submission, carried, handle};
use chancery_ledger::codec::{self, Value};
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Authority, Sealed, SignedContent, Witness};
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_store::{Append, AppendError, CommandRecord, NewCommand, NewEntry};

use crate::App;
use crate::caller::{Caller, is_member};
use crate::invitation;
use crate::logs::Held;
use crate::personal::Email;
use crate::problem::Problem;
use crate::refusal;
use crate::reply::Reply;

/// How often a lost race for the next position is run again.
const RACES_MAX: usize = 4;

/// A command as the HTTP layer read it.
pub struct Incoming {
    /// The collaboration.
    pub collaboration: CollaborationId,
    /// What the command acts on.
    pub subject: Subject,
    /// The action.
    pub action: &'static str,
    /// The command's content.
    pub content: Value,
    /// The e-mail that comes beside an invitation.
    pub email: Option<Email>,
    /// What the headers say.
    pub headers: CommandHeaders,
}

/// What the headers of a command say.
pub struct CommandHeaders {
    /// `Idempotency-Key`: the command's id.
    pub command: CommandId,
    /// `Chancery-Signature`: the signed command.
    pub signature: Option<Vec<u8>>,
    /// `If-Match`: the expected version.
    pub if_match: Option<u64>,
}

/// Carries a command out, once.
///
/// # Errors
///
/// The problem to answer with. But for a refused run, nothing was stored then.
pub async fn execute(app: &App, caller: &Caller, incoming: Incoming) -> Result<Reply, Problem> {
    let authority = authority(caller, &incoming)?;
    let digest = request_digest(&incoming);
    for _ in 0..RACES_MAX {
        let mut held =
            app.logs.hold(incoming.collaboration).await.map_err(|e| refusal::load(&e))?;
        may_see(&held, caller, &incoming)?;
        let known = app.store().command(incoming.collaboration, incoming.headers.command).await;
        if let Some(record) = known.map_err(|error| refusal::read(&error))? {
            if !is_member(held.state(), caller) && !caller.is_executor {
                return Err(refusal::collaboration_not_found());
            }
            return replay(app, &incoming, record, digest).await;
        }
        same_caller(&held, caller, &authority)?;
        let (facts, personal_key) = facts(app, &held, caller, &incoming, &authority).await?;
        let submission = Submission {
            collaboration: incoming.collaboration,
            subject: incoming.subject,
            command: incoming.headers.command,
            authority: &authority,
            verified: None,
            now_ms: (app.clock)(),
            facts,
        };
        let decision = handle(held.state(), &submission)
            .map_err(|rejection| refusal::rejection(&rejection))?;
        let loaded = held.take();
        let first = loaded.tree.size();
        let (entries, state) = seal(loaded.state, decision, &submission, app.logs.key())
            .map_err(|error| Problem::corrupt(&error))?;
        let mut tree = loaded.tree;
        tree.extend(entries.iter().map(Sealed::leaf));
        let append = Append {
            collaboration: incoming.collaboration,
            expected_size: first,
            checkpoint: app.logs.checkpoint(incoming.collaboration, &tree),
            entries: entries
                .iter()
                .map(|entry| NewEntry { sealed: entry.bytes().to_vec(), leaf_hash: entry.leaf() })
                .collect(),
            command: Some(NewCommand { id: incoming.headers.command, content_digest: digest }),
            personal_keys: personal_key.into_iter().collect(),
        };
        match app.store().append(append).await {
            Ok(()) => {
                held.replace(crate::logs::Loaded { state, tree });
                return Reply::of(&entries, false);
            }
            Err(AppendError::Conflict { .. }) => {}
            Err(AppendError::DuplicateCommand(record)) => {
                return replay(app, &incoming, record, digest).await;
            }
            Err(AppendError::Unknown(fault)) => {
                return match app
                    .store()
                    .command(incoming.collaboration, incoming.headers.command)
                    .await
                {
                    Ok(Some(record)) => replay(app, &incoming, record, digest).await,
                    Ok(None) | Err(_) => Err(refusal::outcome_unknown(&fault)),
                };
            }
            Err(error) => return Err(refusal::append(&error)),
        }
    }
    Err(Problem::unavailable(
        "log_contended",
        "Other writers were faster several times. Send the same command again.",
    ))
}

/// What the id of a command stands for: another action, subject or content under it is a misuse.
fn request_digest(incoming: &Incoming) -> Digest {
    Digest::of(&codec::encode(&Value::Array(vec![
        Value::text(incoming.action),
        Value::text(incoming.subject.to_string()),
        incoming.content.clone(),
    ])))
}

fn authority(caller: &Caller, incoming: &Incoming) -> Result<Authority, Problem> {
    let content = codec::encode(&incoming.content);
    let Some(message) = incoming.headers.signature.clone() else {
        let identity = &caller.identity;
        return Ok(Authority::ServiceWitnessed(Witness {
            token: identity.token_digest,
            issuer: identity.issuer.clone(),
            tenant: identity.tenant.clone(),
            subject: identity.subject.clone(),
            key_id: identity.key_id.clone(),
            action: incoming.action.to_owned(),
            expected_version: incoming.headers.if_match,
            content,
        }));
    };
    let kind = if caller.is_executor { ContentType::ExecutorReport } else { ContentType::Command };
    let (signed, _) = SignedCommand::parse(kind, &message)
        .map_err(|error| Problem::bad_request("signature_malformed", format!("{error}.")))?;
    if signed.action != incoming.action {
        return Err(Problem::forbidden(
            "signature_other_subject",
            "The signature is for another action.",
        ));
    }
    if incoming.headers.if_match.is_some() && incoming.headers.if_match != signed.expected_version {
        return Err(Problem::bad_request(
            "if_match_not_signed",
            "If-Match names another version than the signed bytes do.",
        ));
    }
    let signed = SignedContent { message, content };
    Ok(match kind {
        ContentType::ExecutorReport => Authority::ExecutorSigned(signed),
        _ => Authority::MemberSigned(signed),
    })
}

/// Whoever is not in a collaboration does not learn that it exists, but by its invitation.
fn may_see(held: &Held, caller: &Caller, incoming: &Incoming) -> Result<(), Problem> {
    let invited =
        |id| held.state().collaboration().is_some_and(|it| it.invitations.contains_key(&id));
    let open = match (incoming.action, incoming.subject) {
        ("collaboration.create", _) => true,
        ("member.accept-invitation", Subject::Invitation(id)) => invited(id),
        _ => false,
    };
    if open || is_member(held.state(), caller) || (caller.is_executor && held.exists()) {
        Ok(())
    } else {
        Err(refusal::collaboration_not_found())
    }
}

/// A signature must be by a key of the member whose token came with it.
fn same_caller(held: &Held, caller: &Caller, authority: &Authority) -> Result<(), Problem> {
    let Authority::MemberSigned(signed) = authority else { return Ok(()) };
    let signer = SignedCommand::parse(ContentType::Command, &signed.message)
        .ok()
        .and_then(|(_, message)| held.state().collaboration()?.member_by_key(message.key_id()));
    match signer {
        Some((_, member, _)) if member.identity != caller.governance_identity() => {
            Err(Problem::forbidden(
                "signature_other_member",
                "The signature is by a key of another member than the token's.",
            ))
        }
        Some(_) | None => Ok(()),
    }
}

async fn facts(
    app: &App,
    held: &Held,
    caller: &Caller,
    incoming: &Incoming,
    authority: &Authority,
) -> Result<(Facts, Option<(String, Vec<u8>)>), Problem> {
    let mut facts = Facts::default();
    let mut personal_key = None;
    match incoming.action {
        "collaboration.create" => {
            facts.service = Some(Service {
                name: app.logs.service().to_owned(),
                key: app.logs.key().public().clone(),
                evidence: app.evidence.clone(),
            });
        }
        "member.invite" => {
            if let Some(email) = &incoming.email {
                facts.email_is_known = invitation::is_known(app, held, email).await?;
                let sealed = invitation::seal(email, incoming)?;
                facts.email_ciphertext = Some(sealed.ciphertext);
                personal_key = Some((incoming.subject.to_string(), sealed.key));
            }
        }
        "member.accept-invitation" => {
            let matches = invitation::is_for(app, held, incoming.subject, caller).await?;
            facts.email = if matches { EmailProof::Matches } else { EmailProof::Differs };
        }
        "run.admit" | "run.succeed" => {
            facts.verdict = evidence(authority).map(|evidence| verify(&evidence));
        }
        _ => {}
    }
    Ok((facts, personal_key))
}

fn evidence(authority: &Authority) -> Option<Evidence> {
    match carried(authority).ok()?.command {
        Command::AdmitRun(command) => Some(command.evidence),
        Command::SucceedRun(command) => Some(command.evidence),
        _ => None,
    }
}

fn verify(evidence: &Evidence) -> Result<Verdict, String> {
    chancery_attestation::verify(evidence).map_err(|error| error.to_string())
}

/// The first outcome of a command that was carried out before.
async fn replay(
    app: &App,
    incoming: &Incoming,
    record: CommandRecord,
    digest: Digest,
) -> Result<Reply, Problem> {
    if record.content_digest != digest {
        return Err(Problem::conflict(
            "command_id_reused",
            "The Idempotency-Key was used for another command. Make a new one.",
        ));
    }
    let count = u32::try_from(record.count).unwrap_or(u32::MAX);
    let stored = app
        .store()
        .range(incoming.collaboration, record.first_position, count)
        .await
        .map_err(|error| refusal::read(&error))?;
    let entries: Vec<_> = stored
        .into_iter()
        .map(|stored| Sealed::open(stored.sealed, app.logs.key().public()))
        .collect::<Result<_, _>>()
        .map_err(|error| Problem::corrupt(&error))?;
    Reply::of(&entries, true)
}

/// The refusal that a run's first event is, if it is one.
pub(crate) fn run_refusal(event: &Event) -> Option<&[chancery_governance::reason::Reason]> {
    if let Event::RunRefused(refused) = event { Some(&refused.reasons) } else { None }
}
