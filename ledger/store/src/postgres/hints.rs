//! Hints of new entries to and from other processes, by NOTIFY and LISTEN.
//!
//! Sent after the commit and apart from it: in the transaction, NOTIFY would hold a lock of the
//! whole server while the commit waits for the disk. A hint may get lost; the log is the truth.

use std::time::Duration;

use chancery_ledger::id::CollaborationId;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{broadcast, mpsc};
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::Appended;

const CHANNEL: &str = "chancery_appended";
/// Hints that wait to be sent, at most; more are dropped.
const WAITING_MAX: usize = 1024;
/// Between two tries to listen.
const RECONNECT: Duration = Duration::from_secs(1);

/// Ends its tasks when it is dropped.
pub(super) struct Tasks([AbortHandle; 2]);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

/// Starts to listen, and to send what comes in at the sender.
pub(super) fn spawn(
    pool: PgPool,
    here: broadcast::Sender<Appended>,
) -> (Tasks, mpsc::Sender<Appended>) {
    let (elsewhere, waiting) = mpsc::channel(WAITING_MAX);
    // Tells a process its own notes, which it needn't hear again.
    let me = Uuid::new_v4().to_string();
    let notifying = tokio::spawn(notify(pool.clone(), waiting, me.clone()));
    let listening = tokio::spawn(listen(pool, here, me));
    (Tasks([notifying.abort_handle(), listening.abort_handle()]), elsewhere)
}

async fn notify(pool: PgPool, mut waiting: mpsc::Receiver<Appended>, me: String) {
    let mut hints = Vec::new();
    while waiting.recv_many(&mut hints, WAITING_MAX).await > 0 {
        let notes: Vec<String> = hints
            .drain(..)
            .map(|hint| format!("{me} {} {}", hint.collaboration, hint.size))
            .collect();
        let sent = sqlx::query("SELECT pg_notify($1, note) FROM UNNEST($2::text[]) AS note")
            .bind(CHANNEL)
            .bind(notes)
            .execute(&pool)
            .await;
        if let Err(error) = sent {
            tracing::debug!(error = &error as &dyn std::error::Error, "hints weren't sent");
        }
    }
}

async fn listen(pool: PgPool, here: broadcast::Sender<Appended>, me: String) {
    while !pool.is_closed() {
        if let Err(error) = follow(&pool, &here, &me).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "no hints for now");
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn follow(
    pool: &PgPool,
    here: &broadcast::Sender<Appended>,
    me: &str,
) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let note = listener.recv().await?;
        if let Some((sender, hint)) = parse(note.payload())
            && sender != me
        {
            let _ = here.send(hint);
        }
    }
}

fn parse(note: &str) -> Option<(&str, Appended)> {
    let (sender, hint) = note.split_once(' ')?;
    let (collaboration, size) = hint.split_once(' ')?;
    let collaboration = collaboration.parse::<CollaborationId>().ok()?;
    Some((sender, Appended { collaboration, size: size.parse().ok()? }))
}
