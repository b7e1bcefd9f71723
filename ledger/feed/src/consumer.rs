//! The name under which a consumer's progress is kept.

use std::fmt;
use std::str::FromStr;

/// A durable consumer's name: 1 to 64 of `A-Z a-z 0-9 - _`, as NATS allows for a durable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsumerName(String);

/// A text that can't name a consumer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a consumer's name is 1 to {} letters, digits, hyphens or underscores",
    ConsumerName::BYTES_MAX
)]
pub struct InvalidConsumerName;

impl ConsumerName {
    /// Bytes in a name, at most.
    pub const BYTES_MAX: usize = 64;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ConsumerName {
    type Err = InvalidConsumerName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > Self::BYTES_MAX || !text.bytes().all(allowed) {
            return Err(InvalidConsumerName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ConsumerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nats_takes_are_taken() {
        let long = "x".repeat(65);
        for bad in ["", "a.b", "a b", "*", ">", "é", &long] {
            assert_eq!(bad.parse::<ConsumerName>(), Err(InvalidConsumerName), "{bad}");
        }
        assert!("views-2_x".parse::<ConsumerName>().is_ok());
    }
}
