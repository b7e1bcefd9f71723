//! The parts of the service's answers that the client reads. Fields that it does not know are left
//! alone, so that a newer service is understood.

use serde::Deserialize;

macro_rules! views {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        #[allow(clippy::struct_field_names, reason = "the names are the service's")]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind),* }
    )*};
}

mod run;

pub use run::{Charge, Run};

views! {
    /// The service.
    Service {
        /// Its name.
        name: String,
        /// Its public key.
        key: String,
        /// The key's id.
        key_id: String,
        /// What binds the key.
        evidence: Evidence,
        /// Its release.
        version: String,
    }
    /// Evidence.
    Evidence {
        /// Its kind.
        kind: String,
    }
    /// The caller.
    Me {
        /// Its issuer.
        issuer: String,
        /// Its tenant.
        tenant: Option<String>,
        /// Its subject.
        subject: String,
        /// Its e-mail, if the issuer vouches for it.
        verified_email: Option<String>,
        /// The members that it is.
        members: Vec<Membership>,
    }
    /// A member that the caller is.
    Membership {
        /// Where.
        collaboration: String,
        /// What people call that.
        name: String,
        /// The member's id.
        member: String,
        /// What it can do.
        abilities: Vec<String>,
    }
    /// The caller's open invitations.
    MyInvitations {
        /// They.
        invitations: Vec<MyInvitation>,
    }
    /// An invitation for the caller.
    MyInvitation {
        /// The collaboration's id.
        collaboration: String,
        /// The collaboration's name.
        name: String,
        /// The invitation's id.
        invitation: String,
        /// The organisation that the caller will speak for.
        organisation: String,
        /// What it will be able to do.
        abilities: Vec<String>,
    }
    /// A place in the log and its time.
    Moment {
        /// The position.
        position: u64,
        /// The time.
        time_ms: u64,
    }
    /// A mark against use.
    Mark {
        /// `execution`, `logging` or `telemetry`.
        kind: String,
        /// Whose.
        organisation: String,
        /// Since when.
        position: u64,
    }
    /// Who paused or closed a collaboration.
    Stopped {
        /// Its organisation.
        organisation: String,
        /// Why.
        reason: String,
        /// When.
        at: Moment,
    }
    /// A collaboration.
    Collaboration {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// The owner's organisation.
        owner_organisation: String,
        /// How many members it has.
        member_count: u64,
        /// Its terms.
        terms: chancery_commands::api::Terms,
        /// The service that seals its log.
        service: String,
        /// The key that does.
        service_key: String,
        /// What binds that key.
        service_evidence: String,
        /// The workload.
        workload: Option<String>,
        /// The applications that may run queries.
        applications: Vec<String>,
        /// What is demanded of a platform beside.
        demands: chancery_commands::api::Demands,
        /// Applications that may run some queries only.
        only: Vec<chancery_commands::api::Only>,
        /// `open`, `paused` or `closed`.
        lifecycle: String,
        /// Who paused or closed it.
        stopped: Option<Stopped>,
        /// Marks on all of it.
        marks: Vec<Mark>,
        /// Its beginning.
        created: Moment,
        /// Its version.
        version: u64,
    }
    /// A member.
    Member {
        /// Its id.
        id: String,
        /// The organisation that it speaks for.
        organisation: String,
        /// What it can do.
        abilities: Vec<String>,
        /// Its keys.
        keys: Vec<MemberKey>,
        /// That it is a member no more.
        removed: Option<Removed>,
        /// Its version.
        version: u64,
    }
    /// That somebody is a member no more.
    Removed {
        /// How.
        departure: String,
        /// When.
        at: Moment,
    }
    /// A change request.
    Change {
        /// Its id.
        id: String,
        /// Who asks for it.
        proposer_organisation: String,
        /// What for.
        change: serde_json::Value,
        /// The digest that votes name.
        digest: String,
        /// Until when votes count.
        expires_ms: Option<u64>,
        /// Where it stands.
        stage: String,
        /// The votes.
        votes: Vec<ChangeVote>,
        /// Why it can't be made any more.
        superseded: Option<Reason>,
        /// Its version.
        version: u64,
    }
    /// A vote on a change.
    ChangeVote {
        /// Whose.
        organisation: String,
        /// Yes or no.
        approves: bool,
        /// What was said to a no.
        comment: Option<String>,
        /// When.
        voted: Moment,
    }
    /// How the votes on a change stand.
    Tally {
        /// Whether it is open.
        open: bool,
        /// Who has a vote.
        electorate: Vec<String>,
        /// How many must say yes.
        needed: u64,
        /// How many did.
        approvals: u64,
        /// Who has not voted.
        pending: Vec<String>,
        /// Whether the time to vote is over.
        expired: bool,
    }
    /// An auto-approval rule.
    Rule {
        /// Its id.
        id: String,
        /// Whose votes it casts.
        owner_organisation: String,
        /// What it approves.
        rule: chancery_commands::api::ApprovalRule,
        /// How many votes it cast.
        votes: u64,
        /// When it ended.
        removed: Option<Moment>,
        /// Its version.
        version: u64,
    }
    /// A member's key.
    MemberKey {
        /// Its id.
        id: String,
        /// Since when it signs no more.
        revoked: Option<Moment>,
    }
    /// An invitation.
    Invitation {
        /// Its id.
        id: String,
        /// The organisation of the invited.
        organisation: String,
        /// What they will be able to do.
        abilities: Vec<String>,
        /// What became of it.
        stage: String,
        /// Its version.
        version: u64,
    }
    /// A dataset.
    Dataset {
        /// Its id.
        id: String,
        /// The owner's member id.
        owner: String,
        /// The owner's organisation.
        owner_organisation: String,
        /// The digest of its newest version.
        digest: String,
        /// That version.
        descriptor: chancery_commands::api::Descriptor,
        /// All versions.
        versions: Vec<DatasetPublished>,
        /// When it was taken out of use.
        retired: Option<Moment>,
        /// Its stored secret.
        secret: Option<StoredSecret>,
        /// Marks on it.
        marks: Vec<Mark>,
        /// Its version.
        version: u64,
    }
    /// The stored secret of a dataset.
    StoredSecret {
        /// The digest of its ciphertext.
        ciphertext: String,
        /// When.
        stored: Moment,
    }
    /// What the service announced for secrets and tokens.
    ServiceKeys {
        /// What secrets are sealed to.
        release_key: String,
        /// What stands behind the evidence.
        platform: String,
    }
    /// A version of a dataset.
    DatasetPublished {
        /// Its digest.
        digest: String,
        /// What its owner says of it.
        descriptor: chancery_commands::api::Descriptor,
        /// When.
        published: Moment,
    }
    /// A query.
    Query {
        /// Its id.
        id: String,
        /// The author's organisation.
        author_organisation: String,
        /// Where it stands.
        stage: String,
        /// What it says.
        definition: chancery_commands::api::Definition,
        /// What is up for votes.
        proposal: Option<Proposal>,
        /// Who said no.
        rejected: Option<Rejected>,
        /// Why it is no longer what would run.
        superseded: Option<Reason>,
        /// Marks on it.
        marks: Vec<Mark>,
        /// Its version.
        version: u64,
    }
    /// A proposal.
    Proposal {
        /// The digest that votes and runs name.
        digest: String,
        /// Whose votes it takes.
        approvers: Vec<Approver>,
        /// The groups beside them.
        groups: Option<Vec<GroupVotes>>,
        /// Until when votes count.
        votes_until_ms: Option<u64>,
        /// Until when it may run.
        runs_until_ms: Option<u64>,
        /// The texts.
        texts: Vec<SegmentText>,
        /// What it reads.
        inputs: Vec<chancery_commands::api::DatasetVersion>,
        /// What it writes.
        output: chancery_commands::api::DatasetVersion,
        /// The applications that may run it.
        applications: Vec<String>,
        /// What each run will take of budgets of privacy.
        #[serde(default)]
        charges: Vec<Charge>,
    }
    /// A group and its votes.
    GroupVotes {
        /// Its name.
        name: String,
        /// How many must say yes.
        needed: u64,
        /// Its members.
        members: Vec<Approver>,
    }
    /// The rule that cast a vote.
    ByRule {
        /// Where it was set.
        position: u64,
    }
    /// An approver.
    Approver {
        /// Its organisation.
        organisation: String,
        /// What it said.
        vote: String,
        /// When.
        voted: Option<Moment>,
        /// The rule that cast it.
        by_rule: Option<ByRule>,
    }
    /// Who said no.
    Rejected {
        /// Its organisation.
        organisation: String,
        /// Why.
        comment: String,
    }
    /// A segment's two texts.
    SegmentText {
        /// The order.
        order: u64,
        /// The view.
        view: String,
        /// As written.
        original: String,
        /// As it runs.
        rewritten: String,
    }
    /// A reason.
    Reason {
        /// The code.
        code: String,
        /// What it is about.
        subject: Option<String>,
        /// In words.
        detail: String,
        /// What to do about it, where the service says it.
        remedy: Option<Remedy>,
    }
    /// What to do about a reason.
    Remedy {
        /// The step.
        step: String,
        /// The step and who can take it, in words.
        detail: String,
        /// When it is over by itself.
        at_ms: Option<u64>,
    }
    /// How the budgets of a dataset stand.
    Budgets {
        /// They.
        budgets: Vec<chancery_commands::usage::BudgetItem>,
        /// That of privacy, where it has one.
        privacy: Option<chancery_commands::usage::PrivacyBudget>,
    }
    /// Where a proposal's output comes from, and under which policies.
    Lineage {
        /// The columns of the output.
        columns: Vec<LineageColumn>,
    }
    /// A column of an output.
    LineageColumn {
        /// Its name.
        name: String,
        /// Its type, where the analysis can tell.
        r#type: Option<String>,
        /// Whether an aggregate lies between it and its sources.
        aggregated: bool,
        /// The columns of inputs that it is computed from.
        sources: Vec<LineageSource>,
    }
    /// A column of an input.
    LineageSource {
        /// The input's name in the text.
        input: String,
        /// The column.
        column: String,
    }
    /// Whether a query can run now.
    Readiness {
        /// Nothing stands against it.
        ready: bool,
        /// All that does.
        reasons: Vec<Reason>,
    }
}
