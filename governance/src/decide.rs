//! Decisions: synchronous and pure. A command, the state and outside facts give events or reasons.

mod ability;
pub mod change;
mod clean_room;
pub mod collaboration;
mod column_rules;
pub mod consent;
pub mod dataset;
mod in_flight;
pub mod lifecycle;
pub mod member;
mod personal;
mod privacy_policy;
pub mod query;
mod removal;
pub mod rule;
pub mod run;
pub mod secret;
pub mod service;
pub mod terms;
mod usage;

use chancery_ledger::entry::Actor;
use chancery_ledger::id::{ChangeId, DatasetId, InvitationId, MemberId, QueryId, RuleId, RunId};

use crate::authorise::Action;
use crate::command::Command;
use crate::event::Event;
use crate::reason::{Code, Rejection};
use crate::state::State;
use crate::subject::{Subject, member_of, owner_of};
use crate::submission::{Caller, Decision, Submission, present};

/// Events with what each is about.
pub(crate) type Events = Vec<(Subject, Event)>;

/// Decides an authorised action.
///
/// # Errors
///
/// [`Rejection`].
#[expect(clippy::too_many_lines, reason = "one arm for each command, and nothing else")]
pub fn decide(
    state: &State,
    action: &Action<'_>,
    submission: &Submission<'_>,
) -> Result<Decision, Rejection> {
    let subject = action.subject;
    let facts = &submission.facts;
    if let Command::CreateCollaboration(create) = action.command {
        let events = collaboration::create(state, action, create, submission)?;
        return Ok(Decision { actor: Actor::Member(owner_of(submission.collaboration)), events });
    }
    let state = present(state)?;
    lifecycle::gate(state, action.command)?;
    // The time that the entry will be sealed with: a replay sees that one only.
    let now_ms = submission.now_ms.max(state.last_time_ms);
    if let (Command::AcceptInvitation(_), Subject::Invitation(invitation)) =
        (action.command, subject)
    {
        let events = member::accept(state, invitation, action.caller, facts)?;
        return Ok(Decision { actor: Actor::Member(member_of(invitation)), events });
    }
    if let Caller::Executor(key) = action.caller {
        let run = run_id(subject)?;
        let events = match action.command {
            Command::ReleaseSecret(command) => {
                secret::release(state, run, command, (facts, now_ms))?
            }
            Command::MintToken(command) => secret::mint(state, run, command, (facts, now_ms))?,
            report => run::report(state, run, report, (facts, now_ms))?,
        };
        return Ok(Decision { actor: Actor::Executor(key.id()), events });
    }
    if let (Caller::Service(key), Command::RotateServiceKey(rotate)) =
        (action.caller, action.command)
    {
        let events = service::rotate_key(state, subject, rotate, facts)?;
        return Ok(Decision { actor: Actor::Service(key), events });
    }
    if let (Caller::Service(key), Command::AttestService(attest)) = (action.caller, action.command)
    {
        let events = secret::attest_service(state, subject, attest, facts)?;
        return Ok(Decision { actor: Actor::Service(key), events });
    }
    let Caller::Member { id: caller, signed, .. } = action.caller else {
        return Err(Rejection::new(
            Code::NotAMember,
            "the caller is no member of the collaboration",
        ));
    };
    let events = match action.command {
        Command::EnableWorkload(command) => collaboration::enable_workload(state, subject, command),
        Command::SetCleanRoomPolicy(command) => collaboration::set_policy(state, subject, command),
        Command::Invite(command) => member::invite(state, invitation_id(subject)?, command, facts),
        Command::WithdrawInvitation(_) => {
            member::withdraw_invitation(state, invitation_id(subject)?)
        }
        Command::RegisterSigningKey(command) => {
            member::register_key(state, own(subject, caller)?, command)
        }
        Command::RevokeSigningKey(command) => {
            member::revoke_key(state, own(subject, caller)?, command)
        }
        Command::PublishDataset(command) => {
            dataset::publish(state, dataset_id(subject)?, caller, command)
        }
        Command::RetireDataset(_) => dataset::retire(state, dataset_id(subject)?, caller),
        Command::DraftQuery(command) => query::draft(state, query_id(subject)?, command),
        Command::ReviseQuery(command) => query::revise(state, query_id(subject)?, caller, command),
        Command::ProposeQuery(command) => {
            query::propose(state, query_id(subject)?, caller, command, now_ms)
        }
        Command::ApproveQuery(command) => {
            query::approve(state, query_id(subject)?, caller, command, now_ms)
        }
        Command::RejectQuery(command) => {
            query::reject(state, query_id(subject)?, caller, command, now_ms)
        }
        Command::WithdrawQuery(_) => query::withdraw(state, query_id(subject)?, caller),
        Command::WithdrawConsent(command) => {
            consent::withdraw(state, subject, caller, command.kind)
        }
        Command::RestoreConsent(command) => consent::restore(state, subject, caller, command.kind),
        Command::RequestRun(command) => {
            run::request(state, run_id(subject)?, (caller, now_ms), command)
        }
        Command::PauseCollaboration(command) => lifecycle::pause(state, subject, command),
        Command::ResumeCollaboration(_) => lifecycle::resume(state, subject),
        Command::CloseCollaboration(command) => lifecycle::close(state, subject, command),
        Command::CancelRun(_) => run::cancel(state, run_id(subject)?, caller),
        Command::ErasePersonal(_) => personal::erase(state, invitation_id(subject)?, caller),
        Command::LeaveCollaboration(_) => removal::leave(state, own(subject, caller)?),
        Command::GrantAbility(command) => {
            ability::grant(state, member_id(subject)?, command.ability)
        }
        Command::RevokeAbility(command) => {
            ability::revoke(state, member_id(subject)?, caller, command.ability)
        }
        Command::ProposeChange(command) => {
            change::propose(state, change_id(subject)?, caller, command, now_ms)
        }
        Command::ApproveChange(command) => {
            change::approve(state, change_id(subject)?, caller, command, now_ms)
        }
        Command::RejectChange(command) => {
            change::reject(state, change_id(subject)?, caller, command, now_ms)
        }
        Command::WithdrawChange(_) => change::withdraw(state, change_id(subject)?, caller),
        Command::CommitChange(command) => {
            change::commit(state, change_id(subject)?, command, now_ms)
        }
        Command::SetAutoApprovalRule(command) => {
            rule::set(state, rule_id(subject)?, (caller, signed), command, now_ms)
        }
        Command::RemoveAutoApprovalRule(_) => rule::remove(state, rule_id(subject)?, caller),
        Command::StoreDatasetSecret(command) => {
            secret::store(state, dataset_id(subject)?, caller, command)
        }
        Command::EraseDatasetSecret(_) => secret::erase(state, dataset_id(subject)?, caller),
        Command::CreateCollaboration(_)
        | Command::RotateServiceKey(_)
        | Command::AttestService(_)
        | Command::ReleaseSecret(_)
        | Command::MintToken(_)
        | Command::AcceptInvitation(_)
        | Command::AdmitRun(_)
        | Command::SubmitRun(_)
        | Command::StartRun(_)
        | Command::SucceedRun(_)
        | Command::FailRun(_) => Err(wrong_subject("another kind of subject")),
    }?;
    Ok(Decision { actor: Actor::Member(caller), events })
}

fn wrong_subject(needed: &str) -> Rejection {
    Rejection::new(Code::WrongSubject, format!("the action is about {needed}"))
}

fn own(subject: Subject, caller: MemberId) -> Result<MemberId, Rejection> {
    match subject {
        Subject::Member(id) if id == caller => Ok(id),
        Subject::Member(_) => Err(Rejection::new(
            Code::NotYourself,
            "only the member itself manages its keys, and leaves",
        )),
        _ => Err(wrong_subject("a member")),
    }
}

fn member_id(subject: Subject) -> Result<MemberId, Rejection> {
    if let Subject::Member(id) = subject { Ok(id) } else { Err(wrong_subject("a member")) }
}

fn change_id(subject: Subject) -> Result<ChangeId, Rejection> {
    if let Subject::Change(id) = subject { Ok(id) } else { Err(wrong_subject("a change request")) }
}

fn rule_id(subject: Subject) -> Result<RuleId, Rejection> {
    if let Subject::Rule(id) = subject { Ok(id) } else { Err(wrong_subject("a rule")) }
}

fn invitation_id(subject: Subject) -> Result<InvitationId, Rejection> {
    if let Subject::Invitation(id) = subject { Ok(id) } else { Err(wrong_subject("an invitation")) }
}

fn dataset_id(subject: Subject) -> Result<DatasetId, Rejection> {
    if let Subject::Dataset(id) = subject { Ok(id) } else { Err(wrong_subject("a dataset")) }
}

fn query_id(subject: Subject) -> Result<QueryId, Rejection> {
    if let Subject::Query(id) = subject { Ok(id) } else { Err(wrong_subject("a query")) }
}

fn run_id(subject: Subject) -> Result<RunId, Rejection> {
    if let Subject::Run(id) = subject { Ok(id) } else { Err(wrong_subject("a run")) }
}

/// A text for people: not blank, of at most `chars` characters, without control characters.
fn check_text(what: &str, text: &str, chars: usize) -> Result<(), Rejection> {
    let fine = !text.trim().is_empty()
        && text.chars().count() <= chars
        && !text.chars().any(char::is_control);
    if fine {
        return Ok(());
    }
    Err(Rejection::new(
        Code::InvalidName,
        format!("{what} must have 1 to {chars} characters, not all blank, none of them a control"),
    ))
}
