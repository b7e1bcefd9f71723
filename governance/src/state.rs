//! What the log adds up to: the state of one collaboration.
//!
//! Stages are enums that hold their data. [`evolve`] moves them by one event and calls an event
//! that is illegal in its state [`Corrupt`]: never skipped, never a panic.

pub mod change;
mod evolve;
pub mod lifecycle;
pub mod loss;
pub mod query;
pub mod rebound;
pub mod roll;
pub mod run;
pub mod spent;
pub mod ties;

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Actor;
use chancery_ledger::id::{
    ChangeId, CollaborationId, CommandId, DatasetId, InvitationId, MemberId, QueryId, RuleId, RunId,
};
use chancery_ledger::key::{KeyId, PublicKey};

use change::ChangeRequest;
pub use evolve::{Corrupt, evolve};
use query::Query;
use run::Run;

use crate::clean_room::{Demands, Only};
use crate::consent::{ConsentKind, Scope};
use crate::dataset::Descriptor;
use crate::member::{Ability, Departure, Identity, SealedPersonal, Terms};
use crate::query::DatasetVersion;
use crate::rule::ApprovalRule;
use crate::secret::{ServiceKeys, StoredSecret};
use crate::subject::Subject;

/// One collaboration, or that there is none yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// The log is empty.
    #[default]
    Absent,
    /// The log began.
    Present(Box<Collaboration>),
}

/// Where an event stands: what [`evolve`] needs beside the event itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The log.
    pub collaboration: CollaborationId,
    /// The position in it.
    pub position: u64,
    /// The leaf hash of the entry.
    pub leaf: Digest,
    /// When it was sealed, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Who caused it.
    pub actor: Actor,
    /// The command that caused it.
    pub command: CommandId,
    /// What it is about.
    pub subject: Subject,
}

/// A collaboration as its log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collaboration {
    /// Its id.
    pub id: CollaborationId,
    /// What people call it.
    pub name: String,
    /// Who began it.
    pub owner: MemberId,
    /// What holds in it.
    pub terms: Terms,
    /// The service's name: the first part of the log's origin.
    pub service: String,
    /// The key that seals the next entry, and the audience of commands.
    pub service_key: PublicKey,
    /// The keys that seal the log, each with the first position that it seals: the first at 0, the
    /// last is [`Collaboration::service_key`].
    pub service_keys: Vec<(u64, PublicKey)>,
    /// The kind of the evidence behind the service's key, as in `insecure-virtual`.
    pub service_evidence: String,
    /// The workload, once enabled.
    pub workload: Option<String>,
    /// The application measurements that may run queries, sorted; none before the policy is set.
    pub applications: Vec<Digest>,
    /// Its members.
    pub members: BTreeMap<MemberId, Member>,
    /// Those who were members. They can do nothing, and their keys are nobody else's.
    pub former: BTreeMap<MemberId, FormerMember>,
    /// Both by identity and by key.
    pub roll: roll::Roll,
    /// What hangs on what.
    pub ties: ties::Ties,
    /// The proposals that this release was seen to bind to the same digest.
    pub rebound: rebound::Rebound,
    /// Its change requests.
    pub changes: BTreeMap<ChangeId, ChangeRequest>,
    /// The auto-approval rules that vote.
    pub rules: BTreeMap<RuleId, Rule>,
    /// Its invitations.
    pub invitations: BTreeMap<InvitationId, Invitation>,
    /// Its datasets.
    pub datasets: BTreeMap<DatasetId, Dataset>,
    /// Its queries.
    pub queries: BTreeMap<QueryId, Query>,
    /// Its runs.
    pub runs: BTreeMap<RunId, Run>,
    /// The marks against use: who set each.
    pub marks: BTreeMap<(Scope, ConsentKind), BTreeSet<MemberId>>,
    /// The version of each subject: the position of the last event about it.
    pub versions: BTreeMap<Subject, u64>,
    /// Whether it is open, paused or closed.
    pub lifecycle: lifecycle::Lifecycle,
    /// The runs that count against budgets.
    pub spent: spent::Spent,
    /// The privacy that datasets lost.
    pub loss: loss::Losses,
    /// What the clean room policy demands of a platform beside the application.
    pub demands: Demands,
    /// Applications that may run some queries only.
    pub only: Vec<Only>,
    /// The keys that the service announced for secrets and tokens; the last ones are in use.
    pub announced: Vec<ServiceKeys>,
    /// The number of entries in the log.
    pub size: u64,
    /// The leaf hash of the last one.
    pub last_leaf: Digest,
    /// When the last one was sealed, milliseconds since the Unix epoch. Time never runs backwards.
    pub last_time_ms: u64,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The organisation that they speak for.
    pub organisation: String,
    /// Who they are to the issuer.
    pub identity: Identity,
    /// What they can do.
    pub abilities: BTreeSet<Ability>,
    /// The first key that they can register, where the invitation named one.
    pub invited_key: Option<KeyId>,
    /// Their keys, with whether each still signs.
    pub keys: BTreeMap<KeyId, MemberKey>,
    /// The key that the members voted to put in the place of lost ones: it can be registered
    /// without a signature, and ends them.
    pub replacement: Option<KeyId>,
}

/// Somebody who was a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerMember {
    /// As it was then.
    pub member: Member,
    /// Why it is one no more.
    pub departure: Departure,
    /// Where it ceased to be one.
    pub position: u64,
}

/// An auto-approval rule that votes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Whose votes it casts.
    pub owner: MemberId,
    /// What it approves.
    pub rule: ApprovalRule,
    /// Whether its owner signed it.
    pub member_signed: bool,
    /// Where it was set.
    pub position: u64,
}

/// A member's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberKey {
    /// The key.
    pub key: PublicKey,
    /// Where it was revoked, if it was.
    pub revoked_at: Option<u64>,
}

impl Member {
    /// The keys that still sign.
    pub fn active_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.values().filter(|key| key.revoked_at.is_none()).map(|key| &key.key)
    }
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The organisation of the invited.
    pub organisation: String,
    /// Who invited.
    pub invited_by: MemberId,
    /// What they will be able to do.
    pub abilities: Vec<Ability>,
    /// Their e-mail, sealed.
    pub email: SealedPersonal,
    /// Where the key that the e-mail is sealed under was destroyed, if it was.
    pub erased_at: Option<u64>,
    /// The tenant that must vouch for it.
    pub tenant: Option<String>,
    /// The key that the invited will sign with, where the inviter knew it.
    pub key: Option<KeyId>,
    /// Whether the members voted to let them in.
    pub admitted: bool,
    /// What became of it.
    pub stage: InvitationStage,
}

/// What became of an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvitationStage {
    /// Open.
    Pending,
    /// Taken back.
    Withdrawn,
    /// Accepted by this identity.
    Accepted(Identity),
}

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Who published it.
    pub owner: MemberId,
    /// Its versions, oldest first; never empty.
    pub versions: Vec<PublishedVersion>,
    /// Whether it is out of use.
    pub retired: bool,
    /// The secret of its newest version, where one is stored.
    pub secret: Option<StoredSecret>,
}

/// A version of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedVersion {
    /// What its owner says of it.
    pub descriptor: Descriptor,
    /// The digest of the descriptor.
    pub digest: Digest,
    /// Where it was published.
    pub position: u64,
}

impl Collaboration {
    /// The member whom an issuer knows by this identity.
    pub fn member_by_identity(&self, identity: &Identity) -> Option<(MemberId, &Member)> {
        let id = self.roll.by_identity(identity)?;
        self.members.get(&id).map(|member| (id, member))
    }

    /// Whether a key was ever registered here, by a member or a former one.
    pub fn knows_key(&self, key: KeyId) -> bool {
        self.roll.by_key(key).is_some()
    }

    /// How many owners there are.
    pub fn owners(&self) -> usize {
        self.members.values().filter(|member| member.abilities.contains(&Ability::Owner)).count()
    }

    /// The organisation of somebody who is or was a member.
    pub fn organisation(&self, id: MemberId) -> Option<&str> {
        let member = self.members.get(&id);
        let member = member.or_else(|| self.former.get(&id).map(|former| &former.member));
        member.map(|member| member.organisation.as_str())
    }

    /// The member that a key is registered to, revoked or not.
    pub fn member_by_key(&self, key: KeyId) -> Option<(MemberId, &Member, &MemberKey)> {
        let id = self.roll.by_key(key)?;
        let member = self.members.get(&id)?;
        member.keys.get(&key).map(|key| (id, member, key))
    }

    /// The newest version of a dataset, retired or not.
    pub fn dataset_version(&self, dataset: DatasetId) -> Option<(&Dataset, &PublishedVersion)> {
        let dataset = self.datasets.get(&dataset)?;
        Some((dataset, dataset.versions.last()?))
    }

    /// The version of a dataset that has this digest.
    pub fn dataset_at(&self, version: &DatasetVersion) -> Option<&PublishedVersion> {
        let dataset = self.datasets.get(&version.dataset)?;
        dataset.versions.iter().find(|published| published.digest == version.digest)
    }

    /// Whether this key seals the log now or did before.
    pub fn sealed_with(&self, key: KeyId) -> bool {
        self.service_keys.iter().any(|(_, sealing)| sealing.id() == key)
    }

    /// The key that seals the entry at `position`, or signs the checkpoint of that size.
    pub fn service_key_at(&self, position: u64) -> &PublicKey {
        let since = self.service_keys.iter().rev().find(|(first, _)| *first <= position);
        since.map_or(&self.service_key, |(_, key)| key)
    }

    /// Whose marks stand against this use, by member.
    pub fn marks_on(&self, scope: Scope, kind: ConsentKind) -> impl Iterator<Item = MemberId> + '_ {
        self.marks.get(&(scope, kind)).into_iter().flatten().copied()
    }

    /// The log's origin, as checkpoints name it: the service's name, a slash, the collaboration.
    pub fn origin(&self) -> String {
        origin(&self.service, self.id)
    }
}

/// The origin of a collaboration's log under a service's name.
pub fn origin(service: &str, collaboration: CollaborationId) -> String {
    format!("{service}/{collaboration}")
}

impl State {
    /// The collaboration, if the log began.
    pub fn collaboration(&self) -> Option<&Collaboration> {
        match self {
            Self::Absent => None,
            Self::Present(collaboration) => Some(collaboration),
        }
    }
}
