//! What to do about the codes that people meet most.

/// Advice for a code.
pub fn of(code: &str) -> Option<&'static str> {
    Some(match code {
        "not_logged_in" | "token_missing" | "token_expired" | "token_invalid" => {
            "Sign in: chancery login"
        }
        "unreachable" => "Check that the server is up and that --server names it.",
        "service_key_changed" => {
            "Send nothing. If the operator says by another way that the key was rotated, let the \
             log prove it: chancery service trust-rotation"
        }
        "member_signature_required" => {
            "Sign with your key: chancery key generate, then chancery collaboration register-key. \
             If you registered one already, use the profile that holds it."
        }
        "key_unknown" | "key_revoked" => {
            "Register this profile's key: chancery collaboration register-key"
        }
        "signature_expired" => "Set this machine's clock, then send the command again.",
        "stale_version" | "query_digest_mismatch" | "dataset_version_changed" => {
            "Somebody changed it meanwhile. Look at it again, then decide again."
        }
        "approval_missing" | "query_not_accepted" => {
            "Every owner of its datasets must approve it: chancery query show QUERY"
        }
        "consent_withdrawn" => {
            "Ask the member to restore its consent; chancery query readiness QUERY lists all that \
             stands against a run."
        }
        "collaboration_paused" => {
            "An owner ends the pause: chancery collaboration resume. Why it is paused: chancery \
             collaboration show"
        }
        "collaboration_closed" => {
            "It is closed for good. Its log can be exported: chancery audit export"
        }
        "run_budget_spent" | "privacy_budget_spent" | "run_refused" => {
            "What to do, who can, and until when: chancery query readiness QUERY"
        }
        "receiver_not_allowed" | "not_a_receiver" => {
            "Results go to the output's owner, if every input lets them: chancery dataset show NAME"
        }
        "query_not_proposed" => "Put it up for votes: chancery query propose QUERY",
        "not_an_approver" => {
            "Its approvers are the owners of its datasets, and the groups of the terms: chancery \
             query show QUERY"
        }
        "already_voted" => "A vote is final. A changed query is voted on anew.",
        "ability_missing" => {
            "An owner grants it: chancery collaboration grant-ability MEMBER --ability ABILITY"
        }
        "workload_not_enabled" => {
            "The owner enables it: chancery collaboration enable-workload spark-sql"
        }
        "clean_room_policy_missing" | "measurement_not_allowed" => {
            "The owner names the application: chancery collaboration set-policy --application \
             sha256:..."
        }
        "clean_room_policy_changed" => "Propose the query again, so that it is voted on anew.",
        "insecure_virtual_not_allowed" => {
            "The terms ask for hardware. A collaboration for trying things out is created with \
             --allow-insecure-virtual."
        }
        "change_vote_required" => "It takes the members' vote: chancery change --help",
        "change_votes_missing" => "See who has not voted: chancery change show CHANGE",
        "last_owner" => "Make another owner first: chancery change grant-owner MEMBER",
        "proposal_expired" | "acceptance_expired" => {
            "Its author withdraws, revises and proposes it again: chancery query withdraw QUERY"
        }
        "change_expired" | "terms_changed" => "Ask for the change again: chancery change --help",
        "invitation_email_mismatch" => "Sign in with the e-mail that was invited: chancery login",
        "dataset_name_taken" => {
            "Publish a new version: chancery dataset publish FILE --update NAME"
        }
        "dataset_unchanged" => "Nothing is to do: that very version is published.",
        "collaboration_not_found" => "List yours: chancery collaboration list",
        "collaboration_unclear" => "Name it by --collaboration NAME, or by CHANCERY_COLLABORATION.",
        "name_ambiguous" => "Name it by its id.",
        "no_key" => "Make one: chancery key generate",
        "key_exists" => {
            "Use it, or name another file by --out. --force overwrites it for good: what only it \
             can sign, nobody can sign then."
        }
        "last_key" => {
            "Register another first: chancery key generate --out FILE, then chancery \
             collaboration register-key --new FILE"
        }
        "no_invitation" => "Ask the owner to invite the e-mail that you sign in with.",
        "result_mismatch" => {
            "Do not use these files. They are not those that the run's executor attested."
        }
        "outcome_unknown" | "log_unavailable" | "log_contended" => {
            "Look whether it was done before you send it again."
        }
        _ => return None,
    })
}
