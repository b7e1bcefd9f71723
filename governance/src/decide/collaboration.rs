//! Beginning a clean room and saying what may run in it.

use super::{Events, check_text, clean_room, wrong_subject};
use crate::authorise::Action;
use crate::clean_room::Policy;
use crate::command::{CreateCollaboration, EnableWorkload, SetCleanRoomPolicy};
use crate::event::{CleanRoomPolicySet, CollaborationCreated, WorkloadEnabled};
use crate::member::Ability;
use crate::reason::{Code, Rejection};
use crate::state::{Collaboration, State};
use crate::subject::{Subject, owner_of};
use crate::submission::{Caller, Submission};

/// The workload that this release runs.
pub const SPARK_SQL: &str = "spark-sql";
/// What the founder can do.
pub const FOUNDER_ABILITIES: [Ability; 2] = [Ability::Owner, Ability::DataProvider];
/// Longest name of a collaboration or an organisation, in characters.
pub const TEXT_LEN_MAX: usize = 200;
/// Most measurements in a clean room policy.
pub const APPLICATIONS_MAX: usize = 64;

pub(super) fn create(
    state: &State,
    action: &Action<'_>,
    command: &CreateCollaboration,
    submission: &Submission<'_>,
) -> Result<Events, Rejection> {
    if let State::Present(_) = state {
        return Err(Rejection::new(Code::CollaborationExists, "the collaboration exists already"));
    }
    if action.subject != Subject::Collaboration(submission.collaboration) {
        return Err(wrong_subject("the collaboration itself"));
    }
    let Caller::Stranger(identity) = action.caller else {
        return Err(Rejection::new(Code::NotAMember, "a collaboration begins with an identity"));
    };
    check_text("the name", &command.name, TEXT_LEN_MAX)?;
    check_text("the organisation", &command.organisation, TEXT_LEN_MAX)?;
    let founder = owner_of(submission.collaboration);
    let faults = super::terms::faults(&command.terms, |member| member == founder);
    if let Some(rejection) = Rejection::of(faults) {
        return Err(rejection);
    }
    let service = submission.facts.service.clone().ok_or_else(|| {
        Rejection::new(Code::EvidenceInvalid, "the service gave no evidence of its own")
    })?;
    if service.evidence.kind == "insecure-virtual" && !command.terms.insecure_virtual {
        return Err(Rejection::new(
            Code::InsecureVirtualNotAllowed,
            "this service has no hardware evidence, and the terms do not accept that",
        ));
    }
    let created = CollaborationCreated {
        rules: crate::RULES,
        name: command.name.clone(),
        organisation: command.organisation.clone(),
        identity: identity.clone(),
        terms: command.terms.clone(),
        service: service.name,
        service_key: service.key,
        evidence: service.evidence,
    };
    Ok(vec![(action.subject, created.into())])
}

pub(super) fn about_itself(state: &Collaboration, subject: Subject) -> Result<(), Rejection> {
    if subject == Subject::Collaboration(state.id) {
        Ok(())
    } else {
        Err(wrong_subject("the collaboration itself"))
    }
}

pub(super) fn enable_workload(
    state: &Collaboration,
    subject: Subject,
    command: &EnableWorkload,
) -> Result<Events, Rejection> {
    about_itself(state, subject)?;
    if command.workload != SPARK_SQL {
        return Err(Rejection::new(
            Code::UnknownWorkload,
            format!("this service runs the workload {SPARK_SQL}"),
        ));
    }
    if state.workload.is_some() {
        return Err(Rejection::new(Code::WorkloadAlreadyEnabled, "the workload is enabled"));
    }
    Ok(vec![(subject, WorkloadEnabled { workload: command.workload.clone() }.into())])
}

pub(super) fn set_policy(
    state: &Collaboration,
    subject: Subject,
    command: &SetCleanRoomPolicy,
) -> Result<Events, Rejection> {
    about_itself(state, subject)?;
    let mut applications = command.applications.clone();
    applications.sort_unstable();
    applications.dedup();
    if applications.is_empty() || applications.len() != command.applications.len() {
        return Err(Rejection::new(
            Code::InvalidCleanRoomPolicy,
            "a clean room policy names one measurement at least, and none twice",
        ));
    }
    if applications.len() > APPLICATIONS_MAX {
        return Err(Rejection::new(
            Code::LimitExceeded,
            format!("a clean room policy names at most {APPLICATIONS_MAX} measurements"),
        ));
    }
    let demands = clean_room::demands(&command.demands)?;
    let only = clean_room::only(&command.only, &applications)?;
    // A run that waits is looked at again when it is admitted; one that was admitted is stopped.
    let policy = Policy { applications: &applications, demands: &demands, only: &only };
    let disowned = clean_room::disowned(state, &policy);
    let mut events = vec![(subject, CleanRoomPolicySet { applications, demands, only }.into())];
    events.extend(disowned);
    Ok(events)
}
