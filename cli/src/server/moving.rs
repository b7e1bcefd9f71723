//! After a rotation: every log is moved to the current key, beside the server's other work.

use std::time::Duration;

use chancery_commands::App;

/// The first wait after a failure; it doubles.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// The longest one.
const WAIT_MAX: Duration = Duration::from_mins(5);

/// Moves every log that an older key seals to the current one, until all are moved.
pub async fn move_logs(app: App) {
    let mut wait = WAIT_FIRST;
    loop {
        match app.writers.rotate_all(&app).await {
            Ok(moved) => {
                tracing::info!(moved, "every log goes on under the current key");
                return;
            }
            Err(problem) => {
                let (code, wait_s) = (problem.code(), wait.as_secs());
                let cause = problem.cause();
                tracing::warn!(code, cause, wait_s, "not every log could be moved; will retry");
            }
        }
        tokio::time::sleep(wait).await;
        wait = wait.saturating_mul(2).min(WAIT_MAX);
    }
}
