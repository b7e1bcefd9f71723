//! The client's clock, ids and randomness; all that is ambient comes through here.

use chancery_commands::clock::{self, NoRandomness};
use chancery_ledger::id::CommandId;

use crate::failure::Failure;

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    clock::system()()
}

/// Fresh random bytes.
///
/// # Errors
///
/// Where the system gives none.
pub fn random<const N: usize>() -> Result<[u8; N], Failure> {
    clock::random().map_err(|error: NoRandomness| {
        Failure::unreadable("This machine gives no random numbers", error.to_string())
    })
}

/// A fresh command id: a UUIDv7 (RFC 9562 section 5.7).
///
/// # Errors
///
/// Where the system gives no randomness.
pub fn command_id() -> Result<CommandId, Failure> {
    let random = random::<10>()?;
    let uuid = uuid::Builder::from_unix_timestamp_millis(now_ms(), &random).into_uuid();
    Ok(CommandId::new(uuid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_ids_are_version_7_and_never_the_same() {
        let (one, other) = (command_id().unwrap(), command_id().unwrap());
        assert_eq!(one.uuid().get_version_num(), 7);
        assert_ne!(one, other);
    }
}
