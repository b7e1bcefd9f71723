//! The feed's port to the log. What it gives is a hint: [`crate::log`] fetches and verifies again.

use chancery_feed::{LogEntry, LogReader, ReadFailure};
use chancery_ledger::id::CollaborationId;

use super::{Client, ClientError};

impl LogReader for Client {
    async fn range(
        &self,
        collaboration: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<LogEntry>, ReadFailure> {
        match self.entries(collaboration, from, limit).await {
            Ok(page) => Ok(page
                .entries
                .into_iter()
                .map(|(position, sealed)| LogEntry { position, sealed })
                .collect()),
            // A forged hint names a collaboration that isn't there: nothing to read.
            Err(error) if error.code() == Some("collaboration_not_found") => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    async fn heads(
        &self,
        after: Option<CollaborationId>,
        limit: u32,
    ) -> Result<Vec<(CollaborationId, u64)>, ReadFailure> {
        let mut heads = self.log_heads(after).await?;
        heads.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(heads)
    }
}

impl From<ClientError> for ReadFailure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Corrupt(_) => Self::Corrupt(error.into()),
            // A refused token or identity is the operator's to mend; until then, no log.
            ClientError::Rejected { .. }
            | ClientError::Conflict { .. }
            | ClientError::Unavailable(_) => Self::Unavailable(error.into()),
        }
    }
}
