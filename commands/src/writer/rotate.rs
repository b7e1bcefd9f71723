//! Moving logs to the service's newest key: an entry that the key before seals and the newest
//! signs.

use chancery_governance::command::RotateServiceKey;
use chancery_governance::subject::Subject;
use chancery_ledger::codec;
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Authority, SignedContent};
use chancery_ledger::id::{CollaborationId, CommandId};

use super::{Outcome, Sender, Writers};
use crate::App;
use crate::clock::random;
use crate::execute::{CommandHeaders, Incoming};
use crate::problem::Problem;
use crate::refusal;

const ACTION: &str = "service.rotate-key";
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
        let now_ms = (app.clock)();
        let command =
            RotateServiceKey { key: key.public().clone(), evidence: app.evidence.clone() };
        let content = chancery_governance::wire::v1::encode_command(&command.into());
        let subject = Subject::Collaboration(collaboration);
        let bytes = codec::encode(&content);
        let id = random::<10>().map_err(|error| Problem::internal(&error))?;
        let id = uuid::Builder::from_unix_timestamp_millis(now_ms, &id).into_uuid();
        let command = CommandId::new(id);
        let message = SignedCommand {
            audience,
            collaboration,
            action: ACTION.to_owned(),
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
            action: ACTION,
            content,
            email: None,
            headers: CommandHeaders { command, signature: None, if_match: None, wait_s: None },
        };
        let authority = Authority::ServiceSigned(SignedContent { message, content: bytes });
        match self.submit(app, Sender::Service, incoming, authority).await? {
            Outcome::Made(_) | Outcome::Replayed(_) => {}
        }
        tracing::info!(%collaboration, key = %key.public().id(), "the log goes on under a new key");
        Ok(true)
    }
}
