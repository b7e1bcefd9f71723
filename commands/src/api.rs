//! The bodies of commands, as the OpenAPI document describes them and Rust clients send them.
//!
//! The service itself reads bodies as canonical content and decodes that by
//! `chancery_governance::wire`; `tests/api/contract.rs` holds these types to that form.

pub use chancery_projections::document::{
    AccessPolicy, AllowedInput, ApprovalGroup, ApprovalRule, Attested, Bounds, Change, Column,
    ColumnRule, DatasetVersion, DeclaredValues, Definition, Demands, Descriptor,
    DifferentialPrivacy, Engine, File, Format, GroupIdentity, Input, InputRows, Literal, Loss,
    LossBudget, Manifest, Mechanism, MinimumGroup, Noised, Only, Parameter, PostFilter,
    PreCondition, Receiver, RuleShape, RunBudget, Segment, SegmentRows, Statistics, Store, Tcb,
    Terms, Usage,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

fn is_default(demands: &Demands) -> bool {
    *demands == Demands::default()
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind),* }
    )*};
}

bodies! {
    /// A body without fields.
    Empty {}
    /// `collaboration.create`.
    CreateCollaboration {
        /// What people call it, 1 to 200 characters.
        name: String,
        /// Your organisation, 1 to 200 characters.
        organisation: String,
        /// What shall hold in it.
        terms: Terms,
    }
    /// `collaboration.enable-workload`.
    EnableWorkload {
        /// `spark-sql`.
        workload: String,
    }
    /// `collaboration.set-policy`.
    SetCleanRoomPolicy {
        /// Measurements of the applications that may run queries: `sha256:...`, 1 to 64.
        applications: Vec<String>,
        /// What is demanded of the platform beside.
        #[serde(default, skip_serializing_if = "is_default")]
        demands: Demands,
        /// Applications that may run some queries only; each query at most 1,000.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        only: Vec<Only>,
    }
    /// `collaboration.pause` and `collaboration.close`.
    Stop {
        /// Why, 1 to 500 characters.
        reason: String,
    }
    /// `member.invite`. The signed content has `email_commitment` in place of the last two fields.
    Invite {
        /// The organisation of the invited.
        organisation: String,
        /// `data_provider`, `analyst`, `runner`, `result_receiver`, `auditor`.
        abilities: Vec<String>,
        /// The tenant that must vouch for the e-mail, or null.
        tenant: Option<String>,
        /// The id of the key that the invited will sign with, `sha256:...`, or null.
        key: Option<String>,
        /// The e-mail. It is sealed; the log never holds it in clear.
        email: String,
        /// 16 to 64 random bytes, base64url: the salt of the commitment.
        email_salt: String,
    }
    /// `member.register-key`.
    RegisterSigningKey {
        /// `EdDSA:` or `ES256:` and the public key in base64url.
        key: String,
        /// The key's signature over the registration, base64url.
        proof: String,
    }
    /// `member.revoke-key`.
    RevokeSigningKey {
        /// The key's id, `sha256:...`.
        key: String,
    }
    /// `dataset.publish`.
    PublishDataset {
        /// What you say of the dataset.
        descriptor: Descriptor,
    }
    /// `query.draft` and `query.revise`.
    DraftQuery {
        /// The query.
        definition: Definition,
    }
    /// `query.propose`. Both fields may be left out.
    ProposeQuery {
        /// Until when votes count, milliseconds since the Unix epoch: at most 90 days ahead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        votes_until_ms: Option<u64>,
        /// Until when it may run once accepted, milliseconds since the Unix epoch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runs_until_ms: Option<u64>,
    }
    /// `member.grant-ability` and `member.revoke-ability`.
    Ability {
        /// `data_provider`, `analyst`, `runner`, `result_receiver`, `auditor`; `owner` to give up
        /// one's own.
        ability: String,
    }
    /// `change.propose`.
    ProposeChange {
        /// What to change.
        change: Change,
        /// Until when votes count, milliseconds since the Unix epoch: at most 90 days ahead; or
        /// null.
        expires_ms: Option<u64>,
    }
    /// `change.approve`.
    ApproveChange {
        /// The digest of what you vote on.
        digest: String,
    }
    /// `change.reject`.
    RejectChange {
        /// The digest of what you vote on.
        digest: String,
        /// Why, up to 2,000 characters.
        comment: String,
    }
    /// `change.commit`.
    CommitChange {
        /// The digest of what was voted on.
        digest: String,
    }
    /// `rule.set`.
    SetAutoApprovalRule {
        /// What you approve in advance.
        rule: ApprovalRule,
    }
    /// `query.approve`.
    ApproveQuery {
        /// The digest of what you vote on.
        digest: String,
    }
    /// `query.reject`.
    RejectQuery {
        /// The digest of what you vote on.
        digest: String,
        /// Why, up to 2,000 characters.
        comment: String,
    }
    /// `consent.withdraw` and `consent.restore`.
    Consent {
        /// `execution`, `logging` or `telemetry`.
        kind: String,
    }
    /// `run.request`.
    RequestRun {
        /// The query's id.
        query: String,
        /// The digest of what shall run.
        digest: String,
    }
    /// `run.admit`, by an executor.
    AdmitRun {
        /// The executor's key.
        executor: String,
        /// The evidence that binds it.
        evidence: Evidence,
    }
    /// Attestation evidence.
    Evidence {
        /// `insecure-virtual` or `sev-snp`.
        kind: String,
        /// Its bytes, base64url.
        document: String,
    }
    /// `run.submit`, by an executor.
    SubmitRun {
        /// The engine's name for the job.
        tracking: String,
        /// The digest of the signed job spec.
        job_spec: String,
    }
    /// `run.succeed`, by an executor.
    SucceedRun {
        /// What is attested.
        result: Attested,
        /// The evidence that binds it.
        evidence: Evidence,
    }
    /// `dataset.store-secret`. The signed content has `ciphertext`, its digest, in place of `sealed`.
    StoreDatasetSecret {
        /// The digest of the dataset's newest version.
        version: String,
        /// The id of the service's release key that it is sealed to, `sha256:...`.
        release_key: String,
        /// The sealed secret, up to 1,024 bytes, base64url: HPKE (RFC 9180) by X25519, HKDF-SHA256
        /// and AES-256-GCM, the encapsulated key first.
        sealed: String,
    }
    /// `run.release-secret`, by an executor.
    ReleaseSecret {
        /// The dataset's id.
        dataset: String,
        /// The key that it is to be sealed to: `X25519:` and the key in base64url.
        recipient: String,
        /// The evidence that binds both keys and the dataset.
        evidence: Evidence,
    }
    /// `run.mint-token`, by an executor.
    MintToken {
        /// The dataset's id.
        dataset: String,
        /// Whom it is for: the dataset's `token_audience`.
        audience: String,
        /// How long it shall live, 60,000 to 3,600,000 ms.
        lifetime_ms: u64,
        /// The key that it is to be sealed to: `X25519:` and the key in base64url.
        recipient: String,
        /// The evidence that binds all that.
        evidence: Evidence,
    }
    /// `run.fail`, by an executor.
    FailRun {
        /// A stable code, `[a-z0-9_]{1,64}`.
        code: String,
        /// One line for people, without data.
        detail: String,
    }
}
