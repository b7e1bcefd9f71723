//! A command's way in: authority, the collaboration's writer, reply.

use chancery_governance::event::Event;
use chancery_governance::log::read;
use chancery_governance::remedy;
use chancery_governance::subject::Subject;
use chancery_ledger::codec::{self, Value};
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Authority, Sealed, SignedContent, Witness};
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_store::CommandRecord;

use crate::App;
use crate::caller::Caller;
use crate::mirror;
use crate::personal::Email;
use crate::problem::Problem;
use crate::proofs;
use crate::refusal;
use crate::reply::Reply;
use crate::writer::{Outcome, Sender};

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
    /// The ciphertext that comes beside a dataset's secret.
    pub sealed: Option<Vec<u8>>,
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
    /// `Prefer: wait=N`: how long to wait for the mirror, in seconds.
    pub wait_s: Option<u32>,
}

/// Carries a command out, once.
///
/// # Errors
///
/// The problem to answer with. But for a refused run, nothing was stored then.
pub async fn execute(app: &App, caller: &Caller, incoming: Incoming) -> Result<Reply, Problem> {
    let authority = authority(caller, &incoming)?;
    let collaboration = incoming.collaboration;
    let wait_s = incoming.headers.wait_s;
    let sender = Sender::Caller(caller.clone());
    let outcome = app.writers.submit(app, sender, incoming, authority).await?;
    let reply = match outcome {
        Outcome::Made(made) => {
            let receipt = made.entries.first().map(|entry| entry.entry().position);
            let receipt = receipt.and_then(|position| made.receipt(position));
            reply(app, &made.entries, receipt, false).await?
        }
        Outcome::Replayed(record) => replay(app, collaboration, record).await?,
    };
    // The command stands already, whatever comes of it.
    Ok(match wait_s {
        Some(wait_s) => {
            let mirrored = mirror::wait(app, collaboration, reply.size(), wait_s).await;
            reply.waited(mirrored, wait_s)
        }
        None => reply,
    })
}

impl Incoming {
    /// What the id of a command stands for: another action, subject or content under it is a
    /// misuse.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&codec::encode(&Value::Array(vec![
            Value::text(self.action),
            Value::text(self.subject.to_string()),
            self.content.clone(),
        ])))
    }
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

/// The first outcome of a command that was carried out before.
async fn replay(
    app: &App,
    collaboration: CollaborationId,
    record: CommandRecord,
) -> Result<Reply, Problem> {
    let count = u32::try_from(record.count).unwrap_or(u32::MAX);
    let stored = app.store().range(collaboration, record.first_position, count).await;
    let entries: Vec<_> = stored
        .map_err(|error| refusal::read(&error))?
        .into_iter()
        .map(|stored| Sealed::parse(stored.sealed))
        .collect::<Result<_, _>>()
        .map_err(|error| Problem::corrupt(&refusal::chain(&error)))?;
    let proof = proofs::inclusion(app, collaboration, record.first_position, None).await?;
    reply(app, &entries, Some(proof.receipt(&app.logs)), true).await
}

/// The reply for a command's entries, or the problem that a refused run is, with remedies.
async fn reply(
    app: &App,
    entries: &[Sealed],
    receipt: Option<Vec<u8>>,
    replayed: bool,
) -> Result<Reply, Problem> {
    match Reply::of(entries, receipt, replayed) {
        Ok(reply) => Ok(reply),
        Err(problem) => Err(remedied(app, entries, problem).await),
    }
}

/// The problem that a refused run is, with what to do about each of its reasons that stands now.
async fn remedied(app: &App, entries: &[Sealed], problem: Problem) -> Problem {
    let Some(Ok((at, Event::RunRefused(refused)))) = entries.first().map(read) else {
        return problem;
    };
    let Subject::Run(run) = at.subject else { return problem };
    // The refusal stands; what can't be found out about it is left out.
    let Ok(held) = app.logs.hold(at.collaboration).await else { return problem };
    let Some(state) = held.state().collaboration() else { return problem };
    let now_ms = (app.clock)().max(state.last_time_ms);
    let remedies = remedy::of_refused(state, run, &refused, now_ms).into_iter();
    problem.with_remedies(remedies.map(|it| it.as_ref().map(refusal::remedy)).collect())
}

/// The refusal that a command's first event is, if it is one: the code to answer with, the reasons.
pub(crate) fn refusal(
    event: &Event,
) -> Option<(&'static str, &[chancery_governance::reason::Reason])> {
    match event {
        Event::RunRefused(refused) => Some(("run_refused", &refused.reasons)),
        Event::SecretRefused(refused) => Some(("secret_refused", &refused.reasons)),
        Event::TokenRefused(refused) => Some(("token_refused", &refused.reasons)),
        _ => None,
    }
}
