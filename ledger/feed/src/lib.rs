//! Subscriptions to the log by position.
//!
//! A [`Subscription`] delivers every entry of every collaboration at least once, in position order
//! within each, and goes on after the last acknowledged one when it is opened again. Whatever it
//! delivers was read from the log through a [`LogReader`]. A [`Wakeup`] only tells it when to look:
//! a message that is lost, repeated, out of order or forged changes nothing but the delay, which a
//! periodic sweep of all heads bounds.
//!
//! Two carriers wake it, under one contract (`tests/contract`): the store's own notification in
//! the same process, and NATS `JetStream`, fed by the [`Publisher`].

mod backoff;
mod consumer;
mod cursors;
mod error;
mod file_cursors;
mod log;
mod nats;
mod publisher;
mod subject;
mod subscription;
mod wakeup;

pub use consumer::{ConsumerName, InvalidConsumerName};
pub use cursors::{CursorError, Cursors, StoreCursors};
pub use error::{Corruption, FeedError, Source};
pub use file_cursors::FileCursors;
pub use log::{LogEntry, LogReader, ReadFailure};
pub use nats::{Client, ConnectError, ConnectOptions, STREAM, StreamOptions, connect};
pub use publisher::{OMITTED_HEADER, POSITION_HEADER, PUBLISHER, Publisher};
pub use subject::{FALLBACK, SUBJECTS, SubjectNamer};
pub use subscription::{Delivery, PAGE_ENTRIES, SWEEP_INTERVAL, Subscription};
pub use wakeup::Wakeup;
