//! NATS `JetStream`, within what a 2.9 server offers: connection, stream, and the listener.

use std::time::Duration;

use async_nats::jetstream::{self, consumer, stream};
pub use async_nats::{Client, ConnectOptions};
use async_nats::{Event, jetstream::consumer::pull};
use chancery_store::ENTRY_BYTES_MAX;
use futures_util::TryStreamExt as _;
use tokio::sync::broadcast;

use crate::wakeup::Hint;
use crate::{ConsumerName, SUBJECTS, Source, backoff, subject};

/// The name of the stream.
pub const STREAM: &str = "CHANCERY";

const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
/// An entry of the largest size, and its headers.
const MESSAGE_BYTES_MAX: usize = ENTRY_BYTES_MAX + 64 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// After this long without its process, a durable consumer is forgotten: hints that old are
/// worthless, as every subscription starts with a sweep.
const CONSUMER_IDLE_MAX: Duration = Duration::from_hours(24);
const HEARTBEAT: Duration = Duration::from_secs(5);
const PULL_EXPIRES: Duration = Duration::from_secs(30);
const PULL_MESSAGES: usize = 256;

/// How the stream is kept, if it is made here; one that exists is left as its operator set it.
/// It bounds only what integrators can read back: a subscription reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamOptions {
    /// Servers that hold a copy: 1, 3 or 5.
    pub replicas: usize,
    /// How long a message is kept.
    pub age_max: Duration,
    /// Bytes kept, before the oldest go.
    pub bytes_max: u32,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { replicas: 1, age_max: Duration::from_hours(7 * 24), bytes_max: 1 << 30 }
    }
}

/// The first connection failed for a reason that time doesn't mend: the address or credentials.
#[derive(Debug, thiserror::Error)]
#[error("NATS can't be connected to")]
pub struct ConnectError(#[source] async_nats::ConnectError);

/// Connects to NATS in the background and stays connected: it need not be there yet, and each
/// loss is followed by attempts at capped, doubling intervals. `options` carry credentials and
/// TLS.
///
/// # Errors
///
/// See [`ConnectError`].
pub async fn connect(url: &str, options: ConnectOptions) -> Result<Client, ConnectError> {
    options
        .name("chancery")
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| {
            backoff::delay(u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX))
        })
        .event_callback(async |event| match event {
            Event::Connected => tracing::info!("connected to NATS"),
            Event::Disconnected => tracing::warn!("disconnected from NATS; reconnecting"),
            Event::SlowConsumer(_) | Event::LameDuckMode | Event::Draining | Event::Closed => {
                tracing::info!(%event, "NATS connection changed");
            }
            Event::ServerError(error) => tracing::warn!(%error, "the NATS server reports an error"),
            Event::ClientError(error) => tracing::warn!(%error, "the NATS client reports an error"),
        })
        .connect(url)
        .await
        .map_err(ConnectError)
}

pub(crate) fn context(client: Client) -> jetstream::Context {
    jetstream::ContextBuilder::new().timeout(REQUEST_TIMEOUT).build(client)
}

/// The stream, made if it is missing.
pub(crate) async fn stream(
    context: &jetstream::Context,
    options: StreamOptions,
) -> Result<stream::Stream, Source> {
    let config = stream::Config {
        name: STREAM.to_owned(),
        description: Some("Chancery: sealed ledger entries. The log is the truth.".to_owned()),
        subjects: vec![SUBJECTS.to_owned()],
        storage: stream::StorageType::File,
        discard: stream::DiscardPolicy::Old,
        num_replicas: options.replicas,
        max_age: options.age_max,
        max_bytes: options.bytes_max.into(),
        max_message_size: i32::try_from(MESSAGE_BYTES_MAX)?,
        duplicate_window: DUPLICATE_WINDOW,
        ..stream::Config::default()
    };
    Ok(context.get_or_create_stream(config).await?)
}

/// Turns messages into hints until it is aborted.
pub(crate) async fn listen_for_ever(
    client: Client,
    consumer: ConsumerName,
    options: StreamOptions,
    hints: broadcast::Sender<Hint>,
) {
    let context = context(client);
    let mut failures = 0_u32;
    loop {
        let error = match listen(&context, &consumer, options, &hints, &mut failures).await {
            Ok(()) => "the message stream ended".into(),
            Err(error) => error,
        };
        failures = failures.saturating_add(1);
        let delay = backoff::delay(failures);
        tracing::warn!(%consumer, error, delay_ms = delay.as_millis(), "NATS wakes no one; the sweep goes on");
        tokio::time::sleep(delay).await;
    }
}

async fn listen(
    context: &jetstream::Context,
    name: &ConsumerName,
    options: StreamOptions,
    hints: &broadcast::Sender<Hint>,
    failures: &mut u32,
) -> Result<(), Source> {
    let config = pull::Config {
        durable_name: Some(name.to_string()),
        // Older messages are covered by the sweep that follows.
        deliver_policy: consumer::DeliverPolicy::New,
        // A lost hint needs no second one: the log is swept.
        ack_policy: consumer::AckPolicy::None,
        filter_subject: SUBJECTS.to_owned(),
        inactive_threshold: CONSUMER_IDLE_MAX,
        // Hints need no payload.
        headers_only: true,
        ..pull::Config::default()
    };
    let stream = stream(context, options).await?;
    let consumer = stream.get_or_create_consumer(name.as_str(), config).await?;
    let mut messages = consumer
        .stream()
        .max_messages_per_batch(PULL_MESSAGES)
        .expires(PULL_EXPIRES)
        .heartbeat(HEARTBEAT)
        .messages()
        .await?;
    tracing::info!(consumer = %name, "listening on NATS");
    // Whatever came before this listener was heard by nobody. No receiver is fine: see `Drop`.
    let _ = hints.send(Hint::Anywhere);
    while let Some(message) = messages.try_next().await? {
        *failures = 0;
        if let Some(collaboration) = subject::collaboration(&message.subject) {
            let _ = hints.send(Hint::Collaboration(collaboration));
        }
    }
    Ok(())
}
