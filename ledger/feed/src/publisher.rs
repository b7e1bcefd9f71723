//! From the log to NATS: for subscribers in other processes, and for integrators.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use chancery_ledger::digest::Digest;
use chancery_store::Store;

use crate::nats::{self, Client, StreamOptions};
use crate::{
    ConsumerName, Delivery, FALLBACK, FeedError, SWEEP_INTERVAL, Source, StoreCursors,
    SubjectNamer, Subscription, Wakeup, backoff, subject,
};

/// The publisher's own consumer name.
pub const PUBLISHER: &str = "nats-publisher";
/// The header with an entry's position, in decimal.
pub const POSITION_HEADER: &str = "Chancery-Position";
/// Set, to the number of bytes, when the entry is larger than the server takes: the payload is
/// empty, and the entry is to be read from the log.
pub const OMITTED_HEADER: &str = "Chancery-Omitted";

/// Publishes each entry of the log to `JetStream`, from where it stopped.
///
/// At least once: an entry's leaf hash is its message id, so that the server drops what is
/// repeated within two minutes. Within a collaboration, messages come in position order, unless
/// some had to be repeated. It is a subscriber like any other: appends never wait for it.
pub struct Publisher {
    store: Store,
    client: Client,
    namer: SubjectNamer,
    consumer: ConsumerName,
    options: StreamOptions,
    sweep_interval: Duration,
}

/// Why a round of publishing ended.
enum Stop {
    Feed(FeedError),
    Nats(Source),
}

impl From<FeedError> for Stop {
    fn from(error: FeedError) -> Self {
        Self::Feed(error)
    }
}

impl Publisher {
    /// A publisher of `store` that names subjects by `namer`. `consumer` is normally
    /// [`PUBLISHER`].
    pub fn new(store: Store, client: Client, consumer: ConsumerName, namer: SubjectNamer) -> Self {
        Self {
            store,
            client,
            namer,
            consumer,
            options: StreamOptions::default(),
            sweep_interval: SWEEP_INTERVAL,
        }
    }

    /// How the stream is kept, if it has to be made.
    #[must_use]
    pub fn stream_options(self, options: StreamOptions) -> Self {
        Self { options, ..self }
    }

    /// How often the log is swept for appends of other processes; not zero.
    #[must_use]
    pub fn sweep_interval(self, sweep_interval: Duration) -> Self {
        Self { sweep_interval, ..self }
    }

    /// Publishes until it is dropped; goes on by itself after every failure of NATS or the
    /// database. Returns only what it can't mend: a corrupt log or cursor.
    pub async fn run(self) -> FeedError {
        let context = nats::context(self.client.clone());
        let mut failures = 0_u32;
        loop {
            let Err(stop) = self.publish(&context, &mut failures).await;
            failures = failures.saturating_add(1);
            let delay = backoff::delay(failures);
            let error: Source = match stop {
                Stop::Feed(corrupt @ FeedError::Corrupt(_)) => return corrupt,
                Stop::Feed(error) => error.into(),
                Stop::Nats(error) => error,
            };
            tracing::warn!(
                error,
                delay_ms = delay.as_millis(),
                "publishing to NATS is interrupted"
            );
            tokio::time::sleep(delay).await;
        }
    }

    /// Starts over from the durable cursor, so that what was in doubt is published again.
    async fn publish(
        &self,
        context: &Context,
        failures: &mut u32,
    ) -> Result<std::convert::Infallible, Stop> {
        nats::stream(context, self.options).await.map_err(Stop::Nats)?;
        let cursors = StoreCursors::new(self.store.clone(), self.consumer.clone());
        let wakeup = Wakeup::in_process(&self.store);
        let mut subscription =
            Subscription::open(self.store.clone(), cursors, wakeup, self.sweep_interval).await?;
        loop {
            let page = subscription.next_page().await?;
            self.publish_page(context, &page).await?;
            *failures = 0;
            if let Some(last) = page.last() {
                subscription.acknowledge(last).await?;
            }
        }
    }

    /// Sends all of `page`, then waits for all to be stored.
    async fn publish_page(&self, context: &Context, page: &[Delivery]) -> Result<(), Stop> {
        let Some(first) = page.first() else { return Ok(()) };
        let count = u32::try_from(page.len()).unwrap_or(u32::MAX);
        let leaf_hashes = self
            .store
            .leaf_hashes(first.collaboration, first.position, count)
            .await
            .map_err(|error| Stop::Feed(crate::ReadFailure::from(error).into()))?;
        let mut stored = Vec::with_capacity(page.len());
        for (delivery, leaf_hash) in page.iter().zip(leaf_hashes) {
            stored.push(self.send(context, delivery, leaf_hash).await.map_err(Stop::Nats)?);
        }
        if stored.len() != page.len() {
            return Err(Stop::Nats("the log gave fewer leaf hashes than entries".into()));
        }
        for one in stored {
            one.await.map_err(|error| Stop::Nats(error.into()))?;
        }
        Ok(())
    }

    async fn send(
        &self,
        context: &Context,
        delivery: &Delivery,
        leaf_hash: Digest,
    ) -> Result<PublishAckFuture, Source> {
        let subject = self.subject(delivery);
        let headers = || {
            PublishMessage::build()
                .message_id(leaf_hash.to_string())
                .header(POSITION_HEADER, delivery.position.to_string().as_str())
        };
        let whole = headers().payload(delivery.sealed.clone().into());
        match context.send_publish(subject.clone(), whole).await {
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                let bytes = delivery.sealed.len().to_string();
                Ok(context
                    .send_publish(subject, headers().header(OMITTED_HEADER, bytes.as_str()))
                    .await?)
            }
            sent => Ok(sent?),
        }
    }

    fn subject(&self, delivery: &Delivery) -> String {
        let Delivery { collaboration, position, sealed } = delivery;
        (self.namer)(sealed)
            .and_then(|(area, event)| subject::subject(*collaboration, &area, &event))
            .unwrap_or_else(|| {
                tracing::warn!(%collaboration, position, "an entry has no subject of its own");
                let (area, event) = FALLBACK;
                format!("chancery.{collaboration}.{area}.{event}")
            })
    }
}
