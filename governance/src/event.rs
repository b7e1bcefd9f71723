//! Everything that can have happened. Past tense; the wire form is in [`crate::wire::v1`].

use crate::clean_room::{Claims, Demands, Only};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{DatasetId, MemberId, QueryId, RuleId};
use chancery_ledger::key::{KeyId, PublicKey};

use crate::change::Change;
use crate::consent::ConsentKind;
use crate::dataset::Descriptor;
use crate::member::{Ability, ApprovalGroup, Departure, Identity, SealedPersonal, Terms};
use crate::privacy::Charge;
use crate::query::{Binding, DatasetVersion, Definition};
use crate::reason::Reason;
use crate::rule::ApprovalRule;
use crate::run::{Attested, Evidence, Platform, RefusedAt};
use crate::secret::{Attests, SealingKey};

macro_rules! events {
    ($($area:literal { $($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? })* })*) => {
        $($(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $name { $($(#[$field_doc])* pub $field: $kind),* }

            impl From<$name> for Event {
                fn from(event: $name) -> Self {
                    Self::$name(event)
                }
            }
        )*)*

        /// One event.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event {
            $($($(#[$doc])* $name($name),)*)*
        }

        impl Event {
            /// The same event without its sentences for people, which may change between releases.
            #[must_use]
            pub fn without_prose(mut self) -> Self {
                let reasons: &mut [Reason] = match &mut self {
                    Self::RunRefused(event) => &mut event.reasons,
                    Self::RunCancelled(event) => &mut event.reasons,
                    Self::SecretRefused(event) => &mut event.reasons,
                    Self::TokenRefused(event) => &mut event.reasons,
                    Self::QuerySuperseded(event) => std::slice::from_mut(&mut event.reason),
                    Self::ChangeSuperseded(event) => std::slice::from_mut(&mut event.reason),
                    _ => &mut [],
                };
                for reason in reasons {
                    reason.detail.clear();
                }
                self
            }

            /// Whether this is `other` but for such sentences.
            pub fn is_but_for_prose(&self, other: &Self) -> bool {
                self == other || self.clone().without_prose() == other.clone().without_prose()
            }

            /// The event's type, as entries name it.
            pub const fn kind(&self) -> &'static str {
                match self { $($(Self::$name(_) => stringify!($name),)*)* }
            }

            /// The area that an event type belongs to, as feeds name it.
            pub fn area_of(kind: &str) -> Option<&'static str> {
                match kind { $($(stringify!($name) => Some($area),)*)* _ => None }
            }

            /// Every event type.
            pub const KINDS: &'static [&'static str] = &[$($(stringify!($name)),*),*];
        }
    };
}

events! {
    "collaboration" {
        /// A clean room began. Names the service whose key seals this log.
        CollaborationCreated {
            /// The version of the rules that decide in it: see [`crate::RULES`].
            rules: u64,
            /// What people call it.
            name: String,
            /// The organisation of its owner.
            organisation: String,
            /// Who the owner is to the issuer.
            identity: Identity,
            /// What holds in it.
            terms: Terms,
            /// The service's name: the first part of the log's origin.
            service: String,
            /// The key that seals the log.
            service_key: PublicKey,
            /// Evidence that binds that key.
            evidence: Evidence,
        }
        /// A workload can be used from now on.
        WorkloadEnabled {
            /// Which, as in `spark-sql`.
            workload: String,
        }
        /// Which applications may run queries.
        CleanRoomPolicySet {
            /// Their measurements, sorted.
            applications: Vec<Digest>,
            /// What is demanded of the platform beside.
            demands: Demands,
            /// Applications that may run some queries only, sorted.
            only: Vec<Only>,
        }
        /// Nothing runs until it is resumed.
        CollaborationPaused {
            /// Why, in the member's words.
            reason: String,
        }
        /// Queries can run again.
        CollaborationResumed {}
        /// It is over: nothing is left but reading, export and erasure.
        CollaborationClosed {
            /// Why, in the member's words.
            reason: String,
        }
        /// Entries after this one are sealed by another key of the service.
        ServiceKeyRotated {
            /// The key.
            key: PublicKey,
            /// Evidence that binds it to the service's name.
            evidence: Evidence,
        }
    }
    "member" {
        /// Somebody was invited by e-mail.
        CollaboratorInvited {
            /// The organisation that they speak for.
            organisation: String,
            /// What they will be able to do, sorted.
            abilities: Vec<Ability>,
            /// The e-mail, sealed.
            email: SealedPersonal,
            /// The tenant that must vouch for it, where one is demanded.
            tenant: Option<String>,
            /// The key that the invited will sign with, by its id, where the inviter knows it.
            key: Option<KeyId>,
        }
        /// An invitation was taken back before it was accepted.
        InvitationWithdrawn {}
        /// Whoever proved the e-mail is bound to an identity.
        InvitationAccepted {
            /// Who they are to the issuer.
            identity: Identity,
        }
        /// The invited is a member from now on.
        CollaboratorActivated {
            /// The organisation that they speak for.
            organisation: String,
            /// What they can do, sorted.
            abilities: Vec<Ability>,
        }
        /// The key that an invitation's e-mail was sealed under is destroyed.
        SubjectErased {}
        /// A member's key signs from now on.
        SigningKeyRegistered {
            /// The key.
            key: PublicKey,
            /// The key's own signature over the registration, base64url: proof of possession.
            proof: String,
        }
        /// A member's key signs no more.
        SigningKeyRevoked {
            /// The key's id.
            key: KeyId,
        }
        /// A member is one no more.
        CollaboratorRemoved {
            /// Why.
            departure: Departure,
        }
        /// A member can do something more from now on.
        AbilityGranted {
            /// What.
            ability: Ability,
        }
        /// A member can do something no more.
        AbilityRevoked {
            /// What.
            ability: Ability,
        }
    }
    "change" {
        /// A member asks for a change of the terms or the membership.
        ChangeProposed {
            /// What.
            change: Change,
            /// Until when votes count, milliseconds since the Unix epoch.
            expires_ms: Option<u64>,
            /// The digest of the terms in force, which say how many votes it takes.
            terms: Digest,
            /// The digest of all that the votes are about.
            digest: Digest,
        }
        /// A member said yes to this digest.
        ChangeApproved {
            /// The digest of the change.
            digest: Digest,
        }
        /// A member said no to this digest.
        ChangeRejected {
            /// The digest of the change.
            digest: Digest,
            /// Why.
            comment: String,
            /// Whether the change can't get its votes any more.
            ends: bool,
        }
        /// Its proposer took it back.
        ChangeWithdrawn {}
        /// It can't be made any more.
        ChangeSuperseded {
            /// Why.
            reason: Reason,
        }
        /// It is made: what follows from it comes right after.
        ChangeCommitted {
            /// The digest of the change.
            digest: Digest,
            /// The positions of the votes in favour.
            votes: Vec<u64>,
        }
    }
    "rule" {
        /// A member approves queries of a shape in advance.
        AutoApprovalRuleSet {
            /// Which.
            rule: ApprovalRule,
            /// Whether the member signed that: where votes must be signed, no other rule votes.
            member_signed: bool,
        }
        /// The rule votes no more.
        AutoApprovalRuleRemoved {}
    }
    "dataset" {
        /// A version of a dataset.
        DatasetPublished {
            /// What its owner says of it.
            descriptor: Descriptor,
            /// The digest of the descriptor: the version's identity.
            digest: Digest,
        }
        /// No query can use the dataset any more.
        DatasetRetired {}
    }
    "query" {
        /// A query was begun.
        QueryDrafted {
            /// Its text and bindings.
            definition: Definition,
        }
        /// Its author changed it; votes on it are void.
        QueryRevised {
            /// Its new text and bindings.
            definition: Definition,
        }
        /// Its author asks for votes.
        QueryProposed {
            /// Everything that the votes are about.
            binding: Binding,
            /// The digest of the binding.
            digest: Digest,
            /// Whose votes it takes: computed from ownership, sorted.
            approvers: Vec<MemberId>,
            /// The groups of which so many must approve beside them: computed from the terms.
            groups: Vec<ApprovalGroup>,
        }
        /// An approver said yes to this digest.
        QueryApproved {
            /// The digest of the binding.
            digest: Digest,
        }
        /// A rule that an approver set before says yes to this digest in its name.
        QueryApprovedByRule {
            /// The digest of the binding.
            digest: Digest,
            /// Whose vote it is.
            member: MemberId,
            /// The rule.
            rule: RuleId,
            /// The position at which the member set it.
            rule_position: u64,
            /// Who alone may run the query on this vote, where the rule says so.
            runner: Option<MemberId>,
        }
        /// An approver said no, which ends the proposal.
        QueryRejected {
            /// The digest of the binding.
            digest: Digest,
            /// Why, for the author to read.
            comment: String,
        }
        /// Its author took it back.
        QueryWithdrawn {}
        /// Every approver said yes.
        QueryAccepted {
            /// The digest of the binding.
            digest: Digest,
            /// The positions of the votes.
            votes: Vec<u64>,
        }
        /// What was accepted or proposed no longer is what would run.
        QuerySuperseded {
            /// Why.
            reason: Reason,
        }
    }
    "consent" {
        /// A member's mark against use.
        ConsentWithdrawn {
            /// Of what kind of use.
            kind: ConsentKind,
        }
        /// The member's mark is gone.
        ConsentRestored {
            /// Of what kind of use.
            kind: ConsentKind,
        }
        /// The mark of somebody who is a member no more is gone.
        ConsentLapsed {
            /// Of what kind of use.
            kind: ConsentKind,
            /// Whose it was.
            member: MemberId,
        }
    }
    "run" {
        /// A member asked for a run, and nothing stood against it.
        RunRequested {
            /// The query.
            query: QueryId,
            /// The digest of its binding.
            digest: Digest,
            /// What it takes of the budgets of inputs that ask for differential privacy.
            privacy: Vec<Charge>,
        }
        /// A run that was asked for or about to start was refused.
        RunRefused {
            /// The query.
            query: QueryId,
            /// When.
            stage: RefusedAt,
            /// Every reason.
            reasons: Vec<Reason>,
        }
        /// An attested executor may run it.
        RunAdmitted {
            /// The executor's key, which its evidence binds.
            executor: PublicKey,
            /// What stands behind the evidence.
            platform: Platform,
            /// The application's measurement.
            measurement: Digest,
            /// What the evidence says beside.
            claims: Claims,
            /// The evidence.
            evidence: Evidence,
        }
        /// The job was handed to the engine.
        RunSubmitted {
            /// The engine's name for it.
            tracking: String,
            /// The digest of the signed job spec.
            job_spec: Digest,
        }
        /// The engine started it.
        RunStarted {}
        /// It ended well.
        RunSucceeded {
            /// What is attested.
            result: Attested,
            /// What stands behind the evidence.
            platform: Platform,
            /// The evidence that binds the result.
            evidence: Evidence,
        }
        /// It ended badly.
        RunFailed {
            /// A stable code, as the application or the executor gave it.
            code: String,
            /// One line for people, without data.
            detail: String,
        }
        /// It was stopped.
        RunCancelled {
            /// Why: a member's wish, or what no longer holds.
            reasons: Vec<Reason>,
        }
    }
    "trust" {
        /// Evidence was verified and taken.
        AttestationRecorded {
            /// Whose it is, and the keys that it binds.
            attests: Attests,
            /// Its kind, as in `insecure-virtual`.
            kind: String,
            /// The digest of its document.
            evidence: Digest,
            /// What stands behind it.
            platform: Platform,
            /// The measurement in it.
            measurement: Digest,
            /// What it binds.
            report_data: Digest,
            /// What it says beside.
            claims: Claims,
        }
        /// A secret of a dataset's newest version lies beside the log, sealed to the service.
        DatasetSecretStored {
            /// The version.
            version: Digest,
            /// The digest of the ciphertext.
            ciphertext: Digest,
            /// The id of the service's key that it is sealed to.
            release_key: KeyId,
        }
        /// The ciphertext is destroyed.
        DatasetSecretErased {
            /// Its digest.
            ciphertext: Digest,
        }
        /// The executor of a run may have a dataset's secret, sealed to this key and no other.
        SecretReleased {
            /// The dataset, in the version that was voted on.
            dataset: DatasetVersion,
            /// The digest of the stored ciphertext.
            ciphertext: Digest,
            /// The key that it is sealed to.
            recipient: SealingKey,
            /// The digest of the evidence's document.
            evidence: Digest,
        }
        /// The executor of a run asked for a dataset's secret in vain.
        SecretRefused {
            /// The dataset.
            dataset: DatasetId,
            /// The key that it asked for.
            recipient: SealingKey,
            /// The digest of the evidence's document.
            evidence: Digest,
            /// Every reason.
            reasons: Vec<Reason>,
        }
        /// The executor of a run may have a token for a dataset's store, sealed to this key.
        TokenMinted {
            /// The dataset, in the version that was voted on.
            dataset: DatasetVersion,
            /// `iss`.
            issuer: String,
            /// `sub`: `<collaboration>/<owner>/<dataset>/<run>`.
            subject: String,
            /// `aud`.
            audience: String,
            /// `exp`, in milliseconds since the Unix epoch.
            expires_ms: u64,
            /// The id of the key that signs it.
            token_key: KeyId,
            /// The key that it is sealed to.
            recipient: SealingKey,
            /// The digest of the evidence's document.
            evidence: Digest,
        }
        /// The executor of a run asked for a token in vain.
        TokenRefused {
            /// The dataset.
            dataset: DatasetId,
            /// `aud`, as it was asked for.
            audience: String,
            /// The key that it asked for.
            recipient: SealingKey,
            /// The digest of the evidence's document.
            evidence: Digest,
            /// Every reason.
            reasons: Vec<Reason>,
        }
    }
}
