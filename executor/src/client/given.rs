//! What an entry of the log gave, fetched sealed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::{Client, ClientError};
use crate::RunKey;

impl Client {
    /// The sealed bytes that the entry at `position` gave the run. What they open to, and whether to
    /// the right thing, the opening tells.
    ///
    /// # Errors
    ///
    /// [`ClientError`]: a conflict where something was withdrawn since.
    pub async fn given(&self, run: RunKey, position: u64) -> Result<Vec<u8>, ClientError> {
        #[derive(Deserialize)]
        struct HandedOut {
            sealed: String,
        }
        let RunKey { collaboration, run } = run;
        let path = format!("/v1/collaborations/{collaboration}/runs/{run}/given/{position}");
        let found: HandedOut = self.read_json(&path, &[]).await?;
        URL_SAFE_NO_PAD.decode(found.sealed).map_err(ClientError::corrupt)
    }
}
