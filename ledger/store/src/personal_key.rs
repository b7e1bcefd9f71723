//! Keys of personal data, kept beside the log: destroying one erases the person.

use chancery_ledger::id::CollaborationId;

use crate::backend::{Backend as _, on};
use crate::group::{Outcome, Work};
use crate::writer::Failure;
use crate::{Fault, ReadError, Store};

/// Why a key may still be readable.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EraseError {
    /// The key may be there still. Retry.
    #[error("the key can't be erased now")]
    Unavailable(#[source] Fault),
    /// The row is gone, but a reader keeps its old page. The store tries again by itself.
    #[error("the key is deleted, but traces of it wait for a reader to finish")]
    Traces,
}

/// One erasure.
pub(crate) struct Erase {
    pub collaboration: CollaborationId,
    pub subject: String,
}

impl Store {
    /// The key of a subject's personal data; `None` if there is none or it was erased.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn personal_key(
        &self,
        c: CollaborationId,
        subject: &str,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        on!(self, database => database.personal_key(c, subject).await)
    }

    /// Destroys the key of a subject's personal data; `Ok` also if there is none, so that it can be
    /// repeated.
    ///
    /// On `SQLite` the key is then neither in the database file nor in the write-ahead log. On
    /// PostgreSQL it isn't in the table's file, which is written anew; the server's write-ahead
    /// log holds it until those segments are recycled and overwritten, and so do its archive and
    /// its standbys. Backups, and blocks that a file system or disk has let go, are beyond the
    /// reach of both.
    ///
    /// # Errors
    ///
    /// See [`EraseError`]; after each, repeat it.
    pub async fn erase_personal_key(
        &self,
        c: CollaborationId,
        subject: &str,
    ) -> Result<(), EraseError> {
        let erase = Erase { collaboration: c, subject: subject.to_owned() };
        match self.write(Work::Erase(erase)).await {
            Ok(Outcome::Erase(result)) => result,
            Ok(_) | Err(Failure::Corrupt(_)) => Err(EraseError::Unavailable(Fault::stopped())),
            Err(
                Failure::NotStored(fault) | Failure::Unreachable(fault) | Failure::Unknown(fault),
            ) => Err(EraseError::Unavailable(fault)),
        }
    }
}
