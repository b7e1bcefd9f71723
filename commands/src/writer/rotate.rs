//! What the service itself says in a log: moving it to the newest key, an entry that the key before
//! seals and the newest signs, and announcing the keys for secrets and tokens.

use chancery_attestation::insecure_virtual;
use chancery_governance::command::{AttestService, Command, RotateServiceKey};
use chancery_governance::decide::secret::service_keys_report_data;
use chancery_governance::run::Platform;
use chancery_governance::subject::Subject;
use chancery_ledger::codec;
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Authority, SignedContent};
use chancery_ledger::id::{CollaborationId, CommandId};
use chancery_ledger::key::{KeyId, SigningKey};

use super::{Outcome, Sender, Writers};
use crate::App;
use crate::clock::random;
use crate::execute::{CommandHeaders, Incoming, Submitted};
use crate::problem::Problem;
use crate::refusal;

/// How long the new key's signature lives: the entry follows at once.
const LIFETIME_MS: u64 = 10 * 60 * 1000;
/// Logs looked at between two waits for the store.
const PAGE: u32 = 1_000;

impl Writers {
    /// Moves every log that an older key seals to the newest one; gives how many were moved.
    ///
    /// Each is one entry and can be begun again: a log that was moved stays. One that can't be moved
    /// keeps none of the others.
    ///
    /// # Errors
    ///
    /// The problem with the first log that could not be moved, after all were tried.
    pub async fn rotate_all(&self, app: &App) -> Result<u64, Problem> {
        let (mut after, mut moved, mut failed) = (None, 0, None);
        loop {
            let page = app.store().heads(after, PAGE).await;
            let page = page.map_err(|error| refusal::read(&error))?;
            let Some((last, _)) = page.last() else { return failed.map_or(Ok(moved), Err) };
            after = Some(*last);
            for (collaboration, _) in page {
                match self.rotate(app, collaboration).await {
                    Ok(was_moved) => moved += u64::from(was_moved),
                    Err(problem) => {
                        tracing::warn!(%collaboration, %problem, "a log could not be moved");
                        failed.get_or_insert(problem);
                    }
                }
            }
        }
    }

    /// Moves one log; false where the newest key seals it already.
    async fn rotate(&self, app: &App, collaboration: CollaborationId) -> Result<bool, Problem> {
        let audience = {
            let held = app.logs.hold(collaboration).await.map_err(|e| refusal::load(&e))?;
            match held.state().collaboration() {
                Some(state) => state.service_key.id(),
                None => return Ok(false),
            }
        };
        let key = app.logs.key();
        if audience == key.public().id() {
            return Ok(false);
        }
        let command =
            RotateServiceKey { key: key.public().clone(), evidence: app.evidence.clone() };
        self.service_command(app, (collaboration, audience), key, &command.into()).await?;
        tracing::info!(%collaboration, key = %key.public().id(), "the log goes on under a new key");
        Ok(true)
    }

    /// Announces the service's keys for secrets and tokens in a log; false where it did before.
    ///
    /// # Errors
    ///
    /// 503 `attestation_unavailable` where this release can't make the evidence; else as any command.
    pub(crate) async fn attest(
        &self,
        app: &App,
        collaboration: CollaborationId,
    ) -> Result<bool, Problem> {
        let (release_key, token_key) = (*app.trust.release_key(), app.trust.token_key().clone());
        let (key, bound) = {
            let held = app.logs.hold(collaboration).await.map_err(|e| refusal::load(&e))?;
            let state = held.state().collaboration();
            let state = state.ok_or_else(refusal::collaboration_not_found)?;
            let announced = state.announced.last();
            if announced
                .is_some_and(|keys| keys.release_key == release_key && keys.token_key == token_key)
            {
                return Ok(false);
            }
            let bound = service_keys_report_data(
                &state.service,
                &state.service_key,
                &release_key,
                &token_key,
            );
            (app.logs.sealing_key(held.state())?, bound)
        };
        // As the evidence of the service's own key was made; hardware makes its reports elsewhere.
        let own = chancery_attestation::verify(&app.evidence).ok();
        let own = own.filter(|own| own.platform == Platform::InsecureVirtual).ok_or_else(|| {
            Problem::unavailable(
                "attestation_unavailable",
                "This release makes no hardware evidence for the keys of secrets and tokens.",
            )
        })?;
        let evidence = insecure_virtual::evidence(own.measurement, bound);
        let command = AttestService { release_key, token_key, evidence }.into();
        let audience = key.public().id();
        match self.service_command(app, (collaboration, audience), &key, &command).await {
            Ok(()) => Ok(true),
            // Somebody asked for it at the same time.
            Err(problem) if problem.code() == "nothing_to_change" => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    /// Hands in a command of the service itself.
    async fn service_command(
        &self,
        app: &App,
        (collaboration, audience): (CollaborationId, KeyId),
        key: &SigningKey,
        command: &Command,
    ) -> Result<(), Problem> {
        let now_ms = (app.clock)();
        let action = command.action();
        let content = chancery_governance::wire::v1::encode_command(command);
        let subject = Subject::Collaboration(collaboration);
        let bytes = codec::encode(&content);
        let id = random::<10>().map_err(|error| Problem::internal(&error))?;
        let id = uuid::Builder::from_unix_timestamp_millis(now_ms, &id).into_uuid();
        let command = CommandId::new(id);
        let message = SignedCommand {
            audience,
            collaboration,
            action: action.to_owned(),
            subject: subject.to_string(),
            content: Digest::of(&bytes),
            expected_version: None,
            command,
            expires_ms: now_ms.saturating_add(LIFETIME_MS),
        }
        .sign(ContentType::ServiceCommand, key);
        let incoming = Incoming {
            collaboration,
            subject,
            action,
            content,
            email: None,
            sealed: None,
            headers: CommandHeaders { command, signature: None, if_match: None, wait_s: None },
        };
        let authority = Authority::ServiceSigned(SignedContent { message, content: bytes });
        match self.submit(app, Sender::Service, incoming, Submitted::of(authority)).await? {
            Outcome::Made(_) | Outcome::Replayed(_) => Ok(()),
        }
    }
}
