//! What a change request can change: the terms and the membership, by the members' vote only.

use chancery_ledger::id::{InvitationId, MemberId};
use chancery_ledger::key::KeyId;

use crate::member::Terms;

/// A change that takes the members' vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Other terms, in place of all of those in force.
    SetTerms(Terms),
    /// A member is one no more.
    RemoveMember(MemberId),
    /// A member becomes an owner.
    GrantOwner(MemberId),
    /// A member is an owner no more.
    RevokeOwner(MemberId),
    /// A member that lost its keys may register this one, with a token of its own issuer.
    ReplaceKey {
        /// The member.
        member: MemberId,
        /// The id of the key that it will sign with.
        key: KeyId,
    },
    /// An invitation may be accepted, where the terms ask for a vote on that.
    AdmitMember(InvitationId),
}

impl Change {
    /// Its kind, as the wire and views name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::SetTerms(_) => "set_terms",
            Self::RemoveMember(_) => "remove_member",
            Self::GrantOwner(_) => "grant_owner",
            Self::RevokeOwner(_) => "revoke_owner",
            Self::ReplaceKey { .. } => "replace_key",
            Self::AdmitMember(_) => "admit_member",
        }
    }

    /// The member that it is about, if it is about one.
    pub const fn member(&self) -> Option<MemberId> {
        match self {
            Self::RemoveMember(member)
            | Self::GrantOwner(member)
            | Self::RevokeOwner(member)
            | Self::ReplaceKey { member, .. } => Some(*member),
            Self::SetTerms(_) | Self::AdmitMember(_) => None,
        }
    }

    /// The member that has no vote on it: it can't hold up what is about itself.
    pub const fn concerned(&self) -> Option<MemberId> {
        match self {
            Self::RemoveMember(member)
            | Self::RevokeOwner(member)
            | Self::ReplaceKey { member, .. } => Some(*member),
            Self::SetTerms(_) | Self::GrantOwner(_) | Self::AdmitMember(_) => None,
        }
    }
}
