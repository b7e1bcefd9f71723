//! How mirroring stands, for metrics, the API and the log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chancery_ledger::id::CollaborationId;
use tokio::sync::watch;

/// How a log's mirror stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It follows.
    Following,
    /// The other side can't be reached, or fails: tried again.
    Unavailable(String),
    /// The consortium refuses, with this code: tried again, at length.
    Blocked(String),
    /// The two sides hold different histories: stopped, for people to look at.
    Diverged(String),
}

impl State {
    /// Every name that [`State::as_str`] gives.
    pub const NAMES: [&'static str; 4] = ["following", "unavailable", "blocked", "diverged"];

    /// Its name, as programs read it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Following => Self::NAMES[0],
            Self::Unavailable(_) => Self::NAMES[1],
            Self::Blocked(_) => Self::NAMES[2],
            Self::Diverged(_) => Self::NAMES[3],
        }
    }

    /// Why it does not follow.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Following => None,
            Self::Unavailable(why) | Self::Blocked(why) | Self::Diverged(why) => Some(why),
        }
    }
}

/// How far a log's mirror is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStatus {
    /// Entries in the log.
    pub size: u64,
    /// Entries that the other side took.
    pub sent: u64,
    /// Entries with a verified receipt.
    pub mirrored: u64,
    /// When the oldest entry without a receipt was sealed, by the service's clock: milliseconds since
    /// the Unix epoch. None where all have one, or it is not known yet.
    pub oldest_ms: Option<u64>,
    /// Whether it goes on.
    pub state: State,
}

impl LogStatus {
    /// Entries without a verified receipt.
    pub const fn lag(&self) -> u64 {
        self.size.saturating_sub(self.mirrored)
    }

    /// For how long the oldest entry without a receipt has been in the log, in milliseconds.
    pub fn lag_ms(&self, now_ms: u64) -> u64 {
        self.oldest_ms.map_or(0, |oldest| now_ms.saturating_sub(oldest))
    }
}

/// Where the workers note how their logs stand.
#[derive(Clone)]
pub(crate) struct Board {
    logs: Arc<Mutex<BTreeMap<CollaborationId, LogStatus>>>,
    changed: watch::Sender<()>,
}

impl Board {
    pub fn new() -> Self {
        Self { logs: Arc::default(), changed: watch::Sender::new(()) }
    }

    pub fn note(&self, c: CollaborationId, status: LogStatus) {
        let changed = self.with(|logs| {
            let same = logs.get(&c) == Some(&status);
            logs.insert(c, status);
            !same
        });
        if changed {
            self.changed.send_replace(());
        }
    }

    pub fn handle(&self) -> StatusHandle {
        StatusHandle(self.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<CollaborationId, LogStatus>) -> T) -> T {
        act(&mut self.logs.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads how mirroring stands, while the driver runs.
#[derive(Clone)]
pub struct StatusHandle(Board);

impl StatusHandle {
    /// How each log stands now.
    pub fn read(&self) -> BTreeMap<CollaborationId, LogStatus> {
        self.0.with(|logs| logs.clone())
    }

    /// How a log stands now; none while the driver has not seen it.
    pub fn of(&self, c: CollaborationId) -> Option<LogStatus> {
        self.0.with(|logs| logs.get(&c).cloned())
    }

    /// Waits until so many entries of a log have a receipt: true; or its mirror has diverged, or
    /// stopped for good: false.
    pub async fn reached(&self, c: CollaborationId, size: u64) -> bool {
        let mut changed = self.0.changed.subscribe();
        loop {
            match self.of(c) {
                Some(status) if status.mirrored >= size => return true,
                Some(LogStatus { state: State::Diverged(_), .. }) => return false,
                Some(_) | None => {}
            }
            if changed.changed().await.is_err() {
                return false;
            }
        }
    }
}
