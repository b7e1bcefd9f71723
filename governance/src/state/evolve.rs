//! The fold: one event moves the state, or the log is corrupt.

mod usage;

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::entry::Actor;
use chancery_ledger::id::{InvitationId, MemberId};
use chancery_ledger::key::PublicKey;

use super::query::{Proposal, Query, Stage as QueryStage, Vote};
use super::run::{Admission, Job, Outcome, Run, Stage as RunStage};
use super::{
    Collaboration, Dataset, Invitation, InvitationStage, Member, MemberKey, PublishedVersion,
    Recorded, State,
};
use crate::consent::{ConsentKind, Scope};
use crate::event::{self, Event};
use crate::subject::{Subject, owner_of};

/// A log that no sequence of allowed commands makes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("position {position}: {kind} is illegal here: {why}")]
pub struct Corrupt {
    /// Where.
    pub position: u64,
    /// The event's type.
    pub kind: &'static str,
    /// What does not fit.
    pub why: &'static str,
}

/// Moves `state` by `event`.
///
/// # Errors
///
/// [`Corrupt`] where the event is illegal in the state; the state is gone with it.
pub fn evolve(state: State, at: &Recorded, event: Event) -> Result<State, Corrupt> {
    let kind = event.kind();
    let corrupt = |why| Corrupt { position: at.position, kind, why };
    let mut collaboration = match (state, event) {
        (State::Absent, Event::CollaborationCreated(created)) => {
            let new = created_collaboration(at, created).map_err(corrupt)?;
            return Ok(State::Present(Box::new(new)));
        }
        (State::Absent, _) => return Err(corrupt("the log does not begin with its creation")),
        (State::Present(mut collaboration), event) => {
            if at.collaboration != collaboration.id || at.position != collaboration.size {
                return Err(corrupt("it is of another log or position"));
            }
            if at.time_ms < collaboration.last_time_ms {
                return Err(corrupt("its time is before that of the entry before"));
            }
            apply(&mut collaboration, at, event).map_err(corrupt)?;
            collaboration
        }
    };
    collaboration.size += 1;
    collaboration.last_leaf = at.leaf;
    collaboration.last_time_ms = at.time_ms;
    collaboration.versions.insert(at.subject, at.position);
    Ok(State::Present(collaboration))
}

fn created_collaboration(
    at: &Recorded,
    created: event::CollaborationCreated,
) -> Result<Collaboration, &'static str> {
    if at.position != 0 || at.subject != Subject::Collaboration(at.collaboration) {
        return Err("it is not the first event about its own log");
    }
    let owner = owner_of(at.collaboration);
    let member = Member {
        organisation: created.organisation,
        identity: created.identity,
        abilities: crate::decide::collaboration::FOUNDER_ABILITIES.into_iter().collect(),
        invited_key: None,
        keys: BTreeMap::new(),
    };
    Ok(Collaboration {
        id: at.collaboration,
        name: created.name,
        owner,
        terms: created.terms,
        service: created.service,
        service_keys: vec![(0, created.service_key.clone())],
        service_key: created.service_key,
        workload: None,
        applications: Vec::new(),
        members: BTreeMap::from([(owner, member)]),
        invitations: BTreeMap::new(),
        datasets: BTreeMap::new(),
        queries: BTreeMap::new(),
        runs: BTreeMap::new(),
        marks: BTreeMap::new(),
        versions: BTreeMap::from([(at.subject, 0), (Subject::Member(owner), 0)]),
        lifecycle: super::lifecycle::Lifecycle::default(),
        spent: super::spent::Spent::default(),
        demands: crate::clean_room::Demands::default(),
        only: Vec::new(),
        size: 1,
        last_leaf: at.leaf,
        last_time_ms: at.time_ms,
    })
}

fn apply(state: &mut Collaboration, at: &Recorded, event: Event) -> Result<(), &'static str> {
    match event {
        Event::CollaborationCreated(_) => Err("the collaboration exists"),
        Event::WorkloadEnabled(event) => {
            state.workload = Some(event.workload);
            Ok(())
        }
        Event::CleanRoomPolicySet(event) => {
            state.applications = event.applications;
            state.demands = event.demands;
            state.only = event.only;
            Ok(())
        }
        Event::CollaborationPaused(event) => usage::pause(state, at, event),
        Event::CollaborationResumed(_) => usage::resume(state, at),
        Event::CollaborationClosed(event) => usage::close(state, at, event),
        Event::CollaboratorInvited(event) => invite(state, at, event),
        Event::ServiceKeyRotated(event) => rotate_key(state, at, event.key),
        Event::SubjectErased(_) => {
            let invitation =
                state.invitations.get_mut(&invitation_id(at)?).ok_or("no such invitation")?;
            match invitation.erased_at.replace(at.position) {
                None => Ok(()),
                Some(_) => Err("the e-mail is erased"),
            }
        }
        Event::InvitationWithdrawn(_) => settle_invitation(state, at, InvitationStage::Withdrawn),
        Event::InvitationAccepted(event) => {
            settle_invitation(state, at, InvitationStage::Accepted(event.identity))
        }
        Event::CollaboratorActivated(event) => activate(state, at, event),
        Event::SigningKeyRegistered(event) => register_key(state, at, event.key),
        Event::SigningKeyRevoked(event) => {
            let key = member(state, at)?.keys.get_mut(&event.key).ok_or("no such key")?;
            match key.revoked_at.replace(at.position) {
                None => Ok(()),
                Some(_) => Err("the key is revoked"),
            }
        }
        Event::DatasetPublished(event) => publish(state, at, event),
        Event::DatasetRetired(_) => {
            let Subject::Dataset(id) = at.subject else { return Err(SUBJECT) };
            let dataset = state.datasets.get_mut(&id).ok_or("no such dataset")?;
            if std::mem::replace(&mut dataset.retired, true) {
                Err("it is retired")
            } else {
                Ok(())
            }
        }
        Event::ConsentWithdrawn(event) => {
            let marks = state.marks.entry((scope(at)?, event.kind)).or_default();
            if marks.insert(actor(at)?) { Ok(()) } else { Err("the mark stands") }
        }
        Event::ConsentRestored(event) => restore(state, at, event.kind),
        Event::QueryDrafted(event) => {
            let Subject::Query(id) = at.subject else { return Err(SUBJECT) };
            let query = Query {
                author: actor(at)?,
                definition: event.definition,
                stage: QueryStage::Draft,
            };
            match state.queries.insert(id, query) {
                None => Ok(()),
                Some(_) => Err("the query exists"),
            }
        }
        event @ (Event::QueryRevised(_)
        | Event::QueryProposed(_)
        | Event::QueryApproved(_)
        | Event::QueryRejected(_)
        | Event::QueryWithdrawn(_)
        | Event::QueryAccepted(_)
        | Event::QuerySuperseded(_)) => {
            let Subject::Query(id) = at.subject else { return Err(SUBJECT) };
            let query = state.queries.remove(&id).ok_or("no such query")?;
            state.queries.insert(id, move_query(query, at, event)?);
            Ok(())
        }
        Event::RunRequested(event) => {
            let mut run = new_run(at, event.query, Some(event.digest), RunStage::Requested)?;
            run.output = usage::output(state, event.query);
            insert_run(state, at, run)?;
            usage::request(state, at, event.query)
        }
        Event::RunRefused(event) => {
            refuse_run(state, at, event)?;
            usage::end(state, at)
        }
        event @ (Event::RunAdmitted(_)
        | Event::RunSubmitted(_)
        | Event::RunStarted(_)
        | Event::RunSucceeded(_)
        | Event::RunFailed(_)
        | Event::RunCancelled(_)) => {
            let Subject::Run(id) = at.subject else { return Err(SUBJECT) };
            let mut run = state.runs.remove(&id).ok_or("no such run")?;
            run.stage = move_run(run.stage, event)?;
            usage::moved(&mut state.spent, id, &run.stage);
            state.runs.insert(id, run);
            Ok(())
        }
    }
}

fn invite(
    state: &mut Collaboration,
    at: &Recorded,
    event: event::CollaboratorInvited,
) -> Result<(), &'static str> {
    let invitation = Invitation {
        organisation: event.organisation,
        invited_by: actor(at)?,
        abilities: event.abilities,
        email: event.email,
        erased_at: None,
        tenant: event.tenant,
        key: event.key,
        stage: InvitationStage::Pending,
    };
    match state.invitations.insert(invitation_id(at)?, invitation) {
        None => Ok(()),
        Some(_) => Err("the invitation exists"),
    }
}

const SUBJECT: &str = "its subject is of another kind";

fn actor(at: &Recorded) -> Result<MemberId, &'static str> {
    match at.actor {
        Actor::Member(member) => Ok(member),
        Actor::Executor(_) | Actor::Service(_) => Err("its actor is no member"),
    }
}

fn invitation_id(at: &Recorded) -> Result<InvitationId, &'static str> {
    if let Subject::Invitation(id) = at.subject { Ok(id) } else { Err(SUBJECT) }
}

fn scope(at: &Recorded) -> Result<Scope, &'static str> {
    match at.subject {
        Subject::Collaboration(id) => Ok(Scope::Collaboration(id)),
        Subject::Dataset(id) => Ok(Scope::Dataset(id)),
        Subject::Query(id) => Ok(Scope::Query(id)),
        Subject::Invitation(_) | Subject::Member(_) | Subject::Run(_) => Err(SUBJECT),
    }
}

fn member<'a>(state: &'a mut Collaboration, at: &Recorded) -> Result<&'a mut Member, &'static str> {
    let Subject::Member(id) = at.subject else { return Err(SUBJECT) };
    state.members.get_mut(&id).ok_or("no such member")
}

fn rotate_key(
    state: &mut Collaboration,
    at: &Recorded,
    key: PublicKey,
) -> Result<(), &'static str> {
    if at.subject != Subject::Collaboration(state.id) {
        return Err(SUBJECT);
    }
    if at.actor != Actor::Service(key.id()) {
        return Err("its actor is not the key that it brings");
    }
    if state.sealed_with(key.id()) {
        return Err("the key sealed before");
    }
    state.service_keys.push((at.position + 1, key.clone()));
    state.service_key = key;
    Ok(())
}

fn register_key(
    state: &mut Collaboration,
    at: &Recorded,
    key: PublicKey,
) -> Result<(), &'static str> {
    let id = key.id();
    match member(state, at)?.keys.insert(id, MemberKey { key, revoked_at: None }) {
        None => Ok(()),
        Some(_) => Err("the key is registered"),
    }
}

fn restore(
    state: &mut Collaboration,
    at: &Recorded,
    kind: ConsentKind,
) -> Result<(), &'static str> {
    let key = (scope(at)?, kind);
    let marks = state.marks.get_mut(&key).ok_or("there is no mark")?;
    if !marks.remove(&actor(at)?) {
        return Err("there is no mark");
    }
    if marks.is_empty() {
        state.marks.remove(&key);
    }
    Ok(())
}

fn refuse_run(
    state: &mut Collaboration,
    at: &Recorded,
    event: event::RunRefused,
) -> Result<(), &'static str> {
    let Subject::Run(id) = at.subject else { return Err(SUBJECT) };
    let refused = RunStage::Ended(Outcome::Refused(event.reasons));
    match state.runs.get_mut(&id) {
        None => insert_run(state, at, new_run(at, event.query, None, refused)?),
        Some(run) if run.stage.ended() => Err("the run has its outcome"),
        Some(run) => {
            run.stage = refused;
            Ok(())
        }
    }
}

fn settle_invitation(
    state: &mut Collaboration,
    at: &Recorded,
    stage: InvitationStage,
) -> Result<(), &'static str> {
    let invitation = state.invitations.get_mut(&invitation_id(at)?).ok_or("no such invitation")?;
    if invitation.stage != InvitationStage::Pending {
        return Err("the invitation is not open");
    }
    invitation.stage = stage;
    Ok(())
}

fn activate(
    state: &mut Collaboration,
    at: &Recorded,
    event: event::CollaboratorActivated,
) -> Result<(), &'static str> {
    let Subject::Member(id) = at.subject else { return Err(SUBJECT) };
    let invitation = state.invitations.get(&InvitationId::new(id.uuid())).ok_or("not invited")?;
    let InvitationStage::Accepted(identity) = &invitation.stage else {
        return Err("the invitation is not accepted");
    };
    let member = Member {
        organisation: event.organisation,
        identity: identity.clone(),
        abilities: event.abilities.into_iter().collect(),
        invited_key: invitation.key,
        keys: BTreeMap::new(),
    };
    match state.members.insert(id, member) {
        None => Ok(()),
        Some(_) => Err("the member exists"),
    }
}

fn publish(
    state: &mut Collaboration,
    at: &Recorded,
    event: event::DatasetPublished,
) -> Result<(), &'static str> {
    let Subject::Dataset(id) = at.subject else { return Err(SUBJECT) };
    let owner = actor(at)?;
    let version = PublishedVersion {
        descriptor: event.descriptor,
        digest: event.digest,
        position: at.position,
    };
    let dataset = state.datasets.entry(id).or_insert_with(|| Dataset {
        owner,
        versions: Vec::new(),
        retired: false,
    });
    if dataset.owner != owner || dataset.retired {
        return Err("the dataset is another's, or retired");
    }
    dataset.versions.push(version);
    Ok(())
}

fn move_query(query: Query, at: &Recorded, event: Event) -> Result<Query, &'static str> {
    let Query { author, definition, stage } = query;
    let keep = |stage| Query { author, definition: definition.clone(), stage };
    Ok(match (stage, event) {
        (
            QueryStage::Draft
            | QueryStage::Rejected { .. }
            | QueryStage::Withdrawn
            | QueryStage::Superseded { .. },
            Event::QueryRevised(event),
        ) => Query { author, definition: event.definition, stage: QueryStage::Draft },
        (QueryStage::Draft, Event::QueryProposed(event)) => keep(QueryStage::Proposed(Proposal {
            binding: event.binding,
            digest: event.digest,
            approvers: event.approvers.into_iter().collect::<BTreeSet<_>>(),
            votes: BTreeMap::new(),
        })),
        (QueryStage::Proposed(mut proposal), Event::QueryApproved(event)) => {
            let member = actor(at)?;
            if event.digest != proposal.digest || !proposal.approvers.contains(&member) {
                return Err("the vote is on another digest, or by no approver");
            }
            let vote = Vote { position: at.position, leaf: at.leaf };
            if proposal.votes.insert(member, vote).is_some() {
                return Err("the approver voted already");
            }
            keep(QueryStage::Proposed(proposal))
        }
        (QueryStage::Proposed(proposal), Event::QueryRejected(event)) => {
            if event.digest != proposal.digest {
                return Err("the vote is on another digest");
            }
            keep(QueryStage::Rejected { proposal, by: actor(at)? })
        }
        (QueryStage::Proposed(proposal), Event::QueryAccepted(event)) => {
            if event.digest != proposal.digest || proposal.pending().next().is_some() {
                return Err("not every approver said yes to this digest");
            }
            keep(QueryStage::Accepted(proposal))
        }
        (
            QueryStage::Draft | QueryStage::Proposed(_) | QueryStage::Accepted(_),
            Event::QueryWithdrawn(_),
        ) => keep(QueryStage::Withdrawn),
        (
            QueryStage::Proposed(proposal) | QueryStage::Accepted(proposal),
            Event::QuerySuperseded(event),
        ) => keep(QueryStage::Superseded { proposal, reason: event.reason }),
        _ => return Err("the query is at another stage"),
    })
}

fn new_run(
    at: &Recorded,
    query: chancery_ledger::id::QueryId,
    digest: Option<chancery_ledger::digest::Digest>,
    stage: RunStage,
) -> Result<Run, &'static str> {
    Ok(Run { query, digest, runner: actor(at)?, request_leaf: at.leaf, output: None, stage })
}

fn insert_run(state: &mut Collaboration, at: &Recorded, run: Run) -> Result<(), &'static str> {
    let Subject::Run(id) = at.subject else { return Err(SUBJECT) };
    match state.runs.insert(id, run) {
        None => Ok(()),
        Some(_) => Err("the run exists"),
    }
}

fn move_run(stage: RunStage, event: Event) -> Result<RunStage, &'static str> {
    Ok(match (stage, event) {
        (RunStage::Ended(_), _) => return Err("the run has its outcome"),
        (_, Event::RunCancelled(event)) => RunStage::Ended(Outcome::Cancelled(event.reasons)),
        (
            RunStage::Requested
            | RunStage::Admitted(_)
            | RunStage::Submitted(..)
            | RunStage::Started(..),
            Event::RunAdmitted(event),
        ) => RunStage::Admitted(Admission {
            executor: event.executor,
            platform: event.platform,
            measurement: event.measurement,
            claims: event.claims,
        }),
        (RunStage::Admitted(admission), Event::RunSubmitted(event)) => RunStage::Submitted(
            admission,
            Job { tracking: event.tracking, job_spec: event.job_spec },
        ),
        (RunStage::Submitted(admission, job), Event::RunStarted(_)) => {
            RunStage::Started(admission, job)
        }
        (RunStage::Started(..), Event::RunSucceeded(event)) => {
            RunStage::Ended(Outcome::Succeeded {
                result: Box::new(event.result),
                platform: event.platform,
            })
        }
        (
            RunStage::Admitted(_) | RunStage::Submitted(..) | RunStage::Started(..),
            Event::RunFailed(event),
        ) => RunStage::Ended(Outcome::Failed { code: event.code, detail: event.detail }),
        _ => return Err("the run is at another step"),
    })
}
