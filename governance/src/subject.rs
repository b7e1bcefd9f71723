//! What commands and events are about.

use std::fmt;
use std::str::FromStr;

use chancery_ledger::id::{
    ChangeId, CollaborationId, DatasetId, InvitationId, MemberId, ParseIdError, QueryId, RuleId,
    RunId,
};

use crate::consent::Scope;

/// The thing that a command or event is about, written `kind/id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The collaboration itself.
    Collaboration(CollaborationId),
    /// An invitation. Whoever accepts it becomes the member of the same id.
    Invitation(InvitationId),
    /// A member.
    Member(MemberId),
    /// A dataset.
    Dataset(DatasetId),
    /// A query.
    Query(QueryId),
    /// A run.
    Run(RunId),
    /// A change request.
    Change(ChangeId),
    /// An auto-approval rule.
    Rule(RuleId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Collaboration(id) => write!(f, "collaboration/{id}"),
            Self::Invitation(id) => write!(f, "invitation/{id}"),
            Self::Member(id) => write!(f, "member/{id}"),
            Self::Dataset(id) => write!(f, "dataset/{id}"),
            Self::Query(id) => write!(f, "query/{id}"),
            Self::Run(id) => write!(f, "run/{id}"),
            Self::Change(id) => write!(f, "change/{id}"),
            Self::Rule(id) => write!(f, "rule/{id}"),
        }
    }
}

impl FromStr for Subject {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, id) = text.split_once('/').ok_or(ParseIdError)?;
        match kind {
            "collaboration" => id.parse().map(Self::Collaboration),
            "invitation" => id.parse().map(Self::Invitation),
            "member" => id.parse().map(Self::Member),
            "dataset" => id.parse().map(Self::Dataset),
            "query" => id.parse().map(Self::Query),
            "run" => id.parse().map(Self::Run),
            "change" => id.parse().map(Self::Change),
            "rule" => id.parse().map(Self::Rule),
            _ => Err(ParseIdError),
        }
    }
}

impl From<Scope> for Subject {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Collaboration(id) => Self::Collaboration(id),
            Scope::Dataset(id) => Self::Dataset(id),
            Scope::Query(id) => Self::Query(id),
        }
    }
}

/// The member that an invitation makes: of the same id.
pub const fn member_of(invitation: InvitationId) -> MemberId {
    MemberId::new(invitation.uuid())
}

/// The owner of a collaboration: the member of the same id.
pub const fn owner_of(collaboration: CollaborationId) -> MemberId {
    MemberId::new(collaboration.uuid())
}
