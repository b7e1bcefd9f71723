//! The one home of the ambient clock and of randomness in the executor.

use std::time::{SystemTime, UNIX_EPOCH};

use chancery_ledger::id::CommandId;
use ring::rand::{SecureRandom as _, SystemRandom};

/// The operating system gave no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness")]
pub struct NoRandomness;

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the one home of the ambient clock")]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A fresh command id: a UUIDv7.
pub fn command_id() -> Result<CommandId, NoRandomness> {
    let mut random = [0; 10];
    SystemRandom::new().fill(&mut random).map_err(|_| NoRandomness)?;
    let uuid = uuid::Builder::from_unix_timestamp_millis(now_ms(), &random).into_uuid();
    Ok(CommandId::new(uuid))
}
