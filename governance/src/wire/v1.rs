//! Wire version 1 of event payloads and command contents: `docs/wire/v1.cddl`.

mod people;
mod secret;

use chancery_ledger::codec::{Key, Value};

use super::record::Fields;
use super::{Wire, WireError, decode_text, text};
use crate::command::{self, Command, for_each_command};
use crate::dataset::{ColumnType, Format, GroupIdentity, Store};
use crate::decimal::Decimal;
use crate::event::{self, Event};
use crate::reason::Code;
use crate::sql::Literal;

names! {
    crate::member::Ability {
        Owner "owner", DataProvider "data_provider", Analyst "analyst", Runner "runner",
        ResultReceiver "result_receiver", Auditor "auditor",
    }
    crate::member::SignedAct { Votes "votes", Consents "consents", Runs "runs" }
    crate::consent::ConsentKind { Execution "execution", Logging "logging", Telemetry "telemetry" }
    crate::dataset::AccessMode { Read "read", Write "write" }
    crate::dataset::LiteralComparisons { Any "any", Equality "equality", None "none" }
    crate::run::Platform { InsecureVirtual "insecure-virtual", SevSnp "sev-snp" }
    crate::run::RefusedAt { Request "request", Admission "admission" }
}

record! {
    crate::member::Identity { issuer, tenant, subject }
    crate::member::SealedPersonal { commitment, ciphertext }
    crate::member::Terms {
        member_signed, insecure_virtual,
        change_threshold = omitted, admission_by_vote = omitted, groups = omitted,
        acceptance_lifetime_ms = omitted,
    }
    crate::dataset::Column { name, kind as "type" }
    crate::dataset::MinimumGroup { identity, count }
    crate::dataset::AccessPolicy {
        allowed_columns, minimum_group, column_rules = omitted, differential_privacy = omitted,
    }
    crate::dataset::ColumnRule {
        column, minimum = omitted, aggregate_only = omitted, output_forbidden = omitted,
        join_only = omitted, literals = omitted,
    }
    crate::dataset::Descriptor {
        name, format, columns, store, access_mode, policy, usage = omitted,
        encryption = omitted, token_audience = omitted,
    }
    crate::query::Definition {
        name, segments, inputs, output, parameters, privacy = omitted,
    }
    crate::query::Segment { order, view, sql, pre_conditions, post_filters }
    crate::query::PreCondition { view, min_rows }
    crate::query::PostFilter { column, minimum }
    crate::query::Input { alias, dataset }
    crate::query::Parameter { name, value }
    crate::query::Binding {
        definition, rewritten, inputs, output, applications, demands = omitted,
        votes_until_ms = omitted, runs_until_ms = omitted,
    }
    crate::query::Rewritten { view, sql }
    crate::query::DatasetVersion { dataset, digest }
    crate::reason::Reason { code, subject, detail }
    crate::run::Evidence { kind, document }
    crate::run::Attested {
        query_digest, votes, inputs, application, engine, job_spec, manifest, statistics,
        privacy = omitted,
    }
    crate::run::Engine { name, version }
    crate::run::Manifest { files, rows, columns }
    crate::run::File { path, digest, bytes }
    crate::run::Statistics { inputs, segments, rows_written }
    crate::run::InputRows { alias, rows }
    crate::run::SegmentRows { view, rows, duration_ms }
}

// Use and lifecycle.
names! { crate::usage::Period { Day "day", Week "week", Month "month", Life "life" } }

record! {
    crate::usage::Usage { budgets = omitted, receivers = omitted }
    crate::usage::RunBudget { period, runs, each_runner = omitted }
    crate::clean_room::Demands { host_data = omitted, engines = omitted, minimum_tcb = omitted }
    crate::clean_room::Tcb { bootloader, tee, snp, microcode }
    crate::clean_room::Only { application, queries }
    crate::clean_room::Claims {
        host_data = omitted, engine = omitted, tcb = omitted, debug = omitted,
    }
    event::CollaborationPaused { reason }
    event::CollaborationResumed {}
    event::CollaborationClosed { reason }
    command::PauseCollaboration { reason }
    command::ResumeCollaboration {}
    command::CloseCollaboration { reason }
}

// Differential privacy.
names! {
    crate::privacy::Drawn {
        Count "count", Individuals "individuals", Sum "sum", MeanSum "mean_sum",
        MeanCount "mean_count", Groups "groups",
    }
}

record! {
    crate::privacy::Loss { epsilon_micro, delta_pico = omitted }
    crate::privacy::LossBudget { period, epsilon_micro, delta_pico = omitted }
    crate::privacy::Bounds { column, lower, upper, decimals = omitted }
    crate::privacy::DeclaredValues { column, values }
    crate::privacy::DifferentialPrivacy {
        unit, budget, query_epsilon_micro_max, groups_max, rows_max, columns = omitted,
        declared = omitted,
    }
    crate::privacy::Charge { dataset, loss }
    crate::privacy::Mechanism {
        column, of, mechanism, epsilon_micro, sensitivity, scale_milli, threshold = omitted,
    }
    crate::privacy::Noised { epsilon_micro, delta_pico = omitted, mechanisms }
}

record! {
    event::CollaborationCreated {
        rules, name, organisation, identity, terms, service, service_key, evidence,
    }
    event::WorkloadEnabled { workload }
    event::CleanRoomPolicySet { applications, demands = omitted, only = omitted }
    event::CollaboratorInvited { organisation, abilities, email, tenant, key }
    event::InvitationWithdrawn {}
    event::InvitationAccepted { identity }
    event::CollaboratorActivated { organisation, abilities }
    event::SigningKeyRegistered { key, proof }
    event::SigningKeyRevoked { key }
    event::DatasetPublished { descriptor, digest }
    event::DatasetRetired {}
    event::QueryDrafted { definition }
    event::QueryRevised { definition }
    event::QueryProposed { binding, digest, approvers, groups = omitted }
    event::QueryApproved { digest }
    event::QueryRejected { digest, comment }
    event::QueryWithdrawn {}
    event::QueryAccepted { digest, votes }
    event::QuerySuperseded { reason }
    event::ConsentWithdrawn { kind }
    event::ConsentRestored { kind }
    event::RunRequested { query, digest, privacy = omitted }
    event::RunRefused { query, stage, reasons }
    event::RunAdmitted { executor, platform, measurement, claims = omitted, evidence }
    event::RunSubmitted { tracking, job_spec }
    event::RunStarted {}
    event::RunSucceeded { result, platform, evidence }
    event::RunFailed { code, detail }
    event::RunCancelled { reasons }
    event::ServiceKeyRotated { key, evidence }
    event::SubjectErased {}
    event::CollaboratorRemoved { departure }
    event::AbilityGranted { ability }
    event::AbilityRevoked { ability }
    event::ConsentLapsed { kind, member }
    event::ChangeProposed { change, expires_ms, terms, digest }
    event::ChangeApproved { digest }
    event::ChangeRejected { digest, comment, ends }
    event::ChangeWithdrawn {}
    event::ChangeSuperseded { reason }
    event::ChangeCommitted { digest, votes }
    event::AutoApprovalRuleSet { rule, member_signed }
    event::AutoApprovalRuleRemoved {}
    event::QueryApprovedByRule { digest, member, rule, rule_position, runner }
}

record! {
    command::CreateCollaboration { name, organisation, terms }
    command::EnableWorkload { workload }
    command::SetCleanRoomPolicy { applications, demands = omitted, only = omitted }
    command::Invite { organisation, abilities, email_commitment, tenant, key }
    command::WithdrawInvitation {}
    command::AcceptInvitation {}
    command::RegisterSigningKey { key, proof }
    command::RevokeSigningKey { key }
    command::PublishDataset { descriptor }
    command::RetireDataset {}
    command::DraftQuery { definition }
    command::ReviseQuery { definition }
    command::ProposeQuery { votes_until_ms = omitted, runs_until_ms = omitted }
    command::ApproveQuery { digest }
    command::RejectQuery { digest, comment }
    command::WithdrawQuery {}
    command::WithdrawConsent { kind }
    command::RestoreConsent { kind }
    command::RequestRun { query, digest }
    command::CancelRun {}
    command::AdmitRun { executor, evidence }
    command::SubmitRun { tracking, job_spec }
    command::StartRun {}
    command::SucceedRun { result, evidence }
    command::FailRun { code, detail }
    command::RotateServiceKey { key, evidence }
    command::ErasePersonal {}
    command::LeaveCollaboration {}
    command::GrantAbility { ability }
    command::RevokeAbility { ability }
    command::ProposeChange { change, expires_ms }
    command::ApproveChange { digest }
    command::RejectChange { digest, comment }
    command::WithdrawChange {}
    command::CommitChange { digest }
    command::SetAutoApprovalRule { rule }
    command::RemoveAutoApprovalRule {}
}

macro_rules! event_wire {
    ($($name:ident)*) => {
        /// The payload of an event.
        pub fn encode_event(event: &Event) -> Value {
            match event { $(Event::$name(event) => event.encode()),* }
        }

        /// Reads the payload of an event of type `kind`; it must be the one encoding of the event.
        ///
        /// # Errors
        ///
        /// [`WireError`].
        pub fn decode_event(kind: &str, payload: &Value) -> Result<Event, WireError> {
            match kind {
                $(stringify!($name) => {
                    let event = event::$name::decode(payload)?;
                    if event.encode() == *payload {
                        Ok(event.into())
                    } else {
                        Err(WireError::here("not the one encoding of this event"))
                    }
                })*
                _ => Err(WireError::here(format!("{kind} is not an event type of version 1"))),
            }
        }
    };
}

event_wire! {
    CollaborationCreated WorkloadEnabled CleanRoomPolicySet CollaboratorInvited InvitationWithdrawn
    InvitationAccepted CollaboratorActivated SigningKeyRegistered SigningKeyRevoked
    DatasetPublished DatasetRetired QueryDrafted QueryRevised QueryProposed QueryApproved
    QueryRejected QueryWithdrawn QueryAccepted QuerySuperseded ConsentWithdrawn ConsentRestored
    RunRequested RunRefused RunAdmitted RunSubmitted RunStarted RunSucceeded RunFailed RunCancelled
    ServiceKeyRotated SubjectErased
    CollaborationPaused CollaborationResumed CollaborationClosed
    CollaboratorRemoved AbilityGranted AbilityRevoked ConsentLapsed
    ChangeProposed ChangeApproved ChangeRejected ChangeWithdrawn ChangeSuperseded ChangeCommitted
    AutoApprovalRuleSet AutoApprovalRuleRemoved QueryApprovedByRule
    AttestationRecorded DatasetSecretStored DatasetSecretErased SecretReleased SecretRefused
    TokenMinted TokenRefused
}

macro_rules! command_wire {
    ($($action:literal $name:ident)*) => {
        /// The content of a command.
        pub fn encode_command(command: &Command) -> Value {
            match command { $(Command::$name(command) => command.encode()),* }
        }

        /// Reads the content of a command.
        ///
        /// # Errors
        ///
        /// [`crate::reason::Rejection`] where the action or the content is not known.
        pub fn decode_command(
            action: &str,
            content: &Value,
        ) -> Result<Command, crate::reason::Rejection> {
            match action {
                $($action => Ok(command::$name::decode(content)?.into()),)*
                _ => Err(crate::reason::Rejection::new(
                    Code::UnknownAction,
                    format!("there is no action {action}"),
                )),
            }
        }
    };
}

for_each_command!(command_wire);

impl Wire for Code {
    fn encode(&self) -> Value {
        Value::text(self.as_str())
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        Self::from_text(text(value)?).ok_or_else(|| WireError::here("is not a known reason code"))
    }
}

/// A map whose `kind` says which variant it is.
fn tagged<const N: usize>(kind: &str, fields: [(&str, Value); N]) -> Value {
    Value::map(
        std::iter::once(("kind", Value::text(kind)))
            .chain(fields)
            .map(|(name, value)| (Key::from(name), value)),
    )
}

/// Reads a map by its `kind`.
fn untagged<T>(
    value: &Value,
    variant: impl FnOnce(&str, &mut Fields<'_>) -> Result<Option<T>, WireError>,
    expected: &str,
) -> Result<T, WireError> {
    let mut fields = Fields::of(value)?;
    let kind = fields.take_text("kind")?;
    let read = variant(kind, &mut fields)?
        .ok_or_else(|| WireError::here(format!("expected one of {expected}")).within("kind"))?;
    fields.end()?;
    Ok(read)
}

impl Wire for GroupIdentity {
    fn encode(&self) -> Value {
        match self {
            Self::Row => tagged("row", []),
            Self::Column(column) => tagged("column", [("column", column.encode())]),
        }
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        let variant = |kind: &str, fields: &mut Fields<'_>| {
            Ok(match kind {
                "row" => Some(Self::Row),
                "column" => Some(Self::Column(fields.take("column")?)),
                _ => None,
            })
        };
        untagged(value, variant, "row column")
    }
}

impl Wire for Format {
    fn encode(&self) -> Value {
        match self {
            Self::Csv { null_value } => tagged("csv", [("null_value", null_value.encode())]),
            Self::Json => tagged("json", []),
            Self::Parquet => tagged("parquet", []),
        }
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        let variant = |kind: &str, fields: &mut Fields<'_>| {
            Ok(match kind {
                "csv" => Some(Self::Csv { null_value: fields.take("null_value")? }),
                "json" => Some(Self::Json),
                "parquet" => Some(Self::Parquet),
                _ => None,
            })
        };
        untagged(value, variant, "csv json parquet")
    }
}

impl Wire for Store {
    fn encode(&self) -> Value {
        match self {
            Self::Local { path } => tagged("local", [("path", path.encode())]),
        }
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        let variant = |kind: &str, fields: &mut Fields<'_>| {
            Ok(match kind {
                "local" => Some(Self::Local { path: fields.take("path")? }),
                _ => None,
            })
        };
        untagged(value, variant, "local")
    }
}

impl Wire for crate::usage::Receiver {
    fn encode(&self) -> Value {
        match self {
            Self::Member(member) => tagged("member", [("member", member.encode())]),
            Self::Organisation(name) => tagged("organisation", [("organisation", name.encode())]),
            Self::Ability(ability) => tagged("ability", [("ability", ability.encode())]),
        }
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        let variant = |kind: &str, fields: &mut Fields<'_>| {
            Ok(match kind {
                "member" => Some(Self::Member(fields.take("member")?)),
                "organisation" => Some(Self::Organisation(fields.take("organisation")?)),
                "ability" => Some(Self::Ability(fields.take("ability")?)),
                _ => None,
            })
        };
        untagged(value, variant, "member organisation ability")
    }
}

impl Wire for ColumnType {
    fn encode(&self) -> Value {
        Value::text(self.to_string())
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        decode_text(value, "one of string long double decimal(p,s) boolean date timestamp")
    }
}

impl Wire for Decimal {
    fn encode(&self) -> Value {
        Value::text(self.to_string())
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        decode_text(value, "decimal(p,s)")
    }
}

impl Wire for Literal {
    fn encode(&self) -> Value {
        let value = |kind, value| tagged(kind, [("value", value)]);
        match self {
            Self::String(text) => value("string", text.encode()),
            Self::Long(number) => value("long", number.encode()),
            Self::Boolean(bool) => value("boolean", bool.encode()),
            Self::Date(text) => value("date", text.encode()),
            Self::Timestamp(text) => value("timestamp", text.encode()),
            Self::Double(text) => value("double", text.encode()),
            Self::Decimal(decimal, text) => {
                tagged("decimal", [("type", decimal.encode()), ("value", text.encode())])
            }
        }
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        let variant = |kind: &str, fields: &mut Fields<'_>| {
            Ok(match kind {
                "string" => Some(Self::String(fields.take("value")?)),
                "long" => Some(Self::Long(fields.take("value")?)),
                "boolean" => Some(Self::Boolean(fields.take("value")?)),
                "date" => Some(Self::Date(fields.take("value")?)),
                "timestamp" => Some(Self::Timestamp(fields.take("value")?)),
                "double" => Some(Self::Double(fields.take("value")?)),
                "decimal" => Some(Self::Decimal(fields.take("type")?, fields.take("value")?)),
                _ => None,
            })
        };
        untagged(value, variant, "string long boolean date timestamp double decimal")
    }
}
