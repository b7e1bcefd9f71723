//! A command's way in: authority, the collaboration's writer, reply.

use chancery_governance::event::Event;
use chancery_governance::log::read;
use chancery_governance::remedy;
use chancery_governance::subject::Subject;
use chancery_governance::submission::{Carried, carried_early};
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
pub async fn execute(app: &App, caller: &Caller, mut incoming: Incoming) -> Result<Reply, Problem> {
    let submitted = Submitted::of(authority(caller, &mut incoming));
    check_signed(&submitted, incoming.action, incoming.headers.if_match)?;
    let collaboration = incoming.collaboration;
    let wait_s = incoming.headers.wait_s;
    let sender = Sender::of(caller);
    let outcome = app.writers.submit(app, sender, incoming, submitted).await?;
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

/// A command's authority, with what it carries where that was read already.
pub(crate) struct Submitted {
    pub authority: Authority,
    pub carried: Option<Carried>,
}

impl Submitted {
    /// Reads what `authority` carries, unless it is long: see [`carried_early`].
    pub(crate) fn of(authority: Authority) -> Self {
        Self { carried: carried_early(&authority), authority }
    }
}

/// The head of a CBOR array of three items.
const ARRAY_OF_THREE: u8 = 0x83;

impl Incoming {
    /// What the id of a command stands for: another action, subject or content under it is a
    /// misuse. SHA-256 of CBOR `[action, subject, content]`; `content` is given in its canonical
    /// bytes.
    pub(crate) fn digest(&self, content: &[u8]) -> Digest {
        let action = codec::encode(&Value::text(self.action));
        let subject = codec::encode(&Value::text(self.subject.to_string()));
        Digest::of_parts(&[&[ARRAY_OF_THREE], &action, &subject, content])
    }
}

/// By what right the command comes. It takes the signature and the content, so that they are not held
/// twice while the command waits.
fn authority(caller: &Caller, incoming: &mut Incoming) -> Authority {
    let content = codec::encode(&std::mem::replace(&mut incoming.content, Value::Null));
    let Some(message) = incoming.headers.signature.take() else {
        let identity = &caller.identity;
        return Authority::ServiceWitnessed(Witness {
            token: identity.token_digest,
            issuer: identity.issuer.clone(),
            tenant: identity.tenant.clone(),
            subject: identity.subject.clone(),
            key_id: identity.key_id.clone(),
            action: incoming.action.to_owned(),
            expected_version: incoming.headers.if_match,
            content,
        });
    };
    let signed = SignedContent { message, content };
    if caller.is_executor {
        Authority::ExecutorSigned(signed)
    } else {
        Authority::MemberSigned(signed)
    }
}

/// Checks that signed bytes are for the action that they came with, and for the version, if one did.
fn check_signed(submitted: &Submitted, action: &str, if_match: Option<u64>) -> Result<(), Problem> {
    let (kind, message) = match &submitted.authority {
        Authority::MemberSigned(signed) => (ContentType::Command, &signed.message),
        Authority::ExecutorSigned(signed) => (ContentType::ExecutorReport, &signed.message),
        Authority::ServiceSigned(_)
        | Authority::ServiceWitnessed(_)
        | Authority::Consequence(_) => return Ok(()),
    };
    let read = submitted.carried.as_ref().and_then(|carried| carried.signed.as_ref());
    let parsed;
    let signed = if let Some(signed) = read {
        &signed.command
    } else {
        (parsed, _) = SignedCommand::parse(kind, message)
            .map_err(|error| Problem::bad_request("signature_malformed", format!("{error}.")))?;
        &parsed
    };
    if signed.action != action {
        return Err(Problem::forbidden(
            "signature_other_subject",
            "The signature is for another action.",
        ));
    }
    if if_match.is_some() && if_match != signed.expected_version {
        return Err(Problem::bad_request(
            "if_match_not_signed",
            "If-Match names another version than the signed bytes do.",
        ));
    }
    Ok(())
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

/// Whether [`refusal`] can be of an event of that type: all of them are named so.
pub(crate) fn may_refuse(kind: &str) -> bool {
    kind.ends_with("Refused")
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

#[cfg(test)]
mod tests {
    use chancery_ledger::id::DatasetId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_digest_of_a_command_is_that_of_its_array() {
        let content = Value::map([("kind", Value::text("query")), ("more", Value::Array(vec![]))]);
        let subject = Subject::Dataset(DatasetId::new(Uuid::from_u128(7)));
        let incoming = Incoming {
            collaboration: CollaborationId::new(Uuid::from_u128(1)),
            subject,
            action: "dataset.withdraw-consent",
            content: Value::Null,
            email: None,
            sealed: None,
            headers: CommandHeaders {
                command: CommandId::new(Uuid::from_u128(2)),
                signature: None,
                if_match: None,
                wait_s: None,
            },
        };
        let whole = codec::encode(&Value::Array(vec![
            Value::text(incoming.action),
            Value::text(subject.to_string()),
            content.clone(),
        ]));
        assert_eq!(incoming.digest(&codec::encode(&content)), Digest::of(&whole));
    }
}
