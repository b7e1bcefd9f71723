//! What a verified log says. There are no contents without the verdict `Verified`.

use chancery_governance::consent::ConsentKind;
use chancery_governance::dataset::AccessMode;
use chancery_governance::member::{Ability, Identity, Terms};
use chancery_governance::reason::Reason;
use chancery_governance::run::{Attested, Platform};
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, DatasetId, InvitationId, MemberId, QueryId, RunId};
use chancery_ledger::key::{KeyId, PublicKey};
use chancery_ledger::note::Checkpoint;

use crate::check::Verdict;
use crate::partial::PartialContents;
use crate::standing::Standing;

/// The outcome of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// What the log says, where it was verified.
    pub contents: Option<Box<Contents>>,
    /// What a part of a log says, where that was verified.
    pub partial: Option<Box<PartialContents>>,
    /// Who stands behind the log, where it, or the part of it, was verified.
    pub standing: Option<Standing>,
}

/// A verified log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// False where `insecure-virtual` evidence stands anywhere in the log: no hardware behind it.
    pub hardware: bool,
    /// The collaboration.
    pub collaboration: CollaborationId,
    /// Its name.
    pub name: String,
    /// Its terms.
    pub terms: Terms,
    /// The service that sealed the log.
    pub service: Service,
    /// The checkpoint: origin, size and root.
    pub checkpoint: Checkpoint,
    /// When the first entry was sealed, by the service's clock: milliseconds since the Unix epoch.
    pub first_time_ms: u64,
    /// When the last one was.
    pub last_time_ms: u64,
    /// When the bundle was exported, as its unsigned header says.
    pub exported_at_ms: u64,
    /// The members, by id.
    pub members: Vec<Member>,
    /// The datasets, by id.
    pub datasets: Vec<Dataset>,
    /// The queries, by id.
    pub queries: Vec<Query>,
    /// The runs, in the order of their requests.
    pub runs: Vec<Run>,
    /// The marks against use that stand at the end.
    pub marks: Vec<Mark>,
    /// What rests on the service's word only.
    pub service_word: Vec<ServiceWord>,
    /// What could not be verified, and why.
    pub not_checked: Vec<String>,
}

/// The service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: PublicKey,
    /// Whether the auditor named that key; else the bundle did.
    pub pinned: bool,
    /// What stands behind its evidence.
    pub platform: Platform,
    /// The service's measurement, as its evidence has it.
    pub measurement: Digest,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: MemberId,
    /// The organisation that it speaks for.
    pub organisation: String,
    /// Who it is to its issuer.
    pub identity: Identity,
    /// What it can do.
    pub abilities: Vec<Ability>,
    /// Its keys, by position.
    pub keys: Vec<MemberKey>,
}

/// A key of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberKey {
    /// The key.
    pub key: PublicKey,
    /// Where it was registered.
    pub registered_at: u64,
    /// By what right: a first key is its member's on the service's word only, if no invitation
    /// names it.
    pub by: By,
    /// Whether the invitation named it: then it is the inviter who vouches for it.
    pub invited: bool,
    /// Where it was revoked, if it was.
    pub revoked_at: Option<u64>,
}

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its id.
    pub id: DatasetId,
    /// Its name, as of its newest version.
    pub name: String,
    /// Who published it.
    pub owner: MemberId,
    /// Input or output.
    pub access_mode: AccessMode,
    /// Whether it is out of use.
    pub retired: bool,
    /// Its versions, oldest first.
    pub versions: Vec<DatasetVersion>,
}

/// A version of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetVersion {
    /// Where it was published.
    pub position: u64,
    /// The digest of its descriptor.
    pub digest: Digest,
}

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Its id.
    pub id: QueryId,
    /// Its name.
    pub name: String,
    /// Who wrote it.
    pub author: MemberId,
    /// Where it stands, as in `accepted`.
    pub state: &'static str,
    /// The digest of what was proposed last, unless it was taken back.
    pub digest: Option<Digest>,
    /// Whose votes that takes.
    pub approvers: Vec<MemberId>,
    /// Every vote ever cast on it, by position.
    pub votes: Vec<Vote>,
}

/// A vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Where it stands.
    pub position: u64,
    /// Who cast it.
    pub member: MemberId,
    /// Yes or no.
    pub approves: bool,
    /// What it is about.
    pub digest: Digest,
    /// By what right it stands there.
    pub by: By,
    /// Whether it was on a proposal before the last one, or on one that was taken back.
    pub void: bool,
}

/// By what right an entry stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The signature of this key.
    Key(KeyId),
    /// The service says that it saw an identity token.
    ServiceWitnessed,
    /// It follows from the entry at this position.
    Consequence(u64),
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The query.
    pub query: QueryId,
    /// The digest of what was to run; none where the request was refused.
    pub query_digest: Option<Digest>,
    /// Who asked for it.
    pub runner: MemberId,
    /// Where.
    pub requested_at: u64,
    /// By what right.
    pub by: By,
    /// Where it stands, as in `succeeded`.
    pub state: &'static str,
    /// Where its outcome stands.
    pub ended_at: Option<u64>,
    /// The executor that it was admitted to last.
    pub executor: Option<Executor>,
    /// The digest of the signed job spec.
    pub job_spec: Option<Digest>,
    /// The positions of the votes that the result names.
    pub votes: Vec<u64>,
    /// The attested result.
    pub result: Option<Box<Attested>>,
    /// Why it was refused or cancelled.
    pub reasons: Vec<Reason>,
    /// The code and text of its failure.
    pub failure: Option<(String, String)>,
}

/// An executor as it was admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executor {
    /// Where.
    pub position: u64,
    /// Its key.
    pub key: KeyId,
    /// What stands behind its evidence.
    pub platform: Platform,
    /// The measurement of the application.
    pub measurement: Digest,
}

/// Marks against a use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Of what.
    pub subject: Subject,
    /// The kind of use.
    pub kind: ConsentKind,
    /// Whose.
    pub members: Vec<MemberId>,
}

/// Something that only the service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceWord {
    /// That a verified identity token came with the command: nothing in the log is signed by the
    /// member.
    Witnessed {
        /// Where.
        position: u64,
        /// The action.
        action: String,
        /// Who is said to have asked for it.
        identity: Identity,
    },
    /// That the e-mail of whoever accepted was the invited one.
    EmailMatched {
        /// Where.
        position: u64,
        /// The invitation.
        invitation: InvitationId,
    },
}
