//! What is checked of a ledger, by name, and what can come of it.

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
    /// The files are of the form of CCF's, and their tables of positions agree with the entries.
    Format "format";
    /// The files hold all transactions from the first one on, each once.
    Chunks "chunks";
    /// Each transaction names the number where it stands, and no view comes before an earlier one.
    Transaction "transaction";
    /// The service's state is written by a self-signed certificate, and changes as it may.
    Service "service";
    /// The node that signed is one of the network, and its certificate is the service's.
    Node "node";
    /// The root in a signature transaction is the one over all transactions before it.
    Root "root";
    /// The node signed that root.
    NodeSignature "node-signature";
    /// The service signed that root, for that transaction.
    ServiceSignature "service-signature";
    /// The tree in a signature transaction has that root.
    Tree "tree";
    /// Each earlier service key is endorsed by the one after it, for what it signed.
    Endorsement "endorsement";
    /// The ledger's service is the one of the certificate that was given.
    ServiceKey "service-key";
    /// The certificates were valid when they were used.
    Validity "validity";
    /// Every transaction is signed, and those that were expected are there.
    Signed "signed";
    /// A snapshot is the one that the ledger has the evidence of.
    Snapshot "snapshot";
    /// The entries of the log that was given are in the ledger, in order, under what is claimed.
    Mirror "mirror";
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an audit of a ledger comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every check holds.
    Verified,
    /// A check fails: what is there contradicts itself, its signatures or the certificate given.
    Tampered(Finding),
    /// Nothing that is there fails, and something is missing.
    Incomplete(Finding),
    /// Not a ledger, or not one of a version that is read.
    Unreadable(Finding),
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// The transaction that it is about, or the first one that is missing, as far as it has a
    /// number.
    pub seqno: Option<u64>,
    /// Why, with its causes.
    pub detail: String,
}

impl Finding {
    /// A finding about the transaction of that number.
    pub fn at(check: Check, seqno: u64, detail: impl Into<String>) -> Self {
        Self { check, seqno: Some(seqno), detail: detail.into() }
    }

    /// A finding about the whole.
    pub fn of_all(check: Check, detail: impl Into<String>) -> Self {
        Self { check, seqno: None, detail: detail.into() }
    }
}

impl Verdict {
    /// The exit code: 0 verified, 1 tampered, 2 incomplete, 3 unreadable.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Tampered(_) => 1,
            Self::Incomplete(_) => 2,
            Self::Unreadable(_) => 3,
        }
    }

    /// Its name, as programs read it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Tampered(_) => "tampered",
            Self::Incomplete(_) => "incomplete",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// What was found, but for verified.
    pub const fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Verified => None,
            Self::Tampered(finding) | Self::Incomplete(finding) | Self::Unreadable(finding) => {
                Some(finding)
            }
        }
    }
}

/// An error and what caused it, on one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A number of transactions, in words.
pub(crate) fn from_to(first: u64, last: u64) -> String {
    if first == last {
        format!("transaction {first}")
    } else {
        format!("transactions {first} to {last}")
    }
}
