//! Who takes part: identities, abilities, personal data under seal.

use chancery_ledger::digest::Digest;
use chancery_ledger::id::MemberId;

/// Who somebody is to an OIDC issuer. Never an e-mail address alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The issuer's `iss`.
    pub issuer: String,
    /// The tenant, where the issuer has tenants.
    pub tenant: Option<String>,
    /// The `sub`.
    pub subject: String,
}

/// What a member may do; each is granted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ability {
    /// Runs the collaboration: workload, clean room policy, invitations.
    Owner,
    /// Publishes datasets that queries read.
    DataProvider,
    /// Drafts and proposes queries.
    Analyst,
    /// Requests runs.
    Runner,
    /// Publishes datasets that queries write, and so receives results.
    ResultReceiver,
    /// Reads everything, changes nothing.
    Auditor,
}

/// An e-mail address under a key of its own, kept outside the log.
///
/// The commitment is `SHA-256(CBOR ["chancery/v1/personal", salt, e-mail])`; destroying the key
/// erases the person, and the commitment, for want of the salt, tells nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPersonal {
    /// The salted commitment.
    pub commitment: Digest,
    /// AES-256-GCM of salt and e-mail, base64url: 12 bytes nonce, ciphertext, 16 bytes tag.
    pub ciphertext: String,
}

/// What the members agreed on: when the collaboration began, and by change requests since.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// Acts that only a signature of the member's own key can make.
    pub member_signed: Vec<SignedAct>,
    /// Whether evidence of kind `insecure-virtual` is accepted: no hardware stands behind it.
    pub insecure_virtual: bool,
    /// How many members carry a change request; none means all of them.
    pub change_threshold: Option<u64>,
    /// Whether nobody becomes a member before the members voted for it.
    pub admission_by_vote: bool,
    /// The groups whose approval every query takes, beside that of the datasets' owners.
    pub groups: Vec<ApprovalGroup>,
    /// How long an accepted query may run, counted from its proposal, in milliseconds; none means
    /// for as long as nothing it rests on changes.
    pub acceptance_lifetime_ms: Option<u64>,
}

/// Members of whom so many must approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalGroup {
    /// What people call it: `[a-z][a-z0-9_-]{0,63}`, unique.
    pub name: String,
    /// Who is in it, sorted.
    pub members: Vec<MemberId>,
    /// How many of them must say yes.
    pub needed: u64,
}

/// Why somebody is a member no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Departure {
    /// It left.
    Left,
    /// The members voted for it.
    Removed,
}

/// An act that terms can demand a member's own signature for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignedAct {
    /// Approving or rejecting a query.
    Votes,
    /// Withdrawing or restoring consent.
    Consents,
    /// Requesting or cancelling a run.
    Runs,
}
