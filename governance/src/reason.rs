//! Why something was refused: stable codes, each with its family.

use crate::sql::RefusalCode;

/// One reason against a command or a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The stable code.
    pub code: Code,
    /// What it is about, as in `dataset/<id>`, where it is not the command's own subject.
    pub subject: Option<String>,
    /// One sentence for people. It may change between releases; the code may not.
    pub detail: String,
}

impl Reason {
    /// A reason about the command's own subject.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, subject: None, detail: detail.into() }
    }

    /// A reason about something else.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "subjects are Copy; `&` at each call is noise"
    )]
    pub fn about(code: Code, subject: impl ToString, detail: impl Into<String>) -> Self {
        Self { code, subject: Some(subject.to_string()), detail: detail.into() }
    }
}

/// What kind of answer a reason is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// The command's content is wrong in itself (HTTP 422).
    Invalid,
    /// The caller may not (403).
    Forbidden,
    /// There is no such thing, or not for this caller (404).
    NotFound,
    /// The state of things stands against it (409).
    Conflict,
    /// The subject has another version than the caller expected (412).
    Stale,
}

macro_rules! codes {
    ($($family:ident { $($(#[$doc:meta])* $name:ident $text:literal;)* })*) => {
        /// A stable reason code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($($(#[$doc])* $name,)*)*
            /// The SQL analysis refused a text.
            Sql(RefusalCode),
        }

        impl Code {
            /// The codes but those of the SQL analysis.
            pub const ALL: &'static [Self] = &[$($(Self::$name),*),*];

            /// The code's text.
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$name => $text,)*)* Self::Sql(code) => code.as_str() }
            }

            /// The code's family.
            pub const fn family(self) -> Family {
                match self { $($(Self::$name => Family::$family,)*)* Self::Sql(_) => Family::Invalid }
            }

            /// The code of that text.
            pub fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($($text => Some(Self::$name),)*)*
                    _ => RefusalCode::ALL.iter().find(|code| code.as_str() == text).copied().map(Self::Sql),
                }
            }
        }
    };
}

codes! {
    Invalid {
        /// A name is empty, too long or of other characters.
        InvalidName "invalid_name";
        /// Abilities are missing, repeated or include one that can't be given.
        InvalidAbilities "invalid_abilities";
        /// The workload is not one that this service knows.
        UnknownWorkload "unknown_workload";
        /// A clean room policy names no measurement, or one twice.
        InvalidCleanRoomPolicy "invalid_clean_room_policy";
        /// A dataset's columns, store or policy contradict themselves.
        InvalidDescriptor "invalid_descriptor";
        /// A query's definition contradicts itself.
        InvalidQuery "invalid_query";
        /// A named limit is passed.
        LimitExceeded "limit_exceeded";
        /// The subject is of another kind than the action needs.
        WrongSubject "wrong_subject";
        /// A key is not of a kind that signs commands.
        InvalidKey "invalid_key";
        /// The proof of possession does not verify.
        KeyProofInvalid "key_proof_invalid";
        /// The action does not exist.
        UnknownAction "unknown_action";
        /// The content has unknown, missing or mistyped fields.
        InvalidContent "invalid_content";
        /// Terms contradict themselves or name somebody who is no member.
        InvalidTerms "invalid_terms";
        /// A time is not after now, or further away than the bound.
        InvalidExpiry "invalid_expiry";
        /// An auto-approval rule contradicts itself or names what is not there.
        InvalidRule "invalid_rule";
        /// The stated loss of privacy is missing, needless, too large, or too small for the noise.
        InvalidPrivacyLoss "invalid_privacy_loss";
        /// A condition on rows would show what noise is to cover.
        PrivacyCondition "privacy_condition";
    }
    Forbidden {
        /// The caller is no member of the collaboration.
        NotAMember "not_a_member";
        /// The member lacks the ability.
        AbilityMissing "ability_missing";
        /// Only the query's author may.
        NotTheAuthor "not_the_author";
        /// Only the dataset's owner may.
        NotTheDatasetOwner "not_the_dataset_owner";
        /// Only an approver of the query may.
        NotAnApprover "not_an_approver";
        /// Only the member itself may.
        NotYourself "not_yourself";
        /// The member has a key, or the terms demand one: the command must be signed.
        MemberSignatureRequired "member_signature_required";
        /// The signature does not verify, or the message is not a signed command.
        SignatureInvalid "signature_invalid";
        /// The signature has ended.
        SignatureExpired "signature_expired";
        /// The signature would live longer than a day.
        SignatureLifetime "signature_lifetime_too_long";
        /// The signed bytes name another service.
        SignatureAudience "signature_other_audience";
        /// The signed bytes name another collaboration.
        SignatureCollaboration "signature_other_collaboration";
        /// The signed bytes name another action or subject.
        SignatureSubject "signature_other_subject";
        /// The signed bytes name another content.
        SignatureContent "signature_other_content";
        /// The signed bytes name another command id.
        SignatureCommand "signature_other_command";
        /// The key is not registered here.
        KeyUnknown "key_unknown";
        /// The key was revoked.
        KeyRevoked "key_revoked";
        /// The verified e-mail is not the invited one.
        InvitationEmailMismatch "invitation_email_mismatch";
        /// The invitation names another key as the member's first.
        KeyNotInvited "key_not_invited";
        /// The identity comes from another tenant than the invitation demands.
        InvitationTenantMismatch "invitation_tenant_mismatch";
        /// Only the service may, and it may nothing else.
        NotTheService "not_the_service";
        /// Only the owner, the inviter or the invited may.
        NotTheInvited "not_the_invited";
        /// Only an attested executor may.
        NotAnExecutor "not_an_executor";
        /// Only the executor that was admitted may.
        NotTheAdmittedExecutor "not_the_admitted_executor";
        /// The evidence does not verify.
        EvidenceInvalid "evidence_invalid";
        /// The evidence binds something else.
        EvidenceNotBound "evidence_not_bound";
        /// The clean room policy does not name the measurement.
        MeasurementNotAllowed "measurement_not_allowed";
        /// The terms do not accept evidence without hardware.
        InsecureVirtualNotAllowed "insecure_virtual_not_allowed";
        /// The clean room policy lets the application run other queries only.
        ApplicationNotForQuery "application_not_for_query";
        /// The evidence holds none of the host data that the policy names.
        HostDataNotAllowed "host_data_not_allowed";
        /// The evidence holds none of the engine images that the policy names.
        EngineNotAllowed "engine_not_allowed";
        /// The platform's trusted computing base is too old, or unknown.
        TcbTooOld "tcb_too_old";
        /// The platform can be debugged, or the evidence does not say.
        DebugNotAllowed "debug_not_allowed";
        /// The result goes to others.
        NotAReceiver "not_a_receiver";
        /// The member has no vote on the change.
        NotAnElector "not_an_elector";
        /// Only the member who proposed the change may.
        NotTheProposer "not_the_proposer";
        /// Only the member who set the rule may.
        NotTheRuleOwner "not_the_rule_owner";
        /// The run's query does not use the dataset.
        DatasetNotOfRun "dataset_not_of_run";
        /// The evidence shows another platform or application than the one that was admitted.
        EvidenceOtherPlatform "evidence_other_platform";
        /// The dataset's owner does not allow tokens for that audience.
        AudienceNotAllowed "audience_not_allowed";
    }
    NotFound {
        /// No such collaboration, or the caller is not in it.
        CollaborationNotFound "collaboration_not_found";
        /// No such invitation.
        InvitationNotFound "invitation_not_found";
        /// No such member.
        MemberNotFound "member_not_found";
        /// No such key of that member.
        KeyNotFound "key_not_found";
        /// No such dataset.
        DatasetNotFound "dataset_not_found";
        /// No such query.
        QueryNotFound "query_not_found";
        /// No such run.
        RunNotFound "run_not_found";
        /// No such change request.
        ChangeNotFound "change_not_found";
        /// No such auto-approval rule.
        RuleNotFound "rule_not_found";
    }
    Conflict {
        /// The collaboration exists already.
        CollaborationExists "collaboration_exists";
        /// The workload is enabled already.
        WorkloadAlreadyEnabled "workload_already_enabled";
        /// No workload is enabled yet.
        WorkloadNotEnabled "workload_not_enabled";
        /// No clean room policy is set yet.
        CleanRoomPolicyMissing "clean_room_policy_missing";
        /// The id is in use.
        InvitationExists "invitation_exists";
        /// That e-mail has an open invitation, or its member is here already.
        DuplicateInvitation "duplicate_invitation";
        /// The invitation was accepted already.
        InvitationAlreadyAccepted "invitation_already_accepted";
        /// The invitation was withdrawn.
        InvitationWithdrawn "invitation_withdrawn";
        /// The identity is a member already.
        AlreadyAMember "already_a_member";
        /// The e-mail was erased.
        PersonalErased "personal_erased";
        /// The service sealed with that key before.
        ServiceKeyUsed "service_key_used";
        /// The key is registered already.
        KeyAlreadyRegistered "key_already_registered";
        /// It is the member's last key that signs.
        LastKey "last_key";
        /// The key was revoked already.
        KeyAlreadyRevoked "key_already_revoked";
        /// Another dataset has the name.
        DatasetNameTaken "dataset_name_taken";
        /// The dataset has that very version already.
        DatasetUnchanged "dataset_unchanged";
        /// The dataset is retired.
        DatasetRetired "dataset_retired";
        /// The dataset is for reading, and named as output, or the other way round.
        DatasetAccessMode "dataset_access_mode";
        /// A dataset has another version than the one that was voted on.
        DatasetVersionChanged "dataset_version_changed";
        /// The id is in use.
        QueryExists "query_exists";
        /// The query is not in a state that its author can change.
        QueryNotEditable "query_not_editable";
        /// The query is not up for votes.
        QueryNotProposed "query_not_proposed";
        /// The vote or run names another digest than the query has now.
        QueryDigestMismatch "query_digest_mismatch";
        /// The approver voted already; a vote is final.
        AlreadyVoted "already_voted";
        /// The query is not accepted.
        QueryNotAccepted "query_not_accepted";
        /// An approver has not voted yet.
        ApprovalMissing "approval_missing";
        /// A member withdrew consent.
        ConsentWithdrawn "consent_withdrawn";
        /// The caller's mark stands already.
        ConsentAlreadyWithdrawn "consent_already_withdrawn";
        /// The caller has no mark to take back.
        ConsentNotWithdrawn "consent_not_withdrawn";
        /// The clean room policy changed since the vote.
        CleanRoomPolicyChanged "clean_room_policy_changed";
        /// The id is in use.
        RunExists "run_exists";
        /// The run has its outcome already.
        RunAlreadyEnded "run_already_ended";
        /// The run is not at the step that this report follows.
        RunWrongStep "run_wrong_step";
        /// The result is not of what was admitted.
        ResultMismatch "result_mismatch";
        /// A member asked for the run to stop.
        CancelledByMember "cancelled_by_member";
        /// The collaboration is paused.
        CollaborationPaused "collaboration_paused";
        /// The collaboration is not paused.
        CollaborationNotPaused "collaboration_not_paused";
        /// The collaboration is closed for good.
        CollaborationClosed "collaboration_closed";
        /// A budget of runs of a dataset is spent.
        RunBudgetSpent "run_budget_spent";
        /// An input does not let the output's owner receive.
        ReceiverNotAllowed "receiver_not_allowed";
        /// The statistics tell what consent to telemetry was withdrawn for.
        TelemetryWithheld "telemetry_withheld";
        /// The command id was used for another command.
        CommandIdReused "command_id_reused";
        /// The id is in use.
        ChangeExists "change_exists";
        /// The change request is settled.
        ChangeNotOpen "change_not_open";
        /// The time to vote on the change is over.
        ChangeExpired "change_expired";
        /// The vote names another digest than the change has.
        ChangeDigestMismatch "change_digest_mismatch";
        /// The change does not have the votes that it takes.
        ChangeVotesMissing "change_votes_missing";
        /// It is so already.
        NothingToChange "nothing_to_change";
        /// The act takes a change request that the members vote on.
        ChangeVoteRequired "change_vote_required";
        /// The terms were changed since.
        TermsChanged "terms_changed";
        /// It is the last member with the ability of the owner.
        LastOwner "last_owner";
        /// The member has the ability already.
        AbilityAlreadyGranted "ability_already_granted";
        /// The member does not have the ability.
        AbilityNotGranted "ability_not_granted";
        /// Somebody that it rested on is a member no more.
        MemberRemoved "member_removed";
        /// The time to vote on the query is over.
        ProposalExpired "proposal_expired";
        /// The time in which the accepted query may run is over.
        AcceptanceExpired "acceptance_expired";
        /// An approval by rule is for runs by another member.
        RunnerNotApproved "runner_not_approved";
        /// The id is in use.
        RuleExists "rule_exists";
        /// No secret is stored for the dataset's newest version.
        SecretNotStored "secret_not_stored";
        /// The executor has the secret already: it is released once, to one key.
        SecretAlreadyReleased "secret_already_released";
        /// The secret is not sealed to the key that the service announced last.
        ReleaseKeyMismatch "release_key_mismatch";
        /// The service has announced no keys in this log.
        ServiceNotAttested "service_not_attested";
        /// The service has no public address that tokens could name.
        TokenIssuerMissing "token_issuer_missing";
        /// The run would cost more than is left of a dataset's budget of privacy.
        PrivacyBudgetSpent "privacy_budget_spent";
    }
    Stale {
        /// The subject has another version than the caller expected.
        StaleVersion "stale_version";
    }
}

/// A command that was refused: one reason or more, the first of which decides the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", first.code.as_str(), first.detail)]
pub struct Rejection {
    /// The first reason.
    pub first: Reason,
    /// The others.
    pub others: Vec<Reason>,
}

impl Rejection {
    /// A refusal for one reason about the command's own subject.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Reason::new(code, detail).into()
    }

    /// A refusal for these reasons, if there is one.
    pub fn of(reasons: Vec<Reason>) -> Option<Self> {
        let mut reasons = reasons.into_iter();
        reasons.next().map(|first| Self { first, others: reasons.collect() })
    }

    /// All reasons, in order.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl From<Reason> for Rejection {
    fn from(first: Reason) -> Self {
        Self { first, others: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_round_trip() {
        let mut seen = std::collections::BTreeSet::new();
        let sql = RefusalCode::ALL.iter().copied().map(Code::Sql);
        for code in Code::ALL.iter().copied().chain(sql) {
            assert!(seen.insert(code.as_str()), "{} stands twice", code.as_str());
            assert_eq!(Code::from_text(code.as_str()), Some(code));
        }
    }
}
