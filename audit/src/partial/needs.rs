//! What an entry names of those before it, and where that stands.

use std::collections::BTreeMap;
use std::fmt;

use chancery_governance::clean_room::Demands;
use chancery_governance::event::Event;
use chancery_governance::query::DatasetVersion;
use chancery_governance::run::RefusedAt;
use chancery_governance::subject::Subject;
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Actor, Authority, Entry, Sealed};
use chancery_ledger::id::{InvitationId, MemberId, RunId};
use chancery_ledger::key::KeyId;

use super::Scope;

/// Something that an entry names and another entry brings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The entry at this position.
    Position(u64),
    /// Where the subject begins.
    Subject(Subject),
    /// Where the member joined.
    Member(MemberId),
    /// Where the member's key was registered.
    Key(KeyId),
    /// Where the run was admitted to this executor key.
    Executor(RunId, KeyId),
    /// Where the run was submitted with this job spec.
    Job(RunId, Digest),
    /// Where the version was published.
    Version(DatasetVersion),
    /// Where what this digest binds was proposed.
    Proposal(Digest),
    /// Where it was accepted.
    Acceptance(Digest),
    /// The vote with this leaf hash.
    Vote(Digest),
    /// The policy of these applications and demands.
    Policy(Vec<Digest>, Demands),
}

impl Need {
    /// Where what a part is about begins.
    pub const fn beginning(scope: Scope) -> Self {
        match scope {
            Scope::Member(member) => Self::Member(member),
            Scope::Query(_) | Scope::Run(_) => Self::Subject(scope.subject()),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position(position) => write!(f, "the entry at position {position}"),
            Self::Subject(subject) => write!(f, "the beginning of {subject}"),
            Self::Member(id) => write!(f, "the membership of member/{id}"),
            Self::Key(key) => write!(f, "the registration of key {key}"),
            Self::Executor(run, key) => write!(f, "the admission of run/{run} to key {key}"),
            Self::Job(run, job_spec) => {
                write!(f, "the submission of run/{run} with job spec {job_spec}")
            }
            Self::Version(version) => {
                write!(f, "the version {} of dataset/{}", version.digest, version.dataset)
            }
            Self::Proposal(digest) => write!(f, "the proposal of {digest}"),
            Self::Acceptance(digest) => write!(f, "the acceptance of {digest}"),
            Self::Vote(leaf) => write!(f, "the vote with leaf hash {leaf}"),
            Self::Policy(..) => f.write_str("the clean room policy that a proposal names"),
        }
    }
}

/// What an entry needs. The first entry needs nothing.
pub fn needs(entry: &Entry, subject: Subject, event: &Event) -> Vec<Need> {
    let mut needs = Vec::new();
    if entry.position == 0 {
        return needs;
    }
    needs.extend(subject_of(subject, event));
    match (entry.actor, subject, event) {
        // Who joins is no member yet; who is admitted brings its own key.
        (_, _, Event::InvitationAccepted(_) | Event::CollaboratorActivated(_))
        | (Actor::Executor(_), _, Event::RunAdmitted(_) | Event::RunRefused(_)) => {}
        (Actor::Member(member), ..) => needs.push(Need::Member(member)),
        (Actor::Executor(key), Subject::Run(run), _) => needs.push(Need::Executor(run, key)),
        (Actor::Executor(_) | Actor::Service(_), ..) => {}
    }
    match &entry.authority {
        Authority::MemberSigned(signed) => {
            if let Ok((_, message)) = SignedCommand::parse(ContentType::Command, &signed.message) {
                needs.push(Need::Key(message.key_id()));
            }
        }
        Authority::Consequence(of) => needs.push(Need::Position(*of)),
        Authority::ExecutorSigned(_)
        | Authority::ServiceSigned(_)
        | Authority::ServiceWitnessed(_) => {}
    }
    if let (Event::RunSucceeded(event), Subject::Run(run)) = (event, subject) {
        needs.push(Need::Job(run, event.result.job_spec));
    }
    named(event, &mut needs);
    needs
}

/// What the subject of an event rests on.
fn subject_of(subject: Subject, event: &Event) -> Option<Need> {
    match (subject, event) {
        (Subject::Member(id), Event::CollaboratorActivated(_)) => {
            Some(Need::Subject(Subject::Invitation(InvitationId::new(id.uuid()))))
        }
        (Subject::Member(id), _) => Some(Need::Member(id)),
        (_, event) if begins(event) => None,
        (subject, _) => Some(Need::Subject(subject)),
    }
}

/// Whether an event can be the first about its subject.
const fn begins(event: &Event) -> bool {
    match event {
        Event::CollaborationCreated(_)
        | Event::CollaboratorInvited(_)
        | Event::DatasetPublished(_)
        | Event::QueryDrafted(_)
        | Event::ChangeProposed(_)
        | Event::AutoApprovalRuleSet(_)
        | Event::RunRequested(_) => true,
        Event::RunRefused(refused) => matches!(refused.stage, RefusedAt::Request),
        _ => false,
    }
}

/// What the event itself names.
fn named(event: &Event, needs: &mut Vec<Need>) {
    match event {
        Event::SigningKeyRevoked(event) => needs.push(Need::Key(event.key)),
        Event::QueryProposed(event) => {
            let versions = event.binding.inputs.iter().chain([&event.binding.output]);
            needs.extend(versions.cloned().map(Need::Version));
            needs.extend(event.approvers.iter().copied().map(Need::Member));
            let groups = event.groups.iter().flat_map(|group| &group.members);
            needs.extend(groups.copied().map(Need::Member));
            if !event.binding.applications.is_empty() {
                let bound = &event.binding;
                needs.push(Need::Policy(bound.applications.clone(), bound.demands.clone()));
            }
        }
        Event::QueryApproved(event) => needs.push(Need::Proposal(event.digest)),
        Event::QueryApprovedByRule(event) => needs.extend([
            Need::Proposal(event.digest),
            Need::Member(event.member),
            Need::Position(event.rule_position),
        ]),
        Event::ChangeCommitted(event) => {
            needs.extend(event.votes.iter().copied().map(Need::Position));
        }
        Event::QueryRejected(event) => needs.push(Need::Proposal(event.digest)),
        Event::QueryAccepted(event) => {
            needs.push(Need::Proposal(event.digest));
            needs.extend(event.votes.iter().copied().map(Need::Position));
        }
        Event::RunRequested(event) => {
            needs.extend([
                Need::Subject(Subject::Query(event.query)),
                Need::Proposal(event.digest),
                Need::Acceptance(event.digest),
            ]);
        }
        Event::RunRefused(event) => needs.push(Need::Subject(Subject::Query(event.query))),
        Event::SecretReleased(event) => needs.push(Need::Version(event.dataset.clone())),
        Event::TokenMinted(event) => needs.push(Need::Version(event.dataset.clone())),
        Event::RunSucceeded(event) => {
            needs.push(Need::Proposal(event.result.query_digest));
            needs.extend(event.result.inputs.iter().cloned().map(Need::Version));
            needs.extend(event.result.votes.iter().copied().map(Need::Vote));
        }
        _ => {}
    }
}

/// Where the things stand that entries so far brought. Of two of the same name, the later one.
#[derive(Debug, Default)]
pub struct Index {
    places: BTreeMap<Need, u64>,
}

impl Index {
    /// Where something stands.
    pub fn find(&self, need: &Need) -> Option<u64> {
        match need {
            Need::Position(position) => Some(*position),
            other => self.places.get(other).copied(),
        }
    }

    /// Adds what an entry brings.
    pub fn add(&mut self, sealed: &Sealed, subject: Subject, event: &Event) {
        let position = sealed.entry().position;
        let mut brought = Vec::new();
        if begins(event) && !self.places.contains_key(&Need::Subject(subject)) {
            brought.push(Need::Subject(subject));
        }
        match (event, subject) {
            (Event::CollaborationCreated(_), Subject::Collaboration(id)) => {
                brought.push(Need::Member(chancery_governance::subject::owner_of(id)));
            }
            (Event::CollaboratorActivated(_), Subject::Member(id)) => {
                brought.push(Need::Member(id));
            }
            (Event::SigningKeyRegistered(event), _) => brought.push(Need::Key(event.key.id())),
            (Event::CleanRoomPolicySet(event), _) => {
                brought.push(Need::Policy(event.applications.clone(), event.demands.clone()));
            }
            (Event::DatasetPublished(event), Subject::Dataset(dataset)) => {
                let digest = event.digest;
                brought.push(Need::Version(DatasetVersion { dataset, digest }));
            }
            (Event::QueryProposed(event), _) => brought.push(Need::Proposal(event.digest)),
            (Event::QueryAccepted(event), _) => brought.push(Need::Acceptance(event.digest)),
            (Event::QueryApproved(_) | Event::QueryApprovedByRule(_), _) => {
                brought.push(Need::Vote(sealed.leaf()));
            }
            (Event::RunAdmitted(event), Subject::Run(run)) => {
                brought.push(Need::Executor(run, event.executor.id()));
            }
            (Event::RunSubmitted(event), Subject::Run(run)) => {
                brought.push(Need::Job(run, event.job_spec));
            }
            _ => {}
        }
        self.places.extend(brought.into_iter().map(|need| (need, position)));
    }
}
