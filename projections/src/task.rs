//! Work beside the caller that ends with it.

use tokio::task::{JoinError, JoinHandle};

/// A task of its own. Dropped, it is stopped at its next await.
pub(crate) struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    /// Begins at once.
    pub(crate) fn spawn(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    /// What it gives. A panic in it goes on here.
    pub(crate) async fn join(mut self) -> T {
        match (&mut self.0).await {
            Ok(result) => result,
            Err(error) => ended(error).await,
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs `work`, which waits for nothing, on a thread where it holds nobody up.
pub(crate) async fn on_a_core<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => ended(error).await,
    }
}

async fn ended<T>(error: JoinError) -> T {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        // The runtime stops: whoever waits here is dropped next.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_dropped_task_is_stopped() {
        let (held, dropped) = oneshot::channel::<()>();
        let (began, begins) = oneshot::channel();
        let task = Task::spawn(async move {
            began.send(()).unwrap();
            std::future::pending::<()>().await;
            drop(held);
        });
        begins.await.unwrap();
        drop(task);
        // Its end drops the sender.
        dropped.await.unwrap_err();
    }

    #[tokio::test]
    async fn a_panic_reaches_who_waits() {
        let waiting = tokio::spawn(async { on_a_core(|| -> u8 { panic!("as told") }).await });
        assert!(waiting.await.unwrap_err().is_panic());
        let waiting = tokio::spawn(Task::spawn(async { panic!("as told") }).join());
        let result: Result<(), _> = waiting.await;
        assert!(result.unwrap_err().is_panic());
    }
}
