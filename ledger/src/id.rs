//! Identifiers: one newtype over a UUID (RFC 9562) for each kind of thing.
//!
//! Ids are made outside the pure crates and come in as values. The written form is the
//! hyphenated lower-case one; any other is refused, so that an id has one spelling in signed bytes.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A text that is not an id in the written form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected a hyphenated lower-case UUID")]
pub struct ParseIdError;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The 16 bytes, most significant first.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let uuid = Uuid::try_parse(text).map_err(|_| ParseIdError)?;
                if uuid.to_string() == text { Ok(Self(uuid)) } else { Err(ParseIdError) }
            }
        }
    )*};
}

ids! {
    /// A collaboration (a clean room): one log of its own.
    CollaborationId;
    /// A member of one collaboration.
    MemberId;
    /// An invitation to one collaboration.
    InvitationId;
    /// A dataset, over all its versions.
    DatasetId;
    /// A query, over all its revisions.
    QueryId;
    /// A run of a query.
    RunId;
    /// A change request: terms or membership that the members vote on.
    ChangeId;
    /// An auto-approval rule.
    RuleId;
    /// A command: the idempotency key, UUIDv7, and the nonce of the signed bytes.
    CommandId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_parses() {
        let text = "01932b6c-7d3a-7c1e-8f00-0123456789ab";
        assert_eq!(text.parse::<MemberId>().map(|id| id.to_string()), Ok(text.to_owned()));
        for bad in ["01932B6C-7D3A-7C1E-8F00-0123456789AB", "01932b6c7d3a7c1e8f000123456789ab", "x"]
        {
            assert_eq!(bad.parse::<MemberId>(), Err(ParseIdError), "{bad}");
        }
    }
}
