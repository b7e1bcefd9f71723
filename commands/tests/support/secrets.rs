//! Secrets in a room: announced keys, a stored secret, an executor that can open.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_commands::trust::TrustKeys;
use chancery_governance::decide::secret::Requested;
use chancery_governance::query::DatasetVersion;
use chancery_governance::secret::{SealingKey, given_context, stored_context};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::DatasetId;
use chancery_sealing::OpeningKey;
use reqwest::Method;
use serde_json::{Value as Json, json};

use super::answer::{Answer, Call};
use super::commands::{self, Command};
use super::executor::{Executor, evidence};
use super::fixtures::{self, application};
use super::room::{Room, Stage};

/// The secret of orders.
pub const PLAIN: &[u8] = b"thirty-two bytes of a data key!!";
/// The audience that orders allows tokens for.
pub const AUDIENCE: &str = "api://AzureADTokenExchange";
/// How long tokens here live.
pub const LIFE_MS: u64 = 10 * 60 * 1000;

/// A P-256 key that a test may hold.
pub fn trust_keys() -> TrustKeys {
    TrustKeys::generate().unwrap()
}

/// The executor's opening key.
pub fn opening_key() -> OpeningKey {
    OpeningKey::derive(&[44; 32])
}

impl Room {
    /// The service announces its keys.
    pub async fn announced(&self) -> Answer {
        let path = self.path("/service-keys");
        let call = Call::new(Method::POST, &path)
            .token(&self.litware.token)
            .header("content-type", "application/json")
            .header("idempotency-key", self.next().to_string())
            .body("{}");
        self.service.send(call).await.ok()
    }

    async fn version(&self, dataset: DatasetId) -> DatasetVersion {
        let state = self.service.state(self.id).await;
        let digest = state.dataset_version(dataset).unwrap().1.digest;
        DatasetVersion { dataset, digest }
    }

    /// A command that stores `plain` for orders.
    pub async fn stores(&self, plain: &[u8]) -> (Command, Vec<u8>) {
        let keys = self.announced().await;
        let release_key: SealingKey = keys.parsed("/release_key");
        let version = self.version(self.orders).await;
        let context = stored_context(self.id, &version);
        let sealed = chancery_sealing::seal(&release_key, &context, plain).unwrap();
        let named = (&*version.digest.to_string(), keys.text("/release_key_id"));
        (commands::store_secret(self.next(), self.id, self.orders, named, &sealed), sealed)
    }

    /// A room with a stored secret and a run that is asked for.
    pub async fn secretive() -> Self {
        let mut room = Self::at(Stage::Stocked).await;
        let mut descriptor = fixtures::orders();
        descriptor["token_audience"] = json!(AUDIENCE);
        let publish = commands::publish_version(room.next(), room.id, room.orders, descriptor);
        room.litware.does(&publish).await;
        let (store, _) = room.stores(PLAIN).await;
        assert_eq!(room.litware.does(&store).await.kinds(), ["DatasetSecretStored"]);
        room.drafted_and_voted().await;
        room.request().await.ok();
        room
    }

    fn requested<'a>(
        &self,
        executor: &'a Executor,
        recipient: &'a SealingKey,
        dataset: DatasetId,
    ) -> Requested<'a> {
        Requested {
            audience: self.service.key.public().id(),
            collaboration: self.id,
            run: self.run,
            nonce: self.nonce,
            executor: executor.key.public(),
            recipient,
            dataset,
        }
    }

    /// The executor's request of the secret of orders, to its own key.
    pub fn asks_secret(&self, executor: &Executor) -> Command {
        let recipient = *opening_key().public();
        let bound = self.requested(executor, &recipient, self.orders).secret_report_data();
        self.asks(
            "release-secret",
            json!({
                "dataset": self.orders.to_string(),
                "recipient": recipient.to_string(),
                "evidence": evidence(application(), bound),
            }),
        )
    }

    /// The executor's request of a token for orders, to its own key.
    pub fn asks_token(&self, executor: &Executor) -> Command {
        let recipient = *opening_key().public();
        let request = self.requested(executor, &recipient, self.orders);
        let bound = request.token_report_data(AUDIENCE, LIFE_MS);
        self.asks(
            "mint-token",
            json!({
                "dataset": self.orders.to_string(),
                "audience": AUDIENCE,
                "lifetime_ms": LIFE_MS,
                "recipient": recipient.to_string(),
                "evidence": evidence(application(), bound),
            }),
        )
    }

    fn asks(&self, verb: &str, body: Json) -> Command {
        commands::report(self.next(), self.id, self.run, verb, body)
    }

    /// Where what a position gave is fetched.
    pub fn given_path(&self, position: u64) -> String {
        self.path(&format!("/runs/{}/given/{position}", self.run))
    }

    /// Opens what was handed out, as the executor does.
    pub fn opens(&self, handed_out: &Answer) -> Vec<u8> {
        let sealed = URL_SAFE_NO_PAD.decode(handed_out.text("/sealed")).unwrap();
        let leaf: Digest = handed_out.parsed("/leaf");
        let context = given_context(self.id, self.run, &leaf);
        opening_key().open(&context, &sealed).unwrap().to_vec()
    }
}
