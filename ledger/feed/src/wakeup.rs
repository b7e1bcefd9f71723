//! What tells a subscription to look at the log. A hint is never more than that.

use chancery_ledger::id::CollaborationId;
use chancery_store::{Appended, Store};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

use crate::ConsumerName;
use crate::nats::{self, Client, StreamOptions};

/// Hints that wait to be seen; when more come, all heads are swept instead.
const HINTS_MAX: usize = 1024;

/// A carrier of hints.
pub struct Wakeup {
    hints: Hints,
    /// The task that receives from NATS.
    listener: Option<JoinHandle<()>>,
}

enum Hints {
    Store(broadcast::Receiver<Appended>),
    Nats(broadcast::Receiver<Hint>),
    Never,
}

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hint {
    /// This collaboration may have grown, if it exists.
    Collaboration(CollaborationId),
    /// Hints may have been missed.
    Anywhere,
}

impl Wakeup {
    /// Appends made through `store` and its clones in this process.
    pub fn in_process(store: &Store) -> Self {
        Self { hints: Hints::Store(store.appended()), listener: None }
    }

    /// Messages on NATS, by a durable pull consumer named `consumer`. Receives in a task of its
    /// own that ends with this value; NATS may be away, now or later.
    pub fn nats(client: Client, consumer: ConsumerName, options: StreamOptions) -> Self {
        let (sender, hints) = broadcast::channel(HINTS_MAX);
        let listener = tokio::spawn(nats::listen_for_ever(client, consumer, options, sender));
        Self { hints: Hints::Nats(hints), listener: Some(listener) }
    }

    /// No hints: the sweep alone finds what is new.
    pub fn none() -> Self {
        Self { hints: Hints::Never, listener: None }
    }

    /// The next hint. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Hint {
        let received = match &mut self.hints {
            Hints::Store(hints) => {
                hints.recv().await.map(|appended| Hint::Collaboration(appended.collaboration))
            }
            Hints::Nats(hints) => hints.recv().await,
            Hints::Never => std::future::pending().await,
        };
        match received {
            Ok(hint) => hint,
            Err(RecvError::Lagged(_)) => Hint::Anywhere,
            Err(RecvError::Closed) => {
                self.hints = Hints::Never;
                Hint::Anywhere
            }
        }
    }
}

impl Drop for Wakeup {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}
