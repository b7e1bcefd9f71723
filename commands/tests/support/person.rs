//! People: a token, perhaps a key, and commands sent with both.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::decide::member::registration_message;
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::id::{CollaborationId, MemberId};
use chancery_ledger::key::SigningKey;
use reqwest::Method;
use serde_json::Value as Json;

use super::answer::{Answer, Call};
use super::commands::{self, Command};
use super::{Service, tokens};

/// How long the signatures of well-behaved people live.
pub const LIFETIME_MS: u64 = 5 * 60 * 1000;

/// Somebody.
#[derive(Clone)]
pub struct Person {
    pub service: Service,
    pub token: String,
    /// With it, commands are signed; without, the service witnesses.
    pub key: Option<Arc<SigningKey>>,
}

impl Person {
    /// One of the demo people, by code and PKCE.
    pub async fn sign_in(service: &Service, email: &str) -> Self {
        let token = tokens::sign_in(service, email).await;
        Self { service: service.clone(), token, key: None }
    }

    /// Somebody with a token of these claims.
    pub fn with_claims(service: &Service, claims: &Json) -> Self {
        let token = tokens::signed(service.issuer_key(), claims);
        Self { service: service.clone(), token, key: None }
    }

    /// Somebody whom nobody knows.
    pub fn stranger(service: &Service) -> Self {
        Self::with_claims(service, &tokens::claims(service, "mallory"))
    }

    /// The same person at another service over the same log.
    pub fn at(&self, service: &Service) -> Self {
        Self { service: service.clone(), ..self.clone() }
    }

    /// A read.
    pub fn get(&self, path: &str) -> Call {
        Call::new(Method::GET, path).token(&self.token)
    }

    /// Reads.
    pub async fn tries_to_read(&self, path: &str) -> Answer {
        self.service.send(self.get(path)).await
    }

    /// Reads, which must go well.
    pub async fn reads(&self, path: &str) -> Answer {
        self.service.send(self.get(path)).await.ok()
    }

    /// The request for a command, witnessed.
    pub fn witnessed(&self, command: &Command) -> Call {
        Call::new(command.method.clone(), &command.path)
            .token(&self.token)
            .header("content-type", "application/json")
            .header("idempotency-key", command.id.to_string())
            .body(command.body.to_string())
    }

    /// What a well-behaved person signs.
    pub fn to_sign(&self, command: &Command) -> SignedCommand {
        SignedCommand {
            audience: self.service.key.public().id(),
            collaboration: command.collaboration,
            action: command.action.to_owned(),
            subject: command.subject.to_string(),
            content: command.digest(),
            expected_version: None,
            command: command.id,
            expires_ms: self.service.now_ms() + LIFETIME_MS,
        }
    }

    /// The request for a command with these signed bytes.
    pub fn signed_with(
        &self,
        command: &Command,
        signed: &SignedCommand,
        kind: ContentType,
        key: &SigningKey,
    ) -> Call {
        let message = URL_SAFE_NO_PAD.encode(signed.sign(kind, key));
        self.witnessed(command).header("chancery-signature", message)
    }

    /// The request for a command as this person sends it.
    pub fn call(&self, command: &Command) -> Call {
        match &self.key {
            Some(key) => {
                self.signed_with(command, &self.to_sign(command), ContentType::Command, key)
            }
            None => self.witnessed(command),
        }
    }

    /// Sends a command.
    pub async fn tries(&self, command: &Command) -> Answer {
        self.service.send(self.call(command)).await
    }

    /// Sends a command, which must go well.
    pub async fn does(&self, command: &Command) -> Answer {
        self.tries(command).await.ok()
    }

    /// Sends a command, which must be refused without a trace.
    pub async fn refused(&self, command: &Command, status: u16, code: &str) -> Answer {
        self.service.refuses(self.call(command), status, code).await
    }

    /// The registration of `new` for `member`.
    pub fn registration(
        &self,
        collaboration: CollaborationId,
        member: MemberId,
        new: &SigningKey,
    ) -> Command {
        let audience = self.service.key.public().id();
        let message = registration_message(audience, collaboration, member, new.public());
        let proof = URL_SAFE_NO_PAD.encode(new.sign(&message));
        let key = new.public().to_string();
        commands::register_key(self.service.id(), collaboration, member, &key, &proof)
    }

    /// Registers `new` as `member`'s, and signs with it from now on.
    pub async fn takes_key(
        &mut self,
        collaboration: CollaborationId,
        member: MemberId,
        new: SigningKey,
    ) -> Answer {
        let answer = self.does(&self.registration(collaboration, member, &new)).await;
        self.key = Some(Arc::new(new));
        answer
    }
}
