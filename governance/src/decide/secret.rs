//! Secrets and tokens: stored by a dataset's owner, given to an attested executor after everything
//! that admitted it was checked again, each refusal an event.

use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, DatasetId, MemberId, RunId};
use chancery_ledger::key::{Algorithm, KeyId, PublicKey};

use super::collaboration::about_itself;
use super::{Events, wrong_subject};
use crate::clean_room::{Policy, Shown};
use crate::command::{AttestService, MintToken, ReleaseSecret, StoreDatasetSecret};
use crate::event::{
    AttestationRecorded, DatasetSecretErased, DatasetSecretStored, SecretRefused, SecretReleased,
    TokenMinted, TokenRefused,
};
use crate::query::DatasetVersion;
use crate::readiness::{Asked, accepted_digest, readiness_at};
use crate::reason::{Code, Reason, Rejection};
use crate::run::{Evidence, Platform, Verdict};
use crate::secret::{
    AUDIENCE_LEN_MAX, Attests, SECRET_REQUESTS_MAX, SERVICE_ATTESTATIONS_MAX, SealingKey,
    TOKEN_LIFETIME_MS_MAX, TOKEN_LIFETIME_MS_MIN, token_subject,
};
use crate::state::run::{Outcome, Run, Stage};
use crate::state::{Collaboration, Dataset};
use crate::subject::Subject;
use crate::submission::Facts;

/// What the evidence of a service that announces its keys must bind: SHA-256 of the canonical CBOR of
/// `["chancery/v1/service-keys", name, service key, release key, token key]`.
pub fn service_keys_report_data(
    name: &str,
    service: &PublicKey,
    release: &SealingKey,
    token: &PublicKey,
) -> Digest {
    Digest::of(&codec::encode(&Value::Array(vec![
        Value::text("chancery/v1/service-keys"),
        Value::text(name),
        Value::text(service.to_string()),
        Value::text(release.to_string()),
        Value::text(token.to_string()),
    ])))
}

/// A request of an executor, as its evidence must bind it.
#[derive(Debug, Clone, Copy)]
pub struct Requested<'a> {
    /// The id of the service's key.
    pub audience: KeyId,
    /// The collaboration.
    pub collaboration: CollaborationId,
    /// The run.
    pub run: RunId,
    /// The leaf hash of the run's request.
    pub nonce: Digest,
    /// The executor's key, which signs the request.
    pub executor: &'a PublicKey,
    /// The key that the answer is sealed to.
    pub recipient: &'a SealingKey,
    /// The dataset.
    pub dataset: DatasetId,
}

impl<'a> Requested<'a> {
    /// A request of the executor with these keys, one that signs and one that decrypts, for a dataset
    /// of a run.
    pub const fn of(
        state: &Collaboration,
        (id, run): (RunId, &Run),
        (executor, recipient): (&'a PublicKey, &'a SealingKey),
        dataset: DatasetId,
    ) -> Self {
        Self {
            audience: state.service_key.id(),
            collaboration: state.id,
            run: id,
            nonce: run.request_leaf,
            executor,
            recipient,
            dataset,
        }
    }

    /// What evidence must bind for a secret: SHA-256 of the canonical CBOR of
    /// `["chancery/v1/secret-release", service key id, collaboration, run, nonce, executor key,
    /// recipient, dataset]`. One report binds the key that signs and the key that decrypts.
    pub fn secret_report_data(&self) -> Digest {
        self.report_data("chancery/v1/secret-release", &[])
    }

    /// As [`Requested::secret_report_data`], under the name `chancery/v1/token-mint`, with audience and
    /// lifetime at the end.
    pub fn token_report_data(&self, audience: &str, lifetime_ms: u64) -> Digest {
        let more = [Value::text(audience), Value::from(lifetime_ms)];
        self.report_data("chancery/v1/token-mint", &more)
    }

    fn report_data(&self, name: &str, more: &[Value]) -> Digest {
        let mut parts = vec![
            Value::text(name),
            Value::bytes(*self.audience.as_bytes()),
            Value::bytes(*self.collaboration.as_bytes()),
            Value::bytes(*self.run.as_bytes()),
            Value::bytes(*self.nonce.as_bytes()),
            Value::text(self.executor.to_string()),
            Value::text(self.recipient.to_string()),
            Value::bytes(*self.dataset.as_bytes()),
        ];
        parts.extend_from_slice(more);
        Digest::of(&codec::encode(&Value::Array(parts)))
    }
}

/// The dataset of a command about its secret, which the caller must own.
fn owned(state: &Collaboration, id: DatasetId, caller: MemberId) -> Result<&Dataset, Rejection> {
    let dataset = state
        .datasets
        .get(&id)
        .ok_or_else(|| Rejection::new(Code::DatasetNotFound, "there is no such dataset"))?;
    if dataset.owner == caller {
        Ok(dataset)
    } else {
        Err(Rejection::new(
            Code::NotTheDatasetOwner,
            "only its owner stores and erases the secret of a dataset",
        ))
    }
}

pub(super) fn store(
    state: &Collaboration,
    id: DatasetId,
    caller: MemberId,
    command: &StoreDatasetSecret,
) -> Result<Events, Rejection> {
    let dataset = owned(state, id, caller)?;
    if dataset.retired {
        return Err(Rejection::new(Code::DatasetRetired, "the dataset is retired"));
    }
    if dataset.versions.last().is_none_or(|newest| newest.digest != command.version) {
        return Err(Rejection::new(
            Code::DatasetVersionChanged,
            "a secret is stored for the newest version of a dataset",
        ));
    }
    let keys = state.announced.last().ok_or_else(not_attested)?;
    if keys.release_key.id() != command.release_key {
        return Err(Rejection::new(
            Code::ReleaseKeyMismatch,
            format!("secrets are sealed to {} now", keys.release_key),
        ));
    }
    if dataset.secret.is_some_and(|stored| stored.ciphertext == command.ciphertext) {
        return Err(Rejection::new(Code::NothingToChange, "that very secret is stored"));
    }
    let stored = DatasetSecretStored {
        version: command.version,
        ciphertext: command.ciphertext,
        release_key: command.release_key,
    };
    Ok(vec![(Subject::Dataset(id), stored.into())])
}

pub(super) fn erase(
    state: &Collaboration,
    id: DatasetId,
    caller: MemberId,
) -> Result<Events, Rejection> {
    let stored = owned(state, id, caller)?.secret.ok_or_else(|| {
        Rejection::new(Code::SecretNotStored, "no secret is stored for the dataset")
    })?;
    let erased = DatasetSecretErased { ciphertext: stored.ciphertext };
    Ok(vec![(Subject::Dataset(id), erased.into())])
}

fn not_attested() -> Rejection {
    Rejection::new(
        Code::ServiceNotAttested,
        "the service has announced no keys for secrets and tokens here",
    )
}

pub(super) fn attest_service(
    state: &Collaboration,
    subject: Subject,
    command: &AttestService,
    facts: &Facts,
) -> Result<Events, Rejection> {
    about_itself(state, subject)?;
    if command.token_key.algorithm() != Algorithm::Es256 {
        return Err(Rejection::new(Code::InvalidKey, "a key that signs tokens is an ES256 key"));
    }
    let again = state.announced.last().is_some_and(|keys| {
        keys.release_key == command.release_key && keys.token_key == command.token_key
    });
    if again {
        return Err(Rejection::new(Code::NothingToChange, "these keys are announced already"));
    }
    if state.announced.len() >= SERVICE_ATTESTATIONS_MAX {
        return Err(Rejection::new(
            Code::LimitExceeded,
            format!("a service announces its keys at most {SERVICE_ATTESTATIONS_MAX} times"),
        ));
    }
    let bound = service_keys_report_data(
        &state.service,
        &state.service_key,
        &command.release_key,
        &command.token_key,
    );
    let verdict = verdict(facts, bound)?;
    if verdict.platform == Platform::InsecureVirtual && !state.terms.insecure_virtual {
        return Err(Rejection::new(
            Code::InsecureVirtualNotAllowed,
            "no hardware stands behind the evidence, and the terms do not accept that",
        ));
    }
    let attests =
        Attests::Service { release_key: command.release_key, token_key: command.token_key.clone() };
    Ok(vec![(subject, recorded(attests, &command.evidence, verdict).into())])
}

/// The evidence as the log holds it. Its document is in the command.
fn recorded(attests: Attests, evidence: &Evidence, verdict: &Verdict) -> AttestationRecorded {
    AttestationRecorded {
        attests,
        kind: evidence.kind.clone(),
        evidence: document_digest(evidence),
        platform: verdict.platform,
        measurement: verdict.measurement,
        report_data: verdict.report_data,
        claims: verdict.claims.clone(),
    }
}

fn document_digest(evidence: &Evidence) -> Digest {
    Digest::of(evidence.document.as_bytes())
}

fn verdict(facts: &Facts, bound: Digest) -> Result<&Verdict, Reason> {
    match &facts.verdict {
        Some(Ok(verdict)) if verdict.report_data == bound => Ok(verdict),
        Some(Ok(_)) => Err(Reason::new(
            Code::EvidenceNotBound,
            "the evidence binds something else than this request and its keys",
        )),
        Some(Err(why)) => Err(Reason::new(Code::EvidenceInvalid, why.clone())),
        None => Err(Reason::new(Code::EvidenceInvalid, "the evidence was not looked at")),
    }
}

/// The run, and whose executor asks. Who never was admitted has no key that could have signed.
fn asked(state: &Collaboration, id: RunId) -> Result<(&Run, &PublicKey, u64), Rejection> {
    let run = state
        .runs
        .get(&id)
        .ok_or_else(|| Rejection::new(Code::RunNotFound, "there is no such run"))?;
    let secrets = run.secrets.as_deref();
    let executor = secrets
        .and_then(|secrets| secrets.executor.as_ref())
        .ok_or_else(|| wrong_subject("a run that an executor was admitted to"))?;
    let requests = secrets.map_or(0, |secrets| secrets.requests);
    if requests >= SECRET_REQUESTS_MAX {
        return Err(Rejection::new(
            Code::LimitExceeded,
            format!("the executors of a run ask at most {SECRET_REQUESTS_MAX} times"),
        ));
    }
    Ok((run, executor, requests))
}

pub(super) fn release(
    state: &Collaboration,
    id: RunId,
    command: &ReleaseSecret,
    (facts, now_ms): (&Facts, u64),
) -> Result<Events, Rejection> {
    let (run, executor, _) = asked(state, id)?;
    let request = Requested::of(state, (id, run), (executor, &command.recipient), command.dataset);
    let mut reasons = standing(state, id, now_ms);
    let verdict = shown(state, run, facts, request.secret_report_data(), &mut reasons);
    let version = used(state, run, command.dataset);
    let secret = state.datasets.get(&command.dataset).and_then(|dataset| dataset.secret);
    if version.is_none() {
        reasons.push(not_of_run(command.dataset));
    } else if secret.is_none() {
        reasons.push(Reason::about(
            Code::SecretNotStored,
            Subject::Dataset(command.dataset),
            "no secret is stored for the dataset's newest version",
        ));
    }
    let secrets = run.secrets.as_deref();
    if secrets.is_some_and(|secrets| secrets.has_secret(executor.id(), command.dataset)) {
        reasons.push(Reason::about(
            Code::SecretAlreadyReleased,
            Subject::Dataset(command.dataset),
            "the executor was given the secret already; it is released once, to one key",
        ));
    }
    let evidence = document_digest(&command.evidence);
    let subject = Subject::Run(id);
    let (Some(version), Some(secret), Some(verdict), true) =
        (version, secret, verdict, reasons.is_empty())
    else {
        let (dataset, recipient) = (command.dataset, command.recipient);
        return Ok(vec![(subject, SecretRefused { dataset, recipient, evidence, reasons }.into())]);
    };
    let released = SecretReleased {
        dataset: version,
        ciphertext: secret.ciphertext,
        recipient: command.recipient,
        evidence,
    };
    let attests = Attests::Executor { executor: executor.clone(), recipient: command.recipient };
    let attested = recorded(attests, &command.evidence, verdict);
    Ok(vec![(subject, released.into()), (subject, attested.into())])
}

pub(super) fn mint(
    state: &Collaboration,
    id: RunId,
    command: &MintToken,
    (facts, now_ms): (&Facts, u64),
) -> Result<Events, Rejection> {
    let (run, executor, _) = asked(state, id)?;
    if command.audience.len() > AUDIENCE_LEN_MAX {
        return Err(Rejection::new(
            Code::LimitExceeded,
            format!("the audience of a token has at most {AUDIENCE_LEN_MAX} bytes"),
        ));
    }
    let request = Requested::of(state, (id, run), (executor, &command.recipient), command.dataset);
    let mut reasons = standing(state, id, now_ms);
    let bound = request.token_report_data(&command.audience, command.lifetime_ms);
    let verdict = shown(state, run, facts, bound, &mut reasons);
    let version = used(state, run, command.dataset);
    let dataset = state.dataset_version(command.dataset);
    let allowed = dataset.and_then(|(_, newest)| newest.descriptor.token_audience.as_deref());
    if version.is_none() {
        reasons.push(not_of_run(command.dataset));
    } else if allowed != Some(command.audience.as_str()) {
        reasons.push(Reason::about(
            Code::AudienceNotAllowed,
            Subject::Dataset(command.dataset),
            "the dataset's owner does not let runs have tokens for that audience",
        ));
    }
    if !(TOKEN_LIFETIME_MS_MIN..=TOKEN_LIFETIME_MS_MAX).contains(&command.lifetime_ms) {
        reasons.push(Reason::new(
            Code::InvalidExpiry,
            format!("a token lives {TOKEN_LIFETIME_MS_MIN} to {TOKEN_LIFETIME_MS_MAX} ms"),
        ));
    }
    if facts.token_issuer.is_none() {
        reasons.push(Reason::new(
            Code::TokenIssuerMissing,
            "the service has no public address that a token could name as its issuer",
        ));
    }
    if state.announced.is_empty() {
        reasons.push(not_attested().first);
    }
    let evidence = document_digest(&command.evidence);
    let subject = Subject::Run(id);
    let (Some(version), Some((dataset, _)), Some(issuer), Some(keys), Some(verdict), true) = (
        version,
        dataset,
        facts.token_issuer.clone(),
        state.announced.last(),
        verdict,
        reasons.is_empty(),
    ) else {
        let refused = TokenRefused {
            dataset: command.dataset,
            audience: command.audience.clone(),
            recipient: command.recipient,
            evidence,
            reasons,
        };
        return Ok(vec![(subject, refused.into())]);
    };
    let minted = TokenMinted {
        subject: token_subject(state.id, dataset.owner, version.dataset, id),
        dataset: version,
        issuer,
        audience: command.audience.clone(),
        expires_ms: now_ms.saturating_add(command.lifetime_ms),
        token_key: keys.token_key.id(),
        recipient: command.recipient,
        evidence,
    };
    let attests = Attests::Executor { executor: executor.clone(), recipient: command.recipient };
    let attested = recorded(attests, &command.evidence, verdict);
    Ok(vec![(subject, minted.into()), (subject, attested.into())])
}

fn not_of_run(dataset: DatasetId) -> Reason {
    Reason::about(
        Code::DatasetNotOfRun,
        Subject::Dataset(dataset),
        "the run's query neither reads nor writes the dataset",
    )
}

/// The version of a dataset that the run's query was voted on with.
fn used(state: &Collaboration, run: &Run, dataset: DatasetId) -> Option<DatasetVersion> {
    let proposal = state.queries.get(&run.query)?.live_proposal()?;
    let binding = &proposal.binding;
    let mut versions = binding.inputs.iter().chain([&binding.output]);
    versions.find(|version| version.dataset == dataset).cloned()
}

/// Everything that stands against giving anything to the executor of a run now: all that its
/// admission was checked for, again. Checked when something is given, and whenever it is handed out.
pub fn standing(state: &Collaboration, id: RunId, now_ms: u64) -> Vec<Reason> {
    let Some(run) = state.runs.get(&id) else {
        return vec![Reason::new(Code::RunNotFound, "there is no such run")];
    };
    let mut reasons = match &run.stage {
        Stage::Requested => {
            vec![Reason::new(Code::RunWrongStep, "no executor was admitted to the run")]
        }
        Stage::Ended(outcome) => ended(outcome),
        Stage::Admitted(admission)
        | Stage::Submitted(admission, _)
        | Stage::Started(admission, _) => {
            let shown = Shown {
                platform: admission.platform,
                measurement: admission.measurement,
                claims: &admission.claims,
            };
            Policy::of(state).reasons(&state.terms, run.query, &shown)
        }
    };
    let asked = Asked { runner: Some(run.runner), now_ms, run: Some(id) };
    reasons.extend(readiness_at(state, run.query, &asked));
    if run.digest != state.queries.get(&run.query).and_then(accepted_digest) {
        reasons.push(Reason::about(
            Code::QueryDigestMismatch,
            Subject::Query(run.query),
            "the query is not the one that the run was requested for",
        ));
    }
    reasons
}

fn ended(outcome: &Outcome) -> Vec<Reason> {
    let mut reasons = vec![Reason::new(Code::RunAlreadyEnded, "the run has its outcome")];
    match outcome {
        Outcome::Refused(more) | Outcome::Cancelled(more) => reasons.extend_from_slice(more),
        Outcome::Succeeded { .. } | Outcome::Failed { .. } => {}
    }
    reasons
}

/// What the evidence shows, where it binds the request; what stands against it goes to `reasons`.
fn shown<'a>(
    state: &Collaboration,
    run: &Run,
    facts: &'a Facts,
    bound: Digest,
    reasons: &mut Vec<Reason>,
) -> Option<&'a Verdict> {
    let verdict = match verdict(facts, bound) {
        Ok(verdict) => verdict,
        Err(reason) => {
            reasons.push(reason);
            return None;
        }
    };
    let (platform, measurement) = (verdict.platform, verdict.measurement);
    let shown = Shown { platform, measurement, claims: &verdict.claims };
    for reason in Policy::of(state).reasons(&state.terms, run.query, &shown) {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    let other = run.stage.admission().is_some_and(|admission| {
        admission.platform != platform
            || admission.measurement != measurement
            || admission.claims != verdict.claims
    });
    if other {
        reasons.push(Reason::new(
            Code::EvidenceOtherPlatform,
            "the evidence shows another platform or application than was admitted",
        ));
    }
    Some(verdict)
}
