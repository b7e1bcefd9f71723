//! The driver: follows the log by position, woken by the store's hints and by a sweep.

use std::time::Duration;

use chancery_ledger::id::CollaborationId;
use chancery_store::Store;
use tokio::sync::broadcast::error::RecvError;

use crate::advance::{Moved, Working, batch};
use crate::ahead::Ahead;
use crate::halt::{Corrupt, Halt, ProjectError};
use crate::schema::Set;
use crate::views::Views;

/// How often all heads are looked at: hints can be lost, and other processes send none.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(2);
/// Heads read at a time.
const HEADS: u32 = 1024;

/// Moves the views along the log. Cheap to clone; clones and other processes can work on the same
/// views at once, since each batch begins at the cursor in its own transaction.
#[derive(Clone)]
pub struct Projector {
    store: Store,
    views: Views,
}

impl Projector {
    /// A driver from `store` to `views`.
    pub const fn new(store: Store, views: Views) -> Self {
        Self { store, views }
    }

    /// Follows all logs until `shutdown` is ready. Can be dropped at any time: a batch that was
    /// under way leaves nothing behind.
    ///
    /// What is unavailable is tried again at the next sweep; a corrupt log stops the views of its
    /// collaboration only ([`Views::health`]).
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = shutdown => {}
            () = self.follow() => {}
        }
    }

    async fn follow(&self) {
        // Before the first sweep: what is appended after it sends a hint.
        let mut hints = self.store.appended();
        let mut open = true;
        let mut sweeps = tokio::time::interval(SWEEP_INTERVAL);
        sweeps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                hint = hints.recv(), if open => match hint {
                    Ok(hint) if hint.size <= self.views.size(hint.collaboration) => {}
                    Ok(hint) => self.attempt(hint.collaboration).await,
                    Err(RecvError::Lagged(_)) => self.sweep().await,
                    Err(RecvError::Closed) => open = false,
                },
                _ = sweeps.tick() => self.sweep().await,
            }
        }
    }

    /// Brings all views up to the heads of their logs.
    pub async fn sweep(&self) {
        let mut after = None;
        loop {
            let heads = match self.store.heads(after, HEADS).await {
                Ok(heads) => heads,
                Err(error) => {
                    tracing::warn!(%error, "the views can't see the heads of the logs; will retry");
                    return;
                }
            };
            let Some((last, _)) = heads.last() else { return };
            after = Some(*last);
            for (collaboration, size) in heads {
                if size != self.views.size(collaboration) {
                    self.attempt(collaboration).await;
                }
            }
        }
    }

    async fn attempt(&self, collaboration: CollaborationId) {
        match self.catch_up(collaboration).await {
            // A halt was logged when it happened.
            Ok(_) | Err(ProjectError::Halted(_)) => {}
            Err(error @ (ProjectError::Log(_) | ProjectError::Views(_))) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%collaboration, %error, cause, "the views stay behind; will retry");
            }
        }
    }

    /// Brings the views of a collaboration up to the head that its log has now. Gives how many
    /// entries they show: the last one's position is one less.
    ///
    /// # Errors
    ///
    /// [`ProjectError`].
    pub async fn catch_up(&self, collaboration: CollaborationId) -> Result<u64, ProjectError> {
        if let Some(halt) = self.views.halt(collaboration) {
            return Err(ProjectError::Halted(halt));
        }
        let head = self.head(collaboration).await?;
        if head == 0 && self.views.size(collaboration) == 0 {
            return Ok(0);
        }
        let mut log = Ahead::new(&self.store, collaboration, head);
        let mut working = Working::new();
        loop {
            let moved = self.step(&mut log, &mut working).await?;
            self.views.reached(collaboration, moved.to);
            if let Some(halt) = moved.halt {
                return Err(self.stop(halt));
            }
            if moved.to == head {
                return Ok(head);
            }
            if moved.to > head || moved.to == moved.from {
                // Somebody has moved on since the head was read, or the log is another.
                let size = self.head(collaboration).await?;
                if size >= moved.to {
                    return Ok(moved.to);
                }
                let cause = Corrupt::Shorter { size };
                return Err(self.stop(Halt { collaboration, position: size, cause }));
            }
        }
    }

    async fn step(&self, log: &mut Ahead, working: &mut Working) -> Result<Moved, ProjectError> {
        let mut transaction = self.views.writer().begin_with("BEGIN IMMEDIATE").await?;
        let moved = batch(&mut transaction, log, Set::Live, working).await?;
        transaction.commit().await?;
        Ok(moved)
    }

    async fn head(&self, collaboration: CollaborationId) -> Result<u64, ProjectError> {
        let head = self.store.head(collaboration).await.map_err(ProjectError::Log)?;
        Ok(head.map_or(0, |head| head.size))
    }

    fn stop(&self, halt: Halt) -> ProjectError {
        self.views.stopped(&halt);
        ProjectError::Halted(halt)
    }
}
