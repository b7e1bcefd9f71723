//! The parts of the service's answers that the client reads. Fields that it does not know are left
//! alone, so that a newer service is understood.

use serde::Deserialize;

macro_rules! views {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind),* }
    )*};
}

mod run;

pub use run::Run;

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
    /// What holds in a collaboration.
    Terms {
        /// Acts that take a signature.
        member_signed: Vec<String>,
        /// Whether evidence without hardware is accepted.
        insecure_virtual: bool,
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
        terms: Terms,
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
        /// Marks on it.
        marks: Vec<Mark>,
        /// Its version.
        version: u64,
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
        /// The texts.
        texts: Vec<SegmentText>,
        /// What it reads.
        inputs: Vec<chancery_commands::api::DatasetVersion>,
        /// What it writes.
        output: chancery_commands::api::DatasetVersion,
        /// The applications that may run it.
        applications: Vec<String>,
    }
    /// An approver.
    Approver {
        /// Its organisation.
        organisation: String,
        /// What it said.
        vote: String,
        /// When.
        voted: Option<Moment>,
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
