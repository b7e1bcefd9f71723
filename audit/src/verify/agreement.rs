//! Whether an event is what its command asked for, as far as that shows without the state.

use chancery_governance::command::Command;
use chancery_governance::event::Event;
use chancery_governance::wire::v1::encode_command;
use chancery_ledger::codec::{self, Key, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Entry;

/// The types of the first event that an action causes.
const CAUSES: &[(&str, &[&str])] = &[
    ("collaboration.create", &["CollaborationCreated"]),
    ("collaboration.enable-workload", &["WorkloadEnabled"]),
    ("collaboration.set-policy", &["CleanRoomPolicySet"]),
    ("member.invite", &["CollaboratorInvited"]),
    ("member.withdraw-invitation", &["InvitationWithdrawn"]),
    ("member.accept-invitation", &["InvitationAccepted"]),
    ("member.register-key", &["SigningKeyRegistered"]),
    ("member.revoke-key", &["SigningKeyRevoked"]),
    ("dataset.publish", &["DatasetPublished"]),
    ("dataset.retire", &["DatasetRetired"]),
    ("query.draft", &["QueryDrafted"]),
    ("query.revise", &["QueryRevised"]),
    ("query.propose", &["QueryProposed"]),
    ("query.approve", &["QueryApproved"]),
    ("query.reject", &["QueryRejected"]),
    ("query.withdraw", &["QueryWithdrawn"]),
    ("consent.withdraw", &["ConsentWithdrawn"]),
    ("consent.restore", &["ConsentRestored"]),
    ("run.request", &["RunRequested", "RunRefused"]),
    ("run.cancel", &["RunCancelled"]),
    ("run.admit", &["RunAdmitted", "RunRefused"]),
    ("run.submit", &["RunSubmitted"]),
    ("run.start", &["RunStarted"]),
    ("run.succeed", &["RunSucceeded"]),
    ("run.fail", &["RunFailed"]),
    ("service.rotate-key", &["ServiceKeyRotated"]),
    ("personal.erase", &["SubjectErased"]),
    ("collaboration.pause", &["CollaborationPaused"]),
    ("collaboration.resume", &["CollaborationResumed"]),
    ("collaboration.close", &["CollaborationClosed"]),
    ("member.leave", &["CollaboratorRemoved"]),
    ("member.grant-ability", &["AbilityGranted"]),
    ("member.revoke-ability", &["AbilityRevoked"]),
    ("change.propose", &["ChangeProposed"]),
    ("change.approve", &["ChangeApproved"]),
    ("change.reject", &["ChangeRejected"]),
    ("change.withdraw", &["ChangeWithdrawn"]),
    ("change.commit", &["ChangeCommitted", "ChangeSuperseded"]),
    ("rule.set", &["AutoApprovalRuleSet"]),
    ("rule.remove", &["AutoApprovalRuleRemoved"]),
    ("dataset.store-secret", &["DatasetSecretStored"]),
    ("dataset.erase-secret", &["DatasetSecretErased"]),
    ("run.release-secret", &["SecretReleased", "SecretRefused"]),
    ("run.mint-token", &["TokenMinted", "TokenRefused"]),
    ("service.attest", &["AttestationRecorded"]),
];

/// Whether the event can be what `action` with the authority's content causes: it is of a type that
/// the action causes, and every field that both have is the same.
pub fn agrees(entry: &Entry, command: &Command, event: &Event) -> bool {
    let action = command.action();
    let caused = CAUSES.iter().any(|(of, kinds)| *of == action && kinds.contains(&event.kind()));
    // As the rules read it: what was sent may spell out what an event leaves out.
    let (Value::Map(content), Value::Map(payload)) = (encode_command(command), &entry.payload)
    else {
        return false;
    };
    caused
        && content.into_iter().all(|(field, asked)| {
            payload.get(&field).is_none_or(|stored| is_recorded_as(asked, stored))
        })
}

/// Whether an event holds what was asked: as it was sent, or what stands for it. Evidence is held by
/// its document's digest where the command brings it, a dataset with the version that was voted on.
fn is_recorded_as(asked: Value, stored: &Value) -> bool {
    match (&asked, stored) {
        (Value::Map(evidence), Value::Text(digest)) => {
            let document = evidence.get(&Key::from("document"));
            matches!(document, Some(Value::Text(document))
                if Digest::of(document.as_bytes()).to_string() == *digest)
        }
        (Value::Text(_), Value::Map(version)) => version.get(&Key::from("dataset")) == Some(&asked),
        _ => sorted(asked) == sorted(stored.clone()),
    }
}

/// Events have their lists of names and digests sorted, however they were sent.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(mut items) if items.iter().all(|item| matches!(item, Value::Text(_))) => {
            items.sort_by_key(codec::encode);
            items.dedup();
            Value::Array(items)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_and_every_event_that_it_causes_is_known() {
        let actions: Vec<_> = CAUSES.iter().map(|(action, _)| *action).collect();
        for action in Command::ACTIONS {
            assert!(actions.contains(action), "{action}");
        }
        for kind in CAUSES.iter().flat_map(|(_, kinds)| *kinds) {
            assert!(Event::KINDS.contains(kind), "{kind}");
        }
    }
}
