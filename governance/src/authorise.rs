//! Who may do what: the one place. What is not granted here is refused.

use crate::command::Command;
use crate::member::{Ability, SignedAct};
use crate::reason::{Code, Rejection};
use crate::state::{Collaboration, Member, State};
use crate::subject::Subject;
use crate::submission::{Caller, present};

/// A command, what it acts on, and who calls.
#[derive(Debug, Clone, Copy)]
pub struct Action<'a> {
    /// The command.
    pub command: &'a Command,
    /// Its subject.
    pub subject: Subject,
    /// The caller.
    pub caller: Caller<'a>,
}

/// What an action asks of its caller. Ownership of the subject is checked where it is decided.
enum Requirement {
    /// Anybody with a verified identity.
    Anybody,
    /// Any member.
    Member,
    /// A member with one of these abilities.
    AnyOf(&'static [Ability]),
    /// An executor key.
    Executor,
    /// The service itself.
    Service,
}

/// Checks that the caller may do this, and by this kind of authority.
///
/// # Errors
///
/// A [`Rejection`] of the forbidden family.
pub fn authorise(state: &State, action: &Action<'_>) -> Result<(), Rejection> {
    let requirement = requirement(action.command);
    match (requirement, action.caller) {
        (Requirement::Anybody, Caller::Stranger(_) | Caller::Member { .. })
        | (Requirement::Executor, Caller::Executor(_))
        | (Requirement::Service, Caller::Service(_)) => Ok(()),
        (_, Caller::Service(_)) => Err(Rejection::new(
            Code::NotTheService,
            "the service changes and announces its keys, and nothing else",
        )),
        (Requirement::Service, _) => Err(Rejection::new(
            Code::NotTheService,
            "only the service changes and announces its keys",
        )),
        (Requirement::Executor, Caller::Member { .. } | Caller::Stranger(_)) => {
            Err(Rejection::new(Code::NotAnExecutor, "only an attested executor reports on runs"))
        }
        (Requirement::Member | Requirement::AnyOf(_), Caller::Stranger(_)) => {
            present(state)?;
            Err(Rejection::new(Code::NotAMember, "the caller is no member of the collaboration"))
        }
        (_, Caller::Executor(_)) => {
            Err(Rejection::new(Code::NotAMember, "an executor can't act for a member"))
        }
        (Requirement::Member, Caller::Member { member, signed, .. }) => {
            check_authority(present(state)?, action.command, member, signed)
        }
        (Requirement::AnyOf(abilities), Caller::Member { member, signed, .. }) => {
            check_authority(present(state)?, action.command, member, signed)?;
            if abilities.iter().any(|ability| member.abilities.contains(ability)) {
                return Ok(());
            }
            let names: Vec<_> = abilities.iter().map(Ability::as_str).collect();
            Err(Rejection::new(
                Code::AbilityMissing,
                format!("the action takes the ability {}", names.join(" or ")),
            ))
        }
    }
}

/// A member that ever registered a key acts by signature only; so does every member in the acts
/// that the terms name. One whose invitation names a key can only register that key before.
fn check_authority(
    state: &Collaboration,
    command: &Command,
    member: &Member,
    signed: bool,
) -> Result<(), Rejection> {
    if signed {
        return Ok(());
    }
    let demanded = signed_act(command).is_some_and(|act| state.terms.member_signed.contains(&act));
    if demanded {
        return Err(Rejection::new(
            Code::MemberSignatureRequired,
            "the terms ask for the member's own signature; register a key and sign",
        ));
    }
    if let Command::RegisterSigningKey(command) = command
        && member.replacement == Some(command.key.id())
    {
        // The members voted for that key, and a token of the member's own issuer came with it.
        return Ok(());
    }
    if matches!(command, Command::ApproveChange(_) | Command::RejectChange(_)) {
        return Err(Rejection::new(
            Code::MemberSignatureRequired,
            "what all agreed on changes by signed votes only; register a key and sign",
        ));
    }
    if !member.keys.is_empty() {
        return Err(Rejection::new(
            Code::MemberSignatureRequired,
            "the member has registered a key, so its commands must be signed",
        ));
    }
    let registers = matches!(command, Command::RegisterSigningKey(_));
    if member.invited_key.is_none() || registers {
        return Ok(());
    }
    Err(Rejection::new(
        Code::MemberSignatureRequired,
        "the invitation names the member's key; register it first, then sign",
    ))
}

const fn signed_act(command: &Command) -> Option<SignedAct> {
    match command {
        Command::ApproveQuery(_)
        | Command::RejectQuery(_)
        | Command::ApproveChange(_)
        | Command::RejectChange(_)
        | Command::SetAutoApprovalRule(_) => Some(SignedAct::Votes),
        Command::WithdrawConsent(_) | Command::RestoreConsent(_) => Some(SignedAct::Consents),
        Command::RequestRun(_) | Command::CancelRun(_) => Some(SignedAct::Runs),
        Command::CreateCollaboration(_)
        | Command::EnableWorkload(_)
        | Command::SetCleanRoomPolicy(_)
        | Command::Invite(_)
        | Command::WithdrawInvitation(_)
        | Command::AcceptInvitation(_)
        | Command::RegisterSigningKey(_)
        | Command::RevokeSigningKey(_)
        | Command::PublishDataset(_)
        | Command::RetireDataset(_)
        | Command::DraftQuery(_)
        | Command::ReviseQuery(_)
        | Command::ProposeQuery(_)
        | Command::WithdrawQuery(_)
        | Command::AdmitRun(_)
        | Command::SubmitRun(_)
        | Command::StartRun(_)
        | Command::SucceedRun(_)
        | Command::FailRun(_)
        | Command::RotateServiceKey(_)
        | Command::ErasePersonal(_)
        | Command::PauseCollaboration(_)
        | Command::ResumeCollaboration(_)
        | Command::CloseCollaboration(_)
        | Command::LeaveCollaboration(_)
        | Command::GrantAbility(_)
        | Command::RevokeAbility(_)
        | Command::ProposeChange(_)
        | Command::WithdrawChange(_)
        | Command::CommitChange(_)
        | Command::RemoveAutoApprovalRule(_)
        | Command::StoreDatasetSecret(_)
        | Command::EraseDatasetSecret(_)
        | Command::ReleaseSecret(_)
        | Command::MintToken(_)
        | Command::AttestService(_) => None,
    }
}

const fn requirement(command: &Command) -> Requirement {
    match command {
        Command::CreateCollaboration(_) | Command::AcceptInvitation(_) => Requirement::Anybody,
        Command::EnableWorkload(_)
        | Command::SetCleanRoomPolicy(_)
        | Command::Invite(_)
        | Command::WithdrawInvitation(_)
        | Command::PauseCollaboration(_)
        | Command::ResumeCollaboration(_)
        | Command::CloseCollaboration(_)
        | Command::GrantAbility(_) => Requirement::AnyOf(&[Ability::Owner]),
        Command::RegisterSigningKey(_)
        | Command::RevokeSigningKey(_)
        | Command::ApproveQuery(_)
        | Command::RejectQuery(_)
        | Command::WithdrawConsent(_)
        | Command::RestoreConsent(_)
        | Command::CancelRun(_)
        | Command::ErasePersonal(_)
        | Command::LeaveCollaboration(_)
        | Command::RevokeAbility(_)
        | Command::ProposeChange(_)
        | Command::ApproveChange(_)
        | Command::RejectChange(_)
        | Command::WithdrawChange(_)
        | Command::CommitChange(_)
        | Command::SetAutoApprovalRule(_)
        | Command::RemoveAutoApprovalRule(_) => Requirement::Member,
        Command::RotateServiceKey(_) | Command::AttestService(_) => Requirement::Service,
        Command::PublishDataset(_)
        | Command::RetireDataset(_)
        | Command::StoreDatasetSecret(_)
        | Command::EraseDatasetSecret(_) => {
            Requirement::AnyOf(&[Ability::DataProvider, Ability::ResultReceiver])
        }
        Command::DraftQuery(_)
        | Command::ReviseQuery(_)
        | Command::ProposeQuery(_)
        | Command::WithdrawQuery(_) => Requirement::AnyOf(&[Ability::Analyst]),
        Command::RequestRun(_) => Requirement::AnyOf(&[Ability::Runner]),
        Command::AdmitRun(_)
        | Command::SubmitRun(_)
        | Command::StartRun(_)
        | Command::SucceedRun(_)
        | Command::FailRun(_)
        | Command::ReleaseSecret(_)
        | Command::MintToken(_) => Requirement::Executor,
    }
}
