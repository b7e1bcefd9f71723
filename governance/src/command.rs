//! What somebody can ask for. Imperative; the wire form is in [`crate::wire::v1`].

use crate::clean_room::{Demands, Only};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{DatasetId, QueryId};
use chancery_ledger::key::{KeyId, PublicKey};

use crate::change::Change;
use crate::consent::ConsentKind;
use crate::dataset::Descriptor;
use crate::member::{Ability, Terms};
use crate::query::Definition;
use crate::rule::ApprovalRule;
use crate::run::{Attested, Evidence};
use crate::secret::SealingKey;

macro_rules! commands {
    ($($action:literal $(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $name { $($(#[$field_doc])* pub $field: $kind),* }

            impl From<$name> for Command {
                fn from(command: $name) -> Self {
                    Self::$name(command)
                }
            }
        )*

        /// One command's content. What it acts on comes beside it, as a subject.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Command {
            $($(#[$doc])* $name($name),)*
        }

        impl Command {
            /// The action, as signed bytes name it.
            pub const fn action(&self) -> &'static str {
                match self { $(Self::$name(_) => $action,)* }
            }

            /// Every action.
            pub const ACTIONS: &'static [&'static str] = &[$($action),*];
        }

        /// Calls a macro with every `(action, name)`, for the wire form.
        macro_rules! for_each_command {
            ($with:ident) => { $with! { $($action $name)* } };
        }
        pub(crate) use for_each_command;
    };
}

commands! {
    "collaboration.create"
    /// Begin a clean room; the caller is its owner.
    CreateCollaboration {
        /// What people call it, 1 to 200 characters.
        name: String,
        /// The caller's organisation.
        organisation: String,
        /// What shall hold in it.
        terms: Terms,
    }
    "collaboration.enable-workload"
    /// Let queries be run.
    EnableWorkload {
        /// Which workload: `spark-sql`.
        workload: String,
    }
    "collaboration.set-policy"
    /// Say which applications may run queries.
    SetCleanRoomPolicy {
        /// Their measurements.
        applications: Vec<Digest>,
        /// What is demanded of the platform beside.
        demands: Demands,
        /// Applications that may run some queries only.
        only: Vec<Only>,
    }
    "collaboration.pause"
    /// Let nothing run until it is resumed.
    PauseCollaboration {
        /// Why, up to 500 characters.
        reason: String,
    }
    "collaboration.resume"
    /// Let queries run again.
    ResumeCollaboration {}
    "collaboration.close"
    /// End it for good.
    CloseCollaboration {
        /// Why, up to 500 characters.
        reason: String,
    }
    "member.invite"
    /// Invite somebody by e-mail.
    Invite {
        /// The organisation that they speak for.
        organisation: String,
        /// What they will be able to do.
        abilities: Vec<Ability>,
        /// The commitment to the e-mail: see [`crate::member::SealedPersonal`].
        email_commitment: Digest,
        /// The tenant that must vouch for it, where one is demanded.
        tenant: Option<String>,
        /// The key that the invited will sign with, by its id, where the inviter knows it: then
        /// whoever accepts can do nothing but register that key.
        key: Option<KeyId>,
    }
    "member.withdraw-invitation"
    /// Take an invitation back.
    WithdrawInvitation {}
    "member.accept-invitation"
    /// Accept an invitation, by proof of its e-mail.
    AcceptInvitation {}
    "member.register-key"
    /// Register a key of the caller's own.
    RegisterSigningKey {
        /// The key.
        key: PublicKey,
        /// Its signature over the registration, base64url: see [`crate::decide::member`].
        proof: String,
    }
    "member.revoke-key"
    /// Revoke a key of the caller's own.
    RevokeSigningKey {
        /// The key's id.
        key: KeyId,
    }
    "dataset.publish"
    /// Publish a dataset, or a new version of one.
    PublishDataset {
        /// What its owner says of it.
        descriptor: Descriptor,
    }
    "dataset.retire"
    /// Take a dataset out of use.
    RetireDataset {}
    "query.draft"
    /// Begin a query.
    DraftQuery {
        /// Its text and bindings.
        definition: Definition,
    }
    "query.revise"
    /// Change a query that is not up for votes.
    ReviseQuery {
        /// Its new text and bindings.
        definition: Definition,
    }
    "query.propose"
    /// Ask for votes.
    ProposeQuery {
        /// Until when votes count, milliseconds since the Unix epoch.
        votes_until_ms: Option<u64>,
        /// Until when it may run once accepted, milliseconds since the Unix epoch.
        runs_until_ms: Option<u64>,
    }
    "query.approve"
    /// Vote yes.
    ApproveQuery {
        /// The digest of what is voted on.
        digest: Digest,
    }
    "query.reject"
    /// Vote no.
    RejectQuery {
        /// The digest of what is voted on.
        digest: Digest,
        /// Why, up to 2,000 characters.
        comment: String,
    }
    "query.withdraw"
    /// Take a proposal back, or an accepted query out of use.
    WithdrawQuery {}
    "consent.withdraw"
    /// Set the caller's mark against use.
    WithdrawConsent {
        /// The kind of use.
        kind: ConsentKind,
    }
    "consent.restore"
    /// Take the caller's mark back.
    RestoreConsent {
        /// The kind of use.
        kind: ConsentKind,
    }
    "run.request"
    /// Ask for a run.
    RequestRun {
        /// The query.
        query: QueryId,
        /// The digest of what shall run.
        digest: Digest,
    }
    "run.cancel"
    /// Ask for a run to stop.
    CancelRun {}
    "run.admit"
    /// Executor: ask to be admitted to a run, on evidence.
    AdmitRun {
        /// The executor's key.
        executor: PublicKey,
        /// The evidence that binds it.
        evidence: Evidence,
    }
    "run.submit"
    /// Executor: the job was handed to the engine.
    SubmitRun {
        /// The engine's name for it.
        tracking: String,
        /// The digest of the signed job spec.
        job_spec: Digest,
    }
    "run.start"
    /// Executor: the engine started it.
    StartRun {}
    "run.succeed"
    /// Executor: it ended well.
    SucceedRun {
        /// What is attested.
        result: Attested,
        /// The evidence that binds it.
        evidence: Evidence,
    }
    "run.fail"
    /// Executor: it ended badly.
    FailRun {
        /// A stable code, `[a-z0-9_]{1,64}`.
        code: String,
        /// One line for people, without data, up to 500 characters.
        detail: String,
    }
    "service.rotate-key"
    /// Service: seal the log with another key from the next entry on. Signed by that key, sealed
    /// by the one before.
    RotateServiceKey {
        /// The new key.
        key: PublicKey,
        /// Evidence that binds it to the service's name.
        evidence: Evidence,
    }
    "personal.erase"
    /// Destroy the key that the e-mail of an invitation is sealed under.
    ErasePersonal {}
    "member.leave"
    /// Be a member no more.
    LeaveCollaboration {}
    "member.grant-ability"
    /// Let a member do something; making an owner takes a change request.
    GrantAbility {
        /// What.
        ability: Ability,
    }
    "member.revoke-ability"
    /// Let a member do something no more, or give it up oneself.
    RevokeAbility {
        /// What.
        ability: Ability,
    }
    "change.propose"
    /// Ask the members to vote on a change of the terms or the membership.
    ProposeChange {
        /// What.
        change: Change,
        /// Until when votes count, milliseconds since the Unix epoch.
        expires_ms: Option<u64>,
    }
    "change.approve"
    /// Vote yes on a change.
    ApproveChange {
        /// The digest of what is voted on.
        digest: Digest,
    }
    "change.reject"
    /// Vote no on a change.
    RejectChange {
        /// The digest of what is voted on.
        digest: Digest,
        /// Why, up to 2,000 characters.
        comment: String,
    }
    "change.withdraw"
    /// Take a change request back.
    WithdrawChange {}
    "change.commit"
    /// Carry out a change that came to have its votes because somebody left.
    CommitChange {
        /// The digest of what was voted on.
        digest: Digest,
    }
    "rule.set"
    /// Approve in advance.
    SetAutoApprovalRule {
        /// What.
        rule: ApprovalRule,
    }
    "rule.remove"
    /// Take a rule back. Votes that it cast stand.
    RemoveAutoApprovalRule {}
    "dataset.store-secret"
    /// Store the secret of a dataset's newest version. The ciphertext comes beside the command.
    StoreDatasetSecret {
        /// The version.
        version: Digest,
        /// The digest of the ciphertext.
        ciphertext: Digest,
        /// The id of the service's key that it is sealed to.
        release_key: KeyId,
    }
    "dataset.erase-secret"
    /// Destroy the stored secret of a dataset.
    EraseDatasetSecret {}
    "run.release-secret"
    /// Executor: ask for the secret of a dataset, on evidence.
    ReleaseSecret {
        /// The dataset.
        dataset: DatasetId,
        /// The key that it is to be sealed to.
        recipient: SealingKey,
        /// The evidence that binds both keys and the dataset.
        evidence: Evidence,
    }
    "run.mint-token"
    /// Executor: ask for a token for the store of a dataset, on evidence.
    MintToken {
        /// The dataset.
        dataset: DatasetId,
        /// Whom the token is for: as the dataset's owner wrote.
        audience: String,
        /// How long it shall live, in milliseconds.
        lifetime_ms: u64,
        /// The key that it is to be sealed to.
        recipient: SealingKey,
        /// The evidence that binds all that.
        evidence: Evidence,
    }
    "service.attest"
    /// Service: announce the keys that secrets are sealed to and tokens signed with.
    AttestService {
        /// What members seal secrets to.
        release_key: SealingKey,
        /// What signs tokens.
        token_key: PublicKey,
        /// Evidence that binds them to the service's name and key.
        evidence: Evidence,
    }
}

impl Command {
    /// The evidence that it brings, where it brings any.
    pub const fn evidence(&self) -> Option<&Evidence> {
        match self {
            Self::AdmitRun(command) => Some(&command.evidence),
            Self::SucceedRun(command) => Some(&command.evidence),
            Self::RotateServiceKey(command) => Some(&command.evidence),
            Self::ReleaseSecret(command) => Some(&command.evidence),
            Self::MintToken(command) => Some(&command.evidence),
            Self::AttestService(command) => Some(&command.evidence),
            _ => None,
        }
    }
}
