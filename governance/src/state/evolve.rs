//! The fold: one event moves the state, or the log is corrupt.

mod change;
mod member;
mod query;
mod secret;
mod usage;

use std::collections::BTreeMap;

use chancery_ledger::entry::Actor;
use chancery_ledger::id::{InvitationId, MemberId};
use chancery_ledger::key::PublicKey;

use super::roll::Roll;
use super::run::{Admission, Job, Outcome, Run, Stage as RunStage};
use super::{Collaboration, Dataset, InvitationStage, Member, PublishedVersion, Recorded, State};
use crate::consent::Scope;
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
    let mut roll = Roll::default();
    roll.enter(created.identity.clone(), owner);
    let member = Member {
        organisation: created.organisation,
        identity: created.identity,
        abilities: crate::decide::collaboration::FOUNDER_ABILITIES.into_iter().collect(),
        invited_key: None,
        keys: BTreeMap::new(),
        replacement: None,
    };
    Ok(Collaboration {
        id: at.collaboration,
        name: created.name,
        owner,
        terms: created.terms,
        service: created.service,
        service_keys: vec![(0, created.service_key.clone())],
        service_key: created.service_key,
        service_evidence: created.evidence.kind,
        workload: None,
        applications: Vec::new(),
        members: BTreeMap::from([(owner, member)]),
        former: BTreeMap::new(),
        roll,
        ties: super::ties::Ties::default(),
        rebound: super::rebound::Rebound::default(),
        changes: BTreeMap::new(),
        rules: BTreeMap::new(),
        invitations: BTreeMap::new(),
        datasets: BTreeMap::new(),
        queries: BTreeMap::new(),
        runs: BTreeMap::new(),
        marks: BTreeMap::new(),
        versions: BTreeMap::from([(at.subject, 0), (Subject::Member(owner), 0)]),
        lifecycle: super::lifecycle::Lifecycle::default(),
        spent: super::spent::Spent::default(),
        loss: super::loss::Losses::default(),
        demands: crate::clean_room::Demands::default(),
        only: Vec::new(),
        announced: Vec::new(),
        size: 1,
        last_leaf: at.leaf,
        last_time_ms: at.time_ms,
    })
}

#[expect(clippy::too_many_lines, reason = "one arm for each event, and nothing else")]
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
        Event::CollaboratorInvited(event) => member::invite(state, at, event),
        Event::ServiceKeyRotated(event) => rotate_key(state, at, event),
        Event::SubjectErased(_) => {
            let invitation =
                state.invitations.get_mut(&invitation_id(at)?).ok_or("no such invitation")?;
            match invitation.erased_at.replace(at.position) {
                None => Ok(()),
                Some(_) => Err("the e-mail is erased"),
            }
        }
        Event::InvitationWithdrawn(_) => {
            member::settle_invitation(state, at, InvitationStage::Withdrawn)
        }
        Event::InvitationAccepted(event) => {
            member::settle_invitation(state, at, InvitationStage::Accepted(event.identity))
        }
        Event::CollaboratorActivated(event) => member::activate(state, at, event),
        Event::CollaboratorRemoved(event) => member::remove(state, at, &event),
        Event::AbilityGranted(event) => member::grant(state, at, event.ability),
        Event::AbilityRevoked(event) => member::revoke(state, at, event.ability),
        Event::SigningKeyRegistered(event) => member::register_key(state, at, event.key),
        Event::SigningKeyRevoked(event) => member::revoke_key(state, at, event.key),
        Event::DatasetPublished(event) => publish(state, at, event),
        Event::DatasetRetired(_) => {
            let Subject::Dataset(id) = at.subject else { return Err(SUBJECT) };
            let dataset = state.datasets.get_mut(&id).ok_or("no such dataset")?;
            dataset.secret = None;
            if std::mem::replace(&mut dataset.retired, true) {
                return Err("it is retired");
            }
            if let Some(newest) = dataset.versions.last() {
                state.ties.retire((id, dataset.owner), &newest.descriptor.name);
            }
            Ok(())
        }
        Event::ConsentWithdrawn(event) => {
            let marks = state.marks.entry((scope(at)?, event.kind)).or_default();
            if marks.insert(actor(at)?) { Ok(()) } else { Err("the mark stands") }
        }
        Event::ConsentRestored(event) => member::unmark(state, at, event.kind, actor(at)?),
        Event::ConsentLapsed(event) => member::lapse(state, at, &event),
        event @ (Event::ChangeProposed(_)
        | Event::ChangeApproved(_)
        | Event::ChangeRejected(_)
        | Event::ChangeWithdrawn(_)
        | Event::ChangeSuperseded(_)
        | Event::ChangeCommitted(_)) => change::apply(state, at, event),
        Event::AutoApprovalRuleSet(event) => change::set_rule(state, at, event),
        Event::AutoApprovalRuleRemoved(_) => change::remove_rule(state, at),
        Event::QueryDrafted(event) => query::draft(state, at, event),
        Event::QueryRevised(event) => query::revise(state, at, event),
        event @ (Event::QueryProposed(_)
        | Event::QueryApproved(_)
        | Event::QueryApprovedByRule(_)
        | Event::QueryRejected(_)
        | Event::QueryWithdrawn(_)
        | Event::QueryAccepted(_)
        | Event::QuerySuperseded(_)) => query::apply(state, at, event),
        Event::RunRequested(event) => {
            let mut run = new_run(at, event.query, Some(event.digest), RunStage::Requested)?;
            run.output = usage::output(state, event.query);
            insert_run(state, at, run)?;
            usage::request(state, at, event.query, event.privacy)
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
            let Collaboration { runs, ties, spent, loss, .. } = state;
            let run = runs.get_mut(&id).ok_or("no such run")?;
            if let Event::RunAdmitted(admitted) = &event {
                run.secrets.get_or_insert_default().executor = Some(admitted.executor.clone());
            }
            // What stands there meanwhile is seen by nobody: a refusal takes the state with it.
            let stage = std::mem::replace(&mut run.stage, RunStage::Requested);
            run.stage = move_run(stage, event)?;
            usage::moved((spent, loss), id, &run.stage);
            match &run.stage {
                RunStage::Admitted(_) => ties.admit(id),
                RunStage::Ended(_) => ties.end(id, run),
                RunStage::Requested | RunStage::Submitted(..) | RunStage::Started(..) => {}
            }
            Ok(())
        }
        event @ (Event::AttestationRecorded(_)
        | Event::DatasetSecretStored(_)
        | Event::DatasetSecretErased(_)
        | Event::SecretReleased(_)
        | Event::SecretRefused(_)
        | Event::TokenMinted(_)
        | Event::TokenRefused(_)) => secret::apply(state, at, event),
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
        Subject::Invitation(_)
        | Subject::Member(_)
        | Subject::Run(_)
        | Subject::Change(_)
        | Subject::Rule(_) => Err(SUBJECT),
    }
}

fn rotate_key(
    state: &mut Collaboration,
    at: &Recorded,
    event: event::ServiceKeyRotated,
) -> Result<(), &'static str> {
    let key: PublicKey = event.key;
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
    state.service_evidence = event.evidence.kind;
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
            state.ties.end(id, run);
            Ok(())
        }
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
        secret: None,
    });
    if dataset.owner != owner || dataset.retired {
        return Err("the dataset is another's, or retired");
    }
    dataset.secret = None;
    let before = dataset.versions.last().map(|version| version.descriptor.name.as_str());
    state.ties.name((id, owner), before, &version.descriptor.name);
    dataset.versions.push(version);
    Ok(())
}

fn new_run(
    at: &Recorded,
    query: chancery_ledger::id::QueryId,
    digest: Option<chancery_ledger::digest::Digest>,
    stage: RunStage,
) -> Result<Run, &'static str> {
    let (runner, request_leaf) = (actor(at)?, at.leaf);
    Ok(Run { query, digest, runner, request_leaf, output: None, stage, secrets: None })
}

fn insert_run(state: &mut Collaboration, at: &Recorded, run: Run) -> Result<(), &'static str> {
    let Subject::Run(id) = at.subject else { return Err(SUBJECT) };
    if !run.stage.ended() {
        state.ties.begin(id, &run);
    }
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
