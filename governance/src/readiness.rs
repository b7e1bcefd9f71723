//! Can this query run now, and if not why: every reason at once.

use std::collections::BTreeSet;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{MemberId, QueryId, RunId};

use crate::binding;
use crate::budget;
use crate::clean_room;
use crate::consent::{ConsentKind, Scope};
use crate::member::Ability;
use crate::privacy;
use crate::reason::{Code, Reason};
use crate::receivers;
use crate::state::Collaboration;
use crate::state::lifecycle::Lifecycle;
use crate::state::query::{Proposal, Query, Stage};
use crate::subject::Subject;

/// By whom and when a run is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Who would run it, where somebody is named.
    pub runner: Option<MemberId>,
    /// When, milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The run itself, where it was requested already: it has its place in the budgets then.
    pub run: Option<RunId>,
}

/// As [`readiness_at`], at the time of the last entry.
pub fn readiness(state: &Collaboration, query: QueryId, runner: Option<MemberId>) -> Vec<Reason> {
    readiness_at(state, query, &Asked { runner, now_ms: state.last_time_ms, run: None })
}

/// Every reason against a run of `query` now, by a runner where one is named; none means ready.
pub fn readiness_at(state: &Collaboration, query: QueryId, asked: &Asked) -> Vec<Reason> {
    let runner = asked.runner;
    let mut reasons = Vec::new();
    reasons.extend(lifecycle_reason(state));
    if state.workload.is_none() {
        reasons.push(Reason::new(Code::WorkloadNotEnabled, "no workload is enabled yet"));
    }
    if state.applications.is_empty() {
        reasons.push(Reason::new(
            Code::CleanRoomPolicyMissing,
            "no clean room policy names an application that may run queries",
        ));
    }
    if let Some(runner) = runner
        && !state
            .members
            .get(&runner)
            .is_some_and(|member| member.abilities.contains(&Ability::Runner))
    {
        reasons.push(Reason::about(
            Code::AbilityMissing,
            Subject::Member(runner),
            format!("the runner lacks the ability {}", Ability::Runner.as_str()),
        ));
    }
    let Some(found) = state.queries.get(&query) else {
        reasons.push(Reason::about(
            Code::QueryNotFound,
            Subject::Query(query),
            "there is no such query",
        ));
        return reasons;
    };
    reasons.extend(approval_reasons(state, query, found));
    reasons.extend(limit_reasons(state, query, found, runner, asked.now_ms));
    reasons.extend(consent_reasons(state, query));
    reasons.extend(budget::reasons(state, &found.definition, asked));
    reasons.extend(privacy::budget::reasons(state, &found.definition, asked));
    if let Some(proposal) = found.live_proposal() {
        reasons.extend(receivers::reasons(state, &proposal.binding));
        reasons.extend(binding_reasons(state, proposal));
    }
    let policy = clean_room::Policy::of(state);
    if !policy.applications.is_empty()
        && !policy.applications.iter().any(|application| policy.lets(application, query))
    {
        reasons.push(Reason::new(
            Code::ApplicationNotForQuery,
            "the clean room policy lets no application run this query",
        ));
    }
    reasons
}

fn lifecycle_reason(state: &Collaboration) -> Option<Reason> {
    let subject = Subject::Collaboration(state.id);
    match &state.lifecycle {
        Lifecycle::Open => None,
        Lifecycle::Paused(standing) => Some(Reason::about(
            Code::CollaborationPaused,
            subject,
            format!("{} paused the collaboration", organisation(state, standing.by)),
        )),
        Lifecycle::Closed(standing) => Some(Reason::about(
            Code::CollaborationClosed,
            subject,
            format!("{} closed the collaboration", organisation(state, standing.by)),
        )),
    }
}

/// The runnable digest of a query: that of its accepted binding.
pub fn accepted_digest(query: &Query) -> Option<Digest> {
    if let Stage::Accepted(proposal) = &query.stage { Some(proposal.digest) } else { None }
}

fn approval_reasons(state: &Collaboration, id: QueryId, query: &Query) -> Vec<Reason> {
    let subject = Subject::Query(id);
    let not_accepted = |detail: &str| Reason::about(Code::QueryNotAccepted, subject, detail);
    match &query.stage {
        Stage::Accepted(_) => Vec::new(),
        Stage::Draft => vec![not_accepted("the query is a draft; its author has to propose it")],
        Stage::Withdrawn => vec![not_accepted("its author withdrew the query")],
        Stage::Rejected { by, .. } => {
            vec![not_accepted(&format!("{} rejected the query", organisation(state, *by)))]
        }
        Stage::Superseded { reason, .. } => vec![
            not_accepted("what was voted on is not what would run; propose it again"),
            reason.clone(),
        ],
        Stage::Proposed(proposal) => {
            let missing = proposal.pending().map(|member| {
                Reason::about(
                    Code::ApprovalMissing,
                    Subject::Member(member),
                    format!("{} has not voted yet", organisation(state, member)),
                )
            });
            let groups = proposal.short_groups(None).map(|(group, more)| {
                Reason::about(
                    Code::ApprovalMissing,
                    subject,
                    format!("the group {} lacks {more} of {} votes", group.name, group.needed),
                )
            });
            std::iter::once(not_accepted("not every approver has voted"))
                .chain(missing)
                .chain(groups)
                .collect()
        }
    }
}

/// An acceptance may end, and an approval by rule may be for one runner only.
fn limit_reasons(
    state: &Collaboration,
    id: QueryId,
    query: &Query,
    runner: Option<MemberId>,
    now_ms: u64,
) -> Vec<Reason> {
    let Stage::Accepted(proposal) = &query.stage else { return Vec::new() };
    let mut reasons = Vec::new();
    if proposal.binding.runs_until_ms.is_some_and(|until_ms| now_ms > until_ms) {
        reasons.push(Reason::about(
            Code::AcceptanceExpired,
            Subject::Query(id),
            "the time in which the query may run is over; withdraw it and propose it again",
        ));
    }
    let Some(runner) = runner else { return reasons };
    reasons.extend(proposal.votes.iter().filter_map(|(member, vote)| {
        let named = vote.runner.filter(|named| *named != runner)?;
        Some(Reason::about(
            Code::RunnerNotApproved,
            Subject::Member(*member),
            format!(
                "{} approves runs by {} only",
                organisation(state, *member),
                organisation(state, named)
            ),
        ))
    }));
    reasons
}

fn consent_reasons(state: &Collaboration, id: QueryId) -> Vec<Reason> {
    state
        .consent_scopes(id)
        .into_iter()
        .flat_map(|scope| {
            state.marks_on(scope, ConsentKind::Execution).map(move |member| {
                Reason::about(
                    Code::ConsentWithdrawn,
                    Subject::from(scope),
                    format!(
                        "{} withdrew consent to execution on {}",
                        organisation(state, member),
                        scope_name(state, scope)
                    ),
                )
            })
        })
        .collect()
}

/// What was voted on must still be what would run.
fn binding_reasons(state: &Collaboration, proposal: &Proposal) -> Vec<Reason> {
    let bound = &proposal.binding;
    let mut told = BTreeSet::new();
    let mut reasons: Vec<_> = bound
        .inputs
        .iter()
        .chain([&bound.output])
        .filter(|version| told.insert(version.dataset))
        .filter_map(|version| {
            let subject = Subject::Dataset(version.dataset);
            let (dataset, newest) = state.dataset_version(version.dataset)?;
            let name = &newest.descriptor.name;
            if dataset.retired {
                Some(Reason::about(Code::DatasetRetired, subject, format!("{name} is retired")))
            } else if newest.digest != version.digest {
                Some(Reason::about(
                    Code::DatasetVersionChanged,
                    subject,
                    format!("{name} has a version that nobody voted on"),
                ))
            } else {
                None
            }
        })
        .collect();
    let same = bound.applications == state.applications && bound.demands == state.demands;
    if !state.applications.is_empty() && !same {
        reasons.push(Reason::new(
            Code::CleanRoomPolicyChanged,
            "the clean room policy is not the one that was voted on; propose the query again",
        ));
    }
    // Where nothing that goes in is another, what comes out is not either.
    if reasons.is_empty() && !(same && state.rebound.knows(&proposal.digest)) {
        let again = binding::bind(state, &bound.definition).map(|mut binding| {
            binding.votes_until_ms = bound.votes_until_ms;
            binding.runs_until_ms = bound.runs_until_ms;
            binding::digest(&binding)
        });
        if again == Ok(proposal.digest) {
            state.rebound.note(proposal.digest);
        } else {
            reasons.push(Reason::new(
                Code::QueryDigestMismatch,
                "this release analyses the query to another text than was voted on",
            ));
        }
    }
    reasons
}

fn organisation(state: &Collaboration, member: MemberId) -> String {
    state.organisation(member).map_or_else(|| format!("member {member}"), ToOwned::to_owned)
}

fn scope_name(state: &Collaboration, scope: Scope) -> String {
    match scope {
        Scope::Collaboration(_) => "the collaboration".to_owned(),
        Scope::Query(_) => "the query".to_owned(),
        Scope::Dataset(id) => state.dataset_version(id).map_or_else(
            || format!("dataset {id}"),
            |(_, version)| version.descriptor.name.clone(),
        ),
    }
}
