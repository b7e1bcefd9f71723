//! Partial bundles: the entries about one query, run or member, and those that they rest on.

use std::fmt;
use std::str::FromStr;

use chancery_governance::subject::Subject;
use chancery_ledger::id::{MemberId, ParseIdError, QueryId, RunId};

/// What a partial bundle is about, written as the subject is: `query/<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A query: its proposals, votes and runs.
    Query(QueryId),
    /// A run.
    Run(RunId),
    /// What a member did, and what was done about it.
    Member(MemberId),
}

impl Scope {
    /// The subject that it is about.
    pub const fn subject(self) -> Subject {
        match self {
            Self::Query(id) => Subject::Query(id),
            Self::Run(id) => Subject::Run(id),
            Self::Member(id) => Subject::Member(id),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.subject().fmt(f)
    }
}

impl FromStr for Scope {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse()? {
            Subject::Query(id) => Ok(Self::Query(id)),
            Subject::Run(id) => Ok(Self::Run(id)),
            Subject::Member(id) => Ok(Self::Member(id)),
            Subject::Collaboration(_) | Subject::Invitation(_) | Subject::Dataset(_) => {
                Err(ParseIdError)
            }
        }
    }
}
