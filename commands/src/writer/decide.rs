//! One command's way through the rules, on the state that the commands before it leave.

use chancery_governance::event::Event;
use chancery_governance::run::{Evidence, Verdict as EvidenceVerdict};
use chancery_governance::secret::stored_name;
use chancery_governance::state::State;
use chancery_governance::subject::Subject;
use chancery_governance::submission::{
    Carried, Decision, EmailProof, Facts, Service, Submission, carried, handle_carried,
};
use chancery_ledger::digest::Digest;
use chancery_store::CommandRecord;

use super::batch::{Batch, Beside, Verdict};
use super::{Known, Outcome, Request, Sender};
use crate::App;
use crate::caller::is_member;
use crate::execute::Incoming;
use crate::invitation;
use crate::logs::Loaded;
use crate::problem::Problem;
use crate::refusal;

/// What became of a command's turn.
pub enum Turn {
    /// It is in the batch, or answered.
    Taken,
    /// It must wait until what is decided before it is stored.
    Later(Request),
}

/// Whether a command reads what lies beside the log, so that all before it must be stored.
pub fn reads_beside(incoming: &Incoming) -> bool {
    matches!(
        incoming.action,
        "member.invite" | "member.accept-invitation" | "personal.erase" | "dataset.store-secret"
    )
}

/// Decides `request` on `loaded` and puts it into `batch`.
pub async fn decide(
    app: &App,
    loaded: &mut Option<Loaded>,
    batch: &mut Batch,
    mut request: Request,
) -> Turn {
    if !matches!(request.known, Known::New) {
        match known(app, state(loaded.as_ref()), &request).await {
            Ok(None) => {}
            Ok(Some(record)) => return answer(request, Ok(Outcome::Replayed(record))),
            Err(problem) => return answer(request, Err(problem)),
        }
    }
    match judge(app, loaded, batch, &mut request).await {
        Ok(Some(verdict)) => batch.push(request, verdict),
        Ok(None) => return Turn::Later(request),
        Err(problem) => {
            // Refused, or carried out before: then its first outcome is the answer.
            let seen = may_see(state(loaded.as_ref()), &request.sender, &request.incoming);
            match known(app, state(loaded.as_ref()), &request).await {
                Ok(Some(record)) if seen => return answer(request, Ok(Outcome::Replayed(record))),
                Ok(_) => batch.push(request, Verdict::Refused(problem)),
                Err(unavailable) => return answer(request, Err(unavailable)),
            }
        }
    }
    Turn::Taken
}

fn answer(request: Request, outcome: Result<Outcome, Problem>) -> Turn {
    request.answer(outcome);
    Turn::Taken
}

fn state(loaded: Option<&Loaded>) -> &State {
    loaded.map_or(&State::Absent, |loaded| &loaded.state)
}

/// Decides and seals; none where there is no room for it in this batch.
async fn judge(
    app: &App,
    loaded: &mut Option<Loaded>,
    batch: &mut Batch,
    request: &mut Request,
) -> Result<Option<Verdict>, Problem> {
    let (incoming, sender) = (&request.incoming, &request.sender);
    let now = state(loaded.as_ref());
    if !may_see(now, sender, incoming) {
        return Err(refusal::collaboration_not_found());
    }
    let read;
    let carried = if let Some(carried) = &request.carried {
        carried
    } else {
        read = carried(&request.authority).map_err(|rejection| refusal::rejection(&rejection))?;
        &read
    };
    same_caller(now, sender, carried)?;
    let (facts, mut beside) = facts(app, now, request, carried).await?;
    let submission = Submission {
        collaboration: incoming.collaboration,
        subject: incoming.subject,
        command: incoming.headers.command,
        authority: &request.authority,
        verified: request.verified,
        now_ms: (app.clock)(),
        facts,
    };
    let decision = handle_carried(now, &submission, carried)
        .map_err(|rejection| refusal::rejection(&rejection))?;
    if !batch.has_room_for(&decision) {
        return Ok(None);
    }
    beside.erased.extend(outdated(now, &decision));
    let count = batch.seal(loaded, decision, &submission, (request.digest, beside), &app.logs)?;
    Ok(Some(Verdict::Made(count)))
}

/// The first outcome of a command that was carried out before, for whoever may learn it.
async fn known(
    app: &App,
    state: &State,
    request: &Request,
) -> Result<Option<CommandRecord>, Problem> {
    let incoming = &request.incoming;
    let record = app.store().command(incoming.collaboration, incoming.headers.command).await;
    let record = record.map_err(|error| match &request.known {
        Known::Unsure(fault) => refusal::outcome_unknown(fault),
        Known::New | Known::Ask => refusal::read(&error),
    })?;
    let Some(record) = record else { return Ok(None) };
    let may_learn = match &request.sender {
        Sender::Caller { identity, is_executor, .. } => *is_executor || is_member(state, identity),
        Sender::Service => true,
    };
    if !may_learn {
        return Err(refusal::collaboration_not_found());
    }
    if record.content_digest != request.digest {
        return Err(Problem::conflict(
            "command_id_reused",
            "The Idempotency-Key was used for another command. Make a new one.",
        ));
    }
    Ok(Some(record))
}

/// Whoever is not in a collaboration does not learn that it exists, but by its invitation.
fn may_see(state: &State, sender: &Sender, incoming: &Incoming) -> bool {
    let collaboration = state.collaboration();
    let Sender::Caller { identity, is_executor, .. } = sender else {
        return collaboration.is_some();
    };
    let invited = |id| collaboration.is_some_and(|it| it.invitations.contains_key(&id));
    let open = match (incoming.action, incoming.subject) {
        ("collaboration.create", _) => true,
        ("member.accept-invitation", Subject::Invitation(id)) => invited(id),
        _ => false,
    };
    open || is_member(state, identity) || (*is_executor && collaboration.is_some())
}

/// A signature must be by a key of the member whose token came with it.
fn same_caller(state: &State, sender: &Sender, carried: &Carried) -> Result<(), Problem> {
    let (Sender::Caller { identity, is_executor: false, .. }, Some(signed)) =
        (sender, &carried.signed)
    else {
        return Ok(());
    };
    let signer =
        state.collaboration().and_then(|state| state.member_by_key(signed.message.key_id()));
    match signer {
        Some((_, member, _)) if member.identity != *identity => Err(Problem::forbidden(
            "signature_other_member",
            "The signature is by a key of another member than the token's.",
        )),
        Some(_) | None => Ok(()),
    }
}

/// The stored secrets that end with what was decided: nothing that no run can be given stays.
fn outdated(state: &State, decision: &Decision) -> Vec<String> {
    let Some(state) = state.collaboration() else { return Vec::new() };
    let ended = decision.events.iter().filter_map(|(subject, event)| {
        let Subject::Dataset(id) = subject else { return None };
        let ends = matches!(
            event,
            Event::DatasetPublished(_)
                | Event::DatasetRetired(_)
                | Event::DatasetSecretStored(_)
                | Event::DatasetSecretErased(_)
        );
        let stored = state.datasets.get(id)?.secret.filter(|_| ends)?;
        Some(stored_name(*id, &stored.ciphertext))
    });
    ended.collect()
}

async fn facts(
    app: &App,
    state: &State,
    request: &Request,
    carried: &Carried,
) -> Result<(Facts, Beside), Problem> {
    let incoming = &request.incoming;
    let mut facts = Facts::default();
    let mut beside = Beside::default();
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
                facts.email_is_known = invitation::is_known(app, state, email).await?;
                let sealed = invitation::seal(email, incoming)?;
                facts.email_ciphertext = Some(sealed.ciphertext);
                beside.personal_key = Some((incoming.subject.to_string(), sealed.key));
            }
        }
        "member.accept-invitation" => {
            let matches = match &request.sender {
                Sender::Caller { verified_email: Some(email), .. } => {
                    invitation::is_for(app, state, incoming.subject, email).await?
                }
                Sender::Caller { verified_email: None, .. } | Sender::Service => false,
            };
            facts.email = if matches { EmailProof::Matches } else { EmailProof::Differs };
        }
        "personal.erase" => beside.erased.push(incoming.subject.to_string()),
        "dataset.store-secret" => {
            if let (Some(sealed), Subject::Dataset(dataset)) = (&incoming.sealed, incoming.subject)
            {
                let name = stored_name(dataset, &Digest::of(sealed));
                beside.personal_key = Some((name, sealed.clone()));
            }
        }
        "run.admit" | "run.succeed" | "service.rotate-key" | "run.release-secret"
        | "run.mint-token" | "service.attest" => {
            facts.verdict = carried.command.evidence().map(verify);
            facts.token_issuer.clone_from(&app.token_issuer);
        }
        _ => {}
    }
    Ok((facts, beside))
}

fn verify(evidence: &Evidence) -> Result<EvidenceVerdict, String> {
    chancery_attestation::verify(evidence).map_err(|error| error.to_string())
}
