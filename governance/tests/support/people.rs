//! The people: their identities and keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::command::RegisterSigningKey;
use chancery_governance::decide::member::registration_message;
use chancery_governance::member::Identity;
use chancery_governance::subject::Subject;
use chancery_ledger::id::{InvitationId, MemberId};
use chancery_ledger::key::SigningKey;

use super::{World, collaboration, key, uuid};

/// Somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// Owner and data provider. Has a key.
    Litware,
    /// Data provider. Has no key, so the service witnesses.
    Contosso,
    /// Analyst, runner and receiver of results. Has a key.
    Fabrikam,
    /// No member, though with an identity and a key.
    Mallory,
}

impl Who {
    pub const ALL: [Self; 4] = [Self::Litware, Self::Contosso, Self::Fabrikam, Self::Mallory];
    pub const MEMBERS: [Self; 3] = [Self::Litware, Self::Contosso, Self::Fabrikam];

    pub fn identity(self) -> Identity {
        Identity {
            issuer: "https://login.example".into(),
            tenant: Some(format!("{self:?}").to_lowercase()),
            subject: format!("{self:?}-0001").to_lowercase(),
        }
    }

    /// The key that the person registers first.
    pub fn key(self) -> SigningKey {
        key(self.seed())
    }

    const fn seed(self) -> u8 {
        match self {
            Self::Litware => 1,
            Self::Contosso => 2,
            Self::Fabrikam => 3,
            Self::Mallory => 4,
        }
    }

    /// The invitation that makes the person a member.
    pub fn invitation(self) -> InvitationId {
        InvitationId::new(self.member().uuid())
    }

    pub fn member(self) -> MemberId {
        match self {
            Self::Litware => MemberId::new(collaboration().uuid()),
            Self::Contosso | Self::Fabrikam | Self::Mallory => {
                MemberId::new(uuid(0xa, u64::from(self.seed())))
            }
        }
    }

    /// The person's registration as a member.
    pub fn itself(self) -> Subject {
        Subject::Member(self.member())
    }
}

/// The registration of `new` by `who`, with its proof.
pub fn registration(world: &World, who: Who, new: &SigningKey) -> RegisterSigningKey {
    let message =
        registration_message(world.service.public().id(), world.id, who.member(), new.public());
    RegisterSigningKey {
        key: new.public().clone(),
        proof: URL_SAFE_NO_PAD.encode(new.sign(&message)),
    }
}
