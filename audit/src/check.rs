//! What is checked, by name, and what can come of it.

use std::fmt;

macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident $text:literal;)*) => {
        /// A check. Its text is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check {
            $($(#[$doc])* $name,)*
        }

        impl Check {
            /// Every check.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

checks! {
    /// The file is a sequence of canonical items, of the bundle's form, and ends with its trailer.
    Format "format";
    /// The header says what the log says: collaboration, origin, size. Its checksum holds.
    Header "header";
    /// The key is the one in the log's first event, and the one that the auditor expects.
    ServiceKey "service-key";
    /// The service sealed the entry: its signature is over exactly these bytes.
    Seal "seal";
    /// The entry is of this log and names the position where it stands.
    Position "position";
    /// The entry names the leaf hash of the entry before.
    Chain "chain";
    /// The service's evidence verifies and binds its name and key.
    ServiceEvidence "service-evidence";
    /// The member's or executor's own signature verifies, by a key that could sign there and then.
    Authority "authority";
    /// The executor's evidence verifies and binds the run, its nonce, the key and the result.
    ExecutorEvidence "executor-evidence";
    /// The entries before it permit the entry, and its command causes exactly what is stored.
    Rules "rules";
    /// The checkpoint is the service's, of this log and of this size.
    Checkpoint "checkpoint";
    /// The Merkle root over the entries is the one in the checkpoint.
    Root "root";
    /// A cosigned note is the service's, of this log; the witnesses' lines on it verify, and they are
    /// as many as asked for.
    Witnesses "witnesses";
    /// Each receipt of the mirror verifies, and is of the log as it stands up to its place; every
    /// entry has one for which one is announced.
    Mirror "mirror";
    /// A partial bundle holds, or lists as left out, whatever its entries name.
    Closure "closure";
    /// The log does not end in the middle of what a command causes.
    Settled "settled";
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an audit comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every check holds.
    Verified,
    /// A check fails: what is there contradicts itself, its signatures or the rules.
    Tampered {
        /// The first check that fails.
        check: Check,
        /// The position of the entry where it fails, if it is about one.
        position: Option<u64>,
        /// Why, with its causes.
        detail: String,
    },
    /// Nothing that is there fails, and something is missing.
    Incomplete {
        /// The check that lacks what is missing.
        check: Check,
        /// The position of the first entry that is missing, if it is entries that are.
        position: Option<u64>,
        /// What is missing.
        detail: String,
    },
    /// Not a bundle, or not one that this release can judge.
    Unreadable {
        /// Why.
        detail: String,
    },
}

impl Verdict {
    /// The exit code: 0 verified, 1 tampered, 2 incomplete, 3 unreadable.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Tampered { .. } => 1,
            Self::Incomplete { .. } => 2,
            Self::Unreadable { .. } => 3,
        }
    }

    /// Its name, as programs read it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Tampered { .. } => "tampered",
            Self::Incomplete { .. } => "incomplete",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}
