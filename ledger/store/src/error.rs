//! What the database said when it failed.

use std::sync::Arc;

/// A failure of the database, shared by all the writes that it struck.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct Fault(Arc<sqlx::Error>);

impl From<sqlx::Error> for Fault {
    fn from(source: sqlx::Error) -> Self {
        Self(Arc::new(source))
    }
}

impl Fault {
    /// The task that wrote is gone: its runtime has stopped.
    pub fn stopped() -> Self {
        sqlx::Error::WorkerCrashed.into()
    }

    /// Whether the database answered, and refused a statement.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(*self.0, sqlx::Error::Database(_))
    }
}
