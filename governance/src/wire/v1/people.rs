//! The wire form of what members agree on: changes, groups, auto-approval rules.

use chancery_ledger::codec::Value;

use super::super::record::Fields;
use super::super::{Wire, WireError};
use super::{tagged, untagged};
use crate::change::Change;
use crate::rule::Shape;

names! {
    crate::member::Departure { Left "left", Removed "removed" }
}

record! {
    crate::member::ApprovalGroup { name, members, needed }
    crate::rule::ApprovalRule { name, author, runner, output, shape, expires_ms }
    crate::rule::AllowedInput { dataset, columns, aggregates }
}

impl Wire for Change {
    fn encode(&self) -> Value {
        let kind = self.kind();
        match self {
            Self::SetTerms(terms) => tagged(kind, [("terms", terms.encode())]),
            Self::RemoveMember(member) | Self::GrantOwner(member) | Self::RevokeOwner(member) => {
                tagged(kind, [("member", member.encode())])
            }
            Self::ReplaceKey { member, key } => {
                tagged(kind, [("member", member.encode()), ("key", key.encode())])
            }
            Self::AdmitMember(invitation) => tagged(kind, [("invitation", invitation.encode())]),
        }
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        let variant = |kind: &str, fields: &mut Fields<'_>| {
            Ok(match kind {
                "set_terms" => Some(Self::SetTerms(fields.take("terms")?)),
                "remove_member" => Some(Self::RemoveMember(fields.take("member")?)),
                "grant_owner" => Some(Self::GrantOwner(fields.take("member")?)),
                "revoke_owner" => Some(Self::RevokeOwner(fields.take("member")?)),
                "replace_key" => Some(Self::ReplaceKey {
                    member: fields.take("member")?,
                    key: fields.take("key")?,
                }),
                "admit_member" => Some(Self::AdmitMember(fields.take("invitation")?)),
                _ => None,
            })
        };
        let expected = "set_terms remove_member grant_owner revoke_owner replace_key admit_member";
        untagged(value, variant, expected)
    }
}

impl Wire for Shape {
    fn encode(&self) -> Value {
        match self {
            Self::Text(digest) => tagged("text", [("digest", digest.encode())]),
            Self::Reads(inputs) => tagged("reads", [("inputs", inputs.encode())]),
        }
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        let variant = |kind: &str, fields: &mut Fields<'_>| {
            Ok(match kind {
                "text" => Some(Self::Text(fields.take("digest")?)),
                "reads" => Some(Self::Reads(fields.take("inputs")?)),
                _ => None,
            })
        };
        untagged(value, variant, "text reads")
    }
}
