//! Secrets, tokens and attestation in the fold.

use chancery_ledger::entry::Actor;
use chancery_ledger::key::KeyId;

use super::{SUBJECT, actor};
use crate::event::Event;
use crate::secret::{
    Attests, Given, GivenWhat, RunSecrets, ServiceKeys, StoredSecret, TokenClaims,
};
use crate::state::{Collaboration, Dataset, Recorded};
use crate::subject::Subject;

pub(super) fn apply(
    state: &mut Collaboration,
    at: &Recorded,
    event: Event,
) -> Result<(), &'static str> {
    match event {
        Event::AttestationRecorded(event) => match event.attests {
            Attests::Service { release_key, token_key } => {
                if at.subject != Subject::Collaboration(state.id) {
                    return Err(SUBJECT);
                }
                if at.actor != Actor::Service(state.service_key.id()) {
                    return Err("its actor is not the service");
                }
                let (platform, position) = (event.platform, at.position);
                state.announced.push(ServiceKeys { release_key, token_key, platform, position });
                Ok(())
            }
            Attests::Executor { executor, recipient } => {
                // It comes right after what it was taken for.
                let secrets = secrets(state, at, executor.id())?;
                let last = secrets.given.last();
                if last.is_some_and(|given| {
                    given.command == at.command && given.recipient == recipient
                }) {
                    Ok(())
                } else {
                    Err("nothing was given on this evidence")
                }
            }
        },
        Event::DatasetSecretStored(event) => {
            let dataset = owned(state, at)?;
            let newest = dataset.versions.last().map(|version| version.digest);
            if dataset.retired || newest != Some(event.version) {
                return Err("the dataset is retired, or has another version");
            }
            dataset.secret = Some(StoredSecret {
                ciphertext: event.ciphertext,
                release_key: event.release_key,
                position: at.position,
            });
            Ok(())
        }
        Event::DatasetSecretErased(event) => match owned(state, at)?.secret.take() {
            Some(stored) if stored.ciphertext == event.ciphertext => Ok(()),
            _ => Err("no such secret is stored"),
        },
        Event::SecretReleased(event) => {
            let what = GivenWhat::Secret(event.ciphertext);
            give(state, at, (event.dataset, event.recipient, what))
        }
        Event::TokenMinted(event) => {
            let what = GivenWhat::Token(TokenClaims {
                issuer: event.issuer,
                subject: event.subject,
                audience: event.audience,
                expires_ms: event.expires_ms,
                token_key: event.token_key,
            });
            give(state, at, (event.dataset, event.recipient, what))
        }
        Event::SecretRefused(_) | Event::TokenRefused(_) => {
            let Actor::Executor(executor) = at.actor else { return Err(NO_EXECUTOR) };
            secrets(state, at, executor)?.requests += 1;
            Ok(())
        }
        _ => Err("it is about no secret"),
    }
}

const NO_EXECUTOR: &str = "its actor is not the executor that the run was admitted to";

fn owned<'a>(state: &'a mut Collaboration, at: &Recorded) -> Result<&'a mut Dataset, &'static str> {
    let Subject::Dataset(id) = at.subject else { return Err(SUBJECT) };
    let owner = actor(at)?;
    let dataset = state.datasets.get_mut(&id).ok_or("no such dataset")?;
    if dataset.owner == owner { Ok(dataset) } else { Err("the dataset is another's") }
}

/// What a run's executor was given; `executor` must be the one that was admitted last.
fn secrets<'a>(
    state: &'a mut Collaboration,
    at: &Recorded,
    executor: KeyId,
) -> Result<&'a mut RunSecrets, &'static str> {
    let Subject::Run(id) = at.subject else { return Err(SUBJECT) };
    let run = state.runs.get_mut(&id).ok_or("no such run")?;
    let secrets = run.secrets.as_deref_mut().ok_or(NO_EXECUTOR)?;
    let admitted = secrets.executor.as_ref().map(chancery_ledger::key::PublicKey::id);
    if admitted == Some(executor) && at.actor == Actor::Executor(executor) {
        Ok(secrets)
    } else {
        Err(NO_EXECUTOR)
    }
}

fn give(
    state: &mut Collaboration,
    at: &Recorded,
    (version, recipient, what): (
        crate::query::DatasetVersion,
        crate::secret::SealingKey,
        GivenWhat,
    ),
) -> Result<(), &'static str> {
    let Actor::Executor(executor) = at.actor else { return Err(NO_EXECUTOR) };
    let Subject::Run(id) = at.subject else { return Err(SUBJECT) };
    if state.runs.get(&id).is_none_or(|run| run.stage.admission().is_none()) {
        return Err("no executor is admitted to the run");
    }
    let secrets = secrets(state, at, executor)?;
    let again =
        matches!(what, GivenWhat::Secret(_)) && secrets.has_secret(executor, version.dataset);
    if again {
        return Err("the executor has the secret");
    }
    secrets.requests += 1;
    secrets.given.push(Given {
        version,
        executor,
        recipient,
        command: at.command,
        position: at.position,
        leaf: at.leaf,
        time_ms: at.time_ms,
        what,
    });
    Ok(())
}
